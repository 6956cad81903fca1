"""What is held of a log is an unbroken stretch of it, whatever is put before and after, and let go."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlroom.client.client import LogPage
from controlroom.domain.model import LogPlace
from controlroom.text.event_text import LogRecord
from controlroom.tui.logs import log_buffer
from controlroom.tui.logs.log_buffer import LogBuffer, entries


def written(count: int, continued: frozenset[int] = frozenset()) -> list[LogRecord]:
    return [LogRecord(number, "o", b"%d" % number, number in continued) for number in range(count)]


def page(log: list[LogRecord], start: int, end: int, epoch: int = 1) -> LogPage:
    end = min(end, len(log))
    place = LogPlace(epoch, 1, start), LogPlace(epoch, 1, end)
    offsets = tuple(range(start, end))
    known = {
        "records": tuple(log[start:end]),
        "first": start == 0,
        "offsets": offsets,
        "before": start,
        "total": len(log),
    }
    return LogPage("vm1/a", *place, **known)  # type: ignore[arg-type]


def held(book: LogBuffer) -> list[bytes]:
    return [record.body for number in range(book.first, book.after_last) for record in book.entry(number)]


@given(
    count=st.integers(1, 60),
    continued=st.frozensets(st.integers(0, 59), max_size=20),
    start=st.integers(0, 59),
    moves=st.lists(st.tuples(st.booleans(), st.integers(1, 9)), max_size=40),
)
@settings(deadline=None)
def test_what_is_held_is_always_one_piece_of_the_log(
    count: int, continued: frozenset[int], start: int, moves: list[tuple[bool, int]]
) -> None:
    log = written(count, continued)
    low = high = min(start, count - 1)
    book = LogBuffer("vm1/a", 1)
    book.begin_again(page(log, low, high + 1))
    high = min(count, high + 1)
    for older, size in moves:
        if older and low:
            book.prepend(page(log, max(0, low - size), low))
            low = max(0, low - size)
        elif not older and high < count:
            book.append(page(log, high, high + size))
            high = min(count, high + size)
        assert held(book) == [record.body for record in log[low:high]]
        assert (book.complete) == (low == 0 or high == low == 0)
    whole = [len(entry) for entry in entries(log[low:high])]
    assert [len(book.entry(number)) for number in range(book.first, book.after_last)] == whole


@given(moves=st.lists(st.tuples(st.booleans(), st.integers(1, 30)), max_size=60))
@settings(deadline=None)
def test_what_is_let_go_is_read_again_from_where_it_was(moves: list[tuple[bool, int]]) -> None:
    log = written(1000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_buffer, "MOST", 100)
        book = LogBuffer("vm1/a", 1)
        book.begin_again(page(log, 500, 520))
        for older, size in moves:
            assert book.start is not None
            assert book.end is not None
            if older and not book.complete:
                book.prepend(page(log, max(0, book.start.offset - size), book.start.offset))
            elif not older:
                book.append(page(log, book.end.offset, book.end.offset + size))
            assert held(book) == [b"%d" % number for number in range(book.start.offset, book.end.offset)]
            assert len(book) <= 130


def test_before_the_first_line_of_a_run_stands_the_run_before() -> None:
    first, second = written(5), written(3)
    book = LogBuffer("vm1/a", 2)
    book.begin_again(page(second, 0, 3, epoch=2))
    assert (book.complete, book.start) == (False, LogPlace(1, -1, 0))
    book.prepend(page(first, 2, 5, epoch=1))
    book.prepend(page(first, 0, 2, epoch=1))
    assert book.complete
    bodies = held(book)
    assert bodies[:5] == [b"0", b"1", b"2", b"3", b"4"]
    assert b"run 2 begins here" in bodies[5]
    assert bodies[6:] == [b"0", b"1", b"2"]


def test_numbers_keep_their_meaning_while_older_text_is_put_in() -> None:
    log = written(50)
    book = LogBuffer("vm1/a", 1)
    book.begin_again(page(log, 30, 40))
    third = book.entry(book.first + 3)
    number = book.first + 3
    book.prepend(page(log, 10, 30))
    book.append(page(log, 40, 50))
    assert book.entry(number) == third


def test_logs_on_show_share_what_all_of_them_may_hold() -> None:
    log = written(log_buffer.MOST)
    books = [LogBuffer(f"vm1/{number}", 1) for number in range(40)]
    for book in books:
        book.begin_again(page(log, 0, 300))
        for start in range(300, log_buffer.MOST, 300):
            book.append(page(log, start, start + 300))
    assert {len(book) for book in books} == {log_buffer.MOST}
    for book in books:
        book.share_with(len(books))
        assert held(book)[-1] == log[-1].body, "the newest stays"
    assert sum(map(len, books)) <= log_buffer.MOST_OF_ALL
    for book in books:
        book.append(page(written(log_buffer.MOST + 300), log_buffer.MOST, log_buffer.MOST + 300))
    assert sum(map(len, books)) <= log_buffer.MOST_OF_ALL
    books[0].share_with(1)
    assert books[0].most == log_buffer.MOST
