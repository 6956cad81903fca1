"""Ending the engine of this room, whoever wants it."""

import time

from controlroom.cli import output
from controlroom.cli.exits import Exit, Stop


async def runways() -> list[str]:
    """Say how far agents can go without the engine; nothing where it does not run, or does not say.

    Raises `Stop` where one may only look: nobody stops the engine there.
    """
    from controlroom.client.client import Client, EngineUnavailable
    from controlroom.domain.money.forecast import told

    try:
        client = await Client.connect(start=False, role="cli", told=output.talk)
    except EngineUnavailable:
        return []
    try:
        if client.read_only:
            raise Stop(Exit.REFUSED, "a watcher may look, and change nothing")
        ways = (await client.runways()).ways
    except EngineUnavailable:
        return []
    finally:
        await client.close()
    return [told(way, time.time_ns() // 1_000_000) for way in ways]


async def stopped() -> bool:
    """Stop the engine, one that is just starting too; False when none runs. Raises `Stop`."""
    from controlroom.client.client import Client, EngineUnavailable, NoEngine

    try:
        client = await Client.connect(start=False, role="stop", ask=output.person_is_there(), told=output.talk)
    except NoEngine:
        return False
    except EngineUnavailable as problem:
        raise Stop(Exit.NO_ENGINE, str(problem)) from None
    try:
        await client.stop_engine()
    except EngineUnavailable as problem:
        raise Stop(Exit.UNKNOWN, str(problem)) from None
    finally:
        await client.close()
    return True
