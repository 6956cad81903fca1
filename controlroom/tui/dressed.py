"""An app that wears a theme and has a layout, and can change both while it is looked at."""

from textual.filter import NoColor

from controlroom.tui.room import Room
from controlroom.tui.terminal.restore import OnceDriver
from controlroom.tui.theme import theme
from controlroom.tui.theme.colours import Depth
from controlroom.tui.theme.memory import Layouts
from controlroom.tui.theme.theme import Glyphs
from controlroom.tui.theme.theme_store import DEFAULT, ThemeFile, ThemeStore, find
from controlroom.tui.widgets.lines import Lines


class DressedApp(Room):
    """Holds the palette that everything is drawn with."""

    told = 0
    """The exit code that a signal told it to leave with; 0: none did."""

    def __init__(self, file: ThemeFile | None, theme_store: ThemeStore | None, glyphs: Glyphs) -> None:
        """Begin in the colours of `file`, or in the default ones."""
        self.theme_store = theme_store or ThemeStore()
        self.layouts = Layouts(self.theme_store.memory)
        colourless = self.theme_store.depth is Depth.NONE
        super().__init__(OnceDriver, ansi_color=True if colourless else None)
        if colourless and not self.no_color:
            self._filters.append(NoColor())
        self._glyphs = glyphs
        self.wear(file or find(DEFAULT))

    def wear(self, file: ThemeFile) -> None:
        """Draw everything in these colours from now on."""
        depth = self.theme_store.depth
        self.worn = file
        self.palette = theme.palette(file, self._glyphs, depth)
        self.register_theme(theme.textual_theme(file, depth))
        self.theme = file.name
        if self.is_running:
            self._paint_all()

    def _paint_all(self) -> None:
        for screen in self.screen_stack:
            for lines in screen.query(Lines):
                lines.redraw()
        self.see_anew()

    def see_anew(self) -> None:
        """Everything on show is to be drawn again."""
