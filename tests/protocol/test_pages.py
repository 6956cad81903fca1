"""What waits for a reader is bounded, in order, and every byte of it is accounted for."""

from __future__ import annotations

import base64
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.domain.model import LogPlace
from controlroom.protocol.lines import PageQueue
from controlroom.protocol.messages import Page
from controlroom.wire.codec import base64_size


def page(agent: str, number: int, size: int) -> Page:
    data = base64.b64encode(os.urandom(size)).decode()
    return Page(agent, LogPlace(1, 1, number), LogPlace(1, 1, number + 1), data)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 50), st.booleans()), max_size=60))
def test_a_queue_is_bounded_in_order_and_accounts_for_every_byte(script: list[tuple[str, int, bool]]) -> None:
    queue, given_out = PageQueue(limit=100), []
    put: dict[str, int] = dict.fromkeys("abc", 0)
    for number, (agent, size, take) in enumerate(script):
        queue.put(page(agent, number, size))
        put[agent] += size
        assert queue.size <= 100
        if take and queue:
            given_out.append(queue.pop())
    for agent in "abc":
        queue.put(page(agent, 1000, 0))
    while queue:
        given_out.append(queue.pop())
    for agent in "abc":
        pages = [one for one in given_out if one.agent == agent]
        assert sum(one.size + one.skipped for one in pages) == put[agent]
        assert [one.start.offset for one in pages] == sorted(one.start.offset for one in pages)


def test_agents_take_turns() -> None:
    queue = PageQueue()
    for number in range(3):
        queue.put(page("flood", number, 10))
    queue.put(page("quiet", 9, 1))
    assert [queue.pop().agent for _ in range(4)] == ["flood", "quiet", "flood", "flood"]
    with pytest.raises(IndexError):
        queue.pop()


@given(st.binary(max_size=300))
def test_sizes_are_known_without_decoding(data: bytes) -> None:
    assert base64_size(base64.b64encode(data).decode()) == len(data)
