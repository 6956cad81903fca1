"""The profile's command that makes a worktree ready, like `npm ci`: with a limit, and a log of its own."""

import os
import select
import signal
import time
from collections.abc import Callable, Mapping

from controlroom.runner import agent_process
from controlroom.runner.files import create
from controlroom.runner.git import displayable
from controlroom.runner.outcome import Unfit, from_status

LOG_MOST = 4 * 1024 * 1024
"""Bytes of its log that are kept."""

_PATIENCE = 5.0
_TAIL = 0.5
"""Seconds that are waited for the last words of what it left running."""


def run(
    command: tuple[str, ...],
    environ: Mapping[str, str],
    cwd: str,
    log: str,
    minutes: float,
    out: Callable[[bytes], object],
) -> None:
    """Run it to its end; what it says goes to `out` and into the file `log`. Raises `Unfit` when it fails."""
    variables = dict(environ)
    program = agent_process.find_program(command[0], variables["PATH"], variables["HOME"], cwd)
    if program is None:
        raise Unfit(f"worktree_setup: {command[0]} is not there on this host")
    child = agent_process.start([program, *command[1:]], variables, cwd)
    os.close(child.stdin)
    with open(create(log), "wb", buffering=0) as file:
        status, last = _followed(child, time.monotonic() + minutes * 60, out, _Bounded(file.write))
    if status is None:
        raise Unfit(f"worktree_setup ({command[0]}) was ended after {minutes:g} minutes (worktree_setup_minutes)")
    if status:
        said = displayable(last.decode("utf-8", "replace"), 200)
        raise Unfit(f"worktree_setup ({command[0]}) failed: {from_status(status).words()}{f': {said}' if said else ''}")


class _Bounded:
    """Writes no more than `LOG_MOST` bytes."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write, self._left = write, LOG_MOST

    def __call__(self, data: bytes) -> None:
        if self._left > 0:
            self._write(data[: self._left])
            self._left -= len(data)


def _followed(child: agent_process.Child, until: float, *outs: Callable[[bytes], object]) -> tuple[int | None, bytes]:
    """Hand on what a process says until it has ended; return its status (None: killed for its time) and last line."""
    ready, last, ended_at = select.poll(), b"", 0.0
    ends = {child.stdout, child.stderr}
    for end in ends:
        ready.register(end, select.POLLIN)
    status: int | None = None
    while status is None or (ends and time.monotonic() < ended_at + _TAIL):
        if status is None and time.monotonic() > until:
            _end(child.pid)
            break
        for end, _ in ready.poll(100):
            if data := os.read(end, 65_536):
                last = _last_line(last + data)
                for out in outs:
                    out(data)
            else:
                ready.unregister(end)
                ends.discard(end)
        if status is None:
            done, status_now = os.waitpid(child.pid, os.WNOHANG)
            if done:
                status, ended_at = status_now, time.monotonic()
    for end in (child.stdout, child.stderr):
        os.close(end)
    return status, last


def _last_line(data: bytes) -> bytes:
    lines = [line for line in data[-8192:].splitlines(keepends=True) if line.strip()]
    return lines[-1] if lines else b""


def _end(pid: int) -> None:
    """End a process and its session: TERM, some time, KILL."""
    os.killpg(pid, signal.SIGTERM)
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return
        time.sleep(0.05)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
