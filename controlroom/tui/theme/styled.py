"""How one line of the screen is made: runs of text in styles, measured in cells, cut and padded to a width.

Text must be sanitized already. What terminals draw at different widths is replaced, so that what stands right of it
stays where it is: flags by their letters, what is newer than our tables or has changed its width by a sign for it.
"""

import unicodedata
from collections.abc import Iterable, Sequence

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

Line = tuple[Segment, ...]
"""One drawn line. Equal lines look the same, so a line that did not change is not painted again."""

_UNSURE, _MARK = "\ufffd", "\u25cc"
_LETTERS = 0x1F1E6
"""The first of the regional indicators: two of them are a flag, or two letters of one or two cells each."""
_SKINS = range(0x1F3FB, 0x1F400)
"""Tones of the skin: nothing of their own after an emoji, or two cells more."""
_CHANGED = (
    range(0x2630, 0x2638), range(0x268A, 0x2690), range(0x3248, 0x3250), range(0x4DC0, 0x4E00), range(0xD7B0, 0xD800),
    range(0x1160, 0x1200), range(0x1D300, 0x1D357), range(0x1D360, 0x1D379),
)  # fmt: skip
"""What has another width since Unicode 16 (hexagrams, counting rods), is wide in some fonts, or is a part of Hangul
that some terminals draw by itself."""


class _Settled(dict[int, str]):
    """What is drawn of a character, by its code point; worked out once."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        if code in (0xFE0E, 0xFE0F, 0x20E3) or code in _SKINS:
            drawn = ""
        elif _LETTERS <= code < _LETTERS + 26:
            drawn = chr(ord("A") + code - _LETTERS)
        elif category == "Mc":
            drawn = _MARK
        else:
            drawn = _UNSURE if category == "Cn" or any(code in block for block in _CHANGED) else character
        self[code] = drawn
        return drawn


_DRAWN = _Settled()


def width(text: str) -> int:
    """The cells that `text` takes when it is drawn."""
    return cell_len(settled(text))


def settled(text: str) -> str:
    """Replace what terminals draw at different widths; a text of nothing else is a sign for that."""
    if text.isascii():
        return text
    return text.translate(_DRAWN) or _UNSURE


def cut(text: str, cells: int) -> str:
    """Cut `text` to at most `cells`, with an ellipsis where something is missing."""
    text = settled(text)
    if cells <= 0:
        return ""
    if cell_len(text) <= cells:
        return text
    return set_cell_size(text, cells - 1).rstrip() + "…"


def left(text: str, cells: int) -> str:
    """Cut or pad `text` to exactly `cells`, standing at the left."""
    return set_cell_size(cut(text, cells), max(0, cells))


def right(text: str, cells: int) -> str:
    """Cut or pad `text` to exactly `cells`, standing at the right."""
    shown = cut(text, cells)
    return " " * (cells - cell_len(shown)) + shown


def line(*runs: tuple[str, Style | None]) -> Line:
    """Make a line of runs; empty ones are left out."""
    return tuple(Segment(settled(text), style) for text, style in runs if text)


def length(drawn: Line) -> int:
    """The cells that a line takes."""
    return sum(segment.cell_length for segment in drawn)


def spread(start: Line, end: Line, cells: int) -> Line:
    """Put `end` at the right edge of `cells`; where both do not fit, `start` is cut."""
    space = cells - length(end)
    if length(start) > space - 1:
        start = clip(start, max(0, space - 1))
    return (*start, Segment(" " * max(0, space - length(start))), *end)


def clip(drawn: Line, cells: int) -> Line:
    """Cut a line to at most `cells`, with an ellipsis where something is missing."""
    if length(drawn) <= cells:
        return drawn
    kept: list[Segment] = []
    room = cells
    for segment in drawn:
        if segment.cell_length >= room:
            kept.append(Segment(cut(segment.text + " ", room), segment.style))
            break
        kept.append(segment)
        room -= segment.cell_length
    return tuple(segment for segment in kept if segment.text)


def over(drawn: Iterable[Segment], style: Style) -> Line:
    """Lay a line over a style: its own colours win."""
    return tuple(Segment(segment.text, style + segment.style if segment.style else style) for segment in drawn)


def wrap(text: str, cells: int) -> list[str]:
    """Break text into lines of at most `cells`, at spaces where there are some. An empty text is one empty line."""
    text = settled(text)
    if cells <= 0 or cell_len(text) <= cells:
        return [text]
    return [text[start:end].rstrip() for start, end in breaks(text, cells)]


def breaks(text: str, cells: int) -> list[tuple[int, int]]:
    """Start and end of each line when `text` is broken at `cells`: at the last space, else within a word."""
    widths = [] if text.isascii() else [cell_len(character) for character in text]
    found: list[tuple[int, int]] = []
    start = 0
    while start < len(text):
        end = _reach(text, widths, start, cells)
        if end < len(text):
            space = text.rfind(" ", start, end + 1)
            end = space if space > start + (end - start) // 3 else end
        found.append((start, end))
        start = end + (end < len(text) and text[end] == " ")
    return found or [(0, 0)]


def _reach(text: str, widths: list[int], start: int, cells: int) -> int:
    """The index after the last character that fits into `cells` from `start`; at least one is taken.

    `widths` holds the cells of each character; an empty list means one each.
    """
    if not widths:
        return min(len(text), start + cells)
    room, end = cells, start
    while end < len(text) and (widths[end] <= room or end == start):
        room -= widths[end]
        end += 1
    return end


def marked(segments: Sequence[Segment], text: str, style: Style) -> list[Segment]:
    """Lay `style` under every place where `text` stands, even across runs of different colours."""
    if not text:
        return list(segments)
    whole = "".join(segment.text for segment in segments).lower()
    wanted, marks, at = text.lower(), list[tuple[int, int]](), 0
    while (at := whole.find(wanted, at)) >= 0:
        marks.append((at, at + len(wanted)))
        at += len(wanted)
    return marked_at(segments, marks, style)


def marked_at(segments: Sequence[Segment], marks: Iterable[tuple[int, int]], style: Style) -> list[Segment]:
    """Lay `style` under characters: from one to before another, in order."""
    drawn: list[Segment] = []
    position = 0
    for start, end in marks:
        drawn += piece(segments, position, start)
        drawn += [Segment(part.text, (part.style or Style.null()) + style) for part in piece(segments, start, end)]
        position = end
    return drawn + piece(segments, position, sum(len(segment.text) for segment in segments))


def piece(segments: Sequence[Segment], start: int, end: int) -> list[Segment]:
    """Cut characters `start` to `end` out of a line of segments."""
    drawn: list[Segment] = []
    at = 0
    for segment in segments:
        low, high = max(start - at, 0), min(end - at, len(segment.text))
        if low < high:
            drawn.append(Segment(segment.text[low:high], segment.style))
        at += len(segment.text)
    return drawn


def window(segments: Sequence[Segment], skip: int, cells: int) -> Line:
    """Cut `cells` cells out of a line, after `skip`; what is missing is marked at either side."""
    whole = Strip(segments)
    shown = tuple(whole.crop(skip, skip + cells))
    return clip((*shown, Segment("  ")), cells) if whole.cell_length > skip + cells else shown
