"""The terminal rings once for what comes, and its title counts what waits."""

from __future__ import annotations

from controlroom.domain.model import State
from controlroom.tui.terminal.bell import PAUSE, Bell
from tests.domain.worlds import agent, fleet, question

CALM = fleet(agent())
ONE = fleet(agent(state=State.WAITING, question=question()))
OTHER = fleet(agent(state=State.WAITING, question=question(id_="q2")))


def test_it_rings_for_what_comes_and_not_for_what_it_finds() -> None:
    bell = Bell()
    assert not bell.rings(ONE, 0.0)
    assert not bell.rings(ONE, 1.0)
    assert bell.rings(OTHER, 2.0)
    assert not bell.rings(CALM, 3.0)


def test_it_does_not_ring_all_the_time() -> None:
    bell = Bell()
    bell.rings(CALM, 0.0)
    assert bell.rings(ONE, 1.0)
    assert not bell.rings(OTHER, 2.0)
    assert not bell.rings(CALM, 3.0)
    assert bell.rings(ONE, 1.0 + PAUSE)


def test_the_title_is_set_when_it_is_another_one() -> None:
    bell = Bell()
    assert bell.title(CALM) == "\x1b]2;control room\x07"
    assert bell.title(CALM) == ""
    assert bell.title(ONE) == "\x1b]2;(1) control room\x07"


def test_what_is_written_to_the_terminal() -> None:
    bell = Bell()
    assert bell.hear(CALM, 0.0) == "\x1b]2;control room\x07"
    assert bell.hear(ONE, 0.1) == ""
    assert bell.hear(ONE, 1.0) == "\x07\x1b]2;(1) control room\x07"
    assert bell.hear(ONE, 2.0) == ""
