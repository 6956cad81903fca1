"""One calm line for what the operator should know until it is over: how many alarms, and the worst of them."""

from collections.abc import Sequence

from textual import events

from controlroom.domain.display.alarms import worst_first
from controlroom.domain.words import age
from controlroom.tui.look import ink
from controlroom.tui.look.ink import Line
from controlroom.tui.picture import Picture
from controlroom.tui.widgets.lines import Lines
from controlroom.tui.widgets.meters import level_style


class AlarmLine(Lines):
    """Stands under everything else, so that no row moves when it comes."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._picture = Picture()

    def show(self, picture: Picture) -> None:
        """Show this from now on."""
        self._picture = picture
        self.redraw()

    def build(self, width: int, height: int) -> Sequence[Line]:
        """One line."""
        palette, alarms = self.palette, worst_first(self._picture.fleet)
        if not alarms:
            return ()
        first = alarms[0]
        style = level_style(palette, first.level, palette.note)
        words = "alarm" if len(alarms) == 1 else f"{len(alarms)} alarms"
        since = age(self._picture.since(first.since)) if first.since and width >= 60 else ""
        end = ink.line(
            (f" {since} ", palette.quiet),
            (self.room.keys.shown("alarms"), palette.key),
            (" all " if width >= 60 else " ", palette.text),
        )
        return (ink.spread(ink.line((f" {words}  ", style), (first.text, palette.text)), end, width),)

    def on_click(self, event: events.Click) -> None:
        """Show all of them."""
        event.stop()
        self.room.do("alarms")
