"""The fleet of a room as it is, and who is told what changes: the one place in the program that makes a new one."""

from collections.abc import Callable

from controlroom.domain.changes import Changes
from controlroom.domain.events import Event
from controlroom.domain.model import Fleet
from controlroom.domain.reduce import changed

Told = Callable[[Changes], None]
"""Is told which records are others than before. The changes are everybody's: they are not to be altered."""


class FleetStore:
    """Holds one fleet. All methods are called on one thread."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.revision = 0
        """Counts the fleets that there have been."""
        self._subscribers: dict[Told, None] = {}

    def apply(self, event: Event) -> Changes:
        """Take an event, and tell all subscribers what it changed, if it did."""
        self.fleet, changes = changed(self.fleet, event)
        if changes:
            self.revision += 1
            for told in tuple(self._subscribers):
                told(changes)
        return changes

    def subscribe(self, told: Told) -> None:
        """Tell somebody of every change from now on."""
        self._subscribers[told] = None

    def unsubscribe(self, told: Told) -> None:
        """Tell them no more."""
        self._subscribers.pop(told, None)
