"""What a host says of a plan's windows, in our terms: names fit to show, times of ours, shares that can be."""

from collections.abc import Iterator
from dataclasses import dataclass

from controlroom.domain.limits.headroom import OVERAGE, Reading, believable
from controlroom.engine.hosts.translate import HostContext, short
from controlroom.text.names import agent_name_problem
from controlroom.wire.usage import LimitsSeen, WindowSeen

MOST_PERCENT = 1000.0
_ACCOUNT, _WORD = 100, 40
_MOST_WINDOWS = 32


@dataclass(frozen=True)
class LoginSeen:
    """Whose login an agent's run uses, and what was read of its windows."""

    agent: str
    """By id."""
    account: str
    plan: str
    readings: tuple[Reading, ...]


def read_limits(seen: LimitsSeen, setting: HostContext) -> LoginSeen | None:
    """Read what a host has sent; None for what cannot be an agent's."""
    if agent_name_problem(seen.name) is not None or not 0 < seen.epoch < 2**31:
        return None
    account = short(seen.account, _ACCOUNT) or f"login on {setting.host}"
    readings = tuple(_readings(account, seen.windows[:_MOST_WINDOWS], setting))
    return LoginSeen(f"{setting.host}/{seen.name}", account, short(seen.plan, _WORD), readings)


def _readings(account: str, windows: tuple[WindowSeen, ...], setting: HostContext) -> Iterator[Reading]:
    for window in windows:
        name, rejected = short(window.name, _WORD), window.status == "rejected"
        percent = window.percent if window.percent is not None and 0 <= window.percent <= MOST_PERCENT else None
        at = setting.time(window.at)
        if name and at and (percent is not None or rejected or name == OVERAGE):
            source, in_use = short(window.source, _WORD), window.status == "in_use"
            reading = Reading(account, name, at, percent, max(0, window.resets), rejected, source, in_use)
            yield believable(reading, setting.now)
