"""The fleet: one frozen value that holds everything known. Times are UTC milliseconds of the engine's clock.

Text that came from a host is sanitized already (`engine.hosts.translate` sanitized it). None means: not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from controlroom.domain.address import HostKind, kind_of
from controlroom.domain.adoption import Adoption
from controlroom.domain.budgets import Budget
from controlroom.domain.care_rules import CareRules
from controlroom.domain.fleet_files import AppliedFleet, Member
from controlroom.domain.gauges import Alarm, Headroom
from controlroom.domain.imports import UsageImport
from controlroom.domain.leads import Lead
from controlroom.domain.orders import Claim, Order, Work
from controlroom.domain.persistent_tables import hosted, table
from controlroom.domain.questions import Question as Question
from controlroom.domain.restart_rules import RestartRules
from controlroom.domain.tasks import Drain, Queue, Task
from controlroom.domain.worktrees import Worktree
from controlroom.text.checks import Checks
from controlroom.text.host_sample import HostSample
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import ENDED, LIVE, AgentKind, Cause, Payer, State, StrEnum, has_ended, lives

__all__ = ["ENDED", "LIVE", "State"]


class LinkState(StrEnum):
    """How we stand with a host. `asking`: a person must answer a question before we go on; `refused`: it will not have
    us (or we not it), and trying again changes nothing until somebody acts; `lost`: we keep trying."""

    CONNECTING = "connecting"
    UP = "up"
    ASKING = "asking"
    LOST = "lost"
    REFUSED = "refused"


@dataclass(frozen=True)
class Evidence:
    """One source's view of an agent's state, and whether it agrees with what is shown."""

    source: str
    state: str
    value: str
    at: int
    agrees: bool = True


@dataclass(frozen=True)
class HostFacts:
    """What a host said of itself when we met."""

    hostname: str
    user: str
    platform: str
    python: str
    tmux: str
    """Version; empty: not installed, or not known (`tmux_problem`)."""
    cores: int
    memory_total: int
    machine_id: str
    boot_id: str
    clock_offset: int
    """Milliseconds the host's clock is ahead of ours."""
    owned: bool
    """Whether this room may act there. False: another room owns it."""
    owner_epoch: int = 0
    tmux_problem: str = ""
    """Why tmux could not be asked for its version."""
    place: str = ""
    """Names the home we act in there, until its machine is started anew. A claim: any host may name another one's."""

    @property
    def lacks_tmux(self) -> bool:
        """Whether it was looked for there and is missing."""
        return not self.tmux and not self.tmux_problem

    @property
    def tmux_words(self) -> str:
        """What tmux is like there."""
        if self.tmux_problem:
            return "tmux not known"
        return f"tmux {self.tmux}" if self.tmux else "no tmux"


@dataclass(frozen=True)
class Host:
    """A machine that runs agents."""

    name: str
    address: str
    """`local`, or user@address:port as it was added; a name of ~/.ssh/config is fine."""
    link: LinkState = LinkState.CONNECTING
    since: int = 0
    reason: str = ""
    """Why the link is as it is, and what to do, in a sentence."""
    seen: int = 0
    """When the host was last heard; what is shown of it is as old as that."""
    facts: HostFacts | None = None
    sample: HostSample | None = None
    cpu_history: tuple[float, ...] = ()
    """CPU per cent of the last samples, oldest first."""
    memory_history: tuple[float, ...] = ()
    iowait_history: tuple[float, ...] = ()
    network_history: tuple[int, ...] = ()
    """Bytes a second, in and out together."""
    question: Question | None = None
    notice: str = ""
    """The last thing the host's node wanted its operator to know."""
    labels: tuple[str, ...] = ()
    """What tasks and profiles may want of it, as the config says it."""
    drain: Drain | None = None
    """None: it takes work."""
    size: str = ""
    """What its provider calls a machine like it, as the config says it: sizes are known by machines.toml."""
    imported: UsageImport | None = None
    """How far its transcripts from before are counted; None: nothing is known of any."""

    @property
    def kind(self) -> HostKind:
        """How it is reached."""
        return kind_of(self.address)


@dataclass(frozen=True)
class Overlap:
    """Another agent that has edited a file which one has edited, too."""

    other: str
    """Its id."""
    repository: str
    path: str
    """The first of the files that both have edited, from the top of the repository on."""
    files: int = 1
    """How many both have edited, as far as is known."""


@dataclass(frozen=True)
class Edited:
    """What an agent has edited in repositories that is not undone or merged, as its host claims."""

    files: int
    in_part: bool = False
    """There may be more files: of those nothing is known."""
    overlaps: tuple[Overlap, ...] = ()
    """With other agents, some of them."""


@dataclass(frozen=True)
class Agent:
    """A named long-running command in its own tmux session. `epoch` counts its (re)starts."""

    host: str
    name: str
    epoch: int
    kind: AgentKind
    state: State
    since: int
    detail: str = ""
    cause: Cause = Cause.UNSAID
    """Why it is paused or has failed, where something follows from that."""
    profile: str = ""
    model: str = ""
    cwd: str = ""
    task: str = ""
    """The first 200 characters of its task."""
    pid: int | None = None
    session: str = ""
    started: int = 0
    ended: int = 0
    exit_code: int | None = None
    exit_signal: int | None = None
    question: Question | None = None
    limited_until: int | None = None
    denied: int = 0
    log_bytes: int = 0
    evidence: tuple[Evidence, ...] = ()
    rss: int | None = None
    """Bytes of memory that its processes take, what they share counted once."""
    rss_bound: bool = False
    """`rss` is an upper bound: what they share is not known."""
    cpu_percent: float | None = None
    processes: int | None = None
    billing: Payer = Payer.UNKNOWN
    """Who pays, as far as is known."""
    billing_doubt: str = ""
    """How what its Claude says of who pays disagrees with what is set up on its host."""
    stray_key: str = ""
    """What moves it off the plan of its host though nothing asks for it: a variable, a setting; never the key."""
    spent: int | None = None
    """Micro-dollars that all its runs have cost at list prices; None: no reading."""
    grant: int = 0
    """The number of the grant that its runner goes by; 0: none."""
    run_spent: int = 0
    """What this run has cost by its runner's count, micro-dollars; said with each grant it took, and at the end."""
    run_tokens: int = 0
    subagents: int | None = None
    """How many subagents of it are at work, as its runner sees it while a budget binds it; None: not known."""
    forged: int = 0
    """How many orders have come to its runner that its room had not signed, as its host says."""
    trouble: str = ""
    """What is wrong with it though it runs, as its runner says: nothing heard for long, the same failure, its size."""
    checks: Checks | None = None
    """What came of the checks of its work, as its host says; None: none have run."""
    nothing_changed: bool = False
    """It is done, and has changed no file and answered nothing, as its host says."""
    last_line: str = ""
    last_line_at: int = 0
    pending: Order | None = None
    place: str = ""
    """Of an adopted one: where it lives, `tmux work` (a session on the host's own tmux server) or `pid 1234`."""
    pane: str = ""
    """Of an adopted one in tmux: its pane, as `%12`, on the host user's own server (socket `default`)."""
    mark: str = ""
    """Of an adopted one: names its process for ever, as its host says; orders about it carry this."""
    script: str = ""
    """Of an adopted one: the mark of the script that runs it and nothing else; empty: there is none."""
    adoption: Adoption | None = None
    """Of an adopted one that this room has taken over: what was ordered of it."""
    ordered: Work | None = None
    """What this room ordered of this run; None: it did not order it, and all of this is what its host claims."""
    claims: tuple[Claim, ...] = ()
    """What its host says of it and cannot be, by what was ordered."""
    edited: Edited | None = None
    """What it has edited, joined with what others have; None: not known."""
    worktree: Worktree | None = None
    """The git worktree of its own that it works in, as its host says; None: it has none, or its host says nothing."""

    @property
    def adopted(self) -> bool:
        """Whether somebody else started it: it is looked at, and nothing else unless it was taken over."""
        return self.kind == AgentKind.ADOPTED

    @property
    def held(self) -> bool:
        """Whether this room may act on it: it started it, or has taken it over."""
        return not self.adopted or self.adoption is not None

    @property
    def called(self) -> str:
        """What it is called here: its name, or the one that it was taken over with."""
        return self.adoption.name if self.adoption else self.name

    @property
    def has_ended(self) -> bool:
        """Whether its run has ended: it goes on only by a new epoch."""
        return has_ended(self.state, self.ended, self.pid)

    @property
    def lives(self) -> bool:
        """Whether its process may be running on its host, as far as is known."""
        return lives(self.state, self.ended, self.pid)

    @property
    def runs(self) -> bool:
        """Whether it lives; of one that others started also where its process runs and nothing says what it does."""
        unsaid = self.adopted and self.state is State.UNKNOWN and bool(self.pid) and not self.ended
        return self.lives or unsaid

    @property
    def id(self) -> str:
        """`host/name`: what names an agent in the whole fleet."""
        return f"{self.host}/{self.name}"

    @property
    def lead(self) -> str:
        """The lead that began it, by what was ordered; empty: none did."""
        return self.ordered.lead if self.ordered else ""


def with_changes(agent: Agent, **changes: object) -> Agent:
    """Do what `dataclasses.replace` does, without setting forty fields one by one: lines come by the hundred."""
    made = object.__new__(Agent)
    made.__dict__.update(agent.__dict__, **changes)
    return made


@dataclass(frozen=True)
class Credential:
    """One of several that a profile names; what it holds stays in the config, or on hosts."""

    name: str
    key: str
    """Names what it logs in with, as `Profile.credential` does."""
    billing: Payer = Payer.UNKNOWN
    folder: str = ""
    """Where its Claude keeps its login and its sessions; empty: in the folder of the host's user."""
    own_login: bool = False
    """It brings its login: whether Claude is logged in on a host says nothing of it."""
    organisation: str = ""
    """Whose key it is, where the config names several; "": that of the room's own."""


@dataclass(frozen=True)
class Profile:
    """A named template to spawn from; what may be shown of it (its environment and credential stay in the config)."""

    name: str
    kind: AgentKind = AgentKind.HEADLESS
    command: tuple[str, ...] = ()
    model: str = ""
    permission_mode: str = ""
    cwd: str = ""
    priority: int = 0
    """Who goes on when a budget runs dry: agents of a higher priority last longer."""
    billing: Payer = Payer.UNKNOWN
    """Who will pay, where the profile says so."""
    max_agents: int = 0
    """Agents of it that the queue has at work at once; 0: as many as there is room for."""
    shares_folder: bool = False
    """Several of its tasks may be at work in one folder."""
    takes_outside: bool = True
    """It carries out tasks whose text may be somebody else's."""
    own_login: bool = False
    """It brings a login, or an environment that may hold one: whether Claude is logged in there says nothing of it."""
    restarts: RestartRules = field(default_factory=RestartRules)
    """Which of its agents are started without being asked."""
    labels: tuple[str, ...] = ()
    """What a host must have for its tasks."""
    needs_repository: bool = False
    """Its agents work in git repositories alone."""
    credential: str = ""
    """Names what it logs in with, and tells nothing of it: profiles with the same one share their backoff."""
    credentials: tuple[Credential, ...] = ()
    """Those of which its agents take the one with the most left; none: they take `credential`."""
    organisation: str = ""
    """Whose key it logs in with, as `Credential.organisation`."""
    switches_model: bool = False
    """Agents of it that are at work go over to cheaper models when a budget says so, and back."""
    worktree: str = ""
    """What the git worktrees of its agents begin from (`worktrees.HEAD`, a branch); empty: they have none."""
    lead: str = ""
    """The lead whose token its agents get, to lead others with; empty: none."""
    care: CareRules = field(default_factory=CareRules)
    """What its agents may take, and what ends them."""


@dataclass(frozen=True)
class Money:
    """What the whole room has spent since the hour and the day began where the engine is; micro-dollars.

    `billed`: what keys pay; `covered`: everything else, at list prices. The two are never summed.
    """

    hour_billed: int = 0
    hour_covered: int = 0
    day_billed: int = 0
    day_covered: int = 0


@dataclass(frozen=True)
class Limits:
    """What a spawn must leave untouched."""

    memory_per_agent: int = 400 * 1024 * 1024
    """Bytes that an agent is taken to need on its host; 0 switches the check off."""
    cheaper: tuple[str, ...] = ("opus", "sonnet", "haiku")
    """Models from dear to cheap, as parts of their names: what budgets that go cheaper go by."""
    zone: str = ""
    """Where the room's days begin, as `text.time_zones` reads it; "": that of whoever looks."""


@dataclass(frozen=True)
class Fleet:
    """All hosts, agents, profiles and limits of one room. Only the engine makes a new one."""

    room: str = ""
    hosts: Mapping[str, Host] = field(default_factory=dict)
    agents: Mapping[str, Agent] = field(default_factory=dict)
    """By id."""
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    money: Money | None = None
    """None: no reading."""
    budgets: Mapping[str, Budget] = field(default_factory=dict)
    """By name."""
    headroom: Mapping[str, Headroom] = field(default_factory=dict)
    """By key: what is left of every limit that has been heard of."""
    alarms: Mapping[str, Alarm] = field(default_factory=dict)
    """By what they are about, as `ledger` or `budget day`."""
    tasks: Mapping[str, Task] = field(default_factory=dict)
    """By id: all that are open, and those that ended last."""
    queue: Queue = field(default_factory=Queue)
    leads: Mapping[str, Lead] = field(default_factory=dict)
    """By name."""
    fleets: Mapping[str, AppliedFleet] = field(default_factory=dict)
    """Fleet files as they were applied, by name."""
    members: Mapping[str, Member] = field(default_factory=dict)
    """The agents of fleet files, by name: no two files have one of the same name."""

    def __post_init__(self) -> None:
        """Have the records in tables, whatever they were given in: to change one is cheap, however many there are."""
        object.__setattr__(self, "agents", hosted(self.agents))
        for part in ("hosts", "budgets", "headroom", "alarms", "tasks", "fleets", "members"):
            object.__setattr__(self, part, table(getattr(self, part)))

    def agents_on(self, host: str) -> list[Agent]:
        """The agents of one host, in no particular order. What others have costs nothing."""
        agents = hosted(self.agents)
        return [*agents.on(host).values(), *agents.adopted_on(host).values()]

    def reachable(self, agent: Agent) -> bool:
        """Whether the agent's host can be asked right now."""
        host = self.hosts.get(agent.host)
        return host is not None and host.link is LinkState.UP

    def state_of(self, agent: Agent) -> State:
        """The state to show: `lost` when a live agent's host cannot be reached, else the agent's own."""
        return agent.state if self.reachable(agent) or agent.has_ended else State.LOST

    def questions(self) -> list[tuple[str, Question]]:
        """Every open question with the host or agent id that it is about, oldest first."""
        asked = [(name, host.question) for name, host in self.hosts.items() if host.question]
        asked += [(agent.id, agent.question) for agent in self.agents.values() if agent.question]
        return sorted(asked, key=lambda pair: (pair[1].asked, pair[0]))

    def hosts_at(self, place: str, besides: str) -> list[str]:
        """Name the other hosts that say they are at the same place (`HostFacts.place`)."""
        hosts = (host for host in self.hosts.values() if host.facts and place and host.facts.place == place)
        return [host.name for host in hosts if host.name != besides]

    def find(self, text: str) -> list[Agent]:
        """The agents that `text` may mean: an id, a name (on several hosts perhaps), or a tmux session's name."""
        if "/" in text and text in self.agents:
            return [self.agents[text]]
        ids = (f"{host}/{text}" for host in self.hosts)
        named = [self.agents[id_] for id_ in ids if id_ in self.agents]
        if not named:
            host, _, name = text.rpartition("/")
            taken = [one for one in self.agents.values() if one.adoption and one.called == name]
            here = [agent for agent in taken if host in ("", agent.host)]
            named = [agent for agent in here if agent.lives] or here
        return named or [agent for agent in self.agents.values() if agent.adopted and agent.place == f"tmux {text}"]


@dataclass(frozen=True)
class LogPlace:
    """A position in an agent's log, always before a record. Segments count from 1."""

    epoch: int
    segment: int
    offset: int


def with_parts(fleet: Fleet, parts: Mapping[str, object]) -> Fleet:
    """Do what `dataclasses.replace` does, with records that are in tables: a fleet is another one after each line."""
    made = object.__new__(Fleet)
    made.__dict__.update(fleet.__dict__, **parts)
    return made
