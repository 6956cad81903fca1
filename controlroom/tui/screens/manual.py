"""The manual on the screen: its pages to choose from, and one of them to read."""

from collections.abc import Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical

from controlroom.client.manual import Page
from controlroom.domain.display import markdown
from controlroom.domain.display.markdown import Kind
from controlroom.tui.screens.base import plain_key
from controlroom.tui.screens.dialogs import Choices, ReadingSheet, Sheet
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.widgets.headings import Rule
from controlroom.tui.widgets.lines import ScrollableText
from controlroom.tui.widgets.rows import Rows

_WIDEST = 100
"""Columns of a page on a wide screen: longer lines are hard to read."""

_TOPIC = 18
"""Columns of a topic's name in the list, with the cursor before it."""


class Topics(Rows[Page]):
    """The pages, one a row."""

    DEFAULT_CSS = "Topics { height: 1fr; }"

    def name_of(self, row: Page) -> str:
        """Its topic."""
        return row.topic

    def draw(self, row: Page, width: int, chosen: bool) -> Line:
        """Its title, and what it is about as far as there is room."""
        palette = self.palette
        mark = (f"{palette.glyphs.cursor if chosen else ' '} ", palette.accent)
        title = (styled.left(row.title, _TOPIC - 2), palette.strong)
        line = styled.line(mark, title, (styled.cut(row.summary, max(1, width - _TOPIC)), palette.text))
        return styled.clip(line, width)


class PageText(ScrollableText):
    """A page laid out for its width; moves by lines and by headings."""

    DEFAULT_CSS = "PageText { height: 1fr; }"

    def __init__(self, page: Page) -> None:
        super().__init__()
        self._page = page
        self._laid_out: list[markdown.Line] = []
        self._width = 0

    def build(self, width: int, height: int) -> Sequence[Line]:
        """The part that fits."""
        if width != self._width:
            self._width = width
            self._laid_out = markdown.lines(self._page.text, min(width - 4, _WIDEST))
        return self.part([self._styled(line) for line in self._laid_out], height)

    def press(self, key: str) -> bool:
        """Move as a key says; False: it is none of those that move a page."""
        if key not in (",", "."):
            return super().press(key)
        places = [at for at, line in enumerate(self._laid_out) if line.kind is Kind.HEADING]
        if key == ".":
            target = next((at for at in places if at > self._top), self._top)
        else:
            target = max((at for at in places if at < self._top), default=0)
        self.move(target - self._top)
        return True

    def _styled(self, line: markdown.Line) -> Line:
        palette = self.palette
        styles = {Kind.HEADING: palette.strong, Kind.LABEL: palette.key}
        return styled.line(("  ", None), (line.text, styles.get(line.kind, palette.text)))


class PageScreen(ReadingSheet):
    """One page of the manual."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self._page = page

    def compose(self) -> ComposeResult:
        """The page, from its top."""
        with Vertical(classes="page"):
            yield Rule(id="heading")
            yield PageText(self._page)
            yield Choices([("q", "back"), ("j k", "down, up"), ("Space b", "by pages"), (". ,", "by headings")])

    def on_mount(self) -> None:
        """Name the page, and how a shell shows it."""
        self.query_one(Rule).show(f"controlroom help {self._page.topic}", strong=True)


class ManualScreen(Sheet):
    """The pages of the manual; Enter opens one."""

    WAYS_OUT: ClassVar[tuple[str, ...]] = ("q", "backspace", "escape", "?")

    def __init__(self, pages: Sequence[Page]) -> None:
        super().__init__()
        self._pages = pages

    @property
    def topics(self) -> Topics:
        """The list."""
        return self.query_one(Topics)

    def compose(self) -> ComposeResult:
        """Heading, pages, keys."""
        with Vertical(classes="page"):
            yield Rule(id="heading")
            yield Topics(id="topics")
            yield Choices([("Enter", "read"), ("q", "back"), ("j k", "down, up")])

    def on_mount(self) -> None:
        """Show what there is."""
        self.query_one(Rule).show("manual", strong=True)
        self.topics.show(self._pages)

    def on_key(self, event: events.Key) -> None:
        """Move, open a page, or go back."""
        event.stop()
        key = plain_key(event)
        if self.topics.press(key):
            return
        if key == "enter":
            self._open()
        elif key in self.WAYS_OUT:
            self.leave()

    @on(Rows.Tapped)
    def _tapped(self, event: Rows.Tapped) -> None:
        """A tap opens the page."""
        event.stop()
        self._open()

    def on_choices_taken(self, event: Choices.Taken) -> None:
        """A tap is as good as a key; on the last one it moves on."""
        if event.key == "Enter":
            self._open()
        elif event.key == "q":
            self.leave()
        else:
            self.topics.move(1)

    def _open(self) -> None:
        page = next((page for page in self._pages if page.topic == self.topics.chosen), None)
        if page is not None and not self.gone:
            self.app.push_screen(PageScreen(page))
