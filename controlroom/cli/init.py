"""The first steps of a room: a config, this machine looked over, hosts added and checked."""

import argparse
import re

from controlroom.cli import output
from controlroom.cli.arguments import is_address
from controlroom.cli.entry_points import EntryPoints, FirstRun
from controlroom.cli.exits import Exit, Stop
from controlroom.cli.hosts import joined
from controlroom.cli.imports import offer
from controlroom.cli.room import wait_settled, with_room
from controlroom.client.client import Client
from controlroom.domain import intents
from controlroom.domain.address import short_name
from controlroom.domain.display import checkup
from controlroom.domain.display.checkup import Grade
from controlroom.domain.model import Fleet

_SHOWN = 30
"""Hosts of ~/.ssh/config that are offered at most."""

_NOBODY, _YES = ("n", "no", "none"), ("y", "yes")
"""Answers of people who expect a question of yes or no; a machine that is called so is added with `host add`."""

_GLYPHS = {Grade.OK: "✓", Grade.WARN: "!", Grade.BAD: "✕", Grade.UNKNOWN: "?"}


def init(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Take the first steps, asking on the way when a person is there."""
    first_run = entry_points.first_run()
    _config(first_run)
    return with_room(lambda client, args: _init(client, args, first_run), args)


def _config(first_run: FirstRun) -> None:
    try:
        written = first_run.write_config()
    except OSError as error:
        raise Stop(Exit.REFUSED, f"{first_run.config} cannot be written: {error.strerror}") from None
    what = "written: every setting stands in it, commented out" if written else "is there, and stays as it is"
    output.talk(f"config   {first_run.config}")
    output.talk(f"         {what}")


async def _init(client: Client, args: argparse.Namespace, first_run: FirstRun) -> int:
    await wait_settled(client)
    for name in list(client.fleet.hosts):
        await _look_over(client, name)
        await offer(client, name)
    offered = [name for name in first_run.ssh_hosts() if _is_new(client.fleet, name)]
    wanted = list(args.host) or _asked(offered)
    failed = [address for address in wanted if not await _join(client, address)]
    _next_steps(client.fleet)
    return Exit.REFUSED if failed else Exit.DONE


def _is_new(fleet: Fleet, address: str) -> bool:
    return not any(address in (host.name, host.address) for host in fleet.hosts.values())


def _asked(known: list[str]) -> list[str]:
    """Offer the hosts of ~/.ssh/config; nobody there, or nothing said: none."""
    if not output.person_is_there():
        return []
    if known:
        output.talk("~/.ssh/config knows these hosts:")
        for number, name in enumerate(known[:_SHOWN], 1):
            output.talk(f"  {number:>2}  {name}")
    offer = "their numbers, or " if known else ""
    while True:
        reply = output.line(f"Which machines should run agents? ({offer}user@address; Enter: none)")
        try:
            return chosen(reply, known)
        except ValueError as error:
            output.talk(str(error))


def chosen(said: str, known: list[str]) -> list[str]:
    """Read what a person chose: numbers of `known`, names or addresses, with spaces or commas between.

    Raises `ValueError` naming what is none of them.
    """
    if said.strip().lower() in _NOBODY and said.strip() not in known:
        return []
    picked: dict[str, None] = {}
    for word in re.split(r"[,\s]+", said.strip()):
        if word.isdecimal() and word.isascii() and 0 < int(word[:6]) <= len(known):
            picked[known[int(word) - 1]] = None
        elif word and (word in known or (word.lower() not in _YES and not word.isdecimal() and is_address(word))):
            picked[word] = None
        elif word:
            raise ValueError(f"{ascii(word)[:60]} is neither a number of the list nor an address: say which machines")
    return list(picked)


async def _join(client: Client, address: str) -> bool:
    """Add a host, see it through, and look it over; what fails is said, and the next one gets its turn."""
    name = short_name(address)
    try:
        await joined(client, intents.AddHost(name, address))
    except Stop as stop:
        output.hanging(f"{name}: ", stop.sentence)
        return False
    await _look_over(client, name)
    await offer(client, name)
    return True


async def _look_over(client: Client, name: str) -> None:
    """Check a host, and say in a few lines what is not well and what mends it."""
    told = await client.check(name)
    poor = [check for check in told.checks if check.verdict in (Grade.BAD, Grade.WARN)]
    claude = _found(client.fleet, name)
    well = "has all that agents need" if checkup.is_well(told.checks) and not told.reason else "is not ready for agents"
    output.hanging(f"{name:<8} ", f"{told.reason or well}{claude}")
    for check in poor:
        mend = f": {check.mend}" if check.mend else ""
        output.hanging(f"         {_GLYPHS[check.verdict]} ", f"{check.name}: {check.found}{mend}")


def _found(fleet: Fleet, name: str) -> str:
    """What runs there already, that others started."""
    adopted = [agent for agent in fleet.agents_on(name) if agent.adopted]
    if not adopted:
        return ""
    return f"; it runs {', '.join(sorted(agent.name for agent in adopted)[:5])} already: they are on the screen"


def _next_steps(fleet: Fleet) -> None:
    output.talk("")
    output.talk("Now: controlroom     the screen: s starts an agent, ? explains every key")
    output.talk("     controlroom spawn docs-1 --cwd DIR --task 'Bring the docs up to date.'")
    output.talk("     controlroom budget set day --limit 20     stop at 20 dollars a day")
