"""What leaves a drained host, and where it goes on; what keeps it there. Pure."""

from collections.abc import Collection

from controlroom.domain.model import Agent, Fleet, Host, LinkState, State
from controlroom.domain.money import ladder
from controlroom.domain.queue.dispatch import World
from controlroom.domain.tasks import Task, TaskState
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import AgentKind

MOVED_AT_ONCE = 10
"""Agents of one drained host that are on their way elsewhere at once."""


@dataclass(frozen=True)
class Leave:
    """An agent that is to go on elsewhere, because its host is drained."""

    agent: Agent
    host: str
    who: str
    """Who drains it."""
    task: Task | None = None
    """That it carries out."""


def next_leave(fleet: Fleet, now: int, stay: Collection[str]) -> Leave | None:
    """Decide which agent leaves a drained host next, and where to. `stay`: the ids of those that could not lately."""
    drained = [host for host in fleet.hosts.values() if host.drain and host.drain.move and host.link is LinkState.UP]
    if not drained or fleet.queue.halt is not None:
        return None
    world = World(fleet, now)
    carried = {task.last.id: task for task in fleet.tasks.values() if task.state is TaskState.RUNNING and task.last}
    for host in drained:
        agents = [agent for agent in fleet.agents_on(host.name) if agent.lives and not agent.adopted]
        moving = sum(agent.pending is not None and agent.pending.verb == "move" for agent in agents)
        for agent in agents if moving < MOVED_AT_ONCE else ():
            task = carried.get(agent.id)
            if agent.id in stay or not _may_leave(fleet, agent, task):
                continue
            if target := world.elsewhere(agent, task):
                return Leave(agent, target, host.drain.who if host.drain else "", task)
    return None


def stays_for(fleet: Fleet, host: Host) -> str:
    """The budget that keeps what is at work on a drained host from going on elsewhere, in words; empty: none does."""
    if host.drain is None or not host.drain.move:
        return ""
    others = [
        one for one in fleet.hosts.values() if one.name != host.name and one.link is LinkState.UP and one.drain is None
    ]
    carried = {task.last.id: task for task in fleet.tasks.values() if task.state is TaskState.RUNNING and task.last}
    for agent in fleet.agents_on(host.name):
        if agent.lives and not agent.adopted and _may_leave(fleet, agent, carried.get(agent.id)):
            each = [_held_on(fleet, agent, other.name) for other in others]
            if each and all(each):
                return f"{agent.id} stays: {each[0]}"
    return ""


def _held_on(fleet: Fleet, agent: Agent, host: str) -> str:
    """Which budget holds the work of an agent on another host, by whatever credential; empty: none does."""
    work = agent.ordered
    if work is None or work.kind is AgentKind.COMMAND:
        return ""
    profile = fleet.profiles.get(work.profile)
    names = [one.name for one in profile.credentials] if profile else []
    payers = [ladder.payer(fleet, work.profile, name) for name in names or [""]]
    each = [ladder.refusal(fleet, host, agent.name, work.profile, payer) for payer in payers]
    return (each[0] or "") if all(each) else ""


def _may_leave(fleet: Fleet, agent: Agent, task: Task | None) -> bool:
    """Whether an agent can go on elsewhere: home knows its work, and neither its task nor its profile keeps it."""
    if agent.ordered is None or agent.pending or (task is not None and task.host):
        return False
    if agent.ordered.worktree:
        return False  # what it has done stays there
    profile = fleet.profiles.get(agent.profile)
    if profile is not None and profile.restarts.keep:
        return False
    return agent.ordered.kind is not AgentKind.INTERACTIVE and agent.state in _LEAVING


_LEAVING = (State.WORKING, State.WAITING, State.LIMITED)
