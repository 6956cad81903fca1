"""Many logs as one: what is seen of it, and how it is written down."""

from __future__ import annotations

import pytest

from controlroom.domain.display.loglines import LogLine, hit_line
from controlroom.domain.display.timeline import Moment, Sieve, exported, wish_of
from controlroom.domain.model import LogPlace
from tests.domain.worlds import NOON


def moment(text: str, agent: str = "vm1/api-3", kind: str = "out", at: int = NOON) -> Moment:
    return Moment(at, agent, 1, 0, hit_line(at, kind, text), LogPlace(1, 1, 0))


ALL = [
    moment("3 tests failed", kind="error"),
    moment("pytest -q", kind="tool"),
    moment("Timeout in orders", "vm2/web-2"),
    moment("all is well", "vm2/api-9", "say"),
]


@pytest.mark.parametrize(
    ("typed", "seen"),
    [
        ("", [0, 1, 2, 3]),
        ("TEST", [0, 1]),
        ("agent:api", [0, 1, 3]),
        ("agent:api,web host:vm2", [2, 3]),
        ("level:error", [0]),
        ("level:tool,say", [1, 3]),
        ("host:vm1 failed", [0]),
        ("re:^[0-9]+ tests", [0]),
        ("host:vm2 re:timeout|well", [2, 3]),
        ("mark:orders", [0, 1, 2, 3]),
        ("level:nonsense", [0, 1, 2, 3]),
        ("re:(", [0, 1, 2, 3]),
        ("no such words", []),
    ],
)
def test_what_is_seen(typed: str, seen: list[int]) -> None:
    sieve = Sieve(wish_of(typed))
    assert [index for index, one in enumerate(ALL) if sieve.keeps(one)] == seen


def test_what_cannot_be_understood_is_said() -> None:
    assert wish_of("level:nonsense").problem.startswith("there is no level nonsense: use error")
    assert wish_of("re:(").problem.startswith("the expression does not fit")
    assert wish_of("re:" + "a" * 300).problem == "an expression has at most 200 characters"


def test_what_is_marked() -> None:
    assert wish_of("mark:orders timeout").marks == ("orders", "timeout")
    assert wish_of("re:time.*").marks == ()


def test_a_line_of_a_file() -> None:
    one = Moment(NOON + 7, "vm1/a", 1, 0, LogLine(NOON, "out", hit_line(NOON, "out", "x\ty").spans))
    assert exported(one).startswith("2026-11-22T12:00:00.007Z\tvm1/a\tout\tx")
