"""What the ledger keeps: who did what, whether it is whole, a copy of it."""

import argparse
import os
import time

from controlroom.cli import output
from controlroom.cli.exits import Exit, Stop
from controlroom.cli.room import with_room
from controlroom.cli.starters import Starters
from controlroom.domain.audit import AuditLine
from controlroom.domain.display.views import iso
from controlroom.fleet.client import Client


def audit(args: argparse.Namespace, starters: Starters) -> int:
    """Show who did what."""
    return with_room(_audit, args)


def check(args: argparse.Namespace, starters: Starters) -> int:
    """Read the whole ledger."""
    return with_room(_check, args)


def backup(args: argparse.Namespace, starters: Starters) -> int:
    """Copy the ledger."""
    args.whole = os.path.abspath(os.path.expanduser(args.file))
    return with_room(_backup, args)


async def _audit(client: Client, args: argparse.Namespace) -> int:
    answer = await client.audit(args.lines, args.grep)
    if answer.reason:
        return _refused(answer.reason)
    if args.json:
        output.json_data([{**vars(line), "at": iso(line.at), "reason": line.reason or None} for line in answer.lines])
    elif answer.lines:
        rows = [("WHEN", "WHO", "DID", "TO", "CAME OF IT"), *map(_cells, answer.lines)]
        output.table(rows)
    else:
        output.talk("nobody has done anything yet" if not args.grep else "no line of the audit contains that")
    return Exit.DONE


def _cells(line: AuditLine) -> tuple[str, ...]:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(line.at / 1000))
    target = f"{line.target} run {line.epoch}" if line.epoch else line.target
    return when, line.who, line.verb, target, f"{line.outcome}: {line.reason}" if line.reason else line.outcome


async def _check(client: Client, args: argparse.Namespace) -> int:
    answer = await client.check_ledger()
    if answer.reason:
        return _refused(answer.reason)
    for line in answer.lines:
        output.data(line)
    if answer.lines:
        output.talk("copy it with controlroom ledger backup before anything else, and please report this")
        return Exit.REFUSED
    output.talk("the ledger is whole, and its sums add up")
    return Exit.DONE


async def _backup(client: Client, args: argparse.Namespace) -> int:
    if client.where and not os.path.isabs(args.file):
        raise Stop(Exit.USAGE, f"the copy is made on {client.where}: give it a whole path there")
    answer = await client.back_up_ledger(args.whole)
    if answer.reason:
        return _refused(answer.reason)
    output.data("\n".join(answer.lines))
    return Exit.DONE


def _refused(reason: str) -> int:
    output.talk(reason)
    return Exit.REFUSED
