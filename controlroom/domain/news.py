"""News for people who are not looking: what happened, who is told when, and what somebody missed meanwhile."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from controlroom.domain.changes import Changes
from controlroom.domain.gauges import AlarmKind, AlarmLevel
from controlroom.domain.model import Agent, Fleet, Host, LinkState, Question, State
from controlroom.domain.orders import ENDS
from controlroom.domain.questions import asking
from controlroom.domain.tasks import Task, TaskState
from controlroom.domain.words import dollars
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import TROUBLES, Payer, StrEnum


class NewsKind(StrEnum):
    """What can be told: an agent or a host asks; an agent failed, is done, met a limit, was paused; a task failed for
    good; a host was lost (or is back); a budget reached a rung; anything else that the room warns of."""

    QUESTION = "question"
    FAILED = "failed"
    DONE = "done"
    LIMITED = "limited"
    PAUSED = "paused"
    TASK = "task"
    HOST = "host"
    BUDGET = "budget"
    ALARM = "alarm"


LOST_FOR = 30_000
"""Milliseconds that a host is away before that is news: links are cut and come back."""

_BODY_LINES = 20
_LINE = 200

_WORDS = {
    NewsKind.QUESTION: ("asks", "ask"),
    NewsKind.FAILED: ("failed", "failed"),
    NewsKind.DONE: ("is done", "are done"),
    NewsKind.LIMITED: ("met a limit", "met a limit"),
    NewsKind.PAUSED: ("was paused", "were paused"),
    NewsKind.TASK: ("task failed", "tasks failed"),
    NewsKind.HOST: ("host is away", "hosts are away"),
    NewsKind.BUDGET: ("budget", "budgets"),
    NewsKind.ALARM: ("warning", "warnings"),
}
"""How one and several are called in a heading."""

_STATES = {
    State.FAILED: NewsKind.FAILED,
    State.DONE: NewsKind.DONE,
    State.LIMITED: NewsKind.LIMITED,
    State.PAUSED: NewsKind.PAUSED,
}


@dataclass(frozen=True)
class News:
    """One thing that has happened. `at`: when it becomes news, UTC milliseconds of the engine's clock."""

    kind: NewsKind
    about: str
    """Id of an agent or task, name of a host, or what an alarm is about."""
    text: str
    """One line, sanitized."""
    at: int
    mark: str = ""
    """What must still be so when it is told: the id of a question, for one."""


def happened(old: Fleet, new: Fleet, changes: Changes, now: int, began: int) -> list[News]:
    """The news between two fleets, of what changed; what was so before the engine `began` to look is none."""
    items: list[News] = []
    for key in sorted(changes.agents):
        agent = new.agents.get(key)
        if agent is not None and (not agent.adopted or _is_ended_here(agent)):
            items += _of_agent(old.agents.get(key), agent, now, began)
    for key in sorted(changes.tasks):
        items += _of_task(old.tasks.get(key), new.tasks.get(key), now, began)
    for name in sorted(changes.hosts):
        before, host = old.hosts.get(name), new.hosts.get(name)
        if before is not None and host is not None:
            items += _of_host(before, host, now, began)
    for about in sorted(changes.alarms):
        alarm = new.alarms.get(about)
        if alarm is not None and alarm.is_news_after(old.alarms.get(about)) and alarm.level is not AlarmLevel.NOTICE:
            items.append(
                News(NewsKind.BUDGET if alarm.kind is AlarmKind.BUDGET else NewsKind.ALARM, about, alarm.text, now)
            )
    return items


def _is_ended_here(agent: Agent) -> bool:
    """Whether an agent that was taken over was ended for its trouble: what else becomes of it is no news."""
    return agent.held and agent.state is State.FAILED and agent.cause in TROUBLES


def _asks(before: Question | None, asked: Question) -> bool:
    return before is None or replace(before, asked=asked.asked) != asked


def _of_agent(before: Agent | None, agent: Agent, now: int, began: int) -> Iterator[News]:
    asked = agent.question
    if asked is not None and asked.asked >= began and (before is None or _asks(before.question, asked)):
        yield News(NewsKind.QUESTION, agent.id, f"{agent.id} {asking(asked)}", now, asked.id)
    same = before is not None and (before.state, before.epoch) == (agent.state, agent.epoch)
    kind = _STATES.get(agent.state)
    if kind is None or same or agent.since < began or _by_order(before, agent):
        return
    detail = f": {agent.detail}" if agent.detail else ""
    yield News(kind, agent.id, f"{agent.id} {agent.state}{detail}", now, f"{agent.epoch} {agent.state}")


def _by_order(before: Agent | None, agent: Agent) -> bool:
    """Whether an order has ended it: that is no news to whoever gave it."""
    ordered = before is not None and before.pending is not None and before.pending.verb in (*ENDS, "move")
    if agent.state is State.PAUSED:
        return ordered
    return agent.state is State.DONE and (ordered or bool(agent.exit_code) or agent.exit_signal is not None)


def _of_task(before: Task | None, task: Task | None, now: int, began: int) -> Iterator[News]:
    """A task that has used up its attempts."""
    failed = task is not None and task.state is TaskState.FAILED and task.since >= began
    if task is not None and failed and before is not None and before.state is not TaskState.FAILED:
        yield News(NewsKind.TASK, task.id, f"task {task.id} failed ({task.title}): {task.reason}", now)


def _of_host(before: Host, host: Host, now: int, began: int) -> Iterator[News]:
    if host.question is not None and _asks(before.question, host.question):
        yield News(NewsKind.QUESTION, host.name, f"{host.name} {asking(host.question)}", now, host.question.id)
    away = (LinkState.LOST, LinkState.REFUSED)
    if host.link in away and before.link not in away and host.since >= began:
        reason = f": {host.reason}" if host.reason else ""
        yield News(NewsKind.HOST, host.name, f"{host.name} {host.link}{reason}", now + LOST_FOR, "away")


def still(fleet: Fleet, news: News) -> bool:
    """Whether news are true still: a question that was answered, a host that is back are told to nobody."""
    if news.kind is NewsKind.QUESTION:
        asker = fleet.agents.get(news.about) or fleet.hosts.get(news.about)
        return asker is not None and asker.question is not None and asker.question.id == news.mark
    if news.kind is NewsKind.HOST:
        host = fleet.hosts.get(news.about)
        return host is not None and host.link is not LinkState.UP
    if news.kind in (NewsKind.BUDGET, NewsKind.ALARM):
        return news.about in fleet.alarms
    if news.kind is NewsKind.TASK:
        task = fleet.tasks.get(news.about)
        return task is not None and task.state is TaskState.FAILED
    agent = fleet.agents.get(news.about)
    ended = agent is not None and agent.has_ended
    return agent is not None and (ended or f"{agent.epoch} {agent.state}" == news.mark)


def told(news: Sequence[News]) -> tuple[str, str]:
    """A heading and a text for people: one piece of news is its own heading, several are counted."""
    lines = [item.text[:_LINE] for item in news]
    if len(news) == 1:
        return lines[0], ""
    more = [f"and {len(lines) - _BODY_LINES} more"] if len(lines) > _BODY_LINES else []
    return ", ".join(_counted(news)), "\n".join(lines[:_BODY_LINES] + more)


def _counted(news: Iterable[News]) -> Iterator[str]:
    kinds = [item.kind for item in news]
    for kind in NewsKind:
        if number := kinds.count(kind):
            yield f"{number} {_WORDS[kind][number > 1]}"


GATHER = 2_000
"""Milliseconds in which what happens together becomes one message."""

MOST = 500
"""News that wait for an outlet at most; the oldest go."""

_DAY = 24 * 60

NEVER = 2**62


@dataclass(frozen=True)
class Wish:
    """What one outlet is for."""

    about: frozenset[NewsKind]
    """Kinds of news."""
    pause: int = 30_000
    """Milliseconds between two messages at least."""
    quiet: tuple[int, int] | None = None
    """Minutes of the day between which nothing goes out; it waits, and goes out as one message when they end."""
    despite: frozenset[NewsKind] = frozenset()
    """Kinds that go out all the same."""


class NotificationQueue:
    """Gathers news and says when, and which, are to be told. Times are UTC milliseconds."""

    def __init__(self, wish: Wish, minute: Callable[[int], int]) -> None:
        """`minute` gives the minute of the operator's day at a time."""
        self._wish, self._minute = wish, minute
        self._waiting: list[News] = []
        self._told = -(2**62)

    def offer(self, news: Iterable[News]) -> None:
        """Take what it is for; what is newer about the same replaces what waits."""
        for item in news:
            if item.kind in self._wish.about:
                same = (item.kind, item.about)
                self._waiting = [known for known in self._waiting if (known.kind, known.about) != same]
                self._waiting.append(item)
        del self._waiting[:-MOST]

    def clock_set(self, by: int) -> None:
        """Our clock was set: what waits has waited as long as it had."""
        self._waiting = [replace(item, at=item.at + by) for item in self._waiting]
        self._told += by

    def due_at(self, now: int) -> int:
        """When the next message is due; `NEVER`: nothing waits."""
        times = [self._time_of(item, now) for item in self._waiting]
        return max(min(times), self._told + self._wish.pause) if times else NEVER

    def take(self, now: int, still: Callable[[News], bool]) -> list[News]:
        """What is to be told now, oldest first; what is no longer so is dropped."""
        if self.due_at(now) > now:
            return []
        ripe = [item for item in self._waiting if item.at <= now and self._time_of(item, now) - GATHER <= now]
        self._waiting = [item for item in self._waiting if item not in ripe]
        due = [item for item in ripe if still(item)]
        if due:
            self._told = now
        return due

    def _time_of(self, item: News, now: int) -> int:
        ripe = item.at + GATHER
        if item.kind in self._wish.despite:
            return ripe
        return max(ripe, self._quiet_until(max(ripe, now)))

    def _quiet_until(self, at: int) -> int:
        """When the quiet hours that `at` lies in end; 0: it lies in none."""
        if self._wish.quiet is None:
            return 0
        begin, end = self._wish.quiet
        minute = self._minute(at)
        inside = begin <= minute < end if begin <= end else minute >= begin or minute < end
        return at + ((end - minute) % _DAY) * 60_000 - at % 60_000 if inside else 0


AWAY = 5 * 60_000
"""Milliseconds without a key after which somebody who comes back wants to know what has happened since."""

_TOLD = {State.DONE: "done", State.FAILED: "failed", State.PAUSED: "paused"}


@dataclass(frozen=True)
class Look:
    """A moment at which somebody looked: UTC milliseconds, and the micro-dollars that all agents had cost by then."""

    at: int
    billed: int = 0
    covered: int = 0


def look(fleet: Fleet, now: int) -> Look:
    """Take note of this moment."""
    spent = [(agent.billing == Payer.API, agent.spent or 0) for agent in fleet.agents.values()]
    return Look(
        now, sum(micro for billed, micro in spent if billed), sum(micro for billed, micro in spent if not billed)
    )


def happened_since(fleet: Fleet, before: Look, now: int) -> str:
    """What has happened since: `3 done, 1 failed, +$21.40`; nothing when nothing has."""
    ended = Counter(
        agent.state
        for agent in fleet.agents.values()
        if agent.state in _TOLD and max(agent.ended, agent.since) > before.at and not agent.adopted
    )
    parts = [f"{ended[state]} {word}" for state, word in _TOLD.items() if ended[state]]
    here = look(fleet, now)
    if here.billed > before.billed:
        parts.append(f"+{dollars(here.billed - before.billed)}")
    if here.covered > before.covered:
        parts.append(f"+≈{dollars(here.covered - before.covered)}")
    return ", ".join(parts)
