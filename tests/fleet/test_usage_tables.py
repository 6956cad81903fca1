"""Booking usage: each message once for ever, whatever is lost, doubled or read anew, in any order; sums that fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.fleet.ledger import Ledger
from controlroom.fleet.usage_tables import QUARTER, Booking, Source, book, read_up_to
from controlroom.meter.prices import Cost
from controlroom.meter.usage import Message, Usage

AT = 1_795_348_800_000
API = Source("vm1", "api-1", "", "/project", "api")
DOCS = Source("vm1", "docs-1", "docs", "/docs", "plan")
SUMS = "select sum(messages), sum(input), sum(output), sum(pico) from spend"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path / "ledger.db", "room-1")
    yield opened
    opened.close()


def booking(number: int, output: int = 10, model: str = "claude-opus-5-5", at: int = AT) -> Booking:
    message = Message(f"msg_{number}", f"req_{number}", at, model, Usage(5, output))
    return Booking(message, Cost(1000 * output, True), at)


def write(ledger: Ledger, source: Source, *bookings: Booking) -> None:
    ledger.booked(book(source, bookings)).result(10)


def test_a_message_is_booked_once_wherever_it_is_met(ledger: Ledger) -> None:
    write(ledger, API, booking(1), booking(2), booking(1))
    write(ledger, DOCS, booking(1), booking(3))
    by_agent = "select agent, sum(messages), sum(pico) from spend join sources on source = id group by agent"
    assert ledger.read(by_agent) == [("api-1", 2, 20_000), ("docs-1", 1, 10_000)]


def test_what_a_message_became_counts_and_never_less(ledger: Ledger) -> None:
    write(ledger, API, booking(1, output=1))
    write(ledger, API, booking(1, output=30))
    write(ledger, API, booking(1, output=0))
    assert ledger.read(SUMS) == [(1, 5, 30, 30_000)]


def test_a_message_that_turns_out_to_be_of_another_model_moves(ledger: Ledger) -> None:
    write(ledger, API, booking(1, output=1))
    write(ledger, API, booking(1, output=2, model="claude-haiku-5-5"))
    by_model = "select name, messages, pico from spend join models on model = id where messages > 0"
    assert ledger.read(by_model) == [("claude-haiku-5-5", 1, 2000)]


def test_sums_are_kept_by_quarters_of_an_hour(ledger: Ledger) -> None:
    write(ledger, API, booking(1, at=AT), booking(2, at=AT + QUARTER - 1), booking(3, at=AT + QUARTER))
    assert ledger.read("select quarter - ?, messages from spend order by 1", (AT // QUARTER,)) == [(0, 2), (1, 1)]


def test_what_was_read_is_remembered_with_what_was_booked(tmp_path: Path) -> None:
    first = Ledger(tmp_path / "ledger.db", "room-1")
    first.booked([*book(API, [booking(1)]), read_up_to("vm1", "api-1", 2, 700, "a1b2")]).result(10)
    first.close()
    second = Ledger(tmp_path / "ledger.db", "room-1")
    assert second.read("select * from usage_read") == [("vm1", "api-1", 2, 700, "a1b2")]
    assert second.read(SUMS) == [(1, 5, 10, 10_000)]
    second.close()


steps = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 50), st.booleans()), max_size=40)


@given(steps, st.randoms(use_true_random=False))
def test_no_order_doubling_or_replay_changes_the_total(
    tmp_path_factory: pytest.TempPathFactory, said: Sequence[tuple[int, int, bool]], random: object
) -> None:
    true: Counter[int] = Counter()
    for number, output, _ in said:
        true[number] = max(true[number], output)
    shuffled = sorted(said, key=lambda _: random.random())  # type: ignore[attr-defined]
    ledger = Ledger(tmp_path_factory.mktemp("books") / "ledger.db", "room-1")
    try:
        for number, output, docs in [*shuffled, *said]:
            write(ledger, DOCS if docs else API, booking(number, output, at=AT + number * QUARTER))
        ((messages, _, outputs, pico),) = ledger.read(SUMS)
        assert (messages or 0, outputs or 0, pico or 0) == (len(true), true.total(), 1000 * true.total())
        assert ledger.read("select count(*), coalesce(sum(pico), 0) from usage") == [(messages or 0, pico or 0)]
    finally:
        ledger.close()
