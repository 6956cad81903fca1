"""One moment of everything the screen shows, and what keys are about. Frozen: screens draw what differs."""

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import field
from datetime import datetime, tzinfo
from enum import Enum

from controlroom.domain.display.views import Counts
from controlroom.domain.model import Fleet
from controlroom.text.lazy_dataclass import dataclass


class Engine(Enum):
    """The state of the link to the engine."""

    STARTING = "starting"
    HERE = "here"
    GONE = "gone"
    STOPPED = "stopped"
    """It was stopped on purpose: it is started again only when an action needs it."""


@dataclass(frozen=True)
class ViewState:
    """The fleet as last heard, and the minute that all ages are counted to."""

    fleet: Fleet = field(default_factory=Fleet)
    counts: Counts = field(default_factory=Counts, compare=False, repr=False)
    """Its agents, counted as far as they were when this was shown."""
    now: int = 0
    """UTC ms of the last tick. Ages move once a minute, all together."""
    zone: tzinfo | None = None
    """Where the clock on the wall hangs; None is this machine's own."""
    engine: Engine = Engine.STARTING
    reason: str = ""
    """Why the engine is not here."""
    gone_since: int = 0
    known: bool = False
    """Whether any fleet was heard of yet."""
    where: str = ""
    """The machine that the engine is on, as one gives it to ssh; "" is this one."""
    read_only: bool = False
    """Whether the engine lets us look and do nothing else."""

    def clock(self, at: int | None = None) -> str:
        """A time (by default now) as hours and minutes on the wall, with the day where that is another one."""
        now = datetime.fromtimestamp(self.now / 1000, self.zone)
        then = now if at is None else datetime.fromtimestamp(at / 1000, self.zone)
        days = abs((then.date() - now.date()).days)
        return then.strftime("%H:%M" if not days else "%a %H:%M" if days < 7 else "%Y-%m-%d %H:%M")

    @property
    def room_zone(self) -> tzinfo:
        """Where the room's days begin."""
        from controlroom.text.time_zones import zone_here, zone_of  # the first frame does not wait for it

        return zone_of(self.fleet.limits.zone) or self.zone or zone_here("", os.environ.get("TZ", ""))

    def since(self, at: int) -> int:
        """Milliseconds since a time."""
        return max(0, self.now - at)


@dataclass(frozen=True)
class Cursor:
    """Where somebody stands in a list: on a row by its name, wherever that goes."""

    name: str | None = None
    """The row under the cursor; None: the list is empty."""
    home: str | None = None
    """The row that a person came to. While it is not in the list the cursor is beside its place, and returns to it.

    None: nobody has pressed a key yet, and the cursor is on the first row, whichever that is."""

    def on(self, name: str) -> "Cursor":
        """The cursor after a person came to a row."""
        return Cursor(name, name)

    def kept(self) -> "Cursor":
        """The cursor after any key: it stays with its row from now on."""
        return self if self.home is not None else Cursor(self.name, self.name)

    def among(self, has: Callable[[str], bool], first: str | None, beside: str | None) -> "Cursor":
        """The cursor after the list became another one. `beside`: the row that is now where the cursor's was."""
        if self.home is None:
            return Cursor(first)
        if has(self.home):
            return Cursor(self.home, self.home)
        return self if self.name is not None and has(self.name) else Cursor(beside, self.home)


@dataclass(frozen=True)
class Marks:
    """The rows of a list that are acted on together, by id."""

    names: frozenset[str] = frozenset()

    def toggled(self, name: str) -> "Marks":
        """The marks after one was set, or taken away."""
        return Marks(self.names ^ {name})

    def all_or_none(self, shown: Collection[str]) -> "Marks":
        """The marks after all on show were marked; where they all were, no mark is left, not even out of sight."""
        return Marks() if self.names.issuperset(shown) else Marks(self.names.union(shown))

    def without(self, names: Collection[str]) -> "Marks":
        """The marks after these were taken away."""
        return Marks(self.names.difference(names)) if self.names else self

    def shown(self, ids: Sequence[str]) -> list[str]:
        """Those on show, in the order of the table: what is done is done to them. `ids`: the rows of the table."""
        return sorted((name for name in self.names if name in ids), key=ids.index)

    def hidden(self, ids: Sequence[str]) -> list[str]:
        """Those that the filter hides, by name: nothing is done to them."""
        return sorted(name for name in self.names if name not in ids)
