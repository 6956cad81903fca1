"""What of an agent goes to the clipboard: a digit copies it, by the escape sequence OSC 52 that terminals take."""

from rich.style import Style
from textual.app import ComposeResult
from textual.containers import Vertical

from controlroom.domain.claims import TASK
from controlroom.domain.model import Agent
from controlroom.tui.context import Level
from controlroom.tui.screens.base import say
from controlroom.tui.screens.dialogs import Choices, PickSheet
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.widgets.headings import Rule
from controlroom.tui.widgets.lines import Lines

_IF_NOT = "if it does not arrive, the terminal forbids it: hold Shift and select"


def offered(agent: Agent) -> list[tuple[str, str]]:
    """What can be copied, each with its name; what an agent asks for is the whole of it."""
    asked = "\n".join(agent.question.lines) if agent.question else ""
    parts = (
        ("id", agent.id),
        ("attach", f"controlroom attach {agent.id}"),
        ("line", agent.last_line),
        ("asked", asked),
        ("task", agent.task),
    )
    return [(name, text) for name, text in parts if text]


class _Offered(Lines):
    """What can be copied, a line each."""

    def __init__(self, offers: list[tuple[str, str]]) -> None:
        super().__init__()
        self._offers = offers
        self.styles.height = len(offers)

    def ground(self) -> Style:
        """Part of a sheet."""
        return self.palette.panel

    def build(self, width: int, height: int) -> list[Line]:
        """The digit, the name, and as much as fits."""
        return [
            styled.clip(
                styled.line(
                    (f"  {number} ", self.palette.key),
                    (styled.left(name, 7), self.palette.quiet),
                    (" ".join(text.split()), self.palette.text),
                ),
                width,
            )
            for number, (name, text) in enumerate(self._offers, 1)
        ]


class CopySheet(PickSheet):
    """Copies a part of what is known of an agent."""

    def __init__(self, agent: Agent) -> None:
        super().__init__()
        self._agent = agent
        self._offers = offered(agent)

    def compose(self) -> ComposeResult:
        """What there is, then the keys."""
        with Vertical(classes="sheet"):
            yield Rule(id="heading")
            yield _Offered(self._offers)
            numbers = [(str(number), name) for number, (name, _) in enumerate(self._offers, 1)]
            yield Choices([*numbers, ("q", "leave it")])

    def on_mount(self) -> None:
        """Say of whom."""
        self.query_one(Rule).show(f"copy of {self._agent.name}", strong=True)

    def take(self, key: str) -> None:
        """Copy a part."""
        if key.isdecimal() and 0 < int(key) <= len(self._offers):
            name, text = self._offers[int(key) - 1]
            part = f" (its first {len(text)} characters)" if name == "task" and len(text) >= TASK else ""
            app = self.app
            app.copy_to_clipboard(text)
            self.dismiss()
            say(app, f"copied: {name} of {self._agent.name}{part}; {_IF_NOT}", Level.DONE)
