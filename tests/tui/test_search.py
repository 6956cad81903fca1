"""Searching a log from its screen: in all of it, match by match, as far as somebody wants to go."""

from __future__ import annotations

import pytest

from controlroom.domain.display.loglines import Matches
from controlroom.domain.model import LogPlace
from controlroom.text.event_text import LogRecord
from controlroom.tui.logs import log_search
from controlroom.tui.screens.agent import AgentScreen
from tests.tui import scenes
from tests.tui.engine import Logs
from tests.tui.log_screen import lines, one, opened, rows
from tests.tui.room import Room, room


async def sought(here: Room, text: str) -> AgentScreen:
    screen = await opened(here)
    await here.press("/")
    await here.write(text)
    await here.press("enter")
    return screen


def chosen(here: Room) -> list[str]:
    """Return the lines that bear the cursor of a match."""
    return [row[1:].strip() for row in here.text().splitlines() if row.startswith("▌")]


@pytest.mark.parametrize("size", [(45, 20), (120, 40)])
async def test_a_text_is_found_in_the_whole_log_and_matches_are_gone_through(size: tuple[int, int]) -> None:
    log = lines(3000)
    log[7] = LogRecord(scenes.NOW, "o", b"a \x1b[31mned\x1b[0mdle, early")
    log[1500] = LogRecord(scenes.NOW, "o", b"another Neddle")
    log[2990] = LogRecord(scenes.NOW, "o", b"the last neddle")
    async with room(one(), {("vm1/a", 1): log}, size=size) as here:
        screen = await sought(here, "neddle")
        await here.until(lambda: chosen(here) == ["the last neddle"])
        await here.until(lambda: screen.log_search is not None and screen.log_search.done)
        assert "neddle: 1 of 3" in here.text()
        await here.press(",")
        await here.until(lambda: chosen(here) == ["another Neddle"])
        rows_ = rows(here)
        assert "line 1499" in rows_
        assert "line 1501" in rows_
        await here.press(",")
        await here.until(lambda: chosen(here) == ["a neddle, early"])
        assert "neddle: 3 of 3" in here.text()
        await here.press(",")
        assert here.said() == "that is the first match in the log"
        await here.press(".")
        await here.until(lambda: chosen(here) == ["another Neddle"])
        assert len(screen.log_view.book or ()) < 1000
        await here.press("q")
        assert screen.log_search is None
        assert chosen(here) == []


async def test_a_search_goes_on_only_as_far_as_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_search, "AHEAD", 5)
    async with room(one(), {("vm1/a", 1): lines(3000)}) as here:
        here.engine.searched_at_once = 10
        screen = await sought(here, "line")
        await here.until(
            lambda: screen.log_search is not None and not screen.log_search.busy and screen.log_search.hits
        )
        assert "line: 1 of 10+, back to 14:32" in here.text()
        assert len(here.engine.clients[0].searches) == 1
        for _ in range(6):
            await here.press(",")
        await here.until(lambda: len(here.engine.clients[0].searches) == 2)
        assert here.engine.clients[0].searches[1] == (1, "line", LogPlace(1, 1, 2990))


async def test_a_search_goes_on_in_earlier_runs() -> None:
    logs: Logs = {("vm1/a", 1): lines(400, "first run"), ("vm1/a", 3): lines(400, "third run")}
    async with room(one(epoch=3), logs) as here:
        await sought(here, "run 17")
        seen: list[str] = []
        for _ in range(22):
            await here.until(lambda last=seen[-1:]: len(chosen(here)) == 1 and chosen(here) != last)  # type: ignore[misc]
            seen += chosen(here)
            await here.press(",")
        numbers = [*range(179, 169, -1), 17]
        assert seen == [f"{which} run {number}" for which in ("third", "first") for number in numbers]


async def test_an_expression_is_marked_where_it_was_found() -> None:
    async with room(one(), {("vm1/a", 1): lines(500)}) as here:
        screen = await sought(here, r"re:line 49\d$")
        await here.until(lambda: chosen(here) == ["line 499"])
        assert screen.log_search is not None
        assert len(screen.log_search.hits) == 10
        found = here.app.context.palette.found.bgcolor
        strips = here.strips()
        marked = [
            "".join(part.text for part in strip if part.style and part.style.bgcolor == found) for strip in strips
        ]
        assert sorted(filter(None, marked)) == [f"line {number}" for number in range(490, 500)]


async def test_beyond_the_newest_match_what_came_since_is_searched() -> None:
    async with room(one(), {("vm1/a", 1): lines(50)}) as here:
        await sought(here, "line 4")
        await here.until(lambda: chosen(here) == ["line 49"])
        here.engine.write("vm1/a", b"line 4 again")
        await here.until(lambda: "line 4 again" in here.text())
        await here.press(".")
        await here.until(lambda: chosen(here) == ["line 4 again"])


async def test_what_cannot_be_searched_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_args: object, **_terms: object) -> Matches:
        return Matches((), LogPlace(1, 1, 0), reason="vm1 cannot be asked now")

    async with room(one(), {("vm1/a", 1): lines(50)}) as here:
        monkeypatch.setattr(here.engine.clients[0], "search", refuse)
        await sought(here, "x")
        await here.until(lambda: "vm1 cannot be asked now" in here.text())
        await here.press(",")
        assert here.said() == "vm1 cannot be asked now"
        await here.press("q")
        await here.press(",")
        assert here.said() == "search first: / and a text"


async def test_what_is_nowhere_is_said_and_a_phone_has_the_keys_for_matches() -> None:
    async with room(one(), {("vm1/a", 1): lines(50)}, size=(45, 20)) as here:
        await sought(here, "no such thing")
        await here.until(lambda: "no such thing: not in the log" in here.text())
        assert ", older  . newer" in here.text().splitlines()[-1]
        for key in (",", "."):
            await here.press(key)
            assert here.said() == "no such thing is not in the log"
