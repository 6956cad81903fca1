"""Who may order a runner something: its room, by its signature, each order once; never its agent."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controlroom.runner.folder import CONTROL, GRANT
from controlroom.runner.money import grant_file
from controlroom.runner.outcome import Unsigned
from controlroom.runner.signed import Orders, is_signed
from controlroom.text.states import TellKind
from controlroom.wire.grants import Allowance, Grant
from controlroom.wire.messages import Spawn, Tell
from controlroom.wire.records import NOTE
from controlroom.wire.runner import request_fields
from controlroom.wire.signing import owner_of
from controlroom.wire.spec import AgentSpec
from tests.lab.agent_under_test import Agent
from tests.lab.node_client import NodeClient
from tests.lab.price_files import MARK, put_prices
from tests.lab.room_key import HOST, OWNER, ROOM, granted, signed_request, signer, spawned, told

SLEEP = AgentSpec("command", ("sleep", "6000"))
MakeAgent = Callable[..., Agent]


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[MakeAgent]:
    """`agent("sh", "-c", ...)`: a command, begun by a room that signs."""
    with ExitStack() as stack:

        def make(*command: str) -> Agent:
            made = Agent(tmp_path / "agents" / "a.1", AgentSpec("command", command))
            made.order |= {"key": signer().public, "owner": OWNER}
            made.write_order()
            stack.callback(made.close)
            return made.start()

        yield make


def forged(run: Agent) -> int:
    return run.until(lambda seen: seen.forged)


def notes(run: Agent) -> list[str]:
    return [record.body.decode() for record in run.log() if record.stream == NOTE.decode()]


def test_an_order_must_be_signed_by_the_room_for_this_run_and_comes_once() -> None:
    room, orders = signer(), Orders(signer().public, "a", 3, OWNER)
    request = {"do": "answer", "question": "q", "verdict": "allow", "answers": [{"choices": [1], "words": "\ud800é"}]}
    good = signed_request(room, "a", 3, request)
    for bad in (
        request,
        {**good, "verdict": "always"},
        {**good, "answers": [{"choices": [2], "words": "\ud800é"}]},
        {**good, "more": 1},
        {**good, "nonce": "another"},
        {**good, "bound": ""},
        {**good, "bound": good["bound"][:-1]},
        {**good, "bound": 7},
        {**good, "bound": good["signature"]},
        signed_request(room, "a", 3, request, owner_of(ROOM, "vm2")),
        signed_request(room, "a", 3, request, owner_of("room-2", HOST)),
        signed_request(room, "a", 2, request),
        signed_request(room, "b", 3, request),
        signed_request(signer("08" * 32), "a", 3, request),
    ):
        with pytest.raises(Unsigned, match="the room that began it alone"):
            orders.check(bad)
    orders.check(json.loads(json.dumps(good)))
    with pytest.raises(Unsigned, match="has come before"):
        orders.check(good)
    orders.check(signed_request(room, "a", 3, request))


def test_a_runner_that_began_before_orders_named_their_host_takes_what_home_signs_now() -> None:
    """As such a runner checks it: all but its own signature, without an owner."""
    home = signer()
    tell = told(home, Tell(1, "a", 3, TellKind.MESSAGE, "go on"))
    assert tell.request
    request = request_fields(tell.request, tell.seal)
    said = {key: value for key, value in request.items() if key != "signature"}
    data = json.dumps(["order", "a", 3, said], sort_keys=True).encode()
    assert is_signed(home.public, data, tell.signature)
    Orders(home.public, "a", 3, "").check(request)
    made = granted(home, Grant(1, "a", 3, 4, Allowance(billed=5), 0, MARK))
    data = json.dumps(["grant", "a", 3, 4, 5, None, None, {}, 0, MARK], sort_keys=True).encode()
    assert is_signed(home.public, data, made.signature)


def test_an_agent_that_began_before_orders_named_their_host_goes_on(tmp_path: Path) -> None:
    run = Agent(tmp_path / "agent-1.1", SLEEP)
    run.order["key"] = signer().public
    run.write_order()
    try:
        run.start().running()
        assert "plain command" in run.ask(**signed_request(signer(), "agent-1", 1, {"do": "interrupt"}))
        assert run.seen().forged == 0
    finally:
        run.close()


def test_an_order_for_another_host_is_refused(agent: MakeAgent) -> None:
    run = agent("sleep", "6000")
    run.running()
    elsewhere = signed_request(signer(), "agent-1", 1, {"do": "interrupt"}, owner_of(ROOM, "vm2"))
    assert "the room that began it alone" in run.ask(**elsewhere)
    assert run.until(lambda seen: seen.forged == 1)


def test_what_nobody_signed_is_refused_noted_and_counted(agent: MakeAgent) -> None:
    run = agent("sleep", "6000")
    run.running()
    for request in (
        {"do": "interrupt"},
        {"do": "message", "text": "hi"},
        {"do": "answer", "question": "q", "verdict": "allow"},
    ):
        assert "the room that began it alone" in run.ask(**request)
    assert run.until(lambda seen: seen.forged == 3)
    assert len([note for note in notes(run) if note.startswith("refused what its room did not order")]) == 3
    assert "plain command" in run.ask(**signed_request(signer(), "agent-1", 1, {"do": "interrupt"}))
    assert run.seen().forged == 3


def test_a_room_that_signs_nothing_is_an_older_one(tmp_path: Path) -> None:
    run = Agent(tmp_path / "agent-1.1", SLEEP).start()
    try:
        run.running()
        assert "plain command" in run.ask(do="interrupt")
        assert run.seen().forged == 0
    finally:
        run.close()


SPEAK = """
import json, os, socket, sys
os.chdir(os.path.dirname(sys.argv[1]))
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(os.path.basename(sys.argv[1]))
    connection.sendall(sys.argv[2].encode() + b"\\n")
    print(connection.makefile().readline(), flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says who has connected")
@pytest.mark.parametrize("away", ["", "setsid "], ids=["child", "in a session of its own"])
def test_an_agent_gives_its_runner_no_orders_even_with_a_signature(tmp_path: Path, agent: MakeAgent, away: str) -> None:
    stolen = json.dumps(signed_request(signer(), "agent-1", 1, {"do": "interrupt"}))
    (tmp_path / "speak.py").write_text(SPEAK)
    (tmp_path / "stolen").write_text(stolen)
    script = 'until [ -S "$2" ]; do sleep 0.05; done; ' + away + '"$0" "$1" "$2" "$(cat "$3")"; exec sleep 6000'
    place = tmp_path / "agents" / "a.1" / CONTROL
    run = agent("sh", "-c", script, sys.executable, str(tmp_path / "speak.py"), str(place), str(tmp_path / "stolen"))
    assert forged(run) == 1
    assert "an agent gives its own runner no orders" in "\n".join([*run.lines(), *notes(run)])
    assert "plain command" in run.ask(**json.loads(stolen))


# -- grants


def terms(room_seed: str = "07" * 32, **changes: Any) -> grant_file.RunCeilings:
    """What stands in grant.json of a grant that a room signed."""
    grant = Grant(1, "agent-1", 1, 3, Allowance(billed=1_000_000, windows={"five_hour": 50}), 60_000, MARK)
    made = granted(signer(room_seed), grant)
    given = made.allowance
    ceilings = given.billed, given.covered, given.tokens, dict(given.windows)
    return grant_file.RunCeilings(3, *ceilings, 10**13, 60_000, MARK, made.signature, made.bound)._replace(**changes)


def test_terms_are_those_that_home_signed_or_none() -> None:
    key = signer().public
    good = grant_file.of_value(json.loads(grant_file.to_bytes(terms())))
    assert good.is_signed(key, "agent-1", 1, OWNER)
    assert good._replace(until=1).is_signed(key, "agent-1", 1, OWNER), "the end by its own clock is the host's to say"
    bends: tuple[dict[str, Any], ...] = (
        {"billed": 2_000_000}, {"billed": None}, {"covered": 1}, {"tokens": 10**15}, {"windows": {}}, {"number": 4},
        {"lasts": 0}, {"lasts": 10**9}, {"prices": "0" * 12}, {"bound": ""}, {"bound": "x" * 128},
    )  # fmt: skip
    for bent in bends:
        assert not good._replace(**bent).is_signed(key, "agent-1", 1, OWNER), bent
    assert not good.is_signed(key, "agent-1", 1, owner_of(ROOM, "vm2"))
    assert good.is_signed(key, "agent-1", 1, ""), "as an older runner checks it"
    assert not good.is_signed(key, "agent-1", 2, OWNER)
    assert not good.is_signed(key, "agent-2", 1, OWNER)
    assert not terms("08" * 32).is_signed(key, "agent-1", 1, OWNER)


def test_a_ceiling_that_the_agent_raises_is_refused_and_counted(tmp_path: Path) -> None:
    put_prices(tmp_path)
    run = Agent(tmp_path / "agents" / "a.1", AgentSpec("interactive", ("sleep", "6000")))
    run.order |= {"key": signer().public, "owner": OWNER, "grant": 3}
    run.write_order()
    (run.folder / GRANT).write_bytes(grant_file.to_bytes(terms(billed=10**15)))
    run.start()
    try:
        seen = run.finish()
        assert (seen.state, "not written by the room" in seen.detail) == ("paused", True)
    finally:
        run.close()


def test_an_agent_cannot_keep_a_new_grant_from_its_folder_with_a_forged_one(project: Path, node: NodeClient) -> None:
    room = signer()
    grant = Grant(0, "a", 1, 3, Allowance(tokens=100))
    spawn = Spawn(0, "a", 1, SLEEP, "", 0, grant)
    assert node.ask(lambda number: spawned(room, replace(spawn, id=number))).outcome == "done"
    folder = next(project.parent.glob(".local/state/controlroom/agents/a.1"))
    stands = json.loads((folder / GRANT).read_bytes())
    (folder / GRANT).write_text(json.dumps({**stands, "number": 10**15, "tokens": 10**15}))
    assert node.ask(lambda number: granted(room, replace(grant, id=number, number=4))).reason == ""
    assert json.loads((folder / GRANT).read_bytes())["number"] == 4
    unsigned = node.ask(lambda number: replace(grant, id=number, number=5, key=room.public))
    assert (unsigned.outcome, "not written by the room" in unsigned.reason) == ("refused", True)
    order = node.ask(lambda number: told(room, Tell(number, "a", 1, TellKind.INTERRUPT)))
    assert "plain command" in order.reason
