"""Figures of two commits are compared as `python -m tests.benchmarks` says."""

import json

import pytest

from tests.benchmarks.__main__ import HERE, names
from tests.benchmarks.comparison import Figure, Key, Verdict, compared, figures_of

CPU = Key("many", 0, "screen, CPU")


def verdict(there: list[float], here: list[float], unit: str = "%") -> Verdict:
    """How figures of some rounds are judged."""
    theirs, ours = ([{CPU: Figure(value, unit)} for value in values] for values in (there, here))
    (row,) = compared(theirs, ours)
    return row.verdict


def test_figures_are_read_with_their_units_whatever_stands_around_them() -> None:
    rows = [("screen, CPU", "5.2 %", "8 %"), ("  engine", "1,234 µs", ""), ("state", "up", ""), ("found", "2 of 3", "")]
    lines = [json.dumps({"title": "first", "rows": rows[:2]}), json.dumps({"title": "second", "rows": rows[2:]})]
    assert figures_of("many", lines) == {
        CPU: Figure(5.2, "%"),
        Key("many", 0, "engine"): Figure(1234.0, "µs"),
        Key("many", 1, "found"): Figure(2.0, "of"),
    }


@pytest.mark.parametrize(
    ("there", "here", "unit", "expected"),
    [
        ([5.0, 5.2, 5.1], [5.6, 5.7, 5.5], "%", Verdict.WORSE),
        ([5.0, 5.2, 5.1], [4.1, 4.2, 4.0], "%", Verdict.BETTER),
        ([5.0, 5.2, 5.1], [5.2, 5.3, 5.2], "%", Verdict.SAME),
        ([5.0, 5.2, 5.1], [5.0, 9.0, 9.5], "%", Verdict.SAME),
        ([300.0], [200.0], "MB/s", Verdict.WORSE),
        ([20.0], [22.0], "of", Verdict.BETTER),
        ([0.0], [0.0], "ms", Verdict.SAME),
        ([0.0], [1.0], "ms", Verdict.WORSE),
    ],
)
def test_a_figure_is_worse_when_every_round_says_so_by_more_than_a_little(
    there: list[float], here: list[float], unit: str, expected: Verdict
) -> None:
    assert verdict(there, here, unit) is expected


def test_what_only_one_tree_measured_or_in_another_unit_is_not_compared() -> None:
    other = Key("many", 0, "screen, RSS")
    assert compared([{CPU: Figure(5.0, "%")}], [{CPU: Figure(5.0, "ms"), other: Figure(1.0, "MB")}]) == []


def test_every_benchmark_is_found_by_its_name_and_no_helper_is() -> None:
    found = names(HERE)
    assert {"help", "many", "screens", "thousand", "per_patch"} <= set(found)
    assert not {"feeder", "yard", "table", "figures", "comparison", "__main__"} & set(found)
