"""Scanning much transcript text at once gives what reading line by line gives."""

from __future__ import annotations

import json
import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from controlroom.metering.scan import WHOLE_LIMIT, scan
from controlroom.metering.usage import Damaged, Message, messages_of
from tests.lab.transcripts import answer, line

SESSION = "11111111-2222-4333-8444-555555555555"
USAGE = {"input_tokens": 3, "output_tokens": 20}


def scanned(data: bytes) -> list[Message | None]:
    return list(scan(data, len(data)))


def read(data: bytes) -> dict[tuple[str, str], Message]:
    """What each message has used, line by line."""
    known = {}
    for each in data.split(b"\n"):
        known.update({message.key: message for message in messages_of(each)})
    return known


def said(content: Any, **more: Any) -> bytes:
    message = {"model": "claude-opus-5-5", "id": "msg_1", "role": "assistant", "content": content, "stop_reason": None}
    return line(0, SESSION, "/src", message=message | {"usage": USAGE} | more, requestId="req_1", type="assistant")


@given(st.randoms(use_true_random=False), st.integers(1, 6))
def test_what_is_scanned_is_what_is_read(generator: random.Random, answers: int) -> None:
    words = "said " * 2000
    data = b"".join(part for n in range(answers) for part in answer(n, 0, SESSION, "/src", generator, words))
    found = scanned(data)
    assert {message.key: message for message in found if message} == read(data)
    assert len(found) == answers, "the blocks of an answer are one"


def test_nothing_that_is_said_is_taken_for_what_was_used() -> None:
    fake = {"usage": {"output_tokens": 10**6}, "content": [1], "stop_reason": "x", "uuid": "y"}
    contents: tuple[Any, ...] = ([{"input": fake}], [{"input": [fake, [fake]]}], [json.dumps(fake)], [], [[[]]], "text")
    for content in contents:
        assert [message and message.usage.output for message in scanned(said(content))] == [20]
    beside = json.loads(said([{"text": "x"}]))
    whole = json.dumps(beside | {"result": {"content": [1], "stop_reason": "x"}}, separators=(",", ":")).encode()
    assert [message and message.usage.output for message in scanned(whole)] == [20]
    user = line(0, SESSION, "/src", type="user", message={"role": "user", "content": []}, toolUseResult=fake)
    assert scanned(user) == []


def test_a_line_that_was_cut_off_or_lies_is_damage_and_the_next_one_counts() -> None:
    good = said([{"text": "x"}])
    for bad in (good[:-40] + b"\n", good.replace(b":20", b":NaN"), good.replace(b'"id":"msg_1"', b'"id":7')):
        assert [message and message.id for message in scanned(bad + good)] == [None, "msg_1"]
    assert scanned(b'{"type":"assistant","usage":' + b"[" * 100_000 + b"\n") == [None]
    assert scanned(b'"usage" "assistant"' + b"x" * WHOLE_LIMIT + b"\n") == [None]


def test_an_interrupted_answer_is_estimated_by_what_it_said() -> None:
    entry = json.loads(said([{"type": "text", "text": "x" * 300}]))
    cut_off = json.dumps(entry | {"isAbortedMidStream": True}, separators=(",", ":")).encode()
    (message,) = scanned(cut_off)
    assert message == next(messages_of(cut_off))
    assert message.estimated


@given(st.binary(max_size=200), st.integers(0, 300))
def test_no_bytes_harm_it(noise: bytes, place: int) -> None:
    data = said([{"text": "x"}])
    broken = data[:place] + noise + data[place:]
    try:
        expected: list[Message | None] = [one for each in broken.split(b"\n") for one in messages_of(each)]
    except Damaged:
        return
    assert [message for message in scanned(broken) if message] == expected
