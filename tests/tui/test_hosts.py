"""Hosts: unknown keys are shown and answered, hosts are added and taken out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain.events import Alarmed, HostDrained
from controlroom.domain.gauges import Alarm, AlarmKind
from controlroom.domain.intents import (
    AddHost,
    AnswerQuestion,
    ContinueDrain,
    DrainHost,
    RelieveHost,
    RemoveHost,
    TakeHost,
    UndrainHost,
)
from controlroom.domain.model import Fleet, LinkState, Question
from controlroom.domain.questions import QuestionKind
from controlroom.domain.tasks import Drain, Leaving
from controlroom.text.states import Verdict
from controlroom.tui.screens.dialogs import ConfirmSheet, ReportSheet
from controlroom.tui.screens.forms import HostForm, SecretForm
from controlroom.tui.screens.hosts import HostsScreen
from controlroom.tui.widgets.hosts import past_of
from tests.tui import scenes
from tests.tui.room import Room, at_sizes, room

PHONE, WIDE = (45, 20), (200, 50)
SIZES = pytest.mark.parametrize("size", [PHONE, WIDE], ids=lambda size: "x".join(map(str, size)))


@SIZES
async def test_an_unknown_host_key_is_shown_and_answered(size: tuple[int, int]) -> None:
    async with room(scenes.with_new_host(), size=size) as here:
        await here.press("h")
        assert here.screen(HostsScreen).table.chosen == "vm9"
        shown = here.text().replace("\n", "").replace(" ", "")
        assert "SHA256:p2QAMXNIC1TJYWeIOttrVc98/R1BUFWu3/LiyKgUfQM" in shown
        assert "y trust this key  d refuse it" in here.text()
        assert "allow once" not in here.text()  # a key that is accepted is known from then on
        await here.press("y")
        assert here.engine.asked == [AnswerQuestion("vm9", "key-vm9", Verdict.ALLOW)]
        await here.until(lambda: here.engine.fleet.hosts["vm9"].link is LinkState.CONNECTING)


async def test_next_leads_to_hosts_too_and_d_refuses_the_key() -> None:
    async with room(scenes.with_new_host()) as here:
        await here.press("n", "n", "n")
        assert here.screen(HostsScreen).table.chosen == "vm9"
        await here.press("d")
        assert here.engine.asked == [AnswerQuestion("vm9", "key-vm9", Verdict.DENY)]


async def test_hosts_are_added_and_removed() -> None:
    async with room(scenes.farm()) as here:
        await here.press("h", "a")
        here.screen(HostForm)
        await here.write("ann@build.example.org:2222")
        await here.press("enter")
        assert here.engine.asked == [AddHost("build", "ann@build.example.org:2222")]
        await here.until(lambda: "build" in here.app.context.view.fleet.hosts)
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
    agents = {**fleet.agents, "vm2/infra": replace(fleet.agents["vm2/infra"], ordered=None)}
    async with room(replace(fleet, hosts={**fleet.hosts, "vm2": other}, agents=agents)) as here:
        await here.press("h")
        here.screen(HostsScreen).table.choose("vm1")
        await here.press("t")
        assert here.said() == "this room owns vm1 already"
        here.screen(HostsScreen).table.choose("vm2")
        await here.press("t")
        assert here.screen(ConfirmSheet).title_words == "Take vm2 for this control room?"
        assert "infra still obey the room that began them" in " ".join(here.text().split())
        await here.press("y")
        assert here.engine.asked == [TakeHost("vm2")]
        await here.until(lambda: "Reassign them to go on, or kill them" in here.said())


@SIZES
async def test_o_drains_a_host_after_asking_and_again_ends_it(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        await here.press("h")
        here.screen(HostsScreen).table.choose("vm1")
        await here.press("o")
        assert here.screen(ConfirmSheet).title_words == "Drain vm1?"
        await here.press("y")
        assert here.engine.asked == [DrainHost("vm1")]
        drained = replace(here.engine.fleet.hosts["vm1"], drain=Drain("ann", scenes.NOW - 2 * scenes.MINUTE, "kernel"))
        here.engine.become(hosts={**here.engine.fleet.hosts, "vm1": drained})
        await here.until(lambda: "draining" in here.text())
        await here.press("enter")
        await here.until(lambda: "drained by ann, 2m ago (kernel)" in " ".join(here.text().split()))
        await here.press("o")
        assert here.engine.asked[1] == UndrainHost("vm1")


@SIZES
async def test_e_empties_a_host_after_asking_and_goes_on_where_that_stands_still(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        await here.press("h")
        here.screen(HostsScreen).table.choose("vm1")
        await here.press("e")
        assert here.screen(ConfirmSheet).title_words == "Empty vm1?"
        await here.until(lambda: "10 at a time" in " ".join(here.text().split()))
        await here.press("y")
        assert here.engine.asked == [DrainHost("vm1", move=True)]
        drain = Drain("ann", scenes.NOW, move=True, number=3, moved=12, leaving=(Leaving("x", "vm2", 1, scenes.NOW),))
        here.engine.happen(HostDrained("vm1", drain))
        await here.until(lambda: "draining 12/" in here.text())
        await here.press("enter")
        await here.until(lambda: "moved, batch 3 (1 on their way)" in " ".join(here.text().split()))
        await here.press("e")
        assert len(here.engine.asked) == 1, "it is being emptied already"
        stopped = replace(drain, leaving=(), failed={"a": "the disk of vm1 is full"}, stopped=scenes.NOW)
        here.engine.happen(HostDrained("vm1", stopped))
        await here.until(lambda: "stands still" in " ".join(here.text().split()))
        await here.press("e")
        assert here.screen(ConfirmSheet).title_words == "Go on with the drain of vm1?"
        await here.press("y")
        assert here.engine.asked[1] == ContinueDrain("vm1")


@SIZES
async def test_m_relieves_a_host_of_which_advice_stands(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        await here.press("h")
        here.screen(HostsScreen).table.choose("vm1")
        await here.press("m")
        await here.until(lambda: "needs no relief" in " ".join(here.text().split()))
        words = "vm1 has been above 80 % RAM for 30 minutes: move 1 agent"
        here.engine.happen(Alarmed("load of vm1", Alarm(words, kind=AlarmKind.ADVICE, subject="vm1")))
        await here.until(lambda: "load of vm1" in here.app.context.fleet.alarms)
        await here.press("m")
        await here.until(lambda: "above 80 % RAM" in " ".join(here.text().split()))
        assert here.screen(ConfirmSheet).title_words == "Relieve vm1?"
        await here.press("y")
        await here.until(lambda: here.engine.asked == [RelieveHost("vm1")])


@SIZES
async def test_c_checks_a_host(size: tuple[int, int]) -> None:
    async with room(scenes.with_new_host(), size=size) as here:
        await here.press("h")
        here.screen(HostsScreen).table.choose("vm2")
        await here.press("c")
        await here.until(lambda: here.screen(ReportSheet).heading == "check of vm2: 1 problem")
        await here.until(lambda: "apt-get install tmux" in here.text())
        await here.press("q")
        here.screen(HostsScreen).table.choose("vm9")
        await here.press("c")
        await here.until(lambda: here.screen(ReportSheet).heading == "check of vm9: not all is known")
        assert "its key is not known" in here.text()


def measured() -> Fleet:
    """Three hosts: one fine, one whose disk and swap are busy, one that tells little and is lost."""
    fleet = scenes.farm()
    fine, busy, lost = fleet.hosts["vm1"], fleet.hosts["vm2"], fleet.hosts["mini"]
    assert fine.sample
    assert busy.sample
    assert busy.facts
    sample = replace(fine.sample, iowait_percent=0.4, network_in=1_200_000, network_out=40_000)
    fine = replace(fine, sample=replace(sample, load_5m=1.1, load_15m=0.9), network_history=(1000, 2_000_000))
    busy_sample = replace(busy.sample, iowait_percent=61.0, swap_used=scenes.GIB, disk_free=scenes.GIB, load_1m=17.5)
    busy = replace(busy, sample=busy_sample, facts=replace(busy.facts, owned=False, clock_offset=-9000))
    lost = replace(lost, link=LinkState.LOST, since=scenes.NOW - 4 * scenes.MINUTE, seen=scenes.NOW - 4 * scenes.MINUTE)
    return replace(fleet, hosts={"vm1": fine, "vm2": busy, "mini": replace(lost, reason="no answer for 15 s")})


def row(here: Room, host: str) -> str:
    return next(line for line in here.text().splitlines() if host in line.split()[:3])


async def test_a_wide_screen_has_a_table_of_all_figures() -> None:
    async with room(measured(), size=WIDE) as here:
        await here.press("h")
        for words in ("62 %", "71 %", "5.7G of 8.0G", " 0 %   120G   0 %", "1.1M", "39K", "1.42", "4/5"):
            assert words in row(here, "vm1")
        for words in ("50 %   1.0G  61 %", " – ", "17.50", "another room's · clock -9 s"):
            assert words in row(here, "vm2")
        assert "lost 4m ago: no answer for 15 s" in row(here, "mini")
        header = next(line for line in here.text().splitlines() if "cpu" in line)
        assert header.split() == ["cpu", "ram", "swap", "disk", "wait", "in/s", "out/s", "load", "agents"]
        for title, figure in (("swap", "50 %"), ("disk", "1.0G"), ("wait", "61 %"), ("load", "17.50")):
            assert header.index(title) + len(title) == row(here, "vm2").index(figure) + len(figure)
        style = here.app.context.palette.warn
        strip = next(strip for strip in here.strips() if "17.50" in strip.text)
        alarmed = {part.text.strip() for part in strip if part.style and part.style.color == style.color}
        assert {"61 %", "50 %", "17.50"} <= alarmed


@at_sizes(WIDE, (80, 24), PHONE)
async def test_the_overview_says_that_another_room_has_a_host(size: tuple[int, int]) -> None:
    fleet = measured()
    others = {name: replace(host, link=LinkState.UP) for name, host in fleet.hosts.items()}
    async with room(replace(fleet, hosts=others), size=size) as here:
        assert "another room's" in here.text()
        assert "vm2" in next(line for line in here.text().splitlines() if "another room's" in line)


@pytest.mark.parametrize("size", [(80, 24), PHONE])
async def test_a_narrow_screen_has_two_lines_a_host(size: tuple[int, int]) -> None:
    async with room(measured(), size=size) as here:
        await here.press("h")
        lines = here.text().splitlines()
        first = lines.index(row(here, "vm1"))
        assert "cpu 62 %" in lines[first]
        assert "4/5" in lines[first]
        assert "disk 120G  wait  0 %" in lines[first + 1]
        assert all("…" not in line for line in lines[first : first + 2])


@SIZES
async def test_enter_gives_one_host_the_screen_and_back(size: tuple[int, int]) -> None:
    async with room(measured(), size=size) as here:
        await here.press("h")
        here.screen(HostsScreen).table.choose("vm1")
        await here.press("enter")
        for words in ("of 8 cores", "in 1.1M/s  out 39K/s", "free of 400G, 30 %", "4 of 5 live", "this control room"):
            assert words in here.text()
        assert "vm2" not in here.text()
        await here.press("j")
        assert "no reading" in here.text()
        await here.press("q")
        assert "vm1" in here.text()
        assert here.screen(HostsScreen).table.chosen == "vm2"
        await here.press("enter", "enter")
        assert not here.screen(HostsScreen).alone


async def test_what_does_not_fit_is_turned_to() -> None:
    async with room(measured(), size=(45, 12)) as here:
        await here.press("h")
        here.screen(HostsScreen).table.choose("vm1")
        await here.press("enter")
        seen = here.text()
        assert "Space:" in seen
        for _ in range(3):
            await here.press("space")
            seen += here.text()
        assert "tmux 3.3a" in seen


async def test_a_tap_chooses_a_host_and_a_second_one_opens_it() -> None:
    async with room(measured(), size=PHONE) as here:
        await here.press("h")
        second_line = here.text().splitlines().index(row(here, "vm2")) + 1
        await here.pilot.click(offset=(10, second_line))
        await here.settle()
        assert here.screen(HostsScreen).table.chosen == "vm2"
        await here.pilot.click(offset=(10, second_line))
        await here.settle()
        assert here.screen(HostsScreen).alone


async def test_a_secret_is_typed_unseen_and_no_draft_is_kept_of_it() -> None:
    title = "The passphrase of the key ~/.ssh/id_work"
    question = Question("secret-1", QuestionKind.SECRET, title, "It has one.", scenes.NOW)
    fleet = scenes.with_new_host()
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
        assert here.engine.asked == [AnswerQuestion("vm9", "secret-1", Verdict.ALLOW, "hunter2")]
        assert not here.app.context.drafts
        assert "hunter2" not in repr(here.engine.asked)


async def test_what_was_too_much_has_another_colour_in_the_past_too() -> None:
    fleet = scenes.farm()
    hot = replace(fleet.hosts["vm1"], cpu_history=(10.0, 75.0, 95.0, 20.0))
    async with room(replace(fleet, hosts={**fleet.hosts, "vm1": hot}), size=(80, 24)) as here:
        palette = here.app.context.palette
        drawn = past_of(palette, hot.cpu_history, 6)
        assert drawn == [("  ▁", palette.bar), ("▆", palette.warn), ("▇", palette.danger), ("▂", palette.bar)]
        row = next(line for line in here.text().splitlines() if "vm1" in line)
        assert "▁▆▇▂" in row
