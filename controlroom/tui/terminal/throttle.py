"""Figures that always move, shown at the pace that a terminal is good for."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from controlroom.domain.display.bars import Gauge
from controlroom.domain.display.views import HostRow
from controlroom.domain.model import Agent, Fleet, with_changes
from controlroom.domain.persistent_tables import HostedTable, differing, hosted

_PACES = ((100, 1.0), (60, 5.0), (0, 15.0))
"""Columns -> seconds between two readings of CPU and memory on show: each one wakes a phone's radio."""

NARROW = 60
"""Columns below which it is a phone."""

_SHORTEST, _PHONE_FRAME = 0.02, 0.5

_NO_FIGURES: dict[str, Any] = {
    "cpu_percent": None,
    "cpu_history": (),
    "memory_used": 0,
    "memory_history": (),
    "sample": None,
    "iowait_history": (),
    "network_history": (),
}


def pace_of(width: int) -> float:
    """The seconds between two readings of what always moves, on so many columns."""
    return next(seconds for columns, seconds in _PACES if width >= columns)


class ThrottledHosts:
    """Host rows whose figures stay for a while: what else is known of hosts shows at once."""

    def __init__(self) -> None:
        self.late = False
        """Whether there are newer figures than those on show."""
        self._shown: list[HostRow] = []
        self._known: list[HostRow] = []
        self._at = 0.0

    def shown(self, rows: list[HostRow], width: int, now: float) -> list[HostRow]:
        """The rows to show on so many columns; `now` counts seconds."""
        pace = pace_of(width)
        known = [row._replace(**_NO_FIGURES) for row in rows]
        if known != self._known or now - self._at >= pace:
            self._known, self._at, self._shown = known, now, rows
        self.late = rows != self._shown
        return self._shown


LINE_PACE = 5.0
"""Seconds that the text of an agent's row stays on a phone."""


class ThrottledLines:
    """Agents whose newest lines stay for a while where each one wakes a phone's radio; a new state brings its line."""

    def __init__(self) -> None:
        self._begin_anew()

    def _begin_anew(self) -> None:
        self.late = False
        """Whether there are newer lines than those on show."""
        self._known: Mapping[str, Agent] = {}
        self._shown: HostedTable[Agent] = HostedTable()
        self._since: dict[str, float] = {}
        """Id -> since when its line is on show."""
        self._held: set[str] = set()
        """Those that have said something newer."""

    def shown(self, fleet: Fleet, width: int, now: float) -> Fleet:
        """The fleet to show on so many columns; `now` counts seconds. Only what is different costs."""
        if width >= NARROW:
            self._begin_anew()
            return fleet
        changed = differing(self._known, fleet.agents) | self._held
        shown = {key: self._hold(key, agent, now) for key in changed if (agent := fleet.agents.get(key)) is not None}
        gone = changed - shown.keys()
        self._held -= gone
        for key in gone:
            self._since.pop(key, None)
        self._known, self._shown = fleet.agents, self._shown.updated(shown, gone)
        self.late = bool(self._held)
        if not self.late:
            self._shown = hosted(fleet.agents)
            return fleet
        return replace(fleet, agents=self._shown)

    def _hold(self, key: str, agent: Agent, now: float) -> Agent:
        """An agent as it is to be shown: with the line that it has, while that has not been on show for long."""
        shown = self._shown.get(key)
        same = shown is not None and (agent.state, agent.epoch) == (shown.state, shown.epoch)
        if shown is not None and shown.last_line == agent.last_line:
            self._held.discard(key)
            return agent
        if shown is None or not same or now - self._since[key] >= LINE_PACE:
            self._held.discard(key)
            self._since[key] = now
            return agent
        self._held.add(key)
        return with_changes(agent, last_line=shown.last_line, last_line_at=shown.last_line_at)


class ThrottledGauges:
    """Gauges whose figures stay for a while: which there are and how alarming they are shows at once."""

    def __init__(self) -> None:
        self._shown: Sequence[Gauge] = ()
        self._at = 0.0

    def shown(self, found: Sequence[Gauge], width: int, now: float) -> Sequence[Gauge]:
        """The gauges to show on so many columns; `now` counts seconds."""
        same = list(map(_standing, found)) == list(map(_standing, self._shown))
        if not same or now - self._at >= pace_of(width):
            self._shown, self._at = found, now
        return self._shown


def _standing(gauge: Gauge) -> tuple[object, ...]:
    return gauge.name, gauge.level, gauge.note, gauge.share is None, gauge.limit


def frame_of(width: int) -> float:
    """Seconds between two pictures at least, on so many columns: every packet wakes a phone's radio."""
    return _PHONE_FRAME if width < NARROW else _SHORTEST
