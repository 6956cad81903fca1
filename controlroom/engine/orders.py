"""Orders: written down, sent, concluded by their host's reply or by looking, recalled after a restart.

A remote call has three outcomes: done, refused, unknown. An order whose link was lost, or that was open when the engine
ended, is never sent again: once its host says what it has, that decides. What starts a run waits for the disk.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, replace

from controlroom.domain.branch_intents import AcceptOn, BranchEffect
from controlroom.domain.events import AgentsObserved, Alarmed, Concluded, HostMet
from controlroom.domain.gauges import Alarm, AlarmLevel
from controlroom.domain.intents import KillOn, NodeEffect, SignalOn, SpawnOn, TellOn
from controlroom.domain.model import Agent, Fleet
from controlroom.domain.money.allotment import NextGrant
from controlroom.domain.orders import ENDS, OF_BRANCHES, STARTS, Order, Result
from controlroom.domain.worktrees import DropWorktreeOn
from controlroom.engine.adoptions import AdoptionBook
from controlroom.engine.budgets.controller import BudgetController
from controlroom.engine.claims import ClaimChecker, UnorderedWatch
from controlroom.engine.hosts.translate import to_node
from controlroom.engine.ledger.ledger import KnownAgent
from controlroom.engine.ledger.writer import LedgerWriter
from controlroom.engine.store import FleetStore
from controlroom.text.checks import CheckOrder
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.names import is_adopted_name
from controlroom.text.sanitize import redact
from controlroom.text.states import AgentKind, Outcome, TellKind
from controlroom.wire.branches import AcceptWork
from controlroom.wire.messages import Reply, Spawn, ToNode
from controlroom.wire.spec import AgentSpec

PATIENCE = 180.0
"""Seconds for a host to answer an order; ending a stubborn tree takes the longest."""

BRANCH_PATIENCE = 900.0
"""Seconds for one that merges or pushes: checks run, and remotes answer when they do."""

TRIES = 3
"""How often the second half of an order is asked for again."""

CLOSED = 1000
"""Closed orders of which it is still known what became of them: somebody may be about to ask."""

SHOWN_TASK = 200
"""Characters of a task that the ledger keeps."""


@dataclass(eq=False)
class OpenOrder:
    """One order that is not concluded."""

    order: Order
    result: "asyncio.Future[Result]"
    question: str = ""
    """The question that it answers, when it does."""
    unsure: bool = False
    """Its link was lost, or the engine ended: only looking can tell."""
    sent: ToNode | None = None
    """What its host was sent, while the engine that sent it lives."""
    patience: float = field(default_factory=lambda: PATIENCE)
    tries: int = 0
    """How often its second half was asked for again."""
    before: Agent | None = field(default=None)
    """What the host says of the run before the one that is to begin: true again if that does not begin."""


class OrderBook:
    """All open orders of a room. All methods are called on its event loop."""

    def __init__(
        self,
        store: FleetStore,
        ledger_writer: LedgerWriter,
        claims: ClaimChecker,
        unordered: UnorderedWatch,
        budgets: BudgetController,
        adoptions: AdoptionBook,
        spec_of: Callable[[str, str], AgentSpec],
        send: Callable[[str, ToNode], bool],
    ) -> None:
        """`spec_of`: how the agents of a profile are run, with which of its credentials.

        `send` gives False when a host cannot be reached.
        """
        self._store, self._ledger_writer, self._claims = store, ledger_writer, claims
        self._unordered, self._budgets, self._spec_of, self._send = unordered, budgets, spec_of, send
        self._adoptions = adoptions
        self._open: dict[int, OpenOrder] = {}
        self._results: dict[int, asyncio.Future[Result]] = {}
        """What lately became of orders, and becomes of those that `expect` was called for."""

    def result_of(self, op: int) -> "asyncio.Future[Result] | None":
        """What becomes, or lately became, of an order; None: no such order is known."""
        opened = self._open.get(op)
        return opened.result if opened else self._results.get(op)

    def expect(self, op: int, result: "asyncio.Future[Result]") -> None:
        """Keep what becomes of an order, also of one that consists of others."""
        self._results[op] = result
        if len(self._results) > CLOSED:
            del self._results[next(iter(self._results))]

    async def carry_out(self, effect: NodeEffect, order: Order, was: Fleet, share: NextGrant | None = None) -> Result:
        """Order something of a host: write it down, then send it. `was`: the fleet before it was decided.

        `share`: what a run that begins may spend first.
        """
        if isinstance(effect, TellOn):
            self._unordered.tells(effect)
            if effect.what is TellKind.MODEL:
                self._claims.switches(order, effect)
        elif isinstance(effect, KillOn):
            self._claims.kills(order)
        elif isinstance(effect, SignalOn):
            self._adoptions.ends(order, effect)
        before = was.agents.get(order.subject) if order.verb in STARTS else None
        opened = self.open(order, getattr(effect, "question", ""), before)
        message = to_node(effect, order.op, self._spec(effect))
        if isinstance(effect, BranchEffect | DropWorktreeOn):
            checks = message.spec.checks if isinstance(message, AcceptWork) else CheckOrder()
            opened.patience = BRANCH_PATIENCE + 60 * checks.minutes * len(checks.commands)
        if isinstance(effect, SpawnOn) and isinstance(message, Spawn):
            await self._begin_run(effect, opened, message, share)
        else:
            self._ledger_writer.ordered(order, None)
            self.send(opened, message)
        if opened.result.done():
            return opened.result.result()
        return Result(Outcome.ASKED, op=order.op, agent=order.subject if order.agent else "", epoch=order.epoch)

    def spec_for(self, start: SpawnOn) -> AgentSpec:
        """Return how a run will be run that is to begin."""
        message = to_node(start, 0, self._spec(start))
        assert isinstance(message, Spawn)
        return message.spec

    def _spec(self, effect: NodeEffect) -> AgentSpec:
        """Return what the config says of a run that begins, or whose work is to be checked."""
        if isinstance(effect, SpawnOn):
            return self._spec_of(effect.profile, effect.credential)
        return self._spec_of(effect.profile, "") if isinstance(effect, AcceptOn) else AgentSpec()

    async def _begin_run(self, effect: SpawnOn, opened: OpenOrder, message: Spawn, share: NextGrant | None) -> None:
        """Send an order to begin a run, with its grant, once both are on the disk; one that cannot be is refused."""
        if problem := self._unnamed_credential(effect):
            self.conclude(opened, Result(Outcome.REFUSED, f"nothing was started: {problem}"))
            return
        op = opened.order.op
        grant, statements = self._budgets.granted(share) if share else (None, [])
        statements = [*statements, self._claims.ordered(effect, opened.order)]
        agent = to_known(effect, opened.order.at)
        if problem := await self._ledger_writer.ordered(opened.order, agent, statements):
            self.conclude(opened, Result(Outcome.REFUSED, f"nothing was started: {problem}"))
        if op in self._open and not opened.unsure:
            self.send(opened, replace(message, grant=grant))

    def _unnamed_credential(self, effect: SpawnOn) -> str:
        """Say that the config has become another one since a credential was taken; "": it names it."""
        profile = self._store.fleet.profiles.get(effect.profile)
        names = (
            {one.name for one in profile.credentials} if profile and profile.kind is not AgentKind.COMMAND else set()
        )
        if effect.credential in (names or {""}):
            return ""
        taken = f"credential {effect.credential}" if effect.credential else "what it logged in with"
        return f"profile {effect.profile} no longer names {taken}"

    def of(self, host: str) -> list[OpenOrder]:
        """A host's open orders."""
        return [opened for opened in self._open.values() if opened.order.host == host]

    def awaited(self) -> "Iterator[asyncio.Future[Result]]":
        """What becomes of those that a host which is up could still answer."""
        return (opened.result for opened in self._open.values() if not opened.unsure)

    def open(self, order: Order, question: str = "", before: Agent | None = None) -> OpenOrder:
        """Take up an order. `question`: that it answers; `before`: the run that its own run replaces."""
        result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        opened = self._open[order.op] = OpenOrder(order, result, question, before=before)
        return opened

    def recall(self, order: Order) -> OpenOrder:
        """Take up an order that was open when the engine before this one ended."""
        opened = self.open(order)
        opened.unsure = True
        return opened

    def send(self, opened: OpenOrder, message: ToNode) -> None:
        """Send an order to its host; one that cannot be sent is refused, one that is not answered in time unknown."""
        opened.sent = message
        if not self._send(opened.order.host, message):
            words = f"{opened.order.host} cannot be asked: the link is not up"
            self.conclude(opened, Result(Outcome.REFUSED, words))
            return
        timer = asyncio.get_running_loop().call_later(opened.patience, self._give_up, opened)
        opened.result.add_done_callback(lambda _: timer.cancel())

    def _give_up(self, opened: OpenOrder) -> None:
        """Conclude what a host that is there has not answered; one that is away is looked at when it is back."""
        if not opened.unsure:
            words = f"{opened.order.host} did not answer within {opened.patience:g} s: look again"
            self.conclude(opened, Result(Outcome.UNKNOWN, words))

    def replied(self, host: str, reply: Reply) -> bool:
        """Conclude an order by its host's answer; False: there is no such order, of any host."""
        opened = self._open.get(reply.id)
        if opened is not None and opened.order.host == host:
            self.conclude(opened, replied(opened, reply))
        return opened is not None

    def host_lost(self, host: str) -> None:
        """Mark a host's open orders as unsure: they may or may not have arrived."""
        for opened in self.of(host):
            opened.unsure = True

    def observed(self, event: AgentsObserved) -> None:
        """Note what a host says of the runs that are being replaced there."""
        for opened in self.of(event.host):
            if opened.order.verb in STARTS:
                seen = [agent for agent in event.agents if agent.name == opened.order.agent]
                earlier = (agent for agent in seen if agent.epoch < opened.order.epoch)
                opened.before = next(earlier, opened.before)

    def look_at_adopted(self, host: str, fleet: Fleet) -> None:
        """Conclude what was unsure about agents that others started, from all of them that live there."""
        for opened in [opened for opened in self.of(host) if opened.unsure and is_adopted_name(opened.order.agent)]:
            agent = fleet.agents.get(opened.order.subject)
            gone = agent is None or agent.has_ended or agent.adoption is None
            result = _looked_for_gone(opened) if agent is None or gone else _looked_for_rest(opened, agent)
            self.conclude(opened, replace(result, looked=True))

    def look(self, event: AgentsObserved, fleet: Fleet) -> None:
        """Conclude what was unsure, from all that its host has."""
        agents = {agent.name: agent for agent in event.agents}
        for opened in [opened for opened in self.of(event.host) if opened.unsure]:
            if is_adopted_name(opened.order.agent):
                continue
            result = looked(opened, fleet, agents)
            if result.half and (again := second_half(opened)):
                opened.unsure = False
                self.send(opened, again)
            else:
                self.conclude(opened, replace(result, looked=True))

    def conclude(self, opened: OpenOrder, result: Result) -> None:
        """Close an order; one that is closed stays as it is."""
        order = opened.order
        if self._open.pop(order.op, None) is None:
            return
        agent = order.subject if order.agent else ""
        final = replace(result, reason=redact(result.reason), op=order.op, agent=agent, epoch=order.epoch)
        self._follow(opened, final)
        opened.result.set_result(final)
        self.expect(order.op, opened.result)

    def _follow(self, opened: OpenOrder, result: Result) -> None:
        """Show, and write down, what follows from the end of an order."""
        order, at = opened.order, self._store.clock()
        self._store.apply(Concluded(order.op, result.agent, result, at))
        if not result.ok and opened.before is not None:
            self._store.apply(AgentsObserved(order.host, (opened.before,), at))
        if shown := open_half(opened, result, at):
            self._store.apply(shown)
        if order.verb in STARTS and (result.half or result.outcome is Outcome.REFUSED):
            self._budgets.never_began((order.host, order.agent, order.epoch))
        if is_adopted_name(order.agent):
            self._adoptions.concluded(order, result)
        else:
            self._claims.concluded(order, result.outcome)
        if order.verb == "host take" and result.ok:
            self._own(order.host, at)
        self._ledger_writer.concluded(order, result)

    def _own(self, name: str, at: int) -> None:
        """Show that a host is ours, which it says itself only when it is met again."""
        host = self._store.fleet.hosts.get(name)
        if host is not None and host.facts is not None and not host.facts.owned:
            facts = replace(host.facts, owned=True, owner_epoch=host.facts.owner_epoch + 1)
            self._store.apply(HostMet(name, facts, at))


def to_known(effect: SpawnOn, at: int) -> KnownAgent:
    """Return what the ledger keeps of an agent that should exist from now on."""
    task = " ".join(effect.task.split())[:SHOWN_TASK]
    return KnownAgent(
        effect.host, effect.name, effect.epoch, effect.kind, effect.profile, effect.model, effect.cwd, task, at
    )


def replied(opened: OpenOrder, reply: Reply) -> Result:
    """Return what became of an order by its host's answer."""
    again = opened.tries and reply.outcome is Outcome.REFUSED
    if (reply.outcome is Outcome.HALF or again) and opened.order.verb in STARTS:
        return half_done(opened, reply.reason)
    outcome = Outcome.UNKNOWN if reply.outcome is Outcome.HALF else reply.outcome
    return Result(outcome, reply.reason, conflicts=reply.conflicts)


def looked(opened: OpenOrder, fleet: Fleet, agents: Mapping[str, Agent]) -> Result:
    """Return what became of an order, from what its host has now (`agents` by name; it has no others)."""
    seen = agents.get(opened.order.agent)
    if opened.order.verb in STARTS:
        return _looked_for_start(opened, seen)
    if opened.order.verb == "host take":
        host = fleet.hosts.get(opened.order.host)
        owned = host is not None and host.facts is not None and host.facts.owned
        return (
            Result(Outcome.DONE) if owned else Result(Outcome.REFUSED, f"{opened.order.host} was not taken: try again")
        )
    if seen is None or seen.epoch > opened.order.epoch:
        return _looked_for_gone(opened)
    return _looked_for_rest(opened, seen)


def _looked_for_start(opened: OpenOrder, seen: Agent | None) -> Result:
    if seen is not None and seen.epoch >= opened.order.epoch:
        return Result(Outcome.DONE)
    if is_half_done(opened, seen):
        return half_done(opened, f"{opened.order.host} did not get to it before the link was lost")
    if seen is None and opened.order.verb != "spawn":
        return Result(Outcome.UNKNOWN, f"{opened.order.subject} is not there any more")
    return Result(Outcome.REFUSED, f"{opened.order.host} did not get the order before the link was lost: try again")


def is_half_done(opened: OpenOrder, seen: Agent | None) -> bool:
    """Return whether a host has ended the old run for an order, and not begun the new one; `seen`: what it shows."""
    if opened.order.verb != "reassign" or seen is None or seen.epoch >= opened.order.epoch or not seen.has_ended:
        return False
    return seen.ended >= opened.order.at or (isinstance(opened.sent, Spawn) and opened.sent.replaces > 0)


def second_half(opened: OpenOrder) -> Spawn | None:
    """Return what is to be sent again of an order that is half done: the same run, which can begin but once."""
    if not isinstance(opened.sent, Spawn) or opened.tries >= TRIES:
        return None
    opened.tries += 1
    return replace(opened.sent, replaces=0)


def half_done(opened: OpenOrder, why: str) -> Result:
    """Return what was done of an order to end a run and begin another, and how to go on."""
    new = f"its run {opened.order.epoch}"
    words = f"{opened.order.subject} has ended for {new}, which did not begin: {why}. To begin it: controlroom reassign"
    return Result(Outcome.UNKNOWN, f"{words} {opened.order.subject} --task TEXT", half=True)


def open_half(opened: OpenOrder, result: Result, at: int) -> Alarmed | None:
    """Show an order that is half done until something has begun there, or the agent is forgotten."""
    about = f"open {opened.order.subject}"
    if result.half:
        return Alarmed(about, Alarm(result.reason, AlarmLevel.DANGER, at, opened.order.subject))
    return Alarmed(about, None) if result.outcome is Outcome.DONE and opened.order.verb in (*STARTS, "forget") else None


def _looked_for_gone(opened: OpenOrder) -> Result:
    if opened.order.verb in (*ENDS, "forget"):
        return Result(Outcome.DONE)
    return Result(Outcome.UNKNOWN, f"{opened.order.subject} is not there any more")


def _looked_for_rest(opened: OpenOrder, seen: Agent) -> Result:
    order = opened.order
    if order.verb in ENDS and seen.has_ended:
        return Result(Outcome.DONE)
    if order.verb == "answer" and (seen.question is None or seen.question.id != opened.question):
        return Result(Outcome.DONE)
    lost = f"the link to {order.host} was lost"
    if order.verb in (*ENDS, "forget", "answer"):
        still = {"forget": "is still there", "answer": "still asks"}.get(order.verb, "still runs")
        return Result(Outcome.UNKNOWN, f"{lost}, and {order.subject} {still}: try again")
    if order.verb in OF_BRANCHES:
        words = f"{lost} while it was at the {order.verb} of {order.subject}"
        return Result(Outcome.UNKNOWN, f"{words}: see with controlroom collect {order.subject} what became of it")
    return Result(Outcome.UNKNOWN, f"{lost}: see in the log whether {order.subject} got it")
