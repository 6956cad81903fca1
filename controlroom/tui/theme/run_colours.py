"""The colours that a run's own output asks for, as they can be read on this theme.

Programs choose colours for a dark terminal or a light one, and cannot know which this is: the first sixteen colours are
the theme's own, and whatever would be hard to read is made lighter or darker until it can be read.
"""

from functools import lru_cache

from rich.color import Color, ColorSystem
from rich.style import Style

from controlroom.tui.theme.colours import READABLE, contrast, of_sixteen, parts
from controlroom.tui.theme.theme import Depth, Palette

SpanStyle = tuple[str, str, bool, bool, bool, bool]
"""Colour, ground ("" or a number or `#rrggbb`), bold, italic, underlined, reverse, as in `domain.display.loglines`."""

_STEPS = 12
"""Steps from a colour to white or black."""


def run_style(palette: Palette, wanted: SpanStyle, ground: Style) -> Style:
    """Give the style of a piece of output that lies on `ground`."""
    page = ground.bgcolor.name if ground.bgcolor else ""
    text = palette.text.color.name if palette.text.color else ""
    return _style(palette.terminal, page, text, palette.depth, wanted)


@lru_cache(maxsize=4096)
def _style(terminal: tuple[str, ...], page: str, text: str, depth: Depth, wanted: SpanStyle) -> Style:
    asked, under, bold, italic, underline, reverse = wanted
    plain = Style(bold=bold or None, italic=italic or None, underline=underline or None, reverse=reverse or None)
    if depth is Depth.NONE or not page:
        return plain
    ground = _ground(_colour(terminal, under), depth) if under else page
    colour = _colour(terminal, asked) or (text if under else "")
    shown = _legible(colour, ground, depth) if colour else None
    return plain + Style(color=shown, bgcolor=ground if under else None)


def _colour(terminal: tuple[str, ...], wanted: str) -> str:
    """Give a colour as `#rrggbb`, of its number too; "" for none."""
    if not wanted.isdigit():
        return wanted
    return terminal[int(wanted)] if int(wanted) < 16 else Color.from_ansi(int(wanted)).get_truecolor().hex


def _ground(colour: str, depth: Depth) -> str:
    """Give a ground that stays what it is when it is rounded, so that what can be read on it can be read then too."""
    return of_sixteen(colour, ()) if depth is Depth.SIXTEEN else _rounded(colour)


def _legible(colour: str, ground: str, depth: Depth) -> str:
    """Give the colour, or the nearest one on its way to white or black that can be read on `ground`."""
    if depth is Depth.SIXTEEN:
        return of_sixteen(colour, [ground])
    end = "#ffffff" if contrast("#ffffff", ground) > contrast("#000000", ground) else "#000000"
    between = (_mixed(colour, end, step / _STEPS) for step in range(_STEPS + 1))
    return next((one for one in between if _can_be_read(one, ground)), end)


def _can_be_read(colour: str, ground: str) -> bool:
    rounded = contrast(_rounded(colour), _rounded(ground))
    return min(contrast(colour, ground), rounded) >= READABLE


@lru_cache(maxsize=4096)
def _rounded(colour: str) -> str:
    """Give what a terminal of 256 colours makes of it."""
    return Color.parse(colour).downgrade(ColorSystem.EIGHT_BIT).get_truecolor().hex


def _mixed(one: str, other: str, share: float) -> str:
    mixed = (a + (b - a) * share for a, b in zip(parts(one), parts(other), strict=True))
    return "#{:02x}{:02x}{:02x}".format(*(round(255 * part) for part in mixed))
