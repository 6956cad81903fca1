"""One verb, several agents: found by names and patterns, listed before danger, ten at a time, summed up in the end."""

import asyncio
from collections.abc import Sequence
from fnmatch import fnmatchcase

from controlroom.cli import output
from controlroom.cli.exits import Exit, Stop
from controlroom.cli.room import ORDER_PATIENCE, code_of, find_agent, person_types, wait_settled
from controlroom.client.client import Client
from controlroom.domain.intents import Intent
from controlroom.domain.keys.actions import BY_NAME
from controlroom.domain.keys.many import AT_ONCE, Plan, plan, summed
from controlroom.domain.model import Agent, Fleet
from controlroom.domain.orders import Result
from controlroom.domain.words import age

_PATTERN = frozenset("*?[")


def several(texts: Sequence[str]) -> bool:
    """Say whether these words may mean more than one agent."""
    return len(texts) > 1 or any(_PATTERN & set(text) for text in texts)


async def find_agents(client: Client, texts: Sequence[str]) -> tuple[list[Agent], set[str]]:
    """Give the agents that names and patterns mean, and the ids of those that were named. Raises `Stop`."""
    found: dict[str, Agent] = {}
    named: set[str] = set()
    for text in texts:
        if _PATTERN & set(text):
            await wait_settled(client)
            found |= {agent.id: agent for agent in matching(client.fleet, text)}
        else:
            agent = await find_agent(client, text)
            found[agent.id] = agent
            named.add(agent.id)
    return sorted(found.values(), key=lambda agent: agent.id), named


def matching(fleet: Fleet, pattern: str) -> list[Agent]:
    """Give the agents that a pattern fits: their ids when it has a slash, else their names. Raises `Stop` at none.

    What others started is never meant.
    """
    ours = (agent for agent in fleet.agents.values() if not agent.adopted)
    fitting = [agent for agent in ours if fnmatchcase(agent.id if "/" in pattern else agent.name, pattern)]
    if not fitting:
        raise Stop(Exit.NOT_FOUND, f"no agent fits {ascii(pattern)[:90]}; see controlroom status")
    return fitting


async def to_all(client: Client, texts: Sequence[str], action: str, *, text: str = "", yes: bool = True) -> int:
    """Do an action to several agents. Of a pattern's agents, those that it cannot be done to are left out."""
    agents, named = await find_agents(client, texts)
    todo = plan(client.fleet, [agent.id for agent in agents], action).saying(text)
    for agent, reason in todo.left_out:
        if agent.id in named:
            raise Stop(Exit.REFUSED, f"{reason}: nothing was done to any of them")
        output.talk(f"left out: {agent.id}: {reason}")
    if not todo.targets:
        raise Stop(Exit.REFUSED, "there is nobody left to do it to")
    if BY_NAME[action].danger and not yes:
        _confirm(client.fleet, todo, client.now())
    gate = asyncio.Semaphore(AT_ONCE)
    outcomes = await asyncio.gather(*(_submit(client, target.intent, gate) for target in todo.targets))
    output.talk(summed(todo, outcomes))
    codes = {code_of(outcome) for outcome in outcomes}
    return next((code for code in (Exit.UNKNOWN, Exit.REFUSED) if code in codes), Exit.DONE)


def _confirm(fleet: Fleet, todo: Plan, now: int) -> None:
    """Show the list, and let the person type how many they are. Raises `Stop` when they do not."""
    for target in todo.targets:
        agent = target.agent
        output.talk(f"  {agent.id}  {fleet.state_of(agent)}, {age(now - agent.since)}")
    person_types(todo.title, str(len(todo.targets)))


async def _submit(client: Client, intent: Intent, gate: asyncio.Semaphore) -> Result:
    async with gate:
        return await client.submit(intent, wait=True, deadline=ORDER_PATIENCE)
