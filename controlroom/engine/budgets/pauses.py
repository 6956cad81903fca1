"""Agents that a budget has paused, and their resumption.

A host's word for a pause counts only where a grant of this room ran dry. When there is money again paused agents are
resumed, the most important first; one that is paused again soon waits longer each time. One that was paused before its
first request has no session to go on in, and begins its task again.
"""

from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from typing import Any

from controlroom.domain import intents
from controlroom.domain.gauges import Alarm, AlarmLevel
from controlroom.domain.model import Agent, Fleet, LinkState
from controlroom.domain.money.allotment import FOREVER, MONEY, Run, RunGrant
from controlroom.domain.money.ladder import is_late, is_paused, ran_dry
from controlroom.domain.money.resumption import Resumptions
from controlroom.domain.money.sharing import Balance, Balances
from controlroom.domain.orders import Result
from controlroom.domain.words import named_some
from controlroom.engine.background_tasks import BackgroundTasks
from controlroom.engine.ledger.usage_tables import RunKey
from controlroom.engine.store import FleetStore
from controlroom.text.states import AgentKind, Outcome

Submit = Callable[[intents.Intent, str], Coroutine[Any, Any, Result]]
"""(intent, who wants it): decides it and carries it out."""

UNSPENT = "unspent"
"""What the alarm is about."""

_WORDS = (
    "said to be paused by a budget, but what this room granted there is not used up, so it does not go on by itself: "
    "see controlroom explain, then controlroom reassign with --continue lets it go on"
)


class Pauses:
    """Which of them are known to have run dry; that stays so."""

    def __init__(self, last: Callable[[RunKey], RunGrant | None]) -> None:
        """`last` gives the last grant that a run took."""
        self._last = last
        self._dry: set[RunKey] = set()

    def open(self, paused: Iterable[Agent]) -> set[RunKey]:
        """Return the runs of ours of which it must be known what is booked."""
        return {_key(agent) for agent in paused if agent.ordered is not None} - self._dry

    def dry(self, paused: Iterable[Agent], booked: Mapping[RunKey, tuple[int, int]], fleet: Fleet) -> list[Agent]:
        """Return those that a budget has paused. `booked`: money and tokens of runs."""
        return [agent for agent in paused if self._is_dry(agent, booked, fleet)]

    def _is_dry(self, agent: Agent, booked: Mapping[RunKey, tuple[int, int]], fleet: Fleet) -> bool:
        key = _key(agent)
        if agent.ordered is None or key in self._dry:
            return agent.ordered is not None
        amounts = booked.get(key)
        run = Run(*key, booked=amounts[0], booked_tokens=amounts[1]) if amounts else None
        if not ran_dry(agent, self._last(key), run, fleet):
            return False
        self._dry.add(key)
        return True

    def alarm(self, paused: Iterable[Agent], fleet: Fleet, now: int) -> Alarm | None:
        """Return who is said to be paused by a budget though no grant of this room explains it; None: nobody."""
        ours = [agent for agent in paused if agent.ordered is not None and _key(agent) not in self._dry]
        claimed = sorted(agent.id for agent in ours if is_late(agent, now))
        if not claimed:
            return None
        raised = fleet.alarms.get(UNSPENT)
        return Alarm(f"{named_some(claimed)}: {_WORDS}", AlarmLevel.WARNING, raised.since if raised else now)


def _key(agent: Agent) -> RunKey:
    return agent.host, agent.name, agent.epoch


TEXT = "Go on where you stopped: the budget allows it again."
"""What an agent is told."""

AT_ONCE = 3
"""Agents that are being resumed at the same time."""


class Resuming:
    """Resumes agents. All methods are called on the event loop."""

    def __init__(self, store: FleetStore, submit: Submit, again: Callable[[], None]) -> None:
        """`again`: has it looked again, once an order came to nothing."""
        self._store, self._submit, self._again = store, submit, again
        self._known: dict[str, Resumptions] = {}
        """By agent: what was done about its pauses. An engine that begins knows of nothing, and tells all at once."""
        self._under_way: set[str] = set()
        self._background = BackgroundTasks("resuming")
        self.due = FOREVER
        """Milliseconds until somebody may go on for whom there is money."""

    @property
    def busy(self) -> bool:
        """Whether something is being done."""
        return len(self._background) > 0

    def close(self) -> None:
        """Stop: nothing more is begun."""
        self._background.close()

    def forget(self) -> None:
        """Let whoever was paused try at once: the budgets have changed."""
        self._known.clear()

    def look(
        self,
        paused: Collection[Agent],
        under_way: int,
        balances: Balances,
        run_of: Callable[[Agent], Run],
        pays: Callable[[Agent], bool],
    ) -> None:
        """Resume who can go on of those that were paused; `under_way`: how many are being resumed.

        `pays`: whether an agent that would begin now would be granted something.
        """
        self.due = FOREVER
        room = AT_ONCE - len(self._background) - under_way
        if not paused or room <= 0:
            return
        can = [agent for agent in paused if self._can(agent)]
        runs = {agent.id: run_of(agent) for agent in can}
        for agent in sorted(can, key=lambda agent: (-runs[agent.id].priority, agent.ended, agent.id)):
            bound = [balance for balance in balances.holding(runs[agent.id]) if balance.binds]
            if room <= 0:
                return
            known = self._seen(agent, bound)
            if not all(_allows(balance, agent.id) for balance in bound):
                continue
            if wait := known.wait(self._store.clock()):
                self.due = min(self.due, wait)
            elif pays(agent):
                room -= 1
                self._known[agent.id] = known.telling(agent.epoch, self._store.clock())
                self._under_way.add(agent.id)
                self._background.begin(self._resume(agent))

    def _can(self, agent: Agent) -> bool:
        host = self._store.fleet.hosts.get(agent.host)
        up = host is not None and host.link is LinkState.UP and (host.facts is None or host.facts.owned)
        up = up and host is not None and host.drain is None
        ours = agent.ordered is not None and agent.id not in self._under_way
        return (
            up and ours and is_paused(agent) and agent.pending is None and (bool(agent.session) or _is_unspent(agent))
        )

    def _seen(self, agent: Agent, bound: Iterable[Balance]) -> Resumptions:
        began = max((balance.fund.began for balance in bound), default=0)
        known = self._known.get(agent.id, Resumptions()).seen(agent.epoch, agent.ended, began)
        self._known[agent.id] = known
        return known

    async def _resume(self, agent: Agent) -> None:
        resume = intents.ResumeAgent(agent.id, agent.epoch, TEXT)
        try:
            retry = intents.RetryAgent(agent.id, agent.epoch)
            result = await self._submit(resume if agent.session else retry, "budget")
        finally:
            self._under_way.discard(agent.id)
        if result.outcome is Outcome.REFUSED:
            self._again()


def _is_unspent(agent: Agent) -> bool:
    """Whether an agent was paused before its first request: without a session, its task is what is left to give it."""
    return agent.kind is not AgentKind.COMMAND and not agent.spent


def _allows(balance: Balance, agent: str) -> bool:
    """Return whether a budget has enough again: not a rest that is gone with the next message."""
    fund = balance.fund
    if fund.rule.unit not in MONEY:
        return fund.spent < fund.rule.stop
    return agent not in fund.cut and balance.free >= fund.rule.enough
