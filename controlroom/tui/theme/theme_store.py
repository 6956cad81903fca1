"""Which theme is in use: the one that is asked for, was chosen last, or fits the terminal; and what can be chosen.

The first of these that is named: `--theme`, CONTROLROOM_THEME, the one chosen on the screen, `theme` of the config.
Where none is, the terminal decides: dusk, or sixteen where it has sixteen colours.
"""

from collections.abc import Mapping
from pathlib import Path

from controlroom.domain.display.layout import ScreenSettings
from controlroom.tui.theme.colours import Depth
from controlroom.tui.theme.memory import Memory
from controlroom.tui.theme.theme import RICH_GLYPHS, Glyphs, Palette, palette
from controlroom.tui.theme.theme_file import DEFAULT, SIXTEEN, ThemeError, ThemeFile, find, names

_NOTHING = ScreenSettings(Path(), Path())


class ThemeStore:
    """The themes that one person can choose from, and the styles of the one in use."""

    def __init__(
        self, settings: ScreenSettings | None = None, depth: Depth = Depth.MANY, glyphs: Glyphs = RICH_GLYPHS
    ) -> None:
        """Without settings there are the program's own themes, and nothing is remembered."""
        self._settings = settings
        self.depth, self.glyphs = depth, glyphs
        self._current: tuple[ThemeFile, Palette] | None = None

    def use(self, file: ThemeFile) -> None:
        """Draw with this theme from now on."""
        self._current = file, palette(file, self.glyphs, self.depth)

    @property
    def current(self) -> ThemeFile:
        """The theme that is drawn with."""
        return self._drawn_with()[0]

    @property
    def palette(self) -> Palette:
        """The styles to draw with."""
        return self._drawn_with()[1]

    def _drawn_with(self) -> tuple[ThemeFile, Palette]:
        """The theme in use; the default until one is chosen."""
        if self._current is None:
            file = find(DEFAULT)
            self._current = file, palette(file, self.glyphs, self.depth)
        return self._current

    @property
    def _folders(self) -> list[Path]:
        return [self._settings.themes] if self._settings else []

    @property
    def memory(self) -> Memory | None:
        """What the screen remembers; None: nothing."""
        return Memory(self._settings.memory) if self._settings else None

    def names(self) -> list[str]:
        """Name the themes there are; the program's default first."""
        return sorted(names(*self._folders), key=lambda name: (name != DEFAULT, name))

    def find(self, name: str) -> ThemeFile:
        """Read one. Raises `ThemeError`."""
        return find(name, *self._folders)

    def first(self, environment: Mapping[str, str]) -> tuple[ThemeFile, str]:
        """The theme to begin with, and what is wrong with the one that was asked for, in a sentence."""
        default = SIXTEEN if self.depth is Depth.SIXTEEN else DEFAULT
        asked = environment.get("CONTROLROOM_THEME") or self._chosen() or (self._settings or _NOTHING).theme
        try:
            return self.find(asked or default), ""
        except ThemeError as error:
            return find(default), f"{error}. Until then it is drawn as {default}."

    def _chosen(self) -> str:
        """The theme chosen on the screen, if it is still there."""
        if self._settings is None:
            return ""
        name = Memory(self._settings.memory).theme(self._settings.theme)
        return name if name in self.names() else ""

    def keep(self, name: str) -> bool:
        """Wear this one from now on, next time too; says whether it could be remembered."""
        if self._settings is None:
            return False
        return Memory(self._settings.memory).remember_theme(name, self._settings.theme)
