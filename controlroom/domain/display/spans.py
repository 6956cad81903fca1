"""What was spent in a span of time, as rows to look at: one a key, billed and covered side by side.

Micro-dollars at list prices; times are UTC milliseconds. What keys pay and what plans cover is never summed: whoever
pays for a row is not known counts as covered, which nobody was billed for.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta, tzinfo
from operator import attrgetter

from controlroom.domain.display.views import short_model
from controlroom.domain.money.costs import HOUR, CostRow, per_hour
from controlroom.domain.words import dollars
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import Payer, StrEnum
from controlroom.text.time_zones import day_name, hour_name

_QUARTER = 900_000
"""Sums over time are of quarters of an hour."""
_WORTH_A_WORD = 10_000
"""Micro-dollars of a sum below which nobody needs to know what they are."""
_MOST_EMPTY = 48
"""Rows over time that are shown though nothing was spent in some."""


class Span(StrEnum):
    """What can be looked at, up to now."""

    TODAY = "today"
    WEEK = "week"
    MONTH = "month"
    THIRTY = "30 days"

    def since(self, now: int, zone: tzinfo | None) -> int:
        """When it began: today, this week (Monday) and this month where `zone` is (None: this machine's)."""
        here = datetime.fromtimestamp(now / 1000, zone)
        if self is Span.THIRTY:
            return now - 30 * 24 * HOUR
        days = {Span.WEEK: here.weekday(), Span.MONTH: here.day - 1}.get(self, 0)
        first = (here - timedelta(days=days)).replace(hour=0, minute=0, second=0, microsecond=0)
        return round(first.timestamp() * 1000)


class By(StrEnum):
    """What rows can be grouped by."""

    AGENT = "agent"
    PROFILE = "profile"
    HOST = "host"
    MODEL = "model"
    HOUR = "hour"
    DAY = "day"

    @property
    def asked(self) -> str:
        """What the engine is asked for (`domain.money.costs.BY`)."""
        return "time" if self in (By.HOUR, By.DAY) else self.value


_NOTHING = CostRow("", Payer.UNKNOWN)


@dataclass(frozen=True)
class SpendRow:
    """What one key has used."""

    key: str
    """What it is grouped by, as the ledger says; empty: not known."""
    name: str
    where: str = ""
    """An agent's host."""
    billed: int | None = None
    """Micro-dollars that keys pay; None: none of its messages was paid by a key."""
    covered: int | None = None
    about: tuple[bool, bool] = (False, False)
    """Whether a part of what is billed, and of what is covered, is an estimate."""
    all: CostRow = _NOTHING
    """Tokens and messages, whoever paid; its money is of no use."""
    ran: int | None = None
    """Milliseconds that its agents ran, working or waiting; None: not known."""

    @property
    def dearest(self) -> int:
        """Order rows: the larger of the two, because they are not summed."""
        return max(self.billed or 0, self.covered or 0)

    @property
    def per_hour(self) -> str:
        """What an agent-hour has cost: `$1.42`; nothing when hours, or whose they were, are not known."""
        each = per_hour(self.dearest, self.ran)
        if each is None or (self.billed is None) == (self.covered is None):
            return ""
        return dollars(each) if self.covered is None else f"≈{dollars(each)}"


def remarks(whole: CostRow) -> list[str]:
    """What there is to know about a sum: what of it is an estimate, and what nothing accounts for."""
    return [
        f"{dollars(micro)} {words}"
        for micro, words in (
            (whole.unattributed, "unattributed: Claude reports it, no message accounts for it"),
            (whole.estimated, "estimated (~): requests that were cut off"),
            (whole.unpriced, "without a price: counted as the dearest"),
        )
        if micro >= _WORTH_A_WORD
    ]


def spend_rows(
    found: Sequence[CostRow], by: By, since: int, now: int, zone: tzinfo | None, ran: Mapping[str, int]
) -> list[SpendRow]:
    """The rows of one grouping: dearest first; those over time newest first, short spans without gaps.

    `ran`: by key, the milliseconds that its agents ran in the span, where that is known.
    """
    if by in (By.HOUR, By.DAY):
        return _over_time(found, by, since, now, zone)
    merged = _merged((row.key, row) for row in found)
    rows = [replace(_named(row, by), ran=ran.get(row.key)) for row in merged]
    return sorted(rows, key=lambda row: (-row.dearest, row.key))


def total(rows: Iterable[SpendRow]) -> SpendRow:
    """Sum rows up; how long agents ran is known where that of all is."""
    rows = list(rows)
    ran = [row.ran for row in rows]
    return SpendRow(
        "",
        "all",
        billed=_sum(row.billed for row in rows),
        covered=_sum(row.covered for row in rows),
        about=(any(row.about[0] for row in rows), any(row.about[1] for row in rows)),
        all=_whole("", (row.all for row in rows)),
        ran=None if None in ran else sum(filter(None, ran)),
    )


def _sum(parts: Iterable[int | None]) -> int | None:
    measured = [part for part in parts if part is not None]
    return sum(measured) if measured else None


_NUMBERS = tuple(part.name for part in fields(CostRow) if part.name not in ("key", "billing"))
_numbers = attrgetter(*_NUMBERS)


def _whole(key: str, rows: Iterable[CostRow]) -> CostRow:
    """Sum numbers, whoever pays; thousands of rows come at once, so none is made for each."""
    sums = (sum(column) for column in zip(*map(_numbers, rows), strict=True))
    return CostRow(key, Payer.UNKNOWN, **dict(zip(_NUMBERS, sums, strict=False)))


def _merged(found: Iterable[tuple[str, CostRow]]) -> list[SpendRow]:
    """Put what has the same key together, whoever paid for it."""
    groups: dict[str, list[CostRow]] = {}
    for key, row in found:
        groups.setdefault(key, []).append(row)
    return [_one(key, rows) for key, rows in groups.items()]


def _one(key: str, rows: Sequence[CostRow]) -> SpendRow:
    billed = [row for row in rows if row.billing == Payer.API]
    covered = [row for row in rows if row.billing != Payer.API]
    return SpendRow(
        key,
        key,
        billed=_sum(row.micro for row in billed),
        covered=_sum(row.micro for row in covered),
        about=(any(row.estimated for row in billed), any(row.estimated for row in covered)),
        all=_whole(key, rows),
    )


# --------------------------------------------------------------------------- names


def _named(row: SpendRow, by: By) -> SpendRow:
    if by is By.AGENT:
        host, _, name = row.key.partition("/")
        return replace(row, name=name or "not known", where=host)
    if by is By.MODEL:
        return replace(row, name=short_model(row.key) or "not known")
    return replace(row, name=row.key or ("no profile" if by is By.PROFILE else "not known"))


# --------------------------------------------------------------------------- over time


def _over_time(found: Sequence[CostRow], by: By, since: int, now: int, zone: tzinfo | None) -> list[SpendRow]:
    rows = {row.key: row for row in _merged((_moment(int(row.key), by, zone), row) for row in found)}
    first = min((int(row.key) for row in found), default=now)
    labels = dict.fromkeys(
        _moment(at, by, zone) for at in range(max(since, first) // _QUARTER * _QUARTER, now, _QUARTER)
    )
    shown = [*dict.fromkeys((*rows, *labels))] if len(labels) <= _MOST_EMPTY else list(rows)
    today = _moment(now, By.DAY, zone)
    named = [replace(rows.get(key, SpendRow(key, key)), name=_label(key, by, today)) for key in shown]
    return sorted(named, key=lambda row: row.key, reverse=True)


def _moment(at: int, by: By, zone: tzinfo | None) -> str:
    """Name the hour or day of a moment so that names are in the order of time."""
    return hour_name(at, zone) if by is By.HOUR else day_name(at, zone)


def _label(key: str, by: By, today: str) -> str:
    day, _, hour = key.partition(" ")
    if by is By.HOUR and day == today:
        return hour
    written = datetime.fromisoformat(day).strftime("%a %d %b")
    return f"{written} {hour}".rstrip()


def history(found: Sequence[CostRow], since: int, now: int, zone: tzinfo | None, short: bool) -> list[int]:
    """What was spent in each hour (`short`) or day of a span, oldest first: what keys paid, else what is covered.

    The two are not summed: where anything was billed, that alone is shown.
    """
    billed = [row for row in found if row.billing == Payer.API]
    return [row.dearest for row in each_moment(billed or found, since, now, zone, short)]


def whole_moments(since: int, now: int, zone: tzinfo | None, short: bool) -> tuple[int, int]:
    """Return when the first hour (`short`) or day of a span begins, and when the last one ends."""
    starts = [datetime.fromtimestamp(at / 1000, zone).replace(minute=0, second=0, microsecond=0) for at in (since, now)]
    first, last = starts if short else [start.replace(hour=0) for start in starts]
    ends = last + (timedelta(hours=1) if short else timedelta(days=1))
    return round(first.timestamp() * 1000), round(ends.timestamp() * 1000)


def each_moment(found: Sequence[CostRow], since: int, now: int, zone: tzinfo | None, short: bool) -> list[SpendRow]:
    """Sum up each hour (`short`) or day of a span, oldest first, those without anything too."""
    by = By.HOUR if short else By.DAY
    rows = {row.key: row for row in _merged((_moment(int(row.key), by, zone), row) for row in found)}
    moments = dict.fromkeys(_moment(at, by, zone) for at in range(since // _QUARTER * _QUARTER, now, _QUARTER))
    return [rows.get(moment, SpendRow(moment, moment)) for moment in moments]
