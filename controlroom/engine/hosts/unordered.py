"""What happened to agents that nobody here ordered: said as an alarm, and kept in the audit.

Whatever runs as an agent's user may try to answer its question or to raise its ceiling. A sound runner refuses that and
counts it; past a runner that was got at, home still sees a question go away, or a grant, that it knows nothing of.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

from controlroom.domain.events import Alarmed, Event
from controlroom.domain.gauges import Alarm
from controlroom.domain.intents import TellOn
from controlroom.domain.model import Agent, Fleet
from controlroom.domain.questions import same


class Room(Protocol):
    """What is needed of the engine."""

    clock: Callable[[], int]

    @property
    def fleet(self) -> Fleet:
        """The fleet as it is."""

    def happened(self, event: Event) -> None:
        """Take an event."""


Audited = Callable[[str, Agent, str], None]
"""(what it is about, the agent, the sentence): keeps a line of it."""


class Unordered:
    """Watches the agents of a room. All methods are called on the event loop."""

    def __init__(self, room: Room, audited: Audited, gave: Callable[[Agent], bool]) -> None:
        """`gave` says whether the grant that an agent goes by is one that this room gave it."""
        self._room, self._audited, self._gave = room, audited, gave
        self._told: dict[str, tuple[int, str]] = {}
        """By agent: the epoch, and the question that was answered last ("": it was interrupted)."""
        self._raised: set[tuple[str, str]] = set()

    def tells(self, effect: TellOn) -> None:
        """Somebody tells an agent something: whoever does has seen what was said of its question."""
        agent = f"{effect.host}/{effect.name}"
        if effect.what in ("answer", "interrupt"):
            self._told[agent] = effect.epoch, effect.question
        self._drop("question", agent)

    def look(self, before: Fleet, seen: Iterable[Agent]) -> None:
        """See what has become of agents since `before`."""
        for agent in seen:
            if agent.has_ended or agent.adopted:
                continue
            known = before.agents.get(agent.id)
            known = known if known is not None and known.epoch == agent.epoch else None
            if agent.forged > (known.forged if known else 0):
                self._raise("forged", agent, _forged(agent))
            if agent.grant and agent.grant != (known.grant if known else 0) and not self._gave(agent):
                self._raise("grant", agent, _grant(agent))
            if known is not None and self._is_gone(known, agent):
                self._raise("question", agent, _question(agent))
        self._tidy()

    def _is_gone(self, known: Agent, agent: Agent) -> bool:
        """Say whether its question went away by itself. On a terminal of its own anybody there may have answered it."""
        asked = known.question
        if asked is None or same(asked, agent.question) or agent.kind != "headless" or known.pending is not None:
            return False
        epoch, question = self._told.get(agent.id, (0, ""))
        return epoch != agent.epoch or question not in ("", asked.id)

    def _raise(self, kind: str, agent: Agent, words: str) -> None:
        self._raised.add((kind, agent.id))
        self._audited(kind, agent, words)
        alarm = Alarm(f"{agent.id}: {words}", "danger", self._room.clock(), agent.id)
        self._room.happened(Alarmed(f"{kind} {agent.id}", alarm))

    def _tidy(self) -> None:
        """What was said of runs that are over is over."""
        for kind, key in tuple(self._raised):
            agent = self._room.fleet.agents.get(key)
            if agent is None or agent.has_ended:
                self._drop(kind, key)
                self._told.pop(key, None)

    def _drop(self, kind: str, agent: str) -> None:
        if (kind, agent) in self._raised:
            self._raised.discard((kind, agent))
            self._room.happened(Alarmed(f"{kind} {agent}", None))


def _forged(agent: Agent) -> str:
    orders = "an order" if agent.forged == 1 else f"{agent.forged} orders"
    return (
        f"{orders} came to its runner that this room did not sign, and did nothing: something on {agent.host} tries to"
        " steer it; look at its log, and kill it if in doubt"
    )


def _grant(agent: Agent) -> str:
    return f"it goes by a grant ({agent.grant}) that this room did not give: kill it, or reassign it"


def _question(agent: Agent) -> str:
    return "its question is gone, and nobody here answered it: look at its log, and kill it if in doubt"
