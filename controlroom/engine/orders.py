"""Open orders: written down, sent, concluded by their host's reply or by looking, recalled after a restart.

A remote call has three outcomes: done, refused, unknown. An order whose link was lost, or that was open when the engine
ended, is never sent again: once its host says what it has, that decides.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from controlroom.domain.events import AgentsObserved, Alarmed, Event, Ordered
from controlroom.domain.gauges import Alarm
from controlroom.domain.intents import SpawnOn
from controlroom.domain.model import Agent, Fleet
from controlroom.domain.orders import STARTS, Order, Result
from controlroom.engine.hosts.translate import short
from controlroom.engine.ledger.ledger import KnownAgent
from controlroom.text.sanitize import redact
from controlroom.text.states import Outcome
from controlroom.wire.messages import Reply, Spawn, ToNode

PATIENCE = 180.0
"""Seconds for a host to answer an order; ending a stubborn tree takes the longest."""

TRIES = 3
"""How often the second half of an order is asked for again."""

CLOSED = 1000
"""Closed orders of which it is still known what became of them: somebody may be about to ask."""

SHOWN_TASK = 200
"""Characters of a task that the ledger keeps."""

SHOWN_WHO = 80
"""Characters of the name of somebody that a row shows."""


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
    tries: int = 0
    """How often its second half was asked for again."""
    before: Agent | None = field(default=None)
    """What the host says of the run before the one that is to begin: true again if that does not begin."""


class OrderBook:
    """All open orders of a room. All methods are called on its event loop."""

    def __init__(
        self,
        send: Callable[[str, ToNode], bool],
        concluded: Callable[[OpenOrder, Result], None],
    ) -> None:
        """`send` gives a host a message, or False; `concluded` is told what became of each order, once."""
        self._send = send
        self._concluded = concluded
        self._open: dict[int, OpenOrder] = {}
        self._closed: dict[int, asyncio.Future[Result]] = {}

    def __contains__(self, op: int) -> bool:
        return op in self._open

    def result_of(self, op: int) -> "asyncio.Future[Result] | None":
        """What becomes, or lately became, of an order; None: no such order is known."""
        opened = self._open.get(op)
        return opened.result if opened else self._closed.get(op)

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
        timer = asyncio.get_running_loop().call_later(PATIENCE, self._give_up, opened)
        opened.result.add_done_callback(lambda _: timer.cancel())

    def _give_up(self, opened: OpenOrder) -> None:
        """Conclude what a host that is there has not answered; one that is away is looked at when it is back."""
        if not opened.unsure:
            words = f"{opened.order.host} did not answer within {PATIENCE:g} s: look again"
            self.conclude(opened, Result(Outcome.UNKNOWN, words))

    def replied(self, host: str, reply: Reply) -> bool:
        """Conclude an order by its host's answer; False: there is no such order, of any host."""
        opened = self._open.get(reply.id)
        if opened is not None and opened.order.host == host:
            self.conclude(opened, replied(opened, reply))
        return opened is not None

    def host_lost(self, host: str) -> None:
        """The link is gone: what was on its way may or may not have arrived."""
        for opened in self.of(host):
            opened.unsure = True

    def observed(self, event: AgentsObserved) -> None:
        """Note what a host says of the runs that are being replaced there."""
        for opened in self.of(event.host):
            if opened.order.verb in STARTS:
                seen = [agent for agent in event.agents if agent.name == opened.order.agent]
                earlier = (agent for agent in seen if agent.epoch < opened.order.epoch)
                opened.before = next(earlier, opened.before)

    def look(self, event: AgentsObserved, fleet: Fleet) -> None:
        """Conclude what was unsure, from all that its host has."""
        agents = {agent.name: agent for agent in event.agents}
        for opened in [opened for opened in self.of(event.host) if opened.unsure]:
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
        told = replace(result, reason=redact(result.reason), op=order.op, agent=agent, epoch=order.epoch)
        self._concluded(opened, told)
        opened.result.set_result(told)
        self._closed[order.op] = opened.result
        if len(self._closed) > CLOSED:
            del self._closed[next(iter(self._closed))]


def ordered_by(event: Event, who: str) -> Event:
    """Write into an order who gave it."""
    if not isinstance(event, Ordered):
        return event
    return replace(event, order=replace(event.order, who=short(who, SHOWN_WHO)))


def to_known(effect: SpawnOn, at: int) -> KnownAgent:
    """Give what the ledger keeps of an agent that should exist from now on."""
    task = " ".join(effect.task.split())[:SHOWN_TASK]
    return KnownAgent(
        effect.host, effect.name, effect.epoch, effect.kind, effect.profile, effect.model, effect.cwd, task, at
    )


def replied(opened: OpenOrder, reply: Reply) -> Result:
    """Say what became of an order by its host's answer."""
    again = opened.tries and reply.outcome is Outcome.REFUSED
    if (reply.outcome is Outcome.HALF or again) and opened.order.verb in STARTS:
        return half_done(opened, reply.reason)
    outcome = Outcome.UNKNOWN if reply.outcome is Outcome.HALF else reply.outcome
    return Result(outcome, reply.reason)


def looked(opened: OpenOrder, fleet: Fleet, agents: Mapping[str, Agent]) -> Result:
    """Say what became of an order, from what its host has now (`agents` by name; it has no others)."""
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
    """Say whether a host has ended the old run for an order, and not begun the new one; `seen`: what it shows."""
    if opened.order.verb != "reassign" or seen is None or seen.epoch >= opened.order.epoch or not seen.has_ended:
        return False
    return seen.ended >= opened.order.at or (isinstance(opened.sent, Spawn) and opened.sent.replaces > 0)


def second_half(opened: OpenOrder) -> Spawn | None:
    """Give what is to be sent again of an order that is half done: the same run, which can begin but once."""
    if not isinstance(opened.sent, Spawn) or opened.tries >= TRIES:
        return None
    opened.tries += 1
    return replace(opened.sent, replaces=0)


def half_done(opened: OpenOrder, why: str) -> Result:
    """Say what was done of an order to end a run and begin another, and how to go on."""
    new = f"its new run (epoch {opened.order.epoch})"
    words = f"{opened.order.subject} has ended for {new}, which did not begin: {why}. To begin it: controlroom reassign"
    return Result(Outcome.UNKNOWN, f"{words} {opened.order.subject} --task TEXT", half=True)


def open_half(opened: OpenOrder, told: Result, at: int) -> Alarmed | None:
    """Show an order that is half done until something has begun there, or the agent is forgotten."""
    about = f"open {opened.order.subject}"
    if told.half:
        return Alarmed(about, Alarm(told.reason, "danger", at, opened.order.subject))
    return Alarmed(about, None) if told.outcome is Outcome.DONE and opened.order.verb in (*STARTS, "forget") else None


def _looked_for_gone(opened: OpenOrder) -> Result:
    if opened.order.verb in ("kill", "forget"):
        return Result(Outcome.DONE)
    return Result(Outcome.UNKNOWN, f"{opened.order.subject} is not there any more")


def _looked_for_rest(opened: OpenOrder, seen: Agent) -> Result:
    order = opened.order
    if order.verb == "kill" and seen.has_ended:
        return Result(Outcome.DONE)
    if order.verb == "answer" and (seen.question is None or seen.question.id != opened.question):
        return Result(Outcome.DONE)
    lost = f"the link to {order.host} was lost"
    if order.verb in ("kill", "forget", "answer"):
        still = {"kill": "still runs", "forget": "is still there", "answer": "still asks"}[order.verb]
        return Result(Outcome.UNKNOWN, f"{lost}, and {order.subject} {still}: try again")
    return Result(Outcome.UNKNOWN, f"{lost}: see in the log whether {order.subject} got it")
