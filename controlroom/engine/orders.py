"""Orders on their way: what was asked of a host and not answered yet, and what looking at the host says became of it.

A remote call has three outcomes: done, refused, unknown. An order whose link was lost, or that was open when the engine
ended, is never sent again: once its host says what it has, that decides.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from controlroom.domain.events import Alarmed, Event, Ordered
from controlroom.domain.gauges import Alarm
from controlroom.domain.intents import (
    AddHost,
    ForgetOn,
    Intent,
    KillOn,
    LinkEffect,
    RemoveBudget,
    RemoveHost,
    RetryHost,
    RetryLink,
    SetBudget,
    SettleUsage,
    SpawnOn,
    TakeHost,
    TakeOn,
    TellOn,
    TrustKey,
)
from controlroom.domain.model import Agent, Fleet
from controlroom.domain.results import Result
from controlroom.engine.hosts.translate import NodeEffect, short
from controlroom.engine.ledger import ledger
from controlroom.wire.messages import Reply, Spawn, ToNode

if TYPE_CHECKING:
    from controlroom.engine.hosts.link import HostLink

ROWS = frozenset({"spawn", "reassign", "resume", "kill", "forget"})
"""Verbs whose order shows in the agent's row."""

STARTS = frozenset({"spawn", "reassign", "resume"})
"""Verbs that begin a new epoch."""

PATIENCE = 180.0
"""Seconds for a host to answer an order; ending a stubborn tree takes the longest."""

TRIES = 3
"""How often the second half of an order is asked for again."""

SHOWN_TASK = 200
"""Characters of a task that the ledger keeps."""

SHOWN_WHO = 80
"""Characters of the name of somebody that a row shows."""


@dataclass(frozen=True)
class Asked:
    """What became of an intent at once: refused, or on its way with an answer to come."""

    refused: str = ""
    op: int = 0
    agent: str = ""
    epoch: int = 0
    answer: "asyncio.Future[Result] | None" = field(default=None, compare=False)
    """None: it is done already."""


@dataclass(eq=False)
class InFlight:
    """One order on its way."""

    record: ledger.Order
    answer: "asyncio.Future[Result]"
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

    @property
    def agent(self) -> str:
        """Id of its agent; empty when it is about the host."""
        return f"{self.record.host}/{self.record.agent}" if self.record.agent else ""


def answered(link: "HostLink", effect: LinkEffect) -> str:
    """Tell a link what a person said; give the verb for the audit, which holds that a secret was told, never which."""
    if isinstance(effect, RetryLink):
        link.retry()
        return "host retry"
    if isinstance(effect, TrustKey):
        link.trust(effect.question, effect.accept)
        return "trust" if effect.accept else "distrust"
    link.tell(effect.question, effect.secret)
    return "distrust" if effect.secret is None else "secret"


def verb_of(intent: Intent) -> str:
    """`SpawnAgent` -> spawn, `AddHost` -> host add."""
    verbs: dict[type, str] = {AddHost: "host add", RemoveHost: "host remove", TakeHost: "host take"}
    verbs[RetryHost] = "host retry"
    verbs |= {SetBudget: "budget set", RemoveBudget: "budget remove"}
    if isinstance(intent, SettleUsage):
        return "ledger accept" if intent.accept else "ledger strike"
    name = type(intent).__name__
    return (
        verbs.get(type(intent)) or name.removesuffix("Agent").removesuffix("Message").removesuffix("Question").lower()
    )


def signed(event: Event, who: str) -> Event:
    """Write into an order who gave it."""
    if not isinstance(event, Ordered):
        return event
    return replace(event, pending=replace(event.pending, who=short(who, SHOWN_WHO)))


def target_of(intent: Intent) -> str:
    """Name what an intent is about, for the audit."""
    return str(getattr(intent, "agent", "") or getattr(intent, "subject", "") or getattr(intent, "name", ""))[:90]


def to_record(effect: NodeEffect, verb: str, op: int, who: str, at: int) -> ledger.Order:
    """Give what the ledger keeps of an effect that a node is to carry out."""
    match effect:
        case SpawnOn(host, name, epoch, task):
            return ledger.Order(op, verb, host, name, epoch, task[:SHOWN_TASK], who, at)
        case KillOn(host, name, epoch) | ForgetOn(host, name, epoch) | TellOn(host, name, epoch):
            return ledger.Order(op, verb, host, name, epoch, "", who, at)
        case TakeOn(host):
            return ledger.Order(op, verb, host, "", 0, "", who, at)


def to_known(effect: SpawnOn, at: int) -> ledger.KnownAgent:
    """Give what the ledger keeps of an agent that should exist from now on."""
    task = " ".join(effect.task.split())[:SHOWN_TASK]
    return ledger.KnownAgent(
        effect.host, effect.name, effect.epoch, effect.kind, effect.profile, effect.model, effect.cwd, task, at
    )


def replied(order: InFlight, reply: Reply) -> Result:
    """Say what became of an order by its host's answer."""
    again = order.tries and reply.outcome == "refused"
    if (reply.outcome == "half" or again) and order.record.verb in STARTS:
        return half_done(order, reply.reason)
    return Result(reply.outcome if reply.outcome in ("done", "refused") else "unknown", reply.reason)


def looked(order: InFlight, fleet: Fleet, agents: Mapping[str, Agent]) -> Result:
    """Say what became of an order, from what its host has now (`agents` by name; it has no others)."""
    record = order.record
    seen = agents.get(record.agent)
    if record.verb in STARTS:
        return _looked_for_start(order, seen)
    if record.verb == "host take":
        host = fleet.hosts.get(record.host)
        owned = host is not None and host.facts is not None and host.facts.owned
        return Result("done") if owned else Result("refused", f"{record.host} was not taken: try again")
    if seen is None or seen.epoch > record.epoch:
        return _looked_for_gone(order)
    return _looked_for_rest(order, seen)


def _looked_for_start(order: InFlight, seen: Agent | None) -> Result:
    record = order.record
    if seen is not None and seen.epoch >= record.epoch:
        return Result("done")
    if is_half_done(order, seen):
        return half_done(order, f"{record.host} did not get to it before the link was lost")
    if seen is None and record.verb != "spawn":
        return Result("unknown", f"{order.agent} is not there any more")
    return Result("refused", f"{record.host} did not get the order before the link was lost: try again")


def is_half_done(order: InFlight, seen: Agent | None) -> bool:
    """Say whether a host has ended the old run for an order, and not begun the new one; `seen`: what it shows."""
    record = order.record
    if record.verb != "reassign" or seen is None or seen.epoch >= record.epoch or not seen.has_ended:
        return False
    return seen.ended >= record.at or (isinstance(order.sent, Spawn) and order.sent.replaces > 0)


def second_half(order: InFlight) -> Spawn | None:
    """Give what is to be sent again of an order that is half done: the same run, which can begin but once."""
    if not isinstance(order.sent, Spawn) or order.tries >= TRIES:
        return None
    order.tries += 1
    return replace(order.sent, replaces=0)


def half_done(order: InFlight, why: str) -> Result:
    """Say what was done of an order to end a run and begin another, and how to go on."""
    new = f"its new run (epoch {order.record.epoch})"
    words = f"{order.agent} has ended for {new}, which did not begin: {why}. To begin it: controlroom reassign"
    return Result("unknown", f"{words} {order.agent} --task TEXT", half=True)


def open_half(order: InFlight, told: Result, at: int) -> Alarmed | None:
    """Show an order that is half done until something has begun there, or the agent is forgotten."""
    about = f"open {order.agent}"
    if told.half:
        return Alarmed(about, Alarm(told.reason, "danger", at, order.agent))
    return Alarmed(about, None) if told.outcome == "done" and order.record.verb in (*STARTS, "forget") else None


def _looked_for_gone(order: InFlight) -> Result:
    if order.record.verb in ("kill", "forget"):
        return Result("done")
    return Result("unknown", f"{order.agent} is not there any more")


def _looked_for_rest(order: InFlight, seen: Agent) -> Result:
    record = order.record
    if record.verb == "kill" and seen.has_ended:
        return Result("done")
    if record.verb == "answer" and (seen.question is None or seen.question.id != order.question):
        return Result("done")
    if record.verb in ("kill", "forget", "answer"):
        still = {"kill": "still runs", "forget": "is still there", "answer": "still asks"}[record.verb]
        return Result("unknown", f"the link to {record.host} was lost, and {order.agent} {still}: try again")
    return Result("unknown", f"the link to {record.host} was lost: see in the log whether {order.agent} got it")
