"""What every limit leaves, gathered from what hosts were told by Claude and from what is booked; shown in the fleet.

News are gathered for a moment and told together. Who used how much is read out of the ledger, which takes longer, so
that is done less often. Times are UTC milliseconds.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Protocol

from controlroom.domain import events
from controlroom.domain.gauges import Headroom
from controlroom.domain.headroom import (
    Reading,
    Readings,
    lasting,
    model_of,
    per_mille,
    taken,
    unread,
    window_gauge,
)
from controlroom.domain.model import LIVE, Fleet
from controlroom.fleet.cost_views import plan_spend
from controlroom.fleet.ledger import Ledger, LedgerProblem
from controlroom.fleet.limits_seen import LoginSeen

log = logging.getLogger("controlroom.headroom")

SOON = 0.2
"""Seconds in which news are gathered."""

SHARED = 15_000
"""Milliseconds for which it is not asked again who used a window."""

TICK = 60.0
"""Seconds after which everything is looked at again though nothing was heard."""

Spend = list[tuple[str, str, int]]


class Room(Protocol):
    """What this needs of the engine."""

    fleet: Fleet
    clock: Callable[[], int]

    def happened(self, event: events.Event) -> None:
        """Take an event."""


class HeadroomDesk:
    """Keeps the gauges of all limits. All methods are called on the event loop."""

    def __init__(self, room: Room, ledger: Ledger) -> None:
        self._room, self._ledger = room, ledger
        self._readings: Readings = {}
        self._logins: dict[str, str] = {}
        """Agent id -> account."""
        self._shares: dict[tuple[str, str], tuple[int, Mapping[str, int]]] = {}
        """By window: when it was read who used it, and who did."""
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._again = False

    def close(self) -> None:
        """Do nothing more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    async def wait_idle(self) -> None:
        """Wait until what was heard is told."""
        while self._again or self._task is not None:
            if self._task is not None:
                await asyncio.wait([self._task])
            else:
                await asyncio.sleep(SOON)

    def heard(self, login: LoginSeen) -> None:
        """A host says how far the windows of an agent's login are used."""
        self._logins[login.agent] = login.account
        self._readings = taken(self._readings, login.readings)
        self.stir()

    def stir(self) -> None:
        """Something has changed: look at everything soon."""
        if not self._again:
            self._again = True
            self._look_in(SOON)

    def _look_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        if self._task is not None:
            self._look_in(SOON)
            return
        self._again = False
        self._task = asyncio.get_running_loop().create_task(self._tell(), name="headroom")
        self._task.add_done_callback(self._told)

    def _told(self, task: "asyncio.Task[None]") -> None:
        self._task = None
        if not task.cancelled():
            if error := task.exception():
                log.error("headroom cannot be told", exc_info=error)
            self._look_in(SOON if self._again else TICK)

    async def _tell(self) -> None:
        now = self._room.clock()
        gauges = [*(await self._windows(now))]
        self._room.happened(events.HeadroomSeen({gauge.key: gauge for gauge in gauges}))

    # ----------------------------------------------------------------------- windows of plans

    async def _windows(self, now: int) -> list[Headroom]:
        readings = lasting(self._readings, now)
        await self._share(readings, now)
        gauges = [window_gauge(reading, None, self._shares.get(reading.key, (0, {}))[1]) for reading in readings]
        agents = self._room.fleet.agents
        self._logins = {agent: account for agent, account in self._logins.items() if agent in agents}
        used = {account for agent, account in self._logins.items() if agents[agent].state in LIVE}
        return gauges + [unread(account) for account in sorted(used - {reading.account for reading in readings})]

    async def _share(self, readings: list[Reading], now: int) -> None:
        """Read anew who used the windows, where that was not done just now."""
        for reading in readings:
            if reading.began and self._shares.get(reading.key, (0, {}))[0] + SHARED <= now:
                try:
                    spend = await asyncio.to_thread(plan_spend, self._ledger, reading.began, now)
                except LedgerProblem as problem:
                    log.error("who used %s of %s cannot be read: %s", reading.window, reading.account, problem)
                    continue
                self._shares[reading.key] = now, self._parts(reading, spend)

    def _parts(self, reading: Reading, spend: Spend) -> Mapping[str, int]:
        parts: dict[str, int] = {}
        for agent, model, pico in spend:
            if self._logins.get(agent) == reading.account and model_of(reading.window) in model:
                parts[agent] = parts.get(agent, 0) + pico
        return per_mille(parts)
