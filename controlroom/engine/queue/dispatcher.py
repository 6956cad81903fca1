"""Starts tasks: settles what their agents did, decides what is next, and orders it, one start after the other.

An attempt is on the disk before its agent is ordered, and an agent is named by its task: whatever is lost on the way,
no task is at work twice.
"""

import logging
from dataclasses import replace

from controlroom.domain import intents
from controlroom.domain.changes import Changes
from controlroom.domain.events import Alarmed
from controlroom.domain.gauges import AlarmKind
from controlroom.domain.model import Fleet
from controlroom.domain.orders import Order, Result
from controlroom.domain.queue import attempts, backoff, dispatch, repeat
from controlroom.domain.queue.dispatch import Plan, Start
from controlroom.domain.queue.waiting_tasks import WaitingTasks
from controlroom.domain.tasks import Halt, Task, TaskState
from controlroom.engine.background_tasks import Debouncer
from controlroom.engine.claims import ClaimChecker
from controlroom.engine.config.config import Config
from controlroom.engine.hosts.inquiries import Inquiries
from controlroom.engine.ledger.ledger import LedgerProblem
from controlroom.engine.ledger.writer import Keep
from controlroom.engine.queue.drainer import HostDrainer
from controlroom.engine.queue.halt import HaltKeeper, ResultOf, Submit
from controlroom.engine.queue.preflight import HostPreflights
from controlroom.engine.queue.restarter import FleetTexts, Restarter
from controlroom.engine.queue.task_book import TaskBook
from controlroom.engine.store import FleetStore
from controlroom.text.states import Outcome

log = logging.getLogger("controlroom.engine")

GATHER = 0.25
"""Seconds for which what happens in the fleet is gathered: an agent says a line many times a second."""

IDLE = 3600.0
"""Seconds between two rounds when nothing happens and nothing is due."""

LIVES_ON = 60_000
"""Milliseconds until an agent that did not end, though it has cost what it may, is ordered to again."""


class Dispatcher:
    """The queue at work. All methods are called on the event loop."""

    def __init__(
        self,
        store: FleetStore,
        book: TaskBook,
        claims: ClaimChecker,
        submit: Submit,
        result_of: ResultOf,
        inquiries: Inquiries,
        config: Config,
        fleets: FleetTexts,
    ) -> None:
        """`submit` decides an intent and orders what follows from it, as for an operator.

        `config` says where the operator's days begin, what agents are told that a profile keeps running, and whether
        watchers may read words of a task in its agent's name.
        """
        self._store, self._book, self._claims, self._submit, self._zone = store, book, claims, submit, config.zone
        self._wordless = config.withheld.tasks
        self.halt = HaltKeeper(store, book, submit, result_of)
        self.restarter = Restarter(store, book, claims, submit, result_of, config.kept_tasks, self._wake, fleets)
        self.drainer = HostDrainer(store, book, submit, result_of)
        self.preflights = HostPreflights(store, book, inquiries, self._wake)
        self._rounds = Debouncer(self._round, "the queue", again=5.0)
        self._turns = WaitingTasks()
        self._has_work = False
        """Whether any task is open, or the room is halted: else the queue ignores what agents do."""
        self.retried: set[str] = set()
        """Agents that are being given the task of their last run again, by id."""
        self._dear: dict[str, int] = {}
        """Agents that were ordered to end for what they cost, and until when they are not ordered to again."""
        self._ordered: dict[int, tuple[Order, Halt | None]] = {}
        """What was ordered of agents since the last round, and the halt that stood then: both may be over before it."""

    def start(self) -> None:
        """Begin to look at the fleet, and to start tasks."""
        self._store.subscribe(self._changed)
        self._rounds.want()

    @property
    def busy(self) -> bool:
        """Whether a round is on, or will be soon."""
        return self._rounds.busy or self.preflights.busy

    async def wait_idle(self) -> None:
        """Wait until nothing is left to do now."""
        await self._rounds.wait_idle()
        await self.preflights.wait_idle()

    def close(self) -> None:
        """Start nothing more."""
        self._store.unsubscribe(self._changed)
        self._rounds.close()
        self.preflights.close()

    def _wake(self) -> None:
        self._rounds.want(0.0)

    def _changed(self, changes: Changes) -> None:
        fleet = self._store.fleet
        for agent in (fleet.agents.get(key) for key in changes.agents):
            order = agent.pending if agent else None
            if order is not None and order.verb == "reassign" and order.subject in self.retried:
                order = replace(order, verb="retry")
            if order is not None and order.verb in attempts.NOTED:
                self._ordered.setdefault(order.op, (order, fleet.queue.halt))
        if changes.tasks or changes.room or changes.members or any(_clears(fleet, host) for host in changes.hosts):
            is_open = any(task.state.is_open for task in fleet.tasks.values())
            clears = any(_clears(fleet, host) for host in fleet.hosts)
            works = clears or self.restarter.has_work or fleet.queue.halt is not None
            self._has_work = is_open or works
            self._rounds.want(0.0)
        elif self._has_work:
            self._rounds.want(GATHER)

    async def _round(self) -> float:
        """Do all that is to be done now; the seconds until the next round at the latest."""
        self._settle()
        halted = await self.halt.enforce()
        drains_at = await self.drainer.step()
        await self._end_dear()
        self._warn()
        looks = [halted, drains_at, await self.restarter.start_due()]
        plan, look = self._planned()
        while plan.start is not None and await self._start(plan.start):
            plan, look = self._planned()
        looks += [plan.next_look, look]
        next_look = min((moment for moment in looks if moment), default=0)
        return min(IDLE, max(0.05, (next_look - self._store.clock()) / 1000)) if next_look else IDLE

    def _settle(self) -> None:
        """Close the attempts whose agents have ended, and note what is worth keeping of the others."""
        fleet, now = self._store.fleet, self._store.clock()
        halts = {order.subject: halt for order, halt in self._ordered.values()}
        orders, since = {order.subject: order for order, _ in self._ordered.values()}, self._ordered
        self._ordered = {}
        self.restarter.note(order for order, halt in since.values() if halt is not None and halt.kill)
        changed: list[Task] = []
        for task in [task for task in fleet.tasks.values() if orders and task.state is TaskState.WAITING]:
            order = next((orders[one.id] for one in (task.last, task.goes_on_from) if one and one.id in orders), None)
            if order is not None and (again := attempts.resumed(task, order, now)) is not task:
                changed.append(again)
        for task in [task for task in fleet.tasks.values() if task.state is TaskState.RUNNING]:
            order = orders.get(task.last.id) if task.last else None
            noted = self._killed(attempts.ordered(task, order, halts[order.subject]) if order else task)
            after = attempts.settled(noted, fleet, now)
            if after is not task:
                changed.append(after)
                if after.state is not task.state:
                    self._book.tell(after)
        self._book.update([repeat.again(task, now, self._zone) for task in changed])

    def _killed(self, task: Task) -> Task:
        """The task with what is known of an order to end its agent, be it of an engine before this one."""
        last = task.last
        if last is None or last.killed or last.paused or not self._claims.was_killed(last.host, last.agent, last.epoch):
            return task
        return attempts.killed(task, self._store.fleet.queue.halt)

    async def _end_dear(self) -> None:
        """End the agents of tasks that have cost what they may: those that do not count that themselves."""
        fleet, now = self._store.fleet, self._store.clock()
        self._dear = _ahead(self._dear, now, LIVES_ON)
        for task in [task for task in fleet.tasks.values() if task.max_cost and task.state is TaskState.RUNNING]:
            agent = fleet.agents.get(task.last.id) if task.last else None
            if agent is None or not agent.lives or agent.pending or not fleet.reachable(agent):
                continue
            if agent.id not in self._dear and attempts.is_too_dear(task, agent):
                self._dear[agent.id] = now + LIVES_ON
                await self._submit(intents.KillAgent(agent.id, agent.epoch), f"the queue (the cost of {task.id})")

    def _warn(self) -> None:
        """Raise the alarms about credentials that let nobody in, and end those that do again."""
        standing = self._store.fleet.alarms
        raised = backoff.alarms(self._store.fleet, self._store.clock())
        over = (about for about, alarm in standing.items() if alarm.kind is AlarmKind.CREDENTIAL)
        for about in {*raised, *over}:
            if raised.get(about) != standing.get(about):
                self._store.apply(Alarmed(about, raised.get(about)))

    def _planned(self) -> tuple[Plan, int]:
        """Decide what is next, and show why the rest waits; when the hosts that this needs are looked at again."""
        look = self.preflights.look()  # at each decision: a task may have come since the last one
        fleet = self._store.fleet
        plan = dispatch.plan(fleet, self._store.clock(), self._turns, wordless=self._wordless)
        self._book.show(dispatch.waiting_anew(fleet, plan), replace(fleet.queue, blocked=plan.blocked))
        return plan, look

    async def _start(self, start: Start) -> bool:
        """Start a task; False: it was not possible to write that down, so nothing was ordered."""
        now, agent_id = self._store.clock(), f"{start.host}/{start.agent}"
        row = self._store.fleet.agents.get(agent_id)
        epoch = row.epoch + 1 if row else 1
        session = row.session if row and start.resumes else ""
        begun = attempts.begun(start.task, start.host, start.agent, epoch, now, session, start.credential)
        written = self._book.update([begun], Keep.ONCE)
        problem = await written if written is not None else ""
        try:
            text = (
                "" if problem else attempts.told(start.task, await self._text(start), start.host, resumes=start.resumes)
            )
        except LedgerProblem as unread:
            problem = str(unread)
        if problem:
            self._book.update([attempts.not_begun(begun, problem, self._store.fleet.queue.rules, now)])
            return False
        queue = self._store.fleet.queue
        if queue.hold is not None or queue.halt is not None:  # since it was written down
            self._book.update([start.task])
            return False
        result = await self._submit(self._intent(start, text), f"the queue ({start.task.id})")
        self._started(begun, result)
        return True

    async def _text(self, start: Start) -> str:
        return "" if start.resumes else await self._book.text(start.task)

    def _intent(self, start: Start, text: str) -> intents.Intent:
        """What is ordered for a start: its session goes on, or an agent begins anew."""
        task, row = start.task, self._store.fleet.agents.get(f"{start.host}/{start.agent}")
        terms = attempts.run_terms(task)
        if start.resumes and row is not None:
            again = intents.ReassignAgent(row.id, row.epoch, text, keep_session=True, terms=terms)
            return replace(again, decided=start.credential)
        work = intents.SpawnAgent(start.agent, text, start.host, task.profile, model=task.model, cwd=task.cwd)
        work = replace(work, worktree=task.worktree, lead=task.origin.lead)
        return replace(work, terms=terms, credential=task.credential, decided=start.credential)

    def _started(self, begun: Task, result: Result) -> None:
        """Note when a start was ordered; one that was refused is tried again later."""
        fleet, now = self._store.fleet, self._store.clock()
        if result.outcome is Outcome.REFUSED:
            task = fleet.tasks.get(begun.id, begun)
            self._book.update([attempts.not_begun(task, result.reason, fleet.queue.rules, now)])
            log.info("%s does not start: %s", begun.id, result.reason)
        else:
            self._book.show((), replace(fleet.queue, last_start=now))


def _ahead(moments: dict[str, int], now: int, most: int) -> dict[str, int]:
    """Those of some moments that lie ahead, by at most so many milliseconds: more means that the clock was set."""
    return {name: until for name, until in moments.items() if now < until <= now + most}


def _clears(fleet: Fleet, host: str) -> bool:
    """Whether what is at work on a host is to go on elsewhere."""
    drain = fleet.hosts[host].drain if host in fleet.hosts else None
    return drain is not None and drain.move
