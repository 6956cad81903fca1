"""What of an agent goes to the clipboard: a digit copies it, by the escape sequence OSC 52 that terminals take."""

import os
from typing import Any

from rich.style import Style
from textual.app import App, ComposeResult
from textual.containers import Vertical

from controlroom.domain.claims import TASK
from controlroom.domain.model import Agent
from controlroom.text.event_text import command_of, tool_line
from controlroom.text.sanitize import redact, sanitize_lines
from controlroom.tui.context import Level
from controlroom.tui.logs.log_buffer import LogBuffer
from controlroom.tui.screens.base import say
from controlroom.tui.screens.dialogs import Choices, PickSheet
from controlroom.tui.terminal.clipboard import SELECT, forbidden, through_tmux
from controlroom.tui.terminal.throttle import NARROW
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.widgets.headings import Rule
from controlroom.tui.widgets.lines import Lines

_CALLED = tool_line("Bash", {"command": "_"}).removesuffix("_")
"""How a line of a log that calls a command begins."""
_MOST = 2000
"""Entries of a log that are looked through for a command."""


def newest_command(agent: Agent, book: LogBuffer | None) -> str:
    """The newest shell command in what is held of a log, whole, its lines as lines; "" when none is known."""
    if book is None:
        return agent.last_line.removeprefix(_CALLED) if agent.last_line.startswith(_CALLED) else ""
    for number in range(book.after_last - 1, max(book.first, book.after_last - _MOST) - 1, -1):
        entry = book.entry(number)
        if command := command_of(entry[0].stream, b"".join(record.body for record in entry)):
            return redact("\n".join(sanitize_lines(command.strip())))
    return ""


def offered(agent: Agent, line: str, command: str) -> list[tuple[str, str]]:
    """What can be copied, each with its name; what an agent asks for is the whole of it.

    `line`: that is looked at in its log.
    """
    asked = "\n".join(agent.question.lines) if agent.question else ""
    parts = (
        ("id", agent.id),
        ("attach", f"controlroom attach {agent.id}"),
        ("line", line or agent.last_line),
        ("command", command),
        ("asked", asked),
        ("task", agent.task),
    )
    return [(name, text) for name, text in parts if text]


class Offered(Lines):
    """What can be taken, a line each: its digit, its name in so many cells, what it is."""

    def __init__(self, offers: list[tuple[str, str]], cells: int = 8) -> None:
        super().__init__()
        self._offers, self._cells = offers, cells
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
                    (styled.left(name, self._cells), self.palette.quiet),
                    (" ".join(text.split()), self.palette.text),
                ),
                width,
            )
            for number, (name, text) in enumerate(self._offers, 1)
        ]


class CopySheet(PickSheet):
    """Copies a part of what is known of an agent."""

    def __init__(self, agent: Agent, line: str, command: str) -> None:
        super().__init__()
        self._agent = agent
        self._offers = offered(agent, line, command)

    def compose(self) -> ComposeResult:
        """What there is, then the keys."""
        with Vertical(classes="sheet"):
            yield Rule(id="heading")
            yield Offered(self._offers)
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
            app, what = self.app, f"{name} of {self._agent.name}{part}"
            self.dismiss()
            app.copy_to_clipboard(text)
            app.run_worker(_say_what_came(app, text, what))


async def _say_what_came(app: App[Any], text: str, what: str) -> None:
    """Say where a copy went, in as many words as there is room for."""
    if reason := forbidden(os.environ):
        say(app, f"not copied: {reason}", Level.DANGER)
        return
    way = await through_tmux(text) if os.environ.get("TMUX") else ""
    wide = app.size.width >= NARROW
    tail = (way or SELECT) if wide else "" if way else "else Shift-select"
    say(app, "; ".join(filter(None, (f"copied: {what}", tail))), Level.DONE)
