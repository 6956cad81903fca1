"""What somebody runs on a host who has no Control Room yet."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.end_to_end.room import Status
from tests.lab.namespaces import NamespaceHost


def begin(name: str, command: str, cwd: Path) -> None:
    """Start a session on the user's own tmux server, as the user does."""
    subprocess.run(_session(name, command, str(cwd)), check=True, timeout=60)


def _session(name: str, command: str, cwd: str) -> list[str]:
    shell = f". ~/.profile; {command}"
    return ["tmux", "-f", "/dev/null", "new-session", "-d", "-s", name, "-c", cwd, "-x", "100", "-y", "30", shell]


def others(status: Status) -> dict[str, Status]:
    """The agents that others started, by name."""
    return {agent["name"]: agent for agent in status["agents"] if agent["kind"] == "adopted"}


class Somebody:
    """The user of a host with a network of its own."""

    def __init__(self, host: NamespaceHost) -> None:
        self.host = host

    def run(self, *command: str) -> str:
        """What a command of theirs prints."""
        done = self.host.execute(*command, timeout=120)
        assert done.returncode == 0, f"{command}: {done.stderr or done.stdout}"
        return done.stdout

    def begin(self, name: str, command: str, folder: str = "project") -> None:
        """Start a session on their tmux server."""
        self.run(*_session(name, command, f"/home/agent/{folder}"))

    def sessions(self) -> set[str]:
        """The sessions on their tmux server."""
        return set(self.run("tmux", "ls", "-F", "#{session_name}").split())

    def alive(self, pids: dict[str, int]) -> set[str]:
        """Whose processes are still there."""
        rows = (row.split() for row in self.run("ps", "-eo", "pid=,stat=").splitlines())
        there = {pid for pid, state in rows if not state.startswith("Z")}
        return {name for name, pid in pids.items() if str(pid) in there}

    def ask_claude(self, prompt: str) -> Path:
        """Work with Claude Code, a day ago; gives the transcript."""
        words = f"claude -p --model claude-sonnet-5-5 --allowedTools=Bash {prompt!r}"
        self.run("sh", "-c", f". ~/.profile; cd ~/project; {words}")
        (transcript,) = self.transcripts()
        os.utime(transcript, (transcript.stat().st_mtime - 86_400,) * 2)
        return transcript

    def transcripts(self) -> list[Path]:
        """All transcripts of Claude Code on the host."""
        return sorted((self.host.home / ".claude" / "projects").rglob("*.jsonl"))
