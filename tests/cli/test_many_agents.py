"""One verb, several agents: patterns and names, the list before danger, one sentence in the end."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace

import pytest

from controlroom.cli.agents import are_several, matching
from controlroom.cli.exits import Exit, Stop
from controlroom.text.states import AgentKind
from tests.domain.worlds import agent, fleet, host
from tests.end_to_end.room import Room, here
from tests.lab.host import Host
from tests.lab.terminal import Terminal
from tests.lab.world import World

CONTROLROOM = [sys.executable, "-m", "controlroom"]


@pytest.fixture
def room(home: World) -> Room:
    return Room()


def said(*words: str, expect: int = 0) -> str:
    """What a verb says on stderr."""
    code, _, errors = here(words)
    assert code == expect, errors
    return errors


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
    assert "no agent matches 'x*'" in room.run("kill", "x*", "--yes", expect=5)
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


@pytest.mark.parametrize(
    ("words", "everyone", "many"),
    [
        (["docs-1"], False, False),
        (["docs-?"], False, True),
        (["docs-1", "api-3"], False, True),
        (["state:failed"], False, True),
        (["-docs"], False, True),
        ([], True, True),
        ("docs-1", False, False),
        ("docs-1,api-3", False, True),
        ("host:vm1 docs-*", False, True),
    ],
)
def test_one_plain_name_is_one(words: list[str] | str, everyone: bool, many: bool) -> None:
    assert are_several(Namespace(agent=words, everyone=everyone)) is many


@pytest.mark.parametrize(("words", "everyone"), [([], False), (["docs-1"], True)])
def test_who_is_meant_must_be_said_once(words: list[str], everyone: bool) -> None:
    with pytest.raises(Stop) as stopped:
        are_several(Namespace(agent=words, everyone=everyone))
    assert stopped.value.code is Exit.USAGE


def test_what_failed_is_begun_again_with_its_task(room: Room) -> None:
    for name in ("bad-1", "bad-2"):
        room.run("spawn", name, "--task", f"the task of {name}", "--", "sh", "-c", "cat; exit 3")
        room.wait_for_state(name, "failed")
    room.run("retry", "bad-1")
    room.wait_until(
        "its second run", lambda _: (room.agent("bad-1")["run"], room.agent("bad-1")["state"]) == (2, "failed")
    )
    assert "the task of bad-1" in room.run("logs", "bad-1")
    assert "Nobody is there to ask: say --yes" in room.run("retry", "state:failed", expect=1)
    assert "2 begun again" in said("retry", "state:failed", "--yes")
    room.wait_until("all to have failed again", lambda _: room.agent("bad-2")["run"] == 2)
    room.wait_for_state("bad-2", "failed")
    room.wait_for_state("bad-1", "failed")
    assert [line["verb"] for line in room.records("lines", "audit")].count("retry") == 0, "it is a task like any other"
    room.run("spawn", "good", "--", "sleep", "600")
    assert "there is no state 'fialed': did you mean failed?" in room.run("status", "state:fialed", expect=2)
    assert "good" not in room.run("status", "state:failed")
    assert "local/bad-1" not in room.run("status", "--", "-bad")
    assert [agent["name"] for agent in room.records("agents", "status", "state:live")] == ["good"]
    assert "2 removed" in said("forget", "--ended", "--yes")
    assert [agent["name"] for agent in room.status()["agents"]] == ["good"]
    assert "no agent matches 'state:failed'" in room.run("forget", "state:failed", "--yes", expect=5)
    assert "1 ended" in said("kill", "--all", "--yes")


def test_several_move_to_another_host_at_once(room: Room, ssh_host: Host) -> None:
    room.run("host", "add", ssh_host.target, "--name", "vm1", "--fingerprint", ssh_host.fingerprint)
    for name in ("job-1", "job-2"):
        room.run("spawn", name, "--host", "local", "--", "sleep", "6000")
        room.wait_for_state(name, "working")
    moved = room.run("reassign", "host:local", "job-*", "--host", "vm1", "--yes")
    assert moved.splitlines() == ["vm1/job-1", "vm1/job-2"]
    again = said("reassign", "job-*", "host:vm1", "--host", "vm1", "--yes", expect=1)
    assert "left out: vm1/job-1: job-1 is on vm1 already" in again
    assert "2 ended" in said("kill", "--all", "state:live", "--yes")


@pytest.mark.parametrize("word", ["-", "state:", "state:,", "-host:", "name:"])
def test_what_compares_with_nothing_means_nobody(room: Room, word: str) -> None:
    """`kill state:$S --yes` without an S is not `kill --all --yes`."""
    room.run("spawn", "job", "--", "sleep", "6000")
    assert "has no value" in said("kill", "--yes", "--", word, expect=2)
    assert room.agent("job")["state"] != "killed"


def test_all_with_a_filter_says_no_more_to_no_others(room: Room) -> None:
    room.run("spawn", "job", "--", "sleep", "6000")
    assert "no agent matches" in said("send", "--all", "host:elsewhere", "come to an end", expect=5)


def test_tasks_are_meant_by_ids_keys_patterns_and_filters(room: Room) -> None:
    room.run("queue", "hold")
    for number in (1, 2, 3):
        room.run("task", "add", f"write part {number}", "--key", f"part-{number}")
    assert "t1 is held" in said("task", "hold", "part-[12]")
    assert [task["id"] for task in room.records("tasks", "task", "list", "state:held")] == ["t2", "t1"]
    assert "t9" in room.run("task", "drop", "t1", "t9", "--yes", expect=5)
    for verb in (("task", "edit", "t9", "--priority", "1"), ("task", "move", "t9", "--first"), ("task", "retry", "t9")):
        assert "there is no task 't9'" in room.run(*verb, expect=5)
    assert "t3 is not held" in room.run("task", "release", "t1", "t3", expect=1)
    assert "there is no state 'stuck'" in room.run("task", "hold", "state:stuck", expect=2)
    assert "no task matches 'state:failed'" in room.run("task", "retry", "state:failed", expect=5)
    assert "which tasks?" in room.run("task", "hold", expect=2)
    assert "has no value" in room.run("task", "drop", "state:", "--yes", expect=2)
    assert "Nobody is there to ask: say --yes" in room.run("task", "drop", "--all", expect=1)
    words = said("task", "drop", "--all", "--yes")
    assert all(f"t{number} is dropped" in words for number in (1, 2, 3))
    assert "the room is not halted" in room.run("resume", expect=2)
