"""Usage that cannot be true: judged, set aside, shown in alarms, and settled by a person.

Each run has a pace that no run can exceed. What one host claims in all is bounded besides, by what was ordered and
granted here, so that invented runs gain nothing. What is set aside counts as far as it may be true. All methods but
`Doubts.read` are called on the event loop. Times are UTC milliseconds, money pico-dollars.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from controlroom.domain import events
from controlroom.domain.claims import OrderedRun
from controlroom.domain.clock_set import later
from controlroom.domain.gauges import Alarm, AlarmLevel
from controlroom.domain.intents import SettleUsage
from controlroom.domain.model import Agent
from controlroom.domain.money import plausible as bounding
from controlroom.domain.money.plausible import (
    MINUTE,
    SLACK,
    Amount,
    Bound,
    BoundUse,
    Ceilings,
    Pace,
    cut_down,
    most_reported,
)
from controlroom.domain.orders import Result
from controlroom.domain.words import dollars
from controlroom.engine.hosts.translate_usage import UsagePiece
from controlroom.engine.ledger import doubted_tables
from controlroom.engine.ledger.doubted_tables import ACCEPTED, OPEN, STRUCK, TOLD_ROWS, Doubted, write_told
from controlroom.engine.ledger.ledger import Ledger
from controlroom.engine.ledger.usage_tables import Booking, RunKey, Source, Statement, run_number
from controlroom.engine.ledger.usage_views import Booked, MessageKey, read_booked
from controlroom.engine.ledger.writer import LedgerWriter
from controlroom.engine.store import FleetStore
from controlroom.metering.prices import Sheet
from controlroom.metering.usage import MOST_TOKENS, Message, Usage
from controlroom.metering.usage_file import Report
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import Outcome, Payer
from controlroom.wire.usage import UsagePlace

MOST_OPEN = 5_000
"""Bookings of one host that are set aside at most: what it has beyond stays there until somebody has settled them."""

FEW = 3
"""Agents of one host that have alarms of their own; of more, the host has one."""

_ABOUT = "doubt "

_Key = tuple[str, str, int]
"""Id and request of a message, and the number of a run; what there is not is empty."""


class SetAsideDesk:
    """Keeps it."""

    def __init__(self, store: FleetStore, ledger: Ledger, ledger_writer: LedgerWriter) -> None:
        self._store, self._ledger_writer = store, ledger_writer
        self._known: dict[_Key, Doubted] = {}
        self._open: dict[str, dict[_Key, Doubted]] = {}
        """By host."""
        self._told: dict[str, set[str]] = {}
        """By host: what its alarms are about."""
        self._last = 0
        for row in ledger.read(doubted_tables.ALL_DOUBTED):
            self._take(Doubted(*row))

    def start(self) -> None:
        """Raise the alarms about what nobody has settled yet."""
        for host in self._open:
            self.tell(host)

    @property
    def all(self) -> tuple[Doubted, ...]:
        """Everything that was ever set aside, oldest first."""
        return tuple(sorted(self._known.values(), key=lambda doubted: doubted.id))

    def find(self, message: str, request: str, run: int) -> Doubted | None:
        """Return what was set aside of a message, or of what is reported of a run."""
        return self._known.get((message, request, run))

    def is_full(self, host: str, *, ordered: bool = False) -> bool:
        """Return whether so much of a host is set aside that nothing more can be; of what was `ordered`, twice that."""
        return len(self._open.get(host, ())) >= MOST_OPEN * (1 + ordered)

    def add(self, doubted: Doubted) -> Doubted:
        """Set something aside, under a number of its own unless it was before."""
        before = self._known.get(doubted.key)
        numbered = replace(doubted, id=before.id if before else self._last + 1)
        self._take(numbered)
        return numbered

    def drop(self, some: Iterable[Doubted]) -> None:
        """Forget what could not be written."""
        for doubted in some:
            self._known.pop(doubted.key, None)
            self._open.get(doubted.host, {}).pop(doubted.key, None)

    def _take(self, doubted: Doubted) -> None:
        self._known[doubted.key] = doubted
        self._last = max(self._last, doubted.id)
        theirs = self._open.setdefault(doubted.host, {})
        if doubted.settled == OPEN:
            theirs[doubted.key] = doubted
        else:
            theirs.pop(doubted.key, None)

    # ----------------------------------------------------------------------- telling

    def tell(self, host: str) -> None:
        """Raise, or end, the alarms about what of a host nobody has settled."""
        by_agent: dict[str, list[Doubted]] = {}
        for doubted in self._open.get(host, {}).values():
            by_agent.setdefault(f"{host}/{doubted.agent}", []).append(doubted)
        alarms = {agent: _alarm(agent, agent, theirs) for agent, theirs in by_agent.items()}
        if len(by_agent) > FEW:
            every = [doubted for theirs in by_agent.values() for doubted in theirs]
            alarms = {host: _alarm(f"{host}, {len(by_agent)} agents", host, every)}
        if self.is_full(host):
            last = next(reversed(alarms))
            more = f"; nothing more that it was not ordered to use is booked until then ({MOST_OPEN:,} are set aside)"
            alarms[last] = replace(alarms[last], text=alarms[last].text + more)
        for about in self._told.get(host, set()) - alarms.keys():
            self._store.apply(events.Alarmed(f"{_ABOUT}{about}", None))
        for about, alarm in alarms.items():
            self._store.apply(events.Alarmed(f"{_ABOUT}{about}", alarm))
        self._told[host] = set(alarms)

    # ----------------------------------------------------------------------- settling

    async def settle(self, intent: SettleUsage, who: str) -> Result:
        """Strike out what was set aside, or count it as it was claimed."""
        meant = self._meant(intent)
        chosen = [
            doubted for doubted in meant if doubted.settled == OPEN and not (intent.accept and _is_too_much(doubted))
        ]
        if not chosen:
            return self._ledger_writer.refused(intent, f"{intent.name}: {_why(intent, meant)}", who)
        change = doubted_tables.accepted if intent.accept else doubted_tables.struck
        statements: list[Statement] = [statement for doubted in chosen for statement in change(doubted)]
        if problem := await self._ledger_writer.outbox.put(statements):
            return self._ledger_writer.refused(intent, problem, who)
        for doubted in chosen:
            counted = doubted.claimed_pico if intent.accept else 0
            self._take(replace(doubted, settled=ACCEPTED if intent.accept else STRUCK, counted_pico=counted))
        self._audit(intent, chosen, who)
        for host in {doubted.host for doubted in chosen}:
            self.tell(host)
        return Result(Outcome.DONE, op=self._store.new_id())

    def _meant(self, intent: SettleUsage) -> list[Doubted]:
        if not intent.of:
            return [doubted for doubted in self._known.values() if doubted.id == intent.number]
        theirs = self._open.get(intent.of.partition("/")[0], {}).values()
        return [doubted for doubted in theirs if intent.of in (doubted.host, f"{doubted.host}/{doubted.agent}")]

    def _audit(self, intent: SettleUsage, chosen: Sequence[Doubted], who: str) -> None:
        claimed, counted = (
            sum(doubted.claimed_micro for doubted in chosen),
            sum(doubted.counted_micro for doubted in chosen),
        )
        what = f"{len(chosen)} of {intent.of}" if intent.of else f"number {intent.number}"
        result = Result(Outcome.DONE, f"{what}: {dollars(claimed)} claimed, {dollars(counted)} counted until now")
        target = intent.of or f"{chosen[0].host}/{chosen[0].agent}"
        self._ledger_writer.audited(who, "ledger accept" if intent.accept else "ledger strike", target, 0, result)


def _is_too_much(doubted: Doubted) -> bool:
    return bool(max(json.loads(doubted.claimed)) > MOST_TOKENS)


def _why(intent: SettleUsage, meant: Sequence[Doubted]) -> str:
    """Return why nothing of what is meant can be settled so."""
    if any(doubted.settled == OPEN for doubted in meant):
        return "no message can have used that much: strike it"
    problem = f"it was {meant[0].settled} already" if meant else "nothing of that name is set aside"
    if not meant and not intent.of:
        problem = "nothing of that number is set aside"
    return f"{problem}; see: controlroom ledger doubted"


def _alarm(subject: str, name: str, theirs: Sequence[Doubted]) -> Alarm:
    claimed, counted = (
        sum(doubted.claimed_micro for doubted in theirs),
        sum(doubted.counted_micro for doubted in theirs),
    )
    numbers = ", ".join(str(doubted.id) for doubted in theirs[:5]) + (", …" if len(theirs) > 5 else "")
    text = (
        f"{subject}: {dollars(claimed)} of use that cannot be true is set aside ({numbers}), and {dollars(counted)} "
        "of it counts until somebody has looked: controlroom ledger doubted, then "
        f"controlroom ledger strike {name}, or controlroom ledger accept {name}"
    )
    return Alarm(text, AlarmLevel.DANGER, min(doubted.at for doubted in theirs), name if "/" in name else "")


CAUGHT_UP = 2 * MINUTE
"""How long a host may take, connected, to send what it has kept; the time of several links counts together."""

WRITTEN = 5 * MINUTE
"""What of it an engine may lose that is killed."""


@dataclass
class _Host:
    till: int = 0
    """It had told what was older than this; 0: nothing is known."""
    up: int = 0
    """Since when it is connected; 0: it is not."""
    connected: int = 0
    """For how long it has been connected since the last gap that is not told yet, before this link."""
    met: int = 0
    """When it was first connected, as far as is known."""
    written: int = 0
    """What of `till` is written down."""


class Told:
    """Keeps that of all hosts."""

    def __init__(self, before: Mapping[str, int]) -> None:
        """`before`: until when each had told everything before this engine began."""
        self._hosts = {host: _Host(till=at, met=at, written=at) for host, at in before.items()}

    def up(self, name: str, now: int) -> None:
        """A host is connected."""
        host = self._hosts.setdefault(name, _Host())
        host.up, host.met = host.up or now, host.met or now

    def down(self, name: str, now: int) -> None:
        """A host is connected no more."""
        host = self._hosts.get(name)
        if host is None or not host.up:
            return
        till = self.till(name, now)
        host.connected = 0 if till > host.till else host.connected + max(0, now - host.up)
        host.till, host.up = till, 0

    def till(self, name: str, now: int) -> int:
        """Return the moment before which a host has told everything; 0: none is known."""
        host = self._hosts.get(name, _Host())
        if not host.up:
            return host.till
        if now - host.up >= CAUGHT_UP:
            return now - CAUGHT_UP
        return max(host.till, host.up) if host.connected + now - host.up >= CAUGHT_UP else host.till

    def earliest(self, name: str, now: int) -> int:
        """Return the earliest date that a host can give now to what it has not told before; 0: any."""
        return max(0, self.till(name, now) - SLACK)

    def is_late(self, name: str, at: int, now: int) -> bool:
        """Return whether a host could have told before what it dates so, or dates it to before it was known here."""
        host = self._hosts.get(name, _Host())
        return at < (self.till(name, now) or host.met or now) - SLACK

    def statements(self, now: int, least: int = 0) -> list[Statement]:
        """Return what is to be written down, if it is later by more than `least` than what is."""
        written: list[Statement] = []
        for name, host in self._hosts.items():
            till = self.till(name, now)
            if till > host.written + least:
                host.written = till
                written.append(write_told(name, till))
        return written

    def clock_set(self, by: int) -> None:
        """Move all moments with our clock."""
        for host in self._hosts.values():
            host.till, host.up, host.met = later(host.till, by), later(host.up, by), later(host.met, by)


_MOST = 2**62
"""Pico-dollars of a claim that are written down at most."""

_REMEMBERED = 20_000
"""Messages that are known to have been judged: several lines tell of each."""


class Piece(NamedTuple):
    """A piece of a usage file as it is to be judged: dated by what is known here, each part with its bounds."""

    source: Source
    used: UsagePiece
    agent: Agent | None
    now: int
    messages: list[Message]
    reports: list[Report]
    bounds: dict[int, list[Bound]]
    """By date."""
    missing: list[Bound]
    pace: Pace
    began: int
    """Before this none of it can have been asked for."""


class Judged(NamedTuple):
    """What is to be booked of a piece."""

    bookings: list[Booking]
    reports: list[Report]
    set_aside: list[Doubted]
    statements: list[Statement]
    """What is to be written of what is set aside, before the bookings."""


class _Claim(NamedTuple):
    message: str
    request: str
    run: int
    counts: str


class Doubts:
    """What can be true of what each host claims."""

    def __init__(
        self,
        store: FleetStore,
        ledger: Ledger,
        desk: SetAsideDesk,
        ceilings: Callable[[RunKey], Ceilings | None],
        dollars: int,
    ) -> None:
        """`ceilings`: the highest ones that a run was granted; None: it was granted nothing.

        `dollars`: what one host may claim in an hour of what was not ordered.
        """
        self._store, self._ledger, self._desk = store, ledger, desk
        self._ceilings, self._dollars = ceilings, dollars
        self._paces: dict[tuple[str, str, int], Pace] = {}
        self._taken = BoundUse()
        self._judged: dict[MessageKey, Amount] = {}
        """By message: what of it counts, though it may not be written yet."""
        self._reported: dict[int, int] = {}
        """By number of a run: what counts of it beyond its messages."""
        self.told = Told({str(host): int(at) for host, at in ledger.read(TOLD_ROWS)})

    # ----------------------------------------------------------------------- before

    def piece(self, source: Source, used: UsagePiece, run: OrderedRun | None) -> Piece:
        """Take up a piece. No date that its host gives takes use out of the period in which it can have been."""
        now, host = self._store.clock(), source.host
        agent = self._store.fleet.agents.get(f"{host}/{source.agent}")
        told_till = self.told.earliest(host, now)
        pace = self._pace(source, used, min(now, max(told_till, run.at if run else 0)))
        pace.met = pace.met or now
        is_met = bool(used.session) and now - pace.met < CAUGHT_UP  # a transcript may be older than its agent here
        earliest = min(now, max(run.at if run else 0, 0 if is_met else told_till))
        messages = [message._replace(at=max(message.at, earliest)) for message in used.messages]
        reports = [report._replace(at=max(report.at, earliest)) for report in used.reports]
        dates = {message.at for message in messages} | {report.at for report in reports}
        bounds = {at: self._bounds(source, run, agent, at, now) for at in dates}
        missing = self._taken.missing(bound for each in bounds.values() for bound in each)
        return Piece(
            source, used, agent, now, messages, reports, bounds, missing, pace, self._began(host, used, agent, pace)
        )

    def history(self, source: Source, file: int, messages: Sequence[Message]) -> Piece:
        """Take up messages from before, which count when they were; `file` names their transcript by a number."""
        now = self._store.clock()
        used = UsagePiece(UsagePlace(source.agent, file, 0), 0, tuple(messages))
        pace = self._pace(source, used, 0)
        bounds = {at: bounding.of_history(source.host, at, self._dollars) for at in {each.at for each in messages}}
        missing = self._taken.missing(bound for each in bounds.values() for bound in each)
        return Piece(source, used, None, now, list(messages), [], bounds, missing, pace, 0)

    def _pace(self, source: Source, used: UsagePiece, earliest: int) -> Pace:
        """Return how fast a file's run spends."""
        oldest = min((message.at for message in used.messages), default=self._store.clock())
        return self._paces.setdefault((source.host, source.agent, used.place.epoch), Pace(max(oldest, earliest)))

    def _began(self, name: str, used: UsagePiece, agent: Agent | None, pace: Pace) -> int:
        """Return the moment before which none of this can have been asked for, as its host has told all that was."""
        host = self._store.fleet.hosts.get(name)
        if host is None or self.told.till(name, self._store.clock()) <= host.since:
            return 0
        if pace.heard:
            return pace.heard - SLACK
        return 0 if used.session or agent is None else agent.started - SLACK

    def _bounds(self, source: Source, run: OrderedRun | None, agent: Agent | None, at: int, now: int) -> list[Bound]:
        """Return what bounds use that is dated so."""
        of = source.host, source.agent, source.epoch
        if run is None:
            if self.told.is_late(source.host, at, now):
                return bounding.of_late(source.host, at, self._dollars, now)
            return bounding.of_host(source.host, at, self._dollars)
        ceilings, is_now = self._ceilings(of), agent is not None and agent.epoch == run.epoch
        subagents = (agent.subagents or 0) if agent is not None and is_now else 0
        if (
            ceilings is not None
            and at >= ceilings.since
            and (most := ceilings.most(Payer(source.billing), subagents)) is not None
        ):
            return bounding.of_grant(*of, ceilings.since, most)
        if agent is None or (is_now and not (agent.has_ended and at > (agent.ended or agent.since) + SLACK)):
            return bounding.of_run(*of, at, self._dollars)
        return bounding.of_host(source.host, at, self._dollars)

    def read(self, *pieces: Piece) -> Booked:
        """Read what counts already: for a thread. Raises `LedgerProblem`."""
        missing = dict.fromkeys(bound for piece in pieces for bound in piece.missing)
        keys = [message.key for piece in pieces for message in piece.messages]
        return read_booked(self._ledger, [*missing], keys, [report for piece in pieces for report in piece.reports])

    # ----------------------------------------------------------------------- judging

    def judge(self, piece: Piece, booked: Booked, sheet: Sheet) -> Judged:
        """Return what is to be booked of a piece, and what is set aside."""
        for bound in piece.missing:
            self._taken.know(bound, booked.bounds.get(bound, Amount()))
        judged = Judged([], [], [], [])
        for message in piece.messages:
            self._judge_message(piece, message, booked.messages, sheet, judged)
        for report in piece.reports:
            self._judge_report(piece, report, booked.runs, judged)
        piece.pace.heard = piece.now
        for memory in (self._judged, self._reported, self._paces):
            while len(memory) > _REMEMBERED:
                memory.pop(next(iter(memory)))  # type: ignore[call-overload]
        return judged

    def _judge_message(
        self, piece: Piece, message: Message, booked: Mapping[MessageKey, Amount], sheet: Sheet, judged: Judged
    ) -> None:
        """Book a message as far as it can be true."""
        cost, before = sheet.cost(message), self._desk.find(message.id, message.request, 0)
        if before is not None and before.settled == OPEN and cost.pico >= before.claimed_pico:
            return
        counts, kept = self._counted(message.key, booked), message
        if cost.pico > counts.pico or _tokens(message.usage) > counts.tokens:
            kept = self._possible(piece, message, counts, sheet)
        if kept.usage == message.usage:
            judged.bookings.append(Booking(message, cost, message.at))
            if before and before.settled == OPEN:
                judged.statements.append(doubted_tables.honest(before, message.usage, cost.pico))
        elif before is None:
            counted = sheet.cost(kept)
            judged.bookings.append(Booking(kept, counted, message.at, doubted=True))
            claim = _Claim(message.id, message.request, 0, json.dumps(list(message.usage)))
            self._set_aside(piece, claim, cost.pico, counted.pico, judged)

    def _counted(self, key: MessageKey, booked: Mapping[MessageKey, Amount]) -> Amount:
        """Return what of a message counts already."""
        return Amount(*map(max, booked.get(key, Amount()), self._judged.get(key, Amount())))

    def _possible(self, piece: Piece, message: Message, counts: Amount, sheet: Sheet) -> Message:
        """Return a message with as much use as its run's pace and its bounds leave."""
        at = min(piece.now, max(message.at, piece.began))
        paced = message._replace(usage=piece.pace.take(message.key, message.usage, at))
        whole = Amount(sheet.cost(paced).pico, _tokens(paced.usage))
        more = Amount(*(max(0, want - had) for want, had in zip(whole, counts, strict=True)))
        taken = self._taken.take(piece.bounds[message.at], more)
        self._judged[message.key] = Amount(*map(sum, zip(counts, taken, strict=True)))
        if taken == more:
            return paced
        return paced._replace(usage=cut_down(paced.usage, whole, self._judged[message.key]))

    def _judge_report(self, piece: Piece, report: Report, runs: Mapping[int, tuple[int, int]], judged: Judged) -> None:
        """Book what is reported of a run as far as it can be true: beyond its messages, it is bound as they are."""
        run = run_number(report.run)
        before = self._desk.find("", "", run)
        if before and (before.settled != OPEN or report.pico <= before.claimed_pico):
            return
        metered, hidden = runs.get(run, (0, 0))
        metered += sum(booking.cost.pico for booking in judged.bookings if booking.message.run == report.run)
        hidden = max(hidden, self._reported.get(run, 0))
        began = (piece.agent.started if piece.agent else 0) or piece.now
        most = min(report.pico, most_reported(metered, piece.now - began))
        more = Amount(max(0, most - metered - hidden))
        taken = self._taken.take(piece.bounds[report.at], more)
        most -= more.pico - taken.pico
        self._reported[run] = hidden + taken.pico
        judged.reports.append(report._replace(pico=most))
        if report.pico > most:
            self._set_aside(piece, _Claim("", "", run, json.dumps([0] * 6)), report.pico, most, judged)

    def _set_aside(self, piece: Piece, claim: "_Claim", claimed: int, counted: int, judged: Judged) -> None:
        host, agent, *_, epoch = piece.source
        names = claim.message, claim.request, claim.run, claim.counts
        doubted = Doubted(0, piece.now, host, agent, epoch, *names, min(claimed, _MOST), counted)
        judged.set_aside.append(self._desk.add(doubted))
        judged.statements.append(doubted_tables.set_aside(judged.set_aside[-1]))

    def not_booked(self, judged: Judged) -> None:
        """Forget what could not be written, and comes again."""
        self._desk.drop(judged.set_aside)

    def booked(self, judged: Judged) -> None:
        """What was set aside is written: say so."""
        for host in {doubted.host for doubted in judged.set_aside}:
            self._desk.tell(host)


def _tokens(usage: Usage) -> int:
    return sum(usage[:5])
