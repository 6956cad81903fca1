"""What stands to the right of a text stays where it is: a terminal draws any text as wide as we think."""

from __future__ import annotations

import ctypes
import locale
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.text.sanitize import sanitize
from controlroom.tui.theme import styled
from tests.lab.terminal import Terminal
from tests.lab.waiting import wait_for

HOSTILE = {
    "tones": "\U0001f3fb" * 30,
    "a thumb with a tone": "\U0001f44d\U0001f3fd" * 5,
    "three regional indicators": "\U0001f1e9\U0001f1ea\U0001f1e9",
    "flags": "\U0001f1e9\U0001f1ea" * 6,
    "keycaps": "1\ufe0f\u20e3" * 8,
    "selectors": "\u2764\ufe0f\u2708\ufe0e" * 6,
    "jamo": "\u1161" * 9 + "\ud7b0" * 9,
    "Hindi": "\u0939\u093f\u0928\u094d\u0926\u0940",
    "counting rods": "\U0001d360" * 9,
    "hexagrams": "\u4dc0\u2630" * 9,
    "of a later Unicode": "\U0001fadf\U0001fae9\U0001f8b2" * 4,
    "circled": "\u3248" * 9,
    "signs of number": "\u0600\u06dd" * 9,
    "wide": "\u6f22\u5b57\uac00\U0001f600",
}


@pytest.fixture
def wcwidth() -> Callable[[str], int]:
    if not sys.platform.startswith("linux"):
        pytest.skip("only the C library of Linux is known to have a table of widths")
    locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    library = ctypes.CDLL(None)
    library.wcwidth.argtypes = [ctypes.c_wchar]
    return lambda character: int(library.wcwidth(character))


def test_every_character_is_as_wide_as_the_c_library_says(wcwidth: Callable[[str], int]) -> None:
    """Those that it does not know of are newer than its table; terminals that go by it draw a cell for each."""
    wrong = []
    for code in range(0x20, 0x20000):  # beyond are ideographs, and what is private or of no use
        for drawn in styled.settled(sanitize(chr(code))):
            known = wcwidth(drawn)
            if known < 0 and unicodedata.category(drawn) in ("Mn", "Me"):
                continue  # a mark that the table of Python has and the older one of the C library lacks
            if known != styled.width(drawn) and (known >= 0 or styled.width(drawn) == 0):
                wrong.append(f"{code:04X}")
    assert wrong == []


def test_a_real_terminal_is_where_we_think_it_is(tmux_screen: Callable[..., Terminal], tmp_path: Path) -> None:
    texts = tmp_path / "texts"
    drawn = [styled.left(sanitize(text), 50) + "|" for text in HOSTILE.values()]
    assert [styled.width(text) for text in drawn] == [51] * len(drawn)
    texts.write_text("".join(f"{text}\n" for text in drawn))
    program = f"while read -r line; do printf '\\033[2J\\033[H%s' \"$line\"; read -r _ </dev/tty; done <{texts}"
    screen = tmux_screen(["bash", "-c", program], width=120, env={"LC_ALL": "C.UTF-8"})
    for number, name in enumerate(HOSTILE):
        line = drawn[number].split()[0][:1]

        def shown(line: str = line, name: str = name) -> bool:
            assert line in screen.screen(), name
            assert screen.tmux("display-message", "-p", "#{cursor_x}") == "51\n", name
            return True

        wait_for(shown, 10, name)
        screen.keys("Enter")


@given(st.lists(st.sampled_from([*"".join(HOSTILE.values()), "a", " "]), max_size=80).map("".join), st.integers(1, 40))
def test_cut_and_broken_lines_are_as_wide_as_they_say(text: str, cells: int) -> None:
    shown = sanitize(text)
    assert styled.width(styled.left(shown, cells)) == cells
    assert styled.width(styled.right(shown, cells)) == cells
    assert all(styled.width(line) <= max(cells, 2) for line in styled.wrap(shown, cells))
    assert styled.settled(styled.settled(shown)) == styled.settled(shown)
    assert styled.length(styled.line((shown, None))) == styled.width(shown)
