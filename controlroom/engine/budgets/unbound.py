"""Which agents no budget binds though it should: their hosts cannot be reached, or do not take grants."""

from collections.abc import Iterator

from controlroom.domain.gauges import Alarm
from controlroom.domain.model import Fleet
from controlroom.domain.money.allotment import Run
from controlroom.domain.money.rungs import UNBOUND, unbound
from controlroom.engine.ledger.usage_tables import RunKey


class Unbound:
    """Runs that go by no grant, by what is wrong with them (`UNBOUND`)."""

    def __init__(self) -> None:
        self._runs: dict[str, dict[RunKey, str]] = {about: {} for about in UNBOUND}

    def note(self, key: RunKey, run: Run | None, fleet: Fleet, *, bound: bool, fails: bool) -> None:
        """Take a run as it is (None: it is no more). `bound`: a budget is to bind it; `fails`: it takes no grant."""
        agent = fleet.agents.get(f"{key[0]}/{key[1]}")
        away = run is not None and not run.grants and agent is not None and not fleet.reachable(agent)
        self._set("ungranted", key, bound and away)
        self._set("untaken", key, bound and fails and run is not None and not run.ended)

    def _set(self, about: str, key: RunKey, is_so: bool) -> None:
        if is_so:
            self._runs[about][key] = f"{key[0]}/{key[1]}"
        else:
            self._runs[about].pop(key, None)

    def alarms(self, fleet: Fleet, now: int) -> Iterator[tuple[str, Alarm | None]]:
        """Give what is to be said, by what it is about; None: nothing."""
        for about, runs in self._runs.items():
            yield about, unbound(about, sorted(runs.values()), fleet, now)
