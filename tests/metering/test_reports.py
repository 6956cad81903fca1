"""What Claude reports: exact, range-checked, and never what it is not."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.metering.usage_file import MOST_REPORTED, pico_of, result_costs, transcript_total

MICRO = 10**6


@given(st.integers(0, 10**11))
def test_dollars_are_read_to_the_last_micro_dollar(micro: int) -> None:
    said = json.loads(f"{micro // MICRO}.{micro % MICRO:06d}")
    pico = pico_of(said)
    assert pico is not None
    assert abs(pico - micro * MICRO) <= 10
    assert abs(Decimal(pico) - Decimal(repr(said)) * 10**12) <= 10


@pytest.mark.parametrize(
    "dollars",
    [None, True, "1", [], {}, -1, -0.01, float("nan"), float("inf"), -float("inf"), 1e300, 10**400, 100_001],
    ids=repr,
)
def test_what_is_no_money_that_can_be_is_none(dollars: Any) -> None:
    assert pico_of(dollars) is None


def test_the_most_is_money() -> None:
    assert pico_of(100_000) == MOST_REPORTED


def result(total: Any, **models: Any) -> dict[str, Any]:
    return {"type": "result", "total_cost_usd": total, "model_usage_since_last_result": models}


def test_a_result_tells_the_total_and_what_is_new() -> None:
    new = {"a": {"costUSD": 0.25, "inputTokens": 3}, "b": {"costUSD": 0.5}}
    assert result_costs(result(1.75, **new)) == (1_750_000 * MICRO, 750_000 * MICRO)
    assert result_costs(result(0)) == (0, 0)


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ({"type": "result", "total_cost_usd": 1}, (10**12, -1)),
        ({"total_cost_usd": 1, "model_usage_since_last_result": 7}, (10**12, -1)),
        (result(1, a=7), (10**12, -1)),
        (result(1, a={"costUSD": float("nan")}), (10**12, -1)),
        (result(float("nan"), a={"costUSD": 1}), None),
        (result("1"), None),
        ({"type": "result"}, None),
    ],
)
def test_a_result_that_tells_less_is_taken_for_what_it_is(said: Any, read: object) -> None:
    assert result_costs(said) == read


@pytest.mark.parametrize(
    ("line", "total"),
    [
        (b'{"type":"cost-state","sessionId":"x","totalCostUSD":0.5}', 5 * 10**11),
        (b'{"type":"cost-state","totalCostUSD":NaN}', None),
        (b'{"type":"cost-state","totalCostUSD":-3}', None),
        (b'{"type":"cost-state","totalCostUSD":' + b"9" * 5000 + b"}", None),
        (b'{"type":"cost-state"' + b"[" * 100_000, None),
        (b'{"type":"cost-state"}', None),
        (b'{"type":"user","text":"{\\"type\\":\\"cost-state\\",\\"totalCostUSD\\":0.5}"}', None),
        (b"", None),
    ],
)
def test_a_transcript_tells_its_total_in_lines_of_its_own(line: bytes, total: int | None) -> None:
    assert transcript_total(line) == total
