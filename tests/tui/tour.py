"""A way through every screen, and the colours on each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.color import Color, ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual.filter import ANSIToTruecolor

from controlroom.tui.theme.colours import SIXTEEN
from tests.tui.room import Room

LINES = set("─│╴╶┌┐└┘├┤┬┴┼▏▕▌·")

BARS = {chr(code) for code in range(0x2580, 0x25A0)} | set("━╸╍")


def by_rich(colour: str) -> str:
    """What we send to a terminal of 256 colours: Rich rounds."""
    return Color.parse(colour).downgrade(ColorSystem.EIGHT_BIT).get_truecolor().hex


def by_sixteen(colour: str) -> str:
    """What we send to a terminal of 16 colours, as Rich reckons it looks."""
    number = Color.parse(colour).downgrade(ColorSystem.STANDARD).number
    assert number is not None
    return SIXTEEN[number]


@dataclass(frozen=True)
class Cell:
    """Characters of one look, and where they stand."""

    text: str
    style: Style
    place: str


def cells(here: Room, place: str) -> Iterator[Cell]:
    """Everything on the screen that is not blank."""
    filters = [each for each in here.app.get_line_filters() if not isinstance(each, ANSIToTruecolor)]
    for y, strip in enumerate(here.strips()):
        for each in filters:
            strip = strip.apply_filter(each, here.app.background_colors[1])
        for segment in strip:
            yield from parts(segment, f"{place}, line {y + 1}")


def parts(segment: Segment, place: str) -> Iterator[Cell]:
    """Letters, bars and lines of a segment, apart."""
    kinds = ("".join(sign for sign in segment.text if kind(sign) == wanted) for wanted in ("text", "bar", "line"))
    for text in kinds:
        if text:
            yield Cell(text, segment.style or Style.null(), place)


def kind(sign: str) -> str:
    return "" if sign.isspace() else "line" if sign in LINES else "bar" if sign in BARS else "text"


TOUR = (
    ("overview", ()),
    ("marked", ("asterisk", "j")),
    ("many", ("x",)),
    ("filter", ("q", "asterisk", "slash", "d", "o")),
    ("found nothing", ("z", "z")),
    ("form", ("backspace", "backspace", "backspace", "backspace", "backspace", "s")),
    ("help", ("escape", "question_mark")),
    ("palette", ("q", "colon")),
    ("theme", ("t", "h", "e", "m", "e", "enter")),
    ("kill", ("q", "x")),
    ("question", ("q", "enter")),
    ("log searched", ("slash", "t", "e", "s", "t", "enter")),
    ("explain", ("q", "e")),
    ("review", ("q", "plus", "enter")),
    ("hosts", ("q", "q", "q", "h")),
    ("worktrees", ("w",)),
    ("host asks", ("q", "n")),
    ("said", ("t",)),
    ("costs", ("q", "c")),
    ("costs by host", ("h", "j")),
    ("limits", ("l",)),
    ("timeline", ("q", "q", "l")),
    ("timeline sifted", ("k", "slash", "d", "o", "c", "s")),
    ("attached", ("enter", "q", "q", "colon", *"attached", "enter")),
)
