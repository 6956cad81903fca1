"""An agent moves over real links while nodes are killed and a link is cut: nothing is lost, and it never runs twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from controlroom.domain import intents
from controlroom.domain.model import State
from controlroom.wire.carrying import PIECE
from tests.conftest import MakeLab
from tests.faults.room import Room, room_of
from tests.faults.truth import NODE
from tests.lab.namespaces import NamespaceHost
from tests.lab.processes import Process

SLOW = 10_000  # kbit/s: what is carried takes many times as long as a fault, until the cable is healed
BYTES = 8_000_000
REPOSITORY = (
    f"mkdir p && cd p && git init -q && head -c {BYTES} /dev/urandom > big && git add . &&"
    " git -c user.name=a -c user.email=a@example.org commit -qm first && echo more > new && sha256sum big > ../sum"
)
COMMAND = ("sh", "-c", "echo run >> ~/ran; exec sleep 100000")


def done(host: NamespaceHost, script: str) -> str:
    """What a shell script prints there."""
    ran = host.execute("sh", "-c", f"cd && {script}", timeout=60)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def at_work(*hosts: NamespaceHost) -> list[str]:
    """The hosts on which it runs, as their processes say."""
    return [host.name for host in hosts for process in host.processes() if process.command == "sleep 100000"]


def arrived(host: NamespaceHost) -> int:
    """The bytes that have come of what is carried there."""
    return sum(file.stat().st_size for file in host.home.rglob("moves/job.*/commits"))


def nodes(host: NamespaceHost) -> list[Process]:
    return [process for process in host.processes() if NODE.search(process.command)]


async def goes_on(
    room: Room, hosts: Sequence[NamespaceHost], struck: NamespaceHost, strike: Callable[[], None]
) -> None:
    """Strike a host in the middle of the transfer, and wait until that has gone on by more than was under way."""
    begun, before = arrived(hosts[1]), {node.pid for node in nodes(struck)}
    assert 0 < begun < BYTES
    strike()

    def further() -> bool:
        assert at_work(*hosts) == [], "it has ended there, and not begun here"
        return arrived(hosts[1]) > begun + 4 * PIECE

    await room.until(lambda: {node.pid for node in nodes(struck)} - before, 60, "another node")

    await room.until(further, 60, "the transfer to go on")


async def test_a_move_outlives_the_nodes_of_both_hosts_and_a_cut_of_its_link(vms: MakeLab) -> None:
    hosts = vm1, vm2 = vms(2).hosts
    done(vm1, REPOSITORY)

    def kill_nodes(host: NamespaceHost) -> None:
        for node in nodes(host):
            node.signal(9)

    def cut_and_heal() -> None:
        vm2.sever()
        vm2.link(clear=True, rate=SLOW)

    async with room_of(hosts) as room:
        asked = intents.SpawnAgent("job", "", "vm1", command=COMMAND, cwd="p")
        assert (await room.client.submit(asked)).ok
        await room.until(lambda: room.agent("vm1/job").state is State.WORKING and at_work(vm1))
        vm2.link(rate=SLOW)
        move = intents.ReassignAgent("vm1/job", 1, "", host="vm2", keep_session=True)
        moving = asyncio.ensure_future(room.client.submit(move, wait=True, deadline=180))
        await room.until(lambda: arrived(vm2) > PIECE, 60, "the transfer to begin")
        await goes_on(room, hosts, vm1, lambda: kill_nodes(vm1))
        await goes_on(room, hosts, vm2, lambda: kill_nodes(vm2))
        await goes_on(room, hosts, vm2, cut_and_heal)
        assert arrived(vm2) < BYTES, "all of that was in the middle"
        vm2.heal()
        told = await moving
        assert told.ok, told
        await room.until(lambda: room.agent("vm2/job").state is State.WORKING)
        assert at_work(*hosts) == ["vm2"]
        where = room.agent("vm2/job").cwd
        assert done(vm2, f"cat ran; cd {where} && git status --porcelain") == "run\n?? new\n"
        assert done(vm2, f"cd {where} && sha256sum big") == done(vm1, "cat sum")
        assert done(vm1, "cat ran") == "run\n"
        await room.in_order()
