"""What leaves a drained host, in which batches and where to, what became of it, and what stays. Pure.

Agents leave in batches. The next batch begins when all of the last are at work on their new hosts, and not at all once
more than a fifth of one has failed: the drain then stands still until somebody has it go on, or ends it.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from controlroom.domain.intents import ReassignAgent
from controlroom.domain.model import Agent, Fleet, Host, LinkState, State
from controlroom.domain.money import ladder
from controlroom.domain.orders import NO_TERMS
from controlroom.domain.preconditions import Refusal, host_named
from controlroom.domain.queue import attempts
from controlroom.domain.queue.dispatch import World, is_at_work
from controlroom.domain.restart_rules import RestartRules
from controlroom.domain.tasks import Drain, Leaving, Task, TaskState, runs_of
from controlroom.domain.waits import HostWait, WaitReason
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.sanitize import sanitize
from controlroom.text.states import AgentKind, Cause, StrEnum

MOST_AT_ONCE = 100
"""Agents of a batch at most."""

ONE_IN = 5
"""A drain stands still once more than one in so many of a batch have failed."""

AWAITED = 600_000
"""Milliseconds within which an agent must be at work on a host that can be asked."""

_REASON = 300
"""Characters that are kept of why an agent did not arrive."""


# --------------------------------------------------------------------------- what operators want


def drained(fleet: Fleet, name: str, wish: Drain) -> Host:
    """The host, which takes nothing new; a drain that is in force may begin to move, or be otherwise. Raises
    `Refusal`.
    """
    host = host_named(fleet, name)
    if not 1 <= wish.batch <= MOST_AT_ONCE:
        raise Refusal(f"a batch has 1 to {MOST_AT_ONCE} agents, not {wish.batch}")
    before = host.drain
    if before is None:
        return replace(host, drain=wish)
    if _wish(before) == _wish(wish):
        raise Refusal(f"{host.name} is drained already, by {before.who}")
    changed = replace(before, who=wish.who, reason=wish.reason, move=wish.move, batch=wish.batch, to=wish.to)
    return replace(host, drain=replace(changed, emptied=0, waits=()))


def _wish(drain: Drain) -> tuple[object, ...]:
    return drain.move, drain.reason, drain.batch, drain.to


def undrained(fleet: Fleet, name: str) -> Host:
    """The host, which takes work again. Raises `Refusal`."""
    host = host_named(fleet, name)
    if host.drain is None:
        raise Refusal(f"{host.name} is not drained: it takes work")
    return replace(host, drain=None)


def continued(fleet: Fleet, name: str) -> Host:
    """The host, whose drain goes on: what has failed is tried again. Raises `Refusal`."""
    host = host_named(fleet, name)
    drain = host.drain
    if drain is None:
        raise Refusal(f"{host.name} is not drained: controlroom host drain {host.name} --move")
    if not drain.stopped and not drain.failed:
        raise Refusal(f"the drain of {host.name} does not stand still: nothing of it has failed")
    return replace(host, drain=replace(drain, stopped=0, failed={}, failures=0, size=len(drain.leaving)))


# --------------------------------------------------------------------------- who leaves next


@dataclass(frozen=True)
class Leave:
    """An agent that is to go on elsewhere, because its host is drained."""

    agent: Agent
    host: str
    who: str
    """Who drains it."""
    task: Task | None = None
    """That it carries out."""


class Next(NamedTuple):
    """What leaves drained hosts next."""

    leave: Leave | None = None
    blocked: Mapping[str, tuple[HostWait, ...]] = MappingProxyType({})
    """Why no other host takes the next agent of a drained one, by its host; where none leaves."""


def next_leave(fleet: Fleet, now: int, forming: Collection[str]) -> Next:
    """Decide which agent leaves a drained host next, and where to.

    `forming`: hosts whose batch is being put together: the others begin one only when none of the last is on its way.
    """
    ready = [host for host in fleet.hosts.values() if _may_begin(host, forming)]
    if not ready or fleet.queue.halt is not None:
        return Next()
    world, carried = World(fleet, now), carried_out(fleet)
    blocked: dict[str, tuple[HostWait, ...]] = {}
    for host in ready:
        assert host.drain is not None
        for agent in leavers(fleet, host, carried):
            task = carried.get(agent.id)
            target = _target(world, fleet, host, agent, task)
            if isinstance(target, str):
                return Next(Leave(agent, target, host.drain.who, task))
            blocked.setdefault(host.name, target)
    return Next(blocked=blocked)


def _may_begin(host: Host, forming: Collection[str]) -> bool:
    """Whether agents may leave a host now."""
    drain = host.drain
    if drain is None or not drain.move or drain.stopped or host.link is not LinkState.UP:
        return False
    return drain.size < drain.batch if host.name in forming else not drain.leaving


def _target(world: World, fleet: Fleet, host: Host, agent: Agent, task: Task | None) -> "str | tuple[HostWait, ...]":
    """The host that an agent goes on at; why no other takes it, where none does."""
    others = targets(fleet, host, agent)
    held = {name: words for name in others if (words := _held_on(fleet, agent, name))} if fleet.budgets else {}
    target = world.elsewhere(agent, task, [name for name in others if name not in held])
    if isinstance(target, str):
        return target
    return (*target, *(HostWait(name, WaitReason.BUDGET, about=words) for name, words in held.items()))


def targets(fleet: Fleet, host: Host, agent: Agent) -> list[str]:
    """The hosts that an agent of a drained one may go on at, whether they have room or not."""
    kept = _kept(fleet, agent)
    only = tuple(replacement(fleet, name) for name in kept.hosts) if kept else ()
    if host.drain is not None and host.drain.to:
        only = tuple(name for name in only if name == host.drain.to) if only else (host.drain.to,)
    names = only or tuple(fleet.hosts)
    return [name for name in names if name in fleet.hosts and name != host.name]


def replacement(fleet: Fleet, name: str) -> str:
    """The host that has taken the place of one, itself where none has."""
    seen = {name}
    while (host := fleet.hosts.get(name)) is not None and host.drain is not None and host.drain.to not in ("", *seen):
        name = host.drain.to
        seen.add(name)
    return name


def carried_out(fleet: Fleet) -> dict[str, Task]:
    """The tasks that are being carried out, by the id of the agent that does it."""
    return {task.last.id: task for task in fleet.tasks.values() if task.state is TaskState.RUNNING and task.last}


def leavers(fleet: Fleet, host: Host, carried: Mapping[str, Task]) -> Iterator[Agent]:
    """The agents that are to leave a drained host, and have not yet."""
    drain = host.drain
    on_their_way = {one.name for one in drain.leaving} if drain else set()
    for agent in (*residents(fleet, host.name), *cut_off(fleet, host)):
        failed = drain is not None and agent.name in drain.failed
        if failed or agent.name in on_their_way or agent.pending:
            continue
        if agent.state not in _LEAVING and not agent.has_ended:
            continue
        if why_it_stays(fleet, host, agent, carried.get(agent.id)) is None:
            yield agent


def residents(fleet: Fleet, host: str) -> list[Agent]:
    """The agents of this room that are at work on a host, as far as is known."""
    return [agent for agent in fleet.agents_on(host) if not agent.adopted and is_at_work(agent)]


def cut_off(fleet: Fleet, host: Host) -> list[Agent]:
    """The agents that a reboot of a drained host has ended meanwhile, and that are to go on elsewhere all the same."""
    drain = host.drain
    if drain is None or not drain.move:
        return []
    ended = [agent for agent in fleet.agents_on(host.name) if _is_cut_off(drain, agent)]
    carried = runs_of(fleet.tasks.values()) if ended else set()
    return [agent for agent in ended if (agent.id, agent.epoch) not in carried and not _begins_anew(fleet, agent)]


def _is_cut_off(drain: Drain, agent: Agent) -> bool:
    """Whether a reboot has ended a run since its host is drained, and it has not gone on elsewhere since."""
    rebooted = not agent.adopted and agent.has_ended and agent.cause is Cause.REBOOTED and agent.ordered is not None
    return rebooted and agent.ended >= drain.at and drain.went.get(agent.name) != agent.epoch


def _begins_anew(fleet: Fleet, agent: Agent) -> bool:
    """Whether something else has an agent go on: its profile, which keeps it running, or a person who wished that."""
    kept, asked = _kept(fleet, agent), fleet.queue.restarts.get(agent.id)
    is_slot = kept is not None and agent.name in {f"{agent.profile}-{number + 1}" for number in range(kept.keep)}
    return is_slot or (asked is not None and asked.asked == agent.epoch)


class Stay(StrEnum):
    """Why an agent does not leave a drained host."""

    UNORDERED = "this room did not order it (reassign --trust-host)"
    TASK = "its task must be done there (task edit --host)"
    WORKTREE = "it works in a git worktree, and has no Claude session to go on in elsewhere"
    LEADS = "it leads others, and the engine that it talks to is on this machine"
    KEPT = "its profile keeps it there (keep_hosts)"
    CONVERSATION = "it waits there, and has no Claude session to go on in elsewhere"
    PAUSED = "it is paused, and goes on in its session there"


def why_it_stays(fleet: Fleet, host: Host, agent: Agent, task: Task | None) -> Stay | None:
    """Why an agent ends on a drained host, and does not go on elsewhere; None: it may leave."""
    if agent.ordered is None:
        return Stay.UNORDERED
    if task is not None and task.host == host.name:
        return Stay.TASK
    if (profile := fleet.profiles.get(agent.ordered.profile)) is not None and profile.lead:
        return Stay.LEADS
    if agent.ordered.worktree and not _has_session(agent):
        return Stay.WORKTREE
    kept = _kept(fleet, agent)
    if kept is not None and kept.hosts and not targets(fleet, host, agent):
        return Stay.KEPT
    if (agent.ordered.kind is AgentKind.INTERACTIVE or agent.state is State.IDLE) and not _has_session(agent):
        return Stay.CONVERSATION
    return None


def _has_session(agent: Agent) -> bool:
    """Whether an agent has a Claude session, which goes along."""
    return bool(agent.session) and agent.ordered is not None and agent.ordered.kind is not AgentKind.COMMAND


def move_of(fleet: Fleet, agent: Agent, host: str, task: Task | None) -> ReassignAgent:
    """What is wanted of an agent that goes on at another host: in its session, and with its folder.

    One without a session begins its task anew. A folder that is the home of the host's user, or known to be in no git
    repository, does not go along; where that is not known, the host says so before anything is ended.
    """
    terms = attempts.run_terms(task) if task else NO_TERMS
    move = ReassignAgent(agent.id, agent.epoch, "", host=host, terms=terms)
    work = agent.ordered
    if work is None or not _has_session(agent):
        return move
    preflight = fleet.queue.preflights.get(agent.host)
    folder = preflight.folders.get(work.cwd) if preflight else None
    in_none = not work.worktree and (work.cwd in ("", "~") or (folder is not None and folder.repository is False))
    return replace(move, keep_session=True, leave_folder=in_none)


def _kept(fleet: Fleet, agent: Agent) -> RestartRules | None:
    """What a profile says of an agent that it keeps running; None: none keeps it."""
    profile = fleet.profiles.get(agent.profile)
    return profile.restarts if profile is not None and profile.restarts.keep else None


_LEAVING = (State.WORKING, State.WAITING, State.LIMITED, State.IDLE)
"""States in which an agent may leave: of one that has only just been ordered too little is known."""


def stays_for(fleet: Fleet, host: Host) -> str:
    """The budget that keeps what is at work on a drained host from going on elsewhere, in words; empty: none does."""
    if host.drain is None or not host.drain.move or not fleet.budgets:
        return ""
    for agent in leavers(fleet, host, carried_out(fleet)):
        others = (fleet.hosts[name] for name in targets(fleet, host, agent))
        open_ = [other.name for other in others if other.link is LinkState.UP and other.drain is None]
        each = [_held_on(fleet, agent, name) for name in open_]
        if each and all(each):
            return f"{agent.id} stays: {each[0]}"
    return ""


def _held_on(fleet: Fleet, agent: Agent, host: str) -> str:
    """Which budget holds the work of an agent on another host, by whatever credential; empty: none does."""
    work = agent.ordered
    if work is None or work.kind is AgentKind.COMMAND:
        return ""
    profile = fleet.profiles.get(work.profile)
    names = [one.name for one in profile.credentials] if profile else []
    payers = [ladder.payer(fleet, work.profile, name) for name in names or [""]]
    each = [ladder.refusal(fleet, host, agent.name, work.profile, payer) for payer in payers]
    return (each[0] or "") if all(each) else ""


# --------------------------------------------------------------------------- what became of those that left


def left(fleet: Fleet, drain: Drain, leave: Leave, now: int, *, first: bool) -> Drain:
    """The drain with an agent on its way: written down before that is ordered. `first`: of a batch."""
    there = fleet.agents.get(f"{leave.host}/{leave.agent.name}")
    leaving = Leaving(leave.agent.name, leave.host, there.epoch + 1 if there else 1, now)
    drain = replace(drain, leaving=(*drain.leaving, leaving), emptied=0, waits=())
    if first:
        return replace(drain, number=drain.number + 1, size=1, failures=0)
    return replace(drain, size=drain.size + 1)


class Fate(StrEnum):
    """What became of an agent that was ordered from a drained host to another."""

    ON_ITS_WAY = "on its way"
    MOVED = "moved"
    """It is at work there, or was."""
    FAILED = "failed"
    BACK = "back"
    """It was never ordered: an engine ended in between. It is where it was, and leaves with a later batch."""


def settled(fleet: Fleet, host: Host, now: int, refused: Mapping[str, str], awaited: Collection[str]) -> Drain | None:
    """The drain of a host after what its agents do now; None: it is not drained.

    `refused`: why moves failed, by the id of the agent; `awaited`: those of which nothing is known yet.
    """
    drain = host.drain
    if drain is None or not drain.move:
        return drain
    on_their_way: list[Leaving] = []
    failed, moved, failures, size = dict(drain.failed), drain.moved, drain.failures, drain.size
    went = dict(drain.went)
    for one in drain.leaving:
        id_ = f"{host.name}/{one.name}"
        fate, why = (Fate.ON_ITS_WAY, "") if id_ in awaited else _fate(fleet, host, one, now, refused.get(id_, ""))
        if fate is Fate.ON_ITS_WAY:
            on_their_way.append(one)
        elif fate is Fate.MOVED:
            moved += 1
            if (old := fleet.agents.get(id_)) is not None and _is_cut_off(drain, old):
                went[one.name] = old.epoch
        elif fate is Fate.BACK:
            size -= 1
        else:
            failures += 1
            failed[one.name] = sanitize(why, _REASON)
    after = replace(
        drain, leaving=tuple(on_their_way), failed=failed, moved=moved, failures=failures, size=max(0, size), went=went
    )
    return _judged(fleet, replace(host, drain=after), after, now)


def _judged(fleet: Fleet, host: Host, drain: Drain, now: int) -> Drain:
    """The drain, standing still where too much has failed, and over where nothing is at work there any more."""
    too_many = drain.failures * ONE_IN > drain.size
    is_last = not drain.leaving and drain.failed and next(leavers(fleet, host, carried_out(fleet)), None) is None
    left_over = [agent for agent in cut_off(fleet, host) if why_it_stays(fleet, host, agent, None) is None]
    nobody = not drain.leaving and not residents(fleet, host.name) and not left_over
    is_empty = nobody and host.link is LinkState.UP
    return replace(
        drain,
        stopped=drain.stopped or (now if too_many or is_last else 0),
        emptied=(drain.emptied or now) if is_empty else 0,
    )


def _fate(fleet: Fleet, host: Host, one: Leaving, now: int, refused: str) -> tuple[Fate, str]:
    """What became of one that left, and why it did not arrive, where it did not."""
    old, new = fleet.agents.get(f"{host.name}/{one.name}"), fleet.agents.get(f"{one.to}/{one.name}")
    target = fleet.hosts.get(one.to)
    if new is not None and new.epoch >= one.run and not new.pending:
        if (arrival := _arrival(new)) is not None:
            return arrival
        if target is not None and target.link is LinkState.UP and now - max(new.since, one.at) > AWAITED:
            return Fate.FAILED, f"it is not at work on {one.to} after {AWAITED // 60_000} minutes"
        return Fate.ON_ITS_WAY, ""
    if any(row is not None and row.pending for row in (old, new)):
        return Fate.ON_ITS_WAY, ""
    if refused or target is None:
        return Fate.FAILED, refused or f"{one.to} is no longer in the room"
    if host.link is not LinkState.UP or target.link is not LinkState.UP:
        return Fate.ON_ITS_WAY, ""
    if old is not None and (is_at_work(old) or (host.drain is not None and _is_cut_off(host.drain, old))):
        return Fate.BACK, ""
    return Fate.FAILED, f"it has ended on {host.name}, and {one.to} does not show it: see controlroom audit"


def _arrival(new: Agent) -> tuple[Fate, str] | None:
    """What became of a run on its new host; None: it has yet to be at work."""
    if new.lives and new.state in (*_LEAVING, State.PAUSED):
        return Fate.MOVED, ""
    if not new.has_ended:
        return None
    if new.state is State.FAILED and new.cause is not Cause.KILLED:
        return Fate.FAILED, f"it failed on {new.host}" + (f": {new.detail}" if new.detail else "")
    return Fate.MOVED, ""  # it was done at once, or somebody has ended or paused it


# --------------------------------------------------------------------------- how far it is


@dataclass(frozen=True)
class Progress:
    """How far the drain of a host is, in agents of this room."""

    moved: int
    total: int
    """Those that have left, are on their way, or are at work there still."""
    failed: int
    leaving: int
    batch: int
    stays: Mapping[Stay, tuple[str, ...]]
    """The names of those that do not leave, by why."""


def progress(fleet: Fleet, host: Host) -> Progress | None:
    """How far a drain that moves agents is; None: there is none."""
    drain = host.drain
    if drain is None or not drain.move:
        return None
    carried, here = carried_out(fleet), residents(fleet, host.name)
    on_their_way = {one.name for one in drain.leaving}
    stays: dict[Stay, tuple[str, ...]] = {}
    for agent in here:
        if agent.name not in on_their_way and (why := why_it_stays(fleet, host, agent, carried.get(agent.id))):
            stays[why] = (*stays.get(why, ()), agent.name)
    if paused := tuple(one.name for one in fleet.agents_on(host.name) if one.state is State.PAUSED and one.has_ended):
        stays[Stay.PAUSED] = paused
    names = {agent.name for agent in (*here, *cut_off(fleet, host))}
    total = drain.moved + len(names | on_their_way | set(drain.failed))
    return Progress(drain.moved, total, len(drain.failed), len(on_their_way), drain.number, stays)
