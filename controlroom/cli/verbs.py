"""The table of verbs: what each is called, what it does in a sentence, an example, its arguments, and what runs it."""

from collections.abc import Iterator

from controlroom.cli import arguments as take
from controlroom.cli.agent_verbs import STEER
from controlroom.cli.branch_verbs import BRANCHES
from controlroom.cli.fleet_verbs import FLEETS
from controlroom.cli.lead_verbs import LEADS
from controlroom.cli.rule_verbs import RULES
from controlroom.cli.task_verbs import TASKS
from controlroom.cli.verb import Verb
from controlroom.cli.worktree_verbs import WORKTREES
from controlroom.client.manual import TOPICS

_LOOK: tuple[Verb, ...] = (
    Verb(
        "status",
        "look",
        "[FILTER...] [--json]",
        "Show hosts and agents; what needs a person comes first.",
        "A FILTER shows only the agents that fit: state:failed, host:vm1, name:, profile:, model:, kind:, a word; with "
        "- before it those that do not (after --: status -- -docs). Right after the engine has started, it waits up to "
        "three seconds for hosts that are still connecting.",
        (
            "controlroom status",
            "controlroom status state:failed,lost host:vm1",
            "controlroom status --json | jq -r '.agents[] | select(.state == \"waiting\") | .id'",
        ),
        "status:status",
        take.whole_status,
    ),
    Verb(
        "questions",
        "look",
        "[--json]",
        "Show all open questions; those that ask alike stand together.",
        "Two agents ask alike when they would do the same, each in its own folder. ID names what is asked: "
        "answer --alike ID answers all who ask it, after a list. Plans and what hosts ask are answered one by one.",
        (
            "controlroom questions",
            "controlroom questions --json | jq -r '.questions[] | \"\\(.id) \\(.askers | length) \\(.title)\"'",
        ),
        "questions:questions",
        take.status,
    ),
    Verb(
        "costs",
        "look",
        "[--by agent|profile|host|model|folder|day|hour] [--since WHEN]\n       [--json | --csv]",
        "Show what was spent.",
        "Every API message of every Claude agent is counted once, at the price of that moment. What a plan covers is "
        "not billed: its list price is marked ≈ and is never added to what keys pay. AN HOUR is what an hour of an "
        "agent cost, working or waiting, agents that are gone included; – where their hours were not all seen, or "
        "where two kinds of account paid. In CSV the totals are rows, too: is_total says which. WHEN is 90m, 12h, 7d, "
        "today or a day.",
        ("controlroom costs --by model --since today", "controlroom costs --by day --since 7d --csv | column -s , -t"),
        "costs:costs",
        take.costs,
    ),
    Verb(
        "costs import",
        "look",
        "[HOST] [--since WHEN] [--never] [--json]",
        "Count what was used before Control Room.",
        "Reads the transcripts that Claude has left on a host (on all that are up), each message once for ever, "
        "however often it is said: also when a session goes on, or lies on two hosts. It stands back behind everything "
        "else there, goes on by itself when something breaks off, and without this command. What it finds is shown "
        "as (imported), at the prices of its time, and takes nothing from budgets. --never: do not, and ask no more.",
        ("controlroom costs import local", "controlroom costs import --since 2026-11-01"),
        "imports:take_in",
        take.costs_import,
    ),
    Verb(
        "limits",
        "look",
        "[--json]",
        "Show what is left of every limit.",
        "Windows of plans, for each login across all hosts, as Claude last reported them: one that was never reported "
        "may not exist, and is not shown as empty. What keys used of the API in the last minute, by class of model, "
        "against the ceilings of [api] in config.toml. ~ marks what is worked out here, not read.",
        (
            "controlroom limits",
            "controlroom limits --json | jq '.limits[] | select(.left_percent != null and .left_percent < 10)'",
        ),
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
        "plans cover are compared apart. Put what you know better into plans.toml beside config.toml.",
        ("controlroom plan", "controlroom plan --days 7 --committed 12.50 --tokens-per-minute 200000"),
        "advice:plan",
        take.plan,
    ),
    Verb(
        "estimate",
        "look",
        "--agents N --hours H --requests-per-hour R [--model M] [--days D]\n"
        "       [--input-tokens N] [--output-tokens N] [--cache-hit PERCENT] [--offline] [--json]",
        "Estimate what a fleet would need: dollars, a tier of the API, machines.",
        "Low, mid and high come from what was measured here for that model; where nothing was, from assumed figures, "
        "and it says so. Prices of machines are as old as they say: put yours into machines.toml beside config.toml.",
        (
            "controlroom estimate --agents 10 --hours 8 --requests-per-hour 60",
            "controlroom estimate --agents 40 --hours 24 --requests-per-hour 120 --model claude-haiku-5-5 --offline",
        ),
        "advice:estimate",
        take.estimate,
    ),
    Verb(
        "logs",
        "look",
        "AGENT [-n N] [-f] [--raw] [--run N]\n       [--grep TEXT [-i] [--regex]]",
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
        "diff",
        "look",
        "AGENT [--run N] [--file F] [--stat] [--json]",
        "Show what an agent has changed in its git repository.",
        "Against the commit that it began at: what it committed, what it did not, and files that git does not know. "
        "git runs on its host, with nothing of the repository's own. Lines are made safe for a terminal: this is to be "
        "read, not to be applied.",
        (
            "controlroom diff docs-1 --stat",
            "controlroom diff docs-1 --file docs/install.md",
            "controlroom diff docs-1 --json | jq -r '.files[].path'",
        ),
        "diff:diff",
        take.diff,
    ),
    Verb(
        "explain",
        "look",
        "AGENT [--json]",
        "Say why an agent's state is what it is, and what to do next.",
        "What decided the state, what every source says and how long ago, what disagrees, how its host stands.",
        ("controlroom explain docs-1", "controlroom explain vm1/docs-1 --json | jq '.steps[].command'"),
        "status:explain",
        take.explain,
    ),
    Verb(
        "attach",
        "look",
        "AGENT [--read-only]",
        "Connect this terminal to an agent's, over a connection of its own.",
        "` then q leaves, also an adopted agent, and so does a tap on the line at the bottom, which is always there; ` "
        "twice types one. Over SSH the system's ssh is "
        "used, with the keys of hosts that this room knows.",
        ("controlroom attach docs-1", "controlroom attach vm1/docs-1 --read-only"),
        "agents:attach",
        take.attach,
    ),
    Verb(
        "attached",
        "look",
        "[--json]",
        "Show who is attached to the engine: from where, with what rights, since when.",
        "Names and terminals are what front ends report of themselves; rights, and addresses of those that come over "
        "SSH, are checked by the engine.",
        ("controlroom attached", "controlroom attached --json | jq '.front_ends[] | select(.rights == \"all\")'"),
        "engine:attached",
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

_MONEY: tuple[Verb, ...] = (
    Verb(
        "budget show",
        "look",
        "[--json]",
        "Show budgets: what is spent, what is granted, when they run out.",
        "GRANTED is what running agents may still spend, with or without the engine; with what is spent it stays below "
        "the stop line. AT MOST + is what messages under way could add. What a plan covers is marked ≈. RUNS OUT is "
        "when the stop line is reached at this rate, RESETS when the period ends.",
        ("controlroom budget show", "controlroom budget show --json | jq '.budgets[] | select(.rungs_reached > 0)'"),
        "budget:show",
        take.status,
    ),
    Verb(
        "budget set",
        "steer",
        "NAME --limit L [--period hour|day|week|month] [--scope S]\n"
        "       [--unit billed|covered|tokens|window] [--window W]\n"
        "       [--ladder 50:notify,80:hold,95:pause] [--order priority|all] [--disarm | --arm] [--dry-run]",
        "Limit what is spent, at once and with nobody looking.",
        "Each agent is granted a part of it, and its host enforces that even when this machine is off. The ladder says "
        "what is done at which percentage: notify, hold (no new work), cheaper (new work goes to cheaper models), "
        "pause, interrupt, stop. Paused agents go on when there is money again. Of an existing budget, only the "
        "options given here change. --dry-run says what would change and stores nothing. --disarm keeps a budget that "
        "only says what it would do; it stays so until --arm.",
        (
            "controlroom budget set day --limit 8",
            "controlroom budget set day --limit 20 --dry-run",
            "controlroom budget set docs --limit 5M --unit tokens --period hour --scope 'profile docs'",
            "controlroom budget set week --limit 85 --unit window --window seven_day --ladder 90:hold,100:pause",
        ),
        "budget:set_one",
        take.budget_set,
    ),
    Verb(
        "budget remove",
        "steer",
        "NAME",
        "Remove a budget; what it paused goes on.",
        "",
        ("controlroom budget remove day",),
        "budget:remove",
        take.budget_remove,
    ),
)

_HOSTS: tuple[Verb, ...] = (
    Verb(
        "host add",
        "hosts",
        "USER@ADDRESS[:PORT] [--name N] [--fingerprint SHA256:...] [--label L]... [--size S]",
        "Add a host, reached over SSH.",
        "~/.ssh/config is honoured. An unknown host key is shown and must be accepted, here or with host answer; "
        "with --fingerprint, a key that matches is accepted without a question.",
        ("controlroom host add me@vm1.example.com", "controlroom host add me@10.0.0.5:2222 --name vm2"),
        "hosts:add",
        take.host_add,
    ),
    Verb(
        "host list",
        "hosts",
        "[--json]",
        "Show the hosts and the state of each link.",
        "",
        ("controlroom host list",),
        "hosts:show",
        take.status,
    ),
    Verb(
        "host check",
        "hosts",
        "NAME [--json]",
        "Check that a host has all that agents need, and say how to repair what is missing.",
        "Programs, Claude's version and login, disk, memory, clock, limits, and whether agents outlive a logout. "
        "Exits with 0 only when nothing is wrong. For a host that is not connected it says what is known of the link.",
        ("controlroom host check vm1", "controlroom host check vm1 --json | jq '.checks[] | select(.fix)'"),
        "hosts:check",
        take.host_check,
    ),
    Verb(
        "host answer",
        "hosts",
        "NAME (allow|deny|--secret)",
        "Accept or reject a host's key, or enter the secret that it asks for.",
        "Compare the fingerprint first, as with ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub on the host. A secret "
        "is typed unseen, or is the first line of stdin; it is kept in the engine's memory and nowhere else.",
        ("controlroom host answer vm1 allow", "controlroom host answer vm1 --secret"),
        "hosts:answer",
        take.host_answer,
    ),
    Verb(
        "host retry",
        "hosts",
        "NAME",
        "Try to reach a host now.",
        "A host that cannot be reached, or refuses us, is tried again by itself, too: within seconds at first, later "
        "within five minutes. Exits as host add does.",
        ("controlroom host retry vm1",),
        "hosts:retry",
        take.host,
    ),
    Verb(
        "host remove",
        "hosts",
        "NAME",
        "Take a host out of the room; its agents live on.",
        "",
        ("controlroom host remove vm1",),
        "hosts:remove",
        take.host,
    ),
    Verb(
        "host take",
        "hosts",
        "NAME",
        "Become the owner of a host that another room owns.",
        "The other room can then only look.",
        ("controlroom host take vm1",),
        "hosts:take",
        take.host,
    ),
    Verb(
        "host drain",
        "hosts",
        "NAME [--move [--batch N]] [--reason TEXT] | NAME --continue",
        "Have a host take nothing new; what runs there ends by itself, or moves.",
        "It is in force until host undrain, whatever is restarted. With --move what is at work there goes on elsewhere "
        "in batches, as other hosts have room: the next one when all of the last are at work. When more than a fifth "
        "of a batch fails the drain stands still, with an alarm, until --continue. host list says how far it is, "
        "what stays there, and why.",
        (
            "controlroom host drain vm1 --reason 'new kernel'",
            "controlroom host drain vm1 --move --batch 5",
            "controlroom host drain vm1 --continue",
        ),
        "hosts:drain",
        take.host_drain,
    ),
    Verb(
        "host replace",
        "hosts",
        "NAME NEW [--batch N] [--reason TEXT]",
        "Have one host take the place of another: all that is at work there moves.",
        "NEW must be connected, have room, and be fit for it: that is looked at first. It takes over labels and "
        "budgets where it has none, and tasks that are wanted on NAME. Then NAME is drained, and everything goes to "
        "NEW, as host drain --move does it.",
        ("controlroom host replace vm1 vm2",),
        "hosts:replace_host",
        take.host_replace,
    ),
    Verb(
        "host relieve",
        "hosts",
        "NAME",
        "Have as many agents go on elsewhere as advice about a full or busy host says.",
        "The advice is among the alarms once a host has been too full or too busy for half an hour.",
        ("controlroom host relieve vm1",),
        "hosts:relieve",
        take.host,
    ),
    Verb(
        "host undrain",
        "hosts",
        "NAME",
        "Have a host take work again.",
        "",
        ("controlroom host undrain vm1",),
        "hosts:undrain",
        take.host,
    ),
)

_ROOM: tuple[Verb, ...] = (
    Verb(
        "init",
        "room",
        "[--host USER@ADDRESS[:PORT]]...",
        "Take the first steps: write a config, check this machine, add and check hosts.",
        "Offers the hosts of ~/.ssh/config. A config that is there stays as it is. With --host, or without a person at "
        "the terminal, it asks nothing but what a host itself asks.",
        ("controlroom init", "controlroom init --host me@vm1.example.com --host vm2"),
        "init:init",
        take.init,
    ),
    Verb(
        "help",
        "room",
        "[TOPIC | VERB | -s WORD...]",
        "Show a page of the manual, or find a word in all pages.",
        f"Pages: {', '.join(TOPICS)}. With the name of a verb it shows the verb's --help; limits is both, and shows "
        "the page. On a terminal the page goes through $PAGER, else through less -R.",
        ("controlroom help money", "controlroom help -s host key"),
        "help:page",
        take.manual,
    ),
    Verb(
        "completions",
        "room",
        "bash|zsh|fish",
        "Print the script that makes a shell complete verbs, options, agents and hosts.",
        'In ~/.bashrc: eval "$(controlroom completions bash)". In ~/.zshrc, after compinit, the same with zsh. '
        "As files: ~/.local/share/bash-completion/completions/controlroom, _controlroom in a folder of $fpath, "
        "~/.config/fish/completions/controlroom.fish.",
        ("controlroom completions bash", "controlroom completions fish | source"),
        "completions:completions",
        take.completions,
    ),
    Verb(
        "audit",
        "room",
        "[-n N] [--grep TEXT] [--json]",
        "Show who did what and when, and how it ended.",
        "Every order is in it, refused ones too; no task text, no secret.",
        ("controlroom audit", "controlroom audit --grep kill -n 20"),
        "ledger:audit",
        take.audit,
    ),
    Verb(
        "ledger check",
        "room",
        "",
        "Read the whole ledger, and say whether it is undamaged and its sums add up.",
        "",
        ("controlroom ledger check",),
        "ledger:check",
        take.nothing,
    ),
    Verb(
        "ledger backup",
        "room",
        "FILE",
        "Copy the ledger into a new file while it is in use.",
        "To go back to a copy: controlroom stop, then put it in the place of ledger.db.",
        ("controlroom ledger backup ~/controlroom-ledger.db",),
        "ledger:backup",
        take.ledger_backup,
    ),
    Verb(
        "ledger doubted",
        "room",
        "[--json]",
        "Show use that cannot be true as claimed, and how much of it counts.",
        "More tokens than a message can hold or than the time allows, more than twice what a run was granted, or more "
        "than a host may claim for agents that this room did not start (`money.unordered`): until a person has looked, "
        "only as much counts as may be true.",
        ("controlroom ledger doubted",),
        "ledger:doubted",
        take.status,
    ),
    Verb(
        "ledger strike",
        "room",
        "NUMBER|HOST|AGENT...",
        "Remove use that cannot be true from all sums and budgets.",
        "What may be true of the same message stays. Of a host or an agent: all that is open. Audited.",
        ("controlroom ledger strike 3", "controlroom ledger strike vm1"),
        "ledger:strike",
        take.ledger_numbers,
    ),
    Verb(
        "ledger accept",
        "room",
        "NUMBER|HOST|AGENT...",
        "Count use that was set aside, as it was claimed.",
        "Of a host or an agent: all that is open. Audited.",
        ("controlroom ledger accept 3", "controlroom ledger accept vm1/a1"),
        "ledger:accept",
        take.ledger_numbers,
    ),
    Verb(
        "engine",
        "room",
        "[--foreground | --install | --uninstall]",
        "Start the engine, which every other verb does by itself.",
        "--install has this machine start it, so that it survives logout and reboot: as a systemd user unit with "
        "linger, else by a line of your crontab. --uninstall takes that away. --foreground runs it in this process, "
        "for a service manager.",
        ("controlroom engine --install", "controlroom engine --foreground"),
        "engine:engine",
        take.engine,
    ),
    Verb(
        "stop",
        "room",
        "",
        "Stop the engine; agents go on, and may spend.",
        "It says who goes on and how far each can go. To stop agents: controlroom kill '*' ends them, controlroom "
        "interrupt '*' ends their turns; a budget pauses them with or without the engine.",
        ("controlroom stop",),
        "engine:stop",
        take.nothing,
    ),
    Verb(
        "demo",
        "room",
        "[--agents N] [--hold]",
        "Play a throw-away control room on this machine; needs only tmux.",
        "Its one host is this machine. With 8 agents or more a script has started others, to be taken over with ~, and "
        "a fleet file lies ready: ~try-this says how. Everything is gone when it ends. --hold plays it without the "
        "screen, prints how to reach it, and ends with Ctrl-C.",
        ("controlroom demo", "controlroom demo --agents 20"),
        "engine:demo",
        take.demo,
    ),
    Verb(
        "bridge",
        "room",
        "[--read-only] [--no-start]",
        "Connect stdin and stdout to the engine, for a front end on another machine.",
        "--home USER@ADDRESS runs it there by itself. As the forced command of a key, bridge --read-only is all that "
        "a watcher gets: nothing that comes in can change anything, and no engine is started.",
        ("controlroom bridge", "controlroom bridge --read-only"),
        "engine:bridge",
        take.bridge,
    ),
)

VERBS: tuple[Verb, ...] = (
    *_LOOK,
    *_MONEY,
    *STEER,
    *RULES,
    *BRANCHES,
    *WORKTREES,
    *TASKS,
    *FLEETS,
    *LEADS,
    *_HOSTS,
    *_ROOM,
)

GROUPS = {
    "look": "Look",
    "steer": "Steer",
    "work": "What agents have done",
    "rules": "Rules",
    "tasks": "Tasks and the queue",
    "leads": "Agents that lead others",
    "fleets": "Fleets from files",
    "hosts": "Hosts",
    "room": "The room",
}


def find(words: list[str]) -> tuple[Verb | None, list[str]]:
    """Find the verb that a command line begins with, and give what follows it."""
    for length in (2, 1):
        name = " ".join(words[:length])
        for verb in VERBS:
            if verb.name == name and len(words) >= length:
                return verb, words[length:]
    return None, words


def below(word: str) -> Iterator[Verb]:
    """The verbs of two words that begin with `word`."""
    return (verb for verb in VERBS if verb.name.startswith(word + " "))
