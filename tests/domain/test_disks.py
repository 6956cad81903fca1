"""A host whose disk is full says so on its row, in status and in explain, while it lasts."""

from __future__ import annotations

from dataclasses import replace

from controlroom.domain import events
from controlroom.domain.display import views
from controlroom.domain.display.explain import explain
from controlroom.domain.model import Fleet, State
from controlroom.domain.reduce import reduce
from controlroom.text.host_sample import HostSample
from controlroom.text.states import DISK_FULL
from tests.domain.worlds import NOON, agent, fleet


def sampled(world: Fleet, free: int | None) -> Fleet:
    return reduce(world, events.HostSampled("vm1", HostSample(NOON, disk_free=free, disk_total=10**10)))


def test_it_is_an_alarm_and_on_the_row_until_there_is_room() -> None:
    full = sampled(fleet(agent()), 0)
    (alarm,) = full.alarms.values()
    assert (alarm.level, "the disk of vm1 is full" in alarm.text) == ("danger", True)
    assert "disk is full" in views.host_row(full, full.hosts["vm1"], NOON).reason
    assert sampled(full, DISK_FULL - 1).alarms == full.alarms
    for world in (sampled(full, DISK_FULL), sampled(full, None), reduce(full, events.HostRemoved("vm1"))):
        assert not world.alarms
    roomy = sampled(full, 10**9)
    assert "disk" not in views.host_row(roomy, roomy.hosts["vm1"], NOON).reason
    assert not sampled(fleet(agent()), None).alarms


def test_it_comes_first_in_what_is_to_be_done() -> None:
    one = agent(kind="command", state=State.WORKING)
    full = sampled(fleet(one), 4096)
    words = [step.words for step in explain(full, one, NOON).steps]
    assert words[0].startswith("The disk of vm1 is full")
    assert not any("Nothing needs you" in step for step in words)
    calm = [step.words for step in explain(sampled(full, 10**9), one, NOON).steps]
    assert any("Nothing needs you" in step for step in calm)
    over = replace(one, state=State.DONE)
    assert not any("disk" in step.words for step in explain(sampled(fleet(over), 0), over, NOON).steps)
