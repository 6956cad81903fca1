"""Whether every message of short Claudes is counted that an agent, a command or somebody else runs in a row.

`python -m tests.benchmarks.nested [COUNT]`: real Claude Code against the stand-in for the Messages API.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from controlroom.wire.messages import Ping
from controlroom.wire.spec import AgentSpec
from tests.benchmarks.table import print_table
from tests.lab import claude
from tests.lab.agent_under_test import Agent
from tests.lab.messages_api.server import Api
from tests.lab.node_client import NodeClient
from tests.node.adopted import Home
from tests.runner.claude_agents import BASH, in_bash, metered

SECONDS = 0.8
"""Seconds that the stand-in takes to answer: with its start, a run takes some 1.3."""


def own(folder: Path, project: Path, script: str, kind: str) -> int:
    """How many messages the runner of an agent has counted."""
    environ = {**os.environ, "LANG": "C.UTF-8"}
    command = BASH if kind == "headless" else ("bash", "-c", script)
    task = in_bash(script) if kind == "headless" else ""
    run = Agent(folder, AgentSpec(kind=kind, command=command, cwd=str(project)), task, environ).start()
    run.finish(600)
    return len(metered(run))


def adopted(project: Path, script: str, expected: int) -> int:
    """How many messages a node has told of."""
    with NodeClient() as node:
        node.greet()
        books = Home(node)
        shell = subprocess.Popen(["bash", "-c", script], cwd=project, stdin=subprocess.DEVNULL)
        until = float("inf")
        while books.book() < expected and time.monotonic() < until:
            node.send(Ping(1))
            time.sleep(0.2)
            until = min(until, time.monotonic() + 20) if shell.poll() is not None else until
        shell.wait(60)
        return len(books.messages)


def measure(count: int, folder: Path) -> None:
    """Run so many in a row: below a headless agent, below a command, and as somebody else."""
    program = claude.find(dict(os.environ), claude.cache())
    home = folder / "home"
    with Api(first_delay=SECONDS) as api:
        home.mkdir()
        project = claude.furnish(home, program, api.url)
        keys = {"ANTHROPIC_BASE_URL": api.url, "ANTHROPIC_AUTH_TOKEN": claude.TOKEN, **claude.SETTINGS}
        path = f"{home}/.local/bin:{os.environ['PATH']}"
        os.environ.update({"HOME": str(home), "PATH": path, "CONTROLROOM_HOME": str(folder / "room"), **keys})
        script = f"for n in $(seq {count}); do claude -p hello; done"
        rows = []
        for kind in ("headless", "command", "adopted"):
            before, began = len(api.requests(main=True)), time.monotonic()
            if kind == "adopted":
                counted = adopted(project, script, count)
            else:
                counted = own(folder / kind, project, script, kind)
            requests, seconds = len(api.requests(main=True)) - before, time.monotonic() - began
            rows.append((kind, f"{counted} of {requests} messages", f"all; {seconds / count:.1f} s a run"))
    print_table(f"{count} runs in a row", rows)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="cr-") as directory:
        measure(int(sys.argv[1]) if len(sys.argv) > 1 else 20, Path(directory))
