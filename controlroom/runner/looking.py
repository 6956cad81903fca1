"""Has an agent's work looked at by git (`worktree.look`), and takes what that found. Loaded where it is wanted."""

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from controlroom.runner import agent_process
from controlroom.runner.agent_process import CheckProcess
from controlroom.text.json_fields import table

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "worktree", "look.py")
SECONDS = 900.0
"""How long a look may take: a fresh checkout of a large repository is a part of it."""
_BRIEF = 5.0
"""Seconds for a look that a run is kept from its end by."""
_MOST = 64 * 1024


def start(what: str, environ: Mapping[str, str], cwd: str, known: Mapping[str, Any]) -> CheckProcess:
    """Begin to look at the current folder's agent, which works in `cwd`. Raises `Unfit`.

    `known`: what was ordered, and how its work began (`worktree.look.Known`): in its folder the agent may change that.
    """
    return agent_process.start_check(_command(what, cwd, known), dict(environ), os.getcwd())


def found(end: int) -> dict[str, Any]:
    """Take what an ended look has found (`worktree.look.Looked`) from its pipe, and close that; empty: nothing."""
    try:
        data = os.read(end, _MOST)
    except OSError:
        data = b""
    os.close(end)
    return _read(data)


def at_once(what: str, environ: Mapping[str, str], cwd: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """Look, and wait for it, but not for long; empty: nothing was found in time. Raises `Unfit`."""
    printed = agent_process.printed(_command(what, cwd, known), dict(environ), os.getcwd(), seconds=_BRIEF, limit=_MOST)
    return _read(printed.out)


def has_changed(environ: Mapping[str, str], cwd: str, known: Mapping[str, Any]) -> bool | None:
    """Whether the current folder's agent has changed anything in `cwd`; None: nobody can tell. Raises `Unfit`."""
    place = os.path.realpath(cwd)
    while not os.path.lexists(os.path.join(place, ".git")):
        if place == os.path.dirname(place):
            return None
        place = os.path.dirname(place)
    changed = at_once("changed", environ, cwd, known).get("changed")
    return changed if isinstance(changed, bool) else None


def _command(what: str, cwd: str, known: Mapping[str, Any]) -> list[str]:
    python = sys.executable or "/usr/bin/python3"
    return [python, "-I", "-S", PROGRAM, os.getcwd(), cwd, what, json.dumps(known)]


def _read(data: bytes) -> dict[str, Any]:
    try:
        return table(json.loads(data.strip().rpartition(b"\n")[2] or b"{}"))
    except (ValueError, RecursionError):
        return {}
