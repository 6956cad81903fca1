"""Copying: a digit sends what was chosen to the terminal's clipboard, whole and nothing else."""

from __future__ import annotations

import json

import pytest

from controlroom.text.event_text import LogRecord, command_of
from controlroom.tui.screens.agent import AgentScreen
from controlroom.tui.screens.copy import CopySheet
from controlroom.tui.screens.timeline import TimelineScreen
from controlroom.tui.terminal.clipboard import forbidden
from tests.tui import scenes
from tests.tui.room import room


@pytest.mark.parametrize("size", [(45, 20), (120, 40)])
async def test_what_is_chosen_is_copied(size: tuple[int, int]) -> None:
    fleet = scenes.farm()
    async with room(fleet, size=size) as here:
        await here.press("@")
        await here.until(lambda: "copy of" in here.text(), "the sheet")
        agent = here.screen(CopySheet)._agent
        assert f"controlroom attach {agent.id}"[:30] in here.text()
        await here.press("2")
        await here.until(lambda: "copied: attach" in here.said(), "that it was copied")
        assert here.app.clipboard == f"controlroom attach {agent.id}"
        await here.press("@", "1")
        await here.until(lambda: here.app.clipboard == agent.id, "the id")
        await here.press("@", "q")
        assert here.app.clipboard == agent.id


def called(*commands: str) -> bytes:
    """An event in which Claude calls a shell."""
    uses = [{"type": "tool_use", "name": "Bash", "input": {"command": command}} for command in commands]
    return json.dumps({"type": "assistant", "message": {"content": uses}}).encode()


def test_of_a_record_the_last_command_is_taken_whole() -> None:
    assert command_of("a", called("ls", "make \\\n  deploy")) == "make \\\n  deploy"
    assert command_of("o", called("ls")) == ""
    assert command_of("a", b'{"Bash"') == command_of("a", b'{"type": "user", "message": "Bash"}') == ""


@pytest.mark.parametrize("size", [(45, 20), (120, 40)])
async def test_the_newest_command_is_copied_in_two_keys(size: tuple[int, int]) -> None:
    fleet = scenes.farm()
    async with room(fleet, size=size) as here:
        records = [LogRecord(1, "a", called("make deploy\n  now")), LogRecord(2, "o", b"done")]
        here.engine.logs["vm2/api-3", fleet.agents["vm2/api-3"].epoch] = records
        here.app.push_screen(AgentScreen("vm2/api-3"))
        await here.until(lambda: isinstance(here.app.screen, AgentScreen))
        await here.logs_read()
        await here.press("@")
        numbers = {name: str(number) for number, (name, _) in enumerate(here.screen(CopySheet)._offers, 1)}
        await here.press(numbers["command"])
        await here.until(lambda: here.app.clipboard == "make deploy\n  now", "the command")


async def test_on_the_log_of_all_the_line_under_the_cursor_is_copied() -> None:
    fleet = scenes.farm()
    async with room(fleet, scenes.logs(fleet), size=(120, 40)) as here:
        await here.press("l")
        screen = here.screen(TimelineScreen)
        await here.until(lambda: screen.timeline_view.moments, "lines")
        await here.press("k", "k")
        line = screen.line_here()
        assert line
        assert line in here.text()
        await here.press("@", "3")
        await here.until(lambda: here.app.clipboard == line, "the line")


def test_what_a_terminal_does_not_allow_is_said() -> None:
    assert forbidden({"TERM_PROGRAM": "Apple_Terminal"}) == "Terminal.app takes no copies: hold Fn and select"
    assert "GNU screen" in forbidden({"STY": "1.x"})
    assert forbidden({"TMUX": "/tmp/x,1,0"}) == forbidden({}) == ""
