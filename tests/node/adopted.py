"""Agents that somebody else started, and what a node says of them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from controlroom.metering.usage import Message
from controlroom.metering.usage_file import Record, from_line
from controlroom.node.adopted.claudes import RunningClaude
from controlroom.node.adopted.usage import AdoptedUsage
from controlroom.runner.money.usage_meter import Metered
from controlroom.wire.messages import AdoptedSeen, AgentSeen, Ping
from controlroom.wire.messages import LastLines as LinesSeen
from controlroom.wire.usage import SendUsage, UsageBooked, UsagePlace, UsageSeen
from tests.lab.node_client import NodeClient
from tests.lab.processes import Process, everything
from tests.lab.waiting import wait_for
from tests.lab.world import World
from tests.runner.usage import BEGAN

SESSION = "0f0e0d0c-1234-4abc-8def-000000000001"


@pytest.fixture
def node(home: World) -> Iterator[NodeClient]:
    with NodeClient() as client:
        yield client


def tmux(*words: str) -> str:
    """Use the world's own default tmux server, as its user does."""
    done = subprocess.run(["tmux", "-f", "/dev/null", *words], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


def session(name: str, command: str, cwd: Path | str = "/") -> int:
    """Start a session and give the pid of its pane."""
    return int(tmux("new-session", "-d", "-P", "-F", "#{pane_pid}", "-s", name, "-c", str(cwd), command))


def under(pid: int, name: str) -> Process:
    """Wait for a process called `name` that is, or descends from, `pid`."""

    def found() -> Process:
        table = {process.pid: process for process in everything()}
        below = {pid}
        for process in sorted(table.values(), key=lambda process: process.started):
            if process.parent in below:
                below.add(process.pid)
        named = [table[one] for one in sorted(below) if one in table and table[one].name == name]
        assert named
        return named[0]

    return wait_for(found, 10, f"{name} below {pid}")


def start_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def say(home: World, pid: int, status: str, config: str = ".claude", **fields: Any) -> Path:
    """Write the session file of a process as Claude does (Claude Code 2.1.330, observed)."""
    folder = home.home / config / "sessions"
    folder.mkdir(parents=True, exist_ok=True)
    value = {"pid": pid, "sessionId": SESSION, "cwd": str(home.home), "procStart": start_of(pid), "status": status}
    path = folder / f"{pid}.json"
    (folder / "new").write_text(json.dumps({**value, **fields}))
    os.replace(folder / "new", path)
    return path


def spoke(words: str, at: str = "2026-11-22T06:00:00.000Z", model: str = "claude-opus-5-5", **fields: Any) -> str:
    """A line of a transcript in which Claude says something."""
    message = {"role": "assistant", "model": model, "content": [{"type": "text", "text": words}]}
    return (
        json.dumps({"type": "assistant", "timestamp": at, "message": message, **fields}, separators=(",", ":")) + "\n"
    )


def transcript(home: World, cwd: Path, session: str = SESSION) -> Path:
    """Where Claude keeps the transcript of a session that began in `cwd`."""
    slug = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in os.path.realpath(cwd))
    folder = home.home / ".claude" / "projects" / slug
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{session}.jsonl"


def others(node: NodeClient) -> tuple[dict[str, AgentSeen], dict[str, AgentSeen]]:
    """The newest that was said of others' agents: of those that live, and of those that have ended."""
    living: dict[str, AgentSeen] = {}
    ended: dict[str, AgentSeen] = {}
    for told in node.all(AdoptedSeen):
        if told.complete:
            living = {agent.name: agent for agent in told.agents}
        for agent in told.agents:
            (ended if agent.ended else living)[agent.name] = agent
    return living, ended


def wait_others(
    node: NodeClient, fits: Callable[[dict[str, AgentSeen]], object], deadline: float = 20
) -> dict[str, AgentSeen]:
    """Wait until the newest that was said of others' agents that live fits; give them by name."""

    def found() -> list[dict[str, AgentSeen]]:
        assert node.all(AdoptedSeen), "nothing was said of others' agents"
        agents = others(node)[0]
        try:
            assert fits(agents), agents
        except KeyError as missing:
            raise AssertionError(f"{missing} is not among {agents}") from None
        return [agents]

    return wait_for(found, deadline, f"stderr: {node.errors.decode('utf-8', 'replace')[-2000:]}")[0]


def wait_ended(node: NodeClient, name: str) -> AgentSeen:
    """Wait until one of them is told to have ended."""
    found = wait_for(lambda: others(node)[1].get(name), 20, f"{name} is told to have ended")
    assert found
    return found


def last_line(node: NodeClient, name: str) -> str | None:
    lines = [line.text for seen in node.all(LinesSeen) for line in seen.lines if line.name == name]
    return lines[-1] if lines else None


class Home:
    """What home books of a node: each message once, with who is said to have sent it and who paid."""

    def __init__(self, node: NodeClient) -> None:
        self.node, self.taken = node, 0
        self.messages: dict[tuple[str, str], tuple[Message, UsageSeen]] = {}
        node.send(SendUsage())

    def book(self) -> int:
        """Book what has come, and be heard, or the node ends; how many messages there are by now."""
        self.node.send(Ping(1))
        pieces = self.node.all(UsageSeen)
        for piece in pieces[self.taken :]:
            records = [from_line(line.encode()) for line in piece.data.splitlines()]
            self.messages |= {record.key: (record, piece) for record in records if isinstance(record, Message)}
            place = UsagePlace(piece.place.name, piece.place.epoch, piece.end, piece.place.mark)
            self.node.send(UsageBooked(place))
        self.taken = len(pieces)
        return len(self.messages)

    def wait(self, count: int) -> None:
        """Wait until this many messages are booked."""
        wait_for(lambda: self.book() >= count, 60, f"{count} messages")

    def wait_for_end(self, shell: subprocess.Popen[bytes]) -> None:
        """Book until something that was typed is over."""
        wait_for(lambda: self.book() >= 0 and shell.poll() is not None, 60, "the shell to end")

    def said(self) -> set[tuple[str, str]]:
        """Whose they are, and who paid."""
        return {(piece.place.name, piece.billing) for _, piece in self.messages.values()}


def asked(home: Path) -> int:
    """How many requests the transcripts say were made."""
    files = [path.read_bytes() for path in (home / ".claude" / "projects").rglob("*.jsonl")]
    return sum(data.count(b'{"type":"api-request",') for data in files)


LATE = 60
"""Seconds that a loaded machine may take for anything."""

RUN, NEXT = "a" * 15, "b" * 15


class Session:
    """A session of somebody, and home."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / f"{SESSION}.jsonl"
        self.noted: list[Metered] = []
        """The runs of our agents that are metered from it."""
        self.usage = self.another_node()
        self.booked: dict[tuple[str, int], UsagePlace] = {}
        self.records: list[Record] = []

    def another_node(self) -> AdoptedUsage:
        return AdoptedUsage(lambda: {SESSION: tuple(self.noted)})

    def add(self, *lines: bytes, inside: str = "") -> None:
        path = self.path.with_suffix("") / inside if inside else self.path
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab") as file:
            file.write(b"".join(lines))

    def running(self, *, busy: bool = True, run: str = RUN, name: str = "~work", began: int = BEGAN) -> RunningClaude:
        return RunningClaude(name, SESSION, run, began, str(self.path), busy)

    def ask(self) -> None:
        """Home asks, from what it has booked on."""
        self.usage.take(SendUsage(tuple(self.booked.values())))

    def look(self, *running: RunningClaude) -> list[UsageSeen]:
        """Look once, and book what comes."""
        return self.pieces(self.usage.look(list(running), BEGAN))

    def pieces(self, pieces: list[UsageSeen]) -> list[UsageSeen]:
        """Book them."""
        for piece in pieces:
            assert piece.session == SESSION
            assert 0 <= piece.place.offset < piece.end
            self.records += [from_line(said.encode()) for said in piece.data.splitlines()]
            place = UsagePlace(piece.place.name, piece.place.epoch, piece.end, piece.place.mark)
            self.booked[place.name, place.epoch] = place
            self.usage.take(UsageBooked(place))
        return pieces

    def settle(self, *running: RunningClaude) -> None:
        """Look until nothing more comes."""
        while self.look(*running):
            pass

    def told(self) -> list[tuple[str, str]]:
        """Messages, each with its run."""
        return [(record.id, record.run) for record in self.records if isinstance(record, Message)]
