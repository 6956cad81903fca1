"""The review of an agent's work: files, a diff, comments that are kept and sent as one message."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from controlroom.domain.branch_intents import Accept, DropWork, PullRequest, PushBranch
from controlroom.domain.intents import ResumeAgent, SendMessage
from controlroom.domain.model import State
from controlroom.domain.orders import Result
from controlroom.text.changes import DIFF_PAGE
from controlroom.text.checks import CheckRun, Checks, CheckState
from controlroom.text.states import Outcome
from controlroom.tui.logs.diff_pages import MOST_PAGES
from controlroom.tui.screens.agent import AgentScreen
from controlroom.tui.screens.branch_forms import AcceptForm, DropForm, PullRequestForm
from controlroom.tui.screens.dialogs import AskSheet
from controlroom.tui.screens.overview import Overview
from controlroom.tui.screens.review import CommentForm, ReviewScreen, ReviewSheet
from tests.tui import scenes
from tests.tui.engine import SmallEngine, for_watchers
from tests.tui.room import Room, at_sizes, room
from tests.tui.work import FILES, WORK

AGENT = "vm1/web-2"


@asynccontextmanager
async def opened(
    size: tuple[int, int] = (120, 40), engine: SmallEngine | None = None, keys: tuple[str, ...] = ("+",)
) -> AsyncIterator[tuple[Room, ReviewScreen]]:
    """The review of an agent's work."""
    fleet = scenes.farm()
    engine = engine or SmallEngine(fleet, {}, lambda: scenes.NOW)
    async with room(fleet, engine=engine, size=size) as here:
        here.overview.table.choose(AGENT)
        await here.settle()
        await here.press(*keys)
        screen = here.screen(ReviewScreen)
        await here.until(lambda: screen.changes is not None, "the changes")
        await here.settle()
        yield here, screen


async def comment(here: Room, words: str) -> None:
    await here.press("c")
    here.screen(CommentForm)
    await here.press("ctrl+u")
    await here.write(words)
    await here.press("enter")


@at_sizes((45, 20), (100, 30), (200, 50))
async def test_files_and_a_diff_are_on_show_at_every_width(size: tuple[int, int]) -> None:
    async with opened(size) as (here, screen):
        for words in ("docs/install.md", "+2 -1", "R docs/new name.md", "was docs/old", "binary", "4 files"):
            assert words in here.text()
        await here.press("enter")
        await here.until(lambda: "+ two, with words" in here.text())
        for words in ("- two", "  four", "1 of 7"):
            assert words in here.text()
        assert screen.reads
        await here.press("q")
        assert "R docs/new name.md" in here.text()
        await here.press("q")
        here.screen(Overview)


@at_sizes((40, 20), (80, 24), (200, 50))
async def test_what_came_of_the_checks_stands_beside_the_diff(size: tuple[int, int]) -> None:
    failed = Checks(
        CheckState.FAILED,
        (CheckRun("make lint", "", 1.0), CheckRun("make test", "exit 2", 3.5)),
        told=1,
        attempts=3,
        at=scenes.NOW,
        output="2 tests failed",
        guarded=("docs/install.md",),
    )
    async with opened(size) as (here, _):
        here.engine.put(replace(here.engine.fleet.agents[AGENT], checks=failed))
        for reads in (False, True):
            await here.until(lambda: "make test · exit 2" in " ".join(here.text().split()))
            assert "changed guarded files: docs/install.md" in " ".join(here.text().split())
            assert reads or any("M docs/install.md" in line and "guarded" in line for line in here.text().splitlines())
            await here.press("enter" if not reads else "v")
        await here.until(lambda: "| 2 tests failed" in here.text())
        assert "✓ make lint" in here.text()


async def test_it_is_reached_from_an_agent_and_leads_back_there() -> None:
    async with opened(keys=("enter", "+")) as (here, _):
        await here.press("q")
        here.screen(AgentScreen)


async def test_names_and_contents_of_a_hostile_repository_are_plain_characters() -> None:
    async with opened() as (here, _):
        await here.press(">", "enter")
        await here.until(lambda: "abc" in here.text())
        text = here.text()
        assert "evil␛[31m<U+202E>.md" in text
        assert not {"\x1b", "\x07", "\u202e"} & set(text)


async def test_comments_are_kept_and_sent_as_one_message_that_quotes() -> None:
    async with opened() as (here, screen):
        await here.press("enter", "j", "j")
        await comment(here, "Why not?")
        await here.press("j", "j")
        await comment(here, "Which third?")
        await here.press("q", "q")
        here.screen(Overview)
        await here.press("+")
        screen = here.screen(ReviewScreen)
        await here.until(lambda: "»2" in here.text())
        await here.press("s")
        here.screen(ReviewSheet)
        assert "docs/install.md, line 2 of the old file:" in here.text()
        await here.press("y")
        (sent,) = here.engine.asked
        assert isinstance(sent, SendMessage)
        assert sent.text == (
            "A review of your changes (compared with aaaaaaaaaa). 2 comments:\n\n"
            "docs/install.md, line 2 of the old file:\n> - two\nWhy not?\n\n"
            "docs/install.md, line 3:\n> + and a third\nWhich third?"
        )
        await here.until(lambda: not screen.comments)
        assert "»" not in here.text()


async def test_a_comment_is_changed_and_taken_away_again() -> None:
    async with opened() as (here, screen):
        await here.press("enter", "j", "j")
        await comment(here, "Why not?")
        await comment(here, "Why?")
        assert [(one.quote, one.text) for one in screen.comments] == [("two", "Why?")]
        assert "» Why?" in here.text()
        await here.press("c", "ctrl+u", "enter")
        assert screen.comments == ()


async def test_what_is_refused_stays_a_draft() -> None:
    async with opened() as (here, screen):
        await comment(here, "The whole file, please.")
        here.engine.before_deciding = lambda: here.engine.put(
            replace(here.engine.fleet.agents[AGENT], state=State.FAILED, ended=scenes.NOW, session="")
        )
        await here.press("s", "y")
        await here.until(lambda: "has ended" in here.said())
        assert [one.text for one in screen.comments] == ["The whole file, please."]
        await here.press("s")
        here.screen(ReviewScreen)
        assert "reassign gives it a new task" in here.said()


async def test_an_agent_that_has_ended_goes_on_with_the_comments_in_its_session() -> None:
    engine = SmallEngine(scenes.farm(), {}, lambda: scenes.NOW)
    ended = replace(engine.fleet.agents[AGENT], state=State.DONE, ended=scenes.NOW, session="s-1")
    engine.put(ended)
    async with opened(engine=engine) as (here, _):
        await comment(here, "Once more.")
        await here.press("s")
        assert "goes on in its session" in here.text()
        await here.press("y")
        (sent,) = engine.asked
        assert isinstance(sent, ResumeAgent)
        assert "Once more." in sent.task


async def test_a_long_diff_is_read_page_by_page_and_never_held_whole() -> None:
    engine = SmallEngine(scenes.farm(), {}, lambda: scenes.NOW)
    async with opened(engine=engine) as (here, screen):
        lines = 14 * DIFF_PAGE
        engine.diffs[FILES[2].path] = b"@@ -0,0 +1,%d @@\n" % lines + b"".join(b"+%d\n" % n for n in range(lines))
        engine.work[AGENT] = replace(WORK, files=(FILES[0], FILES[2]._replace(binary=False)))
        await here.press("r", ">", "enter")
        pages = screen.diff.pages
        assert pages is not None
        await here.until(lambda: pages.total == lines + 1)
        assert pages.held == DIFF_PAGE
        await here.press(">")
        await here.until(lambda: f"+ {lines - 1}" in here.text())
        assert engine.diffs_asked[-1] == (FILES[2].path, lines)
        for page in range(14):
            screen.diff.go_to(page * DIFF_PAGE + 5)
            await here.until(lambda: screen.diff.line is not None, f"page {page}")
        assert pages.held <= MOST_PAGES * DIFF_PAGE


async def test_a_file_that_changes_while_it_is_read_is_read_anew() -> None:
    engine = SmallEngine(scenes.farm(), {}, lambda: scenes.NOW)
    async with opened(engine=engine) as (here, _):
        path = FILES[0].path
        for word in (b"old", b"new"):
            engine.diffs[path] = b"@@ -0,0 +1,3000 @@\n" + b"".join(b"+%s %d\n" % (word, n) for n in range(3000))
            if word == b"old":
                await here.press(".", ",", "enter")
                await here.until(lambda: "+ old 3" in here.text())
        await here.press(">")
        await here.until(lambda: "+ new 2999" in here.text())
        await here.press("<")
        await here.until(lambda: "+ new 3" in here.text())


async def test_a_tap_chooses_a_line_and_another_one_comments_on_it() -> None:
    async with opened((45, 20)) as (here, screen):
        await here.pilot.click("#changed", offset=(4, 0))
        await here.until(lambda: "+ two, with words" in here.text())
        await here.pilot.click("#diff", offset=(4, 3))
        await here.settle()
        assert screen.diff.line is not None
        assert screen.diff.line.text == "two, with words"
        await here.pilot.click("#diff", offset=(4, 3))
        await here.settle()
        here.screen(CommentForm)


async def test_a_watcher_reads_and_has_nothing_to_send() -> None:
    async with opened(engine=for_watchers(scenes.farm())) as (here, screen):
        await here.press("enter")
        await here.until(lambda: "+ two, with words" in here.text())
        for key in ("c", "enter", "s"):
            await here.press(key)
            assert here.screen(ReviewScreen) is screen
        assert "comment" not in here.text().splitlines()[-1]
        assert screen.comments == ()


async def test_where_there_is_no_repository_that_is_said() -> None:
    async with room(scenes.farm()) as here:
        here.engine.work["vm2/api-3"] = None
        here.overview.table.choose("vm2/api-3")
        await here.press("+")
        await here.until(lambda: "vm2/api-3 works in no git repository" in here.text())
        await here.press("enter")
        assert "there is no file here" in here.said()


async def test_what_is_accepted_is_shown_first_and_is_the_commit_that_was_on_show() -> None:
    async with opened() as (here, _):
        await here.press("a")
        here.screen(AcceptForm)
        await here.press("enter")
        assert here.engine.asked == []
        await here.write("docs/update")
        await here.press("enter")
        text = " ".join(here.text().split())
        assert "Merge 3 commits of web-2, up to bbbbbbbbbb, into docs/update?" in text
        assert "2 files with work in no commit: that stays where it is." in text
        await here.press("q")
        here.screen(AcceptForm)
        assert here.engine.asked == []
        await here.press("enter", "y")
        (asked,) = here.engine.asked
        assert asked == Accept(AGENT, 1, "docs/update", head="b" * 40)


async def test_conflicts_are_named_or_given_back_to_the_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    def conflicts(self: SmallEngine, intent: object) -> Result:
        self.asked.append(intent)  # type: ignore[arg-type]
        refused = Result(Outcome.REFUSED, "it conflicts with next", conflicts=("docs/\x1b[1ma.md",))
        return refused if isinstance(intent, Accept) else Result(Outcome.DONE)

    monkeypatch.setattr(SmallEngine, "decide", conflicts)
    async with opened() as (here, _):
        await here.press("a")
        await here.write("next")
        await here.press("enter", "y")
        await here.until(lambda: "it conflicts with next: docs/␛[1ma.md" in here.said())
        assert len(here.engine.asked) == 1
        await here.press("a", "backspace", "right")
        await here.press("down")
        await here.write("next")
        await here.press("enter")
        assert "Conflicts go back to the agent." in here.text()
        await here.press("y")
        await here.until(lambda: len(here.engine.asked) == 3)
        back = here.engine.asked[2]
        assert isinstance(back, SendMessage)
        assert "git merge next" in back.text


async def test_a_push_and_a_pull_request_say_what_leaves_the_host() -> None:
    async with opened() as (here, _):
        await here.press("p", "enter")
        assert "to the origin as agent/web-2?" in " ".join(here.text().split())
        await here.press("y")
        await here.until(lambda: here.engine.asked == [PushBranch(AGENT, 1, "", "b" * 40)])
        await here.press("u")
        await here.until(lambda: isinstance(here.app.screen, PullRequestForm))
        await here.press("enter")
        assert "ask for its merge into the origin's default branch?" in " ".join(here.text().split())
        await here.press("y")
        await here.until(lambda: len(here.engine.asked) == 2)
        asked = here.engine.asked[1]
        assert isinstance(asked, PullRequest)
        assert (asked.into, asked.title, asked.head) == ("", "Say what retries are", "b" * 40)
        assert "web-2" in asked.body


async def test_without_a_commit_there_is_nothing_to_accept() -> None:
    engine = SmallEngine(scenes.farm(), {}, lambda: scenes.NOW)
    engine.work[AGENT] = replace(WORK, commits=0)
    async with opened(engine=engine) as (here, screen):
        for key in ("a", "p", "u"):
            await here.press(key)
            assert here.screen(ReviewScreen) is screen
            assert "it has committed nothing yet" in here.said()


async def test_work_that_would_be_lost_is_dropped_by_its_name_alone() -> None:
    engine = SmallEngine(scenes.farm(), {}, lambda: scenes.NOW)
    async with opened(engine=engine) as (here, screen):
        await here.press("x")
        assert "has not ended" in here.said()
        engine.put(replace(engine.fleet.agents[AGENT], state=State.DONE, ended=scenes.NOW))
        await here.until(lambda: here.app.context.fleet.agents[AGENT].has_ended)
        engine.only_here = 3
        await here.press("x")
        await here.until(lambda: isinstance(here.app.screen, DropForm))
        await here.write("web")
        await here.press("enter")
        assert engine.asked == []
        await here.write("-2")
        await here.press("enter")
        await here.until(lambda: engine.asked == [DropWork(AGENT, 1, "web-2", "b" * 40)])
        await here.until(lambda: "web-2: dropped" in here.said())
        engine.only_here = 0
        await here.until(lambda: here.app.screen is screen)
        await here.press("x")
        await here.until(lambda: isinstance(here.app.screen, AskSheet))
        await here.press("y")
        await here.until(lambda: engine.asked[1:] == [DropWork(AGENT, 1, "", "b" * 40)])
