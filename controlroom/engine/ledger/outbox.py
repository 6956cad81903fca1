"""Writes on their way to the ledger: in the order in which they came, whatever the disk takes, and within a bound.

One batch is under way at a time, and what came meanwhile makes the next. What fails stays in front of all that came
after it: the conclusion of an order is never written before the order. All methods are called on the event loop.
"""

import asyncio
import contextlib
import logging
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from itertools import islice

from controlroom.domain.audit import AuditLine
from controlroom.engine.ledger.ledger import Ledger, Unwritable, audit_statement
from controlroom.engine.ledger.usage_tables import Statement

log = logging.getLogger("controlroom.ledger")

RETRY = 5.0
"""Seconds after which what the disk did not take is tried again."""

MOST = 20_000
"""Statements of a kind that are kept while nothing can be written; more are lost, and counted."""

AT_ONCE = 1000
"""Statements of one batch, or one write if that has more."""

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

    def put(self, statements: Sequence[Statement], keep: Keep) -> Written:
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
            await self.put([], Keep.ONCE)

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
        """The disk takes nothing: what can be asked for again is dropped, and the rest waits."""
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
            told = AuditLine(self._clock(), "the engine", "write", "ledger", 0, "unknown", f"left out: {problem}")
            self.put([audit_statement(told)], Keep.RECORD)

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
        """Give a line of the audit that says from when to when it is late, or not whole."""
        count, since = self._late + self._kept, _moment(self._since)
        words = f"written now: {count} entries that the disk did not take since {since}"
        if self._lost:
            gap = f"{self._lost} of {_moment(self._lost_from)} to {_moment(self._lost_to)} are lost"
            words = f"{words}; {gap}: there were too many"
        outcome = "unknown" if self._lost else "done"
        return audit_statement(AuditLine(self._clock(), "the engine", "catch up", "ledger", 0, outcome, words))

    def _words(self) -> str:
        """Say what is kept, and why."""
        lost = f", and {self._lost} are lost, as there were too many" if self._lost else ""
        return f"who did what is kept in memory only ({self._kept} entries{lost}): {self.trouble}"


def _resolve(written: Written, problem: str) -> None:
    if not written.done():
        written.set_result(problem)


async def _ended(future: "Future[None]") -> BaseException | None:
    """Wait for a write that nobody may cancel; give what it raised."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[BaseException | None] = loop.create_future()

    def tell(future: "Future[None]") -> None:
        with contextlib.suppress(RuntimeError):  # the loop may end before the last write
            loop.call_soon_threadsafe(_tell, ended, future.exception())

    future.add_done_callback(tell)
    return await ended


def _tell(ended: "asyncio.Future[BaseException | None]", problem: BaseException | None) -> None:
    if not ended.done():
        ended.set_result(problem)


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, timezone.utc).isoformat(timespec="seconds")
