"""What Claude itself says a session has cost: more than its transcripts hold, for titles and classifiers stand in none.

Claude Code 2.1.330, observed: a `result` event gives `total_cost_usd`, and the part of it that is new since the last
one by model; the transcript's `cost-state` line, written when Claude ends in peace, gives `totalCostUSD`. Both are
totals of the session: a resumed one goes on from its last `cost-state` (what a run that was killed has cost is lost to
it), and a fork from that of its parent. So what one run has cost is its total less what it began with.
"""

import json
from typing import Any, NamedTuple

from controlroom.metering.prices import DOLLAR
from controlroom.metering.usage import LINE_LIMIT
from controlroom.text.json_fields import table

MOST_REPORTED = 10**17
"""Pico-dollars that one run can have cost: 100,000 dollars. More is damage."""

_COST_STATE = b'{"type":"cost-state"'
_MOST_MODELS = 100


class Report(NamedTuple):
    """What Claude says one run of it has cost by now."""

    run: str
    """15 hexadecimal digits, drawn by lot: a process of Claude and a session in it."""
    pico: int
    """Pico-dollars, without what the session had cost before."""
    at: int
    """UTC milliseconds."""


def result_costs(event: dict[str, Any]) -> tuple[int, int] | None:
    """Give the session's total in a `result` event, and how much of it is new since the last one, in pico-dollars.

    None: it tells no total. An event that does not tell what is new (-1) comes from another version of Claude.
    """
    total = pico_of(event.get("total_cost_usd"))
    models = event.get("model_usage_since_last_result")
    if total is None or not isinstance(models, dict) or len(models) > _MOST_MODELS:
        return None if total is None else (total, -1)
    new = [pico_of(table(used).get("costUSD")) for used in models.values()]
    known = [pico for pico in new if pico is not None]
    return total, sum(known) if len(known) == len(new) else -1


def transcript_total(line: bytes) -> int | None:
    """Give the total in a `cost-state` line of a transcript, in pico-dollars; None: this line tells none."""
    if not line.startswith(_COST_STATE) or len(line) > LINE_LIMIT:
        return None
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return pico_of(entry.get("totalCostUSD")) if isinstance(entry, dict) else None


def pico_of(dollars: object) -> int | None:
    """Give dollars out of JSON as pico-dollars, rounded once; None for what is no sum of money that can be."""
    if isinstance(dollars, bool) or not isinstance(dollars, (int, float)):
        return None
    if not 0 <= dollars <= MOST_REPORTED // DOLLAR:  # NaN is not, either
        return None
    above, below = dollars.as_integer_ratio()
    return (2 * above * DOLLAR + below) // (2 * below)
