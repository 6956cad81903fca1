"""Who has edited the same file: what hosts say that their agents have edited, joined into the fleet."""

from collections.abc import Iterable

from controlroom.domain import events
from controlroom.domain.model import Agent, Edited
from controlroom.domain.overlap import OverlapIndex, is_same_work
from controlroom.engine.store import FleetStore


class OverlapWatch:
    """Keeps what agents have edited. Each event costs what the files of the agents cost that it is about."""

    def __init__(self, store: FleetStore) -> None:
        self._store = store
        self._index = OverlapIndex(self._same_work, self._ended)
        self._over: set[str] = set()
        """Agents that claim files and had ended when they were looked at last."""

    def seen(self, event: events.EditsSeen) -> None:
        """Take what a host says that its agents have edited. One that it could not look at stays as it was known."""
        concerned: set[str] = set()
        for agent, edits in event.agents.items():
            if edits is not None and agent in self._store.fleet.agents:
                concerned |= self._index.put(agent, edits)
                self._note_end(agent)
        self._tell(concerned)

    def observed(self, agents: Iterable[Agent], gone: Iterable[str] = ()) -> None:
        """Agents are as they are now; some, by id, may be there no more."""
        concerned: set[str] = set()
        for agent in agents:
            if agent.id not in self._index:
                continue
            if agent.adopted and agent.has_ended:  # nobody looks at its folder any more
                concerned |= self._forget(agent.id) | {agent.id}
            elif self._note_end(agent.id):
                concerned |= self._index.around(agent.id)
        for key in gone:
            if key in self._index and key not in self._store.fleet.agents:
                concerned |= self._forget(key)
        self._tell(concerned)

    def all_observed(self, host: str) -> None:
        """A host has said which agents it has, or is no longer in the room: those that are not there are forgotten."""
        self.observed((), self._index.agents_on(host))

    def _forget(self, agent: str) -> set[str]:
        self._over.discard(agent)
        return self._index.drop(agent)

    def _note_end(self, agent: str) -> bool:
        """Note whether an agent has ended; return whether that is new."""
        ended = self._ended(agent)
        if ended == (agent in self._over):
            return False
        self._over ^= {agent}
        return True

    def _tell(self, concerned: set[str]) -> None:
        fleet, told = self._store.fleet, dict[str, Edited | None]()
        for key in sorted(concerned):
            agent = fleet.agents.get(key)
            if agent is not None and agent.edited != (edited := self._index.edited(key)):
                told[key] = edited
        if told:
            self._store.apply(events.EditsJoined(told, self._store.clock()))

    def _ended(self, agent: str) -> bool:
        found = self._store.fleet.agents.get(agent)
        return found is None or found.has_ended

    def _same_work(self, one: str, other: str) -> bool:
        return is_same_work(self._store.fleet, one, other)
