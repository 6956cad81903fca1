"""Two rooms and one host: one owns it. Whoever lost it is refused and told, also when it slept meanwhile."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, redirect_stdout

import pytest

from controlroom.cli.status import host_table
from controlroom.domain import intents
from controlroom.domain.display.views import host_rows
from controlroom.domain.model import LinkState, State
from tests.conftest import MakeHosts, MakeLab
from tests.faults.room import Room, room_of
from tests.lab import host as lab
from tests.lab.world import World


def owns(room: Room) -> bool:
    """Whether a room is shown as the owner of vm1."""
    facts = room.host("vm1").facts
    return facts is not None and facts.owned


@asynccontextmanager
async def room_at(home: World, name: str, hosts: Sequence[lab.Host]) -> AsyncIterator[Room]:
    """The default room of another person on this machine: rooms without a CONTROLROOM_HOME meet on their hosts."""
    place = home.directory / name
    place.mkdir(mode=0o700)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CONTROLROOM_HOME")
        patch.setenv("HOME", str(place))
        hosts[0].lab.install(place)
        room = Room(hosts)
        room.place.prepare()
        room.write_config()
        await room.connect()
    try:
        await room.up()
        yield room
    finally:
        await room.close()


def assert_said_to_be_taken(room: Room) -> None:
    """In what `status` and `host list` print, and in the rows that the screen draws."""
    for wide in (False, True):
        said = io.StringIO()
        with redirect_stdout(said):
            host_table(room.client.fleet, room.client.fleet.hosts["vm1"].seen, wide=wide)
        assert "another room's: controlroom host take vm1" in said.getvalue()
    (row,) = host_rows(room.client.fleet, room.client.fleet.hosts["vm1"].seen)
    assert row.taken == "another room's"


async def test_a_host_of_another_room_is_said_to_be_its_own(home: World, ssh_hosts: MakeHosts) -> None:
    hosts = ssh_hosts(1)
    async with room_at(home, "ann", hosts) as ann, room_at(home, "bob", hosts) as bob:
        assert (await ann.spawn("vm1", "job")).ok
        await bob.until(lambda: not owns(bob), 10, "bob to be told that the host is ann's now")
        assert_said_to_be_taken(bob)
        assert (await ann.kill("vm1/job")).ok


async def test_a_room_that_lost_a_host_while_it_slept_is_refused_and_told(home: World, ssh_hosts: MakeHosts) -> None:
    hosts = ssh_hosts(1)
    async with room_at(home, "ann", hosts) as ann, room_at(home, "bob", hosts) as bob:
        assert (await ann.spawn("vm1", "job")).ok
        await bob.until(lambda: "vm1/job" in bob.client.fleet.agents, 10)
        await bob.until(lambda: bob.agent("vm1/job").state is State.WORKING, 30, "whoever may not act to look")
        await bob.until(lambda: not owns(bob), 10, "bob to be told that the host is ann's now")
        refused = await bob.kill("vm1/job")
        assert refused.outcome == "refused"
        assert "host take vm1" in refused.reason
        os.kill(ann.engine, signal.SIGSTOP)
        try:
            taken = await bob.client.submit(intents.TakeHost("vm1"))
            assert taken.ok, taken.reason
            unsaid = await bob.client.submit(intents.ReassignAgent("vm1/job", 1, ""))
            assert "this room did not order run 1 of vm1/job" in unsaid.reason
            again = await bob.client.submit(intents.ReassignAgent("vm1/job", 1, "", trust=True))
            assert again.ok, again.reason
        finally:
            os.kill(ann.engine, signal.SIGCONT)
        late = await ann.client.submit(intents.KillAgent("vm1/job", 1))
        assert late.outcome == "refused", "an order from before it slept reaches nobody"
        await ann.until(lambda: ann.agent("vm1/job").epoch == 2, 20)
        await ann.until(lambda: not owns(ann), 20, "the loss to be shown")
        for order in (intents.KillAgent("vm1/job", 2), intents.SpawnAgent("other", "", "vm1", command=("sleep", "9"))):
            stale = await ann.client.submit(order)
            assert stale.outcome == "refused"
            assert "host take vm1" in stale.reason
        await bob.until(lambda: bob.agent("vm1/job").state is State.WORKING)
        assert (await bob.kill("vm1/job")).ok
        truth = bob.truth("vm1")
        assert (truth.tagged, truth.sessions) == ({}, [])


@pytest.mark.usefixtures("home")
async def test_two_rooms_of_other_names_never_meet(ssh_hosts: MakeHosts, home: World) -> None:
    hosts = ssh_hosts(1)
    async with room_at(home, "ann", hosts) as ann, room_of(hosts) as other:
        assert (await ann.spawn("vm1", "job")).ok
        assert (await other.spawn("vm1", "job")).ok
        assert (await other.kill("vm1/job")).ok
        await ann.until(lambda: ann.agent("vm1/job").state is State.WORKING)
        await ann.kill("vm1/job")


@pytest.mark.usefixtures("home")
async def test_a_machine_under_two_names_is_one_host(ssh_hosts: MakeHosts) -> None:
    """Whoever is met second is refused with the name of the first: its agents would be there twice."""
    (host,) = ssh_hosts(1)
    async with room_of([host]) as room:
        assert (await room.spawn("vm1", "job")).ok
        added = await room.client.submit(intents.AddHost("alias", host.target, host.fingerprint))
        assert added.ok, added.reason
        alias = await room.link("alias", LinkState.REFUSED)
        assert "same machine and user as vm1" in alias.reason
        assert [agent.id for agent in room.client.fleet.agents.values()] == ["vm1/job"]
        assert (await room.kill("vm1/job")).ok


@pytest.mark.usefixtures("home")
async def test_machines_with_one_hostname_are_hosts_of_their_own(vms: MakeLab) -> None:
    lab = vms(2, hostname="worker")
    async with room_of(lab.hosts) as room:
        facts = [room.host(name).facts for name in ("vm1", "vm2")]
        assert [each.hostname for each in facts if each] == ["worker", "worker"]
        assert (await room.spawn("vm1", "job")).ok
        assert (await room.spawn("vm2", "job")).ok
        assert (await room.kill("vm1/job")).ok
        await room.in_order()
        assert room.agent("vm2/job").state is State.WORKING
