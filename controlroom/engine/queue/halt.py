"""The halt of a room: one word that stops every agent, in force until a person ends it, whatever restarts meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from controlroom.domain import intents
from controlroom.domain.model import Agent, State
from controlroom.domain.orders import Result
from controlroom.domain.tasks import Halt
from controlroom.domain.words import named_some
from controlroom.engine.queue.task_book import TaskBook
from controlroom.engine.store import FleetStore
from controlroom.text.states import AgentKind, Outcome

GO_ON = "You were interrupted because all work was halted for a while. Go on with your task where you stopped."
"""What an agent that the halt interrupted is told when it ends."""

Submit = Callable[[intents.Intent, str], Awaitable[Result]]


class HaltKeeper:
    """Halts a room, and keeps it so. All methods are called on the event loop."""

    def __init__(self, store: FleetStore, book: TaskBook, submit: Submit) -> None:
        """`submit` decides an intent and orders what follows from it, as for an operator."""
        self._store, self._book, self._submit = store, book, submit
        self._turn = asyncio.Lock()

    async def halt(self, intent: intents.HaltRoom, who: str) -> Result:
        """Halt the room, and stop every agent that can be reached; one that is halted is halted harder."""
        queue, now = self._store.fleet.queue, self._store.clock()
        before = queue.halt
        if before is not None and (before.kill or not intent.kill):
            already = Result(Outcome.REFUSED, f"the room is halted already, by {before.who}")
            return self._book.audited(intent, already, who)
        written = self._book.set_queue(replace(queue, halt=Halt(who, now, intent.reason, intent.kill)))
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
        await self._book.set_queue(replace(queue, halt=None))
        told = [agent for agent in self._store.fleet.agents.values() if _run(agent) in halt.reached and _goes_on(agent)]
        if not halt.kill:
            await asyncio.gather(
                *(self._submit(intents.SendMessage(agent.id, agent.epoch, GO_ON), who) for agent in told)
            )
        count = 0 if halt.kill else len(told)
        words = f"the queue goes on; told to go on: {agents_words(count)}" if count else ""
        return self._book.audited(intent, Result(Outcome.DONE, words), who)

    async def enforce(self) -> None:
        """Stop every agent that is at work though the room is halted, and that can be reached."""
        async with self._turn:
            halt = self._store.fleet.queue.halt
            if halt is not None:
                await self._stop_all(halt)

    async def _stop_all(self, halt: Halt) -> None:
        agents = [agent for agent in self._store.fleet.agents.values() if self._is_due(agent, halt)]
        if not agents:
            return
        results = await asyncio.gather(*(self._stop(agent, halt) for agent in agents))
        reached = [_run(agent) for agent, result in zip(agents, results, strict=True) if result.ok]
        queue = self._store.fleet.queue
        if reached and queue.halt is not None:
            kept = replace(queue.halt, reached=(*queue.halt.reached, *reached))
            self._book.set_queue(replace(queue, halt=kept))

    def _is_due(self, agent: Agent, halt: Halt) -> bool:
        """Whether an agent is still to be stopped."""
        if agent.adopted or not agent.lives or agent.pending or _run(agent) in halt.reached:
            return False
        if not self._store.fleet.reachable(agent):
            return False
        return halt.kill or (agent.kind is not AgentKind.COMMAND and agent.state is not State.IDLE)

    def _stop(self, agent: Agent, halt: Halt) -> Awaitable[Result]:
        intent = intents.KillAgent if halt.kill else intents.InterruptAgent
        return self._submit(intent(agent.id, agent.epoch), f"{halt.who}, by halt")

    def _words(self, kill: bool) -> str:
        """What was stopped, and what was not."""
        fleet = self._store.fleet
        halt = fleet.queue.halt
        ours = [agent for agent in fleet.agents.values() if not agent.adopted and agent.lives]
        away = [agent.id for agent in ours if not fleet.reachable(agent)]
        commands = [agent.id for agent in ours if agent.kind is AgentKind.COMMAND and not kill]
        others = [agent.id for agent in fleet.agents.values() if agent.adopted and agent.lives]
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
    """Names one run of an agent."""
    return f"{agent.id} {agent.epoch}"


def _goes_on(agent: Agent) -> bool:
    """Whether an interrupted agent waits for a message."""
    return agent.lives and agent.state in (State.IDLE, State.WAITING) and agent.pending is None
