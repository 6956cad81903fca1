"""Attempts at one machine race: a later one may win, none is left behind, and a machine is not hammered."""

from __future__ import annotations

import asyncio
import socket

import pytest

from controlroom.client.remote import OPTIONS
from controlroom.engine.hosts import tcp
from controlroom.engine.hosts.tcp import CALM, LIFE, LONG, RENEW, TUNNEL_RENEW, Route, Ways
from controlroom.protocol.ssh_command import ALIVE
from tests.lab.waiting import wait_for_async


class Attempts:
    """Attempts of which those in `answered` succeed; the others wait for ever."""

    def __init__(self, *answered: int) -> None:
        self.begun, self.living, self.most = 0, 0, 0
        self.dropped: list[int] = []
        self._answered = answered

    async def __call__(self) -> int:
        self.begun += 1
        number = self.begun
        self.living += 1
        self.most = max(self.most, self.living)
        try:
            if number not in self._answered:
                await asyncio.Event().wait()
            return number
        finally:
            self.living -= 1


@pytest.fixture
def now() -> list[float]:
    """A clock that stands still, in seconds."""
    return [0.0]


def way(now: list[float]) -> Route:
    return Route(lambda: now[0])


async def test_a_later_attempt_wins_while_the_first_waits_for_the_kernel(now: list[float]) -> None:
    attempts = Attempts(3)
    assert await way(now).race(attempts, attempts.dropped.append, 0.01) == 3
    assert (attempts.living, attempts.dropped) == (0, [])


async def test_of_two_that_succeed_one_is_taken_back(now: list[float]) -> None:
    both = asyncio.Event()
    begun: list[int] = []
    dropped: list[int] = []

    async def attempt() -> int:
        begun.append(len(begun))
        number = begun[-1]
        if len(begun) > 1:
            both.set()
        await both.wait()
        return number

    won = await way(now).race(attempt, dropped.append, 0.01)
    assert sorted([won, *dropped]) == [0, 1]


async def test_few_are_under_way_at_once_and_the_first_lives_on(
    now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp, "LIFE", 0.05)
    attempts = Attempts(60)
    assert await way(now).race(attempts, attempts.dropped.append, 0.01) == 60
    assert attempts.most <= 8


def test_a_machine_is_knocked_at_often_and_a_healed_way_found_within_two_seconds() -> None:
    """With the second that a login takes; a dead connection of ssh's own is noticed within fifteen."""
    assert RENEW <= 0.5
    assert TUNNEL_RENEW <= 1.5
    assert 1 + LIFE / RENEW <= 7
    assert int(ALIVE["ServerAliveInterval"]) * (int(ALIVE["ServerAliveCountMax"]) + 1) <= 12
    assert ALIVE.items() <= OPTIONS.items()


async def test_a_machine_that_is_away_for_long_is_tried_calmly(now: list[float]) -> None:
    assert CALM >= 10 * RENEW
    one, silent = way(now), Attempts()
    racing = asyncio.create_task(one.race(silent, silent.dropped.append, 0.01))
    await wait_for_async(lambda: silent.begun > 3)
    racing.cancel()
    await asyncio.wait([racing])
    now[0] += LONG + 1
    still = Attempts()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(one.race(still, still.dropped.append, 0.01), 0.2)
    assert (still.begun, still.living) == (1, 0)
    answering = Attempts(1)
    assert await one.race(answering, answering.dropped.append, 0.01) == 1
    again = Attempts(2)
    assert await one.race(again, again.dropped.append, 0.01) == 2, "it was there, and is sought eagerly once more"


async def test_a_refusal_ends_the_race_at_once(now: list[float]) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        with pytest.raises(ConnectionRefusedError):
            await way(now).connect("127.0.0.1", port)


async def test_a_name_with_two_addresses_is_reached_at_the_one_that_answers(now: list[float]) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        connected = await way(now).connect("localhost", listening.getsockname()[1])
        assert connected.getpeername()[0] == "127.0.0.1"
        connected.close()


def test_who_hangs_at_one_sshd_takes_no_turn_at_another(now: list[float]) -> None:
    ways = Ways(lambda: now[0])
    assert ways.to("vm1", 22) is ways.to("vm1", 22)
    assert ways.to("vm1", 22).turns is not ways.to("vm2", 22).turns
