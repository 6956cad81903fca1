"""The verbs that act on agents: their place in the table of verbs."""

from controlroom.cli import arguments as take
from controlroom.cli.verb import Verb

_WHO = (
    "AGENT is a name, HOST/NAME, a pattern in quotes or part of a filter, as status takes it; all parts of a filter "
    "must fit. What others started is meant once it was adopted."
)

STEER: tuple[Verb, ...] = (
    Verb(
        "spawn",
        "steer",
        "NAME [--host H] [--profile P] [--credential C] [--kind K] [--model M]\n"
        "       [--cwd DIR] [--worktree BASE] (--task TEXT | --task-file F) [--anyway]\n"
        "       [-- COMMAND...]",
        "Start an agent.",
        "The task may contain anything; it never passes through a shell. --task-file - reads it from stdin. With a "
        "command after -- the agent is that command, and the task (if any) its stdin. Kind headless is Claude Code "
        "driven by its events, interactive Claude Code on a terminal of its own (attach), command any program. Prints "
        "the agent's id.",
        (
            "controlroom spawn docs-1 --cwd ~/src/docs --task 'Bring the docs up to 2.4.'",
            "controlroom spawn api-3 --host vm1 --task-file task.md",
            "controlroom spawn build --cwd ~/src/app -- make test",
        ),
        "agents:spawn",
        take.spawn,
    ),
    Verb(
        "adopt",
        "steer",
        "(AGENT... | --all) [--host H] [--name NAME] [--profile P]\n"
        "       [--restart | --when-ended] [--task TEXT] [--yes] [--json]",
        "Take over agents that others started: name them, and hold them to budgets.",
        "AGENT is a name as status shows it, with or without ~, a pattern in quotes or part of a filter. Kill, pause, "
        "interrupt, halt and budgets then act on it by signals to its processes, and that is all that can be done: "
        "its Claude, what that has started, and a script that runs nothing else; never a shell in which somebody "
        "types, nor tmux. --restart ends it, proves that, and goes on with its Claude session under a runner, in its "
        "folder and with the settings of the profile, as an agent of this room; --when-ended does so once it has ended "
        "by itself. Several are listed first, and need --yes where nobody can be asked. Prints their ids.",
        (
            "controlroom adopt agent-1 --name api-1",
            "controlroom adopt 'agent-*' --host vm1 --yes",
            "controlroom adopt agent-1 --restart --profile default",
        ),
        "adopt:adopt",
        take.adopt,
    ),
    Verb(
        "kill",
        "steer",
        "(AGENT... | --all) [--yes]",
        "End agents and everything they started.",
        f"{_WHO} Asks first on a terminal, several after a list; elsewhere it needs --yes. "
        "Exit code 1 with several: some of them were refused.",
        ("controlroom kill vm1/docs-1 --yes", "controlroom kill 'vm1/*' api-3", "controlroom kill --all host:vm1"),
        "agents:kill",
        take.kill,
    ),
    Verb(
        "reassign",
        "steer",
        "(AGENT... | --all) (--task TEXT | --task-file F | --host H) [--continue]\n"
        "       [--leave-folder] [--trust-host] [--yes]",
        "Give agents a new task, or another host; the old run is ended first.",
        f"{_WHO} Several are listed first, and need --yes where nobody can be asked. It stays in its folder and begins "
        "a new Claude session, or goes on in the old one with --continue. Earlier logs stay: controlroom logs AGENT "
        "--run N. With --host it moves: proved gone here, it starts there with the same task (or --task), profile, "
        "model, folder name and command; files and session stay behind. With --host and --continue it goes on there in "
        "its session and its folder: branch, commits, index, uncommitted and new files of its git repository are "
        "carried into a worktree of its own, and nothing starts before they are proved to have arrived. What git "
        "ignores stays, and is named. --leave-folder takes the session alone.",
        (
            "controlroom reassign docs-1 --continue --task 'Now the same for the FAQ.'",
            "controlroom reassign docs-1 --host vm2 --continue",
            "controlroom reassign host:vm1 state:live --host vm2",
        ),
        "agents:reassign",
        take.reassign,
    ),
    Verb(
        "retry",
        "steer",
        "(AGENT... | --all) [--yes]",
        "Give agents the same task again, as a new run in the same folder.",
        f"{_WHO} A run that has not ended is ended first, after a question. Host, profile, model and command stay; a "
        "new Claude session begins. What this room did not order is not retried.",
        ("controlroom retry bad-1", "controlroom retry state:failed --yes"),
        "agents:retry",
        take.kill,
    ),
    Verb(
        "send",
        "steer",
        "(AGENT | --all) TEXT",
        "Say something to agents.",
        f"{_WHO} Several stand in one word, with commas or spaces between. TEXT - reads it from stdin.",
        ("controlroom send docs-1 'Leave the changelog alone.'", "controlroom send 'vm1/*' 'Come to an end, please.'"),
        "agents:send",
        take.send,
    ),
    Verb(
        "answer",
        "steer",
        "(AGENT | --all | --alike ID) ((allow|always|deny) [TEXT] |\n"
        "       [--question N] (--choose N[,N...] | --words TEXT) ...) [--yes]",
        "Answer what agents ask: permission, a plan, or questions with choices.",
        f"{_WHO} Several stand in one word, with commas or spaces between; what they ask is listed first, and without "
        "a person at the terminal it needs --yes. --alike ID means all who ask what questions shows under that ID: "
        "those that are listed, for what they ask then, and nobody who asks later or something else. "
        "always also allows, until its session ends, what explain AGENT and the screen name beside the question; where "
        "nothing is named it is refused. TEXT goes to the agent with the answer. "
        "Questions with choices are answered by numbers, labels or words; where there are several, --question says "
        "which. What does not fit is refused, and nothing is sent.",
        (
            "controlroom answer docs-1 allow",
            "controlroom answer infra deny 'not before Monday'",
            "controlroom answer 'host:vm1 name:docs-*' allow",
            "controlroom answer --alike 3f9c02d1a4b7e865 allow",
            "controlroom answer web-2 --question 1 --choose 1,3 --question 2 --words 'as it was'",
        ),
        "questions:answer",
        take.answer,
    ),
    Verb(
        "interrupt",
        "steer",
        "(AGENT... | --all)",
        "Stop the turn of agents; they then wait for a message.",
        _WHO,
        ("controlroom interrupt docs-1", "controlroom interrupt 'vm1/*'"),
        "agents:interrupt",
        take.agents,
    ),
    Verb(
        "model",
        "steer",
        "(AGENT... | --all) MODEL [--json]",
        "Have agents go on with another model, as Claude Code names it.",
        f"{_WHO} A headless agent that runs goes on with it from its next request on; any other begins its next run "
        "with it. It stays so for later runs, whatever the profile says. Claude takes any name: a model that there is "
        "not fails at its next request.",
        ("controlroom model docs-1 haiku", "controlroom model 'vm1/*' sonnet", "controlroom model --all opus --json"),
        "agents:model",
        take.model,
    ),
    Verb(
        "pause",
        "steer",
        "(AGENT... | --all) [--json]",
        "End the runs of agents and keep their Claude sessions, until resume.",
        f"{_WHO} A turn that is on ends with the run; its memory is free until resume. A command "
        "has no session, and is not paused. Exit code 1 with several: some of them were refused.",
        ("controlroom pause docs-1", "controlroom pause host:vm1 state:working", "controlroom pause --all --json"),
        "agents:pause",
        take.agents_as_json,
    ),
    Verb(
        "resume",
        "steer",
        "[AGENT... | --all] [--json]",
        "Let agents go on where they stopped; without one, end the halt of the room.",
        f"{_WHO} One that was paused, or has ended, goes on in its Claude session, as a new run in its folder; "
        "one that was interrupted and waits is told to go on.",
        (
            "controlroom resume",
            "controlroom resume docs-1",
            "controlroom resume --all state:paused",
            "controlroom resume 'vm1/*' --json",
        ),
        "agents:resume",
        take.agents_as_json,
    ),
    Verb(
        "forget",
        "steer",
        "(AGENT... | --all | --ended) [--yes]",
        "Remove ended agents and their logs from their hosts.",
        f"{_WHO} Asks first on a terminal, several after a list; elsewhere it needs --yes. --ended means all that have "
        "ended.",
        ("controlroom forget docs-1 --yes", "controlroom forget --ended state:done"),
        "agents:forget",
        take.forget,
    ),
)
