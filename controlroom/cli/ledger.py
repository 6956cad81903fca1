"""What the ledger keeps: who did what, whether it is whole, a copy of it."""

import argparse
import os
import time

from controlroom.cli import output
from controlroom.cli.entry_points import EntryPoints
from controlroom.cli.exits import Exit, Stop
from controlroom.cli.find import typed
from controlroom.cli.room import order, with_room
from controlroom.client.client import Client
from controlroom.domain.audit import AuditLine
from controlroom.domain.intents import SettleUsage
from controlroom.domain.money.plausible import DoubtedUse
from controlroom.domain.words import count, dollars


def audit(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Show who did what."""
    return with_room(_audit, args)


def check(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Read the whole ledger."""
    return with_room(_check, args)


def backup(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Copy the ledger."""
    args.whole = os.path.abspath(os.path.expanduser(args.file))
    return with_room(_backup, args)


def doubted(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Show what was set aside."""
    return with_room(_doubted, args)


def strike(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Take what was set aside out of all sums."""
    args.accept = False
    return with_room(_settle, args)


def accept(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Count what was set aside as it was claimed."""
    args.accept = True
    return with_room(_settle, args)


async def _audit(client: Client, args: argparse.Namespace) -> int:
    answer = await client.audit(args.lines, typed(args.grep, "what is searched for"))
    if answer.reason:
        return _refused(answer.reason)
    if args.json:
        output.json_answer("audit", answer.lines)
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


async def _doubted(client: Client, args: argparse.Namespace) -> int:
    answer = await client.doubted()
    if answer.reason:
        return _refused(answer.reason)
    if args.json:
        output.json_answer("ledger doubted", answer.bookings)
    elif answer.bookings:
        head = ("", "WHEN", "AGENT", "MESSAGE", "TOKENS", "CLAIMED", "COUNTED", "")
        output.table([head, *map(_claim, answer.bookings)], right=frozenset((0, 4, 5, 6)))
    else:
        output.talk("no use was ever claimed that cannot be true")
    return Exit.DONE


def _claim(one: DoubtedUse) -> tuple[str, ...]:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.at / 1000))
    tokens, what = (count(one.tokens), one.message) if one.message else ("–", "what Claude reports")
    return str(one.number), when, one.agent, what, tokens, dollars(one.claimed), dollars(one.counted), one.settled


async def _settle(client: Client, args: argparse.Namespace) -> int:
    bookings = (await client.doubted()).bookings
    there = {*client.fleet.hosts, *client.fleet.agents, *(booking.agent for booking in bookings)}
    there |= {str(booking.number) for booking in bookings} | {name.partition("/")[0] for name in there}
    if unknown := next((what for what in args.numbers if what not in there), None):
        raise Stop(Exit.NOT_FOUND, f"nothing was set aside as {ascii(unknown)[:60]}; see controlroom ledger doubted")
    codes = [
        await order(client, _settlement(what, args.accept), f"{what} is {'accepted' if args.accept else 'struck'}")
        for what in args.numbers
    ]
    return max(codes)


def _settlement(what: str, accept: bool) -> SettleUsage:
    return SettleUsage(int(what), accept) if what.isdecimal() else SettleUsage(0, accept, what)


def _refused(reason: str) -> int:
    output.talk(reason)
    return Exit.REFUSED
