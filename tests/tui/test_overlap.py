"""Overlap on the screen: on both rows, in the line of alarms, and above an agent's log, on a phone too."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain import events
from controlroom.domain.model import Edited, Fleet, Overlap
from controlroom.domain.reduce import reduce
from controlroom.tui.screens.agent import AgentScreen
from tests.tui import scenes
from tests.tui.room import room


def overlapping() -> Fleet:
    """Two agents of the farm have edited one file."""
    fleet = replace(scenes.farm(), alarms={})
    docs = "vm1/docs-1"
    other = next(agent.id for agent in fleet.agents.values() if agent.id != docs and not agent.question)
    edited = {
        each: Edited(1, overlaps=(Overlap(beside, "example.org/docs", "src/x.py"),))
        for each, beside in ((docs, other), (other, docs))
    }
    return reduce(fleet, events.EditsJoined(edited, scenes.NOW))


@pytest.mark.parametrize("size", [(45, 20), (120, 40)], ids=["phone", "wide"])
async def test_the_alarm_and_the_agents_own_screen_say_so(size: tuple[int, int]) -> None:
    fleet = overlapping()
    ((about, alarm),) = fleet.alarms.items()
    async with room(fleet, size=size) as here:
        assert "have edited" in here.text() or "alarm" in here.text(), about
        here.app.push_screen(AgentScreen(alarm.agent))
        await here.settle()
        assert "! src/x.py also edited by" in here.text()
