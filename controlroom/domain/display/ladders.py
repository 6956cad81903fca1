"""What there is to say about a budget and about a limit beside its gauge, in sentences that stand alone."""

from controlroom.domain.display.bars import Clock, amount, calm_moment, reached
from controlroom.domain.display.limit_rows import row
from controlroom.domain.display.views import short_model
from controlroom.domain.gauges import Budget, Headroom, Rung
from controlroom.domain.money.budget_words import window
from controlroom.domain.words import age

_STEPS = {
    "notify": "tell",
    "hold": "hold new work",
    "cheaper": "cheaper models",
    "pause": "pause",
    "interrupt": "interrupt",
    "stop": "stop",
}
NO_BUDGET = "no budget: nothing is stopped for its cost; `controlroom budget set day --limit 20` sets one"
NO_LIMIT = (
    "no reading: a plan's windows come with its agents' answers, what the API lets through in a minute from "
    "[api] tier in config.toml"
)


def budget_facts(budget: Budget, now: int, clock: Clock) -> list[str]:
    """Say all that is known of a budget: whose, when it ends, its ladder, what may come on top."""
    facts = ["the whole fleet" if budget.scope == "fleet" else budget.scope]
    facts += [f"{budget.limit} % of {window(budget.period)}"] * (budget.unit == "window")
    facts += [forecast(budget, now, clock)]
    facts += [f"new at {clock(budget.ends)}"] * bool(budget.ends)
    facts += ["dry run: its ladder only says what it would do"] * budget.dry_run
    facts += [ladder(budget)]
    facts += [f"{amount(budget.granted, budget.unit)} granted to running agents"] * bool(budget.granted)
    if budget.rungs and budget.overshoot is not None:
        facts.append(f"at most {amount(budget.overshoot, budget.unit)} over the stop line")
    elif budget.overshoot_unknown:
        facts.append("how far over the stop line is not known")
    return [fact for fact in facts if fact]


def forecast(budget: Budget, now: int, clock: Clock) -> str:
    """Say when a budget ends at this rate."""
    if budget.spent is None:
        return "no reading yet"
    if budget.spent >= budget.limit:
        return "all of it is gone"
    if budget.runs_out is None:
        return ""
    return f"at this rate it ends at {clock(calm_moment(budget.runs_out, now))}"


def ladder(budget: Budget) -> str:
    """Write a ladder: what is done at which share, what was reached marked: `✓ 50 % tell, 80 % hold new work`."""
    if not budget.rungs:
        return "no ladder: nothing is done when it is gone"
    last = reached(budget)
    done = budget.rungs.index(last) if last in budget.rungs else -1
    return ", ".join(_step(rung, place <= done) for place, rung in enumerate(budget.rungs))


def _step(rung: Rung, done: bool) -> str:
    return f"{'✓ ' * done}{rung.percent} % {_STEPS.get(rung.action, rung.action)}"


def limit_facts(one: Headroom, now: int, clock: Clock) -> list[str]:
    """Say all that is known of a limit: what is left, where the reading is from and how old it is, who used it."""
    said = row(one, now, clock)
    facts = [one.account]
    facts += [f"{short_model(one.name.partition(' ')[2])}, a minute"] * (one.kind == "bucket")
    if one.used is not None:
        facts += [f"{said.left} left{'' if one.buffer is None else ' of what you allow'}"] * (said.left != "–")
        read = age(now - one.at)
        facts += [f"read {'just now' if read == 'now' else f'{read} ago'}"] * bool(one.at)
    facts += [f"{'' if one.measured else 'worked out from '}{one.source}"] * bool(one.source)
    facts += [said.who] * bool(said.who)
    return facts
