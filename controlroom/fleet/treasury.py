"""The desk that keeps budgets: what is gone of each, what running agents may still spend, and what follows from it.

It looks again whenever something was booked or an agent has changed, gathered for a moment, and when a period ends.
What it holds of the ledger is one moment's sums; what has been granted since is added to them. Times: UTC milliseconds.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any, Protocol

from controlroom.domain import budget, events
from controlroom.domain.budget import BudgetRule
from controlroom.domain.gauges import Budget
from controlroom.domain.model import Fleet
from controlroom.domain.periods import period
from controlroom.fleet.ledger import Ledger, LedgerProblem
from controlroom.fleet.spend_views import Sums, read_sums

log = logging.getLogger("controlroom.treasury")

SOON = 0.1
"""Seconds for which what happens is gathered."""

TICK = 30.0
"""Seconds after which everything is looked at again though nothing has happened."""

AGAIN = 5.0
"""Seconds until something is tried again that did not work."""


class Room(Protocol):
    """What the treasury needs of the engine."""

    fleet: Fleet
    clock: Callable[[], int]

    def happened(self, event: events.Event) -> None:
        """Take an event."""


@dataclass(frozen=True)
class Span:
    """When a budget's period began and ends."""

    began: int
    ends: int


class Treasury:
    """Keeps the budgets of a room. All methods are called on the event loop."""

    def __init__(self, room: Room, ledger: Ledger, rules: Mapping[str, BudgetRule], zone: tzinfo) -> None:
        self._room, self._ledger, self._rules, self._zone = room, ledger, dict(rules), zone
        self._sums = Sums()
        self._stale = True
        """The ledger holds more than the sums."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._looking = False
        self._again = False
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def start(self) -> None:
        """Begin to look."""
        self.booked()

    def close(self) -> None:
        """Do nothing more."""
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()

    async def wait_idle(self) -> None:
        """Wait until what has happened has been looked at."""
        while self._looking or self._again:
            await asyncio.wait(self._tasks) if self._tasks else await asyncio.sleep(SOON)

    def booked(self) -> None:
        """Something was booked."""
        self._stale = True
        self.stir()

    def ruled(self, rules: Mapping[str, BudgetRule]) -> None:
        """These are the budgets from now on."""
        self._rules = dict(rules)
        self.booked()

    def stir(self) -> None:
        """Something may have changed: look soon."""
        if not self._again:
            self._again = True
            self._look_in(SOON)

    # ----------------------------------------------------------------------- looking

    def _look_in(self, seconds: float) -> None:
        """Look after so many seconds, or before, when that was said already."""
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            if self._due <= loop.time() + seconds:
                return
            self._timer.cancel()
        self._due = loop.time() + seconds
        self._timer = loop.call_later(seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._looking:
            self._look_in(SOON)
            return
        self._again, self._looking = False, True
        self._begin(self._look_through())

    async def _look_through(self) -> None:
        try:
            now = self._room.clock()
            spans = self._spans(now)
            moments = {span.began for span in spans.values()}
            if self._stale or not moments <= set(self._sums.since):
                self._stale = False
                self._sums = await asyncio.to_thread(read_sums, self._ledger, moments, (), now)
            self._tell(spans)
            ends = min((span.ends for span in spans.values()), default=0)
            self._look_in(max(SOON, min(TICK, (ends - now) / 1000 if ends else TICK)))
        except LedgerProblem as problem:
            log.error("budgets cannot be looked at: %s", problem)
            self._stale = True
            self._look_in(AGAIN)
        finally:
            self._looking = False

    def _spans(self, now: int) -> dict[str, Span]:
        return {
            name: Span(*period(rule.period, now, self._zone))
            for name, rule in self._rules.items()
            if rule.unit != "window"
        }

    def _tell(self, spans: Mapping[str, Span]) -> None:
        """Show the budgets as they stand."""
        shown = {name: self._standing(rule, spans.get(name, Span(0, 0))) for name, rule in self._rules.items()}
        self._room.happened(events.BudgetsSeen(shown))

    def _standing(self, rule: BudgetRule, span: Span) -> Budget:
        spends = self._sums.since.get(span.began)
        gone = None if spends is None or rule.unit == "window" else budget.spent(rule, spends)
        made = Budget(
            rule.name, rule.scope, rule.window or rule.period, rule.unit, rule.limit, rule.stop, span.began, span.ends
        )
        reached = budget.reached(rule, gone or 0)
        return replace(made, spent=gone, rungs=rule.rungs, reached=reached, dry_run=rule.dry_run)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name="treasury")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
