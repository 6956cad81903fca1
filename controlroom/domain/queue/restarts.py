"""Which agents are started without being asked: (fleet, now) -> the one that starts now, why the others do not. Pure.

Agents that ended and whose profile has them started again, those that a profile keeps running, and those that a person
wants to go on once there is room. They keep to all that tasks keep to: `dispatch.World` says what takes an agent.
"""

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import field, replace

from controlroom.domain.fleet_files import Member
from controlroom.domain.model import Agent, Fleet, LinkState, Profile, State
from controlroom.domain.queue.credentials import moments_of
from controlroom.domain.queue.dispatch import Start, World, is_at_work
from controlroom.domain.queue.drains import replacement
from controlroom.domain.restart_rules import Restart, RestartRules
from controlroom.domain.tasks import Restarts, Task, TaskState, runs_of
from controlroom.domain.waits import HostWait, Wait, WaitReason
from controlroom.domain.words import age
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import TROUBLES, AgentKind, Cause, StrEnum

LONGEST_PAUSE = 1_800_000
"""Milliseconds between two starts at most."""

REFUSED_PAUSE = 60_000
"""Milliseconds until a start that was refused is tried again."""

_GOES_ON = frozenset({Cause.OUT_OF_MEMORY, Cause.REBOOTED, Cause.RUNNER_KILLED, Cause.RUNNER_FAILED, Cause.DISK_FULL})
"""Ends that are no fault of the work: it goes on in its session."""


class Why(StrEnum):
    """Why an agent is started without being asked, or by whom it was wished."""

    FAILED = "it failed"
    ENDED = "it ended"
    TROUBLE = "its runner ended it"
    REBOOTED = "its host was rebooted"
    LIMITED = "the limit that stopped it has ended"
    KEPT = "its profile keeps it running"
    FLEET = "its fleet file says so"
    STANDING = "its fleet file keeps it running"
    ASKED = "a person wants it to go on"


class How(StrEnum):
    """What is done to start it."""

    RESUME = "resume"
    """It goes on in its Claude session."""
    RETRY = "retry"
    """It is given its task again."""
    SPAWN = "spawn"
    """It begins with what its profile says."""


@dataclass(frozen=True)
class Wanted:
    """An agent that is to run and does not."""

    key: str
    """What names it in `Queue.restarts`."""
    name: str
    host: str
    """Where it ran; empty: anywhere."""
    epoch: int
    """Its run that has ended; 0: it has had none there."""
    profile: str
    why: Why
    how: How
    until: int = 0
    """Not before, UTC milliseconds."""
    model: str = ""
    cwd: str = ""
    session: str | None = None
    """The credential of the session in which it goes on; None: it goes on in none."""
    credential: str = ""
    """The one that a person or a task chose for it."""
    member: Member | None = None
    """What its fleet file says of it; None: it is of none."""

    @property
    def id(self) -> str:
        """The id of the agent that ended."""
        return f"{self.host}/{self.name}"


@dataclass(frozen=True)
class RestartPlan:
    """What is to be done about agents that ended."""

    start: Wanted | None = None
    """It is started now, on `Wanted.host`."""
    restarts: Mapping[str, Restarts] = field(default_factory=dict)
    """What is known of each, with why it waits."""
    next_look: int = 0
    """When it changes though nothing happens, UTC milliseconds; 0: it does not."""


def plan(fleet: Fleet, now: int, stopped: Set[str] = frozenset()) -> RestartPlan:
    """Decide which agent is started now, if any. `stopped`: ids of those whose run a person ended for good."""
    if not starts_any(fleet):
        return RestartPlan()
    candidates: list[Wanted] = []
    kept: dict[str, Restarts] = {}
    for key, record, candidate in _records(fleet, now, stopped):
        if candidate is not None and record.gave_up == "":
            record = _bounded(record, candidate, _rules(fleet, candidate.profile), now)
            if not record.gave_up:
                candidates.append(candidate)
                kept[key] = record
                continue
        if record.wait is not None:
            record = replace(record, wait=None)
        if record.starts or record.gave_up or record.asked or record.halted or record.not_before or record.starting:
            kept[key] = record
    start, waits = _first(fleet, sorted(candidates, key=lambda wanted: _rank(fleet, wanted)), now)
    for wanted in candidates:
        record, wait = kept[wanted.key], waits.get(wanted.key)
        kept[wanted.key] = record if record.wait == wait else replace(record, wait=wait)
    moments = [moment for wait in waits.values() for moment in moments_of(wait) if moment > now]
    return RestartPlan(start, kept, min(moments, default=0))


def starts_any(fleet: Fleet) -> bool:
    """Whether any agent may be to be started without being asked."""
    kept = any(profile.restarts.starts_any for profile in fleet.profiles.values())
    return kept or bool(fleet.queue.restarts or fleet.members)


def _rank(fleet: Fleet, wanted: Wanted) -> tuple[int, int, str]:
    profile = fleet.profiles.get(wanted.profile)
    return -profile.priority if profile else 0, wanted.until, wanted.key


def _first(fleet: Fleet, candidates: Iterable[Wanted], now: int) -> tuple[Wanted | None, dict[str, Wait]]:
    """The first that may start, with its host, and why the others wait, by key."""
    start: Wanted | None = None
    waits: dict[str, Wait] = {}
    world: World | None = None
    for wanted in candidates:
        stands = fleet.queue.halt or fleet.queue.hold
        if wanted.until > now and not stands:
            waits[wanted.key] = Wait(WaitReason.RETRY, until=wanted.until)
            continue
        if start is not None:
            waits[wanted.key] = Wait(WaitReason.BEHIND)
            continue
        world = world or World(fleet, now)
        placed = world.common_wait or _placed(world, wanted, fleet, now)
        if isinstance(placed, Wait):
            waits[wanted.key] = placed
        else:
            row = fleet.agents.get(f"{placed}/{wanted.name}")
            start = replace(wanted, host=placed, epoch=row.epoch if row else 0)
    return start, waits


def _placed(world: World, wanted: Wanted, fleet: Fleet, now: int) -> Wait | str:
    """The host that takes it, or why none does."""
    rules = RestartRules() if wanted.member else _rules(fleet, wanted.profile)
    kept = (replacement(fleet, host) for host in rules.hosts)
    hosts = (wanted.host,) if wanted.host else tuple(dict.fromkeys(kept)) or ("",)
    strangers = {host: row for host in fleet.hosts if (row := _stranger(fleet, host, wanted.name)) is not None}
    if strangers and hosts == ("",):
        hosts = tuple(host for host in fleet.hosts if host not in strangers) or tuple(strangers)
    waits = []
    for host in sorted(hosts, key=lambda host: sum(agent.profile == wanted.profile for agent in fleet.agents_on(host))):
        if host in strangers:
            waits.append(Wait(WaitReason.NO_HOST, hosts=(HostWait(host, WaitReason.HOST_NAME, about=wanted.name),)))
            continue
        work = Task(0, wanted.name, TaskState.WAITING, now, now, profile=wanted.profile, host=host, model=wanted.model)
        work = replace(work, cwd=wanted.cwd, credential=wanted.credential)
        if wanted.member is not None:
            work = replace(work, labels=wanted.member.entry.labels, worktree=wanted.member.entry.worktree)
        placed = world.placed(work, wanted.session)
        if isinstance(placed, Start):
            return placed.host
        waits.append(placed)
    if len(waits) == 1 or waits[0].reason is not WaitReason.NO_HOST:
        return waits[0]
    named = tuple(host for wait in waits for host in wait.hosts if host.reason is not WaitReason.HOST_OTHER)
    return replace(waits[0], hosts=named)


def _stranger(fleet: Fleet, host: str, name: str) -> Agent | None:
    """An agent at work on a host under this name that nobody ordered: no other can be started beside it."""
    row = fleet.agents.get(f"{host}/{name}")
    return row if row and row.ordered is None and not row.pending and is_at_work(row) else None


# --------------------------------------------------------------------------- who is to run


def _records(fleet: Fleet, now: int, stopped: Set[str]) -> Iterator[tuple[str, Restarts, Wanted | None]]:
    """All that is known of restarts by its key, and whether an agent is to run that does not."""
    slots = {name: profile for profile in fleet.profiles.values() for name in slot_names(profile)}
    carried = runs_of(fleet.tasks.values())
    for name, profile in slots.items():
        yield name, *_slot(fleet, name, profile, now, stopped)
    for name, member in fleet.members.items():
        yield name, *_of_fleet(fleet, member, now, stopped)
    for agent in fleet.agents.values():
        its = fleet.profiles.get(agent.ordered.profile) if agent.ordered else None
        if agent.adopted or (its is not None and slots.get(agent.name) is its):
            continue
        if _fleet_decides(fleet, agent):
            if agent.id in fleet.queue.restarts:
                yield agent.id, _record(fleet, agent.id, agent), None
            continue
        if not agent.has_ended and agent.id not in fleet.queue.restarts:
            continue
        record = _record(fleet, agent.id, agent)
        if (agent.id, agent.epoch) in carried and record.asked != agent.epoch:  # its task decides
            yield agent.id, record, None
        elif record.asked == agent.epoch or (its is not None and its.restarts.starts_any):
            yield agent.id, record, _again(fleet, agent, record, (its or _NO_PROFILE).restarts, now, stopped)


_NO_PROFILE = Profile("")


def slot_names(profile: Profile) -> list[str]:
    """The names of the agents that a profile keeps running."""
    return [f"{profile.name}-{number}" for number in range(1, profile.restarts.keep + 1)]


def key_of(fleet: Fleet, agent: Agent) -> str:
    """What names an agent in `Queue.restarts`."""
    profile = fleet.profiles.get(agent.ordered.profile) if agent.ordered else None
    return agent.name if profile and agent.name in slot_names(profile) else agent.id


def _rules(fleet: Fleet, profile: str) -> RestartRules:
    return fleet.profiles.get(profile, _NO_PROFILE).restarts


def _record(fleet: Fleet, key: str, agent: Agent) -> Restarts:
    """What is known of an agent's restarts; nothing, once a person has started it since."""
    kept = fleet.queue.restarts.get(key)
    if kept is None or agent.epoch > kept.epoch or agent.host != kept.host:
        return Restarts(agent.host, agent.epoch)
    return kept


def _is_left(agent: Agent, record: Restarts, stopped: Set[str]) -> bool:
    """Whether an agent that ended is left as it is: a person ended it, or whoever paused it has it go on."""
    if agent.pending or record.starting or agent.state is State.PAUSED:
        return True
    return agent.id in stopped and record.halted != agent.epoch


def _again(
    fleet: Fleet, agent: Agent, record: Restarts, rules: RestartRules, now: int, stopped: Set[str]
) -> Wanted | None:
    """Whether an agent of no task is to be started again."""
    if not agent.has_ended or agent.ordered is None or agent.pending or record.starting:
        return None
    if record.asked == agent.epoch:
        return _wanted(agent.id, agent, Why.ASKED, record.not_before)
    if _is_left(agent, record, stopped):
        return None
    if agent.state is State.LIMITED:
        paused = replace(rules, pause=max(rules.pause, fleet.queue.rules.backoff))
        until = max(agent.limited_until or 0, _due(agent, record, paused, now))
        return _wanted(agent.id, agent, Why.LIMITED, until) if rules.after_limit and agent.session else None
    if agent.cause is Cause.REBOOTED:
        return _wanted(agent.id, agent, Why.REBOOTED, record.not_before) if rules.after_reboot else None
    if agent.cause in TROUBLES and agent.state is State.FAILED:
        wanted = _wanted(agent.id, agent, Why.TROUBLE, _due(agent, record, rules, now))
        return wanted if agent.cause.value in rules.after_trouble else None
    done = agent.state is State.DONE
    if rules.restart is Restart.ALWAYS or (rules.restart is Restart.FAILURE and not done):
        return _wanted(agent.id, agent, Why.ENDED if done else Why.FAILED, _due(agent, record, rules, now))
    return None


def _slot(fleet: Fleet, name: str, profile: Profile, now: int, stopped: Set[str]) -> tuple[Restarts, Wanted | None]:
    """What is known of an agent that a profile keeps running, and whether it is to be started."""
    rows = [row for host in fleet.hosts if (row := fleet.agents.get(f"{host}/{name}")) is not None]
    running = [row for row in rows if row.pending or (is_at_work(row) and row.ordered is not None)]
    ours = [row for row in rows if row.ordered is not None and row.ordered.profile == profile.name]
    last = max(running or ours, key=lambda row: (row.started, row.since), default=None)
    if last is None:
        record = replace(fleet.queue.restarts.get(name, Restarts()), wait=None)
        new = Wanted(name, name, "", 0, profile.name, Why.KEPT, How.SPAWN, _due(None, record, profile.restarts, now))
        return record, None if record.starting else replace(new, cwd=profile.cwd, model=profile.model)
    record = _record(fleet, name, last)
    if running or not last.has_ended or _is_left(last, record, stopped):
        return record, None
    until = record.not_before
    if last.cause is not Cause.REBOOTED:
        until = max(_due(last, record, profile.restarts, now), last.limited_until or 0)
    wanted = _wanted(name, last, Why.REBOOTED if last.cause is Cause.REBOOTED else Why.KEPT, until)
    if wanted.how is How.RETRY:
        wanted = replace(wanted, how=How.SPAWN)
    host = fleet.hosts.get(last.host)
    leaves = host is not None and host.drain is not None and host.drain.move
    if host is None or leaves or host.link is not LinkState.UP:  # it has ended there for certain: it may run elsewhere
        wanted = replace(wanted, host="", how=How.SPAWN, session=None)
    return record, wanted


def _fleet_decides(fleet: Fleet, agent: Agent) -> bool:
    """Whether an agent's fleet file says if it is started again, and no person wants it to go on."""
    member, asked = fleet.members.get(agent.name), fleet.queue.restarts.get(agent.id)
    if member is None or member.id != agent.id or (asked is not None and asked.asked == agent.epoch):
        return False
    return member.entry.keep or is_due(fleet, member)


def is_due(fleet: Fleet, member: Member) -> bool:
    """Whether an agent of a fleet file is still to be started, or its start never reached a host."""
    if member.leaves or member.wanted <= 0:
        return False
    row = fleet.agents.get(member.id)
    missed = not member.arrived and (row is None or row.epoch < member.epoch or (row.has_ended and never_was(row)))
    return member.wanted > member.begun or missed


def never_was(row: Agent) -> bool:
    """Whether no host has shown a run that was ordered: it is on its way, or its host did not get the order."""
    return not row.pending and not row.started and not row.evidence and row.state in (State.STARTING, State.FAILED)


def in_the_way(fleet: Fleet, member: Member) -> Agent | None:
    """An agent at work under the name of one that is to be started, where that would be; None: there is none."""
    hosts = {member.entry.host, member.host, member.goes_to} if member.entry.host else set(fleet.hosts)
    rows = (fleet.agents.get(f"{host}/{member.entry.name}") for host in hosts)
    return next((row for row in rows if row is not None and (row.pending or is_at_work(row))), None)


def _of_fleet(fleet: Fleet, member: Member, now: int, stopped: Set[str]) -> tuple[Restarts, Wanted | None]:
    """What is known of an agent of a fleet file, and whether it is to be started."""
    entry, key = member.entry, member.entry.name
    record = replace(fleet.queue.restarts.get(key, Restarts()), wait=None)
    asked = fleet.queue.restarts.get(member.id)
    if member.leaves or member.ends or record.starting or (asked is not None and asked.asked):
        return record, None
    chosen = {"model": entry.model, "cwd": entry.cwd, "credential": entry.credential, "member": member}
    new = Wanted(key, key, entry.host, 0, entry.profile, Why.FLEET, How.SPAWN, record.not_before, **chosen)  # type: ignore[arg-type]
    if is_due(fleet, member):
        record = replace(record, gave_up="", since=0, starts=())  # a person wants it, however often it has ended
        return record, None if in_the_way(fleet, member) else new
    row = fleet.agents.get(member.id)
    if not entry.keep or not member.is_owned or member.goes_to:
        return record, None
    if row is None:
        return record, None if in_the_way(fleet, member) else replace(new, why=Why.STANDING)
    record = replace(_record(fleet, key, row), wait=None)
    if asked is not None and asked.halted == row.epoch:
        record = replace(record, halted=asked.halted)
    if not row.has_ended or row.ordered is None or _is_left(row, record, stopped) or in_the_way(fleet, member):
        return record, None
    until = record.not_before
    if row.cause is not Cause.REBOOTED:
        until = max(_due(row, record, _rules(fleet, entry.profile), now), row.limited_until or 0)
    wanted = _wanted(key, row, Why.REBOOTED if row.cause is Cause.REBOOTED else Why.STANDING, until)
    wanted = replace(wanted, how=How.RESUME if wanted.how is How.RESUME else How.SPAWN, member=member)
    host = fleet.hosts.get(row.host)
    if not entry.host and (host is None or host.link is not LinkState.UP):  # it has ended there for certain
        wanted = replace(wanted, host="", how=How.SPAWN, session=None)
    return record, wanted


def _wanted(key: str, agent: Agent, why: Why, until: int) -> Wanted:
    """An agent to be started again: in its session where it has one and its work is not at fault."""
    goes_on = agent.cause in _GOES_ON or agent.state is State.LIMITED or why is Why.ASKED
    in_session = goes_on and bool(agent.session) and agent.kind is not AgentKind.COMMAND
    how = How.RESUME if in_session else How.RETRY
    ordered = agent.ordered
    profile, model, cwd = (ordered.profile, ordered.model, ordered.cwd) if ordered else ("", "", "")
    session = ordered.credential if ordered and in_session else None
    chosen = ordered.chosen_credential if ordered else ""
    return Wanted(key, agent.name, agent.host, agent.epoch, profile, why, how, until, model, cwd, session, chosen)


def _due(agent: Agent | None, record: Restarts, rules: RestartRules, now: int) -> int:
    """When an agent may be started again: later each time while it ends soon."""
    recent = [at for at in record.starts if 0 <= now - at < rules.within]
    ended = (agent.ended or agent.since) if agent else 0
    begun = max(recent, default=0)
    ended = begun if ended > now else max(ended, begun)  # else by a clock that is wrong, or a lie
    if not ended:
        return record.not_before
    return max(record.not_before, ended + min(rules.pause << min(len(recent), 16), LONGEST_PAUSE))


def _bounded(record: Restarts, wanted: Wanted, rules: RestartRules, now: int) -> Restarts:
    """What is known of its restarts, once it is decided whether it is given up."""
    recent = tuple(at for at in record.starts if 0 <= now - at < rules.within)
    if recent != record.starts:
        record = replace(record, starts=recent)
    if wanted.why in (Why.ASKED, Why.FLEET) or len(recent) < rules.starts or wanted.until > now:
        return record
    times = "once" if len(recent) == 1 else f"{len(recent)} times"
    return replace(record, gave_up=f"it was started {times} in {age(rules.within)}, and ended each time", since=now)


# --------------------------------------------------------------------------- what becomes of a start


def begun(record: Restarts, wanted: Wanted, now: int) -> Restarts:
    """What is known of its restarts when it is about to be started: written down before it is ordered."""
    starts = record.starts if wanted.why in (Why.ASKED, Why.FLEET) else (*record.starts, now)
    wishes = replace(Restarts(wanted.host, wanted.epoch + 1, starts), halted=record.halted, asked=record.asked)
    return replace(wishes, starting=True)


def not_begun(record: Restarts, reason: str, now: int) -> Restarts:
    """What is known of its restarts when its start was refused: it is tried again later, and does not count.

    `known`: what was known before it was begun.
    """
    return replace(record, not_before=now + REFUSED_PAUSE, refused=reason, wait=None)


def arrived(record: Restarts) -> Restarts:
    """What is known of its restarts once its start is answered."""
    return replace(record, halted=0, asked=0, starting=False)


def resume_words(wanted: Wanted) -> str:
    """What an agent is told that goes on in its session."""
    if wanted.why is Why.ASKED:
        return "Go on where you stopped."
    return f"Your last run was ended: {wanted.why}. Look at what is done already, and go on with your task."
