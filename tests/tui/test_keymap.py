"""Keys that the config changed: they do it, the old ones do not, and the screen names them wherever it names keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from controlroom.domain.display.layout import ScreenSettings
from controlroom.domain.intents import InterruptAgent
from controlroom.domain.keys.keymap import remapped
from controlroom.domain.model import Fleet
from controlroom.engine.config.screen_config import screen_settings
from controlroom.protocol.home import find_home
from controlroom.tui.run import keys_of
from controlroom.tui.screens.agent import AgentScreen
from controlroom.tui.screens.base import RoomScreen
from controlroom.tui.screens.dialogs import ConfirmSheet
from controlroom.tui.screens.hosts import HostsScreen
from controlroom.tui.screens.overview import Overview
from controlroom.tui.screens.palette import PaletteScreen
from tests.tui import scenes
from tests.tui.room import room

KEYS = remapped(
    {
        "kill": "}",
        "spawn": ["`", "|"],
        "open": "$",
        "message": "%",
        "allow": "^",
        "palette": ";",
        "help": "{",
        "back": "_",
        "hosts": "&",
        "host_add": "`",
        "down": ")",
        "page_down": "(",
        "interrupt": "",
    }
)


async def test_the_new_key_does_it_and_the_old_one_does_not() -> None:
    async with room(scenes.farm(), size=(200, 50), keys=KEYS) as here:
        await here.press("x")
        here.screen(Overview)
        await here.press("}")
        here.screen(ConfirmSheet)
        await here.press("q")
        await here.press(")", "$")
        assert here.screen(AgentScreen).agent_id == "vm2/infra"
        await here.press("q")
        here.screen(AgentScreen)
        await here.press("_")
        here.screen(Overview)
        await here.press("$", "backspace")
        here.screen(Overview)
        await here.press("&")
        here.screen(HostsScreen)


async def test_what_lost_its_key_is_done_from_the_palette() -> None:
    async with room(scenes.farm(), keys=KEYS) as here:
        here.screen(Overview).table.choose("vm2/api-3")
        await here.press("i")
        assert not here.engine.asked
        await here.press(";")
        here.screen(PaletteScreen)
        await here.write("interrupt")
        await here.press("enter")
        assert here.engine.asked == [InterruptAgent("vm2/api-3", 1)]


async def test_footer_question_palette_and_help_name_the_keys_that_hold() -> None:
    async with room(scenes.farm(), size=(200, 60), keys=KEYS) as here:
        text = here.text()
        assert "^ allow once" in text
        assert "% message" in text
        footer = text.splitlines()[-1]
        for words in ("` spawn", "$ open", "} kill", "; all", "{ help", "_ quit"):
            assert words in footer
        await here.press("{")
        shown = " ".join(here.text().split())
        assert "` | Start an agent" in shown
        assert "; interrupt Stop an agent's turn" in shown
        assert "add one with `." in shown
        await here.press("space")
        assert ") ↓ Next agent." in " ".join(here.text().split())
        await here.press("q", ";")
        await here.write("kill")
        assert any(line.split()[:3] == ["▌}", "kill", "End"] for line in here.text().splitlines())


async def test_explain_names_them_too() -> None:
    async with room(scenes.farm(), keys=KEYS) as here:
        await here.press("e")
        for _ in range(3):
            await here.press("space")
        assert "[key ^]" in " ".join(here.text().split())


async def test_empty_states_teach_the_keys_that_hold() -> None:
    async with room(Fleet(), keys=KEYS) as here:
        assert "Press & then ` to add one," in here.text()
        await here.press("&")
        assert "` adds one" in here.text()


async def test_no_motion_hides_an_action() -> None:
    async with room(scenes.farm(), keys=KEYS) as here:
        for keys in ([], ["$"], ["_", "&"]):
            await here.press(*keys)
            screen = here.screen(RoomScreen)
            taken = {key for motion in screen.motions() for key in motion.keys.split()}
            assert not taken & {key for action in screen.actions() for key in action.keys}, screen


async def test_every_motion_of_a_screen_stands_in_the_table() -> None:
    async with room(scenes.farm()) as here:
        for keys in ([], ["enter"], ["q", "h"]):
            await here.press(*keys)
            screen = here.screen(RoomScreen)
            known = {key for motion in KEYS.motions if motion.where == screen.where for key in motion.keys}
            known |= {
                key for motion in here.app.context.keys.motions if motion.where == screen.where for key in motion.keys
            }
            used = {key for motion in screen.motions() for key in motion.keys.split()}
            assert used - known <= {*"0123456789", "escape", "backspace"}, screen


# --------------------------------------------------------------------------- from the config


def read(tmp_path: Path, text: str) -> ScreenSettings:
    (tmp_path / "config.toml").write_text(text)
    return screen_settings(find_home({"CONTROLROOM_HOME": str(tmp_path)}))


def test_keys_and_theme_are_read_from_the_config(tmp_path: Path) -> None:
    settings = read(tmp_path, 'theme = "paper"\n[keys]\nkill = "}"\nspawn = ["`", "|"]\n')
    assert (settings.theme, settings.problem) == ("paper", "")
    keys, wrong = keys_of(settings)
    assert (keys["kill"].key, keys["spawn"].keys, wrong) == ("}", ("`", "|"), "")
    assert settings.themes == tmp_path / "themes"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("theme = 3", "theme: found 3, expected a name"),
        ("keys = 3", "keys: found 3, expected a table [keys]"),
        ("x = ", "is not TOML"),
    ],
)
def test_a_config_that_cannot_be_read_is_a_sentence(tmp_path: Path, text: str, told: str) -> None:
    settings = read(tmp_path, text)
    assert settings.problem.startswith(str(tmp_path / "config.toml"))
    assert told in settings.problem
    assert settings.theme == ""


def test_wrong_keys_leave_the_old_ones_and_a_sentence(tmp_path: Path) -> None:
    keys, wrong = keys_of(read(tmp_path, '[keys]\nkill = "F5"\n'))
    assert keys["kill"].key == "x"
    assert wrong.startswith(f"{tmp_path / 'config.toml'}: keys.kill: 'F5' cannot be typed on a phone")
    assert wrong.endswith("Until then all keys are what they were.")


def test_no_config_is_an_empty_one(tmp_path: Path) -> None:
    settings = screen_settings(find_home({"CONTROLROOM_HOME": str(tmp_path)}))
    assert (settings.theme, settings.keys, settings.problem) == ("", None, "")
