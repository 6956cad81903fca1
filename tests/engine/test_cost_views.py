"""What was spent, read from the ledger's sums: by everything it can be grouped by, and fast."""

from __future__ import annotations

import pytest

from controlroom.cli.record_fields import record
from controlroom.cli.records import COST, CostOf
from controlroom.domain.money.costs import BY, CostRow, grouped, totals
from controlroom.engine.ledger.ledger import Ledger
from controlroom.engine.ledger.usage_tables import DAY, QUARTER, UNATTRIBUTED, Booking, Source, book
from controlroom.engine.ledger.usage_views import costs, money
from controlroom.metering.usage_file import MOST_REPORTED, Report
from controlroom.text.states import Payer
from tests.engine.booked import API, AT, MICRO, booking

FOREVER = (0, 2 * AT)
DOCS = Source("vm2", "docs-1", "", "/docs", Payer.PLAN)


@pytest.fixture
def ledger(ledger: Ledger) -> Ledger:
    """Three messages are booked."""
    ledger.booked(book(API, [booking(1, 100), booking(2, 50, "claude-haiku-5-5", at=AT + QUARTER)])).result(60)
    ledger.booked(book(DOCS, [booking(3, 900, "claude-novel-9", priced=False)])).result(60)
    return ledger


def seen(ledger: Ledger, by: str, since: int = 0, until: int = 2 * AT) -> list[tuple[str, str, int, int]]:
    return [(row.key, row.billing, row.messages, row.micro) for row in costs(ledger, by, since, until)]


def test_costs_are_grouped_the_dearest_first(ledger: Ledger) -> None:
    assert seen(ledger, "agent") == [("vm2/docs-1", "plan", 1, 900), ("vm1/api-1", "api", 2, 150)]
    assert seen(ledger, "host") == [("vm2", "plan", 1, 900), ("vm1", "api", 2, 150)]
    assert seen(ledger, "profile") == [("", "plan", 1, 900), ("work", "api", 2, 150)]
    assert [key for key, *_ in seen(ledger, "folder")] == ["vm2:/docs", "vm1:/project"]
    assert [key for key, *_ in seen(ledger, "model")] == ["claude-novel-9", "claude-opus-5-5", "claude-haiku-5-5"]


def test_over_time_they_are_in_order(ledger: Ledger) -> None:
    quarter = AT // QUARTER * QUARTER
    assert seen(ledger, "time") == [
        (str(quarter), "api", 1, 100),
        (str(quarter), "plan", 1, 900),
        (str(quarter + QUARTER), "api", 1, 50),
    ]


def test_only_what_lies_between_counts(ledger: Ledger) -> None:
    assert seen(ledger, "agent", since=AT + QUARTER) == [("vm1/api-1", "api", 1, 50)]
    assert seen(ledger, "agent", until=AT) == []


def test_tokens_searches_and_what_has_no_price_are_told(ledger: Ledger) -> None:
    novel, *_ = costs(ledger, "model", *FOREVER)
    assert novel == CostRow("claude-novel-9", Payer.PLAN, 1, 5, 10, 1, 2, 12, 1, 900, 900)
    assert novel.hit_rate == 12 / 20
    told = record(COST, CostOf(novel, None, None, None))
    assert {name: value for name, value in told.items() if value} == {
        "key": "claude-novel-9", "billing": "plan", "messages": 1, "input_tokens": 5, "output_tokens": 10,
        "cache_write_5m_tokens": 1, "cache_write_1h_tokens": 2, "cache_read_tokens": 12, "web_searches": 1,
        "cache_hit_percent": 60.0, "list_price_usd": "0.000900", "unpriced_usd": "0.000900",
        "estimated_usd": "0.000000", "unattributed_usd": "0.000000", "doubted_usd": "0.000000",
    }  # fmt: skip


def test_what_is_billed_and_what_a_plan_covers_are_never_summed(ledger: Ledger) -> None:
    rows = costs(ledger, "model", *FOREVER)
    assert {row.billing: row.micro for row in totals(rows)} == {"api": 150, "plan": 900}
    assert len(grouped(rows, lambda row: "all")) == 2


@pytest.mark.parametrize("by", ["", "day", "name; drop table usage"])
def test_what_sums_are_not_kept_by_is_refused(ledger: Ledger, by: str) -> None:
    with pytest.raises(ValueError, match=", ".join(BY)):
        costs(ledger, by, *FOREVER)


@pytest.mark.parametrize("by", BY)
def test_estimates_and_what_no_message_accounts_for_are_told_apart(ledger: Ledger, by: str) -> None:
    cut_off = booking(7, 30)
    mine = [booking(8, 20), Booking(cut_off.message._replace(estimated=True), cut_off.cost, AT)]
    claimed = [Booking(one.message._replace(run="a" * 15), *one[1:]) for one in mine]
    ledger.booked(book(API, claimed, [Report("a" * 15, 175 * MICRO, AT)])).result(60)
    (whole,) = (row for row in totals(costs(ledger, by, *FOREVER)) if row.billing == Payer.API)
    assert (whole.messages, whole.micro, whole.estimated, whole.unattributed) == (4, 325, 30, 125)


def test_what_no_message_accounts_for_is_a_model_of_its_own(ledger: Ledger) -> None:
    ledger.booked(book(API, [], [Report("a" * 15, 70 * MICRO, AT)])).result(60)
    (row,) = (row for row in costs(ledger, "model", *FOREVER) if row.key == UNATTRIBUTED)
    assert row == CostRow(UNATTRIBUTED, Payer.API, micro=70, unattributed=70)


@pytest.mark.parametrize("by", BY)
def test_use_beyond_all_numbers_makes_nothing_unreadable(ledger: Ledger, by: str) -> None:
    """An agent may write down what it likes, as often as it likes."""
    liar = Source("vm3", "liar", "liars", "/lies", Payer.API)
    for day in range(3):
        lie = booking(1000 + day, 4 * 10**12, "claude-haiku-5-5", AT + day * DAY)
        ledger.booked(book(liar, [lie], [Report(f"{day:015x}", MOST_REPORTED, AT)])).result(60)
    since = AT // DAY * DAY
    rows = costs(ledger, by, 0, 2 * AT)
    assert sum(row.micro for row in rows if row.billing == Payer.API) > 10**13
    assert sum(row.micro for row in rows if row.billing == Payer.PLAN) == 900
    if by == "agent":
        assert [(row.key, row.micro) for row in rows[1:]] == [("vm2/docs-1", 900), ("vm1/api-1", 150)]
    assert money(ledger, since, since).day_billed > 10**12
    totals_of = ledger.read("select agent, sum(pico) from sources join spend_days on source = id group by agent")
    assert dict(totals_of)["docs-1"] == 900 * MICRO
    ledger.booked(book(API, [booking(7, 25)])).result(60)
    assert sum(row.micro for row in costs(ledger, "agent", 0, 2 * AT) if row.key == "vm1/api-1") == 175


@pytest.mark.parametrize("by", BY)
def test_whole_days_and_what_lies_around_them_are_summed_alike(ledger: Ledger, by: str) -> None:
    """A span that has whole days in it is read from other sums than one that has none."""
    spread = [booking(100 + hour, 7, at=AT + hour * DAY // 24 + 1) for hour in range(100)]
    ledger.booked(book(API, spread)).result(60)
    for first, last in ((0, 100), (5, 90), (30, 31), (24, 72)):
        since, until = (AT // QUARTER * QUARTER + hour * DAY // 24 for hour in (first, last))
        mine = [one for one in costs(ledger, by, since, until) if one.billing == Payer.API]
        early = [100] * (first == 0) + [50] * (first == 0)
        assert sum(row.micro for row in mine) == 7 * (last - first) + sum(early)
