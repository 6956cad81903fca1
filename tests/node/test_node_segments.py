"""Reading an agent's log files: whole records, forwards and backwards, whatever has become of the files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.node.logs import segments
from controlroom.node.logs.segments import MAX_RECORD
from controlroom.wire.records import Position
from tests.lab.log_files import record, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


LOGS = st.lists(st.lists(st.integers(0, 300), max_size=8), min_size=1, max_size=5)


def fill(folder: Path, sizes: list[list[int]]) -> list[bytes]:
    """Write a segment for each list, a record for each size; give the whole records."""
    for path in folder.iterdir():
        path.unlink()
    lines: list[bytes] = []
    for number, segment in enumerate(sizes, 1):
        written = [record(f"{number} " + "x" * size) for size in segment]
        write(folder, number, b"".join(written))
        lines += written
    return lines


@given(sizes=LOGS, limit=st.integers(1, 2000))
def test_reading_forward_gives_every_record_once(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[list[int]], limit: int
) -> None:
    folder = tmp_path_factory.mktemp("log")
    lines = fill(folder, sizes)
    place, data = Position(1, 0), b""
    while piece := segments.after(str(folder), place, limit):
        assert piece.data.endswith(b"\n")
        assert piece.end > place
        place, data = piece.end, data + piece.data
    assert data == b"".join(lines)
    assert place <= segments.end(str(folder))
    assert segments.pending(str(folder), place) == 0


@given(sizes=LOGS, count=st.integers(1, 5), limit=st.integers(1, 2000))
def test_reading_backward_gives_every_record_once(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[list[int]], count: int, limit: int
) -> None:
    folder = tmp_path_factory.mktemp("log")
    lines = fill(folder, sizes)
    longest = max(map(len, lines), default=0)
    place, data = segments.end(str(folder)), b""
    first = segments.begin(str(folder))
    while place > first:
        piece = segments.before(str(folder), place, count, max(limit, longest + 1))
        assert piece.data.count(b"\n") <= count
        assert piece.start < place
        place, data = piece.start, piece.data + data
    assert data == b"".join(lines)


def test_a_part_of_a_record_waits_for_its_end(folder: Path) -> None:
    whole = record("whole")
    write(folder, 1, whole + b"1795307427677 o pa")
    piece = segments.after(str(folder), Position(1, 0), 1000)
    assert piece
    assert (piece.data, piece.end) == (whole, Position(1, len(whole)))
    assert segments.after(str(folder), piece.end, 1000) is None
    assert segments.end(str(folder)) == piece.end
    write(folder, 1, b"rt\n")
    assert segments.after(str(folder), piece.end, 1000) == (
        piece.end,
        Position(1, len(whole) + 21),
        b"1795307427677 o part\n",
        0,
    )


def test_a_line_without_an_end_is_damage_and_is_passed_over(folder: Path) -> None:
    write(folder, 1, b"\0" * (5 * MAX_RECORD))
    assert segments.after(str(folder), Position(1, 0), 1000) is None
    write(folder, 1, b"\n" + record("sound"))
    piece = segments.after(str(folder), Position(1, 0), 1000)
    assert piece
    assert (piece.data, piece.skipped) == (record("sound"), 5 * MAX_RECORD + 1)


def test_a_log_of_a_gigabyte_opens_at_its_end_and_at_its_beginning(folder: Path) -> None:
    write(folder, 1, record("first") + b"x" * 100 + b"\n")
    os.truncate(folder / "log.000001", 2**30)
    write(folder, 1, b"\n" + record("last but one") + record("last"))
    end = segments.end(str(folder))
    assert segments.before(str(folder), end, 1, 2**20).data == record("last")
    assert segments.before(str(folder), end, 2, 2**20).data == record("last but one") + record("last")
    first = segments.after(str(folder), segments.begin(str(folder)), 100)
    assert first
    assert first.data.startswith(record("first"))


def test_what_is_no_segment_yields_nothing(folder: Path) -> None:
    (folder / "log.000001").symlink_to("/etc/passwd")
    os.mkfifo(folder / "log.000002")
    (folder / "log.000003").mkdir()
    assert segments.after(str(folder), Position(1, 0), 1000) is None
    for number in (3, 2, 1):
        assert segments.before(str(folder), Position(number, 100), 10, 1000).data == b""
    newest = segments.tail(str(folder), Position(0, 0), 1000)
    assert newest is None or newest.data == b""


def test_a_log_whose_beginning_was_dropped_begins_later(folder: Path) -> None:
    write(folder, 4, record("old"))
    write(folder, 5, record("new"))
    assert segments.begin(str(folder)) == Position(4, 0)
    piece = segments.after(str(folder), Position(1, 500), 1000)
    assert piece
    assert (piece.start, piece.data) == (Position(4, 0), record("old"))


def test_a_truncated_segment_goes_on_at_its_end(folder: Path) -> None:
    write(folder, 1, record("one") * 10)
    place = segments.end(str(folder))
    os.truncate(folder / "log.000001", 0)
    assert segments.after(str(folder), place, 1000) is None
    write(folder, 1, record("again"))
    piece = segments.after(str(folder), place, 1000)
    assert piece is None or piece.data == record("again")
    newest = segments.tail(str(folder), place, 1000)
    assert newest
    assert newest.end == Position(1, len(record("again")))


@given(sizes=LOGS, segment=st.integers(1, 5), offset=st.integers(0, 3000), half=st.booleans())
def test_any_place_stands_for_one_where_a_record_begins(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[list[int]], segment: int, offset: int, half: bool
) -> None:
    """Else a reader is sent a part of a record, which does not say of what it is one."""
    folder = tmp_path_factory.mktemp("log")
    whole = set(fill(folder, sizes))
    if half:
        write(folder, len(sizes), record("half")[:-1])
    place = segments.resolved(str(folder), Position(segment, offset))
    forward = segments.after(str(folder), place, 10_000)
    for piece in (forward, segments.before(str(folder), place, 10, 10_000)):
        assert piece is None or set(piece.data.splitlines(keepends=True)) <= whole
    write(folder, len(sizes), b" of it\n" if half else b"")
    later = segments.after(str(folder), place, 10_000)
    assert later is None or set(later.data.splitlines(keepends=True)) <= {*whole, record("half of it")}
