"""What a runner does about its agent's worktree: has it made by `worktree.prepare`, and takes what that found."""

import contextlib
import json
import os
import sys
from typing import Any

from controlroom.runner import agent_process, folder
from controlroom.runner.agent_process import Child
from controlroom.runner.files import read_regular
from controlroom.runner.outcome import Unfit
from controlroom.runner.spec import Order

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "worktree", "prepare.py")
_MOST = 256 * 1024
_SHOWN = ("path", "branch", "base", "onto", "origin", "checkout", "ports")
"""What is told of a worktree in the agent's status (`wire.worktrees.WorktreeSeen`)."""


def is_needed(order: Order) -> bool:
    """Whether there is something to make, or a worktree that a resumed agent may go on in."""
    if order.spec.worktree or not order.spec.resume:
        return bool(order.spec.worktree)
    with contextlib.suppress(OSError):
        names = os.listdir(os.path.join(os.pardir, os.pardir, "worktrees"))
        return any(name.startswith(f"{order.name}.") for name in names)
    return False


def start(environ: dict[str, str]) -> Child:
    """Start making the worktree of the current folder's agent. Raises `Unfit`."""
    here = os.getcwd()
    python = sys.executable or "/usr/bin/python3"
    return agent_process.start([python, "-I", "-S", PROGRAM, here], environ, here)


def result(environ: dict[str, str], cwd: str) -> tuple[str, dict[str, Any], str]:
    """Take what came of it: where to work, what to tell of it, its git directory; `environ` gets its variables.

    Raises `Unfit`.
    """
    try:
        value = json.loads(read_regular(folder.WORKTREE, _MOST))
    except (OSError, ValueError, RecursionError):
        value = {"problem": "its worktree was not made: what makes it was killed, or its disk is full"}
    if not isinstance(value, dict) or "problem" in value:
        raise Unfit(str(value["problem"]) if isinstance(value, dict) else "its worktree was not made")
    if not value:
        return cwd, {}, ""
    environ.update(value["variables"])
    return value["cwd"], {name: value["worktree"][name] for name in _SHOWN}, value["worktree"]["repository"]
