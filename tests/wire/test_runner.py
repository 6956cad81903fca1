"""What a node and a runner say to each other: typed records at both ends, and lines that older ones understand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.text.states import ItemAnswer, TellKind, Verdict
from controlroom.wire.lines import PeerError, to_line
from controlroom.wire.messages import Tell
from controlroom.wire.runner import (
    Answer,
    AskPlan,
    End,
    Interrupt,
    Message,
    Request,
    RunnerReply,
    Seal,
    TakeGrant,
    read_reply,
    read_request,
    reply_fields,
    request_fields,
)

ANSWER = (
    b'{"do":"answer","text":"t","nonce":"n","question":"q","verdict":"allow","digest":"d",'
    b'"answers":[{"choices":[1,3],"words":""},{"choices":[],"words":"w"}],"bound":"b","signature":"s"}'
)
WORDS = st.text(st.characters(exclude_categories=["Cs"]))
ANSWERS = st.lists(st.builds(ItemAnswer, st.lists(st.integers(0, 99)).map(tuple), WORDS), max_size=3).map(tuple)
SEALED = st.one_of(
    st.builds(Message, WORDS), st.just(Interrupt()), st.just(AskPlan()),
    st.builds(Answer, WORDS, st.sampled_from(Verdict), WORDS, WORDS, ANSWERS),
)  # fmt: skip
SEALS = st.builds(Seal, WORDS, WORDS, WORDS)


@given(SEALED, SEALS)
def test_what_home_orders_arrives_with_all_that_was_signed(request_: Any, seal: Seal) -> None:
    fields = request_fields(request_, seal)
    received = read_request(to_line(fields)[:-1])
    assert (type(received.request), received.request) == (type(request_), request_)
    assert received.fields == fields


@pytest.mark.parametrize("request_", [TakeGrant(7), End(), End("enough")])
def test_what_a_node_asks_by_itself_arrives(request_: TakeGrant | End) -> None:
    received = read_request(to_line(request_fields(request_))[:-1])
    assert (type(received.request), received.request) == (type(request_), request_)


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        (b'{"do":"message","text":"hi","nonce":"n","bound":"b","signature":"s"}', Message("hi")),
        (b'{"do":"interrupt","text":"","nonce":"n","bound":"b","signature":"s"}', Interrupt()),
        (b'{"do":"usage","text":"","nonce":"n","bound":"b","signature":"s"}', AskPlan()),
        (
            ANSWER,
            Answer("q", Verdict.ALLOW, "d", "t", (ItemAnswer((1, 3)), ItemAnswer((), "w"))),
        ),
        (b'{"do":"grant","number":3}', TakeGrant(3)),
        (b'{"do":"end","why":"killed by ann"}', End("killed by ann")),
    ],
)
def test_the_lines_are_those_that_runners_of_earlier_versions_read_and_nodes_wrote(
    line: bytes, request_: Request
) -> None:
    received = read_request(line)
    assert (type(received.request), received.request) == (type(request_), request_)
    seal = Seal("n", "b", "s")
    fields = request_fields(request_, seal)
    assert to_line(fields) == line + b"\n"


def test_an_order_of_home_is_the_request_that_its_runner_gets() -> None:
    tell = Tell(1, "a", 3, TellKind.ANSWER, "t", "q", Verdict.ALLOW, "d", (ItemAnswer((2,)),), "n", "s", "b")
    assert tell.request
    fields = request_fields(tell.request, tell.seal)
    assert fields == {**tell.signed_fields, "signature": "s"}
    assert read_request(to_line(fields)[:-1]).request == Answer("q", Verdict.ALLOW, "d", "t", (ItemAnswer((2,)),))
    assert Tell(1, "a", 3, TellKind.UNKNOWN).request is None


@pytest.mark.parametrize(
    "fields",
    [
        {"do": "message", "text": 1},
        {"do": "message", "text": None},
        {"do": "answer", "answers": {}},
        {"do": "answer", "answers": [1]},
        {"do": "answer", "answers": [{"choices": ["1"]}]},
        {"do": "answer", "answers": [{"choices": [True]}]},
        {"do": "answer", "answers": [{"words": 5}]},
        {"do": "answer", "question": ["q"]},
        {"do": "grant", "number": "3"},
        {"do": "grant", "number": 1.0},
        {"do": "end", "why": {}},
    ],
)
def test_a_field_of_another_type_is_refused_by_name(fields: dict[str, Any]) -> None:
    with pytest.raises(
        PeerError, match=r"the request does not fit: (text|answers?|choices?|words|question|number|why) is"
    ):
        read_request(to_line(fields)[:-1])


@pytest.mark.parametrize("fields", [{}, {"do": []}, {"do": None}, {"do": "dance"}])
def test_what_no_runner_does_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(PeerError, match="the runner does not know"):
        read_request(to_line(fields)[:-1])


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        (b'{"ok":true}', RunnerReply()),
        (b'{"ok":false,"reason":"it has ended"}', RunnerReply("it has ended")),
        (b'{"ok":false,"reason":"what?","unknown":true}', RunnerReply("what?", unknown=True)),
    ],
)
def test_replies_are_what_they_were(line: bytes, reply: RunnerReply) -> None:
    assert read_reply(line) == reply
    assert to_line(reply_fields(reply)) == line + b"\n"


@pytest.mark.parametrize("line", [b"{}", b'{"ok":false}', b'{"ok":1}', b'{"ok":"true","reason":""}'])
def test_a_reply_without_a_yes_is_a_no(line: bytes) -> None:
    assert not read_reply(line).done
