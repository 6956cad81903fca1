"""How a subagent's transcript ends says whether it is at work. Shapes: Claude Code 2.1.330, observed."""

from __future__ import annotations

import json

import pytest

from controlroom.runner.claude.transcripts import last_work
from tests.runner.usage import CALLS, DONE, PARENT, PROMPT, RESULT, STOPPED, said

FAILED = said("assistant", {"type": "text", "text": "API Error: 400"}, stop="stop_sequence", isApiErrorMessage=True)
CUT_OFF = said("assistant", {"type": "text", "text": "I ha"}, isAbortedMidStream=True)
FULL = said("assistant", {"type": "text", "text": "I have"}, stop="max_tokens")
AGAIN = said("user", {"type": "text", "text": "Output token limit hit. Resume directly"}, isMeta=True)
ASKED = json.dumps({"type": "api-request", "id": "r", "params": {"role": "user"}}).encode() + b"\n"


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
