"""Transcripts as Claude Code 2.1.332 writes them, and an independent count of what they say."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

MODELS = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5")
_WORDS = ("the", "agent", "reads", "a", "file", "and", "says", "what", "it", "found", '"there"', "é", "\n", "\t")
_KINDS = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


def text(generator: random.Random, words: int = 4000) -> str:
    """Something that was said, to cut pieces from."""
    return " ".join(generator.choice(_WORDS) for _ in range(words))


def line(at: int, session: str, folder: str, **fields: Any) -> bytes:
    """A line, compact, its fields in Claude's order; `at`: UTC milliseconds."""
    when = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    head = {"parentUuid": "11111111-2222-4333-8444-555555555555", "isSidechain": False}
    tail = {
        "uuid": "11111111-2222-4333-8444-666666666666",
        "timestamp": when,
        "userType": "external",
        "cwd": folder,
        "sessionId": session,
        "version": "2.1.332",
        "gitBranch": "main",
    }
    return json.dumps(head | fields | tail, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def answer(number: int, at: int, session: str, folder: str, generator: random.Random, said: str) -> Iterator[bytes]:
    """The lines of one answer: what it says, the tool it calls, and what that gave."""
    written = generator.randrange(8000)
    usage = {
        "input_tokens": generator.randrange(10),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": generator.randrange(150_000),
        "output_tokens": generator.randrange(2000),
        "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 0},
        "service_tier": "standard",
        "cache_creation": {"ephemeral_1h_input_tokens": 0, "ephemeral_5m_input_tokens": written},
    }
    name = f"{session[:8]}{number:016}"
    head: dict[str, Any] = {"model": generator.choice(MODELS), "id": f"msg_{name}", "type": "message"}
    words = said[: generator.randrange(200, 3000)]
    call = {"file_path": "/src/a.py", "old_string": words[:400], "new_string": words[:600], "usage": {"no": "usage"}}
    blocks = ({"type": "text", "text": words}, {"type": "tool_use", "id": "toolu_1", "name": "Edit", "input": call})
    for block in blocks:
        message = {**head, "role": "assistant", "content": [block], "stop_reason": None, "stop_sequence": None}
        message |= {"usage": usage}
        yield line(at, session, folder, message=message, requestId=f"req_{name}", type="assistant")
    result = said[: generator.randrange(500, 9000)]
    message = {"role": "user", "content": [{"tool_use_id": "toolu_1", "type": "tool_result", "content": result}]}
    yield line(at, session, folder, type="user", message=message, toolUseResult={"stdout": result})


def write(home: Path, size: int, begin: int, generator: random.Random, largest: int = 25) -> int:
    """Write transcripts of some months below a home, `size` bytes or a little more; return how many answers they have.

    They begin at `begin` (UTC milliseconds); a session has up to 2^largest bytes.
    """
    answers, said, left = 0, text(generator), size
    while left > 0:
        session = f"{generator.getrandbits(32):08x}-2222-4333-8444-555555555555"
        folder = f"/src/project-{generator.randrange(20)}"
        path = home / ".claude" / "projects" / folder.replace("/", "-") / f"{session}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        at, most = begin + generator.randrange(80 * 86_400_000), min(left, 1 << generator.randrange(14, largest))
        with open(path, "wb") as file:
            while file.tell() < most:
                answers += 1
                at += generator.randrange(5000, 40_000)
                file.writelines(answer(answers, at, session, folder, generator, said))
            left -= file.tell()
    return answers


def counted(paths: Iterable[Path]) -> dict[str, int]:
    """Sum up tokens by the documented rule: each pair of message and request once, as the line says that comes last."""
    latest: dict[tuple[str, str], dict[str, Any]] = {}
    for path in paths:
        for each in path.read_bytes().splitlines():
            entry = json.loads(each)
            if entry.get("type") == "assistant" and "usage" in entry["message"]:
                latest[entry["message"]["id"], entry.get("requestId", "")] = entry["message"]["usage"]
    return {"messages": len(latest)} | {kind: sum(usage.get(kind, 0) for usage in latest.values()) for kind in _KINDS}
