"""Whether what a run was granted can have run dry: its host says that it was paused for that, and home knows. Pure."""

from collections.abc import Mapping

from controlroom.domain.limits.headroom import window_name
from controlroom.domain.model import Agent, Fleet
from controlroom.domain.money.allotment import MONEY, Given, Run
from controlroom.domain.money.budget import CRUMB
from controlroom.domain.money.holding import is_paused

LATE = 60_000
"""Milliseconds after which what a run spent before it was paused is booked."""

_MARGIN = 180_000
"""Milliseconds by which a runner may take its grant to end before we do."""

_ROUNDING = 2
"""Per cent by which readings of one window differ."""


def ran_dry(agent: Agent, given: Given | None, booked: Run | None, fleet: Fleet) -> bool:
    """Say whether an agent of ours that is said to be paused by a budget was: what it was granted last is gone.

    Half of it will do: its runner counts what is not booked yet, and by the prices that it was sent.
    """
    if agent.ordered is None or not is_paused(agent) or given is None:
        return False
    if given.ends and (agent.ended or agent.since) >= given.ends - _MARGIN:
        return True
    gone = {unit: booked.gone(unit) if booked else 0 for unit in MONEY}
    tops = {unit: top for unit in MONEY if (top := given.ceiling(unit)) is not None}
    spent = any(2 * gone[unit] >= top or top - gone[unit] <= CRUMB[unit] for unit, top in tops.items())
    return spent or _is_used(given.windows, fleet)


def _is_used(windows: Mapping[str, int], fleet: Fleet) -> bool:
    """Say whether a window of a plan is used as far as it may be."""
    used = {gauge.name: gauge.used for gauge in fleet.headroom.values() if gauge.kind == "window" and gauge.used}
    return any((used.get(window_name(window)) or 0) >= most - _ROUNDING for window, most in windows.items())


def is_late(agent: Agent, now: int) -> bool:
    """Say whether all that an agent spent before its pause is booked by now."""
    return now - (agent.ended or agent.since) > LATE
