"""One calm line for what the operator should know until it is over: how many alarms, and the worst of them."""

from collections.abc import Sequence

from textual import events

from controlroom.domain.display.alarms import worst_first
from controlroom.domain.words import age
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.view_state import ViewState
from controlroom.tui.widgets.lines import Lines
from controlroom.tui.widgets.meters import level_style


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
            (self.room.keys.shown("alarms"), palette.key),
            (" all " if width >= 60 else " ", palette.text),
        )
        return (styled.spread(styled.line((f" {words}  ", style), (first.text, palette.text)), end, width),)

    def on_click(self, event: events.Click) -> None:
        """Show all of them."""
        event.stop()
        self.room.do("alarms")
