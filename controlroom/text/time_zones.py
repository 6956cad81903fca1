"""Time zones by all that people and the variable TZ call them, and what an hour is called there.

`TZ` may hold a name of the tz database, the path of a file of it, or a rule of its own (POSIX.1, the Base Definitions:
`EST5EDT,M3.2.0,M11.1.0`, `<+03>-3`), each with a colon before it or not.
"""

import io
import os
import re
import struct
from datetime import datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from controlroom.text.lazy_pattern import pattern

LOCALTIME = "/etc/localtime"
"""The machine's time zone: a file of the tz database, or a link to one."""

_RULE = pattern(r"(<[A-Za-z0-9+-]{3,}>|[A-Za-z]{3,})[+-]?\d{1,3}(:\d\d){0,2}(?P<summer>.*)", re.ASCII)
_BLOCK = struct.pack(">4sc15x6L", b"TZif", b"2", 0, 0, 0, 0, 1, 4) + struct.pack(">lbb", 0, 0, 0) + b"UTC\0"
"""A file of the tz database (RFC 9636) without a moment at which anything changes: its footer alone counts."""


def zone_of(name: str) -> tzinfo | None:
    """The time zone of a name, a path or a rule; None: there is no such zone."""
    name = name.removeprefix(":")
    if not name or "\n" in name:
        return None
    try:
        if name.startswith("/"):
            with open(name, "rb") as file:
                return ZoneInfo.from_file(file, key=zone_name(name) or None)
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return _by_rule(name)


def named(name: str, variable: str = "", localtime: str = LOCALTIME) -> str:
    """The name of the first of these that is a zone: a name, the variable TZ, this machine's; "" has none."""
    for candidate in (name, variable):
        if zone_of(candidate):
            return zone_name(candidate.removeprefix(":")) or candidate.removeprefix(":")
    return zone_name(os.path.realpath(localtime)) or ("" if os.path.exists(localtime) else "UTC")


def zone_here(name: str = "", variable: str = "", localtime: str = LOCALTIME) -> tzinfo:
    """The first of these that is a zone: one of this name, that of the variable TZ, this machine's; else UTC."""
    zone = zone_of(name) or zone_of(variable)
    if zone:
        return zone
    try:
        with open(localtime, "rb") as file:
            return ZoneInfo.from_file(file)
    except (OSError, ValueError):
        return timezone.utc


def zone_name(path: str) -> str:
    """The name that a file of the tz database has by its path, "" when it has none."""
    return path.partition("/zoneinfo/")[2].removeprefix("posix/").removeprefix("right/")


def _by_rule(rule: str) -> tzinfo | None:
    """The zone of a POSIX rule. One with a summer time and no days for it has those of the United States."""
    match = _RULE.fullmatch(rule)
    if not match:
        return None
    days = ",M3.2.0,M11.1.0" if match["summer"] and "," not in match["summer"] else ""
    try:
        return ZoneInfo.from_file(io.BytesIO(2 * _BLOCK + f"\n{rule}{days}\n".encode()), key=rule)
    except ValueError:
        return None


def hour_name(at: int, zone: tzinfo | None) -> str:
    """Name the hour that a moment (UTC milliseconds) is in; one that comes twice that night tells which it is."""
    here = datetime.fromtimestamp(at // 1000, zone).astimezone(zone)
    hour = here.replace(minute=0, second=0, microsecond=0)
    twice = hour.replace(fold=0).utcoffset() != hour.replace(fold=1).utcoffset()
    return f"{hour:%Y-%m-%d %H:00}{f' {_which(here)}' if twice and not _skipped(hour) else ''}"


def _skipped(hour: datetime) -> bool:
    """Whether a clock that is put forward leaves this hour out."""
    first, second = (hour.replace(fold=fold).utcoffset() or timedelta() for fold in (0, 1))
    return first < second


def _which(here: datetime) -> str:
    name = here.tzname() or ""
    return name if name.isalpha() else f"{here:%z}"


def day_name(at: int, zone: tzinfo | None) -> str:
    """Name the day that a moment is in."""
    return f"{datetime.fromtimestamp(at // 1000, zone):%Y-%m-%d}"
