"""A fleet for the queue to work with, in which everything goes wrong that can: one seed is one story.

What the hosts really run (`Truth`) and what the engine knows (`Fleet`) are two things: links are cut, answers are lost,
hosts are rebooted, the clock jumps, the engine ends between two steps, and operators hold, drop, kill, halt and retry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random

from controlroom.domain import events, intents
from controlroom.domain.budgets import Budget, BudgetUnit, Period, Rung, RungAction
from controlroom.domain.decide import Decision, decide
from controlroom.domain.gauges import Headroom, LimitKind
from controlroom.domain.model import Agent, Fleet, LinkState, Profile, State
from controlroom.domain.orders import NO_TERMS, Order, Result, RunTerms, Work
from controlroom.domain.preconditions import Refusal
from controlroom.domain.queue import attempts, backoff, dispatch, drains, edits, restarts
from controlroom.domain.queue.dispatch import Start
from controlroom.domain.queue.restarts import How, Wanted
from controlroom.domain.queue.waiting_tasks import WaitingTasks
from controlroom.domain.reduce import reduce
from controlroom.domain.restart_rules import RestartRules
from controlroom.domain.tasks import (
    CENT,
    AttemptEnd,
    Drain,
    Halt,
    Hold,
    Queue,
    QueueRules,
    Restarts,
    Task,
    TaskChange,
    TaskState,
    TaskWish,
)
from controlroom.domain.waits import WaitReason
from controlroom.text.host_sample import HostSample
from controlroom.text.states import AgentKind, Cause, Outcome
from tests.domain.worlds import GIB, NOON, host

MEBIBYTE = 1024 * 1024
NEED = 400 * MEBIBYTE
SECOND, MINUTE = 1_000, 60_000


A_SECOND = CENT // 10
"""What a second of an agent's work costs, micro-dollars."""

_AWAY = (AttemptEnd.LIMITED, AttemptEnd.OVERLOADED, AttemptEnd.ACCOUNT)


def _labels(name: str) -> tuple[str, ...]:
    return ("odd",) if int(name.removeprefix("vm")) % 2 else ()


@dataclass
class Run:
    """What a host really runs."""

    name: str
    epoch: int
    task: str
    began: int
    ends: int
    state: State
    cause: Cause = Cause.NONE
    ended: int = 0
    before: int = 0
    """What its agent had cost when it began, micro-dollars."""
    terms: RunTerms = NO_TERMS
    counts: bool = False
    """It counts what it costs itself, and ends when that is what it may."""

    @property
    def lives(self) -> bool:
        return not self.ended

    def cost(self, now: int) -> int:
        """What it has cost itself."""
        return max(0, (self.ended or now) - self.began) // SECOND * A_SECOND


class Storm:
    """One story. `Random` decides all of it."""

    def __init__(self, seed: int, hosts: int = 5, most: int = 20, tasks: int = 60) -> None:
        self.random, self.now, self.op, self.most = Random(seed), NOON, 0, most
        self.plans, self.compared = 0, max(1, tasks // 200)
        """Of so many plans one is compared with what is worked out anew: that looks at every task."""
        names = [f"vm{number}" for number in range(1, hosts + 1)]
        self.truth: dict[str, dict[str, Run]] = {name: {} for name in names}
        self.terms: dict[int, RunTerms] = {}
        """What the runs may take at most that were ordered, by order."""
        self.unsure: list[Order] = []
        """Orders whose link was lost before they were answered."""
        self.cut: set[str] = set()
        self.said: dict[str, list[tuple[str, int, State, int]]] = {}
        self.turns = WaitingTasks()
        self.story: list[str] = []
        self.api: tuple[State, Cause] | None = None
        """How it turns everybody away; None: it lets them in."""
        rules = QueueRules(max_agents=most, stagger=0, max_tasks=tasks, retry=10 * SECOND, max_attempts=3)
        kept = Profile("watch", restarts=RestartRules(keep=KEPT, starts=4, within=10 * MINUTE, pause=5 * SECOND))
        self.stopped: set[tuple[str, int]] = set()
        """Runs of kept agents that an operator has ended."""
        machines = {name: host(name, free=4 * GIB, labels=_labels(name)) for name in names}
        fleet = Fleet("room-1", machines, profiles={"watch": kept}, queue=Queue(rules=rules))
        self.fleet = fleet
        self.add(tasks)

    # -- the world

    def tell(self, what: str) -> None:
        self.story.append(f"{(self.now - NOON) // SECOND:5d} s  {what}")

    def apply(self, event: events.Event) -> None:
        self.fleet = reduce(self.fleet, event)

    def show(self, *tasks: Task) -> None:
        self.apply(events.TasksSeen(tasks))

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def add(self, count: int) -> None:
        wishes = []
        for number in range(count):
            after = (f"key {self.random.randrange(number)}",) if number > 3 and self.chance(0.2) else ()
            wish = TaskWish(f"task {number}", priority=self.random.randrange(4), after=after, key=f"key {number}")
            wish = replace(wish, labels=("odd",)) if self.chance(0.2) else wish
            wish = replace(wish, max_cost=self.random.randrange(10, 60) * CENT) if self.chance(0.2) else wish
            wishes.append(replace(wish, max_hours=self.random.randrange(2, 6) / 60) if self.chance(0.1) else wish)
        addition = edits.added(self.fleet, wishes, {}, 1, "ann", self.now)
        self.show(*addition.tasks)

    @property
    def living(self) -> list[Run]:
        return [run for runs in self.truth.values() for run in runs.values() if run.lives]

    def end(self, run: Run, state: State, cause: Cause = Cause.NONE) -> None:
        run.state, run.cause, run.ended = state, cause, self.now

    def time_passes(self) -> None:
        self.now += self.random.randrange(1, 20) * SECOND
        for run in self.living:
            most = run.terms
            if run.counts and most.micro and run.cost(self.now) >= most.micro:
                self.end(run, State.FAILED, Cause.COST)
            elif most.hours and self.now - run.began >= most.hours * HOUR:
                self.end(run, State.FAILED, Cause.OVER_LIMIT)
            elif self.api and run.began + 30 * SECOND <= self.now:
                self.end(run, *self.api)
            elif run.ends <= self.now:
                failed = self.chance(0.15)
                self.end(run, State.FAILED if failed else State.DONE)
            elif self.chance(0.004):
                self.end(run, State.LIMITED)

    def seen(self, name: str) -> tuple[Agent, ...]:
        """What a host says of its agents."""
        return tuple(
            Agent(
                name,
                run.name,
                run.epoch,
                AgentKind.HEADLESS,
                run.state,
                run.ended or run.began,
                cause=run.cause,
                session=f"s-{run.name}",
                started=run.began,
                ended=run.ended,
                limited_until=self.now + MINUTE if run.state is State.LIMITED else None,
                profile="watch" if run.name in WATCHERS else "",
                rss=None if run.ended else NEED - 10 * MEBIBYTE,
                ordered=Work(AgentKind.HEADLESS, "watch" if run.name in WATCHERS else ""),
            )
            for run in self.truth[name].values()
        )

    def used(self, name: str) -> int:
        """The bytes that are really in use on a host."""
        return GIB // 4 + sum(NEED - 10 * MEBIBYTE for run in self.truth[name].values() if run.lives)

    def say(self, name: str) -> None:
        """A host says what it has, if it has not said just that."""
        what = [(run.name, run.epoch, run.state, run.ended) for run in self.truth[name].values()]
        if self.said.get(name) != what:
            self.said[name] = what
            self.apply(events.AgentsObserved(name, self.seen(name), self.now, complete=True))

    def observe(self) -> None:
        """The hosts that can be heard say what they have, and what was unsure is looked up."""
        for name in self.truth:
            if name in self.cut:
                continue
            sample = HostSample(self.now, memory_used=self.used(name), memory_total=4 * GIB, disk_free=100 * GIB)
            self.apply(events.HostSampled(name, sample))
            spent = {f"{name}/{run.name}": run.before + run.cost(self.now) for run in self.truth[name].values()}
            self.apply(events.SpendingSeen(name, spent))
            self.say(name)
            for order in [order for order in self.unsure if order.host == name]:
                self.unsure.remove(order)
                run = self.truth[name].get(order.agent)
                there = run is not None and run.epoch >= order.epoch
                gone = run is None or bool(run.ended)
                ok = gone if order.verb == "kill" else there
                outcome = Outcome.DONE if ok else Outcome.REFUSED
                self.apply(events.Concluded(order.op, order.subject, Result(outcome, "it did not arrive"), self.now))
                self.said.pop(name)
                self.say(name)

    # -- the engine

    def order(self, intent: intents.Intent, who: str) -> str:
        """Decide an intent, and carry it out on its host; why not, where it was refused."""
        self.op += 1
        self.terms[self.op] = getattr(intent, "terms", NO_TERMS)
        decision = decide(self.fleet, intent, self.op, self.now, who)
        if not isinstance(decision, Decision):
            return decision.reason
        for event in decision.events:
            self.apply(event)
        assert decision.order is not None
        for task in self.fleet.tasks.values():
            if task.last and task.last.is_open and task.last.id == decision.order.subject:
                self.show(attempts.ordered(task, decision.order, self.fleet.queue.halt))
        if isinstance(decision.effect, intents.MoveOn):
            self.move(decision.effect, decision.order)
        else:
            self.carry_out(decision.order)
        return ""

    def move(self, effect: intents.MoveOn, order: Order) -> None:
        """End a run on its host, and begin the next on the other."""
        self.act(replace(order, verb="kill"))
        start = intents.order_of(effect.start, "spawn", order.op, self.now)
        self.act(start)
        for half in (order, start):
            self.apply(events.Concluded(half.op, half.subject, Result(Outcome.DONE), self.now))
            self.say(half.host)

    def carry_out(self, order: Order) -> None:
        lost, arrives = self.chance(0.05), self.chance(0.5)
        if not lost or arrives:
            self.act(order)
        if lost:
            self.unsure.append(order)
            self.lose(order.host)
        else:
            self.apply(events.Concluded(order.op, order.subject, Result(Outcome.DONE), self.now))
            self.say(order.host)

    def act(self, order: Order) -> None:
        runs = self.truth[order.host]
        if order.verb == "kill":
            if order.agent in runs and runs[order.agent].lives:
                self.end(runs[order.agent], State.FAILED)
            return
        before = runs.get(order.agent)
        assert before is None or not before.lives, f"{order.subject} would run twice"
        work = self.random.randrange(5, 400) * SECOND
        task = order.agent.rpartition("-")[2]
        spent = before.before + before.cost(self.now) if before else 0
        run = Run(order.agent, order.epoch, task, self.now, self.now + work, State.WORKING, before=spent)
        run.terms, run.counts = self.terms.pop(order.op, NO_TERMS), self.chance(0.5)
        runs[order.agent] = run

    def settle(self) -> None:
        for task in self.fleet.tasks.values():
            after = attempts.settled(task, self.fleet, self.now)
            if after is not task:
                self.show(after)

    def round(self) -> None:
        """What the engine does when something has happened."""
        self.settle()
        self.end_dear()
        self.take_care()
        self.empty_hosts()
        while (start := self.planned()) is not None:
            self.start(start)

    def empty_hosts(self) -> None:
        """Have agents leave drained hosts, in batches."""
        refused: dict[str, str] = {}
        self.settle_drains(refused)
        forming: set[str] = set()
        while (leave := drains.next_leave(self.fleet, self.now, forming).leave) is not None:
            agent, host = leave.agent, self.fleet.hosts[leave.agent.host]
            assert host.drain is not None
            first = host.name not in forming
            assert not (first and host.drain.leaving), "the last batch is on its way"
            drain = drains.left(self.fleet, host.drain, leave, self.now, first=first)
            assert len(drain.leaving) <= drain.size <= drain.batch
            forming.add(host.name)
            self.apply(events.HostDrained(host.name, drain))
            terms = attempts.run_terms(leave.task) if leave.task else NO_TERMS
            move = intents.ReassignAgent(agent.id, agent.epoch, "", host=leave.host, terms=terms)
            if words := self.order(move, "ann"):
                refused[agent.id] = words
            self.tell(f"{agent.id} goes on on {leave.host}: {words or 'done'}")
            assert not words, words
        self.settle_drains(refused)

    def settle_drains(self, refused: Mapping[str, str]) -> None:
        for name, there in [*self.fleet.hosts.items()]:
            drain = drains.settled(self.fleet, there, self.now, refused, ())
            if drain is not None and drain.stopped and self.chance(0.3):
                self.tell(f"the drain of {name} goes on")
                drain = drains.continued(replace(self.fleet, hosts={name: replace(there, drain=drain)}), name).drain
            if drain != there.drain:
                self.apply(events.HostDrained(name, drain))

    def planned(self) -> Start | None:
        """What starts next: the same, whether the order of tasks was kept or is worked out anew."""
        plan = dispatch.plan(self.fleet, self.now, self.turns)
        compares = self.plans % self.compared == 0 or plan.start is None
        self.plans += 1
        if compares:
            assert plan == dispatch.plan(self.fleet, self.now)
        self.show(*dispatch.waiting_anew(self.fleet, plan))
        if compares:
            assert not dispatch.waiting_anew(self.fleet, plan)
        return plan.start

    def end_dear(self) -> None:
        """End the agents of tasks that have cost what they may."""
        for task in [task for task in self.fleet.tasks.values() if task.max_cost and task.state is TaskState.RUNNING]:
            agent = self.fleet.agents.get(task.last.id) if task.last else None
            if agent and agent.lives and not agent.pending and attempts.is_too_dear(task, agent):
                self.order(intents.KillAgent(agent.id, agent.epoch), "the queue")

    def take_care(self) -> None:
        while True:
            stopped = {id_ for id_, epoch in self.stopped if self.fleet.agents[id_].epoch == epoch}
            plan = restarts.plan(self.fleet, self.now, stopped)
            self.restarts(plan.restarts)
            if plan.start is None:
                return
            self.begin(plan.start)

    def restarts(self, restarts: Mapping[str, Restarts]) -> None:
        self.apply(events.QueueSeen(replace(self.fleet.queue, restarts=restarts)))

    def begin(self, one: Wanted) -> None:
        before = self.fleet.queue.restarts.get(one.key, Restarts())
        begun = restarts.begun(before, one, self.now)
        self.restarts({**self.fleet.queue.restarts, one.key: begun})
        refused = ""
        if self.chance(0.03):
            self.tell(f"the engine ends before {one.key} is ordered, and starts again")
            self.restarts({**self.fleet.queue.restarts, one.key: replace(begun, starting=False)})
            return
        if one.how is How.RESUME:
            refused = self.order(intents.ResumeAgent(one.id, one.epoch), "restarts")
        else:
            refused = self.order(intents.SpawnAgent(one.name, "watch", host=one.host, profile="watch"), "restarts")
        kept = restarts.not_begun(before, refused, self.now) if refused else restarts.arrived(begun)
        self.restarts({**self.fleet.queue.restarts, one.key: kept})

    def check_backoff(self) -> None:
        """After the API has turned somebody away nothing starts for a minute, then one, and more once that works."""
        known = [attempt for task in self.fleet.tasks.values() for attempt in task.attempts]
        away = [attempt.ended for attempt in known if attempt.end in _AWAY]
        since = [attempt for attempt in known if away and attempt.at >= max(away)]
        if away and not any(map(backoff.Backoffs(self.fleet, self.now).is_good, since)):
            assert self.now - max(away) >= QueueRules().backoff, "a storm: it has just been turned away"
            young = (attempt for attempt in since if self.now - attempt.at < backoff.LONGEST_PROBE)
            tries = any(attempt.is_open and not attempt.paused for attempt in young)
            assert not tries, "a storm: two try at once"

    def start(self, start: Start) -> None:
        self.check_backoff()
        heard = [runs.values() for name, runs in self.truth.items() if name not in self.cut]
        cost = sum(run.before + run.cost(self.now) for runs in heard for run in runs if run.task == start.task.id)
        assert not start.task.max_cost or cost < start.task.max_cost, f"{start.task.id} has cost what it may"
        assert not self.fleet.budgets, f"{start.task.id} starts though a budget holds new work"
        row = self.fleet.agents.get(f"{start.host}/{start.agent}")
        begun = attempts.begun(start.task, start.host, start.agent, row.epoch + 1 if row else 1, self.now)
        self.show(begun)
        rules = self.fleet.queue.rules
        if self.chance(0.03):
            self.tell(f"the engine ends before {begun.id} is ordered, and starts again")
            self.show(attempts.not_begun(begun, "the engine ended before its agent was ordered", rules, self.now))
            return
        there = self.fleet.hosts[start.host]
        assert there.drain is None, f"{start.task.id} starts on {start.host}, which is drained"
        assert set(start.task.labels) <= set(there.labels), f"{start.task.id} starts on {start.host}"
        assert self.used(start.host) + NEED <= 4 * GIB * rules.memory_percent // 100 + NEED, "over the floor"
        most = attempts.run_terms(start.task)
        intent: intents.Intent = intents.SpawnAgent(start.agent, start.task.text, host=start.host, terms=most)
        if start.resumes and row is not None:
            intent = intents.ReassignAgent(row.id, row.epoch, "go on", keep_session=True, terms=most)
        if refused := self.order(intent, "the queue"):
            self.show(attempts.not_begun(self.fleet.tasks[begun.id], refused, rules, self.now))

    # -- what goes wrong

    def lose(self, name: str) -> None:
        self.cut.add(name)
        self.said.pop(name, None)
        self.apply(events.LinkChanged(name, LinkState.LOST, self.now))

    def something_happens(self) -> None:
        story = self.random.choice(
            (
                self.cut_link,
                self.mend_links,
                self.reboot,
                self.limit,
                self.clear_limits,
                self.spend_all,
                self.new_day,
                self.operate,
                self.drain,
                self.close_api,
                self.open_api,
                self.open_api,
                self.jump,
                self.restart,
            )
        )
        story()

    def cut_link(self) -> None:
        self.lose(self.random.choice(list(self.truth)))

    def mend_links(self) -> None:
        for name in sorted(self.cut):
            self.cut.discard(name)
            facts = self.fleet.hosts[name].facts
            assert facts is not None
            self.apply(events.HostMet(name, facts, self.now))

    def reboot(self) -> None:
        name = self.random.choice(list(self.truth))
        self.tell(f"{name} is rebooted")
        for run in self.truth[name].values():
            if run.lives:
                self.end(run, State.FAILED, Cause.REBOOTED)

    def limit(self) -> None:
        full = Headroom("plan", "5 h", LimitKind.WINDOW, 97, 100, self.now + 5 * MINUTE)
        self.apply(events.HeadroomSeen({full.key: full}))

    def clear_limits(self) -> None:
        self.apply(events.HeadroomSeen({}))

    def spend_all(self) -> None:
        """A budget has come to where it holds new work."""
        held = Budget("day", "fleet", Period.DAY, BudgetUnit.COVERED, 100 * CENT, 100 * CENT, spent=90 * CENT)
        held = replace(held, rungs=(Rung(80, RungAction.HOLD),), reached=1)
        self.apply(events.BudgetsSeen({"day": held, "key": replace(held, name="key", unit=BudgetUnit.BILLED)}))

    def new_day(self) -> None:
        self.apply(events.BudgetsSeen({}))

    def restart(self) -> None:
        """The engine ends and starts again: it knows what should be there, and has heard no host."""
        self.tell("the engine is started again")
        for name in self.truth:
            self.lose(name)
            unseen = (
                replace(agent, state=State.UNKNOWN, cause=Cause.UNSEEN, ended=0, rss=None)
                for agent in self.fleet.agents_on(name)
            )
            self.apply(events.AgentsObserved(name, tuple(unseen), self.now))

    def close_api(self) -> None:
        self.api = self.random.choice(
            ((State.LIMITED, Cause.NONE), (State.FAILED, Cause.OVERLOADED), (State.FAILED, Cause.ACCOUNT))
        )
        self.tell(f"the API turns everybody away: {self.api[0]} {self.api[1]}")

    def open_api(self) -> None:
        self.api = None

    def drain(self) -> None:
        """An operator has a host take nothing new, or work again."""
        host = self.random.choice(list(self.fleet.hosts.values()))
        drain = None if host.drain else Drain("ann", self.now, move=self.chance(0.5))
        self.tell(f"{host.name} is {'drained' if drain else 'undrained'}")
        self.apply(events.HostDrained(host.name, drain))

    def jump(self) -> None:
        by = self.random.choice((-HOUR, -MINUTE, MINUTE, HOUR))
        self.tell(f"the clock is set by {by // SECOND} s")
        self.now += by
        self.apply(events.ClockSet(by))
        for run in (run for runs in self.truth.values() for run in runs.values()):
            run.began, run.ends, run.ended = run.began + by, run.ends + by, run.ended and run.ended + by

    def operate(self) -> None:
        """An operator does something to a task, an agent, the queue or the room."""
        queue, task = self.fleet.queue, self.random.choice(list(self.fleet.tasks.values()))
        what = self.random.randrange(10)
        try:
            if what == 0:
                self.show(edits.held(task, "ann", self.now))
            elif what in (1, 2):
                self.show(edits.released(task, self.now))
            elif what == 3:
                self.show(edits.retried(task, self.now))
            elif what == 4 and self.chance(0.3):
                self.show(edits.dropped(self.fleet, task, "ann", self.now))
            elif what == 5:
                self.apply(events.QueueSeen(replace(queue, hold=None if queue.hold else Hold("ann", self.now))))
            elif what == 6:
                self.apply(events.QueueSeen(replace(queue, halt=None if queue.halt else Halt("ann", self.now))))
            elif what == 7 and task.last:
                self.order(intents.KillAgent(task.last.id, task.last.epoch), "ann")
            elif what == 8 and self.chance(0.3):
                self.kill_kept()
            else:
                self.show(edits.moved(self.fleet, task, None, first=True))
        except Refusal:
            pass

    def kill_kept(self) -> None:
        """An operator ends an agent that is kept running: it stays ended."""
        agents = [agent for agent in self.fleet.agents.values() if agent.name in WATCHERS and agent.lives]
        for agent in agents[:1]:
            if not self.order(intents.KillAgent(agent.id, agent.epoch), "ann"):
                self.stopped.add((agent.id, agent.epoch))

    # -- the story

    def check(self) -> None:
        """What must hold at every moment."""
        tasks = [run.task for run in self.living]
        assert len(tasks) == len(set(tasks)), f"twice at once: {sorted(tasks)}"
        assert len(tasks) <= self.most, f"{len(tasks)} agents are at work"
        for task in self.fleet.tasks.values():
            opened = [attempt for attempt in task.attempts if attempt.is_open]
            assert len(opened) == (task.state is TaskState.RUNNING), task
            assert task.failures <= self.fleet.queue.rules.max_attempts
            if task.state is TaskState.FAILED and task.last and task.last.end is AttemptEnd.COST:
                assert task.max_cost, f"{task.id} may cost what it wants"
        for key, kept in self.fleet.queue.restarts.items():
            assert key in WATCHERS
            assert len(kept.starts) <= 4, "it was to be given up"

    def play(self, steps: int) -> None:
        for _ in range(steps):
            self.time_passes()
            if self.chance(0.3):
                self.something_happens()
            self.observe()
            self.round()
            self.check()

    def calm(self) -> None:
        """Everything is well again, and stays so: all is carried out to its end."""
        self.apply(events.QueueSeen(replace(self.fleet.queue, hold=None, halt=None)))
        self.clear_limits()
        self.new_day()
        self.open_api()
        for name in self.fleet.hosts:
            self.apply(events.HostDrained(name, None))
        self.chance = lambda share: False  # type: ignore[method-assign]
        for _ in range(2_000):
            self.mend_links()
            self.time_passes()
            for task in list(self.fleet.tasks.values()):
                if task.state is TaskState.HELD:
                    self.show(edits.released(task, self.now))
                elif task.state in (TaskState.FAILED, TaskState.DROPPED):
                    again = edits.retried(task, self.now)
                    unbound = TaskChange(max_cost=0, max_hours=0.0)
                    self.show(edits.edited(self.fleet, again, unbound))
                elif task.wait is not None and task.wait.reason is WaitReason.COST:
                    self.show(edits.edited(self.fleet, task, TaskChange(max_cost=0)))
            self.observe()
            self.round()
            self.check()
            if all(task.state is TaskState.DONE for task in self.fleet.tasks.values()):
                return
        raise AssertionError(f"not done: {[task for task in self.fleet.tasks.values() if task.state.is_open][:3]}")


HOUR = 60 * MINUTE
KEPT = 2
WATCHERS = tuple(f"watch-{number}" for number in range(1, KEPT + 1))
