"""The checks of an agent's work, run again on a merge before its branch moves, as home ordered them.

The environment is the agent's but for its credential: nothing that is checked needs one.
"""

import json
import os
import select
import subprocess
import sys
from collections.abc import Mapping

from controlroom.node.spawn import Refusal
from controlroom.runner import environment
from controlroom.runner.outcome import Unfit
from controlroom.text.checks import CheckRun, Checks, CheckState
from controlroom.wire.codec import decode
from controlroom.wire.lines import PeerError
from controlroom.wire.spec import AgentSpec, Credential

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "check_process.py")
GRACE = 60.0
"""Seconds beyond the limits of all checks for what they started to be ended."""
_SAID = 600
"""Characters of the end of an output that a refusal has."""


def check(spec: AgentSpec, login: Mapping[str, str], folder: str) -> str:
    """Run the checks of a spec in a folder, and say what passed; "" where there are none. Raises `Refusal`."""
    if not spec.checks.commands:
        return ""
    try:
        own = spec._replace(credential=Credential())
        environ = {**environment.build(login, own, "checks/merge", folder), "PWD": folder}
    except Unfit as unfit:
        raise Refusal(f"it cannot be checked, and nothing was merged: {unfit}") from None
    checks = _run(spec, environ, folder)
    if checks.state is CheckState.PASSED:
        return f"checked: {', '.join(run.command for run in checks.runs)}"
    failed = checks.failure or CheckRun(checks.command or "a check", "it was stopped")
    said = checks.output.strip()[-_SAID:]
    printed = f"; it said: {said}" if said else ""
    raise Refusal(f"nothing was merged: the check {failed.command} failed: {failed.failure}{printed}")


def _run(spec: AgentSpec, environ: Mapping[str, str], folder: str) -> Checks:
    """Have them run by a program of their own, which ends them all when its stdin does: when we do, too."""
    order = spec.checks
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
