"""The log of many agents on the screen: in order whatever the clocks say, sifted, kept, opened, written down."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.client.client import LogPage
from controlroom.domain.model import LogPlace, State
from controlroom.text.event_text import LogRecord
from controlroom.tui.logs.log_buffer import LogBuffer
from controlroom.tui.logs.timeline import AGENTS, Timeline, read_of
from controlroom.tui.screens.agent import AgentScreen
from controlroom.tui.screens.timeline import TimelineScreen
from tests.domain.worlds import NOON
from tests.tui import scenes
from tests.tui.engine import SmallClient
from tests.tui.room import Room, room


@asynccontextmanager
async def opened(size: tuple[int, int] = (120, 40)) -> AsyncIterator[tuple[Room, TimelineScreen]]:
    """The log of all agents of the farm, with what they have said."""
    fleet = scenes.farm()
    async with room(fleet, scenes.logs(fleet), size=size) as here:
        await here.press("l")
        screen = here.screen(TimelineScreen)
        await here.until(lambda: len(screen.timeline_view.moments) > 20, "the logs")
        yield here, screen


async def test_why_no_log_is_shown_is_said_where_all_have_the_same_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    why = "the logs are withheld from watchers"

    async def fetch(self: SmallClient, agent: str, epoch: int, *_: object, **__: object) -> LogPage:
        nowhere = LogPlace(epoch, -1, 0)
        return LogPage(agent, nowhere, nowhere, reason=why, withheld=True)

    monkeypatch.setattr(SmallClient, "fetch", fetch)
    fleet = scenes.farm()
    again = replace(fleet.agents["vm1/web-2"], epoch=2)
    async with room(replace(fleet, agents={**fleet.agents, again.id: again})) as here:
        await here.press("l")
        await here.until(lambda: why in here.text())
        assert "begins here" not in here.text()
        assert "nothing yet" not in here.text()


async def sift(here: Room, words: str) -> None:
    await here.press("/", "ctrl+u")
    await here.write(words)
    await here.press("enter")


def page(agent: str, times: list[int], start: int) -> LogPage:
    records = tuple(LogRecord(at, "o", f"{agent} {at}\n".encode()) for at in times)
    ends = start + 10 * len(records)
    offsets = tuple(range(start, ends, 10))
    return LogPage(
        agent, LogPlace(1, 1, start), LogPlace(1, 1, ends), records=records, offsets=offsets, first=start == 0
    )


@given(st.lists(st.tuples(st.sampled_from(["vm1/a", "vm2/b", "vm2/c"]), st.integers(0, 30)), max_size=60))
def test_everything_is_there_once_and_in_order_however_it_comes(told: list[tuple[str, int]]) -> None:
    ahead = {"vm1/a": 0, "vm2/b": 7, "vm2/c": 7}
    timeline = Timeline()
    books = {agent: LogBuffer(agent, 1) for agent in ahead}
    times: dict[str, list[int]] = {agent: [] for agent in ahead}
    for agent, later in told:
        at = max([NOON, *times[agent]]) + later
        book = books[agent]
        grown = page(agent, [at + ahead[agent]], 10 * len(times[agent]))
        if book.loaded:
            book.append(grown)
        else:
            book.begin_again(grown)
        times[agent].append(at)
        timeline.take(book, ahead[agent])
    assert [moment.at for moment in timeline.moments] == sorted(at for each in times.values() for at in each)
    for agent, each in times.items():
        assert [moment.at for moment in timeline.moments if moment.agent == agent] == each


def test_an_agent_that_was_quiet_for_long_says_nothing_twice() -> None:
    timeline, quiet, loud = Timeline(), LogBuffer("vm1/quiet", 1), LogBuffer("vm1/loud", 1)
    quiet.begin_again(page("vm1/quiet", [NOON], 0))
    loud.begin_again(page("vm1/loud", [NOON + number for number in range(1, 1001)], 0))
    assert timeline.take(quiet, 0)
    assert timeline.take(loud, 0)
    assert not timeline.take(quiet, 0)
    quiet.append(page("vm1/quiet", [NOON + 2000], 10))
    assert timeline.take(quiet, 0)
    assert [moment.at - NOON for moment in timeline.moments if moment.agent == "vm1/quiet"] == [0, 2000]


def test_a_line_that_goes_on_is_one_line_wherever_it_stands() -> None:
    timeline, book, loud = Timeline(), LogBuffer("vm1/a", 1), LogBuffer("vm1/loud", 1)
    begun = LogRecord(NOON, "o", b"one, ", continued=True)
    place = LogPlace(1, 1, 0)
    book.begin_again(LogPage("vm1/a", place, LogPlace(1, 1, 10), records=(begun,), offsets=(0,), first=True))
    loud.begin_again(page("vm1/loud", [NOON + number for number in range(1, 1001)], 0))
    timeline.take(book, 0)
    timeline.take(loud, 0)
    rest = LogRecord(NOON + 5, "o", b"two")
    book.append(LogPage("vm1/a", LogPlace(1, 1, 10), LogPlace(1, 1, 20), records=(rest,), offsets=(10,)))
    timeline.take(book, 0)
    assert [moment.line.text for moment in timeline.moments if moment.agent == "vm1/a"] == ["one, two"]


def test_who_is_read() -> None:
    fleet = scenes.thousand()
    assert len(read_of(fleet, [])) == AGENTS
    assert read_of(fleet, ["vm00/agent-0", "gone/x"]) == {"vm00/agent-0": 1}


@pytest.mark.parametrize(("failed", "shown"), [(3, 3), (AGENTS, AGENTS // 2)])
def test_who_failed_is_read_though_others_spoke_since(failed: int, shown: int) -> None:
    old = [scenes.agent(f"old-{number}", "vm1", State.FAILED, 3600, last_line_at=0) for number in range(failed)]
    loud = [scenes.agent(f"loud-{number}", "vm1", State.WORKING, 1) for number in range(2 * AGENTS)]
    read = read_of(replace(scenes.farm(), agents={agent.id: agent for agent in (*old, *loud)}), [])
    assert (len(read), sum(agent.startswith("vm1/old-") for agent in read)) == (AGENTS, shown)


@pytest.mark.parametrize("size", [(45, 20), (120, 40)])
async def test_it_opens_sifts_keeps_and_leads_to_the_agent(size: tuple[int, int]) -> None:
    async with opened(size) as (here, screen):
        everything = list(screen.timeline_view.moments)
        assert everything == sorted(everything)
        await sift(here, "agent:docs level:tool")
        assert 0 < len(screen.timeline_view.moments) < len(everything)
        assert {moment.agent for moment in screen.timeline_view.moments} == {"vm1/docs-1"}
        await here.press("k", "k", "b", "l", ",")
        assert screen.timeline_view.chosen is not None
        assert screen.timeline_view.chosen.key in screen.timeline.kept
        await here.press("enter")
        assert here.screen(AgentScreen).agent_id == "vm1/docs-1"
        await here.press("q", "q")
        assert list(screen.timeline_view.moments) == everything
        await here.press("q")
        assert not isinstance(here.app.screen, TimelineScreen)


@pytest.mark.parametrize("size", [(45, 20), (120, 40)])
async def test_a_filter_is_told_and_one_that_nothing_passes_says_what_to_do(size: tuple[int, int]) -> None:
    async with opened(size) as (here, _):
        await sift(here, "level:tool")
        assert "following · with “level:tool” ─" in here.text()
        await sift(here, "host:nowhere")
        assert "no line matches: / changes the filter" in here.text()
        await here.press("q")
        assert "with “" not in here.text()
        assert "no line matches" not in here.text()


async def test_what_an_expression_finds_is_marked() -> None:
    async with opened() as (here, _):
        await sift(here, "re:unus.d +import")
        found = here.app.context.palette.found
        strips = here.strips()
        marked = {part.text for strip in strips for part in strip if part.style and part.style.bgcolor == found.bgcolor}
        assert marked == {"unused import"}


async def test_agents_of_one_name_are_told_apart_by_their_hosts() -> None:
    fleet = scenes.farm()
    twin = replace(fleet.agents["vm1/docs-1"], host="vm2")
    fleet = replace(fleet, agents={**fleet.agents, twin.id: twin})
    async with room(fleet, scenes.logs(fleet)) as here:
        await here.press("l")
        view = here.screen(TimelineScreen).timeline_view
        await here.until(lambda: {"vm1/docs-1", "vm2/docs-1"} <= {one.agent for one in view.moments}, "the logs")
        await sift(here, "agent:docs,api")
        await here.press_until(lambda: "docs-1·vm1 " in here.text(), "k")
        await here.press_until(lambda: "docs-1·vm2 " in here.text(), "k")
        await here.press_until(lambda: " api-3 " in here.text(), "k")


async def test_what_is_on_show_is_written_into_a_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    async with opened() as (here, screen):
        await here.press("e", "e")
        assert_written(tmp_path, 2, len(screen.timeline_view.moments))


def assert_written(folder: Path, count: int, lines: int) -> None:
    files = sorted(folder.glob("controlroom-log-*.tsv"))
    assert len(files) == count
    assert files[0].read_text().count("\n") == lines
    assert files[0].stat().st_mode & 0o777 == 0o600


async def test_only_the_marked_agents_are_read() -> None:
    fleet = scenes.farm()
    async with room(fleet, scenes.logs(fleet)) as here:
        await here.press("space", "space", "l")
        screen = here.screen(TimelineScreen)
        await here.until(lambda: screen.timeline_view.moments, "the logs")
        assert "log of 2 agents of" in here.text()


async def test_an_agent_that_is_gone_takes_its_lines_along() -> None:
    fleet = scenes.farm()
    async with room(fleet, scenes.logs(fleet)) as here:
        await here.press("l")
        screen = here.screen(TimelineScreen)
        await here.until(
            lambda: any(moment.agent == "vm1/docs-1" for moment in screen.timeline_view.moments), "its lines"
        )
        rest = {key: agent for key, agent in fleet.agents.items() if key != "vm1/docs-1"}
        here.engine.fleet = replace(here.engine.fleet, agents=rest)
        here.engine.wake()
        await here.until(
            lambda: all(moment.agent != "vm1/docs-1" for moment in screen.timeline_view.moments), "they go"
        )


async def test_who_fails_while_one_looks_is_read_too() -> None:
    loud = [scenes.agent(f"loud-{number:03}", "vm1", State.WORKING, 1) for number in range(2 * AGENTS)]
    async with room(replace(scenes.farm(), agents={agent.id: agent for agent in loud})) as here:
        await here.press("l")
        screen = here.screen(TimelineScreen)
        unread = next(agent for agent in loud if agent.id not in screen.read)
        here.engine.put(replace(unread, state=State.FAILED))
        await here.until(lambda: unread.id in screen.read)
