"""When the hour, the day, the week and the month of a budget begin and end, in the operator's time zone.

Times are UTC milliseconds. A day begins with the first moment that has its date, so that a clock which is put forward
at midnight, or back over it, leaves no gap and no overlap. Weeks begin on Monday.
"""

from datetime import date, datetime, timedelta, tzinfo

HOUR = 3_600_000
"""Milliseconds. An hour is always as long; it begins where the minutes of the zone's clock are 0."""


def period(kind: str, now: int, zone: tzinfo) -> tuple[int, int]:
    """Say when the `hour`, `day`, `week` or `month` that holds `now` began, and when the next one begins."""
    if kind == "hour":
        began = now - (now + _offset(now, zone)) % HOUR
        return began, began + HOUR
    first, after = _dates(kind, _here(now, zone).date())
    return begins(first, zone), begins(after, zone)


def begins(day: date, zone: tzinfo | None) -> int:
    """Say when a day begins; one that the zone leaves out begins, and ends, with the one after it."""
    return round(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)


def _dates(kind: str, day: date) -> tuple[date, date]:
    """Give the first day of a period, and that of the one after it."""
    if kind == "week":
        first = day - timedelta(days=day.weekday())
        return first, first + timedelta(days=7)
    if kind == "month":
        first = day.replace(day=1)
        return first, (first + timedelta(days=31)).replace(day=1)
    return day, day + timedelta(days=1)


def _offset(now: int, zone: tzinfo) -> int:
    offset = _here(now, zone).utcoffset()
    return round(offset.total_seconds() * 1000) if offset else 0


def _here(now: int, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(now // 1000, zone)
