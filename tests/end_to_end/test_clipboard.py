"""Copying from a real screen: plain, inside somebody's own tmux, and over mosh."""

from __future__ import annotations

import base64
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from controlroom.tui.screens.copy import MOSH
from tests.end_to_end.room import Room
from tests.lab.mosh import MoshSession
from tests.lab.terminal import Terminal
from tests.lab.waiting import wait_for
from tests.lab.world import World

SCREEN = [sys.executable, "-m", "controlroom"]
COPIED = base64.b64encode(b"local/talker")


def copy_its_id(terminal: Terminal, status: str) -> None:
    terminal.wait_for_text("talker", deadline=40)
    terminal.keys("@")
    terminal.wait_for_text("copy of talker", deadline=20)
    terminal.keys("1")
    terminal.wait_for_text("copied: id of talker", status, deadline=20)


def has_arrived(terminal: Terminal) -> bool:
    """Whether the terminal was told to put it into its clipboard, by OSC 52."""
    told = terminal.recording.read_bytes()
    return any(b"\x1b]52;" + which + b";" + COPIED in told for which in (b"c", b""))


def test_a_plain_terminal_is_told(room: Room, tmux_screen: Callable[..., Terminal]) -> None:
    room.run("spawn", "talker", "--", "sleep", "6000")
    here = tmux_screen(SCREEN)
    copy_its_id(here, "hold Shift")
    wait_for(lambda: has_arrived(here), 10, "the terminal to be told")


def test_a_tmux_with_its_own_defaults_passes_it_on(
    room: Room, tmux_screen: Callable[..., Terminal], tmp_path: Path
) -> None:
    room.run("spawn", "talker", "--", "sleep", "6000")
    socket = tmp_path / "own"
    tmux = ["tmux", "-S", str(socket), "-f", "/dev/null"]
    here = tmux_screen([*tmux, "new-session", *SCREEN], env={"TERM": "xterm-256color"})
    try:
        copy_its_id(here, "through tmux")
        wait_for(lambda: has_arrived(here), 10, "the terminal to be told")
        assert here.tmux("-S", str(socket), "show-buffer") == "local/talker"
    finally:
        here.tmux("-S", str(socket), "kill-server")


def test_mosh_passes_it_on(room: Room, home: World, need: Callable[..., str], tmp_path: Path) -> None:
    need("mosh-server", package="mosh")
    room.run("spawn", "talker", "--", "sleep", "6000")
    phone = MoshSession(tmp_path / "phone", SCREEN)
    try:
        copy_its_id(phone.terminal, "else Shift-select")
        wait_for(lambda: has_arrived(phone.terminal), 10, "the phone's terminal to be told")
    finally:
        phone.close()


@pytest.mark.parametrize("beyond", [0, 1])
def test_mosh_cuts_a_copy_where_it_is_said_to(need: Callable[..., str], tmp_path: Path, beyond: int) -> None:
    need("mosh-server", package="mosh")
    text = base64.b64encode(b"x" * (MOSH + beyond))
    script = f"printf 'ready\\n'; read go; printf '\\033]52;c;{text.decode()}\\007sent'; sleep 600"
    phone = MoshSession(tmp_path / "phone", ["sh", "-c", script])
    copies = re.compile(rb"\x1b\]52;c?;([^\x07\x1b]+)")
    try:
        phone.terminal.wait_for_text("ready", deadline=20)
        phone.terminal.keys("Enter")
        phone.terminal.wait_for_text("sent", deadline=20)
        arrived = wait_for(lambda: copies.findall(phone.terminal.recording.read_bytes()), 10)
        assert (arrived[0] == text) == (not beyond)
        assert text.startswith(arrived[0])
    finally:
        phone.close()
