"""The line on top of every screen: how many agents are in which state, what asks for a person, the time."""

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style

from controlroom.domain.model import State
from controlroom.domain.views import Headline, headline
from controlroom.domain.words import age
from controlroom.tui import ink
from controlroom.tui.ink import Line
from controlroom.tui.picture import Engine, Picture
from controlroom.tui.widgets.lines import Lines

_ALWAYS = (State.WAITING, State.WORKING)
_SHOWN = (
    (State.WAITING, "need you"),
    (State.WORKING, "working"),
    (State.LIMITED, "limited"),
    (State.FAILED, "failed"),
    (State.IDLE, "idle"),
    (State.STARTING, "starting"),
    (State.LOST, "lost"),
    (State.UNKNOWN, "unknown"),
    (State.PAUSED, "paused"),
    (State.DONE, "done"),
)


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
        if picture.engine is Engine.GONE:
            return (ink.spread(self._gone(width), clock, width),)
        counted = headline(picture.fleet)
        start = [*self._title(width), *self._counts(counted, wide=width >= 100)]
        return (ink.spread((*start, *self._trouble(counted, width)), clock, width),)

    def _title(self, width: int) -> Line:
        return ink.line((" control room  " if width >= 80 else " ", self.palette.key))

    def _counts(self, counted: Headline, wide: bool) -> list[Segment]:
        palette = self.palette
        runs: list[tuple[str, Style | None]] = []
        for state, words in _SHOWN:
            count = counted.counts[state]
            if not count and state not in _ALWAYS:
                continue
            style = palette.states[state] if count else palette.quiet
            words = "needs you" if state is State.WAITING and count == 1 else words
            text = (
                f"{palette.glyphs.states[state]} {count} {words}   "
                if wide
                else f"{palette.glyphs.states[state]}{count} "
            )
            runs.append((text, style))
        return list(ink.line(*runs))

    def _trouble(self, counted: Headline, width: int) -> Line:
        palette = self.palette
        asked_by_hosts = counted.questions - counted.counts[State.WAITING]
        runs: list[tuple[str, Style | None]] = []
        if asked_by_hosts > 0:
            runs.append(
                (f"{palette.glyphs.asking} {asked_by_hosts} host question{'s' * (asked_by_hosts > 1)}   ", palette.warn)
            )
        if counted.hosts_away and width >= 60:
            away = ", ".join(counted.hosts_away)
            runs.append((f"{'hosts' if len(counted.hosts_away) > 1 else 'host'} away: {away}", palette.danger))
        return ink.line(*runs)

    def _gone(self, width: int) -> Line:
        since = age(self._picture.since(self._picture.gone_since))
        old = f"; this is as of {self._picture.clock(self._picture.gone_since)}" if self._picture.known else ""
        words = f" ✕ no engine{' for ' + since if since != 'now' else ''}{old}, trying again"
        return ink.line((ink.cut(words, width - 7), self.palette.danger))
