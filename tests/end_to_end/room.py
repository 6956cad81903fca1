"""The command line as a person uses it."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from decimal import Decimal
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any
from unittest.mock import patch

from controlroom.__main__ import main
from controlroom.cli.exits import Exit
from tests.lab.processes import Process
from tests.lab.waiting import wait_for
from tests.lab.world import World

Status = dict[str, Any]
FurnishClaude = Callable[..., Path]


class Room:
    """Runs `controlroom` verbs in the environment of the test's world."""

    def run(self, *words: str, expect: int = 0, stdin: str = "", env: Mapping[str, str] | None = None) -> str:
        """Run one verb; fails unless it exits with `expect`. Gives its stdout, or its stderr when it is to fail.

        It runs in this process, where it can: to start one takes longer than most verbs do. The engine itself cannot:
        it takes rights from its process that tests need.
        """
        apart = (
            env is not None
            or "--foreground" in words
            or _in_a_loop()
            or threading.current_thread() is not threading.main_thread()
        )
        code, out, errors = _in_a_process(words, stdin, env) if apart else here(words, stdin)
        said = f"controlroom {' '.join(words)[:200]}: exit {code}\n{out}\n{errors}"
        assert code == expect, said
        assert "Traceback" not in errors, said
        return errors if expect else out

    def status(self) -> Status:
        """What `status --json` says."""
        status: Status = json.loads(self.run("status", "--json"))
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


def _in_a_loop() -> bool:
    """Whether this is called from a coroutine: a verb has a loop of its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def here(words: Sequence[str], stdin: str = "") -> tuple[int, str, str]:
    """Run a verb in this process: its exit code, its stdout and its stderr."""
    given, out, errors = BytesIO(stdin.encode("utf-8", "surrogateescape")), BytesIO(), BytesIO()
    with (
        redirect_stdout(TextIOWrapper(out, "utf-8", write_through=True)),
        redirect_stderr(TextIOWrapper(errors, "utf-8", write_through=True)),
        patch("sys.stdin", TextIOWrapper(given, "utf-8")),
        patch.dict(os.environ),
    ):
        mask = os.umask(0o022)
        os.umask(mask)
        code = main(words)
        assert os.umask(mask) == mask, f"controlroom {' '.join(words)}: it has left another umask in the test's process"
        if code == Exit.INTERRUPTED:
            raise KeyboardInterrupt  # whoever interrupts a test means the run
        printed, told = (each.getvalue().decode().replace("\r\n", "\n") for each in (out, errors))
    return code, printed, told


def _in_a_process(words: Sequence[str], stdin: str, env: Mapping[str, str] | None) -> tuple[int, str, str]:
    """Run a verb in a process of its own: its exit code, its stdout and its stderr."""
    argv = [sys.executable, "-m", "controlroom", *words]
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=90, env=env)
    return done.returncode, done.stdout, done.stderr


def micro(usd: str | None) -> int:
    """Micro-dollars of a decimal text; 0 of none."""
    return round(Decimal(usd or 0) * 1_000_000)


def engines(home: World) -> list[Process]:
    """The engines that run in a world."""
    return [process for process in home.processes() if "controlroom engine" in process.command]
