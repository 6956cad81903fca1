"""Taking over agents that others started: what they are called here, and what their processes are then sent.

Which process is meant is decided here, by the mark that a person was shown; the host only looks whether it is there.
"""

from dataclasses import replace
from itertools import count

from controlroom.domain import intents
from controlroom.domain.adoption import Adoption
from controlroom.domain.model import Agent, Fleet
from controlroom.domain.money import ladder
from controlroom.domain.new_work import NewWork, joined_notes
from controlroom.domain.preconditions import (
    Refusal,
    check_size,
    ended_words,
    known,
    not_ours,
    not_pending,
    profile_named,
    reachable,
    shown_task,
    starting,
    takes_work,
)
from controlroom.domain.queue.credentials import credential_for
from controlroom.domain.words import since
from controlroom.text.names import agent_name_problem
from controlroom.text.states import AdoptedSignal, AgentKind

HOME_FOLDER = "~"

Steering = intents.KillAgent | intents.PauseAgent | intents.InterruptAgent
"""What can be done to an agent by signals."""


def adoption(fleet: Fleet, intent: intents.AdoptAgent, now: int, who: str) -> Adoption:
    """Return what is ordered of an agent that is taken over. Raises `Refusal`."""
    agent = shown(fleet, intent.agent, intent.mark)
    reachable(fleet, agent.host, now)
    not_pending(agent, now)
    before = agent.adoption
    if agent.has_ended and not intent.restart and before is None:
        raise Refusal(f"{agent.id} has ended ({ended_words(agent, now)}): adopt it with --restart, to go on with it")
    goes_on = intent.restart or intent.when_ended
    if goes_on and not agent.session:
        raise Refusal(f"{agent.id} has no Claude session that could go on: adopt it without --restart or --when-ended")
    profile = intent.profile or (before.profile if before else "")
    settings = profile_named(fleet, profile)
    if settings is not None and settings.kind is AgentKind.COMMAND:
        raise Refusal(f"profile {profile} starts commands, which have no Claude session: choose another")
    check_size("the task", intent.task)
    name = _name(fleet, agent, intent.name or (before.name if before else ""))
    same = before or Adoption(name, agent.mark, agent.script, now, who)
    if profile != same.profile:
        same = replace(same, at=now, who=who)  # its limits count from now on
    return replace(
        same,
        name=name,
        profile=profile,
        session=agent.session,
        when_ended=intent.when_ended,
        task=intent.task or same.task,
    )


def free_name(fleet: Fleet, agent: Agent) -> str:
    """The name that an agent is taken over with where nobody says one: as its session or folder is, and no other's."""
    plain = agent.name.lstrip("~").strip("-_") or "agent"
    names = (plain if number == 1 else f"{plain[:36]}-{number}" for number in count(1))
    taken = _taken(fleet, agent)
    return next(name for name in names if name not in taken and agent_name_problem(name) is None)


def _taken(fleet: Fleet, agent: Agent) -> dict[str, Agent]:
    """The names that others on its host have."""
    others = [other for other in fleet.agents_on(agent.host) if other.id != agent.id and other.held]
    return {other.called: other for other in others if not other.has_ended or not other.adopted}


def _name(fleet: Fleet, agent: Agent, wanted: str) -> str:
    """Name an agent that is taken over, unlike all others of its host. Raises `Refusal`."""
    if not wanted:
        return free_name(fleet, agent)
    if problem := agent_name_problem(wanted):
        raise Refusal(problem)
    if (other := _taken(fleet, agent).get(wanted)) is not None:
        raise Refusal(f"{agent.host}/{wanted} is there already ({other.id}): choose another name")
    return wanted


def shown(fleet: Fleet, agent_id: str, mark: str) -> Agent:
    """An agent that others started, if it is still the process that was shown. Raises `Refusal`."""
    agent = known(fleet, agent_id)
    if not agent.adopted:
        raise Refusal(f"{agent.id} was started here: there is nothing to adopt")
    if not agent.mark:
        reason = "it is a shell in which somebody types, or nothing marks its process"
        raise Refusal(f"{agent.id} cannot be adopted: {reason}")
    if agent.mark != mark:
        raise Refusal(f"{agent.id} is another process by now: look again")
    return agent


def check_ended(agent: Agent) -> None:
    """See that the name that an agent was taken over with is free. Raises `Refusal`."""
    if not agent.has_ended:
        raise Refusal(f"{agent.id} was taken over as {agent.called}: choose another name")


def taken_over(fleet: Fleet, intent: Steering) -> Agent | None:
    """The agent that an intent means, if others started it; None: it is one of ours. Raises `Refusal`."""
    agent = fleet.agents.get(intent.agent)
    if agent is None or not agent.adopted:
        return None
    if agent.adoption is None:
        raise Refusal(not_ours(agent))
    return shown(fleet, intent.agent, intent.mark)


def signalled(fleet: Fleet, agent: Agent, signal: AdoptedSignal, now: int) -> intents.SignalOn:
    """What is sent to an agent that was taken over. Raises `Refusal`."""
    reachable(fleet, agent.host, now)
    if agent.has_ended:
        raise Refusal(f"{agent.id} has ended already ({ended_words(agent, now)})")
    if agent.pending and agent.pending.verb != "interrupt":
        raise Refusal(f"{agent.id}: {agent.pending.verb} is on its way, {since(now - agent.pending.at)}")
    return _signal(agent, signal)


def _signal(agent: Agent, signal: AdoptedSignal, session: str = "") -> intents.SignalOn:
    """The order, bound to what was shown when it was taken over, and to what is shown now."""
    script = agent.adoption.script if agent.adoption else ""
    return intents.SignalOn(agent.host, agent.name, agent.mark, signal, script, session)


def restarted(fleet: Fleet, intent: intents.RestartAdopted, now: int) -> tuple[intents.MoveOn, Agent, str]:
    """End an agent that was taken over, then go on with its session under a runner: the orders, its row, a note.

    Raises `Refusal`.
    """
    agent = shown(fleet, intent.agent, intent.mark)
    if (ours := agent.adoption) is None:
        raise Refusal(f"{agent.id} was not taken over: controlroom adopt {agent.id} --restart")
    host = takes_work(reachable(fleet, agent.host, now))
    not_pending(agent, now)
    if not agent.session:
        raise Refusal(f"{agent.id} has no Claude session that could go on")
    others = (other for other in fleet.agents_on(agent.host) if other.id != agent.id and not other.has_ended)
    if at_work := next((other for other in others if other.session == agent.session), None):
        raise Refusal(f"{at_work.id} is at work on the session of {agent.id}, too: end one of the two")
    if host.facts is not None and host.facts.lacks_tmux:
        raise Refusal(f"{host.name} has no tmux: install it there (apt-get install tmux)")
    there = fleet.agents.get(f"{host.name}/{ours.name}")
    if there is not None and (there.pending or not there.has_ended):
        raise Refusal(f"{there.id} is there already: adopt {agent.id} with another --name")
    profile = profile_named(fleet, ours.profile)
    kind = profile.kind if profile else AgentKind.HEADLESS
    credential, taken = credential_for(fleet, profile, profile.model if profile else "", host.name, now, "", "")
    work = NewWork(fleet, kind, host.name, ours.name, ours.profile, ladder.payer(fleet, ours.profile, credential))
    work.check()
    model, note = work.model(profile.model if profile else "")
    start = intents.SpawnOn(
        host.name,
        ours.name,
        there.epoch + 1 if there else 1,
        ours.task or intents.GO_ON,
        kind,
        ours.profile,
        model,
        agent.cwd or HOME_FOLDER,
        profile.command if profile else (),
        agent.session,
        credential=credential,
    )
    end = intents.KillOn(agent.host, agent.name, 0, f"goes on as {ours.name}")
    row = replace(starting(start, now), task=shown_task(ours.task) or agent.task, session=agent.session)
    move = intents.MoveOn(end, start, theirs=_signal(agent, AdoptedSignal.END, agent.session))
    return move, row, joined_notes(taken, note)
