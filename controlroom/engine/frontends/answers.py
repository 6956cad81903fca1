"""What front ends ask that changes nothing: each question is answered, with a reason when there is nothing to give."""

from collections.abc import Callable
from typing import Protocol

from controlroom.domain.model import Fleet, LogPlace
from controlroom.domain.money.plausible import DoubtedUse
from controlroom.engine.budgets.advisor import compared, estimated
from controlroom.engine.budgets.controller import BudgetController
from controlroom.engine.budgets.spending import Spending
from controlroom.engine.frontends.turns import Turns
from controlroom.engine.hosts.inquiries import Inquiries, Rank, Unanswered, check_up
from controlroom.engine.hosts.log_router import LogRouter
from controlroom.engine.hosts.translate import short
from controlroom.engine.ledger.cost_views import costs, hours
from controlroom.engine.ledger.doubted_tables import Doubted
from controlroom.engine.ledger.integrity import back_up, check
from controlroom.engine.ledger.ledger import Ledger, LedgerProblem
from controlroom.engine.ledger.run_tables import known_alive
from controlroom.engine.people import Connections
from controlroom.protocol.home import Home
from controlroom.protocol.messages import (
    Answer,
    AskAttached,
    AskAudit,
    AskComparison,
    AskCosts,
    AskDoubted,
    AskEstimate,
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
    Question,
    Runways,
    Screen,
    SearchLog,
    SetAside,
    page_for,
)
from controlroom.wire.inquiries import Found, ScreenShown, Search, ShowScreen

_REASON = 300
MOST_LINES = 10_000
"""Lines of the audit in one answer at most."""


class Engine(Protocol):
    """What answers need of the engine."""

    inquiries: Inquiries
    logs: LogRouter
    ledger: Ledger
    connections: Connections
    budget_controller: BudgetController
    spending: Spending
    clock: Callable[[], int]
    home: Home

    @property
    def fleet(self) -> Fleet:
        """The fleet as it is."""

    def new_id(self) -> int:
        """Give a number for a request."""

    async def wait_tried(self) -> None:
        """Wait until all that has happened until now is on the disk, or was not taken."""


async def answer(engine: Engine, asked: Question, asks: object, rank: Rank, turns: Turns) -> Answer:
    """Answer a question of the conversation `asks`; `rank`: whose it is; `turns`: what blocks is done in those."""
    match asked:
        case FetchLog():
            page = await engine.logs.page(asked.agent, asked.epoch, asked.count, asked.before, asked.after, rank)
            return page_for(asked.id, page)
        case SearchLog():
            return await _search(engine, asked, rank)
        case LookAtScreen():
            return await _look_at_screen(engine, asked, rank)
        case CheckHost():
            return HostChecked(asked.id, *await check_up(engine, asked.host))
        case AskCosts():
            return await _costs(engine, asked, turns)
        case AskAudit() | AskAttached() | AskRunways() | AskDoubted():
            return await _people(engine, asked, asks, turns)
        case AskComparison():
            return await turns.apart(compared, engine.home, engine.ledger, engine.fleet, asked, engine.clock())
        case AskEstimate():
            return await turns.apart(estimated, engine.home, engine.ledger, engine.fleet, asked, engine.clock())
        case CheckLedger() | BackUpLedger():
            await engine.wait_tried()
            return await _tend(engine.ledger, asked, turns)


async def _look_at_screen(engine: Engine, asked: LookAtScreen, rank: Rank) -> Screen:
    host, _, name = asked.agent.partition("/")
    inquiry = ShowScreen(engine.new_id(), name)
    try:
        shown = await engine.inquiries.ask(host, inquiry, ScreenShown, rank=rank)
    except Unanswered as problem:
        return Screen(asked.id, reason=str(problem))
    return Screen(asked.id, shown.data, shown.columns, shown.rows, short(shown.reason, _REASON))


async def _search(engine: Engine, asked: SearchLog, rank: Rank) -> Hits:
    host, _, name = asked.agent.partition("/")
    place = asked.after or asked.before or LogPlace(asked.epoch, -1, 0)
    sought = (name, asked.epoch, asked.text, asked.regex, asked.exact)
    way = (place.segment, place.offset, asked.after is not None, asked.count, asked.lines)
    inquiry = Search(engine.new_id(), *sought, *way)
    try:
        found = await engine.inquiries.ask(host, inquiry, Found, rank=rank)
    except Unanswered as problem:
        return Hits(asked.id, place, reason=str(problem), unanswered=True)
    reached = LogPlace(asked.epoch, found.segment, found.offset)
    return Hits(asked.id, reached, found.hits, found.done, found.searched, short(found.reason, _REASON), found.at)


async def _costs(engine: Engine, asked: AskCosts, turns: Turns) -> Costs:
    span = asked.since, min(asked.until, engine.clock())
    alive = known_alive(engine.fleet, engine.clock())
    try:
        rows = await turns.apart(costs, engine.ledger, asked.by, asked.since, asked.until)
        ran = await turns.apart(hours, engine.ledger, asked.by, *span, alive)
    except (LedgerProblem, ValueError) as problem:
        return Costs(asked.id, reason=str(problem))
    return Costs(asked.id, rows, ran=ran)


async def _people(
    engine: Engine, asked: AskAudit | AskAttached | AskRunways | AskDoubted, asks: object, turns: Turns
) -> Audit | Attached | Runways | SetAside:
    """Say who did what, who is there, how far agents can go alone, or what cannot be true."""
    if isinstance(asked, AskDoubted):
        return SetAside(asked.id, tuple(map(_doubted, engine.spending.doubted)))
    if isinstance(asked, AskRunways):
        return Runways(asked.id, tuple(engine.budget_controller.runways()))
    if isinstance(asked, AskAttached):
        return Attached(asked.id, engine.connections.seen_by(asks))
    await engine.wait_tried()  # who has just been told what came of an order finds it there
    return await _audit(engine.ledger, asked, turns)


def _doubted(one: Doubted) -> DoubtedUse:
    money = one.claimed_micro, one.counted_micro
    return DoubtedUse(one.id, one.at, f"{one.host}/{one.agent}", one.message, one.tokens, *money, one.settled)


async def _audit(ledger: Ledger, asked: AskAudit, turns: Turns) -> Audit:
    try:
        lines = await turns.apart(ledger.audit, max(1, min(asked.count, MOST_LINES)), asked.text)
    except LedgerProblem as problem:
        return Audit(asked.id, reason=str(problem))
    return Audit(asked.id, tuple(lines))


async def _tend(ledger: Ledger, asked: CheckLedger | BackUpLedger, turns: Turns) -> LedgerTended:
    try:
        if isinstance(asked, CheckLedger):
            return LedgerTended(asked.id, tuple(await turns.apart(check, ledger)))
        return LedgerTended(asked.id, (await turns.apart(back_up, ledger, asked.path),))
    except LedgerProblem as problem:
        return LedgerTended(asked.id, reason=str(problem))
