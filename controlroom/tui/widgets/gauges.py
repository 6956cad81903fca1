"""The line on top of every screen: how many agents are in which state, what asks for a person, the time."""

from collections.abc import Collection, Sequence

from rich.style import Style
from textual import events
from textual.message import Message

from controlroom.domain.display.views import Headline, headline, spent_words
from controlroom.domain.model import LinkState, State
from controlroom.domain.words import age
from controlroom.text.lazy_dataclass import dataclass
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.view_state import Engine, ViewState
from controlroom.tui.widgets.lines import Lines

_ALWAYS = (State.WAITING, State.WORKING)
_SHOWN = {
    State.WAITING: "need you",
    State.WORKING: "working",
    State.LIMITED: "limited",
    State.FAILED: "failed",
    State.IDLE: "idle",
    State.STARTING: "starting",
    State.LOST: "lost",
    State.UNKNOWN: "unknown",
    State.PAUSED: "paused",
    State.DONE: "done",
}
_WORDED = (State.WAITING, State.WORKING, State.FAILED, State.LOST)
"""States that keep their word while there is little room."""

_NAMED = 100
"""Columns from which the machine that the engine is on is named."""

Part = tuple[Line, str]
"""A part of the line, and what a tap on it leads to; empty: nothing."""


class Gauges(Lines):
    """Counts at the left, trouble in the middle, the clock at the right; each leads to what it counts."""

    @dataclass(eq=False, repr=False)
    class Tapped(Message):
        """Something was tapped: a state by its name, `hosts`, `costs`, `attached`."""

        what: str

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._view = ViewState()
        self._places: list[tuple[int, int, str]] = []

    def ground(self) -> Style:
        """The line on top is a panel of its own."""
        return self.palette.panel

    def show(self, view: ViewState) -> None:
        """Show this from now on."""
        self._view = view
        self.redraw()

    def build(self, width: int, height: int) -> Sequence[Line]:
        """One line."""
        view, self._places = self._view, []
        if view.engine in (Engine.GONE, Engine.STOPPED):
            clock = _joined(self._clock(width))
            return (styled.spread(self._gone(width), clock, width),)
        counted, trouble = headline(view.fleet, view.counts), self._trouble(width)
        ends = [self._clock(width), *([self._clock(0)] if width < 80 else [])]
        drawn = [self._counts(counted, worded) for worded in (_SHOWN, _WORDED, {})]
        starts = [[*self._title(width), *counts, *trouble] for counts in drawn]
        fits = ((start, end) for end in ends for start in starts if _cells(start) + _cells(end) < width)
        start, end = next(fits, (starts[-1], ends[-1]))
        self._places = [*_placed(start, 0), *_placed(end, width - _cells(end))]
        return (styled.spread(_joined(start), _joined(end), width),)

    def on_click(self, event: events.Click) -> None:
        """Tell what was tapped."""
        event.stop()
        for start, end, what in self._places:
            if what and start <= event.x < end:
                self.tell(self.Tapped(what))

    def _clock(self, width: int) -> list[Part]:
        """What was spent today, then the time; without a width the time alone."""
        palette, view = self.palette, self._view
        spent = palette.glyphs.drawn(spent_words(view.fleet.money)) if width else ""
        short = spent.removesuffix(" today").partition(" and ")[0] if width < 80 else spent
        clock = (styled.line((f" {view.clock()} ", palette.strong)), "")
        return [(styled.line((f" {short} " + " " * (width >= 80), palette.text)), "costs"), clock] if spent else [clock]

    def _title(self, width: int) -> list[Part]:
        """Name the room, the machine that its engine is on when that is another one, and what one may do there."""
        where = self._view.where if width >= _NAMED else ""
        known = (styled.cut(where, 30), "read-only" if self._view.read_only else "")
        name = styled.line((" control room  " if width >= 80 else " ", self.palette.key))
        if self._view.fleet.queue.halt is not None:
            return [(styled.line((" HALTED  ", self.palette.danger)), "halt")]
        told = [(styled.line((f"{words}  ", self.palette.quiet)), "attached") for words in known if words]
        return [(name, ""), *told]

    def _counts(self, counted: Headline, worded: Collection[State]) -> list[Part]:
        """Count the states, those of `worded` in words, the others by their signs."""
        palette, parts = self.palette, list[Part]()
        for state, words in _SHOWN.items():
            count = counted.counts[state]
            if not count and state not in _ALWAYS:
                continue
            style = palette.states[state] if count else palette.quiet
            words = "needs you" if state is State.WAITING and count == 1 else words
            gap = "   " if worded else " "
            sign = palette.glyphs.states[state]
            text = f"{sign} {count} {words}{gap}" if state in worded else f"{sign}{count}{gap}"
            parts.append((styled.line((text, style)), state.value if count else ""))
        return parts

    def _trouble(self, width: int) -> list[Part]:
        palette, hosts = self.palette, self._view.fleet.hosts.values()
        asking = sum(host.question is not None for host in hosts)
        away = ", ".join(sorted(host.name for host in hosts if host.link is not LinkState.UP and not host.question))
        runs: list[tuple[str, Style | None]] = []
        if asking:
            words = f" {asking} host question{'s' * (asking > 1)}   " if width >= 60 else f"{asking} host "
            runs.append((f"{palette.glyphs.asking}{words}", palette.warn))
        if away and width >= 60:
            runs.append((f"host{'s' * (',' in away)} away: {styled.cut(away, width // 4)}", palette.danger))
        return [(styled.line(*runs), "hosts")]

    def _gone(self, width: int) -> Line:
        since = age(self._view.since(self._view.gone_since))
        old = f"; this is as of {self._view.clock(self._view.gone_since)}" if self._view.known else ""
        stopped = self._view.engine is Engine.STOPPED
        then = "; any order starts it" if stopped and not self._view.read_only else ", trying again"
        away = self._view.where if width >= _NAMED else ""
        missing = f"no word from {styled.cut(away, 30)}" if away else "no engine"
        words = f" ✕ {'engine stopped' if stopped else missing}{' for ' + since if since != 'now' else ''}{old}{then}"
        return styled.line((styled.cut(words, width - 7), self.palette.danger))


def _joined(parts: Sequence[Part]) -> Line:
    return tuple(segment for line, _ in parts for segment in line)


def _cells(parts: Sequence[Part]) -> int:
    return styled.length(_joined(parts))


def _placed(parts: Sequence[Part], at: int) -> list[tuple[int, int, str]]:
    """The first cell, and the cell after the last, of each part; the first part begins at `at`."""
    places = []
    for line, what in parts:
        places.append((at, at + styled.length(line), what))
        at += styled.length(line)
    return places
