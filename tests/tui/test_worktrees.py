"""The screen of worktrees: what they take, what would be lost, and that nothing is lost without its name typed."""

from __future__ import annotations

import pytest

from controlroom.domain.worktrees import DropWorktree, KeptWorktree
from controlroom.tui.screens.branch_forms import DropForm
from controlroom.tui.screens.worktrees import WorktreesScreen
from tests.tui import scenes
from tests.tui.room import Room, room

GIB = 1024**3
PUSHED = KeptWorktree(
    "vm1",
    "api-2.1",
    "api-2",
    "/w/api-2.1/shop",
    "agent/api-2.1",
    made=scenes.NOW,
    bytes=GIB,
    uncommitted=0,
    only_here=0,
)
LOOSE = KeptWorktree(
    "vm1", "docs-1.3", "docs-1", "/w/docs-1.3/shop", "agent/docs-1.3", "main", bytes=2 * GIB, uncommitted=2, only_here=1
)
BUSY = KeptWorktree(
    "vm2", "web-1.1", "web-1", "/w/web-1.1/shop", "agent/web-1.1", alive=True, bytes=GIB, uncommitted=0, only_here=0
)
EVERY_SIZE = pytest.mark.parametrize("size", [(40, 20), (80, 24), (160, 48)], ids=lambda s: f"{s[0]}x{s[1]}")


async def opened(here: Room) -> None:
    """Open it from the screen of hosts."""
    here.engine.worktrees = {"vm1": (PUSHED, LOOSE), "vm2": (BUSY,)}
    await here.press("h", "w")
    here.screen(WorktreesScreen)
    await here.until(lambda: "api-2.1" in here.text())


@EVERY_SIZE
async def test_what_each_takes_and_what_would_be_lost_is_on_show(size: tuple[int, int]) -> None:
    async with room(scenes.farm(), size=size) as here:
        await opened(here)
        assert "3 worktrees" in here.text()
        assert "4.0G" in here.text()
        assert "! vm1/docs-1.3" in here.text()
        assert "nothing: all of it is" in here.text()
        assert all(key in here.text().splitlines()[-1] for key in ("x drop", "r reload", "q back"))
        await here.press("j")
        await here.until(lambda: "2 files that no commit has" in " ".join(here.text().split()))


async def test_one_with_nothing_to_lose_is_dropped_after_a_question() -> None:
    async with room(scenes.farm()) as here:
        await opened(here)
        await here.press("x")
        await here.until(lambda: "Drop vm1/api-2.1 and its branch agent/api-2.1?" in here.text())
        assert here.engine.asked == []
        await here.press("y")
        await here.until(lambda: here.engine.asked == [DropWorktree("vm1/api-2.1")])


async def test_what_would_be_lost_wants_the_agents_name_and_what_is_in_use_stays() -> None:
    async with room(scenes.farm(), size=(45, 20)) as here:
        await opened(here)
        await here.press("j", "x")
        await here.until(lambda: isinstance(here.app.screen, DropForm))
        await here.press(*"docs-2", "enter")
        assert "type docs-1 to lose" in here.text()
        assert here.engine.asked == []
        await here.press("backspace", "1", "enter")
        await here.until(lambda: here.engine.asked == [DropWorktree("vm1/docs-1.3", "docs-1")])
        await here.press("j", "j", "x")
        await here.until(lambda: "web-1 works in it: kill it first" in " ".join(here.text().split()))
