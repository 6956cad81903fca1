"""What one agent does costs the same however many there are: counted in records looked through, not in time."""

from __future__ import annotations

from dataclasses import replace
from math import isqrt
from typing import Any

import pytest

from controlroom.client.client import Client
from controlroom.domain import events
from controlroom.domain.model import State
from controlroom.domain.overlap import Edits
from controlroom.domain.persistent_tables import HostedTable, Table
from controlroom.engine.budgets.grants import GrantBook
from controlroom.text.states import Outcome
from controlroom.wire import messages as wire
from tests.engine.rooms import room
from tests.engine.scripted import NOON, ScriptedChannel, ScriptedHost, seen
from tests.lab.world import World

MANY = 2_500
EVENTS = 200


class Walks:
    """How many records were looked through since somebody began to count."""

    records = 0
    runs = 0
    """How many runs that budgets bind were made anew."""


@pytest.fixture
def walks(monkeypatch: pytest.MonkeyPatch) -> Walks:
    """Counts whenever a table is made one dict: whoever looks at all of it has that done, after each change anew."""
    counted = Walks()

    made: dict[int, object] = {}  # kept, so that no other dict gets the id of one

    def counting(whole: Any) -> Any:
        def counts(table: Any) -> Any:
            records = whole(table)
            if id(records) not in made:
                made[id(records)] = records
                counted.records += len(records)
            return records

        return counts

    made_run = GrantBook.run

    def counting_runs(*values: Any) -> Any:
        counted.runs += 1
        return made_run(*values)

    monkeypatch.setattr(GrantBook, "run", counting_runs)
    monkeypatch.setattr(Table, "whole", counting(Table.whole))
    monkeypatch.setattr(HostedTable, "whole", counting(HostedTable.whole))
    return counted


class Quiet(ScriptedHost):
    """It takes what it is told, and does not show all of its agents each time."""

    def order(self, channel: ScriptedChannel, message: wire.ToNode) -> None:
        channel.say(wire.Reply(getattr(message, "id", 0), Outcome.DONE))


def happenings(turn: int, known: Any) -> list[events.Event]:
    """One agent's news of every kind that hosts have."""
    agent = known[f"vm1/a{turn % MANY}"]
    other = replace(agent, state=State.IDLE if agent.state is State.WORKING else State.WORKING, detail=f"turn {turn}")
    died = replace(other, state=State.FAILED, detail="not logged in: run claude")
    strays = replace(other, stray_key="ANTHROPIC_API_KEY")
    return [
        events.AgentsObserved("vm1", (other,), NOON + turn),
        events.AgentsObserved("vm1", (strays,), NOON + turn),
        events.LinesSeen("vm1", (events.LineSeen(agent.id, 1, f"line {turn}", NOON + turn),), NOON + turn),
        events.LoadsSeen("vm1", (events.LoadSeen(agent.id, 1, turn, 1.0, 1),), NOON + turn),
        events.SpendingSeen("vm1", {agent.id: turn}),
        events.EditsSeen("vm1", {agent.id: (Edits("docs", agent.id, frozenset({"x", str(turn)})),)}, NOON + turn),
        *([events.AgentsObserved("vm1", (died,), NOON + turn)] if turn == 7 else []),
    ]


BUDGETS = "".join(
    f'[budgets.{name}]\nscope = "{scope}"\nperiod = "{period}"\nlimit = "90000"\n'
    for name, scope, period in [
        ("all", "fleet", "day"),
        ("host", "host vm1", "week"),
        ("mine", "agent vm1/a7", "month"),
    ]
)
LIMITS = '[api]\ntier = "start"\n'


@pytest.mark.parametrize("money", ["", BUDGETS + LIMITS], ids=["without budgets", "with budgets and limits"])
async def test_one_agents_event_looks_through_no_fleet(home: World, walks: Walks, money: str) -> None:
    host = Quiet("vm1")
    host.agents = {f"a{number}": seen(f"a{number}", billing="api") for number in range(MANY)}
    home.room.joinpath("config.toml").write_text(
        f'local = false\n[watch]\ntasks = false\n[hosts.vm1]\naddress = "ann@vm1"\n{money}'
    )
    home.room.joinpath("config.toml").chmod(0o600)
    async with room(host) as here:
        clients = [await Client.connect(start=False, role=role) for role in ("cli", "watch")]
        await here.until(lambda: all(len(client.fleet.agents) == MANY for client in clients), "they see all of it")
        await here.engine.wait_idle()
        told = 0
        walks.records = walks.runs = 0
        for turn in range(EVENTS):
            for event in happenings(turn, here.engine.store.fleet.agents):
                here.engine.host_events.happened(event)
                told += 1
            if turn % 20 == 0:
                await here.until(lambda: all(not reader.lacks for reader in here.server.sessions))
        await here.engine.budgets.wait_idle()
        await here.until(lambda: all(not reader.lacks for reader in here.server.sessions))
        assert walks.runs <= told, f"{walks.runs} runs were made anew after {told} events"
        assert bool(walks.runs) == bool(money)
        per_event = walks.records / told
        assert per_event <= 8 * isqrt(MANY), f"{per_event:.0f} records of {MANY} were looked through for one event"
        for client in clients:
            await client.close()
