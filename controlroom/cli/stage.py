"""Sends the agents of a demo on stage: spawns them all, interrupts those whose scene wants it, and fills the queue."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Protocol

from controlroom.cli.room import PATIENCE, wait_for, wait_settled
from controlroom.client.client import Client, EngineUnavailable
from controlroom.domain.intents import AddTasks, InterruptAgent, SpawnAgent
from controlroom.domain.model import Fleet, State
from controlroom.domain.tasks import TaskWish
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


class QueuedTask(Protocol):
    """One task for the queue."""

    @property
    def text(self) -> str:
        """What is to be done."""

    @property
    def profile(self) -> str:
        """What carries it out."""

    @property
    def priority(self) -> int:
        """The higher, the sooner."""

    @property
    def after(self) -> str:
        """The key of the task that must be done first; empty: none."""

    @property
    def key(self) -> str:
        """What others name it by."""


def direct(parts: Sequence[CastMember], tasks: Sequence[QueuedTask], ready: Callable[[], None]) -> str:
    """Start the agents in the room of this process's environment, and fill its queue; return why there is no engine.

    `ready` is called once the engine answers, before the first agent. It is no error that the room ends meanwhile.
    """
    return asyncio.run(_direct(parts, tasks, ready))


async def _direct(parts: Sequence[CastMember], tasks: Sequence[QueuedTask], ready: Callable[[], None]) -> str:
    try:
        client = await Client.connect(role="cli")
    except EngineUnavailable as problem:
        return str(problem)
    ready()
    with contextlib.suppress(EngineUnavailable):
        await _play_all(client, parts, tasks)
    return ""


async def _play_all(client: Client, parts: Sequence[CastMember], tasks: Sequence[QueuedTask]) -> None:
    try:
        await wait_settled(client, LOCAL)
        async with asyncio.TaskGroup() as group:
            for part in parts:
                group.create_task(_play(client, part))
            group.create_task(_fill_queue(client, parts, tasks))
    finally:
        await client.close()


async def _fill_queue(client: Client, parts: Sequence[CastMember], tasks: Sequence[QueuedTask]) -> None:
    """Put the tasks into the queue once every agent is there: those of the queue stand behind them."""
    names = {part.name for part in parts}
    with contextlib.suppress(EngineUnavailable):
        await wait_for(client, lambda fleet: names <= {agent.name for agent in fleet.agents.values()}, PATIENCE)
        wishes = (
            TaskWish(t.text, priority=t.priority, profile=t.profile, after=(t.after,) * bool(t.after), key=t.key)
            for t in tasks
        )
        await client.submit(AddTasks(tuple(wishes)))


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
