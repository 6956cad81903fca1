"""Asking a Claude at work what its session has cost: more than its transcript holds, and before its turn ends.

Claude Code 2.1.330, observed: the control request `get_usage` is answered at once, in a turn and before the first
message; `session.total_cost_usd` is the session's total, which a resumed one goes on from. With a key it asks nobody.
Read by the runner, which must stay small.
"""

import json
from typing import Any

from controlroom.metering.usage_file import pico_of
from controlroom.text.json_fields import table, text

_PREFIX = "usage-"


def line(number: int) -> bytes:
    """Give the question of this number."""
    request = {"type": "control_request", "request_id": f"{_PREFIX}{number}", "request": {"subtype": "get_usage"}}
    return json.dumps(request).encode() + b"\n"


def is_answer(event: dict[str, Any]) -> bool:
    """Say whether an event answers such a question, whatever it says."""
    if event.get("type") != "control_response":
        return False
    return text(table(event.get("response")).get("request_id"), 100).startswith(_PREFIX)


def answer(event: dict[str, Any]) -> tuple[int, int] | None:
    """Give the question's number and the session's total in pico-dollars; None: this event does not tell it."""
    if not is_answer(event):
        return None
    response = table(event.get("response"))
    number = text(response.get("request_id"), 100).removeprefix(_PREFIX)
    pico = pico_of(table(table(response.get("response")).get("session")).get("total_cost_usd"))
    return (int(number), pico) if number.isdecimal() and pico is not None else None
