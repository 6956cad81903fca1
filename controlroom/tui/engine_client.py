"""What the screen needs of a client of the engine. `client.client.Client` fits; so does a client that tests hold."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # nothing of this is needed to run, and the first frame does not wait for it
    from controlroom.domain.attached import FrontEnd
    from controlroom.domain.display.checkup import Check
    from controlroom.domain.display.loglines import Matches, ScreenLine
    from controlroom.domain.intents import Intent
    from controlroom.domain.model import Fleet, LogPlace, LogRecord
    from controlroom.domain.money.costs import CostRow
    from controlroom.domain.orders import Result


class Page(Protocol):
    """Records of one log, in order, from `start` up to `end`."""

    @property
    def agent(self) -> str:
        """Whose log: an agent id."""

    @property
    def records(self) -> tuple[LogRecord, ...]:
        """The records; there may be none."""

    @property
    def start(self) -> LogPlace:
        """Where the first record stands."""

    @property
    def end(self) -> LogPlace:
        """Where the next record will stand."""

    @property
    def skipped(self) -> int:
        """Bytes before `start` that were not sent."""

    @property
    def first(self) -> bool:
        """Whether nothing older exists in this epoch."""

    @property
    def reason(self) -> str:
        """Why there is nothing, when the log cannot be read."""

    @property
    def offsets(self) -> tuple[int, ...]:
        """Where in the segment of `start` each record begins."""

    @property
    def before(self) -> int:
        """Bytes of this run's log before the records."""

    @property
    def total(self) -> int:
        """Bytes of all of this run's log; 0: not known."""

    @property
    def unanswered(self) -> bool:
        """Whether its host could not be asked: what it has is not known."""


class Attachment(Protocol):
    """Shows an agent's session on the terminal it is run on."""

    @property
    def why_read_only(self) -> str:
        """Why nothing may be typed there, though nobody asked for that."""

    def run(self) -> str:
        """Hand the terminal over until the person leaves; gives what went wrong, "" when nothing did."""


class Shown(Protocol):
    """What stands on an agent's terminal."""

    @property
    def lines(self) -> tuple[ScreenLine, ...]:
        """Its lines, inert; there may be none."""

    @property
    def columns(self) -> int:
        """How wide it is."""

    @property
    def rows(self) -> int:
        """How high it is."""

    @property
    def reason(self) -> str:
        """Why there is nothing."""


class HostChecked(Protocol):
    """What a host was found to have."""

    @property
    def checks(self) -> tuple[Check, ...]:
        """What was looked at, judged."""

    @property
    def reason(self) -> str:
        """Why the host's own part is missing, in a sentence."""


class Spent(Protocol):
    """What was spent."""

    @property
    def rows(self) -> tuple[CostRow, ...]:
        """Sums by what was asked for, and by who pays."""

    @property
    def ran(self) -> Mapping[str, int]:
        """By key, the milliseconds that its agents ran, where that is known."""

    @property
    def reason(self) -> str:
        """Why there is nothing."""


class Attached(Protocol):
    """Who is attached."""

    @property
    def front_ends(self) -> tuple[FrontEnd, ...]:
        """Those that are connected to the engine."""

    @property
    def reason(self) -> str:
        """Why that is not known."""


class Source(Protocol):
    """A client of the engine, connected. Its methods raise `client.transport.EngineUnavailable` when it is gone."""

    @property
    def fleet(self) -> Fleet:
        """The newest fleet."""

    @property
    def ahead(self) -> int:
        """Milliseconds that the engine's clock is ahead of this machine's, as of its last word."""

    @property
    def connected(self) -> bool:
        """Whether the engine is there."""

    @property
    def stopped(self) -> bool:
        """Whether the engine ended in order: nobody should start it again unasked."""

    @property
    def where(self) -> str:
        """The machine that the engine is on, as one gives it to ssh; "" is this one."""

    @property
    def read_only(self) -> bool:
        """Whether the engine shows what there is and does nothing for us."""

    async def changed(self) -> object:
        """Wait until `fleet` or `connected` has changed since the last call."""

    async def attachment(self, agent: str, *, read_only: bool = False) -> Attachment:
        """Prepare to hand the terminal to an agent's session. Raises `client.client.NoAttachment` with the reason."""

    async def screen(self, agent: str) -> Shown:
        """Look at an agent's terminal as it is now."""

    async def submit(self, intent: Intent, *, wait: bool = True, deadline: float = 60) -> Result:
        """Ask for something, and say what became of it."""

    async def follow(self, places: Mapping[str, LogPlace | None]) -> object:
        """Name all logs to follow from now on: agent id -> where from (None: from its end)."""

    def pages(self) -> AsyncIterator[Page]:
        """Give what followed logs say, as it comes."""

    async def fetch(
        self, agent: str, epoch: int, before: LogPlace | None = None, count: int = 200, after: LogPlace | None = None
    ) -> Page:
        """Read older text: `count` records before a place (None: the end), or those after `after`."""

    async def search(
        self,
        agent: str,
        epoch: int,
        text: str,
        *,
        regex: bool = False,
        before: LogPlace | None = None,
        after: LogPlace | None = None,
        count: int = 100,
    ) -> Matches:
        """Search a piece of one run's log on its host: back from a place (None: the end), or on from `after`."""

    async def check(self, host: str) -> HostChecked:
        """See whether a host has all that agents need."""

    async def costs(self, by: str, since: int, until: int) -> Spent:
        """Ask what was spent between two moments (UTC ms), by one of `domain.money.costs.BY`."""

    async def attached(self) -> Attached:
        """Ask who is attached to the engine."""

    async def stop_engine(self) -> object:
        """Stop the engine; agents live on."""

    async def close(self) -> object:
        """Leave the engine alone."""


Connect = Callable[[bool], Awaitable[Source]]
"""Reaches the engine; True: starting it where there is none."""
