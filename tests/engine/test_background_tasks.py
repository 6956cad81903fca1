"""What is done meanwhile: counted while it is, ended with the room, and logged when it fails."""

from __future__ import annotations

import asyncio
import logging

import pytest

from controlroom.engine.background_tasks import BackgroundTasks


async def test_each_is_under_way_until_it_has_ended_and_a_failure_is_only_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gate, done = asyncio.Event(), []

    async def wait(number: int) -> None:
        await gate.wait()
        done.append(number)

    async def fail() -> None:
        await gate.wait()
        raise ValueError("broken")

    async def follow() -> None:
        await gate.wait()
        background.begin(wait(3))

    background = BackgroundTasks("carrying")
    await background.wait_idle()
    tasks = [background.begin(work) for work in (wait(1), fail(), wait(2), follow())]
    await asyncio.sleep(0)
    assert (len(background), done) == (4, [])
    gate.set()
    with caplog.at_level(logging.ERROR):
        await background.wait_idle()
    assert (len(background), done) == (0, [1, 2, 3]), "one that another began is waited for"
    assert [task.get_name() for task in tasks] == ["carrying"] * 4
    assert [record.getMessage() for record in caplog.records] == ["carrying failed"]
    assert "ValueError: broken" in caplog.text


async def test_the_end_ends_all(caplog: pytest.LogCaptureFixture) -> None:
    background = BackgroundTasks("waiting")
    tasks = [background.begin(asyncio.sleep(600)) for _ in range(3)]
    await asyncio.sleep(0)
    background.close()
    await background.wait_idle()
    assert all(task.cancelled() for task in tasks)
    assert not caplog.records
