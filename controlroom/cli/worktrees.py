"""The verbs about the git worktrees of agents: what lies on hosts, what it takes there, and how it goes away."""

import argparse
import asyncio
from collections.abc import Sequence

from controlroom.cli import output
from controlroom.cli.branches import PATIENCE
from controlroom.cli.entry_points import EntryPoints
from controlroom.cli.exits import Exit, Stop
from controlroom.cli.find import host_of
from controlroom.cli.room import code_of, confirmed, person_types, wait_settled, with_room
from controlroom.client.client import Client
from controlroom.domain.model import LinkState
from controlroom.domain.words import age, size
from controlroom.domain.worktrees import DropWorktree, KeptWorktree, agent_of, lost_with
from controlroom.protocol.branches import WorktreesTold

_HEAD = ("WORKTREE", "BRANCH", "MADE", "DISK", "WOULD BE LOST")
_RIGHT = frozenset({2, 3})


def show(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """List worktrees."""
    return with_room(_show, args)


async def _show(client: Client, args: argparse.Namespace) -> int:
    await wait_settled(client)
    for name in args.host:
        host_of(client.fleet, name)
    up = [host.name for host in client.fleet.hosts.values() if host.link is LinkState.UP]
    hosts = sorted(args.host or up)
    told = dict(zip(hosts, await asyncio.gather(*map(client.worktrees, hosts)), strict=True))
    found = [worktree for host in hosts for worktree in told[host].worktrees]
    if args.json:
        output.json_answer("worktree list", found)
    else:
        output.table([_HEAD, *(_row(worktree, client.now()) for worktree in found)], _RIGHT)
        _sum_up(found)
    away = [] if args.host else [name for name in client.fleet.hosts if name not in up]
    _talk_of(told, away)
    return Exit.REFUSED if any(answer.reason for answer in told.values()) else Exit.DONE


def _row(worktree: KeptWorktree, now: int) -> tuple[str, ...]:
    takes = f"{'>' * worktree.bytes_bound}{size(worktree.bytes)}"
    made = age(now - worktree.made) if worktree.made else "–"
    return worktree.id, worktree.branch, made, takes, _state(worktree)


def _state(worktree: KeptWorktree) -> str:
    lost = lost_with(worktree) or "nothing"
    return f"{lost} (its agent works in it)" if worktree.alive else lost if worktree.ready else f"{lost} (half made)"


def _sum_up(found: Sequence[KeptWorktree]) -> None:
    total = sum(worktree.bytes for worktree in found)
    more = "more than " * any(worktree.bytes_bound for worktree in found)
    output.talk(f"{len(found)} worktree{'s' * (len(found) != 1)}, {more}{size(total)} on the disk")


def _talk_of(told: dict[str, WorktreesTold], away: Sequence[str]) -> None:
    for host, answer in told.items():
        if answer.reason:
            output.talk(f"{host}: {answer.reason}")
        if answer.more:
            output.talk(f"{host} has {answer.more} more, older ones: drop some, then look again")
    if away:
        output.talk(f"not connected, so not looked at: {', '.join(sorted(away))}")


def drop(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Remove a worktree."""
    return with_room(_drop, args)


async def _drop(client: Client, args: argparse.Namespace) -> int:
    host, slash, key = args.worktree.partition("/")
    if not slash:
        raise Stop(Exit.USAGE, f"{args.worktree}: say HOST/NAME.RUN, as controlroom worktree list has it")
    host_of(client.fleet, host)
    await wait_settled(client, host)
    typed = args.typed
    if not typed:
        told = await client.worktrees(host)
        found = next((one for one in told.worktrees if one.key == key), None)
        if found is None:
            raise Stop(Exit.NOT_FOUND, told.reason or f"there is no worktree {args.worktree}; see worktree list")
        typed = _asked(found, yes=args.yes)
    result = await client.submit(DropWorktree(args.worktree, typed), deadline=PATIENCE)
    if not result.ok:
        raise Stop(code_of(result), f"{args.worktree}: {result.reason or 'no reason was given'}")
    output.talk(f"{args.worktree} is dropped")
    return Exit.DONE


def _asked(found: KeptWorktree, *, yes: bool) -> str:
    """Ask the person; give the agent's name where they typed it. Raises `Stop` when they do not want it."""
    lost = lost_with(found)
    if not lost:
        confirmed(f"Drop {found.id} and its branch {found.branch}?", yes)
        return ""
    name = agent_of(found.key)
    if yes or not output.person_is_there():
        raise Stop(Exit.REFUSED, f"{found.id} has {lost}. To lose that, say --typed {name}")
    person_types(f"Drop {found.id} and its branch {found.branch}, and lose {lost}?", name)
    return name
