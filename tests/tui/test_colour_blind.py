"""The theme for colour-blind eyes: alarms, the accent and text stay apart, however few cones there are."""

from __future__ import annotations

import math
from itertools import combinations

import pytest

from controlroom.tui.theme import theme_file
from controlroom.tui.theme.colours import parts

Matrix = tuple[tuple[float, float, float], ...]

# What a dichromat sees of linear RGB: Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation
# of Color Vision Deficiency" (2009), severity 1.0.
EYES: dict[str, Matrix] = {
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
APART = 15.0
"""CIE 1976 colour difference at least; 2.3 is just noticeable side by side."""

XYZ: Matrix = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
WHITE = (0.95047, 1.0, 1.08883)


def times(matrix: Matrix, vector: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)


def lab(linear: tuple[float, ...]) -> tuple[float, ...]:
    ratios = [value / white for value, white in zip(times(XYZ, linear), WHITE, strict=True)]
    x, y, z = (ratio ** (1 / 3) if ratio > 0.008856 else 7.787 * ratio + 16 / 116 for ratio in ratios)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def seen(colour: str, eyes: Matrix) -> tuple[float, ...]:
    linear = tuple(v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts(colour))
    return lab(tuple(min(1.0, max(0.0, value)) for value in times(eyes, linear)))


def apart(one: str, other: str, eyes: Matrix) -> float:
    return math.dist(seen(one, eyes), seen(other, eyes))


def closest(name: str, eyes: Matrix) -> tuple[float, str]:
    file = theme_file.find(name)
    told = {**file.alarms, "accent": file.colours["accent"], "text": file.colours["text"]}
    pairs = combinations(told.items(), 2)
    return min((apart(one, other, eyes), f"{first} and {second}") for (first, one), (second, other) in pairs)


@pytest.mark.parametrize("eyes", EYES)
def test_what_must_be_told_apart_is(eyes: str) -> None:
    difference, pair = closest("clear", EYES[eyes])
    assert difference >= APART, f"{pair} for {eyes} eyes: {difference:.0f}"


def test_that_is_not_so_everywhere() -> None:
    assert min(closest("dusk", eyes)[0] for eyes in EYES.values()) < APART
