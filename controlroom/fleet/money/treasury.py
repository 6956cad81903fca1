"""The desk that keeps budgets: what is gone of each, what running agents may still spend, and what follows from it.

It looks again whenever something was booked or an agent has changed, gathered for a moment, and when a period ends.
What it holds of the ledger is one moment's sums; what has been granted since is added to them. A grant is counted, then
written, then sent, in this order, so that no crash between them gives away more than is known. Times: UTC milliseconds.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from controlroom.domain import events
from controlroom.domain.changes import Changes
from controlroom.domain.gauges import Alarm
from controlroom.domain.intents import Effect, Intent, MoveOn, SpawnOn
from controlroom.domain.model import Agent, Fleet
from controlroom.domain.money.allotment import Purse, Run, Share, given_away, share_out
from controlroom.domain.money.budget import BudgetRule, begins_anew
from controlroom.domain.money.forecast import burn_moments
from controlroom.domain.money.holding import is_paused
from controlroom.domain.money.rungs import unbound
from controlroom.domain.money.runways import Runway, runways
from controlroom.fleet.bookkeeper import Bookkeeper
from controlroom.fleet.books.grant_tables import GRANTS, NUMBER, PROBE, RUNGS, GrantRow, granted
from controlroom.fleet.books.ledger import Ledger, LedgerProblem
from controlroom.fleet.books.spend_views import RunKey, Sums, read_sums
from controlroom.fleet.books.usage_tables import Statement
from controlroom.fleet.hosts.orders import Asked
from controlroom.fleet.money.grant_book import GrantBook
from controlroom.fleet.money.grant_mail import GrantMail
from controlroom.fleet.money.ladder import Ladder
from controlroom.fleet.money.purses import Purses
from controlroom.fleet.money.resuming import Resuming
from controlroom.fleet.rounds import SOON, Rounds
from controlroom.fleet.store import FleetStore
from controlroom.meter.prices import Sheet
from controlroom.wire.grants import Grant, GrantOrder
from controlroom.wire.messages import Reply

log = logging.getLogger("controlroom.treasury")

TICK = 30.0
"""Seconds after which everything is looked at again though nothing has happened."""

AGAIN = 5.0
"""Seconds until something is tried again that did not work."""


class Room(Protocol):
    """What the treasury needs of the engine."""

    store: FleetStore
    clock: Callable[[], int]

    @property
    def fleet(self) -> Fleet:
        """The fleet as it is."""

    def happened(self, event: events.Event) -> None:
        """Take an event."""

    def send(self, host: str, message: GrantOrder) -> bool:
        """Send a host something about grants; False when it cannot be reached."""

    def new_id(self) -> int:
        """Give a number for a request."""

    async def submit(self, intent: Intent, who: str) -> Asked:
        """Do what is wanted."""


class Treasury:
    """Keeps the budgets of a room. All methods are called on the event loop."""

    def __init__(
        self,
        room: Room,
        ledger: Ledger,
        books: Bookkeeper,
        purses: Purses,
        logins: Callable[[], Mapping[str, str]],
    ) -> None:
        """`logins`: which account of a plan each agent is known to use. What was granted before is recalled."""
        self._room, self._ledger, self._books, self.purses, self._logins = room, ledger, books, purses, logins
        rows, numbers, done = ledger.read_all([(GRANTS, ()), (NUMBER, ()), (RUNGS, ())])
        number = max((int(row[0] or 0) for row in numbers), default=0)
        self._grants = GrantBook((GrantRow(*row) for row in rows), number)
        self._mail = GrantMail(room)
        self._ladder = Ladder(room, books, ((str(b), int(a), int(p), str(d)) for b, a, p, d in done), purses.moment)
        self._resuming = Resuming(room)
        self._sums = Sums()
        self._stale = True
        """The ledger holds more than the sums."""
        self._unseen = Changes()
        self._seen = _Seen()
        self._noticing: asyncio.TimerHandle | None = None
        self._rounds = Rounds(self._look, "treasury", AGAIN)

    def start(self) -> None:
        """Begin to look."""
        self._room.store.subscribe(self._changed)
        self._catch_up()
        self._tell()
        self.booked()

    def close(self) -> None:
        """Do nothing more."""
        if self._noticing is not None:
            self._noticing.cancel()
        self._rounds.close()
        self._ladder.close()
        self._resuming.close()

    async def wait_idle(self) -> None:
        """Wait until what has happened has been looked at, and hosts have answered."""
        while self._busy:  # noqa: ASYNC110 - in tests
            await asyncio.sleep(SOON / 4)

    @property
    def _busy(self) -> bool:
        looks = self._rounds.busy or self._noticing is not None
        return looks or self._mail.open or self._ladder.busy or self._resuming.busy

    # ----------------------------------------------------------------------- what happens

    def booked(self) -> None:
        """Something was booked."""
        self._stale = True
        self.stir()

    def ruled(self, rules: Mapping[str, BudgetRule]) -> None:
        """These are the budgets from now on."""
        self._ladder.begin_anew(name for name, old in self.purses.rules.items() if begins_anew(old, rules.get(name)))
        self.purses.rules = dict(rules)
        self._resuming.forget()
        self._catch_up()
        self._tell()
        self.booked()

    def priced(self, sheet: Sheet) -> None:
        """These are the prices that grants go by."""
        self._mail.price(sheet)
        self.stir()

    def stir(self) -> None:
        """Something may have changed: look soon."""
        self._rounds.want()

    def replied(self, host: str, reply: Reply) -> None:
        """A host answers: a run goes by its grant, or does not."""
        answered = self._mail.answered(host, reply, self._room.clock())
        if answered is None:
            return
        if reply.outcome == "done":
            self._write(self._grants.goes_by(*answered))
        elif reply.outcome == "refused":
            log.warning("%s/%s does not take its grant: %s", *answered[0][:2], reply.reason)
            self._write(self._grants.refused(*answered))
        self.stir()

    def host_down(self, host: str) -> None:
        """The link to a host is lost: what was on its way may or may not have arrived."""
        self._mail.host_down(host)
        self.stir()

    def _changed(self, changes: Changes) -> None:
        self._unseen.add(changes)
        if self._noticing is None and (self.purses.rules or self._grants.keys):
            self._noticing = asyncio.get_running_loop().call_later(SOON, self._notice)

    def _notice(self) -> None:
        """Look if anything has changed that matters here; lines and loads change all the time."""
        self._noticing = None
        changes, self._unseen = self._unseen, Changes()
        if self._seen.differs(self._room.fleet, changes):
            self._rounds.want()

    def runways(self) -> list[Runway]:
        """Say how far each agent can go alone."""
        now = self._room.clock()
        since, _ = burn_moments(now)
        return runways(self._runs(), self._sums.since.get(since, ()), since, now)

    # ----------------------------------------------------------------------- runs that begin

    def refusal(self, effect: Effect) -> str | None:
        """Say why there is no money for what would begin, or None."""
        start = effect.start if isinstance(effect, MoveOn) else effect
        if not isinstance(start, SpawnOn):
            return None
        purses, runs, new = self._with(start)
        bound = [purse for purse in purses if purse.holds(new)]
        if bound and not self._mail.priced:
            return "nothing can be metered yet, and a budget binds it: the price sheet has not been read"
        share = self._share(purses, runs, new)
        return self.purses.refusal(bound, runs, new, self._room.clock()) if share is not None and share.dry else None

    def first(self, start: SpawnOn) -> tuple[Grant | None, list[Statement]]:
        """Give the first grant of a run that is to begin, and what is to be written before it is sent."""
        purses, runs, new = self._with(start)
        share = self._share(purses, runs, new)
        if share is None:
            return None, []
        row = self._row(share)
        self._grants.add([row])
        self._tell()
        return self._mail.grant(row, self._room.clock()), granted([row])

    def sends(self, host: str) -> None:
        """A run is about to begin on a host: it needs the prices first."""
        self._mail.announce(host)

    def gave(self, agent: Agent) -> bool:
        """Say whether an agent goes by a grant that this room can have given it."""
        return self._grants.gave((agent.host, agent.name, agent.epoch), agent.grant)

    def never_began(self, run: RunKey) -> None:
        """A run did not begin, for certain: what it was granted is there again."""
        self._write(self._grants.settle(run))
        self.stir()

    def _with(self, start: SpawnOn) -> tuple[list[Purse], list[Run], Run]:
        """Give the purses, and all runs with one that would begin, and that one."""
        self._catch_up()
        key = (start.host, start.name, start.epoch)
        dearest = self._sums.dearest.get(start.model)
        profile = self._room.fleet.profiles.get(start.profile)
        payer = profile.billing if profile else ""
        new = Run(*key, start.profile, payer, profile.priority if profile else 0, dearest=dearest)
        runs = [run for run in self._runs() if run.key != key]
        if start.kind == "command":
            return [], runs, new
        return self.purses.binding(self._sums, self._room.fleet, self._room.clock()), [*runs, new], new

    def _catch_up(self) -> None:
        """Read the sums at once, if a period has begun since: what would begin must not wait for it."""
        now = self._room.clock()
        moments = self.purses.moments(now)
        if not moments <= set(self._sums.since):
            try:
                self._sums = read_sums(self._ledger, moments, {run.key for run in self._runs()}, now)
            except LedgerProblem as problem:
                log.error("budgets cannot be looked at: %s", problem)

    def _share(self, purses: list[Purse], runs: list[Run], new: Run) -> Share | None:
        ends = {new.key: self.purses.ends(new, purses, self._room.clock())}
        return next((share for share in share_out(purses, runs, ends) if share.run is new), None)

    # ----------------------------------------------------------------------- looking

    async def _look(self) -> float:
        try:
            await self._read()
            self._climb()
            await asyncio.sleep(0)  # each part looks at all agents: others have their turn in between
            await self._share_out()
            await asyncio.sleep(0)
            self._go_on()
            await asyncio.sleep(0)
            self._warn()
            return min(TICK, self.purses.next_end(self._room.clock()) / 1000)
        except LedgerProblem as problem:
            self._complain(str(problem))
        except Exception as mistake:  # our own, and it must not end the looking: money would be spent unseen
            log.exception("budgets cannot be looked at")
            self._complain(f"Control Room made a mistake ({type(mistake).__name__}); see the engine's log")
        self._stale = True
        return AGAIN

    async def _read(self) -> None:
        """Have the sums of the ledger as they are, of all periods and all runs."""
        now = self._room.clock()
        self._mail.tidy(now)
        self._write(self._grants.observe(self._room.fleet, now))
        moments = self.purses.moments(now)
        wanted = {run.key for run in self._runs()}
        if self._stale or not moments <= set(self._sums.since) or not wanted <= set(self._sums.runs):
            self._stale = False
            self._sums = await asyncio.to_thread(read_sums, self._ledger, moments, wanted, now)

    async def _share_out(self) -> None:
        """Grant what is to be granted now: count it, write it, send it."""
        now, runs = self._room.clock(), self._runs()
        for run in runs:
            if self.purses.is_settled(run, now):
                self._write(self._grants.settle(run.key))
        shares: Iterable[Share] = ()
        if self._mail.priced:
            purses = self.purses.binding(self._sums, self._room.fleet, now)
            shares = share_out(purses, runs, {run.key: self.purses.ends(run, purses, now) for run in runs})
        rows = [self._row(share) for share in shares]
        self._grants.add(rows)
        self._tell()
        writes = granted(rows) or [PROBE] * bool(self._books.trouble)
        if writes and (problem := await self._books.booked(writes)):
            self._grants.drop(rows)
            raise LedgerProblem(problem)
        for row in rows:
            self._mail.send(row, self._room.clock())
        self._room.happened(events.Alarmed("ledger", None))

    def _climb(self) -> None:
        """Do what budgets' ladders say by now."""
        now, fleet, runs = self._room.clock(), self._room.fleet, self._runs()
        shown = self.purses.shown(self._sums, runs, fleet, now)
        self._room.happened(events.BudgetsSeen(shown))  # what is announced holds already: nothing begins in between
        self._ladder.climb(self.purses.rules, shown, self.purses.by_rule(runs))
        self._ladder.write_paused()
        self.purses.cut_down(shown, self._sums, [*runs, *self._paused()], fleet, now)

    def _paused(self) -> list[Run]:
        return [self._run_of(agent) for agent in self._room.fleet.agents.values() if is_paused(agent)]

    def _run_of(self, agent: Agent) -> Run:
        """Give the next run of a paused agent, as far as it is known who it would be."""
        profile = self._room.fleet.profiles.get(agent.profile)
        rank = profile.priority if profile else 0
        return Run(agent.host, agent.name, agent.epoch, agent.profile, agent.billing, rank, ended=True)

    def _go_on(self) -> None:
        """Resume agents that were paused, as far as there is money."""
        runs = self._runs()
        purses = self.purses.binding(self._sums, self._room.fleet, self._room.clock())
        if self._mail.priced:
            free = {purse.rule.name: purse.rule.stop - purse.spent - given_away(purse, runs) for purse in purses}
            self._resuming.look(purses, lambda purse: free[purse.rule.name], self._run_of)

    def _runs(self) -> list[Run]:
        now = self._room.clock()
        runs = self._grants.runs(self._room.fleet, self._sums, self._logins(), now)
        return [self._mail.doubted(run, self._grants, now) for run in runs]

    def _row(self, share: Share) -> GrantRow:
        self._grants.number += 1
        return self._mail.row(self._grants.number, share, self._room.clock())

    def _tell(self) -> None:
        """Show the budgets as they stand."""
        shown = self.purses.shown(self._sums, self._runs(), self._room.fleet, self._room.clock())
        self._room.happened(events.BudgetsSeen(shown))

    def _complain(self, problem: str) -> None:
        """Say that nothing can be granted; what runs goes on with what it has."""
        log.error("nothing can be granted: %s", problem)
        text = f"no agent is granted anything, and agents stop when theirs is used up: {problem}"
        known = self._room.fleet.alarms.get("ledger")
        since = known.since if known else self._room.clock()
        self._room.happened(events.Alarmed("ledger", Alarm(text, "danger", since)))

    def _warn(self) -> None:
        """Say which agents no budget binds though it should: they cannot be reached, or do not take grants."""
        now, fleet, runs = self._room.clock(), self._room.fleet, self._runs()
        purses = self.purses.binding(self._sums, fleet, now)
        bound = [run for run in runs if run.id in fleet.agents and any(purse.holds(run) for purse in purses)]
        away = [run.id for run in bound if not run.grants and not fleet.reachable(fleet.agents[run.id])]
        wrong = [run.id for run in bound if not run.ended and self._mail.fails(run)]
        for about, agents in (("ungranted", away), ("untaken", wrong)):
            self._room.happened(events.Alarmed(about, unbound(about, agents, fleet, now)))

    def _write(self, statements: list[Statement]) -> None:
        if statements:
            self._books.keep(statements)


class _Seen:
    """What follows of a fleet can be changed by, as it was when it was last looked at."""

    def __init__(self) -> None:
        self._records: dict[str, object] = {}

    def differs(self, fleet: Fleet, changes: Changes) -> bool:
        """Say whether any of that is other by now, among what has changed; and take it as seen."""
        now: dict[str, object] = {}
        for key in changes.agents:
            agent = fleet.agents.get(key)
            now[key] = agent and _of_agent(agent)
        for name in changes.hosts:
            host = fleet.hosts.get(name)
            now[name] = host and (host.link, host.facts is None or host.facts.owned)
        other = [key for key, value in now.items() if value != self._records.get(key)]
        for key in other:
            self._records[key] = now[key]
            if now[key] is None:
                del self._records[key]
        return bool(other or changes.headroom or changes.room)


def _of_agent(agent: Agent) -> object:
    state = (agent.epoch, agent.state, agent.billing, agent.grant, agent.pending is None)
    return (*state, agent.has_ended, agent.lives, agent.profile, agent.model, agent.subagents)
