"""The command line as a person uses it, one process a verb."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

from controlroom.__main__ import main
from tests.lab.processes import Process
from tests.lab.waiting import wait_for
from tests.lab.world import World

Status = dict[str, Any]
FurnishClaude = Callable[..., Path]


class Room:
    """Runs `controlroom` verbs in the environment of the test's world."""

    def run(self, *words: str, expect: int = 0, stdin: str | None = None, env: Mapping[str, str] | None = None) -> str:
        """Run one verb; fails unless it exits with `expect`. Gives its stdout, or its stderr when it is to fail."""
        done = subprocess.run(
            [sys.executable, "-m", "controlroom", *words],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=90,
            env=env,
        )
        said = f"controlroom {' '.join(words)[:200]}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == expect, said
        assert "Traceback" not in done.stderr, said
        return done.stderr if expect else done.stdout

    def status(self) -> Status:
        """What `status --json` says; in this process, because whoever waits for something asks again and again."""
        with redirect_stdout(StringIO()) as printed:
            code = main(["status", "--json"])
        assert code == 0, f"controlroom status: exit {code}\n{printed.getvalue()}"
        status: Status = json.loads(printed.getvalue())
        return status

    def records(self, name: str, *words: str) -> list[dict[str, Any]]:
        """The records under a name that a verb answers with `--json`."""
        records: list[dict[str, Any]] = json.loads(self.run(*words, "--json"))[name]
        return records

    def agent(self, name: str) -> Status:
        """One agent of the status, by name; fails when it is not there."""
        found = [agent for agent in self.status()["agents"] if agent["name"] == name]
        assert len(found) == 1, found
        agent: Status = found[0]
        return agent

    def wait_for_state(self, name: str, *states: str, deadline: float = 30.0) -> Status:
        """Wait until an agent is in one of `states`; gives it."""

        def reached() -> Status:
            agent = self.agent(name)
            assert agent["state"] in states, {k: agent[k] for k in ("state", "detail", "last_line", "evidence")}
            return agent

        return wait_for(reached, deadline, f"{name} to be {' or '.join(states)}", poll=0.1)

    def wait_until(self, what: str, condition: Callable[[Status], object], deadline: float = 30.0) -> None:
        """Wait until the status fulfils a condition."""
        wait_for(lambda: condition(self.status()), deadline, what, poll=0.1)


def micro(usd: str | None) -> int:
    """Micro-dollars of a decimal text; 0 of none."""
    return round(Decimal(usd or 0) * 1_000_000)


def engines(home: World) -> list[Process]:
    """The engines that run in a world."""
    return [process for process in home.processes() if "controlroom engine" in process.command]
