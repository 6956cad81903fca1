"""The themes in a sheet: the screen above it uses each one as the cursor comes to it, until one is kept."""

from collections.abc import Sequence

from rich.style import Style
from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical

from controlroom.text.lazy_dataclass import dataclass
from controlroom.tui.context import Level, Say, UseTheme
from controlroom.tui.screens.base import plain_key
from controlroom.tui.screens.dialogs import Choices, Sheet
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.theme.theme_file import ThemeError, ThemeFile, hard_to_read
from controlroom.tui.widgets.headings import Rule
from controlroom.tui.widgets.lines import Lines
from controlroom.tui.widgets.rows import Rows

_MOST = 9
_AROUND = 8
"""Lines that are not the list: what is left of the screen to see the theme on, the heading, the keys."""


@dataclass(frozen=True)
class Offer:
    """A theme to choose. `trouble`: why it cannot be used."""

    name: str
    file: ThemeFile | None
    trouble: str = ""


class Offers(Rows[Offer]):
    """The themes, one a row."""

    def ground(self) -> Style:
        """Part of a sheet."""
        return self.palette.panel

    def name_of(self, row: Offer) -> str:
        """Its name."""
        return row.name

    def draw(self, row: Offer, width: int, chosen: bool) -> Line:
        """Name and title; or what is wrong with it."""
        palette = self.palette
        mark = (f"{palette.glyphs.cursor if chosen else ' '} ", palette.accent)
        wide = 12 if width < 60 else 18
        name = (styled.left(row.name, wide) + " ", palette.strong if row.file else palette.quiet)
        if row.file is None:
            return styled.clip(styled.line(mark, name, ("cannot be used", palette.danger)), width)
        weak = hard_to_read(row.file)
        title = (f"{row.file.title}  ", palette.text)
        return styled.clip(styled.line(mark, name, title, (weak, palette.warn)), width)


class Trouble(Lines):
    """What is wrong with a file, on as many lines as that needs; nothing is wrong: none."""

    DEFAULT_CSS = "Trouble { display: none; }"
    words = ""

    def ground(self) -> Style:
        """Part of a sheet."""
        return self.palette.panel

    def tell_of(self, words: str) -> None:
        """Show these words from now on."""
        self.words = words
        self.display = bool(words)
        self.styles.height = len(self._lines(self.app.size.width))
        self.redraw()

    def build(self, width: int, height: int) -> Sequence[Line]:
        """The words."""
        return self._lines(width)

    def _lines(self, width: int) -> list[Line]:
        return [styled.line((f"  {part}", self.palette.danger)) for part in styled.wrap(self.words, max(8, width - 4))]


class ThemeSheet(Sheet):
    """Move to see one, Enter to keep it, back to leave things as they were."""

    def __init__(self, chosen: str = "") -> None:
        super().__init__()
        self._first = chosen
        self._before: ThemeFile | None = None

    def compose(self) -> ComposeResult:
        """Heading, themes, keys."""
        with Vertical(classes="sheet"):
            yield Rule("theme", id="heading")
            yield Offers(id="offers")
            yield Trouble(id="trouble")
            yield Choices([("Enter", "keep it"), ("q", "as it was"), ("j k", "down, up")])

    @property
    def offers(self) -> Offers:
        """The list."""
        return self.query_one(Offers)

    def on_mount(self) -> None:
        """Offer what there is, beginning with the one in use."""
        self._before = self.context.themes.current
        rows = [self._offer(name) for name in self.context.themes.names()]
        self._fit(len(rows))
        self.offers.show(rows)
        self.offers.choose(self._before.name)
        if self._first:
            self.offers.choose(self._first)

    def _offer(self, name: str) -> Offer:
        try:
            return Offer(name, self.context.themes.find(name))
        except ThemeError as error:
            return Offer(name, None, str(error))

    def _fit(self, rows: int) -> None:
        self.offers.styles.height = max(1, min(rows, _MOST, self.app.size.height - _AROUND))

    def on_resize(self) -> None:
        """The height is another one."""
        self._fit(len(self.offers.rows))

    @property
    def _chosen(self) -> Offer | None:
        return next((row for row in self.offers.rows if row.name == self.offers.chosen), None)

    @on(Rows.Chosen)
    def _try_on(self, event: Rows.Chosen) -> None:
        event.stop()
        offer = self._chosen
        if offer is not None and offer.file is not None:
            self.app.post_message(UseTheme(offer.file))
        self.query_one(Trouble).tell_of(offer.trouble if offer else "")

    @on(Rows.Tapped)
    def _tapped(self, event: Rows.Tapped) -> None:
        """A second tap keeps it."""
        event.stop()
        if event.again:
            self._keep()

    def on_key(self, event: events.Key) -> None:
        """Move, keep, or go back."""
        event.stop()
        key = plain_key(event)
        if self.offers.press(key):
            return
        if key == "enter":
            self._keep()
        elif key in ("q", "backspace", "escape"):
            self.leave()

    def on_choices_taken(self, event: Choices.Taken) -> None:
        """A tap is as good as a key; on the last one it moves on, and round."""
        if event.key == "Enter":
            self._keep()
        elif event.key == "q":
            self.leave()
        else:
            last = self.offers.rows[-1].name == self.offers.chosen
            self.offers.move(-len(self.offers.rows) if last else 1)

    def _keep(self) -> None:
        offer = self._chosen
        if offer is None or offer.file is None:
            return
        remembered = self.context.themes.keep(offer.name)
        self.dismiss()
        words = "" if remembered else ", until you leave"
        self.app.post_message(Say(f"theme {offer.name}{words}", Level.DONE))

    def leave(self) -> None:
        """Leave things as they were."""
        if self._before is not None:
            self.app.post_message(UseTheme(self._before))
        self.dismiss()
