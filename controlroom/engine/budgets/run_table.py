"""Every run that has been granted something, or can be: made anew only when what it is made from has changed.

What it is made from: its agent, its host's link, its grants and what is under way of them, what is booked of it, the
account of its login, profiles, and time. Times are UTC milliseconds.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from controlroom.domain.model import Fleet
from controlroom.domain.money.allotment import Run
from controlroom.domain.tables import differing
from controlroom.engine.budgets.funds import Funds, is_settled
from controlroom.engine.budgets.grant_book import GrantBook
from controlroom.engine.budgets.grant_delivery import GrantDelivery
from controlroom.engine.budgets.spent import Spent
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
        """Give the runs of some agents, by host and name."""
        for host, name in agents:
            yield from self._of_agent.get(f"{host}/{name}", ())

    def touch(self, keys: Iterable[RunKey]) -> None:
        """These runs may be others."""
        self._stale.update(keys)

    def touch_agents(self, agents: Iterable[str], fleet: Fleet) -> None:
        """What is known of these agents, by id, is other than before."""
        for id_ in agents:
            self._stale |= self._of_agent.get(id_, set())
            agent = fleet.agents.get(id_)
            if agent is not None:
                self._stale.add((agent.host, agent.name, agent.epoch))

    def touch_hosts(self, hosts: Iterable[str]) -> None:
        """The links of these hosts are other than before."""
        for host in hosts:
            self._stale |= self._on_host.get(host, set())

    def touch_all(self) -> None:
        """All runs may be others."""
        self._all = True

    @property
    def is_stale(self) -> bool:
        """Whether some may be others, as far as that was gathered."""
        return bool(self._stale)

    def refresh(
        self, fleet: Fleet, spent: Spent, logins: Mapping[str, str], now: int, most: int | None = None
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

    def _made(self, key: RunKey, fleet: Fleet, spent: Spent, logins: Mapping[str, str], now: int) -> Run | None:
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
