"""The API's limits in the room: what keys used in the last minutes, held against ceilings, and a month's credit.

All keys of the room are taken to be of one organisation, whose tier the config names. Times are UTC milliseconds.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from controlroom.domain.gauges import Alarm, Headroom
from controlroom.domain.limits.buckets import LOOKED_BACK, HeadersRead, Lately, gauges
from controlroom.domain.limits.headroom import credit_gauge
from controlroom.domain.model import Fleet
from controlroom.domain.money.costs import BILLED
from controlroom.engine.background_tasks import BackgroundTasks
from controlroom.engine.config.limit_settings import ApiTable
from controlroom.engine.hosts.usage_seen import Used
from controlroom.engine.ledger.ledger import Ledger, LedgerProblem
from controlroom.engine.ledger.unattributed import HIDDEN
from controlroom.engine.ledger.usage_tables import BATCH, FAST, QUARTER
from controlroom.engine.limits import api_query
from controlroom.engine.limits.api_query import Unasked
from controlroom.engine.limits.limit_rules import LimitRules
from controlroom.metering.prices import micro
from controlroom.metering.usage import Message, Usage

log = logging.getLogger("controlroom.limits")

DAILY = 86_400.0
"""Seconds between two looks at the ceilings."""

PROBED = 300.0
"""Seconds between two probes."""

AGAIN = 900.0
"""Seconds until ceilings that could not be read are asked for again."""

_RECENT = f"select 1 from spend_times where quarter >= ? and billing = '{BILLED}' and messages > 0 limit 1"  # noqa: S608
_LATELY = f"""select usage.message, usage.request, usage.at, models.name, usage.flags, usage.input, usage.output,
    usage.cache_write_5m, usage.cache_write_1h from usage join sources on sources.id = usage.source
    join models on models.id = usage.model where usage.at > ? and sources.billing = '{BILLED}'
    and usage.flags & {HIDDEN} = 0"""  # noqa: S608 - only our own words; what no message accounts for is none
_MONTH = f"select coalesce(sum(pico), 0) from spend_times where quarter >= ? and billing = '{BILLED}'"  # noqa: S608


class Room(Protocol):
    """What this needs of the engine."""

    clock: Callable[[], int]

    @property
    def fleet(self) -> Fleet:
        """The fleet as it is."""


class ApiLimits:
    """All methods are called on the event loop."""

    def __init__(
        self, room: Room, ledger: Ledger, rules: LimitRules, api: ApiTable, changed: Callable[[], None]
    ) -> None:
        """`changed` is called when there may be something new to show."""
        self._room, self._ledger, self._rules, self._api, self._changed = room, ledger, rules, api, changed
        self._lately = Lately()
        self._read: dict[tuple[str, str], HeadersRead] = {}
        self._background = BackgroundTasks("limits of keys")
        self.alarms: dict[str, Alarm] = {}
        """What could not be asked, by what it is about."""

    def start(self) -> None:
        """Take up what was used before the engine began, and ask the API what the config says it should be asked."""
        self._background.begin(self._recall())
        if self._api.admin_key is not None:
            self._background.begin(self._keep_asking(self._ask_ceilings, DAILY))
        if self._api.probe:
            self._background.begin(self._keep_asking(self._probe, PROBED))

    def close(self) -> None:
        """Do nothing more."""
        self._background.close()

    def used(self, host: str, used: Used) -> None:
        """A host says what an agent has used."""
        agent = self._room.fleet.agents.get(f"{host}/{used.place.name}")
        if used.payer(agent) == BILLED and self._lately.add(used.messages, self._room.clock()):
            self._changed()

    async def gauges(self, now: int) -> list[Headroom]:
        """Make the gauges of buckets and credit."""
        self._lately.prune(now)
        made = gauges(self._lately.messages(), self._models(), self._read.values(), self._rules.ruling, now)
        return made + await self._credit(now)

    def _models(self) -> set[str]:
        """Name the models of agents that are at work with a key."""
        agents = self._room.fleet.agents.values()
        found = {agent.model for agent in agents if agent.billing == BILLED and agent.lives}
        return {model for model in found if model.startswith("claude-")}

    async def _recall(self) -> None:
        now = self._room.clock()
        try:
            messages = await asyncio.to_thread(messages_since, self._ledger, now - LOOKED_BACK)
        except LedgerProblem as problem:
            log.error("what was used lately cannot be read: %s", problem)
            return
        if self._lately.add(messages, now):
            self._changed()

    async def _credit(self, now: int) -> list[Headroom]:
        credit = self._rules.credit
        if credit is None:
            return []
        began, ends = month(now)
        try:
            ((pico,),) = await asyncio.to_thread(self._ledger.read, _MONTH, (began // QUARTER,))
        except LedgerProblem as problem:
            log.error("what keys were billed cannot be read: %s", problem)
            return []
        source = f"metering, {self._rules.credit_source}"
        return [credit_gauge(credit, micro(int(pico)), ends, source, now)]

    # ----------------------------------------------------------------------- asking the API

    async def _keep_asking(self, ask: Callable[[], Coroutine[Any, Any, None]], every: float) -> None:
        while True:
            about = f"api {ask.__name__.removeprefix('_')}"
            pause = every
            try:
                await ask()
                self.alarms.pop(about, None)
            except Unasked as problem:
                log.warning("%s: %s", about, problem)
                self._trouble(about, str(problem))
                pause = min(every, AGAIN)
            self._changed()
            await asyncio.sleep(pause)

    def _trouble(self, about: str, words: str) -> None:
        known = self.alarms.get(about)
        if known is None or not known.text.endswith(words):
            what = "the API's ceilings were not read" if "ceilings" in about else "the API's limits were not probed"
            self.alarms[about] = Alarm(f"{what}: {words}", "notice", self._room.clock())

    async def _ask_ceilings(self) -> None:
        assert self._api.admin_key is not None
        told = await api_query.ceilings(self._api.admin_key, self._api.url)
        self._rules = replace(self._rules, ruling=replace(self._rules.ruling, told=told))

    async def _probe(self) -> None:
        models = self._models()
        if models and self._api.key is not None:
            now = self._room.clock()
            read = await api_query.probed(self._api.key, self._api.url, models, self._rules.ruling, now)
            self._read.update({(one.of, one.kind): one for one in read})


def messages_since(ledger: Ledger, since: int) -> Iterable[Message]:
    """Read what keys used since then. Only when there was something lately are all messages looked through."""
    if not ledger.read(_RECENT, (since // QUARTER,)):
        return []
    rows = ledger.read(_LATELY, (since,))
    return [_message(*row) for row in rows]


def _message(id_: Any, request: Any, at: Any, model: Any, flags: Any, *counts: Any) -> Message:
    usage = Usage(*map(int, counts))
    return Message(
        str(id_), str(request), int(at), str(model), usage, fast=bool(flags & FAST), batch=bool(flags & BATCH)
    )


def month(now: int) -> tuple[int, int]:
    """Say when the calendar month began where we are, and when the next one does."""
    here = datetime.fromtimestamp(now / 1000)  # noqa: DTZ006 - the operator's own calendar
    first = here.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    later = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    return round(time.mktime(first.timetuple()) * 1000), round(time.mktime(later.timetuple()) * 1000)
