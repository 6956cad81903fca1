"""The ledger says whose sums a write has changed; their sums, read alone, are those that reading all gives."""

from __future__ import annotations

import random

from controlroom.domain.money.forecast import burn_moments
from controlroom.engine.ledger.ledger import Ledger
from controlroom.engine.ledger.usage_tables import Booking, Source, book
from controlroom.engine.ledger.usage_views import Sums, read_sums
from controlroom.metering.prices import Cost
from controlroom.metering.usage import Message, Usage
from controlroom.metering.usage_file import Report

HOUR = 3_600_000
NOW = 1_795_348_800_000 + 5 * HOUR
RUNS = ["", "0000000000000000000000000000000a", "0000000000000000000000000000000b"]
SOURCES = [
    Source("vm1", f"a{number}", "docs", "/d", billing, number % 2) for number in range(6) for billing in ("api", "")
]


def spent_by(sums: Sums, agent: tuple[str, str]) -> dict[int, list[object]]:
    return {moment: [one for one in spends if one[:2] == agent] for moment, spends in sums.since.items()}


def test_whatever_is_booked(ledger: Ledger) -> None:
    chance, touched = random.Random(7), ledger.follow()
    moments, agents = [NOW // HOUR * HOUR - 40 * HOUR, *burn_moments(NOW)], {source[:2] for source in SOURCES}
    runs = {(source.host, source.agent, source.epoch) for source in SOURCES}
    before = read_sums(ledger, moments, runs, NOW)
    for _ in range(60):
        bookings = []
        for _ in range(chance.randrange(4)):
            number, cost = chance.randrange(12), chance.randrange(10**9)
            at = NOW - chance.choice((0, HOUR // 2, 2 * HOUR, 30 * HOUR, -3 * HOUR))
            message = Message(f"m{number}", f"r{number}", at, "opus", Usage(5, cost), run=chance.choice(RUNS))
            bookings.append(Booking(message, Cost(cost, True), at))
        reports = [Report(run, NOW, chance.randrange(10**10)) for run in RUNS[1:] if chance.random() < 0.2]
        ledger.booked(book(chance.choice(SOURCES), bookings, reports)).result(10)
        taken = touched.take()
        after, some = (read_sums(ledger, moments, runs, NOW, only) for only in (None, taken))
        others = {agent for agent in agents if spent_by(before, agent) != spent_by(after, agent)}
        assert others <= taken
        assert {run[:2] for run in runs if before.runs[run] != after.runs[run]} <= taken
        for agent in taken:
            assert spent_by(some, agent) == spent_by(after, agent)
        assert not {one[:2] for spends in some.since.values() for one in spends} - taken
        before = after
