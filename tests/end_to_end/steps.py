"""Steps for the stand-in of the API in which a model works in git, and git itself."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path


def call(tool: str, **given: str) -> str:
    """A step for the stand-in of the API: a call of a tool."""
    return f"[[tool {tool} {json.dumps(given)}]]"


def commit(name: str) -> str:
    return call("Bash", command=f"git add -A && git commit -q -m 'docs: {name}'")


def git(where: Path, *words: str, ssh: str = "ssh") -> str:
    who = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
    environ = {**os.environ, "GIT_SSH_COMMAND": ssh}
    argv = ["git", "-C", str(where), *who, *words]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60, env=environ).stdout.strip()
