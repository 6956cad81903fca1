"""Whatever goes wrong, no task is lost, none is at work twice, and no bound is passed."""

from __future__ import annotations

import pytest

from tests.domain.queue_storms import Storm


def play(seed: int, steps: int = 60, **size: int) -> Storm:
    storm = Storm(seed, **size)
    count = len(storm.fleet.tasks)
    try:
        storm.play(steps)
        storm.calm()
    except AssertionError as wrong:
        raise AssertionError(f"seed {seed}: {wrong}\n" + "\n".join(storm.story[-20:])) from wrong
    assert len(storm.fleet.tasks) == count
    return storm


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_no_task_is_lost_and_none_runs_twice(first: int) -> None:
    for seed in range(first, first + 20):
        play(seed)


@pytest.mark.long
def test_the_same_over_many_more_stories() -> None:
    for seed in range(1_000, 3_000):
        play(seed, steps=150)


@pytest.mark.long
def test_the_same_with_a_thousand_agents_on_a_hundred_hosts() -> None:
    for seed in range(3):
        play(seed, steps=20, hosts=100, most=1_000, tasks=10_000)
