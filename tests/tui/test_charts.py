"""Charts of hosts, money and windows: what is drawn of what is known, at every size, and asked for when needed."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from datetime import timezone

import pytest

from controlroom.domain.display.charts import (
    Chart,
    ChartSpan,
    Column,
    Fill,
    host_charts,
    spend_charts,
    task_charts,
    ticks,
    window_chart,
)
from controlroom.domain.display.spans import SpendRow, each_moment
from controlroom.domain.figures import Figures
from controlroom.domain.gauges import Headroom, LimitKind
from controlroom.domain.history import HOST_METRICS, ROOM, STEP, Metric, Point
from controlroom.domain.money.costs import CostRow
from controlroom.text.states import Payer
from controlroom.tui.screens.charts import FlowCharts, HostCharts, MoneyCharts
from controlroom.tui.screens.hosts import HostsScreen
from controlroom.tui.screens.tasks import TasksScreen
from controlroom.tui.widgets.charts import Charts
from tests.tui import scenes
from tests.tui.room import Room, at_sizes, room

HOUR = 3_600_000
DAY = 24 * HOUR
NOON = 1_790_942_400_000
"""2026-10-02 12:00 UTC."""
SIZES = at_sizes((45, 20), (80, 24), (120, 40), (200, 50))


def at_five_minutes(metric: Metric, *means: float | None) -> list[Point]:
    """One point in each five minutes, where there is a mean."""
    return [Point(metric, number * STEP, mean, mean) for number, mean in enumerate(means) if mean is not None]


def of(metric: Metric, points: list[Point], width: int, until: int) -> Chart:
    return host_charts(points, 0, until, width)[HOST_METRICS.index(metric)]


def drawn(chart: Chart, height: int) -> list[str]:
    return ["".join(signs for _, signs in row) for row in chart.rows(height)]


def test_a_column_is_as_high_as_its_mean_and_shaded_up_to_its_peak() -> None:
    points = [*at_five_minutes(Metric.CPU, 0.0, 50.0, 100.0), Point(Metric.CPU, 3 * STEP, 25.0, 100.0)]
    assert drawn(of(Metric.CPU, points, 4, 4 * STEP), 2) == ["  █░", "▁██▄"]


def test_of_what_is_not_known_there_is_a_dot_and_no_height() -> None:
    points = at_five_minutes(Metric.CPU, 0.0, None, 50.0)
    assert drawn(of(Metric.CPU, points, 3, 3 * STEP), 2) == ["   ", "▁·█"]
    assert of(Metric.CPU, [], 3, STEP).words == "not known"


def test_much_of_a_machine_is_drawn_as_a_warning_and_traffic_never_is() -> None:
    def fills(metric: Metric) -> list[Fill]:
        return [row[0][0] for row in of(metric, at_five_minutes(metric, 100.0), 1, STEP).rows(10)]

    assert fills(Metric.MEMORY) == [Fill.DANGER, Fill.WARN, Fill.WARN, *[Fill.CALM] * 7]
    assert Fill.WARN not in fills(Metric.NETWORK_IN)
    assert Fill.DANGER not in fills(Metric.NETWORK_IN)


def test_columns_longer_than_a_point_take_the_mean_and_the_highest_peak() -> None:
    points = [Point(Metric.CPU, 0, 10.0, 20.0), Point(Metric.CPU, STEP, 30.0, 90.0)]
    assert of(Metric.CPU, points, 1, 2 * STEP).columns == [Column(20.0, 90.0)]


def spent(*micro: int, payer: Payer = Payer.API) -> list[SpendRow]:
    """What was spent in one hour after the other."""
    rows = [CostRow(str(NOON + number * HOUR), payer, input=100, micro=each) for number, each in enumerate(micro)]
    return each_moment(rows, NOON, NOON + len(micro) * HOUR, timezone.utc, short=True)


def test_each_hour_has_a_bar_and_an_hour_without_money_has_none() -> None:
    billed, tokens = spend_charts(spent(2_000_000, 0, 4_000_000), NOON, NOON + 3 * HOUR, 9, "hour")
    assert drawn(billed, 2) == ["      ██ ", "██▁▁▁▁██▁"]
    assert (billed.words, billed.scale) == ("$6.00, at most $4.00 an hour", "$4.00")
    assert tokens.words == "300, at most 100 an hour"


def test_what_plans_cover_is_not_summed_with_what_keys_pay() -> None:
    rows = each_moment(
        [CostRow(str(NOON), Payer.API, micro=1_000_000), CostRow(str(NOON), Payer.PLAN, micro=5_000_000)],
        NOON,
        NOON + HOUR,
        timezone.utc,
        short=True,
    )
    billed, covered, _ = spend_charts(rows, NOON, NOON + HOUR, 4, "hour")
    assert (billed.title, billed.scale, covered.title, covered.scale) == ("billed", "$1.00", "covered", "≈$5.00")


def window(used: int, resets: int) -> Headroom:
    return Headroom("you@example.org", "5 h", LimitKind.WINDOW, used, 100, resets, at=NOON, span=5 * HOUR)


def clock(at: int) -> str:
    return f"{(at - NOON) / HOUR:+.1f} h"


def test_a_window_is_drawn_up_to_its_reset_with_where_its_pace_leads() -> None:
    points = [Point(Metric.USE, NOON - HOUR, 0.0, 0.0), Point(Metric.USE, NOON - STEP, 25.0, 25.0)]
    chart = window_chart(window(25, NOON + 2 * HOUR), "5 h", points, NOON, 10, clock)
    assert (chart.since, chart.until) == (NOON - 3 * HOUR, NOON + 2 * HOUR)
    assert chart.words == "25 % used · 75 % at its reset +2.0 h · by the last 1h00"
    assert drawn(chart, 4) == ["          ", "         ░", "       ░░░", "····▁█░░░░"]


def test_a_pace_that_uses_the_window_up_says_when() -> None:
    points = [Point(Metric.USE, NOON - HOUR, 20.0, 20.0), Point(Metric.USE, NOON - STEP, 60.0, 60.0)]
    chart = window_chart(window(60, NOON + 4 * HOUR), "5 h", points, NOON, 10, clock)
    assert chart.words == "60 % used · used up +1.0 h · resets +4.0 h · by the last 1h00"


def test_from_a_few_minutes_no_pace_is_told() -> None:
    points = [Point(Metric.USE, NOON - STEP, 25.0, 25.0)]
    chart = window_chart(window(25, NOON + 2 * HOUR), "5 h", points, NOON, 10, clock)
    assert chart.words == "25 % used · resets +2.0 h"
    assert "░" not in "".join(drawn(chart, 4))


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
    here.screen(HostCharts)
    await here.until(lambda: "reading the ledger" not in here.text())
    return here.text()


@SIZES
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
        width = here.screen(HostCharts).query_one(Charts).chart_width
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


@SIZES
async def test_costs_and_windows_are_drawn_at_every_size(size: tuple[int, int]) -> None:
    windows = scenes.keyed(scenes.window("5 h", 17), scenes.window("week", 30, 3 * 24 * HOUR))
    async with room(replace(scenes.farm(), headroom=windows), size=size) as here:
        now = here.app.context.view.now
        here.engine.spent["time"] = [
            CostRow(str(now - number * 900_000), Payer.API, input=10_000 * number, micro=100_000 * (number % 7))
            for number in range(1, 40)
        ]
        for key in windows:
            here.engine.history[key] = [
                Point(Metric.USE, now - HOUR + number * STEP, number * 1.5, number * 1.5) for number in range(12)
            ]
        await here.press("c", "g")
        here.screen(MoneyCharts)
        await here.until(lambda: "reading the ledger" not in here.text())
        shown = here.text()
        for words in ("billed", "tokens", "[1 today]", "at most"):
            assert words in shown
        assert max(map(len, (line.rstrip() for line in shown.splitlines()))) <= size[0]
        if size[1] >= 40:
            assert "at its reset" in shown
        await here.press("2")
        await here.until(lambda: "a day" in here.text())


FIGURES = Figures(
    at=scenes.NOW,
    waiting=42,
    running=180,
    held=1,
    oldest_wait=3 * HOUR,
    median_wait=20 * 60_000,
    agents=187,
    working=171,
    most_agents=200,
    agents_mean=180,
    agents_peak=200,
    working_mean=160,
    working_peak=181,
    watched=HOUR,
    done=61.5,
    failed=2,
    attempts=70,
    rate_limited=12,
    overloaded=0,
    answers=9_000,
    answer_median=4_200,
    answer_95=31_000,
    task_cost=1_230_000,
    tasks_costed=80,
    rows=(CostRow("", Payer.API, micro=400_000_000),),
    ran={"": 900 * HOUR},
)


def flowing() -> list[Point]:
    """A day of work, with two hours in which no engine ran."""
    points = []
    for number in range(288):
        at, wave = scenes.NOW - DAY + number * STEP, 100 + 80 * math.sin(number / 30)
        if not 100 <= number < 124:
            tasks = [
                (Metric.DONE, wave / 3),
                (Metric.WAITING, wave),
                (Metric.OLDEST, wave * 60_000),
                (Metric.FAILED, 2.0),
            ]
            agents = [(Metric.AGENTS, wave), (Metric.WORKING, wave * 0.9), (Metric.RATE_LIMITED, 12.0)]
            points += [Point(metric, at, mean, mean * 1.2) for metric, mean in (*tasks, *agents)]
            points.append(Point(Metric.ANSWER, at, 4_000 + 10 * wave, 30_000))
    return points


async def flow(here: Room, *words: str) -> str:
    """Open the figures, and wait until all these words stand there."""
    await here.press("#", "g")
    here.screen(FlowCharts)
    await here.until(lambda: all(each in here.text() for each in words))
    return here.text()


@SIZES
async def test_how_work_flows_is_drawn_at_every_size(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        here.engine.history[ROOM], here.engine.figures = flowing(), FIGURES
        words = ["187 agents live, 171 work", "busy 89%", "tasks done", "[2 day]"]
        if size[1] >= 40:
            words += ["an agent's hour $0.44", "62 tasks done an hour", "answers of the API", "12 times 429 an hour"]
        shown = await flow(here, *words)
        assert max(map(len, (line.rstrip() for line in shown.splitlines()))) <= size[0]
        await here.press("q")
        here.screen(TasksScreen)


async def test_what_is_not_known_of_the_flow_is_said() -> None:
    names = "done failed attempts agents_peak answer_median answer_95 agents_mean working_mean rate_limited"
    async with room(scenes.farm()) as here:
        here.engine.figures = replace(FIGURES, **dict.fromkeys(names.split()))  # type: ignore[arg-type]
        shown = await flow(here, "tasks an hour: not known yet", "Nothing is known of this time")
        assert "429" not in shown


async def test_the_palette_leads_to_the_figures() -> None:
    async with room(scenes.farm()) as here:
        await here.press("#", ":", *"throughput", "enter")
        await here.until(lambda: isinstance(here.app.screen, FlowCharts))


def test_what_was_done_in_half_a_minute_is_not_made_an_hour_of_it() -> None:
    young = [Point(Metric.DONE, HOUR - STEP, 720.0, 72.0)]
    done = task_charts(young, 0, HOUR, 12)[0]
    assert done.words == "72 an hour, at most 72"
