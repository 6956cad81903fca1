from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from controlroom import __version__
from controlroom.engine.hosts.channel import Channel, LinkLost
from controlroom.engine.hosts.deploy import Ended
from controlroom.engine.hosts.local import LocalDialler, open_pipes
from controlroom.wire.lines import LineSplitter
from controlroom.wire.messages import FromNode, Greet, Ping, Pong, Welcome, pack, read_from_node
from tests.engine.far_end import read_to_end, read_until, tiny
from tests.lab import bundle
from tests.lab.processes import everything, look
from tests.lab.waiting import wait_for_async
from tests.lab.world import World


async def first_words(channel: Channel) -> list[FromNode]:
    """What a real node says to a greeting and a heartbeat."""
    await channel.send(pack(Greet(__version__, "room", "test")) + pack(Ping(7)))
    splitter, said = LineSplitter(), list[FromNode]()
    while not any(isinstance(message, Pong) for message in said):
        said += [read_from_node(line) for line in splitter.feed(await channel.receive())]
    return said


def pythons() -> dict[str, str]:
    """The Pythons that a node must run on, as far as this machine has them."""
    installed = Path("~/.pyenv/versions").expanduser()
    found = {sys.executable, *filter(None, (shutil.which(f"python3.{minor}") for minor in range(10, 15)))}
    found |= {str(path) for minor in range(10, 15) for path in installed.glob(f"3.{minor}.*/bin/python3")}
    return {"/".join(Path(path).parts[-3:]): path for path in sorted(found) if "shims" not in path}


PYTHONS = pythons()


@pytest.mark.parametrize("python", PYTHONS.values(), ids=PYTHONS)
async def test_the_real_node_answers(python: str, home: World, no_leftovers: None) -> None:
    bundle.forget(home.home)
    channel = await LocalDialler(python=python).dial()
    said = await first_words(channel)
    await channel.close()
    assert isinstance(said[0], Welcome)
    assert said[0].version == __version__
    assert said[0].home == str(home.home)


async def test_the_node_runs_from_the_cache_and_in_a_session_of_its_own(home: World) -> None:
    channel = await LocalDialler().dial()
    await first_words(channel)
    ours = [process for process in everything() if "controlroom/node/serve.py" in process.command]
    nodes = [process for process in ours if str(home.home / ".cache") in process.command]
    node = next(node for node in nodes if node.parent not in {other.pid for other in nodes})  # a child of it may fork
    assert os.getsid(node.pid) == node.pid != os.getsid(0)
    await channel.close()
    assert look(node.pid) is None


async def test_a_node_that_does_not_end_is_ended_with_its_group(home: World) -> None:
    stubborn = b"import os, time\nchild = os.fork()\nos.write(1, b'%d\\n' % os.getpid())\nwhile True: time.sleep(60)\n"
    channel = await LocalDialler(offers=tiny(stubborn)).dial()
    said = await read_until(channel, b"\n")
    while said.count(b"\n") < 2:
        said += await read_until(channel, b"\n")
    pids = {int(pid) for pid in said.split()}
    await channel.close()
    assert len(pids) == 2
    await wait_for_async(lambda: not [pid for pid in pids if look(pid)])


async def test_bytes_pass_unchanged_both_ways(home: World) -> None:
    channel = await LocalDialler(offers=tiny()).dial()
    data = bytes(range(256)) * 2000 + b"end\n"
    await read_until(channel, b"here\n")
    _, echoed = await asyncio.gather(channel.send(data), read_until(channel, b"end\n"))
    assert echoed == data
    await channel.close()


async def test_a_node_that_fails_is_quoted_in_one_line(home: World) -> None:
    channel = await LocalDialler(offers=tiny(b"raise ValueError('no \\x1b[2J luck')")).dial()
    data, end = await read_to_end(channel)
    await channel.close()
    assert (data, type(end)) == (b"", Ended)
    assert str(end) == "local's node ended with exit status 1: ValueError: no ␛ luck"


async def test_a_node_that_is_killed_names_the_signal(home: World) -> None:
    channel = await LocalDialler(offers=tiny(b"import os\nos.kill(os.getpid(), 9)")).dial()
    _, end = await read_to_end(channel)
    assert str(end) == f"local's node ended with {signal.SIGKILL.name}"
    with pytest.raises(LinkLost):
        await channel.send(b"x" * 1_000_000)
    await channel.close()


async def test_a_python_that_is_not_there_is_said(home: World) -> None:
    with pytest.raises(LinkLost, match=r"^local: cannot start /nowhere/python3: No such file"):
        await LocalDialler(python="/nowhere/python3").dial()


async def test_closing_twice_and_late_is_harmless(home: World) -> None:
    channel = await open_pipes("local", ["true"], os.environ)
    _, end = await read_to_end(channel)
    assert isinstance(end, Ended)
    await channel.close()
    await channel.close()
