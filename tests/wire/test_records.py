"""Log records: any bytes go in and come out, and a segment can be read from any newline."""

from hypothesis import given
from hypothesis import strategies as st

from controlroom.text.event_text import LogRecord
from controlroom.wire import records
from controlroom.wire.records import MAX_BODY

STREAMS = st.sampled_from([records.OUT, records.ERR, records.EVENT, records.INPUT, records.NOTE])
LINES = st.binary(max_size=300).map(lambda data: data.replace(b"\n", b""))
TIMES = st.integers(0, 10**13 - 1)


@given(TIMES, STREAMS, LINES)
def test_any_line_comes_back_as_it_was(at: int, stream: bytes, line: bytes) -> None:
    data = records.pack(at, stream, line)
    assert records.unpack_all(data) == [LogRecord(at, stream.decode(), line)]


@given(TIMES, STREAMS, LINES, st.integers(1, 3), st.integers(-2, 2))
def test_a_long_line_is_several_records_that_join_to_it(
    at: int, stream: bytes, line: bytes, times: int, off: int
) -> None:
    long = (line or b"x") * (times * MAX_BODY // len(line or b"x")) + b"y" * max(0, off)
    found = records.unpack_all(records.pack(at, stream, long))
    assert b"".join(record.body for record in found) == long
    assert [record.continued for record in found] == [True] * (len(found) - 1) + [False]
    assert all(len(record.body) <= MAX_BODY for record in found)


@given(st.lists(st.tuples(TIMES, STREAMS, LINES), max_size=8), st.integers(0, 500))
def test_reading_may_begin_at_any_newline(entries: list[tuple[int, bytes, bytes]], cut: int) -> None:
    data = b"".join(records.pack(*entry) for entry in entries)
    start = data.find(b"\n", cut) + 1
    if start:
        whole = [records.pack(*entry) for entry in entries]
        skipped = next(n for n in range(len(whole) + 1) if len(b"".join(whole[:n])) == start)
        assert records.unpack_all(data[start:]) == records.unpack_all(data)[skipped:]


@given(st.binary(max_size=200))
def test_a_damaged_segment_hides_nothing_and_never_raises(data: bytes) -> None:
    found = records.unpack_all(data)
    assert len(found) == data.count(b"\n")
    assert all(record.body in data for record in found)


def test_a_newline_in_a_body_cannot_forge_a_record() -> None:
    forged = b"harmless\n0000000000001 n the runner says"
    (record,) = records.unpack_all(records.pack(1, records.OUT, forged))
    assert (record.stream, record.body.count(b"\n")) == ("o", 0)


def test_segments_are_named_and_numbered() -> None:
    assert records.segment_number(records.segment_name(42)) == 42
    assert [records.segment_number(name) for name in ("log.1", "log.000001.gz", "xlog.000001", "log.00000a")] == [
        None
    ] * 4
