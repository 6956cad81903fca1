"""What a front end can ask the engine: each question is one request, its answer one message. A part of `client`."""

from typing import TypeVar

from controlroom.client.log_pages import AgentScreen, LogPage, agent_screen, log_page, matches
from controlroom.domain.calculators.estimate import Wish
from controlroom.domain.calculators.ways import Terms
from controlroom.domain.display.loglines import Matches
from controlroom.domain.model import LogPlace
from controlroom.protocol.advice_messages import AskComparison, AskEstimate, Compared, Estimated
from controlroom.protocol.messages import (
    CHECKING,
    Answer,
    AskAttached,
    AskAudit,
    AskCosts,
    AskDoubted,
    AskRunways,
    Attached,
    Audit,
    BackUpLedger,
    CheckHost,
    CheckLedger,
    Costs,
    FetchLog,
    Hits,
    HostChecked,
    LedgerTended,
    LookAtScreen,
    Page,
    Request,
    Runways,
    Screen,
    SearchLog,
    SetAside,
)

T = TypeVar("T", bound=Answer)


class Questions:
    """The questions. All raise `EngineUnavailable` when the engine is gone, `NotAllowed` where it refuses to answer."""

    async def _ask(self, number: int, request: Request, kind: type[T], deadline: float) -> T:
        """Send a request and wait for its answer."""
        raise NotImplementedError

    def _new_id(self) -> int:
        """Give a number for a request."""
        raise NotImplementedError

    async def fetch(
        self, agent: str, epoch: int, before: LogPlace | None = None, count: int = 200, after: LogPlace | None = None
    ) -> LogPage:
        """Read older records: the last `count` before a place (None: the end), or those after `after`."""
        request = FetchLog(self._new_id(), agent, epoch, count, before, after)
        return log_page(await self._ask(request.id, request, Page, 30.0))

    async def search(
        self,
        agent: str,
        epoch: int,
        text: str,
        *,
        regex: bool = False,
        exact: bool = False,
        before: LogPlace | None = None,
        after: LogPlace | None = None,
        count: int = 100,
        lines: bool = False,
    ) -> Matches:
        """Search a piece of one run's log on its host: back from a place (None: the end), or on from `after`.

        Unless it is `exact`, capital and small letters are alike. With `lines`, hits bring the lines that fit.
        """
        terms = (text, regex, exact, before, after, count, lines)
        request = SearchLog(self._new_id(), agent, epoch, *terms)
        return matches(await self._ask(request.id, request, Hits, 30.0))

    async def screen(self, agent: str) -> AgentScreen:
        """Look at an agent's terminal as it is now."""
        request = LookAtScreen(self._new_id(), agent)
        return agent_screen(await self._ask(request.id, request, Screen, 30.0))

    async def check(self, host: str) -> HostChecked:
        """See whether a host has all that agents need. It may take half a minute."""
        request = CheckHost(self._new_id(), host)
        return await self._ask(request.id, request, HostChecked, CHECKING)

    async def costs(self, by: str, since: int, until: int) -> Costs:
        """Ask what was spent from one moment up to another (UTC milliseconds), by one of `domain.money.costs.BY`."""
        request = AskCosts(self._new_id(), by, since, until)
        return await self._ask(request.id, request, Costs, 30.0)

    async def compare(self, days: int, terms: Terms) -> Compared:
        """Ask what the use of the last days would cost in other ways."""
        request = AskComparison(self._new_id(), days, terms)
        return await self._ask(request.id, request, Compared, 60.0)

    async def estimate(self, wish: Wish) -> Estimated:
        """Ask what such a fleet would need."""
        request = AskEstimate(self._new_id(), wish)
        return await self._ask(request.id, request, Estimated, 60.0)

    async def attached(self) -> Attached:
        """Ask who is attached to the engine."""
        request = AskAttached(self._new_id())
        return await self._ask(request.id, request, Attached, 30.0)

    async def runways(self) -> Runways:
        """Ask how far agents can go alone."""
        request = AskRunways(self._new_id())
        return await self._ask(request.id, request, Runways, 10.0)

    async def audit(self, count: int = 100, text: str = "") -> Audit:
        """Read the newest lines of the audit, those that contain `text`."""
        request = AskAudit(self._new_id(), count, text)
        return await self._ask(request.id, request, Audit, 30.0)

    async def doubted(self) -> SetAside:
        """Ask which bookings were set aside as impossible."""
        request = AskDoubted(self._new_id())
        return await self._ask(request.id, request, SetAside, 30.0)

    async def check_ledger(self) -> LedgerTended:
        """Have the whole ledger read. It may take a minute."""
        request = CheckLedger(self._new_id())
        return await self._ask(request.id, request, LedgerTended, 300.0)

    async def back_up_ledger(self, path: str) -> LedgerTended:
        """Have the ledger copied into a new file on the engine's machine; a whole path."""
        request = BackUpLedger(self._new_id(), path)
        return await self._ask(request.id, request, LedgerTended, 300.0)
