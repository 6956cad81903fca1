"""The audit: who did what, as the ledger keeps it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class AuditLine:
    """Who did what to what, and what came of it. `at`: UTC milliseconds; `target`: an agent's id, or a host."""

    at: int
    who: str
    verb: str
    target: str
    epoch: int
    outcome: str
    reason: str
