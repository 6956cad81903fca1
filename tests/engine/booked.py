"""Messages to book, and what they cost."""

from __future__ import annotations

from controlroom.engine.ledger.usage_tables import Booking, Source
from controlroom.metering.prices import Cost
from controlroom.metering.usage import Message, Usage
from controlroom.text.states import Payer

AT = 1_795_348_800_000

MICRO = 10**6

API = Source("vm1", "api-1", "work", "/project", Payer.API)


def booking(number: int, micro: int, model: str = "claude-opus-5-5", at: int = AT, priced: bool = True) -> Booking:
    message = Message(f"msg_{number}", f"req_{number}", at, model, Usage(5, 10, 1, 2, 12, 1))
    return Booking(message, Cost(micro * MICRO, priced), at)
