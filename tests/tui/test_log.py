"""A log on the screen: its end live, its first line in reach, found text marked, a flood kept up with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.client.client import LogPage
from controlroom.domain.display import loglines
from controlroom.domain.display.loglines import LogLine
from controlroom.domain.model import LogPlace
from controlroom.text.event_text import LogRecord
from controlroom.text.states import State
from controlroom.tui.logs import log_buffer
from controlroom.tui.logs.log_follower import PAGE
from controlroom.tui.screens.agent import AgentScreen
from controlroom.tui.screens.overview import Overview
from controlroom.tui.theme import styled
from tests.tui import scenes
from tests.tui.engine import Logs, SmallEngine
from tests.tui.log_screen import lines, one, opened, rows
from tests.tui.room import Clock, room


@pytest.mark.parametrize("size", [(45, 20), (120, 40)])
async def test_the_end_is_live(size: tuple[int, int]) -> None:
    async with room(one(), {("vm1/a", 1): lines(50)}, size=size) as here:
        await opened(here)
        assert "line 49" in here.text()
        for number in range(50, 60):
            here.engine.write("vm1/a", f"line {number}".encode())
        await here.until(lambda: "line 59" in here.text())


async def test_a_line_appears_beside_the_table_without_any_key() -> None:
    async with room(one(), {("vm1/a", 1): lines(3)}, size=(200, 50)) as here:
        await here.until(lambda: "line 2" in here.text())
        here.engine.write("vm1/a", b"and this")
        await here.until(lambda: "and this" in here.text())
        here.screen(Overview)


class Starting(SmallEngine):
    """Its hosts have no log of a run before its first line."""

    def page(self, agent: str, epoch: int, start: int, end: int, skipped: int = 0) -> LogPage:
        if self.logs.get((agent, epoch)):
            return super().page(agent, epoch, start, end, skipped)
        place = LogPlace(epoch, 0, 0)
        return LogPage(agent, place, place, first=True, reason=f"no log of run {epoch} of 'a' is on this host")


@pytest.mark.parametrize("size", [(45, 20), (120, 40)])
async def test_a_log_appears_with_its_first_line_though_nothing_else_happens(size: tuple[int, int]) -> None:
    async with room(one(), engine=Starting(one(), {}, Clock()), size=size) as here:
        await opened(here)
        await here.until(lambda: "its log has not begun yet" in here.text())
        here.engine.write("vm1/a", b"the first line")
        await here.until(lambda: "the first line" in here.text())
        assert "has not begun" not in here.text()


async def test_an_ended_run_without_a_log_does_not_promise_one() -> None:
    fleet = one(state=State.DONE)
    async with room(fleet, engine=Starting(fleet, {}, Clock())) as here:
        await opened(here)
        await here.until(lambda: "there is no log of this run" in here.text())


async def test_page_by_page_back_to_the_very_first_line_and_to_the_end() -> None:
    async with room(one(), {("vm1/a", 1): lines(2000)}) as here:
        screen = await opened(here)
        seen: set[str] = set()
        for _ in range(200):
            seen.update(rows(here))
            if "line 0" in seen:
                break
            await here.press("b")
        missing = [number for number in range(2000) if f"line {number}" not in seen]
        assert missing == []
        assert "just now · 0 % · l: end" in here.text()
        await here.press("l")
        assert "line 1999" in here.text()
        assert screen.log_view.following


async def test_the_first_line_is_one_key_away_and_what_follows_is_read_on_the_way_down() -> None:
    async with room(one(), {("vm1/a", 1): lines(3000)}) as here:
        screen = await opened(here)
        await here.press("o")
        await here.until(lambda: "line 0" in rows(here))
        book = screen.log_view.book
        assert book is not None
        assert book.behind
        assert len(book) < 1000
        seen: set[str] = set()
        for _ in range(200):
            seen.update(rows(here))
            if screen.log_view.following:
                break
            await here.press("space")
        assert [number for number in range(3000) if f"line {number}" not in seen] == []
        here.engine.write("vm1/a", b"the newest")
        await here.until(lambda: "the newest" in here.text())


async def test_standing_still_while_lines_arrive() -> None:
    async with room(one(), {("vm1/a", 1): lines(300)}) as here:
        await opened(here)
        await here.press("b", "b")
        before = [line for line in here.text().splitlines() if line.strip().startswith("line ")]
        here.engine.write("vm1/a", *(b"more" for _ in range(70)))
        await here.until(lambda: "70 new below" in here.text())
        assert [line for line in here.text().splitlines() if line.strip().startswith("line ")] == before


async def test_earlier_runs_stay_readable() -> None:
    logs: Logs = {("vm1/a", 1): lines(10, "first run"), ("vm1/a", 2): lines(10, "second run")}
    async with room(one(epoch=2), logs) as here:
        await opened(here)
        await here.until(lambda: "second run 0" in here.text() and "first run 0" in here.text())
        assert "run 2 begins here" in here.text()


async def test_a_new_run_shows_its_own_log() -> None:
    async with room(one(), {("vm1/a", 1): lines(5, "old")}) as here:
        await opened(here)
        here.engine.logs["vm1/a", 2] = lines(5, "fresh")
        here.engine.put(replace(here.engine.fleet.agents["vm1/a"], epoch=2))
        await here.until(lambda: "fresh 4" in here.text())


# -- what is held


async def test_somebody_who_stands_still_in_a_flood_stays_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_buffer, "MOST", 600)
    async with room(one(), {("vm1/a", 1): lines(500)}) as here:
        screen = await opened(here)
        await here.press("b", "b")
        before = rows(here)[8:-2]
        for _ in range(10):
            here.engine.write("vm1/a", *(b"more" for _ in range(100)))
            await here.settle()
        await here.until(lambda: "1000 new below" in here.text())
        assert rows(here)[8:-2] == before
        book = screen.log_view.book
        assert book is not None
        assert len(book) < 800
        here.engine.write("vm1/a", b"the newest")
        await here.press("l")
        await here.until(lambda: "the newest" in here.text())
        assert screen.log_view.following


async def test_a_tap_turns_a_page_and_one_on_the_rule_goes_to_the_end() -> None:
    async with room(one(), {("vm1/a", 1): lines(500)}, size=(45, 20)) as here:
        screen = await opened(here)
        await here.pilot.click("#full #log", offset=(5, 0))
        await here.settle()
        assert not screen.log_view.following
        assert "line 499" not in rows(here)
        await here.pilot.click("#full #log", offset=(5, screen.log_view.size.height - 1))
        await here.settle()
        assert "line 499" in rows(here)
        await here.pilot.click("#full #log", offset=(5, 0))
        await here.pilot.click("#full #pane-rule")
        await here.settle()
        assert screen.log_view.following


async def test_a_host_that_is_away_does_not_move_who_reads_an_old_line(monkeypatch: pytest.MonkeyPatch) -> None:
    async with room(one(epoch=2), {("vm1/a", 1): lines(1500, "first"), ("vm1/a", 2): lines(20)}) as here:
        await opened(here)
        client, fetch = here.engine.clients[0], here.engine.clients[0].fetch

        async def away(agent: str, epoch: int, *_args: object, **_terms: object) -> LogPage:
            return LogPage(agent, LogPlace(epoch, 1, 0), LogPlace(epoch, 1, 0), reason="the link was lost")

        await here.press("b")
        monkeypatch.setattr(client, "fetch", away)
        await here.press_until(lambda: "the link was lost" in here.text(), "b")
        before = rows(here)[8:-2]
        here.clock.pass_(10)
        here.engine.put(replace(here.engine.fleet.agents["vm1/a"], last_line="x"))
        await here.settle()
        assert rows(here)[8:-2] == before
        monkeypatch.setattr(client, "fetch", fetch)
        here.clock.pass_(10)
        await here.press_until(lambda: "first 0" in rows(here), "b")


async def test_a_place_that_is_no_longer_held_is_not_spoken_of_until_it_is_drawn_anew() -> None:
    async with room(one(), {("vm1/a", 1): lines(1000)}) as here:
        screen = await opened(here)
        await here.press_until(lambda: (screen.log_view.top or 0) < 0, "b")
        book = screen.log_view.book
        assert book is not None
        book.begin_again(here.engine.page("vm1/a", 1, 990, 1000))
        assert screen.log_view.top is None
        screen.pane.title()
        screen.log_grown("vm1/a")
        await here.until(lambda: "line 999" in rows(here))


async def test_the_first_line_of_this_run_then_of_the_run_before() -> None:
    logs: Logs = {("vm1/a", 1): lines(350, "first"), ("vm1/a", 2): lines(350, "second")}
    async with room(one(epoch=2), logs) as here:
        await opened(here)
        await here.press("o")
        await here.until(lambda: "second 0" in rows(here))
        await here.press("o")
        await here.until(lambda: "first 0" in rows(here))
        assert "second 0" not in rows(here)
        seen: set[str] = set()
        everything = {f"{run} {number}" for run in ("first", "second") for number in range(350)}

        def all_seen() -> bool:
            seen.update(rows(here))
            return everything <= seen

        await here.press_until(all_seen, "space")
        assert any("run 2 begins here" in row for row in seen)


async def test_only_lines_on_show_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded, real = list[Sequence[LogRecord]](), loglines.log_lines

    def counting(entry: Sequence[LogRecord]) -> Iterator[LogLine]:
        decoded.append(entry)
        return real(entry)

    monkeypatch.setattr(loglines, "log_lines", counting)
    monkeypatch.setattr(log_buffer, "MOST", 200_000)
    monkeypatch.setattr(log_buffer, "MOST_OF_ALL", 200_000)
    monkeypatch.setattr(log_buffer, "MOST_BYTES", 2**30)
    monkeypatch.setattr(log_buffer, "MOST_BYTES_OF_ALL", 2**30)
    async with room(one(), {("vm1/a", 1): lines(100_000)}) as here:
        screen = await opened(here)
        book = screen.log_view.book
        assert book is not None
        while not book.complete:
            book.prepend(here.engine.page("vm1/a", 1, max(0, book.start.offset - 10_000), book.start.offset))  # type: ignore[union-attr]
        assert len(book) == 100_000
        screen.log_view.scroll_pages(-1)
        await here.settle()
        assert 0 < len(decoded) <= 6 * screen.log_view.size.height


@pytest.mark.parametrize("back", [True, False], ids=["older", "newer"])
async def test_who_scrolls_while_a_page_comes_gets_that_page_and_no_other(back: bool) -> None:
    async with room(one(), {("vm1/a", 1): lines(2000)}) as here:
        view = (await opened(here)).log_view
        if not back:
            view.go_to(LogPlace(1, 0, 0))
            await here.until(lambda: view.book is not None and view.book.behind and view.top == view.book.first)
        book, fetches = view.book, here.engine.clients[0].fetches
        assert book is not None
        before, held = len(fetches), len(book)
        here.engine.reading.clear()
        view.scroll_rows(-held if back else held)
        await here.until(lambda: len(fetches) > before)
        view.scroll_rows(-1 if back else 1)
        here.engine.reading.set()  # the page comes while this is on its way
        await here.until(lambda: len(book) > held)
        await here.settle()
        assert (len(fetches) - before, len(book) - held) == (1, PAGE)


async def test_who_goes_to_the_end_is_read_the_end_and_nothing_on_the_way() -> None:
    async with room(one(), {("vm1/a", 1): lines(2000)}) as here:
        view = (await opened(here)).log_view
        view.go_to(LogPlace(1, 0, 0))
        book, fetches = view.book, here.engine.clients[0].fetches
        await here.until(lambda: book is not None and book.behind and view.top == book.first)
        before = len(fetches)
        view.to_end()
        await here.until(lambda: "line 1999" in here.text())
        await here.settle()
        assert fetches[before:] == [("vm1/a", 1, None, None)]


async def test_a_slow_link_skips_and_says_so() -> None:
    clock = Clock()
    engine = SmallEngine(one(), {("vm1/a", 1): lines(500)}, clock)
    async with room(one(), engine=engine) as here:
        screen = await opened(here)
        log = engine.logs["vm1/a", 1]
        log.extend(lines(400, "flood"))
        client = engine.clients[0]
        client.followed.clear()
        client.pushed.append(engine.page("vm1/a", 1, 880, 900, skipped=38_000))
        client.lines.set()
        await here.until(lambda: all(part in here.text() for part in ("flood 399", "skipped 37K")))
        book = screen.log_view.book
        await here.until(
            lambda: book is not None and book.first < book.after_last - 100, "the skipped lines, read back"
        )
        await here.press("b")
        assert "flood 360" in here.text()


async def test_long_lines_are_broken_or_cut_and_panned() -> None:
    text = " ".join(f"word{number}" for number in range(60))
    async with room(one(), {("vm1/a", 1): [LogRecord(scenes.NOW, "o", text.encode())]}, size=(60, 20)) as here:
        await opened(here)
        assert "word59" in here.text()
        await here.press("w")
        assert "word59" not in here.text()
        for _ in range(24):
            await here.press(">")
        assert "word59" in here.text()
        await here.press("w")
        assert "word0 word1" in here.text()


async def test_wide_characters_stay_in_their_columns() -> None:
    records = [
        LogRecord(scenes.NOW, "o", text.encode()) for text in ("日本語" * 60, "👍" * 90, "e\u0301" * 80, "❤️" * 40)
    ]
    async with room(one(), {("vm1/a", 1): records}, size=(61, 24)) as here:
        await opened(here)
        for strip in here.strips():
            assert strip.cell_length == 61


@given(
    text=st.text(st.sampled_from("ab 日👍é"), max_size=80),
    cells=st.integers(2, 20),
)
def test_breaking_loses_nothing_but_the_spaces_it_breaks_at(text: str, cells: int) -> None:
    pieces = styled.breaks(text, cells)
    assert all(styled.width(text[start:end]) <= cells for start, end in pieces)
    assert "".join(text[start:end] for start, end in pieces).replace(" ", "") == text.replace(" ", "")


async def test_a_log_that_cannot_be_read_says_why_and_is_tried_again() -> None:
    engine = SmallEngine(one(), {}, Clock())
    missing = {"vm1/a": "vm1 cannot be asked now"}
    whole_page = engine.page

    def page(agent: str, epoch: int, start: int, end: int, skipped: int = 0):  # type: ignore[no-untyped-def]
        found = whole_page(agent, epoch, start, end, skipped)
        return replace(found, reason=missing.get(agent, ""), first=agent not in missing)

    engine.page = page  # type: ignore[method-assign]
    async with room(one(), engine=engine) as here:
        await here.press("enter")
        await here.until(lambda: "vm1 cannot be asked now" in here.text())
        missing.clear()
        engine.logs["vm1/a", 1] = lines(3)
        here.clock.pass_(5)
        engine.put(replace(engine.fleet.agents["vm1/a"], last_line="line 2"))
        await here.until(lambda: "line 0" in here.text())


@pytest.mark.parametrize("keys", [("b",), ("b", "g"), ("enter", "b")])
async def test_the_log_of_a_lost_host_is_read_when_it_is_back(keys: tuple[str, ...]) -> None:
    """Whatever was pressed meanwhile: in a log of which nothing is held nobody stands anywhere."""
    engine = SmallEngine(one(epoch=2), {("vm1/a", 1): lines(30, "first"), ("vm1/a", 2): lines(30)}, Clock())
    away, whole_page = [True], engine.page

    def page(agent: str, epoch: int, start: int, end: int, skipped: int = 0) -> LogPage:
        if not away:
            return whole_page(agent, epoch, start, end, skipped)
        place = LogPlace(epoch, -1, 0)
        return LogPage(agent, place, place, reason="vm1 cannot be asked now", unanswered=True)

    engine.page = page  # type: ignore[method-assign]
    async with room(one(epoch=2), engine=engine) as here:
        await here.press("enter")
        await here.until(lambda: "vm1 cannot be asked now" in here.text())
        await here.press(*keys)
        assert "begins here" not in here.text()
        assert "vm1 cannot be asked now" in here.text()
        away.clear()
        here.clock.pass_(5)
        here.engine.put(replace(here.engine.fleet.agents["vm1/a"], last_line="line 29"))
        await here.until(lambda: "line 29" in here.text())
        await here.settle()
        assert here.screen(AgentScreen).log_view.following
        here.engine.write("vm1/a", b"and on")
        await here.until(lambda: "and on" in here.text())
        await here.press_until(lambda: "first 0" in rows(here), "b")
