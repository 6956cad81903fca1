"""The line splitter and JSON of one line: any split gives the same lines, and nothing dangerous gets through."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.wire.lines import LineSplitter, PeerError, from_line, to_line

CUTS = st.lists(st.integers(0, 400), max_size=20)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def fed(splitter: LineSplitter, data: bytes, cuts: list[int]) -> list[bytes]:
    """Feed `data` cut at these places."""
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return [line for start, end in pairwise(places) for line in splitter.feed(data[start:end])]


@given(st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b""))), st.binary(max_size=9), CUTS)
def test_any_split_of_the_same_bytes_gives_the_same_lines(lines: list[bytes], rest: bytes, cuts: list[int]) -> None:
    rest = rest.replace(b"\n", b"")
    splitter = LineSplitter()
    assert fed(splitter, b"".join(line + b"\n" for line in lines) + rest, cuts) == lines
    assert splitter.feed(b"\n") == [rest]


def test_lines_end_at_newlines_only() -> None:
    assert LineSplitter().feed("a\r\u2028b\x85c\x1c\n".encode()) == ["a\r\u2028b\x85c\x1c".encode()]


@given(st.integers(0, 60), CUTS)
def test_a_line_may_be_as_long_as_the_limit_and_no_longer(length: int, cuts: list[int]) -> None:
    splitter = LineSplitter(30)
    data = b"x" * length + b"\n"
    if length <= 30:
        assert fed(splitter, data, cuts) == [data[:-1]]
    else:
        with pytest.raises(PeerError, match="longer than 30 bytes"):
            fed(splitter, data, cuts)


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory() -> None:
    splitter = LineSplitter(1000)
    for _ in range(10):
        splitter.feed(b"x" * 100)
    with pytest.raises(PeerError):
        splitter.feed(b"x")


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_any_object_comes_back_as_it_was(value: dict[str, Any]) -> None:
    line = to_line(value)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert from_line(line[:-1]) == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_is_not_written(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_line({"x": value})


@pytest.mark.parametrize(
    "line",
    [
        *(b"", b"{", b"[]", b"1", b"null", b'"text"', b"\xff\xfe", b'{"x":\x00}', b"{}{}"),
        *(b'{"x":NaN}', b'{"x":Infinity}', b'{"x":-Infinity}'),
        *(b'{"x":' + b"9" * 5000 + b"}", b"[" * 200_000, b'{"x":' * 100_000),
    ],
    ids=lambda line: repr(line[:20]),
)
def test_what_is_no_sound_object_is_refused(line: bytes) -> None:
    with pytest.raises(PeerError, match="not a JSON object"):
        from_line(line)


@given(st.binary(max_size=60))
def test_any_bytes_are_an_object_or_refused(line: bytes) -> None:
    with suppress(PeerError):
        assert from_line(line) == json.loads(line)
