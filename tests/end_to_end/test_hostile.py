"""An agent that writes poison: nothing of it reaches a terminal, in no verb and on no screen."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.room import Room
from tests.lab.terminal import Terminal

POISON = (
    b"\x1b]52;c;cG9pc29u\x07 clipboard",
    b"\x1b]0;poison title\x1b\\ title",
    b"\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\",
    b"\x9d52;c;cG9pc29u\x9c c1",
    b"\x1bPpoison\x1b\\ dcs",
    b"\x1bc\x1b[2J\x1b[?1049l reset",
    b"[/] [/red] [@click=app.bell]poison[/] [bold",
    "\u202egnp.exe \u2066 bidi".encode(),
    b"\xff\xfe\xc3( invalid",
    b"\x00\x07\x08\r\x0b nul bell",
    b"poison end",
)
WRITER = f"""
import sys, time
for line in {POISON!r}:
    sys.stdout.buffer.write(line + b'\\n')
sys.stdout.buffer.flush()
sys.stderr.write('\\x1b]52;c;eA==\\x07 err\\n')
time.sleep(600)
"""
FORBIDDEN = re.compile(rb"\x1b\]52|poison title|\x1b\]8;|\x1bP[^=+$]*poison|\x1bc|\xc2\x9d|\xe2\x80\xae|\xe2\x81\xa6")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture
def poisoned(room: Room, tmp_path: Path) -> Room:
    """A room whose one agent has poison in its task, its folder's name and its output."""
    script = tmp_path / "poison.py"
    script.write_text(WRITER)
    folder = tmp_path / "[/] \x1b]0;poison title\x07"
    folder.mkdir(parents=True)
    task = b" ".join(POISON).decode("latin-1").replace("\x00", "")
    room.run("spawn", "bad", "--cwd", str(folder), "--task", task, "--", sys.executable, str(script))
    room.wait_for_state("bad", "working")
    room.wait_until("its last line", lambda status: status["agents"][0]["last_line"] in ("poison end", "␛ err"))
    return room


def test_verbs_print_sanitized_text(poisoned: Room) -> None:
    for words in (("status",), ("logs", "bad", "-n", "50"), ("host", "list")):
        said = poisoned.run(*words)
        assert not CONTROL.search(said), (words, said)
    assert "poison end" in poisoned.run("logs", "bad", "-n", "50")
    for text in (poisoned.agent("bad")["task"], poisoned.agent("bad")["cwd"], poisoned.agent("bad")["last_line"]):
        assert not CONTROL.search(text)


@pytest.mark.parametrize(("width", "height"), [(200, 50), (45, 20)])
def test_screens_show_it_and_survive(
    poisoned: Room, tmux_screen: Callable[..., Terminal], width: int, height: int
) -> None:
    screen = tmux_screen(["controlroom"], width=width, height=height)
    screen.wait_for_text("bad")
    screen.keys("Enter")
    screen.wait_for_text("poison end", "[@click=app.bell]")
    screen.keys("/")
    screen.type("[/]")
    screen.keys("Enter")
    screen.wait_for_text("[/red]", "[/]: 1 of 1")
    assert not FORBIDDEN.search(screen.raw()), FORBIDDEN.findall(screen.raw())
    screen.keys("q")
    screen.keys("q")
    screen.keys("q")
    assert screen.wait_for_exit() == 0
