"""Dataclasses to JSON and back: every field is checked, newer and older ends understand each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.wire.codec import MAX_INT, decode, encode
from controlroom.wire.lines import PeerError, from_line, to_line


class Colour(str, Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Inner:
    number: int
    text: str = ""


class Pair(NamedTuple):
    left: int
    right: tuple[Inner, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Outer:
    flag: bool
    share: float
    colour: Colour
    inner: Inner
    perhaps: int | None = None
    maybe: Inner | None = None
    many: tuple[Inner, ...] = ()
    words: dict[str, str] = field(default_factory=dict)
    counts: tuple[tuple[int, ...], ...] = ()
    pairs: tuple[Pair, ...] = ()


INTS = st.integers(-MAX_INT, MAX_INT)
INNER = st.builds(Inner, INTS, st.text())
OUTER = st.builds(
    Outer,
    st.booleans(),
    st.floats(-(10.0**9), 10.0**9),
    st.sampled_from(Colour),
    INNER,
    st.none() | INTS,
    st.none() | INNER,
    st.lists(INNER, max_size=3).map(tuple),
    st.dictionaries(st.text(), st.text(), max_size=3),
    st.lists(st.lists(INTS, max_size=3).map(tuple), max_size=3).map(tuple),
    st.lists(st.builds(Pair, INTS, st.lists(INNER, max_size=2).map(tuple), st.text()), max_size=2).map(tuple),
)
SOUND: dict[str, Any] = {"flag": True, "share": 1.5, "colour": "red", "inner": {"number": 1}}


@given(OUTER)
def test_whatever_is_sent_arrives(value: Outer) -> None:
    assert decode(Outer, from_line(to_line(encode(value))[:-1])) == value


def test_defaults_are_left_out_and_filled_in() -> None:
    value = Outer(True, 1.5, Colour.RED, Inner(1))
    assert encode(value) == {**SOUND, "words": {}}
    assert decode(Outer, SOUND) == value


def test_what_a_newer_end_says_more_is_ignored() -> None:
    assert decode(Inner, {"number": 1, "new": [1, {}]}) == Inner(1)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"flag": 1}, "Outer: flag: expected true or false"),
        ({"flag": None}, "flag: expected true or false"),
        ({"share": "1"}, "share: expected a number"),
        ({"share": True}, "share: expected a number"),
        ({"share": float("nan")}, "share: expected a number"),
        ({"share": float("inf")}, "share: expected a number"),
        ({"share": 10**400}, "share: expected a number"),
        ({"colour": "green"}, "colour: 'green' is not a valid Colour"),
        ({"colour": ["red"]}, "colour: "),
        ({"inner": 1}, "inner: expected an object"),
        ({"inner": {}}, "inner: "),
        ({"inner": {"number": 1.0}}, "inner: number: expected a whole number"),
        ({"inner": {"number": True}}, "inner: number: expected a whole number"),
        ({"inner": {"number": MAX_INT + 1}}, "inner: number: expected a whole number in range"),
        ({"inner": {"number": 1, "text": b"x"}}, "inner: text: expected text"),
        ({"perhaps": "x"}, "perhaps: expected a whole number"),
        ({"many": {}}, "many: expected a list"),
        ({"many": [{"number": 1}, 2]}, "many: expected an object"),
        ({"words": {"a": 1}}, "words: expected text"),
        ({"words": {1: "a"}}, "words: expected an object with text keys"),
        ({"counts": [[1], ["x"]]}, "counts: expected a whole number"),
    ],
)
def test_a_field_that_does_not_fit_is_named(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(PeerError) as refused:
        decode(Outer, {**SOUND, **change})
    assert problem in str(refused.value)


@pytest.mark.parametrize("missing", ["flag", "share", "colour", "inner"])
def test_a_field_without_a_default_must_be_there(missing: str) -> None:
    with pytest.raises(PeerError, match=missing):
        decode(Outer, {name: value for name, value in SOUND.items() if name != missing})


@pytest.mark.parametrize("value", [None, 1, "x", [], [SOUND]])
def test_only_an_object_is_a_dataclass(value: object) -> None:
    with pytest.raises(PeerError, match="expected an object"):
        decode(Outer, value)


def test_a_type_it_does_not_know_is_a_fault_of_ours() -> None:
    with pytest.raises(PeerError, match="cannot read"):
        decode(set, [])
