"""A host as charts: what is drawn of what is known, at every size, and asked for no more often than needed."""

from __future__ import annotations

import itertools
import math
from datetime import timezone

import pytest

from controlroom.domain.display.charts import ChartSpan, Fill, chart, ticks
from controlroom.domain.host_history import STEP, Metric, Point
from controlroom.tui.screens.charts import ChartsScreen
from controlroom.tui.screens.hosts import HostsScreen
from controlroom.tui.widgets.charts import Charts
from tests.tui import scenes
from tests.tui.room import Room, room

HOUR = 3_600_000
DAY = 24 * HOUR
SIZES = [(45, 20), (80, 24), (120, 40), (200, 50)]


def flat(metric: Metric, *means: float | None, peak: float = 0.0) -> list[Point]:
    """One point in each five minutes, where there is a mean."""
    return [
        Point(metric, number * STEP, mean, max(mean, peak)) for number, mean in enumerate(means) if mean is not None
    ]


def drawn(points: list[Point], metric: Metric, width: int, height: int, until: int) -> list[str]:
    rows = chart(points, metric, 0, until, width).rows(height)
    return ["".join(signs for _, signs in row) for row in rows]


def test_a_column_is_as_high_as_its_mean_and_shaded_up_to_its_peak() -> None:
    points = [*flat(Metric.CPU, 0.0, 50.0, 100.0), Point(Metric.CPU, 3 * STEP, 25.0, 100.0)]
    assert drawn(points, Metric.CPU, 4, 2, 4 * STEP) == ["  █░", "▁██▄"]


def test_of_what_is_not_known_there_is_a_dot_and_no_height() -> None:
    points = flat(Metric.CPU, 0.0, None, 50.0)
    assert drawn(points, Metric.CPU, 3, 2, 3 * STEP) == ["   ", "▁·█"]
    assert chart([], Metric.CPU, 0, STEP, 3).words == "not known"


def test_much_of_a_machine_is_drawn_as_a_warning_and_traffic_never_is() -> None:
    def fills(metric: Metric) -> list[Fill]:
        return [row[0][0] for row in chart(flat(metric, 100.0), metric, 0, STEP, 1).rows(10)]

    assert fills(Metric.MEMORY) == [Fill.DANGER, Fill.WARN, Fill.WARN, *[Fill.CALM] * 7]
    assert Fill.WARN not in fills(Metric.NETWORK_IN)
    assert Fill.DANGER not in fills(Metric.NETWORK_IN)


def test_columns_longer_than_a_point_take_the_mean_and_the_highest_peak() -> None:
    points = [Point(Metric.CPU, 0, 10.0, 20.0), Point(Metric.CPU, STEP, 30.0, 90.0)]
    (column,) = chart(points, Metric.CPU, 0, 2 * STEP, 1).columns
    assert column == Point(Metric.CPU, 0, 20.0, 90.0)


@pytest.mark.parametrize(
    ("span", "width", "words"),
    [
        (ChartSpan.HOUR, 60, ["06:00", "06:15", "06:30", "06:45"]),
        (ChartSpan.DAY, 60, ["12:00", "18:00", "Fri 02", "06:00"]),
        (ChartSpan.WEEK, 84, ["Sat 26", "Sun 27", "Mon 28", "Tue 29", "Wed 30", "Thu 01", "Fri 02"]),
    ],
)
def test_the_clock_stands_on_round_times(span: ChartSpan, width: int, words: list[str]) -> None:
    until = 1_790_924_340_000  # 2026-10-02 06:59 UTC
    marks = ticks(until - span.length, until, width, timezone.utc)
    assert [label for _, label in marks] == words
    assert all(other - column >= 6 for (column, _), (other, _) in itertools.pairwise(marks))


def wavy() -> list[Point]:
    """A day of all metrics, with an hour in which the host was away."""
    points = []
    for number in range(288):
        at = scenes.NOW - DAY + number * STEP
        wave = 50 + 45 * math.sin(number / 20)
        if not 100 <= number < 112:
            points += [
                Point(Metric.CPU, at, wave, min(100.0, wave + 20)),
                Point(Metric.MEMORY, at, 60 + wave / 5, 80.0),
                Point(Metric.DISK, at, 71.0, 71.0),
                Point(Metric.NETWORK_IN, at, wave * 10_000, wave * 40_000),
                Point(Metric.NETWORK_OUT, at, wave * 1000, wave * 1000),
            ]
    return points


async def charts(here: Room) -> str:
    await here.press("h")
    here.screen(HostsScreen).table.choose("vm1")
    await here.press("g")
    here.screen(ChartsScreen)
    await here.until(lambda: "asking the ledger" not in here.text())
    return here.text()


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
async def test_all_that_is_kept_of_a_host_fills_the_screen(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        here.engine.history["vm1"] = wavy()
        shown = await charts(here)
        for title in ("cpu", "memory", "disk", "network in", "network out", "[2 day]"):
            assert title in shown
        assert len([line for line in shown.splitlines() if line.strip()]) >= size[1] - 1
        assert max(map(len, (line.rstrip() for line in shown.splitlines()))) <= size[0]


async def test_nothing_known_is_said_and_not_drawn_as_nothing() -> None:
    async with room(scenes.farm()) as here:
        shown = await charts(here)
        assert "Nothing is known of vm1 in this time" in shown
        here.engine.ledger_problem = "the ledger cannot be read"
        await here.press("3")
        await here.until(lambda: "the ledger cannot be read" in here.text())


async def test_digits_choose_the_span_and_arrows_the_host() -> None:
    async with room(scenes.farm()) as here:
        await charts(here)
        width = here.screen(ChartsScreen).query_one(Charts).points_wanted
        await here.press("1", "down")
        await here.until(lambda: len(here.engine.history_asked) == 3)
        now = here.app.context.view.now
        hosts = list(here.engine.fleet.hosts)
        following = hosts[(hosts.index("vm1") + 1) % len(hosts)]
        assert here.engine.history_asked == [
            ("vm1", now - DAY, now, width),
            ("vm1", now - HOUR, now, width),
            (following, now - HOUR, now, width),
        ]
        await here.press("q")
        here.screen(HostsScreen)
