"""Books usage: what hosts send is priced, written to the ledger once, acknowledged, and summed up.

A piece is acknowledged when it is on the disk; what was not is sent again. Prices are those of the moment of use. Until
the price sheet has been read nothing is asked for, and nothing is lost.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import tzinfo

from controlroom.domain import events
from controlroom.domain.budgets import Period
from controlroom.domain.claims import OrderedRun
from controlroom.domain.gauges import Alarm, AlarmLevel
from controlroom.domain.intents import SettleUsage
from controlroom.domain.model import Agent, LinkState
from controlroom.domain.money.budget import period
from controlroom.domain.orders import Result
from controlroom.engine.background_tasks import BackgroundTasks
from controlroom.engine.budgets.controller import BudgetController
from controlroom.engine.budgets.doubts import WRITTEN, Doubts, SetAsideDesk
from controlroom.engine.claims import ClaimChecker
from controlroom.engine.config.toml_file import ConfigProblem
from controlroom.engine.hosts.translate_usage import UsagePiece
from controlroom.engine.ledger.doubted_tables import Doubted
from controlroom.engine.ledger.ledger import Ledger, LedgerProblem
from controlroom.engine.ledger.run_tables import session_number
from controlroom.engine.ledger.usage_tables import TOTALS, TOTALS_OF, Source, book, forgotten, read_places, read_up_to
from controlroom.engine.ledger.usage_views import money, summed_anew
from controlroom.engine.ledger.writer import LedgerWriter
from controlroom.engine.store import FleetStore
from controlroom.metering.prices import Sheet, micro
from controlroom.text.names import is_adopted_name
from controlroom.wire.usage import SendUsage, UsageBooked, UsageOrder, UsagePlace

log = logging.getLogger("controlroom.spending")

SHARE, MANY = 8, 500
"""How many times longer than reading sums took it rests; agents of a host from which on all of its are read."""

AGAIN = 30.0
"""Seconds until a host is asked again when the ledger could not be written, or the sheet not read."""


def hour_and_day(now: int, zone: tzinfo) -> tuple[int, int, int]:
    """Return when the hour and the day of a zone began, and how long the hour still is; milliseconds, times UTC."""
    hour, next_hour = period(Period.HOUR, now, zone)
    return hour, period(Period.DAY, now, zone)[0], next_hour - now


class Spending:
    """Books what all hosts send. All methods are called on the event loop."""

    def __init__(
        self,
        store: FleetStore,
        ledger: Ledger,
        ledger_writer: LedgerWriter,
        claims: ClaimChecker,
        budgets: BudgetController,
        send: Callable[[str, UsageOrder], bool],
        load: Callable[[], Sheet],
        zone: tzinfo,
        unordered: int,
    ) -> None:
        """`load` reads the price sheet, in a thread, and may raise `ConfigProblem`; days begin where `zone` is.

        `unordered`: dollars that one host may claim in an hour for what was not ordered here.
        """
        self._zone = zone
        self._store, self._ledger, self._ledger_writer, self._load = store, ledger, ledger_writer, load
        self._claims, self._budgets, self._send = claims, budgets, send
        self._set_aside = SetAsideDesk(store, ledger, ledger_writer)
        self.doubts = Doubts(store, ledger, self._set_aside, budgets.ceilings, unordered)
        store.when_clock_set(self.doubts.told.clock_set)
        self.sheet: Sheet | None = None
        """The prices; None: they have not been read."""
        self._reading: asyncio.Task[None] | None = None
        self._background = BackgroundTasks("booking")
        self._stale: set[str] = set()
        """Hosts with sums that are older than what is booked."""
        self._full: set[str] = set()
        """Hosts of which so much is set aside that what was not ordered waits there."""
        self._touched = ledger.follow()
        self._summing = False
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Read the sheet, then ask the hosts that are up."""
        self._set_aside.start()
        self._reading = self._background.begin(self._read_sheet())

    async def sheet_tried(self) -> None:
        """Wait until the sheet has been read, or could not be: who asks for something at once is not told off."""
        if self._reading is not None and not self._reading.done():
            await asyncio.wait([self._reading])

    def day_began(self) -> int:
        """When the day began, UTC milliseconds."""
        return hour_and_day(self._store.clock(), self._zone)[1]

    def close(self) -> None:
        """Stop: nothing more is begun."""
        self._write_told()
        if self._timer is not None:
            self._timer.cancel()
        self._background.close()

    def is_full(self, host: str) -> bool:
        """Return whether so much of a host is set aside that nothing more can be."""
        return self._set_aside.is_full(host)

    @property
    def busy(self) -> bool:
        """Whether anything is being read or booked."""
        return len(self._background) > 0

    async def wait_idle(self) -> None:
        """Wait until nothing is being read or booked."""
        await self._background.wait_idle()

    def host_up(self, host: str) -> None:
        """A host is there (again): ask for what it has beyond what is booked."""
        self.doubts.told.up(host, self._store.clock())
        if self.sheet is not None:
            self._background.begin(self._ask(host))

    def host_down(self, host: str) -> None:
        """Note until when a host whose link is lost has told everything."""
        self.doubts.told.down(host, self._store.clock())
        self._write_told()

    def _write_told(self) -> None:
        self._ledger_writer.keep(self.doubts.told.statements(self._store.clock()))

    def used(self, host: str, used: UsagePiece) -> None:
        """A host has sent a piece."""
        if self.sheet is not None:
            self._background.begin(self._book(host, used, self.sheet))

    # ----------------------------------------------------------------------- what cannot be true

    @property
    def doubted(self) -> tuple[Doubted, ...]:
        """Everything that was ever set aside."""
        return self._set_aside.all

    async def settle(self, intent: SettleUsage, who: str) -> Result:
        """Strike out what was set aside, or accept it."""
        asked = await self._set_aside.settle(intent, who)
        self._budgets.booked()
        self.sum_up(*self._store.fleet.hosts)
        for host in [*self._full]:
            if not self._set_aside.is_full(host):
                self._full.discard(host)
                self.host_up(host)
        return asked

    # ----------------------------------------------------------------------- the sheet

    async def _read_sheet(self) -> None:
        try:
            self.sheet = await asyncio.to_thread(self._load)
            self._budgets.priced(self.sheet)
            self._background.begin(self._sum_by(self.sheet))
        except ConfigProblem as problem:
            self._not_priced(f"nothing is metered, and no budget knows what is spent: {problem}")
            asyncio.get_running_loop().call_later(AGAIN, self.start)
            return
        self._not_priced("")
        for host in self._store.fleet.hosts.values():
            if host.link is LinkState.UP:
                self.host_up(host.name)

    def _not_priced(self, words: str) -> None:
        """Raise or lower the alarm for a price sheet that cannot be read."""
        standing = self._store.fleet.alarms.get("prices")
        if words:
            log.error("%s", words)
        since = standing.since if standing else self._store.clock()
        alarm = Alarm(words, AlarmLevel.DANGER, since) if words else None
        if alarm != standing:
            self._store.apply(events.Alarmed("prices", alarm))

    async def _sum_by(self, sheet: Sheet) -> None:
        """Keep the sums by the sheet's limits of long prompts, so that advice is at hand when it is asked for."""
        try:
            anew = await asyncio.to_thread(summed_anew, self._ledger, sheet.limits)
        except LedgerProblem as problem:
            log.error("the sums are not made anew by the price sheet: %s", problem)
        else:
            if anew:
                self._ledger_writer.keep(anew)

    # ----------------------------------------------------------------------- hosts

    async def _ask(self, host: str) -> None:
        try:
            rows = await asyncio.to_thread(self._ledger.read, *read_places(host))
        except LedgerProblem as problem:
            self._later(host, str(problem))
            return
        agents = self._store.fleet.agents_on(host)
        here = {agent.name for agent in agents if not (agent.adopted and agent.has_ended)}
        lost = {name for name, *_ in rows if is_adopted_name(name) and name not in here}
        if lost:  # their transcripts are read anew if they are still there
            self._ledger_writer.keep([forgotten(host, name) for name in lost])
        self._send(host, SendUsage(tuple(UsagePlace(*row) for row in rows if row[0] not in lost)))
        self.sum_up(host)

    async def _book(self, host: str, used: UsagePiece, sheet: Sheet) -> None:
        place = used.place
        if used.damaged:
            self._unreadable(host, used)
        if used.lost:
            self._say_lost(host, used)
        run = None if used.session else self._claims.of(host, place.name, place.epoch)
        if (used.messages or used.reports) and self._set_aside.is_full(host, ordered=run is not None):
            self._full.add(host)
            return
        source = self._source(host, used, run)
        piece = self.doubts.piece(source, used, run)
        try:
            booked = await asyncio.to_thread(self.doubts.read, piece)
        except LedgerProblem as unread:
            self._later(host, str(unread))
            return
        judged = self.doubts.judge(piece, booked, sheet)
        statements = book(source, judged.bookings, judged.reports) if judged.bookings or judged.reports else []
        noted = read_up_to(host, place.name, place.epoch, used.end, place.mark)
        written = self.doubts.told.statements(self._store.clock(), WRITTEN)
        if problem := await self._ledger_writer.outbox.put([*judged.statements, *statements, noted, *written]):
            self.doubts.not_booked(judged)
            self._later(host, problem)
            return
        self.doubts.booked(judged)
        self._budgets.booked()
        self._send(host, UsageBooked(UsagePlace(place.name, place.epoch, used.end, place.mark)))
        self.sum_up()

    def _say_lost(self, host: str, used: UsagePiece) -> None:
        """Tell of a file that was emptied, cut short or replaced."""
        agent = f"{host}/{used.place.name}"
        text = (
            f"{agent}: its usage file was emptied, cut short or replaced on its host: its messages were counted again "
            "from its transcript, and what stands in no transcript may be missing"
        )
        log.warning("%s", text)
        self._store.apply(events.Alarmed(f"lost {agent}", Alarm(text, since=self._store.clock(), agent=agent)))

    def _unreadable(self, host: str, used: UsagePiece) -> None:
        """Tell of lines that cannot be counted: what they say may be missing for good."""
        agent = f"{host}/{used.place.name}"
        text = f"{agent}: {used.damaged} lines of its usage cannot be read, and what they say is not counted"
        log.warning("%s", text)
        self._store.apply(events.Alarmed(f"usage {agent}", Alarm(text, since=self._store.clock(), agent=agent)))

    def _source(self, host: str, used: UsagePiece, run: OrderedRun | None) -> Source:
        name, epoch = used.place.name, session_number(used.session) if used.session else used.place.epoch
        agent = self._store.fleet.agents.get(f"{host}/{name}")
        payer = used.payer(agent)
        if run is not None:
            return Source(host, name, run.profile, agent.cwd if agent else run.cwd, payer, epoch)
        if agent is None or (agent.adopted and not used.is_of(agent)):
            return Source(host, name, "", "", payer, epoch)
        profile = agent.adoption.profile if agent.adoption else agent.profile
        return Source(host, name, profile, agent.cwd, payer, epoch)

    def _later(self, host: str, problem: str) -> None:
        log.error("the usage of %s is not booked: %s", host, problem)
        asyncio.get_running_loop().call_later(AGAIN, self.host_up, host)

    # ----------------------------------------------------------------------- sums

    def sum_up(self, *hosts: str) -> None:
        """Read the sums of hosts anew, and of whoever has spent, and those of the room.

        What is booked while that is done waits for the next time.
        """
        self._stale.update(hosts)
        if not self._summing:
            self._summing = True
            self._background.begin(self._sum_up_all())

    async def _sum_up_all(self) -> None:
        try:
            again = True
            while again:
                began = time.thread_time()
                await self._sum_up_touched()
                while self._stale:
                    host = self._stale.pop()
                    await self._sum_up_rows(host, TOTALS, (host,))
                await self._count_money()
                if again := bool(self._stale or self._touched):
                    await asyncio.sleep(min(1.0, SHARE * (time.thread_time() - began)))
        except LedgerProblem as problem:
            log.error("what was spent cannot be read: %s", problem)
        finally:
            self._summing = False

    async def _sum_up_touched(self) -> None:
        """Read the sums of those whose are others; a session of others may stand under several names of its host."""
        names: dict[str, set[str]] = {}
        for host, name in self._touched.take():
            names.setdefault(host, set()).add(name)
        for host, theirs in names.items():
            if host not in self._store.fleet.hosts:
                continue
            self._stale.add(host)  # should it not be possible to read them
            if len(theirs) <= MANY and not any(map(is_adopted_name, theirs)):
                query = TOTALS_OF.format(", ".join("?" * len(theirs)))
                await self._sum_up_rows(host, query, (host, *sorted(theirs)))
                self._stale.discard(host)

    async def _sum_up_rows(self, host: str, query: str, values: Sequence[str]) -> None:
        rows = await asyncio.to_thread(self._ledger.read, query, values)
        spent: Counter[str] = Counter()
        theirs = _by_session(self._store.fleet.agents_on(host)) if any(is_adopted_name(row[0]) for row in rows) else {}
        for name, epoch, pico in rows:
            adopted = is_adopted_name(name)
            agent = theirs.get(epoch) if adopted else self._store.fleet.agents.get(f"{host}/{name}")
            if agent and agent.adopted is adopted:
                spent[agent.id] += pico
        self._store.apply(events.SpendingSeen(host, {key: micro(pico) for key, pico in spent.items()}))

    async def _count_money(self) -> None:
        """Sum up the hour and the day, now and when another hour begins."""
        self._write_told()
        hour, day, left = hour_and_day(self._store.clock(), self._zone)
        self._store.apply(events.MoneySeen(await asyncio.to_thread(money, self._ledger, hour, day)))
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(left / 1000 + 1, self.sum_up)


def _by_session(agents: Iterable[Agent]) -> dict[int, Agent]:
    """The agents of others by their Claude's session, whatever they are called; who lives before who has ended."""
    theirs = [agent for agent in agents if agent.adopted and agent.session]
    return {session_number(agent.session): agent for agent in sorted(theirs, key=lambda agent: not agent.has_ended)}
