"""The fixtures that every test folder stands on."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import MakeLab
from tests.lab import claude as claude_code
from tests.lab import leftovers
from tests.lab.host import Host
from tests.lab.messages_api.server import Api
from tests.lab.processes import look
from tests.lab.terminal import Terminal
from tests.lab.waiting import NotInTime, wait_for, wait_for_async
from tests.lab.world import World


def test_a_world_is_short_clean_and_ends_what_hides_in_it(home: World) -> None:
    assert Path.home() == home.home
    assert len(str(home.room)) < 30
    assert not [name for name in os.environ if name.startswith(("TMUX_PANE", "CLAUDE", "XDG_"))]
    subprocess.run(["tmux", "new", "-d", "-s", "a", "env -i setsid sleep 998 & sleep 999"], check=True)
    socket = next(home.tmux.rglob("default"))
    bare = ["env", "-i", "tmux", "-S", str(home.directory / "bare"), "-f", "/dev/null", "new", "-d", "sleep 997"]
    subprocess.run(bare, check=True)
    assert socket.is_socket()
    wait_for(lambda: len([p for p in home.processes() if p.command.startswith("sleep")]) >= 3)
    assert len(home.leftovers()) >= 2
    seen = home.processes()
    assert home.close() == []
    assert not [process for process in seen if look(process.pid)]


async def test_waiting_shows_the_last_value() -> None:
    values = iter([0, 0, 7])
    assert wait_for(lambda: next(values)) == 7
    with pytest.raises(NotInTime, match="not within 0 s: it\nlast seen: AssertionError"):
        wait_for(not_yet, 0, "it")

    async def slow() -> bool:
        await asyncio.sleep(60)
        return True

    with pytest.raises(NotInTime, match="still running"):
        await wait_for_async(slow, 0.05)


def not_yet() -> bool:
    raise AssertionError("not yet")


def test_a_screen_takes_keys_and_sizes_and_keeps_bytes(tmux_screen: Callable[..., Terminal], home: World) -> None:
    talk = "stty size; trap 'stty size' WINCH; printf 'a\\033[31mred\\n'; read -r line; echo got $line; read -r; exit 3"
    screen = tmux_screen(["bash", "-c", talk], width=45, height=20)
    screen.wait_for_text("20 45", "ared")
    wait_for(lambda: b"\033[31mred" in screen.raw())
    screen.type("Enter $(x)")
    screen.keys("Enter")
    screen.wait_for_text("got Enter $(x)")
    screen.resize(100, 30)
    screen.keys("Enter")
    assert screen.wait_for_exit() == 3
    screen.wait_for_text("30 100")
    assert screen.exit_status() == 3
    interrupted = tmux_screen(["sleep", "99"])
    assert Path(f"/proc/{interrupted.pid()}/cmdline").read_bytes() == b"sleep\x0099\x00"
    interrupted.keys("C-c")
    assert interrupted.wait_for_exit() == 130
    bare = tmux_screen("env", width=120, height=60)
    bare.wait_for_exit()
    assert not [line for line in bare.screen().splitlines() if line.startswith(("TMUX=", "COLUMNS=", "LINES="))]
    assert f"HOME={home.home}" in bare.screen()


def ask_claude(host: Host, api: Api) -> None:
    """One task for the real CLI on a host, with one tool call."""
    task = '[[tool Bash {"command": "echo from-$((40+2))"}]][[text All is well.]]'
    told = f"cd project && bash -lc 'claude -p --output-format json --allowedTools Bash' <<'END'\n{task}\nEND"
    assert "All is well." in host.run(told, timeout=60)
    assert len(api.requests(main=True)) == 2
    assert "from-42" in str(api.requests(main=True)[1]["body"]["messages"])


def test_claude_code_works_on_a_host(ssh_host: Host, api: Api, claude_home: Callable[..., Path]) -> None:
    assert claude_home(ssh_host, api) == ssh_host.home / "project"
    ask_claude(ssh_host, api)


def test_claude_code_works_in_a_namespace(
    vms: MakeLab, start_api: Callable[..., Api], claude_share: dict[str, str], claude_home: Callable[..., Path]
) -> None:
    lab = vms(1, share=claude_share)
    api = start_api(host=lab.record.gateway)
    claude_home(lab["vm1"], api)
    ask_claude(lab["vm1"], api)


def test_a_claude_of_another_version_is_not_taken(tmp_path: Path) -> None:
    other = tmp_path / "claude"
    other.write_text("#!/bin/sh\necho '9.9.9 (Claude Code)'\n")
    other.chmod(0o755)
    found = claude_code.find({"CONTROLROOM_TEST_CLAUDE": str(other), "PATH": ""}, tmp_path)
    assert found == f"{other} is 9.9.9"
    assert "not installed" in str(claude_code.find({"PATH": ""}, tmp_path))


def test_what_a_test_leaves_behind_is_named_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(leftovers.VARIABLE, "another run")
    monkeypatch.setattr(leftovers, "PATIENCE", 0.0)
    stray = subprocess.Popen(["setsid", "sleep", "600"])
    try:
        (said,) = wait_for(leftovers.end)
        assert said.startswith("tests/lab/test_fixtures.py::test_what_a_test_leaves_behind_is_named_and_ended: ")
        assert "sleep 600" in said
    finally:
        stray.kill()
        stray.wait()
    assert leftovers.end() == []


LEAVES_MUCH_OPEN = """
import asyncio, gc, socket

async def test_one_that_fails():
    one, other = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=one)
    assert not writer

def test_one_after_it():
    gc.collect()
"""


def test_what_a_failed_test_has_left_open_fails_no_other(tmp_path: Path) -> None:
    (tmp_path / "test_some.py").write_text(LEAVES_MUCH_OPEN)
    root = Path(__file__).parents[2]
    settings = ["-c", str(root / "pyproject.toml"), "--rootdir", str(tmp_path), "-p", "tests.conftest"]
    program = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", *settings]
    done = subprocess.run([*program, str(tmp_path)], cwd=root, capture_output=True, text=True, timeout=120)
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
