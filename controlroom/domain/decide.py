"""(Fleet, Intent, op, now) -> what to do, or Refused with a reason that a person can act on.

The same sentence is the toast on the screen and the error on the command line. What is on its way counts: two quick
presses cannot both take the last of anything.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

from controlroom.domain import adopting, intents
from controlroom.domain.address import HostKind, kind_of
from controlroom.domain.audit import verb_of
from controlroom.domain.branch_decisions import branch_effect
from controlroom.domain.branch_intents import BranchIntent
from controlroom.domain.budgets import Period, ScopeKind, read_scope
from controlroom.domain.events import AdoptedForgotten, Event, HostAdded, HostRemoved, Ordered
from controlroom.domain.intents import order_of
from controlroom.domain.lead_rights import check_again, check_leads, check_place
from controlroom.domain.model import Agent, Fleet, Host, LinkState, Profile
from controlroom.domain.money import budget, ladder
from controlroom.domain.new_work import NewWork, joined_notes
from controlroom.domain.orders import ENDS, NO_TERMS, ROWS, Order, RunTerms, Work
from controlroom.domain.preconditions import (
    Refusal,
    check_base,
    check_credential,
    check_kind,
    check_session,
    check_size,
    check_task,
    check_work,
    current,
    default_host,
    ended_words,
    host_named,
    known_agent,
    linked,
    movable_work,
    no_room_for,
    no_session,
    not_pending,
    ordered_work,
    profile_named,
    reachable,
    running,
    shown_task,
    starting,
    state_words,
    takes_work,
    unfit_for_worktree,
)
from controlroom.domain.questions import CUT, NOTHING_LASTING, Question, QuestionKind, Unfit, fitting
from controlroom.domain.queue import attempts
from controlroom.domain.queue.credentials import credential_for, lacks_for
from controlroom.domain.words import nearest, since
from controlroom.domain.worktrees import HEAD, DropWorktree
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.names import LOCAL, agent_name_problem, host_name_problem, is_model, shown_name_problem
from controlroom.text.states import YES, AdoptedSignal, AgentKind, ItemAnswer, TellKind, Verdict

_DENIES = "a denial answers all of it: choose nothing, or say why in words"

HOME_FOLDER = "~"
"""The host user's home, as an order names it."""


@dataclass(frozen=True)
class Decision:
    """It may be done: what is true at once, and what is asked of the world."""

    events: tuple[Event, ...] = ()
    effect: intents.Effect | None = None
    note: str = ""
    """What is done otherwise than it was meant, and why; for the audit."""
    row: Agent | None = None
    """How the run looks that is to begin, until its host shows it."""
    order: Order | None = None
    """What its host, or the host that an agent is moved from, is ordered."""


@dataclass(frozen=True)
class Refused:
    """It may not be done; nothing has changed."""

    reason: str


def decide(fleet: Fleet, intent: intents.Intent, op: int, now: int, who: str = "") -> Decision | Refused:
    """Decide what `who` wants against the fleet as it is. `op` names the order; `now` is UTC milliseconds."""
    try:
        _check_halt(fleet, intent, now)
        decision = _DECISIONS[type(intent)](fleet, intent, now)
    except Refusal as no:
        return Refused(str(no))
    effect = decision.effect
    if isinstance(effect, intents.MoveOn):
        order = order_of(effect.end, "move", op, now, who)
        rows = Ordered(order), Ordered(order_of(effect.start, "spawn", op, now, who), decision.row)
        return replace(decision, events=rows, order=order)
    if isinstance(effect, intents.NodeEffect):
        order = order_of(effect, verb_of(intent), op, now, who)
        shown = (Ordered(order, decision.row),) if order.verb in ROWS else ()
        return replace(decision, events=shown, order=order)
    return decision


def _check_halt(fleet: Fleet, intent: intents.Intent, now: int) -> None:
    """See that a halt does not forbid it: while the room is halted nothing starts, and nothing goes on."""
    halt = fleet.queue.halt
    goes_on = isinstance(
        intent,
        (
            intents.SpawnAgent,
            intents.ReassignAgent,
            intents.RetryAgent,
            intents.ResumeAgent,
            intents.RestartAdopted,
            intents.SendMessage,
        ),
    )
    if isinstance(intent, intents.AnswerQuestion):
        goes_on = intent.verdict != Verdict.DENY and intent.subject not in fleet.hosts
    if halt is not None and goes_on:
        raise Refusal(
            f"the room is halted by {halt.who}, {since(now - halt.at)}: nothing starts or goes on. "
            "To end that: controlroom resume"
        )


def _kind(intent: intents.SpawnAgent, profile: Profile | None) -> AgentKind:
    if intent.kind:
        check_kind(intent.kind)
        return AgentKind(intent.kind)
    if profile:
        return profile.kind
    return AgentKind.COMMAND if intent.command else AgentKind.HEADLESS


def _spawn(fleet: Fleet, intent: intents.SpawnAgent, now: int) -> Decision:
    if problem := agent_name_problem(intent.name):
        raise Refusal(problem)
    host = takes_work(reachable(fleet, intent.host or default_host(fleet), now))
    agent = fleet.agents.get(f"{host.name}/{intent.name}")
    if agent and (agent.pending or not agent.has_ended):
        raise Refusal(
            f"{agent.id} is there already, {state_words(fleet, agent, now)}: choose another name, or reassign it"
        )
    if theirs := next((one for one in fleet.agents_on(host.name) if one.adoption and one.called == intent.name), None):
        adopting.check_ended(theirs)
    profile = profile_named(fleet, intent.profile)
    check_base(intent.worktree)
    kind = _kind(intent, profile)
    check_leads(fleet, intent, agent, host, now)
    check_credential(profile, intent.credential, kind)
    command = intent.command or (profile.command if profile else ())
    check_work(kind, command, intent.task)
    if reason := no_room_for(fleet, host, kind):
        raise Refusal(reason)
    wanted = intent.credential or intent.decided
    worktree = intent.worktree or (profile.worktree if profile else "")
    lacks = lacks_for(fleet, host.name, kind, command, profile, wanted)
    if not intent.anyway and (lacks := lacks or unfit_for_worktree(fleet, host.name, worktree)):
        raise Refusal(f"{host.name} is not fit for it: {lacks}. To start it all the same: controlroom spawn --anyway …")
    meant = intent.model or (profile.model if profile else "")
    credential, taken = credential_for(fleet, profile, meant, host.name, now, wanted)
    payer = ladder.payer(fleet, intent.profile, credential)
    work = NewWork(fleet, kind, host.name, intent.name, intent.profile, payer, intent.lead)
    work.check()
    model, note = work.model(meant)
    effect = intents.SpawnOn(
        host.name,
        intent.name,
        agent.epoch + 1 if agent else 1,
        intent.task,
        kind,
        intent.profile,
        model,
        intent.cwd or (profile.cwd if profile else ""),
        command,
        terms=intent.terms,
        chosen=intent.model,
        credential=credential,
        worktree=worktree,
        chosen_credential=intent.credential,
        lead=intent.lead,
    )
    return Decision((), effect, joined_notes(taken, note), starting(effect, now))


def _kill(fleet: Fleet, intent: intents.KillAgent, now: int) -> Decision:
    if (theirs := adopting.taken_over(fleet, intent)) is not None:
        return Decision(effect=adopting.signalled(fleet, theirs, AdoptedSignal.END, now))
    agent = current(fleet, intent.agent, intent.epoch, now)
    reachable(fleet, agent.host, now)
    if agent.has_ended:
        later = "; it goes on by itself when there is money again: forget it to prevent that"
        waits = later if ladder.is_paused(agent) else ""
        raise Refusal(f"{agent.id} has ended already ({ended_words(agent, now)}){waits}")
    if agent.pending and agent.pending.verb in (*ENDS, "move"):
        doing = "moved" if agent.pending.verb == "move" else "ended"
        raise Refusal(f"{agent.id} is being {doing} already, {since(now - agent.pending.at)}")
    return Decision(effect=intents.KillOn(agent.host, agent.name, agent.epoch))


def _pause(fleet: Fleet, intent: intents.PauseAgent, now: int) -> Decision:
    if (theirs := adopting.taken_over(fleet, intent)) is not None:
        if not theirs.session:
            raise Refusal(f"{theirs.id} has no Claude session to keep: it cannot be paused, only killed")
        return Decision(effect=adopting.signalled(fleet, theirs, AdoptedSignal.END, now))
    agent = running(fleet, intent.agent, intent.epoch, now)
    if reason := no_session(agent):
        raise Refusal(f"{agent.id} {reason}: it cannot be paused, only killed")
    return Decision(effect=intents.KillOn(agent.host, agent.name, agent.epoch, "paused"))


def _reassign(fleet: Fleet, intent: intents.ReassignAgent, now: int) -> Decision:
    agent = current(fleet, intent.agent, intent.epoch, now)
    if intent.host and intent.host != agent.host:
        return _move(fleet, agent, intent, now)
    reachable(fleet, agent.host, now)
    not_pending(agent, now)
    ordered = ordered_work(agent, trust=intent.trust)
    profile_named(fleet, ordered.profile)
    check_task(ordered.kind, intent.task)
    if intent.keep_session and not agent.session:
        raise Refusal(f"{agent.id} has no Claude session to go on with: reassign it without --continue")
    session = agent.session if intent.keep_session else ""
    return _again(fleet, agent, ordered, intent.task, session, now, intent.terms, intent.decided)


def _retry(fleet: Fleet, intent: intents.RetryAgent, now: int) -> Decision:
    """See that it may be begun again; its task is read first, and is then a new one like any other."""
    agent = current(fleet, intent.agent, intent.epoch, now)
    reachable(fleet, agent.host, now)
    not_pending(agent, now)
    ordered_work(agent, trust=False)
    return Decision()


def _again(
    fleet: Fleet,
    agent: Agent,
    ordered: Work,
    task: str,
    session: str,
    now: int,
    terms: RunTerms = NO_TERMS,
    wanted: str = "",
    held: bool = True,
) -> Decision:
    """Begin the agent's next run where it is.

    `wanted`: the credential that the queue decided on; `held`: whether budgets may hold it.
    """
    takes_work(host_named(fleet, agent.host))
    check_again(fleet, agent, ordered.lead)
    check_session(fleet, agent, session)
    profile = profile_named(fleet, ordered.profile)
    check_credential(profile, ordered.chosen_credential)
    meant = ordered.chosen or (profile.model if profile else ordered.model)
    credential, taken = credential_for(
        fleet,
        profile,
        meant,
        agent.host,
        now,
        wanted or ordered.chosen_credential,
        ordered.credential if session else None,
    )
    payer = ladder.payer(fleet, ordered.profile, credential)
    work = NewWork(fleet, ordered.kind, agent.host, agent.name, ordered.profile, payer, ordered.lead)
    if held:
        work.check()
    model, note = work.model(meant)
    effect = intents.SpawnOn(
        agent.host,
        agent.name,
        agent.epoch + 1,
        task,
        ordered.kind,
        ordered.profile,
        model,
        ordered.cwd or HOME_FOLDER,
        profile.command if profile else (),
        session,
        0 if agent.has_ended else agent.epoch,
        terms,
        ordered.chosen,
        credential,
        ordered.worktree,
        ordered.chosen_credential,
        ordered.lead,
    )
    return Decision((), effect, joined_notes(taken, note), starting(effect, now))


def _resume(fleet: Fleet, intent: intents.ResumeAgent, now: int) -> Decision:
    agent = current(fleet, intent.agent, intent.epoch, now)
    host = reachable(fleet, agent.host, now)
    not_pending(agent, now)
    if not agent.has_ended:
        raise Refusal(f"{agent.id} has not ended ({state_words(fleet, agent, now)}): send it a message")
    if none := no_session(agent):
        raise Refusal(f"{agent.id} {none} to go on in: retry gives it its task again")
    if intent.paced:
        ordered_work(agent, trust=False)
        return Decision()
    if reason := no_room_for(fleet, host, agent.kind):
        raise Refusal(reason)
    ordered = ordered_work(agent, trust=False)
    check_task(ordered.kind, intent.task)
    terms = attempts.terms(fleet, agent)
    held = not ladder.is_paused(agent)
    decision = _again(fleet, agent, ordered, intent.task, agent.session, now, terms, held=held)
    return replace(decision, row=replace(decision.row, task=agent.task) if decision.row else None)


def _move(fleet: Fleet, agent: Agent, intent: intents.ReassignAgent, now: int) -> Decision:
    """The same agent on another host: all that can be known against it is said before anything is ended."""
    if not fleet.reachable(agent):
        raise Refusal(_unmovable(host_named(fleet, agent.host), agent, now))
    reachable(fleet, agent.host, now)
    not_pending(agent, now)
    target = takes_work(reachable(fleet, intent.host, now))
    there = fleet.agents.get(f"{target.name}/{agent.name}")
    if there and (there.pending or not there.has_ended):
        raise Refusal(f"{there.id} is there already, {state_words(fleet, there, now)}: kill it first, or choose a host")
    folder = intent.keep_session and not intent.leave_folder
    session = agent.session if intent.keep_session else ""
    task = intent.task or (intents.GO_ON if session else "")
    work = movable_work(agent, task, trust=intent.trust, carried=folder)
    check_session(fleet, agent, session)
    profile = profile_named(fleet, work.profile)
    check_size("the task", intent.task)
    if reason := no_room_for(fleet, target, work.kind):
        raise Refusal(f"{reason}; {agent.id} goes on where it is")
    if target.facts and target.facts.lacks_tmux:
        raise Refusal(
            f"{target.name} has no tmux: install it there (apt-get install tmux); {agent.id} goes on where it is"
        )
    check_credential(profile, work.chosen_credential)
    credential, taken = credential_for(fleet, profile, work.model, target.name, now, work.chosen_credential)
    payer = ladder.payer(fleet, work.profile, credential)
    NewWork(fleet, work.kind, target.name, agent.name, work.profile, payer, work.lead).check()
    check_place(fleet, work.profile, target)
    check_again(fleet, agent, work.lead)
    start = intents.SpawnOn(
        target.name,
        agent.name,
        there.epoch + 1 if there else 1,
        task,
        work.kind,
        work.profile,
        work.model,
        work.cwd,
        profile.command if profile else (),
        session,
        worktree=(work.worktree or HEAD) if folder else "",
        terms=intent.terms if intent.terms != NO_TERMS else attempts.terms(fleet, agent),
        chosen=work.chosen,
        credential=credential,
        chosen_credential=work.chosen_credential,
        lead=work.lead,
    )
    row = replace(starting(start, now), task=shown_task(intent.task) or agent.task, model=agent.model)
    end = intents.KillOn(agent.host, agent.name, agent.epoch, f"moved to {target.name}")
    return Decision(effect=intents.MoveOn(end, start, session, folder), row=row, note=taken)


def _unmovable(host: Host, agent: Agent, now: int) -> str:
    because = f" ({host.reason})" if host.reason else ""
    return (
        f"{host.name} cannot be asked: {host.link} {since(now - host.since)}{because}. Nobody could prove that "
        f"{agent.name} has ended there, and two would work on one task: wait until {host.name} is back. If the "
        f"machine is gone for good: switch it off, controlroom host remove {host.name}, and spawn the task elsewhere"
    )


def _send(fleet: Fleet, intent: intents.SendMessage, now: int) -> Decision:
    agent = running(fleet, intent.agent, intent.epoch, now)
    if agent.kind == AgentKind.COMMAND:
        raise Refusal(f"{agent.id} runs a command, which takes no messages")
    if not intent.text.strip():
        raise Refusal("the message is empty")
    check_size("the message", intent.text)
    return Decision(effect=intents.TellOn(agent.host, agent.name, agent.epoch, TellKind.MESSAGE, text=intent.text))


def _interrupt(fleet: Fleet, intent: intents.InterruptAgent, now: int) -> Decision:
    if (theirs := adopting.taken_over(fleet, intent)) is not None:
        return Decision(effect=adopting.signalled(fleet, theirs, AdoptedSignal.INTERRUPT, now))
    agent = running(fleet, intent.agent, intent.epoch, now)
    if agent.kind == AgentKind.COMMAND:
        raise Refusal(f"{agent.id} runs a command, which cannot be interrupted: kill it instead")
    return Decision(effect=intents.TellOn(agent.host, agent.name, agent.epoch, TellKind.INTERRUPT))


def _restart_adopted(fleet: Fleet, intent: intents.RestartAdopted, now: int) -> Decision:
    move, row, note = adopting.restarted(fleet, intent, now)
    return Decision(effect=move, row=row, note=note)


def _set_model(fleet: Fleet, intent: intents.SetModel, now: int) -> Decision:
    agent = current(fleet, intent.agent, intent.epoch, now)
    if agent.kind == AgentKind.COMMAND:
        raise Refusal(f"{agent.id} runs a command, which has no model")
    if not is_model(intent.model):
        raise Refusal(f"{ascii(intent.model)[:60]} cannot be a model: say it as Claude Code names it, like sonnet")
    work = ordered_work(agent, trust=False)
    if intent.lasting and (agent.has_ended or agent.kind != AgentKind.HEADLESS):
        there = "" if agent.has_ended else "; this one is told on its terminal: attach, and type /model"
        return Decision(note=f"its next run begins with {intent.model}{there}")
    running(fleet, agent.id, intent.epoch, now)
    tell = intents.TellOn(
        agent.host, agent.name, agent.epoch, TellKind.MODEL, text=intent.model, lasting=intent.lasting
    )
    return Decision(effect=tell, note=f"{intent.model} instead of {work.model or agent.model or 'its own'}")


def _answer(fleet: Fleet, intent: intents.AnswerQuestion, now: int) -> Decision:
    if intent.verdict == Verdict.UNKNOWN:
        raise Refusal("an answer is allow, always or deny")
    host = fleet.hosts.get(intent.subject)
    if host:
        return _answer_host(host, intent)
    agent = known_agent(fleet, intent.subject)
    if agent.question is None:
        raise Refusal(f"{agent.id} asks nothing now ({state_words(fleet, agent, now)})")
    asked = agent.question
    if (asked.id, asked.digest) != (intent.question, intent.digest):
        raise Refusal(f"{agent.id} asks something else now: look again")
    if asked.cut and intent.verdict != Verdict.DENY:
        raise Refusal(f"{agent.id}: {CUT}")
    if intent.verdict == Verdict.ALWAYS and not asked.always:
        raise Refusal(f"{agent.id}: {NOTHING_LASTING}")
    reachable(fleet, agent.host, now)
    check_size("the answer", "\n".join([intent.text, *(answer.words for answer in intent.answers)]))
    answers, text = _what_is_said(agent.id, asked, intent)
    tell = intents.TellOn(
        agent.host, agent.name, agent.epoch, TellKind.ANSWER, text, asked.id, intent.verdict, asked.digest, answers
    )
    return Decision(effect=tell)


def _what_is_said(name: str, asked: Question, intent: intents.AnswerQuestion) -> tuple[tuple[ItemAnswer, ...], str]:
    """The answers to the items, and the words beside them. Raises `Refusal` for what does not fit."""
    if intent.verdict == Verdict.DENY or asked.kind is not QuestionKind.CHOICES:
        if intent.answers:
            raise Refusal(
                f"{name} asks nothing that has choices" if asked.kind is not QuestionKind.CHOICES else _DENIES
            )
        return (), intent.text
    if not asked.items:
        if not intent.text.strip():
            raise Refusal(f"{name} wants an answer in words")
        return (), intent.text
    try:
        return fitting(asked, intent.text, intent.answers), ""
    except Unfit as unfit:
        raise Refusal(f"{name}: {unfit}") from None


def _answer_host(host: Host, intent: intents.AnswerQuestion) -> Decision:
    if host.question is None or host.question.id != intent.question:
        raise Refusal(f"{host.name} asks nothing like that now")
    if host.question.kind is QuestionKind.SECRET:
        if intent.verdict != Verdict.DENY and not intent.text:
            raise Refusal(f"{host.name} asks for a secret: say it with the answer")
        secret = intent.text if intent.verdict in YES else None
        return Decision(effect=intents.GiveSecret(host.name, host.question.id, secret))
    return Decision(effect=intents.TrustKey(host.name, host.question.id, intent.verdict in YES))


def _forget(fleet: Fleet, intent: intents.ForgetAgent, now: int) -> Decision:
    known = fleet.agents.get(intent.agent)
    if known is not None and known.adopted and known.has_ended:
        return Decision((AdoptedForgotten(known.id),))
    agent = current(fleet, intent.agent, intent.epoch, now)
    not_pending(agent, now)
    if not agent.has_ended:
        raise Refusal(f"{agent.id} has not ended ({state_words(fleet, agent, now)}): kill it first")
    reachable(fleet, agent.host, now)
    return Decision(effect=intents.ForgetOn(agent.host, agent.name, agent.epoch))


def _add_host(fleet: Fleet, intent: intents.AddHost, now: int) -> Decision:
    if problem := host_name_problem(intent.name):
        raise Refusal(problem)
    if intent.name in fleet.hosts:
        raise Refusal(
            f"a host named {intent.name} is there already ({fleet.hosts[intent.name].address}): choose --name"
        )
    if intent.name == LOCAL and kind_of(intent.address) is not HostKind.LOCAL:
        raise Refusal(f"{LOCAL} is this machine: choose another name")
    for other in fleet.hosts.values():
        if other.address == intent.address:
            raise Refusal(f"{intent.address} is in the room already, as {other.name}")
    effect = intents.ConnectTo(intent.name, intent.address, intent.fingerprint)
    return Decision((HostAdded(intent.name, intent.address, now, intent.labels, intent.size),), effect)


def _remove_host(fleet: Fleet, intent: intents.RemoveHost, now: int) -> Decision:
    host = host_named(fleet, intent.name)
    return Decision((HostRemoved(host.name),), intents.DisconnectFrom(host.name))


def _retry_host(fleet: Fleet, intent: intents.RetryHost, now: int) -> Decision:
    host = host_named(fleet, intent.name)
    if host.link is LinkState.UP:
        raise Refusal(f"{host.name} is connected")
    return Decision(effect=intents.RetryLink(host.name))


def _take_host(fleet: Fleet, intent: intents.TakeHost, now: int) -> Decision:
    host = host_named(fleet, intent.name)
    linked(host, now)
    if host.facts and host.facts.owned:
        raise Refusal(f"this room owns {host.name} already")
    return Decision(effect=intents.TakeOn(host.name))


def _set_budget(fleet: Fleet, intent: intents.SetBudget, now: int) -> Decision:
    rule = intent.rule
    if wrong := budget.problem(rule):
        raise Refusal(wrong)
    _check_scope(fleet, rule)
    if intent.new and rule.name in fleet.budgets:
        raise Refusal(f"there is a budget {rule.name} already: change that one, or choose another name")
    _check_shown(fleet, rule.name, intent.was)
    return Decision()


def _check_scope(fleet: Fleet, rule: budget.BudgetRule) -> None:
    """See that a budget can bind somebody. Raises `Refusal`."""
    kind, name = read_scope(rule.scope)
    if kind is ScopeKind.HOST:
        host_named(fleet, name)
    elif kind is ScopeKind.PROFILE:
        profile_named(fleet, name)
    elif kind is ScopeKind.AGENT:
        host, _, agent = name.partition("/")
        if wrong := host_name_problem(host) or shown_name_problem(agent):
            raise Refusal(f"{ascii(rule.scope)[:60]} binds nobody: {wrong}")


def _check_shown(fleet: Fleet, name: str, was: budget.BudgetRule | None) -> None:
    """See that a budget is what a person was shown of it. Raises `Refusal`."""
    there = fleet.budgets.get(name)
    if was is not None and (there is None or ladder.rule_of(there) != was):
        raise Refusal(f"budget {name} was {'changed' if there else 'removed'} since it was shown: look again")


def _remove_budget(fleet: Fleet, intent: intents.RemoveBudget, now: int) -> Decision:
    there = fleet.budgets.get(intent.name)
    if there is not None and there.period is Period.EVER:
        raise Refusal(f"{intent.name} is the ceiling of a lead, and ends with it: controlroom lead remove")
    if intent.name not in fleet.budgets:
        names = f" (there are {', '.join(sorted(fleet.budgets))})" if fleet.budgets else " (there are none)"
        raise Refusal(f"there is no budget {ascii(intent.name)[:60]}{nearest(intent.name, fleet.budgets) or names}")
    _check_shown(fleet, intent.name, intent.was)
    return Decision()


def _on_branch(fleet: Fleet, intent: BranchIntent | DropWorktree, now: int) -> Decision:
    return Decision(effect=branch_effect(fleet, intent, now))


_DECISIONS: dict[type, Callable[[Fleet, Any, int], Decision]] = {
    intents.SpawnAgent: _spawn,
    intents.KillAgent: _kill,
    intents.ReassignAgent: _reassign,
    intents.RetryAgent: _retry,
    intents.PauseAgent: _pause,
    intents.ResumeAgent: _resume,
    intents.SendMessage: _send,
    intents.AnswerQuestion: _answer,
    intents.InterruptAgent: _interrupt,
    intents.SetModel: _set_model,
    intents.ForgetAgent: _forget,
    intents.RestartAdopted: _restart_adopted,
    intents.AddHost: _add_host,
    intents.RemoveHost: _remove_host,
    intents.RetryHost: _retry_host,
    intents.TakeHost: _take_host,
    intents.SetBudget: _set_budget,
    intents.RemoveBudget: _remove_budget,
    **dict.fromkeys((*get_args(BranchIntent), DropWorktree), _on_branch),
}
