"""Holds agents that were taken over to the limits of their profiles: looks, tells, and has them ended by signals."""

import logging

from controlroom.domain import adopted_care, events
from controlroom.domain.adopted_care import Trouble
from controlroom.domain.model import Agent
from controlroom.domain.persistent_tables import hosted
from controlroom.engine.adoptions import AdoptionBook, Submit
from controlroom.engine.background_tasks import BackgroundTasks
from controlroom.engine.store import FleetStore
from controlroom.text.states import Outcome

log = logging.getLogger("controlroom.engine")

AGAIN = 60_000
"""Milliseconds after which one is ended again that lives all the same."""


class AdoptedCare:
    """Cares for all of a room. All methods are called on the event loop."""

    def __init__(self, store: FleetStore, adoptions: AdoptionBook, submit: Submit) -> None:
        self._store, self._adoptions, self._submit = store, adoptions, submit
        self._ended: dict[str, tuple[str, int]] = {}
        """Agents that were to be ended: which process, and when; UTC ms."""
        self._background = BackgroundTasks("care")

    @property
    def busy(self) -> bool:
        """Whether one is being ended."""
        return len(self._background) > 0

    async def wait_idle(self) -> None:
        """Wait until none is."""
        await self._background.wait_idle()

    async def close(self) -> None:
        """Stop: nothing more is begun."""
        await self._background.end()

    def look(self) -> None:
        """See what is wrong with whom by now, show it, and have those ended that are to be."""
        agents = hosted(self._store.fleet.agents)
        theirs = [agent for host in self._adoptions.hosts for agent in agents.adopted_on(host).values()]
        for agent in theirs:
            if agent.adoption is not None and agent.runs and self._store.fleet.reachable(agent):
                self._care_for(agent)
        self._ended = {key: ended for key, ended in self._ended.items() if key in self._store.fleet.agents}

    def _care_for(self, agent: Agent) -> None:
        now = self._store.clock()
        why = adopted_care.trouble(self._store.fleet, agent, now)
        words = why.words if why else ""
        if words != agent.trouble:
            self._store.apply(events.AdoptedTroubled(agent.id, words))
        mark, at = self._ended.get(agent.id, ("", 0))
        if why is None or not why.ends or agent.pending or (mark == agent.mark and 0 <= now - at < AGAIN):
            return
        self._ended[agent.id] = agent.mark, now
        self._background.begin(self._end(agent, why))

    async def _end(self, agent: Agent, why: Trouble) -> None:
        """End one, or have it go on under a runner; one that cannot go on is ended."""
        fleet = self._store.fleet
        profile = adopted_care.profile_of(fleet, agent)
        who = f"profile {profile.name}" if profile else "care"
        log.info("%s: %s", agent.id, why.words)
        self._adoptions.because(agent, why, adopted_care.ended_words(fleet, agent, why), who)
        if adopted_care.goes_on(fleet, agent, why.cause):
            result = await self._submit(adopted_care.ending(agent, goes_on=True), who)
            if result.outcome is not Outcome.REFUSED:
                return
        await self._submit(adopted_care.ending(agent, goes_on=False), who)
