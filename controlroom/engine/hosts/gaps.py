"""What is blank in a text that a person is asked about: made short, or said, so that nothing stands out of sight.

A command may hold thousands of blanks, or hundreds of empty lines, before the part that matters.
"""

import re

_BLANK = r"[^\S\n]|\u2800"
"""Blanks of all kinds; the Braille pattern without a dot looks like one and is none to Unicode."""

WIDE, HIGH = 40, 5
"""Blanks in a row, and line ends in a row, beyond which they are said instead: a phone has 45 columns."""

_RUN = re.compile(f"(?:{_BLANK})+")
_WIDE = re.compile(f"(?:{_BLANK}){{{WIDE},}}")
_HIGH = re.compile(f"\n(?:(?:{_BLANK})*\n){{{HIGH},}}")


def closed(text: str) -> str:
    """Give one line without gaps: blanks in a row become one."""
    return _RUN.sub(" ", text)


def said(text: str) -> str:
    """Give a text in which wide and high gaps are said."""
    high = _HIGH.sub(lambda gap: f"\n‹{gap[0].count(chr(10)) - 1} empty lines›\n", text)
    return _WIDE.sub(lambda gap: f" ‹{len(gap[0])} blanks› ", high)
