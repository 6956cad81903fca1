"""What home has been told of the agents that others started, so that only what has changed is told."""

from collections.abc import Iterable

from controlroom.wire.messages import AdoptedSeen, AgentSeen


class Told:
    """Remembers what was told last of each that lives."""

    def __init__(self) -> None:
        self._told: dict[str, AgentSeen] | None = None

    def all(self, living: Iterable[AgentSeen], ended: Iterable[AgentSeen]) -> list[AdoptedSeen]:
        """Give what is to be told when these are all that live, and these have `ended` since the last call."""
        now = {agent.name: agent for agent in living}
        over = tuple(ended)
        before, self._told = self._told, now
        news = [AdoptedSeen(over, complete=False)] if over else []
        if before is None or before.keys() != now.keys():
            return [*news, AdoptedSeen(tuple(now.values()))]
        changed = tuple(agent for name, agent in now.items() if before[name] != agent)
        return [*news, AdoptedSeen(changed, complete=False)] if changed else news

    def again(self, seen: Iterable[AgentSeen]) -> list[AdoptedSeen]:
        """Give what is to be told of some of them that were looked at again."""
        told = self._told
        if told is None:
            return []
        changed = tuple(agent for agent in seen if agent.name in told and told[agent.name] != agent)
        told.update((agent.name, agent) for agent in changed)
        return [AdoptedSeen(changed, complete=False)] if changed else []
