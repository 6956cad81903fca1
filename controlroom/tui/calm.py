"""Figures that always move, shown at the pace that a terminal is good for."""

from dataclasses import replace
from typing import Any

from controlroom.domain.views import HostRow

_PACES = ((100, 1.0), (60, 5.0), (0, 15.0))
"""Columns -> seconds between two readings of CPU and memory on show: each one wakes a phone's radio."""

_NO_FIGURES: dict[str, Any] = {
    "cpu_percent": None,
    "cpu_history": (),
    "memory_used": 0,
    "memory_history": (),
    "sample": None,
    "iowait_history": (),
    "network_history": (),
}


class CalmHosts:
    """Host rows whose figures stay for a while: what else is known of hosts shows at once."""

    def __init__(self) -> None:
        self.late = False
        """Whether there are newer figures than those on show."""
        self._shown: list[HostRow] = []
        self._known: list[HostRow] = []
        self._at = 0.0

    def shown(self, rows: list[HostRow], width: int, now: float) -> list[HostRow]:
        """Give the rows to show on so many columns; `now` counts seconds."""
        pace = next(seconds for columns, seconds in _PACES if width >= columns)
        known = [replace(row, **_NO_FIGURES) for row in rows]
        if known != self._known or now - self._at >= pace:
            self._known, self._at, self._shown = known, now, rows
        self.late = rows != self._shown
        return self._shown
