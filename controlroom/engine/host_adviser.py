"""Advises on hosts that are too full, too busy, or idle: looks at the means of five minutes whenever they are whole.

What the ledger keeps decides, so that an engine that has just begun says the same as the one before it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from controlroom.domain import intents
from controlroom.domain.advice_words import advice_alarm
from controlroom.domain.alarms import LOAD
from controlroom.domain.calculators.offers import Market
from controlroom.domain.events import Alarmed
from controlroom.domain.gauges import AlarmKind
from controlroom.domain.history import STEP, Metric
from controlroom.domain.host_advice import LOOKED_BACK, Advice, Concern, Means, Step, advise
from controlroom.domain.orders import Result
from controlroom.domain.preconditions import Refusal, host_named
from controlroom.domain.queue import drains
from controlroom.engine.background_tasks import BackgroundTasks
from controlroom.engine.catalogs.offers import load_machines
from controlroom.engine.config.toml_file import ConfigProblem
from controlroom.engine.ledger.history_tables import means_of, means_query
from controlroom.engine.ledger.ledger import Ledger, LedgerProblem
from controlroom.engine.ledger.writer import LedgerWriter
from controlroom.engine.store import FleetStore
from controlroom.protocol.home import Home
from controlroom.text.states import Outcome

log = logging.getLogger("controlroom.engine")

Submit = Callable[[intents.Intent, str], Awaitable[Result]]

_METRICS = (Metric.MEMORY, Metric.CPU)


class HostAdviser:
    """Advice about all hosts. All methods are called on the event loop."""

    def __init__(self, home: Home, store: FleetStore, ledger: Ledger, writer: LedgerWriter, submit: Submit) -> None:
        """`submit` decides an intent and orders what follows from it, as for an operator."""
        self._home, self._store, self._ledger, self._writer, self._submit = home, store, ledger, writer, submit
        self._looks = BackgroundTasks("advice about hosts")
        self._looked = 0

    def look(self) -> None:
        """Look whether five minutes are whole, once a second; what they were has been handed to the ledger."""
        step = self._store.clock() // STEP
        if step != self._looked and not self._looks:
            self._looked = step
            self._looks.begin(self._advise())

    @property
    def busy(self) -> bool:
        """Whether a look is on."""
        return bool(self._looks)

    async def wait_idle(self) -> None:
        """Wait until no look is on."""
        await self._looks.wait_idle()

    async def close(self) -> None:
        """Advise no more."""
        await self._looks.end()

    async def _advise(self) -> None:
        raised = {f"{LOAD}{advice.host}": advice for advice in await self._advice()}
        now, standing = self._store.clock(), self._store.fleet.alarms
        over = [about for about, alarm in standing.items() if alarm.kind is AlarmKind.ADVICE and about not in raised]
        for about, advice in raised.items():
            if (alarm := advice_alarm(advice, now)) != standing.get(about):
                self._store.apply(Alarmed(about, alarm))
        for about in over:
            self._store.apply(Alarmed(about, None))

    async def _advice(self) -> tuple[Advice, ...]:
        await self._writer.outbox.wait_tried()
        now, hosts = self._store.clock(), [*self._store.fleet.hosts]
        try:
            means = await asyncio.to_thread(self._read, hosts, now)
        except LedgerProblem as problem:
            log.warning("no advice about hosts: %s", problem)
            return ()
        sizes = any(host.size for host in self._store.fleet.hosts.values())
        market = await asyncio.to_thread(self._market) if sizes else Market()
        return advise(self._store.fleet, means, market, self._store.clock())

    def _read(self, hosts: list[str], now: int) -> Mapping[tuple[str, Metric], Means]:
        since = now - LOOKED_BACK
        keys = [(host, metric) for host in hosts for metric in _METRICS]
        read = self._ledger.read_all(means_query(host, metric, since) for host, metric in keys)
        return {key: means_of(rows, key[1]) for key, rows in zip(keys, read, strict=True)}

    def _market(self) -> Market:
        try:
            return load_machines(self._home)
        except ConfigProblem as problem:
            log.warning("no sizes of machines are known: %s", problem)
            return Market()

    # ----------------------------------------------------------------------- what is done about it

    async def relieve(self, intent: intents.RelieveHost, who: str) -> Result:
        """Have the agents go on elsewhere that advice about a host names, or refuse it."""
        try:
            host = host_named(self._store.fleet, intent.name)
        except Refusal as no:
            return self._writer.refused(intent, str(no), who)
        advice = next((one for one in await self._advice() if one.host == host.name), None)
        if advice is None or advice.concern is Concern.IDLE:
            words = f"{host.name} needs no relief: it has not been too full or too busy for half an hour"
            return self._writer.refused(intent, words, who)
        if not advice.moves:
            words = f"nothing of {host.name} can go on elsewhere: no other host has room, or nothing of it may move"
            return self._writer.refused(intent, words, who)
        moved: list[str] = []
        kept: list[str] = []
        for step in advice.moves:
            result = await self._move(step, who)
            if result.ok:
                moved.append(f"{step.agent.name} to {step.to}")
            else:
                kept.append(f"{step.agent.name} stays: {result.reason}")
        words = "; ".join([f"on their way: {', '.join(moved)}"] * bool(moved) + kept)
        done = Result(Outcome.DONE if moved else Outcome.REFUSED, words, op=self._store.new_id())
        self._writer.audited(who, "host relieve", host.name, 0, done)
        return done

    async def _move(self, step: Step, who: str) -> Result:
        move = drains.move_of(self._store.fleet, step.agent, step.to, step.task)
        return await self._submit(move, f"{who}, by host relieve")
