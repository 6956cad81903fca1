"""Fences: a session that has moved to another host is not gone on in here, whoever asks for it.

A fence stands in the agent's folder, as `moved.json`, with the hashes of the session's files as they left: what comes
back later may take their place.
"""

import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

from controlroom.node.agent_folders import Entry
from controlroom.runner.files import read_regular, write_atomic
from controlroom.text.json_fields import table, text

FILE = "moved.json"
_MOST = 1024 * 1024


def put(entry: Entry, op: int, session: str, to: str, files: Mapping[str, str]) -> None:
    """Put up a fence, or another one in its place. Raises `OSError`."""
    value = {"op": op, "session": session, "to": to, "files": dict(files)}
    write_atomic(os.path.join(entry.folder, FILE), json.dumps(value).encode())


def take_down(entries: Iterable[Entry], session: str) -> None:
    """Take down the fences of a session: it is here again, or its move came to nothing. Raises `OSError`."""
    for entry in entries:
        if text(_read(entry).get("session"), 100) == session:
            os.unlink(os.path.join(entry.folder, FILE))


def moved_to(entries: Iterable[Entry], session: str) -> str:
    """Return the host that a session has moved to; "": none."""
    fences = (_read(entry) for entry in entries)
    return next((text(fence.get("to"), 100) for fence in fences if text(fence.get("session"), 100) == session), "")


def left(entries: Iterable[Entry], session: str) -> dict[str, str]:
    """Return the hashes that a session's files had when it left, by their paths."""
    known: dict[str, str] = {}
    for entry in entries:
        fence = _read(entry)
        if text(fence.get("session"), 100) == session:
            known |= {path: text(digest, 100) for path, digest in table(fence.get("files")).items()}
    return known


def _read(entry: Entry) -> dict[str, Any]:
    try:
        return table(json.loads(read_regular(os.path.join(entry.folder, FILE), _MOST)))
    except (OSError, ValueError, RecursionError):
        return {}
