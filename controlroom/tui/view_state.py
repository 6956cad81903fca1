"""One moment of everything the screen shows. Frozen: screens get a new one and draw what differs."""

from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from enum import Enum

from controlroom.domain.display.views import Counts
from controlroom.domain.model import Fleet


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

    def since(self, at: int) -> int:
        """Milliseconds since a time."""
        return max(0, self.now - at)
