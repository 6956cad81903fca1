"""The one owner of the fleet: what is wanted is decided here, what happened is reduced here, and nowhere else.

Intents are decided at once against the fleet as it is. An order is written down before it is sent (what starts
something waits for the disk); it is concluded by its host's reply, or by looking, when the link was lost meanwhile.
Hosts never wait for each other: each link is a task of its own, and nothing here blocks.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from controlroom.domain import events, intents
from controlroom.domain.audit import target_of, verb_of
from controlroom.domain.clock_set import later
from controlroom.domain.decide import Refused, decide
from controlroom.domain.gauges import Alarm
from controlroom.domain.intents import order_of
from controlroom.domain.model import Fleet, LinkState
from controlroom.domain.money.plausible import Ceilings
from controlroom.domain.orders import ROWS, STARTS, Result
from controlroom.domain.reduce import is_long_ended
from controlroom.domain.tables import hosted
from controlroom.engine.budgets.controller import BudgetController
from controlroom.engine.budgets.funds import Funds
from controlroom.engine.budgets.spending import Spending
from controlroom.engine.claims import ClaimChecker
from controlroom.engine.clock import ClockWatch
from controlroom.engine.config.config import Config
from controlroom.engine.hosts.channel import HostRefuses
from controlroom.engine.hosts.inquiries import Answer, Inquiries
from controlroom.engine.hosts.link import HostLink
from controlroom.engine.hosts.links import Links
from controlroom.engine.hosts.log_router import LogRouter
from controlroom.engine.hosts.signer import Signer
from controlroom.engine.hosts.translate import to_node
from controlroom.engine.hosts.translate_usage import Counted, LoginSeen
from controlroom.engine.hosts.unordered import Unordered
from controlroom.engine.ledger.ledger import Ledger
from controlroom.engine.ledger.writer import LedgerWriter
from controlroom.engine.limits.limit_rules import load_rules
from controlroom.engine.limits.limit_tracker import LimitTracker
from controlroom.engine.moves import MoveCoordinator
from controlroom.engine.orders import SHOWN_TASK, OpenOrder, OrderBook, open_half, ordered_by, to_known
from controlroom.engine.people import Connections
from controlroom.engine.room_editor import CHANGES, Change, RoomEditor
from controlroom.engine.store import FleetStore
from controlroom.metering.prices import Sheet
from controlroom.protocol.home import Home
from controlroom.text.sanitize import redact
from controlroom.text.states import Outcome
from controlroom.wire.messages import LogChunk, Reply, Spawn, ToNode

log = logging.getLogger("controlroom.engine")

GOODBYE = 1.5
"""Seconds for links to close when the engine ends. What a host does not take by then it finds out when we are gone."""

CLOCK_LOOK = 1.0
"""Seconds between two looks whether this machine's clock was set, when nothing happens."""

SWEEP = 60_000
"""Milliseconds between two looks for ended agents of others that have been shown long enough."""

_UNPROVEN = (
    "{0} says that it is the same machine and user as {1}, and its host key does not bear that out: one of the two "
    "lies, or one machine is reached in two ways. If it is one machine: controlroom host remove {0}, or its agents "
    "count twice"
)

SILENCE = 5.0
"""Seconds that a host may take to say which agents it has."""

OpenLink = Callable[["Engine", str, str, str], HostLink]
"""(engine, host, address, fingerprint) -> a link that reports to the engine."""


class Engine:
    """Holds the fleet of one room. All methods are called on its event loop."""

    def __init__(
        self,
        home: Home,
        config: Config,
        ledger: Ledger,
        open_link: OpenLink,
        clock: Callable[[], int],
        prices: Callable[[], Sheet],
        steady: Callable[[], int],
    ) -> None:
        """`clock` gives UTC milliseconds, `steady` those of a clock that nobody sets.

        `prices` reads the price sheet, in a thread.
        """
        self.store = FleetStore(Fleet(room=ledger.room))
        self.inquiries = Inquiries(self.send)
        self.logs = LogRouter(self)
        self.connections = Connections()
        self.home, self.ledger = home, ledger
        self._config = config
        self._ledger_writer = LedgerWriter(ledger, clock, self._not_written)
        self.store.subscribe(self._ledger_writer.changed)
        self._signer = Signer(ledger.seed, ledger.room)
        self.clock, self._steady = clock, steady
        self._watch = ClockWatch(clock(), steady())
        self._swept = 0
        self._next_look: asyncio.TimerHandle | None = None
        self.clock_set = 0
        """Milliseconds by which our clock has been set since the engine began."""
        self.claims = ClaimChecker(self, ledger, self._ledger_writer)
        self._links = Links(self, clock, home.log, lambda *place: open_link(self, *place))
        self.orders = OrderBook(self.send, self._conclude)
        self._met: dict[str, events.HostMet] = {}
        self._proven: dict[str, set[str]] = {}
        """What the logins proved of who is there (`Dialler.proven`), by host."""
        self._last_id = ledger.last_op
        self.spending = Spending(self, ledger, self._ledger_writer, prices, config.zone, config.unordered)
        self.headroom = LimitTracker(self, ledger, load_rules(home, config), config.api)
        self.budget_controller = BudgetController(
            self,
            ledger,
            self._ledger_writer,
            Funds(config.budgets, config.zone, config.alone),
            lambda: self.headroom.logins,
        )
        self._unordered = Unordered(self, self._ledger_writer.unordered, self.budget_controller.gave)
        self._room_editor = RoomEditor(self, config, self._ledger_writer, self._links)
        self.moves = MoveCoordinator(self, self._ledger_writer, home.state_folder / "moves")

    # ----------------------------------------------------------------------- life

    def start(self) -> None:
        """Take up the room as config and ledger have it, and begin to connect, this machine first."""
        at = self.clock()
        self.happened(events.Configured(self._config.profiles, self._config.limits, self._config.hosts, at))
        self._recall(at)
        self.claims.start()
        for host, address in self._config.hosts.items():
            self._links.connect(host, address, self._config.fingerprints.get(host, ""))
        self.spending.start()
        self.headroom.start()
        self.budget_controller.start()
        self._look_at_clock()

    async def close(self) -> None:
        """Leave the hosts alone (agents live on) and close the ledger."""
        if self._next_look is not None:
            self._next_look.cancel()
        self.logs.close()
        self.spending.close()
        self.headroom.close()
        self.budget_controller.close()
        await self.moves.close()
        await self._links.close(GOODBYE)
        await self._ledger_writer.close()

    @property
    def fleet(self) -> Fleet:
        """The fleet as it is."""
        return self.store.fleet

    async def wait_idle(self) -> None:
        """Wait until nothing is on its way that a host which is up could still answer, and the ledger is written."""
        while self._busy:
            await self.spending.wait_idle()
            await self.headroom.wait_idle()
            await self.budget_controller.wait_idle()
            await self._ledger_writer.wait_written()
            if waits := self._awaited():
                await asyncio.wait(waits)
            await self.logs.wait_idle()

    async def wait_tried(self) -> None:
        """Wait until all that has happened until now is on the disk, or was not taken."""
        await self._ledger_writer.wait_tried()

    @property
    def _busy(self) -> bool:
        """Whether anything is under way; all is looked at in one moment, as the end of each begins another."""
        parts = (self.spending, self.headroom, self.budget_controller, self._ledger_writer, self.logs)
        return any(part.busy for part in parts) or bool(self._awaited())

    def _awaited(self) -> "list[asyncio.Future[Any]]":
        """Give the links that end, and the orders and moves that no host keeps waiting."""
        return [*self._links.ending, *self.moves.moving(), *self.orders.awaited()]

    # ----------------------------------------------------------------------- what somebody wants

    async def submit(self, intent: intents.Intent, who: str) -> Result:
        """Decide an intent now: refused, done, or asked. What it asks of a host is on its way when this returns."""
        if isinstance(intent, (*CHANGES, intents.SettleUsage)):
            return await self._change(intent, who)
        if isinstance(intent, intents.SpawnAgent):
            await self.spending.sheet_tried()
        op, at = self.new_id(), self.clock()
        decision = decide(self.fleet, intent, op, at)
        if isinstance(decision, Refused):
            return self.refuse(intent, decision.reason, who)
        for effect in decision.effects:
            if no_money := self.budget_controller.refusal(effect):
                return self.refuse(intent, no_money, who)
        if decision.note:
            about = getattr(intent, "agent", "") or target_of(intent)
            self._ledger_writer.audited(who, verb_of(intent), about, 0, Result(Outcome.DONE, decision.note))
        was = self.fleet
        for event in decision.events:
            self.happened(ordered_by(event, who))
        result = Result(Outcome.DONE, op=op)
        for effect in decision.effects:
            if isinstance(effect, intents.MoveOn):
                return self.moves.begin(effect, op, who, was)
            result = await self.carry_out(effect, verb_of(intent), op, who, was)
        return result

    async def _change(self, intent: Change | intents.SettleUsage, who: str) -> Result:
        """Change something at home."""
        if isinstance(intent, intents.SettleUsage):
            return await self.spending.settle(intent, who)
        return await self._room_editor.change(intent, who)

    def refuse(self, intent: intents.Intent, reason: str, who: str) -> Result:
        """Refuse an intent, and audit that."""
        refused = Result(Outcome.REFUSED, redact(reason))
        self._ledger_writer.audited(who, verb_of(intent), target_of(intent), getattr(intent, "epoch", 0), refused)
        return refused

    async def carry_out(self, effect: intents.Effect, verb: str, op: int, who: str, was: Fleet) -> Result:
        """Ask something of the world as order `op`; `was`: the fleet before it was decided."""
        if isinstance(effect, intents.LinkEffect):
            self._ledger_writer.audited(who, self._links.tell(effect), effect.host, 0, Result(Outcome.DONE))
            return Result(Outcome.DONE, op=op)
        assert not isinstance(effect, (intents.ConnectTo, intents.DisconnectFrom, intents.MoveOn))
        if isinstance(effect, intents.TellOn):
            self._unordered.tells(effect)
        task = effect.task if isinstance(effect, intents.SpawnOn) else ""
        order = order_of(effect, verb, op, self.clock(), who, task[:SHOWN_TASK])
        before = was.agents.get(order.subject) if verb in STARTS else None
        opened = self.orders.open(order, getattr(effect, "question", ""), before)
        message = to_node(effect, op, self._config.spec(getattr(effect, "profile", "")))
        if isinstance(effect, intents.SpawnOn) and isinstance(message, Spawn):
            await self._spawn(effect, opened, message)
        else:
            self._ledger_writer.ordered(order, None)
            self.orders.send(opened, message)
        return self._at_once(opened)

    def _at_once(self, opened: OpenOrder) -> Result:
        """What is known of an order by now."""
        if opened.result.done():
            return opened.result.result()
        order = opened.order
        return Result(Outcome.ASKED, op=order.op, agent=order.subject if order.agent else "", epoch=order.epoch)

    async def _spawn(self, effect: intents.SpawnOn, opened: OpenOrder, message: Spawn) -> None:
        """Send an order to begin a run, with its grant, once both are on the disk; one that cannot be is refused."""
        grant, statements = self.budget_controller.first(effect)
        statements = [*statements, self.claims.ordered(effect, opened.order.op)]
        known = to_known(effect, opened.order.at)
        if problem := await self._ledger_writer.ordered(opened.order, known, statements):
            self.orders.conclude(opened, Result(Outcome.REFUSED, f"nothing was started: {problem}"))
        if opened.order.op in self.orders and not opened.unsure:
            if grant is not None:
                self.budget_controller.sends(effect.host)
            self.orders.send(opened, replace(message, grant=grant))

    def result_of(self, op: int) -> "asyncio.Future[Result] | None":
        """What becomes, or lately became, of an order; None: no such order is known."""
        return self.orders.result_of(op) or self.moves.result_of(op)

    # ----------------------------------------------------------------------- what happened (the links' sink)

    def happened(self, event: events.Event) -> None:
        """Reduce an event, and do what follows from it."""
        match event:
            case events.HostMet():
                self._meet(event)
            case events.AgentsObserved():
                self._observe(event)
            case events.AdoptedObserved():
                self._reduce(event)
                if event.complete or any(agent.has_ended for agent in event.agents):
                    theirs = [agent for agent in self.fleet.agents_on(event.host) if agent.adopted]
                    self.logs.foreign(event.host, theirs)
                self._ledger_writer.foreign(event.host, self.fleet, complete=event.complete)
            case events.AdoptedForgotten():
                self._reduce(event)
                host, _, name = event.agent.partition("/")
                if event.agent not in self.fleet.agents:
                    self._ledger_writer.forgotten(host, [name])
            case events.HostSampled():
                self._reduce(event)
                self._ledger_writer.heard(self.fleet.hosts.get(event.host))
            case events.LinkChanged():
                self._met.pop(event.host, None)
                self._reduce(event)
                if event.link is not LinkState.UP:
                    self._lose(event.host)
            case _:
                self._reduce(event)

    def _not_written(self, words: str) -> None:
        """Raise the alarm that who did what is not on the disk, or end it."""
        known = self.fleet.alarms.get("audit")
        if words or known:
            since = known.since if known else self.clock()
            self._reduce(events.Alarmed("audit", Alarm(words, "danger", since) if words else None))

    def replied(self, host: str, reply: Reply) -> None:
        """A host answers an order; an answer that nobody waits for changes nothing."""
        if not self.orders.replied(host, reply):
            self.budget_controller.replied(host, reply)

    def chunk(self, host: str, chunk: LogChunk) -> bool:
        """New records of a log; says whether anybody follows it."""
        return self.logs.chunk(host, chunk)

    def answered(self, host: str, found: Answer) -> bool:
        """What a host was asked for, and nobody else sees; says whether anybody waits for it."""
        return self.inquiries.answered(host, found)

    def counted(self, host: str, counted: Counted) -> None:
        """What an agent has used, or how far its plan's windows are."""
        if isinstance(counted, LoginSeen):
            self.headroom.heard(counted)
        else:
            self.spending.used(host, counted)
            self.headroom.used(host, counted)

    def booked(self) -> None:
        """What was used is booked."""
        self.budget_controller.booked()

    def ceilings(self, run: tuple[str, str, int]) -> Ceilings | None:
        """Give the highest ceilings that a run was granted; None: it never was."""
        return self.budget_controller.ceilings(run)

    def priced(self, sheet: Sheet) -> None:
        """The price sheet is read."""
        self.budget_controller.priced(sheet)

    def _reduce(self, event: events.Event) -> None:
        self._follow_clock()  # first: the event was noted by the clock as it is now
        self.store.apply(event)

    def _look_at_clock(self) -> None:
        self._follow_clock()
        self._forget_old(self.clock())
        self._next_look = asyncio.get_running_loop().call_later(CLOCK_LOOK, self._look_at_clock)

    def _forget_old(self, at: int) -> None:
        """Show ended agents of others no longer than they are to be shown, whether there is news of them or not."""
        if abs(at - self._swept) < SWEEP:
            return
        self._swept = at
        agents = hosted(self.fleet.agents)
        here = [agent for host in self.fleet.hosts for agent in agents.adopted_on(host).values()]
        for agent in here:
            if is_long_ended(agent, at):
                self.happened(events.AdoptedForgotten(agent.id))

    def _follow_clock(self) -> None:
        """When our clock was set, move all that was noted before."""
        if by := self._watch.was_set(self.clock(), self._steady()):
            log.warning("this machine's clock was set by %+.1f s", by / 1000)
            self.clock_set += by
            self._met = {host: replace(met, at=later(met.at, by)) for host, met in self._met.items()}
            self.headroom.clock_set(by)
            self.spending.clock_set(by)
            self.connections.clock_set(by)
            self.store.apply(events.ClockSet(by))

    def _meet(self, event: events.HostMet) -> None:
        """A host is up once it has said which agents it has: till then the news wait, so that none seems missing.

        Raises `HostRefuses` for a place that another host of the room stands for: its agents would be there twice. A
        host may claim any place, so it counts only where the logins prove one machine and user.
        """
        twins = self.fleet.hosts_at(event.facts.place, event.host)
        if twin := next((name for name in twins if not self._proven.get(name, set()).isdisjoint(event.proven)), ""):
            raise HostRefuses(f"it is the same machine and user as {twin}: controlroom host remove {event.host}")
        self._proven[event.host] = set(event.proven)
        self._say_of_place(event.host, _UNPROVEN.format(event.host, twins[0]) if twins else "")
        host = self.fleet.hosts.get(event.host)
        if host is not None and host.link is LinkState.UP:
            self._reduce(event)
            return
        self._met[event.host] = event
        asyncio.get_running_loop().call_later(SILENCE, self._meet_silent, event)

    def _say_of_place(self, host: str, words: str) -> None:
        """Raise the alarm that a host says it is another one, or end it."""
        about = f"place {host}"
        if words or about in self.fleet.alarms:
            self._reduce(events.Alarmed(about, Alarm(words, since=self.clock()) if words else None))

    def _meet_silent(self, event: events.HostMet) -> None:
        if self._met.get(event.host) is event:
            del self._met[event.host]
            self._reduce(event)

    def _observe(self, event: events.AgentsObserved) -> None:
        event = self.claims.joined(event)
        met = self._met.pop(event.host, None) if event.complete else None
        if met is not None:
            self._reduce(met)
        self.orders.observed(event)
        before = self.fleet
        self._reduce(event)
        self.claims.tell(event)
        here = (self.fleet.agents.get(agent.id) for agent in event.agents)
        self._unordered.look(before, [agent for agent in here if agent is not None])
        self.logs.observed(event.host, event.agents, event.gone, event.complete)
        if event.complete:
            self.orders.look(event, self.fleet)
        if met is not None:
            self.logs.host_up(event.host)
            self.spending.host_up(event.host)
        self._ledger_writer.observed(event.host, self.fleet, complete=event.complete)
        self.headroom.observed()

    def _lose(self, host: str) -> None:
        """The link is gone: what was on its way may or may not have arrived."""
        self.inquiries.host_down(host)
        self.budget_controller.host_down(host)
        self.spending.host_down(host)
        self._ledger_writer.left(host)
        self.orders.host_lost(host)

    # ----------------------------------------------------------------------- conclusions and the ledger

    def _conclude(self, opened: OpenOrder, result: Result) -> None:
        """Do what follows from the end of an order."""
        order, at = opened.order, self.clock()
        self._reduce(events.Concluded(order.op, result.agent, result, at))
        if not result.ok and opened.before is not None:
            self._reduce(events.AgentsObserved(order.host, (opened.before,), at))
        if shown := open_half(opened, result, at):
            self._reduce(shown)
        if order.verb in STARTS and (result.half or result.outcome is Outcome.REFUSED):
            self.budget_controller.never_began((order.host, order.agent, order.epoch))
        self.claims.concluded(order, result.outcome)
        if order.verb == "host take" and result.ok:
            self._own(order.host, at)
        self._ledger_writer.concluded(order, result)

    def _own(self, host: str, at: int) -> None:
        known = self.fleet.hosts.get(host)
        if known is not None and known.facts is not None and not known.facts.owned:
            facts = replace(known.facts, owned=True, owner_epoch=known.facts.owner_epoch + 1)
            self._reduce(events.HostMet(host, facts, at))

    def _recall(self, at: int) -> None:
        """Show what should exist before its host has been heard, and take up orders that were open."""
        for agent in self._ledger_writer.remembered(at):
            self._reduce(events.AgentsObserved(agent.host, (self.claims.recalled(agent),), at))
        for ended in self._ledger_writer.ended():
            self._reduce(events.AdoptedObserved(ended.host, (ended,), at, complete=False))
        for order in [order for order in self._ledger_writer.open_orders if order.verb != "move"]:
            opened = self.orders.recall(order)
            if order.host not in self.fleet.hosts:
                self.orders.conclude(opened, Result(Outcome.UNKNOWN, f"{order.host} is no longer in the room"))
            elif order.verb in ROWS:
                self._reduce(events.Ordered(replace(order, task="")))
        self.moves.recall(self._ledger_writer.open_orders)

    # ----------------------------------------------------------------------- links

    def disconnect(self, host: str) -> None:
        """Give up a host that is no longer in the room."""
        self._links.disconnect(host)
        self._met.pop(host, None)
        self._proven.pop(host, None)
        self._say_of_place(host, "")
        self._lose(host)
        for opened in self.orders.of(host):
            self.orders.conclude(opened, Result(Outcome.UNKNOWN, f"{host} was taken out of the room"))
        self.logs.observed(host, (), (), complete=True)
        self.claims.left(host)
        self.headroom.left(host)
        self._ledger_writer.observed(host, Fleet(), complete=True)
        self._ledger_writer.forgotten(host)

    def send(self, host: str, message: ToNode) -> bool:
        """Send a host a message; False when it cannot be reached."""
        return self._links.send(host, self._signer.signed(host, message))

    def new_id(self) -> int:
        """Give a number that no order or request of this room has had."""
        self._last_id += 1
        return self._last_id
