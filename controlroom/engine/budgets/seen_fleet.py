"""What budgets go by of a fleet, as it was when it was looked at last: tells which agents and hosts are others now."""

from controlroom.domain.changes import Changes
from controlroom.domain.model import Agent, Fleet
from controlroom.domain.money.ladder import is_paused
from controlroom.engine.budgets.grant_book import was_seen


class SeenFleet:
    """A fleet as it was seen last."""

    def __init__(self) -> None:
        self._records: dict[str, object] = {}
        self.paused: dict[str, Agent] = {}
        """Agents that were paused for want of money, by id."""
        self.resuming: set[str] = set()
        """Agents that are being resumed."""
        self._news: dict[str, Agent | None] = {}

    def differing(self, fleet: Fleet, changes: Changes) -> tuple[set[str], set[str]]:
        """Name the agents and hosts that are others by now, among what has changed, and take them as seen."""
        agents = {key for key in changes.agents if self._is_other(key, _of_agent(fleet.agents.get(key)))}
        for key in agents:
            self._sort(key, fleet.agents.get(key))
        return agents, {name for name in changes.hosts if self._is_other(name, _of_host(fleet, name))}

    def take_paused(self) -> dict[str, Agent | None]:
        """Give the agents that have changed since this was asked last (None: one that is gone)."""
        news, self._news = self._news, {}
        return news

    def _is_other(self, key: str, record: object) -> bool:
        if record == self._records.get(key):
            return False
        self._records[key] = record
        if record is None:
            del self._records[key]
        return True

    def _sort(self, key: str, agent: Agent | None) -> None:
        if agent is not None and is_paused(agent):
            self.paused[key] = agent
            self._news[key] = agent
        elif self.paused.pop(key, None) is not None:
            self._news[key] = agent
        if agent is not None and agent.pending is not None and agent.pending.verb == "resume":
            self.resuming.add(key)
        else:
            self.resuming.discard(key)


def _of_host(fleet: Fleet, name: str) -> object:
    host = fleet.hosts.get(name)
    return host and (host.link, host.facts is None or host.facts.owned)


def _of_agent(agent: Agent | None) -> object:
    """Give all that a run is made from, and what says whether it goes on."""
    if agent is None:
        return None
    state = (agent.epoch, agent.state, agent.billing, agent.grant, agent.pending and agent.pending.verb)
    last = (
        (agent.run_spent, agent.run_tokens, agent.ended, agent.since, agent.detail, agent.cause)
        if agent.has_ended
        else ()
    )
    is_claude = bool(agent.billing or agent.grant or agent.spent)
    who = (agent.kind, agent.profile, agent.model, agent.subagents, agent.ordered is None, agent.session)
    return (*state, agent.lives, *last, is_claude, *who, was_seen(agent), agent.started)
