"""What the operator must be told about limits: once when one is passed, until there is room again.

The words hold no figure that moves: an alarm that is told anew each minute is soon read by nobody. Times are UTC
milliseconds; `clock` writes one as it stands on the wall.
"""

from collections.abc import Callable, Iterable, Mapping

from controlroom.domain.gauges import Alarm, Headroom
from controlroom.domain.limits.headroom import OVERAGE, Reading
from controlroom.domain.words import count, dollars

Clock = Callable[[int], str]

_CALM = 0.8
"""An alarm about a bucket, which is refilled all the time, ends below this share of where it began."""


def about(one: Headroom) -> str:
    """Name what an alarm is about."""
    return f"limit {one.key}"


def alarms(headroom: Iterable[Headroom], known: Mapping[str, Alarm], now: int, clock: Clock) -> dict[str, Alarm]:
    """Give the alarms there are about limits, by what they are about; `known`: those that stand."""
    found: dict[str, Alarm] = {}
    for one in headroom:
        name = about(one)
        before = known.get(name)
        text, level = _words(one, before, clock)
        if text:
            same = before is not None and (before.text, before.level) == (text, level)
            found[name] = before if same and before else Alarm(text, level, before.since if before else now)
        if one.disputed:
            name = f"disputed {one.key}"
            alarm = Alarm(_disputed(one), "warning", known[name].since if name in known else now)
            found[name] = alarm
    return found


def _disputed(one: Headroom) -> str:
    """Say that hosts contradict each other about a window."""
    return (
        f"{one.account}: {one.name} cannot be as {' and '.join(one.disputed)} say, one of them is wrong: the strictest "
        "plausible reading counts. What a host says counts no more once it is out: controlroom host remove HOST"
    )


def billed(readings: Iterable[Reading], known: Mapping[str, Alarm], now: int) -> dict[str, Alarm]:
    """Give the alarms about plans that are used up and billed beyond."""
    accounts = sorted({reading.account for reading in readings if reading.window == OVERAGE and reading.in_use})
    text = "what its plan does not cover is billed now (overage): agents with this login cost dollars"
    names = {account: f"overage {account}" for account in accounts}
    return {name: known.get(name) or Alarm(f"{account}: {text}", "danger", now) for account, name in names.items()}


def _words(one: Headroom, before: Alarm | None, clock: Clock) -> tuple[str, str]:
    if one.used is None or one.limit is None:
        return "", ""
    over = before is not None and one.kind == "bucket"
    if one.used >= one.limit * (_CALM if over and before and before.level == "danger" else 1):
        return _out(one, clock), "danger"
    if one.buffer is not None and one.used >= one.buffer * (_CALM if over else 1):
        return _near(one), "warning"
    return "", ""


def _out(one: Headroom, clock: Clock) -> str:
    until = f" until {clock(one.resets)}" if one.resets else ""
    if one.kind == "window":
        return f"{one.account}: {one.name} is used up{until}: agents with this login wait, or are billed as overage"
    if one.kind == "credit":
        return f"{one.account}: this month's credit is used up by our count: what keys use now is billed"
    return f"{one.account}: {one.name} are at their ceiling: the API refuses what is beyond; spawn fewer, or go slower"


def _near(one: Headroom) -> str:
    amount = f"{one.buffer} %" if one.kind == "window" else _amount(one)
    kept = f"has passed the {amount} that you want to keep to"
    return f"{one.account}: {one.name} {kept if one.kind != 'bucket' else kept.replace('has', 'have')}"


def _amount(one: Headroom) -> str:
    return dollars(one.buffer or 0) if one.kind == "credit" else f"{count(one.buffer or 0)} a minute"
