"""Booking usage: each message once for ever, whatever is lost, doubled or read anew, in any order; sums that fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.engine.ledger.ledger import Ledger, check
from controlroom.engine.ledger.usage_tables import QUARTER, Booking, Source, book, priced_beyond, read_up_to
from controlroom.engine.ledger.usage_views import costs, money
from controlroom.metering.prices import Cost
from controlroom.metering.usage import Message, Usage

AT = 1_795_348_800_000
API = Source("vm1", "api-1", "", "/project", "api")
DOCS = Source("vm1", "docs-1", "docs", "/docs", "plan")
SUMS = "select sum(messages), sum(input), sum(output), sum(pico) from spend"


def booking(number: int, output: int = 10, model: str = "claude-opus-5-5", at: int = AT) -> Booking:
    message = Message(f"msg_{number}", f"req_{number}", at, model, Usage(5, output))
    return Booking(message, Cost(1000 * output, True), at)


def write(ledger: Ledger, source: Source, *bookings: Booking) -> None:
    ledger.booked(book(source, bookings)).result(60)


def test_a_message_is_booked_once_wherever_it_is_met(ledger: Ledger) -> None:
    write(ledger, API, booking(1), booking(2), booking(1))
    write(ledger, DOCS, booking(1), booking(3))
    by_agent = "select agent, sum(messages), sum(pico) from spend join sources on source = id group by agent"
    assert ledger.read(by_agent) == [("api-1", 2, 20_000), ("docs-1", 1, 10_000)]


def test_a_message_is_booked_once_under_whatever_request_it_is_met_again(ledger: Ledger) -> None:
    first = booking(1)
    again = [first._replace(message=first.message._replace(request=request)) for request in ("req_2", "", "a")]
    write(ledger, API, first, *again, booking(1, output=30))
    assert ledger.read(SUMS) == [(1, 5, 30, 30_000)]


def test_messages_without_an_id_are_booked_by_their_requests(ledger: Ledger) -> None:
    unnamed = [booking(number)._replace(message=booking(number).message._replace(id="")) for number in (1, 2, 1)]
    write(ledger, API, *unnamed)
    assert ledger.read(SUMS) == [(2, 10, 20, 20_000)]


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
    first.booked([*book(API, [booking(1)]), read_up_to("vm1", "api-1", 2, 700, "a1b2")]).result(60)
    first.close()
    second = Ledger(tmp_path / "ledger.db", "room-1")
    assert second.read("select * from usage_read") == [("vm1", "api-1", 2, 700, "a1b2")]
    assert second.read(SUMS) == [(1, 5, 10, 10_000)]
    second.close()


class Line(NamedTuple):
    """What a transcript says of a message; later lines of one may say anything else."""

    number: int
    output: int
    prompt: int
    model: str
    fast: bool
    docs: bool

    def booking(self) -> Booking:
        usage = Usage(
            self.prompt % 7, self.output, self.prompt // 3, 0, self.prompt - self.prompt % 7 - self.prompt // 3
        )
        message = Message(f"msg_{self.number}", "req", AT, self.model, usage, fast=self.fast)
        return Booking(message, Cost(1000 * self.output, True), AT + self.number * QUARTER)


prompts = st.sampled_from((0, 1, 31, 32, 33, 99_999, 100_000, 100_001, 150_000, 200_001)) | st.integers(0, 10**7)
said_lines = st.lists(
    st.builds(
        Line, st.integers(0, 8), st.integers(0, 50), prompts, st.sampled_from("ab"), st.booleans(), st.booleans()
    ),
    max_size=40,
)
LIMITS = (100_000, 200_000)


@given(said_lines, st.randoms(use_true_random=False))
def test_no_order_doubling_or_replay_changes_the_total(
    tmp_path_factory: pytest.TempPathFactory, said: Sequence[Line], random: Any
) -> None:
    true: Counter[int] = Counter()
    for line in said:
        true[line.number] = max(true[line.number], line.output)
    shuffled = sorted(said, key=lambda _: random.random())
    ledger = Ledger(tmp_path_factory.mktemp("books") / "ledger.db", "room-1")
    try:
        ledger.booked(priced_beyond(LIMITS)).result(60)
        for number, line in enumerate([*shuffled, *said]):
            if number == len(said):
                assert check(ledger) == []
                ledger.booked(priced_beyond(LIMITS[::-1])).result(60)
            write(ledger, DOCS if line.docs else API, line.booking())
        ((messages, _, outputs, pico),) = ledger.read(SUMS)
        assert (messages or 0, outputs or 0, pico or 0) == (len(true), true.total(), 1000 * true.total())
        assert ledger.read("select count(*), coalesce(sum(pico), 0) from usage") == [(messages or 0, pico or 0)]
        assert check(ledger) == [], "every table of sums is what the messages come to"
        assert_apart(ledger)
    finally:
        ledger.close()


def assert_apart(ledger: Ledger) -> None:
    """What advice is worked out from, held against each message, without any of the ledger's own arithmetic."""
    rows = ledger.read(
        """select at, billing, name, flags, input + cache_write_5m + cache_write_1h + cache_read, output, cache_read,
        pico from usage join models on model = models.id join sources on source = sources.id"""
    )
    beyond: Counter[tuple[Any, ...]] = Counter()
    minutes: Counter[tuple[int, str]] = Counter()
    for at, billing, model, flags, prompt, output, read, pico in rows:
        beyond[model, billing, flags, max((limit for limit in LIMITS if prompt > limit), default=0)] += pico
        minutes[at // 60_000, billing] += prompt - read + output
    for table in ("spend", "spend_days"):
        kept = ledger.read(
            f"""select name, billing, flags, beyond, sum(pico) from {table} join models on model = models.id
            join sources on source = sources.id group by 1, 2, 3, 4 having sum(pico) > 0"""
        )
        assert {tuple(key): pico for *key, pico in kept} == {key: pico for key, pico in beyond.items() if pico}
    assert {(minute, billing): tokens for minute, billing, tokens in ledger.read("select * from minutes")} == minutes
    for column, at in (("prompts", 4), ("outputs", 5)):
        counts = Counter(step_of(row[at]) for row in rows if row[4])
        kept = ledger.read(f"select least, sum({column}) from sizes group by least having sum({column}) > 0")
        assert dict(kept) == counts


def step_of(size: int) -> int:
    """The least size of its step: its first five binary digits."""
    spare = max(0, size.bit_length() - 5)
    return size >> spare << spare


def test_sums_that_no_integer_holds_end_no_booking_and_no_reading(ledger: Ledger) -> None:
    def dear(number: int) -> Booking:
        return booking(number)._replace(cost=Cost(10**17, True))

    write(ledger, API, *(dear(number) for number in range(120)))
    ledger.booked(priced_beyond([200_000])).result(10)
    write(ledger, API, *(dear(number) for number in range(120, 125)))
    (row,) = costs(ledger, "agent", 0, AT + 1)
    assert row.messages == 125
    assert abs(row.micro - 125 * 10**11) < 10**6
    assert money(ledger, 0, 0).day_billed == pytest.approx(125 * 10**11)
    ((pico,),) = ledger.read("select sum(pico) from spend")
    assert pico == pytest.approx(125 * 10**17)
