"""What the machine and each agent use from second to second: CPU, memory; swap, disk, network and load of the machine.

Linux: `/proc`, a few small files a second; elsewhere psutil. A figure is told when it differs by what a person could
notice: below that lies the noise of an idle machine, and an idle machine has nothing to say.

An agent's load is that of its process tree: what descends from the runner or carries the agent's tag. A process once
seen in a tree stays in it, so a child that its parent left behind is still counted. Pages that several processes of a
tree share are counted once: what forks share is resident in each, and a program of 200 MB with 300 children seems to
take gigabytes. Linux tells each process's proportional share (`/proc/PID/smaps_rollup`, PSS), for which the kernel
walks all of its pages: some 20 µs for each MB. So it is read only in trees whose processes seem to be forks, a few at
a time, and now and then.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from controlroom.node.observation.processes import TICKS, Process, ProcessSnapshot, marks_of
from controlroom.runner.folder import place, tag
from controlroom.text.host_sample import HostSample
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.states import DISK_FULL
from controlroom.wire.messages import AgentLoad

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

    def read(self) -> HostSample:
        """Read the figures. What cannot be read is None."""
        at = time.time_ns() // 1_000_000
        for count in (by_proc, _by_psutil):
            try:
                return self._seen(at, count())
            except (ImportError, OSError, ValueError, KeyError, AttributeError, IndexError):
                continue
        return HostSample(at)

    def _seen(self, at: int, now: Counters) -> HostSample:
        before, self._before = self._before, now
        received, sent = self._rates(now.network)
        load, disk = os.getloadavg(), _disk_space(self._disk)
        busy = waited = None
        if before is not None:
            busy = _share(now.busy - before.busy, now.total - before.total)
            if before.waited is not None and now.waited is not None:
                waited = _share(now.waited - before.waited, now.total - before.total)
        return HostSample(at, busy, *now.memory, load[0], *disk, waited, received, sent, load[1], load[2])

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


def differs(told: HostSample | None, seen: HostSample) -> bool:
    """Return whether any figure differs by what a person could notice."""
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


def by_proc() -> Counters:
    """What Linux counts, from `/proc`."""
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
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize


AGAIN = 30.0
"""Seconds after which a process is asked again."""

SOON, GROWN = 10.0, 0.2
"""Seconds after which it is asked again when its resident memory has changed by such a share, or others have come or
gone in its tree: what they shared is then another's."""

BUDGET, FIRST = 0.02, 0.1
"""Seconds of CPU that may go into asking at one look: again, and for the first time."""

MANY = 8
"""Processes of a tree that are taken to share something, whatever they are called."""

_LIMIT = 4096

Key = tuple[int, int]


class Memory(NamedTuple):
    """Bytes that a tree takes. `bound`: at most; pages that are shared may be counted more than once."""

    size: int
    bound: bool


class _Reading(NamedTuple):
    pss: int | None
    """None: it cannot be read."""
    rss: int
    at: float
    tree: int
    """Tells by which processes the tree was made up."""


class MemoryShares:
    """Proportional shares of processes, from one look at them to the next."""

    def __init__(self, budget: float = BUDGET, first: float = FIRST) -> None:
        self._budget, self._first = budget, first
        self._known: dict[Key, _Reading] = {}

    def refresh(self, trees: Iterable[Sequence[Process]], at: float) -> None:
        """Ask what is due, the longest unasked first. `at`: seconds on a clock that never jumps."""
        wanted = {
            _key(process): (process, made_up)
            for tree in trees
            if _forks(tree)
            for made_up in [hash(frozenset(map(_key, tree)))]
            for process in tree
        }
        self._known = {key: reading for key, reading in self._known.items() if key in wanted}
        due = [key for key, (process, made_up) in wanted.items() if self._is_due(key, process, made_up, at)]
        began = time.thread_time()
        for key in sorted(due, key=lambda key: self._known[key].at if key in self._known else float("-inf")):
            process, made_up = wanted[key]
            budget = self._budget if key in self._known else self._first
            self._known[key] = _Reading(_pss(key[0]), process.rss, at, made_up)
            if time.thread_time() - began > budget:
                break

    def of(self, tree: Sequence[Process]) -> Memory:
        """Return what the living processes of a tree take."""
        if not _forks(tree):
            return Memory(sum(process.rss for process in tree), bound=False)
        parts = [self._part(process) for process in tree]
        return Memory(sum(part.size for part in parts), any(part.bound for part in parts))

    def _part(self, process: Process) -> Memory:
        reading = self._known.get(_key(process))
        if reading is None or reading.pss is None:
            return Memory(process.rss, bound=True)
        since = max(0, process.rss - reading.rss)  # what it has taken since is its own, as far as is known
        return Memory(min(process.rss, reading.pss + since), bound=False)

    def _is_due(self, key: Key, process: Process, made_up: int, at: float) -> bool:
        reading = self._known.get(key)
        if reading is None:
            return True
        changed = reading.tree != made_up or abs(process.rss - reading.rss) > GROWN * reading.rss
        return at - reading.at >= (SOON if changed and reading.pss is not None else AGAIN)


def _forks(tree: Sequence[Process]) -> bool:
    """Return whether processes of a tree may share more than libraries: a fork is called as what it comes from."""
    names = [process.name for process in tree if process.name]
    return len(tree) >= MANY or len(set(names)) < len(names)


def _key(process: Process) -> Key:
    return process.pid, process.start


def _pss(pid: int) -> int | None:
    """Read the proportional share of a process; None when it is no more, is another user's, or nothing tells."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb", buffering=0) as file:
            lines = file.read(_LIMIT).splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(b"Pss:"))
    except (OSError, ValueError, IndexError, StopIteration):
        return None


Marks = tuple[str, str]
"""What an agent's processes carry in their environment: its tag, and the place of its folder."""


class Member(NamedTuple):
    """An agent whose tree is counted, and the pids known to belong to it (0: none)."""

    name: str
    epoch: int
    folder: str
    roots: tuple[int, ...]


class Loads:
    """Counts trees from one look at the processes to the next."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._at = 0.0
        self._shares = MemoryShares()
        self._most = 100.0 * (os.cpu_count() or 1)
        self._trees: dict[tuple[str, int], dict[Key, int]] = {}
        self._told: dict[tuple[str, int], AgentLoad] = {}
        self._looked_at: set[Key] = set()
        self._marked: dict[Key, Marks] = {}
        self._by_marks: dict[Marks, list[int]] = {}

    def changed(self, members: list[Member], look: ProcessSnapshot, at: float) -> list[AgentLoad]:
        """Return the loads that changed noticeably. `at`: seconds on a clock that never jumps."""
        self._find_marked(look)
        seconds, self._at = at - self._at, at
        trees, changed = {}, []
        member_trees = [(member, self._tree(member, look)) for member in members]
        self._shares.refresh((_living(tree) for _, tree in member_trees), at)
        for member, tree in member_trees:
            key = member.name, member.epoch
            load = self._load(member, tree, seconds)
            trees[key] = {(process.pid, process.start): process.used for process in tree}
            if _differs(self._told.get(key), load):
                self._told[key] = load
                changed.append(load)
        self._trees = trees
        self._told = {key: load for key, load in self._told.items() if key in trees}
        return changed

    def _tree(self, member: Member, look: ProcessSnapshot) -> list[Process]:
        key, marks = (member.name, member.epoch), self._marks(member)
        old_pids = [pid for pid, start in self._trees.get(key, ()) if _started(look, pid) == start]
        tagged = self._by_marks.get(marks, ())
        return [look.table[pid] for pid in look.below([*member.roots, *old_pids, *tagged])]

    def _load(self, member: Member, tree: list[Process], seconds: float) -> AgentLoad:
        before = self._trees.get((member.name, member.epoch))
        used = sum(process.used for process in tree)
        share = 0.0
        if before is not None and seconds > 0:
            share = 100 * max(0, used - sum(before.values())) / TICKS / seconds
        living = _living(tree)
        memory, cpu = self._shares.of(living), round(min(share, self._most), 1)
        return AgentLoad(member.name, member.epoch, memory.size, cpu, len(living), memory.bound)

    def _find_marked(self, look: ProcessSnapshot) -> None:
        """Read the marks of every process that was not there before: each one's environment is read once."""
        there = {(process.pid, process.start) for process in look.table.values()}
        new = there - self._looked_at
        self._looked_at = there
        self._marked = {key: marks for key, marks in self._marked.items() if key in there}
        self._marked |= {key: marks for key in new if (marks := marks_of(key[0]))[0]}
        self._by_marks = {}
        for (pid, _), marks in self._marked.items():
            self._by_marks.setdefault(marks, []).append(pid)

    def _marks(self, member: Member) -> Marks:
        return tag(self._namespace, member.name, member.epoch), place(member.folder)


def _living(tree: list[Process]) -> list[Process]:
    return [process for process in tree if not process.zombie]


def _started(look: ProcessSnapshot, pid: int) -> int:
    return look.table[pid].start if pid in look.table else -1


def _differs(told: AgentLoad | None, load: AgentLoad) -> bool:
    """Return whether a load differs by what a person could notice: 1 % of memory, half a per cent of CPU."""
    if told is None or (told.processes, told.rss_bound) != (load.processes, load.rss_bound):
        return True
    return abs(load.rss - told.rss) >= 0.01 * told.rss > 0 or abs(load.cpu_percent - told.cpu_percent) >= 0.5
