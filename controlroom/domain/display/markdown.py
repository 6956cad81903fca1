"""Markdown as lines of a width: as much of it as the manual uses, for command line and screen alike.

Headings, paragraphs, lists of `-`, fenced code and tables. Pictures are left out, links are their words. A table
that is too wide for its place becomes an entry for each row.
"""

import re
import textwrap
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import NamedTuple

LEAST = 24
"""Columns that the last cell of a table needs; with fewer, rows become entries."""

_GAP = "  "
_LINK = re.compile(r"!?\[([^]]*)\]\([^)]*\)")
_STRONG = re.compile(r"\*\*(.+?)\*\*")
_CODE_CELL = re.compile(r"(?:`[^`]+`(?:, | )?)+…?")
_RULE = re.compile(r"\|[-| :]+\|")


class Kind(Enum):
    """What a line is, for whoever gives it a style."""

    HEADING = "heading"
    TEXT = "text"
    CODE = "code"
    LABEL = "label"
    """The head of a table, or what an entry of one is about."""


class Line(NamedTuple):
    """One line, no longer than the width that was asked for."""

    kind: Kind
    text: str


def lines(text: str, width: int) -> list[Line]:
    """Lay out a page. `width`: columns, at least 10; text must be of characters of one column each."""
    drawn: list[Line] = []
    for block in _blocks(text.splitlines()):
        if part := _laid_out(block, max(10, width)):
            drawn += [Line(Kind.TEXT, "")] * bool(drawn)
            drawn += part
    return drawn


def _blocks(source: Sequence[str]) -> Iterator[list[str]]:
    """Cut a page where blocks end: at empty lines outside of code, before and after code and headings, before items."""
    block: list[str] = []
    in_code = False
    for line in source:
        fence = line.startswith("```")
        alone = line.startswith(("#", "- ")) or (fence and not in_code)
        if block and not in_code and (alone or not line.strip() or block[0].startswith("#")):
            yield block
            block = []
        if in_code or line.strip():
            block.append(line)
        if fence:
            in_code = not in_code
            if not in_code:
                yield block
                block = []
    if block:
        yield block


def _laid_out(block: Sequence[str], width: int) -> list[Line]:
    first = block[0]
    if first.startswith("```"):
        return [Line(Kind.CODE, part) for line in block[1:-1] for part in _code(line, width)]
    if first.startswith("#"):
        return [Line(Kind.HEADING, part) for part in _wrapped(first.lstrip("# "), width)]
    if first.startswith("|"):
        return _table([_cells(line) for line in block if not _RULE.fullmatch(line)], width)
    if first.startswith(("![", "<")):
        return []
    words = _inline(" ".join(line.strip() for line in block))
    if first.startswith("- "):
        return [Line(Kind.TEXT, part) for part in _wrapped(words, width, then="  ")]
    return [Line(Kind.TEXT, part) for part in _wrapped(words, width)]


def _code(line: str, width: int) -> list[str]:
    """A line of code; one that is too long goes on below, further in."""
    room = width - 2
    inner = " " * (len(line) - len(line.lstrip()))
    parts = textwrap.wrap(
        line,
        max(8, room),
        subsequent_indent=inner[: room // 2] + "  ",
        break_on_hyphens=False,
        replace_whitespace=False,
    )
    return [f"  {part}" for part in parts] or [""]


def _table(rows: Sequence[Sequence[str]], width: int) -> list[Line]:
    head, *body = rows
    widths = [max(len(row[at]) for row in rows) for at in range(len(head))]
    rest = width - sum(widths[:-1]) - len(_GAP) * (len(head) - 1)
    if rest < min(LEAST, widths[-1]):
        return [line for row in body for line in _entry(row, width)]
    drawn = [Line(Kind.LABEL, part) for part in _row(head, widths, rest)] if any(head) else []
    return drawn + [Line(Kind.TEXT, part) for row in body for part in _row(row, widths, rest)]


def _row(row: Sequence[str], widths: Sequence[int], rest: int) -> Iterator[str]:
    start = "".join(f"{cell:<{columns}}{_GAP}" for cell, columns in zip(row[:-1], widths, strict=False))
    for index, part in enumerate(_wrapped(row[-1], rest) or [""]):
        yield (f"{start if index == 0 else ' ' * len(start)}{part}").rstrip()


def _entry(row: Sequence[str], width: int) -> Iterator[Line]:
    label = " · ".join(filter(None, row[:-1]))
    yield from (Line(Kind.LABEL, part) for part in _wrapped(label, width, then="    "))
    yield from (Line(Kind.TEXT, f"  {part}") for part in _wrapped(row[-1], width - 2))


def _cells(line: str) -> list[str]:
    return [_cell(cell.strip().replace("\\|", "|")) for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def _cell(cell: str) -> str:
    """The words of a cell; what is nothing but code needs no marks."""
    return cell.replace("`", "") if _CODE_CELL.fullmatch(cell) else _inline(cell)


def _inline(words: str) -> str:
    return _STRONG.sub(r"\1", _LINK.sub(r"\1", words))


def _wrapped(words: str, width: int, then: str = "") -> list[str]:
    return textwrap.wrap(words, max(8, width), subsequent_indent=then, break_on_hyphens=False)
