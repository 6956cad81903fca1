"""What hosts say, taken into the fleet, and what follows from it in other parts of the engine."""

import asyncio
from collections.abc import Iterable
from dataclasses import field, replace

from controlroom.domain import events
from controlroom.domain.clock_set import later
from controlroom.domain.gauges import Alarm
from controlroom.domain.model import Agent, Fleet, LinkState
from controlroom.domain.orders import Result
from controlroom.domain.persistent_tables import hosted
from controlroom.domain.reduce import is_long_ended
from controlroom.engine.adoptions import AdoptionBook
from controlroom.engine.budgets.controller import BudgetController
from controlroom.engine.budgets.spending import Spending
from controlroom.engine.claims import ClaimChecker, UnorderedWatch
from controlroom.engine.history import HistoryRecorder
from controlroom.engine.hosts.channel import HostRefuses
from controlroom.engine.hosts.inquiries import Inquiries
from controlroom.engine.hosts.log_router import LogRouter
from controlroom.engine.hosts.translate_usage import Counted, LoginSeen
from controlroom.engine.imports import UsageImports
from controlroom.engine.ledger.task_tables import keep_drains
from controlroom.engine.ledger.writer import Keep, LedgerWriter
from controlroom.engine.limits.limit_tracker import LimitTracker
from controlroom.engine.orders import OrderBook
from controlroom.engine.overlaps import OverlapWatch
from controlroom.engine.store import FleetStore
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import Outcome
from controlroom.wire.messages import Reply

SILENCE = 5.0
"""Seconds that a host may take to say which agents it has."""

SWEEP = 60_000
"""Milliseconds between two looks for ended agents of others that have been shown long enough."""

_UNPROVEN = (
    "{0} says that it is the same machine and user as {1}, and its host key does not bear that out: one of the two "
    "lies, or one machine is reached in two ways. If it is one machine: controlroom host remove {0}, or its agents "
    "count twice"
)


@dataclass(eq=False)
class HostEvents:
    """The sink of all links. All methods are called on the event loop."""

    store: FleetStore
    orders: OrderBook
    claims: ClaimChecker
    unordered: UnorderedWatch
    budgets: BudgetController
    spending: Spending
    headroom: LimitTracker
    inquiries: Inquiries
    logs: LogRouter
    ledger_writer: LedgerWriter
    history: HistoryRecorder
    overlaps: OverlapWatch
    imports: UsageImports
    adoptions: AdoptionBook
    _met: dict[str, events.HostMet] = field(default_factory=dict)
    """Hosts that are connected and have not said yet which agents they have."""
    _proven: dict[str, set[str]] = field(default_factory=dict)
    """What the logins proved of who is there (`Dialler.proven`), by host."""
    _swept: int = 0

    def __post_init__(self) -> None:
        self.store.when_clock_set(self._clock_set)

    def happened(self, event: events.Event) -> None:
        """Reduce an event, and do what follows from it."""
        match event:
            case events.HostMet():
                self._meet(event)
            case events.AgentsObserved():
                self._observe(event)
            case events.AdoptedObserved():
                self._observe_adopted(event)
            case events.AdoptedForgotten():
                self._forget(event)
            case events.EditsSeen():
                self.overlaps.seen(event)
            case events.HostSampled():
                self.store.apply(event)
                self.ledger_writer.heard(self.store.fleet.hosts.get(event.host))
            case events.LinkChanged():
                self._met.pop(event.host, None)
                self.store.apply(event)
                if event.link is not LinkState.UP:
                    self._lose(event.host)
            case _:
                self.store.apply(event)

    def replied(self, host: str, reply: Reply) -> None:
        """Conclude what a host answers, an order or a grant; an answer that nobody waits for changes nothing."""
        if not self.orders.replied(host, reply):
            self.budgets.replied(host, reply)

    def counted(self, host: str, counted: Counted) -> None:
        """Count what an agent has used, or how far the windows of its plan are."""
        if isinstance(counted, LoginSeen):
            self.headroom.heard(counted)
        else:
            self.spending.used(host, counted)
            self.history.used(counted)
            self.headroom.used(host, counted)

    def link_failed(self, host: str, reason: str) -> None:
        """Show that a link has ended by a mistake of ours."""
        self.happened(events.LinkChanged(host, LinkState.LOST, self.store.clock(), reason))

    def removed(self, host: str) -> None:
        """Give up all that is known of a host that was taken out of the room."""
        self._met.pop(host, None)
        self._proven.pop(host, None)
        self._alarm_place(host, "")
        self._lose(host)
        for opened in self.orders.of(host):
            self.orders.conclude(opened, Result(Outcome.UNKNOWN, f"{host} was taken out of the room"))
        self.logs.observed(host, (), (), complete=True)
        self.claims.left(host)
        self.adoptions.left(host)
        self.headroom.left(host)
        self.overlaps.all_observed(host)
        self.imports.removed(host)
        self.ledger_writer.observed(host, Fleet(), complete=True)
        self.ledger_writer.forgotten(host)
        self.ledger_writer.outbox.put(keep_drains(self.store.fleet.hosts.values()), Keep.STATE)

    def forget_old(self) -> None:
        """Take ended agents of others off the screen in time, whether there is news of them or not."""
        at = self.store.clock()
        if abs(at - self._swept) < SWEEP:
            return
        self._swept = at
        agents = hosted(self.store.fleet.agents)
        for agent in [agent for host in self.store.fleet.hosts for agent in agents.adopted_on(host).values()]:
            if is_long_ended(agent, at):
                self._forget(events.AdoptedForgotten(agent.id))

    # ----------------------------------------------------------------------- a host comes and goes

    def _meet(self, event: events.HostMet) -> None:
        """Show that a host is up once it has said which agents it has, so that until then none seems missing.

        Raises `HostRefuses` for a place that another host of the room stands for: its agents would be there twice. A
        host may claim any place, so it counts only where the logins prove one machine and user.
        """
        twins = self.store.fleet.hosts_at(event.facts.place, event.host)
        if twin := next((name for name in twins if not self._proven.get(name, set()).isdisjoint(event.proven)), ""):
            raise HostRefuses(f"it is the same machine and user as {twin}: controlroom host remove {event.host}")
        self._proven[event.host] = set(event.proven)
        self._alarm_place(event.host, _UNPROVEN.format(event.host, twins[0]) if twins else "")
        host = self.store.fleet.hosts.get(event.host)
        if host is not None and host.link is LinkState.UP:
            self.store.apply(event)
            return
        self._met[event.host] = event
        asyncio.get_running_loop().call_later(SILENCE, self._meet_silent, event)

    def _meet_silent(self, event: events.HostMet) -> None:
        if self._met.get(event.host) is event:
            del self._met[event.host]
            self.store.apply(event)

    def _alarm_place(self, host: str, words: str) -> None:
        """Raise the alarm that a host says it is another one, or end it."""
        about = f"place {host}"
        if words or about in self.store.fleet.alarms:
            alarm = Alarm(words, since=self.store.clock()) if words else None
            self.store.apply(events.Alarmed(about, alarm))

    def _lose(self, host: str) -> None:
        """Expect nothing of a host whose link is gone: what was on its way may or may not have arrived."""
        self.inquiries.host_down(host)
        self.budgets.host_down(host)
        self.spending.host_down(host)
        self.imports.host_down(host)
        self.ledger_writer.left(host)
        self.orders.host_lost(host)

    def _clock_set(self, by: int) -> None:
        self._met = {host: replace(met, at=later(met.at, by)) for host, met in self._met.items()}

    # ----------------------------------------------------------------------- its agents

    def _observe(self, event: events.AgentsObserved) -> None:
        event = self.claims.joined(event)
        met = self._met.pop(event.host, None) if event.complete else None
        if met is not None:
            self.store.apply(met)
        self.orders.observed(event)
        before = self.store.fleet
        self.store.apply(event)
        self.claims.tell(event)
        self.unordered.look(before, shown := self._shown(event.agents))
        self.overlaps.observed(shown, [f"{event.host}/{name}" for name in event.gone])
        self.logs.observed(event.host, event.agents, event.gone, event.complete)
        if event.complete:
            self.overlaps.all_observed(event.host)
            self.orders.look(event, self.store.fleet)
        if met is not None:
            self.logs.host_up(event.host)
            self.spending.host_up(event.host)
            self.imports.host_up(event.host)
        self.ledger_writer.observed(event.host, self.store.fleet, complete=event.complete)
        self.headroom.observed()

    def _shown(self, agents: Iterable[Agent]) -> list[Agent]:
        """Agents as the fleet has them."""
        here = (self.store.fleet.agents.get(agent.id) for agent in agents)
        return [agent for agent in here if agent is not None]

    def _observe_adopted(self, event: events.AdoptedObserved) -> None:
        event = self.adoptions.joined(event)
        self.store.apply(event)
        if event.complete:
            self.orders.look_at_adopted(event.host, self.store.fleet)
        fleet = self.store.fleet
        self.overlaps.observed(self._shown(event.agents))
        if event.complete:
            self.overlaps.all_observed(event.host)
        if event.complete or any(agent.has_ended for agent in event.agents):
            self.logs.adopted(event.host, [agent for agent in fleet.agents_on(event.host) if agent.adopted])
        self.ledger_writer.adopted(event.host, fleet, complete=event.complete)
        self.adoptions.observed(event)

    def _forget(self, event: events.AdoptedForgotten) -> None:
        self.adoptions.forgotten(self.store.fleet.agents.get(event.agent))
        self.store.apply(event)
        host, _, name = event.agent.partition("/")
        if event.agent not in self.store.fleet.agents:
            self.overlaps.observed((), [event.agent])
            self.ledger_writer.forgotten(host, [name])
