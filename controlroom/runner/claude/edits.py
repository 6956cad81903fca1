"""Which files Claude edits with its own tools, as its calls of them say.

A call counts once its result is there and is no error: what nobody allowed has edited nothing. What it edits by
commands is not known from them.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from typing import Any

from controlroom.runner.files import append_to
from controlroom.runner.folder import EDITS
from controlroom.text.json_fields import table, tables, text
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.lazy_pattern import pattern
from controlroom.text.sanitize import redact

_PATHS = {"Edit": "file_path", "Write": "file_path", "MultiEdit": "file_path", "NotebookEdit": "notebook_path"}
"""The tools that edit a file, and what their input calls it."""

MOST_EDITED = 1_000
"""Files of one run that are noted: with so many, there may be more."""

LONGEST = 4_096
"""Characters of a path."""

COMMIT = pattern("[0-9a-f]{40}|[0-9a-f]{64}")
"""A commit's name in hexadecimal."""

_CALLS = 200


def is_path(text: str) -> bool:
    """Whether a text can be a path on a host."""
    try:
        return 0 < len(text) <= LONGEST and b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


class EditCalls:
    """The calls that are under way."""

    def __init__(self) -> None:
        self._calls: dict[str, str] = {}

    def edited(self, event: dict[str, Any]) -> Iterator[str]:
        """Yield the paths of files that have been edited by what this event tells of."""
        if event.get("type") not in ("assistant", "user"):
            return
        for block in tables(table(event.get("message")).get("content")):
            if block.get("type") == "tool_use":
                self._called(block)
            elif block.get("type") == "tool_result":
                path = self._calls.pop(text(block.get("tool_use_id"), 100), "")
                if path and block.get("is_error") is not True:
                    yield path

    def _called(self, block: dict[str, Any]) -> None:
        name = _PATHS.get(text(block.get("name"), 100), "")
        path = table(block.get("input")).get(name) if name else None
        if isinstance(path, str) and is_path(path):
            self._calls[text(block.get("id"), 100)] = path
            if len(self._calls) > _CALLS:
                del self._calls[next(iter(self._calls))]


class EditNotes:
    """Notes the edited files of one run in the current folder, each once."""

    def __init__(self) -> None:
        self._calls = EditCalls()
        self._noted: set[str] = set()

    def hear(self, event: dict[str, Any]) -> None:
        """Take an event of Claude's. What cannot be written is not noted: git shows it, too."""
        for path in self._calls.edited(event):
            if path not in self._noted and len(self._noted) < MOST_EDITED:
                self._noted.add(path)
                with contextlib.suppress(OSError):
                    note(EDITS, path=path)


def note(file: str, **fields: str) -> None:
    """Add a note to a run's edits.jsonl. Raises `OSError`."""
    descriptor = append_to(file)
    try:
        os.write(descriptor, redact(json.dumps(fields)).encode() + b"\n")
    finally:
        os.close(descriptor)


class Note(NamedTuple):
    """One note: a file that was edited, or the commit up to which a person has accepted what was committed."""

    path: str = ""
    merged: str = ""


def read_notes(data: bytes) -> Iterator[Note]:
    """Yield what was noted, by whole lines; what is no such line is passed over."""
    for line in data.split(b"\n"):
        try:
            value = json.loads(line) if line.startswith(b"{") else None
        except (ValueError, RecursionError):
            continue
        found = Note(*(text(table(value).get(name), LONGEST) for name in Note._fields))
        if is_path(found.path) or COMMIT.fullmatch(found.merged):
            yield found
