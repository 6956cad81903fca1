"""The foot of a screen: the keys that do something here, and above them a message about what was just done."""

from collections.abc import Callable, Sequence

from rich.style import Style
from textual import events
from textual.message import Message
from textual.timer import Timer

from controlroom.domain.keys.action import Action
from controlroom.domain.keys.keymap import shown
from controlroom.text.lazy_dataclass import dataclass
from controlroom.tui.context import Level
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.widgets.lines import Lines

LAST = 20
"""Places from here on stand at the end and are never left out."""


@dataclass(frozen=True)
class Item:
    """One action in the footer."""

    action: Action
    title: str = ""
    """What it is called here, where that is not its own title."""

    @property
    def key(self) -> str:
        """The key as it is shown."""
        return shown(self.action.key)

    @property
    def cells(self) -> int:
        """Width, with the space around it."""
        return styled.width(f" {self.key} {self.title or self.action.title} ")


class Keys(Lines):
    """One line of actions: those that fit, the last ones always."""

    @dataclass(eq=False, repr=False)
    class Pressed(Message):
        """An action was tapped."""

        action_name: str

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._items: Sequence[Item] = ()
        self._reason_against: Callable[[Action], str | None] = lambda _: None
        self._places: list[tuple[int, int, str]] = []

    def ground(self) -> Style:
        """The footer is a panel."""
        return self.palette.panel

    def show(self, items: Sequence[Item], reason_against: Callable[[Action], str | None]) -> None:
        """Show these from now on. `reason_against`: why one cannot be done now; asked of those that fit."""
        self._items, self._reason_against = items, reason_against
        self.redraw()

    def build(self, width: int, height: int) -> Sequence[Line]:
        """One line."""
        palette, runs = self.palette, list[tuple[str, Style | None]]()
        self._places = []
        at = 0
        for item in fitting(self._items, width, self._reason_against):
            self._places.append((at, at + item.cells, item.action.name))
            at += item.cells
            runs += [(f" {item.key}", palette.key), (f" {item.title or item.action.title} ", palette.text)]
        return (styled.line(*runs),)

    def on_click(self, event: events.Click) -> None:
        """Do what was tapped."""
        event.stop()
        for start, end, name in self._places:
            if start <= event.x < end:
                self.tell(self.Pressed(name))


def fitting(items: Sequence[Item], width: int, reason_against: Callable[[Action], str | None]) -> list[Item]:
    """Choose what fits: the last ones always; what cannot be done now is left out.

    Answers stand with their question, not here.
    """
    last = [item for item in items if item.action.footer >= LAST]
    room = width - sum(item.cells for item in last)
    chosen: list[Item] = []
    for item in items:
        if not 0 < item.action.footer < LAST or item.action.needs == "question":
            continue
        if item.cells <= room and reason_against(item.action) is None:
            chosen.append(item)
            room -= item.cells
    return chosen + last


_MOST = 4


class StatusMessage(Lines):
    """One saying at a time; a new one takes its place."""

    DEFAULT_CSS = "StatusMessage { display: none; dock: bottom; offset-y: -1; height: 1; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.text = ""
        self._level = Level.NOTE
        self._timer: Timer | None = None

    def ground(self) -> Style:
        """It stands on the page, and out by its background."""
        return self.palette.page

    def say(self, text: str, level: Level, seconds: float) -> None:
        """Show a message for a number of seconds; an empty text takes the last one back."""
        self.text, self._level = " ".join(text.split()), level
        if self._timer:
            self._timer.stop()
            self._timer = None
        if not self.text:
            self.display = False
            return
        self._timer = self.set_timer(seconds, self._over)
        self.styles.height = min(_MOST, len(styled.wrap(self.text, max(10, self.app.size.width - 4))))
        self.display = True
        self.redraw()

    def _over(self) -> None:
        self._timer = None
        self.say("", Level.NOTE, 0)

    def build(self, width: int, height: int) -> Sequence[Line]:
        """A sign, then the words."""
        palette = self.palette
        sign, style = {
            Level.DONE: ("✓", palette.accent),
            Level.NOTE: ("▸", palette.warn),
            Level.DANGER: ("✕", palette.danger),
        }[self._level]
        words = styled.wrap(self.text, max(10, width - 4))
        drawn = [
            styled.line((f" {sign} " if index == 0 else "   ", style), (part, palette.strong))
            for index, part in enumerate(words)
        ]
        return [palette.selected(line, width) for line in drawn[:height]]

    def on_click(self, event: events.Click) -> None:
        """A tap takes it away."""
        event.stop()
        self._over()
