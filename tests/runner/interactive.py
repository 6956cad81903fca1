"""A real Claude in a terminal: its screen, and how long it may take."""

from __future__ import annotations

import subprocess

LATE = 60  # seconds that a loaded machine may take for anything


def screen() -> str:
    command = ["tmux", "-L", "controlroom", "capture-pane", "-p", "-t", "=talk:"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
