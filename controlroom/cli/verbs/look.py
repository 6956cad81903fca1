"""Verbs that look, and change nothing."""

from controlroom.cli import advice_arguments as advice
from controlroom.cli import arguments as take
from controlroom.cli.verbs.verb import Verb

VERBS: tuple[Verb, ...] = (
    Verb(
        "status",
        "look",
        "[--json]",
        "Show hosts and agents; what needs a person comes first.",
        "A fresh engine needs a moment: it waits up to three seconds for hosts that are still connecting.",
        ("controlroom status", "controlroom status --json | jq '.agents[] | select(.state == \"waiting\")'"),
        "status:status",
        take.status,
    ),
    Verb(
        "costs",
        "look",
        "[--by agent|profile|host|model|folder|day|hour] [--since WHEN]\n       [--json | --csv]",
        "Show what was spent.",
        "Every API message of every Claude agent is counted once, at the price of its moment. What a plan covers is "
        "not billed: its list price is marked ≈ and is never added to what keys pay. AN HOUR is what an hour of an "
        "agent cost, working or waiting, agents that are gone included; – where their hours were not all seen, or "
        "where two kinds of account paid. WHEN is 90m, 12h, 7d, today or a day.",
        ("controlroom costs --by model --since today", "controlroom costs --by day --since 7d --csv | column -s , -t"),
        "costs:costs",
        take.costs,
    ),
    Verb(
        "limits",
        "look",
        "[--json]",
        "Show what is left of every limit.",
        "Windows of plans, for each login across all hosts, as Claude last reported them: one that was never reported "
        "may not exist, and is not shown as empty. What keys used of the API in the last minute, by class of model, "
        "against the ceilings of [api] in config.toml. ~ marks what is worked out here, not read.",
        ("controlroom limits", "controlroom limits --json | jq '.[] | select(.left != null and .left < 10)'"),
        "limits:limits",
        take.status,
    ),
    Verb(
        "plan",
        "look",
        "[--days N] [--can-wait PERCENT] [--cache-hit PERCENT]\n"
        "       [--committed DOLLARS --tokens-per-minute N] [--json]",
        "Compare what was used with other ways to pay for it or to do it.",
        "Pay per use, each plan, throughput that somebody offers by the hour, a batch, better caching, cheaper models: "
        "what a month costs, where it breaks even, and all assumptions. What keys pay and what "
        "plans cover are compared apart. A plans.toml beside config.toml says what you know better.",
        ("controlroom plan", "controlroom plan --days 7 --committed 12.50 --tokens-per-minute 200000"),
        "plan:plan",
        advice.plan,
    ),
    Verb(
        "estimate",
        "look",
        "--agents N --hours H --requests-per-hour R [--model M] [--days D]\n"
        "       [--input-tokens N] [--output-tokens N] [--cache-hit PERCENT] [--offline] [--json]",
        "Estimate what a fleet would need: dollars, a tier of the API, machines.",
        "Low, mid and high come from what was measured here for that model; where nothing was, from assumed figures, "
        "and it says so. Prices of machines are as old as they say; machines.toml beside config.toml says yours.",
        (
            "controlroom estimate --agents 10 --hours 8 --requests-per-hour 60",
            "controlroom estimate --agents 40 --hours 24 --requests-per-hour 120 --model claude-haiku-5-5 --offline",
        ),
        "estimate:estimate",
        advice.estimate,
    ),
    Verb(
        "logs",
        "look",
        "AGENT [-n N] [-f] [--raw] [--epoch E]\n       [--grep TEXT [-i] [--regex]]",
        "Print an agent's log.",
        "Lines are made safe for a terminal. --raw prints what the agent wrote, byte for byte, each line whole, "
        "without what the runner and the operator said: for files and pipes. -f goes on until the run has ended. "
        "--grep searches the whole log on its host and prints the last N lines that match.",
        (
            "controlroom logs docs-1 -n 50 -f",
            "controlroom logs docs-1 --raw | jq -r .type",
            "controlroom logs docs-1 --grep 'tests? failed' --regex",
        ),
        "logs:logs",
        take.logs,
    ),
    Verb(
        "explain",
        "look",
        "AGENT [--json]",
        "Say why an agent's state is what it is, and what to do next.",
        "What decided the state, what every source says and how long ago, what disagrees, how its host stands.",
        ("controlroom explain docs-1", "controlroom explain vm1/docs-1 --json | jq '.steps[].command'"),
        "explain:explain",
        take.explain,
    ),
    Verb(
        "attach",
        "look",
        "AGENT [--read-only]",
        "Connect this terminal to an agent's, over a connection of its own.",
        "` then q leaves, and so does a tap on the line at the bottom; ` twice types one. Over SSH the system's ssh is "
        "used, with the keys of hosts that this room knows.",
        ("controlroom attach docs-1", "controlroom attach vm1/docs-1 --read-only"),
        "attach:attach",
        take.attach,
    ),
    Verb(
        "attached",
        "look",
        "[--json]",
        "Show who is attached to the engine: from where, with what rights, since when.",
        "Names and terminals are what front ends say of themselves; what they may do, and the address of those that "
        "come over SSH, the engine knows.",
        ("controlroom attached", "controlroom attached --json | jq '.[] | select(.rights == \"all\")'"),
        "attached:attached",
        take.status,
    ),
    Verb(
        "watch",
        "look",
        "[--theme NAME]",
        "Open the screen to look, and nothing else.",
        "It uses a socket of the engine through which nothing can be changed, whatever is pressed or sent. It starts "
        "no engine: where none runs, it waits for one.",
        ("controlroom watch",),
        "engine:watch",
        take.watch,
    ),
)
