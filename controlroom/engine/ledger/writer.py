"""What the engine has the ledger keep: orders, conclusions, agents and their runs, audit.

All of it goes into one outbox, so that it is written in the order in which it happened. A write that fails is logged,
once. What nobody would ask for again is kept then, tried again, and an alarm says so. Nothing here waits for the disk;
who must wait is given a future.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

from controlroom.domain.audit import AuditLine
from controlroom.domain.changes import Changes
from controlroom.domain.model import Agent, Fleet, Host, LinkState, State
from controlroom.domain.orders import Order, Result
from controlroom.engine.ledger.ledger import (
    KnownAgent,
    Ledger,
    agents_statements,
    audit_statement,
    conclusion_statement,
    ordered_statements,
)
from controlroom.engine.ledger.outbox import Keep, Outbox, Written
from controlroom.engine.ledger.run_tables import RunTable, drop_ended, keep_ended
from controlroom.engine.ledger.usage_tables import Statement
from controlroom.text.names import is_adopted_name
from controlroom.text.states import Outcome


class LedgerWriter:
    """Keeps a ledger; all methods are called on the event loop. `clock` gives UTC milliseconds."""

    def __init__(self, ledger: Ledger, clock: Callable[[], int], alarmed: Callable[[str], None]) -> None:
        """`alarmed` is told why who did what is not on the disk, and "" when it is again."""
        self._ledger = ledger
        self._clock = clock
        self._outbox = Outbox(ledger, clock, alarmed)
        self.open_orders = ledger.open_orders
        """Orders that were on their way when the engine before this one ended."""
        self._recorded: dict[str, dict[str, int]] = {}
        """Epochs of agents that the ledger has, by host and name."""
        for agent in ledger.agents:
            self._recorded.setdefault(agent.host, {})[agent.name] = agent.epoch
        self._changed: dict[str, set[str]] = {}
        """Agents that may be others than when their host was last looked at here, by host; by id."""
        self._runs = RunTable(ledger.runs)
        self._ended: dict[str, dict[str, int]] = {}
        """When agents of others ended that the ledger has, by host and name."""
        for ended in ledger.ended:
            self._ended.setdefault(ended.host, {})[ended.name] = ended.ended

    @property
    def trouble(self) -> str:
        """Why the last write was not possible; nothing: it was."""
        return self._outbox.trouble

    def remembered(self, at: int) -> list[Agent]:
        """Give the agents that should exist, as far as is known before their hosts are heard."""
        ordered = {(order.host, order.agent, order.epoch) for order in self.open_orders}
        known = self._ledger.agents
        return [_unseen(agent, at, (agent.host, agent.name, agent.epoch) in ordered) for agent in known]

    def ended(self) -> list[Agent]:
        """Give the agents of others that have ended, as they were shown."""
        return list(self._ledger.ended)

    def forgotten(self, host: str, names: Iterable[str] | None = None) -> None:
        """Ended agents of others are shown no more: these, or all of a host."""
        known = self._ended.get(host, {})
        gone = [name for name in (list(known) if names is None else names) if known.pop(name, None) is not None]
        self.keep(drop_ended(host, gone))

    def ordered(self, order: Order, agent: KnownAgent | None, more: Sequence[Statement] = ()) -> Written:
        """Write an order, and the agent that should exist from now on, with `more` that is to be true with it.

        An order that starts an agent is not given when it cannot be written; any other is written when it can be.
        """
        statements = [*more, *ordered_statements(order, agent)]
        if agent is None:
            return self._outbox.put(statements, Keep.RECORD)
        self._recorded.setdefault(agent.host, {})[agent.name] = agent.epoch
        return self._outbox.put(statements, Keep.ONCE)

    def concluded(self, order: Order, result: Result) -> None:
        """Write what became of an order, and audit it."""
        told = conclusion_statement(order.op, result.outcome, result.reason, self._clock())
        self._outbox.put([told], Keep.RECORD)
        self.audited(order.who, order.verb, order.subject, order.epoch, result)

    def audited(self, who: str, verb: str, target: str, epoch: int, result: Result) -> None:
        """Add a line to the audit."""
        line = AuditLine(self._clock(), who, verb, target, epoch, result.outcome, result.reason)
        self._outbox.put([audit_statement(line)], Keep.RECORD)

    def unordered(self, what: str, agent: Agent, words: str) -> None:
        """Audit what happened to an agent though nobody here ordered it."""
        self.audited(f"{agent.host} (not ordered)", what, agent.id, agent.epoch, Result(Outcome.UNKNOWN, words))

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
        self.keep(self._runs.observed(host, here.values(), self._clock(), adopted=False, gone=others))

    def foreign(self, host: str, fleet: Fleet, *, complete: bool) -> None:
        """Keep the runs of a host's agents that others started. `complete`: all that live were said."""
        here, gone = self._taken(host, fleet, adopted=True)
        if complete:
            here = {agent.name: agent for agent in fleet.agents_on(host) if agent.adopted}
        others = None if complete else gone
        self.keep(self._runs.observed(host, here.values(), self._clock(), adopted=True, gone=others))
        known = self._ended.setdefault(host, {})
        live = {agent.name for agent in here.values() if not agent.has_ended}
        self.forgotten(host, live | (known.keys() - here.keys() if complete else gone))
        fresh = [agent for agent in here.values() if agent.has_ended and known.get(agent.name) != agent.ended]
        known.update({agent.name: agent.ended for agent in fresh})
        self.keep(keep_ended(fresh))

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
            self._outbox.put(statements, Keep.STATE)

    def booked(self, statements: Sequence[Statement]) -> Written:
        """Write what is asked for again, by whoever waits for it, if that cannot be."""
        return self._outbox.put(statements, Keep.ONCE)

    async def wait_tried(self) -> None:
        """Wait until all that has happened until now is on the disk, or was not taken."""
        await self._outbox.wait_tried()

    @property
    def busy(self) -> bool:
        """Whether a write is under way to the disk."""
        return self._outbox.busy

    async def wait_written(self) -> None:
        """Wait until nothing is under way to the disk."""
        await self._outbox.wait_idle()

    async def close(self) -> None:
        """Write what is left and close the ledger."""
        self.keep(self._runs.closing())
        await self._outbox.close()
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
