"""Answers to questions of front ends, which change nothing; where there is nothing to give, the reason."""

from dataclasses import replace

from controlroom.domain.model import LogPlace
from controlroom.domain.money.plausible import DoubtedUse
from controlroom.domain.permissions.calls import Call, ordered_folder, read_input
from controlroom.domain.preconditions import Refusal
from controlroom.engine.budgets.advisor import compared, estimated
from controlroom.engine.budgets.controller import BudgetController
from controlroom.engine.budgets.spending import Spending
from controlroom.engine.fleets.fleet_book import FleetBook
from controlroom.engine.frontends.turns import Turns
from controlroom.engine.history import HistoryRecorder, flow_kept, recorded
from controlroom.engine.hosts.inquiries import Inquiries, Rank, Unanswered, check_up
from controlroom.engine.hosts.log_router import LogRouter
from controlroom.engine.hosts.translate import HostContext, short
from controlroom.engine.hosts.translate_branches import to_work
from controlroom.engine.hosts.translate_changes import to_changes, to_diff
from controlroom.engine.hosts.translate_worktrees import to_worktrees
from controlroom.engine.ledger.doubted_tables import Doubted
from controlroom.engine.ledger.ledger import Ledger, LedgerProblem, back_up, check
from controlroom.engine.ledger.run_tables import known_alive
from controlroom.engine.ledger.usage_views import costs, hours
from controlroom.engine.ledger.writer import LedgerWriter
from controlroom.engine.people import Connections
from controlroom.engine.queue.task_book import TaskBook
from controlroom.engine.rule_book import RuleBook
from controlroom.engine.store import FleetStore
from controlroom.protocol.branches import AskWork, AskWorktrees, WorkTold, WorktreesTold
from controlroom.protocol.fleet_messages import AskDrift, ExportFleet, FleetExported, FleetPlanned, PlanFleet
from controlroom.protocol.home import Home
from controlroom.protocol.messages import (
    AgentChanges,
    Answer,
    AskAttached,
    AskAudit,
    AskChanges,
    AskComparison,
    AskCosts,
    AskDiff,
    AskDoubted,
    AskEstimate,
    AskFigures,
    AskHistory,
    AskRunways,
    AskTask,
    Attached,
    Audit,
    BackUpLedger,
    CheckHost,
    CheckLedger,
    Compared,
    Costs,
    DiffPage,
    Estimated,
    FetchLog,
    Flowing,
    History,
    Hits,
    HostChecked,
    LedgerResult,
    LookAtScreen,
    Question,
    Runways,
    Screen,
    SearchLog,
    SetAside,
    TaskText,
)
from controlroom.protocol.rule_messages import AskRules, Judged, Rules, TryCall
from controlroom.text.lazy_dataclass import dataclass
from controlroom.wire.branches import ReadWork, WorkRead
from controlroom.wire.inquiries import (
    ChangesListed,
    DiffRead,
    Found,
    ListChanges,
    ReadDiff,
    ScreenShown,
    Search,
    ShowScreen,
)
from controlroom.wire.worktrees import ListWorktrees, WorktreesListed

_REASON = 300
DIFFING = 30.0
"""Seconds for a host to compare an agent's work with its base: a large repository takes a while."""
WORK_PATIENCE = 60.0
"""Seconds for a host to look at an agent's work and log."""

MOST_LINES = 10_000
"""Lines of the audit in one answer at most."""


@dataclass(frozen=True)
class Answering:
    """The parts of the engine that questions are answered from. None of them is for acting, which is an operator's."""

    home: Home
    store: FleetStore
    ledger: Ledger
    ledger_writer: LedgerWriter
    history: HistoryRecorder
    inquiries: Inquiries
    logs: LogRouter
    connections: Connections
    budgets: BudgetController
    spending: Spending
    tasks: TaskBook
    rules: RuleBook
    fleets: FleetBook


async def answer(parts: Answering, asked: Question, asks: object, rank: Rank, turns: Turns) -> Answer:
    """Answer a question of the conversation `asks`; `rank`: whose it is; `turns`: what blocks is done in those."""
    match asked:
        case FetchLog():
            page = await parts.logs.page(asked.agent, asked.epoch, asked.count, asked.before, asked.after, rank)
            return replace(page, id=asked.id)
        case SearchLog():
            return await _search(parts, asked, rank)
        case LookAtScreen() | AskChanges() | AskDiff() | AskWork() | AskWorktrees():
            return await _seen_there(parts, asked, rank)
        case CheckHost():
            return HostChecked(asked.id, *await check_up(parts.store, parts.inquiries, asked.host))
        case AskCosts() | AskHistory() | AskFigures():
            return await _over_time(parts, asked, turns)
        case AskAudit() | AskAttached() | AskRunways() | AskDoubted():
            return await _people(parts, asked, asks, turns)
        case AskTask() | AskRules() | TryCall() | PlanFleet() | AskDrift() | ExportFleet():
            return await _kept_here(parts, asked)
        case AskComparison() | AskEstimate():
            return await _reckoned(parts, asked, turns)
        case CheckLedger() | BackUpLedger():
            await parts.ledger_writer.outbox.wait_tried()
            return await _tend(parts.ledger, asked, turns)


async def _kept_here(
    parts: Answering, asked: AskTask | AskRules | TryCall | PlanFleet | AskDrift | ExportFleet
) -> TaskText | Rules | Judged | FleetPlanned | FleetExported:
    if isinstance(asked, AskTask):
        return await _task(parts, asked)
    if isinstance(asked, AskRules | TryCall):
        return _ruled(parts, asked)
    return await _of_fleets(parts.fleets, asked)


async def _of_fleets(book: FleetBook, asked: PlanFleet | AskDrift | ExportFleet) -> FleetPlanned | FleetExported:
    try:
        if isinstance(asked, ExportFleet):
            return FleetExported(asked.id, *await book.exported(asked.name))
        if isinstance(asked, AskDrift):
            return FleetPlanned(asked.id, await book.drifted(asked.fleet))
        return FleetPlanned(asked.id, (await book.planned(asked.file))[0])
    except (Refusal, LedgerProblem) as problem:
        answer = FleetExported if isinstance(asked, ExportFleet) else FleetPlanned
        return answer(asked.id, reason=str(problem))


async def _reckoned(parts: Answering, asked: AskComparison | AskEstimate, turns: Turns) -> Compared | Estimated:
    place, now = (parts.home, parts.ledger, parts.store.fleet), parts.store.clock()
    if isinstance(asked, AskComparison):
        return await turns.apart(compared, *place, asked, now)
    return await turns.apart(estimated, *place, asked, now)


def _ruled(parts: Answering, asked: AskRules | TryCall) -> Rules | Judged:
    book = parts.rules
    if isinstance(asked, AskRules):
        book.look()
        return Rules(asked.id, book.kept(), book.rules.floor, book.trouble)
    given = read_input(asked.input)
    if given is None:
        return Judged(asked.id, reason="the input of the call is no JSON object")
    agent = parts.store.fleet.agents.get(asked.agent)
    if asked.agent and agent is None:
        return Judged(asked.id, reason=f"there is no agent {short(asked.agent, _REASON)}")
    call = Call(asked.tool, given, asked.host, "", asked.profile, asked.folder)
    if agent is not None:
        folder, ordered = asked.folder or agent.cwd, "" if asked.folder else ordered_folder(agent)
        whose = asked.host or agent.host, agent.name, asked.profile or agent.profile
        call = Call(asked.tool, given, *whose, folder, ordered)
    book.look()
    said = book.judge(call)
    return Judged(asked.id, str(said.verdict or ""), said.rules, said.why, said.parts)


async def _task(parts: Answering, asked: AskTask) -> TaskText:
    task = parts.store.fleet.tasks.get(asked.task)
    if task is None:
        return TaskText(asked.id, reason=f"there is no task {short(asked.task, _REASON)}")
    try:
        return TaskText(asked.id, await parts.tasks.text(task))
    except LedgerProblem as problem:
        return TaskText(asked.id, reason=str(problem))


async def _seen_there(
    parts: Answering, asked: LookAtScreen | AskChanges | AskDiff | AskWork | AskWorktrees, rank: Rank
) -> Screen | AgentChanges | DiffPage | WorkTold | WorktreesTold:
    if isinstance(asked, LookAtScreen):
        return await _look_at_screen(parts, asked, rank)
    if isinstance(asked, AskWorktrees):
        return await _worktrees(parts, asked, rank)
    return await (_work(parts, asked, rank) if isinstance(asked, AskWork) else _changes(parts, asked, rank))


async def _look_at_screen(parts: Answering, asked: LookAtScreen, rank: Rank) -> Screen:
    host, _, name = asked.agent.partition("/")
    inquiry = ShowScreen(parts.store.new_id(), name)
    try:
        shown = await parts.inquiries.ask(host, inquiry, ScreenShown, rank=rank)
    except Unanswered as problem:
        return Screen(asked.id, reason=str(problem))
    return Screen(asked.id, shown.data, shown.columns, shown.rows, short(shown.reason, _REASON))


async def _changes(parts: Answering, asked: AskChanges | AskDiff, rank: Rank) -> AgentChanges | DiffPage:
    """Return what an agent has changed, as its host says."""
    host, _, name = asked.agent.partition("/")
    inquiries, number = parts.inquiries, parts.store.new_id()
    try:
        if isinstance(asked, AskChanges):
            listed = await inquiries.ask(host, ListChanges(number, name, asked.epoch), ChangesListed, DIFFING, rank)
            return AgentChanges(asked.id, to_changes(listed.changes), short(listed.reason, _REASON))
        wanted = ReadDiff(number, name, asked.epoch, asked.path, asked.was, asked.untracked, asked.start)
        read = await inquiries.ask(host, wanted, DiffRead, DIFFING, rank)
        return DiffPage(asked.id, to_diff(read), short(read.reason, _REASON))
    except Unanswered as problem:
        kind = AgentChanges if isinstance(asked, AskChanges) else DiffPage
        return kind(asked.id, reason=str(problem))


async def _work(parts: Answering, asked: AskWork, rank: Rank) -> WorkTold:
    host, _, name = asked.agent.partition("/")
    try:
        inquiry = ReadWork(parts.store.new_id(), name, asked.epoch)
        read = await parts.inquiries.ask(host, inquiry, WorkRead, WORK_PATIENCE, rank)
    except Unanswered as problem:
        return WorkTold(asked.id, reason=str(problem))
    fleet = parts.store.fleet
    there = fleet.hosts.get(host)
    ahead = there.facts.clock_offset if there and there.facts else 0
    return WorkTold(asked.id, to_work(read.work, HostContext(host, fleet.room, parts.store.clock(), ahead)))


async def _worktrees(parts: Answering, asked: AskWorktrees, rank: Rank) -> WorktreesTold:
    try:
        inquiry = ListWorktrees(parts.store.new_id())
        listed = await parts.inquiries.ask(asked.host, inquiry, WorktreesListed, WORK_PATIENCE, rank)
    except Unanswered as problem:
        return WorktreesTold(asked.id, reason=str(problem))
    fleet = parts.store.fleet
    there = fleet.hosts.get(asked.host)
    ahead = there.facts.clock_offset if there and there.facts else 0
    setting = HostContext(asked.host, fleet.room, parts.store.clock(), ahead)
    return WorktreesTold(asked.id, to_worktrees(listed, setting), max(0, listed.more), short(listed.reason, _REASON))


async def _search(parts: Answering, asked: SearchLog, rank: Rank) -> Hits:
    host, _, name = asked.agent.partition("/")
    place = asked.after or asked.before or LogPlace(asked.epoch, -1, 0)
    sought = (name, asked.epoch, asked.text, asked.regex, asked.exact)
    way = (place.segment, place.offset, asked.after is not None, asked.count, asked.lines)
    inquiry = Search(parts.store.new_id(), *sought, *way)
    try:
        result = await parts.inquiries.ask(host, inquiry, Found, rank=rank)
    except Unanswered as problem:
        return Hits(asked.id, place, reason=str(problem), unanswered=True)
    reached = LogPlace(asked.epoch, result.segment, result.offset)
    return Hits(asked.id, reached, result.hits, result.done, result.searched, short(result.reason, _REASON), result.at)


async def _over_time(
    parts: Answering, asked: AskCosts | AskHistory | AskFigures, turns: Turns
) -> Costs | History | Flowing:
    if isinstance(asked, AskFigures):
        return await _figures(parts, asked, turns)
    return await (_costs(parts, asked, turns) if isinstance(asked, AskCosts) else _history(parts, asked, turns))


async def _costs(parts: Answering, asked: AskCosts, turns: Turns) -> Costs:
    span = asked.since, min(asked.until, parts.store.clock())
    alive = known_alive(parts.store.fleet, parts.store.clock())
    try:
        rows = await turns.apart(costs, parts.ledger, asked.by, asked.since, asked.until)
        ran = await turns.apart(hours, parts.ledger, asked.by, *span, alive)
    except (LedgerProblem, ValueError) as problem:
        return Costs(asked.id, reason=str(problem))
    return Costs(asked.id, rows, ran=ran)


async def _history(parts: Answering, asked: AskHistory, turns: Turns) -> History:
    place = asked.subject, asked.since, asked.until, asked.points
    try:
        points = await turns.apart(recorded, parts.ledger, parts.history.running(asked.subject), *place)
    except LedgerProblem as problem:
        return History(asked.id, reason=str(problem))
    return History(asked.id, points)


async def _figures(parts: Answering, asked: AskFigures, turns: Turns) -> Flowing:
    store, day = parts.store, parts.spending.day_began()
    try:
        kept = await turns.apart(flow_kept, parts.ledger, store.clock(), day, known_alive(store.fleet, store.clock()))
    except LedgerProblem as problem:
        return Flowing(asked.id, reason=str(problem))
    return Flowing(asked.id, parts.history.figures(kept, day))


async def _people(
    parts: Answering, asked: AskAudit | AskAttached | AskRunways | AskDoubted, asks: object, turns: Turns
) -> Audit | Attached | Runways | SetAside:
    """Return who did what, who is there, how far agents can go alone, or what cannot be true."""
    if isinstance(asked, AskDoubted):
        return SetAside(asked.id, tuple(map(_doubted, parts.spending.doubted)))
    if isinstance(asked, AskRunways):
        return Runways(asked.id, tuple(parts.budgets.runways()))
    if isinstance(asked, AskAttached):
        return Attached(asked.id, parts.connections.seen_by(asks))
    await parts.ledger_writer.outbox.wait_tried()  # who has just been told what came of an order finds it there
    return await _audit(parts.ledger, asked, turns)


def _doubted(doubted: Doubted) -> DoubtedUse:
    money = doubted.claimed_micro, doubted.counted_micro
    return DoubtedUse(
        doubted.id,
        doubted.at,
        f"{doubted.host}/{doubted.agent}",
        doubted.message,
        doubted.tokens,
        *money,
        doubted.settled,
    )


async def _audit(ledger: Ledger, asked: AskAudit, turns: Turns) -> Audit:
    try:
        lines = await turns.apart(ledger.audit, max(1, min(asked.count, MOST_LINES)), asked.text)
    except LedgerProblem as problem:
        return Audit(asked.id, reason=str(problem))
    return Audit(asked.id, tuple(lines))


async def _tend(ledger: Ledger, asked: CheckLedger | BackUpLedger, turns: Turns) -> LedgerResult:
    try:
        if isinstance(asked, CheckLedger):
            return LedgerResult(asked.id, tuple(await turns.apart(check, ledger)))
        return LedgerResult(asked.id, (await turns.apart(back_up, ledger, asked.path),))
    except LedgerProblem as problem:
        return LedgerResult(asked.id, reason=str(problem))
