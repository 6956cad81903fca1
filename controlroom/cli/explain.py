"""Why an agent's state is what it is, for people and for scripts."""

import argparse
import textwrap
import time
from collections.abc import Iterable
from datetime import datetime, tzinfo

from controlroom.cli import output
from controlroom.cli.entry_points import EntryPoints
from controlroom.cli.exits import Exit
from controlroom.cli.room import find_agent, with_room
from controlroom.client.client import Client
from controlroom.domain.display import explain as why

_LABEL = 9
"""Columns before the words."""


def explain(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Explain an agent's state."""
    return with_room(_explain, args)


async def _explain(client: Client, args: argparse.Namespace) -> int:
    agent = await find_agent(client, args.agent)
    now = client.now()
    told = why.explain(client.fleet, agent, now)
    if args.json:
        output.json_data(why.record(told))
        return Exit.DONE
    output.data(f"{told.agent}, adopted ({agent.place})" if agent.adopted else f"{told.agent}, run {told.epoch}")
    report(why.lines(told, now, clock))
    return Exit.DONE


def report(told: Iterable[why.Line]) -> None:
    """Print lines with their labels before them, wrapped to the terminal."""
    room = max(20, (output.width() or 10_000) - _LABEL)
    for line in told:
        for index, part in enumerate(textwrap.wrap(line.words, room) or [""]):
            output.data(f"{line.label if index == 0 else '':>{_LABEL - 2}}  {part}")


def clock(at: int, zone: tzinfo | None = None) -> str:
    """Give the time of day there (here, if no zone is given), with the day where it is another one."""
    then, now = (datetime.fromtimestamp(seconds, zone) for seconds in (at / 1000, time.time()))
    return f"{then:%H:%M}" if then.date() == now.date() else f"{then:%Y-%m-%d %H:%M}"
