"""An agent may put anything into its own folder: a FIFO, a link, a folder where a file of ours is to be.

Whatever lies there, its runner and the node go on: nothing waits, and nothing is written through a link.
"""

from __future__ import annotations

import ast
import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import controlroom.node
import controlroom.runner
from controlroom.node import owner
from controlroom.node.owner import Ownership
from controlroom.runner import files, folder
from controlroom.wire.messages import Ping, Pong
from controlroom.wire.records import segment_name
from tests.lab.agent_under_test import MakeAgent
from tests.lab.node_client import NodeClient, state_folder

PLANTS = {
    "fifo": "mkfifo '{name}'",
    "fifo that is read": "mkfifo '{name}'; timeout 20 cat '{name}' >/dev/null &",
    "link to a file": "ln -s '{other}' '{name}'",
    "link to nothing": "ln -s '{other}.not' '{name}'",
    "link to a terminal": "ln -s /dev/tty '{name}'",
    "folder": "mkdir -p '{name}'; touch '{name}/in'",
    "file": "echo planted >'{name}'",
}
OWN = [
    folder.STATUS + ".new", folder.STATUS + ".reserve", folder.LIMITS, folder.LIMITS + ".new", folder.USAGE,
    folder.GRANT, folder.GRANT + ".new", folder.STATUS_LINE, folder.STATUS_LINE + ".new", folder.SETTINGS,
    folder.ENVIRON, segment_name(2),
]  # fmt: skip
"""Names in its folder under which a runner reads or writes while its agent lives."""

WORST = ("fifo", "fifo that is read", "link to a file", "folder")

ELSEWHERE = {
    "files.py", "runner_client.py", "login.py",  # they are what holds this, or open without waiting themselves
    "inquiries.py", "processes.py", "figures.py", "host.py", "outcome.py", "process_tree.py",  # /proc, /sys, /etc
    "log_files.py",  # /proc
    "bootstrap.py", "main.py", "agent_process.py", "print_environment.py",  # a new folder, pipes, /dev/null
    "spawn.py", "usage_feed.py", "usage_meter.py", "ending.py", "run.py",  # without waiting
    "owner.py", "nested.py", "settings.py",  # folders; the user's own, in the same way
    "record.py",  # a lock, for reading and writing at once, which waits for nobody
}  # fmt: skip


def plant(how: str, name: Path | str, other: Path | str) -> str:
    return PLANTS[how].format(name=name, other=other)


@pytest.mark.parametrize("how", PLANTS)
def test_nothing_waits_or_writes_through_a_link(tmp_path: Path, how: str) -> None:
    other = tmp_path / "other"
    other.write_text("precious")

    def tried(number: int, act: Callable[[str], object]) -> None:
        path = tmp_path / str(number)
        assert os.system(plant(how, path, other)) == 0
        done = threading.Thread(target=lambda: _quietly(act, str(path)), daemon=True)
        done.start()
        done.join(60)
        assert not done.is_alive(), act
        assert other.read_text() == "precious"
        assert not (tmp_path / "other.not").exists()

    def writes_atomically(path: str) -> None:
        files.write_atomic(path, b"x")

    def writes_beside(path: str) -> None:
        files.write_atomic(f"{path}.whole", b"x", path)

    def reads_given(path: str) -> None:
        files.read_given(path, 100, 0.05)

    def reads(path: str) -> None:
        files.read_piece(path, 0, 100)
        files.read_regular(path, 100)

    acts = (files.create, files.append_to, writes_atomically, writes_beside, reads_given, reads)
    for number, act in enumerate(acts):
        tried(number, act)


def _quietly(act: Callable[[str], object], path: str) -> None:
    try:
        found = act(path)
    except OSError:
        return
    if isinstance(found, int):
        os.close(found)


def test_what_is_created_replaces_what_lay_there(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for how in ("fifo", "link to a file", "link to nothing", "file"):
        os.system(plant(how, path, tmp_path / "other"))
        os.close(files.create(str(path)))
        assert (path.is_symlink(), path.read_bytes()) == (False, b"")
        path.unlink()
    (path / "in").mkdir(parents=True)
    os.close(files.create(str(path)))
    assert path.read_bytes() == b""
    path.unlink()
    (path / "in").mkdir(parents=True)
    files.write_atomic(str(path), b"whole")
    assert path.read_bytes() == b"whole"


def test_a_fifo_that_the_user_names_is_read_if_somebody_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "secrets"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_bytes(b"KEY=1\n"))
    writer.start()
    assert files.read_given(str(path), 1000, 10) == b"KEY=1\n"
    writer.join()


def test_no_file_is_opened_in_another_way() -> None:
    """What opens files in the half that travels opens them by `files`, or none that an agent may have put there."""
    halves = [Path(str(package.__file__)).parent for package in (controlroom.node, controlroom.runner)]
    found = set()
    for path in [path for half in halves for path in half.rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("open", "os.open", "io.open"):
                given = ast.unparse(node.args[0]) if node.args else ""
                if not given.startswith(("create(", "descriptor", "append_to(")):
                    found.add(path.name)
    assert found <= ELSEWHERE


def test_a_runner_that_is_given_a_fifo_for_its_order_waits_for_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / folder.SPEC)
    words = [sys.executable, "-I", "-S", str(Path(str(controlroom.runner.__file__)).with_name("run.py")), str(tmp_path)]
    assert subprocess.run(words, timeout=60, check=False).returncode == 2


@pytest.mark.parametrize("how", WORST)
def test_a_runner_goes_on_whatever_lies_in_its_folder(agent: MakeAgent, tmp_path: Path, how: str) -> None:
    other = tmp_path / "other"
    other.write_text("precious")
    program = "\n".join(f"rm -f {name}; {plant(how, name, other)}" for name in OWN)
    run = agent(
        "sh", "-c", f'cd "$0"; {{ {program}\n}} 2>/dev/null; seq -f "line %08.0f" 1 10000', max_log_bytes=600_000
    )
    run.order["spec"]["command"].append(str(run.folder))
    run.write_order()
    seen = run.start().finish(40)
    assert (seen.state, seen.exit_code) == ("done", 0)
    assert run.lines("o") == [f"line {number:08d}" for number in range(1, 10_001)]
    assert other.read_text() == "precious"
    assert not (tmp_path / "other.not").exists()


@pytest.mark.parametrize("how", WORST)
def test_a_node_goes_on_whatever_lies_in_the_folder_of_an_agent(node: NodeClient, tmp_path: Path, how: str) -> None:
    """Its runner is killed, so that the node has to write the last status; then the next run begins beside it."""
    other, place = tmp_path / "other", state_folder(Path.home()) / "agents" / "job.1"
    other.write_text("precious")
    names = [*OWN[2:], f"{folder.STATUS}.{node.process.pid}.new", f"{folder.GRANT}.{node.process.pid}.new"]
    program = "\n".join(f"rm -f {name}; {plant(how, name, other)}" for name in names)
    assert (
        node.spawn("job", 1, "sh", "-c", f"cd {place}; {{ {program}\n}} 2>/dev/null; kill -9 $PPID").outcome == "done"
    )
    node.wait_agent("job", lambda seen: seen.state == "failed" or not seen.pid or "killed" in seen.detail, 30)
    node.send(Ping(7))
    node.wait(Pong, lambda pong: pong.number == 7)
    assert node.spawn("job", 2, "true", replaces=1).outcome == "done"
    assert node.wait_agent("job", lambda seen: seen.epoch == 2 and seen.state == "done").exit_code == 0
    assert other.read_text() == "precious"


def test_somebody_who_keeps_the_lock_of_the_state_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "PAUSE", 0.0)
    held = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    refusal = Ownership(str(tmp_path), "room-1", read_only=False).refusal()
    assert "another process keeps" in refusal
    assert "another process keeps" in Ownership(str(tmp_path), "room-1", read_only=False).take()
    os.close(held)
    assert Ownership(str(tmp_path), "room-1", read_only=False).refusal() == ""
