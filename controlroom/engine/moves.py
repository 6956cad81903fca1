"""Moves: an agent ends on one host, provably, and only then starts on another. Never two, never silently none.

Where it is to go on with its session and its folder, these are carried in between (`carrying`): that they can be is
found out before it ends, and nothing starts before the other host has proved that it has what was sent. Then a fence
on the old host keeps the session from being gone on in there.

A move is an order of its own in the ledger; its two halves, the kill and the spawn, are orders like any other. What is
to be started stands in a file of the room's state folder from before the kill until the move is concluded, so that an
engine which comes back can finish: once a host says what it has, that decides (`MoveCoordinator.recall`).

A retry needs the same of its host, the task of the run that was; it is then a reassignment like any other.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Set
from dataclasses import replace
from pathlib import Path
from typing import Any

from controlroom.domain import events
from controlroom.domain.changes import Changes
from controlroom.domain.claims import OrderedRun
from controlroom.domain.intents import KillOn, MoveOn, ReassignAgent, RetryAgent, SignalOn, SpawnOn, order_of
from controlroom.domain.model import Agent, Fleet, LinkState, State
from controlroom.domain.money.allotment import NextGrant
from controlroom.domain.orders import Order, Result
from controlroom.engine.atomic_file import replace_file
from controlroom.engine.background_tasks import end_all
from controlroom.engine.carrying import Carriage, Carried, Carrier, CarryRules, Uncarried
from controlroom.engine.claims import ClaimChecker
from controlroom.engine.hosts.inquiries import Inquiries, Unanswered
from controlroom.engine.hosts.translate import short
from controlroom.engine.ledger.writer import LedgerWriter
from controlroom.engine.orders import SHOWN_TASK, OrderBook
from controlroom.engine.store import FleetStore
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import AgentKind, Outcome
from controlroom.wire.codec import decode, encode
from controlroom.wire.inquiries import ReadSpec, SpecRead
from controlroom.wire.lines import PeerError, from_line, to_line

log = logging.getLogger("controlroom.engine")

Again = Callable[[ReassignAgent], Awaitable[Result]]
"""Gives an agent the task of its last run again."""

TRIES = 5
"""How often a half that neither succeeds nor fails is tried."""

CARRY_TRIES = 20
"""The same, where something is carried: each try goes on where the one before it ended."""

FRESH = 10 * 60_000
"""Milliseconds for which an order may still end a running agent after the engine that took it has gone."""

_REASON = 500
"""Characters of what a host has to say against a move."""


@dataclass(frozen=True)
class Move:
    """One move: who wanted it when (UTC ms), what ends and what starts."""

    op: int
    who: str
    at: int
    end: KillOn
    start: SpawnOn
    carriage: Carriage | None = None
    """What is carried along; None: its task begins again."""
    theirs: SignalOn | None = None
    """How it ends where others started it; it then goes on where it is, under a runner."""

    @property
    def left(self) -> tuple[str, str, int]:
        """The host, the name and the run that it leaves."""
        return self.end.host, self.end.name, self.end.epoch

    @property
    def old(self) -> str:
        """Id of the agent that is to end."""
        return f"{self.end.host}/{self.end.name}"

    @property
    def new(self) -> str:
        """Id of the agent that is to start."""
        return f"{self.start.host}/{self.start.name}"


class Shelf:
    """Moves that are under way, a file each: readable by this user only, for a task may hold anything."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, move: Move) -> None:
        """Write a move down, on the disk when this returns. Raises `OSError`."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        replace_file(self._place(move.op), to_line(encode(move)))

    def read(self, op: int) -> Move | None:
        """Return a move, None when it was not written down or cannot be read."""
        try:
            return decode(Move, from_line(self._place(op).read_bytes()))
        except (OSError, PeerError):
            return None

    def drop(self, op: int) -> None:
        """Forget a move."""
        with contextlib.suppress(OSError):
            self._place(op).unlink()

    def keep_only(self, ops: Set[int]) -> None:
        """Forget all moves but these: an engine was killed before they were ordered, or after they were concluded."""
        wanted = {self._place(op) for op in ops}
        with contextlib.suppress(OSError):
            for path in self._folder.iterdir():
                if path not in wanted:
                    path.unlink()

    def _place(self, op: int) -> Path:
        return self._folder / f"{op}.json"


@dataclass(eq=False)
class _Way:
    """A move on its way."""

    move: Move
    was: Fleet
    """The fleet before it."""
    answer: "asyncio.Future[Result]"
    recalled: bool = False
    """It was begun by an engine that has ended since."""
    ended: bool = False
    """Its old run is proved gone."""
    carried: Carried | None = None
    """What has arrived of what is carried."""
    sent: bool = False
    """Its new run may have begun: it was ordered, and not refused."""

    @property
    def carries(self) -> bool:
        """Whether something is still to be carried."""
        return self.move.carriage is not None and self.carried is None


class MoveCoordinator:
    """All moves under way, a task each."""

    def __init__(
        self,
        store: FleetStore,
        orders: OrderBook,
        inquiries: Inquiries,
        claims: ClaimChecker,
        ledger_writer: LedgerWriter,
        first: Callable[[SpawnOn], NextGrant | None],
        folder: Path,
        observe: Callable[[events.AgentsObserved], object],
        rules: CarryRules,
    ) -> None:
        """`first`: what a run that begins is granted; `folder`: where moves are kept that are under way.

        `observe` takes what is known of a host's agents; `rules`: how agents are carried.
        """
        self._carrier, self._rules = Carrier(inquiries, store.new_id, orders.spec_for), rules
        self._store, self._orders, self._inquiries, self._claims = store, orders, inquiries, claims
        self._ledger_writer, self._first, self._shelf, self._observe = ledger_writer, first, Shelf(folder), observe
        self._ways: dict[asyncio.Task[None], _Way] = {}
        self._retries: set[asyncio.Task[Result]] = set()
        self._changed = asyncio.Event()
        store.subscribe(self._wake)

    def begin(self, effect: MoveOn, order: Order, was: Fleet) -> Result:
        """Start a move that was decided; `was`: the fleet before it."""
        carriage = None
        if effect.session or effect.folder:
            most, through_origin = self._rules
            carriage = Carriage(effect.session, effect.folder, most, through_origin=through_origin)
        move = Move(order.op, order.who, order.at, effect.end, effect.start, carriage, effect.theirs)
        self._take(move, was)
        return Result(Outcome.ASKED, op=order.op, agent=move.new, epoch=move.start.epoch)

    def retry(self, intent: RetryAgent, who: str, submit: Again) -> Result:
        """Have the task read that a run was given, then give it again. It may be done, as was decided."""
        op, answer = self._store.new_id(), asyncio.get_running_loop().create_future()
        self._orders.expect(op, answer)
        task = asyncio.get_running_loop().create_task(self._retried(intent, who, submit), name=f"retry {intent.agent}")
        self._retries.add(task)
        task.add_done_callback(self._retries.discard)
        task.add_done_callback(lambda done: _answered(done, answer))
        return Result(Outcome.ASKED, op=op, agent=intent.agent, epoch=intent.epoch + 1)

    async def _retried(self, intent: RetryAgent, who: str, submit: Again) -> Result:
        host, _, name = intent.agent.partition("/")
        run = self._claims.given(host, name, intent.epoch)
        agent = self._store.fleet.agents.get(intent.agent)
        if agent is None or agent.ordered is None:
            return self._ledger_writer.refused(intent, f"{intent.agent} is no longer there", who)
        try:
            spec = await self._inquiries.ask(
                host, ReadSpec(self._store.new_id(), name, run.epoch if run else intent.epoch), SpecRead
            )
            start = filled(SpawnOn(host, name, intent.epoch + 1, "", agent.ordered.kind), run, spec)
        except Unanswered as problem:
            return self._ledger_writer.refused(intent, short(f"nothing was begun: {problem}", _REASON), who)
        result = await submit(ReassignAgent(intent.agent, intent.epoch, start.task))
        awaited = self._orders.result_of(result.op) if result.outcome is Outcome.ASKED else None
        return result if awaited is None else await awaited

    def recall(self, orders: Iterable[Order]) -> None:
        """Take up the moves that were under way when the engine before this one ended, after all other orders."""
        moves = [order for order in orders if order.verb == "move"]
        self._shelf.keep_only({order.op for order in moves})
        for order in moves:
            self._recall(order)

    def _recall(self, order: Order) -> None:
        move = self._shelf.read(order.op)
        if move is None:
            words = f"the engine ended before {order.agent} was ended on {order.host}: nothing was moved, try again"
            self._ledger_writer.concluded(order, Result(Outcome.REFUSED, words))
            return
        was = self._store.fleet
        self._store.apply(events.Ordered(_order(move)))
        self._store.apply(events.Ordered(order_of(move.start, "spawn", move.op, move.at, move.who), _row(move)))
        self._take(move, was, recalled=True)

    def moving(self) -> "list[asyncio.Task[Any]]":
        """Return the tasks of moves that no host and no halt keeps waiting, and of retries."""
        return [*(task for task, way in self._ways.items() if not self._waits(way)), *self._retries]

    async def close(self) -> None:
        """Leave moves as they are; the next engine takes them up."""
        await end_all([*self._ways, *self._retries])

    # ----------------------------------------------------------------------- one move, from start to end

    def _take(self, move: Move, was: Fleet, *, recalled: bool = False) -> _Way:
        loop = asyncio.get_running_loop()
        way = _Way(move, was, loop.create_future(), recalled)
        way.sent = recalled and self._claims.given(move.start.host, move.start.name, move.start.epoch) is not None
        task = loop.create_task(self._see_through(way), name=f"move {move.old}")
        self._ways[task] = way
        self._orders.expect(move.op, way.answer)
        task.add_done_callback(self._ways.pop)
        return way

    async def _see_through(self, way: _Way) -> None:
        try:
            refusal = None if way.recalled else await self._written(way)
            conclusion = refusal or await self._carried(way)
        except Exception as mistake:  # our own, and it must not leave the agent in between unsaid
            log.exception("the move of %s failed", way.move.old)
            words = f"Control Room made a mistake ({type(mistake).__name__}): look where {way.move.end.name} runs"
            conclusion = Result(Outcome.UNKNOWN, words)
        failed = conclusion.outcome is not Outcome.DONE and not self._arrived(way.move)
        if failed:
            await self._taken_back(way)
        self._conclude(way, conclusion)
        await self._tidied(way.move, undo=failed and not way.sent)

    async def _written(self, way: _Way) -> Result | None:
        """Learn from the old host what is to be started, and write it all down; the refusal, if that cannot be."""
        move = way.move
        try:
            if not _is_whole(move.start):
                way.move = move = replace(move, start=await self._read(move))
            if move.carriage is not None:
                surveyed = await self._carrier.survey(move.op, move.left, move.start, move.carriage)
                way.move = move = replace(move, carriage=surveyed)
            await asyncio.to_thread(self._shelf.keep, move)
        except (Unanswered, Uncarried, OSError) as problem:
            unreached = isinstance(problem, Unanswered) and self._awaited(way)
            return Result(Outcome.REFUSED, short(f"nothing was moved: {problem}", _REASON), unreached=unreached)
        unwritten = await self._ledger_writer.ordered(_order(move), None)
        return Result(Outcome.REFUSED, f"nothing was moved: {unwritten}") if unwritten else None

    async def _read(self, move: Move) -> SpawnOn:
        """Ask the old host for what it alone keeps of the run. Raises `Unanswered`."""
        run = self._claims.given(move.end.host, move.end.name, move.end.epoch)
        asked = ReadSpec(self._store.new_id(), move.end.name, run.epoch if run else move.end.epoch)
        spec = await self._inquiries.ask(move.end.host, asked, SpecRead)
        return filled(move.start, run, spec)

    async def _carried(self, way: _Way) -> Result:
        move, reason = way.move, ""
        for _ in range(CARRY_TRIES if move.carriage else TRIES):
            await self._until(lambda: not self._waits(way))
            if missing := [host for host in self._needed(way) if host not in self._store.fleet.hosts]:
                return Result(Outcome.UNKNOWN, self._stranded(way, f"{missing[0]} is no longer in the room"))
            if self._arrived(move):
                return Result(Outcome.DONE)
            if self._is_halted and not way.ended:
                return Result(Outcome.REFUSED, self._stranded(way, "the room was halted meanwhile"))
            half = await self._end(way) if not way.ended else Result(Outcome.DONE)
            if half.outcome is Outcome.DONE and way.carries:
                half = await self._carry(way)
            if half.outcome is Outcome.DONE:
                await self._until(lambda: not self._is_halted)
                half = await self._start(way)
            if half.outcome is Outcome.DONE:
                return replace(half, reason=way.carried.words) if way.carried else half
            reason = half.reason
            if half.outcome is Outcome.REFUSED and not half.looked and not self._awaited(way):
                outcome = Outcome.UNKNOWN if way.ended else Outcome.REFUSED
                return Result(outcome, self._stranded(way, reason))
        return Result(Outcome.UNKNOWN, self._stranded(way, reason))

    async def _end(self, way: _Way) -> Result:
        """End the old run, and prove that nothing of it is left."""
        move, agent = way.move, self._store.fleet.agents.get(way.move.old)
        if move.theirs is not None:
            return await self._end_theirs(way, move.theirs, agent)
        if agent is None:
            way.ended = True  # its folder was removed, which is done only when nothing of it is left
            return Result(Outcome.DONE)
        if agent.epoch != move.end.epoch:
            return Result(Outcome.REFUSED, f"{move.old} was restarted meanwhile, as run {agent.epoch}")
        if way.recalled and not agent.has_ended and self._store.clock() - move.at > FRESH:
            return Result(Outcome.REFUSED, "the engine had ended before it was, and that is long ago: order it again")
        half = await self._ordered(move.end, "kill", way)
        way.ended = half.outcome is Outcome.DONE
        return half

    async def _end_theirs(self, way: _Way, signal: SignalOn, agent: Agent | None) -> Result:
        """End what others started: only its host can prove that the processes which were shown are gone."""
        late = way.recalled and self._store.clock() - way.move.at > FRESH
        if late and (agent is None or not agent.has_ended):
            return Result(Outcome.REFUSED, "the engine had ended before it was, and that is long ago: order it again")
        half = await self._ordered(signal, "kill", way)
        way.ended = half.outcome is Outcome.DONE
        return half

    async def _carry(self, way: _Way) -> Result:
        """Take its session and its folder across, and fence the session off where it was."""
        move, carriage = way.move, way.move.carriage
        assert carriage is not None
        try:
            carried = await self._carrier.carry(move.op, move.left, move.start, carriage)
            if carriage.session:
                await self._carrier.fence(move.op, move.left, carriage.session, move.start.host)
        except Unanswered as problem:
            return Result(Outcome.UNKNOWN, str(problem))
        except Uncarried as problem:
            return Result(Outcome.REFUSED, str(problem))
        way.carried, way.move = carried, replace(move, start=arriving(move.start, carried))
        return Result(Outcome.DONE)

    async def _taken_back(self, way: _Way) -> None:
        """Let its session be gone on in where it was, once it is certain that nothing has begun elsewhere."""
        carriage = way.move.carriage
        if carriage is not None and carriage.session and way.ended and not way.sent:
            with contextlib.suppress(Unanswered, Uncarried):
                await self._carrier.fence(way.move.op, way.move.left, carriage.session, "")

    async def _tidied(self, move: Move, *, undo: bool) -> None:
        """Remove what lies on both hosts for a move that is over; `undo`: what was unpacked, too."""
        if move.carriage is not None:
            await self._carrier.discard(move.op, move.start.host, move.start.name, undo=undo)
            await self._carrier.discard(move.op, move.end.host, move.end.name)

    async def _start(self, way: _Way) -> Result:
        start, way.sent = way.move.start, True
        half = await self._ordered(start, "spawn", way, self._first(start))
        way.sent = half.outcome is not Outcome.REFUSED
        return half

    async def _ordered(
        self, effect: KillOn | SignalOn | SpawnOn, verb: str, way: _Way, share: NextGrant | None = None
    ) -> Result:
        order = order_of(effect, verb, self._store.new_id(), self._store.clock(), way.move.who)
        result = await self._orders.carry_out(effect, order, way.was, share)
        awaited = self._orders.result_of(result.op)
        return result if awaited is None else await awaited

    def _stranded(self, way: _Way, reason: str) -> str:
        """Return what became of a move that did not end well, and how to go on."""
        move = way.move
        if move.theirs is not None:
            again = f"controlroom adopt {move.old} --restart"
            if not way.ended:
                return f"{move.old} was not ended, and nothing was started: {reason}"
            return f"{move.old} has ended, and does not go on as {move.new} yet: {reason}. To start it: {again}"
        if not way.ended:
            return f"{move.old} was not moved: {reason}"
        again = f"controlroom reassign {move.old} --host HOST (or --task TEXT, to go on there)"
        if way.sent and move.carriage is not None:
            words = f"{move.old} has ended, and whether it has begun on {move.start.host} is not known: {reason}"
            again = f"controlroom reassign {move.old} --host {move.start.host} --continue"
            return f"{words}. Look there (controlroom status); where it has not: {again}"
        if move.carriage is not None and move.carriage.session:
            again = f"controlroom resume {move.old} (its session and its folder are still there)"
        return f"{move.old} has ended, and was not started on {move.start.host}: {reason}. To start it again: {again}"

    def _conclude(self, way: _Way, conclusion: Result) -> None:
        move, at = way.move, self._store.clock()
        self._ledger_writer.concluded(_order(move), conclusion)
        self._shelf.drop(move.op)
        arrived = self._arrived(move)
        for agent in (move.old, move.new):
            self._store.apply(events.Concluded(move.op, agent, conclusion, at))
        before = way.was.agents.get(move.new)
        if conclusion.outcome is Outcome.REFUSED and not arrived:
            shown = (before,) if before else ()
            gone = () if before else (move.start.name,)
            self._observe(events.AgentsObserved(move.start.host, shown, at, gone=gone))
        elif conclusion.outcome is not Outcome.DONE:
            self._store.apply(events.HostNoticed(move.start.host, conclusion.reason, at))
        if not way.answer.done():
            way.answer.set_result(conclusion)

    # ----------------------------------------------------------------------- waiting

    def _needed(self, way: _Way) -> tuple[str, ...]:
        """Return the hosts that the next half needs."""
        return (way.move.start.host,) if way.ended and not way.carries else (way.move.end.host, way.move.start.host)

    def _awaited(self, way: _Way) -> bool:
        """Whether a host is to come back first."""
        hosts = [self._store.fleet.hosts.get(name) for name in self._needed(way)]
        return None not in hosts and any(host.link is not LinkState.UP for host in hosts if host)

    @property
    def _is_halted(self) -> bool:
        return self._store.fleet.queue.halt is not None

    def _waits(self, way: _Way) -> bool:
        """Whether nothing can be done now: a halt leaves alone what has not ended, and lets nothing start."""
        return way.ended if self._is_halted else self._awaited(way)

    def _arrived(self, move: Move) -> bool:
        """Whether the new host has shown the agent; a row of our own making does not count."""
        agent = self._store.fleet.agents.get(move.new)
        if agent is None or agent.epoch < move.start.epoch:
            return False
        return bool(agent.started) or agent.state not in (State.STARTING, State.UNKNOWN, State.FAILED)

    async def _until(self, true: Callable[[], bool]) -> None:
        while not true():
            await self._changed.wait()

    def _wake(self, _: Changes) -> None:
        if self._ways:
            self._changed.set()
            self._changed = asyncio.Event()


def _answered(task: "asyncio.Task[Result]", answer: "asyncio.Future[Result]") -> None:
    """Pass on what became of a retry, unless the engine ends."""
    if task.cancelled() or answer.done():
        return
    if mistake := task.exception():  # our own, and it must not leave whoever asked without an answer
        log.error("a retry failed", exc_info=mistake)
        answer.set_result(Result(Outcome.UNKNOWN, f"Control Room made a mistake ({type(mistake).__name__})"))
    else:
        answer.set_result(task.result())


def filled(start: SpawnOn, run: OrderedRun | None, spec: SpecRead) -> SpawnOn:
    """Put into an order the texts that only the old host keeps, where they are what was ordered of the run there.

    Raises `Unanswered` for what is not known, or is not what was ordered.
    """
    if spec.spec is None:
        raise Unanswered(spec.reason or f"its host does not know how {start.name} was to be run")
    task, command = start.task, start.command
    if not task and (start.kind != AgentKind.COMMAND or spec.task):
        if not spec.task.strip():
            raise Unanswered(f"its host does not know the task of {start.name}: say --task")
        if run is None or not run.is_task(spec.task):
            raise Unanswered(f"its host gives another task of {start.name} than was ordered: say --task")
        task = spec.task
    if start.kind == AgentKind.COMMAND and not command:
        command = spec.spec.command
        if not command:
            raise Unanswered(f"its host does not know the command of {start.name}")
        if run is None or not run.is_command(command):
            raise Unanswered(f"its host gives another command of {start.name} than was ordered: spawn it with its own")
    return replace(start, task=task, command=command)


def arriving(start: SpawnOn, carried: Carried) -> SpawnOn:
    """Return how a run begins that goes on in what was carried: where, and told of it where it has a session."""
    if not carried.cwd:
        return start
    told = f"{start.task}\n\n({MOVED.format(folder=short(carried.cwd, _REASON))})" if start.resume else start.task
    return replace(start, cwd=carried.checkout or start.cwd, task=told)


MOVED = (
    "You go on on another machine. Your folder lies in {folder} now, with all that git keeps of it and your "
    "uncommitted changes; what git ignores did not come along."
)
"""What an agent is told that was moved with its folder."""


def _is_whole(start: SpawnOn) -> bool:
    """Return whether an order needs nothing of the old host."""
    return bool(start.task) and (start.kind != AgentKind.COMMAND or bool(start.command))


def _order(move: Move) -> Order:
    return order_of(move.end, "move", move.op, move.at, move.who)


def _row(move: Move) -> Agent:
    start, task = move.start, " ".join(move.start.task.split())[:SHOWN_TASK]
    return Agent(
        start.host, start.name, start.epoch, start.kind, State.STARTING, move.at, profile=start.profile, task=task
    )
