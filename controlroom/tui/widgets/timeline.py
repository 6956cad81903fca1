"""Moments of many agents, a line each: follows the newest, or stands at one, whatever comes."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message

from controlroom.domain.display.timeline import SEARCHED, Moment, TimelineWish
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.theme.theme import run_style
from controlroom.tui.widgets.lines import Wheeled
from controlroom.tui.widgets.log import gutter_of

if TYPE_CHECKING:
    from controlroom.tui.logs.timeline import Timeline


_HUES = ("6", "5", "3", "4", "2", "14", "13", "11", "12", "10")
"""Colours of a terminal that tell agents apart, by number; red is for what failed."""


class TimelineView(Wheeled):
    """What a wish leaves of a timeline. The line under the cursor is what keys act on."""

    class Tapped(Message):
        """The line under the cursor was tapped again."""

    class Moved(Message):
        """The cursor stands elsewhere, or follows."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.moments: Sequence[Moment] = ()
        self.wish = TimelineWish()
        self.trouble = ""
        """Why there is nothing to show, where that is known."""
        self.clock: Callable[[int], str] = str
        self._at: Moment | None = None
        self._top = 0
        self._timeline: Timeline | None = None
        self._names = 8
        self._twins: set[str] = set()
        self._hues: dict[str, str] = {}
        """Agent id -> the colour of its name, by number: each keeps its own."""

    @property
    def following(self) -> bool:
        """Whether the newest line is on show and new ones will be."""
        return self._at is None

    @property
    def chosen(self) -> Moment | None:
        """The moment under the cursor; the newest while it follows."""
        return self._at or (self.moments[-1] if self.moments else None)

    def show(self, timeline: "Timeline", wish: TimelineWish) -> None:
        """Show what this wish leaves of a timeline."""
        self._timeline, self.wish, self.moments = timeline, wish, timeline.shown(wish)
        names = Counter(agent.partition("/")[2] for agent in timeline.agents)
        self._twins = {name for name, hosts in names.items() if hosts > 1}
        longest = max((styled.width(self._whose(moment)) for moment in self.moments[-200:]), default=6)
        self._names = min(max(6, longest), 10 if self.size.width < 60 else 20)
        self.redraw()

    def _whose(self, moment: Moment) -> str:
        """Name the agent; those of one name on several hosts with their hosts."""
        host, _, name = moment.agent.partition("/")
        return f"{name}·{host}" if name in self._twins else name

    def _hue(self, moment: Moment) -> Style:
        hue = self._hues.setdefault(moment.agent, _HUES[len(self._hues) % len(_HUES)])
        return run_style(self.palette, (hue, "", False, False, False, False), self.ground())

    # ------------------------------------------------------------------ moving

    def step(self, lines: int) -> None:
        """Move the cursor; past the newest line means to follow."""
        index = self._index() + lines
        self._stand(index if index < len(self.moments) else None)

    def page(self, pages: int) -> None:
        """Move by almost a whole screen."""
        self.step(pages * max(1, self.size.height - 2))

    def to_start(self) -> None:
        """Go to the oldest line that is held."""
        self._stand(0)

    def to_end(self) -> None:
        """Follow."""
        self._stand(None)

    def to_kept(self, step: int) -> bool:
        """Go to the next older (-1) or newer (1) line that was kept; says whether there is one."""
        kept = set(self._timeline.kept) if self._timeline else set()
        here = self._index()
        order = range(here - 1, -1, -1) if step < 0 else range(here + 1, len(self.moments))
        index = next((index for index in order if self.moments[index].key in kept), None)
        if index is not None:
            self._stand(index)
        return index is not None

    def _index(self) -> int:
        """Where the cursor stands: at its moment, or where that was."""
        if self._at is None:
            return len(self.moments) - 1
        return min(bisect_left(self.moments, self._at), len(self.moments) - 1)

    def _stand(self, index: int | None) -> None:
        self._at = self.moments[max(0, index)] if index is not None and self.moments else None
        self.redraw()
        self.tell(self.Moved())

    def on_click(self, event: events.Click) -> None:
        """Choose the line that is tapped; the chosen one: open it."""
        event.stop()
        index = self._top + event.y
        if 0 <= index < len(self.moments):
            again = self._at is not None and index == self._index()
            self._stand(index)
            if again:
                self.tell(self.Tapped())

    def wheel(self, lines: int) -> None:
        """Move the cursor."""
        self.step(lines)

    # ------------------------------------------------------------------ drawing

    def build(self, width: int, height: int) -> Sequence[Line]:
        """As many lines as fit, the cursor's among them."""
        if not self.moments:
            return [
                (),
                *(styled.line((f"  {part}", self.palette.quiet)) for part in styled.wrap(self._empty(), width - 4)),
            ]
        index = self._index()
        last = max(0, len(self.moments) - height)
        top = last if self._at is None else max(min(self._top, index), index - height + 1)
        self._top = min(max(0, top), last)
        return [
            self._draw(number, width, index) for number in range(self._top, min(self._top + height, len(self.moments)))
        ]

    def _empty(self) -> str:
        """Why there is no line."""
        keys = self.context.keys.shown
        if self.wish.problem or not self.wish.sifts:
            return self.wish.problem or self.trouble or "nothing yet: agents' lines appear here as they are written"
        return f"no line matches: {keys('sift')} changes the filter, {keys('back')} shows all"

    def _draw(self, number: int, width: int, index: int) -> Line:
        palette, moment = self.palette, self.moments[number]
        chosen = self._at is not None and number == index
        kept = self._timeline is not None and moment.key in self._timeline.kept
        name = styled.cut(self._whose(moment), self._names)
        sign = palette.glyphs.cursor if chosen else palette.glyphs.marked if kept else " "
        style = palette.kinds.get(moment.line.kind, palette.text)
        whole = [
            Segment(styled.settled(span.text), style + run_style(palette, span.style, self.ground()))
            for span in moment.line.spans
        ]
        for mark in self.wish.marks:
            whole = styled.marked(whole, mark, palette.found)
        if (expression := self.wish.expression) is not None:
            text = "".join(segment.text for segment in whole)[:SEARCHED]
            whole = styled.marked_at(whole, (found.span() for found in expression.finditer(text)), palette.found)
        start = styled.line(
            (sign, palette.accent),
            (f"{self.clock(moment.at)} ", palette.quiet),
            (f"{name}{' ' * (self._names - styled.width(name))} ", palette.strong if chosen else self._hue(moment)),
            (f"{gutter_of(palette.glyphs, moment.line.kind)} ", style),
        )
        return styled.clip((*start, *whole), width)
