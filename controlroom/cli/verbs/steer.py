"""Verbs that steer agents."""

from controlroom.cli import arguments as take
from controlroom.cli.verbs.verb import Verb

VERBS: tuple[Verb, ...] = (
    Verb(
        "spawn",
        "steer",
        "NAME [--host H] [--profile P] [--kind K] [--model M] [--cwd DIR]\n"
        "       (--task TEXT | --task-file F) [-- COMMAND...]",
        "Start an agent.",
        "The task may contain anything; it never passes through a shell. --task-file - reads it from stdin. With a "
        "command after -- the agent is that command, and the task (if any) its stdin. Kind headless is Claude Code "
        "driven by its events, interactive Claude Code on a terminal of its own (attach), command any program. Prints "
        "its id.",
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
        "AGENT (--task TEXT | --task-file F | --host H) [--continue] [--trust-host]",
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
        "AGENT ((allow|always|deny) [TEXT] |\n       [--question N] (--choose N[,N...] | --words TEXT) ...)",
        "Answer what an agent asks: permission, a plan, or questions with choices.",
        "always allows the same from now on, too; of a plan, all edits. TEXT goes to the agent with the answer. "
        "Questions with choices are answered by numbers, labels or words; where there are several, --question says "
        "which. What does not fit is refused, and nothing is sent.",
        (
            "controlroom answer docs-1 allow",
            "controlroom answer infra deny 'not before Monday'",
            "controlroom answer web-2 --question 1 --choose 1,3 --question 2 --words 'as it was'",
        ),
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
)
