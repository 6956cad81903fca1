"""The table of verbs: what each is called, what it does in a sentence, an example, its arguments, and what runs it."""

import argparse
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import NamedTuple

from controlroom.cli import arguments as take
from controlroom.cli.starters import Starters

Arguments = Callable[[argparse.ArgumentParser], None]
Run = Callable[[argparse.Namespace, Starters], int]


class Verb(NamedTuple):
    """One verb of the command line."""

    name: str
    """One or two words: `spawn`, `host add`."""
    group: str
    usage: str
    """Its arguments, as people write them."""
    says: str
    """What it does, in a sentence."""
    more: str
    """What else one should know; may be empty."""
    examples: tuple[str, ...]
    runs: str
    """`module:function` below `controlroom.cli`; imported when it is run."""
    arguments: Arguments

    def load(self) -> Run:
        """Import what runs it."""
        module, _, function = self.runs.partition(":")
        run: Run = getattr(import_module(f"controlroom.cli.{module}"), function)
        return run


VERBS: tuple[Verb, ...] = (
    Verb(
        "status",
        "look",
        "[--json]",
        "Show hosts and agents, what needs a person first.",
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
        "Every API message of every Claude agent is counted once, at the price of its moment. What a plan covers is no "
        "bill: its list price wears a ≈, and is never added to what a key pays. WHEN is 90m, 12h, 7d, today or a day.",
        ("controlroom costs --by model --since today", "controlroom costs --by day --since 7d --csv | column -s , -t"),
        "costs:costs",
        take.costs,
    ),
    Verb(
        "logs",
        "look",
        "AGENT [-n N] [-f] [--raw] [--epoch E]\n       [--grep TEXT [-i] [--regex]]",
        "Print an agent's log.",
        "Lines are made safe for a terminal. --raw gives what the agent wrote, byte for byte, without what the runner "
        "and the operator said: for files and pipes. -f goes on until the agent's run has ended. --grep searches the "
        "whole log on its host and prints the last N lines that match.",
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
        "Hand this terminal to an agent's own, over a connection of its own.",
        "` then q leaves, and so does a tap on the line at the bottom; ` twice types one. Over SSH the system's ssh is "
        "used, with the keys of hosts that this room knows.",
        ("controlroom attach docs-1", "controlroom attach vm1/docs-1 --read-only"),
        "attach:attach",
        take.attach,
    ),
    Verb(
        "spawn",
        "steer",
        "NAME [--host H] [--profile P] [--kind K] [--model M] [--cwd DIR]\n"
        "       (--task TEXT | --task-file F) [-- COMMAND...]",
        "Start an agent.",
        "The task may hold anything; it never passes a shell. --task-file - reads it from stdin. With a command after "
        "-- the agent is that command, and the task (if any) its stdin. Kind headless is Claude Code steered by its "
        "events, interactive Claude Code on a terminal of its own (attach), command any program. Prints its id.",
        (
            "controlroom spawn docs-1 --cwd ~/src/docs --task 'Bring the docs up to 2.4.'",
            "controlroom spawn api-3 --host vm1 --task-file task.md",
            "controlroom spawn build --cwd ~/src/app -- make test",
        ),
        "agents:spawn",
        take.spawn,
    ),
    Verb(
        "kill",
        "steer",
        "AGENT... [--yes]",
        "End agents and everything they started.",
        "AGENT may be a pattern in quotes. Asks first on a terminal, several after a list; elsewhere it needs --yes. "
        "Exit code 1 with several: some of them were refused.",
        ("controlroom kill vm1/docs-1 --yes", "controlroom kill 'vm1/*' api-3"),
        "agents:kill",
        take.kill,
    ),
    Verb(
        "reassign",
        "steer",
        "AGENT (--task TEXT | --task-file F | --host H) [--continue]",
        "Give an agent a new task, or another host; the old run is ended first.",
        "It stays in its folder and begins a new Claude session, or goes on in the old one with --continue. "
        "Earlier logs stay: controlroom logs AGENT --epoch E. With --host it moves: proved gone here, it starts there "
        "with the same task (or --task), profile, model, folder name and command; files and session stay behind.",
        (
            "controlroom reassign docs-1 --continue --task 'Now the same for the FAQ.'",
            "controlroom reassign docs-1 --host vm2",
        ),
        "agents:reassign",
        take.reassign,
    ),
    Verb(
        "send",
        "steer",
        "AGENT TEXT",
        "Say something to an agent.",
        "AGENT may be a pattern in quotes, or several names with commas between. TEXT - reads it from stdin.",
        ("controlroom send docs-1 'Leave the changelog alone.'", "controlroom send 'vm1/*' 'Come to an end, please.'"),
        "agents:send",
        take.send,
    ),
    Verb(
        "answer",
        "steer",
        "AGENT (allow|always|deny) [TEXT]",
        "Answer what an agent asks permission for.",
        "always allows the like of it from now on, too. TEXT goes to the agent with the answer.",
        ("controlroom answer docs-1 allow", "controlroom answer infra deny 'not before Monday'"),
        "agents:answer",
        take.answer,
    ),
    Verb(
        "interrupt",
        "steer",
        "AGENT...",
        "Stop the turn of agents; they then wait for a message.",
        "AGENT may be a pattern in quotes.",
        ("controlroom interrupt docs-1", "controlroom interrupt 'vm1/*'"),
        "agents:interrupt",
        take.agents,
    ),
    Verb(
        "forget",
        "steer",
        "AGENT... [--yes]",
        "Remove ended agents and their logs from their hosts.",
        "AGENT may be a pattern in quotes. Asks first on a terminal, several after a list; elsewhere it needs --yes.",
        ("controlroom forget docs-1 --yes", "controlroom forget 'old-*'"),
        "agents:forget",
        take.kill,
    ),
    Verb(
        "host add",
        "hosts",
        "USER@ADDRESS[:PORT] [--name N] [--fingerprint SHA256:...]",
        "Add a host, reached over SSH.",
        "~/.ssh/config is honoured. An unknown host key is shown and must be accepted, here or with host answer; "
        "with --fingerprint a key that matches is accepted without a question.",
        ("controlroom host add me@vm1.example.com", "controlroom host add me@10.0.0.5:2222 --name vm2"),
        "hosts:add",
        take.host_add,
    ),
    Verb(
        "host list",
        "hosts",
        "[--json]",
        "Show the hosts and how we stand with each.",
        "",
        ("controlroom host list",),
        "hosts:show",
        take.status,
    ),
    Verb(
        "host check",
        "hosts",
        "NAME [--json]",
        "See whether a host has all that agents need, and what mends it.",
        "Programs, Claude's version and login, disk, memory, clock, limits, and whether agents outlive a logout. "
        "Exits with 0 only when nothing is bad. Of a host that is not connected it says what is known of the link.",
        ("controlroom host check vm1", "controlroom host check vm1 --json | jq '.checks[] | select(.mend)'"),
        "hosts:check",
        take.host_check,
    ),
    Verb(
        "host answer",
        "hosts",
        "NAME (allow|deny|--secret)",
        "Accept or turn down a host's key, or say the secret that it asks for.",
        "Compare the fingerprint first, as with ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub on the host. A secret "
        "is typed unseen, or is the first line of stdin; it is kept in the engine's memory and nowhere else.",
        ("controlroom host answer vm1 allow", "controlroom host answer vm1 --secret"),
        "hosts:answer",
        take.host_answer,
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
)

GROUPS = {"look": "Look", "steer": "Steer", "hosts": "Hosts", "room": "The room"}


def find(words: list[str]) -> tuple[Verb | None, list[str]]:
    """Find the verb that a command line begins with, and give what follows it."""
    for length in (2, 1):
        name = " ".join(words[:length])
        for verb in VERBS:
            if verb.name == name and len(words) >= length:
                return verb, words[length:]
    return None, words


def below(word: str) -> Iterator[Verb]:
    """Give the verbs of two words that begin with `word`."""
    return (verb for verb in VERBS if verb.name.startswith(word + " "))
