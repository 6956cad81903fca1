"""Hosts: unknown keys are shown and answered, hosts are added and taken out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain.intents import AddHost, AnswerQuestion, RemoveHost, TakeHost
from controlroom.domain.model import Fleet, LinkState, Question
from controlroom.tui.screens.forms import HostForm, SecretForm, host_name
from controlroom.tui.screens.hosts import HostsScreen
from controlroom.tui.screens.report import ReportSheet
from controlroom.tui.screens.sheets import ConfirmSheet
from tests.tui import scenes
from tests.tui.room import room

PHONE, WIDE = (45, 20), (200, 50)
SIZES = pytest.mark.parametrize("size", [PHONE, WIDE], ids=lambda size: "x".join(map(str, size)))


def with_new_host() -> Fleet:
    fleet = scenes.farm()
    asking = scenes.host("vm9", 0, 1, link=LinkState.ASKING, sample=None, facts=None, question=scenes.host_key("vm9"))
    return replace(fleet, hosts={**fleet.hosts, "vm9": replace(asking, reason="its key is not known")})


@SIZES
async def test_an_unknown_host_key_is_shown_and_answered(size: tuple[int, int]) -> None:
    async with room(with_new_host(), size=size) as here:
        await here.press("h")
        assert here.screen(HostsScreen).table.chosen == "vm9"
        shown = here.text().replace("\n", "").replace(" ", "")
        assert "SHA256:p2QAMXNIC1TJYWeIOttrVc98/R1BUFWu3/LiyKgUfQM" in shown
        await here.press("y")
        assert here.engine.asked == [AnswerQuestion("vm9", "key-vm9", "allow")]
        await here.until(lambda: here.engine.fleet.hosts["vm9"].link is LinkState.CONNECTING)


async def test_next_leads_to_hosts_too_and_d_refuses_the_key() -> None:
    async with room(with_new_host()) as here:
        await here.press("n", "n", "n")
        assert here.screen(HostsScreen).table.chosen == "vm9"
        await here.press("d")
        assert here.engine.asked == [AnswerQuestion("vm9", "key-vm9", "deny")]


async def test_hosts_are_added_and_removed() -> None:
    async with room(scenes.farm()) as here:
        await here.press("h", "a")
        here.screen(HostForm)
        await here.write("ann@build.example.org:2222")
        await here.press("enter")
        assert here.engine.asked == [AddHost("build", "ann@build.example.org:2222")]
        await here.until(lambda: "build" in here.app.picture.fleet.hosts)
        here.screen(HostsScreen).table.choose("build")
        await here.press("x")
        assert here.screen(ConfirmSheet).title_words == "Take build out of the room?"
        await here.press("y")
        assert here.engine.asked[1] == RemoveHost("build")


async def test_a_host_of_another_room_is_taken_after_asking() -> None:
    fleet = scenes.farm()
    theirs = fleet.hosts["vm2"]
    assert theirs.facts is not None
    other = replace(theirs, facts=replace(theirs.facts, owned=False))
    async with room(replace(fleet, hosts={**fleet.hosts, "vm2": other})) as here:
        await here.press("h")
        here.screen(HostsScreen).table.choose("vm1")
        await here.press("t")
        assert here.said() == "this room owns vm1 already"
        here.screen(HostsScreen).table.choose("vm2")
        await here.press("t")
        assert here.screen(ConfirmSheet).title_words == "Take vm2 for this control room?"
        await here.press("y")
        assert here.engine.asked == [TakeHost("vm2")]


@SIZES
async def test_c_checks_a_host(size: tuple[int, int]) -> None:
    async with room(with_new_host(), size=size) as here:
        await here.press("h")
        here.screen(HostsScreen).table.choose("vm2")
        await here.press("c")
        await here.until(lambda: here.screen(ReportSheet).heading == "check of vm2: something is bad")
        await here.until(lambda: "apt-get install tmux" in here.text())
        await here.press("q")
        here.screen(HostsScreen).table.choose("vm9")
        await here.press("c")
        await here.until(lambda: here.screen(ReportSheet).heading == "check of vm9: not all is known")
        assert "its key is not known" in here.text()


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("ann@vm1.example.org:2222", "vm1"),
        ("vm1", "vm1"),
        ("ann@10.0.0.7", "10.0.0.7"),
        ("ann@[fe80::1]:22", "fe80--1--22"),
        ("ANN@Build_Box", "build_box"),
    ],
)
def test_a_host_is_named_after_its_address(address: str, name: str) -> None:
    assert host_name(address) == name


async def test_a_secret_is_typed_unseen_and_no_draft_is_kept_of_it() -> None:
    question = Question("secret-1", "secret", "The passphrase of the key ~/.ssh/id_work", "It has one.", scenes.NOW)
    fleet = with_new_host()
    fleet = replace(fleet, hosts={**fleet.hosts, "vm9": replace(fleet.hosts["vm9"], question=question)})
    async with room(fleet) as here:
        await here.press("h", "y")
        here.screen(SecretForm)
        await here.write("sesame")
        assert "sesame" not in here.text()
        assert "passphrase of the key" in here.text()
        await here.press("escape", "y")
        here.screen(SecretForm)
        await here.write("hunter2")
        await here.press("enter")
        assert here.engine.asked == [AnswerQuestion("vm9", "secret-1", "allow", "hunter2")]
        assert not here.app.drafts
        assert "hunter2" not in repr(here.engine.asked)
