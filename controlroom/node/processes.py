"""One look at all processes of the machine: who is whose child, since when, and what each uses.

Linux: one pass over `/proc/*/stat`. Elsewhere psutil, which asks the system for each process.
"""

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from controlroom.node import process_tree
from controlroom.node.folder import PLACE, TAG


class Process(NamedTuple):
    """One process. `start` and `used` count clock ticks: since boot, and of CPU with what ended children used."""

    pid: int
    parent: int
    session: int
    start: int
    used: int
    rss: int
    """Resident bytes."""
    zombie: bool = False
    """It has ended, and its parent has not yet taken note; what it used is not yet among what the parent's used."""


LINUX = os.path.exists("/proc/self/stat")
TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Look:
    """The processes of one moment."""

    def __init__(self, processes: Iterable[Process]) -> None:
        self.table = {process.pid: process for process in processes}
        self._children: dict[int, list[int]] = {}
        for process in self.table.values():
            self._children.setdefault(process.parent, []).append(process.pid)

    def lives(self, pid: int) -> bool:
        """Tell whether a process is there and has not ended."""
        return pid in self.table and not self.table[pid].zombie

    def below(self, roots: Iterable[int]) -> set[int]:
        """Give those of `roots` that are there, and everything that descends from them."""
        found: set[int] = set()
        waiting = [pid for pid in roots if pid in self.table]
        while waiting:
            pid = waiting.pop()
            if pid not in found:
                found.add(pid)
                waiting += self._children.get(pid, ())
        return found


def look() -> Look:
    """Look at all processes. What ends meanwhile is left out."""
    if not LINUX:
        return Look(_all_by_psutil())
    found = (read_stat(int(entry)) for entry in os.listdir("/proc") if entry.isdecimal())
    return Look(process for process in found if process)


def read_stat(pid: int) -> Process | None:
    """Read one process (Linux); None when it is no more. The command's name may hold anything."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            fields = file.read(4096).rpartition(b")")[2].split()
    except OSError:
        return None
    if len(fields) < 22 or fields[0] == b"X":
        return None
    used = sum(int(field) for field in fields[11:15])
    zombie = fields[0] == b"Z"
    return Process(pid, int(fields[1]), int(fields[3]), int(fields[19]), used, int(fields[21]) * _PAGE, zombie)


def environment(pid: int) -> dict[str, str]:
    """Give the environment that a process of this user was started with; empty when it cannot be read."""
    if not LINUX:
        return _environment_by_psutil(pid)
    try:
        with open(f"/proc/{pid}/environ", "rb", buffering=0) as file:
            data = file.read(4 * 1024 * 1024)
    except OSError:
        return {}
    pairs = (item.partition(b"=") for item in data.split(b"\0") if b"=" in item)
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}


def marks_of(pid: int) -> tuple[str, str]:
    """Give the agent's tag and place that a process carries, empty when it has none or belongs to somebody else."""
    variables = environment(pid)
    return variables.get(TAG, ""), variables.get(PLACE, "")


def _all_by_psutil() -> Iterator[Process]:
    try:
        import psutil
    except ImportError:  # who is there can still be seen, what they use cannot
        for seen in process_tree.snapshot().values():
            yield Process(seen.pid, seen.parent, 0, hash(seen.started), 0, 0, seen.state == "Z")
        return
    for each in psutil.process_iter(["ppid", "create_time", "cpu_times", "memory_info"]):
        info = each.info
        if info["cpu_times"] and info["memory_info"] and info["create_time"]:
            used, start = round(sum(info["cpu_times"][:4]) * TICKS), round(info["create_time"] * TICKS)
            yield Process(each.pid, info["ppid"] or 0, 0, start, used, info["memory_info"].rss)


def _environment_by_psutil(pid: int) -> dict[str, str]:
    try:
        import psutil

        return dict(psutil.Process(pid).environ())
    except Exception:  # psutil's own errors cannot be named where it is missing
        return {}
