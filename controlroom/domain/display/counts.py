"""How many agents are how, on each host: kept from one picture to the next, by what is different between them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from controlroom.domain.model import Agent, State
from controlroom.domain.tables import differing

How = tuple[State, bool, bool, bool]
"""The state of an agent, whether others started it, whether it has ended, and whether it asks for something."""


@dataclass(frozen=True)
class Counts:
    """Counts of some agents."""

    agents: Mapping[str, Agent] = field(default_factory=dict)
    on: Mapping[str, Mapping[How, int]] = field(default_factory=dict)
    """By host."""
    limited: frozenset[str] = frozenset()
    """Agents that met a limit, by id."""

    def after(self, agents: Mapping[str, Agent]) -> "Counts":
        """Count these, by way of what is different of them."""
        if agents is self.agents:
            return self
        changed = differing(self.agents, agents)
        pairs = [(key, self.agents.get(key), agents.get(key)) for key in changed]
        on: dict[str, Counter[How]] = {}
        for key, before, now in pairs:
            host = key.partition("/")[0]
            counter = on.setdefault(host, Counter(self.on.get(host, {})))
            if before is not None:
                counter[_how(before)] -= 1
            if now is not None:
                counter[_how(now)] += 1
        limited = {key for key, _, now in pairs if now is not None and now.state is State.LIMITED}
        same = not limited and self.limited.isdisjoint(changed)
        return Counts(agents, {**self.on, **on}, self.limited if same else (self.limited - changed) | limited)

    def live_on(self, host: str) -> int:
        """Count the agents of a host that have not ended."""
        return sum(number for (_, _, ended, _), number in self.on.get(host, {}).items() if not ended)

    def all_on(self, host: str) -> int:
        """Count the agents of a host."""
        return sum(self.on.get(host, {}).values())

    @property
    def questions(self) -> int:
        """Count the agents that ask for something."""
        return sum(number for each in self.on.values() for how, number in each.items() if how[3])


def _how(agent: Agent) -> How:
    return agent.state, agent.adopted, agent.has_ended, agent.question is not None
