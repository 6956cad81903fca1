"""Empties drained hosts: orders who leaves, batch by batch, and notes what became of each.

An agent stands in the drain as on its way before its move is ordered, and what hosts show of it decides what became of
it: so an engine that comes back goes on with the batch that was on its way.
"""

import asyncio
from dataclasses import replace

from controlroom.domain.drain_alarms import stop_words
from controlroom.domain.model import Host
from controlroom.domain.orders import Result
from controlroom.domain.queue import drains
from controlroom.domain.queue.drains import Leave
from controlroom.domain.tasks import Drain
from controlroom.engine.queue.halt import ResultOf, Submit
from controlroom.engine.queue.task_book import TaskBook
from controlroom.engine.store import FleetStore
from controlroom.text.states import Outcome


class HostDrainer:
    """All drains that move agents. All methods are called on the event loop, never two at once."""

    def __init__(self, store: FleetStore, book: TaskBook, submit: Submit, result_of: ResultOf) -> None:
        """`submit` decides an intent and orders what follows from it; `result_of` says what becomes of an order."""
        self._store, self._book, self._submit, self._result_of = store, book, submit, result_of
        self._awaited: dict[str, asyncio.Future[Result]] = {}
        """What becomes of the moves that are on their way, by the id of the agent."""

    async def step(self) -> int:
        """Do all that is to be done now; when it is to be looked at again though nothing happens, 0: never."""
        self._settle({})
        forming: set[str] = set()
        refused: dict[str, str] = {}
        while (leave := (found := self._next(forming)).leave) is not None:
            refused |= await self._leave(leave, first=leave.agent.host not in forming)
            forming.add(leave.agent.host)
        if refused:
            self._settle(refused)
        for name, waits in found.blocked.items():
            host = self._store.fleet.hosts.get(name)
            if host is not None and host.drain is not None and host.drain.waits != waits:
                self._book.show_drain(name, replace(host.drain, waits=waits))
        ways = [one for host in self._drained() if host.drain for one in host.drain.leaving]
        return min((one.at + drains.AWAITED for one in ways), default=0)

    def _next(self, forming: set[str]) -> drains.Next:
        return drains.next_leave(self._store.fleet, self._store.clock(), forming)

    def _drained(self) -> list[Host]:
        return [host for host in self._store.fleet.hosts.values() if host.drain is not None and host.drain.move]

    def _settle(self, refused: dict[str, str]) -> None:
        """Note what became of those that left. `refused`: why moves were refused at once, by the id of the agent."""
        self._await_recalled()
        for id_, future in [*self._awaited.items()]:
            if future.done():
                del self._awaited[id_]
                if not future.cancelled() and not ((result := future.result()).ok or result.unreached):
                    refused[id_] = result.reason
        for host in self._drained():
            assert host.drain is not None
            after = drains.settled(self._store.fleet, host, self._store.clock(), refused, self._awaited)
            if after is not None and after != host.drain:
                self._book.drain(host.name, after)
                self._tell(host, host.drain, after)

    def _await_recalled(self) -> None:
        """Learn what becomes of the moves that an engine before this one has ordered."""
        rows = (
            self._store.fleet.agents.get(f"{host.name}/{one.name}")
            for host in self._drained()
            for one in (host.drain.leaving if host.drain else ())
        )
        for agent in [row for row in rows if row is not None and row.pending and row.id not in self._awaited]:
            future = self._result_of(agent.pending.op) if agent.pending else None
            if future is not None:
                self._awaited[agent.id] = future

    def _tell(self, host: Host, before: Drain, after: Drain) -> None:
        """Audit that a drain stands still, or that nothing is left on its host."""
        who = f"{after.who}, by host drain"
        if after.stopped and not before.stopped:
            result = Result(Outcome.REFUSED, stop_words(host.name, after))
            self._book.audited_agent(who, "host drain", host.name, 0, result)
        elif after.emptied and not before.emptied:
            words = f"nothing of this room is at work there any more; {after.moved} moved"
            self._book.audited_agent(who, "host drain", host.name, 0, Result(Outcome.DONE, words))

    async def _leave(self, leave: Leave, *, first: bool) -> dict[str, str]:
        """Order that an agent goes on elsewhere; why that was refused, by its id, where it was."""
        agent, fleet = leave.agent, self._store.fleet
        drain = fleet.hosts[agent.host].drain
        assert drain is not None
        self._book.drain(agent.host, drains.left(fleet, drain, leave, self._store.clock(), first=first))
        move = drains.move_of(fleet, agent, leave.host, leave.task)
        result = await self._submit(move, f"{leave.who}, by host drain")
        if not result.ok:
            return {agent.id: result.reason}
        if (future := self._result_of(result.op)) is not None:
            self._awaited[agent.id] = future
        return {}
