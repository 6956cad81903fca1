"""The line on top of every screen: how many agents are in which state, what asks for a person, the time."""

from collections.abc import Collection, Sequence

from rich.style import Style

from controlroom.domain.model import LinkState, State
from controlroom.domain.views import Headline, headline, spent_words
from controlroom.domain.words import age
from controlroom.tui import ink
from controlroom.tui.ink import Line
from controlroom.tui.picture import Engine, Picture
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


class Gauges(Lines):
    """Counts at the left, trouble in the middle, the clock at the right."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._picture = Picture()

    def ground(self) -> Style:
        """The line on top is a panel of its own."""
        return self.palette.panel

    def show(self, picture: Picture) -> None:
        """Show this from now on."""
        self._picture = picture
        self.redraw()

    def build(self, width: int, height: int) -> Sequence[Line]:
        """One line."""
        palette, picture = self.palette, self._picture
        clock = ink.line((f" {picture.clock()} ", palette.strong))
        if width >= 80 and (spent := spent_words(picture.fleet.money)):
            clock = (*ink.line((f" {palette.glyphs.drawn(spent)}  ", palette.text)), *clock)
        if picture.engine in (Engine.GONE, Engine.STOPPED):
            return (ink.spread(self._gone(width), clock, width),)
        counted, trouble = headline(picture.fleet), self._trouble(width)
        room = width - ink.length(clock) - ink.length(trouble) - 1
        drawn = (self._counts(counted, worded) for worded in (_SHOWN, _WORDED, {}))
        starts = [(*self._title(width), *counts) for counts in drawn]
        start = next((start for start in starts if ink.length(start) <= room), starts[-1])
        return (ink.spread((*start, *trouble), clock, width),)

    def _title(self, width: int) -> Line:
        """Name the room, the machine that its engine is on when that is another one, and what one may do there."""
        where = self._picture.where if width >= 100 else ""
        known = [ink.cut(where, 30), "read-only" if self._picture.read_only else ""]
        name = ink.line((" control room  " if width >= 80 else " ", self.palette.key))
        return (*name, *(run for words in known if words for run in ink.line((f"{words}  ", self.palette.quiet))))

    def _counts(self, counted: Headline, worded: Collection[State]) -> Line:
        """Count the states, those of `worded` in words, the others by their signs."""
        palette = self.palette
        runs: list[tuple[str, Style | None]] = []
        for state, words in _SHOWN.items():
            count = counted.counts[state]
            if not count and state not in _ALWAYS:
                continue
            style = palette.states[state] if count else palette.quiet
            words = "needs you" if state is State.WAITING and count == 1 else words
            gap = "   " if worded else " "
            sign = palette.glyphs.states[state]
            runs.append((f"{sign} {count} {words}{gap}" if state in worded else f"{sign}{count}{gap}", style))
        return ink.line(*runs)

    def _trouble(self, width: int) -> Line:
        palette, hosts = self.palette, self._picture.fleet.hosts.values()
        asking = sum(host.question is not None for host in hosts)
        away = ", ".join(sorted(host.name for host in hosts if host.link is not LinkState.UP and not host.question))
        runs: list[tuple[str, Style | None]] = []
        if asking:
            words = f" {asking} host question{'s' * (asking > 1)}   " if width >= 60 else f"{asking} host "
            runs.append((f"{palette.glyphs.asking}{words}", palette.warn))
        if away and width >= 60:
            runs.append((f"host{'s' * (',' in away)} away: {ink.cut(away, width // 4)}", palette.danger))
        return ink.line(*runs)

    def _gone(self, width: int) -> Line:
        since = age(self._picture.since(self._picture.gone_since))
        old = f"; this is as of {self._picture.clock(self._picture.gone_since)}" if self._picture.known else ""
        stopped = self._picture.engine is Engine.STOPPED
        then = "; any order starts it" if stopped and not self._picture.read_only else ", trying again"
        words = (
            f" ✕ {'engine stopped' if stopped else 'no engine'}{' for ' + since if since != 'now' else ''}{old}{then}"
        )
        return ink.line((ink.cut(words, width - 7), self.palette.danger))
