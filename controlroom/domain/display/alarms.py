"""Alarms in the order in which somebody should read them."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from controlroom.domain.gauges import Alarm, urgency
from controlroom.domain.model import Fleet
from controlroom.domain.words import age

if TYPE_CHECKING:
    from controlroom.domain.display.explain import Line

_TONES = {"danger": "bad", "warning": "warn"}


def worst_first(fleet: Fleet) -> list[Alarm]:
    """Give all alarms, the worst first, of equal ones the newest."""
    return sorted(fleet.alarms.values(), key=urgency)


def lines(fleet: Fleet, now: int, clock: Callable[[int], str]) -> "list[Line]":
    """Give what to read about all alarms: how bad, since when, what."""
    from controlroom.domain.display.explain import Line  # the first frame does without

    told: list[Line] = []
    for alarm in worst_first(fleet):
        since = f"since {clock(alarm.since)}, {age(now - alarm.since)}" if alarm.since else ""
        about = " · ".join(filter(None, (alarm.agent, since)))
        told.append(Line(alarm.level, alarm.text, _TONES.get(alarm.level, "")))
        told += [Line("", about, "")] * bool(about)
    return told
