"""Patterns of the input of tools that are not known here, those of MCP servers above all: `repo=docs-* title=* *`.

Each word names a field and what may stand in it: `*` and `?` are a part of a name, `**` any folders, `[*]` a star
itself, and `*` alone whatever it holds, also nothing. `at.path` is a field within a field; of a list each item counts.
A rule that allows covers no field that it does not name, unless it ends with `*`: a server may give its tools new ones.
"""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any
from unicodedata import normalize
from urllib.parse import unquote

from controlroom.text.lazy_dataclass import dataclass

MOST_LEAVES = 500
"""Values of one input that are looked at, at most."""

_DEEPEST = 24

Path = tuple[str, ...]
Leaves = Mapping[Path, list[Any]]
"""All values of an input by the names that lead to them; items of a list have its name."""


@dataclass(frozen=True)
class InputPattern:
    """What a rule says of an input. `open_end`: it may have other fields, too."""

    fields: tuple[tuple[Path, str], ...]
    open_end: bool


_NAME = re.compile(r"[A-Za-z_$@][\w$@-]*(?:\.[A-Za-z_$@][\w$@-]*)*")


@lru_cache(maxsize=4096)
def input_pattern(text: str) -> InputPattern:
    """Read a pattern, quoted as in a shell. Raises `ValueError` with what is wrong."""
    words = shlex.split(text)
    open_end = words[-1:] == ["*"]
    fields: dict[Path, str] = {}
    for word in words[:-1] if open_end else words:
        name, sign, glob = word.partition("=")
        if not sign or not _NAME.fullmatch(name):
            raise ValueError(f"{word[:60]!a} is no FIELD=PATTERN")
        if tuple(name.split(".")) in fields:
            raise ValueError(f"it names {name[:60]} twice")
        fields[tuple(name.split("."))] = glob
    return InputPattern(tuple(fields.items()), open_end)


def leaves(given: Mapping[str, Any]) -> Leaves | None:
    """Take an input apart; None: it has too much in it."""
    ahead: list[tuple[Path, Any]] = [((), given)]
    ended: dict[Path, list[Any]] = {}
    count = 0
    while ahead:
        path, value = ahead.pop()
        if isinstance(value, Mapping) and value:
            ahead += [((*path, str(name)), inner) for name, inner in reversed(list(value.items()))]
        elif isinstance(value, list) and value:
            ahead += [(path, inner) for inner in reversed(value)]
        elif path:
            ended.setdefault(path, []).append(value)
            count += 1
        if len(path) > _DEEPEST or count + len(ahead) > MOST_LEAVES:
            return None
    return ended


def uncovered(pattern: InputPattern, values: Leaves | None) -> str:
    """Say what of an input a rule that allows does not cover; "": it covers all of it."""
    if values is None:
        return "its input has more in it than is looked at"
    for path, glob in pattern.fields:
        if glob != "*" and path not in values:
            return f"its input has no {'.'.join(path)}"
        if glob != "*" and not all(_covers(glob, value) for value in values[path]):
            return f"its {'.'.join(path)} is something else"
    wanted = dict(pattern.fields)
    for path in values:
        name = next((path[:end] for end in range(len(path), 0, -1) if path[:end] in wanted), None)
        if name is None and not pattern.open_end:
            return f"its input has {'.'.join(path)[:60]!a}, which the rule does not name"
        if name is not None and name != path and wanted[name] != "*":
            return f"its {'.'.join(name)} is something else"
    return ""


def spoken_of(name: Path, values: Leaves) -> Iterator[str]:
    """All texts that a rule that denies or asks may mean by a field: in whatever depth and case of letters.

    Of what is within the field the names count, too: they may be what it is about.
    """
    plain = _folded(name)
    for path, inner in values.items():
        for at in range(len(path) - len(name) + 1):
            if path[at].casefold() == plain[0] and _folded(path[at : at + len(name)]) == plain:
                yield from (*map(in_words, inner), *path[at + len(name) :])


def _folded(path: Path) -> Path:
    return tuple(part.casefold() for part in path)


def is_like(glob: str, text: str) -> bool:
    """Whether a text is what a pattern says, read widely: stars stand for anything, in any case of letters."""
    return glob == "*" or any(_wide(glob).fullmatch(each) is not None for each in _forms(text))


@lru_cache(maxsize=512)
def _forms(text: str) -> tuple[str, str]:
    """A text as it may be meant: in small letters, and once its signs are made plain."""
    return text.casefold(), normalize("NFKC", unquote(text)).casefold().strip()


def literal(text: str) -> str:
    """A pattern that stands for a text itself."""
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in text)


def in_words(value: Any) -> str:
    """A value as a pattern is about it: a text itself, another one as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


# ---------------------------------------------------------------------- one value

_PARTS = re.compile(r"(\*\*/|\*\*|\*|\?|\[[*?\[]\])")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://[a-z0-9.-]{1,253}(?::\d{1,5})?(?:/[^\s\\]*)?", re.IGNORECASE)


def _covers(glob: str, value: Any) -> bool:
    """Whether a value is what a pattern says, and leads nowhere else: by dots, unseen signs or another address."""
    if isinstance(value, Mapping | list):
        return False
    text = in_words(value)
    exact, plain = _exact(glob)
    if plain is not None:
        return text == plain
    if exact.fullmatch(text) is None or not text.isprintable():
        return False
    whole = unquote(unquote(text))
    if ".." in re.split(r"[/\\]", whole) or "\\" in whole:
        return False
    return "://" not in whole or (whole.count("://") == 1 and _URL.fullmatch(text) is not None)


@lru_cache(maxsize=4096)
def _exact(glob: str) -> tuple[re.Pattern[str], str | None]:
    """A pattern as a rule that allows has it, and the text that it stands for, where that is one."""
    signs = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = _PARTS.split(glob)
    plain = None if any(part in signs for part in parts) else "".join(map(_unescaped, parts))
    return re.compile("".join(signs.get(part, re.escape(_unescaped(part))) for part in parts), re.DOTALL), plain


@lru_cache(maxsize=4096)
def _wide(glob: str) -> re.Pattern[str]:
    signs = {"**/": ".*", "**": ".*", "*": ".*", "?": "."}
    parts = (signs.get(part, re.escape(_unescaped(part))) for part in _PARTS.split(glob.casefold()))
    return re.compile("".join(parts), re.DOTALL)


def _unescaped(part: str) -> str:
    return part[1] if len(part) == 3 and part[0] == "[" and part[2] == "]" and part[1] in "*?[" else part
