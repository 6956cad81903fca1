"""What a tool that is not known here may do with what it is given: run it as a command, or touch it as a file.

A server of MCP may do anything with its input, so nothing is certain, and a person is asked.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from controlroom.domain.permissions import floor as ground
from controlroom.domain.permissions import shell
from controlroom.domain.permissions.calls import Call
from controlroom.domain.permissions.floor import Finding, Floor
from controlroom.domain.permissions.rules import RuleVerdict
from controlroom.domain.permissions.steps import Step, steps_of

_RUN = re.compile(
    r"(?:commands?|cmds?|scripts?|shell|args|arguments|argv|code|program|exec|execute|run|keys)$", re.IGNORECASE
)
"""How fields are called whose text is run."""

_LONGEST, _MOST = 4_000, 400
"""Characters of one text, and different words in all, that are read as commands at most."""


def look_at_commands(floor: Floor, call: Call) -> Iterator[Finding]:
    """Find what the floor says of the commands that another tool is given: each time only that a person is asked."""
    ahead = _MOST
    for given in _run(call.given):
        steps = list(_steps(given, call.folder)) if _size(given) <= _LONGEST else []
        ahead -= sum(step.size for step in steps) + 1
        if ahead < 0 or _size(given) > _LONGEST:
            yield Finding(RuleVerdict.ASK, "commands", "it is given more to run than is looked at")
            return
        for step in steps:
            for finding in look_at_step(floor, step, call.folder):
                yield Finding(RuleVerdict.ASK, finding.part, finding.why)


def look_at_step(floor: Floor, step: Step, home: str) -> Iterator[Finding]:
    """Find what the floor says of a command, and of those that it runs by its words; `home`: the agent's folder."""
    seen = set[tuple[str, bool]]()
    for words in step.spread:
        yield from ground.look_at_command(floor, words, home, step.folders, seen)
    for redirect in step.command.redirects:
        yield from ground.look_at_path(floor, redirect.target.value, step.folders, writes=redirect.writes)


def _size(given: str | Sequence[str]) -> int:
    return len(given) if isinstance(given, str) else sum(map(len, given))


def files_named(call: Call) -> Iterator[str]:
    """Texts in the input of another tool that may be files."""
    return (text for text in dict.fromkeys(ground.texts(call.given)) if text and "\n" not in text and len(text) < 1024)


def _steps(words: str | Sequence[str], folder: str) -> Iterator[Step]:
    if isinstance(words, str):
        yield from steps_of(shell.parsed(words), folder)
    elif words:
        command = shell.Command(tuple(shell.Word(word) for word in words))
        yield Step(command, (folder,))


def _run(given: Any) -> Iterator[str | list[str]]:
    """What may be run: texts under such a name, lists of words, and those with the text beside them before them."""
    ahead: list[Any] = [given]
    while ahead:
        value = ahead.pop()
        if isinstance(value, list):
            ahead += value
        if not isinstance(value, Mapping):
            continue
        ahead += value.values()
        named = [inner for name, inner in value.items() if isinstance(name, str) and _RUN.search(name)]
        lines = [inner for inner in named if isinstance(inner, str) and inner.strip()]
        lists = [inner for inner in named if isinstance(inner, list) and inner and all(map(_is_text, inner))]
        yield from lines
        for words in lists:
            yield words
            yield from ([line, *words] for line in lines)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)
