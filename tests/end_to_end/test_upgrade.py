"""An engine of commit 83aa773 is upgraded in place: its agents run on, and its logs, sums, audit and orders are kept.

`from_83aa773` was written by that commit's own code on one machine: `budget set all --limit 50`, two headless Claudes
on the stand-in for the Messages API (docs-1 given a second task, gone-1 forgotten), and count-1, a command that runs.
Each run has one more message in its usage file, so that two models have been paid. Then `stop`, and what lay on disk:
`room` is CONTROLROOM_HOME (the ledger as text), `state` the state folder of the host, without what only a running
runner keeps. `runner.tar.xz` holds the modules that its runner loads, without their docstrings, so that count-1 can be
started here as it was there. `@NAME@` stands for what differs from machine to machine.
"""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from controlroom.protocol.home import find_home
from tests.end_to_end.room import Room
from tests.lab.world import World

OLD = Path(__file__).with_name("from_83aa773")
DAY = 24 * 60 * 60 * 1000
WRITTEN = 1796005680000 // DAY
"""The day on which it was written, since 1970."""
TIMES = {
    r"\b1796\d{9}\b": 1,
    r"\b29933\d{3}\b": 60_000,
    r"(?:\b|(?<=00000))19955\d\d\b": 900_000,
    r"\b20787\b": DAY,
}
"""What a time looks like in these files: in milliseconds, minutes, quarters of an hour and days."""


@pytest.fixture
def days() -> int:
    """How many days later it is to have happened: yesterday, for a ledger forgets what is old."""
    return int(time.time() * 1000) // DAY - 1 - WRITTEN


def added(later: int, time: re.Match[str]) -> str:
    return str(int(time[0]) + later)


def moved(text: str, days: int, names: dict[str, str]) -> str:
    """A file of the old engine as it would be had it run `days` later, on this machine."""
    for look, unit in TIMES.items():
        later = days * (DAY // unit)
        text = re.sub(look, partial(added, later), text)
    for name, value in names.items():
        text = text.replace(f"@{name}@", value)
    return text


@pytest.fixture
def upgraded(home: World, days: int, need: Callable[..., str]) -> Path:
    """A world in which 83aa773 has run and its agent count-1 still does; the agent's folder."""
    place = find_home(os.environ)
    place.prepare()
    names = {
        "HOME": str(home.home),
        "NAMESPACE": place.namespace,
        "BOOT": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        "TMUX": need("tmux"),
    }
    state = home.home / ".local/state/controlroom" / place.namespace
    for source in (path for path in OLD.rglob("*") if path.suffix not in (".sql", ".xz") and path.is_file()):
        part = source.relative_to(OLD)
        target = (home.room if part.parts[0] == "room" else state).joinpath(*part.parts[1:])
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        target.write_text(moved(source.read_text(), days, names))
        target.chmod(0o600)
    for folder in (home.home / ".local", *(path for path in (home.home / ".local").rglob("*") if path.is_dir())):
        folder.chmod(0o700)
    with closing(sqlite3.connect(home.room / "ledger.db")) as ledger:
        ledger.executescript(moved((OLD / "room/ledger.sql").read_text(), days, names))
    (home.room / "ledger.db").chmod(0o600)
    (home.home / "project").mkdir()
    agent = state / "agents/count-1.1"
    start_runner(home, names["TMUX"], place.namespace, agent)
    return agent


def start_runner(home: World, tmux: str, namespace: str, agent: Path) -> None:
    """Start the old runner in a session of the old tmux server, as its node did."""
    code = home.home / ".cache/controlroom/node/of-83aa773"
    with tarfile.open(OLD / "runner.tar.xz") as archive:
        archive.extractall(code, filter="data")
    run = (sys.executable, "-I", "-S", str(code / "controlroom/node/run.py"), str(agent))
    mark = (";", "set-option", "-t", "=count-1:")
    words = (
        *(tmux, f"-Lcontrolroom-{namespace}", "-f/dev/null", "new-session", "-d", "-s", "count-1"),
        *("-x", "120", "-y", "40", "--", *run),
        *(*mark, "@controlroom_name", "count-1", *mark, "@controlroom_epoch", "1"),
    )
    subprocess.run(words, check=True, timeout=60, stdin=subprocess.DEVNULL)


def test_the_engine_of_today_goes_on_with_what_an_older_one_left(upgraded: Path, home: World, room: Room) -> None:
    running = room.wait_for_state("count-1", "working")
    assert (running["run"], running["kind"], running["ended_at"]) == (1, "command", None)
    ended = room.agent("docs-1")
    assert (ended["run"], ended["state"], ended["spent_usd"]) == (2, "done", "0.242453")
    assert not [agent["name"] for agent in room.status()["agents"] if agent["name"] == "gone-1"]

    assert room.run("logs", "docs-1").splitlines()[-3:] == ["more", "done · 1 turn · $0.07", "- done"]
    room.wait_until("it writes", lambda _: "line 3" in room.run("logs", "count-1"))
    (home.home / "project" / "go-on").touch()
    room.wait_until("it writes on", lambda _: "went on" in room.run("logs", "count-1"))

    spent = {row["key"]: row["list_price_usd"] for row in room.records("rows", "costs")}
    assert spent == {"local/docs-1": "0.242453", "local/gone-1": "0.109377"}
    models = {row["key"]: row["messages"] for row in room.records("rows", "costs", "--by", "model")}
    assert models == {"claude-opus-5-5": 3, "claude-opus-4-5": 3}
    audit = room.run("audit")
    for words in ("budget set", "spawn       local/docs-1 run 1", "local/docs-1 run 2", "forget      local/gone-1"):
        assert words in audit
    (budget,) = room.records("budgets", "budget", "show")
    assert budget["name"] == "all"

    room.run("kill", "count-1", "--yes")
    room.wait_until("it to have ended", lambda _: room.agent("count-1")["ended_at"])
    assert [p for p in home.processes() if str(upgraded) in p.command] == []
    with closing(sqlite3.connect(home.room / "ledger.db")) as ledger:
        orders = ledger.execute("select verb, agent, epoch, outcome from orders order by rowid").fetchall()
    assert orders[:5] == [
        ("spawn", "docs-1", 1, "done"),
        ("reassign", "docs-1", 2, "done"),
        ("spawn", "gone-1", 1, "done"),
        ("forget", "gone-1", 1, "done"),
        ("spawn", "count-1", 1, "done"),
    ]


def test_an_agent_of_an_older_engine_is_given_a_new_task(upgraded: Path, home: World, room: Room) -> None:
    room.wait_for_state("count-1", "working")
    room.run("reassign", "count-1", "--task", "again")
    room.wait_until("its next run", lambda _: room.agent("count-1")["run"] == 2)
    room.wait_for_state("count-1", "working")
    assert [p for p in home.processes() if str(upgraded) in p.command] == [], "its first run has ended"
    assert upgraded.with_name("count-1.2").is_dir()
