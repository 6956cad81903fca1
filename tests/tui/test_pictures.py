"""A few pictures, nailed down: size, theme, clock. What is said on them is tested elsewhere; here is how it looks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timezone
from typing import Protocol

import pytest
from textual.pilot import Pilot

from controlroom.domain.model import Fleet
from controlroom.domain.tasks import Halt
from controlroom.tui.app import ControlRoomApp
from controlroom.tui.theme import theme, theme_file
from controlroom.tui.theme.colours import Depth
from controlroom.tui.theme.theme_store import ThemeStore
from tests.lab.waiting import wait_for_async
from tests.tui import scenes
from tests.tui.engine import SmallEngine
from tests.tui.room import Clock, logs_read


class Compare(Protocol):
    def __call__(
        self,
        app: ControlRoomApp,
        *,
        terminal_size: tuple[int, int],
        run_before: Callable[[Pilot[None]], Awaitable[None]],
    ) -> bool: ...


SIZES = pytest.mark.parametrize("size", [(200, 50), (120, 40), (80, 24), (45, 20)], ids=lambda it: f"{it[0]}x{it[1]}")
KEYS = {"overview": (), "question": ("enter",), "hosts": ("h",), "costs": ("c",)}
"""How one comes to each of the main screens."""


def farm(
    name: str = theme_file.DEFAULT,
    glyphs: theme.Glyphs = theme.RICH_GLYPHS,
    depth: Depth = Depth.MANY,
    money: bool = False,
    fleet: Fleet | None = None,
) -> ControlRoomApp:
    fleet, clock = fleet or (scenes.watched() if money else scenes.farm()), Clock()
    engine = SmallEngine(fleet, scenes.logs(fleet), clock)
    engine.spent, engine.ran = scenes.spent(fleet), scenes.ran(fleet)
    themes = ThemeStore(None, depth, glyphs)
    themes.use(themes.find(name))
    return ControlRoomApp(
        engine.connect,
        themes=themes,
        now=clock,
        monotonic=clock.monotonic,
        zone=timezone.utc,
    )


def pressing(*keys: str) -> Callable[[Pilot[None]], Awaitable[None]]:
    async def before(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, ControlRoomApp)
        await wait_for_async(lambda: app.context.view.known and app.context.source is not None)
        await pilot.pause()
        await pilot.press(*keys)
        await wait_for_async(lambda: logs_read(app), what="the log")
        await pilot.pause()

    return before


@SIZES
def test_overview(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(farm(), terminal_size=size, run_before=pressing())


def test_overview_in_plain_signs(snap_compare: Compare) -> None:
    assert snap_compare(farm(glyphs=theme.PLAIN_GLYPHS), terminal_size=(200, 50), run_before=pressing())


def test_agent(snap_compare: Compare) -> None:
    assert snap_compare(farm(), terminal_size=(120, 40), run_before=pressing("j", "j", "enter"))


@SIZES
def test_question(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(farm(), terminal_size=size, run_before=pressing("enter"))


@SIZES
def test_hosts(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(farm(), terminal_size=size, run_before=pressing("h"))


@SIZES
def test_costs(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(farm(money=True), terminal_size=size, run_before=pressing("c"))


@pytest.mark.parametrize("size", [(120, 40), (45, 20)], ids=lambda it: f"{it[0]}x{it[1]}")
@pytest.mark.parametrize("halted", [False, True], ids=["tasks", "halted"])
def test_tasks(snap_compare: Compare, size: tuple[int, int], halted: bool) -> None:
    fleet = scenes.with_tasks()
    if halted:
        halt = Halt("bob", scenes.NOW - 3 * scenes.MINUTE, "the deploy broke")
        fleet = replace(fleet, queue=replace(fleet.queue, halt=halt))
    assert snap_compare(farm(fleet=fleet), terminal_size=size, run_before=pressing("#", "j", "j"))


@pytest.mark.parametrize("screen", KEYS)
@pytest.mark.parametrize("look", ["paper", "mono"])
def test_in_another_look(snap_compare: Compare, look: str, screen: str) -> None:
    depth = Depth.NONE if look == "mono" else Depth.MANY
    app = farm("dusk" if look == "mono" else look, depth=depth, money=True)
    assert snap_compare(app, terminal_size=(120, 40), run_before=pressing(*KEYS[screen]))


@pytest.mark.parametrize("look", ["paper", "mono"])
def test_a_phone_in_another_look(snap_compare: Compare, look: str) -> None:
    depth = Depth.NONE if look == "mono" else Depth.MANY
    app = farm("dusk" if look == "mono" else look, depth=depth, money=True)
    assert snap_compare(app, terminal_size=(45, 20), run_before=pressing())


def test_spawn_form_on_a_phone(snap_compare: Compare) -> None:
    assert snap_compare(farm(), terminal_size=(45, 20), run_before=pressing("s"))


def test_kill_asks(snap_compare: Compare) -> None:
    assert snap_compare(farm(), terminal_size=(120, 40), run_before=pressing("x"))
