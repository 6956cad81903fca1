"""What the engine has the ledger keep: orders, conclusions, agents and their runs, audit.

A write that fails is logged, once. Who did what, and what came of it, is kept then, tried again, and an alarm says so.
Nothing here waits for the disk; who must wait is given a future.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future

from controlroom.domain.audit import AuditLine
from controlroom.domain.changes import Changes
from controlroom.domain.model import Agent, Fleet, Host, LinkState, State
from controlroom.fleet.books.backlog import Backlog
from controlroom.fleet.books.ledger import (
    KnownAgent,
    Ledger,
    Order,
    audit_statement,
    conclusion_statement,
    order_statement,
)
from controlroom.fleet.books.run_book import RunBook
from controlroom.fleet.books.usage_tables import Statement
from controlroom.fleet.hosts.orders import Conclusion
from controlroom.meter.names import is_adopted_name

log = logging.getLogger("controlroom.ledger")

RETRY = 5.0
"""Seconds after which what the disk did not take is tried again."""

Written = asyncio.Future[str]
"""Resolves when a write is on the disk, to nothing, or to a sentence about why it is not."""


class Bookkeeper:
    """Keeps a ledger; all methods are called on the event loop. `clock` gives UTC milliseconds."""

    def __init__(self, ledger: Ledger, clock: Callable[[], int], alarmed: Callable[[str], None]) -> None:
        """`alarmed` is told why who did what is not on the disk, and "" when it is again."""
        self._ledger = ledger
        self._clock = clock
        self._alarmed = alarmed
        self._backlog = Backlog()
        self._again: asyncio.TimerHandle | None = None
        self._catching: Written | None = None
        self.open_orders = ledger.open_orders
        """Orders that were on their way when the engine before this one ended."""
        self._recorded: dict[str, dict[str, int]] = {}
        """Epochs of agents that the ledger has, by host and name."""
        for agent in ledger.agents:
            self._recorded.setdefault(agent.host, {})[agent.name] = agent.epoch
        self._changed: dict[str, set[str]] = {}
        """Agents that may be others than when their host was last looked at here, by host; by id."""
        self._runs = RunBook(ledger.runs)
        self._under_way: set[Written] = set()
        self.trouble = ""
        """Why the last write was not possible; nothing: it was."""

    def remembered(self, at: int) -> list[Agent]:
        """Give the agents that should exist, as far as is known before their hosts are heard."""
        ordered = {(order.host, order.agent, order.epoch) for order in self.open_orders}
        known = self._ledger.agents
        return [_unseen(agent, at, (agent.host, agent.name, agent.epoch) in ordered) for agent in known]

    def ordered(self, order: Order, agent: KnownAgent | None, more: Sequence[Statement] = ()) -> Written:
        """Write an order, and the agent that should exist from now on, with `more` that is to be true with it."""
        if agent is not None:
            self._recorded.setdefault(agent.host, {})[agent.name] = agent.epoch
            return self._note(self._ledger.ordered(order, agent, more))
        return self._insist([*more, order_statement(order)])

    def concluded(self, order: Order, conclusion: Conclusion) -> None:
        """Write what became of an order, and audit it."""
        self._insist([conclusion_statement(order.op, conclusion.outcome, conclusion.reason, self._clock())])
        target = f"{order.host}/{order.agent}" if order.agent else order.host
        self.audited(order.who, order.verb, target, order.epoch, conclusion)

    def audited(self, who: str, verb: str, target: str, epoch: int, conclusion: Conclusion) -> None:
        """Add a line to the audit."""
        line = AuditLine(self._clock(), who, verb, target, epoch, conclusion.outcome, conclusion.reason)
        self._insist([audit_statement(line)])

    def unordered(self, what: str, agent: Agent, words: str) -> None:
        """Audit what happened to an agent though nobody here ordered it."""
        self.audited(f"{agent.host} (not ordered)", what, agent.id, agent.epoch, Conclusion("unknown", words))

    def changed(self, changes: Changes) -> None:
        """These agents may be others: they are looked at when their host is heard next."""
        for key in changes.agents:
            self._changed.setdefault(key.partition("/")[0], set()).add(key)

    def observed(self, host: str, fleet: Fleet, *, complete: bool) -> None:
        """Keep the list of a host's agents as it is now. `complete`: all that it has was said, not what changed."""
        if complete:
            here = {agent.name: agent for agent in fleet.agents_on(host) if not agent.adopted}
            gone = set(self._recorded.get(host, ())) - here.keys()
            self._changed.pop(host, None)
        else:
            here, gone = self._taken(host, fleet, adopted=False)
        self._list(host, here, gone)
        others = None if complete else gone
        self._keep(self._runs.observed(host, here.values(), self._clock(), adopted=False, gone=others))

    def foreign(self, host: str, fleet: Fleet, *, complete: bool) -> None:
        """Keep the runs of a host's agents that others started. `complete`: all that live were said."""
        here, gone = self._taken(host, fleet, adopted=True)
        if complete:
            here = {agent.name: agent for agent in fleet.agents_on(host) if agent.adopted}
        others = None if complete else gone
        self._keep(self._runs.observed(host, here.values(), self._clock(), adopted=True, gone=others))

    def _taken(self, host: str, fleet: Fleet, *, adopted: bool) -> tuple[dict[str, Agent], set[str]]:
        """Give the agents of one kind that have changed, and the names of those that are gone; once."""
        keys = self._changed.get(host, set())
        mine = {key for key in keys if is_adopted_name(key.partition("/")[2]) is adopted}
        keys -= mine
        there = (fleet.agents.get(key) for key in mine)
        here = {agent.name: agent for agent in there if agent is not None and agent.adopted is adopted}
        return here, {key.partition("/")[2] for key in mine} - here.keys()

    def _list(self, host: str, here: Mapping[str, Agent], gone: set[str]) -> None:
        """Write down which agents should exist on a host, where that is other than it stands there."""
        known = self._recorded.setdefault(host, {})
        fresh = [agent for name, agent in here.items() if known.get(name) != agent.epoch]
        lost = [name for name in gone if known.pop(name, None) is not None]
        if fresh or lost:
            known.update({agent.name: agent.epoch for agent in fresh})
            self._note(self._ledger.seen([_known(agent) for agent in fresh], [(host, name) for name in lost]))

    def heard(self, host: Host | None) -> None:
        """Keep that a host was there, if it was: as long as its agents are known to have lived."""
        if host is not None and host.link is LinkState.UP:
            self._keep(self._runs.heard(host.name, self._clock()))

    def left(self, host: str) -> None:
        """Keep until when a host was there."""
        self._keep(self._runs.left(host))

    def _keep(self, statements: list[Statement]) -> None:
        if statements:
            self._note(self._ledger.booked(statements))

    def booked(self, statements: list[Statement]) -> Written:
        """Book what agents have used."""
        return self._note(self._ledger.booked(statements))

    async def wait_written(self) -> None:
        """Wait until nothing is under way to the disk."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def close(self) -> None:
        """Write what is left and close the ledger."""
        if self._again is not None:
            self._again.cancel()
        await self.wait_written()
        if self._backlog and (problem := await self._note(self._ledger.booked(self._backlog.to_write(self._clock())))):
            log.error("%s", self._backlog.words(problem))
        self._keep(self._runs.closing())
        await asyncio.to_thread(self._ledger.close)

    def _insist(self, statements: list[Statement]) -> Written:
        """Write what must not be lost: what the disk does not take is kept, and what comes later stands behind it."""
        if self._backlog:
            self._backlog.add(statements, self._clock())
            return self._catch_up()
        written = self._note(self._ledger.booked(statements))
        written.add_done_callback(lambda done: self._insisted(statements, done))
        return written

    def _insisted(self, statements: list[Statement], written: Written) -> None:
        if not written.cancelled() and written.result():
            self._backlog.add(statements, self._clock())
            self._wait_for_room(written.result())

    def _wait_for_room(self, problem: str) -> None:
        self._alarmed(self._backlog.words(problem))
        if self._again is None:
            self._again = asyncio.get_running_loop().call_later(RETRY, self._catch_up)

    def _catch_up(self) -> Written:
        """Try to write all that is kept."""
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if self._catching is not None and not self._catching.done():
            return self._catching
        self._catching = self._note(self._ledger.booked(self._backlog.to_write(self._clock())))
        self._catching.add_done_callback(self._caught_up)
        return self._catching

    def _caught_up(self, written: Written) -> None:
        if written.cancelled():
            return
        if problem := written.result():
            self._wait_for_room(problem)
            return
        self._backlog.written()
        if self._backlog:
            self._catch_up()
        else:
            self._alarmed("")

    def _note(self, future: "Future[None]") -> Written:
        loop = asyncio.get_running_loop()
        written: Written = loop.create_future()
        self._under_way.add(written)

        def ended(future: "Future[None]") -> None:
            with contextlib.suppress(RuntimeError):  # the loop may end before the last write
                loop.call_soon_threadsafe(self._ended, written, future.exception())

        future.add_done_callback(ended)
        return written

    def _ended(self, written: Written, problem: BaseException | None) -> None:
        self._under_way.discard(written)
        if problem is not None and not self.trouble:
            log.error("%s", problem)
        elif problem is None and self.trouble:
            log.info("the ledger can be written again")
        self.trouble = "" if problem is None else str(problem)
        if not written.done():
            written.set_result("" if problem is None else str(problem))


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
