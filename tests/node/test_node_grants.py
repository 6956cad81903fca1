"""Grants through a real node, around the real Claude Code CLI: ceilings hold, whoever is there to see it."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from controlroom.engine.catalogs.list_prices import list_prices
from controlroom.metering.prices import sheet_to_json
from controlroom.node.grants import mark_of
from controlroom.wire.grants import Allowance, Grant, Prices
from controlroom.wire.messages import AgentSeen, Reply, Spawn
from controlroom.wire.spec import AgentSpec, Credential
from tests.lab.messages_api.server import Api
from tests.lab.node_client import NodeClient, state_folder
from tests.lab.waiting import wait_for
from tests.lab.world import World

SHEET = json.dumps(sheet_to_json(list_prices()), sort_keys=True, separators=(",", ":"))
PRICES = Prices(mark_of(SHEET), SHEET)
LATE = 60  # seconds that a loaded machine may take for anything

WORK = '[[tool Read {"file_path":"notes.txt"}]]' * 40
"""Forty messages; the first one costs $0.05, the others less."""
ASK = '[[tool Bash {"command":"touch made.txt","description":"make a file"}]]'
"""One message, and then a question that waits."""
LOOK = json.dumps({"description": "look", "prompt": "[[hang 600]]", "subagent_type": "general-purpose"})
BELOW = f"[[tools Agent {LOOK} ;; Agent {LOOK}]] [[text they look]]"
"""Two messages; the first one calls two subagents, who are never answered."""


pytestmark = pytest.mark.usefixtures("login_shell")


@pytest.fixture
def node(node: NodeClient) -> NodeClient:
    """It has the prices."""
    node.send(PRICES)
    return node


def granted(name: str, number: int, epoch: int = 1, lasts: int = 0, ask: int = 0, **ceilings: object) -> Grant:
    """A grant that goes by the prices that were sent."""
    return Grant(ask, name, epoch, number, Allowance(**ceilings), lasts, PRICES.mark)  # type: ignore[arg-type]


def spawn(node: NodeClient, task: str, grant: Grant | None, epoch: int = 1, **spec: object) -> Reply:
    wanted = AgentSpec(cwd="project", permission_mode="default", model="claude-opus-5-5", **spec)  # type: ignore[arg-type]
    return node.ask(lambda number: Spawn(number, "worker", epoch, wanted, task, 0, grant))


def wait(node: NodeClient, state: str) -> AgentSeen:
    return node.wait_agent("worker", lambda seen: seen.state == state, LATE)


def test_a_ceiling_pauses_it_and_its_session_can_be_gone_on_with(node: NodeClient) -> None:
    assert spawn(node, WORK, granted("worker", 1, billed=100_000)).outcome == "done"
    seen = wait(node, "paused")
    assert seen.detail == f"budget: ${seen.run_spent / 1e6:.2f} of $0.10 spent"
    assert (seen.grant, seen.pid, seen.billing) == (1, 0, "api")
    assert 100_000 <= seen.run_spent < 170_000
    assert spawn(node, "[[text gone on]]", granted("worker", 2, 2, billed=100_000), 2, resume=seen.session).reason == ""
    again = node.wait_agent("worker", lambda seen: seen.epoch == 2 and seen.state == "done", LATE)
    assert (again.session, again.grant) == (seen.session, 2)
    assert 0 < again.run_spent < 100_000


def test_a_grant_binds_a_run_from_its_first_message_and_may_be_raised_and_lifted(node: NodeClient, home: World) -> None:
    assert spawn(node, ASK, None).outcome == "done"
    node.wait_agent("worker", lambda seen: seen.question, LATE)
    wait_for((state_folder(home.home) / "agents/worker.1/usage.jsonl").exists)
    assert node.ask(lambda number: granted("worker", 7, ask=number, billed=1_000_000)).reason == ""
    seen = node.wait_agent("worker", lambda seen: seen.grant == 7)
    assert (seen.state, seen.run_spent > 40_000, seen.run_tokens > 10_000) == ("waiting", True, True)
    assert node.ask(lambda number: granted("worker", 8, ask=number)).reason == ""
    assert node.ask(lambda number: granted("worker", 9, ask=number, billed=seen.run_spent)).reason == ""
    assert wait(node, "paused").grant == 9


def test_old_other_and_double_grants_change_nothing(node: NodeClient) -> None:
    assert spawn(node, ASK, granted("worker", 5, billed=1_000_000)).outcome == "done"
    node.wait_agent("worker", lambda seen: seen.question, LATE)
    wanted = partial(granted, "worker", billed=1_000_000)
    assert node.ask(lambda number: wanted(5, ask=number)).outcome == "done"
    old = node.ask(lambda number: wanted(4, ask=number))
    other = node.ask(lambda number: wanted(5, ask=number, tokens=1))
    unpriced = node.ask(lambda number: replace(wanted(6, ask=number), prices="0" * 12))
    negative = node.ask(lambda number: replace(wanted(6, ask=number), lasts=-1))
    assert [(reply.outcome, reply.reason) for reply in (old, other, unpriced, negative)] == [
        ("refused", "worker goes by a newer grant (5)"),
        ("refused", "worker goes by another grant of the number 5"),
        ("refused", "the price sheet '000000000000' that it goes by is not on this host"),
        ("refused", "a grant has a number above 0 and amounts that are not negative"),
    ]
    assert wait(node, "waiting").grant == 5
    assert node.kill("worker", 1).outcome == "done"
    assert node.ask(lambda number: wanted(6, ask=number)).reason == "run 1 of worker has ended"
    assert wait(node, "done").run_spent > 40_000


def test_it_holds_with_the_node_killed_and_the_next_node_says_so(node: NodeClient, home: World, api: Api) -> None:
    api.configure(first_delay=0.5)
    assert spawn(node, WORK, granted("worker", 1, billed=70_000)).outcome == "done"
    node.process.kill()
    status = state_folder(home.home) / "agents/worker.1/status.json"
    wait_for(lambda: json.loads(status.read_bytes())["state"] == "paused", LATE)
    with NodeClient() as another:
        another.greet()
        seen = another.agents()["worker"]
        assert (seen.state, seen.cause, seen.detail[:9], seen.grant) == ("paused", "budget", "budget: $", 1)
        assert spawn(another, WORK, granted("worker", 2, 2, billed=1), 2, resume=seen.session).reason == ""
        again = another.wait_agent("worker", lambda seen: seen.epoch == 2 and seen.ended, LATE)
        assert (again.session, again.state) == (seen.session, "paused")


def test_an_agent_on_its_terminal_is_paused_too_and_goes_on(node: NodeClient) -> None:
    assert spawn(node, WORK, granted("worker", 1, billed=70_000), kind="interactive").outcome == "done"
    seen = wait(node, "paused")
    assert (seen.detail[:9], seen.grant, seen.pid) == ("budget: $", 1, 0)
    assert seen.run_spent >= 70_000
    more = granted("worker", 2, 2, billed=70_000)
    assert spawn(node, "[[text gone on]]", more, 2, resume=seen.session, kind="interactive").outcome == "done"
    again = node.wait_agent("worker", lambda seen: seen.epoch == 2 and seen.state == "idle", LATE)
    assert again.session == seen.session
    assert node.kill("worker", 2).outcome == "done"
    ended = node.wait_agent("worker", lambda seen: seen.state == "done", LATE)
    assert 0 < ended.run_spent < 70_000


@pytest.mark.long
def test_subagents_of_one_on_its_terminal_are_counted_and_end_with_it(node: NodeClient, home: World) -> None:
    """They are in the background there, and a key that stops its turn does not stop them."""
    assert spawn(node, BELOW, granted("worker", 1, billed=10**9), kind="interactive").outcome == "done"
    seen = node.wait_agent("worker", lambda seen: seen.subagents == 2, LATE)
    assert seen.state == "working"
    assert node.ask(lambda number: granted("worker", 2, ask=number, billed=1)).reason == ""
    seen = wait(node, "paused")
    assert (seen.detail[:9], seen.subagents) == ("budget: $", 0)
    log = b"".join(one.read_bytes() for one in (state_folder(home.home) / "agents/worker.1").glob("log*"))
    assert b"its subagents are at work, and no key stops them: it is ended at once" in log


@pytest.mark.parametrize(
    ("ceilings", "words"),
    [
        ({"covered": 30_000, "billed": 1}, "budget: ≈$"),
        ({"windows": {"five_hour": 85}}, "budget: 90 % of its plan's 5-hour limit used, of 85 % that it may use"),
    ],
)
def test_a_plan_is_bound_by_what_it_covers_and_by_its_windows(
    node: NodeClient, home: World, api: Api, ceilings: dict[str, Any], words: str
) -> None:
    api.configure(ratelimit="unified", unified={"5h_utilization": 0.9}, first_delay=0.3)
    (home.home / "token").write_text("sk-ant-oat01-fake")
    login = Credential(file="token")
    assert spawn(node, WORK, granted("worker", 1, **ceilings), credential=login).outcome == "done"
    seen = wait(node, "paused")
    assert (seen.detail.startswith(words), seen.billing, seen.run_spent > 0) == (True, "plan", True)
