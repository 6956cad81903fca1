"""The processes of an agent: seen, ended, and looked for again.

An agent's processes are the descendants of its runner and whatever carries its tag and place in the environment.
Linux: `/proc`; elsewhere `ps`, which does not tell environments. On Linux the runner is a subreaper, so a child that is
double-forked or has a session of its own stays a descendant; the tag finds what a killed runner left behind.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Generator, Iterable

from controlroom.runner import folder
from controlroom.text.lazy_named_tuple import NamedTuple

PROC = "/proc"
_ZOMBIE = "Z"


class Process(NamedTuple):
    """One process. `started` with `pid` names it for ever: pids are used again."""

    pid: int
    parent: int
    started: str
    name: str
    state: str = ""


def snapshot() -> dict[int, Process]:
    """List all processes of this machine, by pid."""
    if not os.path.isdir(os.path.join(PROC, "self")):
        return _from_ps()
    processes = (_read(entry) for entry in os.listdir(PROC) if entry.isdecimal())
    return {process.pid: process for process in processes if process}


def started_for(path: str) -> int:
    """Return the pid of a Python of ours whose last argument is `path`; 0 when there is none, or no `/proc` to ask."""
    for entry in os.listdir(PROC) if os.path.isdir(PROC) else ():
        words = content(int(entry), "cmdline").split(b"\0") if entry.isdecimal() else []
        if len(words) > 3 and words[-2] == os.fsencode(path) and b"python" in words[0]:
            with contextlib.suppress(OSError):
                if os.stat(os.path.join(PROC, entry)).st_uid == os.geteuid():
                    return int(entry)
    return 0


def descendants(root: int, processes: dict[int, Process]) -> set[int]:
    """Return the pids below `root`, without it."""
    children: dict[int, list[int]] = {}
    for process in processes.values():
        children.setdefault(process.parent, []).append(process.pid)
    pids: set[int] = set()
    queue = list(children.get(root, ()))
    while queue:
        pid = queue.pop()
        if pid not in pids:
            pids.add(pid)
            queue += children.get(pid, ())
    return pids


def below(root: int) -> list[int]:
    """Return the pids below `root` by way of its children (Linux; elsewhere none): far cheaper than a `snapshot`."""
    pids: list[int] = []
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        children = [int(word) for thread in _threads(pid) for word in content(pid, f"task/{thread}/children").split()]
        new = [child for child in children if child not in pids]
        pids += new
        waiting += new
    return pids


def above(process: Process) -> list[int]:
    """Return the pids that a process descends from, nearest first."""
    others = {} if os.path.isdir(os.path.join(PROC, "self")) else snapshot()
    pids: list[int] = []
    parent = process.parent
    while parent and parent not in pids:
        pids.append(parent)
        process_above = others.get(parent) or _read(str(parent))
        parent = process_above.parent if process_above else 0
    return pids


def tagged(tag: str, place: str, processes: Iterable[int]) -> set[int]:
    """Return those pids whose environment holds this agent's `folder.tag` and `folder.place`."""
    wanted = {f"{folder.TAG}={tag}".encode(), f"{folder.PLACE}={place}".encode()}
    return {pid for pid in processes if wanted <= _environ(pid)}


def of_agent(tag: str, place: str, runner: int = 0) -> list[Process]:
    """Return the living processes of an agent: below `runner` (when not 0), tagged, and below those; never this one."""
    processes = snapshot()
    pids = tagged(tag, place, processes) - {runner}
    for root in [*pids, *([runner] if runner else [])]:
        pids |= descendants(root, processes)
    pids -= {os.getpid(), runner}
    return [processes[pid] for pid in sorted(pids) if processes[pid].state != _ZOMBIE]


def others_below(runner: int, agent: int) -> list[Process]:
    """Return the living processes below `runner` that are not `agent`, nor below it. `agent`: 0 for none."""
    processes = snapshot()
    pids = descendants(runner, processes) - ({agent, *descendants(agent, processes)} if agent else set())
    return [processes[pid] for pid in sorted(pids) if processes[pid].state != _ZOMBIE]


def living(process: Process) -> bool:
    """Return whether this very process still runs; a zombie does not."""
    if not os.path.isdir(os.path.join(PROC, "self")):
        return snapshot().get(process.pid, process._replace(state=_ZOMBIE)).state != _ZOMBIE
    now = _read(str(process.pid))
    return now is not None and now.started == process.started and now.state != _ZOMBIE


def process(pid: int) -> Process | None:
    """Return one process; None when it is not there, or nobody can tell."""
    return _read(str(pid))


def starts(pids: Iterable[int]) -> dict[int, str]:
    """Return those of the pids that a process has now, each with its `Process.started` (Linux; elsewhere none)."""
    try:
        present = set(map(int, filter(str.isdecimal, os.listdir(PROC))))
    except OSError:
        return {}
    return {pid: process.started for pid in present.intersection(pids) if (process := _read(str(pid)))}


def environment(pid: int) -> dict[str, str]:
    """Return the environment that a process of this user began with; nothing where that cannot be seen."""
    pairs = (item.partition(b"=") for item in content(pid, "environ").split(b"\0") if item)
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}


def arguments(pid: int) -> list[str]:
    """Return the words that a process was started with; none where they cannot be seen."""
    return [os.fsdecode(word) for word in content(pid, "cmdline").split(b"\0")[:-1]]


def link(pid: int, name: str) -> str:
    """Return where a link of a process leads: `cwd`, its folder, or `exe`, its program; "" where it cannot be seen."""
    try:
        return os.readlink(os.path.join(PROC, str(pid), name))
    except OSError:
        return ""


def started(pid: int) -> str:
    """Return when a process was started, as `Process.started` does; "" when it is not there or nobody can tell."""
    process = _read(str(pid))
    return process.started if process else ""


def send(process: Process, number: int) -> bool:
    """Send a signal to this very process and to no other that got its pid. False: it is gone, or not ours."""
    try:
        if not hasattr(os, "pidfd_open"):
            os.kill(process.pid, number)
            return True
        handle = os.pidfd_open(process.pid)
    except OSError:
        return False
    try:
        if not living(process):
            return False
        signal.pidfd_send_signal(handle, number)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def ending(
    find: Callable[[], list[Process]],
    *,
    patience: float = 5.0,
    grace: float = 0.0,
    told: Callable[[list[Process]], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Generator[float, None, list[Process]]:
    """End what `find` gives: wait `grace` seconds, TERM, wait `patience` seconds, KILL, look again.

    `told` hears what gets the TERM.

    Each yielded number is the seconds after which it wants to go on, so that the caller can do other work meanwhile.
    Returns what could not be ended: empty, or the truth about what is left.
    """
    yield from _gone(find(), clock() + grace, clock)
    doomed = find()
    if told:
        told(doomed)
    for process in doomed:
        send(process, signal.SIGTERM)
    yield from _gone(doomed, clock() + patience, clock)
    for pause in (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.0):
        left = find()
        if not left:
            return []
        for process in left:
            send(process, signal.SIGKILL)
        yield pause
    return find()


def end(find: Callable[[], list[Process]], patience: float = 5.0) -> list[Process]:
    """End what `find` gives, and wait for it. Returns what is left."""
    steps = ending(find, patience=patience)
    while True:
        try:
            time.sleep(next(steps))
        except StopIteration as stopped:
            left: list[Process] = stopped.value
            return left


def names(processes: Iterable[Process]) -> str:
    """Name processes for people: `sleep (123), node (456)`."""
    listed = [f"{process.name} ({process.pid})" for process in processes]
    return ", ".join(listed[:5]) + (f" and {len(listed) - 5} more" if len(listed) > 5 else "")


def _gone(processes: list[Process], deadline: float, clock: Callable[[], float]) -> Generator[float, None, None]:
    pause = 0.01
    while (processes := [process for process in processes if living(process)]) and clock() < deadline:
        yield min(pause, max(0.0, deadline - clock()))
        pause = min(pause * 2, 0.25)


def _read(entry: str) -> Process | None:
    """Read /proc/PID/stat; the name stands in parentheses and may hold anything, so the last one counts."""
    try:
        with open(os.path.join(PROC, entry, "stat"), "rb") as file:
            data = file.read(4096)
        head, _, rest = data.rpartition(b")")
        fields = rest.split()
        name = head.partition(b"(")[2].decode("utf-8", "replace")
        return Process(int(entry), int(fields[1]), fields[19].decode(), name, fields[0].decode())
    except (OSError, ValueError, IndexError):
        return None


def _environ(pid: int) -> set[bytes]:
    return set(content(pid, "environ").split(b"\0"))


def _threads(pid: int) -> list[str]:
    try:
        return os.listdir(os.path.join(PROC, str(pid), "task"))
    except OSError:
        return []


def content(pid: int, name: str) -> bytes:
    """Return what a file of a process holds; nothing where it is not there or cannot be read."""
    try:
        with open(os.path.join(PROC, str(pid), name), "rb") as file:
            return file.read()
    except OSError:
        return b""


def _from_ps() -> dict[int, Process]:
    """List processes where there is no /proc (macOS)."""
    processes: dict[int, Process] = {}
    with contextlib.suppress(OSError):
        ps, output = _output(["ps", "-axo", "pid=,ppid=,state=,lstart=,comm="])
        for line in output.decode("utf-8", "replace").splitlines():
            fields = line.split(None, 8)
            if len(fields) == 9 and fields[0].isdecimal() and fields[1].isdecimal() and int(fields[0]) != ps:
                pid, parent, state = int(fields[0]), int(fields[1]), fields[2][:1]
                processes[pid] = Process(pid, parent, " ".join(fields[3:8]), os.path.basename(fields[8]), state)
    return processes


def _output(argv: list[str]) -> tuple[int, bytes]:
    """Run a program and give its pid and what it printed."""
    reading, writing = os.pipe()
    with open(reading, "rb") as file:
        try:
            pid = os.posix_spawnp(argv[0], argv, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, writing, 1)])
        finally:
            os.close(writing)
        data = file.read()
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)
    return pid, data
