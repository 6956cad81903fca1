"""Ten agents moved at once between two hosts with their sessions and folders, over SSH on loopback.

    python -m tests.benchmarks.moving [--agents 10] [--mib 2]

Each has a Claude session of 1 MiB and a git repository of its own with a history of so many MiB, changes in its index
and files that are in no commit. They run a stand-in for Claude that says nothing. All processes of both hosts are
looked at all the time: the table says for how many looks an agent was at work on both (it must be 0). Target: 20 s.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from pathlib import Path

from controlroom.client.client import Client
from controlroom.domain.intents import ReassignAgent, SpawnAgent
from controlroom.domain.model import LinkState
from tests.benchmarks.figures import load
from tests.benchmarks.table import print_table
from tests.benchmarks.yard import Yard, yard
from tests.lab.processes import everything
from tests.lab.waiting import wait_for_async

CLAUDE = """#!/bin/sh
for word; do case $last in --session-id|--resume) session=$word;; esac; last=$word; done
printf '{"type":"system","subtype":"init","session_id":"%s","model":"claude-opus-5-5","tools":[]}\\n' "$session"
while read -r line; do :; done
"""

PATIENCE = 120.0


def main(argv: list[str]) -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=10)
    parser.add_argument("--mib", type=int, default=2)
    options = parser.parse_args(argv)
    with yard(2) as room:
        rows = asyncio.run(measured(room, options.agents, options.mib))
    print_table(f"{options.agents} agents of {options.mib} MiB moved with session and folder, {load()}", rows)


async def measured(room: Yard, count: int, mib: int) -> list[tuple[str, str, str]]:
    """Move them, and look at the processes of both hosts meanwhile."""
    program = room.lab.directory / "claude"
    program.write_text(CLAUDE)
    program.chmod(0o755)
    old, new = room.lab.hosts[:2]
    for number in range(count):
        furnish(old.home / f"work-{number}", mib)
    client = await Client.connect()
    await wait_for_async(lambda: all(host.link is LinkState.UP for host in client.fleet.hosts.values()), PATIENCE)
    for number in range(count):
        command = str(program), str(number)
        spawn = SpawnAgent(f"a{number}", "x", old.name, kind="headless", cwd=f"work-{number}", command=command)
        done = await client.submit(spawn)
        assert done.ok, done.reason
    ids = [f"{old.name}/a{number}" for number in range(count)]
    await wait_for_async(lambda: all(client.fleet.agents[name].session for name in ids), PATIENCE)
    for name in ids:
        write_session(old.home, client.fleet.agents[name].session)
    looks = Looks(f"{program} ")
    began = time.monotonic()
    took = await asyncio.gather(*(move(client, name, new.name) for name in ids))
    whole = time.monotonic() - began
    both, seen = looks.stop()
    await client.close()
    worktrees = list((new.home / ".local/state/controlroom").glob("**/worktrees/*/*/new.txt"))
    assert len(worktrees) == count, worktrees
    return [
        ("all of them", f"{whole:.1f} s", "20 s"),
        ("one of them, median", f"{sorted(took)[count // 2]:.1f} s", ""),
        (f"looks at both hosts' processes with one at work on both, of {seen}", f"{both}", "0"),
    ]


async def move(client: Client, name: str, host: str) -> float:
    """Move one; return the seconds that it took."""
    began = time.monotonic()
    agent = client.fleet.agents[name]
    done = await client.submit(
        ReassignAgent(name, agent.epoch, "", keep_session=True, host=host), wait=True, deadline=PATIENCE
    )
    assert done.ok, done.reason
    return time.monotonic() - began


def furnish(top: Path, mib: int) -> None:
    """Make a repository with a history, something in its index and something in no commit."""
    top.mkdir()
    git(top, "init", "-q", "-b", "main")
    for number in range(200):
        (top / f"file-{number:03}.txt").write_text(f"line {number}\n" * 20)
    for part in range(mib):
        (top / f"large-{part}.bin").write_bytes(os.urandom(1024 * 1024))
        git(top, "add", "-A")
        git(top, "commit", "-q", "-m", f"part {part}")
    (top / "file-001.txt").write_text("staged\n")
    git(top, "add", "file-001.txt")
    (top / "new.txt").write_text("new\n")


def git(where: Path, *words: str) -> None:
    """Run git as the repository's person does."""
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *who, "-C", str(where), *words], check=True, timeout=60)


def write_session(home: Path, session: str) -> None:
    """Write the transcript that Claude would have written."""
    project = home / ".claude" / "projects" / "-work"
    project.mkdir(parents=True, exist_ok=True)
    line = json.dumps({"type": "user", "uuid": str(uuid.uuid4()), "message": {"content": "what was said " * 60}})
    (project / f"{session}.jsonl").write_text(f"{line}\n" * (1024 * 1024 // len(line)))


class Looks:
    """Looks at all processes again and again: which agents' Claudes run, and how often the same one twice."""

    def __init__(self, mark: str) -> None:
        self._mark, self._over = mark, threading.Event()
        self._both = self._seen = 0
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(0.02):
            mine = [
                process for process in everything() if self._mark in process.command and "/bin/sh" in process.command
            ]
            names = Counter(process.command.partition(self._mark)[2].split(" ")[0] for process in mine)
            self._both += any(number > 1 for number in names.values())
            self._seen += 1

    def stop(self) -> tuple[int, int]:
        """Look no more; say in how many looks one was at work twice, of how many."""
        self._over.set()
        self._thread.join()
        return self._both, self._seen


if __name__ == "__main__":
    main(sys.argv[1:])
