"""Budgets and plan limits: bars under the gauge line, and the full list on the costs screen."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual import events

from controlroom.domain.display.bars import Gauge, cells, fitting, gauges
from controlroom.domain.gauges import AlarmLevel
from controlroom.tui.context import RunAction
from controlroom.tui.terminal.throttle import ThrottledGauges
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.theme.theme import Palette
from controlroom.tui.view_state import ViewState
from controlroom.tui.widgets.lines import Lines, ScrollableText

_LONGEST, _SHORTEST = 26, 4
"""Cells of a bar: at most, and below which words are left out to make room for it."""

_NAME = 6
"""Cells of a name at the least."""
_MUCH, _FULL = 0.7, 0.9
"""Shares from which a bar has another colour."""

_GRID = 72
"""Columns from which gauges stand in columns; below the first one has a line of its own."""

Run = tuple[str, Style | None]


def level_style(palette: Palette, level: AlarmLevel, calm: Style) -> Style:
    """The style of an alarm level."""
    return {
        AlarmLevel.NOTICE: palette.note,
        AlarmLevel.WARNING: palette.warn,
        AlarmLevel.DANGER: palette.danger,
    }.get(level, calm)


def bar(palette: Palette, gauge: Gauge, width: int) -> list[Run]:
    """Draw a gauge's bar: coloured by its alarm, and without one by steps of what is used."""
    used = gauge.share or 0.0
    steps = palette.danger if used >= _FULL else palette.warn if used >= _MUCH else palette.bar
    filled = (
        steps if gauge.level in (AlarmLevel.CALM, AlarmLevel.NOTICE) else level_style(palette, gauge.level, palette.bar)
    )
    styles = {"used": filled, "granted": filled, "rest": palette.rule, "mark": palette.strong}
    return [(signs, styles[kind]) for kind, signs in cells(gauge.share, gauge.granted, gauge.mark, width)]


class _Words(NamedTuple):
    """Which words stand beside the bars of one column, and how wide they are."""

    amounts: str
    """`both` (in two columns of figures), `short`, or nothing."""
    when: bool
    note: bool
    label_cells: int
    used_cells: int
    limit_cells: int
    percent_cells: int
    when_cells: int
    note_cells: int

    @property
    def cells(self) -> int:
        """All but the bar, with the spaces between."""
        amounts = {"both": self.used_cells + 3 + self.limit_cells, "short": self.used_cells}.get(self.amounts, 0)
        parts = (self.label_cells, amounts, self.percent_cells, self.when_cells, self.note_cells)
        return sum(part + 1 for part in parts if part) + 1 + (self.when_cells > 0) + (self.note_cells > 0)


def _measured(column: Sequence[Gauge], amounts: str, when: bool, note: bool) -> _Words:
    def widest(words: str) -> int:
        return max(styled.width(getattr(gauge, words)) for gauge in column)

    limited = widest("limit") > 0
    used = widest("used") if amounts == "both" else widest("short") if amounts == "short" else 0
    return _Words(
        "short" if amounts == "both" and not limited and used else amounts if used else "",
        when,
        note,
        widest("label"),
        used,
        widest("limit") if amounts == "both" else 0,
        max((styled.width(gauge.percent) for gauge in column if gauge.share is not None), default=4),
        widest("when") if when else 0,
        widest("note") if note else 0,
    )


_VARIANTS = (("both", True, True), ("both", True, False), ("short", True, False), ("short", False, False))


def words_for(column: Sequence[Gauge], width: int, brief: bool = False) -> _Words:
    """Choose the words for a column: as many as leave room for the bars. `brief`: amounts are short in any case."""
    chosen = _measured(column, "", False, False)
    for variant in reversed(_VARIANTS[2:] if brief else _VARIANTS):
        words = _measured(column, *variant)
        if width - words.cells >= _SHORTEST:
            chosen = words
    return chosen


def draw(palette: Palette, gauge: Gauge, words: _Words, width: int) -> Line:
    """Draw one gauge in so many cells. Where they are too few the name is cut, never the figure."""
    alarmed = level_style(palette, gauge.level, palette.text)
    label = max(_NAME, words.label_cells - max(0, words.cells - width))
    runs: list[Run] = [(f" {styled.left(gauge.label, min(label, words.label_cells))} ", palette.quiet)]
    if words.amounts == "both":
        limit = f" / {styled.right(gauge.limit, words.limit_cells)} " if gauge.limit else " " * (words.limit_cells + 4)
        runs += [(styled.right(gauge.used, words.used_cells), palette.text), (limit, palette.quiet)]
    elif words.amounts:
        runs.append((f"{styled.right(gauge.short, words.used_cells)} ", palette.text))
    length = max(0, min(_LONGEST, width - words.cells))
    if gauge.share is None:
        runs.append((gauge.percent, palette.quiet))
        rest = gauge.when if words.when else ""
        return styled.clip(styled.line(*runs, (f"  {rest}" if rest else "", palette.quiet)), width)
    runs += bar(palette, gauge, length)
    runs.append((f" {styled.right(gauge.percent, words.percent_cells)}", alarmed))
    when = palette.note if gauge.runs_out else palette.quiet
    runs.append((f"  {styled.left(gauge.when, words.when_cells)}" if words.when_cells else "", when))
    noted = level_style(palette, gauge.level, palette.note)
    runs.append((f"  {gauge.note}" if words.note_cells and gauge.note else "", noted))
    return styled.clip(styled.line(*runs), width)


# --------------------------------------------------------------------------- sharing the lines out


def columns(found: Sequence[Gauge], width: int, height: int) -> list[list[Gauge]]:
    """Share gauges out to columns, for a screen of this size: each kind in a column of its own, the tightest first.

    What a column leaves is for the tightest of what had no place. On a phone each gauge is given as a column of
    its own, the one that has the first line first.
    """
    lines = 0 if height < 10 else 1 if height < 16 else 2 if height < 36 else 3
    across = 2 if width < 150 else 3
    if not lines or not found:
        return []
    if width < _GRID:
        return [[gauge] for gauge in _for_phone(found, 1 if lines == 1 else 3)]
    kinds = ("budget", "window", "bucket")
    groups = [group for kind in kinds if (group := [gauge for gauge in found if gauge.group == kind])]
    if len(groups) > across:
        groups = [groups[0], [gauge for group in groups[1:] for gauge in group]]
    shared = [fitting(group, lines) for group in groups] + [[] for _ in range(across - len(groups))]
    placed = [gauge for column in shared for gauge in column]
    left = fitting([gauge for gauge in found if gauge not in placed], lines * across - len(placed))
    for column in shared:
        room = lines - len(column)
        column += left[:room]
        left = left[room:]
    return [column for column in shared if column]


def _for_phone(found: Sequence[Gauge], most: int) -> list[Gauge]:
    """Choose for a phone: the tightest budget first, it has the first line."""
    budgets = fitting([gauge for gauge in found if gauge.group == "budget"], 1) or fitting(found, 1)
    others = [gauge for gauge in found if gauge not in budgets]
    return [*budgets, *fitting(others, most - 1)]


class Meters(Lines):
    """Budgets and limits. Without any it has no line."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._gauges: Sequence[Gauge] = ()
        self._throttled = ThrottledGauges()

    def on_click(self, event: events.Click) -> None:
        """Show who spent it, and all there is to say about budgets and limits."""
        event.stop()
        self.app.post_message(RunAction("costs"))

    def show(self, view: ViewState, now: float) -> None:
        """Show this from now on. `now` counts seconds: figures rest a while, longer on a phone."""
        found = [gauge for gauge in gauges(view.fleet, view.now, view.clock) if gauge.bounded]
        self._gauges = self._throttled.shown(found, self.app.size.width, now)
        self.redraw()

    def lines_wanted(self, width: int, height: int) -> int:
        """The lines that it takes on a screen of this size."""
        shared = columns(self._gauges, width, height)
        return len(_phone_rows(shared)) if width < _GRID else max(map(len, shared), default=0)

    def build(self, width: int, height: int) -> Sequence[Line]:
        """A few lines of gauges."""
        shared = columns(self._gauges, width, self.app.size.height)
        if not shared:
            return ()
        if width < _GRID:
            return [self._row(row, width) for row in _phone_rows(shared)]
        cells_each = width // max(2 if width < 150 else 3, len(shared))
        room = cells_each - _edge(cells_each)
        drawn = [
            [draw(self.palette, gauge, words, room) for gauge in column]
            for column, words in ((column, words_for(column, room)) for column in shared)
        ]
        return [
            self._beside([column[row] if row < len(column) else () for column in drawn], cells_each)
            for row in range(max(map(len, drawn)))
        ]

    def _row(self, row: Sequence[Gauge], width: int) -> Line:
        each = width // len(row)
        room = each - 1 if len(row) < 2 else each - _edge(each)
        words = [words_for([gauge], room, brief=True) for gauge in row]
        drawn = [draw(self.palette, gauge, said, room) for gauge, said in zip(row, words, strict=True)]
        return self._beside(drawn, each)

    def _beside(self, drawn: Sequence[Line], each: int) -> Line:
        """Put gauges into columns with a line between them: words of two do not read as one sentence."""
        edge = _edge(each)
        between = styled.line((self.palette.glyphs.upright.rjust(edge), self.palette.rule))
        room = each - edge * (len(drawn) > 1)
        columns = [(*line, Segment(" " * max(0, room - styled.length(line)))) for line in drawn]
        return tuple(part for index, line in enumerate(columns) for part in (*(between if index else ()), *line))


def _edge(each: int) -> int:
    """The cells of the line between two columns, with a blank before it where there is room."""
    return 2 if each >= 45 else 1


def _phone_rows(shared: Sequence[Sequence[Gauge]]) -> list[list[Gauge]]:
    """The first alone, the others two a line; two have a line each."""
    found = [gauge for column in shared for gauge in column]
    return [found[:1], found[1:]] if len(found) > 1 else [found] if found else []


_INDENT = 7


def packed(facts: Sequence[str], cells: int) -> list[str]:
    """Put facts on lines, several where they fit, one broken only where it does not fit alone."""
    lines: list[str] = []
    for fact in facts:
        if lines and styled.width(lines[-1]) + styled.width(fact) + 3 <= cells:
            lines[-1] += f" · {fact}"
        else:
            lines += styled.wrap(fact, cells)
    return lines


def _apart(limits: Sequence[Gauge], width: int) -> list[list[Gauge]]:
    """Line all bars up where there is room; else only those of one kind, so that all words fit."""
    if width >= 60 or not limits:
        return [list(limits)]
    return [group for kind in ("window", "bucket") if (group := [one for one in limits if one.group == kind])]


class LimitsInFull(ScrollableText):
    """Budgets, then limits; what does not fit is turned to."""

    DEFAULT_CSS = "LimitsInFull { height: 1fr; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._view = ViewState()
        self._more = ""

    def show(self, view: ViewState, more: str) -> None:
        """Show this from now on; the key `more` leads to what does not fit."""
        self._view, self._more = view, more
        self.redraw()

    def lines_wanted(self, width: int) -> int:
        """The lines that show all of it."""
        return sum(map(len, self._paragraphs(width)))

    def build(self, width: int, height: int) -> Sequence[Line]:
        """The part that fits."""
        paragraphs = self._paragraphs(width)
        lines = [line for paragraph in paragraphs for line in paragraph]
        if len(lines) + len(paragraphs) <= height:
            lines = [line for paragraph in paragraphs for line in (*paragraph, *[()] * (len(paragraph) > 1))]
        shown = self.part(lines, height)
        below = len(lines) - self._top - height
        if below > 0:
            shown[-1] = styled.line((f"   … {below + 1} more lines: {self._more}", self.palette.quiet))
        return shown

    def _paragraphs(self, width: int) -> list[list[Line]]:
        """Headings, and each gauge with all there is to say about it."""
        from controlroom.domain.display.limit_rows import NO_BUDGET, NO_LIMIT, budget_facts, limit_facts

        view = self._view
        fleet, now, clock = view.fleet, view.now, view.clock
        facts = {f"budget {budget.name}": budget_facts(budget, now, clock) for budget in fleet.budgets.values()}
        facts |= {f"limit {limit.key}": limit_facts(limit, now, clock) for limit in fleet.headroom.values()}
        shown = gauges(fleet, now, clock)
        budgets = [gauge for gauge in shown if gauge.group == "budget"]
        limits = [gauge for gauge in shown if gauge.group != "budget"]
        return [
            self._heading("budgets", width),
            *self._part(budgets, facts, width, NO_BUDGET),
            self._heading("limits", width),
            *(part for group in _apart(limits, width) for part in self._part(group, facts, width, NO_LIMIT)),
        ]

    def _heading(self, title: str, width: int) -> list[Line]:
        palette, sign = self.palette, self.palette.glyphs.rule
        rest = sign * max(0, width - len(title) - 3)
        return [styled.line((f"{sign} ", palette.rule), (f"{title} ", palette.quiet), (rest, palette.rule))]

    def _part(self, found: Sequence[Gauge], known: dict[str, list[str]], width: int, none: str) -> list[list[Line]]:
        if not found:
            return [[styled.line((f" {part}", self.palette.quiet)) for part in styled.wrap(none, max(8, width - 2))]]
        words = words_for(found, width - 1, brief=width < 60)
        facts = [self._facts(known.get(gauge.name, []), width) for gauge in found]
        drawn = [draw(self.palette, gauge, words, width - 1) for gauge in found]
        return [[line, *said] for line, said in zip(drawn, facts, strict=True)]

    def _facts(self, facts: Sequence[str], width: int) -> list[Line]:
        indent = 2 if width < 60 else _INDENT
        lines = packed(facts, max(8, width - indent - 1))
        return [styled.line((" " * indent + part, self.palette.quiet)) for part in lines]

    def on_click(self, event: events.Click) -> None:
        """A tap gives them the screen, or takes it back."""
        event.stop()
        self.app.post_message(RunAction("costs_limits"))
