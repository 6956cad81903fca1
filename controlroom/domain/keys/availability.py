"""Why something cannot be done just now: said where its key is pressed, before it is ordered."""

from collections.abc import Callable

from controlroom.domain.keys.action import Action
from controlroom.domain.model import Agent, Fleet, Host, LinkState
from controlroom.domain.questions import NOTHING_LASTING
from controlroom.domain.tasks import Task, TaskChange, TaskState
from controlroom.text.states import AgentKind, State


def unavailable(
    action: Action, fleet: Fleet, agent_id: str | None = None, host: str | None = None, task: str | None = None
) -> str | None:
    """Why an action cannot be done with what is chosen, or None. The engine decides again when it is ordered."""
    if action.needs == "row":
        return None if agent_id or task else "there is nothing to mark"
    if action.needs == "task":
        return _no_task(action, fleet, fleet.tasks.get(task or ""))
    if action.needs == "host":
        there = fleet.hosts.get(host or "")
        check_host = _HOST_CHECKS.get(action.name)
        return "choose a host first" if there is None else check_host(there) if check_host else None
    if action.needs == "question" and host is not None:
        asks = host in fleet.hosts and fleet.hosts[host].question is not None
        return None if asks else f"{host} asks nothing now"
    if action.needs not in ("agent", "question"):
        return None if action.name != "spawn" else _no_spawn(fleet)
    agent = fleet.agents.get(agent_id or "")
    if agent is None:
        return "choose an agent first"
    check = _CHECKS.get(action.name)
    if action.changes and agent.adopted and (reason := _not_touched(action, agent)):
        return reason
    return check(fleet, agent) if check else None


_BY_SIGNAL = ("kill", "interrupt", "pause")


def _not_touched(action: Action, agent: Agent) -> str:
    """Why an action cannot be done to an agent that others started; "": it can."""
    if action.name.startswith("adopt") or (action.name == "forget" and agent.has_ended):
        return ""
    if agent.adoption is None:
        return f"{agent.name} was not started here: it is shown, and not touched; adopt takes it over"
    if action.name in _BY_SIGNAL:
        return ""
    return f"{agent.called} was not started here: a signal is all that reaches it (kill, interrupt, pause)"


def _no_spawn(fleet: Fleet) -> str | None:
    if any(host.link is LinkState.UP for host in fleet.hosts.values()):
        return None
    return "no host is connected yet" if fleet.hosts else "add a host first"


def _no_take(host: Host) -> str | None:
    if host.facts is not None and host.facts.owned:
        return f"this room owns {host.name} already"
    return None if host.link is LinkState.UP else f"{host.name} cannot be asked now"


def _no_retry(host: Host) -> str | None:
    return f"{host.name} is connected" if host.link is LinkState.UP else None


def _no_emptying(host: Host) -> str | None:
    drain = host.drain
    if drain is None or not drain.move or drain.failed:
        return None
    return f"{host.name} is {'empty' if drain.emptied else 'being emptied'} already"


_HOST_CHECKS: dict[str, Callable[[Host], str | None]] = {
    "host_take": _no_take,
    "host_retry": _no_retry,
    "host_empty": _no_emptying,
}


def _no_task(action: Action, fleet: Fleet, task: Task | None) -> str | None:
    if task is None:
        return "choose a task first" if fleet.tasks else "there is no task"
    from controlroom.domain.preconditions import Refusal  # the first frame of a screen has no tasks
    from controlroom.domain.queue import edits

    try:
        match action.name:
            case "task_hold":
                edits.released(task, 0) if task.state is TaskState.HELD else edits.held(task, "", 0)
            case "task_log":
                return _no_log(fleet, task)
            case "task_edit" | "task_editor" | "task_priority":
                edits.edited(fleet, task, TaskChange())
            case "task_up" | "task_down" if task.state is not TaskState.WAITING:
                return f"{task.id} is {task.state}: only one that waits is moved up and down"
            case "task_first":
                edits.moved(fleet, task, None, first=True)
            case "task_retry":
                edits.retried(task, 0)
            case "task_drop":
                edits.dropped(fleet, task, "", 0)
    except Refusal as no:
        return str(no)
    return None


def _no_log(fleet: Fleet, task: Task) -> str | None:
    if not task.attempts:
        return f"{task.id} was not tried yet: there is no log"
    there = any(attempt.id in fleet.agents for attempt in task.attempts)
    return None if there else f"the agents of {task.id} are gone, and their logs with them"


def _asks(fleet: Fleet, agent: Agent) -> str | None:
    return None if agent.question else f"{agent.name} asks nothing now"


def _asks_for_more(fleet: Fleet, agent: Agent) -> str | None:
    if agent.question and not agent.question.always:
        return f"{agent.name}: {NOTHING_LASTING}"
    return _asks(fleet, agent)


def _live(fleet: Fleet, agent: Agent) -> str | None:
    if agent.has_ended:
        return f"{agent.name} has ended: {agent.detail or agent.state}"
    return _connected(fleet, agent)


def _hears(fleet: Fleet, agent: Agent) -> str | None:
    return (
        f"{agent.name} runs a command, which takes no messages"
        if agent.kind == AgentKind.COMMAND
        else _live(fleet, agent)
    )


def _stops(fleet: Fleet, agent: Agent) -> str | None:
    command = f"{agent.name} runs a command, which cannot be interrupted: kill it instead"
    return command if agent.kind == AgentKind.COMMAND else _live(fleet, agent)


def _has_model(fleet: Fleet, agent: Agent) -> str | None:
    return f"{agent.name} runs a command, which has no model" if agent.kind == AgentKind.COMMAND else None


def _pauses(fleet: Fleet, agent: Agent) -> str | None:
    from controlroom.domain.preconditions import no_session  # the first frame of a screen has no agents

    if not agent.has_ended and (reason := no_session(agent)):
        return f"{agent.name} {reason}: it cannot be paused, only killed"
    return _live(fleet, agent)


def _resumes(fleet: Fleet, agent: Agent) -> str | None:
    from controlroom.domain.preconditions import no_session

    if agent.has_ended and (reason := no_session(agent)):
        return f"{agent.name} {reason} to go on in: retry gives it its task again"
    if agent.question is not None or agent.state in (State.STARTING, State.WORKING):
        return f"{agent.name} is {fleet.state_of(agent)}: there is nothing to resume"
    return _connected(fleet, agent) if agent.has_ended else _hears(fleet, agent)


def _over(fleet: Fleet, agent: Agent) -> str | None:
    return None if agent.has_ended else f"{agent.name} has not ended: kill it first"


def _is_theirs(fleet: Fleet, agent: Agent) -> str | None:
    if not agent.adopted:
        return f"{agent.name} was started here: there is nothing to adopt"
    if not agent.mark:
        return f"{agent.name} is a shell in which somebody types, or cannot be told from others: it is not adopted"
    return _connected(fleet, agent)


def _has_their_session(fleet: Fleet, agent: Agent) -> str | None:
    if agent.adopted and not agent.session:
        return f"{agent.called} has no Claude session that could go on"
    return _is_theirs(fleet, agent)


def _there(fleet: Fleet, agent: Agent) -> str | None:
    if agent.adopted and not agent.pane:
        return f"{agent.name} is in no tmux session"
    return f"{agent.name} has ended: its terminal is gone" if agent.has_ended else None


def _there_and_connected(fleet: Fleet, agent: Agent) -> str | None:
    if fleet.hosts[agent.host].link is not LinkState.UP:
        return f"{agent.host} cannot be asked now"
    return _there(fleet, agent)


def _connected(fleet: Fleet, agent: Agent) -> str | None:
    return None if fleet.reachable(agent) else f"{agent.host} cannot be asked now"


def _reviewed(fleet: Fleet, agent: Agent) -> str | None:
    if agent.adopted:
        return f"{agent.name} was not started here: nothing is known of where its work began"
    if fleet.hosts[agent.host].link is not LinkState.UP:
        return f"{agent.host} cannot be asked now"
    return None


def _takes_comments(fleet: Fleet, agent: Agent) -> str | None:
    from controlroom.domain.preconditions import no_session

    if not agent.has_ended:
        return _hears(fleet, agent)
    if reason := no_session(agent):
        return f"{agent.name} {reason} to go on in: reassign gives it a new task"
    return _connected(fleet, agent)


_CHECKS: dict[str, Callable[[Fleet, Agent], str | None]] = {
    "allow": _asks,
    "always": _asks_for_more,
    "deny": _asks,
    "rule": _asks,
    "kill": _live,
    "reassign": _connected,
    "retry": _connected,
    "pause": _pauses,
    "resume": _resumes,
    "message": _hears,
    "interrupt": _stops,
    "model": _has_model,
    "attach": _there,
    "screen": _there_and_connected,
    "forget": _over,
    "adopt": _is_theirs,
    "adopt_restart": _has_their_session,
    "review": _reviewed,
    "comments_send": _takes_comments,
    "accept": _connected,
    "push": _connected,
    "pull_request": _connected,
    "work_drop": _over,
}
