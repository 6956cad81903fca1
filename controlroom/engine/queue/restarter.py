"""Starts agents without being asked: those that ended, and those that a profile keeps running, one after the other.

A start is on the disk before it is ordered, so that starts are counted whatever is lost; and a run begins but once, for
its host begins no epoch twice.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Protocol

from controlroom.domain import intents
from controlroom.domain.orders import Order, Result
from controlroom.domain.queue import restarts
from controlroom.domain.queue.restarts import How, Wanted
from controlroom.domain.tasks import Restarts
from controlroom.engine.claims import ClaimChecker
from controlroom.engine.ledger.ledger import LedgerProblem
from controlroom.engine.queue.halt import ResultOf, Submit
from controlroom.engine.queue.task_book import TaskBook
from controlroom.engine.store import FleetStore
from controlroom.text.states import Outcome

log = logging.getLogger("controlroom.engine")


class FleetTexts(Protocol):
    """What is known of agents that fleet files have started."""

    async def begun(self, wanted: Wanted) -> str | None:
        """Write down that a run is about to be ordered; why not, "" when it was, None: it is not wanted any more."""

    async def text(self, name: str) -> str:
        """What an agent is told. Raises `LedgerProblem`."""


class Restarter:
    """Agents that are started without being asked. All methods are called on the event loop."""

    def __init__(
        self,
        store: FleetStore,
        book: TaskBook,
        claims: ClaimChecker,
        submit: Submit,
        result_of: ResultOf,
        tasks: Mapping[str, str],
        wake: Callable[[], None],
        fleets: FleetTexts,
    ) -> None:
        """`tasks`: what agents are told that a profile keeps running, by profile; `wake`: have a round soon."""
        self._store, self._book, self._claims, self._submit = store, book, claims, submit
        self._result_of, self._tasks, self._wake, self._fleets = result_of, tasks, wake, fleets

    @property
    def has_work(self) -> bool:
        """Whether what agents do may be followed by a start."""
        return restarts.starts_any(self._store.fleet)

    def note(self, orders: Iterable[Order]) -> None:
        """Take note of the runs that a halt of the room ends: they are nobody's wish."""
        fleet = self._store.fleet
        kept = dict(fleet.queue.restarts)
        for order in orders:
            agent = fleet.agents.get(order.subject)
            if order.verb == "kill" and agent is not None and agent.epoch == order.epoch:
                key = restarts.key_of(fleet, agent)
                kept[key] = replace(kept.get(key, Restarts(agent.host, agent.epoch)), halted=order.epoch)
        self._keep(kept)

    async def start_due(self) -> int:
        """Start all that may start now; the moment of the next look, 0 for none."""
        self._forget()
        while self.has_work:
            fleet, now = self._store.fleet, self._store.clock()
            plan = restarts.plan(fleet, now, self._stopped())
            self._keep(plan.restarts)
            if plan.start is None or not await self._start(plan.start):
                return plan.next_look
        return 0

    def _forget(self) -> None:
        """Let what a profile keeps running, was given up, and was then forgotten by a person, begin anew."""
        fleet = self._store.fleet
        forgotten = {
            key
            for key, record in fleet.queue.restarts.items()
            if record.gave_up and "/" not in key and f"{record.host}/{key}" not in fleet.agents
            if self._claims.of(record.host, key, record.epoch) is None
        }
        if forgotten:
            self._keep({key: record for key, record in fleet.queue.restarts.items() if key not in forgotten})

    async def later(self, intent: intents.ResumeAgent, who: str) -> Result:
        """Have an agent go on once there is room for it, as was decided."""
        fleet = self._store.fleet
        agent = fleet.agents[intent.agent]
        key = restarts.key_of(fleet, agent)
        kept = replace(fleet.queue.restarts.get(key, Restarts()), host=agent.host, epoch=agent.epoch)
        wish = replace(kept, asked=agent.epoch, gave_up="", since=0, not_before=0, refused="", starting=False)
        problem = await self._book.set_queue(replace(fleet.queue, restarts={**fleet.queue.restarts, key: wish}))
        words = f"it goes on once there is room{f'; not on the disk yet: {problem}' if problem else ''}"
        return self._book.audited_agent(who, "resume", agent.id, agent.epoch, Result(Outcome.DONE, words))

    def _stopped(self) -> set[str]:
        """The ids of the agents whose run was ended by an order, also by one of an engine before this one."""
        agents = (agent for agent in self._store.fleet.agents.values() if agent.has_ended and not agent.adopted)
        return {agent.id for agent in agents if self._claims.was_killed(agent.host, agent.name, agent.epoch)}

    def _keep(self, restarts: Mapping[str, Restarts]) -> None:
        """Show what is known of all restarts; write it down where it is another, and say what is given up."""
        queue = self._store.fleet.queue
        if restarts == queue.restarts:
            return
        before = {key: _lasting(kept) for key, kept in queue.restarts.items()}
        after = {key: _lasting(kept) for key, kept in restarts.items()}
        if before == after:
            self._book.show((), replace(queue, restarts=restarts))
            return
        self._book.set_queue(replace(queue, restarts=restarts))
        for key, kept in restarts.items():
            if kept.gave_up and not before.get(key, Restarts()).gave_up:
                about = key if "/" in key else f"{kept.host}/{key}"
                self._book.audited_agent(
                    "restarts", "gave up", about, kept.epoch, Result(Outcome.REFUSED, kept.gave_up)
                )

    async def _start(self, wanted: Wanted) -> bool:
        """Start an agent; False: it was not possible to write that down, so nothing was ordered."""
        now, record = self._store.clock(), self._store.fleet.queue.restarts.get(wanted.key, Restarts())
        begun = restarts.begun(record, wanted, now)
        written: str | None = await self._put(wanted.key, begun)
        intent, written = (None, written) if written else await self._prepared(wanted)
        if intent is None:
            self._put(wanted.key, restarts.not_begun(record, written, self._store.clock()) if written else record)
            return False
        queue = self._store.fleet.queue
        if queue.hold is not None or queue.halt is not None:  # since it was written down
            self._put(wanted.key, record)
            return False
        result = await self._submit(intent, f"restarts: {wanted.why}")
        answer = self._result_of(result.op) if result.outcome is Outcome.ASKED else None
        if answer is None or answer.done():
            self._answered(wanted.key, record, begun, result if answer is None else answer.result())
        else:
            answer.add_done_callback(partial(self._later_answered, wanted.key, record, begun))
        if result.ok:
            queue = self._store.fleet.queue
            self._book.show((), replace(queue, last_start=self._store.clock()))
        return True

    def _put(self, key: str, kept: Restarts) -> "asyncio.Future[str]":
        queue = self._store.fleet.queue
        return self._book.set_queue(replace(queue, restarts={**queue.restarts, key: kept}))

    async def _prepared(self, wanted: Wanted) -> tuple[intents.Intent | None, str | None]:
        """What is to be ordered for a start, of which a fleet's agent is written down; or why there is nothing."""
        if wanted.member is None or wanted.how is not How.SPAWN:
            return self._intent(wanted), ""
        try:
            text = await self._fleets.text(wanted.name)
        except LedgerProblem as unread:
            return None, str(unread)
        problem, entry = await self._fleets.begun(wanted), wanted.member.entry
        if problem != "":
            return None, problem
        spawn = intents.SpawnAgent(wanted.name, text, wanted.host, entry.profile, model=entry.model, cwd=entry.cwd)
        return replace(spawn, credential=entry.credential, worktree=entry.worktree), ""

    def _intent(self, wanted: Wanted) -> intents.Intent:
        if wanted.how is How.RESUME:
            return intents.ResumeAgent(wanted.id, wanted.epoch, restarts.resume_words(wanted))
        if wanted.how is How.RETRY:
            return intents.RetryAgent(wanted.id, wanted.epoch)
        return intents.SpawnAgent(
            wanted.name, self._tasks.get(wanted.profile, ""), host=wanted.host, profile=wanted.profile
        )

    def _later_answered(self, key: str, before: Restarts, begun: Restarts, answer: "asyncio.Future[Result]") -> None:
        if not answer.cancelled():
            self._answered(key, before, begun, answer.result())

    def _answered(self, key: str, before: Restarts, begun: Restarts, result: Result) -> None:
        """Take what became of a start; one that was refused is tried again later."""
        kept = self._store.fleet.queue.restarts.get(key)
        if kept is None or not kept.starting or kept.epoch != begun.epoch:
            return
        if result.outcome is Outcome.REFUSED:
            self._put(key, restarts.not_begun(before, result.reason, self._store.clock()))
            log.info("%s is not started: %s", key, result.reason)
        else:
            self._put(key, restarts.arrived(kept))
        self._wake()


def _lasting(kept: Restarts) -> Restarts:
    """What the ledger keeps of it."""
    return replace(kept, starting=False, wait=None)
