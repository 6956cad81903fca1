"""The halt of a room: one word that stops every agent, in force until a person ends it, whatever restarts meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Set
from dataclasses import replace
from functools import partial

from controlroom.domain import intents
from controlroom.domain.events import Alarmed
from controlroom.domain.gauges import Alarm, AlarmLevel
from controlroom.domain.model import Agent, State
from controlroom.domain.orders import Order, Result
from controlroom.domain.tasks import Halt
from controlroom.domain.words import named_some
from controlroom.engine.queue.task_book import REASON, TaskBook
from controlroom.engine.store import FleetStore
from controlroom.text.sanitize import redact, sanitize
from controlroom.text.states import AgentKind, Outcome

GO_ON = "You were interrupted because all work was halted for a while. Go on with your task where you stopped."
"""What an agent that the halt interrupted is told when it ends."""

PATIENCE = 60_000
"""Milliseconds in which an agent that was stopped comes to its end."""

_ABOUT = "halt"

Submit = Callable[[intents.Intent, str], Awaitable[Result]]

ResultOf = Callable[[int], "asyncio.Future[Result] | None"]
"""What becomes of an order; None: no such order is known."""


class HaltKeeper:
    """Halts a room, and keeps it so. All methods are called on the event loop."""

    def __init__(self, store: FleetStore, book: TaskBook, submit: Submit, result_of: ResultOf) -> None:
        """`submit` decides an intent and orders what follows from it, as for an operator."""
        self._store, self._book, self._submit, self._result_of = store, book, submit, result_of
        self._turn = asyncio.Lock()
        self._stopped: dict[str, int] = {}
        """When each run was stopped, as far as is known here; UTC ms."""

    async def halt(self, intent: intents.HaltRoom, who: str) -> Result:
        """Halt the room, and stop every agent that can be reached; one that is halted is halted harder."""
        queue, now = self._store.fleet.queue, self._store.clock()
        before = queue.halt
        if before is not None and (before.kill or not intent.kill):
            already = Result(Outcome.REFUSED, f"the room is halted already, by {before.who}")
            return self._book.audited(intent, already, who)
        written = self._book.set_queue(
            replace(queue, halt=Halt(who, now, redact(sanitize(intent.reason, REASON)), intent.kill))
        )
        await self.enforce()
        problem = await written
        words = f"{self._words(intent.kill)}{f'; not on the disk yet: {problem}' if problem else ''}"
        return self._book.audited(intent, Result(Outcome.DONE, words), who)

    async def resume(self, intent: intents.ResumeRoom, who: str) -> Result:
        """End the halt, and tell the agents that it interrupted to go on."""
        queue = self._store.fleet.queue
        halt = queue.halt
        if halt is None:
            return self._book.audited(intent, Result(Outcome.REFUSED, "the room is not halted"), who)
        problem = await self._book.set_queue(replace(queue, halt=None))
        told = [agent for agent in self._store.fleet.agents.values() if _run(agent) in halt.reached and _goes_on(agent)]
        if not halt.kill:
            await asyncio.gather(
                *(self._submit(intents.SendMessage(agent.id, agent.epoch, GO_ON), who) for agent in told)
            )
        count = 0 if halt.kill else len(told)
        told_words = [f"told to go on: {agents_words(count)}"] if count else []
        unwritten = [f"not on the disk yet, so a restart may halt it again: {problem}"] if problem else []
        return self._book.audited(intent, Result(Outcome.DONE, "; ".join(told_words + unwritten)), who)

    def recall(self, orders: Iterable[Order]) -> None:
        """Take up a halt. `orders`: those that were open when the engine before this one ended; they may be lost."""
        self._missed({f"{order.subject} {order.epoch}" for order in orders if order.verb in ("interrupt", "kill")})

    async def enforce(self) -> int:
        """Stop every agent that is at work though the room is halted, and that can be reached.

        Returns when to look again whether those that were stopped have, UTC ms; 0: no need.
        """
        async with self._turn:
            halt = self._store.fleet.queue.halt
            if halt is not None:
                await self._stop_all(halt)
            return self._watch(self._store.fleet.queue.halt)

    def _watch(self, halt: Halt | None) -> int:
        """Raise the alarm about agents that work on though they were stopped, or end it: a host may have lied."""
        now = self._store.clock()
        fleet = self._store.fleet
        working = [agent for agent in fleet.agents.values() if halt and _works_on(agent, halt)]
        self._stopped = {_run(agent): self._stopped.get(_run(agent), now) for agent in working}
        due = {agent.id: self._stopped[_run(agent)] + PATIENCE for agent in working}
        late = sorted(key for key, at in due.items() if at <= now)
        standing = fleet.alarms.get(_ABOUT)
        text = (
            f"stopped by the halt, and at work all the same: {named_some(late)}: end with controlroom halt --kill, "
            f"or look on the host"
        )
        alarm = Alarm(text, AlarmLevel.DANGER, standing.since if standing else now) if late else None
        if alarm != standing:
            self._store.apply(Alarmed(_ABOUT, alarm))
        return min((at for at in due.values() if at > now), default=0)

    async def _stop_all(self, halt: Halt) -> None:
        agents = [agent for agent in self._store.fleet.agents.values() if self._is_due(agent, halt)]
        if not agents:
            return
        results = await asyncio.gather(*(self._stop(agent, halt) for agent in agents))
        reached = [(_run(agent), result.op) for agent, result in zip(agents, results, strict=True) if result.ok]
        queue = self._store.fleet.queue
        if reached and queue.halt is not None:
            kept = replace(queue.halt, reached=(*queue.halt.reached, *(run for run, _ in reached)))
            self._book.set_queue(replace(queue, halt=kept))
        for run, op in reached:
            if (result := self._result_of(op)) is not None:
                result.add_done_callback(partial(self._concluded, run))

    def _concluded(self, run: str, result: "asyncio.Future[Result]") -> None:
        """Stop a run again whose order may not have arrived; what its host has refused, it would refuse again."""
        if not result.cancelled() and (result.result().looked or result.result().outcome is Outcome.UNKNOWN):
            self._missed({run})

    def _missed(self, runs: Set[str]) -> None:
        """Note that these runs have perhaps not been stopped."""
        queue = self._store.fleet.queue
        if queue.halt is not None and not runs.isdisjoint(queue.halt.reached):
            reached = tuple(run for run in queue.halt.reached if run not in runs)
            self._book.set_queue(replace(queue, halt=replace(queue.halt, reached=reached)))

    def _is_due(self, agent: Agent, halt: Halt) -> bool:
        """Whether an agent is still to be stopped."""
        if not agent.held or not agent.runs or agent.pending or _run(agent) in halt.reached:
            return False
        if not self._store.fleet.reachable(agent):
            return False
        return halt.kill or (agent.kind is not AgentKind.COMMAND and agent.lives and agent.state is not State.IDLE)

    def _stop(self, agent: Agent, halt: Halt) -> Awaitable[Result]:
        intent = intents.KillAgent if halt.kill else intents.InterruptAgent
        return self._submit(intent(agent.id, agent.epoch, agent.mark), f"{halt.who}, by halt")

    def _words(self, kill: bool) -> str:
        """What was stopped, and what was not."""
        fleet = self._store.fleet
        halt = fleet.queue.halt
        ours = [agent for agent in fleet.agents.values() if agent.held and agent.runs]
        away = [agent.id for agent in ours if not fleet.reachable(agent)]
        commands = [agent.id for agent in ours if (agent.kind is AgentKind.COMMAND or not agent.lives) and not kill]
        others = [agent.id for agent in fleet.agents.values() if not agent.held and agent.runs]
        count = len(halt.reached) if halt else 0
        done = "ended" if kill else "interrupted"
        parts = [f"{agents_words(count)} {'is' if count == 1 else 'are'} {done}"]
        if away:
            parts.append(f"not reached yet: {named_some(away)}; they are stopped when their host is back")
        if commands:
            parts.append(f"commands run on, --kill ends them: {named_some(commands)}")
        if others:
            parts.append(f"started by others, and not touched: {named_some(others)}")
        return "; ".join(parts)


def agents_words(count: int) -> str:
    """So many agents."""
    return f"{count} agent{'' if count == 1 else 's'}"


def _run(agent: Agent) -> str:
    """Names one run of an agent; of one that others started, one process."""
    return f"{agent.id} {agent.mark or agent.epoch}"


def _works_on(agent: Agent, halt: Halt) -> bool:
    """Whether an agent that was stopped does not show it."""
    stopped = not agent.runs if halt.kill else agent.state is not State.WORKING
    return _run(agent) in halt.reached and not agent.pending and not stopped


def _goes_on(agent: Agent) -> bool:
    """Whether an interrupted agent waits for a message."""
    waits = agent.lives and agent.state in (State.IDLE, State.WAITING)
    return waits and not agent.adopted and agent.pending is None
