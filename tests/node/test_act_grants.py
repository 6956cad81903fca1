"""Grants through a real node around plain commands: who may give them, what becomes of them, which sheets are kept."""

from __future__ import annotations

import json
import resource
import socket
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from controlroom.node.grants import KEPT, mark_of
from controlroom.runner.folder import CONTROL, GRANT, prices_file
from controlroom.wire.grants import Allowance, Grant, Prices
from controlroom.wire.messages import Spawn
from controlroom.wire.spec import AgentSpec
from tests.lab.node_client import NodeClient, state_folder
from tests.lab.price_files import MARK, SIMPLE, text_of
from tests.lab.waiting import wait_for
from tests.lab.world import World

TEXT = text_of(SIMPLE)
SLEEP = AgentSpec("command", ("sleep", "300"))


@pytest.fixture
def node(node: NodeClient) -> NodeClient:
    """It has the prices."""
    node.send(Prices(MARK, TEXT))
    return node


def grant(ask: int, number: int, billed: int = 5, epoch: int = 1) -> Grant:
    return Grant(ask, "a", epoch, number, Allowance(billed=billed), 0, MARK)


def given(home: World, epoch: int = 1) -> int:
    """The number that stands in grant.json."""
    number = json.loads((state_folder(home.home) / f"agents/a.{epoch}" / GRANT).read_bytes())["number"]
    assert isinstance(number, int)
    return number


def test_it_stands_in_the_folder_before_the_runner_begins_and_is_said(node: NodeClient, home: World) -> None:
    assert node.ask(lambda ask: Spawn(ask, "a", 1, SLEEP, "", 0, grant(0, 3))).outcome == "done"
    assert node.wait_agent("a", lambda seen: seen.grant).grant == 3
    assert node.ask(lambda ask: grant(ask, 4)).outcome == "done"
    assert node.wait_agent("a", lambda seen: seen.grant == 4).run_spent == 0
    assert given(home) == 4
    assert (state_folder(home.home) / "agents/a.1" / GRANT).stat().st_mode & 0o777 == 0o600


def test_one_that_comes_again_later_has_less_time_left_and_is_the_same(node: NodeClient, home: World) -> None:
    node.ask(lambda ask: Spawn(ask, "a", 1, SLEEP, "", 0, replace(grant(0, 3), lasts=60_000)))
    before = (state_folder(home.home) / "agents/a.1" / GRANT).read_bytes()
    assert node.ask(lambda ask: replace(grant(ask, 3), lasts=30_000)).outcome == "done"
    assert (state_folder(home.home) / "agents/a.1" / GRANT).read_bytes() == before
    replies = [node.ask(lambda ask, one=one: replace(one, id=ask)) for one in (grant(0, 3), grant(0, 3, 6))]  # type: ignore[misc]
    assert [reply.reason for reply in replies] == ["a goes by another grant of the number 3"] * 2


def test_only_the_room_that_owns_the_host_gives_any(node: NodeClient, home: World) -> None:
    node.ask(lambda ask: Spawn(ask, "a", 1, SLEEP, "", 0, grant(0, 1)))
    for room, read_only in (("another-room", False), ("room-under-test", True)):
        with NodeClient() as other:
            other.greet(room=room, read_only=read_only)
            other.send(Prices(mark_of("{}"), "{}"))
            reply = other.ask(lambda ask: grant(ask, 9))
            assert reply.outcome == "refused"
            assert other.notices()[-1] == f"budgets cannot be kept to here: {reply.reason}"
    assert given(home) == 1


def test_one_for_what_is_not_there_or_has_ended_is_refused(node: NodeClient, home: World) -> None:
    node.spawn("a", 1, "true")
    node.wait_agent("a", lambda seen: seen.ended)
    replies = [node.ask(lambda ask, epoch=epoch: grant(ask, 1, epoch=epoch)) for epoch in (1, 2)]  # type: ignore[misc]
    assert [(reply.outcome, reply.reason) for reply in replies] == [
        ("refused", "run 1 of a has ended"),
        ("refused", "run 2 of a is not on this host; there is run 1"),
    ]
    assert not (state_folder(home.home) / "agents/a.1" / GRANT).exists()


def test_a_spawn_whose_sheet_is_missing_leaves_nothing(node: NodeClient, home: World) -> None:
    wanted = Grant(0, "a", 1, 1, Allowance(billed=5), 0, "../../../x")
    reply = node.ask(lambda ask: Spawn(ask, "a", 1, SLEEP, "", 0, wanted))
    assert reply.reason == "the price sheet '../../../x' that it goes by is not on this host"
    assert not (state_folder(home.home) / "agents/a.1").exists()


@pytest.mark.parametrize(
    ("answer", "outcome", "words"),
    [
        ({"ok": False, "reason": "the runner does not know 'grant'"}, "refused", "is an older one that keeps to no"),
        ({"ok": False, "reason": "what?", "unknown": True}, "refused", "is an older one that keeps to no"),
        ({"ok": False, "reason": "it has ended; reassign it to go on"}, "refused", "it has ended"),
        (None, "unknown", "its runner hung up without an answer"),
    ],
)
def test_it_is_done_only_when_the_runner_goes_by_it(
    node: NodeClient, home: World, answer: object, outcome: str, words: str
) -> None:
    node.spawn("a", 1, "sleep", "300")
    folder = state_folder(home.home) / "agents/a.1"
    (folder / CONTROL).rename(folder / "real.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / CONTROL))
        listener.listen()
        other = threading.Thread(target=reply_once, args=(listener, answer))
        other.start()
        reply = node.ask(lambda ask: grant(ask, 1))
        other.join()
    assert (reply.outcome, words in reply.reason) == (outcome, True), reply
    (folder / "real.sock").replace(folder / CONTROL)
    assert node.ask(lambda ask: grant(ask, 1)).outcome == "done"
    assert node.wait_agent("a", lambda seen: seen.grant).grant == 1


def reply_once(listener: socket.socket, answer: object) -> None:
    """Be a runner that gives this answer to whoever asks it something; None: it hangs up."""
    while True:
        connection, _ = listener.accept()
        with connection:
            if connection.recv(65536):
                if answer is not None:
                    connection.sendall(json.dumps(answer).encode() + b"\n")
                return


def test_sheets_that_nobody_goes_by_are_removed_and_false_ones_not_kept(node: NodeClient, home: World) -> None:
    node.ask(lambda ask: Spawn(ask, "a", 1, SLEEP, "", 0, grant(0, 1)))
    others = [json.dumps({**json.loads(TEXT), "source": f"of day {day}"}) for day in range(6)]
    node.send(*(Prices(mark_of(text), text) for text in others), Prices("0" * 12, TEXT), Prices(mark_of("{}"), "{}"))
    wait_for(lambda: len(node.notices()) == 2)
    assert node.ask(lambda ask: grant(ask, 2)).outcome == "done"
    kept = sheets(home)
    assert {prices_file(MARK), prices_file(mark_of(others[-1]))} < {path.name for path in kept}
    assert (len(kept), {path.stat().st_mode & 0o777 for path in kept}) == (KEPT + 1, {0o600})
    bad, worse = node.notices()
    assert bad == "budgets cannot be kept to here: the price sheet '000000000000' did not arrive as it was sent"
    assert worse.startswith(f"budgets cannot be kept to here: the price sheet {mark_of('{}')} cannot be kept: it is no")


def sheets(home: World) -> list[Path]:
    return list(state_folder(home.home).glob("prices-*.json"))


def test_a_full_disk_is_said_and_the_old_grant_stands(node: NodeClient, home: World) -> None:
    node.ask(lambda ask: Spawn(ask, "a", 1, SLEEP, "", 0, grant(0, 1)))
    before = resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    reply = node.ask(lambda ask: grant(ask, 2))
    words = "grant.json of a cannot be written: File too large"
    assert (reply.outcome, reply.reason, given(home)) == ("refused", words, 1)
    resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, before)
    assert node.ask(lambda ask: grant(ask, 2)).outcome == "done"
