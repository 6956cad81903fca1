"""What can be read on what: contrast as WCAG has it, and colours for terminals that have sixteen.

A terminal's sixteen colours are its own; these are the values that Rich 15 reckons with when it rounds to them.
"""

from collections.abc import Iterable
from colorsys import rgb_to_hls
from enum import IntEnum

READABLE = 4.5
"""Contrast of text with its ground at least: WCAG 2.2, success criterion 1.4.3, level AA."""
SEEN = 3.0
"""Contrast of what is no text but must be seen, like the filled part of a bar: WCAG 2.2, 1.4.11."""

SIXTEEN = (
    "#000000", "#aa0000", "#00aa00", "#aa5500", "#0000aa", "#aa00aa", "#00aaaa", "#aaaaaa",
    "#555555", "#ff5555", "#55ff55", "#ffff55", "#5555ff", "#ff55ff", "#55ffff", "#ffffff",
)  # fmt: skip
"""What a terminal of sixteen colours has, by number."""

_GREY = 0.18
"""Saturation below which a colour is taken for a grey."""


class Depth(IntEnum):
    """How many colours are drawn with."""

    NONE = 0
    SIXTEEN = 16
    MANY = 256
    """256, or all there are: themes are such that both are read as well."""


def parts(colour: str) -> tuple[float, float, float]:
    """Red, green and blue of `#rrggbb`, each from 0 to 1."""
    return int(colour[1:3], 16) / 255, int(colour[3:5], 16) / 255, int(colour[5:7], 16) / 255


def luminance(colour: str) -> float:
    """The relative luminance of a colour, from 0 (black) to 1 (white): WCAG 2.2."""
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, from 1 (the same) to 21 (black and white): WCAG 2.2."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def of_sixteen(colour: str, grounds: Iterable[str], taken: Iterable[str] = ()) -> str:
    """Choose the colour of the sixteen that is most like `colour`, can be read on all of `grounds`, and is not `taken`.

    A colour stays one, and a grey a grey: what a theme tells apart by hue stays apart.
    """
    known, gone = list(grounds), set(taken)
    legible = [one for one in SIXTEEN if all(contrast(one, ground) >= READABLE for ground in known)]
    alike = [one for one in legible if _is_grey(one) == _is_grey(colour) and one not in gone]
    return min(alike or legible, key=lambda one: _distance(colour, one))


def _is_grey(colour: str) -> bool:
    red, green, blue = parts(colour)
    return max(red, green, blue) - min(red, green, blue) < _GREY


def _distance(one: str, other: str) -> float:
    """How unlike two colours are: for greys how light they are counts, else above all the hue."""
    hue, light, _ = rgb_to_hls(*parts(one))
    other_hue, other_light, _ = rgb_to_hls(*parts(other))
    apart = abs(hue - other_hue)
    turn = 0.0 if _is_grey(one) else min(apart, 1 - apart)
    return 4 * turn + abs(light - other_light)
