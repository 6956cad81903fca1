"""A real runner around a real agent in a folder of its own, as the node starts it, but without tmux."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import controlroom
from controlroom.runner import folder
from controlroom.text.event_text import LogRecord
from controlroom.wire.codec import decode, encode
from controlroom.wire.lines import to_line
from controlroom.wire.messages import AgentSeen
from controlroom.wire.records import FORMAT, segment_number, unpack_all
from controlroom.wire.spec import AgentSpec
from tests.lab.waiting import wait_for

T = TypeVar("T")
RUN = os.path.join(os.path.dirname(controlroom.__file__), "runner", "run.py")
"""Not imported: a runner keeps no bytecode, nor would whoever imports it."""
STARTED = 1_795_307_427_677


class Agent:
    """One agent folder and its runner. `login`: what the login shell's environment holds."""

    def __init__(self, place: Path, spec: AgentSpec, task: str = "", login: Mapping[str, str] | None = None) -> None:
        self.folder = place
        self.name = "agent-1"
        place.mkdir(parents=True)
        self.order: dict[str, Any] = {
            "format": FORMAT, "name": self.name, "epoch": 1, "namespace": "test", "started": STARTED,
            "spec": encode(spec),
        }  # fmt: skip
        (place / folder.TASK).write_bytes(task.encode("utf-8", "surrogateescape"))
        (place / folder.ENVIRON).write_bytes(to_line(dict(os.environ if login is None else login)))
        self.write_order()

    def write_order(self) -> None:
        """Write spec.json as `order` says."""
        (self.folder / folder.SPEC).write_text(json.dumps(self.order))

    def start(self, command: str = RUN, stdout: int = subprocess.DEVNULL) -> Agent:
        """Start the runner, in a session of its own as tmux does."""
        argv = [sys.executable, "-I", "-S", command, str(self.folder)]
        self.process = subprocess.Popen(
            argv, cwd="/", env={}, stdin=subprocess.DEVNULL, stdout=stdout, start_new_session=True
        )
        return self

    def close(self) -> None:
        """End the runner, whatever it does."""
        if hasattr(self, "process"):
            self.process.kill()
            self.process.wait(60)
            if self.process.stdout:
                self.process.stdout.close()

    def finish(self, deadline: float = 20) -> AgentSeen:
        """Wait until the runner has ended; its last word."""
        assert self.process.wait(deadline) == 0
        return self.seen()

    def seen(self) -> AgentSeen:
        """What status.json says, read the way the node reads it."""
        return decode(AgentSeen, json.loads((self.folder / folder.STATUS).read_bytes()))

    def until(self, condition: Callable[[AgentSeen], T], deadline: float = 20) -> T:
        """Wait for something in the status."""

        def holds() -> T:
            assert (self.folder / folder.STATUS).exists(), self.log()
            return condition(self.seen())

        return wait_for(holds, deadline, f"the status of {self.folder}")

    def running(self) -> AgentSeen:
        """Wait until the agent's process has been started."""
        self.until(lambda seen: seen.pid)
        return self.seen()

    def log(self) -> list[LogRecord]:
        """All records, in order."""
        names = sorted(entry.name for entry in self.folder.iterdir() if segment_number(entry.name))
        return [record for name in names for record in unpack_all((self.folder / name).read_bytes())]

    def lines(self, streams: str = "oe") -> list[str]:
        """The text of records of these streams; continued ones joined."""
        found: list[str] = []
        rest = ""
        for record in self.log():
            if record.stream in streams:
                rest += record.body.decode("utf-8", "replace")
                if not record.continued:
                    found.append(rest)
                    rest = ""
        return found + [rest] * bool(rest)

    def ask(self, **request: Any) -> str:
        """Put a request to the runner; why it refused, "" when it did it."""
        answer = self.send(to_line(request))
        return "" if answer["ok"] else str(answer["reason"])

    def send(self, data: bytes) -> dict[str, Any]:
        """Send anything to the control socket; what it answers."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30)
            connection.connect(str(self.folder / folder.CONTROL))
            connection.sendall(data)
            return dict(json.loads(connection.makefile().readline()))


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


MakeAgent = Callable[..., Agent]
"""What the fixture `agent` gives."""
