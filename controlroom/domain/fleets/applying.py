"""(fleet file, its plan, fleet) -> what is kept once it is applied; and what is done next about it. Pure.

What is to be done is kept with each entry, so that an engine which begins anew goes on where the one before it ended:
each order is given for the run that was meant, and to give it twice does nothing more than to give it once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from controlroom.domain.claims import digest
from controlroom.domain.fleet_files import AgentEntry, AppliedFleet, FleetFile, Member, TaskMember, TaskStep
from controlroom.domain.fleets.plans import Act, Change, Drift, FleetPlan, Known
from controlroom.domain.fleets.tasks import there
from controlroom.domain.intents import KillAgent, SetModel
from controlroom.domain.model import Agent, Fleet, Profile, State
from controlroom.domain.queue.restarts import never_was
from controlroom.domain.tasks import TaskState, TaskWish
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import Cause


@dataclass(frozen=True)
class Applied:
    """What is kept of a fleet file that was applied."""

    fleet: AppliedFleet
    members: tuple[Member, ...]
    left: tuple[str, ...]
    """Agents that are of it no longer."""


def applied(file: FleetFile, plan: FleetPlan, fleet: Fleet, known: Known, who: str, now: int) -> Applied:
    """Apply a file as it was planned: nothing is ordered by this, it is only kept what is wanted."""
    before = fleet.fleets.get(file.name)
    number = (before.number if before else 0) + bool(plan.acts or before is None)
    changes = {(change.is_task, change.name): change for change in plan.changes}
    members, names = [], set()
    for wish in file.agents:
        there_now = fleet.members.get(wish.entry.name)
        if there_now is None or there_now.fleet == file.name:
            names.add(wish.entry.name)
            change = changes.get((False, wish.entry.name), Change(wish.entry.name))
            members.append(_member(file.name, wish.entry, there_now, change, number))
    gone = [member for member in fleet.members.values() if member.fleet == file.name and member.entry.name not in names]
    leaving = [_leaving(member, changes.get((False, member.entry.name))) for member in gone]
    members += [member for member in leaving if member.ends]
    left = tuple(member.entry.name for member in leaving if not member.ends)
    tasks = dict(_tasks(file, before, changes, fleet, known))
    return Applied(AppliedFleet(file.name, who, now, number, tasks), tuple(members), left)


def _member(fleet: str, entry: AgentEntry, old: Member | None, change: Change, number: int) -> Member:
    """What is kept of one agent of the file."""
    member = Member(fleet, entry) if old is None else replace(old, entry=entry, leaves=False)
    if change.act is Act.START:
        return replace(member, wanted=number)
    if change.act is Act.RENEW:
        return replace(member, wanted=number, ends=change.subject, ends_epoch=change.epoch)
    return replace(member, tells=True) if change.act is Act.MODEL else member


def _leaving(member: Member, change: Change | None) -> Member:
    """An agent whose entry has gone; without a run that is to end it is kept no longer."""
    if change is not None and change.act is Act.END:
        return replace(member, leaves=True, ends=change.subject, ends_epoch=change.epoch)
    return member


_STEPS = {Act.ADD: TaskStep.ADD, Act.EDIT: TaskStep.EDIT, Act.RETRY: TaskStep.RETRY}


def _tasks(
    file: FleetFile, before: AppliedFleet | None, changes: Mapping[tuple[bool, str], Change], fleet: Fleet, known: Known
) -> Iterator[tuple[str, TaskMember]]:
    """What is kept of the tasks of the file, and of those that are still to be dropped."""
    ours = before.tasks if before else {}
    for task in file.tasks:
        key, old = task.wish.key, ours.get(task.wish.key)
        change = changes.get((True, key), Change(key))
        step = _STEPS.get(change.act, old.step if old and old.step is not TaskStep.DROP else TaskStep.NONE)
        is_ours = old is not None and change.drift is not Drift.TAKEN
        wish = replace(task.wish, text="", variables={})
        yield key, TaskMember(wish, digest(task.wish.text), old.id if old and is_ours else "", step)
    for key, old in ours.items():
        change = changes.get((True, key), Change(key))
        if change.act is Act.DROP or (change.drift is Drift.COMING and old.step is TaskStep.DROP):
            yield key, replace(old, step=TaskStep.DROP)


# --------------------------------------------------------------------------- what is done next


def begun(member: Member, host: str, epoch: int) -> Member:
    """The agent whose run is about to be ordered: written down before it is."""
    anew = replace(member, arrived=False, done=False, gone=False, carried=False)
    return replace(anew, begun=member.wanted, host=host, epoch=epoch)


def followed(member: Member, fleet: Fleet) -> Member | None:
    """The agent with what hosts have shown of it since; None: it is of no fleet file any longer."""
    member = _moved(member, fleet)
    row = fleet.agents.get(member.id) if member.is_owned else None
    if row is not None and row.epoch >= member.epoch and not row.pending and not never_was(row):
        if row.epoch > member.epoch and row.ordered is not None:  # somebody has had it go on, or it goes on by itself
            member = replace(member, epoch=row.epoch)
        if row.epoch == member.epoch:
            done = row.has_ended and row.state is State.DONE and row.cause is not Cause.KILLED
            member = replace(member, arrived=True, done=done, gone=row.has_ended)
    if member.ends and _is_over(fleet, member):
        member = replace(member, ends="", ends_epoch=0)
    return None if member.leaves and not member.ends else member


def _is_over(fleet: Fleet, member: Member) -> bool:
    """Whether the run that is to end has ended, for all that is known."""
    row = fleet.agents.get(member.ends)
    kept = fleet.queue.restarts.get(member.entry.name)
    if row is None or row.epoch < member.ends_epoch:
        return not (kept is not None and kept.starting)
    return row.epoch > member.ends_epoch or (row.has_ended and not row.pending)


def _moved(member: Member, fleet: Fleet) -> Member:
    """The agent where it was moved to, by an order of this room: no claim of a host makes another's agent ours."""
    row = fleet.agents.get(member.id) if member.is_owned else None
    order = row.pending if row else None
    if order is not None and order.verb == "move" and not member.goes_to:
        name = member.entry.name
        others = (fleet.agents.get(f"{host}/{name}") for host in fleet.hosts if host != member.host)
        target = next((one for one in others if one and one.pending and one.pending.op == order.op), None)
        return replace(member, goes_to=target.host) if target else member
    if not member.goes_to or order is not None:
        return member
    if row is not None and not row.has_ended:
        return replace(member, goes_to="")  # it was not moved
    arrived = fleet.agents.get(f"{member.goes_to}/{member.entry.name}")
    if arrived is None or arrived.ordered is None:
        return replace(member, goes_to="")
    if arrived.pending:
        return member
    onward = replace(member, host=arrived.host, epoch=arrived.epoch, goes_to="", carried=True)
    return replace(onward, arrived=True, done=False, gone=False)


def order_for(member: Member, fleet: Fleet) -> KillAgent | SetModel | None:
    """What is to be ordered of an agent now, if anything; its host can be asked."""
    if member.ends:
        row = fleet.agents.get(member.ends)
        ready = row is not None and row.epoch == member.ends_epoch and not row.has_ended and not row.pending
        return KillAgent(member.ends, member.ends_epoch) if row and ready and fleet.reachable(row) else None
    row = fleet.agents.get(member.id) if member.tells else None
    if row is None or row.pending or not fleet.reachable(row):
        return None
    return SetModel(row.id, row.epoch, model_of(member.entry, fleet))


def model_of(entry: AgentEntry, fleet: Fleet) -> str:
    """The model that an agent of a fleet file is to have, as Claude Code names it."""
    return entry.model or fleet.profiles.get(entry.profile, Profile("")).model or "default"


def has_work(member: Member) -> bool:
    """Whether something is still to be done, or to be seen, of an agent."""
    return bool(member.ends or member.tells or member.leaves or member.goes_to or not member.arrived)


def agent_to_end(member: TaskMember, fleet: Fleet) -> Agent | None:
    """The agent that still carries out a task which is to be dropped; None: it can be dropped."""
    task = fleet.tasks.get(member.id)
    if task is None or task.state is not TaskState.RUNNING or task.last is None:
        return None
    return fleet.agents.get(task.last.id)


def to_add(fleet: AppliedFleet, texts: Mapping[str, str], world: Fleet, known: Known) -> list[TaskWish]:
    """The tasks that are still to be added, with their texts; what they come after is named as the queue knows it."""
    adds = {key: member for key, member in fleet.tasks.items() if member.step is TaskStep.ADD}
    return [
        replace(
            member.wish,
            text=texts.get(key, ""),
            after=tuple(name if name in adds else _known(name, world, known) for name in member.wish.after),
        )
        for key, member in adds.items()
    ]


def _known(name: str, world: Fleet, known: Known) -> str:
    task = there(name, world, known)
    return task.id if task else name
