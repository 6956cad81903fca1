"""Bounds of what one host claims: none is passed, whatever it says in whatever order, and what fits passes whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from controlroom.domain.money.plausible import (
    A_DAY,
    DAY,
    HOUR,
    Amount,
    BoundUse,
    Ceilings,
    cut_down,
    of_grant,
    of_host,
    of_late,
    of_run,
    worth,
)
from controlroom.metering.prices import DOLLAR
from controlroom.metering.usage import Usage
from controlroom.text.states import Payer

AMOUNTS = some.builds(Amount, some.integers(0, 10**17), some.integers(0, 10**15))


@given(some.lists(some.tuples(AMOUNTS, some.integers(0, 3 * DAY), some.booleans()), max_size=40))
def test_no_bound_of_a_host_is_passed_however_much_is_claimed(claims: list[tuple[Amount, int, bool]]) -> None:
    taken, now = BoundUse(), 3 * DAY
    used: dict[tuple[str, int], Amount] = {}
    for wanted, at, is_late in claims:
        bounds = of_late("vm1", at, 100, now) if is_late else of_host("vm1", at, 100)
        given_now = taken.take(bounds, wanted)
        assert all(0 <= got <= want for got, want in zip(given_now, wanted, strict=True))
        for bound in bounds:
            key = bound.kind, bound.span
            used[key] = Amount(*map(sum, zip(used.get(key, Amount()), given_now, strict=True)))
    for (kind, _), amount in used.items():
        most = worth(100 if kind == "host" else 100 * A_DAY)
        assert amount.pico <= most.pico
        assert amount.tokens <= most.tokens


def test_what_is_told_late_of_long_ago_asks_for_no_bound_of_each_hour() -> None:
    assert [bound.kind for bound in of_late("vm1", 0, 100, 3 * DAY)] == ["late"]
    assert [bound.kind for bound in of_late("vm1", 3 * DAY - HOUR, 100, 3 * DAY)] == ["late", "host", "day"]


def test_a_bound_that_is_asked_for_is_not_forgotten_for_others() -> None:
    taken = BoundUse()
    taken.take(of_late("vm1", 0, 100, DAY), Amount(999 * DOLLAR, 0))
    for hour in range(30_000):
        taken.take(of_late("vm1", 0, 100, DAY), Amount())
        taken.know(of_host("vm1", hour * HOUR, 100)[0], Amount())
    assert taken.take(of_late("vm1", 0, 100, DAY), Amount(5 * DOLLAR, 0)) == Amount(DOLLAR, 0)


def test_what_fits_passes_whole_in_whatever_order_it_comes() -> None:
    taken, dollar = BoundUse(), Amount(DOLLAR, 1_000_000)
    for at in (5 * HOUR, HOUR, 3 * HOUR, 5 * HOUR + 1, 0):
        for _ in range(50):
            assert taken.take(of_host("vm1", at, 100), dollar) == dollar


def test_what_was_used_before_counts() -> None:
    taken = BoundUse()
    (bound,) = of_run("vm1", "a1", 1, HOUR, 100)
    taken.know(bound, Amount(499 * DOLLAR, 0))
    taken.know(bound, Amount())
    assert taken.missing([bound]) == []
    assert taken.take([bound], Amount(3 * DOLLAR, 300)) == Amount(DOLLAR, 100)
    assert taken.take([bound], Amount(DOLLAR, 1)) == Amount()


def test_use_without_a_price_is_bound_by_its_tokens() -> None:
    taken = BoundUse()
    assert taken.take(of_host("vm1", 0, 1), Amount(0, 10**12)) == Amount(0, 5_000_000)


@given(some.builds(Usage, *[some.integers(0, 10**9)] * 6), some.integers(0, 10**12), some.integers(0, 10**10))
def test_a_message_is_cut_down_in_all_its_kinds(usage: Usage, pico: int, tokens: int) -> None:
    whole = Amount(sum(usage[:5]) * 7, sum(usage[:5]))
    given_now = Amount(min(pico, whole.pico), min(tokens, whole.tokens))
    kept = cut_down(usage, whole, given_now)
    assert all(0 <= count <= claimed for count, claimed in zip(kept, usage, strict=True))
    assert sum(kept[:5]) * 7 <= given_now.pico or kept == usage
    assert sum(kept[:5]) <= given_now.tokens or kept == usage


@pytest.mark.parametrize(
    ("ceilings", "billing", "most"),
    [
        (Ceilings(0, billed=1_000_000), "api", 7),
        (Ceilings(0, billed=1_000_000), "", 7),
        (Ceilings(0, billed=1_000_000), "plan", None),
        (Ceilings(0, billed=1_000_000, covered=2_000_000), "", 9),
        (Ceilings(0, base=40_000_000, billed=41_000_000), "api", 7),
        (Ceilings(0), "api", None),
    ],
)
def test_no_runner_lets_twice_its_ceiling_and_a_few_messages_pass(
    ceilings: Ceilings, billing: str, most: int | None
) -> None:
    said = ceilings.most(Payer(billing), 0)
    assert (said and said.pico) == (None if most is None else most * DOLLAR)


def test_the_last_messages_of_subagents_may_have_been_under_way() -> None:
    ceilings = Ceilings(0, billed=1_000_000, tokens=1_000)
    alone, many, more = (ceilings.most(Payer.API, subagents) for subagents in (0, 20, 20_000))
    assert alone is not None
    assert many is not None
    assert many.pico == alone.pico + 10 * DOLLAR
    assert more == many
    (bound,) = of_grant("vm1", "a1", 1, 5, alone)
    assert bound.most.tokens == 2_000 + 10 * 200_000
