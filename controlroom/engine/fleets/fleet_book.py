"""The fleet files of a room that were applied: kept in the ledger, shown in the fleet, and seen through.

To apply a file orders nothing: what is wanted is written down, and then carried out. Agents are started by the
restarter and tasks by the queue, by all of their rules; runs are ended and models told by orders like anybody's. An
engine that ends on the way is no loss: the next one finds what is still to be done, and each order names its run.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from controlroom.domain import intents
from controlroom.domain.audit import verb_of
from controlroom.domain.changes import Changes
from controlroom.domain.events import FleetsSeen
from controlroom.domain.fleet_files import AppliedFleet, FleetFile, Member, TaskMember, TaskStep
from controlroom.domain.fleets import applying
from controlroom.domain.fleets.exporting import exportable, exported
from controlroom.domain.fleets.planning import drift, plan
from controlroom.domain.fleets.plans import FleetPlan
from controlroom.domain.fleets.tasks import edit, there
from controlroom.domain.orders import Result
from controlroom.domain.preconditions import Refusal
from controlroom.domain.queue.restarts import Wanted
from controlroom.domain.words import nearest
from controlroom.engine.background_tasks import Debouncer
from controlroom.engine.fleets.known import FleetKnowledge
from controlroom.engine.ledger import fleet_tables
from controlroom.engine.ledger.ledger import Ledger, LedgerProblem
from controlroom.engine.ledger.writer import Keep, LedgerWriter
from controlroom.engine.queue.task_book import TaskBook
from controlroom.engine.store import FleetStore
from controlroom.text.sanitize import redact
from controlroom.text.states import Outcome

log = logging.getLogger("controlroom.engine")

GATHER = 0.1
"""Seconds for which what happens in the fleet is gathered."""

AGAIN = 60_000
"""Milliseconds until what was refused, or has not come about, is ordered again."""

IDLE = 3600.0

Submit = Callable[[intents.Intent, str], Awaitable[Result]]

_HAS_KEY = "its text holds what looks like a key, which is written into no file"


_NO_TEXT = "its text holds bytes that are no UTF-8, which no TOML can hold"


def _why_unwritten(text: str) -> str:
    """Why a text stands in no fleet file; "": it can."""
    if redact(text) != text:
        return _HAS_KEY
    return _NO_TEXT if any(0xD800 <= ord(sign) < 0xE000 for sign in text) else ""


class FleetBook:
    """All fleet files of a room that were applied. All methods are called on its event loop."""

    def __init__(
        self,
        store: FleetStore,
        ledger: Ledger,
        ledger_writer: LedgerWriter,
        tasks: TaskBook,
        knowledge: FleetKnowledge,
        submit: Submit,
    ) -> None:
        """`submit` decides an intent and orders what follows from it, as for an operator."""
        self._store, self._ledger, self._writer, self._tasks = store, ledger, ledger_writer, tasks
        self._knowledge, self._submit = knowledge, submit
        self._turn = asyncio.Lock()
        self._rounds = Debouncer(self._round, "fleets", again=5.0)
        self._applying = ""
        """The fleet whose file is being applied: meanwhile none of its agents is started."""
        self._later: dict[str, int] = {}
        """What was ordered, and until when it is not ordered again."""

    # ----------------------------------------------------------------------- life

    def recall(self) -> None:
        """Take up what the ledger holds."""
        fleets = fleet_tables.read_fleets(self._ledger.read(fleet_tables.FLEETS), self._ledger.read(fleet_tables.TASKS))
        members = fleet_tables.read_members(self._ledger.read(fleet_tables.AGENTS))
        if fleets or members:
            self._store.apply(FleetsSeen(tuple(fleets), tuple(members)))

    def start(self) -> None:
        """Go on with what is still to be done."""
        self._store.subscribe(self._changed)
        self._rounds.want()

    @property
    def busy(self) -> bool:
        """Whether a round is on, or will be soon."""
        return self._rounds.busy

    async def wait_idle(self) -> None:
        """Wait until nothing is left to do now."""
        await self._rounds.wait_idle()

    def close(self) -> None:
        """Order nothing more."""
        self._store.unsubscribe(self._changed)
        self._rounds.close()

    def _changed(self, changes: Changes) -> None:
        fleet = self._store.fleet
        if not fleet.fleets and not fleet.members:
            return
        agents = any(key.partition("/")[2] in fleet.members for key in changes.agents)
        if agents or changes.hosts or changes.tasks or changes.fleets or changes.members:
            self._rounds.want(GATHER)

    # ----------------------------------------------------------------------- what is asked

    async def planned(self, file: FleetFile, *, rates: bool = True) -> tuple[FleetPlan, FleetFile]:
        """Say what applying a file would do; the file with its texts. Raises `Refusal` and `LedgerProblem`."""
        whole = await self._knowledge.filled(file)
        known = await self._knowledge.of(whole, rates=rates)
        fleet, now = self._store.fleet, self._store.clock()
        return await asyncio.to_thread(plan, whole, fleet, known, now), whole

    async def drifted(self, name: str) -> FleetPlan:
        """Say how things are not as a file was applied. Raises `Refusal` and `LedgerProblem`."""
        self._named(name)
        known = await self._knowledge.of(FleetFile(name), rates=True)
        return await asyncio.to_thread(drift, name, self._store.fleet, known, self._store.clock())

    async def exported(self, name: str) -> tuple[FleetFile, dict[str, str]]:
        """Say what runs now as a fleet file; and why the rest cannot stand in one, by id. Raises `LedgerProblem`."""
        rows = list(exportable(self._store.fleet))
        texts, left = await self._knowledge.agent_texts([agent for agent, why in rows if not why])
        left |= {agent.id: why for agent, why in rows if why}
        tasks = [task for task in self._store.fleet.tasks.values() if task.state.is_open]
        bodies = await self._tasks.texts(tasks)
        left |= {id_: why for id_, text in {**texts, **bodies}.items() if (why := _why_unwritten(text))}
        texts, bodies = ({id_: text for id_, text in each.items() if id_ not in left} for each in (texts, bodies))
        return exported(name, self._store.fleet, texts, bodies), left

    def _named(self, name: str) -> AppliedFleet:
        fleets = self._store.fleet.fleets
        if name not in fleets:
            names = f" (there are {', '.join(sorted(fleets))})" if fleets else ": none was applied"
            raise Refusal(f"there is no fleet {ascii(name)[:60]}{nearest(name, fleets) or names}")
        return fleets[name]

    async def apply(self, intent: intents.ApplyFleet, who: str) -> Result:
        """Have what a file says, or refuse it whole; what is wanted is on the disk when this returns."""
        async with self._turn:
            self._applying = intent.name
            try:
                return await self._apply(intent, who)
            except (Refusal, LedgerProblem) as no:
                return self._writer.refused(intent, str(no), who)
            finally:
                self._applying = ""

    async def _apply(self, intent: intents.ApplyFleet, who: str) -> Result:
        whole = await self._knowledge.filled(intent.file)
        known = await self._knowledge.of(whole)
        fleet, now = self._store.fleet, self._store.clock()
        wanted = plan(whole, fleet, known, now)
        if intent.mark and wanted.mark != intent.mark:
            raise Refusal(f"what fleet {whole.name} would change is something else since it was shown: plan again")
        applied = applying.applied(whole, wanted, fleet, known, who, now)
        texts = {wish.entry.name: wish.text for wish in whole.agents}
        bodies = {task.wish.key: task.wish.text for task in whole.tasks}
        adds = applying.to_add(applied.fleet, bodies, fleet, known)
        await self._tasks.check(adds, who)
        if fleet is not self._store.fleet and plan(whole, self._store.fleet, known, now).mark != wanted.mark:
            raise Refusal("the fleet has changed at this very moment: apply it again")
        statements = fleet_tables.keep_applied(applied.fleet, applied.members, applied.left, texts, bodies)
        if problem := await self._writer.outbox.put(statements):
            raise Refusal(problem)
        self._store.apply(FleetsSeen((applied.fleet,), applied.members, left=applied.left))
        result = Result(Outcome.DONE, _done_words(wanted), op=self._store.new_id(), agent=whole.name)
        self._writer.audited(who, verb_of(intent), whole.name, 0, result)
        self._rounds.want(0.0)
        return result

    # ----------------------------------------------------------------------- what is started

    async def begun(self, wanted: Wanted) -> str | None:
        """Write down that an agent's run is about to be ordered; why that was not possible, "" when it was.

        None: its fleet file says otherwise by now.
        """
        member = self._store.fleet.members.get(wanted.name)
        if wanted.member is None or member is None or member.leaves or member.wanted != wanted.member.wanted:
            return None
        if member.fleet == self._applying:
            return None
        begun = applying.begun(member, wanted.host, wanted.epoch + 1)
        self._store.apply(FleetsSeen(members=(begun,)))
        return await self._writer.outbox.put([fleet_tables.keep_member(begun)])

    async def text(self, name: str) -> str:
        """The whole text of an agent. Raises `LedgerProblem`."""
        rows = await asyncio.to_thread(self._ledger.read, fleet_tables.AGENT_TEXT, (name,))
        if not rows:
            raise LedgerProblem(f"the ledger has no text of {name}")
        return str(rows[0][0])

    # ----------------------------------------------------------------------- what is still to be done

    async def _round(self) -> float:
        """Do all that can be done now; the seconds until the next round at the latest."""
        async with self._turn:
            now = self._store.clock()
            self._later = {key: until for key, until in self._later.items() if now < until <= now + AGAIN}
            self._follow()
            self._forget_empty()
            for member in [member for member in self._store.fleet.members.values() if applying.has_work(member)]:
                await self._order(member)
            for fleet in [*self._store.fleet.fleets.values()]:
                if any(task.step is not TaskStep.NONE for task in fleet.tasks.values()):
                    await self._tend(fleet)
            return AGAIN / 1000 if self._later else IDLE

    def _follow(self) -> None:
        """Note what hosts have shown of agents since, and forget those that have left."""
        fleet = self._store.fleet
        seen = {name: applying.followed(member, fleet) for name, member in fleet.members.items()}
        changed = [member for name, member in seen.items() if member is not None and member != fleet.members[name]]
        left = [name for name, member in seen.items() if member is None]
        if changed or left:
            self._store.apply(FleetsSeen(members=tuple(changed), left=tuple(left)))
            statements = [*map(fleet_tables.keep_member, changed), *map(fleet_tables.drop_member, left)]
            self._writer.outbox.put(statements, Keep.STATE)

    def _forget_empty(self) -> None:
        """Forget fleets of which nothing is left: their files name nothing, and all that they had has gone."""
        fleet = self._store.fleet
        with_agents = {member.fleet for member in fleet.members.values()}
        empty = tuple(name for name, one in fleet.fleets.items() if not one.tasks and name not in with_agents)
        if empty:
            self._store.apply(FleetsSeen(dropped=empty))
            self._writer.outbox.put([*map(fleet_tables.drop_fleet, empty)], Keep.STATE)

    async def _order(self, member: Member) -> None:
        """End a run, or tell it its model, where that is still to be done and can be."""
        order = applying.order_for(member, self._store.fleet)
        if order is None or self._is_put_off(f"{type(order).__name__} {order.agent} {order.epoch}"):
            return
        await self._submit(order, self._who(member.fleet))
        if isinstance(order, intents.SetModel):
            told = self._store.fleet.members.get(member.entry.name)
            if told is not None:
                self._keep(replace(told, tells=False))

    def _keep(self, member: Member) -> None:
        self._store.apply(FleetsSeen(members=(member,)))
        self._writer.outbox.put([fleet_tables.keep_member(member)], Keep.STATE)

    def _is_put_off(self, order: str) -> bool:
        """Whether something was ordered a moment ago; else it is from now on."""
        if order in self._later:
            return True
        self._later[order] = self._store.clock() + AGAIN
        return False

    def _who(self, name: str) -> str:
        fleet = self._store.fleet.fleets.get(name)
        return f"{fleet.who}, by fleet {name}" if fleet else f"fleet {name}"

    async def _tend(self, fleet: AppliedFleet) -> None:
        """Do what is still to be done about the tasks of a fleet."""
        texts = await asyncio.to_thread(
            lambda: {str(key): str(text) for key, text in self._ledger.read(fleet_tables.TASK_TEXTS, (fleet.name,))}
        )
        await self._add(fleet, texts)
        for key, member in fleet.tasks.items():
            if member.step is TaskStep.DROP:
                await self._drop(fleet, key, member)
            elif member.step in (TaskStep.EDIT, TaskStep.RETRY) and not self._is_put_off(f"{member.step} {member.id}"):
                await self._change(fleet, key, member, texts.get(key, ""))

    async def _add(self, fleet: AppliedFleet, texts: Mapping[str, str]) -> None:
        """Add the tasks that are still to be added, all of them or none: one whose key is known is there already."""
        adds = [key for key, member in fleet.tasks.items() if member.step is TaskStep.ADD]
        if not adds or self._is_put_off(f"add {fleet.name} {fleet.number}"):
            return
        known = await self._knowledge.of(FleetFile(fleet.name))
        wishes = applying.to_add(fleet, texts, self._store.fleet, known)
        result = await self._tasks.change(intents.AddTasks(tuple(wishes)), self._who(fleet.name))
        if result.outcome is Outcome.DONE:
            ids = dict(zip(adds, result.agent.split(), strict=True))
            done = {key: replace(fleet.tasks[key], id=id_, step=TaskStep.NONE) for key, id_ in ids.items()}
            self._keep_tasks(fleet.name, done)

    async def _change(self, fleet: AppliedFleet, key: str, member: TaskMember, text: str) -> None:
        """Edit a task, or have it done again; one that cannot be by now stays as it is, which the drift says."""
        known = await self._knowledge.of(FleetFile(fleet.name))
        task = there(key, self._store.fleet, known)
        if task is not None:
            intent: intents.EditTask | intents.RetryTask = intents.RetryTask(task.id)
            if member.step is TaskStep.EDIT:
                intent = intents.EditTask(task.id, edit(member.wish, task, self._store.fleet, known, text))
            await self._tasks.change(intent, self._who(fleet.name))
        self._keep_tasks(fleet.name, {key: replace(member, step=TaskStep.NONE)})

    async def _drop(self, fleet: AppliedFleet, key: str, member: TaskMember) -> None:
        """Drop a task; its agent, if it is at work, is ended before."""
        task = self._store.fleet.tasks.get(member.id)
        if task is None or not task.state.is_open:
            self._keep_tasks(fleet.name, {key: None})
            return
        agent = applying.agent_to_end(member, self._store.fleet)
        if agent is not None and not agent.has_ended:
            ready = not agent.pending and self._store.fleet.reachable(agent)
            if ready and not self._is_put_off(f"end {agent.id} {agent.epoch}"):
                await self._submit(intents.KillAgent(agent.id, agent.epoch), self._who(fleet.name))
        elif not self._is_put_off(f"drop {task.id} {task.state}"):
            result = await self._tasks.change(intents.DropTask(task.id), self._who(fleet.name))
            if result.outcome is Outcome.DONE:
                self._keep_tasks(fleet.name, {key: None})

    def _keep_tasks(self, name: str, changed: Mapping[str, TaskMember | None]) -> None:
        fleet = self._store.fleet.fleets.get(name)
        if fleet is None:
            return
        tasks = {key: member for key, member in {**fleet.tasks, **changed}.items() if member is not None}
        self._store.apply(FleetsSeen((replace(fleet, tasks=tasks),)))
        statements = [fleet_tables.keep_task(name, key, member) for key, member in changed.items()]
        self._writer.outbox.put(statements, Keep.STATE)


def _done_words(wanted: FleetPlan) -> str:
    """What is begun by applying a file, for the audit."""
    counts: dict[str, int] = {}
    for change in wanted.acts:
        what = f"{change.act}{' of a task' if change.is_task else ''}"
        counts[what] = counts.get(what, 0) + 1
    return ", ".join(f"{count} {what}" for what, count in counts.items()) or "nothing changes"
