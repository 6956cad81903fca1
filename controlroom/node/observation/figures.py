"""The machine's figures from second to second: CPU, memory, swap, disk, network, load.

Linux: `/proc`, a few small files a second; elsewhere psutil. A figure is told when it differs by what a person could
notice: below that lies the noise of an idle machine, and an idle machine has nothing to say.
"""

import os
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from controlroom.text.disks import DISK_FULL
from controlroom.wire.messages import HostSeen

_KIB, _MIB = 1024, 1024 * 1024

_SPAN = 5
"""Readings that the network's rate is taken over: one packet more in one second is no news."""


class Counters(NamedTuple):
    """What the system counts since boot (seconds or ticks of CPU, bytes), and how much memory there is (bytes)."""

    busy: float
    waited: float | None
    """Idle, with a disk to wait for; None where the system does not say."""
    total: float
    memory: tuple[int, int, int, int]
    """Memory used and in all, swap used and in all."""
    network: tuple[int, int] | None
    """Bytes received and sent."""


class Figures:
    """Reads the figures. Shares and rates are those since earlier readings, so the first one has none."""

    def __init__(self, disk: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`disk`: a folder on the disk that matters; `clock` counts seconds and never jumps."""
        self._disk, self._clock = disk, clock
        self._before: Counters | None = None
        self._sent: deque[tuple[float, tuple[int, int]]] = deque(maxlen=_SPAN + 1)

    def read(self) -> HostSeen:
        """Read the figures. What cannot be read is None."""
        at = time.time_ns() // 1_000_000
        for count in (_by_proc, _by_psutil):
            try:
                return self._seen(at, count())
            except (ImportError, OSError, ValueError, KeyError, AttributeError, IndexError):
                continue
        return HostSeen(at)

    def _seen(self, at: int, now: Counters) -> HostSeen:
        before, self._before = self._before, now
        received, sent = self._rates(now.network)
        load, disk = os.getloadavg(), _disk_space(self._disk)
        busy = waited = None
        if before is not None:
            busy = _share(now.busy - before.busy, now.total - before.total)
            if before.waited is not None and now.waited is not None:
                waited = _share(now.waited - before.waited, now.total - before.total)
        return HostSeen(at, busy, *now.memory, load[0], *disk, waited, received, sent, load[1], load[2])

    def _rates(self, counted: tuple[int, int] | None) -> tuple[int | None, int | None]:
        """Turn bytes since boot into bytes a second. A count that went back (an interface has gone) begins anew."""
        if counted is None or (self._sent and min(now - then for now, then in _pairs(counted, self._sent[-1][1])) < 0):
            self._sent.clear()
        if counted is None:
            return None, None
        self._sent.append((self._clock(), counted))
        (since, then), (until, now) = self._sent[0], self._sent[-1]
        if until <= since:
            return None, None
        received, sent = (round(more / (until - since)) for more in (now[0] - then[0], now[1] - then[1]))
        return received, sent


def differs(told: HostSeen | None, seen: HostSeen) -> bool:
    """Tell whether any figure differs by what a person could notice."""
    if told is None:
        return True
    for name, notable in _NOTABLE.items():
        before, now = getattr(told, name), getattr(seen, name)
        if (before is None) != (now is None) or (before is not None and notable(before, now)):
            return True
    return False


def _beyond(least: float, share: float) -> Callable[[float, float], bool]:
    """Notable: more than `least`, and more than this share of the greater of the two."""
    return lambda before, now: abs(now - before) > max(least, share * max(abs(now), abs(before)))


_disk = _beyond(16 * _MIB, 0.01)

_NOTABLE: dict[str, Callable[[float, float], bool]] = {
    "cpu_percent": _beyond(2, 0),
    "iowait_percent": _beyond(5, 0),
    "memory_used": _beyond(16 * _MIB, 0.01),
    "memory_total": _beyond(0, 0),
    "swap_used": _beyond(16 * _MIB, 0.01),
    "swap_total": _beyond(0, 0),
    "disk_free": lambda before, now: _disk(before, now) or (before < DISK_FULL) != (now < DISK_FULL),
    "disk_total": _beyond(0, 0.01),
    "network_in": _beyond(8 * _KIB, 0.5),
    "network_out": _beyond(8 * _KIB, 0.5),
    "load_1m": _beyond(0.3, 0.15),
    "load_5m": _beyond(0.3, 0.15),
    "load_15m": _beyond(0.3, 0.15),
}
"""What is news. An idle machine wanders by less: a per cent or two of CPU, some hundred bytes a second (heartbeats of
ours among them), load averages by tenths."""


def _share(part: float, whole: float) -> float | None:
    return round(min(100.0, max(0.0, 100 * part / whole)), 1) if whole > 0 else None


def _pairs(one: tuple[int, int], other: tuple[int, int]) -> "zip[tuple[int, int]]":
    return zip(one, other, strict=True)


# --------------------------------------------------------------------------- Linux


def _by_proc() -> Counters:
    with open("/proc/stat", encoding="ascii") as file:
        times = [int(word) for word in file.readline().split()[1:9]]
    with open("/proc/meminfo", encoding="ascii") as file:
        sizes = {name: int(rest.split()[0]) * _KIB for name, _, rest in (line.partition(":") for line in file)}
    total, swap = sizes["MemTotal"], sizes["SwapTotal"]
    memory = (total - sizes["MemAvailable"], total, swap - sizes["SwapFree"], swap)
    return Counters(sum(times) - times[3] - times[4], times[4], sum(times), memory, _network())


def _network() -> tuple[int, int] | None:
    """Sum what went through the machine's interfaces; bridges and tunnels would count the same bytes again."""
    try:
        with open("/proc/net/dev", encoding="ascii", errors="replace") as file:
            rows = [line.partition(":") for line in file][2:]
    except OSError:
        return None
    counts = {name.strip(): [int(word) for word in rest.split()] for name, _, rest in rows}
    counts.pop("lo", None)
    real = {name for name in counts if os.path.exists(f"/sys/class/net/{name}/device")}
    chosen = [numbers for name, numbers in counts.items() if name in real or not real]
    return sum(numbers[0] for numbers in chosen), sum(numbers[8] for numbers in chosen)


# --------------------------------------------------------------------------- elsewhere


def _by_psutil() -> Counters:
    import psutil

    memory, swap, times = psutil.virtual_memory(), psutil.swap_memory(), psutil.cpu_times()
    total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    waited = getattr(times, "iowait", None)
    sizes = (memory.total - memory.available, memory.total, swap.used, swap.total)
    counts = [count for name, count in psutil.net_io_counters(pernic=True).items() if not name.startswith("lo")]
    network = (sum(count.bytes_recv for count in counts), sum(count.bytes_sent for count in counts))
    return Counters(total - times.idle - (waited or 0.0), waited, total, sizes, network)


def _disk_space(folder: str) -> tuple[int, int]:
    while folder != "/" and not os.path.exists(folder):
        folder = os.path.dirname(folder)
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
