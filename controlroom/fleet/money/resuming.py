"""Agents that a budget has paused go on by themselves when there is money again, the most important first.

One that is paused again soon waits longer each time, so that what cannot go on does not cost a message every minute.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from controlroom.domain import intents
from controlroom.domain.model import Agent, Fleet, LinkState
from controlroom.domain.money.allotment import MONEY, Purse, Run
from controlroom.domain.money.holding import is_paused
from controlroom.fleet.errands import Errands
from controlroom.fleet.hosts.orders import Asked

TEXT = "Go on where you stopped: the budget allows it again."
"""What an agent is told."""

AT_ONCE = 3
"""Agents that are being resumed at the same time."""

SOON = 60_000
"""Milliseconds until one that was paused again may go on again; then twice that, and so on."""

LONGEST = 3_600_000

WELL = 600_000
"""Milliseconds that an agent must have run for its pause to be a new matter."""


class Room(Protocol):
    """What resuming needs of the engine."""

    clock: Callable[[], int]

    @property
    def fleet(self) -> Fleet:
        """The fleet as it is."""

    async def submit(self, intent: intents.Intent, who: str) -> Asked:
        """Do what is wanted."""


@dataclass
class _Tries:
    at: int = 0
    count: int = 0
    began: int = 0
    """When the youngest period had begun."""


class Resuming:
    """Resumes agents. All methods are called on the event loop."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._tries: dict[str, _Tries] = {}
        self._errands = Errands("resuming")

    @property
    def busy(self) -> bool:
        """Whether something is being done."""
        return len(self._errands) > 0

    def close(self) -> None:
        """Do nothing more."""
        self._errands.close()

    def forget(self) -> None:
        """The budgets are others: whoever was paused may try at once."""
        self._tries.clear()

    def look(self, purses: Iterable[Purse], free: Callable[[Purse], int], profiles: Callable[[Agent], Run]) -> None:
        """Resume who can go on; `free`: what a budget has left beyond what is granted."""
        fleet = self._room.fleet
        room = AT_ONCE - len(self._errands)
        room -= sum(1 for agent in fleet.agents.values() if agent.pending and agent.pending.verb == "resume")
        paused = [agent for agent in fleet.agents.values() if self._can(agent)]
        known = list(purses)
        for agent in sorted(paused, key=lambda agent: (-profiles(agent).priority, agent.ended, agent.id)):
            bound = [purse for purse in known if purse.holds(profiles(agent))]
            if room <= 0:
                return
            if self._is_time(agent, bound) and all(_allows(purse, free(purse), agent.id) for purse in bound):
                room -= 1
                self._errands.begin(self._resume(agent))

    def _can(self, agent: Agent) -> bool:
        host = self._room.fleet.hosts.get(agent.host)
        up = host is not None and host.link is LinkState.UP and (host.facts is None or host.facts.owned)
        ours = agent.ordered is not None
        return up and ours and is_paused(agent) and bool(agent.session) and agent.pending is None

    def _is_time(self, agent: Agent, bound: Iterable[Purse]) -> bool:
        now = self._room.clock()
        tries = self._tries.setdefault(agent.id, _Tries())
        began = max((purse.began for purse in bound), default=0)
        if began > tries.began or agent.ended - tries.at > WELL:
            tries.count, tries.began = 0, began
        if tries.count and 0 <= now - tries.at < min(LONGEST, SOON * 2 ** (tries.count - 1)):
            return False
        tries.at, tries.count = now, tries.count + 1
        return True

    async def _resume(self, agent: Agent) -> None:
        await self._room.submit(intents.ResumeAgent(agent.id, agent.epoch, TEXT), "budget")


def _allows(purse: Purse, free: int, agent: str) -> bool:
    """Say whether a budget has enough again: not a rest that is gone with the next message."""
    if purse.rule.unit not in MONEY:
        return purse.spent < purse.rule.stop
    return agent not in purse.cut and free >= purse.rule.enough
