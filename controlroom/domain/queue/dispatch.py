"""What the queue does next: (fleet, now) -> the task to start, and why each other one waits. Pure.

One start at a time: the fleet is another one after it. What is on its way counts as if it were there.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import field, replace
from functools import cached_property
from typing import NamedTuple

from controlroom.domain.lead_rights import in_force, lead_waits, may_be_on
from controlroom.domain.model import Agent, Credential, Fleet, Host, LinkState, Profile, State
from controlroom.domain.money import ladder
from controlroom.domain.orders import STARTS
from controlroom.domain.preconditions import unfit, unfit_folder
from controlroom.domain.queue.attempts import is_too_dear
from controlroom.domain.queue.backoff import using
from controlroom.domain.queue.credentials import LOOK_AGAIN, Credentials, all_held, moments_of
from controlroom.domain.queue.naming import agent_name
from controlroom.domain.queue.waiting_tasks import WORK, WaitingTasks, in_state
from controlroom.domain.tasks import Attempt, Origin, Task, TaskState, with_wait
from controlroom.domain.waits import HostWait, Wait, WaitReason
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import AgentKind, has_ended

GROWING = 180_000
"""Milliseconds for which a young agent is taken to need what agents of its profile need, however little it has yet."""

_ENOUGH = 3
"""Agents of a profile that must have been seen for their need to count."""

_ROUND = 64 * 1024 * 1024
"""Free memory is told in steps of so many bytes, so that a reason does not change with every sample."""


@dataclass(frozen=True)
class Start:
    """A task that is to start now."""

    task: Task
    host: str
    agent: str
    resumes: bool = False
    """It goes on in the session of its last attempt."""
    credential: str = ""
    """Which of those that its profile names."""


@dataclass(frozen=True)
class Plan:
    """What the queue does next."""

    start: Start | None = None
    waits: Mapping[str, Wait] = field(default_factory=dict)
    """Why each other waiting task waits, by id."""
    blocked: Wait | None = None
    """Why none starts, though some wait: what the first of them waits for."""
    next_look: int = 0
    """When it changes though nothing happens, UTC milliseconds; 0: it does not."""


def plan(fleet: Fleet, now: int, turns: WaitingTasks | None = None, *, wordless: bool = False) -> Plan:
    """Decide which task starts now, if any, and why the others wait.

    `turns`: of the decision before. `wordless`: agents are called by the ids of their tasks alone.
    """
    turns = WaitingTasks() if turns is None else turns
    turns.follow(fleet.tasks, fleet.queue.rules.aging, now)
    if not turns:
        return Plan()
    world = World(fleet, now, wordless=wordless)
    own = turns.own_waits(world.own_wait)
    if turns.ids and (common := world.common_wait) is not None:
        return Plan(None, {**dict.fromkeys(turns.ids, common), **own}, common, _next_look([common], turns, now))
    return _first_start(turns, world, own, now)


def _first_start(turns: WaitingTasks, world: "World", own: Mapping[str, Wait], now: int) -> Plan:
    """Start the first task in order that may; `own`: what those wait for that are not ready."""
    ids, kinds = turns.ids, turns.kinds
    kept: dict[object, Wait] = {}
    start, ahead = None, len(ids)
    for index, kind in enumerate(kinds):
        if kind in kept:
            continue
        placed = world.placed(turns.task(index))
        if isinstance(placed, Start):
            start, ahead = placed, index
            break
        kept[kind] = placed
    waits = dict.fromkeys(ids, _BEHIND) if ahead < len(ids) else {}
    if start is not None:
        del waits[start.task.id]
    waits.update(zip(ids[:ahead], [kept[kind] for kind in kinds[:ahead]], strict=True))
    waits.update(own)
    blocked = kept[kinds[0]] if kinds and start is None else None
    return Plan(start, waits, blocked, _next_look({id(wait): wait for wait in kept.values()}.values(), turns, now))


def waiting_anew(fleet: Fleet, decided: Plan) -> list[Task]:
    """The tasks that wait for something else than before, with that."""
    same: dict[
        tuple[int, int], bool
    ] = {}  # many tasks share their waits, and to compare those of many hosts takes long
    anew: list[Task] = []
    for task in fleet.tasks.values():
        old, new = task.wait, decided.waits.get(task.id)
        if new is None or new is old:
            continue
        pair = id(old), id(new)
        if pair not in same:
            same[pair] = old == new
        if not same[pair]:
            anew.append(with_wait(task, new))
    return anew


_BEHIND = Wait(WaitReason.BEHIND)


def _next_look(waits: Collection[Wait], turns: WaitingTasks, now: int) -> int:
    """The earliest moment after now at which a reason ends by itself."""
    moments = [moment for wait in waits for moment in moments_of(wait) if moment > now]
    return min([*moments, *filter(None, [turns.next_moment])], default=0)


class Place(NamedTuple):
    """Where a task may begin, and by which of the credentials that its profile names."""

    host: str
    credential: str


class World:
    """A fleet as the queue sees it; all that several tasks ask is worked out once."""

    def __init__(self, fleet: Fleet, now: int, *, wordless: bool = False) -> None:
        self._wordless = wordless
        self._fleet, self._now, self._rules = fleet, now, fleet.queue.rules
        starting = {key for key, kept in fleet.queue.restarts.items() if kept.starting}
        self._live = [
            agent
            for agent in fleet.agents.values()
            if (is_at_work(agent) or (starting and agent.id in starting)) and not agent.adopted
        ]
        unknown = {agent.id: agent.epoch for agent in self._live if agent.state is State.UNKNOWN}
        self._over = _over(fleet.tasks.values(), unknown) if unknown else frozenset()
        if self._over:
            self._live = [agent for agent in self._live if agent.id not in self._over]
        self._unseen = _unseen(in_state(fleet.tasks.values(), TaskState.RUNNING), fleet)
        self._per_host = Counter([agent.host for agent in self._live])
        self._per_host.update([attempt.host for _, attempt in self._unseen])
        self._per_profile = Counter([agent.profile for agent in self._live])
        self._per_profile.update([task.profile for task, _ in self._unseen])
        self._credentials = Credentials(fleet, now)
        self._needs: dict[tuple[str, AgentKind], int] = {}
        self._placed: dict[tuple[object, ...], Wait | Place] = {}

    # ----------------------------------------------------------------------- for plans of many starts

    @property
    def full(self) -> Wait | None:
        """That as many agents are at work as the queue may have; None: they are not."""
        at_work = len(self._live) + len(self._unseen)
        most = self._rules.max_agents
        return Wait(WaitReason.FLEET_FULL, has=at_work, most=most) if at_work >= most else None

    def count(self, agent: Agent) -> None:
        """Have an agent count as if it were on its way: what is asked afterwards goes by that."""
        self._live.append(agent)
        self._per_host[agent.host] += 1
        self._per_profile[agent.profile] += 1
        self._growth[agent.host] += max(0, self._need(agent.profile, agent.kind) - (agent.rss or 0))
        self._placed.clear()

    def need(self, profile: str) -> int:
        """The bytes that an agent of a profile is expected to take."""
        return self._need(profile, self._fleet.profiles.get(profile, Profile("")).kind)

    def free_on(self, host: Host) -> int | None:
        """The bytes that the queue would still fill on a host; None: there is no reading."""
        sample = host.sample
        if sample is None or sample.memory_total is None or sample.memory_used is None:
            return None
        most = sample.memory_total * self._rules.memory_percent // 100
        return most - sample.memory_used - self._growth.get(host.name, 0)

    # ----------------------------------------------------------------------- what holds for all tasks

    @cached_property
    def common_wait(self) -> Wait | None:
        """Why no task starts now, whichever it is."""
        queue, rules = self._fleet.queue, self._rules
        if queue.halt is not None:
            return Wait(WaitReason.HALTED, about=(queue.halt.who,))
        if queue.hold is not None:
            return Wait(WaitReason.QUEUE_HELD, about=(queue.hold.who,))
        if self.full is not None:
            return self.full
        next_start = queue.last_start + rules.stagger
        if queue.last_start and queue.last_start <= self._now < next_start:
            return Wait(WaitReason.STAGGER, until=next_start)
        return None

    def _later(self, step: int) -> int:
        """The next of the moments that lie so far apart: a reason must not change with every look."""
        return (self._now // step + 1) * step

    # ----------------------------------------------------------------------- what one task waits for

    def own_wait(self, task: Task) -> Wait | None:
        """What a task waits for by itself."""
        if task.not_before > self._now:
            reason = WaitReason.RETRY if task.attempts[task.counted_from :] else WaitReason.NOT_YET
            return Wait(reason, until=task.not_before)
        before = [self._fleet.tasks.get(key) for key in task.after]
        never = [one.id for one in before if one and one.state in (TaskState.FAILED, TaskState.DROPPED)]
        if never:
            return Wait(WaitReason.AFTER_FAILED, about=tuple(never))
        if undone := [one.id for one in before if one and one.state is not TaskState.DONE]:
            return Wait(WaitReason.AFTER, about=tuple(undone))
        return Wait(WaitReason.COST) if is_too_dear(task) else None

    def placed(self, task: Task, session: str | None = None) -> "Wait | Start":
        """The start of a task that waits for nothing of its own, or what keeps it.

        `session`: the credential of the session in which it goes on, where no attempt of it says so.
        """
        if task.attempts and (at_work := self._at_work(task)):
            return Wait(WaitReason.AT_WORK, about=(at_work,))
        session_host = self._session_host(task) if task.attempts else ""
        last = task.goes_on_from if session_host else None
        session = last.credential if last is not None else session
        work = *WORK(task), session_host, session
        placed = self._placed.get(work)
        if placed is None:
            placed = self._placed[work] = self._place(task, session_host, session)
        if isinstance(placed, Wait):
            return placed
        if last is not None:
            return Start(task, placed.host, last.agent, resumes=True, credential=placed.credential)
        return Start(task, placed.host, self._name(task), credential=placed.credential)

    def _name(self, task: Task) -> str:
        return task.id if self._wordless else agent_name(task)

    def _at_work(self, task: Task) -> str:
        """The agent of an earlier attempt that is at work again; empty: none is."""
        agents = (self._fleet.agents.get(attempt.id) for attempt in task.attempts)
        own = (agent for agent in agents if agent and not agent.adopted and agent.id not in self._over)
        return next((agent.id for agent in own if is_at_work(agent)), "")

    def _session_host(self, task: Task) -> str:
        """The host on which a task goes on in its session; empty: it begins anew."""
        last = task.goes_on_from
        host = self._fleet.hosts.get(last.host) if last else None
        if last is None or host is None or (host.drain is not None and host.drain.move):
            return ""
        agent = self._fleet.agents.get(last.id)
        profile = self._fleet.profiles.get(task.profile)
        if profile and profile.credentials and not self._may_take(task, profile, "", last.credential):
            return ""  # none of its credentials finds the session
        return last.host if agent and agent.epoch == last.epoch and agent.ordered else ""

    def _place(self, task: Task, session_host: str, session: str | None) -> "Wait | Place":
        """Where and by which credential such a task starts, or why it does not; `session`: whose credential it was."""
        if task.profile and task.profile not in self._fleet.profiles:
            return Wait(WaitReason.NO_PROFILE, about=(task.profile,))
        profile = self._fleet.profiles.get(task.profile, Profile(""))
        if task.profile and task.origin.is_outside and not profile.takes_outside:
            return Wait(WaitReason.OUTSIDE, about=(task.profile,))
        if task.origin.lead and (no := lead_waits(self._fleet, task.origin.lead, self._now)):
            return Wait(WaitReason.LEAD, about=(no,))
        there = self._per_profile[task.profile]
        if profile.max_agents and there >= profile.max_agents:
            return Wait(WaitReason.PROFILE_FULL, about=(task.profile,), has=there, most=profile.max_agents)
        if not profile.credentials or profile.kind is AgentKind.COMMAND:
            return self._placed_with(task, profile, "", session_host)
        waits: dict[str, Wait] = {}
        model = task.model or profile.model
        mays = self._may_take(task, profile, model, session) or self._may_take(task, profile, model)
        if not mays:
            return Wait(WaitReason.NO_CREDENTIAL, about=(task.profile, task.credential))
        for one in mays:
            placed = self._placed_with(task, using(profile, one.name), one.name, session_host)
            if isinstance(placed, Place):
                return placed
            waits[one.name] = placed
        return all_held(waits)

    def _may_take(self, task: Task, profile: Profile, model: str, session: str | None = None) -> list[Credential]:
        """The credentials that a task may take, the one to take first. `session`: whose session it goes on in."""
        ranked = self._credentials.ranked(profile, model, session)
        return [one for one in ranked if task.credential in ("", one.name)]

    def _placed_with(self, task: Task, profile: Profile, credential: str, session_host: str) -> "Wait | Place":
        """Where such a task starts with a credential, or why it does not."""
        if limit := self._credentials.held(profile, credential, task.model or profile.model):
            return limit
        free: dict[str, int] = {}
        waits: list[HostWait] = []
        for host in self._fleet.hosts.values():
            wait = self._host_wait(host, task, profile, session_host)
            if isinstance(wait, HostWait):
                waits.append(wait)
            elif held := self._held_by_budget(host.name, task, profile):
                return Wait(WaitReason.BUDGET, about=(held,))
            else:
                free[host.name] = wait
        if free:
            return Place(max(free, key=lambda host: (free[host], -self._per_host[host], host)), credential)
        if task.host and task.host not in self._fleet.hosts:
            waits = [HostWait(task.host, WaitReason.HOST_UNKNOWN)]
        named = [wait for wait in waits if wait.reason is not WaitReason.HOST_OTHER or not task.host]
        return Wait(WaitReason.NO_HOST, hosts=tuple(named))

    def _held_by_budget(self, host: str, task: Task, profile: Profile) -> str:
        """Which budget holds new work, in words; empty: none."""
        if profile.kind is AgentKind.COMMAND or not self._fleet.budgets:
            return ""
        whose = self._name(task), task.profile, profile.billing, task.origin.lead
        return ladder.refusal(self._fleet, host, *whose) or ""

    # ----------------------------------------------------------------------- hosts

    def elsewhere(self, agent: Agent, task: Task | None, hosts: Iterable[str]) -> "str | tuple[HostWait, ...]":
        """Which of these hosts an agent of another one can go on at; why none of them takes it, where none does."""
        work = agent.ordered
        if work is None:
            return ()
        profile = self._fleet.profiles.get(work.profile, Profile("", work.kind))
        chosen = work.chosen_credential
        named = [one.name for one in profile.credentials if chosen in ("", one.name)]
        each = [using(profile, name) for name in named] or [profile]
        wished = Task(0, "", TaskState.WAITING, 0, 0, profile=work.profile, cwd=work.cwd)
        wished = replace(wished, labels=task.labels, attempts=task.attempts) if task else wished
        lead, drain = in_force(self._fleet, work.lead), self._fleet.hosts[agent.host].drain
        of_lead = replace(wished, origin=Origin(lead=lead))
        free: dict[str, int] = {}
        waits: dict[str, HostWait] = {}
        for host in (self._fleet.hosts[name] for name in hosts):
            there = self._fleet.agents.get(f"{host.name}/{agent.name}")
            if there is not None and (there.pending or not there.has_ended):
                waits[host.name] = HostWait(host.name, WaitReason.HOST_NAME, about=agent.name)
                continue
            for one in each:
                is_named = drain is not None and drain.to == host.name  # by a person, whatever its lead was given
                wait = self._host_wait(host, wished if is_named else of_lead, one, "")
                if isinstance(wait, int):
                    free[host.name] = wait
                else:
                    waits[host.name] = wait
        return max(free, key=lambda host: (free[host], host)) if free else tuple(waits.values())

    def _host_wait(self, host: Host, task: Task, profile: Profile, session_host: str) -> HostWait | int:
        """Why a host does not take a task now; else the bytes that it would have free."""
        wanted = session_host or task.host
        if (wanted and host.name != wanted) or not may_be_on(self._fleet, task.origin.lead, profile, host):
            return HostWait(host.name, WaitReason.HOST_OTHER)
        if barred := self._barred(host, task, profile):
            return barred
        most = self._rules.max_agents_per_host
        if most and (there := self._per_host[host.name]) >= most:
            return HostWait(host.name, WaitReason.HOST_FULL, there, most)
        if until := self._credentials.backoffs.login_until(host.name, profile.credential):
            return HostWait(host.name, WaitReason.LOGIN, until=until)
        if other := self._in_folder(host.name, task, profile):
            return HostWait(host.name, WaitReason.FOLDER, about=other)
        return self._overloaded(host) or self._room_on(host, task.profile, profile)

    def _barred(self, host: Host, task: Task, profile: Profile) -> HostWait | None:
        """Why a host takes no such task, however much room it has."""
        if host.link is not LinkState.UP or host.facts is None:
            return HostWait(host.name, WaitReason.HOST_DOWN)
        if not host.facts.owned:
            return HostWait(host.name, WaitReason.HOST_FOREIGN)
        if host.facts.lacks_tmux:
            return HostWait(host.name, WaitReason.HOST_TMUX)
        if host.drain is not None:
            return HostWait(host.name, WaitReason.HOST_DRAINING, about=host.drain.who)
        wished = task.labels or profile.labels
        if wished and (missing := {*task.labels, *profile.labels}.difference(host.labels)):
            return HostWait(host.name, WaitReason.HOST_LABELS, about=", ".join(sorted(missing)))
        wanted = replace(profile, worktree=task.worktree) if task.worktree else profile
        if (lacks := self._lacks(host.name, wanted, task.cwd or profile.cwd)) is not None:
            again = self._fleet.queue.preflights[host.name].again if lacks else 0
            return HostWait(host.name, WaitReason.HOST_UNFIT, until=again, about=lacks)
        return None

    def _overloaded(self, host: Host) -> HostWait | None:
        """That a host's load average is too high for one agent more; None: it is not, or does not count."""
        most, cores = self._rules.load_percent, host.facts.cores if host.facts else 0
        if not most or not cores or host.sample is None or host.sample.load_1m is None:
            return None
        load = round(100 * host.sample.load_1m / cores)
        if load < most:
            return None
        return HostWait(host.name, WaitReason.HOST_LOAD, load // 10 * 10, most, self._later(LOOK_AGAIN))

    def _lacks(self, host: str, profile: Profile, cwd: str) -> str | None:
        """What a host lacks for agents of a profile in a folder, "" while that is looked up; None: nothing."""
        preflight = self._fleet.queue.preflights.get(host)
        if preflight is None:
            return None
        lacks = unfit(self._fleet, host, profile.kind, profile.command, profile)
        if lacks := lacks or unfit_folder(preflight, profile, cwd):
            return lacks
        is_wanted = profile.kind is not AgentKind.COMMAND or profile.worktree
        is_new = (not preflight.at and is_wanted) or (cwd and cwd not in preflight.folders)
        return "" if preflight.looking and is_new else None

    def _room_on(self, host: Host, name: str, profile: Profile) -> HostWait | int:
        """The bytes that a host would have free with one agent more, or why it has no room for it."""
        sample, there = host.sample, self.free_on(host)
        if sample is None or there is None:
            return HostWait(host.name, WaitReason.HOST_MEMORY, until=self._later(LOOK_AGAIN))
        if sample.disk_free is not None and sample.disk_free < self._rules.min_disk:
            return HostWait(host.name, WaitReason.HOST_DISK, sample.disk_free // _ROUND * _ROUND, self._rules.min_disk)
        need = self._need(name, profile.kind)
        free = there - need
        if free < 0:
            left = max(0, free + need) // _ROUND * _ROUND
            return HostWait(host.name, WaitReason.HOST_MEMORY, left, need, until=0)
        return free

    def _need(self, name: str, kind: AgentKind) -> int:
        """The bytes that an agent of a profile is expected to take: the 90th percentile of those that were seen."""
        need = self._needs.get((name, kind))
        if need is None:
            seen = self._grown.get(name, ())
            need = 0 if kind is AgentKind.COMMAND else self._fleet.limits.memory_per_agent
            need = self._needs[name, kind] = sorted(seen)[(len(seen) - 1) * 9 // 10] if len(seen) >= _ENOUGH else need
        return need

    @cached_property
    def _grown(self) -> dict[str, list[int]]:
        """The bytes that agents take which are not young any more, by profile."""
        by_profile: dict[str, list[int]] = {}
        edge = self._now - GROWING
        for agent in self._live:
            if agent.rss and (agent.started or agent.since) < edge:
                by_profile.setdefault(agent.profile, []).append(agent.rss)
        return by_profile

    @cached_property
    def _growth(self) -> Counter[str]:
        """The bytes that young agents, and those on their way, are still expected to take, by host."""
        growth: Counter[str] = Counter()
        edge = self._now - GROWING
        for agent in self._live:
            if (agent.started or agent.since) >= edge:
                growth[agent.host] += max(0, self._need(agent.profile, agent.kind) - (agent.rss or 0))
        for task, attempt in self._unseen:
            profile = self._fleet.profiles.get(task.profile)
            growth[attempt.host] += self._need(task.profile, profile.kind if profile else AgentKind.HEADLESS)
        return growth

    def _in_folder(self, host: str, task: Task, profile: Profile) -> str:
        """The agent that works in the folder of a task on a host; empty: none, or they do not meet there.

        They do not where the profile shares its folder, and where each has a git worktree of its own.
        """
        folder = task.cwd or profile.cwd
        if not folder or profile.shares_folder or task.worktree or profile.worktree:
            return ""
        seen = (agent.id for agent in self._live if agent.host == host and self._folder(agent) == folder)
        mine = {attempt.id for attempt in task.attempts}
        unseen = (
            attempt.id for other, attempt in self._unseen if attempt.host == host and self._folder_of(other) == folder
        )
        return next((id_ for id_ in (*seen, *unseen) if id_ not in mine), "")

    def _folder(self, agent: Agent) -> str:
        """The folder that was ordered of an agent; what its host claims decides nothing."""
        return agent.ordered.cwd if agent.ordered and not agent.ordered.worktree else ""

    def _folder_of(self, task: Task) -> str:
        """The folder that a task is to be carried out in; empty: none is known, or a worktree of its own."""
        profile = self._fleet.profiles.get(task.profile)
        if task.worktree or (profile is not None and profile.worktree):
            return ""
        return task.cwd or (profile.cwd if profile else "")


def is_at_work(agent: Agent) -> bool:
    """Whether an agent takes a place of its fleet: it lives, or is about to, or may live as far as is known."""
    may_live = not has_ended(agent.state, agent.ended, agent.pid) and agent.state is not State.LOST
    return may_live or (agent.pending is not None and agent.pending.verb in STARTS)


def _over(tasks: Iterable[Task], unknown: Mapping[str, int]) -> frozenset[str]:
    """The agents of which no host has told this engine anything, and whose run has ended as the ledger knows.

    `unknown`: their runs. Else a host that is away at a restart would keep the places of all that ever ran there.
    """
    attempts = (attempt for task in tasks for attempt in task.attempts)
    return frozenset(one.id for one in attempts if not one.is_open and unknown.get(one.id) == one.epoch)


def _unseen(running: Iterable[Task], fleet: Fleet) -> list[tuple[Task, Attempt]]:
    """Running tasks whose agent is on its way: no host has shown it yet."""
    open_attempts = ((task, task.last) for task in running if task.last and task.last.is_open)
    rows = ((task, attempt, fleet.agents.get(attempt.id)) for task, attempt in open_attempts)
    return [(task, attempt) for task, attempt, row in rows if row is None or row.epoch < attempt.epoch]
