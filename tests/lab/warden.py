"""Ends and removes what a test run leaves behind when it dies, however it dies.

The warden is a process in a session of its own, so that Ctrl-C does not reach it. It holds the reading end of a pipe;
when the writing end closes with the test process, it takes down every place it was told to watch.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.lab.command import ROOT
from tests.lab.processes import sweep


class Warden:
    """The test run's end of the pipe."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.lab.warden"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def say(self, verb: str, directory: Path) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{verb} {directory}\n")
        self.process.stdin.flush()

    def watch(self, directory: Path) -> None:
        """From now on, the directory and its processes end with us."""
        self.say("watch", directory)

    def forget(self, directory: Path) -> None:
        """The directory has been removed in good order."""
        self.say("forget", directory)

    def close(self) -> None:
        """The run is over: let the warden take down what is still watched, and end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(60)


def remove(directory: Path) -> None:
    """Take down a lab or a world."""
    if (directory / "lab.json").exists():
        from tests.lab.lab import open_lab

        open_lab(directory).down()
    sweep(directory)
    shutil.rmtree(directory, ignore_errors=True)


def main() -> None:
    """Follow the pipe to its end, then clean up, newest place first."""
    watched: dict[str, None] = {}
    for line in sys.stdin:
        verb, _, directory = line.rstrip("\n").partition(" ")
        if verb == "watch":
            watched[directory] = None
        else:
            watched.pop(directory, None)
    for directory in reversed(watched):
        remove(Path(directory))


if __name__ == "__main__":
    main()
