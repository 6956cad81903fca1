"""Tasks that are done again and again: how often, in words, and when next."""

import re
from dataclasses import replace
from datetime import tzinfo

from controlroom.domain.budgets import Period
from controlroom.domain.money.budget import period
from controlroom.domain.tasks import Task, TaskState

_INTERVAL = re.compile(r"([1-9]\d{0,4})([mhd])")
_UNITS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}

WORDS = {"hourly": Period.HOUR, "daily": Period.DAY, "weekly": Period.WEEK, "monthly": Period.MONTH}
"""At the full hour, at midnight, on Monday at midnight, on the first at midnight: when the next such period begins."""

KEPT = 20
"""Attempts of such a task that are kept."""


def problem(every: str) -> str:
    """What is wrong with how often a task is to be done; empty: nothing."""
    if every in WORDS or _INTERVAL.fullmatch(every):
        return ""
    *words, last = WORDS
    return f"expected 30m, 6h, 1d, {', '.join(words)} or {last}, not {ascii(every)[:40]}"


def next_moment(every: str, now: int, zone: tzinfo) -> int:
    """The next moment after `now`, both UTC milliseconds. `zone`: where the operator's days begin."""
    if interval := _INTERVAL.fullmatch(every):
        return now + int(interval[1]) * _UNITS[interval[2]]
    return period(WORDS[every], now, zone)[1]


def again(task: Task, now: int, zone: tzinfo) -> Task:
    """The task once more, if it has just ended and is to be done again; its attempts count anew."""
    if not task.every or task.state not in (TaskState.DONE, TaskState.FAILED):
        return task
    kept = task.attempts[-KEPT:]
    return replace(
        task,
        state=TaskState.WAITING,
        attempts=kept,
        counted_from=len(kept),
        anew_from=len(kept),
        not_before=next_moment(task.every, now, zone),
    )
