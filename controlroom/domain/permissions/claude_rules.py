"""Reads the permission rules of Claude Code's settings as rules of a room.

Shapes of them: Claude Code's documentation, Identity and access management (2.1.332): `permissions.allow`, `.deny` and
`.ask` are lists of `TOOL` or `TOOL(PATTERN)`; `Bash(npm run test:*)` is what begins with those words; paths of files
begin with `//` at the root of the disk, with `~/` at home, with `/` or nothing in the project.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from controlroom.domain.permissions.calls import BASH, EDITORS, READERS
from controlroom.domain.permissions.rules import Rule, RuleVerdict, every_tool, problem_of


class Imported(NamedTuple):
    """One rule of Claude's: as ours, or why it cannot be."""

    source: str
    """As Claude's settings say it, with its list before it."""
    rule: Rule | None
    why: str = ""


def read_settings(settings: Mapping[str, Any], names: Iterable[str]) -> Iterator[Imported]:
    """Read the rules of a settings file. `names`: those that are taken already."""
    permissions = settings.get("permissions")
    taken = set(names)
    for verdict in RuleVerdict:
        lines = permissions.get(verdict) if isinstance(permissions, dict) else None
        for line in lines if isinstance(lines, list) else ():
            if isinstance(line, str):
                read = _read(line, verdict, taken)
                taken |= {read.rule.name} if read.rule else set()
                yield read


_LINE = re.compile(r"(?P<tool>[A-Za-z][\w*-]*)(?:\((?P<pattern>.*)\))?", re.DOTALL)


def _read(line: str, verdict: RuleVerdict, taken: Iterable[str]) -> Imported:
    source = f"{verdict}: {line[:200]}"
    match = _LINE.fullmatch(line.strip())
    if match is None:
        return Imported(source, None, "it is not written as Claude Code's rules are")
    tool, pattern = match["tool"], (match["pattern"] or "").strip()
    tool = every_tool(tool)
    try:
        pattern = _pattern(tool, "" if pattern in ("*", ":*") and tool != BASH else pattern, verdict)
    except ValueError as problem:
        return Imported(source, None, str(problem))
    name = name_of(f"{'' if verdict is RuleVerdict.ALLOW else f'{verdict}-'}{pattern or tool}", taken)
    rule = Rule(name, verdict, tool, pattern)
    wrong = problem_of(rule)
    return Imported(source, None, wrong) if wrong else Imported(source, rule)


def _pattern(tool: str, pattern: str, verdict: RuleVerdict) -> str:
    """Write a pattern of Claude's as one of ours. Raises `ValueError` with the reason why it cannot be."""
    if tool == BASH:
        begin = pattern.removesuffix(":*")
        return f"{begin.strip()} *".strip() if begin != pattern else pattern
    if tool == "WebFetch" and pattern:
        if not pattern.startswith("domain:"):
            raise ValueError("it names no domain")
        return pattern.removeprefix("domain:").strip()
    if tool in EDITORS or tool in READERS:
        return _path(pattern, verdict)
    return pattern


def _path(pattern: str, verdict: RuleVerdict) -> str:
    if pattern.startswith("//"):
        return pattern[1:]
    if pattern.startswith("~"):
        if verdict is RuleVerdict.ALLOW:
            raise ValueError("where ~ is on a host is not known here: write the whole path")
        return f"**/{pattern.removeprefix('~').lstrip('/')}"
    plain = pattern.lstrip("/").removeprefix("./")
    return f"**/{plain}" if plain and "/" not in plain and verdict is not RuleVerdict.ALLOW else plain


def name_of(what: str, taken: Iterable[str]) -> str:
    """Make a name for a rule of what it is about: one that is not taken."""
    plain = re.sub(r"[^a-z0-9]+", "-", what.casefold()).strip("-")[:32].strip("-") or "rule"
    name, number, there = plain, 2, set(taken)
    while name in there:
        name, number = f"{plain}-{number}", number + 1
    return name
