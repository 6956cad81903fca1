"""How a subagent's transcript ends says whether it is at work. Shapes: Claude Code 2.1.330, observed."""

from __future__ import annotations

import json

import pytest

from controlroom.runner.claude.transcripts import last_work


def said(kind: str, *content: dict[str, object], stop: str | None = None, **more: object) -> bytes:
    """A line of a subagent's transcript."""
    message = {"role": kind, "content": list(content), "stop_reason": stop}
    entry = {"isSidechain": True, "agentId": "a9f4419a01a8fdac0", "type": kind, "message": message, **more}
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"


PROMPT = said("user", message={"role": "user", "content": "look at the user's files"})
CALLS = said("assistant", {"type": "tool_use", "name": "Read"}, stop="tool_use")
RESULT = said("user", {"type": "tool_result", "content": "[Request interrupted by user"})
DONE = said("assistant", {"type": "text", "text": "I have looked"}, stop="end_turn")
FAILED = said("assistant", {"type": "text", "text": "API Error: 400"}, stop="stop_sequence", isApiErrorMessage=True)
STOPPED = said("user", {"type": "text", "text": "[Request interrupted by user for tool use]"})
CUT_OFF = said("assistant", {"type": "text", "text": "I ha"}, isAbortedMidStream=True)
FULL = said("assistant", {"type": "text", "text": "I have"}, stop="max_tokens")
AGAIN = said("user", {"type": "text", "text": "Output token limit hit. Resume directly"}, isMeta=True)
ASKED = json.dumps({"type": "api-request", "id": "r", "params": {"role": "user"}}).encode() + b"\n"
PARENT = said("assistant", {"type": "text", "text": "all seen"}, stop="end_turn", isSidechain=False)


@pytest.mark.parametrize(
    ("lines", "works"),
    [
        ([], None),
        ([ASKED], None),
        ([PROMPT], True),
        ([PROMPT, ASKED], True),
        ([PROMPT, CALLS], True),
        ([PROMPT, CALLS, RESULT], True),
        ([PROMPT, CALLS, RESULT, DONE], False),
        ([DONE, ASKED, ASKED], False),
        ([DONE, PROMPT], True),
        ([PROMPT, FAILED], False),
        ([CALLS, STOPPED], False),
        ([CUT_OFF], True),
        ([CUT_OFF, STOPPED], False),
        ([FULL, AGAIN], True),
        ([FULL, AGAIN, FULL, FAILED], False),
        ([PARENT], False),
        ([PROMPT, PARENT], False),
    ],
)
def test_its_last_line_says_so(lines: list[bytes], works: bool | None) -> None:
    assert last_work(b"".join(lines))[0] is works


@pytest.mark.parametrize(
    "damaged",
    [
        CALLS[:-20] + b"\n",
        b'"user" {' + b"[" * 100_000 + b"\n",
        b'{"type":"assistant","isSidechain":true}\n',
        b'{"type":"assistant","isSidechain":true,"message":{"stop_reason":7}}\n',
        b'{"type":"user","isSidechain":true,"message":{"content":[7,{"text":NaN}]}}\n',
    ],
)
def test_what_cannot_be_read_is_work_that_goes_on(damaged: bytes) -> None:
    assert last_work(DONE + damaged)[0] is True
    assert last_work(damaged + DONE)[0] is False


@pytest.mark.parametrize("odd", [b'["user"]\n', b'{"type":["user"],"isSidechain":true}\n', b'"user"\n'])
def test_what_nobody_said_tells_nothing(odd: bytes) -> None:
    assert last_work(odd)[0] is None
    assert last_work(PROMPT + odd)[0] is True
