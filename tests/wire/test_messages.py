"""Every message there is goes over the wire and comes back; nothing else does."""

from __future__ import annotations

import typing
from enum import Enum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlroom.wire import messages
from controlroom.wire.lines import MAX_FRAME, MAX_TASK, PeerError
from controlroom.wire.messages import FromNode, LogChunk, Ping, Pong, Spawn, ToNode, pack, read_from_node, read_to_node
from controlroom.wire.spec import AgentSpec

SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(-(2**62), 2**62),
    float: st.floats(-1e15, 1e15),
    str: st.text(max_size=20),
    bool: st.booleans(),
    type(None): st.none(),
}

TO_NODE: tuple[type[Any], ...] = typing.get_args(ToNode)
FROM_NODE: tuple[type[Any], ...] = typing.get_args(FromNode)


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Whatever a field of this type may hold."""
    inner = typing.get_args(hint)
    if typing.get_origin(hint) is tuple:
        return st.lists(values(inner[0]), max_size=3).map(tuple)
    if typing.get_origin(hint) is dict:
        return st.dictionaries(values(str), values(inner[1]), max_size=3)
    if inner:
        return st.one_of([values(one) for one in inner])
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(list(hint))
    return SCALARS[hint] if hint in SCALARS else built(hint)


def built(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Messages of a kind with every field filled, defaults too."""
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{name: values(hint) for name, hint in hints.items()})


A_KIND = settings(max_examples=settings().max_examples // 4)
"""There are some eighty kinds of messages: fewer examples of each than of other things."""


@A_KIND
@given(st.data())
@pytest.mark.parametrize("kind", TO_NODE)
def test_whatever_home_says_arrives(kind: type[Any], data: st.DataObject) -> None:
    message = data.draw(built(kind))
    line = pack(message)
    assert line.count(b"\n") == 1
    assert read_to_node(line[:-1]) == message


@A_KIND
@given(st.data())
@pytest.mark.parametrize("kind", FROM_NODE)
def test_whatever_a_node_says_arrives(kind: type[Any], data: st.DataObject) -> None:
    message = data.draw(built(kind))
    assert read_from_node(pack(message)[:-1]) == message


@pytest.mark.parametrize("kind", [*TO_NODE, *FROM_NODE])
def test_every_kind_says_what_it_is_for_and_can_only_be_read(kind: type[Any]) -> None:
    assert kind.__doc__
    assert not kind.__doc__.startswith(f"{kind.__name__}(")
    assert kind.__dataclass_params__.frozen


def test_no_message_is_left_out_and_none_goes_both_ways() -> None:
    assert {kind.__name__ for kind in TO_NODE} == set(messages.TO_NODE)
    assert {kind.__name__ for kind in FROM_NODE} == set(messages.FROM_NODE)
    assert not set(TO_NODE) & set(FROM_NODE)


@pytest.mark.parametrize(
    "line", [b"{}", b'{"is":"Pong","number":1,"clock":1}', b'{"is":7}', b'{"is":null}', b'{"is":["Ping"]}']
)
def test_what_home_cannot_say_is_refused(line: bytes) -> None:
    with pytest.raises(PeerError, match="unknown message"):
        read_to_node(line)


@pytest.mark.parametrize("line", [b"{}", b'{"is":"Ping","number":1}', b'{"is":"AgentSeen"}', b'{"is":"__class__"}'])
def test_what_a_node_cannot_say_is_refused(line: bytes) -> None:
    with pytest.raises(PeerError, match="unknown message"):
        read_from_node(line)


def test_a_message_that_does_not_fit_is_named_with_its_field() -> None:
    with pytest.raises(PeerError, match="Spawn: spec: env: expected text"):
        read_to_node(b'{"is":"Spawn","id":1,"name":"a","epoch":1,"task":"","spec":{"env":{"A":1}}}')


@pytest.mark.parametrize("character", ["x", '"', "\n", "\x01", "é", "🎛", "\ud800"])
def test_the_longest_task_fits_into_a_line(character: str) -> None:
    """But for one of control characters alone, which takes six bytes for each."""
    task = character * (MAX_TASK // len(character.encode("utf-8", "surrogatepass")))
    line = pack(Spawn(1, "one", 1, AgentSpec(), task))
    if character != "\x01":
        assert len(line) <= MAX_FRAME
    message = read_to_node(line[:-1])
    assert isinstance(message, Spawn)
    assert message.task == task


def test_messages_are_small_on_the_wire() -> None:
    assert pack(Ping(7)) == b'{"is":"Ping","number":7}\n'
    assert pack(Pong(7, 5)) == b'{"is":"Pong","number":7,"clock":5}\n'
    assert b"skipped" not in pack(LogChunk("a", 1, 1, 0, "", 1, 0))
