"""Grants: those that may be in force, from before they are written until they are settled, and their delivery.

A host is sent the prices first, then grants. Times are UTC milliseconds.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from controlroom.domain.budgets import BudgetUnit
from controlroom.domain.model import Agent, Fleet, LinkState, State
from controlroom.domain.money.allotment import FEW, FOREVER, NextGrant, Run, RunGrant
from controlroom.domain.money.plausible import Ceilings
from controlroom.domain.orders import ENDS
from controlroom.engine.budgets.funds import SpentSums
from controlroom.engine.ledger import grant_tables
from controlroom.engine.ledger.grant_tables import settled, superseded
from controlroom.engine.ledger.usage_tables import RunKey, Statement
from controlroom.metering.prices import Sheet, sheet_to_json
from controlroom.text.states import AgentKind, Outcome
from controlroom.wire.grants import Allowance, Grant, GrantOrder, Prices
from controlroom.wire.messages import Reply

STARTING = ("spawn", "reassign", "resume")
"""Verbs of orders that begin a run, which has its first grant with it."""

LATE = 60_000
"""Milliseconds for which the usage of a run that another one has replaced may still be on its way."""


AHEAD = 1_000_000
"""How far a grant that a host shows may be ahead of ours, as after a ledger was put back; further, it is a lie."""


class GrantBook:
    """All grants that may be in force, by run."""

    def __init__(
        self, rows: Iterable[RunGrant], number: int, most: Mapping[RunKey, Ceilings], last: Mapping[RunKey, RunGrant]
    ) -> None:
        """`number`: the highest ever given; `most`, `last`: by run, its highest ceilings and what it took last."""
        self.number = number
        self._rows: dict[RunKey, list[RunGrant]] = {}
        self._known: dict[RunKey, int] = {}
        """The number that a run is known to go by."""
        self._gone: dict[RunKey, int] = {}
        """Since when a run is known to be no more, though nobody has told what it spent."""
        self.changed: set[RunKey] = set()
        """Runs whose grants are others than when this was last looked at."""
        self._most: dict[RunKey, Ceilings] = dict(most)
        self._last: dict[RunKey, RunGrant] = dict(last)
        self._binding: dict[RunKey, dict[int, tuple[RunGrant, Run]]] = {}
        """Grants that bind runs anew, by number, which are not known to go by them yet."""
        self.add(rows)

    @property
    def keys(self) -> list[RunKey]:
        """All runs that have grants."""
        return list(self._rows)

    def add(self, rows: Iterable[RunGrant]) -> None:
        """Count grants, which are about to be written, or were read."""
        for row in rows:
            self.number = max(self.number, row.number)
            self._rows.setdefault(row.run, []).append(row)
            self.changed.add(row.run)
            self._last.setdefault(row.run, row)

    def new(self, share: NextGrant, now: int) -> RunGrant:
        """Number a grant that is about to be written, and count it."""
        ends = max(now + LEAST + MARGIN, share.ends) if share.ends else 0
        ceilings = share.billed, share.covered, share.tokens
        run = share.run.key, share.run.profile
        grant = RunGrant(self.number + 1, *ceilings, share.windows, ends, *run, now)
        self.add([grant])
        return grant

    def most(self, run: RunKey) -> Ceilings | None:
        """Return the highest ceilings that a run of ours was ever granted; None: it never was."""
        return self._most.get(run)

    def last(self, run: RunKey) -> RunGrant | None:
        """Return the last grant that a run took, also when that is settled; until it has told, its first.

        None: it never was granted anything.
        """
        return self._last.get(run)

    def raised(self, row: RunGrant, run: Run, *, born: bool = False) -> list[Statement]:
        """Count a grant in the highest ceilings of its run, by which claims are bounded.

        A grant that binds the run anew does so once the run is known to go by it, or from the beginning (`born`).
        """
        before = self._most.get(row.run)
        if not run.ordered:
            return []
        if not born and _is_new(before, row):
            self._binding.setdefault(row.run, {})[row.number] = row, run
            return []
        most = raised(before, row, run, row.at)
        self._most[row.run] = most
        return [] if most == before else [grant_tables.raised(row.run, most)]

    def _bound(self, key: RunKey, number: int, now: int) -> list[Statement]:
        """Take that a run goes by a grant that binds it anew."""
        waiting = self._binding.pop(key, {})
        if number not in waiting:
            return []
        row, run = waiting[number]
        self._most[key] = raised(None, row, run, now)
        return [grant_tables.raised(key, self._most[key])]

    def drop(self, rows: Iterable[RunGrant]) -> None:
        """Count grants no more: they could not be written, and were never sent."""
        for row in rows:
            left = [other for other in self._rows.get(row.run, ()) if other.number != row.number]
            self._rows[row.run] = left
            self.changed.add(row.run)
            if not left:
                self.settle(row.run)

    def goes_by(self, run: RunKey, number: int, now: int) -> list[Statement]:
        """Take that a run goes by this grant: those before it are over. One that it was not given is not believed."""
        rows = self._rows.get(run, [])
        taken = next((row for row in rows if row.number == number), None)
        if number <= self._known.get(run, 0) or taken is None:
            return []
        self._known[run], self._last[run] = number, taken
        self.changed.add(run)
        self._rows[run] = [row for row in rows if row.number >= number]
        over = [superseded(run, number)] if len(self._rows[run]) < len(rows) else []
        return [grant_tables.taken(taken), *over, *self._bound(run, number, now)]

    def gave(self, run: RunKey, number: int) -> bool:
        """Return whether a run can have this grant of us: not one that is newer than all of its own."""
        return number <= max((row.number for row in self._rows.get(run, ())), default=0)

    def refused(self, run: RunKey, number: int) -> list[Statement]:
        """Take that a run does not go by this grant, for certain: it is as if it had not been given."""
        rows = self._rows.get(run, [])
        left = [row for row in rows if row.number != number]
        if not left or len(left) == len(rows) or number <= self._known.get(run, 0):
            return []
        self._rows[run] = left
        self.changed.add(run)
        return [("delete from grants where number = ?", (number,))]

    def waits(self, run: RunKey) -> bool:
        """Return whether it is not known that a run goes by the newest of its grants."""
        rows = self._rows.get(run)
        return bool(rows) and rows is not None and rows[-1].number > self._known.get(run, 0)

    def settle(self, run: RunKey) -> list[Statement]:
        """Forget a run: nothing that it may spend is left."""
        self._known.pop(run, None)
        self._gone.pop(run, None)
        self._binding.pop(run, None)
        self.changed.add(run)
        return [settled(run)] if self._rows.pop(run, None) is not None else []

    def observe(self, key: RunKey, fleet: Fleet, now: int) -> list[Statement]:
        """Take what its host says of a run: which grant it goes by, and whether it is no more."""
        agent = fleet.agents.get(f"{key[0]}/{key[1]}")
        if agent is not None and agent.grant <= self.number + AHEAD:
            self.number = max(self.number, agent.grant)
        if key not in self._rows:
            return []
        if agent is not None and agent.epoch == key[2]:
            self._gone.pop(key, None)
            return self.goes_by(key, agent.grant, now) if agent.grant else []
        if _is_up(fleet, key[0]) and not (agent and agent.pending):
            return self.settle(key) if now - self._gone.setdefault(key, now) >= LATE else []
        self._gone.pop(key, None)
        return []

    def run(self, key: RunKey, fleet: Fleet, spent: SpentSums, logins: Mapping[str, str], now: int) -> Run | None:
        """Return a run that has been granted something, or can be; None: it has not, and cannot."""
        agent = fleet.agents.get(f"{key[0]}/{key[1]}")
        agent = agent if agent is not None and agent.epoch == key[2] else None
        if key not in self._rows and (agent is None or not agent.lives or not _has_claude(agent)):
            return None
        run = self._run(key, agent, fleet, spent, now)
        account = logins.get(run.id)
        return replace(run, accounts=frozenset({account})) if account else run

    def changes_at(self, key: RunKey, now: int) -> list[int]:
        """Return when a run will be another one because time passes."""
        rows, gone = self._rows.get(key, ()), self._gone.get(key)
        ends = max((row.ends for row in rows), default=now) if all(row.ends for row in rows) else now
        return [at for at in (ends, now if gone is None else gone + LATE) if at > now]

    def _run(self, key: RunKey, agent: Agent | None, fleet: Fleet, sums: SpentSums, now: int) -> Run:
        rows = self._rows.get(key, [])
        ends = [row.ends or FOREVER for row in rows]
        until = max(ends) if ends and max(ends) <= now else FOREVER
        booked = sums.runs.get(key)
        profile = agent.profile if agent else rows[-1].profile if rows else ""
        money, tokens = booked or (0, 0)
        ordered = agent is None or agent.ordered is not None or _begins(agent)
        rank = priority(fleet, profile) if ordered else lowest(fleet)
        run = Run(*key, profile, priority=rank, booked=money, booked_tokens=tokens, grants=tuple(rows), ordered=ordered)
        run = replace(run, lead=sums.lead_of(*key[:2]))
        if agent is None:
            return replace(run, until=until, asked=False)
        ended = agent.has_ended and was_seen(agent)
        lives = agent.lives and _is_up(fleet, agent.host)
        return replace(
            run,
            billing=agent.billing,
            ended=ended,
            said=min(
                agent.run_spent,
                _most([top for row in rows for top in (row.billed, row.covered)], run, BudgetUnit.BILLED),
            ),
            said_tokens=min(agent.run_tokens, _most([row.tokens for row in rows], run, BudgetUnit.TOKENS)),
            until=min(until, agent.ended or agent.since) if ended else FOREVER if lives else until,
            asked=booked is not None and _can_be_asked(fleet, agent),
            dearest=sums.dearest.get(agent.model),
            dearest_of_any=max(sums.dearest.values(), default=None),
            subagents=_subagents(agent) if lives else None,
        )


def raised(most: Ceilings | None, row: RunGrant, run: Run, since: int) -> Ceilings:
    """Return the highest ceilings of a run with one more grant; one that binds it anew does so `since` then."""
    now = row.billed, row.covered, row.tokens
    if most is None or _is_new(most, row):
        return Ceilings(since, run.booked, run.booked_tokens, *now)
    before = most.billed, most.covered, most.tokens
    highest = (None if new is None or old is None else max(old, new) for old, new in zip(before, now, strict=True))
    return Ceilings(most.since, most.base, most.base_tokens, *highest)


def _is_new(most: Ceilings | None, row: RunGrant) -> bool:
    """Return whether a grant binds a run in a unit in which nothing bound it before."""
    before = (most.billed, most.covered, most.tokens) if most else (None, None, None)
    now = row.billed, row.covered, row.tokens
    return any(old is None and new is not None for old, new in zip(before, now, strict=True))


def _most(tops: Iterable[int | None], run: Run, unit: BudgetUnit) -> int:
    """What a run may have spent, whatever its host says: no runner lets twice its ceiling and a few messages pass.

    What was spent beyond is counted when it is booked; a lie would else hold what is left of a budget for its period.
    Of a run that was not ordered no more than its ceiling is: whoever claims thousands has not thousands of messages.
    """
    ceilings = [top for top in tops if top is not None]
    if not run.ordered:
        return max(ceilings, default=0)
    return (2 * max(ceilings) if ceilings else run.gone(unit)) + FEW[unit]


def priority(fleet: Fleet, profile: str) -> int:
    """Return the priority of a profile's agents."""
    settings = fleet.profiles.get(profile)
    return settings.priority if settings else 0


def lowest(fleet: Fleet) -> int:
    """Return the priority of agents that this room did not order, whatever profile their hosts claim."""
    return min((profile.priority for profile in fleet.profiles.values()), default=0)


def was_seen(agent: Agent) -> bool:
    """Return whether its host has shown this run; one whose order was not answered may run without anybody knowing."""
    return bool(agent.started or agent.grant or agent.evidence)


def _begins(agent: Agent) -> bool:
    """Return whether this room has ordered it just now, and its host has not shown it yet."""
    return agent.pending is not None and agent.pending.verb in STARTING and not was_seen(agent)


def _has_claude(agent: Agent) -> bool:
    """Return whether there is something to be granted: below a command only once a Claude was seen to spend."""
    if agent.kind == AgentKind.COMMAND:
        return bool(agent.billing or agent.grant or agent.spent)
    return agent.kind != AgentKind.ADOPTED


def _subagents(agent: Agent) -> int | None:
    """Return how many subagents are at work of an agent that can be seen; it has none before it has begun."""
    return 0 if agent.state is State.STARTING else agent.subagents


def _is_up(fleet: Fleet, name: str) -> bool:
    host = fleet.hosts.get(name)
    return host is not None and host.link is LinkState.UP


def _can_be_asked(fleet: Fleet, agent: Agent) -> bool:
    host = fleet.hosts.get(agent.host)
    ours = host is not None and host.link is LinkState.UP and (host.facts is None or host.facts.owned)
    under_way = agent.pending is not None and agent.pending.verb in (*STARTING, *ENDS)
    return ours and agent.lives and not under_way


MARGIN = 75_000
"""Milliseconds that a host is told less than what is counted: a runner lets a minute pass, and a grant travels."""

LEAST = 1_000
"""Milliseconds that a grant with an end lasts at least."""

RETRY, SELDOM = 5_000, 300_000
"""Milliseconds until a run that did not take a grant is given another; twice that the next time, up to the second."""

PATIENCE = 30_000
"""Milliseconds for a host to answer."""


class GrantDelivery:
    """What is under way to hosts."""

    def __init__(self, send: Callable[[str, GrantOrder], bool], new_id: Callable[[], int]) -> None:
        """`send` sends a host something about grants; it gives False when the host cannot be reached."""
        self._send, self._new_id = send, new_id
        self._prices: Prices | None = None
        self._told: dict[str, str] = {}
        """The mark of the sheet that each host was sent over the link that it has now."""
        self._open: dict[int, tuple[RunKey, int, int]] = {}
        """By request: the run, the number of its grant, and when it was sent."""
        self._owed: Counter[RunKey] = Counter()
        """How many answers hosts owe about each run."""
        self._sent: dict[RunKey, int] = {}
        """When each run was sent something for the last time."""
        self._failed: dict[RunKey, tuple[int, int]] = {}
        """How often in a row a run did not take a grant, and when that was last."""
        self._unanswered: Counter[RunKey] = Counter()
        """How often in a row a host that is there has not answered about a run."""
        self.changed: set[RunKey] = set()
        """Runs of which something else is under way, or was answered, than when this was last looked at."""

    @property
    def priced(self) -> bool:
        """Whether there are prices, without which no grant can be gone by."""
        return self._prices is not None

    @property
    def open(self) -> bool:
        """Whether a host has still to answer."""
        return bool(self._open)

    def price(self, sheet: Sheet) -> None:
        """Replace the sheet that grants go by."""
        text = json.dumps(sheet_to_json(sheet), sort_keys=True, separators=(",", ":"))
        self._prices = Prices(hashlib.sha256(text.encode()).hexdigest()[:12], text)

    def announce(self, host: str) -> None:
        """Send a host the prices, if it has not got them."""
        prices = self._prices
        if prices is not None and self._told.get(host) != prices.mark and self._send(host, prices):
            self._told[host] = prices.mark

    def grant(self, row: RunGrant, now: int) -> Grant:
        """Return what a host is told of a grant; what has passed since it was written is taken off."""
        allowance = Allowance(row.billed, row.covered, row.tokens, dict(row.windows))
        lasts = max(LEAST, row.ends - now - MARGIN) if row.ends else 0
        mark = self._prices.mark if self._prices else ""
        self._sent[row.run] = now
        self.changed.add(row.run)
        return Grant(self._new_id(), *row.run[1:], row.number, allowance, lasts, mark)

    def send(self, row: RunGrant, now: int) -> None:
        """Send a grant that is written down."""
        self.announce(row.run[0])
        grant = self.grant(row, now)
        if self._send(row.run[0], grant):
            self._open[grant.id] = row.run, row.number, now
            self._owed[row.run] += 1

    def answered(self, host: str, reply: Reply, now: int) -> tuple[RunKey, int] | None:
        """Take a host's answer; give the run and the number of the grant that it is about."""
        request = self._open.get(reply.id)
        if request is None or request[0][0] != host:
            return None
        del self._open[reply.id]
        self.changed.add(request[0])
        self._owed[request[0]] -= 1
        del self._unanswered[request[0]]
        if reply.outcome is Outcome.DONE:
            self._failed.pop(request[0], None)
        else:
            self._told.pop(host, None)  # the prices may not have been kept
            self._failed[request[0]] = self._failed.get(request[0], (0, 0))[0] + 1, now
        return request[:2]

    def host_down(self, host: str) -> None:
        """Expect no answer of a host any more; the next link begins with the prices."""
        self._told.pop(host, None)
        self._unanswered = Counter({run: times for run, times in self._unanswered.items() if run[0] != host})
        self._expect({number: request for number, request in self._open.items() if request[0][0] != host})
        self.changed |= {run for run in self._sent if run[0] == host}
        self._sent = {run: at for run, at in self._sent.items() if run[0] != host}

    def doubted(self, run: Run, grants: GrantBook, now: int) -> Run:
        """Mark a run whose newest grant may have been lost, and whose host does not owe an answer."""
        if now < self._put_off(run.key):
            return replace(run, asked=False)
        waits = run.asked and grants.waits(run.key) and now >= self._repeated(run.key)
        if not waits or self._owed[run.key] > 0:
            return run
        return replace(run, again=True)

    def changes_at(self, key: RunKey, grants: GrantBook, now: int) -> list[int]:
        """Return when `doubted` will say something else of a run because time passes."""
        waits = self._repeated(key) if grants.waits(key) else now
        return [at for at in (waits, self._put_off(key)) if at > now]

    def _repeated(self, key: RunKey) -> int:
        """Return when a run is sent its newest grant again: ever more seldom if its host never answers about it."""
        wait: int = RETRY * 2 ** min(self._unanswered[key], 10)
        return self._sent.get(key, 0) + min(SELDOM, wait)

    def _put_off(self, key: RunKey) -> int:
        """Return until when a run that did not take a grant is not given another."""
        times, at = self._failed.get(key, (0, 0))
        return at + min(SELDOM, RETRY * 2 ** min(times - 1, 10)) if times else 0

    def fails(self, run: Run) -> bool:
        """Return whether a run has not taken what it was granted, and that twice in a row."""
        return self._failed.get(run.key, (0, 0))[0] > 1

    def tidy(self, now: int) -> None:
        """Wait no longer for hosts that do not answer."""
        first = next(iter(self._open.values()), None)  # they stand in the order in which they were sent
        if first is not None and not 0 <= now - first[2] < PATIENCE:
            kept = {number: request for number, request in self._open.items() if now - request[2] < PATIENCE}
            self._unanswered.update(request[0] for number, request in self._open.items() if number not in kept)
            self._expect(kept)

    def _expect(self, answers: dict[int, tuple[RunKey, int, int]]) -> None:
        """Expect these answers and no others."""
        self.changed |= {request[0] for request in self._open.values()}
        self._open, self._owed = answers, Counter(run for run, _, _ in answers.values())
