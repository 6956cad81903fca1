"""Verbs for money: budgets."""

from controlroom.cli import budget_arguments as take
from controlroom.cli.verbs.verb import Verb

VERBS: tuple[Verb, ...] = (
    Verb(
        "budget show",
        "look",
        "[--json]",
        "Show budgets: what is spent, what is granted, when they run out.",
        "GRANTED is what running agents may still spend, with or without the engine; with what is spent it stays below "
        "the stop line. AT MOST + is what messages under way could add. What a plan covers is marked ≈. With "
        "--json amounts are whole micro-dollars, tokens or per cent, as `unit` says, and times milliseconds of UTC.",
        ("controlroom budget show", "controlroom budget show --json | jq '.[] | select(.rungs_reached > 0)'"),
        "budget:show",
        take.show,
    ),
    Verb(
        "budget set",
        "steer",
        "NAME --limit L [--period hour|day|week|month] [--scope S]\n"
        "       [--unit billed|covered|tokens|window] [--window W]\n"
        "       [--ladder 50:notify,80:hold,95:pause] [--order priority|all] [--dry-run]",
        "Limit what is spent, at once and with nobody looking.",
        "Each agent is granted a part that its host keeps to, also when this machine is off. The ladder says what is "
        "done at how many per cent: notify, hold (no new work), cheaper (new work goes to cheaper models), pause, "
        "interrupt, stop. Agents that were paused go on when there is money again. Of a budget that "
        "exists, only what is given changes.",
        (
            "controlroom budget set day --limit 8",
            "controlroom budget set docs --limit 5M --unit tokens --period hour --scope 'profile docs'",
            "controlroom budget set week --limit 85 --unit window --window seven_day --ladder 90:hold,100:pause",
        ),
        "budget:set_one",
        take.set_one,
    ),
    Verb(
        "budget remove",
        "steer",
        "NAME",
        "Remove a budget; what it paused goes on.",
        "",
        ("controlroom budget remove day",),
        "budget:remove",
        take.remove,
    ),
)
