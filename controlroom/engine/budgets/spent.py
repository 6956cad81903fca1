"""What was spent since some moments, kept as it is booked: by each scope that a budget can have, and who pays.

When an agent has spent more, its sums are read anew and nobody else's. Times are UTC milliseconds.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from controlroom.domain.money.budget import BudgetRule, Spend, counts
from controlroom.domain.money.forecast import began
from controlroom.engine.ledger.spend_views import Sums
from controlroom.engine.ledger.usage_tables import AgentKey, RunKey

Started = Callable[[str, str], int]
"""Says when an agent was started for the first time; 0: long ago, or nobody knows."""

_Part = tuple[str, str]
"""A scope, and who pays."""


class Spent:
    """What the ledger's sums came to when they were read last."""

    def __init__(self, started: Started = lambda host, name: 0) -> None:
        self._started = started
        self._since: dict[int, _Since] = {}
        self.runs: dict[RunKey, tuple[int, int]] = {}
        """Micro-dollars and tokens that are booked of each run that was asked for."""
        self.dearest: Mapping[str, int] = {}
        """The dearest message of each model lately."""

    @property
    def moments(self) -> set[int]:
        """The moments since which it is known what was spent."""
        return set(self._since)

    def keep(self, moments: Collection[int]) -> None:
        """Have these moments at the most."""
        self._since = {moment: since for moment, since in self._since.items() if moment in moments}

    def take(self, sums: Sums, agents: Iterable[AgentKey] | None = None) -> set[RunKey]:
        """Take sums that were read, of these agents or of all; give the runs of which something else is booked."""
        for moment, spends in sums.since.items():
            since = self._since.get(moment) if agents is not None else None
            if since is None:
                since = self._since[moment] = _Since(moment)
            since.put(spends, agents or (), self._started)
        self.dearest = sums.dearest
        changed = {key for key, booked in sums.runs.items() if self.runs.get(key) != booked}
        self.runs.update(sums.runs)
        return changed

    def began_anew(self, host: str, name: str) -> None:
        """An agent may have been started at another time than was known."""
        for since in self._since.values():
            since.began_anew(host, name, self._started)

    def gone(self, rule: BudgetRule, moment: int) -> int | None:
        """Say what counts for a budget of what was spent since a moment; None: it was not read."""
        since = self._since.get(moment)
        return None if since is None else since.amount(rule)

    def lately(self, rule: BudgetRule, moment: int) -> tuple[int, int]:
        """Say what counts for a budget since a moment, and since when it can have been spent."""
        since = self._since.get(moment)
        return (0, moment) if since is None else (since.amount(rule), since.began(rule))

    def of(self, moment: int) -> list[Spend]:
        """Give what each agent has spent since a moment."""
        since = self._since.get(moment)
        return [] if since is None else since.spends


class _Since:
    """What was spent since one moment."""

    def __init__(self, moment: int) -> None:
        self._moment = moment
        self._of: dict[AgentKey, tuple[int, list[Spend]]] = {}
        """When each agent was started, and what it has spent."""
        self._micro: Counter[_Part] = Counter()
        self._tokens: Counter[_Part] = Counter()
        self._starts: dict[_Part, _Starts] = {}
        self._payers: set[str] = set()

    @property
    def spends(self) -> list[Spend]:
        """Give all of it."""
        return [spend for _, spends in self._of.values() for spend in spends]

    def put(self, spends: Iterable[Spend], agents: Iterable[AgentKey], started: Started) -> None:
        """Take what some agents have spent in place of what they had; those of `agents` that have no part: nothing."""
        theirs: dict[AgentKey, list[Spend]] = {agent: [] for agent in agents}
        for spend in spends:
            theirs.setdefault((spend.host, spend.agent), []).append(spend)
        for agent, parts in theirs.items():
            self._replace(agent, parts, started(*agent))

    def began_anew(self, host: str, name: str, started: Started) -> None:
        """See when an agent was started."""
        if (host, name) in self._of:
            self._replace((host, name), self._of[host, name][1], started(host, name))

    def amount(self, rule: BudgetRule) -> int:
        """Sum up what counts for a budget."""
        amounts = self._tokens if rule.unit == "tokens" else self._micro
        return sum(amounts[part] for part in self._counted(rule))

    def began(self, rule: BudgetRule) -> int:
        """Say since when that can have been spent."""
        starts = [self._starts[part] for part in self._counted(rule)]
        return began(self._moment, [first.earliest for first in starts])

    def _counted(self, rule: BudgetRule) -> list[_Part]:
        """Name what counts for a budget, by who pays."""
        parts = [(rule.scope, payer) for payer in self._payers if counts(rule.unit, payer)]
        return [part for part in parts if part in self._starts]

    def _replace(self, agent: AgentKey, parts: list[Spend], start: int) -> None:
        was, before = self._of.pop(agent, (0, []))
        for spend in before:
            self._count(spend, -1, was)
        for spend in parts:
            self._count(spend, 1, start)
        if parts:
            self._of[agent] = start, parts

    def _count(self, spend: Spend, sign: int, start: int) -> None:
        self._payers.add(spend.billing)
        for scope in _scopes(spend):
            part = scope, spend.billing
            self._micro[part] += sign * spend.micro
            self._tokens[part] += sign * spend.tokens
            starts = self._starts.get(part) or self._starts.setdefault(part, _Starts(self._moment))
            starts.count(start, sign)
            if not starts:
                del self._starts[part], self._micro[part], self._tokens[part]


class _Starts:
    """When those who spent were started: how many of them before a moment, and the others by when."""

    def __init__(self, moment: int) -> None:
        self._moment = moment
        self._times: Counter[int] = Counter()
        """By time; those before the moment are all one."""

    def __bool__(self) -> bool:
        return bool(self._times)

    def count(self, start: int, sign: int) -> None:
        """Count one, or count it no more."""
        time = max(self._moment, start)
        self._times[time] += sign
        if not self._times[time]:
            del self._times[time]

    @property
    def earliest(self) -> int:
        """The first; as soon as one was started before the moment, that is the moment."""
        return self._moment if self._moment in self._times else min(self._times)


def _scopes(spend: Spend) -> Iterator[str]:
    """Name the scopes of budgets that what was spent counts for."""
    yield "fleet"
    yield f"host {spend.host}"
    if spend.profile:
        yield f"profile {spend.profile}"
    yield f"agent {spend.host}/{spend.agent}"
