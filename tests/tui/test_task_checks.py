"""The checks of a task in its form: read as a shell would, complained of where they cannot be, and sent."""

from __future__ import annotations

import pytest

from controlroom.domain.checks import Unreadable, read, written
from controlroom.domain.intents import AddTasks
from controlroom.text.checks import AS_PROFILE, CheckOrder
from controlroom.tui.screens.task_forms import TaskForm
from tests.tui import scenes
from tests.tui.room import Room, room

EVERY_SIZE = pytest.mark.parametrize("size", [(45, 20), (120, 40)], ids=lambda s: f"{s[0]}x{s[1]}")
ORDER = CheckOrder((("make", "lint"), ("sh", "-c", "a && it's")), 10.0, 2, clean=True, guarded=("tests/", "*.lock"))


@pytest.mark.parametrize("order", [AS_PROFILE, ORDER, AS_PROFILE._replace(attempts=0, minutes=0.5)])
def test_what_is_written_is_read_as_it_was(order: CheckOrder) -> None:
    assert read(written(order)) == order


@pytest.mark.parametrize(
    ("part", "text", "words"),
    [
        ("verify", "make 'test", "quotation mark"),
        ("minutes", "ten", "a number like 10"),
        ("attempts", "99", "from 0 to 20"),
    ],
)
def test_what_cannot_be_read_is_said(part: str, text: str, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        read({**written(AS_PROFILE), part: text})


async def up_to(here: Room, field: str) -> None:
    while getattr(here.app.focused and here.app.focused.parent, "name_of", "") != field:
        await here.press("up")


@EVERY_SIZE
async def test_they_are_filled_in_with_plain_keys(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        await here.press("#", "a")
        form = here.screen(TaskForm)
        await here.write("fix it")
        await up_to(here, "verify")
        await here.write("make lint && make test")
        await up_to(here, "attempts")
        await here.write("x")
        form.send()
        await here.until(lambda: "attempts are a whole number" in here.text())
        assert here.engine.asked == []
        await here.press("backspace")
        await here.write("2")
        await up_to(here, "guarded")
        await here.write("tests/ '*.lock'")
        form.send()
        await here.until(lambda: len(here.engine.asked) == 1)
        (added,) = here.engine.asked
        assert isinstance(added, AddTasks)
        commands = ("make", "lint"), ("make", "test")
        assert added.tasks[0].checks == AS_PROFILE._replace(commands=commands, attempts=2, guarded=("tests/", "*.lock"))
