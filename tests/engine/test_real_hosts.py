"""The engine as a process, with the real node on a real sshd: links drop, logs go on, orders are found again."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest

from controlroom.client.client import Client
from controlroom.domain import intents
from controlroom.domain.model import LinkState, State
from controlroom.protocol.home import find_home, holder, is_held
from tests.engine.tails import Tail
from tests.lab.host import Host
from tests.lab.waiting import wait_for_async
from tests.lab.world import World

COUNTING = "n=0; while [ $n -lt 400 ]; do n=$((n+1)); echo line $n; sleep 0.02; done; sleep 600"


@pytest.fixture
async def client(home: World, ssh_host: Host) -> AsyncIterator[Client]:
    """A front end of an engine whose one host is `vm1`."""
    place = find_home(os.environ)
    place.config.write_text(f'local = false\n[hosts.vm1]\naddress = "{ssh_host.name}"\n')
    place.config.chmod(0o600)
    made = await Client.connect()
    await up(made)
    yield made
    if "vm1/a1" in made.fleet.agents and made.connected:
        await made.submit(intents.KillAgent("vm1/a1", made.fleet.agents["vm1/a1"].epoch))
    for tail in Tail.opened:
        await tail.close()
    Tail.opened.clear()
    await made.close()
    if is_held(place.lock):
        os.kill(holder(place.lock), signal.SIGTERM)
        await wait_for_async(lambda: not is_held(place.lock), 20)


async def up(client: Client) -> None:
    async with asyncio.timeout(60):
        while client.fleet.hosts["vm1"].link is not LinkState.UP:
            await client.changed()


async def spawn(client: Client, script: str) -> None:
    outcome = await client.submit(intents.SpawnAgent("a1", "", "vm1", command=("sh", "-c", script)))
    assert outcome.ok, outcome.reason


async def test_a_log_is_whole_however_often_the_link_drops(client: Client, ssh_host: Host) -> None:
    await client.submit(intents.SpawnAgent("a1", "", "vm1", command=("sh", "-c", COUNTING)))
    tail = await Tail.of((await client.fetch("vm1/a1", 1)).start)
    for cut in range(3):
        seen = len(tail.lines)
        await wait_for_async(lambda seen=seen: len(tail.lines) > seen + 40, 30, f"cut {cut}: the log goes on")  # type: ignore[misc]
        ssh_host.kill_connections()
        await up(client)
    await wait_for_async(lambda: tail.lines[-1:] == ["line 400"], 60, "the last line")
    said = [line for line in tail.lines if line.startswith("line ")]
    assert said == [f"line {number}" for number in range(1, 401)]
    assert tail.skipped == 0


async def test_an_order_whose_link_was_cut_is_looked_up_and_never_doubled(client: Client, ssh_host: Host) -> None:
    ordering = asyncio.create_task(spawn(client, "sleep 600"))
    await wait_for_async(lambda: "vm1/a1" in client.fleet.agents, 10)
    ssh_host.kill_connections()
    await asyncio.wait([ordering], timeout=160)
    await up(client)
    agent = client.fleet.agents["vm1/a1"]
    if ordering.exception() is None:
        await wait_for_async(lambda: client.fleet.agents["vm1/a1"].state is State.WORKING, 10)
    else:
        assert "did not get the order" in agent.detail
    assert agent.pending is None
    running = [process for process in ssh_host.processes() if process.command == "sleep 600"]
    assert len(running) == (ordering.exception() is None)


async def test_agents_outlive_the_engine_and_are_found_by_the_next(client: Client, ssh_host: Host) -> None:
    await spawn(client, "echo hello; sleep 600")
    os.kill(holder(find_home(os.environ).lock), signal.SIGKILL)
    again = await Client.connect()
    assert again.fleet.state_of(again.fleet.agents["vm1/a1"]) is State.LOST
    await up(again)
    await wait_for_async(lambda: again.fleet.agents["vm1/a1"].state is State.WORKING)
    outcome = await again.submit(intents.KillAgent("vm1/a1", 1))
    assert outcome.ok, outcome.reason
    assert not [process for process in ssh_host.processes() if process.command == "sleep 600"]
    await again.close()
