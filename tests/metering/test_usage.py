"""Reading usage out of transcripts: what counts, what does not, and what is damaged."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.metering.usage import Damaged, Message, Usage, message_of, messages_of
from controlroom.metering.usage_file import LONGEST, MOST_REPORTED, Record, Refusal, Report, from_line, to_line


def line(usage: Any = None, **more: Any) -> bytes:
    """A transcript line as Claude Code writes one."""
    message = {"id": "msg_1", "model": "claude-opus-5-5", "usage": usage if usage is not None else {"input_tokens": 3}}
    message |= more.pop("message", {})
    entry = {"type": "assistant", "requestId": "req_1", "timestamp": "2026-11-22T05:00:00.250Z", "message": message}
    return json.dumps(entry | more).encode()


def test_a_message_is_counted_by_price_class() -> None:
    usage = {
        "input_tokens": 3,
        "output_tokens": 20,
        "cache_read_input_tokens": 700,
        "cache_creation_input_tokens": 12_227,
        "cache_creation": {"ephemeral_5m_input_tokens": 12_000, "ephemeral_1h_input_tokens": 227},
        "server_tool_use": {"web_search_requests": 2},
        "speed": "fast",
        "inference_geo": "us",
        "service_tier": "standard",
    }
    counted = message_of(line(usage))
    assert counted == Message(
        "msg_1", "req_1", 1_795_323_600_250, "claude-opus-5-5", Usage(3, 20, 12_000, 227, 700, 2), fast=True, us=True
    )
    assert counted.usage.prompt == 3 + 700 + 12_000 + 227


def test_what_an_advisor_said_is_a_message_of_its_own_at_its_models_price() -> None:
    """The numbers of the message itself do not hold it, those of a compaction are its own."""
    advice = {"type": "advisor_message", "model": "claude-mythos-5", "input_tokens": 9_000, "output_tokens": 700}
    parts = [{"type": "message", "input_tokens": 3, "output_tokens": 20}, advice, {"type": "compaction"}]
    usage = {"input_tokens": 3, "output_tokens": 20, "speed": "fast", "iterations": parts}
    (message, advisor) = messages_of(line(usage))
    assert (message.id, message.model, message.usage) == ("msg_1", "claude-opus-5-5", Usage(3, 20))
    assert (advisor.model, advisor.usage, advisor.at, advisor.fast) == (
        "claude-mythos-5",
        Usage(9_000, 700),
        message.at,
        False,
    )
    assert advisor.key not in (message.key, ("", ""))
    assert from_line(to_line(advisor).rstrip()) == advisor
    unnamed = list(messages_of(line(usage, message={"id": "x" * 200})))
    assert len({one.key for one in unnamed}) == 2
    assert all(len(one.id) <= 200 for one in unnamed)
    assert len({one.key for one in messages_of(line(usage, message={"id": None}))}) == 2


@pytest.mark.parametrize("parts", [None, 3, "x", [None, 3, {}, {"type": ["advisor_message"]}]])
def test_iterations_that_are_none_are_no_messages(parts: object) -> None:
    assert len(list(messages_of(line({"input_tokens": 3, "iterations": parts})))) == 1


def test_damage_in_what_an_advisor_used_takes_no_message_away() -> None:
    read = messages_of(line({"input_tokens": 3, "iterations": [{"type": "advisor_message", "model": ""}]}))
    assert next(read).usage == Usage(3)
    with pytest.raises(Damaged, match="model"):
        next(read)


def test_an_older_writer_gives_only_the_sum_of_what_it_cached() -> None:
    counted = message_of(line({"input_tokens": 1, "cache_creation_input_tokens": 50}))
    assert counted is not None
    assert counted.usage == Usage(1, 0, 50)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b'{"type":"user","message":{"content":"hello"}}',
        b'{"type":"user","message":{"content":"\\"usage\\""}}',
        line(message={"model": "<synthetic>"}),
        line(type="user"),
        line(message={"usage": "none"}),
        b'["usage"]',
    ],
    ids=["empty", "user", "user-speaks-of-usage", "synthetic", "not-an-answer", "no-usage", "a-list"],
)
def test_what_is_no_answer_is_not_counted(said: bytes) -> None:
    assert message_of(said) is None


@pytest.mark.parametrize(
    ("said", "word"),
    [
        (line({"input_tokens": -1}), "input_tokens"),
        (line({"input_tokens": True}), "input_tokens"),
        (line({"output_tokens": 1.5}), "output_tokens"),
        (line({"output_tokens": 10**30}), "output_tokens"),
        (line({"cache_creation": {"ephemeral_5m_input_tokens": "9"}}), "ephemeral_5m"),
        (line(message={"id": ""}, requestId=""), "neither a message nor a request"),
        (line(message={"id": 5}), "id is"),
        (line(message={"id": "x" * 300}), "id is"),
        (line(message={"model": None}), "model is None"),
        (line().replace(b"3", b"NaN"), "NaN"),
        (line()[:-3], "delimiter"),
        (b'{"usage":' + b"[" * 200_000, "recursion"),
    ],
)
def test_a_line_that_cannot_be_counted_says_why(said: bytes, word: str) -> None:
    with pytest.raises(Damaged, match=word):
        message_of(said)


@pytest.mark.parametrize("timestamp", [None, 5, "yesterday", "0001-01-01T00:00:00Z", "9" * 50])
def test_a_time_that_cannot_be_read_is_not_known(timestamp: object) -> None:
    counted = message_of(line(timestamp=timestamp))
    assert counted is not None
    assert counted.at == 0


def test_a_request_id_may_be_missing() -> None:
    counted = message_of(line(requestId=None))
    assert counted is not None
    assert counted.key == ("msg_1", "")


def test_a_message_is_the_same_under_another_request() -> None:
    one, other = message_of(line()), message_of(line(requestId="req_2"))
    assert one
    assert other
    assert one.key == other.key


@pytest.mark.parametrize(
    ("whole", "split", "written"),
    [
        (100_000, {}, (100_000, 0)),
        (100_000, {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}, (100_000, 0)),
        (100_000, {"ephemeral_5m_input_tokens": 60_000}, (100_000, 0)),
        (100_000, {"ephemeral_1h_input_tokens": 60_000}, (40_000, 60_000)),
        (100_000, {"ephemeral_5m_input_tokens": 30_000, "ephemeral_1h_input_tokens": 60_000}, (40_000, 60_000)),
        (100_000, {"ephemeral_5m_input_tokens": None, "ephemeral_1h_input_tokens": None}, (100_000, 0)),
        (100_000, None, (100_000, 0)),
        (0, {"ephemeral_5m_input_tokens": 70, "ephemeral_1h_input_tokens": 30}, (70, 30)),
        (None, {"ephemeral_5m_input_tokens": 70}, (70, 0)),
    ],
)
def test_all_that_was_written_to_the_cache_counts_however_it_is_split(
    whole: int | None, split: dict[str, int] | None, written: tuple[int, int]
) -> None:
    counted = message_of(line({"cache_creation_input_tokens": whole, "cache_creation": split}))
    assert counted
    assert (counted.usage.cache_write_5m, counted.usage.cache_write_1h) == written


@pytest.mark.parametrize("ident", [{"id": None}, {"id": ""}, {}])
@pytest.mark.parametrize(
    ("named", "request_id"),
    [
        ({"requestId": "req_9", "requestRef": "ref", "uuid": "u"}, "req_9"),
        ({"requestId": None, "requestRef": "ref", "uuid": "u"}, "ref"),
        ({"requestId": "", "uuid": "u"}, "u"),
    ],
)
def test_a_message_without_an_id_is_named_by_its_request_or_its_line(
    ident: dict[str, Any], named: dict[str, Any], request_id: str
) -> None:
    entry = json.loads(line(**named))
    del entry["message"]["id"]
    entry["message"] |= ident
    counted = message_of(json.dumps(entry).encode())
    assert counted
    assert (counted.id, counted.key) == ("", ("", request_id))
    assert from_line(to_line(counted)[:-1]) == counted


def test_of_an_answer_that_only_its_lines_name_one_line_counts() -> None:
    said = [line(message={"id": None}, requestId=None, uuid=f"u{index}", apiBlockIndex=index) for index in (0, 1, 2)]
    assert [counted is not None for counted in map(message_of, said)] == [True, False, False]


@given(st.binary(max_size=300), st.integers(0, 300))
def test_no_bytes_make_it_fail_in_another_way(noise: bytes, place: int) -> None:
    whole = line({"input_tokens": 3, "output_tokens": 9})
    for said in (noise, whole[:place] + noise + whole[place:], noise + b'"usage"'):
        try:
            counted = message_of(said)
        except Damaged:
            continue
        assert counted is None or all(count >= 0 for count in counted.usage)


messages = st.builds(
    Message,
    st.text(min_size=1, max_size=50),
    st.text(max_size=50),
    st.integers(0, 2**53),
    st.text(min_size=1, max_size=50),
    st.builds(Usage, *[st.integers(0, 10**6)] * 6),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from(("", "0123456789abcde")),
    st.integers(0, LONGEST),
)
refusals = st.builds(Refusal, st.text(max_size=50), st.integers(0, 999), st.integers(0, 2**53))
reports = st.builds(Report, st.just("f" * 15), st.integers(0, MOST_REPORTED), st.integers(0, 2**53))


@given(messages | reports | refusals)
def test_a_runners_line_is_read_as_it_was_written(record: Record) -> None:
    written = to_line(record)
    assert written.count(b"\n") == 1
    assert from_line(written[:-1]) == record


def test_lines_of_earlier_runners_are_read() -> None:
    said = b'{"format":1,"id":"m","request":"r","at":1,"model":"x","counts":[1,2,3,4,5,6],"flags":["us"]}'
    assert from_line(said) == Message("m", "r", 1, "x", Usage(1, 2, 3, 4, 5, 6), us=True)


def test_a_message_that_was_cut_off_is_estimated_from_what_it_has_said() -> None:
    said = [{"type": "text", "text": "x" * 100}, {"type": "thinking", "thinking": "y" * 102}, "z", {"text": 7}]
    cut = line({"input_tokens": 3, "output_tokens": 1}, message={"content": said}, isAbortedMidStream=True)
    counted = message_of(cut)
    assert counted is not None
    assert (counted.estimated, counted.usage) == (True, Usage(3, 67))


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"[]",
        b"{}",
        b"7",
        b"[" * 100_000,
        to_line(Message("m", "r", 1, "x", Usage())).replace(b'"format":2', b'"format":9'),
        to_line(Message("m", "r", 1, "x", Usage(), run="0" * 15)).replace(b'"run":"0', b'"run":"x'),
        to_line(Report("0" * 15, 5, 1)).replace(b'"reported":5', b'"reported":-5'),
        to_line(Report("0" * 15, 5, 1)).replace(b'"reported":5', b'"reported":NaN'),
        to_line(Report("0" * 15, 5, 1)).replace(b'"reported":5', b'"reported":1e99'),
        to_line(Report("0" * 15, 5, 1)).replace(b'"run":', b'"ran":'),
        to_line(Message("m", "r", 1, "x", Usage())).replace(b'"at":1', b'"at":NaN'),
        to_line(Message("m", "r", 1, "x", Usage())).replace(b"[0,", b"[-1,", 1),
        to_line(Message("m", "r", 1, "x", Usage())).replace(b"[0,", b"[", 1).replace(b'"m"', b'""'),
        to_line(Message("m", "r", 1, "x", Usage())).replace(b"[0,", b"[0,0,0,", 1),
    ],
)
def test_a_runners_line_that_is_damaged_is_not_counted(said: bytes) -> None:
    with pytest.raises(Damaged):
        from_line(said)


def test_lines_of_usage_tell_how_long_an_answer_took_and_what_was_refused() -> None:
    message = Message("m", "r", 5, "opus", Usage(1, 2), took=4_200)
    assert from_line(to_line(message).rstrip()) == message
    assert from_line(to_line(Refusal("u1", 429, 5)).rstrip()) == Refusal("u1", 429, 5)
    written = json.loads(to_line(message))
    assert from_line(json.dumps({**written, "took": 10**12}).encode()) == message._replace(took=0)
    del written["took"]
    assert from_line(json.dumps(written).encode()) == message._replace(took=0)
