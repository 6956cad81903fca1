"""Twenty front ends at once at a real engine, one of them stopped in a debugger: nobody else notices."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from controlroom.client.client import Client
from controlroom.domain.intents import KillAgent
from controlroom.domain.model import ENDED
from tests.end_to_end.room import Room
from tests.lab.waiting import LOADED
from tests.lab.world import World

STOPPABLE = """
import asyncio, sys
from controlroom.client.client import Client

async def main():
    client = await Client.connect(start=False, role="tui")
    await client.follow({"local/loud": None})
    print("ready", flush=True)
    async for page in client.pages():
        pass

asyncio.run(main())
"""


@pytest.fixture
def room(home: World) -> Iterator[Room]:
    room = Room()
    room.run("engine")
    yield room
    room.run("stop")


def front_end() -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", STOPPABLE], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


async def test_one_that_is_stopped_is_nobody_elses_trouble(home: World, room: Room) -> None:
    flood = 'i=0; while :; do i=$((i+1)); echo "$i $(printf %0800d 0)"; [ $((i % 40)) = 0 ] && sleep 0.02; done'
    await asyncio.to_thread(room.run, "spawn", "loud", "--", "sh", "-c", flood)
    clients = [await Client.connect(start=False, role="watch" if n % 2 else "tui") for n in range(19)]
    stopped = await asyncio.to_thread(front_end)
    try:
        for client in clients:
            await client.follow({"local/loud": None})
        assert len((await clients[0].attached()).front_ends) == 20
        heard = await hear(clients, pages=2)
        os.kill(stopped.pid, signal.SIGSTOP)
        heard += await hear(clients, pages=50)
        assert heard > 0
        outcome = await asyncio.wait_for(clients[0].submit(kill_of(clients[0])), LOADED * 15)
        assert outcome.ok, outcome
        for client in clients:
            await asyncio.wait_for(until_ended(client), LOADED * 15)
        there = (await clients[1].attached()).front_ends
        assert len(there) == 20, "the stopped one is still attached"
        os.kill(stopped.pid, signal.SIGCONT)
    finally:
        stopped.kill()
        stopped.communicate()
        for client in clients:
            await client.close()
    await asyncio.to_thread(room.run, "forget", "loud", "--yes")


async def until_ended(client: Client) -> None:
    while client.fleet.agents["local/loud"].state not in ENDED:
        await client.changed()


def kill_of(client: Client) -> KillAgent:
    return KillAgent("local/loud", client.fleet.agents["local/loud"].epoch)


async def hear(clients: list[Client], pages: int) -> int:
    """Let every client take so many pages of the flood; fails when one waits for longer than its patience."""

    async def one(client: Client) -> int:
        taken = 0
        async for page in client.pages():
            taken += len(page.records)
            pages_left[client] -= 1
            if pages_left[client] <= 0:
                break
        return taken

    pages_left = dict.fromkeys(clients, pages)
    return sum(await asyncio.wait_for(asyncio.gather(*map(one, clients)), LOADED * 60))
