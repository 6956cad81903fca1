"""The tasks on the screen: what runs, waits and has ended, what can be done to it, the way to its agent and back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain.display.tasks import TaskRow, row
from controlroom.domain.intents import (
    AddTasks,
    DropTask,
    HoldQueue,
    HoldTask,
    MoveTask,
    ReleaseQueue,
    ReleaseTask,
    RetryTask,
)
from controlroom.domain.model import Fleet
from controlroom.domain.tasks import Task, TaskState, TaskWish
from controlroom.tui.screens.agent import AgentScreen
from controlroom.tui.screens.dialogs import ReportSheet
from controlroom.tui.screens.forms import TaskForm
from controlroom.tui.screens.overview import Overview
from controlroom.tui.screens.tasks import TasksScreen
from tests.tui import scenes
from tests.tui.engine import for_watchers
from tests.tui.room import Room, room
from tests.tui.storms import asked

EVERY_SIZE = pytest.mark.parametrize("size", [(45, 20), (80, 24), (120, 40), (200, 50)], ids=lambda s: f"{s[0]}x{s[1]}")


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
        await here.until(lambda: here.said() == "added to the queue")
        profile = "default" if "default" in here.engine.fleet.profiles else ""
        assert here.engine.asked == [AddTasks((TaskWish("fix the clock", profile=profile),))]
        assert "fix the clock" in here.text()


async def test_a_priority_that_is_no_number_is_not_sent() -> None:
    async with room(scenes.farm()) as here:
        await here.press("#", "a")
        await here.write("fix it")
        await here.press("up", "up")
        await here.write("x")
        await here.press("enter", "enter", "enter")
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
