"""Run a command to its end, within a time."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class CommandFailed(RuntimeError):
    """A command that had to succeed did not; the text holds what it said."""


def run(
    *argv: object, check: bool = True, timeout: float = 30.0, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `argv` with an empty stdin; raise CommandFailed unless it exits 0 (or `check` is off).

    `timeout` is in seconds; subprocess.TimeoutExpired when it passes.
    """
    words = [str(word) for word in argv]
    done = subprocess.run(
        words,
        text=True,
        errors="replace",
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=timeout,
        cwd=cwd,
    )
    if check and done.returncode:
        raise CommandFailed(f"{' '.join(words)}: exit {done.returncode}: {(done.stderr or done.stdout).strip()}")
    return done
