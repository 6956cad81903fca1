"""What the fleet looks like: rows and headlines for the screen, `status` for scripts. One function per thing shown."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from operator import attrgetter
from typing import NamedTuple

from controlroom.domain.budgets import Budget
from controlroom.domain.gauges import Alarm, AlarmKind, AlarmLevel, urgency
from controlroom.domain.imports import import_progress
from controlroom.domain.model import Agent, Fleet, Host, LinkState, Money, Question, State
from controlroom.domain.overlap import row_words
from controlroom.domain.persistent_tables import differing
from controlroom.domain.questions import asking
from controlroom.domain.tasks import Drain
from controlroom.domain.went_on import went_on
from controlroom.domain.words import age, ago, dollars, size
from controlroom.text.checks import CheckState
from controlroom.text.host_sample import HostSample
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import Payer

How = tuple[State, bool, bool, bool]
"""The state of an agent, whether others started it, whether it has ended, and whether it asks for something."""


@dataclass(frozen=True)
class Counts:
    """Counts of some agents."""

    agents: Mapping[str, Agent] = field(default_factory=dict)
    on: Mapping[str, Mapping[How, int]] = field(default_factory=dict)
    """By host."""
    limited: frozenset[str] = frozenset()
    """Agents that met a limit, by id."""

    def after(self, agents: Mapping[str, Agent]) -> "Counts":
        """Count these, by way of what is different of them."""
        if agents is self.agents:
            return self
        changed = differing(self.agents, agents)
        pairs = [(key, self.agents.get(key), agents.get(key)) for key in changed]
        pairs = [pair for pair in pairs if not all(pair) or _counted(pair[1]) != _counted(pair[2])]
        if not pairs:
            return Counts(agents, self.on, self.limited)
        on: dict[str, Counter[How]] = {}
        for key, before, now in pairs:
            host = key.partition("/")[0]
            counter = on.setdefault(host, Counter(self.on.get(host, {})))
            if before is not None:
                counter[_how(before)] -= 1
            if now is not None:
                counter[_how(now)] += 1
        limited = {key for key, _, now in pairs if now is not None and now.state is State.LIMITED}
        same = not limited and self.limited.isdisjoint(changed)
        return Counts(agents, {**self.on, **on}, self.limited if same else (self.limited - changed) | limited)

    def live_on(self, host: str) -> int:
        """Count the agents of a host that have not ended."""
        return sum(number for (_, _, ended, _), number in self.on.get(host, {}).items() if not ended)

    def all_on(self, host: str) -> int:
        """Count the agents of a host."""
        return sum(self.on.get(host, {}).values())

    @property
    def questions(self) -> int:
        """Count the agents that ask for something."""
        return sum(number for each in self.on.values() for how, number in each.items() if how[3])


_counted = attrgetter("state", "kind", "ended", "pid", "question")
"""All that an agent is counted by."""


def _how(agent: Agent) -> How:
    return agent.state, agent.adopted, agent.has_ended, agent.question is not None


GLYPHS = {
    State.WAITING: "▲",
    State.WORKING: "●",
    State.LIMITED: "◷",
    State.FAILED: "✕",
    State.DONE: "✓",
    State.IDLE: "○",
    State.PAUSED: "‖",
    State.STARTING: "◌",
    State.LOST: "?",
    State.UNKNOWN: "?",
}
ASCII_GLYPHS = {
    State.WAITING: "!",
    State.WORKING: "*",
    State.LIMITED: "%",
    State.FAILED: "x",
    State.DONE: "+",
    State.IDLE: "o",
    State.PAUSED: "=",
    State.STARTING: ".",
    State.LOST: "?",
    State.UNKNOWN: "?",
}
"""The same for fonts that lack the others."""

ORDER = (
    State.WAITING,
    State.FAILED,
    State.LOST,
    State.UNKNOWN,
    State.LIMITED,
    State.IDLE,
    State.STARTING,
    State.WORKING,
    State.PAUSED,
    State.DONE,
)
"""What needs a person first, then what is wrong, then what stands still, then what runs, then what is over."""

MEANINGS = {
    State.WAITING: "a person is asked for something: open it and answer",
    State.FAILED: "it ended without doing what it should; its line says how: exit code, signal or reason",
    State.LOST: "its host cannot be reached: what is shown is as old as it says",
    State.UNKNOWN: "no source says what it does",
    State.LIMITED: "stopped by a rate or plan limit, until the time shown",
    State.IDLE: "it waits for a message",
    State.STARTING: "ordered, and not heard of yet",
    State.WORKING: "it works",
    State.PAUSED: "paused by a budget, and goes on when there is money again; or by somebody, until it is resumed",
    State.DONE: "it has ended well, or was killed by its operator",
}
"""What each state means, for help and manual."""


_RANKS = {state: rank for rank, state in enumerate(ORDER)}


class AgentRow(NamedTuple):
    """One agent as a table shows it; every text is sanitized."""

    id: str
    name: str
    host: str
    epoch: int
    state: State
    """The state to show: `lost` where the host cannot be reached."""
    age: str
    """How long it has been so; for a lost one, how old the last news are."""
    model: str
    rss: int | None
    cpu_percent: float | None
    line: str
    """What to read beside it: its question, why it ended, or its newest line."""
    pending: str
    """The verb of an order on its way, or nothing."""
    question: Question | None
    cost: str = ""
    """What all its runs have cost, as words; empty: no reading."""
    memory: str = ""
    """`rss` as words: `≤2.8G` when it is an upper bound."""
    doubted: bool = False
    """This room did not order it, or its host says otherwise than was ordered (`claims.doubt_words`)."""
    task: str = ""
    """The beginning of what it was told to do, in one line."""
    fleet: str = ""
    """The fleet whose file it is started by; empty: it is of none."""


class HostRow(NamedTuple):
    """One host as a table shows it."""

    name: str
    address: str
    link: LinkState
    age: str
    """How long the link has been so."""
    reason: str
    cpu_percent: float | None
    cpu_history: tuple[float, ...]
    memory_used: int | None
    memory_total: int | None
    memory_history: tuple[float, ...]
    agents: int
    """Agents that have not ended."""
    question: Question | None
    stale: str
    """The age of the figures when they are old, or nothing."""
    agents_known: int = 0
    """All agents, those that have ended too."""
    sample: HostSample | None = None
    """All figures of the last moment."""
    iowait_history: tuple[float, ...] = ()
    network_history: tuple[int, ...] = ()
    cores: int = 0
    owned: bool = True
    """Whether this room may act there, as far as is known."""
    clock_offset: int = 0
    """Milliseconds its clock is ahead of ours."""
    drain: Drain | None = None
    """None: it takes work."""
    progress: str = ""
    """How far its drain is, and what is in the way."""
    share: str = ""
    """The same in a few words: `12/30, 2 failed`."""

    @property
    def taken(self) -> str:
        """Say that another room has the host; "" when it has not, as far as is known now."""
        return "another room's" if self.link is LinkState.UP and not self.owned else ""

    @property
    def barred(self) -> str:
        """Say in a word or two why it takes no work, though it may be up; "" when it does."""
        return self.taken or self._draining

    @property
    def _draining(self) -> str:
        """How a drain stands: `draining 12/30, 2 failed`."""
        if self.drain is None:
            return ""
        if self.drain.stopped:
            return f"drain stopped {self.share}"
        left = self.agents or self.drain.leaving
        return f"draining {self.share}".strip() if left else "drained"


class Headline(NamedTuple):
    """The first line of every screen: how many agents are in each state, how many questions, which hosts are away."""

    counts: dict[State, int]
    questions: int
    hosts_up: int
    hosts_away: tuple[str, ...]


def headline(fleet: Fleet, counted: Counts | None = None) -> Headline:
    """Count. A program of others of which nothing is known is no agent that anybody misses.

    `counted`: the fleet's agents, where they were counted already.
    """
    counted = (counted or Counts()).after(fleet.agents)
    counts = dict.fromkeys(ORDER, 0)
    up = {host.name for host in fleet.hosts.values() if host.link is LinkState.UP}
    for host, agents in counted.on.items():
        for (own, adopted, ended, _), number in agents.items():
            state = own if host in up or ended else State.LOST
            if not (state is State.UNKNOWN and adopted):
                counts[state] += number
    asking = counted.questions + sum(1 for host in fleet.hosts.values() if host.question)
    away = tuple(sorted(fleet.hosts.keys() - up))
    return Headline(counts, asking, len(fleet.hosts) - len(away), away)


def spent_words(money: Money | None) -> str:
    """What was spent today: `$98.20 today`, what a plan covers beside it: `$98.20 and ≈$12.10 today`."""
    if money is None or not (money.day_billed or money.day_covered):
        return ""
    covered = f"≈{dollars(money.day_covered)}" if money.day_covered else ""
    billed = dollars(money.day_billed) if money.day_billed else ""
    return f"{' and '.join(filter(None, (billed, covered)))} today"


def agent_rows(fleet: Fleet, now: int) -> list[AgentRow]:
    """The rows of the agent table, what needs a person first, then by name."""
    agents = sorted(
        fleet.agents.values(),
        key=lambda agent: (need(agent, fleet.state_of(agent)), agent.adopted, agent.name, agent.host),
    )
    return [agent_row(fleet, agent, now) for agent in agents]


def need(agent: Agent, state: State) -> int:
    """Rank an agent by how much it needs a person. A program of others of which nothing is known is no trouble."""
    return _RANKS[State.IDLE if agent.adopted and state is State.UNKNOWN else state]


_TASK_SHOWN = 100
"""Characters of a task that a row has."""


def agent_row(fleet: Fleet, agent: Agent, now: int) -> AgentRow:
    """One agent's row."""
    from controlroom.domain.claims import doubt_words  # the first frame of a screen has no agents

    state = fleet.state_of(agent)
    return AgentRow(
        agent.id,
        agent.called,
        agent.host,
        agent.epoch,
        state,
        row_age(fleet, agent, state, now),
        short_model(agent.model),
        agent.rss,
        agent.cpu_percent,
        agent_line(fleet, agent, now),
        order_words(agent),
        agent.question,
        cost_words(agent),
        memory_words(agent),
        bool(doubt_words(agent)),
        flat(agent.task[:_TASK_SHOWN]),
        fleet_of(fleet, agent),
    )


def flat(task: str) -> str:
    """A task in one line; a host shows where its lines end by a sign."""
    return " ".join(task.replace("␤", " ").split())


def fleet_of(fleet: Fleet, agent: Agent) -> str:
    """The fleet by whose file an agent was started, or its task was added; empty: none."""
    member = fleet.members.get(agent.name)
    if member is not None and member.id == agent.id and 0 < member.epoch <= agent.epoch:
        return member.fleet
    if not fleet.fleets or agent.adopted:
        return ""
    id_ = agent.name.rpartition("-")[2]  # as `queue.naming` calls agents of tasks
    task = fleet.tasks.get(id_)
    if task is None or all(attempt.id != agent.id for attempt in task.attempts):
        return ""
    return next((name for name, one in fleet.fleets.items() if id_ in one.task_ids), "")


def memory_words(agent: Agent) -> str:
    """How much memory an agent takes: `310M`, `≤2.8G` when that is an upper bound; a dash for no reading."""
    return f"{'≤' * (agent.rss_bound and agent.rss is not None)}{size(agent.rss)}"


def cost_words(agent: Agent) -> str:
    """What an agent has cost: `$1.92` when that is billed, `≈$1.92` at list prices when it is not; "" unknown."""
    if agent.spent is None:
        return ""
    return dollars(agent.spent) if agent.billing == Payer.API else f"≈{dollars(agent.spent)}"


_UNDER_WAY = {
    "spawn": "starting",
    "kill": "ending",
    "pause": "pausing",
    "resume": "resuming",
    "move": "moving",
    "reassign": "changing",
    "interrupt": "stopping",
    "forget": "leaving",
    "send": "sending",
    "answer": "sending",
}


def order_words(agent: Agent) -> str:
    """What an order that is on its way does, as a row shows it, or nothing."""
    verb = agent.pending.verb if agent.pending else ""
    return _UNDER_WAY.get(verb, verb)


def row_age(fleet: Fleet, agent: Agent, state: State, now: int) -> str:
    """How long an agent has been in the state that is shown; for a lost one, how old the last news are."""
    host = fleet.hosts.get(agent.host)
    since = host.seen if state is State.LOST and host else agent.since
    return age(now - since) if since else "–"


def limit_end(agent: Agent, now: int) -> int | None:
    """When the limit ends that an agent was stopped by; None when that is over, or is not known."""
    ends = agent.limited_until if agent.state is State.LIMITED else None
    return ends if ends and ends > now else None


def limit_is_over(agent: Agent, now: int) -> bool:
    """Whether the limit that an agent was stopped by has ended since."""
    return agent.state is State.LIMITED and bool(agent.limited_until) and limit_end(agent, now) is None


def _pausing(fleet: Fleet, agent: Agent) -> list[Budget]:
    """The budgets that an agent waits for."""
    if not fleet.budgets:  # as in the first frame of a screen, which does not wait for what decides on money
        return []
    from controlroom.domain.money.ladder import pausing

    return pausing(fleet, agent)


def agent_line(fleet: Fleet, agent: Agent, now: int) -> str:
    """The one line that says most about an agent now."""
    if waits := _pausing(fleet, agent):
        names = " and ".join(f"budget {budget.name}" for budget in waits)
        return f"paused by {names}, until {'it resets or is' if len(waits) == 1 else 'they reset or are'} raised"
    if agent.question:
        return asking(agent.question)
    if agent.trouble and not agent.has_ended:
        return agent.trouble
    if agent.checks is not None and agent.checks.state is CheckState.RUNNING and agent.lives:
        return agent.detail
    if agent.has_ended and (again := _again(fleet, agent)):
        return f"{again}; {agent.detail}" if agent.detail else again
    if (other := went_on(fleet, agent)) is not None:
        return f"moved to {other.host}"
    if overlap := row_words(agent.edited):
        return ": ".join(filter(None, (overlap, _own_line(agent, now))))
    return _own_line(agent, now)


def _own_line(agent: Agent, now: int) -> str:
    """What an agent says itself, or what became of it."""
    if limit_is_over(agent, now):
        return "its limit is over" + (", and it had ended: let it go on" if agent.has_ended else "")
    if agent.has_ended or agent.state in (State.LIMITED, State.IDLE, State.PAUSED):
        return agent.detail or agent.last_line or flat(agent.task)
    return agent.last_line or agent.detail or flat(agent.task)


def _again(fleet: Fleet, agent: Agent) -> str:
    """Whether an agent that ended is started again without being asked, in a few words; "": nothing says so."""
    kept = fleet.queue.restarts.get(agent.id) or fleet.queue.restarts.get(agent.name)
    if kept is None or (kept.host, kept.gave_up) == ("", ""):
        return ""
    return "given up" if kept.gave_up else "starts again" if kept.starting or kept.wait else ""


def short_model(model: str) -> str:
    """Shorten a Claude model name for a column: `claude-sonnet-5-5` -> `sonnet-5.5`; a date at its end is left out."""
    parts = model.removeprefix("claude-").split("[")[0].split("-")
    if len(parts[-1]) == 8 and parts[-1].isdigit():
        parts.pop()
    if len(parts) > 2 and parts[-1].isdigit() and parts[-2].isdigit():
        parts[-2:] = [f"{parts[-2]}.{parts[-1]}"]
    return "-".join(parts)


def host_rows(fleet: Fleet, now: int, counted: Counts | None = None) -> list[HostRow]:
    """The rows of the host table: those that need somebody first, then by name. `counted`: as for `headline`."""
    counted = (counted or Counts()).after(fleet.agents)
    trouble = (LinkState.ASKING, LinkState.REFUSED, LinkState.LOST, LinkState.CONNECTING, LinkState.UP)
    hosts = sorted(fleet.hosts.values(), key=lambda host: (trouble.index(host.link), host.name))
    return [host_row(fleet, host, now, counted) for host in hosts]


_DISK_FULL = "its disk is full: lines of its agents' logs are lost"


def host_row(fleet: Fleet, host: Host, now: int, counted: Counts | None = None) -> HostRow:
    """The row of one host. `counted`: as for `headline`."""
    counted = (counted or Counts()).after(fleet.agents)
    sample = host.sample
    old = host.link is not LinkState.UP and host.seen
    return HostRow(
        host.name,
        host.address,
        host.link,
        age(now - host.since),
        host.reason
        or (_DISK_FULL if sample and sample.disk_is_full else host.notice)
        or import_progress(host.imported),
        sample.cpu_percent if sample else None,
        host.cpu_history,
        sample.memory_used if sample else None,
        sample.memory_total if sample else host.facts.memory_total if host.facts else None,
        host.memory_history,
        counted.live_on(host.name),
        host.question,
        age(now - host.seen) if old else "",
        counted.all_on(host.name),
        sample,
        host.iowait_history,
        host.network_history,
        host.facts.cores if host.facts else 0,
        host.facts.owned if host.facts else True,
        host.facts.clock_offset if host.facts else 0,
        host.drain,
        *_drain_progress(fleet, host, now),
    )


def _drain_progress(fleet: Fleet, host: Host, now: int) -> tuple[str, str]:
    """How far the drain of a host is, in full and in short; empty: it moves nothing."""
    if host.drain is None or not host.drain.move:
        return "", ""
    # hardly any host is drained, and this takes long to load
    from controlroom.domain.display.drains import progress_words, short_words

    return progress_words(fleet, host, now), short_words(fleet, host)


def drain_words(drain: Drain, now: int, progress: str = "") -> str:
    """Say who drains a host, since when, and why. `progress`: how far it is, and what is in the way."""
    reason = f" ({drain.reason})" if drain.reason else ""
    moves = "; what is at work there goes on elsewhere" if drain.move else ""
    return f"drained by {drain.who}, {ago(now - drain.at)}{reason}{moves}{'; ' * bool(progress)}{progress}"


class Line(NamedTuple):
    """One line for people. `label` stands before it, empty where it goes on; `tone`: plain, warn or do."""

    label: str
    words: str
    tone: str = "plain"


_TONES = {AlarmLevel.DANGER: "bad", AlarmLevel.WARNING: "warn"}


def worst_first(fleet: Fleet) -> list[Alarm]:
    """All alarms, the worst first, of equal ones the newest."""
    return sorted(fleet.alarms.values(), key=urgency)


def _alarm_steps(fleet: Fleet, alarm: Alarm) -> Iterator[str]:
    """What can be done about an alarm, beside what it says itself."""
    if alarm.kind is AlarmKind.BUDGET and alarm.subject in fleet.budgets:
        raising = f"controlroom budget set {alarm.subject} --limit …"
        yield f"Raise it, or wait until it resets  [{raising}]"
    elif alarm.agent in fleet.agents:
        yield f"See why  [controlroom explain {alarm.agent}]"
    elif alarm.kind is AlarmKind.DISK:
        yield f"See what fills it  [controlroom host check {alarm.subject}]"


def alarm_lines(fleet: Fleet, now: int, clock: Callable[[int], str]) -> list[Line]:
    """What to read about all alarms: how bad, since when, what, and what to do."""
    rows: list[Line] = []
    for alarm in worst_first(fleet):
        since = f"since {clock(alarm.since)}, {age(now - alarm.since)}" if alarm.since else ""
        facts = " · ".join(filter(None, (alarm.agent, since)))
        rows.append(Line(alarm.level, alarm.text, _TONES.get(alarm.level, "")))
        rows += [Line("", facts, "")] * bool(facts)
        rows += [Line("do", words, "do") for words in _alarm_steps(fleet, alarm)]
    return rows
