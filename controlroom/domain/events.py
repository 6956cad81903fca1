"""What happened. `reduce` turns these into a new fleet; nothing else does."""

from collections.abc import Mapping
from dataclasses import field

from controlroom.domain.adoption import Adoption
from controlroom.domain.budgets import Budget
from controlroom.domain.fleet_files import AppliedFleet, Member
from controlroom.domain.gauges import Alarm, Headroom
from controlroom.domain.imports import UsageImport
from controlroom.domain.leads import Lead
from controlroom.domain.model import Agent, Edited, HostFacts, Limits, LinkState, Money, Profile, Question
from controlroom.domain.orders import Order, Result
from controlroom.domain.overlap import Edits
from controlroom.domain.tasks import Drain, Queue, Task
from controlroom.text.host_sample import HostSample
from controlroom.text.lazy_dataclass import dataclass


@dataclass(frozen=True)
class Configured:
    """The config was read: these are the profiles, limits and hosts (name -> address) of the room."""

    profiles: Mapping[str, Profile]
    limits: Limits
    hosts: Mapping[str, str]
    at: int
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Of the hosts that have any, by name."""
    sizes: Mapping[str, str] = field(default_factory=dict)
    """What providers call machines like them, of hosts of which the config says it."""


@dataclass(frozen=True)
class HostAdded:
    """A host was added to the room."""

    host: str
    address: str
    at: int
    labels: tuple[str, ...] = ()
    size: str = ""


@dataclass(frozen=True)
class HostLabelled:
    """A host has these labels from now on."""

    host: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class HostRemoved:
    """A host was taken out of the room. Its agents live on; we no longer look."""

    host: str


@dataclass(frozen=True)
class LinkChanged:
    """The link to a host is now so, for this reason."""

    host: str
    link: LinkState
    at: int
    reason: str = ""
    question: Question | None = None


@dataclass(frozen=True)
class HostMet:
    """The host's node said hello: the link is up."""

    host: str
    facts: HostFacts
    at: int
    proven: tuple[str, ...] = ()
    """What its login proved of who is there (`Dialler.proven`); what it says of itself are claims."""


@dataclass(frozen=True)
class HostClockSeen:
    """A host's clock is by now so many milliseconds ahead of ours."""

    host: str
    offset: int


@dataclass(frozen=True)
class ClockSet:
    """The engine's clock was set, forward or back by so many milliseconds: what was noted before moves with it."""

    by: int


@dataclass(frozen=True)
class HostSampled:
    """New figures of a machine."""

    host: str
    sample: HostSample


@dataclass(frozen=True)
class HostOwned:
    """Who may act on a host: this room, or another one that owns it."""

    host: str
    owned: bool
    epoch: int


@dataclass(frozen=True)
class HostDrained:
    """A host takes nothing new, or (None) takes work again."""

    host: str
    drain: Drain | None


@dataclass(frozen=True)
class TmuxFound:
    """What tmux is like on a host by now: its version, or why it is not known; neither: there is none."""

    host: str
    version: str
    problem: str


@dataclass(frozen=True)
class HostNoticed:
    """A host's node has something to tell its operator."""

    host: str
    text: str
    at: int


@dataclass(frozen=True)
class ImportSeen:
    """How far the transcripts of a host from before are counted."""

    host: str
    imported: UsageImport


@dataclass(frozen=True)
class AgentsObserved:
    """What a host knows of these agents now. `complete`: it has no others."""

    host: str
    agents: tuple[Agent, ...]
    at: int
    complete: bool = False
    gone: tuple[str, ...] = ()


@dataclass(frozen=True)
class AdoptedObserved:
    """Agents of a host that others started. `complete`: no others live; else these have changed, or have ended."""

    host: str
    agents: tuple[Agent, ...]
    at: int
    complete: bool = True


@dataclass(frozen=True)
class AdoptedForgotten:
    """An agent that others started, and that has ended, is not to be shown any longer."""

    agent: str


@dataclass(frozen=True)
class AdoptionChanged:
    """An agent that others started was taken over, or what was ordered of it is otherwise."""

    agent: str
    adoption: Adoption | None


@dataclass(frozen=True)
class AdoptedTroubled:
    """What is wrong with an agent that others started and that was taken over; empty: nothing any more."""

    agent: str
    trouble: str


@dataclass(frozen=True)
class LineSeen:
    """The newest line of an agent."""

    agent: str
    epoch: int
    text: str
    at: int


@dataclass(frozen=True)
class LinesSeen:
    """Newest lines of agents of one host."""

    host: str
    lines: tuple[LineSeen, ...]
    at: int


@dataclass(frozen=True)
class LoadSeen:
    """What one agent's process tree uses."""

    agent: str
    epoch: int
    rss: int
    cpu_percent: float
    processes: int
    rss_bound: bool = False


@dataclass(frozen=True)
class LoadsSeen:
    """Loads of agents of one host."""

    host: str
    loads: tuple[LoadSeen, ...]
    at: int


@dataclass(frozen=True)
class SpendingSeen:
    """What agents of a host have cost in all, by id, at list prices; micro-dollars."""

    host: str
    spent: Mapping[str, int]


@dataclass(frozen=True)
class EditsSeen:
    """What agents of a host have edited, by id, as it claims; None: it could not look. `engine.overlaps` joins it."""

    host: str
    agents: Mapping[str, tuple[Edits, ...] | None]
    at: int


@dataclass(frozen=True)
class EditsJoined:
    """What agents have edited by now, by id, and who else has edited that; None: nothing is known of one any more."""

    agents: Mapping[str, Edited | None]
    at: int


@dataclass(frozen=True)
class MoneySeen:
    """What the whole room has spent."""

    money: Money


@dataclass(frozen=True)
class BudgetsSeen:
    """The budgets as they stand: these and no others."""

    budgets: Mapping[str, Budget]


@dataclass(frozen=True)
class HeadroomSeen:
    """What the limits leave: these and no others."""

    headroom: Mapping[str, Headroom]


@dataclass(frozen=True)
class Alarmed:
    """There is something to tell about this, or (None) no longer."""

    about: str
    alarm: Alarm | None


@dataclass(frozen=True)
class TasksSeen:
    """Tasks as they stand by now, and the ids of those that are not to be shown any longer."""

    tasks: tuple[Task, ...] = ()
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True)
class FleetsSeen:
    """Applied fleet files and their agents as they stand by now, and the names of those that are no more."""

    fleets: tuple[AppliedFleet, ...] = ()
    members: tuple[Member, ...] = ()
    dropped: tuple[str, ...] = ()
    """Fleets."""
    left: tuple[str, ...] = ()
    """Agents that are of no fleet file any longer."""


@dataclass(frozen=True)
class QueueSeen:
    """The queue as it stands by now."""

    queue: Queue


@dataclass(frozen=True)
class LeadsSeen:
    """The leads as they stand by now: these and no others."""

    leads: Mapping[str, Lead]


@dataclass(frozen=True)
class Ordered:
    """An order about an agent was accepted and is on its way. A spawn brings the agent's row, in state `starting`."""

    order: Order
    row: Agent | None = None


@dataclass(frozen=True)
class Concluded:
    """What became of an order about an agent."""

    op: int
    agent: str
    result: Result
    at: int


Event = (
    Configured
    | HostAdded
    | HostLabelled
    | HostRemoved
    | LinkChanged
    | HostMet
    | HostClockSeen
    | ClockSet
    | HostSampled
    | HostOwned
    | HostDrained
    | TmuxFound
    | HostNoticed
    | ImportSeen
    | AgentsObserved
    | AdoptedObserved
    | AdoptedForgotten
    | AdoptionChanged
    | AdoptedTroubled
    | LinesSeen
    | LoadsSeen
    | SpendingSeen
    | EditsSeen
    | EditsJoined
    | MoneySeen
    | BudgetsSeen
    | HeadroomSeen
    | Alarmed
    | TasksSeen
    | FleetsSeen
    | QueueSeen
    | LeadsSeen
    | Ordered
    | Concluded
)
