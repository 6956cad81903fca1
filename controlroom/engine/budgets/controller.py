"""Keeps the budgets: how much of each is spent, what running agents may still spend, and what follows from that.

It looks soon after something was booked or an agent has changed, and when a period ends, and only at what has changed.
What it read of the ledger was true at that moment; grants made since are added. A grant is counted, then written, then
sent, so that no crash in between gives away more than is counted. Times are UTC milliseconds.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import replace

from controlroom.domain import events
from controlroom.domain.budgets import Budget
from controlroom.domain.changes import Changes
from controlroom.domain.gauges import Alarm, AlarmLevel
from controlroom.domain.intents import Effect, MoveOn, SpawnOn
from controlroom.domain.model import Agent
from controlroom.domain.money import ladder
from controlroom.domain.money.allotment import NextGrant, Run
from controlroom.domain.money.budget import BudgetRule, begins_anew
from controlroom.domain.money.forecast import Runway, burn_moments, runways
from controlroom.domain.money.plausible import Ceilings
from controlroom.domain.money.sharing import Balances, Ends, Sharing
from controlroom.engine.background_tasks import SOON, Debouncer
from controlroom.engine.budgets.funds import Funds, SpentSums
from controlroom.engine.budgets.grants import GrantBook, GrantDelivery
from controlroom.engine.budgets.ladder import Ladder
from controlroom.engine.budgets.led_agents import LedAgents
from controlroom.engine.budgets.pauses import UNSPENT, Pauses, Resuming, Submit
from controlroom.engine.budgets.run_table import RunTable, SeenFleet, Unbound
from controlroom.engine.ledger.grant_tables import (
    GRANTS,
    LAST,
    LAST_PRUNED,
    MOST,
    MOST_PRUNED,
    NUMBER,
    PROBE,
    RUNGS,
    granted,
    read_grant,
    read_last,
)
from controlroom.engine.ledger.ledger import Ledger, LedgerProblem
from controlroom.engine.ledger.usage_tables import RunKey, Statement
from controlroom.engine.ledger.usage_views import Sums, read_sums
from controlroom.engine.ledger.writer import LedgerWriter
from controlroom.engine.store import FleetStore
from controlroom.metering.prices import Sheet
from controlroom.text.states import AgentKind, Outcome
from controlroom.wire.grants import Grant, GrantOrder
from controlroom.wire.messages import Reply

log = logging.getLogger("controlroom.budgets")

TICK = 30.0
"""Seconds after which everything is looked at again though nothing has happened."""

AT_ONCE = 100
"""Runs that are looked at, and that are granted something, before others have their turn."""

MANY = 1_000
"""Agents that have spent, from which on all sums are read and not those of each."""

AGAIN = 5.0
"""Seconds until something is tried again that did not work."""


class BudgetController:
    """Keeps the budgets of a room. All methods are called on the event loop."""

    def __init__(
        self,
        store: FleetStore,
        ledger: Ledger,
        ledger_writer: LedgerWriter,
        funds: Funds,
        logins: Callable[[], Mapping[str, str]],
        send: Callable[[str, GrantOrder], bool],
        submit: Submit,
    ) -> None:
        """Recall what was granted before. `logins`: which account of a plan each agent is known to use.

        `send` sends a host something about grants; it gives False when the host cannot be reached.
        """
        self._store, self._ledger, self._ledger_writer = store, ledger, ledger_writer
        self.funds, self._logins = funds, logins
        queries = (GRANTS, NUMBER, RUNGS, MOST, LAST)
        rows, numbers, done, most, last = ledger.read_all([(query, ()) for query in queries])
        number = max((int(row[0] or 0) for row in numbers), default=0)
        ceilings = {(str(row[0]), str(row[1]), int(row[2])): Ceilings(*row[3:]) for row in most}
        last_grants = {grant.run: grant for grant in map(read_last, last)}
        self.grants = GrantBook(map(read_grant, rows), number, ceilings, last_grants)
        """What runs were granted."""
        self.mail = GrantDelivery(send, store.new_id)
        """Grants on their way to hosts."""
        rungs = ((str(b), int(a), int(p), str(d)) for b, a, p, d in done)
        self._ladder = Ladder(store, ledger_writer, submit, rungs, funds.moment, logins)
        self._resuming = Resuming(store, submit, self.schedule)
        self._pauses = Pauses(self.grants.last)
        self.led = LedAgents(ledger)
        """Agents that leads have begun."""
        self.spent = SpentSums(self._started, self.led.lead_of)
        """What the ledger is known to hold."""
        self._stale = True
        """The ledger holds more than what is known to be spent."""
        self._whole = True
        """It is not known of whom: all is to be read."""
        self._touched = ledger.follow()
        self._unseen = Changes()
        self.seen = SeenFleet()
        """The fleet as far as it was looked at."""
        self.table = RunTable(self.grants, self.mail, funds)
        """Runs that have been granted something, or can be."""
        self._unread: set[RunKey] = set()
        """Runs of which it was never read what is booked."""
        self.sharing = Sharing(Balances(()))
        """What budgets come to, and who is granted what next."""
        self._periods: Hashable = None
        """What the balances were made for; None: they are to be made anew."""
        self._unbound = Unbound()
        self._matters = False
        """Something has changed that matters here since it was last looked at."""
        self._noticing: asyncio.TimerHandle | None = None
        self._debouncer = Debouncer(self._look, "budgets", AGAIN)
        store.subscribe(self._changed)

    def start(self) -> None:
        """Begin to keep the budgets."""
        self._ledger_writer.keep([MOST_PRUNED, LAST_PRUNED])
        self._catch_up()
        self._tell()
        self.booked()

    async def close(self) -> None:
        """Stop: nothing more is begun."""
        if self._noticing is not None:
            self._noticing.cancel()
        self._debouncer.close()
        await self._ladder.close()
        self._resuming.close()

    async def wait_idle(self) -> None:
        """Wait until what has happened has been looked at, and hosts have answered."""
        while self.busy:  # noqa: ASYNC110 - in tests
            await asyncio.sleep(SOON / 4)

    @property
    def behind(self) -> bool:
        """Whether something has happened that was not looked at."""
        return self._debouncer.busy or self._noticing is not None

    @property
    def busy(self) -> bool:
        """Whether something has happened that was not looked at, or a host has not answered."""
        return self.behind or self.mail.open or self._ladder.busy or self._resuming.busy

    # ----------------------------------------------------------------------- what happens

    def booked(self) -> None:
        """Something was booked."""
        self._stale = True
        self.schedule()

    def ruled(self, rules: Mapping[str, BudgetRule]) -> None:
        """Replace the budget rules."""
        self._ladder.begin_anew(name for name, old in self.funds.rules.items() if begins_anew(old, rules.get(name)))
        self.funds.rules = dict(rules)
        self._resuming.forget()
        self._catch_up()
        self._tell()
        self.booked()

    def priced(self, sheet: Sheet) -> None:
        """Replace the prices that grants go by."""
        self.mail.price(sheet)
        self.schedule()

    def schedule(self) -> None:
        """Something may have changed: look soon."""
        self._debouncer.want()

    def replied(self, host: str, reply: Reply) -> None:
        """A host answers: a run goes by its grant, or does not."""
        answered = self.mail.answered(host, reply, self._store.clock())
        if answered is None:
            return
        if reply.outcome is Outcome.DONE:
            self._ledger_writer.keep(self.grants.goes_by(*answered, self._store.clock()))
        elif reply.outcome is Outcome.REFUSED:
            log.warning("%s/%s does not take its grant: %s", *answered[0][:2], reply.reason)
            self._ledger_writer.keep(self.grants.refused(*answered))
        self.schedule()

    def host_down(self, host: str) -> None:
        """Expect no answer of a host any more: what was on its way may or may not have arrived."""
        self.mail.host_down(host)
        self.schedule()

    def _changed(self, changes: Changes) -> None:
        self._unseen.add(changes)
        if self._noticing is None and (self.funds.rules or self.grants.keys):
            self._noticing = asyncio.get_running_loop().call_later(SOON, self._notice)

    def _notice(self) -> None:
        """Schedule a round if something has changed that matters here; lines and loads change all the time."""
        self._noticing = None
        self._see()
        if self._matters:
            self._debouncer.want()

    def _see(self) -> None:
        """Take in what has changed in the fleet."""
        fleet, changes = self._store.fleet, self._unseen
        self._unseen = Changes()
        agents, hosts = self.seen.differing(fleet, changes)
        self.table.touch_agents(agents, fleet)
        self.table.touch_hosts(hosts)
        for host, _, name in (id_.partition("/") for id_ in agents):
            self.spent.began_anew(host, name)
        self._matters |= bool(agents or hosts or changes.headroom or changes.room)

    def runways(self) -> list[Runway]:
        """Return how far each agent can go alone."""
        now = self._store.clock()
        since, _ = burn_moments(now)
        return runways(self._runs(), self.spent.of(since), since, now)

    # ----------------------------------------------------------------------- runs that begin

    def first(self, effect: Effect | None) -> NextGrant | None:
        """Return what a run that would begin is to be granted first; None: it spends nothing, or nothing binds it."""
        start = effect.start if isinstance(effect, MoveOn) else effect
        if not isinstance(start, SpawnOn) or start.kind == AgentKind.COMMAND:
            return None
        return self.sharing.first(self._beginning(start), self._ends())

    def refusal(self, share: NextGrant | None) -> str | None:
        """Return why there is no money for what would begin, or None, as for what needs no grant (`share` None)."""
        if share is None:
            return None
        bound = [balance for balance in self.sharing.balances.holding(share.run) if balance.binds]
        if bound and not self.mail.priced:
            return "nothing can be metered yet, and a budget binds it: the price sheet has not been read"
        return self.funds.refusal(bound, share.run) if share.dry else None

    def granted(self, share: NextGrant) -> tuple[Grant, list[Statement]]:
        """Return the first grant of a run that is to begin, and what is to be written before it is sent.

        Its host is sent the prices, which it needs first.
        """
        begins = self.led.begins(share.run)
        row = self.grants.new(share, self._store.clock())
        self.mail.announce(share.run.host)
        self._tell()
        return self.mail.grant(row, self._store.clock()), [
            *begins,
            *granted([row]),
            *self.grants.raised(row, share.run, born=True),
        ]

    def ceilings(self, run: RunKey) -> Ceilings | None:
        """Return the highest ceilings that a run was granted; None: it never was."""
        return self.grants.most(run)

    def gave(self, agent: Agent) -> bool:
        """Return whether an agent goes by a grant that this room can have given it."""
        return self.grants.gave((agent.host, agent.name, agent.epoch), agent.grant)

    def never_began(self, run: RunKey) -> None:
        """A run did not begin, for certain: what it was granted is there again."""
        self._ledger_writer.keep(self.grants.settle(run))
        self.schedule()

    def _beginning(self, start: SpawnOn) -> Run:
        """Return the run that would begin, and have the budgets as they stand."""
        self._catch_up()
        self._stand()
        profile = self._store.fleet.profiles.get(start.profile)
        payer = ladder.payer(self._store.fleet, start.profile, start.credential)
        rank, dearest = profile.priority if profile else 0, self.spent.dearest.get(start.model)
        run = Run(start.host, start.name, start.epoch, start.profile, payer, rank, dearest=dearest)
        beside = max(self.spent.dearest.values(), default=None)
        lead = start.lead or self.led.lead_of(start.host, start.name)
        return replace(run, lead=lead, subagents=0, dearest_of_any=beside)

    def _catch_up(self) -> None:
        """Read the sums at once, if a period has begun since: what would begin must not wait for it."""
        now = self._store.clock()
        moments = self.funds.moments(now)
        if not moments <= self.spent.moments:
            try:
                self.refresh()
                self._take(read_sums(self._ledger, moments, self._read_of(), now))
            except LedgerProblem as problem:
                log.error("budgets cannot be looked at: %s", problem)

    def _started(self, host: str, name: str) -> int:
        """Return when an agent was started for the first time; 0: nobody knows, or it was begun anew."""
        agent = self._store.fleet.agents.get(f"{host}/{name}")
        return agent.started if agent and agent.epoch == 1 else 0

    # ----------------------------------------------------------------------- looking

    async def _look(self) -> float:
        try:
            self._matters = False
            await self._read()
            self._climb()
            await asyncio.sleep(0)  # when much has changed each part takes a while: others have their turn in between
            await self._share_out()
            await self._read_begun()
            self._go_on()
            self._warn()
            return min(TICK, self.funds.next_end(self._store.clock()) / 1000, self._resuming.due / 1000)
        except LedgerProblem as problem:
            self._complain(str(problem))
        except Exception as mistake:  # our own, and it must not end the looking: money would be spent unseen
            log.exception("budgets cannot be looked at")
            self._complain(f"Control Room made a mistake ({type(mistake).__name__}); see the engine's log")
        self._stale, self._periods = True, None
        self.table.touch_all()
        return AGAIN

    async def _read(self) -> None:
        """Read the sums of the ledger, of all periods and all runs, as far as they have changed."""
        self.mail.tidy(self._store.clock())
        while self.refresh(AT_ONCE):  # noqa: ASYNC110 - others have their turn
            await asyncio.sleep(0)
        unread = self._pauses.open(self.seen.paused.values()) - self.spent.runs.keys()
        if self._stale or self._unread or unread:
            await self._read_now()
        await self._read_begun()

    async def _read_begun(self) -> None:
        """Read the sums of a period that has just begun: an unknown budget gives nothing."""
        while not self.funds.moments(self._store.clock()) <= self.spent.moments:
            await self._read_now()

    async def _read_now(self) -> None:
        """Read what there is of those who have spent; meanwhile more may be booked, or other periods begin."""
        now, self._stale = self._store.clock(), False
        moments, paused = self.funds.moments(now), self._pauses.open(self.seen.paused.values())
        unread = {*self._unread, *(paused - self.spent.runs.keys())}
        agents = self._touched.take() | {run[:2] for run in unread}
        whole = self._whole or len(agents) > MANY or not moments <= self.spent.moments
        theirs = [*self.table.of(agents), *(run for run in paused if run[:2] in agents)]
        runs, some = (self._read_of(), None) if whole else (theirs, agents)
        self._whole = True  # should it fail
        sums = await asyncio.to_thread(read_sums, self._ledger, moments, runs, now, some)
        self._whole = False
        self._take(sums, some)
        self._dry()  # while it is known what is booked of them: who has run dry stays so

    def _read_of(self) -> list[RunKey]:
        """Return the runs of which it must be known what is booked."""
        return [*self.table.runs, *self._pauses.open(self.seen.paused.values())]

    def _take(self, sums: Sums, agents: Collection[tuple[str, str]] | None = None) -> None:
        """Take what was read of the ledger, of these agents or of all."""
        dearest = self.spent.dearest
        self.table.touch(self.spent.take(sums, agents))
        self.spent.keep(self.funds.moments(self._store.clock()))
        self._unread -= sums.runs.keys()
        if self.spent.dearest != dearest:
            self.table.touch_all()

    def refresh(self, most: int | None = None) -> bool:
        """Bring all runs up to date, or `most` of them, and what budgets come to. Returns whether there are more."""
        self._see()
        fleet, now = self._store.fleet, self._store.clock()
        statements: list[Statement] = []
        for key, run, writes in self.table.refresh(fleet, self.spent, self._logins(), now, most):
            statements += writes
            self._put(key, run)
        self._ledger_writer.keep(statements)
        return self.table.is_stale

    def _put(self, key: RunKey, run: Run | None) -> None:
        balances = self.sharing.balances
        if run is None:
            balances.drop(key)
            self._unread.discard(key)
            self.spent.runs.pop(key, None)
        else:
            balances.put(run)
            if key not in self.spent.runs:
                self._unread.add(key)
        bound = run is not None and bool(balances.entries[key].bound)
        self._unbound.note(key, run, self._store.fleet, bound=bound, fails=run is not None and self.mail.fails(run))

    def _stand(self) -> None:
        """Bring all runs and budgets up to date; from scratch when a period has begun or rules have changed."""
        self.refresh()
        now = self._store.clock()
        funds = self.funds.all(self.spent, self._store.fleet, now)
        periods = self.funds.periods(funds, now)
        if periods != self._periods:
            self._periods = periods
            self.sharing = Sharing(Balances(funds, lambda fund: fund.rule.binds))
            for key, run in self.table.runs.items():
                self._put(key, run)
        for fund in funds:
            self.sharing.balances.stand(fund.rule.name, fund.spent, fund.cut)

    def _ends(self) -> Ends:
        now = self._store.clock()
        return lambda run, funds: self.funds.ends(run, funds, now)

    async def _share_out(self) -> None:
        """Grant what is to be granted now."""
        while await self._share_some() == AT_ONCE:  # noqa: ASYNC110 - others have their turn
            await asyncio.sleep(0)
        self._store.apply(events.Alarmed("ledger", None))

    async def _share_some(self) -> int:
        """Grant something to some: count it, write it, send it; says to how many."""
        await self._read_begun()
        self._stand()
        shares = self.sharing.shares(self._ends(), AT_ONCE) if self.mail.priced else []
        granting = [(self.grants.new(share, self._store.clock()), share.run) for share in shares]
        rows = [row for row, _ in granting]
        self._tell()
        raised = [statement for row, run in granting for statement in self.grants.raised(row, run)]
        writes = [*granted(rows), *raised] or [PROBE] * bool(self._ledger_writer.outbox.trouble)
        if writes and (problem := await self._ledger_writer.outbox.put(writes)):
            self.grants.drop(rows)
            raise LedgerProblem(problem)
        for row in rows:
            self.mail.send(row, self._store.clock())
        return len(rows)

    def _climb(self) -> None:
        """Do what the ladders of budgets demand by now."""
        shown = self._tell()  # what is announced holds already: nothing begins in between
        balances = self.sharing.balances
        self._ladder.climb(self.funds.rules, shown, lambda name: balances.of[name].runs.values())
        gone = {key: agent for key, agent in self.seen.take_paused().items() if agent is None}
        self._ladder.write_paused(gone | {agent.id: agent for agent in self._dry()})
        self.funds.cut_down(shown, balances, map(self._run_of, self._dry()))

    def _dry(self) -> list[Agent]:
        """Return the agents that a budget has paused, not only by their hosts' word."""
        return self._pauses.dry(self.seen.paused.values(), self.spent.runs, self._store.fleet)

    def _run_of(self, agent: Agent) -> Run:
        """Return the next run of a paused agent, as far as it is known who it would be."""
        profile = self._store.fleet.profiles.get(agent.profile)
        rank = profile.priority if profile else 0
        run = Run(agent.host, agent.name, agent.epoch, agent.profile, agent.billing, rank, ended=True)
        return replace(run, lead=self.led.lead_of(agent.host, agent.name))

    def _go_on(self) -> None:
        """Resume agents that were paused, as far as there is money."""
        self._stand()
        if self.mail.priced:
            balances = self.sharing.balances
            self._resuming.look(self._dry(), len(self.seen.resuming), balances, self._run_of, self._pays)

    def _pays(self, agent: Agent) -> bool:
        """Return whether the next run of a paused agent would be granted something."""
        run = replace(self._run_of(agent), epoch=agent.epoch + 1, ended=False, subagents=0)
        profile, ordered = self._store.fleet.profiles.get(agent.profile), agent.ordered
        model = (ordered.chosen if ordered else "") or (profile.model if profile else agent.model)
        dearest, of_any = self.spent.dearest.get(model), max(self.spent.dearest.values(), default=None)
        share = self.sharing.first(replace(run, dearest=dearest, dearest_of_any=of_any), self._ends())
        return share is None or not share.dry

    def _runs(self) -> list[Run]:
        self.refresh()
        return list(self.table.runs.values())

    def _tell(self) -> dict[str, Budget]:
        """Show the budgets as they stand."""
        self._stand()
        balances, paused = self.sharing.balances, self._dry()
        shown = self.funds.shown(balances, self.spent, self._store.fleet, paused, self._store.clock())
        self._store.apply(events.BudgetsSeen(shown))
        return shown

    def _complain(self, problem: str) -> None:
        """Raise the alarm that nothing can be granted; what runs goes on with what it has."""
        log.error("nothing can be granted: %s", problem)
        text = f"no agent is granted anything, and agents stop when theirs is used up: {problem}"
        raised = self._store.fleet.alarms.get("ledger")
        since = raised.since if raised else self._store.clock()
        self._store.apply(events.Alarmed("ledger", Alarm(text, AlarmLevel.DANGER, since)))

    def _warn(self) -> None:
        """Raise, or end, the alarms about agents that no budget binds though it should."""
        now, fleet = self._store.clock(), self._store.fleet
        for about, alarm in self._unbound.alarms(fleet, now):
            self._store.apply(events.Alarmed(about, alarm))
        self._store.apply(events.Alarmed(UNSPENT, self._pauses.alarm(self.seen.paused.values(), fleet, now)))
