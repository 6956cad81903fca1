"""What leaves `sanitize` cannot move a cursor, change a title or hide a word."""

import re
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.text.sanitize import LIMIT, Style, sanitize, sanitize_lines, spans

HOSTILE = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from(
            "\x00\x07\x08\x09\x0a\x0d\x1b\x7f\x84\x90\x9b\x9d\u202e\u2066\u200b\ufeff\ue000\U000e0041\u0301"
        ),
    )
)
SEQUENCES = st.lists(
    st.one_of(
        HOSTILE,
        st.sampled_from(
            [
                "\x1b[2J",
                "\x1b]0;title\x07",
                "\x1b]8;;http://x\x1b\\",
                "\x1bP1q\x1b\\",
                "\x1b[38;2;1;2;3m",
                "\x1b[31m",
                "\x9b5n",
            ]
        ),
    ),
    max_size=6,
).map("".join)


PILES = st.lists(
    st.sampled_from(
        ["e", "\u0301", "\u20dd", "\u0903", "\u1161", "\u11a8", "\ud7b0", "\U0001f3fd", "\x1b[31m", "\x1b[m"]
    ),
    max_size=60,
).map("".join)


def harmless(text: str) -> bool:
    return not any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") for character in text)


def test_no_character_of_those_kinds_passes_by_itself() -> None:
    kinds = [code for code in range(0x110000) if code != 9 and not harmless(chr(code))]
    assert len(kinds) > 100_000
    assert [f"{code:04X}" for code in kinds[:3000] + kinds[3000::500] if not harmless(sanitize(chr(code)))] == []


@given(PILES)
def test_what_piles_up_on_one_character_is_bounded_in_all_colours(text: str) -> None:
    shown = sanitize(text)
    assert not re.search("[^e]{5}", shown)
    assert sanitize(shown) == shown


@given(SEQUENCES)
def test_no_control_or_bidi_character_is_left(text: str) -> None:
    assert harmless(sanitize(text))


@given(st.binary(max_size=400))
def test_bytes_of_any_kind_become_text(data: bytes) -> None:
    assert harmless(sanitize(data))


@given(st.one_of(SEQUENCES, st.lists(st.one_of(SEQUENCES, PILES), max_size=4).map("".join)))
def test_sanitized_text_is_a_fixed_point(text: str) -> None:
    once = sanitize(text)
    assert sanitize(once, limit=len(once) + 1) == once


@given(SEQUENCES)
def test_spans_say_the_same_as_the_plain_text(text: str) -> None:
    found = spans(text)
    assert "".join(span.text for span in found) == sanitize(text)
    assert all(span.text for span in found)
    assert all(one.style != two.style for one, two in pairwise(found))


def test_colours_survive_as_styles() -> None:
    red, plain, rgb = spans("\x1b[1;31mno\x1b[0m yes \x1b[38;2;0;255;16mgreen")
    assert (red.text, red.style) == ("no", Style(fg="1", bold=True))
    assert (plain.text, plain.style) == (" yes ", Style())
    assert (rgb.text, rgb.style) == ("green", Style(fg="#00ff10"))


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b]0;owned\x07x", "␛x"),
        ("\x1b[2J\x1b[Hx", "␛␛x"),
        ("a\x1b]52;c;aGk=\x1b\\b", "a␛b"),
        ("a\rb", "a␍b"),
        ("a\u202eb", "a<U+202E>b"),
        ("\x9b31mx", "␛x"),
        ("tab\there", "tab    here"),
        ("unterminated\x1b", "unterminated␛"),
    ],
)
def test_sequences_become_visible_marks(hostile: str, shown: str) -> None:
    assert sanitize(hostile) == shown


def test_a_line_is_bounded_and_says_so() -> None:
    assert sanitize("x" * (LIMIT + 5)) == "x" * LIMIT + "…"
    assert sanitize("abcdef", limit=3) == "abc…"


def test_piles_of_accents_are_bounded() -> None:
    assert len(sanitize("e" + "\u0301" * 500)) == 5


def test_lines_are_split_at_both_kinds_of_end() -> None:
    assert sanitize_lines(b"a\r\nb\x1b[2J\n\xff") == ["a", "b␛", "\ufffd"]
