"""The verbs for the room itself: its engine, and the demo."""

import argparse

from controlroom.cli import output
from controlroom.cli.exits import Exit, Stop
from controlroom.cli.starters import Starters

_MOST = 60
"""Agents of a demo at most: each is a few processes."""


def engine(args: argparse.Namespace, starters: Starters) -> int:
    """Run the engine here, or see that it runs."""
    if args.foreground:
        return Exit.NO_ENGINE if starters.engine() else Exit.DONE
    from controlroom.cli.room import with_room

    return with_room(_running, args)


async def _running(client: object, args: argparse.Namespace) -> int:
    output.talk("the engine runs")
    return Exit.DONE


def stop(args: argparse.Namespace, starters: Starters) -> int:
    """Stop the engine; that none runs is fine, too."""
    import asyncio

    return asyncio.run(_stop())


async def _stop() -> int:
    from controlroom.fleet.client import Client, EngineUnavailable, NoEngine

    try:
        client = await Client.connect(start=False, role="stop")
    except NoEngine:
        output.talk("no engine runs here")
        return Exit.DONE
    except EngineUnavailable as problem:
        raise Stop(Exit.NO_ENGINE, str(problem)) from None
    try:
        await client.stop_engine()
    except EngineUnavailable as problem:
        raise Stop(Exit.UNKNOWN, str(problem)) from None
    finally:
        await client.close()
    output.talk("the engine has stopped; agents live on")
    return Exit.DONE


def demo(args: argparse.Namespace, starters: Starters) -> int:
    """Play a throw-away room."""
    if args.agents > _MOST:
        raise Stop(Exit.USAGE, f"{args.agents} agents are too many for a demo: {_MOST} are the most")
    return starters.demo(args.agents, args.hold)
