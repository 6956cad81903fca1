"""Reads tasks out of files: JSON (an array, or a line each), TOML, or a Markdown list.

What stands in a file may be somebody else's: every such task says that it comes from one.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import tomllib

from controlroom.cli.exits import Exit, Stop
from controlroom.domain.tasks import Source, TaskWish
from controlroom.domain.worktrees import HEAD

_ITEM = re.compile(r"(?:[-*+]|\d{1,9}[.)])[ \t]+(?:\[(?P<box>[ xX])\][ \t]+)?(?P<text>\S.*)")

_TEXTS = ("profile", "host", "model", "cwd", "key", "every", "worktree", "credential")
_NUMBERS = {"priority": "priority", "attempts": "max_attempts"}

_AMOUNTS: Mapping[str, tuple[str, int, type[int] | type[float]]] = {
    "cost": ("max_cost", 1_000_000, int),
    "hours": ("max_hours", 1, float),
}

_LARGEST = 2**53
"""Neither a cost nor a time is so much; a TOML or JSON number may be infinite, or none."""

_LISTS = {"after": "after", "host_labels": "labels"}
"""What `labels` are is the tracker's: an issue's."""

_DEEP = "that is nested too deeply"

VARIABLE_DEPTH = 3
"""How deep a value may be nested that becomes a variable."""


def read_tasks(text: str, common: TaskWish) -> list[TaskWish]:
    """The tasks of a file, in order; what one does not say, `common` says. Raises `Stop`."""
    common = replace(common, source=Source.FILE)
    if text.lstrip()[:1] in ("[", "{") and not text.lstrip().startswith("[["):
        return [task_of(record, f"task {number}", common) for number, record in enumerate(_json(text), 1)]
    if re.search(r"^[ \t]*\[\[tasks\]\][ \t]*$", text, re.MULTILINE):
        return [task_of(record, f"task {number}", common) for number, record in enumerate(_toml(text), 1)]
    wishes = [replace(common, text=item) for item in markdown_items(text)]
    if not wishes:
        raise Stop(Exit.USAGE, "there is no task in it: expected JSON, TOML with [[tasks]], or a Markdown list")
    return wishes


def _json(text: str) -> list[Any]:
    """The records of a JSON array, or of JSON lines. Raises `Stop`."""
    try:
        whole = json.loads(text)
        return whole if isinstance(whole, list) else [whole]
    except RecursionError:
        raise Stop(Exit.USAGE, _DEEP) from None
    except ValueError:
        pass
    records = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                records.append(json.loads(line))
            except RecursionError:
                raise Stop(Exit.USAGE, f"line {number}: {_DEEP}") from None
            except ValueError as error:
                raise Stop(Exit.USAGE, f"line {number} is not JSON: {error}") from None
    return records


def _toml(text: str) -> list[Any]:
    try:
        tasks = tomllib.loads(text).get("tasks", [])
    except RecursionError:
        raise Stop(Exit.USAGE, _DEEP) from None
    except ValueError as error:  # also of a number with thousands of digits
        raise Stop(Exit.USAGE, f"that is not TOML: {error}") from None
    return tasks if isinstance(tasks, list) else [tasks]


def task_of(record: Any, which: str, common: TaskWish) -> TaskWish:
    """One task as a record says it; a text alone is a task. `which` names it. Raises `Stop`."""
    if isinstance(record, str):
        return replace(common, text=record)
    if not isinstance(record, dict):
        raise Stop(Exit.USAGE, f"{which} is not a record: expected {{…}} or text")
    if isinstance(record.get("worktree"), bool):
        record = {**record, "worktree": HEAD if record["worktree"] else ""}
    title, body = _said(record, "title"), _said(record, "body")
    text = _said(record, "text") or "\n\n".join(part for part in (title, body) if part)
    for name in ("text", *_TEXTS):
        if not isinstance(record.get(name, ""), str | None):
            raise Stop(Exit.USAGE, f"{which}: {name} is not a text")
    parts = _parts(record, which)
    if "key" not in parts and (url := _said(record, "url")):
        parts["key"] = url
    return replace(common, text=text, variables={**common.variables, **dict(_variables(record))}, **parts)


def _parts(record: Mapping[str, Any], which: str) -> dict[str, Any]:
    """What a record says of its task beside the text. Raises `Stop`."""
    parts: dict[str, Any] = {name: value for name in _TEXTS if (value := _said(record, name))}
    for name, field in _NUMBERS.items():
        number_said = record.get(name)
        if isinstance(number_said, int) and not isinstance(number_said, bool):
            parts[field] = number_said
        elif number_said is not None:
            raise Stop(Exit.USAGE, f"{which}: {name} is not a whole number")
    if "verify" in record:  # it would be run on a host, and nobody would be asked
        words = "what is run to check it is not taken from a file: say it with --verify, or in its profile"
        raise Stop(Exit.USAGE, f"{which}: {words}")
    for name, (field, unit, kind) in _AMOUNTS.items():
        amount = record.get(name)
        if isinstance(amount, int | float) and not isinstance(amount, bool) and abs(amount) < _LARGEST:
            parts[field] = kind(round(amount * unit, 3))
        elif amount is not None:
            raise Stop(Exit.USAGE, f"{which}: {name} is not a number")
    for name, field in _LISTS.items():
        several = record.get(name)
        if several is not None:
            parts[field] = tuple(map(str, several)) if isinstance(several, list) else (str(several),)
    return parts


def _said(record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    return value if isinstance(value, str) else ""


def _variables(record: Mapping[str, Any], prefix: str = "", depth: int = 1) -> Iterator[tuple[str, str]]:
    """The variables that a record gives to a template: `title`, and of nested ones `author.login`."""
    for name, value in record.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict) and depth < VARIABLE_DEPTH:
            yield from _variables(value, f"{key}.", depth + 1)
        elif isinstance(value, list):
            names = (item.get("name") or item.get("login") if isinstance(item, dict) else item for item in value)
            yield key, ", ".join(str(item) for item in names if item is not None)
        elif value is None or isinstance(value, str):
            yield key, value or ""
        elif isinstance(value, bool):
            yield key, "true" if value else "false"
        else:
            yield key, str(value)


def markdown_items(text: str) -> Iterator[str]:
    """The items of a Markdown list; what is indented below one belongs to it, what is ticked is done and left out."""
    item: list[str] | None = None
    ticked = fenced = False
    for raw in text.splitlines():
        if raw.lstrip().startswith("```"):
            fenced = not fenced
        match = None if fenced or raw[:1] in " \t" else _ITEM.fullmatch(raw.rstrip())
        if match:
            if item is not None and not ticked:
                yield "\n".join(item).strip()
            item, ticked = [match["text"]], (match["box"] or " ") in "xX"
        elif item is not None and (raw[:1] in (" ", "\t") or not raw.strip()):
            item.append(raw.strip() if not raw.startswith("    ") else raw[2:])
        elif item is not None and not fenced:
            if not ticked:
                yield "\n".join(item).strip()
            item = None
    if item is not None and not ticked:
        yield "\n".join(item).strip()
