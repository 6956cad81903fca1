"""Whose process is this? Found by what it holds, because a clean environment hides who started it."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """A process as it was seen: the start time tells it from a later one with the same pid."""

    pid: int
    parent: int
    started: int  # clock ticks since boot
    name: str
    command: str

    def signal(self, number: int) -> None:
        """Send a signal, but only if the pid still means this process."""
        now = look(self.pid)
        if now and now.started == self.started:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def read(pid: int, entry: str) -> bytes:
    """A file of /proc/PID, empty when it is gone or not ours to read."""
    try:
        with open(f"/proc/{pid}/{entry}", "rb", 0) as file:
            return file.read()
    except OSError:
        return b""


def look(pid: int, since: int = 0) -> Process | None:
    """The process with this pid; None when there is none, only a zombie, or one that began before `since` (ticks)."""
    head, _, tail = read(pid, "stat").rpartition(b")")
    fields = tail.split()
    if not fields or fields[0] in (b"Z", b"X") or int(fields[19]) < since:
        return None
    name = head.partition(b"(")[2].decode(errors="replace")
    command = read(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace").strip()
    return Process(pid, int(fields[1]), int(fields[19]), name, command)


def everything(since: int = 0) -> Iterator[Process]:
    """Every live process that we can see, of those that began since then (ticks)."""
    for entry in os.listdir(PROC):
        if entry.isdigit() and (process := look(int(entry), since)):
            yield process


def ticks() -> int:
    """This moment, as the start of a process is told."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))


def socket_inodes(directory: bytes) -> set[str]:
    """Inodes, as /proc/PID/fd spells them, of the unix sockets bound below a directory."""
    lines = (PROC / "net" / "unix").read_bytes().splitlines()[1:]
    rows = [line.split(maxsplit=7) for line in lines]
    return {f"socket:[{int(row[6])}]" for row in rows if len(row) == 8 and row[7].startswith(directory + b"/")}


def holds(pid: int, directory: str, sockets: set[str]) -> bool:
    """Whether the process works in the directory, or has a file or a socket of it open."""
    folder = f"/proc/{pid}"
    with contextlib.suppress(OSError):
        for link in (f"{folder}/cwd", *(f"{folder}/fd/{number}" for number in os.listdir(f"{folder}/fd"))):
            with contextlib.suppress(OSError):
                target = os.readlink(link)
                if target in sockets or target == directory or target.startswith(directory + "/"):
                    return True
    return False


def children_of(parents: Iterable[Process], among: Iterable[Process]) -> list[Process]:
    """Those whose parent is one of `parents`."""
    pids = {parent.pid for parent in parents}
    return [process for process in among if process.parent in pids]


def ancestors(pid: int) -> set[int]:
    """The process itself and all above it."""
    found = set()
    while pid and pid not in found:
        found.add(pid)
        process = look(pid)
        pid = process.parent if process else 0
    return found


def belonging_to(directory: Path, since: int = 0) -> list[Process]:
    """Every process of a place, and their descendants; never ourselves or what started us.

    `since`: when the place was made, in ticks: what began before is none of it, and need not be looked at.

    A process belongs when its environment or its command line names the directory, or when it works there
    or holds a file or socket there: a tmux server started with an empty environment shows only in its socket.
    """
    name = os.fsencode(directory)
    named = re.compile(re.escape(name) + rb"(?![\w.-])")  # .../vm1 is not .../vm10
    sockets = socket_inodes(name)
    spared = ancestors(os.getpid())
    everyone = [process for process in everything(since) if process.pid not in spared]
    found = {
        process.pid
        for process in everyone
        if named.search(read(process.pid, "environ"))
        or named.search(process.command.encode())
        or holds(process.pid, str(directory), sockets)
    }
    grew = True
    while grew:
        below = {process.pid for process in everyone if process.parent in found} - found
        found |= below
        grew = bool(below)
    return [process for process in everyone if process.pid in found]


def started_with(variable: str) -> list[tuple[Process, str]]:
    """Every process whose environment began with `NAME=VALUE`, with the test that it was started in."""
    spared = ancestors(os.getpid())
    entries = ((process, read(process.pid, "environ").split(b"\0")) for process in everything())
    marked = ((process, found) for process, found in entries if os.fsencode(variable) in found)
    return [(process, _test_of(found)) for process, found in marked if process.pid not in spared]


def _test_of(environ: Iterable[bytes]) -> str:
    """The test that pytest named there when the process was started."""
    names = (entry.decode(errors="replace") for entry in environ if entry.startswith(b"PYTEST_CURRENT_TEST="))
    return next(names, "").partition("=")[2].rpartition(" (")[0] or "outside of a test"


def end_all(find: Callable[[], Iterable[Process]], deadline: float = 10.0) -> list[Process]:
    """Kill what `find` finds until it finds nothing; returns what resisted for `deadline` seconds."""
    end = time.monotonic() + deadline
    while left := list(find()):
        for process in left:
            process.signal(signal.SIGKILL)
        if time.monotonic() > end:
            return left
        time.sleep(0.01)
    return []


def sweep(directory: Path, since: int = 0, deadline: float = 10.0) -> list[Process]:
    """Kill every process of a place; returns what resisted."""
    return end_all(lambda: belonging_to(directory, since), deadline)
