"""Sessions of a scripted Claude: its transcripts, and what is metered of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controlroom.metering.usage import Message
from controlroom.metering.usage_file import Record, from_line
from controlroom.runner.money.usage_meter import UsageMeter

SESSION = "11111111-2222-4333-8444-555555555555"

FORK = "99999999-2222-4333-8444-555555555555"

BEGAN = 1_795_323_600_000


class Claude:
    """A config folder with the transcripts of one session, written as Claude Code writes them."""

    def __init__(self, folder: Path) -> None:
        self.config, self.cwd = folder / ".claude", folder / "project"
        slug = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in str(self.cwd))
        self.transcript = self.config / "projects" / slug / f"{SESSION}.jsonl"
        self.transcript.parent.mkdir(parents=True)
        self.cwd.mkdir()

    def subagent(self, *names: str) -> Path:
        path = self.transcript.with_suffix("").joinpath("subagents", *names)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def meter(self, resumed: str = "", began: int = BEGAN) -> UsageMeter:
        lots = (bytes([number] * 8) for number in range(1, 255))
        clock = iter(range(began, 2**53))
        return UsageMeter(
            str(self.config), str(self.cwd), resumed, clock=lambda: next(clock), random=lambda _: next(lots)
        )


@pytest.fixture
def claude(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Claude:
    (tmp_path / "agent").mkdir()
    monkeypatch.chdir(tmp_path / "agent")
    return Claude(tmp_path)


def line(number: int | str, output: int = 10, at: str = "2026-11-22T05:00:00Z") -> bytes:
    usage = {"input_tokens": 3, "output_tokens": output}
    message = {"id": f"msg_{number}", "model": "claude-opus-5-5", "usage": usage}
    entry = {"type": "assistant", "requestId": f"req_{number}", "timestamp": at, "message": message}
    return json.dumps(entry).encode() + b"\n"


def stamped(ms: int) -> str:
    """A time as transcripts have it."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()


def written() -> list[Record]:
    """What usage.jsonl says, line by line."""
    path = Path("usage.jsonl")
    return [from_line(said) for said in path.read_bytes().split(b"\n") if said] if path.exists() else []


def told() -> list[Message]:
    """The messages in usage.jsonl."""
    return [record for record in written() if isinstance(record, Message)]


def total(dollars: float) -> bytes:
    return json.dumps({"type": "cost-state", "totalCostUSD": dollars}, separators=(",", ":")).encode() + b"\n"


def names(messages: Sequence[Message]) -> list[tuple[str, int]]:
    return [(message.id, message.usage.output) for message in messages]


def said(kind: str, *content: dict[str, object], stop: str | None = None, **more: object) -> bytes:
    """A line of a subagent's transcript."""
    message = {"role": kind, "content": list(content), "stop_reason": stop}
    entry = {"isSidechain": True, "agentId": "a9f4419a01a8fdac0", "type": kind, "message": message, **more}
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"


PROMPT = said("user", message={"role": "user", "content": "look at the user's files"})

CALLS = said("assistant", {"type": "tool_use", "name": "Read"}, stop="tool_use")

RESULT = said("user", {"type": "tool_result", "content": "[Request interrupted by user"})

DONE = said("assistant", {"type": "text", "text": "I have looked"}, stop="end_turn")

STOPPED = said("user", {"type": "text", "text": "[Request interrupted by user for tool use]"})

PARENT = said("assistant", {"type": "text", "text": "all seen"}, stop="end_turn", isSidechain=False)


def add(path: Path, *lines: bytes) -> None:
    with path.open("ab") as file:
        file.write(b"".join(lines))
