"""Judges what hosts claim to have been used: what cannot be true is set aside, and counts as far as it may be.

Each run has a pace that no run can be beyond (`plausible`). What one host claims in all is bound besides, by what was
ordered and granted here (`bounds`), so that no number of invented runs makes up for that. All methods are called on the
event loop but `read`. Times are UTC milliseconds.
"""

import json
from collections.abc import Mapping
from typing import NamedTuple, Protocol

from controlroom.domain.claims import OrderedRun
from controlroom.domain.model import Agent
from controlroom.domain.money import plausible as bounding
from controlroom.domain.money.plausible import SLACK, Amount, Bound, Ceilings, Pace, Taken, cut_down, most_reported
from controlroom.engine.budgets import set_aside
from controlroom.engine.budgets.set_aside import SetAsideDesk
from controlroom.engine.budgets.told import CAUGHT_UP, Told
from controlroom.engine.hosts.translate_usage import Used
from controlroom.engine.ledger import doubted_tables
from controlroom.engine.ledger.doubted_tables import OPEN, TOLD_ROWS, Doubted
from controlroom.engine.ledger.ledger import Ledger
from controlroom.engine.ledger.spend_views import Booked, MessageKey, read_booked
from controlroom.engine.ledger.usage_tables import Booking, Source, Statement, number_of
from controlroom.metering.prices import Sheet
from controlroom.metering.usage import Message, Usage
from controlroom.metering.usage_file import Report

_MOST = 2**62
"""Pico-dollars of a claim that are written down at most."""

_REMEMBERED = 20_000
"""Messages that are known to have been judged: several lines tell of each."""


class Room(set_aside.Room, Protocol):
    """What it needs of the engine."""

    def ceilings(self, run: tuple[str, str, int]) -> Ceilings | None:
        """Give the highest ceilings that a run was granted; None: it never was."""


class Piece(NamedTuple):
    """A piece of a usage file as it is to be judged: dated by what is known here, each part with its bounds."""

    source: Source
    used: Used
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

    def __init__(self, room: Room, ledger: Ledger, desk: SetAsideDesk, dollars: int) -> None:
        """`dollars`: what one host may claim in an hour of what was not ordered."""
        self._room, self._ledger, self._desk, self._dollars = room, ledger, desk, dollars
        self._paces: dict[tuple[str, str, int], Pace] = {}
        self._taken = Taken()
        self._judged: dict[MessageKey, Amount] = {}
        """By message: what of it counts, though it may not be written yet."""
        self._reported: dict[int, int] = {}
        """By number of a run: what counts of it beyond its messages."""
        self.told = Told({str(host): int(at) for host, at in ledger.read(TOLD_ROWS)})

    # ----------------------------------------------------------------------- before

    def piece(self, source: Source, used: Used, run: OrderedRun | None) -> Piece:
        """Take up a piece. No date that its host gives takes use out of the period in which it can have been."""
        now, host = self._room.clock(), source.host
        agent = self._room.fleet.agents.get(f"{host}/{source.agent}")
        told = self.told.earliest(host, now)
        pace = self._pace(source, used, min(now, max(told, run.at if run else 0)))
        pace.met = pace.met or now
        is_met = bool(used.session) and now - pace.met < CAUGHT_UP  # a transcript may be older than its agent here
        earliest = min(now, max(run.at if run else 0, 0 if is_met else told))
        messages = [message._replace(at=max(message.at, earliest)) for message in used.messages]
        reports = [report._replace(at=max(report.at, earliest)) for report in used.reports]
        dates = {message.at for message in messages} | {report.at for report in reports}
        bounds = {at: self._bounds(source, run, agent, at, now) for at in dates}
        missing = self._taken.missing(bound for each in bounds.values() for bound in each)
        return Piece(
            source, used, agent, now, messages, reports, bounds, missing, pace, self._began(host, used, agent, pace)
        )

    def _pace(self, source: Source, used: Used, earliest: int) -> Pace:
        """Give how fast a file's run spends."""
        oldest = min((message.at for message in used.messages), default=self._room.clock())
        return self._paces.setdefault((source.host, source.agent, used.place.epoch), Pace(max(oldest, earliest)))

    def _began(self, name: str, used: Used, agent: Agent | None, pace: Pace) -> int:
        """Give the moment before which none of this can have been asked for, as its host has told all that was."""
        host = self._room.fleet.hosts.get(name)
        if host is None or self.told.till(name, self._room.clock()) <= host.since:
            return 0
        if pace.heard:
            return pace.heard - SLACK
        return 0 if used.session or agent is None else agent.started - SLACK

    def _bounds(self, source: Source, run: OrderedRun | None, agent: Agent | None, at: int, now: int) -> list[Bound]:
        """Give what bounds use that is dated so."""
        of = source.host, source.agent, source.epoch
        if run is None:
            if self.told.is_late(source.host, at, now):
                return bounding.of_late(source.host, at, self._dollars, now)
            return bounding.of_host(source.host, at, self._dollars)
        known, is_now = self._room.ceilings(of), agent is not None and agent.epoch == run.epoch
        subagents = (agent.subagents or 0) if agent is not None and is_now else 0
        if known is not None and at >= known.since and (most := known.most(source.billing, subagents)) is not None:
            return bounding.of_grant(*of, known.since, most)
        if agent is None or (is_now and not (agent.has_ended and at > (agent.ended or agent.since) + SLACK)):
            return bounding.of_run(*of, at, self._dollars)
        return bounding.of_host(source.host, at, self._dollars)

    def read(self, piece: Piece) -> Booked:
        """Read what counts already: for a thread. Raises `LedgerProblem`."""
        return read_booked(self._ledger, piece.missing, [message.key for message in piece.messages], piece.reports)

    # ----------------------------------------------------------------------- judging

    def judge(self, piece: Piece, booked: Booked, sheet: Sheet) -> Judged:
        """Say what is to be booked of a piece, and what is set aside."""
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
        cost, known = sheet.cost(message), self._desk.find(message.id, message.request, 0)
        if known is not None and known.settled == OPEN and cost.pico >= known.claimed_pico:
            return
        counts, kept = self._counted(message.key, booked), message
        if cost.pico > counts.pico or _tokens(message.usage) > counts.tokens:
            kept = self._possible(piece, message, counts, sheet)
        if kept.usage == message.usage:
            judged.bookings.append(Booking(message, cost, message.at))
            if known and known.settled == OPEN:
                judged.statements.append(doubted_tables.honest(known, message.usage, cost.pico))
        elif known is None:
            counted = sheet.cost(kept)
            judged.bookings.append(Booking(kept, counted, message.at, doubted=True))
            claim = _Claim(message.id, message.request, 0, json.dumps(list(message.usage)))
            self._set_aside(piece, claim, cost.pico, counted.pico, judged)

    def _counted(self, key: MessageKey, booked: Mapping[MessageKey, Amount]) -> Amount:
        """Give what of a message counts already."""
        return Amount(*map(max, booked.get(key, Amount()), self._judged.get(key, Amount())))

    def _possible(self, piece: Piece, message: Message, counts: Amount, sheet: Sheet) -> Message:
        """Give a message with as much use as its run's pace and its bounds leave."""
        at = min(piece.now, max(message.at, piece.began))
        paced = message._replace(usage=piece.pace.take(message.key, message.usage, at))
        whole = Amount(sheet.cost(paced).pico, _tokens(paced.usage))
        more = Amount(*(max(0, want - had) for want, had in zip(whole, counts, strict=True)))
        given = self._taken.take(piece.bounds[message.at], more)
        self._judged[message.key] = Amount(*map(sum, zip(counts, given, strict=True)))
        if given == more:
            return paced
        return paced._replace(usage=cut_down(paced.usage, whole, self._judged[message.key]))

    def _judge_report(self, piece: Piece, report: Report, runs: Mapping[int, tuple[int, int]], judged: Judged) -> None:
        """Book what is reported of a run as far as it can be true: beyond its messages, it is bound as they are."""
        run = number_of(report.run)
        known = self._desk.find("", "", run)
        if known and (known.settled != OPEN or report.pico <= known.claimed_pico):
            return
        metered, hidden = runs.get(run, (0, 0))
        metered += sum(booking.cost.pico for booking in judged.bookings if booking.message.run == report.run)
        hidden = max(hidden, self._reported.get(run, 0))
        began = (piece.agent.started if piece.agent else 0) or piece.now
        most = min(report.pico, most_reported(metered, piece.now - began))
        more = Amount(max(0, most - metered - hidden))
        given = self._taken.take(piece.bounds[report.at], more)
        most -= more.pico - given.pico
        self._reported[run] = hidden + given.pico
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
        """It could not be written, and comes again."""
        self._desk.drop(judged.set_aside)

    def booked(self, judged: Judged) -> None:
        """What was set aside is written: say so."""
        for host in {one.host for one in judged.set_aside}:
            self._desk.tell(host)


def _tokens(usage: Usage) -> int:
    return sum(usage[:5])
