"""Advice about hosts that are too full, too busy, or idle: when it stands, when it ends, and what it says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.domain.advice_words import advice_alarm, advice_words
from controlroom.domain.calculators.offers import Machine, Market
from controlroom.domain.gauges import AlarmLevel
from controlroom.domain.history import STEP, Metric
from controlroom.domain.host_advice import Band, Concern, Means, advise, band, relief, stands_since
from controlroom.domain.model import Fleet, Host, LinkState
from controlroom.domain.tasks import Drain
from tests.domain.worlds import GIB, NOON, agent, fleet, host

RAM = band(Concern.MEMORY, 80)
MARKET = Market(
    (
        Machine("OVH", "b2-7", 2, 7 * GIB, 15_000_000),
        Machine("OVH", "b2-15", 4, 15 * GIB, 30_000_000),
        Machine("OVH", "b2-30", 8, 30 * GIB, 60_500_000),
        Machine("other", "small", 2, 8 * GIB, 1_000_000, "EUR"),
    )
)


def means(*values: float | None, until: int = NOON) -> Means:
    """Five-minute means, the last one whole just now; None: nothing is known of those."""
    first = until - len(values) * STEP
    return [(first + place * STEP, value) for place, value in enumerate(values) if value is not None]


def since(*values: float | None, line: Band = RAM) -> int:
    return stands_since(means(*values), line, NOON)


# --------------------------------------------------------------------------- when it stands


def test_half_an_hour_above_the_line_raises_it_and_a_quarter_well_below_ends_it() -> None:
    assert since(*[85.0] * 5) == 0
    assert since(*[85.0] * 6) == NOON - 6 * STEP
    assert since(*[85.0] * 12) == NOON - 12 * STEP
    assert since(*[85.0] * 6, *[77.0] * 20) == NOON - 26 * STEP, "between the lines nothing changes"
    assert since(*[85.0] * 6, 70.0, 70.0) == NOON - 8 * STEP
    assert since(*[85.0] * 6, 70.0, 70.0, 70.0) == 0
    assert since(*[77.0] * 40) == 0, "nor is it raised there"


def test_a_peak_raises_nothing_and_what_is_not_known_counts_for_nothing() -> None:
    assert since(*[85.0] * 5, 79.0, *[85.0] * 5) == 0
    assert since(*[85.0] * 3, None, *[85.0] * 3) == 0
    assert since(*[85.0] * 6, None, 85.0) == NOON - 8 * STEP, "a short silence ends nothing"
    assert since(*[85.0] * 6, *[None] * 4, 85.0) == 0
    assert since(*[85.0] * 6, *[None] * 4) == 0, "of a host that has long been silent nothing is said"


@given(st.lists(st.floats(0, 100), max_size=84))
def test_it_never_comes_and_goes_within_a_quarter_of_an_hour(values: list[float]) -> None:
    stood = [bool(stands_since(means(*values[:count]), RAM, NOON)) for count in range(len(values) + 1)]
    for begin in range(1, len(stood)):
        if stood[begin] and not stood[begin - 1]:
            assert all(stood[begin : begin + 3])
            assert all(value >= 80 for value in values[begin - 6 : begin])
        elif stood[begin - 1] and not stood[begin]:
            assert not any(stood[begin : begin + 6])


# --------------------------------------------------------------------------- what it says


def crowded(agents: int = 5, *, size: str = "b2-7", rss: int = GIB // 2, room: int = 4 * GIB) -> Fleet:
    """vm1 is full of agents, vm2 has room."""
    rows = [agent(f"a{number}", rss=rss, cpu_percent=50.0, started=NOON - 3_600_000) for number in range(agents)]
    return fleet(*rows, hosts=(host("vm1", free=GIB // 4, size=size), host("vm2", free=room)))


def about(world: Fleet, *values: float, metric: Metric = Metric.MEMORY, market: Market = MARKET) -> list[str]:
    found = advise(world, {("vm1", metric): means(*values)}, market, NOON)
    return [advice_words(advice, NOON) for advice in found]


def test_it_says_how_many_agents_to_move_and_the_next_size() -> None:
    (words,) = about(crowded(), *[85.0] * 6)
    assert words == (
        "vm1 has been above 80 % RAM for 30 minutes: move 2 agents (controlroom host relieve vm1), or take the "
        "next size (b2-15, $30)"
    )
    assert about(crowded(size=""), *[85.0] * 6)[0].endswith("move 2 agents (controlroom host relieve vm1)")
    assert about(crowded(room=0), *[85.0] * 13) == [
        "vm1 has been above 80 % RAM for 1 hour 5 minutes: take the next size (b2-15, $30)"
    ]
    assert "add a host" in about(crowded(room=0, size=""), *[85.0] * 6)[0]
    assert about(crowded(), *[85.0] * 6, market=Market())[0].endswith("host relieve vm1)"), "no price is made up"
    assert about(crowded(size="B2-15"), *[85.0] * 6)[0].endswith("(b2-30, $60.50)")
    assert about(crowded(size="b2-30"), *[85.0] * 6)[0].endswith("host relieve vm1)"), "there is no larger one"


def test_the_fewest_agents_bring_it_below_and_no_more_than_others_have_room_for() -> None:
    world = crowded(8, rss=GIB // 8)
    world = replace(world, agents={**world.agents, "vm1/big": agent("big", rss=GIB, cpu_percent=1.0)})
    steps = relief(world, world.hosts["vm1"], Concern.MEMORY, 85.0, NOON)
    assert [(step.agent.name, step.to) for step in steps] == [("big", "vm2")]
    steps = relief(crowded(8, rss=GIB // 8), world.hosts["vm1"], Concern.MEMORY, 85.0, NOON)
    assert len(steps) == 5, "15 % of 4 GiB"
    tight = crowded(8, rss=GIB // 8, room=GIB + GIB // 8)
    assert len(relief(tight, tight.hosts["vm1"], Concern.MEMORY, 85.0, NOON)) == 2
    unread = crowded(5, rss=0)
    assert relief(unread, unread.hosts["vm1"], Concern.MEMORY, 85.0, NOON) == ()


def test_cpu_is_advised_on_too_and_memory_comes_first() -> None:
    (words,) = about(crowded(), *[97.0] * 6, metric=Metric.CPU)
    assert words.startswith("vm1 has been above 90 % CPU for 30 minutes: move 1 agent (")
    both = {("vm1", metric): means(*[97.0] * 6) for metric in (Metric.CPU, Metric.MEMORY)}
    assert [advice.concern for advice in advise(crowded(), both, MARKET, NOON)] == [Concern.MEMORY]


def test_a_host_that_is_paid_for_and_idle_for_hours_is_named_calmly() -> None:
    idle = crowded(0, size="b2-15")
    (advice,) = advise(idle, {("vm1", Metric.CPU): means(*[1.0] * 72)}, MARKET, NOON)
    alarm = advice_alarm(advice, NOON)
    assert (alarm.level, alarm.subject) == (AlarmLevel.NOTICE, "vm1")
    assert alarm.text.startswith("vm1 has been idle for 6 hours (CPU below 5 %, no agent of this room): ")
    assert alarm.text.endswith("(controlroom host remove vm1), or take the size below (b2-7, $15)")
    for busy in (crowded(1, size="b2-15"), crowded(0, size="")):
        assert about(busy, *[1.0] * 72, metric=Metric.CPU) == []
    assert about(idle, *[1.0] * 71, metric=Metric.CPU) == []
    assert about(idle, *[1.0] * 72, 11.0, metric=Metric.CPU) == []


@pytest.mark.parametrize("change", [{"link": LinkState.LOST}, {"drain": Drain("ann", NOON)}, {"facts": None}])
def test_nothing_is_advised_about_a_host_that_is_away_or_drained(change: dict[str, object]) -> None:
    world = crowded()
    changed: Host = replace(world.hosts["vm1"], **change)  # type: ignore[arg-type]
    assert about(replace(world, hosts={**world.hosts, "vm1": changed}), *[85.0] * 6) == []


def test_it_is_no_news_that_it_lasts() -> None:
    first = advise(crowded(), {("vm1", Metric.MEMORY): means(*[85.0] * 6)}, MARKET, NOON)[0]
    later = advise(crowded(6), {("vm1", Metric.MEMORY): means(*[85.0] * 9)}, MARKET, NOON)[0]
    assert advice_alarm(first, NOON).text != advice_alarm(later, NOON).text
    assert not advice_alarm(later, NOON).is_news_after(advice_alarm(first, NOON))
