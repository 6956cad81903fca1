"""What a run of the tests has left behind: processes that nobody ended, told by the test that started them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from secrets import token_hex

from tests.lab.processes import Process, belonging_to, started_with

VARIABLE = "CONTROLROOM_TEST_RUN"
"""In the environment of everything that a run of the tests starts."""

PATIENCE = 5.0
"""Seconds in which what was told to end may do so."""

_OF_PYTHON = "multiprocessing."  # its own helpers end with us


def mark() -> None:
    """Let what this process starts be told from what others start."""
    os.environ[VARIABLE] = token_hex(8)


def left(*places: Path) -> list[tuple[Process, str]]:
    """What is still there of this run: marked, or at work in one of these folders."""
    marked = started_with(f"{VARIABLE}={os.environ[VARIABLE]}")
    known = {process.pid for process, _ in marked}
    there = [process for place in places for process in belonging_to(place) if process.pid not in known]
    return [
        (process, test)
        for process, test in [*marked, *((process, "by its folder") for process in there)]
        if _OF_PYTHON not in process.command
    ]


def end(*places: Path) -> list[str]:
    """Wait a moment for what is left, kill it, and say what it was."""
    until = time.monotonic() + PATIENCE
    while (there := left(*places)) and time.monotonic() < until:
        time.sleep(0.05)
    for process, _ in there:
        process.signal(signal.SIGKILL)
    return [f"{test}: {process.pid} {process.command or process.name}"[:300] for process, test in there]
