"""Figures that always move, shown at the pace that a terminal is good for."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from controlroom.domain.display.bars import Gauge
from controlroom.domain.display.views import HostRow
from controlroom.domain.model import Agent, Fleet, with_changes

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
        known = [replace(row, **_NO_FIGURES) for row in rows]
        if known != self._known or now - self._at >= pace:
            self._known, self._at, self._shown = known, now, rows
        self.late = rows != self._shown
        return self._shown


LINE_PACE = 5.0
"""Seconds that the text of an agent's row stays on a phone."""


class ThrottledLines:
    """Agents whose newest lines stay for a while where each one wakes a phone's radio; a new state brings its line."""

    def __init__(self) -> None:
        self.late = False
        """Whether there are newer lines than those on show."""
        self._held: dict[str, tuple[Agent, Agent, float]] = {}
        """Id -> what is known, what is shown, since when its line is."""

    def shown(self, fleet: Fleet, width: int, now: float) -> Fleet:
        """The fleet to show on so many columns; `now` counts seconds."""
        self.late = False
        if width >= NARROW:
            self._held.clear()
            return fleet
        held = {key: self._hold(key, agent, now) for key, agent in fleet.agents.items()}
        self._held = held
        if not self.late:
            return fleet
        return replace(fleet, agents={key: shown for key, (_, shown, _) in held.items()})

    def _hold(self, key: str, agent: Agent, now: float) -> tuple[Agent, Agent, float]:
        known = self._held.get(key)
        if known is None:
            return agent, agent, now
        before, shown, since = known
        same = (agent.state, agent.epoch) == (before.state, before.epoch)
        if shown.last_line == agent.last_line or not same or now - since >= LINE_PACE:
            return agent, agent, since if shown.last_line == agent.last_line else now
        self.late = True
        if before is agent:
            return known
        return agent, with_changes(agent, last_line=shown.last_line, last_line_at=shown.last_line_at), since


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
