"""The options of `task add` and `task edit` that say how a task's work is checked."""

import argparse
import re
import shlex

from controlroom.text.checks import AS_PROFILE, MOST_TOLD, CheckOrder


def take_checks(parser: argparse.ArgumentParser) -> None:
    """Take what proves a task's work."""
    add = parser.add_argument
    add("--verify", metavar="CMD", type=_command, action="append", help="proves its work; may be given several times")
    add("--verify-minutes", metavar="N", type=_minutes, help="minutes that each of those may take")
    add("--verify-attempts", metavar="N", type=_tries, help="how often its agent is told what failed, and goes on")
    add("--clean", action="store_true", help="they run in a fresh checkout of what the agent has committed")
    add("--guarded", metavar="PATH", action="append", help="like tests/ or *.lock: named when the agent has changed it")


def _command(text: str) -> tuple[str, ...]:
    """Read the words of a command as a shell does. Raises `ArgumentTypeError`."""
    try:
        words = tuple(shlex.split(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a command like 'make test', not {ascii(text)[:40]}") from None
    return words


def _minutes(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,3})?", text):
        raise argparse.ArgumentTypeError(f"expected minutes like 10, not {ascii(text)[:40]}")
    return float(text)


def _tries(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text[:5]) <= MOST_TOLD):
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 to {MOST_TOLD}, not {ascii(text)[:40]}")
    return int(text)


def edited_order(args: argparse.Namespace, before: CheckOrder) -> CheckOrder | None:
    """What is to be said of a task's checks from now on; None: nothing else than before. `--verify ''`: no commands."""
    said = check_order(args)
    if said == AS_PROFILE and args.verify is None and args.guarded is None:
        return None
    return CheckOrder(
        before.commands if args.verify is None else said.commands,
        said.minutes or before.minutes,
        before.attempts if said.attempts < 0 else said.attempts,
        said.clean or before.clean,
        before.guarded if args.guarded is None else said.guarded,
    )


def check_order(args: argparse.Namespace) -> CheckOrder:
    """What is said of a task's checks."""
    commands = tuple(command for command in args.verify or () if command)
    attempts = -1 if args.verify_attempts is None else args.verify_attempts
    guarded = tuple(pattern for pattern in args.guarded or () if pattern)
    return CheckOrder(commands, args.verify_minutes or 0.0, attempts, args.clean, guarded)
