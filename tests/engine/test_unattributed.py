"""What Claude reports beyond what is metered: booked once, never negative, whatever comes in whatever order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.engine.ledger.ledger import Ledger, check
from controlroom.engine.ledger.usage_tables import NOISE, PERIOD, Booking, Source, book
from controlroom.engine.limits.api_limits import messages_since
from controlroom.metering.prices import Cost
from controlroom.metering.usage import Message, Usage
from controlroom.metering.usage_file import Report

AT = 1_795_348_800_000
MICRO = 10**6
RUN, OTHER = "0" * 15, "f" * 15
API = Source("vm1", "api-1", "", "/project", "api", 1)
DOCS = Source("vm1", "docs-1", "docs", "/docs", "plan", 3)
HIDDEN = """select at, pico from usage join models on model = models.id
    where name = 'unattributed' and pico > 0 order by at"""
TOTAL = "select coalesce(sum(pico), 0) from spend"


@pytest.fixture
def ledger(ledger: Ledger) -> Iterator[Ledger]:
    """It is sound in the end, too."""
    yield ledger
    assert check(ledger) == []


def booking(number: int, micro: int, run: str = RUN, *, estimated: bool = False) -> Booking:
    message = Message(f"msg_{number}", f"req_{number}", AT, "claude-opus-5-5", Usage(5), estimated=estimated, run=run)
    return Booking(message, Cost(micro * MICRO, True), AT)


def say(ledger: Ledger, micro: int, at: int = AT, run: str = RUN, source: Source = API) -> None:
    ledger.booked(book(source, [], [Report(run, micro * MICRO, at)])).result(60)


def write(ledger: Ledger, *bookings: Booking, source: Source = API) -> None:
    ledger.booked(book(source, bookings)).result(60)


def hidden(ledger: Ledger) -> list[tuple[int, int]]:
    """What is unattributed: when, and how many micro-dollars."""
    return [(at, pico // MICRO) for at, pico in ledger.read(HIDDEN)]


def test_what_is_reported_beyond_what_is_metered_is_booked_once(ledger: Ledger) -> None:
    write(ledger, booking(1, 10))
    for _ in range(3):
        say(ledger, 25)
    assert hidden(ledger) == [(AT, 15)]
    assert ledger.read(TOTAL) == [(25 * MICRO,)]


def test_what_was_brought_as_a_copy_is_of_the_run_of_its_host_that_says_it_asked_for_it(ledger: Ledger) -> None:
    write(ledger, booking(1, 10, run=""), booking(2, 20, run=""), source=DOCS)
    write(ledger, booking(1, 10), source=API)
    write(ledger, booking(2, 20, run=OTHER), source=API._replace(host="vm2"))
    write(ledger, booking(1, 10, run=""), source=DOCS)
    by_agent = "select host, agent, sum(messages), sum(pico) from spend join sources on source = id group by 1, 2"
    assert [row for row in ledger.read(by_agent) if row[2]] == [
        ("vm1", "api-1", 1, 10 * MICRO),
        ("vm1", "docs-1", 1, 20 * MICRO),
    ]


def test_what_no_message_accounts_for_is_no_request_of_the_api(ledger: Ledger) -> None:
    write(ledger, booking(1, 10))
    say(ledger, 25)
    assert hidden(ledger)
    assert [message.model for message in messages_since(ledger, AT - 1)[""]] == ["claude-opus-5-5"]


def test_a_report_that_comes_first_is_made_up_for_by_late_lines(ledger: Ledger) -> None:
    say(ledger, 25)
    assert hidden(ledger) == [(AT, 25)]
    write(ledger, booking(1, 10))
    assert hidden(ledger) == [(AT, 15)]
    write(ledger, booking(2, 40))
    assert hidden(ledger) == []
    assert ledger.read(TOTAL) == [(50 * MICRO,)]


def test_it_is_booked_when_it_is_reported_and_taken_from_the_newest(ledger: Ledger) -> None:
    for number in range(3):
        say(ledger, 10 * (number + 1), AT + number * PERIOD)
    assert hidden(ledger) == [(AT + number * PERIOD, 10) for number in range(3)]
    write(ledger, booking(1, 14))
    assert hidden(ledger) == [(AT, 10), (AT + PERIOD, 6)]
    say(ledger, 35, AT + 9 * PERIOD)
    assert hidden(ledger) == [(AT, 10), (AT + PERIOD, 6), (AT + 9 * PERIOD, 5)]


def test_what_a_floating_sum_is_off_by_is_not_booked(ledger: Ledger) -> None:
    write(ledger, booking(1, 10))
    ledger.booked(book(API, [], [Report(RUN, 10 * MICRO + NOISE, AT)])).result(60)
    assert hidden(ledger) == []
    ledger.booked(book(API, [], [Report(RUN, 10 * MICRO + NOISE + 1, AT)])).result(60)
    assert ledger.read(TOTAL) == [(10 * MICRO + NOISE + 1,)]


def test_messages_that_were_there_before_do_not_account_for_a_run(ledger: Ledger) -> None:
    """A resumed session's file, or a fork's, repeats them: what the run reports is beside them."""
    write(ledger, booking(1, 10, run=""))
    say(ledger, 25)
    assert hidden(ledger) == [(AT, 25)]


def test_a_message_belongs_to_the_run_that_asked_for_it_whoever_brings_it(ledger: Ledger) -> None:
    write(ledger, booking(1, 10, run=""), source=DOCS)  # a fork's file was read before its parent's
    say(ledger, 10)
    write(ledger, booking(1, 10))
    assert hidden(ledger) == []


def test_who_passes_off_the_messages_of_others_as_its_own_hides_nothing(ledger: Ledger) -> None:
    say(ledger, 30, run=OTHER, source=DOCS)
    write(ledger, booking(1, 10))
    write(ledger, booking(1, 10, run=OTHER), source=DOCS)
    assert sum(micro for _, micro in hidden(ledger)) == 30


def test_an_estimate_gives_way_to_what_is_known(ledger: Ledger) -> None:
    write(ledger, booking(1, 50, estimated=True))
    write(ledger, booking(1, 20))
    write(ledger, booking(1, 70, estimated=True))
    assert ledger.read("select pico, flags from usage") == [(20 * MICRO, 0)]
    say(ledger, 60)
    assert ledger.read(TOTAL) == [(60 * MICRO,)]


class Step(NamedTuple):
    """Something a host sends: a report of a run, or numbers of a message that says whose it is."""

    message: int | None
    run: str
    micro: int
    estimated: bool


runs = st.sampled_from(("", RUN, OTHER))
steps = st.lists(
    st.one_of(
        st.builds(Step, st.none(), st.sampled_from((RUN, OTHER)), st.integers(0, 200), st.just(value=False)),
        st.builds(Step, st.integers(0, 6), runs, st.integers(0, 60), st.booleans()),
    ),
    max_size=30,
)


def true_total(said: Sequence[Step]) -> int:
    """What the set of all that was said comes to, in micro-dollars."""
    cost: dict[int, tuple[bool, int]] = {}
    claims: dict[int, set[str]] = {}
    reports = {RUN: 0, OTHER: 0}
    for number, run, micro, estimated in said:
        if number is None:
            reports[run] = max(reports[run], micro)
        else:
            cost[number] = max(cost.get(number, (False, -1)), (not estimated, micro))
            claims.setdefault(number, set()).update({run} - {""})
    own = {run: sum(cost[one][1] for one, whose in claims.items() if whose == {run}) for run in reports}
    return sum(micro for _, micro in cost.values()) + sum(max(0, reports[run] - own[run]) for run in reports)


@given(steps, st.randoms(use_true_random=False))
def test_no_order_doubling_or_replay_changes_the_total(
    tmp_path_factory: pytest.TempPathFactory, said: Sequence[Step], random: Any
) -> None:
    shuffled = sorted([*said, *said[::2]], key=lambda _: random.random())
    ledger = Ledger(tmp_path_factory.mktemp("books") / "ledger.db", "room-1")
    try:
        seen: list[Step] = []
        for number, step in enumerate([*shuffled, *said]):
            seen.append(step)
            at = AT + number % 5 * PERIOD
            if step.message is None:
                say(ledger, step.micro, at, step.run, DOCS if step.micro % 2 else API)
            else:
                one = booking(step.message, step.micro, step.run, estimated=step.estimated)
                write(ledger, one, source=DOCS if step.micro % 2 else API)
            if number % 7 == 0:
                assert ledger.read(TOTAL) == [(true_total(seen) * MICRO,)]
        assert ledger.read(TOTAL) == [(true_total(said) * MICRO,)]
        assert check(ledger) == []
    finally:
        ledger.close()
