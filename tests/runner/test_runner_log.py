"""The log writer: lines out of any stream, segments, and a disk that is full for a while."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.runner.log_writer import EVENT_KEPT, LineCutter, LinePart, RunLog, kept_event, packed
from controlroom.wire import records
from controlroom.wire.records import unpack_all

KEY = b"sk-ant-api03-" + b"Zz9_" * 12
CHUNKS = st.lists(st.binary(max_size=12).map(lambda data: data.replace(b"x", b"\n")), max_size=12)


def cut(chunks: list[bytes], limit: int) -> list[LinePart]:
    cutter = LineCutter(limit)
    return [piece for chunk in chunks for piece in cutter.feed(chunk)] + cutter.flush(final=True)


def joined(pieces: list[LinePart]) -> bytes:
    return b"".join(piece.body + b"\n" * piece.whole for piece in pieces)


@given(CHUNKS, st.integers(1, 9))
def test_nothing_is_lost_however_the_stream_is_cut(chunks: list[bytes], limit: int) -> None:
    whole = b"".join(chunks)
    pieces = cut(chunks, limit)
    assert joined(pieces) == whole + b"\n" * bool(whole and not whole.endswith(b"\n"))
    assert all(len(piece.body) <= limit for piece in pieces)


@given(CHUNKS, st.data())
def test_pieces_in_between_lose_nothing_either(chunks: list[bytes], data: st.DataObject) -> None:
    cutter, pieces = LineCutter(8), []
    for chunk in chunks:
        pieces += cutter.feed(chunk)
        if data.draw(st.booleans()):
            pieces += cutter.flush()
    pieces += cutter.flush(final=True)
    assert joined(pieces).rstrip(b"\n") == b"".join(chunks).rstrip(b"\n")


@given(st.integers(0, 200), st.integers(64, 90), st.integers(1, 40))
def test_no_cut_goes_through_a_key(before: int, limit: int, chunk: int) -> None:
    line = b"." * before + KEY + b" after\n"
    chunks = [line[start : start + chunk] for start in range(0, len(line), chunk)]
    kept = b"".join(packed(1, records.OUT, piece) for piece in cut(chunks, limit))
    assert b"".join(record.body for record in unpack_all(kept)).count(b"Zz9_") == 0


def test_a_line_waits_for_its_end_but_not_for_ever() -> None:
    cutter = LineCutter()
    assert (cutter.feed(b"password? "), cutter.holding) == ([], True)
    assert (cutter.flush(), cutter.holding) == ([LinePart(b"password? ", False)], False)
    assert cutter.feed(b"ok\n") == [LinePart(b"ok", True)]


def test_a_key_that_has_just_begun_is_held_back() -> None:
    cutter = LineCutter()
    cutter.feed(b"my key: sk-ant-api0")
    assert cutter.flush() == [LinePart(b"my key: ", False)]
    assert cutter.feed(b"3-abcd\n") == [LinePart(b"sk-ant-api03-abcd", True)]


# -- segments


def record(text: str) -> bytes:
    return records.pack(1, records.OUT, text.encode())


def test_segments_follow_each_other_and_the_oldest_go(tmp_path: Path) -> None:
    log = RunLog(400_000, str(tmp_path))
    for number in range(80):
        log.write(1, record(f"{number} " + "x" * 10_000))
        log.trim(1)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names[0] != "log.000001"
    assert log.size == sum(path.stat().st_size for path in tmp_path.iterdir())
    assert log.size <= 400_000 + 110_000
    bodies = [found.body for name in names for found in unpack_all((tmp_path / name).read_bytes())]
    numbers = [int(body.split()[0]) for body in bodies if b"x" in body]
    assert numbers == list(range(numbers[0], 80))
    assert sum(b"were dropped" in body for body in bodies) >= 1


# A file size limit stands in for the end of the disk: the same call fails, with another number.
FULL = """
import os, resource, sys
sys.path.insert(0, sys.argv[1])
from controlroom.runner.log_writer import RunLog
from controlroom.wire import records

def space(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))

log = RunLog(10**9, sys.argv[2])
write = lambda text: log.write(1, records.pack(1, records.OUT, text.encode()))
write("before")
space(log.size + 30)
write("lost one " + "x" * 100)
write("lost two " + "x" * 100)
write("small")
space(10**6)
write("after")
space(log.size + 200)
log.write(1, b"".join(records.pack(1, records.OUT, b"%d" % number + b"y" * 60) for number in range(4)))
"""


def test_a_full_disk_loses_lines_but_never_the_count(tmp_path: Path) -> None:
    root = str(Path(records.__file__).parents[2])
    subprocess.run([sys.executable, "-c", FULL, root, str(tmp_path)], check=True, timeout=60)
    bodies = [found.body.decode() for found in unpack_all((tmp_path / "log.000001").read_bytes())]
    assert [body.strip("y") for body in (bodies[0], *bodies[2:])] == ["before", "after", "0", "1"]
    assert re.fullmatch(r"3 lines \(\d+ bytes\) could not be kept here: File too large", bodies[1])


def test_a_folder_that_is_gone_stops_nothing(tmp_path: Path) -> None:
    log = RunLog(10**6, str(tmp_path / "nowhere"))
    log.write(1, record("lost"))
    (tmp_path / "nowhere").mkdir()
    log.write(1, record("kept"))
    assert [found.body for found in unpack_all((tmp_path / "nowhere" / "log.000001").read_bytes())] == [
        b"1 line (21 bytes) could not be kept here: No such file or directory",
        b"kept",
    ]


# -- events that are too long


@pytest.mark.parametrize(
    "content",
    [
        "x" * 1_000_000,
        ["y" * 1000] * 1000,
        {f"k{number}": {"deep": ["z" * 5000] * 9} for number in range(300)},
        [[[["w" * 30_000] * 3] * 3] * 3] * 3,
    ],
)
def test_a_long_event_is_kept_as_a_shorter_one_that_says_so(content: Any) -> None:
    event = {"type": "user", "message": {"role": "user", "content": content}}
    line = json.dumps(event).encode()
    kept = kept_event(event, line)
    found = json.loads(kept)
    assert len(kept) <= EVENT_KEPT < len(line)
    assert (found["type"], found["controlroom_cut_bytes"]) == ("user", len(line))


def test_a_short_event_is_kept_as_it_came() -> None:
    line = b'{"type":"user",  "odd": 1.50}'
    assert kept_event(json.loads(line), line) == line
