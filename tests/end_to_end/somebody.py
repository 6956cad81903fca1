"""What somebody runs on a host who has no Control Room yet."""

import subprocess
from pathlib import Path

from tests.end_to_end.room import Status


def begin(name: str, command: str, cwd: Path) -> None:
    """Start a session on the user's own tmux server, as the user does."""
    shell = f". ~/.profile; {command}"
    words = ["tmux", "-f", "/dev/null", "new-session", "-d", "-s", name, "-c", str(cwd), "-x", "100", "-y", "30", shell]
    subprocess.run(words, check=True, timeout=60)


def others(status: Status) -> dict[str, Status]:
    """The agents that others started, by name."""
    return {agent["name"]: agent for agent in status["agents"] if agent["kind"] == "adopted"}
