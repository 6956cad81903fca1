"""An engine to talk to for the length of one verb, and the waits that a fresh engine needs."""

import argparse
import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from datetime import tzinfo

from controlroom.cli import output
from controlroom.cli.exits import Exit, Stop
from controlroom.cli.find import agent_of
from controlroom.client.client import Client, EngineUnavailable, NotAllowed
from controlroom.domain.intents import Intent
from controlroom.domain.model import Agent, Fleet, Host, LinkState
from controlroom.domain.orders import Result
from controlroom.text.states import Outcome

PATIENCE = 20.0
"""Seconds to wait for a host that is still being connected."""

ORDER_PATIENCE = 60.0
"""Seconds to wait for what becomes of an order."""

Verb = Callable[[Client, argparse.Namespace], Awaitable[int]]


def with_room(verb: Verb, args: argparse.Namespace) -> int:
    """Run a verb against the engine of this room, which is started if need be."""
    return asyncio.run(_connected(verb, args))


async def _connected(verb: Verb, args: argparse.Namespace) -> int:
    try:
        client = await Client.connect(role="cli", ask=output.person_is_there())
        try:
            return await verb(client, args)
        finally:
            await client.close()
    except NotAllowed as problem:
        raise Stop(Exit.REFUSED, str(problem)) from None
    except EngineUnavailable as problem:
        raise Stop(Exit.NO_ENGINE, str(problem)) from None


def money_zone(fleet: Fleet) -> tzinfo:
    """The time zone that the room counts its days in."""
    from controlroom.text.time_zones import zone_here  # 4 ms, which every verb would wait for

    return zone_here(fleet.limits.zone, os.environ.get("TZ", ""))


async def wait_for(client: Client, true: Callable[[Fleet], bool], seconds: float) -> bool:
    """Wait until something is true of the fleet; say whether it became so in time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not true(client.fleet):
                await client.changed()
    return true(client.fleet)


def settled(host: Host) -> bool:
    """Whether we know how we stand with a host."""
    return host.link is not LinkState.CONNECTING


async def wait_settled(client: Client, name: str = "", seconds: float = PATIENCE) -> None:
    """Wait until a host (every host) is up or we know why not."""

    def ready(fleet: Fleet) -> bool:
        hosts = [host for host in fleet.hosts.values() if not name or host.name == name]
        return all(map(settled, hosts))

    await wait_for(client, ready, seconds)


async def find_agent(client: Client, text: str) -> Agent:
    """Find an agent, waiting for hosts that have not been heard yet. Raises `Stop`."""

    def findable(fleet: Fleet) -> bool:
        ambiguous = "/" not in text and not all(map(settled, fleet.hosts.values()))
        return bool(fleet.find(text)) and not ambiguous

    def hopeless(fleet: Fleet) -> bool:
        return all(map(settled, fleet.hosts.values()))

    await wait_for(client, lambda fleet: findable(fleet) or hopeless(fleet), PATIENCE)
    return agent_of(client.fleet, text)


async def order(client: Client, intent: Intent, done: str, patience: float = ORDER_PATIENCE) -> int:
    """Submit an intent, wait for what becomes of it, and say so: `done` is the sentence for success."""
    outcome = await client.submit(intent, wait=True, deadline=patience)
    code = code_of(outcome)
    if code is Exit.DONE:
        output.talk(f"{done} ({outcome.reason})" if outcome.reason else done)
        return code
    raise Stop(code, outcome.reason or "no reason was given")


def code_of(outcome: Result) -> Exit:
    """The exit code of an outcome."""
    if outcome.ok:
        return Exit.DONE
    return Exit.REFUSED if outcome.outcome is Outcome.REFUSED else Exit.UNKNOWN


def confirmed(question: str, yes: bool) -> None:
    """Ask the person unless they said yes before. Raises `Stop` when they do not, or when nobody is there."""
    if yes:
        return
    if not output.person_is_there():
        raise Stop(Exit.REFUSED, f"{question} Nobody is there to ask: say --yes")
    if not output.ask(question):
        raise Stop(Exit.REFUSED, "nothing was done")


def person_types(question: str, wanted: str) -> None:
    """Let the person type `wanted` as their yes. Raises `Stop` when they do not, or when nobody is there."""
    if not output.person_is_there():
        raise Stop(Exit.REFUSED, f"{question} Nobody is there to ask: say --yes")
    if not output.ask(question, f"[type {wanted}]", (wanted,)):
        raise Stop(Exit.REFUSED, "nothing was done")
