"""Transcripts from before, listed and read by a real node: all of them, each from where home has it."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import pytest

from controlroom.metering.usage import Message
from controlroom.metering.usage_file import from_line
from controlroom.node.imports.found import settings_folders, transcripts
from controlroom.node.imports.reader import A_LOOK, read
from controlroom.wire.imports import (
    ListTranscripts,
    ReadTranscripts,
    TranscriptPart,
    TranscriptPlace,
    TranscriptsListed,
    TranscriptsRead,
)
from tests.lab.node_client import NodeClient
from tests.lab.transcripts import counted, write
from tests.lab.world import World
from tests.runner.usage import line

AT = 1_785_000_000_000


def listed(node: NodeClient, **asked: int | str) -> TranscriptsListed:
    number = node.number()
    node.send(ListTranscripts(number, **asked))  # type: ignore[arg-type]
    return node.wait(TranscriptsListed, lambda answer: answer.id == number)


def read_by(node: NodeClient, *places: TranscriptPlace) -> Sequence[TranscriptPart]:
    number = node.number()
    node.send(ReadTranscripts(number, places))
    return node.wait(TranscriptsRead, lambda answer: answer.id == number).parts


def messages(parts: Sequence[TranscriptPart]) -> list[Message]:
    records = [from_line(row.encode()) for part in parts for row in part.data.splitlines()]
    return [record for record in records if isinstance(record, Message)]


def read_all(paths: Sequence[str]) -> list[TranscriptPart]:
    """Read these to their ends, in this process."""
    places, parts = [TranscriptPlace(path) for path in paths], list[TranscriptPart]()
    while places:
        for part in read(places, 0, lambda _: "plan", clock=lambda: 0.0):
            parts.append(part)
            if part.done:
                places.pop(0)
            else:
                places[0] = TranscriptPlace(part.path, part.end, part.mark)
    return parts


def test_a_node_lists_transcripts_page_by_page_and_reads_them(home: World, node: NodeClient) -> None:
    write(home.home, 400_000, AT, random.Random(1), largest=18)
    paths = sorted((home.home / ".claude").rglob("*.jsonl"))
    summary = listed(node, count=0)
    assert (summary.files, summary.size) == (len(paths), sum(path.stat().st_size for path in paths))
    assert summary.found == ()
    first = listed(node, count=1)
    rest = listed(node, after=first.found[-1].path)
    assert [found.path for found in (*first.found, *rest.found)] == list(map(str, paths))

    parts = read_by(node, *(TranscriptPlace(str(path)) for path in paths))
    assert parts[0].path == str(paths[0])
    assert parts[0].folder.startswith("/src/project-")
    assert messages(parts[:1])[0].id.startswith(f"msg_{paths[0].name[:8]}")
    (again,) = read_by(node, TranscriptPlace(parts[0].path, parts[0].end, parts[0].mark))
    assert (again.data, again.done) == ("", True)


def test_the_sums_are_those_of_an_independent_count(tmp_path: Path) -> None:
    write(tmp_path, 3_000_000, AT, random.Random(2), largest=20)
    paths = sorted(tmp_path.rglob("*.jsonl"))
    by_key = {message.key: message.usage for message in messages(read_all(list(map(str, paths))))}
    sums = counted(paths)
    assert len(by_key) == sums["messages"]
    assert sum(usage.input for usage in by_key.values()) == sums["input_tokens"]
    assert sum(usage.output for usage in by_key.values()) == sums["output_tokens"]
    assert sum(usage.cache_write_5m for usage in by_key.values()) == sums["cache_creation_input_tokens"]
    assert sum(usage.cache_read for usage in by_key.values()) == sums["cache_read_input_tokens"]


def test_every_settings_folder_is_looked_into_and_no_link_is_followed(tmp_path: Path) -> None:
    home, other = tmp_path / "home", tmp_path / "elsewhere"
    for folder in (".claude", ".claude-work", ".config/claude", ".claudette"):
        (home / folder / "projects" / "-p").mkdir(parents=True)
        (home / folder / "projects" / "-p" / "a.jsonl").write_bytes(line(1))
    inside = home / ".claude" / "projects" / "-p" / "a" / "subagents" / "agent-1.jsonl"
    inside.parent.mkdir(parents=True)
    inside.write_bytes(line(2))
    (other / "projects" / "-q").mkdir(parents=True)
    (other / "projects" / "-q" / "b.jsonl").write_bytes(line(3))
    (home / ".claude" / "projects" / "link").symlink_to(other / "projects" / "-q")
    (home / ".claude" / "projects" / "-p" / "link.jsonl").symlink_to(other / "projects" / "-q" / "b.jsonl")
    os.mkfifo(home / ".claude" / "projects" / "-p" / "pipe.jsonl")
    (home / ".claude.old").symlink_to(home / ".claude")

    plain = settings_folders({}, str(home))
    assert plain == [str(home / name) for name in (".claude", ".config/claude", ".claude-work")]
    named = settings_folders({"CLAUDE_CONFIG_DIR": f"{other},{home}/.claude"}, str(home))
    assert str(other) in named
    found = [transcript.path for transcript in transcripts(plain)]
    assert found == sorted(
        str(path)
        for path in (*home.glob(".cl*/projects/-p/a.jsonl"), inside, home / ".config/claude/projects/-p/a.jsonl")
        if ".claudette" not in str(path) and ".old" not in str(path)
    )


@pytest.fixture
def transcript(tmp_path: Path) -> Path:
    path = tmp_path / ".claude" / "projects" / "-p" / "a.jsonl"
    path.parent.mkdir(parents=True)
    return path


def test_whatever_a_file_is_it_is_read_or_done(transcript: Path, tmp_path: Path) -> None:
    pipe = transcript.with_name("pipe.jsonl")
    os.mkfifo(pipe)
    transcript.symlink_to("/etc/passwd")
    strange = [
        "",
        "/etc/passwd",
        "relative/projects/a.jsonl",
        "/x\0/projects/a.jsonl",
        str(tmp_path / "gone/projects/a.jsonl"),
    ]
    for path in (*strange, str(pipe), str(transcript)):
        (part,) = read([TranscriptPlace(path, 5, "x")], 0, lambda _: "")
        assert (part.done, part.data) == (True, ""), path


def test_lines_of_all_kinds_are_passed_over_and_the_good_ones_count(transcript: Path) -> None:
    huge = b'{"type":"user","message":"' + b"x" * 9_000_000 + b'"}\n'
    nan = line(9).replace(b": 10", b": NaN")
    transcript.write_bytes(b"\0\xff\n" + line(1) + huge + nan + line(2) + b"\n" * 1000 + line(3).rstrip())
    parts = read_all([str(transcript)])
    assert [message.id for message in messages(parts)] == ["msg_1", "msg_2", "msg_3"]
    assert sum(part.damaged for part in parts) == 1
    assert parts[-1].end == transcript.stat().st_size


def test_a_line_without_end_is_passed_over_in_as_many_answers_as_it_takes(transcript: Path) -> None:
    transcript.write_bytes(line(1) + b"x" * 9_000_000 + b"\n" + line(2))
    looks = count()
    parts, place = list[TranscriptPart](), TranscriptPlace(str(transcript))
    while not parts or not parts[-1].done:
        parts += read([place], 0, lambda _: "", clock=lambda: next(looks) * A_LOOK / 45)
        place = TranscriptPlace(str(transcript), parts[-1].end, parts[-1].mark)
    assert [part.end - part.start < 7_000_000 for part in parts] == [True] * len(parts), "each within its time"
    assert [message.id for message in messages(parts)] == ["msg_1", "msg_2"]


def test_a_hole_of_a_terabyte_is_stepped_over(transcript: Path) -> None:
    with transcript.open("wb") as file:
        file.write(line(1))
        file.seek(2**40)
        file.write(b"\n" + line(2))
    parts = read_all([str(transcript)])
    assert len(parts) < 5
    assert [message.id for message in messages(parts)] == ["msg_1", "msg_2"]


def test_a_file_that_goes_on_is_read_on_and_another_from_its_beginning(transcript: Path) -> None:
    transcript.write_bytes(line(1) + line(2)[:20])
    (part,) = read_all([str(transcript)])
    assert part.end == len(line(1)), "half a line is read when it is whole"
    transcript.write_bytes(line(1) + line(2) + line(3))
    place = TranscriptPlace(str(transcript), part.end, part.mark)
    (more,) = read([place], 0, lambda _: "")
    assert [message.id for message in messages([more])] == ["msg_2", "msg_3"]
    transcript.write_bytes(line(4))
    (other,) = read([place], 0, lambda _: "")
    assert (other.start, [message.id for message in messages([other])]) == (0, ["msg_4"])


def test_the_folder_is_that_of_the_session_and_who_pays_that_of_the_settings(transcript: Path) -> None:
    first = json.dumps({"type": "user", "cwd": '/src/"quoted"', "message": {}}, separators=(",", ":")).encode() + b"\n"
    transcript.write_bytes(first + line(1))
    (part,) = read([TranscriptPlace(str(transcript))], 0, lambda folder: folder)
    assert (part.folder, part.billing) == ('/src/"quoted"', str(transcript.parents[2]))


def test_older_messages_are_left_out(transcript: Path) -> None:
    transcript.write_bytes(line(1, at="2026-11-01T00:00:00Z") + line(2, at="2026-11-22T00:00:00Z") + line(3, at="soon"))
    (part,) = read([TranscriptPlace(str(transcript))], 1_794_000_000_000, lambda _: "")
    assert [message.id for message in messages([part])] == ["msg_2", "msg_3"], "of one without a date nothing is known"
