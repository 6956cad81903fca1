"""Reads and writes fleet files: TOML in which agents and tasks stand that should exist.

What stands in such a file may be somebody else's words: it is bounded, taken whole or not at all, and nothing of it is
run here or said to be checked.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

import tomllib

from controlroom.cli.exits import Exit, Stop
from controlroom.cli.find import read_text
from controlroom.cli.task_files import task_of
from controlroom.domain.fleet_files import (
    MOST_AGENTS,
    MOST_TASKS,
    MOST_TEXT,
    AgentEntry,
    AgentWish,
    FleetFile,
    FleetTask,
)
from controlroom.domain.tasks import CENT, Source, TaskWish
from controlroom.domain.words import nearest
from controlroom.domain.worktrees import HEAD
from controlroom.text.sanitize import redact

_TOP = ("fleet", "defaults", "templates", "agents", "tasks")
_COMMON = ("profile", "model", "credential", "host", "host_labels", "cwd", "worktree")
_TEXT = ("text", "file", "template", "variables")
_AGENT = ("name", "count", "spread", "keep", *_COMMON, *_TEXT)
_TASK = (
    *("key", "title", "body", "url", "priority", "attempts", "cost", "hours", "after", "every", "verify"),
    *(*_COMMON, *_TEXT),
)
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----")

_MOST_COUNTED = 1_000
"""Agents that one entry may stand for."""

_LIST = 'a list of texts, like ["vm1", "vm2"]'


class _Reader:
    """Reads one file."""

    def __init__(self, path: str) -> None:
        self._path, self._texts = path, 0

    def stop(self, where: str, words: str) -> Stop:
        """What is wrong, and where."""
        return Stop(Exit.USAGE, f"{self._path}: {where}: {words}" if where else f"{self._path}: {words}")

    def read(self) -> FleetFile:
        """Read all of it. Raises `Stop`."""
        top = self._parsed()
        self._check_keys("", top, _TOP)
        defaults = self._table("defaults", top.get("defaults", {}))
        self._check_keys("defaults", defaults, ("keep", *_COMMON))
        templates = dict(self._templates(self._table("templates", top.get("templates", {}))))
        wishes = (wish for at, raw in self._tables(top, "agents") for wish in self._agents(at, raw, defaults))
        agents = list(islice(wishes, MOST_AGENTS + 1))  # a few lines can count millions of them
        tasks = [self._task(at, raw, defaults) for at, raw in self._tables(top, "tasks")]
        if len(agents) > MOST_AGENTS or len(tasks) > MOST_TASKS:
            raise self.stop("", f"it may have at most {MOST_AGENTS} agents and {MOST_TASKS} tasks: make two of it")
        if self._texts > MOST_TEXT:
            words = f"its texts have more than {MOST_TEXT} characters together: share them as templates"
            raise self.stop("", words)
        return FleetFile(self._string("", top, "fleet"), tuple(agents), tuple(tasks), templates)

    def _parsed(self) -> dict[str, Any]:
        text = read_text(self._path, "the fleet file")
        try:
            return tomllib.loads(text)
        except RecursionError:
            raise self.stop("", "that is nested too deeply") from None
        except ValueError as error:  # also of a number with thousands of digits
            raise self.stop("", f"that is not TOML: {error}") from None

    def _templates(self, tables: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Its own templates, written as in config.toml."""
        for name, raw in tables.items():
            table = self._table(f"templates.{name}", raw)
            self._check_keys(f"templates.{name}", table, ("text",))
            yield name, self._text(f"templates.{name}.text", table.get("text"))

    # ----------------------------------------------------------------------- agents

    def _agents(self, at: str, raw: dict[str, Any], defaults: Mapping[str, Any]) -> Iterator[AgentWish]:
        """The agents of one entry: one, or as many as it counts."""
        self._check_keys(at, raw, _AGENT)
        placed = {"host", "spread"} & raw.keys()
        entry = {name: value for name, value in defaults.items() if name != "host" or not placed} | raw
        name, count = self._string(at, raw, "name"), raw.get("count", 0)
        if not name:
            raise self.stop(at, "it has no name, and that is what applying the file again knows it by")
        is_number = isinstance(count, int) and not isinstance(count, bool)
        if "count" in raw and not (is_number and 1 <= count <= _MOST_COUNTED):
            raise self.stop(f"{at}.count", f"expected a whole number from 1 to {_MOST_COUNTED}")
        if len(placed) == 2:
            raise self.stop(at, "host names the one place where it runs, and spread several: say one of the two")
        spread = self._strings(at, raw, "spread") or (self._string(at, entry, "host"),)
        base = self._entry(at, entry)
        text, template, variables = self._said(at, raw)
        for number in range(1, max(1, count) + 1):
            own = f"{name}-{number}" if "count" in raw else name
            values = {"number": str(number), **variables} if template else {}
            self._texts += len(text) * (number > 1)
            yield AgentWish(replace(base, name=own, host=spread[(number - 1) % len(spread)]), text, template, values)

    def _entry(self, at: str, raw: Mapping[str, Any]) -> AgentEntry:
        keep = raw.get("keep", False)
        if not isinstance(keep, bool):
            raise self.stop(f"{at}.keep", "expected true or false")
        names = ("profile", "model", "credential", "cwd")
        words = {name: self._string(at, raw, name) for name in names}
        labels = self._strings(at, raw, "host_labels")
        return AgentEntry("", **words, labels=labels, worktree=self._worktree(at, raw), keep=keep)

    def _worktree(self, at: str, raw: Mapping[str, Any]) -> str:
        value = raw.get("worktree", "")
        return (HEAD if value else "") if isinstance(value, bool) else self._string(at, raw, "worktree")

    def _said(self, at: str, raw: Mapping[str, Any]) -> tuple[str, str, dict[str, str]]:
        """Its text, or the template that makes it, and the variables of that."""
        given = [name for name in ("text", "file", "template") if name in raw]
        if len(given) > 1:
            raise self.stop(at, f"it has {' and '.join(given)}: say its text once")
        variables = self._table(f"{at}.variables", raw.get("variables", {}))
        if variables and "template" not in raw:
            raise self.stop(f"{at}.variables", "variables are a template's, and it names none")
        for name, value in variables.items():
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                raise self.stop(f"{at}.variables.{name}", "expected text or a number")
        values = {name: str(value) for name, value in variables.items()}
        self._texts += sum(map(len, values.values()))
        if "file" in raw:
            return self._text(f"{at}.file", self._file(at, self._string(at, raw, "file"))), "", {}
        return self._text(f"{at}.text", raw.get("text", "")), self._string(at, raw, "template"), values

    def _file(self, at: str, name: str) -> str:
        """What stands in a file that an entry names, seen from the folder of the fleet file."""
        path = os.path.join(os.path.dirname(self._path) if self._path != "-" else "", os.path.expanduser(name))
        if not name or name == "-":
            raise self.stop(f"{at}.file", "expected the path of a file")
        try:
            text = read_text(path, "the text")
        except Stop as problem:
            raise self.stop(f"{at}.file", problem.sentence) from None
        if redact(text) != text or _PRIVATE_KEY.search(text):
            raise self.stop(f"{at}.file", f"{ascii(name)[:100]} holds what looks like a key: it is given to no agent")
        return text

    def _text(self, where: str, text: Any) -> str:
        if not isinstance(text, str):
            raise self.stop(where, "expected text")
        self._texts += len(text)
        return text

    # ----------------------------------------------------------------------- tasks

    def _task(self, at: str, raw: dict[str, Any], defaults: Mapping[str, Any]) -> FleetTask:
        self._check_keys(at, raw, _TASK)
        common = {name: value for name, value in defaults.items() if name in _COMMON}
        record = {name: value for name, value in {**common, **raw}.items() if name not in _TEXT}
        for name in ("title", "body", "key", "url", "profile", "model", "credential", "host", "cwd"):
            self._string(at, record, name)
        for name in ("after", "host_labels"):
            self._strings(at, record, name)
        self._worktree(at, record)
        text, template, variables = self._said(at, raw)
        try:
            wish = task_of({**record, "text": text}, f"{self._path}: {at}", TaskWish("", source=Source.FILE))
        except Stop as problem:
            raise Stop(problem.code, problem.sentence) from None
        if not wish.key:
            raise self.stop(at, "it has no key, and that is what applying the file again knows it by")
        self._texts += len(wish.text) - len(text)
        own: dict[str, str] = {name: str(record[name]) for name in ("title", "body") if name in record}
        return FleetTask(replace(wish, variables={**own, **variables} if template else {}), template)

    # ----------------------------------------------------------------------- values

    def _tables(self, top: Mapping[str, Any], name: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """The entries of a kind, each with where it stands: `agents[2] (docs)`."""
        entries = top.get(name, [])
        if not isinstance(entries, list):
            raise self.stop(name, f"expected entries that begin with [[{name}]]")
        for number, raw in enumerate(entries, 1):
            table = self._table(f"{name}[{number}]", raw)
            called = table.get("name" if name == "agents" else "key")
            yield f"{name}[{number}]" + (f" ({ascii(called[:40])[1:-1]})" if isinstance(called, str) else ""), table

    def _table(self, where: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.stop(where, "expected a table")
        return value

    def _check_keys(self, where: str, table: Mapping[str, Any], known: tuple[str, ...]) -> None:
        for key in table:
            if key not in known:
                near = nearest(key, known) or f": there are {', '.join(known)}"
                raise self.stop(where, f"{ascii(key)[:60]} is not a key of it{near}")

    def _string(self, where: str, table: Mapping[str, Any], name: str) -> str:
        value = table.get(name, "")
        if not isinstance(value, str):
            raise self.stop(f"{where}.{name}".lstrip("."), "expected text in quotes")
        return value

    def _strings(self, where: str, table: Mapping[str, Any], name: str) -> tuple[str, ...]:
        value = table.get(name, [])
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
            raise self.stop(f"{where}.{name}", f"expected {_LIST}")
        if name in table and not values and name == "spread":
            raise self.stop(f"{where}.{name}", "it names no host")
        return tuple(values)


def read_fleet(path: str) -> FleetFile:
    """Read a fleet file; a name that it does not say is that of the file. Raises `Stop`."""
    file = _Reader(path).read()
    return file if file.name else replace(file, name=name_of(path))


def name_of(path: str) -> str:
    """The name of a fleet whose file does not say one."""
    stem = os.path.basename(path).removesuffix(".toml").lower() if path != "-" else ""
    name = re.sub(r"[^a-z0-9_-]+", "-", stem).strip("-_")[:41]
    if not name:
        raise Stop(Exit.USAGE, f'{path}: how is the fleet called? say fleet = "NAME" in its first line')
    return name


# --------------------------------------------------------------------------- writing


def write_fleet(file: FleetFile) -> str:
    """Write a fleet file as TOML."""
    parts = [f"fleet = {_toml(file.name)}\n"]
    parts += [_entry("agents", _agent_fields(wish)) for wish in file.agents]
    parts += [_entry("tasks", _task_fields(task.wish)) for task in file.tasks]
    return "\n".join(parts)


def _agent_fields(wish: AgentWish) -> Iterator[tuple[str, object]]:
    entry = wish.entry
    yield from (("name", entry.name), ("host", entry.host), ("profile", entry.profile), ("model", entry.model))
    yield from (("credential", entry.credential), ("host_labels", list(entry.labels)), ("cwd", entry.cwd))
    yield from (("worktree", entry.worktree), ("keep", entry.keep), ("text", wish.text))


def _task_fields(wish: TaskWish) -> Iterator[tuple[str, object]]:
    yield from (("key", wish.key), ("host", wish.host), ("profile", wish.profile), ("model", wish.model))
    yield from (("credential", wish.credential), ("host_labels", list(wish.labels)), ("cwd", wish.cwd))
    yield from (("worktree", wish.worktree), ("priority", wish.priority), ("attempts", wish.max_attempts))
    yield from (("cost", wish.max_cost / (100 * CENT)), ("hours", wish.max_hours), ("every", wish.every))
    yield from (("after", list(wish.after)), ("text", wish.text))


def _entry(table: str, fields: Iterator[tuple[str, object]]) -> str:
    return f"[[{table}]]\n" + "".join(f"{name} = {_toml(value)}\n" for name, value in fields if value)


def _toml(value: object) -> str:
    """A value as TOML: strings with every sign escaped that TOML or a terminal minds, long ones over several lines."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if not isinstance(value, str):
        return repr(value)
    lines = "\n" in value
    escaped = "".join(_escaped(sign, lines=lines) for sign in value)
    return f'"""\n{escaped}"""' if lines else f'"{escaped}"'


def _escaped(sign: str, *, lines: bool) -> str:
    if sign in '"\\':
        return "\\" + sign
    if sign == "\n" and lines:
        return sign
    if sign.isprintable():
        return sign
    if 0xD800 <= ord(sign) < 0xE000:  # a byte that was no text: no TOML can hold it
        return "\\ufffd"
    return f"\\u{ord(sign):04x}" if ord(sign) < 0x10000 else f"\\U{ord(sign):08x}"
