"""Writes to the ledger: orders, conclusions, agents and their runs, audit, in the order in which they happened.

One batch is under way at a time, and what comes meanwhile makes the next. What fails stays in front of all that came
after it: the conclusion of an order is never written before the order. A failure is logged once, tried again, and an
alarm says so. Nothing here waits for the disk; callers that must are given a future. Of the event loop.
"""

import asyncio
import contextlib
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime, timezone
from enum import Enum
from itertools import islice
from typing import TypeVar

from controlroom.domain.audit import AuditLine, target_of, verb_of
from controlroom.domain.changes import Changes
from controlroom.domain.events import Alarmed
from controlroom.domain.gauges import Alarm, AlarmLevel
from controlroom.domain.intents import Intent
from controlroom.domain.model import Agent, Fleet, Host, LinkState, State
from controlroom.domain.orders import Order, Result
from controlroom.engine.ledger.ledger import (
    KnownAgent,
    Ledger,
    Unwritable,
    agents_statements,
    audit_statement,
    conclusion_statement,
    ordered_statements,
)
from controlroom.engine.ledger.run_tables import RunBook, drop_ended, keep_ended
from controlroom.engine.ledger.usage_tables import Statement
from controlroom.engine.store import FleetStore
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.names import is_adopted_name
from controlroom.text.sanitize import redact
from controlroom.text.states import Cause, Outcome

log = logging.getLogger("controlroom.ledger")

RETRY = 5.0
"""Seconds after which what the disk did not take is tried again."""

MOST = 20_000
"""Statements of a kind that are kept while nothing can be written; more are lost, and counted."""

AT_ONCE = 1000
"""Statements of one batch, or one write if that has more."""

T = TypeVar("T")

Written = asyncio.Future[str]
"""Resolves when a write is on the disk, to nothing, or when it first failed, to a sentence about why."""


class Keep(Enum):
    """What becomes of a write that fails."""

    ONCE = "dropped: whoever asked for it is told, and may ask again"
    STATE = "kept, and tried again now and then"
    RECORD = "kept, and tried again with whatever comes next: orders, conclusions, audit"


@dataclass(eq=False)
class _Write:
    statements: Sequence[Statement]
    keep: Keep
    written: Written
    tried: bool = False


class Outbox:
    """What is to be written."""

    def __init__(
        self, ledger: Ledger, clock: Callable[[], int], alarmed: Callable[[str], None], most: int = MOST
    ) -> None:
        """`clock` gives UTC milliseconds. `alarmed` is told why something is in memory only, and "" when nothing is."""
        self._ledger, self._clock, self._alarmed, self._most = ledger, clock, alarmed, most
        self._queue: deque[_Write] = deque()
        self._size: Counter[Keep] = Counter()
        """Statements in the queue."""
        self._at_once = AT_ONCE
        self._task: asyncio.Task[None] | None = None
        self._again: asyncio.TimerHandle | None = None
        self.trouble = ""
        """Why the last write was not possible; nothing: it was."""
        self._since = self._late = self._lost = self._lost_from = self._lost_to = 0

    def put(self, statements: Sequence[Statement], keep: Keep = Keep.ONCE) -> Written:
        """Write these together, after all that was put before."""
        loop = asyncio.get_running_loop()
        write = _Write(statements, keep, loop.create_future())
        if keep is not Keep.ONCE and self.trouble and self._size[keep] + len(statements) > self._most:
            self._lose(len(statements))
            write.written.set_result(self._words())
            return write.written
        self._queue.append(write)
        self._size[keep] += len(statements)
        if not self.trouble or keep is not Keep.STATE:
            self._begin()
        return write.written

    async def wait_tried(self) -> None:
        """Wait until all that was put before is on the disk, or was not taken."""
        if self._task is not None:
            await self.put([])

    @property
    def busy(self) -> bool:
        """Whether a write is under way; what waits for room on the disk is not."""
        return self._task is not None

    async def wait_idle(self) -> None:
        """Wait until all is written, or what is not waits for room on the disk."""
        while self._task is not None:
            await asyncio.wait([self._task])

    async def close(self) -> None:
        """Try to write what is left; say in the log what cannot be."""
        self._begin()
        await self.wait_idle()
        self._try_later(False)
        if self._queue:
            log.error("%s", self._words())

    # ----------------------------------------------------------------------- writing

    def _begin(self) -> None:
        self._try_later(False)
        if self._task is None and self._queue:
            self._task = asyncio.get_running_loop().create_task(self._write_all(), name="outbox")

    async def _write_all(self) -> None:
        try:
            while self._queue:
                await self._write_some()
                if self.trouble and all(write.tried or write.keep is Keep.STATE for write in self._queue):
                    break
        finally:
            self._task = None
        self._at_once = AT_ONCE
        self._try_later(bool(self._queue))

    async def _write_some(self) -> None:
        """Write the front of the queue."""
        batch, there = self._front(), len(self._queue)
        statements = [statement for write in batch for statement in write.statements]
        whole = len(batch) == there
        if not statements:
            self._taken(batch, False)
            return
        if whole and self._since:
            statements.append(self._caught_up())
        problem = await _ended(self._ledger.booked(statements))
        if problem is None:
            if self.trouble:
                log.info("the ledger can be written again")
            self.trouble = ""
            self._taken(batch, whole)
        elif isinstance(problem, Unwritable):
            self._set_aside(batch, problem)
        else:
            self._refused(list(islice(self._queue, there)), str(problem))

    def _front(self) -> list[_Write]:
        batch: list[_Write] = []
        size = 0
        for write in self._queue:
            size += len(write.statements)
            if batch and size > self._at_once:
                break
            batch.append(write)
        return batch

    def _taken(self, batch: Sequence[_Write], whole: bool) -> None:
        """A batch is on the disk; `whole`: with all that waited for it."""
        for write in batch:
            self._drop(write, "")
        if self._since and whole:
            self._since = self._late = self._lost = self._lost_from = self._lost_to = 0
            self._alarmed("")
        elif self._since:
            self._late += sum(len(write.statements) for write in batch if write.keep is not Keep.ONCE)

    def _refused(self, waited: Sequence[_Write], problem: str) -> None:
        """Drop what can be asked for again, and keep the rest: the disk takes nothing."""
        if not self.trouble:
            log.error("%s", problem)
        self.trouble = problem
        for write in waited:
            write.tried = True
            if write.keep is Keep.ONCE:
                self._drop(write, problem)
            else:
                _resolve(write.written, problem)
        if self._queue and not self._since:
            self._since = self._clock()
        if self._since:
            self._alarmed(self._words())

    def _set_aside(self, batch: Sequence[_Write], problem: Unwritable) -> None:
        """Something of a batch can stand in no ledger: it must not hold up all the rest, so each is tried alone."""
        if len(batch) > 1:
            self._at_once = 1
            return
        self._at_once = AT_ONCE
        log.error("an entry is left out: %s", problem)
        self._drop(batch[0], str(problem))
        if batch[0].keep is not Keep.ONCE:
            line = AuditLine(self._clock(), "the engine", "write", "ledger", 0, "unknown", f"left out: {problem}")
            self.put([audit_statement(line)], Keep.RECORD)

    def _drop(self, write: _Write, problem: str) -> None:
        self._queue.remove(write)  # at or near the front
        self._size[write.keep] -= len(write.statements)
        _resolve(write.written, problem)

    def _try_later(self, later: bool) -> None:
        if self._again is not None:
            self._again.cancel()
        self._again = asyncio.get_running_loop().call_later(RETRY, self._begin) if later else None

    # ----------------------------------------------------------------------- what is told

    def _lose(self, count: int) -> None:
        now = self._clock()
        self._lost += count
        self._lost_from, self._lost_to = self._lost_from or now, now

    @property
    def _kept(self) -> int:
        return self._size[Keep.STATE] + self._size[Keep.RECORD]

    def _caught_up(self) -> Statement:
        """Return a line of the audit that says from when to when it is late, or not whole."""
        count, since = self._late + self._kept, _moment(self._since)
        words = f"written now: {count} entries that the disk did not take since {since}"
        if self._lost:
            gap = f"{self._lost} of {_moment(self._lost_from)} to {_moment(self._lost_to)} are lost"
            words = f"{words}; {gap}: there were too many"
        outcome = "unknown" if self._lost else "done"
        return audit_statement(AuditLine(self._clock(), "the engine", "catch up", "ledger", 0, outcome, words))

    def _words(self) -> str:
        """Return what is kept, and why."""
        lost = f", and {self._lost} are lost, as there were too many" if self._lost else ""
        return f"who did what is kept in memory only ({self._kept} entries{lost}): {self.trouble}"


def _resolve(future: "asyncio.Future[T]", value: T) -> None:
    if not future.done():
        future.set_result(value)


async def _ended(future: "Future[None]") -> BaseException | None:
    """Wait for a write that nobody may cancel; give what it raised."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[BaseException | None] = loop.create_future()

    def tell(future: "Future[None]") -> None:
        with contextlib.suppress(RuntimeError):  # the loop may end before the last write
            loop.call_soon_threadsafe(_resolve, ended, future.exception())

    future.add_done_callback(tell)
    return await ended


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, timezone.utc).isoformat(timespec="seconds")


class LedgerWriter:
    """Keeps the ledger of a fleet. All methods are called on the event loop."""

    def __init__(self, ledger: Ledger, store: FleetStore) -> None:
        self._ledger, self._store, self._clock = ledger, store, store.clock
        self.outbox = Outbox(ledger, store.clock, self._alarm)
        store.subscribe(self.changed)
        self.open_orders = ledger.open_orders
        """Orders that were on their way when the engine before this one ended."""
        self._recorded: dict[str, dict[str, int]] = {}
        """Epochs of agents that the ledger has, by host and name."""
        for agent in ledger.agents:
            self._recorded.setdefault(agent.host, {})[agent.name] = agent.epoch
        self._changed: dict[str, set[str]] = {}
        """Agents that may be others than when their host was last looked at here, by host; by id."""
        self._unsorted: set[str] = set()
        """Such agents of all hosts."""
        self._runs = RunBook(ledger.runs)
        self._ended: dict[str, dict[str, int]] = {}
        """When agents of others ended that the ledger has, by host and name."""
        for ended in ledger.ended:
            self._ended.setdefault(ended.host, {})[ended.name] = ended.ended

    def _alarm(self, problem: str) -> None:
        """Raise the alarm that who did what is not on the disk, or end it."""
        raised = self._store.fleet.alarms.get("audit")
        if problem or raised:
            since = raised.since if raised else self._clock()
            self._store.apply(Alarmed("audit", Alarm(problem, AlarmLevel.DANGER, since) if problem else None))

    def remembered(self, at: int) -> list[Agent]:
        """Return the agents that should exist, as far as is known before their hosts are heard."""
        ordered = {(order.host, order.agent, order.epoch) for order in self.open_orders}
        agents = self._ledger.agents
        return [_unseen(agent, at, (agent.host, agent.name, agent.epoch) in ordered) for agent in agents]

    def ended(self) -> list[Agent]:
        """Return the agents of others that have ended, as they were shown."""
        return list(self._ledger.ended)

    def forgotten(self, host: str, names: Iterable[str] | None = None) -> None:
        """Ended agents of others are shown no more: these, or all of a host."""
        ended = self._ended.get(host, {})
        gone = [name for name in (list(ended) if names is None else names) if ended.pop(name, None) is not None]
        self.keep(drop_ended(host, gone))

    def ordered(self, order: Order, agent: KnownAgent | None, more: Sequence[Statement] = ()) -> Written:
        """Write an order, and the agent that should exist from now on, with `more` that is to be true with it.

        An order that starts an agent is not given when it cannot be written; any other is written when it can be.
        """
        statements = [*more, *ordered_statements(order, agent)]
        if agent is None:
            return self.outbox.put(statements, Keep.RECORD)
        self._recorded.setdefault(agent.host, {})[agent.name] = agent.epoch
        return self.outbox.put(statements)

    def concluded(self, order: Order, result: Result) -> None:
        """Write what became of an order, and audit it."""
        written = conclusion_statement(order.op, result.outcome, result.reason, self._clock())
        self.audited(order.who, order.verb, order.subject, order.epoch, result, [written])

    def audited(
        self, who: str, verb: str, target: str, epoch: int, result: Result, more: Sequence[Statement] = ()
    ) -> None:
        """Add a line to the audit, with `more` that is to be true with it."""
        line = AuditLine(self._clock(), who, verb, target, epoch, result.outcome, result.reason)
        self.outbox.put([*more, audit_statement(line)], Keep.RECORD)

    def refused(self, intent: Intent, reason: str, who: str) -> Result:
        """Audit that an intent was refused, and give the refusal."""
        result = Result(Outcome.REFUSED, redact(reason))
        self.audited(who, verb_of(intent), target_of(intent), getattr(intent, "epoch", 0), result)
        return result

    def unordered(self, what: str, agent: Agent, words: str) -> None:
        """Audit what happened to an agent though nobody here ordered it."""
        self.audited(f"{agent.host} (not ordered)", what, agent.id, agent.epoch, Result(Outcome.UNKNOWN, words))

    def changed(self, changes: Changes) -> None:
        """Note which agents may be others: they are looked at when their host is heard next."""
        self._unsorted |= changes.agents

    def observed(self, host: str, fleet: Fleet, *, complete: bool) -> None:
        """Keep the list of a host's agents as it is now. `complete`: all that it has was said, not what changed."""
        if complete:
            here = {agent.name: agent for agent in fleet.agents_on(host) if not agent.adopted}
            gone = set(self._recorded.get(host, ())) - here.keys()
            self._changed_on(host).clear()
        else:
            here, gone = self._taken(host, fleet, adopted=False)
        self._list(host, here, gone)
        others = None if complete else gone
        self.keep(self._runs.observed(host, here.values(), self._clock(), adopted=False, gone=others))

    def adopted(self, host: str, fleet: Fleet, *, complete: bool) -> None:
        """Keep the runs of a host's agents that others started. `complete`: all that live were said."""
        here, gone = self._taken(host, fleet, adopted=True)
        if complete:
            here = {agent.name: agent for agent in fleet.agents_on(host) if agent.adopted}
        others = None if complete else gone
        self.keep(self._runs.observed(host, here.values(), self._clock(), adopted=True, gone=others))
        ended = self._ended.setdefault(host, {})
        live = {agent.name for agent in here.values() if not agent.has_ended}
        self.forgotten(host, live | (ended.keys() - here.keys() if complete else gone))
        fresh = [agent for agent in here.values() if agent.has_ended and ended.get(agent.name) != agent.ended]
        ended.update({agent.name: agent.ended for agent in fresh})
        self.keep(keep_ended(fresh))

    def _changed_on(self, host: str) -> set[str]:
        """Return the agents of a host that may be others since they were looked at."""
        for key in self._unsorted:
            self._changed.setdefault(key.partition("/")[0], set()).add(key)
        self._unsorted.clear()
        return self._changed.setdefault(host, set())

    def _taken(self, host: str, fleet: Fleet, *, adopted: bool) -> tuple[dict[str, Agent], set[str]]:
        """Return the agents of one kind that have changed, and the names of those that are gone; once."""
        keys = self._changed_on(host)
        mine = {key for key in keys if is_adopted_name(key.partition("/")[2]) is adopted}
        keys -= mine
        there = (fleet.agents.get(key) for key in mine)
        here = {agent.name: agent for agent in there if agent is not None and agent.adopted is adopted}
        return here, {key.partition("/")[2] for key in mine} - here.keys()

    def _list(self, host: str, here: Mapping[str, Agent], gone: set[str]) -> None:
        """Write down which agents should exist on a host, where that is other than it stands there."""
        epochs = self._recorded.setdefault(host, {})
        fresh = [agent for name, agent in here.items() if epochs.get(name) != agent.epoch]
        lost = [name for name in gone if epochs.pop(name, None) is not None]
        if fresh or lost:
            epochs.update({agent.name: agent.epoch for agent in fresh})
            self.keep(agents_statements([_known(agent) for agent in fresh], [(host, name) for name in lost]))

    def heard(self, host: Host | None) -> None:
        """Keep that a host was there, if it was: as long as its agents are known to have lived."""
        if host is not None and host.link is LinkState.UP:
            self.keep(self._runs.heard(host.name, self._clock()))

    def left(self, host: str) -> None:
        """Keep until when a host was there."""
        self.keep(self._runs.left(host))

    def keep(self, statements: Sequence[Statement]) -> None:
        """Write what nobody would ask for again."""
        if statements:
            self.outbox.put(statements, Keep.STATE)

    async def close(self) -> None:
        """Write what is left and close the ledger."""
        self.keep(self._runs.closing())
        await self.outbox.close()
        await asyncio.to_thread(self._ledger.close)


def _unseen(known: KnownAgent, at: int, starting: bool) -> Agent:
    """An agent that should exist, while its host has not said so; `starting`: it was on its way when we ended."""
    return Agent(
        known.host,
        known.name,
        known.epoch,
        known.kind,
        State.STARTING if starting else State.UNKNOWN,
        at,
        detail="not seen yet by this engine",
        cause=Cause.UNSEEN,
        profile=known.profile,
        model=known.model,
        cwd=known.cwd,
        task=known.task,
    )


def _known(agent: Agent) -> KnownAgent:
    return KnownAgent(
        agent.host,
        agent.name,
        agent.epoch,
        agent.kind,
        agent.profile,
        agent.model,
        agent.cwd,
        agent.task,
        agent.since,
    )
