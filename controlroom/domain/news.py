"""What has happened that somebody who is not looking wants to hear: made from two fleets, and true when it is told."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from controlroom.domain.changes import Changes
from controlroom.domain.gauges import Alarm
from controlroom.domain.model import Agent, Fleet, Host, LinkState, Question, State

KINDS = ("question", "failed", "done", "limited", "paused", "host", "budget", "alarm")
"""What can be told: an agent or a host asks; an agent failed, is done, met a limit, was paused; a host was lost (or is
back); a budget reached a rung; anything else that the room warns of."""

LOST_FOR = 30_000
"""Milliseconds that a host is away before that is news: links are cut and come back."""

_BODY_LINES = 20
_LINE = 200

_WORDS = {
    "question": ("asks", "ask"),
    "failed": ("failed", "failed"),
    "done": ("is done", "are done"),
    "limited": ("met a limit", "met a limit"),
    "paused": ("was paused", "were paused"),
    "host": ("host is away", "hosts are away"),
    "budget": ("budget", "budgets"),
    "alarm": ("warning", "warnings"),
}
"""How one and several are called in a heading."""

_STATES = {State.FAILED: "failed", State.DONE: "done", State.LIMITED: "limited", State.PAUSED: "paused"}


@dataclass(frozen=True)
class News:
    """One thing that has happened. `at`: when it becomes news, UTC milliseconds of the engine's clock."""

    kind: str
    about: str
    """Id of an agent, name of a host, or what an alarm is about."""
    text: str
    """One line, inert."""
    at: int
    mark: str = ""
    """What must still be so when it is told: the id of a question, for one."""


def happened(old: Fleet, new: Fleet, changes: Changes, now: int, began: int) -> list[News]:
    """Give the news between two fleets, of what changed; what was so before the engine `began` to look is none."""
    found: list[News] = []
    for key in sorted(changes.agents):
        agent = new.agents.get(key)
        if agent is not None and not agent.adopted:
            found += _of_agent(old.agents.get(key), agent, now, began)
    for name in sorted(changes.hosts):
        before, host = old.hosts.get(name), new.hosts.get(name)
        if before is not None and host is not None:
            found += _of_host(before, host, now, began)
    for about in sorted(changes.alarms):
        alarm = new.alarms.get(about)
        if alarm is not None and _is_new(old.alarms.get(about), alarm) and alarm.level != "notice":
            found.append(News("budget" if about.startswith("budget ") else "alarm", about, alarm.text, now))
    return found


def _is_new(before: Alarm | None, alarm: Alarm) -> bool:
    """Since when it is so may be another time: our clock may have been set."""
    return before is None or replace(before, since=alarm.since) != alarm


def _asks(before: Question | None, asked: Question) -> bool:
    return before is None or replace(before, asked=asked.asked) != asked


def _of_agent(before: Agent | None, agent: Agent, now: int, began: int) -> Iterator[News]:
    asked = agent.question
    if asked is not None and asked.asked >= began and (before is None or _asks(before.question, asked)):
        yield News("question", agent.id, f"{agent.id} asks: {asked.title}", now, asked.id)
    same = before is not None and (before.state, before.epoch) == (agent.state, agent.epoch)
    kind = _STATES.get(agent.state)
    if kind is None or same or agent.since < began or _by_order(before, agent):
        return
    detail = f": {agent.detail}" if agent.detail else ""
    yield News(kind, agent.id, f"{agent.id} {agent.state}{detail}", now, f"{agent.epoch} {agent.state}")


def _by_order(before: Agent | None, agent: Agent) -> bool:
    """Say whether an order has ended it: that is no news to whoever gave it."""
    ordered = before is not None and before.pending is not None and before.pending.verb in ("kill", "move")
    return agent.state is State.DONE and (ordered or bool(agent.exit_code) or agent.exit_signal is not None)


def _of_host(before: Host, host: Host, now: int, began: int) -> Iterator[News]:
    if host.question is not None and _asks(before.question, host.question):
        yield News("question", host.name, f"{host.name} asks: {host.question.title}", now, host.question.id)
    away = (LinkState.LOST, LinkState.REFUSED)
    if host.link in away and before.link not in away and host.since >= began:
        reason = f": {host.reason}" if host.reason else ""
        yield News("host", host.name, f"{host.name} {host.link}{reason}", now + LOST_FOR, "away")


def still(fleet: Fleet, news: News) -> bool:
    """Say whether news are true still: a question that was answered, a host that is back are told to nobody."""
    if news.kind == "question":
        asker = fleet.agents.get(news.about) or fleet.hosts.get(news.about)
        return asker is not None and asker.question is not None and asker.question.id == news.mark
    if news.kind == "host":
        host = fleet.hosts.get(news.about)
        return host is not None and host.link is not LinkState.UP
    if news.kind in ("budget", "alarm"):
        return news.about in fleet.alarms
    agent = fleet.agents.get(news.about)
    ended = agent is not None and agent.has_ended
    return agent is not None and (ended or f"{agent.epoch} {agent.state}" == news.mark)


def told(news: Sequence[News]) -> tuple[str, str]:
    """Give a heading and a text for people: one piece of news is its own heading, several are counted."""
    lines = [item.text[:_LINE] for item in news]
    if len(news) == 1:
        return lines[0], ""
    more = [f"and {len(lines) - _BODY_LINES} more"] if len(lines) > _BODY_LINES else []
    return ", ".join(_counted(news)), "\n".join(lines[:_BODY_LINES] + more)


def _counted(news: Iterable[News]) -> Iterator[str]:
    kinds = [item.kind for item in news]
    for kind in KINDS:
        if number := kinds.count(kind):
            yield f"{number} {_WORDS[kind][number > 1]}"
