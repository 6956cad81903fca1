"""What every limit leaves, for people and for scripts."""

import argparse
from collections.abc import Sequence
from itertools import groupby

from controlroom.cli import output
from controlroom.cli.entry_points import EntryPoints
from controlroom.cli.exits import Exit
from controlroom.cli.output import lined_up
from controlroom.cli.room import wait_for, with_room
from controlroom.cli.status import clock, wait_briefly
from controlroom.client.client import Client
from controlroom.domain.display.limit_rows import LimitRow, in_order, row
from controlroom.domain.gauges import Headroom, LimitKind

_HEAD = LimitRow("", "USED", "OF", "LEFT", "RESETS", "AGE", "FROM", "USED BY")
_SHORT = {"requests": "req", "input": "in", "output": "out"}
_NARROW = 60
"""Columns below which names of buckets are shortened, so that what is left and when it is whole still has room."""
_HEARD = 1.0
"""Seconds that hosts which have just connected may take to say how far their plans are used."""


def limits(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Show what every limit leaves."""
    return with_room(_limits, args)


async def _limits(client: Client, args: argparse.Namespace) -> int:
    now = await wait_briefly(client)
    await wait_for(client, lambda fleet: bool(fleet.headroom), _HEARD)
    limits = in_order(client.fleet.headroom.values())
    if args.json:
        output.json_answer("limits", limits)
    elif limits:
        table(limits, now)
    else:
        output.talk("no limit has been heard of: a plan's windows come with its agents' answers, and what the API lets")
        output.talk("through in a minute from [api] tier in config.toml")
    return Exit.DONE


def table(found: Sequence[Headroom], now: int) -> None:
    """Print limits under their accounts; `now`: UTC milliseconds."""
    narrow = (output.width() or _NARROW) < _NARROW
    rows = [_cells(_HEAD), *(_cells(row(one, now, clock), narrow=narrow) for one in found)]
    head, *lines = lined_up(rows, frozenset((1, 2, 4)), output.width())
    output.data(head)
    drawn = iter(lines)
    for account, ones in groupby(found, lambda one: one.account):
        output.data(account)
        for _ in ones:
            output.data(next(drawn))
    if any(one.kind is LimitKind.BUCKET and one.limit is None for one in found):
        output.talk("how much of that the API lets through in a minute is not known: say [api] tier in config.toml")


def _cells(written: LimitRow, *, narrow: bool = False) -> tuple[str, ...]:
    name, _, rest = written.name.partition(" ")
    return (
        f"  {_SHORT[name]} {rest}" if narrow and name in _SHORT else f"  {written.name}",
        written.used,
        written.left,
        written.resets,
        written.limit,
        written.age,
        written.source,
        written.who,
    )
