"""Budgets and limits in full: each with its gauge and all there is to say about it."""

from collections.abc import Sequence

from textual import events

from controlroom.domain.display.bars import Gauge, gauges
from controlroom.domain.display.ladders import NO_BUDGET, NO_LIMIT, budget_facts, limit_facts
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.view_state import ViewState
from controlroom.tui.widgets.meters import draw, words_for
from controlroom.tui.widgets.scrollable_text import ScrollableText

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
        """Give the lines that show all of it."""
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
        view = self._view
        fleet, now, clock = view.fleet, view.now, view.clock
        known = {f"budget {one.name}": budget_facts(one, now, clock) for one in fleet.budgets.values()}
        known |= {f"limit {one.key}": limit_facts(one, now, clock) for one in fleet.headroom.values()}
        found = gauges(fleet, now, clock)
        budgets = [gauge for gauge in found if gauge.group == "budget"]
        limits = [gauge for gauge in found if gauge.group != "budget"]
        return [
            self._heading("budgets", width),
            *self._part(budgets, known, width, NO_BUDGET),
            self._heading("limits", width),
            *(part for group in _apart(limits, width) for part in self._part(group, known, width, NO_LIMIT)),
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
        self.room.do("costs_limits")
