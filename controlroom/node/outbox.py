"""What goes home. Replies and log records in order; of a state only the newest, while the link is slow."""

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from controlroom.text.host_sample import HostSample
from controlroom.wire.edits import AgentEdits, EditsSeen
from controlroom.wire.lines import MAX_FRAME
from controlroom.wire.messages import (
    AdoptedSeen,
    AgentLoad,
    AgentSeen,
    AgentsSeen,
    FromNode,
    LastLine,
    LastLines,
    Loads,
    pack,
)

BOUND = 16 * 1024 * 1024
"""Bytes that may wait for a link; what home asks for can never add up to so much, so beyond it the link is dead."""

_BATCH = 64 * 1024
_AT_ONCE = 32
"""Agents in one message: with the longest question each, they stay below what a line may hold."""

_EDITS_AT_ONCE = 8
"""Agents whose edits are in one message, likewise: paths may have nothing but signs that are written with six."""

T = TypeVar("T")


class Outbox:
    """Writes messages to a descriptor without ever waiting for it in the loop. `broken`: called when it is gone."""

    def __init__(self, descriptor: int, broken: Callable[[], None]) -> None:
        self._descriptor, self._broken = descriptor, broken
        self._frames: deque[memoryview] = deque()
        self._size = 0
        self._agents: dict[str, AgentSeen] = {}
        self._gone: set[str] = set()
        self._adopted: AdoptedSeen | None = None
        self._adopted_changed: dict[str, AgentSeen] = {}
        self._edits: dict[str, AgentEdits] = {}
        self._lines: dict[str, LastLine] = {}
        self._loads: dict[str, AgentLoad] = {}
        self._loads_at = 0
        self._host: HostSample | None = None
        self._waiting = self._closed = False
        self._soon: asyncio.Handle | None = None
        self._room = asyncio.Event()
        self._room.set()
        os.set_blocking(descriptor, False)

    def send(self, message: FromNode) -> None:
        """Send a message after all that was sent before it, and unless the link is slow after all that was told."""
        while not self._waiting and self._states():
            pass
        self._add(pack(message))
        self._pump_soon()

    def all_agents(self, seen: list[AgentSeen]) -> None:
        """Report all agents there are on this host."""
        whole = AgentsSeen(tuple(seen), complete=True)
        if len(frame := pack(whole)) > MAX_FRAME // 2:
            slim = tuple(replace(agent, question=None, evidence=(), detail=agent.detail[:200]) for agent in seen)
            frame = pack(AgentsSeen(slim, complete=True))
            self._agents |= {agent.name: agent for agent in seen}
        self._add(frame)
        self._pump_soon()

    def agent(self, seen: AgentSeen) -> None:
        """Report the newest state of an agent."""
        self._gone.discard(seen.name)
        self._agents[seen.name] = seen
        self._pump_soon()

    def gone(self, name: str) -> None:
        """Report that an agent's folder is no longer there."""
        self._agents.pop(name, None)
        self._gone.add(name)
        self._pump_soon()

    def adopted(self, seen: AdoptedSeen) -> None:
        """Report agents that others started: all that live, or those that changed."""
        changed = self._adopted_changed
        if seen.complete:
            self._adopted = seen
            self._adopted_changed = {name: agent for name, agent in changed.items() if agent.ended}
        else:
            changed.update((agent.name, agent) for agent in seen.agents)
            if self._adopted:
                newest = tuple(_newest(agent, changed) for agent in self._adopted.agents)
                self._adopted = AdoptedSeen(newest)
        self._pump_soon()

    def lines(self, lines: Iterable[LastLine]) -> None:
        """Report newest lines."""
        self._lines.update((line.name, line) for line in lines)
        self._pump_soon()

    def edits(self, seen: AgentEdits) -> None:
        """Report what an agent has edited."""
        self._edits[seen.name] = seen
        self._pump_soon()

    def loads(self, loads: Iterable[AgentLoad], at: int) -> None:
        """Report changed loads."""
        self._loads.update((load.name, load) for load in loads)
        self._loads_at = at
        self._pump_soon()

    def host(self, seen: HostSample) -> None:
        """Report the machine's figures."""
        self._host = seen
        self._pump_soon()

    @property
    def idle(self) -> bool:
        """Whether all that was sent has left for the link."""
        return self._room.is_set()

    async def room(self) -> None:
        """Wait until all that was sent has left for the link."""
        await self._room.wait()

    async def close(self, deadline: float) -> None:
        """Let what is waiting leave, for `deadline` seconds at most, and send nothing more."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.room(), deadline)
        self._stop()

    def _add(self, frame: bytes) -> None:
        self._frames.append(memoryview(frame))
        self._size += len(frame)
        self._room.clear()

    def _pump_soon(self) -> None:
        """Let what is said in one turn of the loop leave together: each write costs the host and the link a packet."""
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        """Write what the link takes now. States become frames only when nothing older waits."""
        self._soon = None
        try:
            if self._size > BOUND:
                raise OSError("home does not read")
            while not self._closed and not self._waiting and (self._frames or self._states()):
                if not self._write():
                    asyncio.get_running_loop().add_writer(self._descriptor, self._writable)
                    self._waiting = True
        except OSError:
            self._stop()
            self._broken()
        if not self._frames:
            self._room.set()

    def _write(self) -> bool:
        """Write one batch; False when the link takes no more."""
        frame = self._frames.popleft()
        while self._frames and len(frame) < _BATCH:
            frame = memoryview(b"".join((frame, self._frames.popleft())))
        try:
            written = os.write(self._descriptor, frame)
        except BlockingIOError:
            written = 0
        self._size -= written
        if written < len(frame):
            self._frames.appendleft(frame[written:])
        return written == len(frame)

    def _writable(self) -> None:
        asyncio.get_running_loop().remove_writer(self._descriptor)
        self._waiting = False
        self._pump()

    def _stop(self) -> None:
        if self._soon:
            self._soon.cancel()
        if self._waiting:
            asyncio.get_running_loop().remove_writer(self._descriptor)
        self._closed, self._waiting = True, False
        self._frames.clear()
        self._size = 0
        self._room.set()

    def _states(self) -> bool:
        """Turn states into frames, of many agents some at a time; False when there are none."""
        before = self._size
        if self._agents or self._gone:
            names, gone = list(self._agents)[:_AT_ONCE], tuple(sorted(self._gone))
            self._gone.clear()
            self._add(pack(AgentsSeen(tuple(self._agents.pop(name) for name in names), gone=gone)))
        if self._adopted_changed:  # before all of them: of one that has ended nothing else tells
            names = list(self._adopted_changed)[:_AT_ONCE]
            changed = tuple(self._adopted_changed.pop(name) for name in names)
            self._add(pack(AdoptedSeen(changed, complete=False)))
        elif self._adopted:
            self._add(pack(self._adopted))
            self._adopted = None
        if self._edits:
            names = list(self._edits)[:_EDITS_AT_ONCE]
            self._add(pack(EditsSeen(tuple(self._edits.pop(name) for name in names))))
        if self._lines:
            self._add(pack(LastLines(_taken(self._lines))))
        if self._loads:
            self._add(pack(Loads(self._loads_at, _taken(self._loads))))
        if self._host:
            self._add(pack(self._host))
            self._host = None
        return self._size > before


def _newest(agent: AgentSeen, changed: Mapping[str, AgentSeen]) -> AgentSeen:
    """Return what was said last of an agent that lives; one that has ended was another of its name."""
    newest = changed.get(agent.name, agent)
    return agent if newest.ended else newest


def _taken(newest: dict[str, T]) -> tuple[T, ...]:
    values = tuple(newest.values())
    newest.clear()
    return values
