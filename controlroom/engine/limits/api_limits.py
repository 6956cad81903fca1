"""The API's limits: what keys used in the last minutes, held against ceilings, and a month's credit.

All keys of the room are taken to be of one organisation, whose tier the config names, unless it says of a credential
that its key is another one's. What needs the package
`anthropic` runs in a short process (`api_process`). Times are UTC milliseconds.
"""

import asyncio
import json
import logging
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from controlroom.domain.claims import OrderedRun
from controlroom.domain.gauges import Alarm, AlarmLevel, Headroom
from controlroom.domain.limits.buckets import KINDS, LOOKED_BACK, HeadersRead, Lately, Ruling, gauges
from controlroom.domain.limits.headroom import credit_gauge
from controlroom.engine.background_tasks import BackgroundTasks
from controlroom.engine.config.settings import ApiTable, Secret, SecretFile
from controlroom.engine.hosts.translate import short
from controlroom.engine.hosts.translate_usage import UsagePiece
from controlroom.engine.ledger.ledger import Ledger, LedgerProblem
from controlroom.engine.ledger.usage_tables import BATCH, FAST, HIDDEN, QUARTER
from controlroom.engine.limits.limit_rules import LimitRules
from controlroom.engine.store import FleetStore
from controlroom.metering.prices import micro
from controlroom.metering.usage import Message, Usage
from controlroom.text.json_fields import table, text
from controlroom.text.sanitize import redact
from controlroom.text.states import Payer

log = logging.getLogger("controlroom.limits")

OrderedOf = Callable[[str, str, int], OrderedRun | None]
"""What was ordered of a run, by host, agent and number; None: nothing is known of that."""

ASKER = "controlroom.engine.limits.api_process"

DEADLINE = 90.0
"""Seconds that asking may take."""

_SECRET_SECONDS = 30.0
_SECRET_LIMIT = 16 * 1024
_MOST = 10**12
_HEADER = {"requests": "requests", "input": "input-tokens", "output": "output-tokens"}


class Unasked(Exception):
    """There is no answer; the words say why."""


async def ceilings(secret: Secret, url: str) -> dict[str, dict[str, int]]:
    """Read the organisation's ceilings: model -> kind -> a minute. Raises `Unasked`."""
    return read_ceilings(await _ask(secret, {"url": url}))


def read_ceilings(answer: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Read what was said of ceilings; what cannot be is left out. Raises `Unasked` when nothing is left."""
    by_model: dict[str, dict[str, int]] = {}
    for model, limits in table(answer.get("ceilings")).items():
        counts = {kind: value for kind, value in table(limits).items() if kind in KINDS and _count(value)}
        if counts:
            by_model[short(model, 100)] = counts
    if not by_model:
        raise Unasked("it names no ceilings")
    return by_model


async def probed(secret: Secret, url: str, models: Iterable[str], ruling: Ruling, now: int) -> list[HeadersRead]:
    """Send each model a message of one token, and read what its headers say is left. Raises `Unasked`."""
    return read_probe(await _ask(secret, {"url": url, "probe": sorted(models)}), ruling, now)


def read_probe(answer: Mapping[str, Any], ruling: Ruling, now: int) -> list[HeadersRead]:
    """Read what was said of headers. Raises `Unasked` when they say nothing of limits."""
    read = [
        header
        for model, headers in table(answer.get("headers")).items()
        for header in read_headers(table(headers), ruling.class_of(short(model, 100)), now)
    ]
    if not read:
        raise Unasked("its answers say nothing of limits: it may be the key of a plan, or an account without them")
    return read


def read_headers(headers: Mapping[str, Any], of: str, now: int) -> list[HeadersRead]:
    """Read the headers of one answer (names in small letters); what is missing or cannot be is not known."""
    read: list[HeadersRead] = []
    for kind, name in _HEADER.items():
        limit, remaining = (
            _number(headers.get(f"anthropic-ratelimit-{name}-{part}")) for part in ("limit", "remaining")
        )
        if limit and remaining is not None:
            read.append(HeadersRead(of, kind, limit, min(limit, remaining), now))
    return read


def _number(value: object) -> int | None:
    digits = text(value, 20).strip()
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= len(str(_MOST)) else None


def _count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MOST


async def _ask(secret: Secret, wanted: dict[str, Any]) -> dict[str, Any]:
    key = await asyncio.to_thread(read_secret, secret)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ANTHROPIC_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", ASKER),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environ,
    )
    try:
        async with asyncio.timeout(DEADLINE):
            out, err = await process.communicate(json.dumps({**wanted, "key": key}).encode())
    except TimeoutError:
        raise Unasked(f"there was no answer in {DEADLINE:.0f} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return _understood(out, err, process.returncode or 0)


def _understood(out: bytes, err: bytes, code: int) -> dict[str, Any]:
    try:
        answer = table(json.loads(out))
    except (ValueError, RecursionError):
        last = err.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise Unasked(short(f"asking failed: {''.join(last) or code}", 200)) from None
    if problem := text(answer.get("problem"), 300):
        raise Unasked(short(problem, 300))
    return answer


def read_secret(secret: Secret) -> str:
    """Read a key. Raises `Unasked` with what is wrong; nothing of the key is in the words."""
    secret_text = _from_file(secret.file) if isinstance(secret, SecretFile) else _from_command(secret.command)
    key = secret_text.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise Unasked("the key's file or command gives no key: expected one line that holds nothing else")
    return key


def _from_file(name: str) -> str:
    path = Path(name).expanduser()
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise Unasked(f"others can read the key in {path}: chmod 600 {path}")
            return file.read(_SECRET_LIMIT).decode("utf-8", "replace")
    except OSError as error:
        raise Unasked(f"the key in {path} cannot be read: {error.strerror}") from None


def _from_command(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECRET_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise Unasked(redact(f"the key's command {command[0]} gives nothing: {error}")[:300]) from None
    if done.returncode:
        raise Unasked(f"the key's command {command[0]} failed: exit {done.returncode}")
    return done.stdout[:_SECRET_LIMIT].decode("utf-8", "replace")


DAILY = 86_400.0
"""Seconds between two looks at the ceilings."""

PROBED = 300.0
"""Seconds between two probes."""

AGAIN = 900.0
"""Seconds until ceilings that could not be read are asked for again."""

_RECENT = f"select 1 from spend_times where quarter >= ? and billing = '{Payer.API}' and messages > 0 limit 1"  # noqa: S608
_LATELY = f"""select usage.message, usage.request, usage.at, models.name, usage.flags, usage.input, usage.output,
    usage.cache_write_5m, usage.cache_write_1h, ifnull(ordered_runs.credential, '')
    from usage join sources on sources.id = usage.source
    left join ordered_runs using (host, agent, epoch)
    join models on models.id = usage.model where usage.at > ? and sources.billing = '{Payer.API}'
    and usage.flags & {HIDDEN} = 0"""  # noqa: S608 - only our own words; what no message accounts for is none
_MONTH = f"select coalesce(sum(pico), 0) from spend_times where quarter >= ? and billing = '{Payer.API}'"  # noqa: S608


class ApiLimits:
    """The gauges of keys. All methods are called on the event loop."""

    def __init__(
        self,
        store: FleetStore,
        ledger: Ledger,
        rules: LimitRules,
        api: ApiTable,
        changed: Callable[[], None],
        ordered: OrderedOf,
    ) -> None:
        """`changed` is called when there may be something new to show; `ordered`: what was ordered of a run."""
        self._ordered = ordered
        self._store, self._ledger, self._rules, self._api, self._changed = store, ledger, rules, api, changed
        self._lately = {name: Lately() for name in ("", *rules.others)}
        """By organisation."""
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
        """Stop: nothing more is begun."""
        self._background.close()

    def used(self, host: str, used: UsagePiece) -> None:
        """A host says what an agent has used."""
        agent = self._store.fleet.agents.get(f"{host}/{used.place.name}")
        if used.payer(agent) != Payer.API:
            return
        run = self._ordered(host, used.place.name, used.place.epoch)
        whose = self._organisation(run.credential if run else "")
        if self._lately[whose].add(used.messages, self._store.clock()):
            self._changed()

    def _organisation(self, credential: str) -> str:
        """Whose key a credential is; of one that the config names no more it is taken to be the room's own."""
        return self._rules.organisations.get(credential, "")

    async def gauges(self, now: int) -> list[Headroom]:
        """Make the gauges of buckets and credit."""
        buckets: list[Headroom] = []
        for whose, lately in self._lately.items():
            lately.prune(now)
            ruling = self._rules.others[whose] if whose else self._rules.ruling
            read = () if whose else self._read.values()
            buckets += gauges(lately.messages(), self._models(whose), read, ruling, now)
        return buckets + await self._credit(now)

    def _models(self, organisation: str = "") -> set[str]:
        """Return the models of agents that are at work with a key of an organisation."""
        agents = (agent for agent in self._store.fleet.agents.values() if agent.billing == Payer.API and agent.lives)
        models = {
            agent.model
            for agent in agents
            if self._organisation(agent.ordered.credential if agent.ordered else "") == organisation
        }
        return {model for model in models if model.startswith("claude-")}

    async def _recall(self) -> None:
        now = self._store.clock()
        try:
            by_credential = await asyncio.to_thread(messages_since, self._ledger, now - LOOKED_BACK)
        except LedgerProblem as problem:
            log.error("what was used lately cannot be read: %s", problem)
            return
        for credential, messages in by_credential.items():
            if self._lately[self._organisation(credential)].add(messages, now):
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
        what = "the API's ceilings were not read" if "ceilings" in about else "the API's limits were not probed"
        raised, fresh = self.alarms.get(about), Alarm(f"{what}: {words}", AlarmLevel.NOTICE, self._store.clock())
        if raised is None or fresh != replace(raised, since=fresh.since):
            self.alarms[about] = fresh

    async def _ask_ceilings(self) -> None:
        assert self._api.admin_key is not None
        by_model = await ceilings(self._api.admin_key, self._api.url)
        self._rules = replace(self._rules, ruling=replace(self._rules.ruling, told=by_model))

    async def _probe(self) -> None:
        models = self._models()
        if models and self._api.key is not None:
            now = self._store.clock()
            read = await probed(self._api.key, self._api.url, models, self._rules.ruling, now)
            self._read.update({(header.of, header.kind): header for header in read})


def messages_since(ledger: Ledger, since: int) -> Mapping[str, list[Message]]:
    """Read what keys used since then, by the credential of the run ("": it was none of several).

    Only when there was something lately are all messages looked through.
    """
    by_credential: dict[str, list[Message]] = {}
    if ledger.read(_RECENT, (since // QUARTER,)):
        for *row, credential in ledger.read(_LATELY, (since,)):
            by_credential.setdefault(str(credential), []).append(_message(*row))
    return by_credential


def _message(id_: Any, request: Any, at: Any, model: Any, flags: Any, *counts: Any) -> Message:
    usage = Usage(*map(int, counts))
    return Message(
        str(id_), str(request), int(at), str(model), usage, fast=bool(flags & FAST), batch=bool(flags & BATCH)
    )


def month(now: int) -> tuple[int, int]:
    """Return when the calendar month began where we are, and when the next one does."""
    here = datetime.fromtimestamp(now / 1000)  # noqa: DTZ006 - the operator's own calendar
    first = here.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    later = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    return round(time.mktime(first.timetuple()) * 1000), round(time.mktime(later.timetuple()) * 1000)
