"""The verbs for the engine: start, stop, at boot, who is attached, watch, bridge; and the demo."""

import argparse
import asyncio
import os
import time
from collections.abc import Iterator
from typing import NamedTuple

from controlroom.cli import output
from controlroom.cli.entry_points import AtBoot, EntryPoints
from controlroom.cli.exits import Exit, Stop
from controlroom.cli.homes import AT
from controlroom.cli.room import with_room
from controlroom.client.client import Client
from controlroom.domain.attached import HEAD, cells


class Left(NamedTuple):
    """What goes on without the engine, as it was before it stopped."""

    live: int
    """Agents of this room that run."""
    adopted: int
    ways: list[str]
    """How far those that a budget binds can go alone."""
    under_way: list[str]
    """What the next engine goes on with."""


async def left_behind() -> Left:
    """What will go on without the engine; nothing where it does not run, or does not say.

    Raises `Stop` where one may only look: nobody stops the engine there.
    """
    from controlroom.client.client import Client, EngineUnavailable
    from controlroom.domain.display.under_way import under_way
    from controlroom.domain.money.forecast import told

    try:
        client = await Client.connect(start=False, role="cli", told=output.talk)
    except EngineUnavailable:
        return Left(0, 0, [], [])
    try:
        if client.read_only:
            raise Stop(Exit.REFUSED, "a watcher may look, and change nothing")
        live = [agent.adopted for agent in client.fleet.agents.values() if agent.runs]
        ways = (await client.runways()).ways
    except EngineUnavailable:
        return Left(0, 0, [], [])
    finally:
        await client.close()
    now = time.time_ns() // 1_000_000
    return Left(live.count(False), live.count(True), [told(way, now) for way in ways], under_way(client.fleet))


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


_MOST = 60
"""Agents of a demo at most: each is a few processes."""


def engine(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Run the engine here, or see that it runs."""
    if args.foreground:
        return Exit.NO_ENGINE if entry_points.engine() else Exit.DONE
    if args.install or args.uninstall:
        from controlroom.cli import engine

        return engine.install(entry_points) if args.install else engine.uninstall(entry_points)
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
    away = os.environ.get(AT, "local") != "local"
    left = asyncio.run(left_behind())
    if not asyncio.run(stopped()):
        output.talk(f"no engine runs {'there' if away else 'here'}")
        return Exit.DONE
    again = "; this machine starts it again when it boots: controlroom engine --uninstall ends that"
    output.talk(f"the engine has stopped{again if not away and entry_points.at_boot().how() else ''}")
    for words in what_goes_on(left):
        output.talk(words)
    return Exit.DONE


def what_goes_on(left: Left) -> Iterator[str]:
    """Say which agents go on spending and what stops them, and what was under way."""
    from controlroom.domain.display.under_way import NEXT

    if left.live:
        agents, whose = (
            ("1 agent goes on, and may spend: to end it,", "its turn")
            if left.live == 1
            else (f"{left.live} agents go on, and may spend: to end them,", "their turns")
        )
        yield f"{agents} controlroom kill '*'; {whose} alone, controlroom interrupt '*'"
    if left.adopted:
        yield f"{left.adopted} adopted {'go' if left.adopted > 1 else 'goes'} on, too: only who started them ends them"
    if left.ways:
        yield "without the engine these can spend what they are granted, and are then paused:"
        yield from (f"  {way}" for way in left.ways)
    elif left.live:
        yield f"no budget pauses {'it' if left.live == 1 else 'them'}"
    if left.under_way:
        yield NEXT
        yield from (f"  {words}" for words in left.under_way)


def demo(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Play a throw-away room."""
    if args.agents > _MOST:
        raise Stop(Exit.USAGE, f"{args.agents} agents are too many for a demo: {_MOST} are the most")
    return entry_points.demo(args.agents, args.hold)


PATIENCE = 20.0
"""Seconds that a service manager may take until the engine listens."""


def install(entry_points: EntryPoints) -> int:
    """Have this machine start the engine, and hand over to it now where that can be done."""
    boot = entry_points.at_boot()
    _told(boot.install())
    asyncio.run(_hand_over(boot))
    if os.environ.get("SSH_AUTH_SOCK"):
        output.talk(
            "keys that only your ssh-agent holds are gone after a reboot: give hosts a key file without a passphrase"
        )
    output.data(boot.how())
    return Exit.DONE


def uninstall(entry_points: EntryPoints) -> int:
    """Have this machine start the engine no more."""
    _told(entry_points.at_boot().uninstall())
    output.talk("an engine that runs now goes on until: controlroom stop")
    return Exit.DONE


def _told(result: tuple[bool, list[str]]) -> None:
    well, says = result
    for sentence in says:
        output.talk(sentence)
    if not well:
        raise Stop(Exit.REFUSED)


async def _hand_over(boot: AtBoot) -> None:
    """See that the engine runs; under systemd as its unit, for one begun at a login may end with that login."""
    from controlroom.client.client import Client, EngineUnavailable

    if boot.how() == "systemd":
        if await stopped():
            output.talk("the engine that ran has stopped, to be started by systemd; agents live on")
        _told(boot.start())
        await _listening()
        output.talk("the engine runs, as a unit of systemd")
        return
    try:
        client = await Client.connect(role="cli")
    except EngineUnavailable as problem:
        raise Stop(Exit.NO_ENGINE, str(problem)) from None
    await client.close()
    output.talk("the engine runs, started from here; from the next boot on, cron starts it")


async def _listening() -> None:
    from controlroom.client.client import Client, EngineUnavailable, NoEngine

    end = asyncio.get_running_loop().time() + PATIENCE
    while True:
        try:
            return await (await Client.connect(start=False, role="cli")).close()
        except NoEngine as none:
            if asyncio.get_running_loop().time() > end:
                words = "systemd does not bring the engine up: journalctl --user -e shows why"
                raise Stop(Exit.NO_ENGINE, words) from none
            await asyncio.sleep(0.1)
        except EngineUnavailable as problem:
            raise Stop(Exit.NO_ENGINE, str(problem)) from None


def attached(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """List the front ends that are connected."""
    return with_room(_attached, args)


async def _attached(client: Client, args: argparse.Namespace) -> int:
    front_ends = await client.attached()
    if front_ends.reason:
        raise Stop(Exit.REFUSED, front_ends.reason)
    if args.json:
        output.json_answer("attached", front_ends.front_ends)
    else:
        now = client.now()
        output.table([HEAD, *(cells(one, now) for one in front_ends.front_ends)])
    return Exit.DONE
