"""What stands on an agent's terminal: looked at again each second while the sheet is open, and never typed into."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical

from controlroom.domain.display.loglines import ScreenLine
from controlroom.tui.context import RunAction
from controlroom.tui.screens.base import plain_key
from controlroom.tui.screens.dialogs import Choices, Sheet
from controlroom.tui.theme import styled
from controlroom.tui.theme.styled import Line
from controlroom.tui.theme.theme import run_style
from controlroom.tui.widgets.headings import Rule
from controlroom.tui.widgets.lines import Wheeled

if TYPE_CHECKING:
    from controlroom.client.client import AgentScreen

_PAUSE = 1.0
"""Seconds between two looks; on a phone twice as many."""
_AROUND = 3
"""Lines of the sheet that are not the terminal: heading, keys, and one of the screen below."""
_STEP = 8


class TerminalText(Wheeled):
    """The part of a terminal that fits: its foot, from a column on."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._lines: Sequence[ScreenLine] = ()
        self._pan = self._up = 0
        self._words = "looking …"

    def ground(self) -> Style:
        """Part of a sheet."""
        return self.palette.panel

    def show(self, shown: "AgentScreen") -> None:
        """Show this from now on; when there is nothing to show, why."""
        if shown.lines or not self._lines:
            self._lines, self._words = _without_foot(shown.lines), shown.reason
        self.fit()
        self.move(0, 0)

    def fit(self) -> None:
        """Take the height that the terminal needs."""
        height = max(1, min(len(self._lines), self.app.size.height - _AROUND))
        if self.styles.height is None or self.styles.height.value != height:
            self.styles.height = height

    def move(self, rows: int, columns: int) -> None:
        """Move the part that is seen: up by rows, to the right by columns."""
        self._up = max(0, min(self._up + rows, len(self._lines) - self.size.height))
        widest = max((sum(styled.width(span.text) for span in line) for line in self._lines), default=0)
        self._pan = max(0, min(self._pan + columns, widest - self.size.width))
        self.redraw()

    def wheel(self, lines: int) -> None:
        """Move by lines."""
        self.move(-lines, 0)

    def build(self, width: int, height: int) -> Sequence[Line]:
        """The foot of it, or why there is none."""
        if not self._lines:
            return [styled.line((self._words, self.palette.quiet))]
        end = len(self._lines) - self._up
        return [self._painted(line, width) for line in self._lines[max(0, end - height) : end]]

    def _painted(self, line: ScreenLine, width: int) -> Line:
        palette, ground = self.palette, self.ground()
        whole = [Segment(styled.settled(span.text), run_style(palette, span.style, ground)) for span in line]
        return tuple(styled.window(whole, self._pan, width))


class TerminalSheet(Sheet):
    """An agent's terminal, as long as it is looked at."""

    def __init__(self, agent: str) -> None:
        super().__init__()
        self.agent_id = agent

    def compose(self) -> ComposeResult:
        """Heading, terminal, keys."""
        with Vertical(classes="sheet"):
            yield Rule(id="heading")
            yield TerminalText(id="terminal")
            yield Choices([("q", "back"), ("t", "attach"), ("j k < >", "move")])

    def on_mount(self) -> None:
        """Begin to look."""
        self.query_one(Rule).show(f"the terminal of {self.agent_id}", strong=True)
        self.run_worker(self._look_on(), exit_on_error=True)

    async def _look_on(self) -> None:
        from controlroom.client.client import EngineUnavailable

        while True:
            source = self.context.source
            if source is not None:
                try:
                    shown = await source.screen(self.agent_id)
                except EngineUnavailable:
                    shown = None
                if shown is not None:
                    self._show(shown)
            await asyncio.sleep(_PAUSE if self.app.size.width >= 60 else 2 * _PAUSE)

    def _show(self, shown: "AgentScreen") -> None:
        size = f" · {shown.columns}x{shown.rows}" if shown.columns else ""
        late = f" · {shown.reason}" if shown.reason else ""
        self.query_one(Rule).show(f"the terminal of {self.agent_id}{size}{late}", strong=True)
        self.query_one(TerminalText).show(shown)

    def on_resize(self) -> None:
        """Fit the new size."""
        self.query_one(TerminalText).fit()

    def on_key(self, event: events.Key) -> None:
        """Move, attach, or go back."""
        event.stop()
        text, key = self.query_one(TerminalText), plain_key(event)
        moves = {"j": (-1, 0), "k": (1, 0), "down": (-1, 0), "up": (1, 0)}
        moves |= {">": (0, _STEP), "<": (0, -_STEP), "right": (0, _STEP), "left": (0, -_STEP)}
        if key in moves:
            text.move(*moves[key])
        elif key == "t":
            self._hand_over()
        elif key in ("q", "backspace", "escape", "enter", "c"):
            self.dismiss()

    def on_choices_taken(self, event: Choices.Taken) -> None:
        """A tap goes back, attaches, or moves to the right and round again."""
        if event.key == "t":
            self._hand_over()
        elif event.key == "q":
            self.dismiss()
        else:
            self.query_one(TerminalText).move(0, _STEP)

    def _hand_over(self) -> None:
        self.dismiss()
        self.app.post_message(RunAction("attach"))


def _without_foot(lines: Sequence[ScreenLine]) -> Sequence[ScreenLine]:
    """Leave out the empty lines at the foot."""
    end = len(lines)
    while end and not any(span.text.strip() for span in lines[end - 1]):
        end -= 1
    return lines[:end]
