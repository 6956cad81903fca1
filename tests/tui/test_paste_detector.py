"""A paste without markers is no command, whatever letters are in it; keys stay keys."""

from __future__ import annotations

import pytest
from textual import events

from controlroom.tui.terminal.keyboard import is_paste


def keys(text: str) -> list[events.Key]:
    names = {"\n": "enter", "\t": "tab", " ": "space"}
    return [events.Key(names.get(sign, sign), "\r" if sign == "\n" else sign) for sign in text]


@pytest.mark.parametrize(
    "text", ["yes please kill it\n", "git push\n", "sxyasxya", "x\ny\nx\ny\nd\n", "日本語のテキスト"]
)
def test_text_that_comes_at_once_was_pasted(text: str) -> None:
    assert is_paste(keys(text))


@pytest.mark.parametrize("text", ["", "y", "ny", "nynyny\n", "jjjjjjjjjjjjjjjj", "jkjkjkjkjkjkjk", "xy\n"])
def test_what_a_thumb_can_press_stays_keys(text: str) -> None:
    assert not is_paste(keys(text))


def test_arrows_among_them_are_no_text() -> None:
    assert not is_paste([*keys("abcdefghij"), events.Key("down", None)])
