"""Alarms of drained hosts: a drain that stands still, and a host on which nothing is left."""

from controlroom.domain.changes import Draft
from controlroom.domain.gauges import Alarm, AlarmKind, AlarmLevel
from controlroom.domain.tasks import Drain

_DRAIN = "drain of "
"""How what such alarms are about begins; the host follows."""

SHOWN = 3
"""Agents that did not arrive, of which it is said why."""


def stop_words(host: str, drain: Drain) -> str:
    """Why a drain stands still, and how to go on."""
    each = [f"{name}: {why.rstrip('.')}" for name, why in list(drain.failed.items())[:SHOWN]]
    more = [f"and {len(drain.failed) - SHOWN} more"] * (len(drain.failed) > SHOWN)
    how_many = f"{len(drain.failed)} of its agents did not arrive"
    return (
        f"the drain of {host} stands still: {how_many} ({'; '.join([*each, *more])}). Once that is mended: "
        f"controlroom host drain {host} --continue, which tries them again; or controlroom host undrain {host}"
    )


def empty_words(host: str, drain: Drain) -> str:
    """What may be done with a host on which nothing is at work any more."""
    moved = f"{drain.moved} agent{'s' * (drain.moved != 1)} moved; " if drain.moved else ""
    return (
        f"{host} is drained: {moved}nothing of this room is at work there. It may be switched off, or leave the room "
        f"(controlroom host remove {host}); to have it take work again: controlroom host undrain {host}"
    )


def watch_drain(draft: Draft, host: str, drain: Drain | None) -> None:
    """Raise or end the alarm of a host. `drain`: None when it takes work, or has left the room."""
    about, alarm = f"{_DRAIN}{host}", None
    if drain is not None and drain.move and drain.stopped:
        words = stop_words(host, drain)
        alarm = Alarm(words, AlarmLevel.DANGER, drain.stopped, kind=AlarmKind.DRAIN, subject=host)
    elif drain is not None and drain.move and drain.emptied:
        words = empty_words(host, drain)
        alarm = Alarm(words, AlarmLevel.NOTICE, drain.emptied, kind=AlarmKind.DRAIN, subject=host)
    if alarm is not None:
        draft.alarms.put(about, alarm)
    elif draft.alarms.get(about) is not None:
        draft.alarms.drop(about)
