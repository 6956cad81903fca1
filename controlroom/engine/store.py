"""The fleet of a room as it is: the only place that replaces it, and that says what each event has changed."""

import logging
from collections.abc import Callable

from controlroom.domain.changes import Changes
from controlroom.domain.events import ClockSet, Event
from controlroom.domain.model import Fleet
from controlroom.domain.reduce import changed
from controlroom.engine.clock import ClockWatch

log = logging.getLogger("controlroom.engine")

Subscriber = Callable[[Changes], None]
"""Takes the records that an event changed. The changes are shared by all subscribers: nobody alters them."""


class FleetStore:
    """One fleet, with the clock its times are of and the numbers its orders have. Used on one thread only."""

    def __init__(self, fleet: Fleet, clock: Callable[[], int], steady: Callable[[], int], last_id: int = 0) -> None:
        """`clock` gives UTC milliseconds, `steady` those of a clock that nobody sets; `last_id`: the last one taken."""
        self.fleet = fleet
        self.revision = 0
        """Counts the fleets that there have been."""
        self.clock = clock
        self.clock_set = 0
        """Milliseconds by which `clock` has been set since the store was made."""
        self._steady, self._watch, self._last_id = steady, ClockWatch(clock(), steady()), last_id
        self._subscribers: dict[Subscriber, None] = {}
        self._when_set: list[Callable[[int], None]] = []

    def new_id(self) -> int:
        """A number that no order or request of this room has had."""
        self._last_id += 1
        return self._last_id

    def apply(self, event: Event) -> Changes:
        """Reduce an event, and pass what it changed, if anything, to all subscribers."""
        self.follow_clock()  # first: the event was noted by the clock as it is now
        return self._apply(event)

    def follow_clock(self) -> None:
        """Move all that was noted before, if the clock was set since the last look."""
        if by := self._watch.was_set(self.clock(), self._steady()):
            log.warning("this machine's clock was set by %+.1f s", by / 1000)
            self.clock_set += by
            for move in self._when_set:
                move(by)
            self._apply(ClockSet(by))

    def subscribe(self, subscriber: Subscriber) -> None:
        """Pass every change to `subscriber` from now on."""
        self._subscribers[subscriber] = None

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Pass it no more."""
        self._subscribers.pop(subscriber, None)

    def when_clock_set(self, move: Callable[[int], None]) -> None:
        """Call `move` with the milliseconds by which the clock was set, each time, before the fleet is moved."""
        self._when_set.append(move)

    def _apply(self, event: Event) -> Changes:
        self.fleet, changes = changed(self.fleet, event)
        if changes:
            self.revision += 1
            for subscriber in tuple(self._subscribers):
                subscriber(changes)
        return changes
