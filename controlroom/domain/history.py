"""Figures of hosts, of plans' windows and of the room's work over weeks: what is kept of them, and how they are read.

Five-minute means and peaks are kept for thirty days. Shares are per cent of the machine or window, traffic is bytes a
second, what happens is so many an hour; times are UTC milliseconds of this machine's clock. A span in which a host was
not connected, or no engine ran, has no points: nothing is known of it.
"""

from collections.abc import Iterator, Sequence

from controlroom.domain.gauges import Headroom, LimitKind
from controlroom.text.host_sample import HostSample
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import StrEnum

STEP = 300_000
"""Milliseconds of one mean."""

KEPT = 30 * 86_400_000
"""Milliseconds for which means are kept."""

_MOST_TRAFFIC = 1 << 40
"""Bytes a second that are kept at most: no machine moves more, and a host that claims it must not break the sums."""

MOST_POINTS = 1000
"""Points of one metric in one answer at most."""


ROOM = "*"
"""The room among the subjects of which figures are kept; no host and no window is called so."""


class Metric(StrEnum):
    """What is kept: of a host, `USE` of a window of a plan, and of the room how its work flows."""

    CPU = "cpu"
    MEMORY = "memory"
    DISK = "disk"
    NETWORK_IN = "network_in"
    NETWORK_OUT = "network_out"
    USE = "use"
    AGENTS = "agents"
    """Agents that live, those of others left out."""
    WORKING = "working"
    """Those of them that work, and wait neither for a person nor for work."""
    WAITING = "waiting"
    """Tasks that wait."""
    OLDEST = "oldest_wait"
    """For how long the first of them has waited, milliseconds."""
    BEGUN = "attempts"
    """Attempts at tasks that began, an hour."""
    DONE = "tasks_done"
    """Tasks that were done, an hour."""
    FAILED = "tasks_failed"
    """Tasks that failed for good, an hour."""
    ANSWER = "answer"
    """How long the API took for an answer, milliseconds: the median, and as the peak the 95th percentile."""
    RATE_LIMITED = "rate_limited"
    """Requests that the API refused with 429, an hour."""
    OVERLOADED = "overloaded"
    """Requests that it refused with 529, an hour."""

    @property
    def is_share(self) -> bool:
        """Whether it is per cent of a machine or window."""
        return self in (Metric.CPU, Metric.MEMORY, Metric.DISK, Metric.USE)

    @property
    def is_rate(self) -> bool:
        """Whether it is how often something happens, an hour."""
        return self in RATES

    @property
    def units(self) -> int:
        """The parts of one in which it is kept."""
        return 1 if self in (Metric.NETWORK_IN, Metric.NETWORK_OUT, Metric.OLDEST, Metric.ANSWER) else 100


RATES = (Metric.BEGUN, Metric.DONE, Metric.FAILED, Metric.RATE_LIMITED, Metric.OVERLOADED)
HOST_METRICS = (Metric.CPU, Metric.MEMORY, Metric.DISK, Metric.NETWORK_IN, Metric.NETWORK_OUT)


@dataclass(frozen=True)
class Point:
    """The mean and the peak of one metric from `at` until the next point."""

    metric: Metric
    at: int
    mean: float
    peak: float


def figures(sample: HostSample) -> Iterator[tuple[Metric, float]]:
    """Yield what a sample says of each metric; what it does not know is left out."""
    if sample.cpu_percent is not None:
        yield Metric.CPU, sample.cpu_percent
    if sample.memory_used is not None and sample.memory_total:
        yield Metric.MEMORY, _percent(sample.memory_used, sample.memory_total)
    if sample.disk_free is not None and sample.disk_total:
        yield Metric.DISK, 100 - _percent(sample.disk_free, sample.disk_total)
    if sample.network_in is not None:
        yield Metric.NETWORK_IN, float(min(sample.network_in, _MOST_TRAFFIC))
    if sample.network_out is not None:
        yield Metric.NETWORK_OUT, float(min(sample.network_out, _MOST_TRAFFIC))


def _percent(part: int, whole: int) -> float:
    """A part in per cent of the whole; a host may claim that it is more than that."""
    return min(100.0, max(0.0, 100 * part / whole))


def window_use(window: Headroom, now: int) -> float | None:
    """Return how much of a plan's window is used, in per cent; None: not known, or from before its reset."""
    if window.kind is not LimitKind.WINDOW or (window.resets and window.resets <= now):
        return None
    return window.used_percent


def width_of(since: int, until: int, points: int) -> int:
    """Return the milliseconds of a point where a span is to have at most this many: whole steps."""
    points = max(1, min(points, MOST_POINTS))
    return max(1, -(-(until - since) // (points * STEP))) * STEP


def columns(points: Sequence[Point], metric: Metric, since: int, until: int, count: int) -> list[Point | None]:
    """Lay the points of a metric on `count` equal columns of a span, oldest first; None where nothing is known.

    A column shorter than a point shows the point that it lies in; one that is longer takes the mean of all of its means
    and the highest of the peaks.
    """
    of_metric = sorted((point for point in points if point.metric is metric), key=lambda point: point.at)
    width = width_of(since, until, count)
    laid: list[Point | None] = []
    for column in range(count):
        start = since + (until - since) * column // count
        end = max(start + 1, since + (until - since) * (column + 1) // count)
        laid.append(_joined([point for point in of_metric if point.at < end and point.at + width > start], start))
    return laid


def _joined(points: Sequence[Point], at: int) -> Point | None:
    if not points:
        return None
    mean = sum(point.mean for point in points) / len(points)
    return Point(points[0].metric, at, mean, max(point.peak for point in points))
