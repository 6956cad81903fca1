"""Figures of two commits side by side: read from what benchmarks wrote down, and judged by their medians."""

import json
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import NamedTuple

TOLERANCE = 0.05
"""The share by which a figure may differ before it counts as another one."""

_MORE_IS_BETTER = ("MB/s", "lines/s", "of")
"""Units of which more is better: of all others less is. `of`: so many of what there was."""

_FIGURE = re.compile(r"(-?[0-9][0-9,]*\.?[0-9]*) ?(\S*)")


class Key(NamedTuple):
    """What was measured."""

    benchmark: str
    table: int
    """The number of the table in what a benchmark prints."""
    what: str


class Figure(NamedTuple):
    """A number with its unit."""

    value: float
    unit: str

    @property
    def more_is_better(self) -> bool:
        """Whether a larger value is the better one."""
        return self.unit in _MORE_IS_BETTER

    def __str__(self) -> str:
        return f"{self.value:,.4g} {self.unit}".rstrip()


class Verdict(Enum):
    """How a figure of this tree stands to that of the other one."""

    WORSE = "worse"
    BETTER = "better"
    SAME = "the same"


class Compared(NamedTuple):
    """The medians of one figure in both trees. `ratio`: this tree's to the other's."""

    key: Key
    there: Figure
    here: Figure
    ratio: float
    verdict: Verdict


def figures_of(benchmark: str, written: Iterable[str]) -> dict[Key, Figure]:
    """The figures in the lines that `print_table` has written; a row without a number has none."""
    figures: dict[Key, Figure] = {}
    for number, line in enumerate(written):
        for what, measured, _ in json.loads(line)["rows"]:
            if match := _FIGURE.match(measured):
                figures[Key(benchmark, number, what.strip())] = Figure(float(match[1].replace(",", "")), match[2])
    return figures


def compared(
    there: Sequence[Mapping[Key, Figure]], here: Sequence[Mapping[Key, Figure]], tolerance: float = TOLERANCE
) -> list[Compared]:
    """Compare what both trees measured in the same unit, one mapping a round."""
    keys = dict.fromkeys(key for each in here for key in each)
    rows = []
    for key in keys:
        theirs, ours = ([each[key] for each in rounds if key in each] for rounds in (there, here))
        if theirs and len({figure.unit for figure in theirs + ours}) == 1:
            rows.append(_row(key, theirs, ours, tolerance))
    return rows


def _row(key: Key, theirs: Sequence[Figure], ours: Sequence[Figure], tolerance: float) -> Compared:
    there, here = (statistics.median(figure.value for figure in figures) for figures in (theirs, ours))
    ratio = here / there if there else 1.0 if here == there else float("inf")
    sign = -1 if ours[0].more_is_better else 1
    verdict = Verdict.SAME
    if sign * (ratio - 1) > tolerance and all(sign * figure.value > sign * there for figure in ours):
        verdict = Verdict.WORSE
    elif sign * (1 - ratio) > tolerance and all(sign * figure.value < sign * there for figure in ours):
        verdict = Verdict.BETTER
    unit = ours[0].unit
    return Compared(key, Figure(there, unit), Figure(here, unit), ratio, verdict)
