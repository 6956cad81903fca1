"""The verbs of fleet files: plan one, apply it, see what has become otherwise, and write what runs as one."""

import argparse
import os
from collections.abc import Iterable

from controlroom.cli import output
from controlroom.cli.entry_points import EntryPoints
from controlroom.cli.exits import Exit, Stop
from controlroom.cli.fleet_files import name_of, read_fleet, write_fleet
from controlroom.cli.room import code_of, confirmed, wait_for, wait_settled, with_room
from controlroom.client.client import Client
from controlroom.domain.display.tasks import words_of
from controlroom.domain.fleets.plans import Act, Change, Drift, FleetPlan, HostShare
from controlroom.domain.intents import ApplyFleet
from controlroom.domain.model import Fleet, LinkState
from controlroom.domain.words import dollars, size
from controlroom.protocol.fleet_messages import AskDrift, ExportFleet, FleetExported, FleetPlanned, PlanFleet
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.names import agent_name_problem


@dataclass(frozen=True)
class ToldChange:
    """A change beside what is said of it."""

    change: Change
    waits: str

    @property
    def name(self) -> str:
        """Of its agent or task."""
        return self.change.name


@dataclass(frozen=True)
class ToldPlan:
    """A plan as records have it."""

    fleet: str
    changes: tuple[ToldChange, ...]
    same: int
    hosts: tuple[HostShare, ...]
    notes: tuple[str, ...]
    result: str = ""


def _told(plan: FleetPlan, now: int, result: str = "") -> ToldPlan:
    changes = tuple(ToldChange(change, words_of(change.wait, now) if change.wait else "") for change in plan.changes)
    return ToldPlan(plan.fleet, changes, plan.same, plan.hosts, plan.notes, result)


MEASURED = 3.0
"""Seconds to wait for what hosts have free, where they are just being connected."""


def _are_measured(fleet: Fleet) -> bool:
    """Whether all hosts that are up have said how much memory they have."""
    return all(host.sample is not None for host in fleet.hosts.values() if host.link is LinkState.UP)


# --------------------------------------------------------------------------- plan and apply


def plan(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Say what applying a file would do."""
    args.fleet = read_fleet(args.file)
    return with_room(_plan, args)


async def _plan(client: Client, args: argparse.Namespace) -> int:
    told = _told(await _planned(client, args), client.now())
    if args.json:
        output.json_answer("fleet plan", told)
    else:
        _show(told)
    return Exit.DONE


async def _planned(client: Client, args: argparse.Namespace) -> FleetPlan:
    await wait_settled(client)
    await wait_for(client, _are_measured, MEASURED)
    answer = await client.fleets(PlanFleet(0, args.fleet), FleetPlanned)
    if answer.plan is None:
        raise Stop(Exit.REFUSED, f"{args.file}: {answer.reason}")
    return answer.plan


def apply(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Have what a file says."""
    args.fleet = read_fleet(args.file)
    return with_room(_apply, args)


async def _apply(client: Client, args: argparse.Namespace) -> int:
    wanted = await _planned(client, args)
    told = _told(wanted, client.now())
    if not args.json:
        _show(told)
    if wanted.acts:
        confirmed(f"Do that? ({_counted(told.changes)})", args.yes)
    result = await client.submit(ApplyFleet(args.fleet, wanted.mark))
    code = code_of(result)
    if code is not Exit.DONE:
        raise Stop(code, f"{args.file}: {result.reason or 'no reason was given'}")
    if args.json:
        output.json_answer("fleet apply", _told(wanted, client.now(), result.reason))
    else:
        output.talk(f"fleet {wanted.fleet} is applied: {result.reason}")
        if wanted.acts:
            output.talk(f"it is seen through by itself; how far it is: controlroom fleet drift {wanted.fleet}")
    return code


def _counted(changes: Iterable[ToldChange]) -> str:
    counts: dict[Act, int] = {}
    for told in changes:
        if told.change.act:
            counts[told.change.act] = counts.get(told.change.act, 0) + 1
    words = {act: "begin anew" if act is Act.RENEW else act for act in counts}
    return ", ".join(f"{count} to {words[act]}" for act, count in counts.items())


_HEAD = ("WHAT", "NAME", "HOST", "MEMORY", "$/H", "WHY")


def _show(told: ToldPlan) -> None:
    """Show what would be done, and what that means for hosts."""
    changes = [each for each in told.changes if each.change.act or each.change.drift]
    if changes:
        output.table([_HEAD, *map(_cells, changes)], frozenset({3, 4}))
    if told.hosts:
        output.data("")
        output.table([("HOST", "STARTS", "ENDS", "MEMORY", "LEFT", "$/H"), *map(_host_cells, told.hosts)], _RIGHT)
    for note in told.notes:
        output.talk(note)
    output.talk(f"fleet {told.fleet}: {_counted(told.changes) or 'nothing to do'}; {told.same} as they should be")


_RIGHT = frozenset({1, 2, 3, 4, 5})


def _cells(told: ToldChange) -> tuple[str, ...]:
    change = told.change
    what = change.act or "-"
    is_new = change.act in (Act.START, Act.ADD) and change.drift is Drift.MISSING
    drift = f"{change.drift}: " if change.drift and change.drift not in change.why and not is_new else ""
    waits = f"; for now it would wait: {told.waits}" if told.waits else ""
    kind = "task " if change.is_task else ""
    memory = size(change.memory) if change.memory is not None else ""
    return what, f"{kind}{change.name}", change.host or "-", memory, _cost(change), f"{drift}{change.why}{waits}"


def _cost(change: Change) -> str:
    if change.hourly is not None:
        return dollars(change.hourly)
    return "?" if change.is_start else ""


def _host_cells(share: HostShare) -> tuple[str, ...]:
    known = share.starts - share.unknown
    cost = dollars(share.hourly) if known else ""
    unknown = f"{' + ' if known else ''}{share.unknown} not known" if share.unknown else ""
    left = size(max(0, share.free)) if share.free is not None else "?"
    return share.name, str(share.starts), str(share.ends), size(share.memory), left, f"{cost}{unknown}"


# --------------------------------------------------------------------------- drift and export


def drift(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Say what is not as it was applied."""
    return with_room(_drift, args)


async def _drift(client: Client, args: argparse.Namespace) -> int:
    await wait_settled(client)
    names = [args.fleet] if args.fleet else sorted(client.fleet.fleets)
    told = []
    for name in names:
        answer = await client.fleets(AskDrift(0, name), FleetPlanned)
        if answer.plan is None:
            raise Stop(Exit.NOT_FOUND if name not in client.fleet.fleets else Exit.REFUSED, answer.reason)
        told.append(_told(answer.plan, client.now()))
    if args.json:
        output.json_answer("fleet drift", told)
        return Exit.DONE
    for each in told:
        _show(each)
    if not told:
        output.talk("no fleet file was applied: controlroom fleet apply FILE")
    return Exit.DONE


@dataclass(frozen=True)
class LeftOut:
    """An agent that cannot stand in a fleet file."""

    agent: str
    why: str


@dataclass(frozen=True)
class Exported:
    """What runs, as a fleet file."""

    fleet: str
    agents: int
    tasks: int
    toml: str
    left_out: tuple[LeftOut, ...]


def export(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Write what runs now as a fleet file."""
    args.name = args.name or (name_of(args.file) if args.file else "exported")
    if problem := agent_name_problem(args.name):
        raise Stop(Exit.USAGE, problem.replace("an agent", "a fleet"))
    if args.file and os.path.lexists(args.file):
        raise Stop(Exit.REFUSED, f"{args.file} is there already: name a new file")
    return with_room(_export, args)


async def _export(client: Client, args: argparse.Namespace) -> int:
    await wait_settled(client)
    answer = await client.fleets(ExportFleet(0, args.name), FleetExported)
    if answer.file is None:
        raise Stop(Exit.REFUSED, answer.reason)
    text = write_fleet(answer.file)
    left = tuple(LeftOut(*each) for each in sorted(answer.left.items()))
    if args.file:
        _write(args.file, text)
    if args.json:
        counts = len(answer.file.agents), len(answer.file.tasks)
        output.json_answer("fleet export", Exported(args.name, *counts, text, left))
    elif not args.file:
        output.data(text.rstrip("\n"))
    for each in left:
        output.talk(f"left out: {each.agent}: {each.why}")
    if args.file:
        output.talk(f"{len(answer.file.agents)} agents and {len(answer.file.tasks)} tasks stand in {args.file}")
    return Exit.DONE


def _write(path: str, text: str) -> None:
    """Write a new file for this user alone: texts may hold anything. Raises `Stop`."""
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise Stop(Exit.REFUSED, f"{path} cannot be written: {error.strerror}") from None
