"""One look at all processes of the machine: who is whose child, since when, and what each uses.

Linux: one pass over `/proc/*/stat`. Elsewhere psutil, which asks the system for each process.
"""

import os
import time
from collections.abc import Iterable, Iterator, Sequence

from controlroom.runner import process_tree
from controlroom.runner.folder import PLACE, TAG
from controlroom.text.lazy_named_tuple import NamedTuple


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
    name: bytes = b""
    """What it calls itself, in its first bytes."""
    stopped: bool = False
    """A signal or a debugger keeps it from running."""


LINUX = os.path.exists("/proc/self/stat")
TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class ProcessSnapshot:
    """The processes of one moment."""

    def __init__(self, processes: Iterable[Process]) -> None:
        self.table = {process.pid: process for process in processes}
        self._children: dict[int, list[int]] = {}
        for process in self.table.values():
            self._children.setdefault(process.parent, []).append(process.pid)

    def lives(self, pid: int) -> bool:
        """Return whether a process is there and has not ended."""
        return pid in self.table and not self.table[pid].zombie

    def children(self, pid: int) -> Sequence[int]:
        """Return the processes that a process has started, and those that fell to it."""
        return self._children.get(pid, ())

    def below(self, roots: Iterable[int]) -> set[int]:
        """Return those of `roots` that are there, and everything that descends from them."""
        members: set[int] = set()
        waiting = [pid for pid in roots if pid in self.table]
        while waiting:
            pid = waiting.pop()
            if pid not in members:
                members.add(pid)
                waiting += self._children.get(pid, ())
        return members


def look() -> ProcessSnapshot:
    """Look at all processes. What ends meanwhile is left out."""
    if not LINUX:
        return ProcessSnapshot(_all_by_psutil())
    processes = (read_stat(int(entry)) for entry in os.listdir("/proc") if entry.isdecimal())
    return ProcessSnapshot(process for process in processes if process)


def timed_look() -> tuple[ProcessSnapshot, float]:
    """Look at all processes; return the seconds of CPU that it took, too."""
    began = time.thread_time()
    table = look()
    return table, time.thread_time() - began


def read_stat(pid: int) -> Process | None:
    """Read one process (Linux); None when it is no more. The command's name may hold anything."""
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
        try:
            head, _, rest = os.read(descriptor, 4096).rpartition(b")")
        finally:
            os.close(descriptor)
    except OSError:
        return None
    fields = rest.split()
    if len(fields) < 22 or fields[0] == b"X":
        return None
    used = sum(int(field) for field in fields[11:15])
    zombie, stopped = fields[0] == b"Z", fields[0] in (b"T", b"t")
    name = head.partition(b"(")[2]
    parent, session, start, rss = (int(fields[number]) for number in (1, 3, 19, 21))
    return Process(pid, parent, session, start, used, rss * _PAGE, zombie, name, stopped)


def stop_words(process: Process) -> str:
    """Return what keeps a process from running, "" when nothing does.

    Who sent it the signal is recorded nowhere; a debugger is named.
    """
    if not process.stopped:
        return ""
    called = f"process {process.pid} ({process.name.decode('utf-8', 'replace')})"
    if tracer := _tracer(process.pid):
        return f"{called} is held by a debugger, process {tracer}"
    return f"{called} is stopped by a signal; who sent it is not recorded"


def _tracer(pid: int) -> int:
    """Return the process that traces another one, 0 when there is none."""
    try:
        with open(f"/proc/{pid}/status", "rb", buffering=0) as file:
            fields = dict(line.split(b":", 1) for line in file.read(4096).splitlines() if b":" in line)
        return int(fields.get(b"TracerPid", b"0"))
    except (OSError, ValueError):
        return 0


def now() -> int:
    """Return the present on the clock of `Process.start`."""
    return int((time.clock_gettime(time.CLOCK_BOOTTIME) if LINUX else time.time()) * TICKS)


class Program(NamedTuple):
    """What a process of this user runs: its command line's words, and the program's path."""

    argv: tuple[str, ...]
    path: str


def program(pid: int) -> Program | None:
    """Return what a process runs; None when it is another user's, or is no more."""
    if not LINUX:
        return _program_by_psutil(pid)
    try:
        if os.stat(f"/proc/{pid}").st_uid != os.geteuid():
            return None
        with open(f"/proc/{pid}/cmdline", "rb", buffering=0) as file:
            words = file.read(4096).split(b"\0")
        path = os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return None
    return Program(tuple(map(os.fsdecode, words)), path.removesuffix(" (deleted)"))


def folder(pid: int) -> str:
    """Name the folder that a process of this user is in; "" when it cannot be known."""
    try:
        if LINUX:
            return os.readlink(f"/proc/{pid}/cwd")
        import psutil

        return str(psutil.Process(pid).cwd())
    except Exception:  # psutil's own errors cannot be named where it is missing
        return ""


def environment(pid: int) -> dict[str, str]:
    """Return the environment that a process of this user was started with; empty when it cannot be read."""
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
    """Return the agent's tag and place that a process carries, empty when it has none or belongs to somebody else."""
    variables = environment(pid)
    return variables.get(TAG, ""), variables.get(PLACE, "")


_STOPPED = ("stopped", "tracing-stop")


def _all_by_psutil() -> Iterator[Process]:
    try:
        import psutil
    except ImportError:  # who is there can still be seen, what they use cannot
        for process in process_tree.snapshot().values():
            yield Process(
                process.pid, process.parent, 0, hash(process.started), 0, 0, process.state == "Z", process.name.encode()
            )
        return
    for each in psutil.process_iter(["ppid", "name", "create_time", "cpu_times", "memory_info", "status"]):
        info = each.info
        if info["cpu_times"] and info["memory_info"] and info["create_time"]:
            used, start = round(sum(info["cpu_times"][:4]) * TICKS), round(info["create_time"] * TICKS)
            name = (info["name"] or "").encode("utf-8", "surrogateescape")
            yield Process(
                each.pid,
                info["ppid"] or 0,
                0,
                start,
                used,
                info["memory_info"].rss,
                name=name,
                stopped=info["status"] in _STOPPED,
            )


def _program_by_psutil(pid: int) -> Program | None:
    try:
        import psutil

        process = psutil.Process(pid)
        return Program(tuple(process.cmdline()), process.exe()) if process.uids().real == os.geteuid() else None
    except Exception:  # psutil's own errors cannot be named where it is missing
        return None


def _environment_by_psutil(pid: int) -> dict[str, str]:
    try:
        import psutil

        return dict(psutil.Process(pid).environ())
    except Exception:  # psutil's own errors cannot be named where it is missing
        return {}
