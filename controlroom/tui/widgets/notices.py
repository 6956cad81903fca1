"""Single lines that say what the operator should know: what happened during an absence, the queue, the worst alarm."""

from collections.abc import Sequence

from rich.style import Style
from textual import events

from controlroom.domain.display.views import worst_first
from controlroom.domain.words import age
from controlroom.tui.context import RunAction
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.view_state import ViewState
from controlroom.tui.widgets.limits import level_style
from controlroom.tui.widgets.lines import Lines, set_lines


def _queue_line(view: ViewState) -> str:
    """What there is to say of the queue."""
    if not view.known:  # the first frame does not wait for its words
        return ""
    from controlroom.domain.display.tasks import queue_line

    return queue_line(view.fleet, view.now)


class AbsenceLine(Lines):
    """Takes no room while there is nothing to tell."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._when = self._what = ""

    def show(self, when: str, what: str) -> None:
        """Show what has happened since then; an empty text: nothing."""
        if (when, what) != (self._when, self._what):
            self._when, self._what = when, what
            self.display = bool(what)
            self.redraw()

    def on_click(self, event: events.Click) -> None:
        """What has happened stands in the logs."""
        event.stop()
        self.app.post_message(RunAction("timeline"))

    def on_mount(self) -> None:
        """Begin with nothing."""
        self.display = False

    def build(self, width: int, height: int) -> Sequence[Line]:
        """One line."""
        glyphs = self.palette.glyphs
        start = f" since {self._when}  "
        what = styled.cut(glyphs.drawn(self._what), width - styled.width(start) - 1)
        return (styled.line((start, self.palette.quiet), (what, self.palette.text)),)


class HaltLine(Lines):
    """Says that the room is halted: by whom, since when, why, and with which key that ends."""

    def __init__(self) -> None:
        super().__init__()
        self._words = ""

    def ground(self) -> Style:
        """It stands out as a whole."""
        return self.palette.panel

    def on_mount(self) -> None:
        """Show what is known by now."""
        self.show(self.context.view)

    def show(self, view: ViewState) -> None:
        """Show this from now on."""
        halt = view.fleet.queue.halt
        self._words = _queue_line(view) if halt is not None else ""
        set_lines(self, halt_lines(view, self.app.size.width))
        self.redraw()

    def build(self, width: int, height: int) -> Sequence[Line]:
        """The words, then the key, as many lines as there are."""
        palette = self.palette
        keys = (
            ()
            if self.context.view.read_only
            else ((f" {self.context.keys.shown('halt')}", palette.key), (" resume ", palette.text))
        )
        words = styled.wrap(self._words, max(8, width - 4)) if height > 1 else [self._words]
        rest = " ".join(words[1:])
        lines = [styled.line((f" {palette.glyphs.drawn('✕')} {words[0]}", palette.danger))]
        lines += [styled.line((f"   {rest}", palette.danger))] if height > 1 else []
        return [*lines[:-1], styled.spread(lines[-1], styled.line(*keys), width)]

    def on_click(self, event: events.Click) -> None:
        """Offer to end it."""
        event.stop()
        self.app.post_message(RunAction("halt"))


def halt_lines(view: ViewState, width: int) -> int:
    """The lines that a halt takes on a screen of this width."""
    return 0 if view.fleet.queue.halt is None else 2 if width < 100 else 1


class QueueLine(Lines):
    """How many tasks wait, and why nothing moves. Takes no room while there is no task, or a halt says it all."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._words = ""

    def show(self, view: ViewState) -> None:
        """Show this from now on."""
        words = _queue_line(view) if view.fleet.queue.halt is None else ""
        if words != self._words:
            self._words = words
            self.display = bool(words)
            self.redraw()

    def on_click(self, event: events.Click) -> None:
        """Show the tasks."""
        event.stop()
        self.app.post_message(RunAction("tasks"))

    def on_mount(self) -> None:
        """Begin with nothing."""
        self.display = False

    def build(self, width: int, height: int) -> Sequence[Line]:
        """One line, with the key that leads on."""
        palette = self.palette
        key = styled.line((f" {self.context.keys.shown('tasks')}", palette.key), (" tasks ", palette.quiet))
        return (styled.spread(styled.line((f" {self._words}", palette.text)), key, width),)


class AlarmLine(Lines):
    """Stands under everything else, so that no row moves when it comes."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._view = ViewState()

    def show(self, view: ViewState) -> None:
        """Show this from now on."""
        self._view = view
        self.redraw()

    def build(self, width: int, height: int) -> Sequence[Line]:
        """One line."""
        palette, alarms = self.palette, worst_first(self._view.fleet)
        if not alarms:
            return ()
        first = alarms[0]
        style = level_style(palette, first.level, palette.note)
        words = "alarm" if len(alarms) == 1 else f"{len(alarms)} alarms"
        since = age(self._view.since(first.since)) if first.since and width >= 60 else ""
        end = styled.line(
            (f" {since} ", palette.quiet),
            (self.context.keys.shown("alarms"), palette.key),
            (" all " if width >= 60 else " ", palette.text),
        )
        return (styled.spread(styled.line((f" {words}  ", style), (first.text, palette.text)), end, width),)

    def on_click(self, event: events.Click) -> None:
        """Show all of them."""
        event.stop()
        self.app.post_message(RunAction("alarms"))
