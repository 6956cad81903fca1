"""(Fleet, Intent, op, now) -> what to do, or Refused with a reason that a person can act on.

The same sentence is the toast on the screen and the error on the command line. What is on its way counts: two quick
presses cannot both take the last of anything.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from controlroom.domain import capacity, intents
from controlroom.domain.events import Event, HostAdded, HostRemoved, Ordered
from controlroom.domain.model import ENDED, LOCAL, Agent, Fleet, Host, LinkState, Pending, State
from controlroom.domain.words import ago, nearest, since
from controlroom.meter.names import agent_name_problem, host_name_problem

KINDS = ("headless", "interactive", "command")
"""Kinds of agents that can be spawned."""

MAX_TASK = 1024 * 1024
"""Bytes of a task or message at most."""


@dataclass(frozen=True)
class Decision:
    """It may be done: what is true at once, and what is asked of the world."""

    events: tuple[Event, ...] = ()
    effects: tuple[intents.Effect, ...] = ()


@dataclass(frozen=True)
class Refused:
    """It may not be done; nothing has changed."""

    reason: str


class _No(Exception):
    """Leaves a decision early; the text is the reason."""


def decide(fleet: Fleet, intent: intents.Intent, op: int, now: int) -> Decision | Refused:
    """Decide an intent against the fleet as it is. `op` names the order; `now` is UTC milliseconds."""
    try:
        return _DECISIONS[type(intent)](fleet, intent, op, now)
    except _No as no:
        return Refused(str(no))


def _spawn(fleet: Fleet, intent: intents.SpawnAgent, op: int, now: int) -> Decision:
    if problem := agent_name_problem(intent.name):
        raise _No(problem)
    host = _reachable(fleet, intent.host or default_host(fleet), now)
    known = fleet.agents.get(f"{host.name}/{intent.name}")
    if known and (known.pending or known.state not in ENDED):
        raise _No(
            f"{known.id} is there already, {_state_words(fleet, known, now)}: choose another name, or reassign it"
        )
    profile = _profile(fleet, intent.profile)
    kind = intent.kind or (profile.kind if profile else "command" if intent.command else "headless")
    command = intent.command or (profile.command if profile else ())
    _check_work(kind, command, intent.task)
    if reason := capacity.refusal(fleet, host, kind):
        raise _No(reason)
    epoch = known.epoch + 1 if known else 1
    effect = intents.SpawnOn(
        host.name,
        intent.name,
        epoch,
        intent.task,
        kind,
        intent.profile,
        intent.model or (profile.model if profile else ""),
        intent.cwd or (profile.cwd if profile else ""),
        command,
    )
    row = _starting(effect, now)
    return Decision((Ordered(row.id, Pending(op, "spawn", now), row),), (effect,))


def _kill(fleet: Fleet, intent: intents.KillAgent, op: int, now: int) -> Decision:
    agent = _current(fleet, intent.agent, intent.epoch, now)
    _reachable(fleet, agent.host, now)
    if agent.state in ENDED:
        raise _No(f"{agent.id} has ended already ({_ended_words(agent, now)})")
    if agent.pending and agent.pending.verb in ("kill", "move"):
        doing = "ended" if agent.pending.verb == "kill" else "moved"
        raise _No(f"{agent.id} is being {doing} already, {since(now - agent.pending.since)}")
    effect = intents.KillOn(agent.host, agent.name, agent.epoch)
    return Decision((Ordered(agent.id, Pending(op, "kill", now)),), (effect,))


def _reassign(fleet: Fleet, intent: intents.ReassignAgent, op: int, now: int) -> Decision:
    agent = _current(fleet, intent.agent, intent.epoch, now)
    if intent.host and intent.host != agent.host:
        return _move(fleet, agent, intent, op, now)
    _reachable(fleet, agent.host, now)
    _not_pending(agent, now)
    profile = _profile(fleet, agent.profile)
    command = profile.command if profile else ()
    _check_task(agent.kind, intent.task)
    if intent.keep_session and not agent.session:
        raise _No(f"{agent.id} has no Claude session to go on with: reassign it without --continue")
    effect = intents.SpawnOn(
        agent.host,
        agent.name,
        agent.epoch + 1,
        intent.task,
        agent.kind,
        agent.profile,
        profile.model if profile else agent.model,
        agent.cwd,
        command,
        agent.session if intent.keep_session else "",
        0 if agent.state in ENDED else agent.epoch,
    )
    row = _starting(effect, now)
    return Decision((Ordered(agent.id, Pending(op, "reassign", now), row),), (effect,))


def _move(fleet: Fleet, agent: Agent, intent: intents.ReassignAgent, op: int, now: int) -> Decision:
    """The same agent on another host: all that can be known against it is said before anything is ended."""
    if intent.keep_session:
        raise _No(f"--continue cannot go with --host: the Claude session of {agent.id} lives on {agent.host}")
    if not fleet.reachable(agent):
        raise _No(_unmovable(_host(fleet, agent.host), agent, now))
    _reachable(fleet, agent.host, now)
    _not_pending(agent, now)
    target = _reachable(fleet, intent.host, now)
    known = fleet.agents.get(f"{target.name}/{agent.name}")
    if known and (known.pending or known.state not in ENDED):
        raise _No(f"{known.id} is there already, {_state_words(fleet, known, now)}: kill it first, or choose a host")
    _profile(fleet, agent.profile)
    _check_size("the task", intent.task)
    if reason := capacity.refusal(fleet, target, agent.kind):
        raise _No(f"{reason}; {agent.id} goes on where it is")
    start = intents.SpawnOn(
        target.name, agent.name, known.epoch + 1 if known else 1, intent.task, agent.kind, agent.profile
    )
    row = replace(_starting(start, now), task=_shown_task(intent.task) or agent.task, model=agent.model)
    end = intents.KillOn(agent.host, agent.name, agent.epoch, f"moved to {target.name}")
    ordered = Ordered(agent.id, Pending(op, "move", now)), Ordered(row.id, Pending(op, "spawn", now), row)
    return Decision(ordered, (intents.MoveOn(end, start),))


def _unmovable(host: Host, agent: Agent, now: int) -> str:
    because = f" ({host.reason})" if host.reason else ""
    return (
        f"{host.name} cannot be asked: {host.link} {since(now - host.since)}{because}. Nobody could prove that "
        f"{agent.name} has ended there, and two would work on one task: wait until {host.name} is back. If the "
        f"machine is gone for good: switch it off, controlroom host remove {host.name}, and spawn the task elsewhere"
    )


def _send(fleet: Fleet, intent: intents.SendMessage, op: int, now: int) -> Decision:
    agent = _running(fleet, intent.agent, intent.epoch, now)
    if agent.kind == "command":
        raise _No(f"{agent.id} runs a command, which takes no messages")
    if not intent.text.strip():
        raise _No("the message is empty")
    _check_size("the message", intent.text)
    return Decision((), (intents.TellOn(agent.host, agent.name, agent.epoch, "message", text=intent.text),))


def _interrupt(fleet: Fleet, intent: intents.InterruptAgent, op: int, now: int) -> Decision:
    agent = _running(fleet, intent.agent, intent.epoch, now)
    if agent.kind == "command":
        raise _No(f"{agent.id} runs a command, which cannot be interrupted: kill it instead")
    return Decision((), (intents.TellOn(agent.host, agent.name, agent.epoch, "interrupt"),))


def _answer(fleet: Fleet, intent: intents.AnswerQuestion, op: int, now: int) -> Decision:
    if intent.verdict not in ("allow", "always", "deny"):
        raise _No(f"an answer is allow, always or deny, not {ascii(intent.verdict)[:40]}")
    host = fleet.hosts.get(intent.subject)
    if host:
        return _answer_host(host, intent)
    agent = _known(fleet, intent.subject)
    if agent.question is None:
        raise _No(f"{agent.id} asks nothing now ({_state_words(fleet, agent, now)})")
    if agent.question.id != intent.question:
        raise _No(f"{agent.id} asks something else by now: {agent.question.title}")
    _reachable(fleet, agent.host, now)
    tell = intents.TellOn(agent.host, agent.name, agent.epoch, "answer", intent.text, agent.question.id, intent.verdict)
    return Decision((), (tell,))


def _answer_host(host: Host, intent: intents.AnswerQuestion) -> Decision:
    if host.question is None or host.question.id != intent.question:
        raise _No(f"{host.name} asks nothing like that now")
    if host.question.kind == "secret":
        if intent.verdict != "deny" and not intent.text:
            raise _No(f"{host.name} asks for a secret: say it with the answer")
        secret = None if intent.verdict == "deny" else intent.text
        return Decision((), (intents.GiveSecret(host.name, host.question.id, secret),))
    return Decision((), (intents.TrustKey(host.name, host.question.id, intent.verdict != "deny"),))


def _forget(fleet: Fleet, intent: intents.ForgetAgent, op: int, now: int) -> Decision:
    agent = _current(fleet, intent.agent, intent.epoch, now)
    _not_pending(agent, now)
    if agent.state not in ENDED:
        raise _No(f"{agent.id} has not ended ({_state_words(fleet, agent, now)}): kill it first")
    _reachable(fleet, agent.host, now)
    effect = intents.ForgetOn(agent.host, agent.name, agent.epoch)
    return Decision((Ordered(agent.id, Pending(op, "forget", now)),), (effect,))


def _add_host(fleet: Fleet, intent: intents.AddHost, op: int, now: int) -> Decision:
    if problem := host_name_problem(intent.name):
        raise _No(problem)
    if intent.name in fleet.hosts:
        raise _No(f"a host named {intent.name} is there already ({fleet.hosts[intent.name].address}): choose --name")
    if intent.name == LOCAL and intent.address != LOCAL:
        raise _No(f"{LOCAL} is this machine: choose another name")
    for other in fleet.hosts.values():
        if other.address == intent.address:
            raise _No(f"{intent.address} is in the room already, as {other.name}")
    effect = intents.ConnectTo(intent.name, intent.address, intent.fingerprint)
    return Decision((HostAdded(intent.name, intent.address, now),), (effect,))


def _remove_host(fleet: Fleet, intent: intents.RemoveHost, op: int, now: int) -> Decision:
    host = _host(fleet, intent.name)
    return Decision((HostRemoved(host.name),), (intents.DisconnectFrom(host.name),))


def _take_host(fleet: Fleet, intent: intents.TakeHost, op: int, now: int) -> Decision:
    host = _host(fleet, intent.name)
    _linked(host, now)
    if host.facts and host.facts.owned:
        raise _No(f"this room owns {host.name} already")
    return Decision((), (intents.TakeOn(host.name),))


# --------------------------------------------------------------------------- what several decisions ask


def default_host(fleet: Fleet) -> str:
    """Name the host of a spawn that names none. Raises nothing: an empty name is refused later, in words."""
    if LOCAL in fleet.hosts:
        return LOCAL
    return next(iter(fleet.hosts)) if len(fleet.hosts) == 1 else ""


def _host(fleet: Fleet, name: str) -> Host:
    host = fleet.hosts.get(name)
    if host is not None:
        return host
    if not fleet.hosts:
        raise _No("there is no host yet: controlroom host add user@address")
    if not name:
        raise _No(f"which host? say --host with one of {', '.join(sorted(fleet.hosts))}")
    raise _No(f"there is no host {ascii(name)[:60]}{nearest(name, fleet.hosts)}; see controlroom host list")


def _linked(host: Host, now: int) -> Host:
    if host.link is not LinkState.UP:
        because = f" ({host.reason})" if host.reason else ""
        raise _No(f"{host.name} cannot be asked: {host.link} {since(now - host.since)}{because}")
    return host


def _reachable(fleet: Fleet, name: str, now: int) -> Host:
    host = _linked(_host(fleet, name), now)
    if host.facts and not host.facts.owned:
        raise _No(f"{host.name} belongs to another control room: look, or take it with controlroom host take {name}")
    return host


def _known(fleet: Fleet, agent_id: str) -> Agent:
    agent = fleet.agents.get(agent_id)
    if agent is None:
        raise _No(f"there is no agent {ascii(agent_id)[:90]}{nearest(agent_id, fleet.agents)}; see controlroom status")
    if agent.adopted:
        raise _No(not_ours(agent))
    return agent


def not_ours(agent: Agent) -> str:
    """Say why nothing can be done to an agent that others started."""
    return (
        f"{agent.id} was started by somebody else: Control Room shows it, and does not touch it. "
        "Attach to it, or end it where it was started"
    )


def _current(fleet: Fleet, agent_id: str, epoch: int, now: int) -> Agent:
    agent = _known(fleet, agent_id)
    if agent.epoch != epoch:
        raise _No(f"{agent.id} was started anew meanwhile (epoch {agent.epoch}, not {epoch}): look again")
    return agent


def _running(fleet: Fleet, agent_id: str, epoch: int, now: int) -> Agent:
    agent = _current(fleet, agent_id, epoch, now)
    _reachable(fleet, agent.host, now)
    if agent.state in ENDED:
        raise _No(f"{agent.id} has ended ({_ended_words(agent, now)}): reassign it to go on")
    _not_pending(agent, now)
    return agent


def _not_pending(agent: Agent, now: int) -> None:
    if agent.pending:
        raise _No(f"{agent.id}: {agent.pending.verb} is on its way, {since(now - agent.pending.since)}")


def _profile(fleet: Fleet, name: str) -> Any:
    if name and name not in fleet.profiles:
        known = f" (there are {', '.join(sorted(fleet.profiles))})" if fleet.profiles else " (the config has none)"
        raise _No(f"there is no profile {ascii(name)[:60]}{nearest(name, fleet.profiles) or known}")
    return fleet.profiles.get(name)


def _check_work(kind: str, command: tuple[str, ...], task: str) -> None:
    if kind not in KINDS:
        raise _No(f"there is no kind {ascii(kind)[:40]}: use {', '.join(KINDS[:-1])} or {KINDS[-1]}")
    if kind == "command" and not command:
        raise _No("kind command needs a command: put it after --, or into the profile")
    _check_task(kind, task)


def _check_task(kind: str, task: str) -> None:
    if kind == "headless" and not task.strip():
        raise _No("the task is empty: say --task or --task-file")
    _check_size("the task", task)


def _check_size(what: str, text: str) -> None:
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_TASK:
        raise _No(f"{what} is {size} bytes; {MAX_TASK} are the most: put it into a file that the agent reads")


def _starting(effect: intents.SpawnOn, now: int) -> Agent:
    """The row of an agent that was ordered but not seen yet."""
    return Agent(
        effect.host,
        effect.name,
        effect.epoch,
        effect.kind,
        State.STARTING,
        now,
        profile=effect.profile,
        model=effect.model,
        cwd=effect.cwd,
        task=_shown_task(effect.task),
    )


def _shown_task(task: str) -> str:
    return " ".join(task.split())[:200]


def _state_words(fleet: Fleet, agent: Agent, now: int) -> str:
    return f"{fleet.state_of(agent)} {since(now - agent.since)}"


def _ended_words(agent: Agent, now: int) -> str:
    return f"{agent.detail or agent.state}, {ago(now - agent.since)}"


_DECISIONS: dict[type, Callable[[Fleet, Any, int, int], Decision]] = {
    intents.SpawnAgent: _spawn,
    intents.KillAgent: _kill,
    intents.ReassignAgent: _reassign,
    intents.SendMessage: _send,
    intents.AnswerQuestion: _answer,
    intents.InterruptAgent: _interrupt,
    intents.ForgetAgent: _forget,
    intents.AddHost: _add_host,
    intents.RemoveHost: _remove_host,
    intents.TakeHost: _take_host,
}
