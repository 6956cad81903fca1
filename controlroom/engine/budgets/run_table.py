"""Runs that have been granted something, or can be; each is made anew only when what it is made from has changed.

That is its agent, its host's link, its grants and those under way, what is booked of it, the account of its login,
profiles, and time. Times are UTC milliseconds.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from controlroom.domain.changes import Changes
from controlroom.domain.gauges import Alarm
from controlroom.domain.model import Agent, Fleet
from controlroom.domain.money.allotment import Run
from controlroom.domain.money.ladder import UNBOUND, is_paused, unbound
from controlroom.domain.persistent_tables import differing
from controlroom.engine.budgets.funds import Funds, SpentSums, is_settled
from controlroom.engine.budgets.grants import GrantBook, GrantDelivery, was_seen
from controlroom.engine.ledger.usage_tables import RunKey, Statement


class RunTable:
    """All runs, and which of them may be others by now."""

    def __init__(self, grants: GrantBook, mail: GrantDelivery, funds: Funds) -> None:
        self._grants, self._mail, self._funds = grants, mail, funds
        self.runs: dict[RunKey, Run] = {}
        self._of_agent: dict[str, set[RunKey]] = {}
        self._on_host: dict[str, set[RunKey]] = {}
        self._stale: set[RunKey] = set()
        self._all = True
        """All of them may be others."""
        self._due: list[tuple[int, RunKey]] = []
        """When runs will be others because time passes, the first first."""
        self._waits: dict[RunKey, int] = {}
        """By run: for when it is due."""
        self._logins: Mapping[str, str] = {}
        self._profiles: object = None
        self._now = 0

    def of(self, agents: Iterable[tuple[str, str]]) -> Iterator[RunKey]:
        """Yield the runs of some agents, by host and name."""
        for host, name in agents:
            yield from self._of_agent.get(f"{host}/{name}", ())

    def touch(self, keys: Iterable[RunKey]) -> None:
        """Mark runs that may have changed."""
        self._stale.update(keys)

    def touch_agents(self, agents: Iterable[str], fleet: Fleet) -> None:
        """What is known of these agents, by id, is other than before."""
        for id_ in agents:
            self._stale |= self._of_agent.get(id_, set())
            agent = fleet.agents.get(id_)
            if agent is not None:
                self._stale.add((agent.host, agent.name, agent.epoch))

    def touch_hosts(self, hosts: Iterable[str]) -> None:
        """Mark the runs of hosts whose links have changed."""
        for host in hosts:
            self._stale |= self._on_host.get(host, set())

    def touch_all(self) -> None:
        """Mark all runs."""
        self._all = True

    @property
    def is_stale(self) -> bool:
        """Whether some may be others, as far as that was gathered."""
        return bool(self._stale)

    def refresh(
        self, fleet: Fleet, spent: SpentSums, logins: Mapping[str, str], now: int, most: int | None = None
    ) -> Iterator[tuple[RunKey, Run | None, list[Statement]]]:
        """Make anew what may be other, `most` runs at the most.

        Gives each such run (None: it is no more), and what is to be written of it.
        """
        self._gather(fleet, logins, now)
        keys, earliest = list(islice(self._stale, most)), self._funds.earliest(now)
        self._stale.difference_update(keys)
        for key in keys:
            statements = self._grants.observe(key, fleet, now)
            run = self._made(key, fleet, spent, logins, now)
            if run is not None and is_settled(run, earliest):
                statements += self._grants.settle(key)
                run = self._made(key, fleet, spent, logins, now)
            self._grants.changed.discard(key)
            self._keep(key, run)
            self._wait(key, run, now)
            yield key, run, statements

    def _gather(self, fleet: Fleet, logins: Mapping[str, str], now: int) -> None:
        """Gather all runs that may be others."""
        self._all |= now < self._now or fleet.profiles is not self._profiles
        self._now, self._profiles = now, fleet.profiles
        self.touch_agents(differing(self._logins, logins), fleet)
        self._logins = logins
        while self._due and self._due[0][0] <= now:
            at, key = heapq.heappop(self._due)
            if self._waits.get(key) == at:
                del self._waits[key]
                self._stale.add(key)
        self._stale |= self._grants.changed | self._mail.changed
        self._grants.changed.clear()
        self._mail.changed.clear()
        if self._all:
            agents = ((agent.host, agent.name, agent.epoch) for agent in fleet.agents.values())
            self._stale = {*self.runs, *self._grants.keys, *agents}
            self._all = False

    def _made(self, key: RunKey, fleet: Fleet, spent: SpentSums, logins: Mapping[str, str], now: int) -> Run | None:
        run = self._grants.run(key, fleet, spent, logins, now)
        return None if run is None else self._mail.doubted(run, self._grants, now)

    def _keep(self, key: RunKey, run: Run | None) -> None:
        indices = (self._of_agent, f"{key[0]}/{key[1]}"), (self._on_host, key[0])
        if run is not None:
            self.runs[key] = run
            for index, name in indices:
                index.setdefault(name, set()).add(key)
        elif self.runs.pop(key, None) is not None:
            for index, name in indices:
                index[name].discard(key)
                if not index[name]:
                    del index[name]

    def _wait(self, key: RunKey, run: Run | None, now: int) -> None:
        """Note when a run will be another one though nothing happens to it."""
        if run is None:
            self._waits.pop(key, None)
            return
        times = self._grants.changes_at(key, now) + self._mail.changes_at(key, self._grants, now)
        at = min([*times, *(renewed for renewed in [self._funds.renewed(run)] if renewed > now)], default=0)
        if not at:
            self._waits.pop(key, None)
        elif self._waits.get(key) != at:
            self._waits[key] = at
            heapq.heappush(self._due, (at, key))


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
        """Return the agents and hosts that are others by now, among what has changed, and take them as seen."""
        agents = {key for key in changes.agents if self._is_other(key, _of_agent(fleet.agents.get(key)))}
        for key in agents:
            self._sort(key, fleet.agents.get(key))
        return agents, {name for name in changes.hosts if self._is_other(name, _of_host(fleet, name))}

    def take_paused(self) -> dict[str, Agent | None]:
        """Return the agents that have changed since this was asked last (None: one that is gone)."""
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
    """Return all that a run is made from, and what says whether it goes on."""
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


class Unbound:
    """Runs that go by no grant, by what is wrong with them (`UNBOUND`)."""

    def __init__(self) -> None:
        self._runs: dict[str, dict[RunKey, str]] = {about: {} for about in UNBOUND}

    def note(self, key: RunKey, run: Run | None, fleet: Fleet, *, bound: bool, fails: bool) -> None:
        """Take a run as it is (None: it is no more). `bound`: a budget is to bind it; `fails`: it takes no grant."""
        agent = fleet.agents.get(f"{key[0]}/{key[1]}")
        away = run is not None and not run.grants and agent is not None and not fleet.reachable(agent)
        self._set("ungranted", key, bound and away)
        self._set("untaken", key, bound and fails and run is not None and not run.ended)

    def _set(self, about: str, key: RunKey, is_so: bool) -> None:
        if is_so:
            self._runs[about][key] = f"{key[0]}/{key[1]}"
        else:
            self._runs[about].pop(key, None)

    def alarms(self, fleet: Fleet, now: int) -> Iterator[tuple[str, Alarm | None]]:
        """Yield what is to be said, by what it is about; None: nothing."""
        for about, runs in self._runs.items():
            yield about, unbound(about, sorted(runs.values()), fleet, now)
