"""What follows from the rungs of a budget that were reached: alarms, agents that are stopped, new work that is held.

And what would follow if a budget became another one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields

from controlroom.domain.budgets import (
    STOPPING,
    Budget,
    BudgetUnit,
    Period,
    Rung,
    RungAction,
    ScopeKind,
    StopOrder,
    read_scope,
)
from controlroom.domain.gauges import Alarm, AlarmKind, AlarmLevel, LimitKind
from controlroom.domain.limits.headroom import window_name
from controlroom.domain.model import Agent, Fleet, State
from controlroom.domain.money.allotment import MONEY, Fund, Run, RunGrant
from controlroom.domain.money.budget import (
    CRUMB,
    BudgetRule,
    amount,
    counts,
    covers,
    described,
    ladder,
    period_words,
    reached,
    window,
)
from controlroom.domain.words import named_some, percent
from controlroom.text.states import AgentKind, Cause, Payer

_DONE = {
    RungAction.NOTIFY: "",
    RungAction.HOLD: "new work is held",
    RungAction.CHEAPER: "new work goes to cheaper models",
    RungAction.PAUSE: "agents are paused",
    RungAction.INTERRUPT: "agents are interrupted",
    RungAction.STOP: "agents are ended",
}

_WOULD = {
    RungAction.NOTIFY: "",
    RungAction.HOLD: "would hold new work",
    RungAction.CHEAPER: "would send new work to cheaper models",
    RungAction.PAUSE: "would pause agents",
    RungAction.INTERRUPT: "would interrupt agents",
    RungAction.STOP: "would end agents",
}


def alarm(budget: Budget, until: str, since: int, unstopped: Sequence[str] = ()) -> Alarm | None:
    """What a budget has come to, None while it has reached nothing. It is told again when another rung is reached.

    `until`: when its period ends; `unstopped`: ids of adopted agents in its scope, which nothing here stops.
    """
    if not budget.reached:
        return None
    rungs = budget.rungs[: budget.reached]
    stops = any(rung.action in STOPPING for rung in rungs) and not budget.dry_run
    ends = f", until it resets at {until} or is raised" if until else ", until it is raised"
    ends = "; its lead may start nothing more" if budget.period is Period.EVER else ends
    also = f"; adopted agents spend on: {named_some(unstopped)}" if stops and unstopped else ""
    text = f"{told(budget, rungs[-1])}{ends if _DONE[rungs[-1].action] and not budget.dry_run else ''}{also}"
    level, mark = AlarmLevel.DANGER if stops else AlarmLevel.WARNING, f"{len(rungs)} {ladder(rungs)}"
    return Alarm(text, level, since, mark=mark, kind=AlarmKind.BUDGET, subject=budget.name)


def told(budget: Budget, rung: Rung) -> str:
    """Say how much is gone, and what is done at the rung that was reached."""
    done = f"; {_DONE[rung.action]}" if _DONE[rung.action] else ""
    if budget.dry_run and done:
        done = f"; armed, it {_WOULD[rung.action]}"
    gone = f"{percent(budget.percent)} of {_whole(budget)} is gone" if budget.percent is not None else "no reading"
    if budget.percent is not None and budget.percent < rung.percent:
        gone += ", and the rest is too little to go on with"
    return f"budget {budget.name} ({budget.scope}): {gone}{done}"


def _whole(budget: Budget) -> str:
    return amount(budget.limit, budget.unit) + (
        f" of {window(budget.window)}" if budget.unit is BudgetUnit.WINDOW else ""
    )


_KEPT = tuple(field.name for field in fields(BudgetRule))


def rule_of(budget: Budget) -> BudgetRule:
    """The rule that a budget stands for."""
    return BudgetRule(**{name: getattr(budget, name) for name in _KEPT})


def difference(budget: Budget | None, rule: BudgetRule) -> list[str]:
    """What is different once a budget is as a rule says, a sentence each; `budget`: as it stands, None: there is none.

    Nothing: it is so already.
    """
    if budget is None:
        at = amount(rule.stop, rule.unit)
        return [f"{rule.name} stops agents at {at}" if rule.binds else f"{rule.name} stops nobody{_why_unarmed(rule)}"]
    old, lines = rule_of(budget), list[str]()
    if old.binds and not rule.binds:
        lines.append(f"{rule.name} no longer stops anybody{_why_unarmed(rule)}")
    if rule.binds and not old.binds:
        lines.append(f"{rule.name} stops agents from now on, at {amount(rule.stop, rule.unit)}")
    lines += [
        f"{word} {was} → {becomes}"
        for word, was, becomes in (
            ("limit", amount(old.limit, old.unit), amount(rule.limit, rule.unit)),
            ("period", period_words(old), period_words(rule)),
            ("scope", old.scope, rule.scope),
            ("ladder", ladder(old.rungs) or "none", ladder(rule.rungs) or "none"),
            ("order", old.order, rule.order),
        )
        if was != becomes
    ]
    same = (old.unit, old.period, old.window, old.scope) == (rule.unit, rule.period, rule.window, rule.scope)
    return lines + _at_once(budget, rule) if lines and same and budget.spent is not None else lines


def _why_unarmed(rule: BudgetRule) -> str:
    return ": it is disarmed, and only says what it would do" if rule.dry_run else ": nothing on its ladder does"


def _at_once(budget: Budget, rule: BudgetRule) -> list[str]:
    """What follows at once from what is gone already."""
    gone = budget.spent or 0
    rungs = rule.rungs[: reached(rule, gone)]
    does = [(_WOULD if rule.dry_run else _DONE)[rung.action] for rung in rungs if _DONE[rung.action]]
    share = f"{percent(100 * gone / rule.limit)} of {amount(rule.limit, rule.unit)} is gone then"
    lines = [f"{share}: {', '.join(dict.fromkeys(does))}" if does else f"{share}: nothing is held or stopped for it"]
    if pauses(budget) and not any(rung.action in STOPPING for rung in rungs if not rule.dry_run):
        lines.append("agents that it paused go on")
    return lines


def previewed(budget: Budget | None, rule: BudgetRule) -> list[str]:
    """What a dry run says: nothing has changed, what the budget would be, and what would be different."""
    changes = difference(budget, rule) or [f"{rule.name} is so already"]
    return [f"nothing is changed; it would be: {rule.name}: {described(rule)}", *(f"  {line}" for line in changes)]


def waits_for(rule: BudgetRule, fleet: Fleet) -> str:
    """What a budget waits for that stops nobody as things are: it may be a slip of the pen; "" where it does."""
    windows = (gauge.name for gauge in fleet.headroom.values() if gauge.kind is LimitKind.WINDOW)
    if rule.unit is BudgetUnit.WINDOW and window_name(rule.window) not in windows:
        return f"nobody has said yet how much of {window(rule.window)} is used: until then it stops nobody; see limits"
    kind, name = read_scope(rule.scope)
    if kind is ScopeKind.AGENT and name not in fleet.agents:
        if (theirs := next(iter(fleet.find(name)), None)) is not None:
            return (
                f"{name} is what {theirs.id} was taken over as, which stands under that name in the books: say "
                f'--scope "agent {theirs.id}"; until it goes on under a runner, this budget counts nothing'
            )
        return f"there is no agent {name} yet: until there is, it stops nobody"
    return ""


def stopped_by(rule: BudgetRule, runs: Iterable[Run]) -> frozenset[str]:
    """The agents, by id, that a stopping rung stops now: all, or those of the lowest priority there is."""
    theirs = list(runs)
    lowest = min((run.priority for run in theirs), default=0)
    return frozenset(run.id for run in theirs if rule.order is StopOrder.ALL or run.priority == lowest)


def stopping(budget: Budget) -> RungAction | None:
    """The harshest thing that a budget does to agents that run, by now; None: nothing."""
    rungs = () if budget.dry_run else budget.rungs[: budget.reached]
    actions = [rung.action for rung in rungs if rung.action in STOPPING]
    order = (RungAction.INTERRUPT, RungAction.PAUSE, RungAction.STOP)
    return max(actions, key=order.index, default=None)


def holds(budget: Budget, agent: Agent, account: str = "") -> bool:
    """Whether a budget is about an agent that others started, by its own name or the one it was taken over with.

    `account`: of a plan, that it is known to use; "": nobody knows.
    """
    if not counts(budget.unit, agent.billing):
        return False
    kind, name = read_scope(budget.scope)
    if kind is ScopeKind.ACCOUNT:
        return bool(account) and account == name
    profile = agent.adoption.profile if agent.adoption else agent.profile
    return any(covers(budget.scope, agent.host, each, profile) for each in {agent.name, agent.called})


def is_unstopped(budget: Budget, agent: Agent, account: str) -> bool:
    """Whether an agent that others started may spend a budget, and nothing here stops it.

    Nobody has taken it over, or nobody knows whether its account is the one that the budget is about.
    """
    if read_scope(budget.scope).kind is ScopeKind.ACCOUNT and not account:
        return counts(budget.unit, agent.billing)
    return not agent.held and holds(budget, agent, account)


def account_of(fleet: Fleet, agent: Agent, logins: Mapping[str, str]) -> str:
    """The account of a plan that an agent of others uses: the one it is known to use, else the only one there is."""
    accounts = {gauge.account for gauge in fleet.headroom.values() if gauge.kind is LimitKind.WINDOW}
    return logins.get(agent.id) or (accounts.pop() if len(accounts) == 1 else "")


def is_stopped(agent: Agent, action: RungAction) -> bool:
    """Whether an agent that lives already stands as an action of a budget would leave it."""
    return action is RungAction.INTERRUPT and agent.state in (State.IDLE, State.PAUSED)


def pauses(budget: Budget) -> bool:
    """Whether a budget has come to where it pauses agents."""
    return not budget.dry_run and any(rung.action is RungAction.PAUSE for rung in budget.rungs[: budget.reached])


def cut(budget: Budget, fund: Fund, runs: Iterable[Run]) -> frozenset[str]:
    """The agents that may spend no more of a budget, because a rung pauses them."""
    if not pauses(budget):
        return frozenset()
    return stopped_by(fund.rule, (run for run in runs if fund.holds(run)))


UNBOUND = {
    "ungranted": "no budget binds {} until the link is back: the budget came after the link was lost",
    "untaken": "no budget binds {}: its host does not take what it is granted (the engine's log says why); end it, or "
    "look there",
}
"""Alarms about agents that could not be granted anything."""


def unbound(about: str, agents: Sequence[str], fleet: Fleet, now: int) -> Alarm | None:
    """Which agents no budget binds, for one of the reasons of `UNBOUND`; None: there is no such agent."""
    if not agents:
        return None
    standing = fleet.alarms.get(about)
    return Alarm(UNBOUND[about].format(named_some(agents)), AlarmLevel.WARNING, standing.since if standing else now)


def refusal(fleet: Fleet, host: str, name: str, profile: str, billing: Payer, lead: str = "") -> str | None:
    """Which budget holds new work of such an agent, or None."""
    for budget in _binding(fleet, host, name, profile, billing, lead):
        done = [
            rung for rung in budget.rungs[: budget.reached] if rung.action is RungAction.HOLD or rung.action in STOPPING
        ]
        if done and budget.period is Period.EVER:
            return used_up(lead, budget)
        if done:
            period = window(budget.window) if budget.unit is BudgetUnit.WINDOW else f"its {budget.period}"
            return (
                f"budget {budget.name} ({budget.scope}) holds new work from {done[0].percent} % on: "
                f"{amount(budget.spent, budget.unit)} of {amount(budget.limit, budget.unit)} is gone. Wait until "
                f"{period} is over, or raise it: controlroom budget set {budget.name} --limit …"
                f"{_unsaid(budget, billing)}"
            )
    return None


def used_up(lead: str, budget: Budget | BudgetRule, left: str = "", away: int = 0) -> str:
    """That a lead has used up what it has; `left`: what is left of it, `away`: what of that its agents may spend."""
    kept = "which is kept back for what messages in flight may cost"
    granted = f"{amount(away, budget.unit)} of it granted to its agents, the rest kept back for messages in flight"
    rest = f"{left} is left of it, {granted if away else kept}" if left else "nothing that is worth a start is left"
    return f"lead {lead} may spend {amount(budget.limit, budget.unit)} in all, and {rest}: it starts nothing more"


def _unsaid(budget: Budget, billing: Payer) -> str:
    """How to say that a plan pays, where nobody has and what keys pay is held."""
    if billing or budget.unit is not BudgetUnit.BILLED:
        return ""
    return '. If a plan pays for it, let its profile say so: credential = "plan"'


def cheaper(
    fleet: Fleet, model: str, host: str, name: str, profile: str, billing: Payer, lead: str = "", *, margin: int = 0
) -> tuple[str, str]:
    """The model that new work of such an agent goes to, and why, when it is not the one that was meant.

    One step down the chain for every rung that says so and has been reached; a model that is not on the chain stays.
    Without a model it is Claude's own choice, taken for the dearest. `margin`: per cent below a rung that count as it.
    """
    chain = fleet.limits.cheaper
    place = next((index for index, part in enumerate(chain) if part in model), 0 if not model else None)
    steps = [
        budget.name
        for budget in _binding(fleet, host, name, profile, billing, lead)
        for index, rung in enumerate(budget.rungs)
        if rung.action is RungAction.CHEAPER and (index < budget.reached or (margin and _is_near(budget, rung, margin)))
    ]
    if not steps or place is None or not chain:
        return model, ""
    lower = chain[min(place + len(steps), len(chain) - 1)]
    if model and lower in model:
        return model, ""
    return lower, f"{lower} instead of {model or 'the default model'}: budget {steps[0]} goes cheaper"


def _is_near(budget: Budget, rung: Rung, margin: int) -> bool:
    """Whether use may have come that near to a rung: it has, or nobody has said how much is used."""
    return budget.percent is None or budget.percent >= rung.percent - margin


CALM = 5
"""Per cent by which use must be below a rung until agents at work go back to dearer models."""

ANY_MODEL = "default"
"""What Claude calls its own choice of a model."""


def meant_model(fleet: Fleet, agent: Agent) -> str:
    """The model that an agent is to work with, but for budgets; "": Claude's own choice."""
    work = agent.ordered
    profile = fleet.profiles.get(work.profile) if work is not None else None
    if work is None:
        return agent.model
    return work.chosen or (profile.model if profile else work.model)


def other_model(fleet: Fleet, agent: Agent) -> tuple[str, str]:
    """The model that an agent at work is to go over to by its budgets, and why; "": it stays with its own.

    To a cheaper one once a rung says so; back once use is well below it.
    """
    work = agent.ordered
    profile = fleet.profiles.get(work.profile) if work is not None else None
    if work is None or profile is None or not profile.switches_model or agent.kind != AgentKind.HEADLESS:
        return "", ""
    meant, place = meant_model(fleet, agent), (agent.host, agent.name, profile.name, agent.billing)
    now = work.model or ANY_MODEL
    dear, why = cheaper(fleet, meant, *place)
    calm, why_calm = cheaper(fleet, meant, *place, margin=CALM)
    if now in (dear or ANY_MODEL, calm or ANY_MODEL) or _rank(fleet, dear) < _rank(fleet, now) < _rank(fleet, calm):
        return "", ""
    if _rank(fleet, now) > _rank(fleet, calm):
        return calm or ANY_MODEL, why_calm or f"{calm or 'the default model'} again: no budget goes cheaper"
    return dear or ANY_MODEL, why or f"{dear or 'the default model'} again: no budget goes cheaper"


def _rank(fleet: Fleet, model: str) -> int:
    """How cheap a model is: its place on the chain."""
    return next((index for index, part in enumerate(fleet.limits.cheaper) if part in model), 0)


def left(fleet: Fleet, profile: str, billing: Payer) -> list[float]:
    """Per cent that is left of each budget that binds all new work of a profile, with whoever pays."""
    binding = _binding(fleet, "", "", profile, billing)
    return [max(0.0, 100 - budget.percent) for budget in binding if budget.percent is not None]


def payer(fleet: Fleet, profile: str, credential: str = "") -> Payer:
    """Who will pay for new work, as its profile says; "": unknown, and both kinds of budgets hold it.

    Who pays for others of the profile is what their hosts say: none of them talks its next agent out of a budget.
    """
    named = fleet.profiles.get(profile)
    chosen = next((each for each in named.credentials if each.name == credential), None) if named else None
    return chosen.billing if chosen else named.billing if named else Payer.UNKNOWN


def is_paused(agent: Agent) -> bool:
    """Whether an agent was paused for want of money, and not by anybody, as its host says."""
    return agent.state is State.PAUSED and agent.cause is Cause.BUDGET


def pausing(fleet: Fleet, agent: Agent) -> list[Budget]:
    """The budgets that an agent which was paused for want of money waits for: the spent ones of those that bind it."""
    bound = [budget for budget in binding(fleet, agent) if rule_of(budget).binds] if is_paused(agent) else []
    spent = [budget for budget in bound if pauses(budget) or (budget.spent or 0) >= budget.stop]
    return spent or bound


def binding(fleet: Fleet, agent: Agent) -> Iterator[Budget]:
    """The budgets that bind an agent."""
    return _binding(fleet, agent.host, agent.name, agent.profile, agent.billing, agent.lead)


def _binding(fleet: Fleet, host: str, name: str, profile: str, billing: Payer, lead: str = "") -> Iterator[Budget]:
    for budget in fleet.budgets.values():
        kind, account = read_scope(budget.scope)
        theirs = covers(budget.scope, host, name, profile, lead) or (
            kind is ScopeKind.ACCOUNT and any(gauge.account == account for gauge in fleet.headroom.values())
        )
        if theirs and not budget.dry_run and counts(budget.unit, billing):
            yield budget


LATE = 60_000
"""Milliseconds after which what a run spent before it was paused is booked."""

_MARGIN = 180_000
"""Milliseconds by which a runner may take its grant to end before we do."""

_ROUNDING = 2
"""Per cent by which readings of one window differ."""


def ran_dry(agent: Agent, given: RunGrant | None, booked: Run | None, fleet: Fleet) -> bool:
    """Whether an agent of ours that is said to be paused by a budget was: what it was granted last is gone.

    Half of it will do: its runner counts what is not booked yet, and by the prices that it was sent.
    """
    if agent.ordered is None or not is_paused(agent) or given is None:
        return False
    if given.ends and (agent.ended or agent.since) >= given.ends - _MARGIN:
        return True
    gone = {unit: booked.gone(unit) if booked else 0 for unit in MONEY}
    tops = {unit: top for unit in MONEY if (top := given.ceiling(unit)) is not None}
    spent = any(2 * gone[unit] >= top or top - gone[unit] <= CRUMB[unit] for unit, top in tops.items())
    return spent or _is_used(given.windows, fleet)


def _is_used(windows: Mapping[str, int], fleet: Fleet) -> bool:
    """Whether a window of a plan is used as far as it may be."""
    used = {
        gauge.name: gauge.used for gauge in fleet.headroom.values() if gauge.kind is LimitKind.WINDOW and gauge.used
    }
    return any((used.get(window_name(window)) or 0) >= most - _ROUNDING for window, most in windows.items())


def is_late(agent: Agent, now: int) -> bool:
    """Whether all that an agent spent before its pause is booked by now."""
    return now - (agent.ended or agent.since) > LATE
