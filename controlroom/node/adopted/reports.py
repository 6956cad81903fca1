"""What home was told last of each agent of others, so that it is told only what has changed."""

from collections.abc import Iterable

from controlroom.wire.messages import AdoptedSeen, AgentSeen


class LastReports:
    """Remembers what was told last of each that lives."""

    def __init__(self) -> None:
        self._told: dict[str, AgentSeen] | None = None

    def all(self, living: Iterable[AgentSeen], ended: Iterable[AgentSeen]) -> list[AdoptedSeen]:
        """Return what is to be told when these are all that live, and these have `ended` since the last call."""
        now = {agent.name: agent for agent in living}
        over = tuple(ended)
        before, self._told = self._told, now
        news = [AdoptedSeen(over, complete=False)] if over else []
        if before is None or before.keys() != now.keys():
            return [*news, AdoptedSeen(tuple(now.values()))]
        changed = tuple(agent for name, agent in now.items() if before[name] != agent)
        return [*news, AdoptedSeen(changed, complete=False)] if changed else news

    def again(self, seen: Iterable[AgentSeen]) -> list[AdoptedSeen]:
        """Return what is to be told of some of them that were looked at again."""
        before = self._told
        if before is None:
            return []
        changed = tuple(agent for agent in seen if agent.name in before and before[agent.name] != agent)
        before.update((agent.name, agent) for agent in changed)
        return [AdoptedSeen(changed, complete=False)] if changed else []
