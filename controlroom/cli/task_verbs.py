"""The verbs of tasks, of the queue and of the halt: their place in the table of verbs, and what each takes."""

import argparse
import re
from collections.abc import Sequence

from controlroom.cli import arguments as take
from controlroom.cli.check_options import take_checks
from controlroom.cli.verb import Verb

_WHICH = "its id, like t12, or its key"


def _task(parser: argparse.ArgumentParser) -> None:
    """Take a task."""
    parser.add_argument("task", metavar="TASK", help=_WHICH)


_WHICH_OF_MANY = "an id, a key, a pattern in quotes ('issue-*'), or parts of a filter (state:failed host:vm1)"


def _tasks(parser: argparse.ArgumentParser) -> None:
    """Take tasks, by id, key, pattern or filter."""
    parser.add_argument("task", metavar="TASK", nargs="*", help=_WHICH_OF_MANY)
    parser.add_argument("--all", dest="everyone", action="store_true", help="all tasks to which it can be done")


def _task_shown(parser: argparse.ArgumentParser) -> None:
    """Take a task, and the form of the answer."""
    _task(parser)
    take.status(parser)


def _why(parser: argparse.ArgumentParser) -> None:
    """Take a task or an agent, or all, and the form of the answer."""
    parser.add_argument("task", metavar="TASK|AGENT", nargs="?", default="", help="its id or key; an agent's name")
    parser.add_argument("--all", dest="everyone", action="store_true", help="why nothing moves: all that waits")
    take.status(parser)


def _drop(parser: argparse.ArgumentParser) -> None:
    """Take tasks, and a yes in advance."""
    _tasks(parser)
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")


def _work(parser: argparse.ArgumentParser) -> None:
    """Take how a task is to be done."""
    add = parser.add_argument
    add("--priority", metavar="N", type=_priority, help="higher ones start first (default 0)")
    add("--profile", metavar="P", help="a template of the config, headless or command")
    add("--host", metavar="H", help="where it must run (default: where there is room)")
    add("--label", metavar="L", action="append", help="what its host must have; may be given several times")
    add("--model", metavar="M", help="as Claude Code names it")
    add("--cwd", metavar="DIR", help="the folder to work in, on the host")
    add("--worktree", metavar="BASE", help="in a git worktree of its own, from this branch; HEAD: what DIR stands at")
    add("--credential", metavar="C", help="which of those that the profile names (default: the one with the most left)")
    add("--after", metavar="TASK", action="append", help="it starts once this one is done; may be given several times")
    add("--attempts", metavar="N", type=_attempts, help="attempts that may fail (default: queue.max_attempts)")
    add("--cost", metavar="USD", type=_cost, help="dollars at list prices that all attempts may cost; 0: no limit")
    add("--hours", metavar="N", type=_hours, help="hours that one attempt may take; 0: as its profile says")
    take_checks(parser)
    add("--not-before", metavar="WHEN", type=_later, help="30m, 18:30 or 2026-12-01T08:00")
    add(
        "--every",
        metavar="T",
        type=_every,
        help="do it again: 30m, 6h, hourly, daily, weekly, monthly, or cron's words ('0 3 * * 1-5 Europe/Berlin')",
    )


def _add(parser: argparse.ArgumentParser) -> None:
    """Take a task, or a file of them."""
    add = parser.add_argument
    add("text", metavar="TEXT", nargs="*", help="what is to be done")
    add("--file", metavar="F", help="a file that says it; - is stdin")
    add("--from", dest="source", metavar="F", help="a file of many: JSON, TOML or a Markdown list; - is stdin")
    add("--template", metavar="T", help="of the config, or templates/T.md beside it")
    add("--var", metavar="NAME=VALUE", type=_variable, action="append", help="a variable of the template")
    add("--key", metavar="K", help="names it: to add the same key again changes nothing")
    _work(parser)
    take.status(parser)


def _list(parser: argparse.ArgumentParser) -> None:
    """Take which tasks to show."""
    parser.add_argument("task", metavar="FILTER", nargs="*", help="like state:failed host:vm1 profile:docs, or a word")
    parser.add_argument("--all", action="store_true", help="those that have ended too, the newest 300")
    parser.add_argument(
        "--state", metavar="S", action="append", type=_state, help="only those; may be given several times"
    )
    take.status(parser)


def _edit(parser: argparse.ArgumentParser) -> None:
    """Take what to change."""
    _task(parser)
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--text", dest="to_text", metavar="TEXT", help="what is to be done")
    either.add_argument("--file", metavar="F", help="a file that says it; - is stdin")
    parser.add_argument("--version", metavar="V", help="only what `task show` calls this: what nobody has edited since")
    _work(parser)


def _move(parser: argparse.ArgumentParser) -> None:
    """Take where a task goes."""
    _task(parser)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--first", action="store_true", help="before all others of its priority")
    where.add_argument("--last", action="store_true", help="behind them")
    where.add_argument("--before", metavar="TASK", help="before this one, with its priority")


def _logs(parser: argparse.ArgumentParser) -> None:
    """Take what to print of a task's log."""
    _task(parser)
    parser.add_argument("--attempt", metavar="N", type=_attempts, default=0, help="another attempt, from 1")
    take.log_lines(parser)


def _hold(parser: argparse.ArgumentParser) -> None:
    """Take a reason."""
    parser.add_argument("reason", metavar="REASON", nargs="*", help="why; everybody is shown it")


def _set(parser: argparse.ArgumentParser) -> None:
    """Take rules."""
    parser.add_argument(
        "rules",
        metavar="NAME=VALUE",
        type=_variable,
        nargs="+",
        help="a rule as in [queue] of the config; NAME= goes back to what that says",
    )


def _halt(parser: argparse.ArgumentParser) -> None:
    """Take how hard."""
    parser.add_argument("--kill", action="store_true", help="end the agents, instead of interrupting them")
    parser.add_argument("--reason", metavar="TEXT", default="", help="why; everybody is shown it")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")


def _later(text: str) -> int:
    from controlroom.cli.tasks import later

    return later(text)


def _every(text: str) -> str:
    from controlroom.domain.queue.repeat import problem

    if text and (wrong := problem(text)):
        raise argparse.ArgumentTypeError(wrong)
    return text


def _state(text: str) -> object:
    from controlroom.domain.tasks import TaskState

    state = TaskState(text)
    if state is TaskState.UNKNOWN:
        names = ", ".join(one.value for one in TaskState if one.value)
        raise argparse.ArgumentTypeError(f"{ascii(text)[:40]} is no state of a task: {names}")
    return state


def _variable(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, not {ascii(text)[:40]}")
    return name, value


def _priority(text: str) -> int:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 5 and int(digits) <= 1000):
        raise argparse.ArgumentTypeError(f"expected a whole number from -1000 to 1000, not {ascii(text)[:40]}")
    return int(text)


def _cost(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,2})?", text):
        raise argparse.ArgumentTypeError(f"expected dollars like 2.50, not {ascii(text)[:40]}")
    return round(float(text) * 1_000_000)


def _hours(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,3})?", text):
        raise argparse.ArgumentTypeError(f"expected hours like 1.5, not {ascii(text)[:40]}")
    return float(text)


def _attempts(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:5]) <= 100):
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 to 100, not {ascii(text)[:40]}")
    return int(text)


TASKS: Sequence[Verb] = (
    Verb(
        "task add",
        "tasks",
        "(TEXT | --file F | --from F) [--template T] [--var NAME=VALUE]...\n"
        "       [--priority N] [--profile P] [--credential C] [--host H] [--label L]...\n"
        "       [--model M] [--cwd DIR] [--worktree BASE] [--after TASK]... [--key K]\n"
        "       [--attempts N]\n"
        "       [--cost USD] [--hours N] [--verify CMD]... [--verify-minutes N]\n"
        "       [--verify-attempts N] [--clean] [--guarded PATH]... [--not-before WHEN]\n"
        "       [--every T] [--json]",
        "Put tasks into the queue; print their ids.",
        "An agent carries each out as soon as hosts, limits and budgets allow. --from reads many: JSON (an array, or "
        "lines), TOML with [[tasks]], or a Markdown list; it takes all of them or none. What a record leaves out, "
        "the options say. A template's variables are its fields, --var, and text; a url is the key where none is "
        "given. WHEN is 30m, 18:30 or 2026-12-01T08:00.",
        (
            "controlroom task add 'Write a test for the parser' --cwd project --priority 5",
            "controlroom task add --from issues.json --template issue",
        ),
        "tasks:add",
        _add,
    ),
    Verb(
        "task list",
        "tasks",
        "[FILTER]... [--all] [--state S]... [--json]",
        "Show what runs, what waits and why, and what is held.",
        "Those that wait stand in the order in which they start. Filters are those of the screen; with one, ended "
        "tasks are searched, too.",
        ("controlroom task list", "controlroom task list --state failed --json | jq -r '.tasks[].reason'"),
        "tasks:list_",
        _list,
    ),
    Verb(
        "task show",
        "tasks",
        "TASK [--json]",
        "Show a task: its state, its attempts, its whole text.",
        "",
        ("controlroom task show t12",),
        "tasks:show",
        _task_shown,
    ),
    Verb(
        "why",
        "tasks",
        "TASK|AGENT|--all [--json]",
        "Say why a task waits and what comes next; for an agent, the same as explain.",
        "Each host says why it does not take it; the next look is when that can change. An agent that a profile "
        "keeps running is named as it will be, like watcher-2. --all says why nothing moves: all that waits, is held "
        "or was given up, alike reasons together.",
        ("controlroom why t12", "controlroom why watcher-2", "controlroom why --all"),
        "tasks:why",
        _why,
    ),
    Verb(
        "task logs",
        "tasks",
        "TASK [--attempt N] [-n N] [-f] [--raw] [--grep TEXT [-i] [--regex]]",
        "Print the log of the agent that carries a task out.",
        "Without --attempt, that of the newest attempt.",
        ("controlroom task logs t12 -f",),
        "tasks:logs",
        _logs,
    ),
    Verb(
        "task edit",
        "tasks",
        "TASK [--text TEXT | --file F] [--priority N] [--profile P] [--credential C]\n"
        "       [--host H] [--label L]... [--model M] [--cwd DIR] [--worktree BASE]\n"
        "       [--after TASK]...\n"
        "       [--attempts N] [--cost USD] [--hours N] [--verify CMD]... [--verify-minutes N]\n"
        "       [--verify-attempts N] [--clean] [--guarded PATH]... [--not-before WHEN]\n"
        "       [--every T] [--version V]",
        "Change a task that waits or is held.",
        "Whoever writes anew what they have read of a task gives its version, too: nothing that somebody else has "
        "changed since is lost. --after '' removes the tasks that it comes after, --label '' its labels, "
        "--credential '' its credential, --verify '' its own checks.",
        ("controlroom task edit t12 --priority 50",),
        "tasks:edit",
        _edit,
    ),
    Verb(
        "task move",
        "tasks",
        "TASK (--first | --last | --before TASK)",
        "Have a task start earlier or later.",
        "",
        ("controlroom task move t12 --first",),
        "tasks:move",
        _move,
    ),
    Verb(
        "task hold",
        "tasks",
        "(TASK... | --all)",
        "Keep tasks from starting until they are released.",
        "",
        ("controlroom task hold t12 t13", "controlroom task hold profile:docs"),
        "tasks:hold",
        _tasks,
    ),
    Verb(
        "task release",
        "tasks",
        "(TASK... | --all)",
        "Let held tasks start.",
        "A task whose agent a person killed is held, too.",
        ("controlroom task release t12",),
        "tasks:release",
        _tasks,
    ),
    Verb(
        "task drop",
        "tasks",
        "(TASK... | --all) [--yes]",
        "Take tasks out of the queue, except those that run.",
        "It asks first. To drop one that is running, kill its agent first: that holds the task.",
        ("controlroom task drop t12 --yes",),
        "tasks:drop",
        _drop,
    ),
    Verb(
        "task retry",
        "tasks",
        "(TASK... | --all)",
        "Do ended tasks again; their attempts count anew.",
        "--all means those that have failed; name or filter those that are done or were dropped.",
        ("controlroom task retry t12", "controlroom task retry state:failed"),
        "tasks:retry",
        _tasks,
    ),
    Verb(
        "queue show",
        "tasks",
        "[--json]",
        "Show how the queue stands, and the rules that it keeps to.",
        "The rules are those of [queue] in config.toml, unless queue set has changed them.",
        ("controlroom queue show",),
        "tasks:queue_show",
        take.status,
    ),
    Verb(
        "queue hold",
        "tasks",
        "[REASON]",
        "Start no more tasks; what is under way goes on.",
        "",
        ("controlroom queue hold 'until the release is out'",),
        "tasks:queue_hold",
        _hold,
    ),
    Verb(
        "queue release",
        "tasks",
        "",
        "Start tasks again.",
        "",
        ("controlroom queue release",),
        "tasks:queue_release",
        take.nothing,
    ),
    Verb(
        "queue set",
        "tasks",
        "NAME=VALUE...",
        "Change rules of the queue, for good; NAME= goes back to what the config says.",
        "",
        ("controlroom queue set max_agents=12 stagger_seconds=2", "controlroom queue set max_agents="),
        "tasks:queue_set",
        _set,
    ),
    Verb(
        "halt",
        "tasks",
        "[--kill] [--reason TEXT] [--yes]",
        "Stop everything: all agents are interrupted, and nothing starts or goes on.",
        "It is in force until controlroom resume, whatever is restarted. Agents on hosts that are away are stopped "
        "when these are back. A command cannot be interrupted: --kill ends it. Adopted agents are not touched.",
        ("controlroom halt --yes --reason 'wrong branch'", "controlroom halt --kill --yes"),
        "tasks:halt",
        _halt,
    ),
)
