"""A request that was under way at the end: estimated once, and only when nothing settled it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from controlroom.metering.usage import Message, Usage
from controlroom.runner.claude.transcripts import in_flight

MODEL = "claude-opus-5-5"


def line(**entry: Any) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"


ASKED = line(type="api-request", id="req-ref-1", timestamp="2026-11-22T05:00:00Z", params={"model": MODEL})
ANSWER = line(type="assistant", message={"id": "m", "model": MODEL, "usage": {"input_tokens": 3, "output_tokens": 7}})
PROMPT = line(parentUuid=None, type="user", message={"content": "x" * 4000}, uuid="u", toolUseResult="x" * 999)
PROMPT += line(parentUuid="p", attachment={"type": "prompt_snapshot", "tools": "x" * 9000}, type="attachment")
SHAPE = line(type="api-request-shape", tools="x" * 40_000)
PEACE = line(type="last-prompt") + line(type="cost-state", totalCostUSD=0.5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "session.jsonl"


def estimate(path: Path, *lines: bytes) -> Message | None:
    path.write_bytes(b"".join(lines))
    return in_flight(str(path))


def test_the_first_request_is_all_that_stands_before_it(path: Path) -> None:
    found = estimate(path, PROMPT, SHAPE, ASKED)
    assert found is not None
    assert found._replace(usage=Usage()) == Message("req-ref-1", "", 1_795_323_600_000, MODEL, Usage(), estimated=True)
    assert 10_900 < found.usage.cache_write_5m == found.usage.prompt < 11_100


@pytest.mark.parametrize("end", [b"", PEACE])
def test_a_later_one_finds_the_one_before_in_the_cache(path: Path, end: bytes) -> None:
    found = estimate(path, SHAPE, ANSWER, PROMPT, ASKED, end)
    assert found is not None
    assert found.usage.cache_read == 10
    assert 1000 < found.usage.cache_write_5m < 1050


@pytest.mark.parametrize(
    "after",
    [
        ANSWER,
        line(type="assistant", isApiErrorMessage=True, message={"model": "<synthetic>"}),
        line(parentUuid="p", type="user", message={"content": [{"text": "[Request interrupted by user]"}]}),
        line(parentUuid="p", type="system", subtype="api_error", error={"status": 529}),
    ],
    ids=["answered", "failed", "interrupted", "refused"],
)
def test_what_was_settled_is_none(path: Path, after: bytes) -> None:
    assert estimate(path, PROMPT, ASKED, after, PEACE) is None
    assert estimate(path, PROMPT, after, ASKED) is not None


@pytest.mark.parametrize(
    "said",
    [
        b"",
        PROMPT,
        ASKED[:-1],
        b'{"type":"api-request",' + b"[" * 100_000 + b"\n",
        line(type="api-request", id=7, params={"model": MODEL}),
        line(type="api-request", id="a", params=[]),
        line(type="api-request-shape", id="a", params={"model": MODEL}),
    ],
)
def test_what_cannot_be_read_is_none(path: Path, said: bytes) -> None:
    assert estimate(path, said) is None


def test_only_the_end_of_a_long_transcript_is_looked_at(path: Path) -> None:
    with open(path, "wb") as file:
        file.truncate(2**40)
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + ANSWER + PROMPT + ASKED)
    found = in_flight(str(path))
    assert found is not None
    assert found.usage.cache_read == 10


@pytest.mark.parametrize("kind", ["fifo", "symlink", "folder", "nothing"])
def test_what_is_no_transcript_has_no_end(path: Path, tmp_path: Path, kind: str) -> None:
    (tmp_path / "elsewhere").write_bytes(ASKED)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "symlink":
        path.symlink_to(tmp_path / "elsewhere")
    elif kind == "folder":
        path.mkdir()
    assert in_flight(str(path)) is None
