"""The engine of a room: puts its parts together, and decides what operators want.

Intents are decided at once against the fleet as it is. Hosts never wait for each other: each link is a task of its own,
and nothing here blocks.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any, get_args

from controlroom.domain import events, intents
from controlroom.domain.audit import target_of, verb_of
from controlroom.domain.decide import Decision, Refused, decide
from controlroom.domain.gauges import Alarm, AlarmLevel
from controlroom.domain.imports import ImportIntent
from controlroom.domain.leads import LeadIntent
from controlroom.domain.model import Fleet
from controlroom.domain.orders import NO_TERMS, ROWS, Result
from controlroom.domain.permissions.intents import RuleIntent
from controlroom.domain.queue import attempts
from controlroom.engine.adopted_care import AdoptedCare
from controlroom.engine.adoptions import AdoptionBook
from controlroom.engine.background_tasks import GOODBYE
from controlroom.engine.budgets.controller import BudgetController
from controlroom.engine.budgets.funds import Funds
from controlroom.engine.budgets.spending import Spending
from controlroom.engine.carrying import CarryRules
from controlroom.engine.claims import ClaimChecker, UnorderedWatch
from controlroom.engine.config.config import Config, ConfigWatch
from controlroom.engine.fleets.fleet_book import FleetBook
from controlroom.engine.fleets.known import FleetKnowledge
from controlroom.engine.history import HistoryRecorder
from controlroom.engine.host_adviser import HostAdviser
from controlroom.engine.host_events import HostEvents
from controlroom.engine.hosts.inquiries import Inquiries
from controlroom.engine.hosts.link import Link, Sink
from controlroom.engine.hosts.links import Links
from controlroom.engine.hosts.log_router import LogRouter
from controlroom.engine.hosts.signer import Signer
from controlroom.engine.imports import UsageImports
from controlroom.engine.lead_book import LeadBook
from controlroom.engine.ledger.ledger import Ledger
from controlroom.engine.ledger.writer import LedgerWriter
from controlroom.engine.limits.limit_rules import load_rules
from controlroom.engine.limits.limit_tracker import LimitTracker
from controlroom.engine.metrics_file import MetricsFile
from controlroom.engine.moves import MoveCoordinator
from controlroom.engine.orders import OrderBook
from controlroom.engine.overlaps import OverlapWatch
from controlroom.engine.people import Connections
from controlroom.engine.queue.dispatcher import Dispatcher
from controlroom.engine.queue.replacer import HostReplacer
from controlroom.engine.queue.task_book import TaskBook, TaskIntent
from controlroom.engine.room_editor import CHANGES, RoomEditor
from controlroom.engine.rule_book import RuleBook
from controlroom.engine.store import FleetStore
from controlroom.metering.prices import Sheet
from controlroom.protocol.home import Home
from controlroom.text.states import Outcome

CLOCK_LOOK = 1.0
"""Seconds between two looks whether this machine's clock was set, when nothing happens."""

OpenLink = Callable[[Sink, str, str, str], Link]
"""(sink, host, address, fingerprint) -> a link that reports to the sink."""


_BEGINNING = (
    intents.SpawnAgent,
    intents.ReassignAgent,
    intents.RetryAgent,
    intents.ResumeAgent,
    intents.RestartAdopted,
)
"""What begins a run: it waits until it is known what that costs."""


class Engine:
    """The parts of one room. All methods are called on its event loop."""

    _next_look: asyncio.TimerHandle | None = None

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
        self.home, self.ledger, self._config = home, ledger, config
        self._config_watch = ConfigWatch(home)
        self.store = store = FleetStore(Fleet(room=ledger.room), clock, steady, ledger.last_op)
        self.ledger_writer = writer = LedgerWriter(ledger, store)
        self.links = Links(
            lambda *place: open_link(self.host_events, *place),
            Signer(ledger.seed, ledger.room),
            lambda host, reason: self.host_events.link_failed(host, reason),
            home.log,
        )
        send = self.links.send
        self.inquiries = inquiries = Inquiries(send)
        self.logs = logs = LogRouter(inquiries, send, store.new_id)
        self.connections = Connections()
        store.when_clock_set(self.connections.clock_set)
        self.claims = claims = ClaimChecker(store, ledger, writer)
        self.headroom = LimitTracker(store, ledger, load_rules(home, config), config.api, send, claims.of)
        funds = Funds(config.budgets, config.zone, config.alone)
        self.budgets = budgets = BudgetController(
            store, ledger, writer, funds, lambda: self.headroom.logins, send, self.submit
        )
        self.spending = Spending(store, ledger, writer, claims, budgets, send, prices, config.zone, config.unordered)
        unordered = UnorderedWatch(store, writer, budgets.gave)
        self.adoptions = AdoptionBook(store, ledger, writer, self.submit, lambda op: self.orders.result_of(op))
        self.adopted_care = AdoptedCare(store, self.adoptions, self.submit)
        self.orders = orders = OrderBook(store, writer, claims, unordered, budgets, self.adoptions, config.spec, send)
        self.history = history = HistoryRecorder(store, writer)
        self.imports = UsageImports(store, ledger, writer, inquiries, self.spending)
        parts = orders, claims, unordered, budgets, self.spending, self.headroom, inquiries, logs, writer, history
        self.host_events = HostEvents(store, *parts, OverlapWatch(store), self.imports, self.adoptions)
        moves = home.state_folder / "moves", self.host_events.happened, CarryRules(*config.carry)
        self.moves = MoveCoordinator(store, orders, inquiries, claims, writer, budgets.first, *moves)
        self._metrics = MetricsFile(config.metrics, store, ledger, history, self.spending) if config.metrics else None
        self.tasks = TaskBook(store, ledger, writer, config.queue, config.templates, home.templates, config.zone)
        knowledge = FleetKnowledge(store, ledger, self.tasks, claims, inquiries)
        self.fleets = fleets = FleetBook(store, ledger, writer, self.tasks, knowledge, self.submit)
        decides = self.submit, orders.result_of
        self.dispatcher = Dispatcher(store, self.tasks, claims, *decides, inquiries, config, fleets)
        self.rules = RuleBook(home, store, ledger, writer, self.submit)
        self.leads = LeadBook(store, ledger, writer, budgets, self.submit)
        room_editor = RoomEditor(home, config, store, writer, budgets, self.links, self.host_events.removed)
        self.adviser = HostAdviser(home, store, ledger, writer, self.submit)
        self._apart = self._decided_elsewhere(room_editor)

    def _decided_elsewhere(self, room_editor: RoomEditor) -> dict[type, Callable[[Any, str], Awaitable[Result]]]:
        """What is decided elsewhere, by the kind of the intent."""
        return {
            intents.SettleUsage: self.spending.settle,
            intents.ApplyFleet: self.fleets.apply,
            intents.ReplaceHost: HostReplacer(self.store, self.tasks, room_editor, self._config.fixed).replace,
            intents.RelieveHost: self.adviser.relieve,
            intents.AdoptAgent: self.adoptions.adopt,
            intents.HaltRoom: self.dispatcher.halt.halt,
            intents.ResumeRoom: self.dispatcher.halt.resume,
            **dict.fromkeys(CHANGES, room_editor.change),
            **dict.fromkeys(get_args(TaskIntent), self.tasks.change),
            **dict.fromkeys(get_args(RuleIntent), self.rules.change),
            **dict.fromkeys(get_args(LeadIntent), self.leads.change),
            **dict.fromkeys(get_args(ImportIntent), self.imports.change),
        }

    # ----------------------------------------------------------------------- life

    def start(self) -> None:
        """Take up the room as config and ledger have it, and begin to connect, this machine first."""
        at = self.store.clock()
        config = self._config
        hosts = config.hosts, at, config.labels, config.sizes
        self.store.apply(events.Configured(config.profiles, config.limits, *hosts))
        self._recall(at)
        self.tasks.recall({f"{agent.host}/{agent.name}": agent.epoch for agent in self.ledger.agents})
        self.fleets.recall()
        self.dispatcher.halt.recall(self.ledger_writer.open_orders)
        self.claims.start()
        for host, address in config.hosts.items():
            self.links.connect(host, address, config.fingerprints.get(host, ""))
        self.history.start()
        self.spending.start()
        self.headroom.start()
        self.leads.start()
        self.budgets.start()
        self.dispatcher.start()
        self.fleets.start()
        self.rules.start()
        if self._metrics is not None:
            self._metrics.start()
        self._look_at_clock()

    def _recall(self, at: int) -> None:
        """Show what should exist before its host has been heard, and take up orders that were open."""
        for agent in self.ledger_writer.remembered(at):
            self.store.apply(events.AgentsObserved(agent.host, (self.claims.recalled(agent),), at))
        for ended in self.ledger_writer.ended():
            observed = events.AdoptedObserved(ended.host, (ended,), at, complete=False)
            self.store.apply(self.adoptions.joined(observed))
        for order in [order for order in self.ledger_writer.open_orders if order.verb != "move"]:
            opened = self.orders.recall(order)
            if order.host not in self.store.fleet.hosts:
                self.orders.conclude(opened, Result(Outcome.UNKNOWN, f"{order.host} is no longer in the room"))
            elif order.verb in ROWS:
                self.store.apply(events.Ordered(order))
        self.moves.recall(self.ledger_writer.open_orders)

    def _look_at_clock(self) -> None:
        self._next_look = asyncio.get_running_loop().call_later(CLOCK_LOOK, self._look_at_clock)
        self.store.follow_clock()
        self.host_events.forget_old()
        self.history.look()
        self.adviser.look()
        self.rules.look()
        self.leads.look()
        self.adoptions.look()
        self.adopted_care.look()
        if (words := self._config_watch.look()) is not None:
            alarm = Alarm(words, AlarmLevel.NOTICE, self.store.clock()) if words else None
            self.store.apply(events.Alarmed("config", alarm))

    async def close(self) -> None:
        """Leave the hosts alone (agents live on) and close the ledger."""
        if self._next_look is not None:
            self._next_look.cancel()
        self.dispatcher.close()
        self.fleets.close()
        await self.rules.close()
        await self.adviser.close()
        await self.leads.close()
        await self.adopted_care.close()
        await self.adoptions.close()
        if self._metrics is not None:
            self._metrics.close()
        self.logs.close()
        await self.imports.close()
        self.spending.close()
        self.headroom.close()
        await self.budgets.close()
        await self.moves.close()
        await self.links.close(GOODBYE)
        self.history.write()
        await self.ledger_writer.close()

    async def wait_idle(self) -> None:
        """Wait until nothing is on its way that a host which is up could still answer, and the ledger is written."""
        while self._busy:
            await self.dispatcher.wait_idle()
            await self.fleets.wait_idle()
            await self.rules.wait_idle()
            await self.adviser.wait_idle()
            await self.leads.wait_idle()
            await self.imports.wait_idle()
            await self.adopted_care.wait_idle()
            await self.adoptions.wait_idle()
            await self.spending.wait_idle()
            await self.headroom.wait_idle()
            await self.budgets.wait_idle()
            await self.ledger_writer.outbox.wait_idle()
            if waits := self._awaited():
                await asyncio.wait(waits)
            await self.logs.wait_idle()

    @property
    def _busy(self) -> bool:
        """Whether anything is under way; all is looked at in one moment, as the end of each begins another."""
        parts = (self.dispatcher, self.rules, self.leads, self.imports, self.adviser, self.spending, self.headroom)
        more = self.fleets, self.adoptions, self.adopted_care, self.budgets, self.logs, self.ledger_writer.outbox
        return any(part.busy for part in (*parts, *more)) or bool(self._awaited())

    def _awaited(self) -> "list[asyncio.Future[Any]]":
        """The links that end, and the orders and moves that no host keeps waiting."""
        return [*self.links.ending, *self.moves.moving(), *self.orders.awaited()]

    # ----------------------------------------------------------------------- what somebody wants

    async def submit(self, intent: intents.Intent, who: str, by: str = "") -> Result:
        """Decide an intent now: refused, done, or asked. What it asks of a host is on its way when this returns.

        `by`: the rules that give an answer, by name; "": a person does.
        """
        if (apart := self._apart.get(type(intent))) is not None:
            return await apart(intent, who)
        if isinstance(intent, _BEGINNING):
            await self.spending.sheet_tried()
        op = self.store.new_id()
        decision = decide(self.store.fleet, intent, op, self.store.clock(), who)
        if isinstance(decision, Refused):
            return self.ledger_writer.refused(intent, decision.reason, who)
        if by and isinstance(decision.effect, intents.TellOn):
            note = f"the answer: {decision.effect.verdict}"
            decision = replace(decision, effect=replace(decision.effect, by=by), note=note)
        share = self.budgets.first(decision.effect)
        if no_money := self.budgets.refusal(share):
            return self.ledger_writer.refused(intent, no_money, who)
        if (result := await self._without_order(intent, decision, who)) is not None:
            return result
        self._note(decision, intent, who)
        was = self.store.fleet
        for event in decision.events:
            self.host_events.happened(event)
        effect, order = decision.effect, decision.order
        if order is not None:
            assert isinstance(effect, intents.MoveOn | intents.NodeEffect)
            return (
                self.moves.begin(effect, order, was)
                if isinstance(effect, intents.MoveOn)
                else await self.orders.carry_out(effect, order, was, share)
            )
        if isinstance(effect, intents.LinkEffect):
            told = self.links.tell(effect)
            self.ledger_writer.audited(who, told, effect.host, 0, Result(Outcome.DONE))
        return Result(Outcome.DONE, op=op)

    async def _without_order(self, intent: intents.Intent, decision: Decision, who: str) -> Result | None:
        """Do what orders nothing of a host now, or something else than was decided; None: it is to be ordered."""
        if isinstance(intent, intents.RetryAgent):
            return self.moves.retry(intent, who, partial(self._again, who=who))
        if isinstance(intent, intents.ResumeAgent) and intent.paced:
            return await self.dispatcher.restarter.later(intent, who)
        if isinstance(intent, intents.SetModel) and decision.effect is None:
            self.claims.choose(self.store.fleet.agents[intent.agent], intent.model)
            result = Result(Outcome.DONE, decision.note)
            return self.tasks.audited_agent(who, "model", intent.agent, intent.epoch, result)
        return None

    async def _again(self, intent: intents.ReassignAgent, who: str) -> Result:
        """Give an agent the task of its last run again, which is its queued task's next attempt, too."""
        agent = self.store.fleet.agents.get(intent.agent)
        terms = attempts.terms(self.store.fleet, agent) if agent else NO_TERMS
        self.dispatcher.retried.add(intent.agent)
        try:
            return await self.submit(replace(intent, terms=terms), who)
        finally:
            self.dispatcher.retried.discard(intent.agent)

    def _note(self, decision: Decision, intent: intents.Intent, who: str) -> None:
        """Audit what is done otherwise than it was meant."""
        if decision.note:
            about = getattr(intent, "agent", "") or target_of(intent)
            self.ledger_writer.audited(who, verb_of(intent), about, 0, Result(Outcome.DONE, decision.note))
