"""What keys are about: a cursor on a row by its name, and marks; plain values, with no screen around them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.tui.view_state import Cursor, Marks

NAMES = st.sampled_from("abcdef")
LISTS = st.lists(NAMES, unique=True)


def after(cursor: Cursor, rows: list[str], place: int = 0) -> Cursor:
    beside = rows[min(place, len(rows) - 1)] if rows else None
    return cursor.among(rows.__contains__, rows[0] if rows else None, beside)


def test_before_any_key_the_cursor_is_on_the_first_row() -> None:
    cursor = after(Cursor(), ["a", "b"])
    assert cursor.name == "a"
    assert after(cursor, ["b", "a"]).name == "b"
    assert after(cursor.kept(), ["b", "a"]).name == "a"


def test_while_its_row_is_away_the_cursor_is_beside_its_place_and_then_returns() -> None:
    cursor = Cursor().on("b")
    away = after(cursor, ["a", "c"], 1)
    assert away == Cursor("c", "b")
    assert after(away, ["c", "d", "a"]).name == "c", "meanwhile it goes with the row that it is on"
    assert after(away, ["a", "b", "c"]) == cursor


def test_who_goes_on_from_beside_the_place_does_not_return() -> None:
    away = after(Cursor().on("b"), ["a", "c"], 1)
    assert after(away.on("a"), ["a", "b", "c"]).name == "a"


@pytest.mark.parametrize("home", [None, "a", "z"])
def test_in_an_empty_list_the_cursor_is_nowhere(home: str | None) -> None:
    assert after(Cursor("a", home), []).name is None


@given(LISTS, st.lists(LISTS), NAMES, st.integers(0, 6))
def test_the_cursor_is_always_on_a_row_that_is_there(first: list[str], lists: list[list[str]], to: str, n: int) -> None:
    cursor = after(Cursor(), first)
    if to in first:
        cursor = cursor.on(to)
    for rows in lists:
        cursor = after(cursor, rows, n)
        assert cursor.name in rows if rows else cursor.name is None
        assert cursor.home not in rows or cursor.name == cursor.home


@given(LISTS, LISTS)
def test_marks_are_on_show_or_hidden_and_never_both(marked: list[str], ids: list[str]) -> None:
    marks = Marks(frozenset(marked))
    assert sorted(marks.shown(ids) + marks.hidden(ids)) == sorted(marked)
    assert not set(marks.hidden(ids)) & set(ids)
    assert not marks.without(marked).names
    once = marks.all_or_none(ids)
    assert once.names >= set(ids) or not once.names
    assert not (once.names and once.all_or_none(ids).names), "the second time it leaves none, wherever they were"
