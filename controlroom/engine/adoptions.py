"""Agents that others started and that this room has taken over: kept in the ledger, found again, begun under a runner.

An adoption stands for one process on one host (`domain.adoption`), whatever its host calls it by then. What is ordered
of one goes on with the engine's other orders; here is only which agents they are, and who is to go on once ended.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace

from controlroom.domain import adopting, events, intents
from controlroom.domain.adopted_care import Trouble
from controlroom.domain.adoption import Adoption
from controlroom.domain.clock_set import later
from controlroom.domain.gauges import Alarm, AlarmLevel
from controlroom.domain.model import Agent, LinkState, State
from controlroom.domain.orders import ENDS, Order, Result
from controlroom.domain.preconditions import Refusal
from controlroom.engine.background_tasks import BackgroundTasks
from controlroom.engine.ledger.adoption_tables import (
    ADOPTIONS,
    drop_adoption,
    drop_adoptions,
    keep_adoption,
    read_adoption,
)
from controlroom.engine.ledger.ledger import Ledger
from controlroom.engine.ledger.writer import Keep, LedgerWriter
from controlroom.engine.store import FleetStore
from controlroom.text.states import Cause, Outcome

log = logging.getLogger("controlroom.engine")

MOST = 500
"""Adoptions of one host that are kept, the newest: as many agents of others as are shown."""

Submit = Callable[[intents.Intent, str], Awaitable[Result]]

ResultOf = Callable[[int], "asyncio.Future[Result] | None"]
"""What becomes of an order; None: no such order is known."""


class AdoptionBook:
    """All adoptions of a room. All methods are called on the event loop."""

    def __init__(
        self, store: FleetStore, ledger: Ledger, ledger_writer: LedgerWriter, submit: Submit, result_of: ResultOf
    ) -> None:
        """`submit` decides an intent and orders what follows from it, as for an operator."""
        self._store, self._ledger_writer, self._submit, self._result_of = store, ledger_writer, submit, result_of
        self._adoptions: dict[str, dict[str, Adoption]] = {}
        """By host and mark."""
        for host, adoption in map(read_adoption, ledger.read(ADOPTIONS)):
            self._adoptions.setdefault(host, {})[adoption.mark] = adoption
        self._ended: dict[tuple[str, str], str] = {}
        """By host and mark: the verb by which this room has ended it."""
        self._why: dict[tuple[str, str], tuple[Cause, str]] = {}
        """By host and mark: for what trouble that was, and what is told of it."""
        self._waits: set[str] = set()
        """Agents that are being begun under a runner."""
        self._background = BackgroundTasks("adoptions")
        store.when_clock_set(self._clock_set)

    @property
    def busy(self) -> bool:
        """Whether one is being begun under a runner."""
        return len(self._background) > 0

    async def wait_idle(self) -> None:
        """Wait until none is."""
        await self._background.wait_idle()

    async def close(self) -> None:
        """Stop: nothing more is begun."""
        await self._background.end()

    @property
    def hosts(self) -> Collection[str]:
        """The hosts on which somebody was taken over."""
        return self._adoptions.keys()

    def _clock_set(self, by: int) -> None:
        """What was noted by the clock as it was moves with it: limits count from there."""
        for host, theirs in self._adoptions.items():
            moved = {mark: replace(adoption, at=later(adoption.at, by)) for mark, adoption in theirs.items()}
            theirs.update(moved)
            self._ledger_writer.outbox.put([keep_adoption(host, each) for each in moved.values()], Keep.STATE)

    # ----------------------------------------------------------------------- what somebody wants

    async def adopt(self, intent: intents.AdoptAgent, who: str) -> Result:
        """Take an agent over, and have its session go on under a runner where that is wanted now."""
        try:
            adoption = adopting.adoption(self._store.fleet, intent, self._store.clock(), who)
        except Refusal as refusal:
            return self._ledger_writer.refused(intent, str(refusal), who)
        host = intent.agent.partition("/")[0]
        was = self._store.fleet.agents[intent.agent].adoption
        written = self._keep(host, adoption)
        self._store.apply(events.AdoptionChanged(intent.agent, adoption))
        if problem := await written:
            self._forget(host, adoption.mark)
            self._store.apply(events.AdoptionChanged(intent.agent, was))
            return self._ledger_writer.refused(intent, f"nothing was taken over: {problem}", who)
        words = f"taken over as {adoption.name}"
        self._ledger_writer.audited(who, "adopt", intent.agent, 0, Result(Outcome.DONE, words))
        if intent.restart:
            return await self._submit(intents.RestartAdopted(intent.agent, intent.mark), who)
        self._look(host)
        return Result(Outcome.DONE, words, agent=intent.agent)

    def _keep(self, host: str, adoption: Adoption) -> "asyncio.Future[str]":
        theirs = self._adoptions.setdefault(host, {})
        theirs.pop(adoption.mark, None)
        theirs[adoption.mark] = adoption
        old = list(theirs)[:-MOST]
        for mark in old:
            del theirs[mark]
        statements = [keep_adoption(host, adoption), *(drop_adoption(host, mark) for mark in old)]
        return self._ledger_writer.outbox.put(statements)

    def _forget(self, host: str, mark: str) -> None:
        if self._adoptions.get(host, {}).pop(mark, None) is not None:
            self._ledger_writer.keep([drop_adoption(host, mark)])

    # ----------------------------------------------------------------------- what hosts say

    def joined(self, event: events.AdoptedObserved) -> events.AdoptedObserved:
        """Put what was ordered into what a host says."""
        if not self._adoptions.get(event.host):
            return event
        return replace(event, agents=tuple(map(self._joined, event.agents)))

    def _joined(self, agent: Agent) -> Agent:
        theirs = self._adoptions.get(agent.host, {})
        adoption = theirs.get(agent.mark) or next(
            (one for one in theirs.values() if one.is_of(agent.mark, agent.script)), None
        )
        if adoption is None or (agent.has_ended and self._goes_on(agent, adoption)):
            return agent
        verb = self._ended.get((agent.host, adoption.mark), "") if agent.has_ended else ""
        joined = replace(agent, adoption=adoption)
        if not verb:
            return joined
        if (why := self._why.get((agent.host, adoption.mark))) is not None:
            return replace(joined, state=State.FAILED, detail=why[1], cause=why[0])
        words = "ended by a signal from here"
        if verb == "pause":
            words = f"paused: to go on with it: controlroom adopt {agent.id} --restart"
        return replace(joined, state=State.DONE, detail=words, cause=Cause.KILLED)

    def _goes_on(self, agent: Agent, adoption: Adoption) -> bool:
        """Whether its session goes on under a runner by now: then what has ended is only the process before that."""
        ours = self._store.fleet.agents.get(f"{agent.host}/{adoption.name}")
        return ours is not None and not ours.adopted and ours.pending is None and ours.started > adoption.at

    def observed(self, event: events.AdoptedObserved) -> None:
        """Have those go on that have ended, where that was ordered."""
        if any(agent.has_ended for agent in event.agents) or event.complete:
            self._look(event.host)

    def forgotten(self, agent: Agent | None) -> None:
        """One that has ended is shown no more."""
        if agent is not None and agent.adoption is not None and agent.has_ended:
            self._forget(agent.host, agent.adoption.mark)

    def left(self, host: str) -> None:
        """A host is no longer in the room."""
        if self._adoptions.pop(host, None):
            self._ledger_writer.keep([drop_adoptions(host)])

    def because(self, agent: Agent, why: Trouble, words: str, who: str) -> None:
        """One is about to be ended for its trouble: say so in the audit, and `words` of it once it has ended."""
        if agent.adoption is not None:
            self._why[agent.host, agent.adoption.mark] = why.cause, words
            self._ledger_writer.audited(who, "care", agent.id, 0, Result(Outcome.DONE, f"{why.words}: it is ended"))

    def ends(self, order: Order, effect: intents.SignalOn) -> None:
        """One is being ended: it does not go on by itself, whatever was ordered before."""
        adoption = self._adoption_of(order)
        if adoption is None or order.verb not in ENDS:
            return
        self._ended[order.host, adoption.mark] = order.verb
        if adoption.when_ended:
            self._set(order.subject, replace(adoption, when_ended=False))

    def concluded(self, order: Order, result: Result) -> None:
        """Take what became of an order: one that was not ended has not been ended from here."""
        adoption = self._adoption_of(order)
        if adoption is not None and result.outcome is Outcome.REFUSED:
            self._ended.pop((order.host, adoption.mark), None)
            self._why.pop((order.host, adoption.mark), None)

    def _adoption_of(self, order: Order) -> Adoption | None:
        agent = self._store.fleet.agents.get(order.subject)
        return agent.adoption if agent is not None else None

    def _set(self, agent: str, adoption: Adoption) -> None:
        host = agent.partition("/")[0]
        self._adoptions.setdefault(host, {})[adoption.mark] = adoption
        self._ledger_writer.outbox.put([keep_adoption(host, adoption)], Keep.STATE)
        self._store.apply(events.AdoptionChanged(agent, adoption))

    # ----------------------------------------------------------------------- going on under a runner

    def look(self) -> None:
        """See whether somebody may go on who could not before."""
        for host, theirs in self._adoptions.items():
            if any(adoption.when_ended for adoption in theirs.values()):
                self._look(host)

    def _look(self, host: str) -> None:
        fleet = self._store.fleet
        if fleet.queue.halt is not None or host not in fleet.hosts or fleet.hosts[host].link is not LinkState.UP:
            return
        for agent in fleet.agents_on(host):
            wanted = agent.adoption is not None and agent.adoption.when_ended and agent.has_ended
            if wanted and agent.pending is None and agent.id not in self._waits:
                self._waits.add(agent.id)
                self._background.begin(self._go_on(agent))

    async def _go_on(self, agent: Agent) -> None:
        """Begin one under a runner; that it cannot be begun is an alarm, and is not tried again by itself."""
        try:
            assert agent.adoption is not None
            result = await self._submit(intents.RestartAdopted(agent.id, agent.mark), f"{agent.adoption.who}, by adopt")
            awaited = self._result_of(result.op) if result.outcome is Outcome.ASKED else None
            result = result if awaited is None else await asyncio.shield(awaited)
            shown = self._store.fleet.agents.get(agent.id)
            if shown is not None and shown.adoption is not None:
                self._set(agent.id, replace(shown.adoption, when_ended=False))
            self._alarm(agent, "" if result.ok else result.reason)
        finally:
            self._waits.discard(agent.id)

    def _alarm(self, agent: Agent, reason: str) -> None:
        about = f"adopted {agent.id}"
        if not reason and about not in self._store.fleet.alarms:
            return
        words = (
            f"{agent.id} has ended, and does not go on as was ordered: {reason}. To have it go on: controlroom adopt"
        )
        alarm = Alarm(f"{words} {agent.id} --restart", AlarmLevel.DANGER, self._store.clock(), agent.id)
        self._store.apply(events.Alarmed(about, alarm if reason else None))
