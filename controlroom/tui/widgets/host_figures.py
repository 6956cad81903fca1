"""All figures of all hosts: a table where there is room for one, else two lines a host."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.style import Style

from controlroom.domain.display.views import HostRow
from controlroom.domain.model import HostSample, LinkState
from controlroom.domain.words import history, percent, size
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.theme.theme import Palette
from controlroom.tui.widgets.hosts import link_words, memory_percent, memory_style
from controlroom.tui.widgets.rows import Rows

_TABLE = 108
"""Columns from which there is a table."""
_HELD, _BARS = 120, 150
"""Columns from which it says how much memory there is, and from which it has bars for disks and network, too."""
_BUSY_DISK, _FULL, _NEARLY_FULL, _SWAPPING = 25.0, 3.0, 10.0, 50.0
"""Per cent: of waiting for disks, of free disk, of swap in use, from which a person should look."""
_CLOCK = 2000
"""Milliseconds that two clocks may differ before it is worth a word."""
_QUIET_LINE = 1024.0
"""Bytes a second that a network's bars reach to at least."""

Run = tuple[str, Style | None]


class Figure(NamedTuple):
    """A figure as it is drawn: its words, and how alarming it is."""

    words: str
    style: Style


_NOTHING = HostSample(0)


def share(part: int | None, whole: int | None) -> float | None:
    """Give a part in per cent of the whole; None: no reading."""
    return None if part is None or not whole else 100 * part / whole


def swap(palette: Palette, sample: HostSample) -> Figure:
    """Draw swap in use; a machine without any has none in use."""
    used = 0.0 if sample.swap_total == 0 else share(sample.swap_used, sample.swap_total)
    return Figure(percent(used), palette.warn if used is not None and used >= _SWAPPING else palette.text)


def disk(palette: Palette, sample: HostSample) -> Figure:
    """Draw what is free of the disk."""
    free = share(sample.disk_free, sample.disk_total)
    style = palette.text if free is None or free >= _NEARLY_FULL else palette.warn if free >= _FULL else palette.danger
    return Figure(size(sample.disk_free), style)


def iowait(palette: Palette, sample: HostSample) -> Figure:
    """Draw how much the CPU waits for disks."""
    value = sample.iowait_percent
    return Figure(percent(value), palette.warn if value is not None and value >= _BUSY_DISK else palette.text)


def load(palette: Palette, sample: HostSample, cores: int) -> Figure:
    """Draw the load of the last minute; twice the cores is much."""
    value = sample.load_1m
    much = value is not None and cores and value >= 2 * cores
    return Figure("–" if value is None else f"{value:.2f}", palette.warn if much else palette.text)


def memory(palette: Palette, row: HostRow) -> Figure:
    """Draw memory in use."""
    value = memory_percent(row)
    style = memory_style(palette, value)
    return Figure(percent(value), palette.text if style == palette.bar else style)


def clock_words(offset: int) -> str:
    """Say how far a host's clock is from ours (milliseconds), when that is worth a word."""
    return "" if abs(offset) <= _CLOCK else f"{offset / 1000:+.0f} s"


def network_bars(past: Sequence[int], cells: int) -> str:
    """Draw the network's last figures, the highest of them as the top."""
    newest = list(past)[-cells:] if cells else []
    return history(newest, cells, max([_QUIET_LINE, *newest]))


class HostFigures(Rows[HostRow]):
    """The hosts, each with everything that is measured of it."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._name_cells = 6

    def name_of(self, row: HostRow) -> str:
        """A host is named by its name."""
        return row.name

    def lends(self, row: HostRow) -> object:
        """Names are as wide as the longest of them."""
        return self._name_cells

    def lines_wanted(self, width: int) -> int:
        """Give the lines that show all hosts."""
        return max(1, len(self.rows) + 1 if width >= _TABLE else 2 * len(self.rows))

    def begin(self, width: int, height: int) -> Sequence[Line]:
        """Measure the names; name the columns."""
        longest = max((styled.width(row.name) for row in self.rows), default=5)
        self._name_cells = max(5, min(longest, 12 if width < 60 else 16))
        self.per_row = 1 if width >= _TABLE else 2
        if width < _TABLE:
            return ()
        wide, more = _wide(width), width >= _BARS
        columns = [("cpu", 6, wide), ("ram", 6, wide + 13 * (width >= _HELD)), ("swap", 6, 0), ("disk", 7, 0)]
        columns += [("wait", 6, (wide + 1) * more), ("in/s", 7, 0), ("out/s", 7, (wide + 1) * more), ("load", 7, 0)]
        titles = "".join(f"{title:>{cells}}{'':{blank}}" for title, cells, blank in columns)
        return (styled.line((f"{'':{3 + self._name_cells}}{titles}  agents", self.palette.quiet)),)

    # ------------------------------------------------------------------ a row

    def draw(self, row: HostRow, width: int, chosen: bool) -> Line:
        """Draw the first line of a host."""
        palette = self.palette
        start = styled.line(
            (palette.glyphs.cursor if chosen else " ", palette.accent),
            (f"{palette.glyphs.links[row.link]} ", palette.links[row.link]),
            (styled.left(row.name, self._name_cells), palette.strong),
        )
        if width >= _TABLE:
            return (*start, *self._columns(row, width))
        if row.link is not LinkState.UP:
            return (*start, *styled.line((f"  {self._said(row)}", palette.links[row.link])))
        past = min(20, (width - self._name_cells - 40) // 2) if width >= 60 else 8
        runs = self._measured("cpu", Figure(percent(row.cpu_percent), palette.text), history(row.cpu_history, past))
        if width >= 60:
            runs += self._measured("ram", memory(palette, row), history(row.memory_history, past))
        return styled.spread((*start, *styled.line(*runs)), styled.line(*self._agents(row, width)), width)

    def draw_more(self, row: HostRow, width: int) -> Sequence[Line]:
        """Draw the second line."""
        if width >= _TABLE:
            return ()
        palette, sample = self.palette, row.sample or _NOTHING
        if row.sample is None:
            return (styled.line((f"   {'':<{self._name_cells}}  no reading", palette.quiet)),)
        indent = [(" " * (3 + self._name_cells), None)] if width >= 60 else [("  ", None)]
        runs: list[Run] = list(indent)
        if width < 60:
            runs += self._measured("ram", memory(palette, row), history(row.memory_history, 8))
        else:
            runs += self._measured("swap", swap(palette, sample))
        runs += self._measured("disk", disk(palette, sample))
        runs += self._measured("wait", iowait(palette, sample))
        if width >= 60:
            runs += self._measured("load", load(palette, sample, row.cores))
        if width >= 80:
            runs += self._measured("net", Figure(f"{size(sample.network_in)} {size(sample.network_out)}", palette.text))
        line = styled.line(*runs)
        return (
            line if row.link is LinkState.UP else tuple(styled.line(*((part.text, palette.quiet) for part in line))),
        )

    def _said(self, row: HostRow) -> str:
        heard = f"; heard {row.stale} ago".replace("now ago", "just now") if row.stale else ""
        return link_words(row) + heard

    @staticmethod
    def _number(figure: Figure, cells: int) -> Run:
        return styled.right(figure.words, cells), figure.style

    def _measured(self, label: str, figure: Figure, past: str = "") -> list[Run]:
        runs: list[Run] = [(f"  {label} ", self.palette.quiet), self._number(figure, 4 if label != "net" else 9)]
        return [*runs, (f" {past}", self.palette.bar)] if past else runs

    def _agents(self, row: HostRow, width: int) -> list[Run]:
        palette = self.palette
        known = f"/{row.agents_known}" if row.agents_known != row.agents else ""
        word = " agent" + "s" * (row.agents_known != 1) if width >= 80 else ""
        return [(f" {row.agents}", palette.text), (f"{known}{word} ", palette.quiet)]

    def _columns(self, row: HostRow, width: int) -> Line:
        palette, sample, wide = self.palette, row.sample or _NOTHING, _wide(width)
        held = f"{size(row.memory_used)} of {size(row.memory_total)}"
        more = width >= _BARS
        runs: list[Run] = [
            self._number(Figure(percent(row.cpu_percent), palette.text), 6),
            (f" {history(row.cpu_history, wide - 1)}", palette.bar),
            self._number(memory(palette, row), 6),
            (f" {history(row.memory_history, wide - 1)}", palette.bar),
            (styled.right(held, 13) if width >= _HELD else "", palette.quiet),
            self._number(swap(palette, sample), 6),
            self._number(disk(palette, sample), 7),
            self._number(iowait(palette, sample), 6),
            (f" {history(row.iowait_history, wide)}" if more else "", palette.bar),
            self._number(Figure(size(sample.network_in), palette.text), 7),
            self._number(Figure(size(sample.network_out), palette.text), 7),
            (f" {network_bars(row.network_history, wide)}" if more else "", palette.bar),
            self._number(load(palette, sample, row.cores), 7),
            (f"{row.agents:>4}", palette.text),
            (f"/{row.agents_known:<4}", palette.quiet),
        ]
        if row.link is LinkState.UP:
            clock = clock_words(row.clock_offset)
            notes = [row.taken, f"clock {clock}" if clock else "", row.reason]
            return styled.line(*runs, (f" {' · '.join(filter(None, notes))}", palette.note))
        aged = [(text, palette.quiet) for text, _ in runs] if row.sample else []
        return styled.line(*aged, (f" {self._said(row)}", palette.links[row.link]))


def _wide(width: int) -> int:
    """Give the cells of what was before, with the space before it."""
    return 9 if width < 130 else 13 if width < 170 else 17
