"""What runs now, as a fleet file which, planned, changes nothing. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from controlroom.domain.claims import digest
from controlroom.domain.fleet_files import ALIAS, AgentEntry, AgentWish, FleetFile, FleetTask
from controlroom.domain.fleets.checking import slots
from controlroom.domain.model import Agent, Fleet, Profile
from controlroom.domain.queue.dispatch import is_at_work
from controlroom.domain.tasks import Source, Task, TaskWish
from controlroom.text.checks import AS_PROFILE
from controlroom.text.states import AgentKind


def exportable(fleet: Fleet) -> Iterator[tuple[Agent, str]]:
    """The agents at work that this room ordered, each with why it cannot stand in a fleet file; "": it can."""
    carried = {task.last.id for task in fleet.tasks.values() if task.last and task.state.is_open}
    kept, seen = slots(fleet), set[str]()
    for agent in sorted(fleet.agents.values(), key=lambda agent: agent.id):
        if agent.adopted or not is_at_work(agent) or agent.id in carried or agent.name in kept:
            continue  # others started it, or its task or profile says so already
        yield agent, _left_out(fleet, agent, seen)
        seen.add(agent.name)


def _left_out(fleet: Fleet, agent: Agent, seen: set[str]) -> str:
    if agent.ordered is None:
        return f"this room did not order run {agent.epoch}"
    if agent.name in seen:
        return "another one has its name, and a fleet file knows agents by their names"
    if agent.ordered.profile and agent.ordered.profile not in fleet.profiles:
        return f"there is no profile {agent.ordered.profile} any more"
    profile = fleet.profiles.get(agent.ordered.profile, Profile(""))
    if agent.ordered.kind != profile.kind:
        return f"it runs as {agent.ordered.kind}, which only a profile can say"
    if agent.ordered.kind == AgentKind.COMMAND and not profile.command:
        return "it runs a command of its own, which only a profile can say"
    return ""


def exported(name: str, fleet: Fleet, texts: Mapping[str, str], tasks: Mapping[str, str]) -> FleetFile:
    """What runs now as a fleet file, but for what has no text. `texts`: those of agents, `tasks`: of tasks, by id."""
    agents = [agent for agent, why in exportable(fleet) if not why and agent.id in texts]
    open_tasks = [task for task in fleet.tasks.values() if task.state.is_open and task.id in tasks]
    keys = {task.id: task.key or f"{ALIAS}{task.number}" for task in fleet.tasks.values()}
    return FleetFile(
        name,
        tuple(_agent(fleet, agent, texts[agent.id]) for agent in agents),
        tuple(_task(task, tasks[task.id], keys) for task in sorted(open_tasks, key=lambda task: task.number)),
    )


def _agent(fleet: Fleet, agent: Agent, text: str) -> AgentWish:
    work = agent.ordered
    assert work is not None
    profile = fleet.profiles.get(work.profile, Profile(""))
    member = fleet.members.get(agent.name)
    entry = AgentEntry(
        agent.name,
        work.profile,
        "" if work.chosen == profile.model else work.chosen,
        work.chosen_credential,
        agent.host,
        cwd="" if work.cwd == profile.cwd else work.cwd,
        worktree="" if work.worktree == profile.worktree else work.worktree,
        keep=member is not None and member.id == agent.id and member.entry.keep,
        digest=digest(text),
    )
    return AgentWish(entry, text)


def _task(task: Task, text: str, keys: Mapping[str, str]) -> FleetTask:
    terms = {**task.terms, "key": keys[task.id], "after": tuple(keys.get(id_, id_) for id_ in task.after)}
    wish = TaskWish(text=text, source=Source.FILE, **terms)
    return FleetTask(replace(wish, not_before=0, checks=AS_PROFILE))
