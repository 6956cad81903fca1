"""The checks of an agent's work, run again on a merge before its branch moves, as home ordered them.

The environment is the agent's but for its credential: nothing that is checked needs one.
"""

import json
import os
import select
import subprocess
import sys
from collections.abc import Mapping

from controlroom.node.git.merging import Ground
from controlroom.node.spawn import Refusal
from controlroom.runner import environment
from controlroom.runner.git import GitFailed, opened
from controlroom.runner.outcome import Unfit
from controlroom.runner.worktree.included import copy_included
from controlroom.text.checks import CheckOrder, CheckRun, Checks, CheckState
from controlroom.wire.codec import decode
from controlroom.wire.lines import PeerError
from controlroom.wire.spec import AgentSpec, Credential

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "check_process.py")
GRACE = 60.0
"""Seconds beyond the limits of all checks for what they started to be ended."""
_SAID = 600
"""Characters of the end of an output that a refusal has."""


def check(spec: AgentSpec, login: Mapping[str, str], ground: Ground) -> str:
    """Run the checks of a spec, and say what passed; "" where there are none. Raises `Refusal`.

    The merge is made ready as a worktree of the profile's would be: ignored files as `.worktreeinclude` says, setup.
    """
    if not spec.checks.commands:
        return ""
    try:
        environ = _environ(spec, login, ground)
        with opened(ground.checkout, login) as repository:
            copy_included(repository, ground.top)
    except (Unfit, GitFailed) as problem:
        raise Refusal(f"it cannot be checked, and nothing was merged: {problem}") from None
    checks = _run(_order(spec), environ, ground.folder)
    if checks.state is CheckState.PASSED:
        return f"checked: {', '.join(run.command for run in checks.runs)}"
    failed = checks.failure or CheckRun(checks.command or "a check", "it was stopped")
    said = checks.output.strip()[-_SAID:]
    printed = f"; it said: {said}" if said else ""
    raise Refusal(f"nothing was merged: the check {failed.command} failed: {failed.failure}{printed}")


def _environ(spec: AgentSpec, login: Mapping[str, str], ground: Ground) -> dict[str, str]:
    own = spec._replace(credential=Credential())
    environ = environment.build(login, own, "checks/merge", ground.folder)
    return {
        **environ,
        "PWD": ground.folder,
        "CONTROLROOM_WORKTREE": ground.top,
        "CONTROLROOM_CHECKOUT": ground.checkout,
    }


def _order(spec: AgentSpec) -> CheckOrder:
    """Return what is to be run: what makes a worktree ready comes first."""
    if not spec.worktree_setup:
        return spec.checks
    minutes = max(spec.checks.minutes, spec.worktree_setup_minutes)
    return spec.checks._replace(commands=(spec.worktree_setup, *spec.checks.commands), minutes=minutes)


def _run(order: CheckOrder, environ: Mapping[str, str], folder: str) -> Checks:
    """Have them run by a program of their own, which ends them all when its stdin does: when we do, too."""
    asked = {"commands": order.commands, "minutes": order.minutes, "environ": environ, "folder": folder}
    argv = [sys.executable or "python3", "-I", "-S", PROGRAM]
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=null, cwd="/", start_new_session=True)
    assert process.stdin is not None and process.stdout is not None  # noqa: PT018 - for mypy: they are pipes
    try:
        process.stdin.write(json.dumps(asked).encode() + b"\n")
        process.stdin.flush()
        limit = len(order.commands) * order.minutes * 60 + GRACE
        told = process.stdout.readline() if select.select([process.stdout], [], [], limit)[0] else b""
        return decode(Checks, json.loads(told))
    except (OSError, ValueError, RecursionError, PeerError):
        return Checks(CheckState.UNFINISHED)
    finally:
        process.stdin.close()
        process.stdout.close()
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
