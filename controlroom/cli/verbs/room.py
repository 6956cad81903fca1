"""Verbs for the room: its first steps, its engine, its ledger; and the manual."""

from controlroom.cli import arguments as take
from controlroom.cli.verbs.verb import Verb
from controlroom.client.manual import TOPICS

VERBS: tuple[Verb, ...] = (
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
        "manual:page",
        take.manual,
    ),
    Verb(
        "completions",
        "room",
        "bash|zsh|fish",
        "Print the script that makes a shell complete verbs, options, agents and hosts.",
        'In ~/.bashrc: eval "$(controlroom completions bash)". In ~/.zshrc, after compinit, the same with zsh.',
        ("controlroom completions bash", "controlroom completions fish | source"),
        "completions:completions",
        take.completions,
    ),
    Verb(
        "audit",
        "room",
        "[-n N] [--grep TEXT] [--json]",
        "Show who did what, when, and what came of it.",
        "Every order is in it, refused ones too; no task text, no secret.",
        ("controlroom audit", "controlroom audit --grep kill -n 20"),
        "ledger:audit",
        take.audit,
    ),
    Verb(
        "ledger check",
        "room",
        "",
        "Read the whole ledger: is it undamaged, and do its sums add up?",
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
        "than a host may claim of what this room did not start (`money.unordered`): until somebody has looked, only as "
        "much counts as may be true.",
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
        "stop", "room", "", "Stop the engine; agents live on.", "", ("controlroom stop",), "engine:stop", take.nothing
    ),
    Verb(
        "demo",
        "room",
        "[--agents N] [--hold]",
        "Play a throw-away control room on this machine; needs only tmux.",
        "Everything is gone when it ends. --hold plays it without the screen, prints how to reach it, and ends with "
        "Ctrl-C.",
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
