"""What a cable does to frames; time is an argument."""

from __future__ import annotations

from itertools import pairwise

from tests.lab.cable import DIRECTIONS, Cable


def cable(**conditions: object) -> Cable:
    """A cable with these conditions in both directions."""
    made = Cable("vm1", 0, 1, seed=1)
    made.set(DIRECTIONS, clear=True, changes=conditions)
    return made


def arrivals(made: Cable, count: int = 1000, size: int = 1000) -> list[float]:
    """When `count` frames arrive that are sent a millisecond apart."""
    return [at for number in range(count) for at in made.arrivals("up", size, number / 1000)]


def test_a_perfect_cable_takes_no_time() -> None:
    assert arrivals(cable(), 3) == [0.0, 0.001, 0.002]


def test_delay_and_jitter_keep_the_order_unless_told_otherwise() -> None:
    calm = arrivals(cable(delay=50, jitter=20))
    assert calm == sorted(calm)
    assert all(0.03 <= at - number / 1000 <= 0.08 for number, at in enumerate(calm))
    wild = arrivals(cable(delay=50, jitter=20, reorder=30))
    assert wild != sorted(wild)


def test_loss_and_doubles_come_in_their_measure() -> None:
    lossy = cable(loss=20)
    assert 700 < len(arrivals(lossy)) < 900
    assert lossy.counts["lost"] == 1000 - len(arrivals(cable(loss=20)))
    assert 1100 < len(arrivals(cable(dup=20))) < 1300


def test_a_rate_spreads_frames_and_its_queue_overflows() -> None:
    slow = cable(rate=800, queue=50)  # 10 ms for each frame of 1000 bytes
    times = arrivals(slow, 100)
    assert all(later - earlier > 0.0099 for earlier, later in pairwise(times))
    assert slow.counts["overflow"] == 100 - len(times) > 0


def test_a_cut_is_silence_in_its_direction() -> None:
    half = cable(cut="down")
    assert len(arrivals(half, 5)) == 5
    assert list(half.arrivals("down", 1, 0.0)) == []
    half.set(DIRECTIONS, clear=False, changes={"cut": "both"})
    assert arrivals(half, 5) == []
    half.set(("up",), clear=True, changes={})
    assert len(arrivals(half, 5)) == 5
