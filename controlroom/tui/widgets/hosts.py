"""Hosts on the overview: their table, or all of them in one line."""

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message

from controlroom.domain.display.views import HostRow
from controlroom.domain.model import LinkState
from controlroom.domain.words import bar, history, percent, size
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.theme.theme import Palette
from controlroom.tui.widgets.lines import Lines
from controlroom.tui.widgets.rows import Rows

_WARN, _DANGER = 70.0, 90.0
"""Per cent of a processor or of memory in use from which bars have another colour."""


def memory_percent(row: HostRow) -> float | None:
    """Memory in use, in per cent; None: no reading."""
    if row.memory_used is None or not row.memory_total:
        return None
    return 100 * row.memory_used / row.memory_total


def load_style(palette: Palette, value: float | None) -> Style:
    """The colour of a bar, by steps."""
    if value is None or value < _WARN:
        return palette.bar
    return palette.danger if value >= _DANGER else palette.warn


def past_of(palette: Palette, values: Sequence[float], cells: int) -> list[tuple[str, Style | None]]:
    """The past of a share in per cent, a block a value, each in the colour of its step."""
    newest = list(values)[-cells:] if cells else []
    styles = [palette.bar] * (cells - len(newest)) + [load_style(palette, value) for value in newest]
    drawn = groupby(zip(history(newest, cells), styles, strict=True), key=itemgetter(1))
    return [("".join(sign for sign, _ in signs), style) for style, signs in drawn]


def link_words(row: HostRow) -> str:
    """The state of the link to a host that is not simply up."""
    words = {
        LinkState.UP: "up",
        LinkState.CONNECTING: "connecting",
        LinkState.ASKING: "asks",
        LinkState.LOST: "lost",
        LinkState.REFUSED: "refused",
    }[row.link]
    ago = "just now" if row.age == "now" else f"{row.age} ago"
    since = {LinkState.UP: "", LinkState.LOST: f" {ago}"}.get(row.link, f" {row.age}")
    return f"{words}{since}{': ' + row.reason if row.reason else ''}"


class HostTable(Rows[HostRow]):
    """All hosts. As a part of the overview it has no cursor."""

    def __init__(self, *, cursor: bool = True, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._cursor = cursor
        self._name_cells = 6

    def name_of(self, row: HostRow) -> str:
        """A host is named by its name."""
        return row.name

    def begin(self, width: int, height: int) -> Sequence[Line]:
        """Measure the names."""
        self._name_cells = max(5, min(max((len(row.name) for row in self.rows), default=5), 12 if width < 60 else 20))
        return ()

    def draw(self, row: HostRow, width: int, chosen: bool) -> Line:
        """Draw one host: figures when it is up, else what is the matter."""
        palette = self.palette
        chosen = chosen and self._cursor
        start = styled.line(
            (palette.glyphs.cursor if chosen else " ", palette.accent),
            (f"{palette.glyphs.links[row.link]} ", palette.links[row.link]),
            (styled.left(row.name, self._name_cells) + " ", palette.strong),
        )
        if row.link is LinkState.UP:
            said = styled.line((f"  {row.reason}" if row.reason else "", palette.note))
            barred = styled.line((f" {row.barred}" if row.barred else "", palette.warn))
            return (*start, *barred, *self._figures(row, width), *said)
        words = f" {link_words(row)}"
        if row.stale and width >= 110:
            old = "" if row.stale == "now" else f"  {row.stale} old,"
            return (
                *start,
                *(Segment(part.text, palette.quiet) for part in self._figures(row, width)),
                *styled.line((f"{old or ' '}{words}", palette.links[row.link])),
            )
        heard = f"; heard {row.stale} ago".replace("now ago", "just now") if row.stale else ""
        return (*start, *styled.line((words + heard, palette.links[row.link])))

    def lends(self, row: HostRow) -> object:
        """Names have the width of the longest."""
        return self._name_cells

    def _draw_row(self, row: HostRow, width: int, chosen: bool) -> Sequence[Line]:
        return super()._draw_row(row, width, chosen and self._cursor)

    def _figures(self, row: HostRow, width: int) -> Line:
        palette, memory = self.palette, memory_percent(row)
        cells = 16 if width >= 130 else 10 if width >= 70 else 0
        past = 16 if width >= 130 else 8 if width >= 50 else 5
        if 60 <= width < 130:
            words = 31 + 13 * (width >= 90) + 7 * (width >= 80)
            spare = (width - self._name_cells - words) // 2
            past = max(3, min(past, spare - cells))  # long names take from the past first, then from the bars
            cells = max(0, min(cells, spare - past))
        runs: list[tuple[str, Style | None]] = [(" cpu ", palette.quiet)]
        runs += _bar(palette, row.cpu_percent, cells, load_style(palette, row.cpu_percent))
        runs.append((f"{styled.right(percent(row.cpu_percent), 5)} ", palette.text))
        runs += past_of(palette, row.cpu_history, past)
        runs.append(("  ram " if width >= 60 else " ram ", palette.quiet))
        runs += _bar(palette, memory, cells, load_style(palette, memory))
        alarmed = load_style(palette, memory) if memory and memory >= _WARN else palette.text
        runs.append((f"{styled.right(percent(memory), 5)} ", alarmed))
        if width >= 90:
            held = f"{size(row.memory_used)} of {size(row.memory_total)}"
            runs.append((f"{styled.right(held, 12)} ", palette.quiet))
        runs += past_of(palette, row.memory_history, past) if width >= 50 else []
        runs.append((f"{row.agents:>4}", palette.text))
        runs.append((" agent" + "s" * (row.agents != 1) if width >= 80 else "", palette.quiet))
        return styled.line(*runs)


def _bar(palette: Palette, value: float | None, cells: int, style: Style) -> list[tuple[str, Style | None]]:
    if not cells:
        return []
    drawn = bar(None if value is None else value / 100, cells)
    solid = drawn.rstrip("·")
    return [(solid, style), (drawn[len(solid) :], palette.rule)]


class HostSummary(Lines):
    """All hosts in one line, for a phone: how many are up, the fullest one, which are away or another room's."""

    class Tapped(Message):
        """It was tapped."""

    def on_click(self, event: events.Click) -> None:
        """Post that it was tapped."""
        event.stop()
        self.tell(self.Tapped())

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._rows: Sequence[HostRow] = ()

    def show(self, rows: Sequence[HostRow]) -> None:
        """Show these hosts from now on."""
        self._rows = rows
        self.redraw()

    def build(self, width: int, height: int) -> Sequence[Line]:
        """One line."""
        palette = self.palette
        away = [row for row in self._rows if row.link is not LinkState.UP]
        up = [row for row in self._rows if row.link is LinkState.UP]
        if away:
            first = away[0]
            more = f" +{len(away) - 1}" if len(away) > 1 else ""
            glyph = palette.glyphs.links[first.link]
            style = palette.links[first.link]
            return (
                styled.line((f" {glyph} {first.name}{more} ", style), (styled.cut(link_words(first), width), style)),
            )
        if not up:
            return ()
        if barred := [row for row in up if row.barred]:
            more = f" +{len(barred) - 1}" if len(barred) > 1 else ""
            return (styled.line((f" {barred[0].name}{more} {barred[0].barred}", palette.warn)),)
        fullest = max(up, key=lambda row: memory_percent(row) or 0.0)
        memory = memory_percent(fullest)
        runs: list[tuple[str, Style | None]] = [(f" {fullest.name}", palette.quiet)]
        runs += [(" cpu ", palette.quiet), (percent(fullest.cpu_percent), palette.text), (" ram ", palette.quiet)]
        runs.append((percent(memory), load_style(palette, memory) if memory and memory >= _WARN else palette.text))
        others = f"{len(up)} hosts " if len(up) > 1 else ""
        return (styled.spread(styled.line(*runs), styled.line((others, palette.quiet)), width),)
