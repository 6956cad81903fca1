"""Takes a demo down: waits for its stdin to end, then ends every process of the room and removes its folders.

    python -m controlroom.demo.sweep FOLDER NAMESPACE

What belongs to the room: processes with the demo's mark or an agent tag of its namespace in their environment, those
that run from its folders (node, runners), its engine as the lock file names it, and its tmux server.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

from controlroom.demo.world import TOKEN
from controlroom.runner.folder import TAG, state_folder
from controlroom.text.names import tmux_socket

GENTLY = 3.0
"""Seconds that processes have to end by themselves before they are killed."""

LONGEST = 20.0
"""Seconds after which what still resists is left alone."""


def sweep(folder: Path, namespace: str) -> None:
    """End and remove everything of a room."""
    end = time.monotonic() + LONGEST
    _signal(processes(folder, namespace), signal.SIGTERM)
    _kill_tmux(folder, namespace)
    gently = time.monotonic() + GENTLY
    while (left := processes(folder, namespace)) and time.monotonic() < end:
        if time.monotonic() > gently:
            _signal(left, signal.SIGKILL)
        time.sleep(0.02)
    outside = Path(state_folder(os.environ, namespace))
    while any(place.exists() for place in (folder, outside)) and time.monotonic() < end:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(outside, ignore_errors=True)


def processes(folder: Path, namespace: str) -> list[psutil.Process]:
    """The room's processes that are alive, but never ourselves."""
    engine = _engine_pid(folder)
    processes = [process for process in _ours() if process.pid == engine or _belongs(process, folder, namespace)]
    return [process for process in processes if process.pid != os.getpid()]


def _ours() -> Iterable[psutil.Process]:
    return (process for process in psutil.process_iter() if _is_ours(process))


def _is_ours(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.uids().real == os.getuid() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _belongs(process: psutil.Process, folder: Path, namespace: str) -> bool:
    with contextlib.suppress(psutil.Error, OSError):
        environ = process.environ()
        if environ.get(TOKEN) == str(folder) or environ.get(TAG, "").startswith(f"{namespace}/"):
            return True
    with contextlib.suppress(psutil.Error, OSError):
        places = (f"{folder}/state/", f"{folder}/cache/")
        return any(word.startswith(places) for word in process.cmdline())
    return False


def _engine_pid(folder: Path) -> int:
    """The process id in the engine's lock file; 0 when there is none."""
    with contextlib.suppress(OSError, ValueError, IndexError, psutil.Error):
        pid = int((folder / "engine.lock").read_text("utf-8", "replace").splitlines()[0])
        if psutil.Process(pid).environ().get("CONTROLROOM_HOME") == str(folder):
            return pid
    return 0


def _signal(found: Iterable[psutil.Process], number: int) -> None:
    for process in found:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)


def _kill_tmux(folder: Path, namespace: str) -> None:
    """End the room's tmux server, in its own folder and where one would be without it."""
    inside = {**os.environ, "TMUX_TMPDIR": str(folder / "tmux")}
    for environ in (inside, dict(os.environ)):
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run(
                ["tmux", "-L", tmux_socket(namespace), "kill-server"],
                env=environ,
                capture_output=True,
                timeout=5,
                check=False,
            )


def main(argv: list[str]) -> int:
    """Wait for the demo to end, however it does, and sweep."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    while os.read(0, 4096):
        pass
    sweep(Path(argv[0]), argv[1])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
