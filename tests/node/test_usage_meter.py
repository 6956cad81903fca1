"""Metering: what stands in transcripts reaches usage.jsonl once, and is what Claude bills, to the micro-dollar."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from controlroom.meter.usage import Message, from_line
from controlroom.node.transcript import find_transcript
from controlroom.node.usage_meter import LATE, NEVER, SOON, UsageMeter

SESSION = "11111111-2222-4333-8444-555555555555"


class Claude:
    """A config folder with the transcripts of one session, written as Claude Code writes them."""

    def __init__(self, folder: Path) -> None:
        self.config, self.cwd = folder / ".claude", folder / "project"
        slug = "".join(letter if letter.isalnum() and letter.isascii() else "-" for letter in str(self.cwd))
        self.transcript = self.config / "projects" / slug / f"{SESSION}.jsonl"
        self.transcript.parent.mkdir(parents=True)
        self.cwd.mkdir()

    def subagent(self, *names: str) -> Path:
        path = self.transcript.with_suffix("").joinpath("subagents", *names)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def meter(self) -> UsageMeter:
        return UsageMeter(str(self.config), str(self.cwd))


@pytest.fixture
def claude(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Claude:
    (tmp_path / "agent").mkdir()
    monkeypatch.chdir(tmp_path / "agent")
    return Claude(tmp_path)


def line(number: int, output: int = 10) -> bytes:
    usage = {"input_tokens": 3, "output_tokens": output}
    message = {"id": f"msg_{number}", "model": "claude-opus-5-5", "usage": usage}
    entry = {"type": "assistant", "requestId": f"req_{number}", "timestamp": "2026-11-22T05:00:00Z", "message": message}
    return json.dumps(entry).encode() + b"\n"


def say(path: Path, *lines: bytes) -> None:
    with open(path, "ab") as file:
        file.write(b"".join(lines))


def told() -> list[Message]:
    """What usage.jsonl says, line by line."""
    path = Path("usage.jsonl")
    return [from_line(said) for said in path.read_bytes().split(b"\n") if said] if path.exists() else []


def names(messages: Sequence[Message]) -> list[tuple[str, int]]:
    return [(message.id, message.usage.output) for message in messages]


def test_a_message_of_many_lines_is_told_once(claude: Claude) -> None:
    meter = claude.meter()
    say(claude.transcript, line(1), line(1), b'{"type":"user"}\n', line(2), b"not json\n")
    meter.look(SESSION)
    say(claude.transcript, line(2), line(3))
    meter.look(SESSION)
    meter.look(SESSION)
    assert names(told()) == [("msg_1", 10), ("msg_2", 10), ("msg_3", 10)]


def test_a_message_that_has_grown_is_told_again(claude: Claude) -> None:
    meter = claude.meter()
    say(claude.transcript, line(1, output=1))
    meter.look(SESSION)
    say(claude.transcript, line(1, output=30))
    meter.look(SESSION)
    assert names(told()) == [("msg_1", 1), ("msg_1", 30)]


def test_subagents_count_however_deep_they_are(claude: Claude) -> None:
    say(claude.transcript, line(1))
    say(claude.subagent("agent-a.jsonl"), line(2))
    say(claude.subagent("deeper", "still", "agent-b.jsonl"), line(3))
    say(claude.subagent("agent-a.meta.json"), line(4))
    claude.meter().look(SESSION)
    assert {name for name, _ in names(told())} == {"msg_1", "msg_2", "msg_3"}


def test_half_a_line_waits_for_the_rest(claude: Claude) -> None:
    meter, whole = claude.meter(), line(1)
    for end in range(0, len(whole) - 1, 37):
        claude.transcript.write_bytes(whole[:end])
        meter.look(SESSION)
        assert told() == []
    claude.transcript.write_bytes(whole)
    meter.look(SESSION)
    assert names(told()) == [("msg_1", 10)]


def test_a_transcript_that_was_cut_short_is_read_anew(claude: Claude) -> None:
    meter = claude.meter()
    say(claude.transcript, line(1), line(2))
    meter.look(SESSION)
    claude.transcript.write_bytes(line(3))
    meter.look(SESSION)
    assert names(told())[2:] == [("msg_3", 10)]


def test_a_line_of_many_megabytes_is_passed_over(claude: Claude) -> None:
    meter = claude.meter()
    say(claude.transcript, line(1), b'{"usage":"' + b"x" * 9_000_000 + b'"}\n', line(2))
    meter.look(SESSION)
    assert names(told()) == [("msg_1", 10), ("msg_2", 10)]


@pytest.mark.parametrize("kind", ["fifo", "symlink", "folder"])
def test_what_is_no_transcript_is_left_alone(claude: Claude, kind: str, tmp_path: Path) -> None:
    say(tmp_path / "elsewhere", line(9))
    for path in (claude.subagent("agent-a.jsonl"), claude.transcript):
        if kind == "fifo":
            os.mkfifo(path)
        elif kind == "symlink":
            path.symlink_to(tmp_path / "elsewhere")
        else:
            path.mkdir()
    claude.meter().look(SESSION)
    assert told() == []


def test_a_session_that_began_elsewhere_is_found(claude: Claude) -> None:
    elsewhere = claude.config / "projects" / "-another-place"
    elsewhere.mkdir()
    say(elsewhere / f"{SESSION}.jsonl", line(1))
    claude.meter().look(SESSION)
    assert names(told()) == [("msg_1", 10)]


@pytest.mark.parametrize("session", ["", "../../etc/passwd", "x", SESSION + "/.."])
def test_what_is_no_session_has_no_transcript(claude: Claude, session: str) -> None:
    assert find_transcript(str(claude.config), str(claude.cwd), session) == ""


def test_it_looks_for_as_long_as_a_line_may_come(claude: Claude) -> None:
    meter = claude.meter()
    assert meter.wakes_at == NEVER
    meter.expect(100.0)
    assert meter.wakes_at == 100.0 + SOON
    meter.due(SESSION, 100.0)
    assert meter.wakes_at == 100.0 + SOON
    now = 100.0
    while meter.wakes_at != NEVER:
        now = meter.wakes_at
        meter.due(SESSION, now)
    assert LATE <= now - 100.0 <= LATE + SOON


def test_a_disk_that_takes_nothing_is_tried_again(claude: Claude) -> None:
    meter = claude.meter()
    say(claude.transcript, line(1))
    Path("usage.jsonl").symlink_to("/dev/full")
    meter.look(SESSION)
    Path("usage.jsonl").unlink()
    meter.look(SESSION)
    assert names(told()) == [("msg_1", 10)]
