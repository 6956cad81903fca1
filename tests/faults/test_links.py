"""Links that die in every way: noticed, shown as lost with their age, back by themselves, logs whole."""

from __future__ import annotations

import asyncio
import random
import re
import sys
from collections.abc import Callable

import pytest

from controlroom.domain import intents
from controlroom.domain.model import LinkState, State
from controlroom.engine.hosts.link import PING, REFUSED_FIRST, SILENCE
from tests.conftest import MakeHosts, MakeLab
from tests.engine.tails import Tail
from tests.faults.room import FIRST, Room, assert_whole, counting, numbers, room_of
from tests.lab.loopback import LoopbackHost

pytestmark = pytest.mark.usefixtures("home")


async def counter_on(room: Room, name: str) -> Tail:
    """An agent that counts on a host, and a reader from its first line."""
    outcome = await room.spawn(name, "count", counting())
    assert outcome.ok, outcome.reason
    tail = await Tail.of(FIRST, f"{name}/count")
    await room.until(lambda: len(numbers(tail)) > 2, 20, f"{name} to count")
    return tail


async def goes_on(room: Room, name: str, tail: Tail) -> None:
    """A host is back: what its agent wrote meanwhile arrives, and what it writes now."""
    seen = len(numbers(tail))
    await room.up(name)
    await room.until(lambda: len(numbers(tail)) > seen + 20, 30, f"the log of {name} to go on")
    assert_whole(tail)
    assert room.agent(f"{name}/count").state is State.WORKING


def test_a_dead_link_is_noticed_in_time() -> None:
    """Held to the clock by tests/engine/test_link.py, which has its own; here only that the figures add up."""
    assert SILENCE + PING / 2 <= 15
    assert 2 * PING < SILENCE, "one lost heartbeat alone loses no link"


async def test_links_cut_in_each_way_are_lost_with_their_age_and_come_back_whole(vms: MakeLab, seed: int) -> None:
    """Cut one by one, healed in another order: both ways, only from the host, only to it."""
    lab = vms(3)
    dice = random.Random(seed)
    async with room_of(lab.hosts) as room:
        tails = {host.name: await counter_on(room, host.name) for host in lab.hosts}
        seen = {name: room.host(name).seen for name in tails}
        for name, which in zip(dice.sample(sorted(tails), 3), ("both", "up", "down"), strict=True):
            lab[name].cut(which)  # type: ignore[arg-type]
        for name in tails:
            host = await room.link(name, LinkState.LOST, LinkState.CONNECTING, seconds=40)
            assert seen[name] <= host.seen <= host.since
            agent = room.agent(f"{name}/count")
            assert room.client.fleet.state_of(agent) is State.LOST
            assert agent.state is State.WORKING, "what was last known is kept, not guessed"
        refused = await room.kill("vm1/count")
        assert refused.outcome == "refused"
        assert "vm1" in refused.reason
        for name in dice.sample(sorted(tails), 3):
            lab[name].heal()
        for name, tail in tails.items():
            await goes_on(room, name, tail)
        await room.in_order()


async def test_a_reset_link_is_back_at_once_and_its_log_whole(vms: MakeLab) -> None:
    lab = vms(1)
    async with room_of(lab.hosts) as room:
        tail = await counter_on(room, "vm1")
        truth = room.truth("vm1")
        assert (truth.sessions, truth.runners, len(truth.nodes)) == (["count"], {("count", 1): 1}, 1), "it is looked at"
        assert truth.tagged["count", 1]
        for _ in range(3):
            since = room.host("vm1").since
            lab["vm1"].kill_connections()
            await room.until(lambda since=since: room.host("vm1").since > since, 10, "the reset to be noticed")  # type: ignore[misc]
            await goes_on(room, "vm1", tail)
        await room.in_order()


async def test_a_slow_link_with_losses_works(vms: MakeLab) -> None:
    """100 ms each way and 5 % lost: agents come and go, logs are whole, nothing is taken for lost."""
    lab = vms(1)
    lab["vm1"].link(delay=100, jitter=20, loss=5)
    async with room_of(lab.hosts) as room:
        tail = await counter_on(room, "vm1")
        since = room.host("vm1").since
        await room.until(lambda: len(numbers(tail)) > 40, 60, "forty lines")
        outcome = await room.kill("vm1/count")
        assert outcome.ok, outcome.reason
        assert_whole(tail)
        assert room.host("vm1").since == since, "the link was never lost"
        await room.in_order()


async def test_several_hosts_reset_and_frozen_in_any_order_come_back(ssh_hosts: MakeHosts, seed: int) -> None:
    """The plain twin, on loopback: connections are broken, or stand still behind a stopped machine."""
    hosts = {host.name: host for host in ssh_hosts(2)}
    dice = random.Random(seed)
    async with room_of(list(hosts.values())) as room:
        tails = {name: await counter_on(room, name) for name in hosts}
        frozen, reset = dice.sample(sorted(hosts), 2)
        hosts[frozen].freeze()
        hosts[reset].kill_connections()
        await goes_on(room, reset, tails[reset])
        await room.link(frozen, LinkState.LOST, LinkState.CONNECTING, seconds=40)
        hosts[frozen].thaw()
        await goes_on(room, frozen, tails[frozen])
        await room.in_order()


# -- refused, until something is mended


async def advised(reason: str) -> None:
    """Do what a sentence says is to be done when all is mended."""
    (words,) = re.findall(r"controlroom (host retry \S+)$", reason)
    command = [sys.executable, "-m", "controlroom", *words.split()]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said
    assert b"is up" in said


def put_a_file_in_the_way(host: LoopbackHost) -> None:
    (host.home / ".cache").write_text("")


def end_every_login(host: LoopbackHost) -> None:
    (host.home / ".bashrc").write_text("exit 3\n")


def lose_our_key(host: LoopbackHost) -> None:
    keys = host.directory / "authorized_keys"
    keys.rename(keys.with_name("keys-kept"))
    keys.write_text("")


def mend(host: LoopbackHost) -> None:
    for path in (host.home / ".cache", host.home / ".bashrc"):
        path.unlink(missing_ok=True)
    kept = host.directory / "keys-kept"
    if kept.exists():
        kept.replace(host.directory / "authorized_keys")


@pytest.mark.parametrize("trouble", [put_a_file_in_the_way, end_every_login, lose_our_key])
async def test_a_host_that_refused_us_is_back_with_what_its_sentence_advises(
    ssh_hosts: MakeHosts, trouble: Callable[[LoopbackHost], None]
) -> None:
    (host,) = ssh_hosts(1, held=False)
    trouble(host)
    async with room_of([host], up=False) as room:
        refused = await room.link("vm1", LinkState.REFUSED)
        mend(host)
        await advised(refused.reason)
        await room.up()
        again = await room.client.submit(intents.RetryHost("vm1"))
        assert (again.outcome, again.reason) == ("refused", "vm1 is connected")


async def test_a_changed_key_that_is_put_back_lets_the_host_in_again(ssh_hosts: MakeHosts) -> None:
    """The other host goes on meanwhile, and an agent there is neither shown nor told as anything else."""
    host, other = hosts = ssh_hosts(2)
    keys = host.directory / "etc_ssh"
    kept = {path.name: path.read_bytes() for path in keys.glob("ssh_host_ed25519_key*")}
    async with room_of(hosts) as room:
        tail = await counter_on(room, other.name)
        host.change_key()
        refused = await room.link("vm1", LinkState.REFUSED)
        assert "shows another host key than before" in refused.reason
        await goes_on(room, other.name, tail)
        for name, data in kept.items():
            (keys / name).write_bytes(data)
        host.stop()
        host.start()
        await advised(refused.reason)
        await room.up()


async def test_a_host_that_refused_us_is_soon_back_by_itself_when_it_is_mended(ssh_hosts: MakeHosts) -> None:
    (host,) = ssh_hosts(1, held=False)
    put_a_file_in_the_way(host)
    async with room_of([host], up=False) as room:
        await room.link("vm1", LinkState.REFUSED)
        mend(host)
        await room.up(seconds=3 * REFUSED_FIRST)
