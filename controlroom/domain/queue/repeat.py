"""Tasks that are done again and again: how often, in words, and when next."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone, tzinfo
from itertools import islice
from typing import NamedTuple

from cronsim import CronSim, CronSimError

from controlroom.domain.budgets import Period
from controlroom.domain.money.budget import period
from controlroom.domain.tasks import Task, TaskState
from controlroom.text.time_zones import zone_of

_INTERVAL = re.compile(r"([1-9]\d{0,4})([mhd])")
_UNITS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}

_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*")
"""How the tz database names zones: never a path."""

_LONGEST = 120
"""Characters of cron words and a zone."""

WORDS = {"hourly": Period.HOUR, "daily": Period.DAY, "weekly": Period.WEEK, "monthly": Period.MONTH}
"""At the full hour, at midnight, on Monday at midnight, on the first at midnight: when the next such period begins."""

KEPT = 20
"""Attempts of such a task that are kept."""


class Cron(NamedTuple):
    """Moments as cron words say them."""

    words: str
    """Minute, hour, day of the month, month, day of the week, as Debian's cron reads them."""
    zone: tzinfo | None
    """Where they are read off a clock; None: where the operator's days begin."""
    lost: str = ""
    """The zone that they name and this machine has not: no moment of theirs is known."""

    def after(self, now: int, zone: tzinfo) -> Iterator[int]:
        """The moments after `now`, UTC milliseconds; `zone`: where the operator's days begin."""
        if self.lost:
            return
        with suppress(CronSimError):  # it is read as it was kept: by another version of the library, say
            for moment in CronSim(self.words, datetime.fromtimestamp(now / 1000, self.zone or zone)):
                at = round(moment.timestamp() * 1000)
                if at > now:  # in an hour that comes twice the first of both may be told again
                    yield at


def problem(every: str) -> str:
    """What is wrong with how often a task is to be done; empty: nothing."""
    if every in WORDS or _INTERVAL.fullmatch(every):
        return ""
    if len(every.split()) in (5, 6):
        return _cron_problem(every)
    *words, last = WORDS
    return f"expected 30m, 6h, 1d, {', '.join(words)}, {last} or cron's five words, not {ascii(every)[:40]}"


def _cron_problem(every: str) -> str:
    words = every.split()
    if len(every) > _LONGEST or not every.isascii() or not every.isprintable():
        return f"cron's words have at most {_LONGEST} characters, all of them printable ASCII"
    if len(words) == 6 and not (_ZONE.fullmatch(words[5]) and zone_of(words[5])):
        return f"{ascii(words[5])[:40]} is no time zone that this machine knows, like Europe/Berlin"
    try:
        next(CronSim(" ".join(words[:5]), datetime(2000, 1, 1, tzinfo=timezone.utc)))
    except CronSimError as error:
        return f"{ascii(every)[:60]}: cron would say {str(error).lower()}"
    except StopIteration:
        return f"{ascii(every)[:60]} never comes"
    return ""


def cron_of(every: str) -> Cron | None:
    """The cron words of how often a task is done; None: it is said otherwise."""
    words = every.split()
    if len(words) not in (5, 6):
        return None
    name = words[5] if len(words) == 6 else ""
    zone = zone_of(name) if _ZONE.fullmatch(name) else None
    return Cron(" ".join(words[:5]), zone, "" if zone else name)


def next_moment(every: str, now: int, zone: tzinfo) -> int:
    """The next moment after `now`, both UTC milliseconds. `zone`: where the operator's days begin."""
    if interval := _INTERVAL.fullmatch(every):
        return now + int(interval[1]) * _UNITS[interval[2]]
    if cron := cron_of(every):
        return next(cron.after(now, zone), now + _UNITS["d"])
    return period(WORDS[every], now, zone)[1]


def timed(task: Task, now: int, zone: tzinfo) -> Task:
    """The task as it waits for its first time: cron words say when, all others begin at once."""
    return replace(task, not_before=next_moment(task.every, now, zone)) if cron_of(task.every) else task


def on_time(task: Task, now: int, zone: tzinfo) -> Task:
    """A released task: it waits for its next time where it was held beyond one at which nothing had begun."""
    if _INTERVAL.fullmatch(task.every) or task.attempts[task.counted_from :] or not 0 < task.not_before <= now:
        return task
    return replace(task, not_before=next_moment(task.every, now, zone))


def coming(task: Task, now: int, zone: tzinfo, count: int = 3) -> list[int]:
    """The next moments at which a task that is done again starts, as far as they can be known, UTC milliseconds."""
    waits = task.state is TaskState.WAITING and task.not_before > now
    first = [task.not_before] if waits else []
    if _INTERVAL.fullmatch(task.every):
        return first
    since = task.not_before if waits else now
    if cron := cron_of(task.every):
        return [*first, *islice(cron.after(since, zone), count - len(first))]
    while task.every and len(first) < count:
        since = next_moment(task.every, since, zone)
        first.append(since)
    return first


def again(task: Task, now: int, zone: tzinfo) -> Task:
    """The task once more, if it has just ended and is to be done again; its attempts count anew.

    It is held where nobody knows when: its zone may have gone from this machine.
    """
    if not task.every or task.state not in (TaskState.DONE, TaskState.FAILED):
        return task
    kept = task.attempts[-KEPT:]
    task = replace(task, attempts=kept, counted_from=len(kept), anew_from=len(kept))
    if wrong := problem(task.every):
        reason = f"when it is done again is not known: {wrong}: controlroom task edit {task.id} --every …"
        return replace(task, state=TaskState.HELD, since=now, reason=reason, wait=None)
    return replace(task, state=TaskState.WAITING, not_before=next_moment(task.every, now, zone))
