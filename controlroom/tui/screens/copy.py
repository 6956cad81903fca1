"""What of an agent goes to the clipboard: a digit copies it, by the escape sequence OSC 52 that terminals take."""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from rich.style import Style
from textual.app import App, ComposeResult
from textual.containers import Vertical

from controlroom.domain.claims import TASK
from controlroom.domain.model import Agent
from controlroom.protocol.home import command_line
from controlroom.text.event_text import ASKED_LIMIT, command_of
from controlroom.text.sanitize import LIMIT, shown
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

_MOST = 2000
"""Entries of a log that are looked through for a command."""
_LONG = 150
"""Characters from which on a text is said to be long: its end is not on the sheet."""
MOSH = 12_282
"""Bytes of one copy that mosh (1.4.0, observed) passes on: it drops the rest and tells nobody."""


class Offer(NamedTuple):
    """Something that can be copied: its name, all of it, and how it differs from what it stands for."""

    name: str
    whole: str
    differs: str = ""

    @property
    def extent(self) -> str:
        """What a look at its first words does not tell: how long it is, and how it differs."""
        lines, length = self.whole.count("\n") + 1, len(self.whole)
        long = f"{length:,} characters" if length > _LONG else ""
        return ", ".join(filter(None, (f"{lines} lines" if lines > 1 else "", long, self.differs)))


def newest_command(book: LogBuffer | None) -> Offer:
    """The newest shell command in what is held of a log, its lines as lines; without text when none is known."""
    numbers = range(book.after_last - 1, max(book.first, book.after_last - _MOST) - 1, -1) if book else ()
    for number in numbers:
        entry = book.entry(number) if book else ()
        if command := command_of(entry[0].stream, b"".join(record.body for record in entry)):
            text = shown(command.strip())
            cut = len(command) >= ASKED_LIMIT or any(len(line) > LIMIT for line in command.split("\n"))
            return Offer("command", text, "cut" if cut else "not as it was run" if text != command.strip() else "")
    return Offer("command", "")


def offered(agent: Agent, line: str, command: Offer, attach: str) -> list[Offer]:
    """What can be copied; what an agent asks for is the whole of it.

    `line`: that is looked at in its log; `attach`: the command line that attaches to it.
    """
    task = f"its first {len(agent.task)} characters" if len(agent.task) >= TASK else ""
    offers = (
        Offer("id", agent.id),
        Offer("attach", attach),
        Offer("line", line or agent.last_line),
        command,
        Offer("asked", "\n".join(agent.question.lines) if agent.question else ""),
        Offer("task", agent.task, task),
    )
    # A shell runs at once what ends with its line.
    trimmed = (offer._replace(whole=offer.whole.strip("\n")) for offer in offers)
    return [offer for offer in trimmed if offer.whole]


class Offered(Lines):
    """What can be taken, a line each: its digit, its name in so many cells, what it is, and its extent."""

    def __init__(self, offers: Sequence[Offer], cells: int = 8) -> None:
        super().__init__()
        self._offers, self._cells = offers, cells
        self.styles.height = len(offers)

    def ground(self) -> Style:
        """Part of a sheet."""
        return self.palette.panel

    def build(self, width: int, height: int) -> list[Line]:
        """The digit, the name, and as much as fits."""
        return [self._offer_line(number, offer, width) for number, offer in enumerate(self._offers, 1)]

    def _offer_line(self, number: int, offer: Offer, width: int) -> Line:
        extent = f"  {offer.extent}" if offer.extent else ""
        parts = (
            (f"  {number} ", self.palette.key),
            (styled.left(offer.name, self._cells), self.palette.quiet),
            (" ".join(offer.whole.split()), self.palette.text),
        )
        head = styled.clip(styled.line(*parts), max(1, width - styled.width(extent)))
        return (*head, *styled.line((extent, self.palette.warn))) if extent else head


class CopySheet(PickSheet):
    """Copies a part of what is known of an agent."""

    def __init__(self, agent: Agent, line: str, command: Offer) -> None:
        super().__init__()
        self._agent = agent
        self.offers = offered(agent, line, command, command_line(os.environ, "attach", agent.id))

    def compose(self) -> ComposeResult:
        """What there is, then the keys."""
        with Vertical(classes="sheet"):
            yield Rule(id="heading")
            yield Offered(self.offers)
            numbers = [(str(number), offer.name) for number, offer in enumerate(self.offers, 1)]
            yield Choices([*numbers, ("q", "leave it")])

    def on_mount(self) -> None:
        """Say of whom."""
        self.query_one(Rule).show(f"copy of {self._agent.name}", strong=True)

    def take(self, key: str) -> None:
        """Copy a part."""
        if key.isdecimal() and 0 < int(key) <= len(self.offers):
            offer = self.offers[int(key) - 1]
            extent = f" ({offer.extent})" if offer.extent else ""
            app, what = self.app, f"{offer.name} of {self._agent.name}{extent}"
            self.dismiss()
            app.run_worker(_copy(app, offer.whole, what))


async def _copy(app: App[Any], text: str, what: str) -> None:
    """Copy a text, and say where it went in as many words as there is room for."""
    if reason := forbidden(os.environ):
        say(app, f"not copied: {reason}", Level.DANGER)
        return
    app.copy_to_clipboard(text)
    way = await through_tmux(text) if os.environ.get("TMUX") else ""
    wide = app.size.width >= NARROW
    tail = (way or SELECT) if wide else "" if way else "else Shift-select"
    long = len(text.encode("utf-8", "replace")) > MOSH
    mosh = f"mosh passes on its first {MOSH:,} bytes and no more" if long else ""
    say(app, "; ".join(filter(None, (f"copied: {what}", mosh, tail))), Level.DANGER if long else Level.DONE)
