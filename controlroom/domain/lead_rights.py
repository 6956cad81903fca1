"""What a lead may do: (fleet, lead, intent, now) -> the intent as it is carried out, or a refusal. Pure.

What it may be given stands in a table here; a kind of intent that does not is refused, also one that is yet to be made.
What a lead may not say of what it wants (a command, a folder, a model) must be left as it is by default: its profile
says it.
"""

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, replace
from typing import Any

from controlroom.domain import intents
from controlroom.domain.address import HostKind
from controlroom.domain.leads import MOST_AGENTS, MOST_LEADS, MOST_LIMIT, NAME, TASKS_PER_AGENT, Lead, LeadVerb
from controlroom.domain.model import Agent, Fleet, Host, Profile
from controlroom.domain.preconditions import Refusal, host_named, profile_named
from controlroom.domain.tasks import Source, Task, TaskWish, read_id
from controlroom.text.sanitize import redact, sanitize
from controlroom.text.states import AgentKind, Verdict

MAY_SUBMIT: Mapping[type, LeadVerb] = {
    intents.SpawnAgent: LeadVerb.SPAWN,
    intents.KillAgent: LeadVerb.KILL,
    intents.ReassignAgent: LeadVerb.REASSIGN,
    intents.RetryAgent: LeadVerb.RETRY,
    intents.SendMessage: LeadVerb.SEND,
    intents.AnswerQuestion: LeadVerb.ANSWER,
    intents.AddTasks: LeadVerb.TASK_ADD,
    intents.DropTask: LeadVerb.TASK_DROP,
    intents.RetryTask: LeadVerb.RETRY,
}
"""By kind of intent: the verb that a lead must have been given for it."""

_SAID: Mapping[type, frozenset[str]] = {
    intents.SpawnAgent: frozenset({"name", "task", "host", "profile"}),
    intents.KillAgent: frozenset({"agent", "epoch"}),
    intents.ReassignAgent: frozenset({"agent", "epoch", "task", "keep_session"}),
    intents.RetryAgent: frozenset({"agent", "epoch"}),
    intents.SendMessage: frozenset({"agent", "epoch", "text"}),
    intents.AnswerQuestion: frozenset({"subject", "question", "verdict", "text", "digest", "answers"}),
    intents.AddTasks: frozenset({"tasks"}),
    intents.DropTask: frozenset({"task"}),
    intents.RetryTask: frozenset({"task"}),
    TaskWish: frozenset({"text", "source", "profile", "host", "after", "max_attempts", "max_cost", "max_hours"}),
}
"""What a lead may say of each; the rest must be left as it is by default."""


def allowed(fleet: Fleet, name: str, intent: intents.Intent, now: int) -> intents.Intent:
    """Say whether a lead may have this wanted; gives the intent with its mark. Raises `Refusal`."""
    lead = working(fleet, name, now)
    verb = MAY_SUBMIT.get(type(intent))
    if verb is None or not lead.may(verb):
        what = verb or type(intent).__name__
        raise Refusal(f"lead {name} was not given {what}: a person does that, or gives it with controlroom lead add")
    _check_said(intent)
    match intent:
        case intents.SpawnAgent():
            return _spawn(fleet, lead, intent)
        case intents.AddTasks():
            return _add(fleet, lead, intent)
        case intents.DropTask() | intents.RetryTask():
            own_task(fleet, name, intent.task)
        case intents.AnswerQuestion():
            own_agent(fleet, name, intent.subject)
            if intent.verdict is Verdict.ALWAYS:
                raise Refusal(f"lead {name} answers one question at a time: allow or deny it")
        case intents.ReassignAgent() | intents.RetryAgent():
            _check_run(fleet, lead, own_agent(fleet, name, intent.agent))
        case intents.KillAgent() | intents.SendMessage():
            own_agent(fleet, name, intent.agent)
        case _:
            raise Refusal(f"lead {name} may not do that")
    return intent


def working(fleet: Fleet, name: str, now: int) -> Lead:
    """A lead that may do something. Raises `Refusal`."""
    lead = fleet.leads.get(name)
    if lead is None:
        raise Refusal(f"there is no lead {ascii(name)[:60]}")
    if over := lead.over(now):
        raise Refusal(over)
    return lead


def is_own(fleet: Fleet, name: str, agent: str) -> bool:
    """Whether a lead has begun an agent."""
    row = fleet.agents.get(agent)
    return row is not None and bool(name) and row.lead == name


def own_agent(fleet: Fleet, name: str, agent: str) -> Agent:
    """An agent that a lead has begun; of any other it is not told that there is one. Raises `Refusal`."""
    if not is_own(fleet, name, agent):
        raise Refusal(f"lead {name} has no agent {ascii(agent)[:90]}: it acts on those that it started")
    return fleet.agents[agent]


def own_task(fleet: Fleet, name: str, task: str) -> Task:
    """A task that a lead gave. Raises `Refusal`."""
    row = fleet.tasks.get(f"t{read_id(task)}")
    if row is None or row.origin.lead != name:
        raise Refusal(f"lead {name} has no task {ascii(task)[:60]}: it acts on those that it gave")
    return row


def _check_said(intent: Any) -> None:
    """See that nothing is said that is not a lead's to say. Raises `Refusal`."""
    said = _SAID[type(intent)]
    for part in fields(intent):
        if part.name not in said and getattr(intent, part.name) != _default(part):
            raise Refusal(f"a lead does not choose {part.name.replace('_', ' ')}: its profile or a person does")


def _default(part: "Field[Any]") -> object:
    return part.default_factory() if part.default_factory is not MISSING else part.default


def _spawn(fleet: Fleet, lead: Lead, intent: intents.SpawnAgent) -> intents.Intent:
    host, profile = _host(lead, intent.host), _profile(lead, intent.profile)
    others = (agent for agent in fleet.agents_on(host) if agent.lead != lead.name)
    if any(intent.name in (agent.name, agent.called) for agent in others):  # nothing else is told of it
        raise Refusal(f"{host}/{intent.name} was not started by lead {lead.name}: choose another name")
    return replace(intent, host=host, profile=profile, lead=lead.name)


def _check_run(fleet: Fleet, lead: Lead, agent: Agent) -> None:
    """See that a lead may begin another run of an agent of its own: a person may have moved it, or set its profile
    otherwise. Raises `Refusal`.
    """
    _host(lead, agent.host)
    if agent.ordered is not None:
        _check_profile(fleet, lead, _profile(lead, agent.ordered.profile))


def _host(lead: Lead, host: str) -> str:
    if not host and len(lead.hosts) == 1:
        return lead.hosts[0]
    if host not in lead.hosts:
        raise Refusal(f"lead {lead.name} starts agents on {', '.join(lead.hosts)}, not on {ascii(host)[:60]}")
    return host


def _profile(lead: Lead, profile: str) -> str:
    if not profile and len(lead.profiles) == 1:
        return lead.profiles[0]
    if profile not in lead.profiles:
        raise Refusal(f"lead {lead.name} starts agents of {', '.join(lead.profiles)}, not of {ascii(profile)[:60]}")
    return profile


def _add(fleet: Fleet, lead: Lead, intent: intents.AddTasks) -> intents.Intent:
    return replace(intent, tasks=tuple(_wish(fleet, lead, wish) for wish in intent.tasks), lead=lead.name)


def _wish(fleet: Fleet, lead: Lead, wish: TaskWish) -> TaskWish:
    _check_said(wish)
    for task in wish.after:
        own_task(fleet, lead.name, task)
    host = _host(lead, wish.host) if wish.host or len(lead.hosts) == 1 else ""
    return replace(wish, profile=_profile(lead, wish.profile), host=host, source=Source.AGENT)


# --------------------------------------------------------------------------- when something is to begin


def check_leads(fleet: Fleet, intent: intents.SpawnAgent, there: Agent | None, host: Host, now: int) -> None:
    """See that a lead may begin such an agent now, and that one which leads is where it can. Raises `Refusal`.

    `there`: the agent of that name which has ended.
    """
    check_place(fleet, intent.profile, host)
    if not intent.lead:
        return
    lead = working(fleet, intent.lead, now)
    _host(lead, host.name)
    _check_profile(fleet, lead, _profile(lead, intent.profile))
    if intent.kind or intent.command:
        raise Refusal(_HEADLESS_ALONE.format(lead.name))
    if there is not None and there.lead != lead.name:
        raise Refusal(f"{there.id} was not started by lead {lead.name}: choose another name")
    if full := _full(fleet, lead):
        raise Refusal(full)


_HEADLESS_ALONE = "lead {} starts headless agents of profiles, and nothing else"


def _check_profile(fleet: Fleet, lead: Lead, name: str) -> None:
    """See that a profile, as it is now, takes what a lead wants done. Raises `Refusal`."""
    profile = fleet.profiles.get(name)
    if profile is None or profile.kind is not AgentKind.HEADLESS:
        raise Refusal(_HEADLESS_ALONE.format(lead.name))
    if not profile.takes_outside:
        raise Refusal(
            f"profile {name} takes no tasks of agents: nobody would be asked what it may do. "
            f'Choose another profile, or set profiles.{name}.outside = "always"'
        )


def check_again(fleet: Fleet, agent: Agent, name: str) -> None:
    """See that an agent of a lead may be at work again, whoever wants that. Raises `Refusal`."""
    lead = fleet.leads.get(name)
    if lead is not None and not lead.removed and agent.has_ended and (full := _full(fleet, lead)):
        raise Refusal(full)


def check_open_tasks(fleet: Fleet, name: str, more: int) -> None:
    """See that so many tasks of a lead may be open beside those that are, whoever wants that. Raises `Refusal`."""
    if not name:
        return
    lead = fleet.leads.get(name)
    if lead is None or lead.removed:
        raise Refusal(f"lead {name} was removed, and what it gave is done by nobody: add it as a task of your own")
    there = sum(task.origin.lead == name and task.state.is_open for task in fleet.tasks.values())
    most = TASKS_PER_AGENT * lead.agents
    if there + more > most:
        raise Refusal(f"lead {name} may have {most} open tasks, and has {there}: wait until some are done")


def _full(fleet: Fleet, lead: Lead) -> str:
    at_work = sum(agent.lead == lead.name and not agent.has_ended for agent in fleet.agents.values())
    if at_work < lead.agents:
        return ""
    return f"lead {lead.name} may have {lead.agents} agents at work at once, and has {at_work}"


def lead_waits(fleet: Fleet, name: str, now: int) -> str:
    """Why no task of a lead starts now; "": one may."""
    try:
        return _full(fleet, working(fleet, name, now))
    except Refusal as no:
        return str(no)


def may_be_on(fleet: Fleet, lead: str, profile: Profile, host: Host) -> bool:
    """Whether work of a lead, or of a profile whose agents lead others, may be on a host."""
    gives = fleet.leads.get(lead)
    return not (lead and (gives is None or host.name not in gives.hosts)) and _leads_from(profile, host)


def in_force(fleet: Fleet, name: str) -> str:
    """The name of a lead whose rights still bind the agents that it began; "": it was removed, or there is none."""
    lead = fleet.leads.get(name)
    return name if lead is not None and not lead.removed else ""


def _leads_from(profile: Profile | None, host: Host) -> bool:
    return profile is None or not profile.lead or host.kind is HostKind.LOCAL


def check_place(fleet: Fleet, profile: str, host: Host) -> None:
    """See that an agent which leads others begins where the engine is. Raises `Refusal`."""
    if not _leads_from(fleet.profiles.get(profile), host):
        raise Refusal(
            f"agents of profile {profile} lead others, and the engine that they talk to is on this machine: "
            f"start them on a host of kind local, not on {host.name}"
        )


# --------------------------------------------------------------------------- giving rights


def check_added(fleet: Fleet, lead: Lead, now: int) -> None:
    """See that a lead can be given such rights. Raises `Refusal`."""
    if not NAME.fullmatch(lead.name):
        raise Refusal(f"{ascii(lead.name)[:60]} cannot name a lead: use 1 to 41 of a-z 0-9 _ -")
    _check_name(fleet, lead.name)
    _check_amounts(lead, now)
    if not lead.hosts or not lead.profiles or LeadVerb.UNKNOWN in lead.verbs:
        raise Refusal("a lead needs verbs, hosts and profiles")
    for host in lead.hosts:
        host_named(fleet, host)
    for name in lead.profiles:
        profile = profile_named(fleet, name)
        if profile is None or profile.kind is not AgentKind.HEADLESS:
            raise Refusal(f"profile {name} is not headless: what other agents spend cannot be held to a ceiling")
        if profile.lead:
            raise Refusal(f"agents of profile {name} lead others themselves: a lead starts none of those")


def _check_name(fleet: Fleet, name: str) -> None:
    before = fleet.leads.get(name)
    if before is not None and not before.removed:
        raise Refusal(f"there is a lead {name} already: remove it first, or choose another name")
    if before is not None and any(agent.lead == name for agent in fleet.agents.values()):
        raise Refusal(f"agents of the lead {name} that was removed are still there: forget them, or choose a name")
    if len(fleet.leads) >= MOST_LEADS:
        raise Refusal(f"there are {MOST_LEADS} leads, which are the most: remove some")


def _check_amounts(lead: Lead, now: int) -> None:
    if not 1 <= lead.agents <= MOST_AGENTS:
        raise Refusal(f"a lead has 1 to {MOST_AGENTS} agents at work at once")
    if not 0 < lead.limit <= MOST_LIMIT:
        raise Refusal("a lead needs a ceiling: what its agents may spend in all")
    if lead.until and lead.until <= now:
        raise Refusal("the time of this lead would be over already")


def added(lead: Lead, who: str, now: int) -> Lead:
    """The lead as it is kept."""
    return replace(lead, added=now, who=redact(sanitize(who, 120)), removed=0)
