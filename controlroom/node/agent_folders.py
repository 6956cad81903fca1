"""The agents' folders of this host as a node reads them: which there are, and what each says about its agent.

An agent may write anything into its own folder, so everything is bounded and checked, and the folder's name alone says
who the agent is.
"""

import os
from dataclasses import replace
from typing import Any

from controlroom.runner.files import read_regular, write_atomic
from controlroom.runner.folder import SPEC, STATUS, agent_folder, split_folder
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.names import agent_name_problem
from controlroom.text.states import State, lives
from controlroom.wire.codec import decode, encode
from controlroom.wire.lines import PeerError, from_line, to_line
from controlroom.wire.messages import AgentSeen
from controlroom.wire.records import FORMAT

_LIMIT = 1024 * 1024
_TEXT, _QUESTION, _EVIDENCE = 1000, 32 * 1024, 8
_STATES = {state.value for state in State}


class Entry(NamedTuple):
    """One epoch of an agent, and its folder."""

    name: str
    epoch: int
    folder: str


def entries(state: str) -> list[Entry]:
    """Return every epoch of every agent on this host. What else lies there is passed over."""
    parent = os.path.join(state, "agents")
    try:
        folders = [
            (item.path, split_folder(item.name)) for item in os.scandir(parent) if item.is_dir(follow_symlinks=False)
        ]
    except OSError:
        return []
    return [Entry(*key, path) for path, key in folders if key and key[1] > 0 and agent_name_problem(key[0]) is None]


def epochs(state: str, name: str) -> list[Entry]:
    """Return the epochs of one agent, newest first."""
    return sorted((entry for entry in entries(state) if entry.name == name), key=lambda entry: -entry.epoch)


def newest(state: str) -> dict[str, Entry]:
    """Return the newest epoch of every agent by name."""
    return {entry.name: entry for entry in sorted(entries(state), key=lambda entry: entry.epoch)}


def entry_of(state: str, name: str, epoch: int) -> Entry | None:
    """Return one epoch of an agent, None when it is not here."""
    folder = agent_folder(state, name, epoch)
    there = agent_name_problem(name) is None and epoch > 0 and os.path.isdir(folder)
    return Entry(name, epoch, folder) if there else None


def signature(path: str) -> tuple[int, ...]:
    """Return what changes when a file is replaced or written; empty when it is not there."""
    try:
        status = os.stat(path, follow_symlinks=False)
    except OSError:
        return ()
    return status.st_ino, status.st_mtime_ns, status.st_size


def read_status(entry: Entry) -> AgentSeen | None:
    """Read an agent's status.json; None when it has none yet. Raises `PeerError` saying what is wrong with it."""
    value = _read(entry, STATUS)
    if value is None:
        return None
    status = decode(AgentSeen, {**value, "name": entry.name, "epoch": entry.epoch})
    if status.state not in _STATES:
        raise PeerError(f"it gives {ascii(status.state)[:40]} as the state")
    question = status.question and replace(status.question, text=status.question.text[:_QUESTION])
    return replace(
        status,
        detail=status.detail[:_TEXT],
        profile=status.profile[:_TEXT],
        model=status.model[:_TEXT],
        cwd=status.cwd[:_TEXT],
        task=status.task[:_TEXT],
        session=status.session[:_TEXT],
        billing=status.billing[:_TEXT],
        stray_key=status.stray_key[:_TEXT],
        billing_doubt=status.billing_doubt[:_TEXT],
        pid=status.pid if 1 < status.pid < 2**31 else 0,
        question=question,
        evidence=tuple(replace(piece, value=piece.value[:_TEXT]) for piece in status.evidence[:_EVIDENCE]),
    )


def write_status(entry: Entry, seen: AgentSeen) -> None:
    """Write an agent's status.json for a runner that cannot. Raises `OSError`."""
    write_atomic(os.path.join(entry.folder, STATUS), to_line({"format": FORMAT, **encode(seen)}))


def read_order(entry: Entry) -> dict[str, Any]:
    """Read an agent's spec.json as it stands; empty when there is none that can be read."""
    try:
        return _read(entry, SPEC) or {}
    except PeerError:
        return {}


def is_live(seen: AgentSeen | None) -> bool:
    """Return whether by this status the agent's process may run."""
    return seen is not None and lives(seen.state, seen.ended, seen.pid)


def _read(entry: Entry, name: str) -> dict[str, Any] | None:
    try:
        value = from_line(read_regular(os.path.join(entry.folder, name), _LIMIT))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PeerError(error.strerror or str(error)) from None
    version = value.get("format", FORMAT)
    if version != FORMAT:
        raise PeerError(f"it has format {ascii(version)[:20]}, this node reads {FORMAT}")
    return value
