"""What has happened since somebody last looked, in a few words."""

from collections import Counter
from dataclasses import dataclass

from controlroom.domain.model import Fleet, State
from controlroom.domain.money.costs import BILLED
from controlroom.domain.words import dollars

AWAY = 5 * 60_000
"""Milliseconds without a key after which somebody who comes back wants to know what has happened."""

_TOLD = {State.DONE: "done", State.FAILED: "failed", State.PAUSED: "paused"}


@dataclass(frozen=True)
class Look:
    """A moment at which somebody looked: UTC milliseconds, and the micro-dollars that all agents had cost by then."""

    at: int
    billed: int = 0
    covered: int = 0


def look(fleet: Fleet, now: int) -> Look:
    """Take note of this moment."""
    spent = [(agent.billing == BILLED, agent.spent or 0) for agent in fleet.agents.values()]
    return Look(
        now, sum(micro for billed, micro in spent if billed), sum(micro for billed, micro in spent if not billed)
    )


def happened(fleet: Fleet, before: Look, now: int) -> str:
    """Say what has happened since: `3 done, 1 failed, +$21.40`; nothing when nothing has."""
    ended = Counter(
        agent.state
        for agent in fleet.agents.values()
        if agent.state in _TOLD and max(agent.ended, agent.since) > before.at and not agent.adopted
    )
    parts = [f"{ended[state]} {word}" for state, word in _TOLD.items() if ended[state]]
    here = look(fleet, now)
    if here.billed > before.billed:
        parts.append(f"+{dollars(here.billed - before.billed)}")
    if here.covered > before.covered:
        parts.append(f"+≈{dollars(here.covered - before.covered)}")
    return ", ".join(parts)
