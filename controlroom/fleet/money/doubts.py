"""Bookings that cannot be true: set aside with an alarm, counted as far as they may be, settled by a person.

All methods are called on the event loop. Times are UTC milliseconds.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from controlroom.domain import events
from controlroom.domain.gauges import Alarm
from controlroom.domain.intents import SettleUsage
from controlroom.domain.model import Agent, Fleet, LinkState
from controlroom.domain.money.plausible import MINUTE, SLACK, Pace, most_reported
from controlroom.domain.words import dollars
from controlroom.fleet.bookkeeper import Bookkeeper
from controlroom.fleet.books import doubted_tables
from controlroom.fleet.books.doubted_tables import ACCEPTED, OPEN, STRUCK, Doubted
from controlroom.fleet.books.ledger import Ledger
from controlroom.fleet.books.unattributed import Statement, number_of
from controlroom.fleet.books.usage_tables import Booking, Source
from controlroom.fleet.hosts.orders import Asked, Conclusion
from controlroom.fleet.hosts.usage_seen import Used
from controlroom.meter.prices import Sheet
from controlroom.meter.reports import Report
from controlroom.meter.usage import MOST_TOKENS, Message, Usage

CAUGHT_UP = 2 * MINUTE
"""How long a host may take, once it is connected, to send what it has kept."""

UNDER_WAY = 60 * MINUTE
"""How old what was used can be when a host tells it that has been connected for as long."""

_ABOUT = "doubt "
_MOST = 2**62
"""Pico-dollars of a claim that are written down at most."""
_METERED = "select run, metered from runs where run in ({})"


class Room(Protocol):
    """What it needs of the engine."""

    clock: Callable[[], int]

    @property
    def fleet(self) -> Fleet:
        """The fleet as it is."""

    def happened(self, event: events.Event) -> None:
        """Take an event."""

    def new_id(self) -> int:
        """Give a number for an order."""

    def refuse(self, intent: SettleUsage, reason: str, who: str) -> Asked:
        """Refuse an intent, and audit that."""


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
    """What was set aside in this room, and how fast each run spends."""

    def __init__(self, room: Room, ledger: Ledger, books: Bookkeeper) -> None:
        self._room, self._ledger, self._books = room, ledger, books
        rows = (Doubted(*row) for row in ledger.read(doubted_tables.ALL))
        self._known: dict[tuple[str, str, int], Doubted] = {one.key: one for one in rows}
        self._last = max((one.id for one in self._known.values()), default=0)
        self._paces: dict[tuple[str, str, int], Pace] = {}

    def start(self) -> None:
        """Say what is yet to be settled."""
        for agent in {f"{one.host}/{one.agent}" for one in self.open}:
            self._tell(agent)

    @property
    def all(self) -> tuple[Doubted, ...]:
        """Everything that was ever set aside, oldest first."""
        return tuple(sorted(self._known.values(), key=lambda one: one.id))

    @property
    def open(self) -> list[Doubted]:
        """What nobody has settled."""
        return [one for one in self._known.values() if one.settled == OPEN]

    # ----------------------------------------------------------------------- judging

    def metered(self, used: Used) -> Mapping[int, int]:
        """Read what messages of the runs that a piece reports of have cost, in pico-dollars: for a thread."""
        runs = [number_of(report.run) for report in used.reports]
        query = _METERED.format(", ".join("?" * len(runs)))
        return {int(run): int(pico) for run, pico in self._ledger.read(query, runs)} if runs else {}

    def judge(self, source: Source, used: Used, sheet: Sheet, metered: Mapping[int, int], ordered: int = 0) -> Judged:
        """Say what is to be booked of a piece, and what is set aside.

        `ordered`: when its run was ordered here, 0 where that is not known. No date that a host gives takes use out of
        the period in which it can have been.
        """
        now = self._room.clock()
        agent = self._room.fleet.agents.get(f"{source.host}/{source.agent}")
        pace, began = self._pace(source, used, agent, now)
        judged = Judged([], [], [], [])
        earliest = min(now, max(ordered, self._told_till(source.host, now)))
        for message in used.messages:
            dated = message._replace(at=max(message.at, earliest))
            taken = pace.take(message.key, message.usage, min(now, max(dated.at, began)))
            self._judge_message(source, dated, taken, sheet, judged)
        reports = [report._replace(at=max(report.at, earliest)) for report in used.reports]
        self._judge_reports(source, reports, judged, metered, (agent.started if agent else 0) or now)
        pace.heard = now
        return judged

    def _told_till(self, name: str, now: int) -> int:
        """Give the moment before which a host has told all that there was, 0 when that is not known."""
        host = self._room.fleet.hosts.get(name)
        is_up = host is not None and host.link is LinkState.UP and now - host.since > UNDER_WAY
        return now - UNDER_WAY if is_up else 0

    def _pace(self, source: Source, used: Used, agent: Agent | None, now: int) -> tuple[Pace, int]:
        """Give how fast a file's run spends, and the moment before which none of this can have been asked for.

        A host that has been connected for a while has told all that was older.
        """
        key = source.host, source.agent, used.place.epoch
        host = self._room.fleet.hosts.get(source.host)
        caught_up = host is not None and host.link is LinkState.UP and now - host.since > CAUGHT_UP
        oldest = min((message.at for message in used.messages), default=now)
        pace = self._paces.setdefault(key, Pace(oldest))
        if not caught_up:
            return pace, 0
        if pace.heard:
            return pace, pace.heard - SLACK
        return pace, 0 if used.session or agent is None else agent.started - SLACK

    def _judge_message(self, source: Source, message: Message, taken: Usage, sheet: Sheet, judged: Judged) -> None:
        """Book a message as far as it can be true (`taken`)."""
        cost, known = sheet.cost(message), self._known.get((message.id, message.request, 0))
        if taken == message.usage:
            judged.bookings.append(Booking(message, cost, message.at))
            if known and known.settled == OPEN:
                judged.statements.append(doubted_tables.honest(known, message.usage, cost.pico))
        elif known is None:
            kept = message._replace(usage=taken)
            counted = sheet.cost(kept)
            judged.bookings.append(Booking(kept, counted, message.at, doubted=True))
            claim = _Claim(message.id, message.request, 0, json.dumps(list(message.usage)))
            self._set_aside(source, claim, cost.pico, counted.pico, judged)

    def _judge_reports(
        self, source: Source, reports: Sequence[Report], judged: Judged, metered: Mapping[int, int], began: int
    ) -> None:
        for report in reports:
            run = number_of(report.run)
            known = self._known.get(("", "", run))
            if known and (known.settled != OPEN or report.pico <= known.claimed_pico):
                continue
            fresh = sum(one.cost.pico for one in judged.bookings if one.message.run == report.run)
            most = most_reported(metered.get(run, 0) + fresh, self._room.clock() - began)
            judged.reports.append(report._replace(pico=min(report.pico, most)))
            if report.pico > most:
                claim = _Claim("", "", run, json.dumps([0] * 6))
                self._set_aside(source, claim, report.pico, most, judged)

    def _set_aside(self, source: Source, claim: "_Claim", claimed: int, counted: int, judged: Judged) -> None:
        known = self._known.get((claim.message, claim.request, claim.run))
        self._last += 0 if known else 1
        number, now = known.id if known else self._last, self._room.clock()
        names = claim.message, claim.request, claim.run, claim.counts
        one = Doubted(number, now, source.host, source.agent, source.epoch, *names, min(claimed, _MOST), counted)
        judged.set_aside.append(one)
        self._known[one.key] = one
        judged.statements.append(doubted_tables.set_aside(one))

    def not_booked(self, judged: Judged) -> None:
        """It could not be written, and comes again."""
        for one in judged.set_aside:
            self._known.pop(one.key, None)

    def booked(self, judged: Judged) -> None:
        """What was set aside is written: say so."""
        for agent in {f"{one.host}/{one.agent}" for one in judged.set_aside}:
            self._tell(agent)

    def _tell(self, agent: str) -> None:
        theirs = [one for one in self.open if f"{one.host}/{one.agent}" == agent]
        about = f"{_ABOUT}{agent}"
        if not theirs:
            self._room.happened(events.Alarmed(about, None))
            return
        claimed, counted = sum(one.claimed_micro for one in theirs), sum(one.counted_micro for one in theirs)
        numbers = ", ".join(str(one.id) for one in theirs[:5]) + (", …" if len(theirs) > 5 else "")
        text = (
            f"{agent}: {dollars(claimed)} of use that cannot be true is set aside ({numbers}), and {dollars(counted)} "
            "of it counts until somebody has looked: controlroom ledger doubted, then ledger strike or ledger accept"
        )
        self._room.happened(events.Alarmed(about, Alarm(text, "danger", min(one.at for one in theirs), agent)))

    # ----------------------------------------------------------------------- settling

    async def settle(self, intent: SettleUsage, who: str) -> Asked:
        """Strike a booking out, or count it as it was claimed."""
        one = next((one for one in self._known.values() if one.id == intent.number), None)
        if one is None or one.settled != OPEN:
            said = "nothing of that number is set aside" if one is None else f"it was {one.settled} already"
            return self._room.refuse(intent, f"{intent.number}: {said}; see: controlroom ledger doubted", who)
        if intent.accept and max(json.loads(one.claimed)) > MOST_TOKENS:
            return self._room.refuse(intent, f"{intent.number}: no message can have used that much: strike it", who)
        statements = doubted_tables.accepted(one) if intent.accept else doubted_tables.struck(one)
        if problem := await self._books.booked(statements):
            return self._room.refuse(intent, problem, who)
        settled = ACCEPTED if intent.accept else STRUCK
        counted = one.claimed_pico if intent.accept else 0
        self._known[one.key] = Doubted(**{**vars(one), "settled": settled, "counted_pico": counted})
        op, agent = self._room.new_id(), f"{one.host}/{one.agent}"
        verb = "ledger accept" if intent.accept else "ledger strike"
        told = f"number {one.id}: {dollars(one.claimed_micro)} claimed, {dollars(one.counted_micro)} counted until now"
        self._books.audited(who, verb, agent, 0, Conclusion("done", told))
        self._tell(agent)
        return Asked(op=op)
