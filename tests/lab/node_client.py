"""The other end of a node's channel: a real node as a subprocess, its messages collected as they come."""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from controlroom.node import serve
from controlroom.text.event_text import LogRecord
from controlroom.wire.lines import LineSplitter
from controlroom.wire.messages import (
    NODE_PATIENCE,
    AgentSeen,
    AgentsSeen,
    Fetch,
    Fetched,
    FromNode,
    Greet,
    Kill,
    LogChunk,
    Notice,
    Ping,
    Reply,
    Spawn,
    ToNode,
    Welcome,
    pack,
    read_from_node,
)
from controlroom.wire.records import unpack_all
from controlroom.wire.spec import AgentSpec
from tests.lab.waiting import wait_for

T = TypeVar("T")
SERVE = os.path.abspath(serve.__file__)
"""A node run from the checkout finds libtmux and psutil in the virtual environment."""

ROOM = "room-under-test"


class NodeClient:
    """Talks to one node; `argv` is another way to start it."""

    def __init__(self, argv: Sequence[str] = (sys.executable, SERVE)) -> None:
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.messages: list[FromNode] = []
        self.raw = b""
        self.errors = b""
        self._numbers = iter(range(1, 10**6))
        self._greeted = False
        self._writing, self._closed = threading.Lock(), threading.Event()
        self._threads = [
            threading.Thread(target=each) for each in (self._listen, self._listen_to_errors, self._be_heard)
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> NodeClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> int:
        """Close the channel and give the node's exit code."""
        assert self.process.stdin
        assert self.process.stdout
        assert self.process.stderr
        self._closed.set()
        with contextlib.suppress(BrokenPipeError), self._writing:
            self.process.stdin.close()
        try:
            code = self.process.wait(60)
        finally:
            self.process.kill()
            for thread in self._threads:
                thread.join()
            self.process.stdout.close()
            self.process.stderr.close()
        return code

    # ------------------------------------------------------------------ messages

    def send(self, *messages: ToNode) -> None:
        assert self.process.stdin
        with self._writing:
            self.process.stdin.write(b"".join(pack(message) for message in messages))
            self.process.stdin.flush()

    def greet(self, namespace: str = "", room: str = ROOM, *, read_only: bool = False) -> Welcome:
        """Say who we are; comes back when the node has told all its agents."""
        self.send(Greet("0.1.0", room, namespace, read_only))
        self._greeted = True
        welcome = self.wait(Welcome)
        self.wait(AgentsSeen, lambda seen: seen.complete)
        return welcome

    def all(self, kind: type[T]) -> list[T]:
        """Every message of a kind that has come."""
        return [message for message in list(self.messages) if isinstance(message, kind)]

    def wait(self, kind: type[T], fits: Callable[[T], object] = lambda _: True, deadline: float = 15.0) -> T:
        """Wait for a message of a kind that fits; give the first."""

        def found() -> T | None:
            return next((message for message in self.all(kind) if fits(message)), None)

        what = f"{kind.__name__}; stderr: {self.errors.decode('utf-8', 'replace')[-2000:]}"
        answer = wait_for(found, deadline, what)
        assert answer is not None
        return answer

    def _be_heard(self) -> None:
        """Send a heartbeat now and then, as home does: a node that hears nothing for long ends by itself."""
        while not self._closed.wait(NODE_PATIENCE / 3):
            if self._greeted:
                with contextlib.suppress(OSError, ValueError):  # it is gone, or was closed just now
                    self.send(Ping(0))

    # ------------------------------------------------------------------ requests

    def number(self) -> int:
        return next(self._numbers)

    def ask(self, make: Callable[[int], ToNode], deadline: float = 30.0) -> Reply:
        """Send the request that `make` builds of a number, and wait for its reply."""
        number = self.number()
        self.send(make(number))
        return self.wait(Reply, lambda reply: reply.id == number, deadline)

    def spawn(self, name: str, epoch: int, *command: str, task: str = "", replaces: int = 0, **spec: object) -> Reply:
        """Start an agent of kind `command`."""
        order = AgentSpec("command", command, **spec)  # type: ignore[arg-type]
        return self.ask(lambda number: Spawn(number, name, epoch, order, task, replaces))

    def kill(self, name: str, epoch: int) -> Reply:
        return self.ask(lambda number: Kill(number, name, epoch))

    def fetch(self, name: str, epoch: int, **place: object) -> Fetched:
        number = self.number()
        self.send(Fetch(number, name, epoch, **place))  # type: ignore[arg-type]
        return self.wait(Fetched, lambda fetched: fetched.id == number)

    # ------------------------------------------------------------------ what is seen

    def agents(self) -> dict[str, AgentSeen]:
        """The newest that was said of each agent."""
        newest: dict[str, AgentSeen] = {}
        for message in self.all(AgentsSeen):
            newest.update((seen.name, seen) for seen in message.agents)
            for name in message.gone:
                newest.pop(name, None)
        return newest

    def wait_agent(self, name: str, fits: Callable[[AgentSeen], object], deadline: float = 15.0) -> AgentSeen:
        """Wait until the newest that was said of an agent fits."""

        def found() -> AgentSeen | None:
            seen = self.agents().get(name)
            assert seen is not None, "nothing was said of it"
            assert fits(seen), seen
            return seen

        answer = wait_for(found, deadline, f"{name}; stderr: {self.errors.decode('utf-8', 'replace')[-2000:]}")
        assert answer is not None
        return answer

    def notices(self) -> list[str]:
        return [notice.text for notice in self.all(Notice)]

    def _listen(self) -> None:
        assert self.process.stdout
        lines = LineSplitter()
        while data := os.read(self.process.stdout.fileno(), 65536):
            self.raw = (self.raw + data)[-100_000:]
            self.messages += [read_from_node(line) for line in lines.feed(data)]

    def _listen_to_errors(self) -> None:
        assert self.process.stderr
        while data := os.read(self.process.stderr.fileno(), 65536):
            self.errors += data


def state_folder(home: Path) -> Path:
    """Where a node with this HOME keeps its agents."""
    return home / ".local" / "state" / "controlroom"


def records_of(message: LogChunk | Fetched) -> list[LogRecord]:
    """The records that a message carries."""
    return unpack_all(base64.b64decode(message.data))


def bodies_of(message: LogChunk | Fetched) -> list[str]:
    """The texts that a message carries."""
    return [record.body.decode() for record in records_of(message)]
