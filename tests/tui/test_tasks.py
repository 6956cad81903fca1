"""The tasks on the screen: what runs, waits and has ended, what can be done to it, the way to its agent and back."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from controlroom.domain.claims import digest
from controlroom.domain.display.tasks import TaskRow, attempt_words, row
from controlroom.domain.intents import (
    AddTasks,
    DropTask,
    EditTask,
    HoldQueue,
    HoldTask,
    MoveTask,
    ReleaseQueue,
    ReleaseTask,
    RetryTask,
)
from controlroom.domain.keys.many import held_or_released, task_plan
from controlroom.domain.model import Fleet
from controlroom.domain.preconditions import Refusal
from controlroom.domain.queue.edits import stepped
from controlroom.domain.tasks import AttemptEnd, Task, TaskChange, TaskState, TaskWish
from controlroom.protocol.messages import TaskText
from controlroom.tui.screens.agent import AgentScreen
from controlroom.tui.screens.dialogs import ReportSheet
from controlroom.tui.screens.many import ListSheet
from controlroom.tui.screens.overview import Overview
from controlroom.tui.screens.task_forms import AttemptSheet, EditForm, TaskForm
from controlroom.tui.screens.tasks import TasksScreen
from controlroom.tui.terminal.editor import Problem, in_editor
from tests.tui import scenes
from tests.tui.engine import for_watchers
from tests.tui.room import Room, at_sizes, room
from tests.tui.storms import asked

EVERY_SIZE = at_sizes((45, 20), (80, 24), (120, 40), (200, 50))


def chosen(here: Room, task: str) -> TasksScreen:
    screen = here.screen(TasksScreen)
    screen.turn_to(task)
    return screen


@EVERY_SIZE
async def test_tasks_stand_in_their_order_and_say_why_they_wait(size: tuple[int, int]) -> None:
    async with room(scenes.with_tasks(), size=size) as here:
        await here.press("#")
        rows = [row.id for row in here.screen(TasksScreen).table.rows]
        assert rows == ["t4", "t3", "t5", "t6", "t7", "t8", "t2", "t1"]
        chosen(here, "t5")
        await here.settle()
        text = " ".join(here.text().split())
        assert "vm1 has 210M left to give, an agent needs 400M" in text
        assert "vm2 cannot be reached" in text
        assert "priority 5 · profile default" in text
        assert "controlroom task" not in text


async def test_a_wide_table_has_every_figure() -> None:
    async with room(scenes.with_tasks(), size=(200, 50)) as here:
        await here.press("#")
        lines = here.text().splitlines()
        row = next(line for line in lines if " t2 " in line)
        assert row.split()[:7] == ["✗", "t2", "failed", "9m", "0", "1", "$0.12"]
        running = next(line for line in lines if " t3 " in line)
        assert "api-3: › Bash pytest -q tests/api" in " ".join(running.split())


@EVERY_SIZE
async def test_without_a_task_the_screen_says_what_to_do(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        assert "queue" not in here.text()
        await here.press("#")
        assert "No tasks yet." in here.text()
        assert "a adds one" in here.text()
        await here.press("x")
        assert here.said() == "there is no task"


@EVERY_SIZE
async def test_a_task_is_added_with_plain_keys(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        await here.press("#", "a")
        here.screen(TaskForm)
        await here.press("enter")
        assert here.engine.asked == []
        await here.write("fix the clock")
        await here.press("enter")
        await here.until(lambda: here.said() == "1 task added")
        profile = "default" if "default" in here.engine.fleet.profiles else ""
        assert here.engine.asked == [AddTasks((TaskWish("fix the clock", profile=profile),))]
        assert "fix the clock" in here.text()


async def test_a_priority_that_is_no_number_is_not_sent() -> None:
    async with room(scenes.farm()) as here:
        await here.press("#", "a")
        await here.write("fix it")
        await here.press("up")
        await here.write("x")
        await here.press("enter", "enter")
        assert "a priority is a whole number" in here.text()
        assert here.engine.asked == []


async def test_keys_hold_release_move_retry_and_drop() -> None:
    async with room(scenes.with_tasks()) as here:
        await here.press("#")
        chosen(here, "t6")
        await here.press("h")
        await here.until(lambda: here.said() == "t6 is held")
        assert "h release" in here.text().splitlines()[-1]
        await here.press("h")
        await here.until(lambda: here.said() == "t6 may start")
        await here.press("f")
        await here.until(lambda: here.said() == "t6 is the first of priority 0")
        chosen(here, "t2")
        await here.press("r")
        await here.until(lambda: here.said() == "t2 is tried again")
        await here.press("x")
        assert "Drop t2?" in here.text()
        assert DropTask("t2") not in here.engine.asked
        await asked(here)
        await here.press("y")
        await here.until(lambda: here.engine.fleet.tasks["t2"].state is TaskState.DROPPED)
        orders = [HoldTask("t6"), ReleaseTask("t6"), MoveTask("t6", first=True), RetryTask("t2"), DropTask("t2")]
        assert here.engine.asked == orders


async def test_what_cannot_be_done_is_said_before_it_is_ordered() -> None:
    async with room(scenes.with_tasks()) as here:
        await here.press("#")
        chosen(here, "t3")
        await here.press("h")
        assert here.said() == "t3 is running: only one that waits can be held"
        await here.press("x")
        assert "t3 is being done by vm2/api-3" in here.said()
        await here.press("r")
        assert "only one that has ended can be tried again" in here.said()
        assert here.engine.asked == []


async def test_the_queue_is_held_and_released_with_one_key() -> None:
    async with room(scenes.with_tasks()) as here:
        await here.press("#", "p")
        await here.until(lambda: "the queue is held by ann" in here.text())
        assert "p release all" in here.text().splitlines()[-1]
        await here.press("p")
        await here.until(lambda: here.engine.fleet.queue.hold is None)
        assert here.engine.asked == [HoldQueue(), ReleaseQueue()]


async def test_enter_leads_to_its_agent_and_the_same_key_back() -> None:
    async with room(scenes.with_tasks()) as here:
        await here.press("#")
        screen = chosen(here, "t3")
        await here.press("enter")
        assert here.screen(AgentScreen).agent_id == "vm2/api-3"
        await here.press("#")
        assert here.app.screen is screen
        assert screen.task_here() == "t3"
        await here.press("q")
        here.screen(Overview)


async def test_from_an_agent_to_its_task() -> None:
    async with room(scenes.with_tasks()) as here:
        here.screen(Overview).table.choose("vm1/web-2")
        await here.press("#")
        assert here.screen(TasksScreen).task_here() == "t4"


@EVERY_SIZE
async def test_a_task_without_an_agent_opens_with_its_whole_text(size: tuple[int, int]) -> None:
    async with room(scenes.with_tasks(), size=size) as here:
        here.engine.task_texts["t7"] = "Write the release notes\n\nAll of them, since 2.3."
        await here.press("#")
        chosen(here, "t7")
        await here.press("enter")
        await here.until(lambda: "All of them, since 2.3." in here.text())
        assert "comes after t5, t6" in " ".join(here.text().split())
        here.screen(ReportSheet)


async def test_a_watcher_sees_tasks_and_changes_nothing() -> None:
    async with room(Fleet(), engine=for_watchers(scenes.with_tasks())) as here:
        await here.press("#")
        chosen(here, "t6")
        footer = here.text().splitlines()[-1]
        assert not any(word in footer for word in (" add ", " hold ", " drop ", " first "))
        await here.press("a", "h", "f", "x", "p")
        assert "read-only" in here.said()
        assert here.engine.asked == []


@EVERY_SIZE
async def test_the_first_screen_says_how_many_wait_and_why(size: tuple[int, int]) -> None:
    async with room(scenes.with_tasks(), size=size) as here:
        assert "queue: 3 waiting, 2 running" in here.text()
        if size[0] >= 100:
            assert "8 of at most 8 agents are at work" in here.text()
        await here.pilot.click("#queue", offset=(3, 0))
        await here.settle()
        here.screen(TasksScreen)


@EVERY_SIZE
async def test_rows_can_be_tapped(size: tuple[int, int]) -> None:
    async with room(scenes.with_tasks(), size=size) as here:
        await here.press("#")
        table = here.screen(TasksScreen).table
        above = len(table.begin(*table.size))
        await here.pilot.click("#tasks", offset=(5, above + 1))
        await here.settle()
        assert table.chosen == "t3"
        await here.pilot.click("#tasks", offset=(5, above + 1))
        await here.settle()
        assert here.screen(AgentScreen).agent_id == "vm2/api-3"


async def test_the_cursor_stays_with_its_task_when_others_start() -> None:
    async with room(scenes.with_tasks()) as here:
        await here.press("#", "j", "j", "j")
        assert here.screen(TasksScreen).task_here() == "t6"
        tasks = here.engine.fleet.tasks
        here.engine.put_tasks(replace(tasks["t5"], state=TaskState.DROPPED))
        await here.until(lambda: here.screen(TasksScreen).table.rows[2].id == "t6")
        assert here.screen(TasksScreen).task_here() == "t6"


async def test_two_hundred_tasks_on_a_phone() -> None:
    tasks = {f"t{n}": scenes.task(n, f"Task number {n}", TaskState.WAITING) for n in range(1, 201)}
    fleet: Fleet = replace(scenes.farm(), tasks=tasks)
    async with room(fleet, size=(45, 20)) as here:
        await here.press("#", "j", "j")
        assert here.screen(TasksScreen).task_here() == "t3"
        assert "more" in here.text()
        await here.press("h")
        await here.until(lambda: here.engine.asked == [HoldTask("t3")])


@pytest.mark.parametrize("size", [(45, 20), (120, 40)], ids=lambda s: f"{s[0]}x{s[1]}")
async def test_an_agent_says_which_task_it_carries_out(size: tuple[int, int]) -> None:
    async with room(scenes.with_tasks(), size=size) as here:
        here.screen(Overview).table.choose("vm1/web-2")
        await here.press("enter")
        assert "task  t4 # · Work on web-2" in here.text()
        await here.press("e")
        assert "t4, which is running, attempt 1" in " ".join(here.text().split())


async def test_the_palette_finds_tasks_by_their_words_and_the_screen_by_others() -> None:
    async with room(scenes.with_tasks()) as here:
        await here.press(":")
        await here.write("release notes")
        await here.press("enter")
        assert here.screen(TasksScreen).task_here() == "t7"
        await here.press("q", ":")
        await here.write("backlog")
        await here.press("enter")
        here.screen(TasksScreen)


async def test_of_thousands_of_tasks_only_those_on_show_are_put_into_words(monkeypatch: pytest.MonkeyPatch) -> None:
    from controlroom.tui.screens import tasks as shown

    worded: list[str] = []

    def noted(fleet: Fleet, task: Task, now: int) -> TaskRow:
        worded.append(task.id)
        return row(fleet, task, now)

    monkeypatch.setattr(shown, "task_row", noted)
    some = {f"t{number}": Task(number, f"task {number}", TaskState.WAITING, 1, 1) for number in range(1, 3_001)}
    async with room(replace(scenes.farm(), tasks=some), size=(120, 40)) as here:
        await here.press("#", "j", "j")
        await here.until(lambda: "task 1 " in here.text())
        assert len(here.screen(TasksScreen).table.rows) == 3_000
        assert 0 < len(set(worded)) <= 40


async def test_a_tasks_row_follows_what_its_agent_says() -> None:
    async with room(scenes.with_tasks(), size=(200, 50)) as here:
        await here.press("#")
        running = next(task for task in here.engine.fleet.tasks.values() if task.state is TaskState.RUNNING)
        assert running.last is not None
        agent = here.engine.fleet.agents[running.last.id]
        here.engine.put(replace(agent, last_line="now it does something else"))
        await here.until(lambda: "now it does something else" in here.text())


SIZES = pytest.mark.parametrize("size", [(45, 20), (120, 40)], ids=lambda s: f"{s[0]}x{s[1]}")


@SIZES
async def test_a_task_is_changed_in_a_form_and_only_what_is_another_is_sent(size: tuple[int, int]) -> None:
    async with room(scenes.with_tasks(), size=size) as here:
        here.engine.task_texts["t6"] = "Which dependencies need an update?\nAll of them."
        await here.press("#")
        chosen(here, "t6")
        await here.press("m")
        await here.until(lambda: isinstance(here.app.screen, EditForm))
        await here.settle()
        assert "All of them." in here.text()
        await here.press("enter")
        assert "nothing has changed" in here.text()
        await here.write(" Now")
        await here.press("up", "up")  # a line of the text, then the field above it
        await here.write("2")
        await here.press("enter", "enter")
        await here.until(lambda: here.said() == "t6 is changed")
        text = "Which dependencies need an update?\nAll of them. Now"
        was = TaskChange(priority=0), digest("Which dependencies need an update?\nAll of them.")
        assert here.engine.asked == [EditTask("t6", TaskChange(priority=2, body=text), *was)]


HOSTILE = "one\r\ntwo\x0cthree\u2028four\n\x1b]52;c;aGk=\x07 five\x9b31m \u202esix \ud800"


async def test_no_escape_sequence_in_the_text_of_a_task_reaches_the_terminal_and_none_is_lost() -> None:
    """The text may be of an issue that anybody wrote."""
    async with room(scenes.with_tasks()) as here:
        here.engine.task_texts["t6"] = HOSTILE
        await here.press("#")
        chosen(here, "t6")
        for key in ("enter", "m"):
            await here.press(key)
            await here.until(lambda: "five" in here.text())
            drawn = here.text()
            assert [sign for sign in drawn if sign in "\x07\x1b\x9b\u202e\ud800"] == []
            if key == "enter":
                await here.press("q")
        await here.press("enter")
        assert "nothing has changed" in here.text()
        await here.press("up", "up", "up")  # the first line of the text, then the field above it
        await here.write("2")
        await here.press("enter", "enter")
        await here.until(lambda: here.said() == "t6 is changed")
        assert here.engine.asked == [EditTask("t6", TaskChange(priority=2), TaskChange(priority=0))]


class Slow:
    """Has the text of t6 come late, as over a slow link."""

    def __init__(self, here: Room, monkeypatch: pytest.MonkeyPatch) -> None:
        self.here, self.comes = here, asyncio.Event()
        here.engine.task_texts["t6"] = "text "
        source = here.app.context.source
        assert source is not None
        told = source.task_text

        async def late(task: str) -> TaskText:
            await self.comes.wait()
            return await told(task)

        monkeypatch.setattr(source, "task_text", late)

    async def forms(self) -> list[EditForm]:
        """The forms that are open once it has come."""
        self.comes.set()
        await self.here.settle()
        return [screen for screen in self.here.app.screen_stack if isinstance(screen, EditForm)]


async def test_what_is_typed_before_a_form_comes_is_for_the_form(monkeypatch: pytest.MonkeyPatch) -> None:
    async with room(scenes.with_tasks()) as here:
        slow = Slow(here, monkeypatch)
        await here.press("#")
        chosen(here, "t6")
        await here.press("m", "x", "y", "q", "h", "m")
        assert here.engine.asked == []
        assert len(await slow.forms()) == 1
        await here.until(lambda: "text xyqhm" in here.text())
        assert here.engine.asked == []


@pytest.mark.parametrize("key", ["escape", "backspace"])
async def test_a_form_that_is_still_to_come_can_be_left(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with room(scenes.with_tasks()) as here:
        slow = Slow(here, monkeypatch)
        await here.press("#")
        chosen(here, "t6")
        await here.press("m", "x", key, "j")
        assert await slow.forms() == []
        assert here.screen(TasksScreen).task_here() != "t6", "keys are keys again"
        assert here.engine.asked == []


async def test_what_was_typed_before_a_form_that_never_comes_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with room(scenes.with_tasks()) as here:
        slow = Slow(here, monkeypatch)
        del here.engine.task_texts["t6"]
        await here.press("#")
        chosen(here, "t6")
        await here.press("m", "x", "y", "h")
        assert await slow.forms() == []
        assert "cannot be read" in here.said()
        assert here.screen(TasksScreen).task_here() == "t6"
        await here.press("j")
        assert here.screen(TasksScreen).task_here() != "t6"
        assert here.engine.asked == []


def test_an_editor_that_changes_nothing_changes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VISUAL", "true")
    assert in_editor(HOSTILE, "t6") == HOSTILE
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    assert isinstance(in_editor("text", "t6"), Problem)


async def test_a_task_that_runs_is_not_edited_and_one_whose_text_cannot_be_read_stays() -> None:
    async with room(scenes.with_tasks()) as here:
        await here.press("#")
        chosen(here, "t3")
        await here.press("m")
        assert here.said() == "t3 is running: only one that waits or is held can be edited"
        chosen(here, "t6")
        await here.press("m")
        await here.until(lambda: here.said() == "the text of t6 cannot be read: not read")


async def test_tasks_are_moved_up_and_down_among_those_on_show() -> None:
    async with room(scenes.with_tasks()) as here:
        await here.press("#")
        chosen(here, "t7")
        await here.press("u")
        await here.until(lambda: here.said() == "t7 starts sooner")
        assert here.screen(TasksScreen).ids[2:5] == ["t5", "t7", "t6"]
        await here.press("u")
        await here.until(lambda: here.screen(TasksScreen).ids[2:5] == ["t7", "t5", "t6"])
        assert here.engine.fleet.tasks["t7"].priority == 5
        await here.press("u")
        assert here.said() == "t7 is the first that waits"
        await here.press("d", "d")
        await here.until(lambda: here.screen(TasksScreen).ids[2:5] == ["t5", "t6", "t7"])
        await here.press("o", "d")
        assert here.said() == "sort them by turn first: o"


def test_one_that_has_waited_longer_is_not_said_to_be_passed() -> None:
    fleet = scenes.with_tasks()
    old = replace(fleet.tasks["t6"], added=scenes.NOW - 180 * scenes.MINUTE)
    fleet = replace(fleet, tasks={**fleet.tasks, "t6": old, "t5": replace(fleet.tasks["t5"], priority=0)})
    with pytest.raises(Refusal, match="t6 has waited longer"):
        stepped(fleet, fleet.tasks["t7"], -1, ["t6", "t7"], scenes.NOW)


@EVERY_SIZE
async def test_marked_tasks_are_held_together_after_a_list(size: tuple[int, int]) -> None:
    async with room(scenes.with_tasks(), size=size) as here:
        await here.press("#")
        chosen(here, "t5")
        await here.press("space", "space", "h")
        here.screen(ListSheet)
        assert "Hold 2 tasks?" in here.text()
        assert all(name in here.text() for name in ("t5", "t6"))
        await asked(here)
        await here.press("2", "enter")
        await here.until(lambda: here.said() == "2 held")
        assert here.engine.asked == [HoldTask("t5"), HoldTask("t6")]
        assert here.screen(TasksScreen).marked() == []


async def test_what_cannot_be_done_to_a_marked_task_is_named_and_left_out() -> None:
    fleet = scenes.with_tasks()
    todo = task_plan(fleet, ["t3", "t8", "t7"], "task_hold")
    assert [target.subject.id for target in todo.targets] == ["t7"]
    assert [(task.id, why) for task, why in todo.left_out] == [
        ("t3", "t3 is running: only one that waits can be held"),
        ("t8", "t8 is held already"),
    ]
    assert held_or_released(fleet, ["t3", "t8"]) == "task_release"
    assert [target.intent for target in task_plan(fleet, ["t8"], "task_release").targets] == [ReleaseTask("t8")]


@SIZES
async def test_marked_tasks_get_one_priority(size: tuple[int, int]) -> None:
    async with room(scenes.with_tasks(), size=size) as here:
        await here.press("#")
        chosen(here, "t6")
        await here.press("space", "space", "w")
        assert "priority of t6, t7" in here.text()
        await here.press("backspace")
        await here.write("7")
        await here.press("enter")
        await here.until(lambda: here.said() == "2 changed")
        edits = [edit for edit in here.engine.asked if isinstance(edit, EditTask)]
        assert [(edit.task, edit.change) for edit in edits] == [(name, TaskChange(priority=7)) for name in ("t6", "t7")]
        assert all(edit.was is not None for edit in edits), "an edit is bound to what was shown"
        chosen(here, "t8")
        await here.press("w", "backspace")
        await here.write("-1")
        await here.press("enter")
        await here.until(lambda: here.said() == "t8 has priority -1")


@EVERY_SIZE
async def test_a_filter_leaves_the_tasks_that_fit_and_takes_no_key_to_others(size: tuple[int, int]) -> None:
    async with room(scenes.with_tasks(), size=size) as here:
        await here.press("#")
        chosen(here, "t7")
        await here.press("space", "/")
        await here.write("state:waiting -release")
        await here.press("enter")
        screen = here.screen(TasksScreen)
        assert screen.ids == ["t5", "t6"]
        assert "marks out of sight: t7" in here.text()
        await here.press("h")
        await here.until(lambda: here.engine.asked == [HoldTask("t5")])
        await here.press("q")
        assert len(screen.ids) == 8
        await here.press("q")
        assert screen.table.marks.names == frozenset()
        await here.press("/")
        await here.write("host:vm1 state:ended")
        assert screen.ids == ["t2"]


async def test_tasks_are_sorted_and_the_order_is_remembered() -> None:
    async with room(scenes.with_tasks()) as here:
        await here.press("#", "o")
        screen = here.screen(TasksScreen)
        assert screen.ids[0] == "t5"
        assert "sort: priority" in here.text()
        await here.press("o", "o")
        assert screen.ids[:2] == ["t1", "t2"]
        await here.press("q", "#")
        assert "sort: cost" in here.text()


async def test_the_log_of_an_ended_attempt_opens_where_that_began() -> None:
    fleet = scenes.with_tasks()
    agent = fleet.agents["vm1/seed-9"]
    tried = scenes.attempt(agent, AttemptEnd.FAILED, reason="exit 1", spent=120_000)
    again = replace(tried, epoch=agent.epoch + 1, end=AttemptEnd.OPEN, ended=0)
    there = replace(agent, epoch=agent.epoch + 1)
    both = replace(fleet.tasks["t2"], attempts=(tried, again))
    fleet = replace(fleet, tasks={**fleet.tasks, "t2": both}, agents={**fleet.agents, agent.id: there})
    async with room(fleet) as here:
        for run, text in ((agent.epoch, "the first try"), (agent.epoch + 1, "the second try")):
            here.engine.logs[agent.id, run] = [scenes.said(f"{text}, line {n}.", scenes.NOW) for n in range(400)]
        await here.press("#")
        chosen(here, "t2")
        await here.press("l")
        here.screen(AttemptSheet)
        assert attempt_words(tried, scenes.NOW).partition(", ")[2] in " ".join(here.text().split())
        assert "$0.12" in here.text()
        await here.press("2")
        here.screen(AgentScreen)
        await here.until(lambda: "the first try, line 0." in here.text())
        await here.press("q", "l", "1", "l")
        await here.until(lambda: "the second try, line 399." in here.text())
        await here.press("q")
        chosen(here, "t5")
        await here.press("l")
        assert here.said() == "t5 was not tried yet: there is no log"


@pytest.mark.parametrize("size", [(200, 50), (120, 40)], ids=lambda s: f"{s[0]}x{s[1]}")
async def test_a_wide_screen_shows_the_log_of_the_chosen_tasks_agent(size: tuple[int, int]) -> None:
    fleet = scenes.with_tasks()
    async with room(fleet, size=size) as here:
        epoch = fleet.agents["vm2/api-3"].epoch
        here.engine.logs["vm2/api-3", epoch] = [scenes.said("It paginates by cursor now.", scenes.NOW)]
        await here.press("#")
        chosen(here, "t5")
        await here.settle()
        assert "paginates" not in here.text()
        chosen(here, "t3")
        await here.until(lambda: "It paginates by cursor now." in here.text())
        assert "api-3 · vm2" in here.text()
        if size[0] == 200:
            row = next(line for line in here.text().splitlines() if " t3 " in line)
            assert row.split()[7:9] == ["default", "vm2"]
