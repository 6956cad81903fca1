"""An agent's terminal on the screen: looked at, handed over, and never more than text."""

from __future__ import annotations

import asyncio

import pytest

from controlroom.client.attach import Attachment
from controlroom.client.client import NoAttachment
from controlroom.tui.screens.agent import AgentScreen
from controlroom.tui.screens.tasks import TasksScreen
from controlroom.tui.screens.terminal import TerminalSheet
from tests.tui import scenes
from tests.tui.room import room

SHOWN = b"\x1b[31mred\x1b[0m\nwide " + b"x" * 60 + b" END\n\x1b]0;title\x07\x1b[2Jend\n\n\n"


async def test_a_terminal_is_looked_at_moved_and_left() -> None:
    async with room(scenes.farm(), size=(45, 20)) as here:
        here.engine.terminals["vm1/web-2"] = SHOWN
        agent = here.app.context.fleet.agents["vm1/web-2"]
        here.app.push_screen(AgentScreen(agent.id))
        await here.settle()
        await here.press("c")
        here.screen(TerminalSheet)
        await here.until(lambda: "red" in here.text(), "the terminal to be shown")
        assert f"the terminal of {agent.id}" in here.text()
        assert "END" not in here.text()
        assert "␛␛end" in here.text()
        await here.press(*[">"] * 5)
        assert "END" in here.text()
        here.engine.terminals["vm1/web-2"] = b"something new"
        await here.until(lambda: "something new" in here.text(), "the next look")
        await here.press("q")
        here.screen(AgentScreen)


async def test_a_terminal_that_is_not_there_is_told() -> None:
    async with room(scenes.farm(), size=(100, 30)) as here:
        here.app.push_screen(AgentScreen("vm1/web-2"))
        await here.settle()
        await here.press("c")
        await here.until(lambda: "its tmux session is gone" in here.text(), "the reason")
        await here.press("q", "t")
        await here.until(lambda: "has no terminal" in here.said(), "why it is not attached to")


async def test_what_is_typed_before_the_terminal_is_there_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    comes = asyncio.Event()
    async with room(scenes.farm(), size=(100, 30)) as here:
        here.app.push_screen(AgentScreen("vm1/web-2"))
        await here.settle()
        source = here.app.context.source
        assert source is not None

        async def late(agent: str, *, read_only: bool = False) -> Attachment:
            await comes.wait()
            raise NoAttachment(f"{agent} has no terminal")

        monkeypatch.setattr(source, "attachment", late)
        await here.press("t", "x", "y", "#")
        here.screen(AgentScreen)
        comes.set()
        await here.until(lambda: "has no terminal" in here.said())
        here.screen(AgentScreen)
        assert here.engine.asked == []
        await here.press("#")
        here.screen(TasksScreen)


async def test_a_screen_that_cannot_be_handed_over_says_so() -> None:
    async with room(scenes.farm(), size=(100, 30)) as here:
        here.engine.terminals["vm1/web-2"] = SHOWN
        here.app.push_screen(AgentScreen("vm1/web-2"))
        await here.settle()
        await here.press("t")
        await here.until(lambda: "cannot be lent" in here.said(), "the reason")
