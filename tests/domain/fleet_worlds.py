"""A room in which fleet files are applied and seen through, without time, hosts or a disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from controlroom.domain.claims import digest
from controlroom.domain.events import FleetsSeen, TasksSeen
from controlroom.domain.fleet_files import AgentEntry, AgentWish, FleetFile, FleetTask, TaskStep
from controlroom.domain.fleets import applying
from controlroom.domain.fleets.exporting import exported
from controlroom.domain.fleets.planning import drift, plan
from controlroom.domain.fleets.plans import FleetPlan, Known
from controlroom.domain.fleets.tasks import edit, there
from controlroom.domain.intents import KillAgent
from controlroom.domain.model import Agent, Profile, State
from controlroom.domain.orders import Work
from controlroom.domain.persistent_tables import hosted
from controlroom.domain.queue import edits, restarts
from controlroom.domain.reduce import reduce
from controlroom.domain.tasks import Queue, QueueRules, Restarts, Source, Task, TaskState, TaskWish
from controlroom.text.states import AgentKind, Cause
from tests.domain.worlds import GIB, MINUTE, NOON, fleet, host

PROFILES = {
    "docs": Profile("docs", model="sonnet", cwd="project", shares_folder=True),
    "shell": Profile("shell", AgentKind.COMMAND, ("make",)),
}


def wish(name: str, text: str = "write the docs", **changes: object) -> AgentWish:
    entry = replace(AgentEntry(name, "docs", digest=digest(text)), **changes)  # type: ignore[arg-type]
    return AgentWish(entry, text)


def task_of(key: str, text: str = "mend it", **changes: object) -> FleetTask:
    return FleetTask(TaskWish(text=text, key=key, source=Source.FILE, **changes))  # type: ignore[arg-type]


def file_of(*agents: AgentWish, tasks: Sequence[FleetTask] = (), name: str = "docs") -> FleetFile:
    return FleetFile(name, agents, tuple(tasks))


class SimulatedRoom:
    """What the engine does about fleet files, in one step after another."""

    def __init__(self, *agents: Agent, hosts: int = 3) -> None:
        machines = tuple(
            host(f"vm{number}", free=3 * GIB, labels=("big",) * (number == 2)) for number in range(1, hosts + 1)
        )
        rules = replace(QueueRules(), stagger=0, max_agents=100, memory_percent=100)
        world = replace(fleet(*agents, hosts=machines), profiles=PROFILES, queue=Queue(rules=rules))
        self.fleet = replace(world, limits=replace(world.limits, memory_per_agent=1))
        self.digests = {agent.id: digest(agent.task) for agent in agents}
        self.texts: dict[str, str] = {}
        """Of agents' entries, by name."""
        self.bodies: dict[str, str] = {}
        """Of tasks, by id."""
        self.stopped: set[str] = set()
        self.now = NOON
        self.orders: list[str] = []

    @property
    def known(self) -> Known:
        by_key = {task.key: task for task in self.fleet.tasks.values() if task.key}
        texts = {id_: digest(text) for id_, text in self.bodies.items()}
        return Known(self.digests, self.stopped, {}, by_key, texts)

    def plan(self, file: FleetFile) -> FleetPlan:
        return plan(file, self.fleet, self.known, self.now)

    def drift(self, name: str = "docs") -> FleetPlan:
        return drift(name, self.fleet, self.known, self.now)

    def apply(self, file: FleetFile) -> None:
        """Keep what a file says, as the engine does; nothing is ordered yet."""
        wanted = self.plan(file)
        done = applying.applied(file, wanted, self.fleet, self.known, "ann", self.now)
        self.texts |= {one.entry.name: one.text for one in file.agents}
        self.bodies_wanted = {one.wish.key: one.wish.text for one in file.tasks}
        self.fleet = reduce(self.fleet, FleetsSeen((done.fleet,), done.members, left=done.left))

    def settle(self) -> None:
        """Carry out all that is to be done."""
        while self.step():
            pass

    def step(self) -> bool:
        """Carry out one thing; False: nothing is left to do."""
        members = self.fleet.members
        seen = {name: applying.followed(member, self.fleet) for name, member in members.items()}
        changed = tuple(member for name, member in seen.items() if member is not None and member != members[name])
        left = tuple(name for name, member in seen.items() if member is None)
        if changed or left:
            self.fleet = reduce(self.fleet, FleetsSeen(members=changed, left=left))
            return True
        return self._order() or self._start() or self._tend()

    def _order(self) -> bool:
        for member in self.fleet.members.values():
            order = applying.order_for(member, self.fleet)
            if isinstance(order, KillAgent):
                self.end(order.agent, order.epoch, by="fleet")
                return True
            if order is not None:
                row = self.fleet.agents[order.agent]
                assert row.ordered is not None
                self.put(replace(row, model=order.model, ordered=replace(row.ordered, chosen=order.model)))
                self.orders.append(f"model {row.id}")
                self.fleet = reduce(self.fleet, FleetsSeen(members=(replace(member, tells=False),)))
                return True
        return False

    def _start(self) -> bool:
        self.now += MINUTE
        decided = restarts.plan(self.fleet, self.now, self.stopped)
        self.fleet = replace(self.fleet, queue=replace(self.fleet.queue, restarts=decided.restarts))
        wanted = decided.start
        if wanted is None:
            return False
        record = restarts.begun(self.fleet.queue.restarts.get(wanted.key, Restarts()), wanted, self.now)
        known = {**self.fleet.queue.restarts, wanted.key: restarts.arrived(record)}
        self.fleet = replace(self.fleet, queue=replace(self.fleet.queue, restarts=known))
        member = self.fleet.members[wanted.name]
        self.fleet = reduce(self.fleet, FleetsSeen(members=(applying.begun(member, wanted.host, wanted.epoch + 1),)))
        self.start(wanted.name, wanted.host, wanted.epoch + 1, member.entry, self.texts[wanted.name])
        return True

    def start(self, name: str, on: str, epoch: int, entry: AgentEntry, text: str) -> Agent:
        """A run begins, whoever has ordered it."""
        profile = self.fleet.profiles.get(entry.profile, Profile(""))
        folder, tree = entry.cwd or profile.cwd, entry.worktree or profile.worktree
        model = entry.model or profile.model
        work = Work(profile.kind, entry.profile, model, folder, entry.model, "", tree, entry.credential)
        row = Agent(on, name, epoch, profile.kind, State.WORKING, self.now, profile=entry.profile, task=text)
        row = replace(row, started=self.now, ordered=work, cwd=folder)
        self.digests[row.id] = digest(text)
        self.stopped.discard(row.id)
        self.orders.append(f"start {row.id} {epoch}")
        self.put(row)
        return row

    def put(self, row: Agent) -> None:
        self.fleet = replace(self.fleet, agents=hosted(self.fleet.agents).updated({row.id: row}, ()))

    def end(self, id_: str, epoch: int, state: State = State.DONE, by: str = "") -> None:
        """A run ends; `by`: whose order it was, if anybody's."""
        row = self.fleet.agents[id_]
        assert row.epoch == epoch
        self.put(replace(row, state=state, ended=self.now, cause=Cause.KILLED if by else Cause.NONE))
        if by:
            self.stopped.add(id_)
            self.orders.append(f"end {id_} {epoch}")

    def _tend(self) -> bool:
        for name, one in self.fleet.fleets.items():
            for key, member in one.tasks.items():
                if member.step is TaskStep.NONE:
                    continue
                task = there(key, self.fleet, self.known)
                if member.step is TaskStep.ADD:
                    adds = applying.to_add(one, self.bodies_wanted, self.fleet, self.known)
                    first = len(self.fleet.tasks) + 1
                    done = edits.added(self.fleet, adds, self.known.tasks, first, "ann", self.now)
                    self.bodies |= done.new
                    members = {t.key: replace(one.tasks[t.key], id=t.id, step=TaskStep.NONE) for t in done.tasks}
                    self.see(*done.tasks)
                    self.fleet = reduce(self.fleet, FleetsSeen((replace(one, tasks={**one.tasks, **members}),)))
                    return True
                assert task is not None
                rest = {**one.tasks, key: replace(member, step=TaskStep.NONE)}
                if member.step is TaskStep.DROP:
                    self.see(edits.dropped(self.fleet, task, "ann", self.now))
                    rest.pop(key)
                elif member.step is TaskStep.RETRY:
                    self.see(edits.retried(task, self.now))
                else:
                    change = edit(member.wish, task, self.fleet, self.known, self.bodies_wanted[key])
                    self.see(edits.edited(self.fleet, task, change))
                    if change.body is not None:
                        self.bodies[task.id] = change.body
                self.orders.append(f"{member.step} {task.id}")
                self.fleet = reduce(self.fleet, FleetsSeen((replace(one, tasks=rest),)))
                assert name in self.fleet.fleets
                return True
        return False

    def see(self, *tasks: Task) -> None:
        self.fleet = reduce(self.fleet, TasksSeen(tasks))

    def become(self, id_: str, state: TaskState) -> None:
        self.see(replace(self.fleet.tasks[id_], state=state))

    def exported(self, name: str = "all") -> FleetFile:
        texts = {row.id: row.task for row in self.fleet.agents.values()}
        return exported(name, self.fleet, texts, self.bodies)
