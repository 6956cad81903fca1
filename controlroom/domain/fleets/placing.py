"""Where what a plan starts would run, and what that takes: by the rules of the queue, one start after the other."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from controlroom.domain.fleet_files import FleetFile
from controlroom.domain.fleets.plans import Act, Change, FleetPlan, HostShare, Known
from controlroom.domain.model import Agent, Fleet, Profile, State
from controlroom.domain.preconditions import Refusal
from controlroom.domain.queue.dispatch import Start, World
from controlroom.domain.tasks import Task, TaskState
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import AgentKind


@dataclass
class _Share:
    """What a host gets, as it is added up."""

    starts: int = 0
    ends: int = 0
    memory: int = 0
    hourly: int = 0
    unknown: int = 0


def finished(file: FleetFile, changes: Sequence[Change], fleet: Fleet, known: Known, now: int) -> FleetPlan:
    """The plan of these changes, with where each start would be and what that takes. Raises `Refusal`."""
    world, shares = World(_without(fleet, changes), now), dict[str, _Share]()
    works = {work.key: work for work in _works(file, now)}
    placed = []
    for change in changes:
        if change.act in (Act.END, Act.RENEW) and change.host:
            shares.setdefault(change.host, _Share()).ends += 1
        work = works.get(_key(change)) if change.is_start else None
        placed.append(change if work is None else _placed(change, work, world, fleet, known, shares))
    hosts = tuple(
        HostShare(name, it.starts, it.ends, it.memory, world.free_on(fleet.hosts[name]), it.hourly, it.unknown)
        for name, it in sorted(shares.items())
        if name in fleet.hosts
    )
    told = tuple(change for change in placed if change.act or change.drift)
    return FleetPlan(file.name, told, len(placed) - len(told), hosts, tuple(_notes(fleet)), _mark(told))


def _key(change: Change) -> str:
    return f"{'task' if change.is_task else 'agent'} {change.name}"


def _works(file: FleetFile, now: int) -> Iterator[Task]:
    """What the file says, as work for the queue; its keys are those of changes."""
    for wish in file.agents:
        entry = wish.entry
        yield Task(
            *(0, entry.name, TaskState.WAITING, now, now),
            key=_key(Change(entry.name)),
            profile=entry.profile,
            host=entry.host,
            labels=entry.labels,
            cwd=entry.cwd,
            worktree=entry.worktree,
            model=entry.model,
            credential=entry.credential,
        )
    for task in file.tasks:
        terms = {**task.wish.terms, "key": _key(Change(task.wish.key, is_task=True)), "after": ()}
        yield Task(0, task.wish.key, TaskState.WAITING, now, now, **terms)


def _without(fleet: Fleet, changes: Iterable[Change]) -> Fleet:
    """The fleet without the agents that end: what they take is free for what starts in their place."""
    ends = {change.subject for change in changes if change.act in (Act.END, Act.RENEW)}
    return replace(fleet, agents={id_: agent for id_, agent in fleet.agents.items() if id_ not in ends})


def _placed(change: Change, work: Task, world: World, fleet: Fleet, known: Known, shares: dict[str, _Share]) -> Change:
    """A start, with where it would be: what starts after it finds that much less room."""
    profile = fleet.profiles.get(work.profile, Profile(work.profile))
    if not change.is_task and work.profile and not profile.takes_outside:
        raise Refusal(
            f"agents.{change.name}: profile {work.profile} takes no work whose text comes from a file, for others may "
            f'have written it. Choose another profile, or set profiles.{work.profile}.outside = "always"'
        )
    hourly = 0 if profile.kind == AgentKind.COMMAND else known.rates.get(work.profile)
    memory = world.need(work.profile)
    start = world.full or world.placed(work)
    if not isinstance(start, Start):
        return replace(change, memory=memory, hourly=hourly, wait=start, host=work.host)
    share = shares.setdefault(start.host, _Share())
    share.starts += 1
    share.memory += memory
    share.hourly += hourly or 0
    share.unknown += hourly is None
    world.count(
        Agent(
            *(start.host, f"{change.name}-", 0, profile.kind, State.STARTING, work.since),
            profile=work.profile,
            started=work.since,
            cwd=work.cwd,
        )
    )
    return replace(change, memory=memory, hourly=hourly, host=start.host)


def _notes(fleet: Fleet) -> Iterator[str]:
    """What holds for all starts."""
    queue = fleet.queue
    if queue.halt is not None:
        yield f"the room is halted by {queue.halt.who}: nothing starts until controlroom resume"
    elif queue.hold is not None:
        yield f"the queue is held by {queue.hold.who}: nothing starts until controlroom queue release"


def _mark(changes: Iterable[Change]) -> str:
    """Name what a plan does, however much time or figures go on."""
    acts = (
        f"{_key(change)} {change.act} {change.subject} {change.epoch} {change.why}" for change in changes if change.act
    )
    return hashlib.sha256("\n".join(sorted(acts)).encode("utf-8", "replace")).hexdigest()[:16]
