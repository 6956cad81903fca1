"""Charts of hosts, of money and of plans' windows: what they show, how high, and where the clock stands below them.

A chart is drawn by columns of one cell. Filled is the mean, shaded on top of it the peak, or what is expected; where
nothing is known there is a dot on the ground line, and no height. Times are UTC milliseconds.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from enum import Enum

from controlroom.domain.display.spans import SpendRow
from controlroom.domain.gauges import Headroom
from controlroom.domain.history import HOST_METRICS, Metric, Point, columns
from controlroom.domain.words import age, amount, count, dollars, percent, seconds, size
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import StrEnum

_HOUR = 3_600_000
_DAY = 24 * _HOUR
_LABEL = 12
"""Cells that a word of the time axis needs, with what keeps it apart from the next."""
_STEPS = tuple(minutes * 60_000 for minutes in (5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 7200, 10080))
_WARN, _DANGER = 0.7, 0.9
"""Shares of a machine from which a part of a bar is drawn as a warning, and as a danger."""
_LEAST_TRAFFIC = 1024.0
"""Bytes a second that fill a chart at least: a quiet line looks quiet."""
_SETTLED = 600_000
"""Milliseconds of a window's use below which its pace says nothing."""

Clock = Callable[[int], str]


class ChartSpan(StrEnum):
    """What a chart of a host can show, up to now."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "30 days"

    @property
    def length(self) -> int:
        """Milliseconds."""
        return {"hour": _HOUR, "day": _DAY, "week": 7 * _DAY, "30 days": 30 * _DAY}[self.value]


class Fill(Enum):
    """What a cell of a chart is."""

    EMPTY = "nothing"
    UNKNOWN = "nothing is known of this time"
    CALM = "the value"
    WARN = "the value, where it is much"
    DANGER = "the value, where it is nearly all"
    SHADE = "between the mean and the peak, or what is expected"


@dataclass(frozen=True)
class Column:
    """One cell's breadth: the value, and up to where it is shaded."""

    value: float
    shade: float = 0.0


@dataclass(frozen=True)
class Chart:
    """One thing over a span, oldest column first; None: nothing is known."""

    title: str
    words: str
    """What it says in a few words."""
    columns: Sequence[Column | None]
    top: float
    """The value at the upper edge."""
    scale: str
    """The same, written."""
    since: int
    until: int
    share: bool = False
    """Whether it is a share, of which much is a warning."""
    tall: bool = False
    """Whether it moves so much that it is worth more lines than others."""

    def rows(self, height: int) -> list[list[tuple[Fill, str]]]:
        """Draw it in so many lines, top first: runs of one fill."""
        return [self._row(height - 1 - row, height) for row in range(height)]

    def _row(self, row: int, height: int) -> list[tuple[Fill, str]]:
        """Draw one line; 0 is the lowest."""
        runs: list[tuple[Fill, str]] = []
        for column in self.columns:
            fill, sign = self._cell(column, row, height)
            if runs and runs[-1][0] is fill:
                runs[-1] = fill, runs[-1][1] + sign
            else:
                runs.append((fill, sign))
        return runs

    def _cell(self, column: Column | None, row: int, height: int) -> tuple[Fill, str]:
        if column is None:
            return (Fill.UNKNOWN, "·") if row == 0 else (Fill.EMPTY, " ")
        eighths = round(8 * height * min(1.0, max(0.0, column.value / self.top))) - 8 * row
        shaded = column.shade / self.top * height > row + 0.5
        if row == 0 and not shaded:
            eighths = max(1, eighths)
        if eighths > 0:
            return self._filled(row, height), " ▁▂▃▄▅▆▇█"[min(8, eighths)]
        return (Fill.SHADE, "░") if shaded else (Fill.EMPTY, " ")

    def _filled(self, row: int, height: int) -> Fill:
        level = (row + 0.5) / height
        if not self.share or level < _WARN:
            return Fill.CALM
        return Fill.DANGER if level >= _DANGER else Fill.WARN


# --------------------------------------------------------------------------- hosts


_TITLES = {
    Metric.CPU: "cpu",
    Metric.MEMORY: "memory",
    Metric.DISK: "disk",
    Metric.NETWORK_IN: "network in",
    Metric.NETWORK_OUT: "network out",
}


def host_charts(points: Sequence[Point], since: int, until: int, width: int) -> list[Chart]:
    """Draw every metric of a host on `width` columns: filled the mean, shaded the peak."""
    return [_host_chart(points, metric, since, until, width) for metric in HOST_METRICS]


def _host_chart(points: Sequence[Point], metric: Metric, since: int, until: int, width: int) -> Chart:
    laid = columns(points, metric, since, until, width)
    known = [point for point in laid if point is not None]
    highest = max((point.peak for point in known), default=0.0)
    words = f"{_value(metric, known[-1].mean)}, at most {_value(metric, highest)}" if known else "not known"
    top = 100.0 if metric.is_share else max(_LEAST_TRAFFIC, highest)
    drawn = [None if point is None else Column(point.mean, point.peak) for point in laid]
    scale = _value(metric, top).removesuffix("/s")
    return Chart(_TITLES[metric], words, drawn, top, scale, since, until, metric.is_share, metric is Metric.CPU)


def _value(metric: Metric, value: float) -> str:
    return percent(value) if metric.is_share else f"{size(round(value))}/s"


# --------------------------------------------------------------------------- how work flows


def agent_charts(points: Sequence[Point], since: int, until: int, width: int) -> list[Chart]:
    """Draw agents and the API: who lives, who works, how long answers take, how often requests are refused."""
    metrics = (Metric.AGENTS, Metric.WORKING, Metric.ANSWER, Metric.RATE_LIMITED, Metric.OVERLOADED)
    return [_flow_chart(points, metric, since, until, width) for metric in metrics]


def task_charts(points: Sequence[Point], since: int, until: int, width: int) -> list[Chart]:
    """Draw tasks: how many are done, wait, fail, and how long the first of them has waited."""
    metrics = (Metric.DONE, Metric.WAITING, Metric.OLDEST, Metric.BEGUN, Metric.FAILED)
    return [_flow_chart(points, metric, since, until, width) for metric in metrics]


_FLOW_TITLES = {
    Metric.AGENTS: "agents",
    Metric.WORKING: "agents working",
    Metric.ANSWER: "answers of the API",
    Metric.RATE_LIMITED: "429",
    Metric.OVERLOADED: "529",
    Metric.DONE: "tasks done",
    Metric.WAITING: "tasks waiting",
    Metric.OLDEST: "longest wait",
    Metric.BEGUN: "attempts",
    Metric.FAILED: "tasks failed",
}


def _flow_chart(points: Sequence[Point], metric: Metric, since: int, until: int, width: int) -> Chart:
    """Draw one metric. Of five minutes of which little was seen, a rate is no more than that of the whole of them."""
    laid = columns(points, metric, since, until, width)
    if metric.is_rate:
        laid = [point and replace(point, mean=min(point.mean, point.peak)) for point in laid]
    known = [point for point in laid if point is not None]
    highest = max((point.peak for point in known), default=0.0)
    words = "not known"
    if known and metric is Metric.ANSWER:
        words = f"median {seconds(known[-1].mean)}, 95 of 100 within {seconds(known[-1].peak)}"
    elif known and metric.is_rate:
        words = f"{amount(sum(point.mean for point in known) / len(known))} an hour, at most {amount(highest)}"
    elif known:
        words = f"{_flow_value(metric, known[-1].mean)}, at most {_flow_value(metric, highest)}"
    top = max(60_000.0 if metric is Metric.OLDEST else 1_000.0 if metric is Metric.ANSWER else 1.0, highest)
    drawn = [None if point is None else Column(point.mean, point.peak) for point in laid]
    return Chart(_FLOW_TITLES[metric], words, drawn, top, _flow_value(metric, top), since, until, tall=metric in _TALL)


_TALL = (Metric.AGENTS, Metric.DONE)


def _flow_value(metric: Metric, value: float) -> str:
    return seconds(value) if metric in (Metric.OLDEST, Metric.ANSWER) else amount(value)


# --------------------------------------------------------------------------- money


def spend_charts(rows: Sequence[SpendRow], since: int, until: int, width: int, each: str) -> list[Chart]:
    """Draw what was spent, and the tokens, in each hour or day (`each`) of a span of whole ones, oldest first.

    What keys pay and what plans cover have a chart each and are never summed; where there was neither, one says so.
    """
    billed = [row.billed for row in rows]
    covered = [row.covered for row in rows]
    tokens = [row.all.input + row.all.output + row.all.cache_write_5m + row.all.cache_write_1h for row in rows]
    charts = []
    if any(billed) or not any(covered):
        charts.append(_bars("billed", [value or 0 for value in billed], dollars, since, until, width, each))
    if any(covered):
        charts.append(_bars("covered", [value or 0 for value in covered], _covered, since, until, width, each))
    return [*charts, _bars("tokens, cache reads left out", tokens, count, since, until, width, each)]


def _covered(micro: int) -> str:
    return f"≈{dollars(micro)}"


def _bars(
    title: str, values: Sequence[int], written: Callable[[int], str], since: int, until: int, width: int, each: str
) -> Chart:
    """Draw one bar for each value, apart where there is room."""
    highest = max(values, default=0)
    words = f"{written(sum(values))}, at most {written(highest)} {'an hour' if each == 'hour' else 'a day'}"
    drawn: list[Column | None] = [Column(0.0)] * width
    for number, value in enumerate(values):
        start, end = width * number // len(values), width * (number + 1) // len(values)
        for cell in range(start, max(start + 1, end - (end - start >= 3))):
            drawn[cell] = max(drawn[cell] or Column(0.0), Column(float(value)), key=lambda column: column.value)
    return Chart(title, words, drawn, float(max(1, highest)), written(highest), since, until)


# --------------------------------------------------------------------------- windows


def window_span(window: Headroom, now: int) -> tuple[int, int]:
    """Return when a plan's window began and when it is whole again; without a reset, its length up to now."""
    until = max(now, window.resets)
    return until - (window.span or 7 * _DAY), until


def window_chart(window: Headroom, title: str, points: Sequence[Point], now: int, width: int, clock: Clock) -> Chart:
    """Draw the use of a plan's window from its begin to its reset: filled what was read, shaded where it leads to.

    The line to the reset goes on at the pace of the use that was seen in this window, with at least ten minutes of it.
    """
    since, until = window_span(window, now)
    seen = sorted((point for point in points if since <= point.at < now), key=lambda point: point.at)
    laid = columns(seen, Metric.USE, since, until, width)
    drawn = [None if point is None or point.at > now else Column(point.peak) for point in laid]
    words = f"{percent(seen[-1].peak)} used" if seen else "no reading yet"
    pace = _pace(seen, now)
    if pace is not None and until > now:
        for cell in range(width):
            at = since + (until - since) * (2 * cell + 1) // (2 * width)
            if at > now:
                drawn[cell] = Column(0.0, seen[-1].peak + pace * (at - now))
        words += f" · {_leads_to(seen[-1].peak, pace, now, until, clock)} · by the last {age(now - seen[0].at)}"
    elif until > now:
        words += f" · resets {clock(until)}"
    return Chart(title, words, drawn, 100.0, "100%", since, until, share=True)


def _pace(seen: Sequence[Point], now: int) -> float | None:
    """Return per cent a millisecond; None: too little was seen."""
    if not seen or now - seen[0].at < _SETTLED:
        return None
    return max(0.0, seen[-1].peak - seen[0].peak) / (now - seen[0].at)


def _leads_to(used: float, pace: float, now: int, until: int, clock: Clock) -> str:
    reached = used + pace * (until - now)
    if reached < 100:
        return f"{percent(reached)} at its reset {clock(until)}"
    full = now + round((100 - used) / pace) if used < 100 else now
    return f"used up {clock(full)} · resets {clock(until)}"


# --------------------------------------------------------------------------- the clock


def ticks(since: int, until: int, width: int, zone: tzinfo | None) -> list[tuple[int, str]]:
    """Return where the clock stands below `width` columns: (column, `14:00` or `Mon 30`), on round times of `zone`."""
    most = max(1, width // _LABEL)
    step = next((step for step in _STEPS if (until - since) / step <= most), _STEPS[-1])
    marks = []
    moment = _round_time(since, step, zone)
    while (at := round(moment.timestamp() * 1000)) < until:
        if at >= since:
            column = (at - since) * width // (until - since)
            marks.append((column, moment.strftime("%a %d" if step >= _DAY or _is_midnight(moment) else "%H:%M")))
        moment += timedelta(milliseconds=step)
    return marks


def _is_midnight(moment: datetime) -> bool:
    return moment.hour == moment.minute == 0


def _round_time(at: int, step: int, zone: tzinfo | None) -> datetime:
    """Return the last moment up to `at` at which the step begins, as the wall's clock counts it from midnight."""
    moment = datetime.fromtimestamp(at / 1000, zone)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if step >= _DAY:
        return midnight
    return midnight + timedelta(milliseconds=(moment - midnight) // timedelta(milliseconds=step) * step)
