"""(fleet file, fleet, now) -> what applying the file would change, where, at what cost, and what would not fit. Pure.

Nobody's agent or task is touched but those that this fleet has started or added: another of the same name is left
alone, whatever the file says. An agent that is as the file wants it is as it should be, whoever has started it.
"""

from collections.abc import Iterator
from dataclasses import replace

from controlroom.domain.fleet_files import AgentEntry, AgentWish, FleetFile, Member
from controlroom.domain.fleets import tasks as task_plans
from controlroom.domain.fleets.checking import check_file, slots
from controlroom.domain.fleets.placing import finished
from controlroom.domain.fleets.plans import Act, Change, Drift, FleetPlan, Known
from controlroom.domain.model import Agent, Fleet, Profile, State
from controlroom.domain.preconditions import shown_task
from controlroom.domain.queue.dispatch import is_at_work
from controlroom.domain.queue.restarts import in_the_way, is_due
from controlroom.text.states import AgentKind, Cause

_HOMES = ("", "~")
"""How the home of a host's user is named as a folder."""

_AS_IT_IS = "default"
"""The model that Claude itself takes."""


def plan(file: FleetFile, fleet: Fleet, known: Known, now: int) -> FleetPlan:
    """Say what applying a file would do; texts of it are filled in. Raises `Refusal` for a file that cannot be."""
    check_file(file, fleet)
    changes = [*_agents(file, fleet, known), *task_plans.changes(file, fleet, known)]
    return finished(file, changes, fleet, known, now)


def drift(name: str, fleet: Fleet, known: Known, now: int) -> FleetPlan:
    """Say how things are not as a fleet was applied, and what applying its file again would do about that."""
    applied = fleet.fleets[name]
    members = [member for member in fleet.members.values() if member.fleet == name]
    wishes = tuple(AgentWish(member.entry) for member in members if not member.leaves)
    file = FleetFile(name, wishes, task_plans.wishes(applied))
    changes = [*_agents(file, fleet, known), *task_plans.changes(file, fleet, known), *extras(fleet)]
    told = [change for change in changes if change.drift]
    return replace(finished(file, told, fleet, known, now), same=len(changes) - len(told))


def extras(fleet: Fleet) -> Iterator[Change]:
    """Agents at work that no fleet file, task or profile says: nothing is done about them."""
    carried = {task.last.id for task in fleet.tasks.values() if task.last and task.state.is_open}
    kept = slots(fleet)
    for agent in fleet.agents.values():
        if agent.adopted or not is_at_work(agent) or agent.id in carried or agent.name in kept:
            continue
        member = fleet.members.get(agent.name)
        if member is None or (member.is_owned and member.id != agent.id and member.goes_to != agent.host):
            why = "no fleet file, task or profile says so: it is left alone"
            yield Change(
                agent.name, Act.NOTHING, Drift.EXTRA, why, subject=agent.id, epoch=agent.epoch, host=agent.host
            )


# --------------------------------------------------------------------------- agents


def _agents(file: FleetFile, fleet: Fleet, known: Known) -> Iterator[Change]:
    taken = {row.called: row for row in fleet.agents.values() if row.adoption is not None and not row.has_ended}
    for wish in file.agents:
        theirs = taken.get(wish.entry.name)
        if theirs is not None and wish.entry.host in ("", theirs.host) and wish.entry.name not in fleet.members:
            why = f"{theirs.id} was taken over under this name: it is left alone"
            yield _change(wish.entry.name, theirs, Act.NOTHING, Drift.TAKEN, why)
            continue
        yield _entry(file.name, wish, fleet, known)
    wanted = {wish.entry.name for wish in file.agents}
    for name, member in fleet.members.items():
        if member.fleet == file.name and name not in wanted:
            yield _gone(fleet, member)


def _gone(fleet: Fleet, member: Member) -> Change:
    """What becomes of an agent whose entry has gone from the file."""
    name, row = member.entry.name, fleet.agents.get(member.id) if member.is_owned else None
    record = fleet.queue.restarts.get(name)
    if member.is_owned and record is not None and record.starting:
        act, drift = (Act.NOTHING, Drift.COMING) if member.leaves else (Act.END, Drift.NONE)
        return Change(name, act, drift, "it has gone from the file", subject=member.id, epoch=member.epoch)
    if row is None or row.has_ended or row.epoch < member.epoch:
        return Change(name, Act.NOTHING if member.leaves else Act.UPDATE, why="it has gone from the file")
    if member.leaves:
        return _change(name, row, Act.NOTHING, Drift.COMING, "it is being ended")
    kept = "; its worktree stays" if row.worktree or (row.ordered and row.ordered.worktree) else ""
    return _change(name, row, Act.END, Drift.NONE, f"it has gone from the file{kept}")


def _change(name: str, row: Agent, act: Act, drift: Drift, why: str) -> Change:
    return Change(name, act, drift, why, subject=row.id, epoch=row.epoch, host=row.host)


def _entry(name: str, wish: AgentWish, fleet: Fleet, known: Known) -> Change:
    """What becomes of one agent of the file."""
    entry = wish.entry
    member = fleet.members.get(entry.name)
    if member is not None and member.fleet != name:
        return _of_others(wish, fleet, known, f"fleet {member.fleet} has an agent of this name")
    if member is not None and member.leaves:
        return Change(entry.name, Act.START, Drift.COMING, f"{member.ends} is being ended, and it starts again")
    if member is not None and (member.wanted or member.is_owned):
        return _of_ours(member, wish, fleet, known)
    row = _row_of(fleet, entry)
    if row is not None and is_at_work(row):
        return _of_others(wish, fleet, known, "somebody else has started it")
    why = f"{row.id} has ended ({row.state})" if row is not None else "there is none yet"
    return Change(entry.name, Act.START, Drift.MISSING, why)


def _row_of(fleet: Fleet, entry: AgentEntry) -> Agent | None:
    """The agent of this name, where the entry says it is to be; one at work before one that has ended."""
    hosts = [entry.host] if entry.host else [*fleet.hosts]
    rows = [row for host in hosts if (row := fleet.agents.get(f"{host}/{entry.name}")) is not None]
    return max(rows, key=lambda row: (is_at_work(row), row.started), default=None)


def _of_others(wish: AgentWish, fleet: Fleet, known: Known, whose: str) -> Change:
    """An agent that this fleet has not started: as the file wants it, or left alone."""
    name, row = wish.entry.name, _row_of(fleet, wish.entry)
    if row is None or not is_at_work(row):
        return Change(name, Act.NOTHING, Drift.TAKEN, f"{whose}: it is left alone")
    others = differences(wish, row, fleet, known) if row.ordered is not None else ["nobody here ordered it"]
    if not others:
        return _change(name, row, Act.NOTHING, Drift.NONE, "")
    return _change(name, row, Act.NOTHING, Drift.TAKEN, f"{whose}, otherwise ({', '.join(others)}): it is left alone")


def _of_ours(member: Member, wish: AgentWish, fleet: Fleet, known: Known) -> Change:
    """An agent that this fleet has started, or is about to."""
    entry, row = wish.entry, fleet.agents.get(member.id) if member.is_owned else None
    if member.goes_to:
        return Change(entry.name, Act.NOTHING, Drift.COMING, f"it is being moved to {member.goes_to}", host=member.host)
    if is_due(fleet, member) or member.ends:
        return _on_its_way(member, wish, fleet)
    if row is None or row.epoch < member.epoch:
        if member.done and not entry.keep and not _anew(member.entry, entry):
            return _same_or_update(member, entry)
        return Change(entry.name, Act.START, Drift.MISSING, f"{member.host} does not show it any more")
    if row.has_ended and not row.pending:
        return _ended(member, entry, row, fleet, known)
    if row.ordered is None:
        return _change(entry.name, row, Act.NOTHING, Drift.CHANGED, f"run {row.epoch} was not ordered here")
    return _at_work(member, wish, row, fleet, known)


def _on_its_way(member: Member, wish: AgentWish, fleet: Fleet) -> Change:
    """One that is still to be started; what the file says of it by now counts."""
    name = wish.entry.name
    record = fleet.queue.restarts.get(name)
    other = in_the_way(fleet, member)
    if member.entry != wish.entry and _anew(member.entry, wish.entry):
        return Change(name, Act.START, Drift.COMING, "it has not started yet, and is another one now")
    if member.ends:
        return Change(name, Act.NOTHING, Drift.COMING, f"{member.ends} is being ended first", subject=member.ends)
    if other is not None and not other.pending and other.id != member.id:
        return _change(name, other, Act.NOTHING, Drift.TAKEN, f"{other.id} is at work under its name")
    wait = record.wait if record else None
    refused = f"; refused lately: {record.refused}" if record and record.refused else ""
    return Change(name, Act.NOTHING, Drift.COMING, f"it is to start{refused}", host=wish.entry.host, wait=wait)


def _anew(old: AgentEntry, new: AgentEntry) -> bool:
    """Whether an entry means other work than before."""
    return _work(old) != _work(new)


def _work(entry: AgentEntry) -> tuple[str, ...]:
    return entry.profile, entry.credential, entry.cwd, entry.worktree, entry.digest


def _same_or_update(member: Member, entry: AgentEntry, row: Agent | None = None) -> Change:
    act = Act.UPDATE if member.entry.keep != entry.keep else Act.NOTHING
    why = f"standing: {'yes' if entry.keep else 'no'}" if act else ""
    subject, epoch, host = (row.id, row.epoch, row.host) if row else ("", 0, member.host)
    return Change(entry.name, act, Drift.NONE, why, subject=subject, epoch=epoch, host=host)


def _ended(member: Member, entry: AgentEntry, row: Agent, fleet: Fleet, known: Known) -> Change:
    """One whose run has ended: it is done, goes on by itself, or starts again."""
    killed = row.cause is Cause.KILLED or row.id in known.stopped
    record = fleet.queue.restarts.get(entry.name)
    if _anew(member.entry, entry):
        return _change(entry.name, row, Act.START, Drift.NONE, f"{row.state}, and is to do something else now")
    if row.state is State.PAUSED or (row.state is State.LIMITED and row.limited_until):
        return _change(entry.name, row, Act.NOTHING, Drift.ENDED, f"{row.state}: it goes on when that is over")
    if row.state is State.DONE and not killed and not entry.keep:
        return _same_or_update(member, entry, row)
    if entry.keep and not killed and not (record and record.gave_up):
        wait = record.wait if record else None
        why = f"{row.state}: it is started again by itself"
        return replace(_change(entry.name, row, Act.NOTHING, Drift.COMING, why), wait=wait)
    why = "ended by hand" if killed else f"given up: {record.gave_up}" if record and record.gave_up else str(row.state)
    return _change(entry.name, row, Act.START, Drift.FAILED if row.state is State.FAILED else Drift.ENDED, why)


def _at_work(member: Member, wish: AgentWish, row: Agent, fleet: Fleet, known: Known) -> Change:
    """One that is at work: as it should be, or another model or run is needed."""
    entry = wish.entry
    carried = member.entry if member.carried else None
    others = differences(wish, row, fleet, known, carried)
    drift = Drift.CHANGED if differences(AgentWish(member.entry), row, fleet, known, carried) else Drift.NONE
    if entry.host and row.host != entry.host:
        home = fleet.hosts.get(entry.host)
        moved = Drift.MOVED if member.entry.host == entry.host else Drift.NONE
        if home is not None and home.drain is not None:
            return _change(entry.name, row, Act.NOTHING, moved, f"on {row.host} while {entry.host} is drained")
        others = [f"host {row.host} -> {entry.host}", *others]
        drift = moved or drift
    if not others:
        return _same_or_update(member, entry, row)
    only_model = all(other.startswith(_MODEL) for other in others) and row.kind != AgentKind.COMMAND
    return _change(entry.name, row, Act.MODEL if only_model else Act.RENEW, drift, ", ".join(others))


_MODEL = "model "


def differences(
    wish: AgentWish, row: Agent, fleet: Fleet, known: Known, carried: AgentEntry | None = None
) -> list[str]:
    """How an agent that was ordered here is not as an entry wants it; where it runs is another matter.

    `carried`: what it works on, where it was moved and what was ordered of its run is just to go on with that.
    """
    work, entry = row.ordered, wish.entry
    if work is None:
        return ["nobody here ordered it"]
    profile = fleet.profiles.get(entry.profile, Profile(entry.profile))
    others = _told("profile", work.profile, entry.profile)
    if work.kind != profile.kind and work.profile == entry.profile:
        others += _told("kind", str(work.kind), str(profile.kind))
    model = entry.model or profile.model
    if (work.chosen or profile.model or _AS_IT_IS) != (model or _AS_IT_IS):
        others += _told(_MODEL.strip(), work.chosen or profile.model, model or _AS_IT_IS)
    others += _told("credential", work.chosen_credential, entry.credential)
    if carried is not None:
        now, then = carried, entry
        others += _told("folder", now.cwd, then.cwd) + _told("worktree", now.worktree, then.worktree)
        return others + ["task"] * (now.digest != then.digest)
    folder = entry.cwd or profile.cwd
    if not (work.cwd in _HOMES and folder in _HOMES):
        others += _told("folder", work.cwd, folder)
    others += _told("worktree", work.worktree, entry.worktree or profile.worktree)
    return others + ["task"] * (not _same_text(wish, row, known))


def _told(what: str, now: str, then: str) -> list[str]:
    return [f"{what} {now or '-'} -> {then or '-'}"] if now != then else []


def _same_text(wish: AgentWish, row: Agent, known: Known) -> bool:
    """Whether an agent was given this text; where only its beginning is known, that counts."""
    there = known.digests.get(row.id)
    if there is not None or not wish.text:
        return there is None or there == wish.entry.digest
    return shown_task(row.task) == shown_task(wish.text)
