"""The hosts screen: the table of figures, and all facts of one host."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.style import Style
from textual import events

from controlroom.domain.display.views import HostRow, drain_words, host_row
from controlroom.domain.imports import import_words
from controlroom.domain.keys.keymap import shown
from controlroom.domain.model import Host, LinkState
from controlroom.domain.words import history, percent, since, size
from controlroom.text.host_sample import HostSample
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.theme.theme import Palette
from controlroom.tui.view_state import ViewState
from controlroom.tui.widgets.hosts import link_words, load_style, memory_percent, past_of
from controlroom.tui.widgets.lines import Wheeled
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
    known: bool = True


_NOTHING = HostSample(0)


def share(part: int | None, whole: int | None) -> float | None:
    """A part in per cent of the whole; None: no reading."""
    return None if part is None or not whole else 100 * part / whole


def swap(palette: Palette, sample: HostSample) -> Figure:
    """Draw swap in use; a machine without any has none in use."""
    used = 0.0 if sample.swap_total == 0 else share(sample.swap_used, sample.swap_total)
    much = used is not None and used >= _SWAPPING
    return Figure(percent(used), palette.warn if much else palette.text, used is not None)


def disk(palette: Palette, sample: HostSample) -> Figure:
    """Draw what is free of the disk."""
    free = share(sample.disk_free, sample.disk_total)
    style = palette.text if free is None or free >= _NEARLY_FULL else palette.warn if free >= _FULL else palette.danger
    return Figure(size(sample.disk_free), style, sample.disk_free is not None)


def iowait(palette: Palette, sample: HostSample) -> Figure:
    """Draw how much the CPU waits for disks."""
    value = sample.iowait_percent
    much = value is not None and value >= _BUSY_DISK
    return Figure(percent(value), palette.warn if much else palette.text, value is not None)


def load(palette: Palette, sample: HostSample, cores: int) -> Figure:
    """Draw the load of the last minute; twice the cores is much."""
    value = sample.load_1m
    much = value is not None and cores and value >= 2 * cores
    return Figure("–" if value is None else f"{value:.2f}", palette.warn if much else palette.text, value is not None)


def memory(palette: Palette, row: HostRow) -> Figure:
    """Draw memory in use."""
    value = memory_percent(row)
    style = load_style(palette, value)
    return Figure(percent(value), palette.text if style == palette.bar else style, value is not None)


def clock_words(offset: int) -> str:
    """How far a host's clock is from ours (milliseconds), when that is worth a word."""
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
        """The lines that show all hosts."""
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
        bars = 0 if row.barred and width < 60 else past
        runs = self._measured("cpu", Figure(percent(row.cpu_percent), palette.text), row.cpu_history, bars)
        runs.append((f"  {row.barred}" if row.barred else "", palette.warn))
        if width >= 60:
            runs += self._measured("ram", memory(palette, row), row.memory_history, past)
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
            runs += self._measured("ram", memory(palette, row), row.memory_history, 8)
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

    def _measured(self, label: str, figure: Figure, past: Sequence[float] = (), cells: int = 0) -> list[Run]:
        runs: list[Run] = [(f"  {label} ", self.palette.quiet), self._number(figure, 4 if label != "net" else 9)]
        return [*runs, (" ", None), *past_of(self.palette, past, cells)] if cells else runs

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
            (" ", None),
            *past_of(palette, row.cpu_history, wide - 1),
            self._number(memory(palette, row), 6),
            (" ", None),
            *past_of(palette, row.memory_history, wide - 1),
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
            notes = [row.barred, f"clock {clock}" if clock else "", row.reason]
            return styled.line(*runs, (f" {' · '.join(filter(None, notes))}", palette.note))
        aged = [(text, palette.quiet) for text, _ in runs] if row.sample else []
        return styled.line(*aged, (f" {self._said(row)}", palette.links[row.link]))


def _wide(width: int) -> int:
    """The cells of what was before, with the space before it."""
    return 9 if width < 130 else 13 if width < 170 else 17


_LABEL = 8


class HostFacts(Wheeled):
    """Everything known of one host."""

    DEFAULT_CSS = "HostFacts { height: 1fr; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._view = ViewState()
        self._host: Host | None = None
        self._top = self._most = 0

    def show(self, view: ViewState, host: Host | None) -> None:
        """Show this host from now on."""
        if host is None or self._host is None or host.name != self._host.name:
            self._top = 0
        self._view, self._host = view, host
        self.redraw()

    def turn(self) -> None:
        """Show what did not fit; after the last line the first one again."""
        self._top += max(1, self.size.height - 1)
        self.redraw()

    def on_click(self, event: events.Click) -> None:
        """A tap shows what did not fit."""
        event.stop()
        self.turn()

    def wheel(self, lines: int) -> None:
        """Move by lines."""
        self._top = max(0, min(self._top + lines, self._most))
        self.redraw()

    def build(self, width: int, height: int) -> Sequence[Line]:
        """One fact a line."""
        if self._host is None:
            return ()
        host, palette = self._host, self.palette
        lines = [*self._said("why", host.reason, width, palette.warn), *self._said("notice", host.notice, width)]
        lines += self._figures(host, width)
        for label, words in _facts(self._view, host):
            lines += self._said(label, words, width)
        self._most = max(0, len(lines) - height)
        self._top = self._top if self._top < len(lines) and len(lines) > height else 0
        below = len(lines) - self._top - height
        if below <= 0:
            return lines[self._top :]
        key = shown(self.context.keys.motion("hosts", "page_down").keys[0])
        more = self._fact("", (f"{key}: {below + 1} more", palette.key))
        return [*lines[self._top : self._top + height - 1], more]

    def _said(self, label: str, words: str, width: int, style: Style | None = None) -> list[Line]:
        """Draw words, broken where they must be."""
        parts = styled.wrap(words, max(8, width - _LABEL - 4)) if words else []
        return [self._fact(label if part is parts[0] else "", (part, style or self.palette.text)) for part in parts]

    def _fact(self, label: str, *runs: tuple[str, Style | None]) -> Line:
        return styled.line((f"  {label:<{_LABEL}} ", self.palette.quiet), *runs)

    def _figures(self, host: Host, width: int) -> list[Line]:
        """Draw what is measured; nothing before the first reading."""
        palette, sample = self.palette, host.sample
        row = host_row(self._view.fleet, host, self._view.now, self._view.counts)
        if sample is None:
            return [self._fact("figures", ("no reading", palette.quiet))]
        past = max(0, min(30, width - 30))
        cores = f"of {row.cores} cores" if row.cores else ""
        cpu = Figure(percent(sample.cpu_percent), palette.text, sample.cpu_percent is not None)
        held = f"{size(sample.memory_used)} of {size(sample.memory_total)}"
        return [
            self._figure("cpu", cpu, past_of(palette, row.cpu_history, past), cores),
            self._figure("ram", memory(palette, row), past_of(palette, row.memory_history, past), held),
            self._figure("wait", iowait(palette, sample), self._bars(history(row.iowait_history, past)), "for disks"),
            self._network(row, sample, past, width),
            self._figure("swap", swap(palette, sample), (), _swap_words(sample)),
            self._figure("disk", disk(palette, sample), (), f"free of {size(sample.disk_total)}{_free(sample)}"),
            self._figure("load", load(palette, sample, row.cores), (), _loads(sample)),
        ]

    def _bars(self, drawn: str) -> list[Run]:
        return [(drawn, self.palette.bar)] if drawn else []

    def _figure(self, label: str, figure: Figure, past: Sequence[Run], more: str) -> Line:
        palette = self.palette
        if not figure.known:
            return self._fact(label, ("no reading", palette.quiet))
        drawn = [(" ", None), *past, (" ", None)] if past else [(" ", None)]
        return self._fact(label, (styled.right(figure.words, 5), figure.style), *drawn, (more, palette.quiet))

    def _network(self, row: HostRow, sample: HostSample, past: int, width: int) -> Line:
        palette = self.palette
        if sample.network_in is None or sample.network_out is None:
            return self._fact("network", ("no reading", palette.quiet))
        total = Figure(size(sample.network_in + sample.network_out), palette.text)
        way = f"in {size(sample.network_in)}/s  out {size(sample.network_out)}/s"
        if width < 70:
            return self._fact("network", (f"  {way}", palette.text))
        return self._figure("network", total, self._bars(network_bars(row.network_history, past)), way)


def _swap_words(sample: HostSample) -> str:
    return f"{size(sample.swap_used)} of {size(sample.swap_total)}" if sample.swap_total else "there is none"


def _free(sample: HostSample) -> str:
    free = share(sample.disk_free, sample.disk_total)
    return "" if free is None else f", {percent(free)}"


def _loads(sample: HostSample) -> str:
    if sample.load_5m is None or sample.load_15m is None:
        return "in a minute"
    return f"{sample.load_5m:.2f}  {sample.load_15m:.2f}  in 1, 5, 15 min"


def _facts(view: ViewState, host: Host) -> list[tuple[str, str]]:
    facts = host.facts
    link = f"{host.link} {since(view.since(host.since))}" if host.since else str(host.link)
    found = [("agents", _agents(view, host)), ("address", host.address), ("link", link)]
    if host.drain is not None:
        words = drain_words(host.drain, view.now, host_row(view.fleet, host, view.now).progress)
        found.append(("work", f"nothing new: {words}"))
    if host.imported is not None:
        found.append(("imported", import_words(host.imported, view.now)))
    if host.labels:
        found.append(("labels", ", ".join(host.labels)))
    if facts:
        tmux = facts.tmux_problem or facts.tmux_words + ("" if facts.tmux else ": install it there")
        found += [
            ("owner", "this control room" if facts.owned else "another control room: look only"),
            ("clock", _clock(facts.clock_offset)),
            ("machine", f"{facts.hostname} · {facts.platform} · {facts.cores} cores · {size(facts.memory_total)}"),
            ("has", f"Python {facts.python} · {tmux}"),
        ]
    return found


def _agents(view: ViewState, host: Host) -> str:
    agents = list(view.fleet.agents_on(host.name))
    live = [agent.name for agent in agents if not agent.has_ended]
    names = ", ".join(live[:8]) + (", …" if len(live) > 8 else "")
    return f"{len(live)} of {len(agents)} live{': ' if names else ''}{names}"


def _clock(offset: int) -> str:
    words = clock_words(offset)
    return f"{words} from ours: its agents' times are off by as much" if words else "as ours"
