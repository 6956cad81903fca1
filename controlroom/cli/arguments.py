"""What each verb takes. A parser is made only for the verb that is run."""

import argparse
import re
from collections.abc import Callable

_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")

TEXT_MARK = ":"
"""Put before a text on its way through argparse, which would take `--` out of the values that it reads."""


def nothing(parser: argparse.ArgumentParser) -> None:
    """Take no arguments."""


def manual(parser: argparse.ArgumentParser) -> None:
    """A page of the manual, or a text to find in all of them."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("topic", metavar="TOPIC", nargs="?")
    which.add_argument("-s", "--search", metavar="WORD", nargs="+", help="find a text in all pages")


def agent(parser: argparse.ArgumentParser) -> None:
    """Take an agent."""
    parser.add_argument("agent", metavar="AGENT", help="its name where that is unique, else HOST/NAME")


def attach(parser: argparse.ArgumentParser) -> None:
    """Take an agent, and whether nothing may be typed."""
    agent(parser)
    parser.add_argument("-r", "--read-only", action="store_true", help="look, and let nothing be typed")


def watch(parser: argparse.ArgumentParser) -> None:
    """Take the colours of the screen."""
    parser.add_argument("--theme", metavar="NAME", default="", help="the colours of the screen, like paper")


def agents(parser: argparse.ArgumentParser) -> None:
    """Take agents, by name, pattern or filter."""
    parser.add_argument("agent", metavar="AGENT", nargs="*", help=_WHO)
    _all_of_them(parser)


_WHO = "a name, HOST/NAME, a pattern in quotes ('vm1/*'), or parts of a filter (state:failed host:vm1)"


def _all_of_them(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--all", dest="everyone", action="store_true", help="all agents of this room that a filter fits"
    )


def _yes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")


def kill(parser: argparse.ArgumentParser) -> None:
    """Take agents, and a yes in advance."""
    agents(parser)
    _yes(parser)


def agents_as_json(parser: argparse.ArgumentParser) -> None:
    """Take agents, and the form of the answer."""
    agents(parser)
    status(parser)


def model(parser: argparse.ArgumentParser) -> None:
    """Take agents, the model that they are to go on with, and the form of the answer."""
    parser.add_argument("agent", metavar="AGENT", nargs="*", help=_WHO)
    parser.add_argument("model", metavar="MODEL", help="as Claude Code names it, like sonnet")
    _all_of_them(parser)
    status(parser)


def forget(parser: argparse.ArgumentParser) -> None:
    """Take agents, or all that have ended, and a yes in advance."""
    kill(parser)
    parser.add_argument("--ended", action="store_true", help="all that have ended, of those that are meant")


def whole_status(parser: argparse.ArgumentParser) -> None:
    """Take a filter, and the form of the answer."""
    parser.add_argument("filter", metavar="FILTER", nargs="*", help="parts of a filter: state:failed host:vm1 -docs")
    status(parser)


def status(parser: argparse.ArgumentParser) -> None:
    """Take the form of the answer."""
    parser.add_argument("--json", action="store_true", help="for scripts, as controlroom help verbs describes it")


def costs(parser: argparse.ArgumentParser) -> None:
    """Take what to group costs by, since when, and the form of the answer."""
    by = ("agent", "profile", "host", "model", "folder", "day", "hour")
    parser.add_argument("--by", choices=by, default="agent", help="one row for each (default: agent)")
    when = "90m, 12h, 7d, today, 2026-11-01 (default: 30d)"
    parser.add_argument("--since", metavar="WHEN", type=moment, default="30d", help=when)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="for scripts: tokens, and dollars as decimal texts")
    form.add_argument("--csv", action="store_true", help="for a spreadsheet")


def costs_import(parser: argparse.ArgumentParser) -> None:
    """Take a host, how far back, or that it is not to be."""
    parser.add_argument("host", metavar="HOST", nargs="?", default="", help="its name (default: all that are up)")
    when = "leave out older messages: 30d, 2026-11-01 (default: count all)"
    parser.add_argument("--since", metavar="WHEN", type=moment, default=None, help=when)
    parser.add_argument("--never", action="store_true", help="do not count them, and ask no more")
    status(parser)


def audit(parser: argparse.ArgumentParser) -> None:
    """Take how much of the audit to show."""
    parser.add_argument("-n", "--lines", metavar="N", type=_count, default=50, help="the last N lines (default 50)")
    parser.add_argument("--grep", metavar="TEXT", default="", help="only lines that contain this")
    status(parser)


def ledger_backup(parser: argparse.ArgumentParser) -> None:
    """Take where the copy goes."""
    parser.add_argument("file", metavar="FILE", help="a file that is not there yet")


def ledger_numbers(parser: argparse.ArgumentParser) -> None:
    """Take what is to be settled."""
    what = "as `ledger doubted` counts them; of a host or an agent (HOST/NAME): all that is open"
    parser.add_argument("numbers", metavar="NUMBER|HOST|AGENT", type=_booking, nargs="+", help=what)


def explain(parser: argparse.ArgumentParser) -> None:
    """Take an agent, and the form of the answer."""
    agent(parser)
    status(parser)


def logs(parser: argparse.ArgumentParser) -> None:
    """Take what to print of a log."""
    agent(parser)
    parser.add_argument("--run", metavar="N", dest="epoch", type=_count, default=0, help="another run, from 1")
    log_lines(parser)


def diff(parser: argparse.ArgumentParser) -> None:
    """Take whose work to show, and how much of it."""
    agent(parser)
    parser.add_argument("--run", metavar="N", dest="epoch", type=_count, default=0, help="another run, from 1")
    parser.add_argument("--file", metavar="F", default="", help="nothing but this file, as the list names it")
    parser.add_argument("--stat", action="store_true", help="nothing but the list of files")
    status(parser)


def log_lines(parser: argparse.ArgumentParser) -> None:
    """Take which lines of a log to print."""
    parser.add_argument("-n", "--lines", metavar="N", type=_count, default=200, help="the last N lines (default 200)")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the run has ended")
    parser.add_argument("--raw", action="store_true", help="what the agent wrote, byte for byte")
    parser.add_argument("--grep", metavar="TEXT", default="", help="only lines that contain this, from the whole log")
    parser.add_argument("-i", "--ignore-case", action="store_true", help="ignore case")
    parser.add_argument("--regex", action="store_true", help="TEXT is a regular expression")


def spawn(parser: argparse.ArgumentParser) -> None:
    """Take all of a new agent. The command after -- is taken off before."""
    parser.add_argument("name", metavar="NAME", help="a-z 0-9 _ -, like docs-1")
    parser.add_argument("--host", metavar="H", default="", help="where (default: this machine)")
    parser.add_argument("--profile", metavar="P", default="", help="a template of the config")
    parser.add_argument("--kind", metavar="K", default="", help="headless (the default), interactive or command")
    parser.add_argument("--model", metavar="M", default="", help="as Claude Code names it")
    parser.add_argument("--cwd", metavar="DIR", default="", help="the folder to work in, on the host")
    parser.add_argument(
        "--worktree",
        metavar="BASE",
        default="",
        help="in a git worktree of its own, from this branch; HEAD: what DIR stands at",
    )
    which = "which of those that the profile names, also for its later runs (default: the one with the most left)"
    parser.add_argument("--credential", metavar="C", default="", help=which)
    _task(parser)
    parser.add_argument("--anyway", action="store_true", help="also on a host that was found to lack what it needs")


def adopt(parser: argparse.ArgumentParser) -> None:
    """Take agents of others, and what is to become of them."""
    parser.add_argument("agent", metavar="AGENT", nargs="*", help=_WHO)
    parser.add_argument(
        "--all", dest="everyone", action="store_true", help="all that others started and that a filter fits"
    )
    parser.add_argument("--host", metavar="H", default="", help="those of this host only")
    parser.add_argument("--name", metavar="NAME", default="", help="what one agent is called from now on")
    parser.add_argument(
        "--profile", metavar="P", default="", help="whose limits bind it, and what it is begun with under a runner"
    )
    when = parser.add_mutually_exclusive_group()
    when.add_argument("--restart", action="store_true", help="end it now, and go on with its session under a runner")
    when.add_argument("--when-ended", action="store_true", help="go on with it likewise once it has ended by itself")
    parser.add_argument("--task", metavar="TEXT", default="", help="what it is told then (default: to go on)")
    _yes(parser)
    status(parser)


def reassign(parser: argparse.ArgumentParser) -> None:
    """Take agents and their new task, or where they are to go."""
    kill(parser)
    _task(parser)
    parser.add_argument("--host", metavar="H", default="", help="move it there; without a task it keeps its own")
    parser.add_argument("--continue", dest="keep", action="store_true", help="go on in the same Claude session")
    leave = "with --host and --continue: take the session along, and leave its files where they are"
    parser.add_argument("--leave-folder", dest="leave", action="store_true", help=leave)
    what = "trust what its host claims about it (kind, profile, model, folder), when this room did not order it"
    parser.add_argument("--trust-host", dest="trust", action="store_true", help=what)


def send(parser: argparse.ArgumentParser) -> None:
    """Take agents and what to say."""
    parser.add_argument("agent", metavar="AGENT", nargs="?", help=f"{_WHO}; several in one word, with commas")
    parser.add_argument("text", metavar="TEXT", nargs="*", help="the message; - reads it from stdin")
    _all_of_them(parser)


def answer(parser: argparse.ArgumentParser) -> None:
    """Take agents, a verdict, and words; or for each question of one agent the choices or words."""
    parser.add_argument("agent", metavar="AGENT", nargs="?", help=f"{_WHO}; several in one word, with commas")
    parser.add_argument("verdict", metavar="allow|always|deny", nargs="?", default=None)
    _all_of_them(parser)
    parser.add_argument("--alike", metavar="ID", default="", help="all who ask this, as questions names it")
    _yes(parser)
    parser.add_argument("text", metavar="TEXT", nargs="*", help="words for the agent")
    for name, metavar, says in (
        ("--question", "N", "which of its questions the next --choose or --words answers, from 1"),
        ("--choose", "N[,N...]", "its choices, by number or label"),
        ("--words", "TEXT", "an answer in words of your own"),
    ):
        parser.add_argument(name, metavar=metavar, action=_InOrder, dest="parts", default=(), help=says)


class _InOrder(argparse.Action):
    """Keeps options that belong together in the order in which they were said."""

    def __call__(self, parser: object, space: argparse.Namespace, values: object, option: str | None = None) -> None:
        """Add one."""
        parts = getattr(space, self.dest)
        setattr(space, self.dest, (*parts, ((option or "").lstrip("-"), str(values))))


def host(parser: argparse.ArgumentParser) -> None:
    """Take a host."""
    parser.add_argument("name", metavar="NAME", help="as host list shows it")


def host_drain(parser: argparse.ArgumentParser) -> None:
    """Take a host, and what becomes of what runs there."""
    host(parser)
    parser.add_argument("--move", action="store_true", help="have what is at work there go on elsewhere, in batches")
    parser.add_argument(
        "--batch", metavar="N", type=int, default=0, help="how many move at once (default 10): the next when these work"
    )
    parser.add_argument(
        "--continue", dest="go_on", action="store_true", help="go on with a drain that stands still: try again"
    )
    parser.add_argument("--reason", metavar="TEXT", default="", help="why; everybody is shown it")


def host_replace(parser: argparse.ArgumentParser) -> None:
    """Take a host, and the one that takes its place."""
    host(parser)
    parser.add_argument("by", metavar="NEW", help="the host that takes its place")
    parser.add_argument("--batch", metavar="N", type=int, default=0, help="how many move at once (default 10)")
    parser.add_argument("--reason", metavar="TEXT", default="", help="why; everybody is shown it")


def host_check(parser: argparse.ArgumentParser) -> None:
    """Take a host, and the form of the answer."""
    host(parser)
    status(parser)


def host_add(parser: argparse.ArgumentParser) -> None:
    """Take where a host is."""
    parser.add_argument("address", metavar="USER@ADDRESS[:PORT]", type=_address, help="or a name of ~/.ssh/config")
    parser.add_argument("--name", metavar="N", default="", help="its name here (default: from the address)")
    parser.add_argument("--fingerprint", metavar="SHA256:...", type=_fingerprint, help="of its host key")
    parser.add_argument(
        "--label", metavar="L", action="append", help="what tasks may want of it; may be given several times"
    )
    parser.add_argument("--size", metavar="S", default="", help="what its provider calls a machine like it, for advice")


def host_answer(parser: argparse.ArgumentParser) -> None:
    """Take a host and a verdict, or a secret that is never on the command line."""
    host(parser)
    parser.add_argument("verdict", choices=("allow", "deny"), nargs="?", default=None)
    parser.add_argument("--secret", action="store_true", help="say what it asks for: unseen here, or a line of stdin")


def init(parser: argparse.ArgumentParser) -> None:
    """Take hosts to begin with."""
    parser.add_argument(
        "--host", metavar="USER@ADDRESS[:PORT]", type=_address, action="append", default=[], help="add it; no questions"
    )


def completions(parser: argparse.ArgumentParser) -> None:
    """Take a shell."""
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))


def engine(parser: argparse.ArgumentParser) -> None:
    """Take where the engine is to run."""
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--foreground", action="store_true", help="in this process")
    either.add_argument("--install", action="store_true", help="have this machine start it, now and after a reboot")
    either.add_argument("--uninstall", action="store_true", help="stop starting it on this machine")


def bridge(parser: argparse.ArgumentParser) -> None:
    """Take what the other end may do."""
    parser.add_argument("--read-only", action="store_true", help="nothing that comes in can change anything")
    parser.add_argument("--no-start", action="store_true", help="start no engine where none runs")


def demo(parser: argparse.ArgumentParser) -> None:
    """Take the size of the demo."""
    parser.add_argument("--agents", metavar="N", type=_count, default=8, help="how many (default 8, at most 60)")
    parser.add_argument("--hold", action="store_true", help="without the screen, until Ctrl-C")


def _task(parser: argparse.ArgumentParser) -> None:
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--task", metavar="TEXT", type=_marked, help="what it is to do")
    either.add_argument("--task-file", metavar="F", help="a file that says it; - is stdin")


def _marked(text: str) -> str:
    return text.removeprefix(TEXT_MARK)


def _count(text: str) -> int:
    if not text.isdecimal() or not text.isascii() or not 1 <= int(text[:10]) <= 10**9:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 up, not {ascii(text)[:40]}")
    return int(text)


def _booking(text: str) -> str:
    """Take a booking's number, or a host or an agent whose bookings are meant."""
    return str(_count(text)) if text.isdecimal() else text


def is_address(text: str) -> bool:
    """Whether a text is user@address[:port], or could be a name of ~/.ssh/config."""
    from controlroom.domain.address import parse_address

    try:
        return bool(parse_address(text))
    except ValueError:
        return False


def _address(text: str) -> str:
    from controlroom.domain.address import parse_address

    try:
        parse_address(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None
    return text


def _fingerprint(text: str) -> str:
    bare = text.rstrip("=")
    if not _FINGERPRINT.fullmatch(bare):
        raise argparse.ArgumentTypeError("expected SHA256: and 43 letters, as ssh-keygen -lf prints it")
    return bare


def moment(text: str) -> str:
    """A moment in the past, as it was written: `90m`, `today`."""
    import time

    from controlroom.cli.costs import moment as read

    try:
        read(text, time.time())
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _number(text: str, least: float, most: float, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"expected {what} from {least:g} to {most:g}, not {ascii(text)[:40]}")
    return value


def _share(text: str) -> float:
    return _number(text.removesuffix("%").rstrip(), 0, 100, "per cent") / 100


def _dollars(text: str) -> int:
    return round(1_000_000 * _number(text.removeprefix("$"), 0.0001, 1_000_000, "dollars"))


def _hours(text: str) -> float:
    return _number(text, 0.01, 24, "hours a day")


def _rate(text: str) -> float:
    return _number(text, 0.01, 100_000, "requests an hour")


def _whole(most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0
        if not 1 <= value <= most:
            raise argparse.ArgumentTypeError(f"expected a whole number from 1 to {most:,}, not {ascii(text)[:40]}")
        return value

    return read


_days, _days_of_a_month = _whole(3650), _whole(31)
_agents, _tokens, _throughput = _whole(100_000), _whole(10_000_000), _whole(10**12)


def plan(parser: argparse.ArgumentParser) -> None:
    """Take how far to look back, and what to compare it with."""
    add = parser.add_argument
    add("--days", metavar="N", type=_days, default=30, help="the last N days of use (default 30)")
    add("--can-wait", metavar="PERCENT", type=_share, default=1.0, help="what could wait for a batch (default 100)")
    add(
        "--cache-hit", metavar="PERCENT", type=_share, help="what better caching would reach (default: your best or 90)"
    )
    add("--committed", metavar="DOLLARS", type=_dollars, default=0, help="an offer: dollars an hour for one unit")
    add("--tokens-per-minute", metavar="N", type=_throughput, default=0, help="tokens a minute that such a unit holds")
    status(parser)


def estimate(parser: argparse.ArgumentParser) -> None:
    """Take the size of a fleet, and how its requests are."""
    add = parser.add_argument
    add("--agents", metavar="N", type=_agents, required=True, help="agents that work at the same time")
    add("--hours", metavar="H", type=_hours, required=True, help="hours a day that each of them works")
    add("--requests-per-hour", metavar="R", type=_rate, required=True, help="API requests an hour of each of them")
    add("--model", metavar="M", default="", help="as the API names it (default: the one you used most)")
    add("--days", metavar="D", type=_days_of_a_month, default=30, help="days of a month that they work (default 30)")
    add("--input-tokens", metavar="N", type=_tokens, help="tokens of a prompt, cached ones too (default: as measured)")
    add("--output-tokens", metavar="N", type=_tokens, help="tokens of an answer (default: as measured)")
    add("--cache-hit", metavar="PERCENT", type=_share, help="how much of prompts is cached (default: as measured)")
    add("--offline", action="store_true", help="from the data files alone, without the engine")
    status(parser)


def budget_remove(parser: argparse.ArgumentParser) -> None:
    """Take the name of a budget."""
    parser.add_argument("name", metavar="NAME", help="as budget show has it")


def budget_set(parser: argparse.ArgumentParser) -> None:
    """Everything about a budget; what is left out stays as it is in a budget that exists."""
    from controlroom.domain.budgets import ORDERS, PERIODS, BudgetUnit

    parser.add_argument("name", metavar="NAME", help="a-z 0-9 _ -, like day")
    parser.add_argument("--limit", metavar="L", help="dollars like 8, tokens like 5M, per cent of a window like 85")
    parser.add_argument("--period", choices=PERIODS, help="of what the limit is (default: day)")
    parser.add_argument("--scope", metavar="S", type=_scope, help="fleet, 'host H', 'profile P' or 'agent H/A'")
    parser.add_argument("--unit", choices=[*BudgetUnit], help="what is counted (default: billed)")
    parser.add_argument("--window", metavar="W", help="of a plan, for --unit window: five_hour, seven_day, …")
    parser.add_argument("--ladder", metavar="AT:DO,…", type=_ladder, help="default: 50:notify,80:hold,95:pause")
    parser.add_argument("--order", choices=ORDERS, help="who is ended first: the lowest priority, or all at once")
    armed = parser.add_mutually_exclusive_group()
    what = "its ladder only says what it would do, and stops nobody"
    armed.add_argument("--disarm", dest="disarmed", action="store_true", default=None, help=what)
    armed.add_argument("--arm", dest="disarmed", action="store_false", help="let its ladder act again")
    what = "say what would change, and change nothing"
    parser.add_argument("--dry-run", dest="preview", action="store_true", help=what)


def _scope(text: str) -> str:
    from controlroom.domain.money.budget import scope_problem

    if wrong := scope_problem(text):
        raise argparse.ArgumentTypeError(wrong)
    return text


def _ladder(text: str) -> object:
    from controlroom.domain.money.budget import read_ladder

    try:
        return read_ladder(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
