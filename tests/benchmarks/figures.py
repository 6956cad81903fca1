"""What processes cost, as Linux counts it: CPU, memory, processes started; of a moment or of a stretch of time."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """CPU that a process has used, with what its children that have ended used."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return 0.0
    return sum(int(field) for field in fields[11:15]) / _TICKS


def own_seconds(pid: int) -> float:
    """CPU that the living threads of a process have used, to the nanosecond."""
    stats = (Path(f"/proc/{pid}/task/{thread}/schedstat").read_text() for thread in os.listdir(f"/proc/{pid}/task"))
    return sum(int(stat.split()[0]) for stat in stats) / 1e9


def waited(pid: int) -> float:
    """Seconds for which the living threads of a process could have run and had no processor."""
    stats = (Path(f"/proc/{pid}/task/{thread}/schedstat").read_text() for thread in os.listdir(f"/proc/{pid}/task"))
    return sum(int(stat.split()[1]) for stat in stats) / 1e9


def memory(pid: int) -> tuple[float, float]:
    """Resident and proportional memory of a process, MB."""
    figures = Path(f"/proc/{pid}/smaps_rollup").read_text()
    rss, pss = (re.search(rf"^{name}: +(\d+)", figures, re.MULTILINE) for name in ("Rss", "Pss"))
    return (int(rss[1]) if rss else 0) / 1024, (int(pss[1]) if pss else 0) / 1024


def started() -> int:
    """How many processes and threads this machine has started since boot."""
    found = re.search(r"^processes (\d+)", Path("/proc/stat").read_text(), re.MULTILINE)
    return int(found[1]) if found else 0


def load() -> str:
    """How busy the machine is: runnable processes over the last minute."""
    return f"load {os.getloadavg()[0]:.1f}"


class Stretch:
    """CPU of some groups of processes from now on, per cent of one core."""

    def __init__(self, groups: Mapping[str, Iterable[int]]) -> None:
        self._groups = {name: list(pids) for name, pids in groups.items()}
        self._before = self._used()
        self._began = time.monotonic()

    def _used(self) -> dict[str, float]:
        return {name: sum(map(cpu_seconds, pids)) for name, pids in self._groups.items()}

    def per_cent(self) -> dict[str, float]:
        """Return what each group has used since."""
        seconds = time.monotonic() - self._began
        return {name: 100 * (used - self._before[name]) / seconds for name, used in self._used().items()}


def part(values: Sequence[float], share: float) -> float:
    """Return the value that so much of all lie below; 0 when there is none."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else 0.0
