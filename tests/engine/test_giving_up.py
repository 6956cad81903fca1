"""Whoever gives up on a dial, at whichever of its steps, leaves no connection open."""

from __future__ import annotations

import asyncio
import itertools
import types
from collections.abc import Coroutine, Generator
from typing import Any, cast

import pytest

from controlroom.domain.address import parse_address
from controlroom.engine.hosts.channel import Channel
from controlroom.engine.hosts.ssh import SshDialler
from tests.engine.far_end import tiny
from tests.lab.loopback import LoopbackHost
from tests.lab.waiting import wait_for_async
from tests.lab.world import World

ECHO = b"import os\nos.write(1, b'here\\n')\nwhile data := os.read(0, 65536):\n    os.write(1, data)\n"


def dial(home: World) -> Coroutine[Any, Any, Channel]:
    return SshDialler("vm1", parse_address("vm1"), home.room / "known_hosts", offers=tiny(ECHO)).dial()


async def test_giving_up_while_dialling_leaves_nothing_open(home: World, ssh_host: LoopbackHost) -> None:
    (ssh_host.home / ".bashrc").write_text("touch ~/waiting; exec sleep 600\n")
    dialling = asyncio.create_task(dial(home))
    await wait_for_async((ssh_host.home / "waiting").exists)
    dialling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dialling
    await wait_for_async(lambda: not ssh_host.connections())


@types.coroutine
def given_up_at(
    step: int, answered: bool, work: Coroutine[Any, Any, Channel]
) -> Generator[asyncio.Future[object], None, Channel]:
    """Run `work`, cancelled at one of its waits: while nothing has come, or `answered`, when that has just come."""
    error: BaseException | None = None
    for wait in itertools.count():
        try:
            waited_for = work.throw(error) if error else work.send(None)
        except StopIteration as end:
            return cast(Channel, end.value)
        if wait == step and not answered and waited_for is not None:
            waited_for.cancel()
        error = None
        try:
            yield waited_for
        except (Exception, asyncio.CancelledError) as raised:
            error = raised
        if wait == step and (answered or waited_for is None):
            error = asyncio.CancelledError()
    raise AssertionError


@pytest.mark.parametrize("answered", [False, True], ids=["while it waits", "as it is answered"])
async def test_giving_up_at_any_step_leaves_nothing_open(home: World, ssh_host: LoopbackHost, answered: bool) -> None:
    for step in itertools.count():
        try:
            channel = await given_up_at(step, answered, dial(home))
        except asyncio.CancelledError:
            await wait_for_async(lambda: not ssh_host.connections(), what=f"given up at step {step}")
        else:
            await channel.close()
            break
    assert step >= 8, "it waits for names, the connection, keys, a login, a session, Python and the node"
