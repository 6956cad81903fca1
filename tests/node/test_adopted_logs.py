"""What agents of others have said, read like a log from a real node; and what stands on their terminals."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from controlroom.node.adopted.logs import after, before
from controlroom.wire.inquiries import ScreenShown, ShowScreen
from controlroom.wire.messages import Follow, Greet, LogChunk, LogStart, Welcome
from tests.lab.node_client import ROOM, NodeClient, bodies_of, records_of
from tests.lab.waiting import wait_for
from tests.lab.world import World
from tests.node.adopted import last_line, say, session, spoke, transcript, under, wait_others

NOISE = json.dumps({"type": "api-request-shape", "x": "y" * 300_000}) + "\n"


@pytest.fixture
def node(home: World) -> Iterator[NodeClient]:
    with NodeClient() as client:
        yield client


@pytest.fixture
def talk(home: World, claude_program: Path) -> Path:
    """The transcript of a Claude in the session `talk`."""
    pid = under(session("talk", f"{claude_program} 600", home.home), "claude").pid
    say(home, pid, "busy")
    return transcript(home, home.home)


def said(bodies: list[str]) -> list[str]:
    return [json.loads(body)["message"]["content"][0]["text"] for body in bodies]


def test_a_transcript_is_read_from_its_end_to_its_beginning_and_followed(node: NodeClient, talk: Path) -> None:
    talk.write_text(spoke("one") + NOISE * 5 + spoke("two") + spoke("three") + NOISE)
    node.greet()
    wait_for(lambda: last_line(node, "~talk") == "three", 20)
    newest = node.fetch("~talk", 0, count=2)
    assert said(bodies_of(newest)) == ["two", "three"]
    assert not newest.first
    older = node.fetch("~talk", 0, segment=newest.segment, offset=newest.offset, count=200)
    assert said(bodies_of(older)) == ["one"]
    assert older.first
    forward = node.fetch("~talk", 0, segment=older.segment, offset=0, count=2, forward=True)
    assert said(bodies_of(forward))[0] == "one"
    node.send(Follow((LogStart("~talk", 0, newest.next_segment, newest.next_offset),)))
    with talk.open("a") as file:
        file.write(spoke("four") + NOISE)
    chunk = node.wait(LogChunk, lambda chunk: said(bodies_of(chunk)) == ["four"])
    assert (chunk.segment, chunk.offset) == (newest.next_segment, newest.next_offset)
    with talk.open("a") as file:
        file.write(spoke("five"))
    after_it = node.wait(LogChunk, lambda chunk: said(bodies_of(chunk)) == ["five"])
    assert after_it.offset == chunk.next_offset, "no gap and nothing twice"


def test_without_a_transcript_its_screen_as_seen_last_is_read(home: World, node: NodeClient) -> None:
    session("build", "echo made 41 of 97; exec sleep 600")
    node.greet()
    wait_for(lambda: last_line(node, "~build") == "made 41 of 97", 20)
    fetched = node.fetch("~build", 0)
    assert [(record.stream, record.body) for record in records_of(fetched)][:2] == [
        ("n", b"its screen as it was seen last; it keeps no transcript"),
        ("o", b"made 41 of 97"),
    ]
    assert fetched.first
    again = node.fetch("~build", 0, segment=fetched.next_segment, offset=fetched.next_offset, forward=True)
    assert not again.data
    assert "no longer there" in node.fetch("~nobody", 0).reason


def test_the_terminal_of_one_in_tmux_is_shown(home: World, node: NodeClient, claude_program: Path) -> None:
    def screen_of(name: str) -> ScreenShown:
        number = node.number()
        node.send(ShowScreen(number, name))
        return node.wait(ScreenShown, lambda shown: shown.id == number)

    session("a.b c", "printf '\\033[31mred\\033[0m'; exec sleep 600")
    outside = subprocess.Popen([claude_program, "600"], cwd=home.home)
    try:
        node.greet()
        wait_others(node, lambda seen: set(seen) == {"~a_b-c", "~home"})
        assert b"red" in base64.b64decode(screen_of("~a_b-c").data)
        assert "runs outside of tmux" in screen_of("~home").reason
        assert "is gone" in screen_of("~nobody").reason
    finally:
        outside.kill()
        outside.wait()


def test_reading_stays_within_bounds(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    huge = spoke("x" * 400_000)
    path.write_text(spoke("first") + huge + NOISE * 20 + spoke("last"))
    size = path.stat().st_size
    newest = before(str(path), size, 5)
    older = before(str(path), newest.start, 5)
    assert (newest.data.count(b"\n"), older.data.count(b"\n"), older.start) == (1, 2, 0)
    assert b"400154 bytes is left out" in older.data, "a line too long to tell is told of in a few words"
    assert before(str(path), size, 1).data.count(b"\n") == 1
    piece, offset, found = after(str(path), 0, 10, 64_000), 0, b""
    while piece.end > offset:
        offset, found = piece.end, found + piece.data
        piece = after(str(path), offset, 10, 64_000)
    assert (offset, found.count(b"\n")) == (size, 3)
    os.truncate(path, 2**40)
    assert after(str(path), 2**39, 10, 64_000).data == b""
    assert before(str(path), 2**40, 10).data == b""
    assert before(str(tmp_path), 100, 10).data == b""


PATTERN = "~/agents/logs/*.log"


def greet_with_logs(node: NodeClient) -> None:
    node.send(Greet("0.1.0", ROOM, adopted_logs=(PATTERN,)))
    node.wait(Welcome)


def shown(node: NodeClient, name: str) -> list[tuple[str, bytes]]:
    """What is shown of an agent's log now."""
    return [(record.stream, record.body) for record in records_of(node.fetch(name, 0))]


def test_the_file_that_its_pipeline_writes_is_its_log(home: World, node: NodeClient, claude_program: Path) -> None:
    """By what is open for writing: the session is called otherwise, and two scripts have their files side by side."""
    folder = home.home / "agents" / "logs"
    folder.mkdir(parents=True)
    event = '{"type":"assistant","message":{}}'
    for name, words in (("one", "first words"), ("two", f"{event}\nsecond words")):
        script = home.home / f"{name}.sh"
        claude = f"printf '%s\\n' '{words}'; exec -a claude '{claude_program}' 600"
        script.write_text(f"({claude}) 2>&1 | cat | tee {folder}/{name}.log >/dev/null\n")
        session(f"session {name}", f"bash {script}; true", home.home)
    elsewhere = home.home / "not-a-log.log"
    session("elsewhere", f"'{claude_program}' 600 | tee {elsewhere}; true", home.home)
    greet_with_logs(node)
    wait_others(node, lambda seen: len(seen) == 3)
    wait_for(lambda: shown(node, "~session-one") == [("o", b"first words")], 20)
    wait_for(lambda: shown(node, "~session-two") == [("a", event.encode()), ("o", b"second words")], 20)
    page = node.fetch("~session-one", 0)
    node.send(Follow((LogStart("~session-one", 0, page.next_segment, page.next_offset),)))
    with (folder / "one.log").open("ab") as file:
        file.write(b"\x1b[2Jnext\r\n")
    assert bodies_of(node.wait(LogChunk)) == ["\x1b[2Jnext"], "as it stands there: home makes it harmless"
    assert shown(node, "~elsewhere")[:1] != [("o", b"")], "a file of no pattern is none"
    assert node.fetch("~elsewhere", 0).reason


def test_else_the_file_with_the_name_of_its_session_is_its_log(
    home: World, node: NodeClient, claude_program: Path
) -> None:
    folder = home.home / "agents" / "logs"
    folder.mkdir(parents=True)
    (folder / "stale.log").write_text("of an earlier run\n")
    os.utime(folder / "stale.log", (1, 1))
    (folder / "link.log").symlink_to(home.home / "secret")
    (home.home / "secret").write_text("a secret\n")
    os.mkfifo(folder / "fifo.log")
    for name in ("agent-1", "stale", "link", "fifo", "..%2fx"):
        session(name, f"exec '{claude_program}' 600", home.home)
    (folder / "agent-1.log").write_text("its words\n" + "x" * 300_000 + "\nand more")
    greet_with_logs(node)
    wait_others(node, lambda seen: len(seen) == 5)
    wait_for(
        lambda: (
            shown(node, "~agent-1")
            == [("o", b"its words"), ("n", b"a line of 300000 bytes is left out"), ("o", b"and more")]
        ),
        20,
    )
    for name in ("~stale", "~link", "~fifo"):
        assert not any(stream == "o" and b"words" in body for stream, body in shown(node, name))
        assert not any(b"secret" in body or b"earlier" in body for _, body in shown(node, name))
