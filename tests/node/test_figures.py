"""The machine's figures: what is read of it, and what of that is news."""

from __future__ import annotations

import sys
from dataclasses import astuple, replace
from typing import Any, NoReturn

import pytest

from controlroom.node.observation import figures
from controlroom.node.observation.figures import Counters, Figures, differs
from controlroom.text.host_sample import HostSample
from tests.lab.waiting import wait_for

MB = 1024 * 1024
SEEN = HostSample(1, 10.0, 1000 * MB, 8000 * MB, 0, 0, 1.0, 500 * MB, 1000 * MB, 0.0, 900, 400, 1.0, 1.0)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"at": 9}, False),
        ({"cpu_percent": 11.9}, False),
        ({"cpu_percent": 12.1}, True),
        ({"cpu_percent": None}, True),
        ({"iowait_percent": 4.9}, False),
        ({"iowait_percent": 5.1}, True),
        ({"memory_used": 1015 * MB}, False),
        ({"memory_used": 1020 * MB}, True),
        ({"swap_used": 17 * MB}, True),
        ({"disk_free": 490 * MB}, False),
        ({"disk_free": 480 * MB}, True),
        ({"network_in": 0, "network_out": 8000}, False),
        ({"network_out": 9000}, True),
        ({"load_1m": 1.29, "load_5m": 0.8}, False),
        ({"load_15m": 1.4}, True),
    ],
)
def test_figures_of_the_machine_are_told_when_they_differ(changed: dict[str, Any], told: bool) -> None:
    assert differs(SEEN, replace(SEEN, **changed)) is told
    assert differs(None, SEEN)


def test_an_idle_machine_says_nothing_after_what_it_is_like() -> None:
    """What the noise of one looks like: heartbeats, a timer, load averages that wander."""
    noise = [
        replace(SEEN, at=n, cpu_percent=10 + n % 3 * 0.9, network_in=900 + 300 * (n % 5), load_1m=1 + n % 4 * 0.09)
        for n in range(600)
    ]
    told = noise[0]
    for seen in noise:
        assert not differs(told, seen)


def test_figures_need_no_psutil_on_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    machine = Figures("/")
    first = machine.read()
    assert first.cpu_percent is None
    assert first.network_in is None
    assert first.memory_used
    seen = wait_for(lambda: next((seen for seen in [machine.read()] if seen.cpu_percent is not None), None))
    assert seen is not None
    assert None not in astuple(seen)


def test_psutil_gives_the_same_figures_where_there_is_no_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    by_proc = Figures("/").read()
    monkeypatch.setattr(figures, "by_proc", _no_proc)
    without = Figures("/").read()
    assert (without.memory_total, without.swap_total) == (by_proc.memory_total, by_proc.swap_total)
    assert without.memory_used
    assert by_proc.memory_used
    assert abs(without.memory_used - by_proc.memory_used) < 0.2 * by_proc.memory_used


def _no_proc() -> NoReturn:
    raise FileNotFoundError("/proc/stat")


def test_the_network_is_measured_in_bytes_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    machine = Figures("/", lambda: float(next(clock)))
    steps = [(0, 0), (5000, 100), (10_000, 200), (100, 0), (1100, 500), None]
    counted = iter(steps)
    monkeypatch.setattr(figures, "by_proc", lambda: Counters(0, None, 0, (0, 0, 0, 0), next(counted)))
    rates = [(seen.network_in, seen.network_out) for seen in (machine.read() for _ in steps)]
    assert rates == [(None, None), (5000, 100), (5000, 100), (None, None), (1000, 500), (None, None)]
