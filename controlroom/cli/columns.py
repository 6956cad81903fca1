"""Columns that line up, counted in terminal cells: wide characters take two, combining marks none."""

import textwrap
import unicodedata
from collections.abc import Sequence

_GAP = "  "


def cells(text: str) -> int:
    """Count the terminal cells that inert text takes."""
    if text.isascii():
        return len(text)
    return sum(_cell(character) for character in text)


def cut(text: str, room: int) -> str:
    """Cut text to `room` cells, marked with an ellipsis when something is lost."""
    if cells(text) <= room:
        return text
    kept, used = "", 1
    for character in text:
        used += _cell(character)
        if used > room:
            break
        kept += character
    return kept + "…" if room > 0 else ""


def wrapped(text: str, room: int | None, first: str = "", then: str = "") -> list[str]:
    """Break text between words into lines of `room` characters, None for no bound; `first` and `then` begin them."""
    if room is None:
        return [first + text]
    return textwrap.wrap(text, max(20, room), initial_indent=first, subsequent_indent=then, break_on_hyphens=False)


def lined_up(rows: Sequence[Sequence[str]], right: frozenset[int], room: int | None) -> list[str]:
    """Give the lines of a table. `right`: columns that stand right; `room`: cells of a line, None for no bound."""
    widths = [max(map(cells, column)) for column in zip(*rows, strict=True)]
    return [_line(row, widths, right, room) for row in rows]


def _line(row: Sequence[str], widths: Sequence[int], right: frozenset[int], room: int | None) -> str:
    parts = [_padded(text, widths[at], at in right) for at, text in enumerate(row)]
    line = _GAP.join(parts).rstrip()
    return line if room is None else cut(line, room)


def _padded(text: str, width: int, right: bool) -> str:
    space = " " * (width - cells(text))
    return space + text if right else text + space


def _cell(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
