"""Sends the agents of a demo on stage: spawns them all, and interrupts those whose scene wants it."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Protocol

from controlroom.cli.room import PATIENCE, wait_for, wait_settled
from controlroom.client.client import Client, EngineUnavailable
from controlroom.domain.intents import InterruptAgent, SpawnAgent
from controlroom.domain.model import Fleet, State
from controlroom.text.names import LOCAL


class CastMember(Protocol):
    """One agent to start, from the profile of its name."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def task(self) -> str:
        """What it is told to do."""

    @property
    def interrupted_after(self) -> float:
        """Seconds of work after which it is interrupted; 0: never."""


def direct(parts: Sequence[CastMember], ready: Callable[[], None]) -> str:
    """Start the agents in the room of this process's environment; return why there is no engine, or an empty text.

    `ready` is called once the engine answers, before the first agent. It is no error that the room ends meanwhile.
    """
    return asyncio.run(_direct(parts, ready))


async def _direct(parts: Sequence[CastMember], ready: Callable[[], None]) -> str:
    try:
        client = await Client.connect(role="cli")
    except EngineUnavailable as problem:
        return str(problem)
    ready()
    with contextlib.suppress(EngineUnavailable):
        await _play_all(client, parts)
    return ""


async def _play_all(client: Client, parts: Sequence[CastMember]) -> None:
    try:
        await wait_settled(client, LOCAL)
        async with asyncio.TaskGroup() as group:
            for part in parts:
                group.create_task(_play(client, part))
    finally:
        await client.close()


async def _play(client: Client, part: CastMember) -> None:
    with contextlib.suppress(EngineUnavailable):
        await client.submit(SpawnAgent(part.name, part.task, LOCAL, part.name))
        if part.interrupted_after:
            await _interrupt(client, f"{LOCAL}/{part.name}", part.interrupted_after)


async def _interrupt(client: Client, agent: str, after: float) -> None:
    def works(fleet: Fleet) -> bool:
        return agent in fleet.agents and fleet.agents[agent].state is State.WORKING

    if await wait_for(client, works, PATIENCE):
        await asyncio.sleep(after)
        await client.submit(InterruptAgent(agent, client.fleet.agents[agent].epoch))
