"""Agents that their hosts say budgets have paused: only what this room granted, and ran dry, is taken for that."""

from collections.abc import Callable, Iterable, Mapping

from controlroom.domain.gauges import Alarm
from controlroom.domain.model import Agent, Fleet
from controlroom.domain.money.allotment import Given, Run
from controlroom.domain.money.pauses import is_late, ran_dry
from controlroom.engine.ledger.usage_tables import RunKey

UNSPENT = "unspent"
"""What the alarm is about."""

_WORDS = (
    "said to be paused by a budget, but what this room granted there is not used up, so it does not go on by itself: "
    "see controlroom explain, then controlroom reassign with --continue lets it go on"
)


class Pauses:
    """Which of them are known to have run dry; that stays so."""

    def __init__(self, last: Callable[[RunKey], Given | None]) -> None:
        """`last` gives what a run was granted last."""
        self._last = last
        self._dry: set[RunKey] = set()

    def open(self, paused: Iterable[Agent]) -> set[RunKey]:
        """Give the runs of ours of which it must be known what is booked."""
        return {_key(agent) for agent in paused if agent.ordered is not None} - self._dry

    def dry(self, paused: Iterable[Agent], booked: Mapping[RunKey, tuple[int, int]], fleet: Fleet) -> list[Agent]:
        """Give those that a budget has paused. `booked`: money and tokens of runs."""
        return [agent for agent in paused if self._is_dry(agent, booked, fleet)]

    def _is_dry(self, agent: Agent, booked: Mapping[RunKey, tuple[int, int]], fleet: Fleet) -> bool:
        key = _key(agent)
        if agent.ordered is None or key in self._dry:
            return agent.ordered is not None
        known = booked.get(key)
        run = Run(*key, booked=known[0], booked_tokens=known[1]) if known else None
        if not ran_dry(agent, self._last(key), run, fleet):
            return False
        self._dry.add(key)
        return True

    def alarm(self, paused: Iterable[Agent], fleet: Fleet, now: int) -> Alarm | None:
        """Say who is said to be paused by a budget though no grant of this room explains it; None: nobody."""
        ours = [agent for agent in paused if agent.ordered is not None and _key(agent) not in self._dry]
        claimed = sorted(agent.id for agent in ours if is_late(agent, now))
        if not claimed:
            return None
        named = ", ".join(claimed[:3]) + (f" and {len(claimed) - 3} more" if len(claimed) > 3 else "")
        known = fleet.alarms.get(UNSPENT)
        return Alarm(f"{named}: {_WORDS}", "warning", known.since if known else now)


def _key(agent: Agent) -> RunKey:
    return agent.host, agent.name, agent.epoch
