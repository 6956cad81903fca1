"""The verbs for the room itself: its engine, and the demo."""

import argparse
import os

from controlroom.cli import output
from controlroom.cli.entry_points import EntryPoints
from controlroom.cli.exits import Exit, Stop
from controlroom.cli.homes import AT
from controlroom.cli.stopping import runways, stopped

_MOST = 60
"""Agents of a demo at most: each is a few processes."""


def engine(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Run the engine here, or see that it runs."""
    if args.foreground:
        return Exit.NO_ENGINE if entry_points.engine() else Exit.DONE
    if args.install or args.uninstall:
        from controlroom.cli import at_boot

        return at_boot.install(entry_points) if args.install else at_boot.uninstall(entry_points)
    from controlroom.cli.room import with_room

    return with_room(_running, args)


async def _running(client: object, args: argparse.Namespace) -> int:
    output.talk("the engine runs")
    return Exit.DONE


def watch(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Open the screen for a watcher."""
    return entry_points.screen(True, args.theme)


def bridge(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Join stdin and stdout to the engine."""
    return entry_points.bridge(read_only=args.read_only, start=not args.no_start)


def stop(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Stop the engine; that none runs is fine, too."""
    import asyncio

    away = os.environ.get(AT, "local") != "local"
    alone = asyncio.run(runways())
    if not asyncio.run(stopped()):
        output.talk(f"no engine runs {'there' if away else 'here'}")
        return Exit.DONE
    again = "; this machine starts it again when it boots: controlroom engine --uninstall ends that"
    output.talk(f"the engine has stopped; agents live on{again if not away and entry_points.at_boot().how() else ''}")
    if alone:
        output.talk("without it they can spend what they are granted, and are then paused:")
        for line in alone:
            output.talk(f"  {line}")
    return Exit.DONE


def demo(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Play a throw-away room."""
    if args.agents > _MOST:
        raise Stop(Exit.USAGE, f"{args.agents} agents are too many for a demo: {_MOST} are the most")
    return entry_points.demo(args.agents, args.hold)
