"""One verb, several agents: patterns and names, the list before danger, one sentence in the end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from controlroom.cli.agents import matching, several
from controlroom.cli.exits import Exit, Stop
from controlroom.text.states import AgentKind
from tests.domain.worlds import agent, fleet, host
from tests.end_to_end.room import Room
from tests.lab.terminal import Terminal
from tests.lab.world import World

CONTROLROOM = [sys.executable, "-m", "controlroom"]


@pytest.fixture
def room(home: World) -> Room:
    return Room()


def said(*words: str, expect: int = 0) -> str:
    """What a verb says on stderr."""
    done = subprocess.run([*CONTROLROOM, *words], capture_output=True, text=True, timeout=90)
    assert done.returncode == expect, done.stderr
    return done.stderr


def test_many_are_listed_and_their_number_is_typed(room: Room, tmux_screen: Callable[..., Terminal]) -> None:
    for name in ("job-1", "job-2", "other"):
        room.run("spawn", name, "--", "sleep", "6000")
        room.wait_for_state(name, "working")
    assert "Nobody is there to ask: say --yes" in room.run("kill", "job-*", expect=1)
    for typed, code in (("y", 1), ("3", 1), ("2", 0)):
        screen = tmux_screen([*CONTROLROOM, "kill", "job-*"])
        screen.wait_for_text("local/job-1", "local/job-2", "Kill 2 agents", "[type 2]", deadline=30)
        screen.keys(typed, "Enter")
        assert screen.wait_for_exit() == code
    assert {a["name"]: a["state"] for a in room.status()["agents"]}["other"] == "working"

    assert "job-1 has ended" in room.run("kill", "job-1", "other", "--yes", expect=1)
    assert room.agent("other")["state"] == "working", "a name that cannot be killed stops all of it"
    words = said("kill", "*", "--yes")
    assert "left out: local/job-1: job-1 has ended" in words
    assert "1 ended" in words
    assert "3 removed" in said("forget", "job-?", "other", "--yes")
    assert room.status()["agents"] == []


def test_what_fits_nobody_and_who_takes_no_messages(room: Room) -> None:
    room.run("spawn", "job", "--", "sleep", "6000")
    assert "no agent fits 'x*'" in room.run("kill", "x*", "--yes", expect=5)
    assert "there is no agent 'jub': did you mean job?" in room.run("kill", "job", "jub", "--yes", expect=5)
    assert "runs a command, which takes no messages" in room.run("send", "job,job", "hello", "you", expect=1)
    assert "there is nobody left to do it to" in room.run("interrupt", "local/*", expect=1)
    room.run("kill", "job", "--yes")


FARM = fleet(
    agent("docs-1"),
    agent("docs-2", "vm2"),
    agent("api-3", "vm2"),
    replace(agent("~else"), kind=AgentKind.ADOPTED, epoch=0),
    hosts=(host("vm1"), host("vm2")),
)


@pytest.mark.parametrize(
    ("pattern", "ids"),
    [
        ("docs-*", ["vm1/docs-1", "vm2/docs-2"]),
        ("vm2/*", ["vm2/docs-2", "vm2/api-3"]),
        ("*/docs-[12]", ["vm1/docs-1", "vm2/docs-2"]),
        ("*", ["vm1/docs-1", "vm2/docs-2", "vm2/api-3"]),
    ],
)
def test_a_pattern_means_ids_when_it_has_a_slash_and_never_what_others_started(pattern: str, ids: list[str]) -> None:
    assert [agent.id for agent in matching(FARM, pattern)] == ids


@pytest.mark.parametrize("pattern", ["~*", "Docs-*", "\x1b[2J*"])
def test_no_fit_is_said_in_harmless_words(pattern: str) -> None:
    with pytest.raises(Stop) as stopped:
        matching(FARM, pattern)
    assert stopped.value.code is Exit.NOT_FOUND
    assert "\x1b" not in stopped.value.sentence


def test_one_plain_name_is_one() -> None:
    assert not several(["docs-1"])
    assert several(["docs-?"])
    assert several(["docs-1", "api-3"])
