"""Checks as a person wants them and sees them: what cannot be wanted, how they stand, what failed."""

import re
import shlex
from collections.abc import Iterator, Mapping

from controlroom.domain.words import ago
from controlroom.text.checks import (
    MOST_COMMANDS,
    MOST_MINUTES,
    MOST_PATTERNS,
    MOST_TOLD,
    MOST_WORDS,
    CheckOrder,
    CheckRun,
    Checks,
    CheckState,
)
from controlroom.text.sanitize import redact, sanitize

SHOWN_LINES = 12
"""Lines of what a check printed that are shown."""

_CHARACTERS = 8_000
"""Of all checks of a task."""

_STATES = {
    CheckState.RUNNING: "they run",
    CheckState.PASSED: "passed",
    CheckState.FAILED: "failed",
    CheckState.UNFINISHED: "did not finish",
}


def check_lines(checks: Checks, now: int) -> list[str]:
    """Say how checks stand: one line about them, one a check that ran, and more where there is more to say."""
    stands = _STATES.get(checks.state, "nothing is known of them")
    where = f" in a fresh checkout of {checks.commit[:12] or 'its branch'}" if checks.clean else ""
    told = f"; it was told of a failure {_times(checks.told, checks.attempts)}" if checks.told else ""
    lines = [f"checks: {stands}{where}, {ago(now - checks.at)}{told}" if checks.at else f"checks: {stands}"]
    lines += [f"  {_run(run)}" for run in checks.runs]
    lines += [f"  runs: {checks.command}"] * bool(checks.command)
    lines += [f"  {checks.guarded_words}"] * bool(checks.guarded_words)
    printed = [line for line in checks.output.split("\n") if line.strip()][-SHOWN_LINES:]
    return [*lines, *(f"  | {line}" for line in printed)]


def summary_lines(checks: Checks, now: int) -> list[str]:
    """Say how checks stand in one sentence, what matters first, and in another which guarded files were changed."""
    failure = checks.failure
    about = f"{failure.command} · {failure.failure}" if failure else checks.command
    stands = f"checks: {_STATES.get(checks.state, 'nothing is known of them')}"
    when = f", {ago(now - checks.at)}" if checks.at else ""
    told = f"; told {_times(checks.told, checks.attempts)}" if checks.told else ""
    first = f"{stands}{f': {redact(sanitize(about, 200))}' if about else ''}{when}{told}"
    return [first, *[checks.guarded_words] * bool(checks.guarded_words)]


def check_words(checks: Checks) -> str:
    """Say in a few words how checks came out; "": they run, or nothing is known."""
    if checks.state is CheckState.PASSED:
        return "checked" + (f"; {checks.guarded_words}" if checks.guarded_words else "")
    return {CheckState.FAILED: "checks failed", CheckState.UNFINISHED: "not checked to the end"}.get(checks.state, "")


def _run(run: CheckRun) -> str:
    return f"{'✕' if run.failure else '✓'} {run.command} · {run.failure or 'passed'} · {run.seconds:g} s"


def _times(told: int, most: int) -> str:
    return f"{'once' if told == 1 else f'{told} times'} of {most}"


def command_words(order: CheckOrder) -> list[str]:
    """Write the commands as a shell would take them, safe to show."""
    return [redact(sanitize(shlex.join(command), 200)) for command in order.commands]


class Unreadable(ValueError):
    """What was typed is no order of checks; the text says why."""


def written(order: CheckOrder) -> dict[str, str]:
    """Write an order as a form shows it, part by part; what the profile says is empty."""
    return {
        "verify": " && ".join(map(shlex.join, order.commands)),
        "minutes": f"{order.minutes:g}" if order.minutes else "",
        "attempts": "" if order.attempts < 0 else str(order.attempts),
        "clean": "yes" if order.clean else "",
        "guarded": shlex.join(order.guarded),
    }


def read(parts: Mapping[str, str]) -> CheckOrder:
    """Read an order as a form has it. Raises `Unreadable`."""
    minutes, attempts = parts["minutes"].strip(), parts["attempts"].strip()
    if minutes and not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,3})?", minutes):
        raise Unreadable(f"minutes are a number like 10, and each check may take {MOST_MINUTES} at most")
    if attempts and not (attempts.isascii() and attempts.isdecimal() and int(attempts[:5]) <= MOST_TOLD):
        raise Unreadable(f"attempts are a whole number from 0 to {MOST_TOLD}")
    try:
        commands = tuple(tuple(command) for command in _commands(parts["verify"]))
        guarded = tuple(shlex.split(parts["guarded"]))
    except ValueError:
        raise Unreadable("a quotation mark is missing in verify or guarded") from None
    order = CheckOrder(commands, float(minutes or 0), int(attempts or -1), parts["clean"] == "yes", guarded)
    if wrong := problem(order):
        raise Unreadable(wrong)
    return order


_PIECE = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*"|\\.|&&|.""", re.DOTALL)


def _commands(text: str) -> Iterator[list[str]]:
    """Take a line apart at each && that is not quoted. Raises `ValueError`."""
    parts = [""]
    for piece in _PIECE.findall(text):
        if piece == "&&":
            parts.append("")
        else:
            parts[-1] += piece
    yield from filter(None, map(shlex.split, parts))


def problem(order: CheckOrder) -> str:
    """Say why checks cannot be run as somebody wishes; "": they can."""
    words = [word for command in order.commands for word in command]
    if len(order.commands) > MOST_COMMANDS or any(not 0 < len(command) <= MOST_WORDS for command in order.commands):
        return f"a task has at most {MOST_COMMANDS} checks, each of 1 to {MOST_WORDS} words"
    if any(not command[0].strip() for command in order.commands) or any("\0" in word for word in words):
        return "a check begins with a program, and holds no zero byte"
    if len(order.guarded) > MOST_PATTERNS or any("\0" in pattern or not pattern.strip() for pattern in order.guarded):
        return f"a task guards at most {MOST_PATTERNS} patterns of files, none of them empty"
    words += order.guarded
    if sum(map(len, words)) > _CHARACTERS:
        return f"the checks of a task have at most {_CHARACTERS} characters in all"
    if any(word != redact(word) for word in words):
        return "a check is kept and shown in the open, and this one holds what looks like a secret"
    if not 0 <= order.minutes <= MOST_MINUTES or not -1 <= order.attempts <= MOST_TOLD:
        return f"a check has at most {MOST_MINUTES} minutes, and an agent is told at most {MOST_TOLD} times"
    return ""
