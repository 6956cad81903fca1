"""Who is attached to the engine."""

import argparse

from controlroom.cli import output
from controlroom.cli.entry_points import EntryPoints
from controlroom.cli.exits import Exit, Stop
from controlroom.cli.room import with_room
from controlroom.client.client import Client
from controlroom.domain.attached import HEAD, cells, record
from controlroom.domain.display.views import iso


def attached(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """List the front ends that are connected."""
    return with_room(_attached, args)


async def _attached(client: Client, args: argparse.Namespace) -> int:
    told = await client.attached()
    if told.reason:
        raise Stop(Exit.REFUSED, told.reason)
    if args.json:
        output.json_data([record(one, iso) for one in told.front_ends])
    else:
        now = client.now()
        output.table([HEAD, *(cells(one, now) for one in told.front_ends)])
    return Exit.DONE
