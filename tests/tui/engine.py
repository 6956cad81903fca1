"""An engine in memory: the real rules (decide, reduce) over a fleet, and hosts that do what they are told at once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from controlroom.client.client import AgentScreen, Attachment, DiffLines, EngineUnavailable, LogPage, NoAttachment
from controlroom.domain import adopting, events, intents
from controlroom.domain.attached import FrontEnd
from controlroom.domain.decide import Refused, decide
from controlroom.domain.display.checkup import checks, link_check
from controlroom.domain.display.diff import DiffLine, diff_lines
from controlroom.domain.display.loglines import LogHit, Matches, log_lines, screen_lines
from controlroom.domain.figures import Figures
from controlroom.domain.history import Point
from controlroom.domain.model import Agent, Fleet, LinkState, LogPlace, State
from controlroom.domain.money.costs import CostRow
from controlroom.domain.orders import Result
from controlroom.domain.permissions.intents import AddRule, KeptRule
from controlroom.domain.preconditions import Refusal
from controlroom.domain.queue import drains, edits
from controlroom.domain.reduce import reduce
from controlroom.domain.tasks import Drain, Halt, Hold, Task
from controlroom.domain.worktrees import KeptWorktree
from controlroom.protocol.branches import WorkTold, WorktreesTold
from controlroom.protocol.messages import AgentChanges, Attached, Costs, Flowing, History, HostChecked, TaskText
from controlroom.protocol.rule_messages import Rules
from controlroom.text.branch_work import BranchWork, Commit
from controlroom.text.changes import BEGINNING, DIFF_PAGE, ChangedFile, Changes
from controlroom.text.event_text import LogRecord
from controlroom.text.host_sample import HostCheck
from controlroom.text.states import Outcome, TellKind
from tests.tui.work import DIFFS, WORK

Logs = dict[tuple[str, int], list[LogRecord]]


@cache
def _lines(raw: bytes) -> tuple[DiffLine, ...]:
    return tuple(diff_lines(BEGINNING, raw.split(b"\n")[:-1], {}))


class SmallEngine:
    """Holds the fleet and the logs; every client sees the same."""

    def __init__(self, fleet: Fleet, logs: Logs | None = None, now: Callable[[], int] = lambda: 0) -> None:
        self.fleet = fleet
        self.logs: Logs = logs or {}
        self.terminals: dict[str, bytes] = {}
        """What stands on the terminals that there are."""
        self.now = now
        self.spent: dict[str, list[CostRow]] = {}
        """What the ledger says, by what it is asked for."""
        self.ledger_problem = ""
        self.task_texts: dict[str, str] = {}
        """The whole texts of tasks, by id."""
        self.work: dict[str, Changes | None] = {}
        """What agents have changed, by id; None: they work in no repository. The others: `WORK`."""
        self.worktrees: dict[str, tuple[KeptWorktree, ...]] = {}
        """What lies on hosts."""
        self.diffs = dict(DIFFS)
        self.only_here = 0
        """Commits of each agent that no other branch has."""
        self.diffs_asked: list[tuple[str, int]] = []
        """Each path, and the number of the line."""
        self.ran: dict[str, dict[str, int]] = {}
        self.history: dict[str, Sequence[Point]] = {}
        self.figures: Figures | None = None
        self.rules: list[KeptRule] = []
        self.history_asked: list[tuple[str, int, int, int]] = []
        self.costs_asked: list[tuple[str, int, int]] = []
        self.asked: list[intents.Intent] = []
        """Every intent, in order, refused ones too."""
        self.effects: list[intents.Effect] = []
        self.before_deciding: Callable[[], None] = lambda: None
        """What happens between a key and its decision, before any screen can hear of it."""
        self.clients: list[SmallClient] = []
        self.running = True
        self.stopped = False
        self.starting = asyncio.Event()
        self.starting.set()
        self.reading = asyncio.Event()
        """Whether pages of logs that are asked for come now."""
        self.reading.set()
        self.attempts = self.connections = 0
        """Times that somebody tried to reach it, and did."""
        self.why_not = "the engine did not start: its config has an error"
        self._ops = 0
        self.where = ""
        self.ahead = 0
        """How far its clock is ahead of that of the machine that shows it, in ms."""
        self.read_only = False
        """Whether it lets its clients look and nothing else."""
        self.searched_at_once = 1000
        """Records of one piece of a search."""

    async def connect(self, start: bool = True) -> SmallClient:
        """What `client.client.Client.connect` is for the app."""
        await self.starting.wait()
        self.attempts += 1
        if self.stopped and start:
            self.running, self.stopped = True, False
        if not self.running:
            raise EngineUnavailable(self.why_not)
        self.connections += 1
        client = SmallClient(self, read_only=self.read_only, where=self.where)
        self.clients.append(client)
        return client

    def happen(self, *happened: events.Event) -> None:
        """Let something become true."""
        for event in happened:
            self.fleet = reduce(self.fleet, event)
        self.wake()

    def become(self, **changes: object) -> None:
        """Change parts of the fleet, and tell everybody."""
        self.fleet = replace(self.fleet, **changes)  # type: ignore[arg-type]
        self.wake()

    def put(self, *agents: Agent) -> None:
        """Replace whole agents."""
        self.fleet = replace(self.fleet, agents={**self.fleet.agents, **{agent.id: agent for agent in agents}})
        self.wake()

    def wake(self) -> None:
        for client in self.clients:
            client.news.set()
            client.lines.set()

    def stop(self, in_order: bool = False) -> None:
        """The engine goes away; `in_order`: because somebody wanted it to."""
        self.running, self.stopped = False, in_order
        for client in self.clients:
            client.connected, client.stopped = False, in_order
        self.wake()

    def write(self, agent: str, *bodies: bytes, stream: str = "o", at: int = 0) -> None:
        """An agent writes lines."""
        epoch = self.fleet.agents[agent].epoch
        log = self.logs.setdefault((agent, epoch), [])
        log.extend(LogRecord(at or self.now(), stream, body) for body in bodies)
        self.wake()

    def page(self, agent: str, epoch: int, start: int, end: int, skipped: int = 0) -> LogPage:
        records = tuple(self.logs.get((agent, epoch), [])[start:end])
        place = LogPlace(epoch, 1, start), LogPlace(epoch, 1, start + len(records))
        total = len(self.logs.get((agent, epoch), []))
        offsets = tuple(range(start, start + len(records)))
        known = {"records": records, "offsets": offsets, "before": start, "total": total}
        return LogPage(agent, *place, skipped=skipped, first=start == 0, **known)  # type: ignore[arg-type]

    def decide(self, intent: intents.Intent) -> Result:
        self.asked.append(intent)
        self.before_deciding()
        self._ops += 1
        try:
            if (result := self._queue(intent)) is not None:
                return result
        except Refusal as no:
            return Result(Outcome.REFUSED, str(no))
        decision = decide(self.fleet, intent, self._ops, self.now())
        if isinstance(decision, Refused):
            return Result(Outcome.REFUSED, decision.reason)
        self.happen(*decision.events)
        if decision.effect is not None:
            self.effects.append(decision.effect)
            self._world(decision.effect)
        return Result(Outcome.DONE)

    def _queue(self, intent: intents.Intent) -> Result | None:
        """Do what is about tasks and the queue; None: it is about something else."""
        fleet, now, words = self.fleet, self.now(), ""
        queue = fleet.queue
        match intent:
            case intents.AddTasks(tasks=wishes):
                first = 1 + max((task.number for task in fleet.tasks.values()), default=0)
                new = edits.added(fleet, wishes, {}, first, "ann", now)
                self.task_texts |= new.new
                self.become(tasks={**fleet.tasks, **{task.id: task for task in new.tasks}})
                words = "1 task added"
            case intents.HoldQueue():
                self.become(queue=replace(queue, hold=Hold("ann", now, intent.reason)))
            case intents.ReleaseQueue():
                self.become(queue=replace(queue, hold=None))
            case intents.HaltRoom():
                self.become(queue=replace(queue, halt=Halt("ann", now, intent.reason, intent.kill)))
                words = "3 agents are interrupted"
            case intents.ResumeRoom():
                self.become(queue=replace(queue, halt=None))
                words = "told to go on: 3 agents"
            case AddRule(rule=rule):
                self.rules.append(KeptRule(rule))
            case intents.AdoptAgent():
                taken = adopting.adoption(fleet, intent, now, "ann")
                self.happen(events.AdoptionChanged(intent.agent, taken))
                words = f"taken over as {taken.name}"
            case _:
                return self._drain(intent) or self._edit_task(intent)
        return Result(Outcome.DONE, words)

    def _drain(self, intent: intents.Intent) -> Result | None:
        fleet, now = self.fleet, self.now()
        match intent:
            case intents.DrainHost(name=name):
                self.happen(events.HostDrained(name, Drain("ann", now, intent.reason, intent.move, intent.batch)))
            case intents.ContinueDrain(name=name):
                self.happen(events.HostDrained(name, drains.continued(fleet, name).drain))
            case intents.UndrainHost(name=name):
                self.happen(events.HostDrained(name, None))
            case intents.RelieveHost():
                return Result(Outcome.DONE, "on their way: a to vm2")
            case _:
                return None
        return Result(Outcome.DONE)

    def _edit_task(self, intent: intents.Intent) -> Result | None:
        fleet, now = self.fleet, self.now()
        match intent:
            case intents.HoldTask(task=name):
                task = edits.held(fleet.tasks[name], "ann", now)
            case intents.ReleaseTask(task=name):
                task = edits.released(fleet.tasks[name], now)
            case intents.DropTask(task=name):
                task = edits.dropped(fleet, fleet.tasks[name], "ann", now)
            case intents.RetryTask(task=name):
                task = edits.retried(fleet.tasks[name], now)
            case intents.MoveTask(task=name, first=first, before=before):
                task = edits.moved(fleet, fleet.tasks[name], fleet.tasks.get(before), first=first)
            case intents.EditTask(task=name, change=change):
                task = edits.edited(fleet, fleet.tasks[name], change)
                self.task_texts |= {name: change.body} if change.body is not None else {}
            case _:
                return None
        self.put_tasks(task)
        return Result(Outcome.DONE)

    def put_tasks(self, *tasks: Task) -> None:
        """Replace whole tasks."""
        self.become(tasks={**self.fleet.tasks, **{task.id: task for task in tasks}})

    def check(self, host: str) -> HostChecked:
        known = self.fleet.hosts[host]
        if known.link is not LinkState.UP:
            return HostChecked(1, (link_check(known, self.now()),), f"{host} cannot be asked for the rest")
        return HostChecked(1, checks(self.fleet, known, HostCheck(python="3.11.2"), self.now()))

    def _world(self, effect: intents.Effect) -> None:
        """What hosts do with an effect, at once."""
        now = self.now()
        match effect:
            case intents.SpawnOn():
                known = self.fleet.agents[f"{effect.host}/{effect.name}"]
                self.put(replace(known, state=State.WORKING, since=now, started=now, pending=None, session="s-new"))
            case intents.KillOn():
                known = self.fleet.agents[f"{effect.host}/{effect.name}"]
                self.put(replace(known, state=State.FAILED, detail="killed", since=now, ended=now, pending=None))
            case intents.ForgetOn():
                agents = {key: one for key, one in self.fleet.agents.items() if key != f"{effect.host}/{effect.name}"}
                self.fleet = replace(self.fleet, agents=agents)
            case intents.TellOn(what=TellKind.ANSWER):
                known = self.fleet.agents[f"{effect.host}/{effect.name}"]
                self.put(replace(known, question=None, state=State.WORKING, since=now))
            case intents.TrustKey():
                link = LinkState.CONNECTING if effect.accept else LinkState.REFUSED
                self.happen(events.LinkChanged(effect.host, link, now, "" if effect.accept else "its key was refused"))
            case _:
                pass


def for_watchers(fleet: Fleet) -> SmallEngine:
    """An engine that lets its clients look and nothing else."""
    engine = SmallEngine(fleet)
    engine.read_only = True
    return engine


@dataclass
class SmallClient:
    """One client of it."""

    engine: SmallEngine
    connected: bool = True
    stopped: bool = False
    read_only: bool = False
    where: str = ""
    news: asyncio.Event = field(default_factory=asyncio.Event)
    lines: asyncio.Event = field(default_factory=asyncio.Event)
    followed: dict[str, LogPlace] = field(default_factory=dict)
    pushed: list[LogPage] = field(default_factory=list)
    """Pages that come before those of the logs that are followed."""
    fetches: list[tuple[str, int, LogPlace | None, LogPlace | None]] = field(default_factory=list)
    searches: list[tuple[int, str, LogPlace | None]] = field(default_factory=list)
    looked_at: Collection[str] | None = None
    """The agents whose newest lines its screen shows; None: all."""
    closed: bool = False
    _seen: Fleet | None = None

    @property
    def fleet(self) -> Fleet:
        return self.engine.fleet

    @property
    def ahead(self) -> int:
        return self.engine.ahead

    def _alive(self) -> None:
        if not self.connected:
            raise EngineUnavailable("the engine has ended; agents live on")

    async def changed(self) -> Fleet:
        while self._seen is self.engine.fleet:
            self._alive()
            self.news.clear()
            await self.news.wait()
        self._seen = self.engine.fleet
        return self._seen

    async def submit(self, intent: intents.Intent, *, wait: bool = True, deadline: float = 60) -> Result:
        self._alive()
        return self.engine.decide(intent)

    async def check(self, host: str) -> HostChecked:
        self._alive()
        return self.engine.check(host)

    async def costs(self, by: str, since: int, until: int) -> Costs:
        self._alive()
        self.engine.costs_asked.append((by, since, until))
        await asyncio.sleep(0)
        return Costs(1, tuple(self.engine.spent.get(by, ())), self.engine.ledger_problem, self.engine.ran.get(by, {}))

    async def figures(self) -> Flowing:
        self._alive()
        await asyncio.sleep(0)
        return Flowing(1, self.engine.figures, self.engine.ledger_problem)

    async def history(self, host: str, since: int, until: int, points: int) -> History:
        self._alive()
        self.engine.history_asked.append((host, since, until, points))
        await asyncio.sleep(0)
        return History(1, tuple(self.engine.history.get(host, ())), self.engine.ledger_problem)

    async def show_lines(self, agents: Collection[str] | None) -> None:
        self._alive()
        self.looked_at = agents

    async def follow(self, places: Mapping[str, LogPlace | None]) -> None:
        self._alive()
        kept: dict[str, LogPlace] = {}
        for agent, place in places.items():
            epoch = self.engine.fleet.agents[agent].epoch
            end = LogPlace(epoch, 1, len(self.engine.logs.get((agent, epoch), [])))
            kept[agent] = self.followed.get(agent) or place or end
        self.followed = kept
        self.news.set()
        self.lines.set()

    async def pages(self) -> AsyncIterator[LogPage]:
        while True:
            self._alive()
            self.lines.clear()
            for page in self._waiting():
                yield page
            await self.lines.wait()

    def _waiting(self) -> Sequence[LogPage]:
        pages, self.pushed = self.pushed, []
        for agent, place in self.followed.items():
            log = self.engine.logs.get((agent, place.epoch), [])
            if place.offset < len(log):
                page = self.engine.page(agent, place.epoch, place.offset, len(log))
                self.followed[agent] = page.end
                pages.append(page)
        return pages

    async def fetch(
        self, agent: str, epoch: int, before: LogPlace | None = None, count: int = 200, after: LogPlace | None = None
    ) -> LogPage:
        self._alive()
        self.fetches.append((agent, epoch, before, after))
        await asyncio.sleep(0)
        await self.engine.reading.wait()
        log = self.engine.logs.get((agent, epoch), [])
        if after is not None:
            start = after.offset if after.segment else 0
            return self.engine.page(agent, epoch, start, start + count)
        end = before.offset if before else len(log)
        return self.engine.page(agent, epoch, max(0, end - count), end)

    async def search(
        self,
        agent: str,
        epoch: int,
        text: str,
        *,
        regex: bool = False,
        before: LogPlace | None = None,
        after: LogPlace | None = None,
        count: int = 100,
    ) -> Matches:
        self._alive()
        self.searches.append((epoch, text, before))
        await asyncio.sleep(0)
        log = self.engine.logs.get((agent, epoch), [])
        end = before.offset if before else len(log)
        start = max(0, end - self.engine.searched_at_once)
        hits = []
        for number in reversed(range(start, end)):
            words = "".join(line.text for line in log_lines(log[number : number + 1]))
            marks = tuple(re.findall(text, words)) if regex else ()
            if marks or (not regex and text.lower() in words.lower()):
                hits.append(LogHit(LogPlace(epoch, 1, number), log[number].at, marks=marks))
        place = LogPlace(epoch, 1, start)
        return Matches(tuple(hits), place, start == 0, end - start, log[start].at if log else 0)

    async def attachment(self, agent: str, *, read_only: bool = False) -> Attachment:
        self._alive()
        if agent not in self.engine.terminals:
            raise NoAttachment(f"{agent} has no terminal")
        return Attachment(agent, ("true",), read_only)

    async def screen(self, agent: str) -> AgentScreen:
        self._alive()
        await asyncio.sleep(0)
        data = self.engine.terminals.get(agent)
        if data is None:
            return AgentScreen(reason=f"{agent} has no terminal now: its tmux session is gone")
        return AgentScreen(screen_lines(data), 120, 40)

    async def changes(self, agent: str, epoch: int) -> AgentChanges:
        self._alive()
        await asyncio.sleep(0)
        work = self.engine.work.get(agent, WORK)
        return AgentChanges(1, work, "" if work else f"{agent} works in no git repository")

    async def work(self, agent: str, epoch: int) -> WorkTold:
        self._alive()
        await asyncio.sleep(0)
        work = self.engine.work.get(agent, WORK)
        if work is None:
            return WorkTold(1, reason=f"{agent} works in no git repository")
        commits = (Commit(work.head, "Say what retries are", self.engine.now()),)
        known = {"clone": work.folder, "branch": work.branch, "head": work.head, "only_here": self.engine.only_here}
        return WorkTold(1, BranchWork(commits=commits, **known))  # type: ignore[arg-type]

    async def diff(self, agent: str, epoch: int, file: ChangedFile, start: int = 0) -> DiffLines:
        self._alive()
        self.engine.diffs_asked.append((file.path, start))
        await asyncio.sleep(0)
        raw = self.engine.diffs.get(file.path, b"")
        lines = _lines(raw)
        page = lines[start : start + DIFF_PAGE]
        return DiffLines(page, start, len(lines), binary=file.binary, version=str(hash(raw)))

    async def task_text(self, task: str) -> TaskText:
        self._alive()
        await asyncio.sleep(0)
        return TaskText(1, self.engine.task_texts.get(task, ""), "" if task in self.engine.task_texts else "not read")

    async def worktrees(self, host: str) -> WorktreesTold:
        self._alive()
        await asyncio.sleep(0)
        return WorktreesTold(1, self.engine.worktrees.get(host, ()))

    async def rules(self) -> Rules:
        self._alive()
        await asyncio.sleep(0)
        return Rules(1, tuple(self.engine.rules))

    async def attached(self) -> Attached:
        self._alive()
        me = FrontEnd(
            "ann from 192.0.2.7", "tui", "look" if self.read_only else "all", self.engine.now(), "pts/3", True, True
        )
        return Attached(1, (me, FrontEnd("bob", "watch", "look", self.engine.now())))

    async def stop_engine(self) -> None:
        self.engine.stop()

    async def close(self) -> None:
        self.closed = True
