"""Counts what Claude's transcripts on hosts say was used before Control Room: offered once, on request, resumable.

Home asks for a part at a time and books it with how far it goes, so whatever is killed on the way, it goes on behind
what was booked last. Nothing is booked twice: the ledger knows each message, whoever brought it first. What cannot be
true is set aside as all use is. One import at a time for each host. All methods are called on the event loop.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace

from controlroom.domain import events
from controlroom.domain.audit import verb_of
from controlroom.domain.imports import DeclineImport, FindTranscripts, ImportIntent, ImportState
from controlroom.domain.model import Host, LinkState
from controlroom.domain.orders import Result
from controlroom.domain.words import count, dollars, size
from controlroom.engine.background_tasks import BackgroundTasks
from controlroom.engine.budgets.doubts import Judged, Piece
from controlroom.engine.budgets.spending import Spending
from controlroom.engine.hosts.inquiries import Inquiries, Unanswered
from controlroom.engine.hosts.translate import HostContext
from controlroom.engine.hosts.translate_imports import PartRead, read_found, read_parts
from controlroom.engine.ledger.import_tables import (
    FILES,
    IMPORTS,
    ImportRow,
    file_key,
    keep_file,
    keep_import,
    read_row,
)
from controlroom.engine.ledger.ledger import Ledger, LedgerProblem
from controlroom.engine.ledger.usage_tables import IMPORTED, Booking, Source, Statement, book
from controlroom.engine.ledger.usage_views import Booked
from controlroom.engine.ledger.writer import LedgerWriter
from controlroom.engine.store import FleetStore
from controlroom.metering.prices import Sheet, micro
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import Outcome
from controlroom.wire.imports import (
    MOST_READ,
    ListTranscripts,
    ReadTranscripts,
    TranscriptFound,
    TranscriptPlace,
    TranscriptsListed,
    TranscriptsRead,
)

LATER = 15.0
"""Seconds that a host is connected before its old transcripts are looked for: agents come first."""

AGAIN = 10.0
"""Seconds after which a host that is up is asked again, when it did not answer."""

PATIENCE = 120.0
"""Seconds for an answer: a host reads transcripts when it has nothing else to do."""

GIVES_UP = 300.0
"""Seconds without anything booked after which a host that is up is asked no more; one that is away is waited for."""

SHOWN = 0.5
"""Seconds between two reports of how far it is."""

AT_ONCE = 100
"""Messages that are judged in one turn of the loop."""

MOST_FILES, STILL, MOVED = 200_000, 20, 64 * 1024
"""Transcripts of a host at most; answers in a row that bring it no further; and bytes that do."""


class _Stopped(Exception):
    """It does not go on by itself; the text says why."""


@dataclass
class _Work:
    """An import under way."""

    row: ImportRow
    size: int = 0
    files: int = 0
    first: int = 0
    read: int = 0
    listed: bool = False
    """Whether all of it is known."""
    left: list[tuple[TranscriptPlace, int]] = field(default_factory=list)
    """What is to be read yet, from where on, and how large it was when it was listed."""
    shown: float = 0.0
    damaged: int = 0
    """Lines that tell of use and cannot be counted."""


class UsageImports:
    """All hosts' imports."""

    def __init__(
        self, store: FleetStore, ledger: Ledger, writer: LedgerWriter, inquiries: Inquiries, spending: Spending
    ) -> None:
        self._store, self._ledger, self._writer = store, ledger, writer
        self._inquiries, self._spending = inquiries, spending
        self._rows: dict[str, ImportRow] = {(row := read_row(values)).host: row for values in ledger.read(IMPORTS)}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._background = BackgroundTasks("import")
        self._moved: dict[str, float] = {}
        """When anything was booked last of those under way, or they began; on the loop's clock."""
        self._timers: dict[str, asyncio.TimerHandle] = {}

    @property
    def busy(self) -> bool:
        """Whether anything is read or booked."""
        return len(self._background) > 0

    async def wait_idle(self) -> None:
        """Wait until nothing is."""
        await self._background.wait_idle()

    async def close(self) -> None:
        """End; what is under way goes on with the next engine."""
        for timer in self._timers.values():
            timer.cancel()
        await self._background.end()

    # ----------------------------------------------------------------------- hosts

    def host_up(self, host: str) -> None:
        """A host is there (again): go on with its import, or see later whether there is anything to offer."""
        row = self._rows.get(host)
        if row is None:
            now = self._store.clock()
            row = self._keep(ImportRow(host, ImportState.UNKNOWN, now, now))
        if row.state is ImportState.RUNNING:
            self._begin(host, anew=True)
        elif row.state in (ImportState.UNKNOWN, ImportState.OFFERED):
            self._later(host, LATER)
        else:
            self._show(row)

    def host_down(self, host: str) -> None:
        """What is read of a host waits until it is there again."""
        if (timer := self._timers.pop(host, None)) is not None:
            timer.cancel()

    def removed(self, host: str) -> None:
        """A host is in the room no more. What was imported of it stays."""
        self.host_down(host)
        if (task := self._tasks.pop(host, None)) is not None:
            task.cancel()
        row = self._rows.get(host)
        if row is not None and row.state is ImportState.RUNNING:
            self._keep(row.entered(ImportState.STOPPED, self._store.clock()))

    def _later(self, host: str, seconds: float) -> None:
        self.host_down(host)
        self._timers[host] = asyncio.get_running_loop().call_later(seconds, self._due, host)

    def _due(self, host: str) -> None:
        self._timers.pop(host, None)
        row = self._rows.get(host)
        if not self._is_up(host) or row is None:
            return
        if row.state is ImportState.RUNNING:
            self._begin(host)
        else:
            self._background.begin(self._offer_quietly(host))

    def _is_up(self, host: str) -> bool:
        known = self._store.fleet.hosts.get(host)
        return known is not None and known.link is LinkState.UP

    # ----------------------------------------------------------------------- what somebody wants

    async def change(self, intent: ImportIntent, who: str) -> Result:
        """Begin an import or go on with it, look whether one is to be offered, or have none."""
        host = self._store.fleet.hosts.get(intent.name)
        if host is None:
            return self._writer.refused(
                intent, f"there is no host {ascii(intent.name)[:60]}; see controlroom host list", who
            )
        if isinstance(intent, FindTranscripts):
            return await self._find(intent, host, who)
        if isinstance(intent, DeclineImport):
            return self._decline(intent, host, who)
        if host.link is not LinkState.UP:
            return self._writer.refused(intent, f"{host.name} cannot be asked now: it is {host.link}", who)
        row = self._row(host.name)
        if row.state is not ImportState.RUNNING or row.since != intent.since:
            now, fresh = self._store.clock(), row.state is not ImportState.STOPPED
            row = replace(row.entered(ImportState.RUNNING, now), since=max(0, intent.since))
            row = replace(row, messages=0, pico=0) if fresh else row
            self._end(host.name)
            self._show(self._keep(row), reason="its transcripts are being listed")
        self._begin(host.name, anew=True)
        result = Result(Outcome.DONE, f"the transcripts of {host.name} are being counted", self._store.new_id())
        self._writer.audited(who, verb_of(intent), host.name, 0, result)
        return result

    async def _find(self, intent: FindTranscripts, host: Host, who: str) -> Result:
        row = self._row(host.name)
        if row.state in (ImportState.UNKNOWN, ImportState.OFFERED) and (problem := await self._offer(host.name)):
            return Result(Outcome.UNKNOWN, problem)
        return Result(Outcome.DONE, op=self._store.new_id())

    def _decline(self, intent: DeclineImport, host: Host, who: str) -> Result:
        self._end(host.name)
        self._show(self._keep(self._row(host.name).entered(ImportState.DECLINED, self._store.clock())))
        result = Result(Outcome.DONE, f"the old transcripts of {host.name} are not counted", self._store.new_id())
        self._writer.audited(who, verb_of(intent), host.name, 0, result)
        return result

    def _row(self, host: str) -> ImportRow:
        now = self._store.clock()
        return self._rows.get(host) or ImportRow(host, ImportState.UNKNOWN, now, now)

    def _keep(self, row: ImportRow) -> ImportRow:
        self._rows[row.host] = row
        self._writer.keep([keep_import(row)])
        return row

    def _end(self, host: str) -> None:
        if (task := self._tasks.pop(host, None)) is not None:
            task.cancel()

    async def _offer_quietly(self, host: str) -> None:
        if await self._offer(host):
            self._later(host, LATER)

    async def _offer(self, host: str) -> str:
        """Show that there are transcripts from before the room met this host; give why that is not known."""
        try:
            asked = ListTranscripts(self._store.new_id(), count=0)
            listed = await self._inquiries.ask(host, asked, TranscriptsListed)
        except Unanswered as problem:
            return str(problem)
        row = self._row(host)
        first = self._setting(host).time(listed.first)
        if listed.reason or row.state not in (ImportState.UNKNOWN, ImportState.OFFERED):
            return listed.reason
        if listed.files > 0 and 0 < first < row.met:
            if row.state is ImportState.UNKNOWN:
                row = self._keep(row.entered(ImportState.OFFERED, self._store.clock()))
            self._show(row, files=listed.files, size=max(0, listed.size), first=first)
        return ""

    # ----------------------------------------------------------------------- one import

    def _begin(self, host: str, *, anew: bool = False) -> None:
        """Go on with it; `anew`: it has all the time again that one may take that is not answered."""
        if anew or host not in self._moved:
            self._moved[host] = asyncio.get_running_loop().time()
        if host not in self._tasks or self._tasks[host].done():
            self._tasks[host] = self._background.begin(self._import(host))

    async def _import(self, host: str) -> None:
        work = _Work(self._rows[host])
        self._tell(work, reason="its transcripts are being listed")
        try:
            await self._spending.sheet_tried()
            sheet = self._spending.sheet
            if sheet is None:
                raise Unanswered("the price sheet could not be read")
            await self._list(host, work)
            while work.left:
                await self._read(host, work, sheet)
        except Unanswered as problem:
            if self._is_up(host) and asyncio.get_running_loop().time() - self._moved[host] >= GIVES_UP:
                self._stop(work, f"{problem}; nothing has come for {GIVES_UP / 60:g} min")
            else:
                self._tell(work, reason=str(problem))
                if self._is_up(host):
                    self._later(host, AGAIN)
        except (_Stopped, LedgerProblem) as problem:
            self._stop(work, str(problem))
        else:
            work.row = self._keep(work.row.entered(ImportState.DONE, self._store.clock()))
            self._tell(work)
            brought = f"{count(work.row.messages)} messages, {dollars(micro(work.row.pico))}"
            brought += (
                f"; {work.damaged} line{'s' * (work.damaged != 1)} of use cannot be counted" if work.damaged else ""
            )
            self._audit(work, Outcome.DONE, f"{work.files} transcripts, {size(work.size)}: {brought}")
        self._spending.sum_up(host)

    def _stop(self, work: _Work, why: str) -> None:
        work.row = self._keep(work.row.entered(ImportState.STOPPED, self._store.clock()))
        self._tell(work, reason=why)
        self._audit(work, Outcome.REFUSED, why)

    def _audit(self, work: _Work, outcome: Outcome, words: str) -> None:
        self._writer.audited("the engine", "costs import", work.row.host, 0, Result(outcome, words))

    async def _list(self, host: str, work: _Work) -> None:
        """Find out what there is, and what of it is not booked yet."""
        row, after = work.row, ""
        rows = await asyncio.to_thread(self._ledger.read, FILES, (host,))
        known = {str(file): (str(mark), int(end), int(since)) for file, mark, end, since in rows}
        while True:
            asked = ListTranscripts(self._store.new_id(), after, row.since)
            listed = await self._inquiries.ask(host, asked, TranscriptsListed, PATIENCE)
            if listed.reason:
                raise Unanswered(f"{host}: {listed.reason}")
            found = list(read_found(listed.found))
            self._sort(work, found, known)
            last = listed.found[-1].path if listed.found else ""
            if not found or last <= after or work.files >= MOST_FILES:  # a page of what cannot be is the last one
                work.listed = True
                return
            after = last

    def _sort(self, work: _Work, found: Sequence[TranscriptFound], known: Mapping[str, tuple[str, int, int]]) -> None:
        for each in found:
            mark, end, since = known.get(file_key(each.path), ("", 0, 0))
            end = end if since <= work.row.since and end <= each.size else 0
            work.files, work.size, work.read = work.files + 1, work.size + each.size, work.read + end
            work.first = min(work.first or each.at, each.at)
            if end < each.size:
                work.left.append((TranscriptPlace(each.path, end, mark if end else ""), each.size))

    async def _read(self, host: str, work: _Work, sheet: Sheet) -> None:
        """Have an answer, and book it."""
        for _ in range(STILL):
            if self._spending.is_full(host):
                raise _Stopped(f"too much that cannot be true is set aside of {host}: controlroom ledger doubted")
            places = [place for place, _ in work.left[:MOST_READ]]
            asked = ReadTranscripts(self._store.new_id(), tuple(places), work.row.since)
            answer = await self._inquiries.ask(host, asked, TranscriptsRead, PATIENCE)
            if answer.reason:
                raise Unanswered(f"{host}: {answer.reason}")
            parts = list(read_parts(answer, places, self._setting(host)))
            await self._book(host, work, parts, sheet)
            work.damaged += sum(part.damaged for part in parts)
            if self._advance(work, parts):
                self._tell_sometimes(work)
                return
        raise _Stopped(f"{host} reads its transcripts no further")

    def _advance(self, work: _Work, parts: Sequence[PartRead]) -> bool:
        """Go on behind what is booked; return whether that is any further."""
        before, moved = len(work.left), 0
        for part in parts:
            place, whole = work.left[0]
            if part.done or part.end >= whole:
                work.read += max(0, whole - place.offset)
                work.left.pop(0)
                continue
            moved += part.end - place.offset
            work.read += part.end - place.offset
            work.left[0] = replace(place, offset=part.end, mark=part.mark), whole
            break
        return len(work.left) < before or moved >= MOVED

    async def _book(self, host: str, work: _Work, parts: Sequence[PartRead], sheet: Sheet) -> None:
        """Book an answer, each part with how far it goes. Raises `Unanswered` when the ledger does not take it."""
        pieces = [piece for part in parts for piece in self._pieces(host, part)]
        booked = await asyncio.to_thread(self._spending.doubts.read, *pieces)
        statements: list[Statement] = []
        judgements: list[Judged] = []
        row, new = work.row, _New(booked)
        for piece in pieces:
            judged = self._spending.doubts.judge(piece, booked, sheet)
            judgements.append(judged)
            statements += [*judged.statements, *_booked(piece, new.of(judged.bookings))]
            await asyncio.sleep(0)  # whoever else wants something comes in between
        statements += [keep_file(host, part.path, part.mark, part.end, row.since) for part in parts]
        row = replace(row, messages=row.messages + new.messages, pico=row.pico + new.pico)
        if problem := await self._writer.outbox.put([*statements, keep_import(row)]):
            for judged in judgements:
                self._spending.doubts.not_booked(judged)
            raise Unanswered(problem)
        if self._rows.get(host) == work.row:
            self._rows[host] = row
        work.row = row
        self._moved[host] = asyncio.get_running_loop().time()
        for judged in judgements:
            self._spending.doubts.booked(judged)

    def _pieces(self, host: str, part: PartRead) -> Iterator[Piece]:
        source, number = _source(host, part), int(file_key(part.path)[:7], 16) + 1
        for start in range(0, len(part.messages), AT_ONCE):
            yield self._spending.doubts.history(source, number, part.messages[start : start + AT_ONCE])

    # ----------------------------------------------------------------------- telling

    def _setting(self, host: str) -> HostContext:
        known, fleet = self._store.fleet.hosts.get(host), self._store.fleet
        ahead = known.facts.clock_offset if known is not None and known.facts is not None else 0
        return HostContext(host, fleet.room, self._store.clock(), ahead)

    def _tell_sometimes(self, work: _Work) -> None:
        now = asyncio.get_running_loop().time()
        if now - work.shown >= SHOWN:
            work.shown = now
            self._tell(work)

    def _tell(self, work: _Work, reason: str = "") -> None:
        """Show how far it is; until it is known how much there is, as it was shown before."""
        known = self._store.fleet.hosts.get(work.row.host)
        figures = known.imported if known is not None and not work.listed else None
        shown = figures or work
        self._show(work.row, reason, files=shown.files, size=shown.size, first=shown.first, read=shown.read)

    def _show(self, row: ImportRow, reason: str = "", **figures: int) -> None:
        self._store.apply(events.ImportSeen(row.host, row.shown(reason=reason, **figures)))


def _source(host: str, part: PartRead) -> Source:
    return Source(host, IMPORTED, "", part.folder, part.billing)


def _booked(piece: Piece, bookings: Sequence[Booking]) -> list[Statement]:
    return book(piece.source, bookings) if bookings else []


class _New:
    """What an answer brings that the ledger has not, or has less of."""

    def __init__(self, booked: Booked) -> None:
        self._known = dict(booked.messages)
        self.messages = self.pico = 0

    def of(self, bookings: Iterable[Booking]) -> list[Booking]:
        """Return what is to be booked of these, and count it."""
        kept = []
        for booking in bookings:
            known = self._known.get(booking.message.key)
            if known is None:
                self.messages, self.pico = self.messages + 1, self.pico + booking.cost.pico
            if known is None or known.pico != booking.cost.pico:
                kept.append(booking)
        return kept
