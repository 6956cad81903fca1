"""Which machine and user a host is: its login decides; what it says of itself is a claim."""

from __future__ import annotations

import pytest

from controlroom.domain import intents
from controlroom.domain.model import LinkState
from controlroom.engine.hosts.local import this_machine
from tests.engine.rooms import room
from tests.engine.scripted import ScriptedHost

pytestmark = pytest.mark.usefixtures("home")


def host(name: str, place: str, key: str) -> ScriptedHost:
    made = ScriptedHost(name)
    made.place, made.proven = place, (f"ann by SHA256:{key}",)
    return made


async def test_a_liar_that_names_the_place_of_another_host_first_keeps_it_from_nothing() -> None:
    liar, honest = host("liar", "p1", "evil"), host("vm1", "p1", "good")
    async with room(liar) as here:
        here.hosts["vm1"] = honest
        await here.order(intents.AddHost("vm1", "ann@vm1"))
        await here.up("vm1")
        alarm = here.engine.store.fleet.alarms["place vm1"]
        assert "says that it is the same machine and user as liar" in alarm.text
        assert "controlroom host remove vm1" in alarm.text
        await here.order(intents.RemoveHost("vm1"))
        await here.until(lambda: "place vm1" not in here.engine.store.fleet.alarms)


async def test_one_machine_under_two_names_is_refused_with_the_name_of_the_first() -> None:
    first, second = host("vm1", "p1", "same"), host("alias", "p1", "same")
    second.reachable = False
    async with room(first, second, up=False) as here:
        await here.up("vm1")
        second.reachable = True
        await here.order(intents.RetryHost("alias"))
        await here.until(lambda: here.link("alias") is LinkState.REFUSED)
        assert "same machine and user as vm1" in here.engine.store.fleet.hosts["alias"].reason


async def test_copies_of_one_disk_and_users_of_one_machine_are_hosts_of_their_own() -> None:
    async with room(host("vm1", "p1", "same"), host("vm2", "p2", "same")) as here:
        assert not [about for about in here.engine.store.fleet.alarms if about.startswith("place ")]


def test_this_machine_is_known_by_the_keys_of_its_sshd() -> None:
    here, *keys = this_machine()
    assert here == "this machine"
    assert all(" by SHA256:" in key for key in keys)
