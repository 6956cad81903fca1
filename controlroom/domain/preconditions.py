"""What several decisions check before they are made. Each raises `Refusal` with a reason that a person can act on."""

from typing import TYPE_CHECKING, Any

from controlroom.domain.adoption import ONLY_SIGNALS
from controlroom.domain.claims import claimed_words, claimed_work, shown_value
from controlroom.domain.model import Agent, Fleet, Host, LinkState, Profile, State
from controlroom.domain.orders import Work
from controlroom.domain.tasks import Preflight
from controlroom.domain.words import ago, nearest, since, size
from controlroom.domain.worktrees import base_problem
from controlroom.text.host_sample import FolderProblem
from controlroom.text.names import LOCAL
from controlroom.text.sanitize import sanitize
from controlroom.text.states import KINDS, AgentKind

if TYPE_CHECKING:
    from controlroom.domain.intents import SpawnOn

MAX_TASK = 1024 * 1024
"""Bytes of a task or message at most."""


class Refusal(Exception):
    """Leaves a decision early; the text is the reason."""


def default_host(fleet: Fleet) -> str:
    """Name the host of a spawn that names none. Raises nothing: an empty name is refused later, in words."""
    if LOCAL in fleet.hosts:
        return LOCAL
    return next(iter(fleet.hosts)) if len(fleet.hosts) == 1 else ""


def host_named(fleet: Fleet, name: str) -> Host:
    """A host by its name. Raises `Refusal`."""
    host = fleet.hosts.get(name)
    if host is not None:
        return host
    if not fleet.hosts:
        raise Refusal("there is no host yet: controlroom host add user@address")
    if not name:
        raise Refusal(f"which host? say --host with one of {', '.join(sorted(fleet.hosts))}")
    raise Refusal(f"there is no host {ascii(name)[:60]}{nearest(name, fleet.hosts)}; see controlroom host list")


def linked(host: Host, now: int) -> Host:
    """See that a host can be asked. Raises `Refusal`."""
    if host.link is not LinkState.UP:
        because = f" ({host.reason})" if host.reason else ""
        raise Refusal(f"{host.name} cannot be asked: {host.link} {since(now - host.since)}{because}")
    return host


def reachable(fleet: Fleet, name: str, now: int) -> Host:
    """A host that can be asked, and is ours to act on. Raises `Refusal`."""
    host = linked(host_named(fleet, name), now)
    if host.facts and not host.facts.owned:
        raise Refusal(
            f"{host.name} belongs to another control room: look, or take it with controlroom host take {name}"
        )
    return host


def takes_work(host: Host) -> Host:
    """See that a host is not being drained. Raises `Refusal`."""
    if host.drain is not None:
        reason = f" ({host.drain.reason})" if host.drain.reason else ""
        raise Refusal(
            f"{host.name} takes nothing new: it is drained by {host.drain.who}{reason}. "
            f"To end that: controlroom host undrain {host.name}"
        )
    return host


def known_agent(fleet: Fleet, agent_id: str) -> Agent:
    """An agent of ours by its id. Raises `Refusal`."""
    agent = known(fleet, agent_id)
    if agent.adopted and agent.adoption is not None:
        raise Refusal(
            f"{agent.id} (taken over as {agent.called}) {ONLY_SIGNALS}: interrupt, pause or kill it, or have its "
            f"session go on under a runner: controlroom adopt {agent.id} --restart"
        )
    if agent.adopted:
        raise Refusal(not_ours(agent))
    return agent


def known(fleet: Fleet, agent_id: str) -> Agent:
    """An agent by its id, whoever started it. Raises `Refusal`."""
    agent = fleet.agents.get(agent_id)
    if agent is None:
        raise Refusal(
            f"there is no agent {ascii(agent_id)[:90]}{nearest(agent_id, fleet.agents)}; see controlroom status"
        )
    return agent


def not_ours(agent: Agent) -> str:
    """Why nothing can be done to an agent that others started."""
    return (
        f"{agent.id} was not started here: Control Room shows it, and does not touch it. "
        f"Attach to it, end it where it was started, or take it over: controlroom adopt {agent.id}"
    )


def current(fleet: Fleet, agent_id: str, epoch: int, now: int) -> Agent:
    """An agent that is still the one that was meant. Raises `Refusal`."""
    agent = known_agent(fleet, agent_id)
    if agent.epoch != epoch:
        raise Refusal(f"{agent.id} was restarted meanwhile (run {agent.epoch}, not {epoch}): look again")
    return agent


def running(fleet: Fleet, agent_id: str, epoch: int, now: int) -> Agent:
    """An agent that runs, and can be asked. Raises `Refusal`."""
    agent = current(fleet, agent_id, epoch, now)
    reachable(fleet, agent.host, now)
    if agent.has_ended:
        raise Refusal(f"{agent.id} has ended ({ended_words(agent, now)}): reassign it to go on")
    not_pending(agent, now)
    return agent


def not_pending(agent: Agent, now: int) -> None:
    """See that nothing is on its way about an agent. Raises `Refusal`."""
    if agent.pending:
        raise Refusal(f"{agent.id}: {agent.pending.verb} is on its way, {since(now - agent.pending.at)}")


def ordered_work(agent: Agent, *, trust: bool) -> Work:
    """What was ordered of an agent, for its next run; with `trust`, what its host claims. Raises `Refusal`."""
    if agent.ordered is not None:
        return agent.ordered
    if not trust:
        raise Refusal(
            f"this room did not order run {agent.epoch} of {agent.id}: how it is run is only what {agent.host} "
            f"claims ({claimed_words(agent)}). If that is right: controlroom reassign {agent.id} --trust-host …"
        )
    return claimed_work(agent)


def movable_work(agent: Agent, task: str, *, trust: bool, carried: bool = False) -> Work:
    """What was ordered of an agent that is to go on elsewhere. Raises `Refusal` for what only its host claims.

    `carried`: its folder goes along.
    """
    if (agent.ordered.worktree if agent.ordered else agent.worktree) and not carried:
        raise Refusal(
            f"{agent.id} works in a git worktree on {agent.host}, and what it has done would stay there. To take it "
            "along, with its session: --continue"
        )
    work = ordered_work(agent, trust=trust)
    if agent.ordered is None and work.kind == AgentKind.COMMAND:
        raise Refusal(f"this room did not order {agent.id}, and no host says what is run on another: spawn it there")
    if agent.ordered is None and not task.strip():
        raise Refusal(f"this room did not order {agent.id}, so it does not know its task: say --task")
    return work


def check_base(worktree: str) -> None:
    """See that a worktree can begin from what was named, if anything was. Raises `Refusal`."""
    if worktree and (wrong := base_problem(worktree)):
        raise Refusal(f"no worktree: {wrong}")


def no_session(agent: Agent) -> str:
    """Why an agent has no Claude session that could go on, said of it; "": it has one."""
    if agent.kind == AgentKind.COMMAND:
        return "runs a command, which has no session"
    return "" if agent.session else "has no Claude session yet" if not agent.has_ended else "has no Claude session"


def check_session(fleet: Fleet, agent: Agent, session: str) -> None:
    """See that a session is no other agent's, as far as is known: its host says whose it is. Raises `Refusal`."""
    others = (other for other in fleet.agents_on(agent.host) if other.id != agent.id and session)
    if taken := next((other for other in others if other.session == session), None):
        raise Refusal(
            f"{agent.host} says that {agent.id} is in the session of {taken.id}, and one of the two cannot be: "
            "reassign it without --continue"
        )


def profile_named(fleet: Fleet, name: str) -> Any:
    """A profile, None for no name. Raises `Refusal`."""
    if name and name not in fleet.profiles:
        names = f" (there are {', '.join(sorted(fleet.profiles))})" if fleet.profiles else " (the config has none)"
        changed = f"; {fleet.alarms['config'].text}" if "config" in fleet.alarms else ""
        raise Refusal(f"there is no profile {ascii(name)[:60]}{nearest(name, fleet.profiles) or names}{changed}")
    return fleet.profiles.get(name)


def check_credential(profile: Profile | None, name: str, kind: AgentKind | None = None) -> None:
    """See that a credential which somebody chose is one that a profile names. Raises `Refusal`.

    `kind`: of the agent; None: as the profile says.
    """
    if not name:
        return
    if profile is None:
        raise Refusal(f"credential {ascii(name)[:60]} needs a profile that names it in its credentials")
    if (kind or profile.kind) is AgentKind.COMMAND:
        raise Refusal("a command logs in with no credential of the room")
    names = [one.name for one in profile.credentials]
    if name not in names:
        there = f"there are {', '.join(names)}" if names else "it has no credentials = […]"
        raise Refusal(
            f"profile {profile.name} names no credential {ascii(name)[:60]}{nearest(name, names) or f' ({there})'}"
        )


def check_kind(kind: str) -> None:
    """See that there is such a kind of agents to start. Raises `Refusal`."""
    if kind not in KINDS:
        raise Refusal(f"there is no kind {ascii(str(kind))[:40]}: use {', '.join(KINDS[:-1])} or {KINDS[-1]}")


def check_work(kind: AgentKind, command: tuple[str, ...], task: str) -> None:
    """See that work can be done as it is described. Raises `Refusal`."""
    check_kind(kind)
    if kind == AgentKind.COMMAND and not command:
        raise Refusal("kind command needs a command: put it after --, or into the profile")
    check_task(kind, task)


def check_task(kind: AgentKind, task: str) -> None:
    """See that there is a task where one is needed, and not too much of it. Raises `Refusal`."""
    if kind == AgentKind.HEADLESS and not task.strip():
        raise Refusal("the task is empty: say --task or --task-file")
    check_size("the task", task)


def check_size(what: str, text: str) -> None:
    """See that a text can be sent. Raises `Refusal`."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_TASK:
        raise Refusal(f"{what} is {size} bytes; {MAX_TASK} are the most: put it into a file that the agent reads")


def starting(effect: "SpawnOn", now: int) -> Agent:
    """The row of an agent that was ordered but not seen yet."""
    return Agent(
        effect.host,
        effect.name,
        effect.epoch,
        effect.kind,
        State.STARTING,
        now,
        profile=effect.profile,
        model=shown_value(effect.model),
        cwd=shown_value(effect.cwd),
        task=shown_task(effect.task),
        ordered=Work(
            effect.kind,
            effect.profile,
            effect.model,
            effect.cwd,
            effect.chosen,
            effect.credential,
            effect.worktree,
            effect.chosen_credential,
            effect.lead,
        ),
    )


def shown_task(task: str) -> str:
    """What a row shows of a task: somebody else may have written it, and a row reaches terminals."""
    return sanitize(" ".join(task.split()), 200)


def state_words(fleet: Fleet, agent: Agent, now: int) -> str:
    """Say an agent's state, and since when."""
    return f"{fleet.state_of(agent)} {since(now - agent.since)}"


def ended_words(agent: Agent, now: int) -> str:
    """Say that an agent has ended, and when. Its own words stay out: what this becomes a part of is audited."""
    return f"{agent.state}, {ago(now - agent.since)}"


def unfit(fleet: Fleet, host: str, kind: AgentKind, command: tuple[str, ...], profile: Profile | None) -> str:
    """What a host lacks for such an agent, and what mends it, as it was found there; "": nothing that is known.

    What a `command` of its own starts, and what that logs in with, nobody knows.
    """
    preflight = fleet.queue.preflights.get(host)
    if preflight is None or kind == AgentKind.COMMAND:
        return ""
    if preflight.machine or command:
        return preflight.machine
    return preflight.claude or ("" if profile is not None and profile.own_login else preflight.login)


def unfit_for_worktree(fleet: Fleet, host: str, worktree: str) -> str:
    """Why a host is to make no git worktree, and what mends it, as it was found there; "": nothing that is known."""
    preflight = fleet.queue.preflights.get(host)
    return preflight.git if worktree and preflight is not None else ""


_FOLDERS = {
    FolderProblem.ABSENT: "is not there",
    FolderProblem.NOT_A_FOLDER: "is no folder",
    FolderProblem.CLOSED: "cannot be entered",
    FolderProblem.READ_ONLY: "cannot be written in",
}


def unfit_folder(preflight: Preflight, profile: Profile, cwd: str) -> str:
    """What keeps agents of a profile out of a folder of a host, with nobody there to look; "": nothing that is known.

    One that only plans may work where nothing can be written.
    """
    if profile.worktree and preflight.git:
        return preflight.git
    folder = preflight.folders.get(cwd)
    problem = folder.problem if folder else FolderProblem.UNKNOWN
    if problem is FolderProblem.READ_ONLY and profile.permission_mode == _PLANS:
        problem = FolderProblem.UNKNOWN
    if problem in _FOLDERS:
        return f"folder {cwd} {_FOLDERS[problem]}"
    if folder and folder.repository is False and (profile.needs_repository or profile.worktree):
        setting = "worktree" if profile.worktree else "repository"
        return f"folder {cwd} is in no git repository (profiles.{profile.name}.{setting})"
    if profile.kind is AgentKind.INTERACTIVE and not profile.own_login and not profile.command:
        trusted = None if folder is None else folder.worktrees_trusted if profile.worktree else folder.trusted
        trusts = "" if trusted is not False else f"Claude would ask whether you trust {cwd}"
        return preflight.dialogs or (f"{trusts} (run claude there once)" if trusts else "")
    return ""


_PLANS = "plan"
"""The permission mode in which Claude changes nothing."""


def no_room_for(fleet: Fleet, host: Host, kind: AgentKind) -> str | None:
    """Why no agent of `kind` fits on `host`, or None. A host without a memory reading is not refused for it.

    Whether tmux is there, the host looks up itself when it is to start something.
    """
    need = fleet.limits.memory_per_agent
    if kind == AgentKind.COMMAND or not need or host.sample is None:
        return None
    total, used = host.sample.memory_total, host.sample.memory_used
    if total is None or used is None:
        return None
    starting = sum(1 for agent in fleet.agents_on(host.name) if agent.state is State.STARTING and agent.pending)
    free = total - used - starting * need
    if free >= need:
        return None
    return f"{host.name} has {size(max(0, free))} left, an agent needs {size(need)} (limits.memory_per_agent_mb)"
