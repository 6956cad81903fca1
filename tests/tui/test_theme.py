"""Theme files: what they must say, what is told about a wrong one, where they lie; and which one is in use."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import tomllib

from controlroom.domain.display.layout import ScreenSettings
from controlroom.domain.display.loglines import KINDS
from controlroom.domain.model import LinkState, State
from controlroom.tui.theme import theme, theme_file
from controlroom.tui.theme.colours import Depth
from controlroom.tui.theme.theme_store import ThemeStore

NAMES = theme_file.names()
ROOT = Path(__file__).parent.parent.parent


def settings(tmp_path: Path, configured: str = "") -> ScreenSettings:
    return ScreenSettings(tmp_path / "themes", tmp_path / "screen.json", configured)


def test_there_is_one_for_everybody() -> None:
    assert {"dusk", "paper", "contrast", "clear", "sixteen"} <= set(NAMES)
    assert {theme_file.find(name).dark for name in NAMES} == {True, False}


def test_a_wheel_takes_them_along() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    taken = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert taken["themes"] == "controlroom/themes", "theme_file.folder() looks there"
    assert theme_file.folder() == ROOT / "themes"


@pytest.mark.parametrize("depth", Depth)
@pytest.mark.parametrize("name", NAMES)
def test_there_is_a_style_for_everything(name: str, depth: Depth) -> None:
    made = theme.palette(theme_file.find(name), depth=depth)
    assert set(made.states) == set(State)
    assert set(made.links) == set(LinkState)
    assert set(made.kinds) == set(KINDS)
    styles = (*made.states.values(), *made.kinds.values(), made.quiet, made.rule, made.text, made.page, made.chosen)
    assert not any(style.dim for style in styles)
    assert any(style.color for style in styles) is (depth is not Depth.NONE)


@pytest.mark.parametrize("glyphs", [theme.RICH_GLYPHS, theme.PLAIN_GLYPHS])
def test_every_state_has_a_sign_of_one_cell(glyphs: theme.Glyphs) -> None:
    from rich.cells import cell_len

    assert set(glyphs.states) == set(State)
    assert set(glyphs.links) == set(LinkState)
    assert all(cell_len(sign) == 1 for sign in (*glyphs.states.values(), *glyphs.links.values()))


def whole() -> str:
    return (theme_file.folder() / f"{theme_file.DEFAULT}.toml").read_text()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name = ", "is not TOML"),
        ("title = 'x'", 'the table [colours] is missing; with like = "dusk" it is taken from there'),
        ("titel = 'x'", "titel is not a setting of a theme: did you mean title?"),
        ("colours = 3", "colours: found 3, expected a table [colours]"),
        ("like = 'nope'", "like: found 'nope', expected one of"),
        ("like = 'dusk'\ntitle = 3", "title: found 3, expected a text"),
        ("like = 'dusk'\ndark = 'yes'", "dark: found 'yes', expected true or false"),
        (
            "like = 'dusk'\n[alarms]\ndangr = 1",
            "alarms.dangr is not a setting of a theme: did you mean danger?",
        ),
        ("like = 'dusk'\n[terminal]\ncolours = ['#ff0000']", "terminal.colours: found a list of 1, expected a list"),
        (whole().replace('"#f2837b"', '"red"'), "alarms.danger: found 'red', expected a colour like"),
        (whole().replace('danger = "', 'warm = "'), "alarms.warm is not a setting of a theme: did you mean warn?"),
        (whole().replace('danger = "#f2837b"', ""), "alarms.danger is missing: expected a colour like"),
        (whole().replace("[terminal]", "[terminals]"), "terminals is not a setting of a theme"),
        ("\x00", "is not TOML"),
        ("x" * 70_000, "65536 bytes are the most"),
    ],
)
def test_a_wrong_file_gets_one_clear_message(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(theme_file.ThemeError) as caught:
        theme_file.find("mine", tmp_path)
    assert str(caught.value).startswith(str(tmp_path / "mine.toml"))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_text_gets_one_too(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"title = '\xff'")
    with pytest.raises(theme_file.ThemeError, match="byte 9 is not UTF-8"):
        theme_file.find("mine", tmp_path)


def test_an_unknown_theme_names_those_there_are() -> None:
    with pytest.raises(theme_file.ThemeError, match=r"there is no theme 'papre'.*mean paper.* there are .*dusk.*paper"):
        theme_file.find("papre")


def test_a_theme_of_ones_own_says_what_is_other_than_in_one_of_ours(tmp_path: Path) -> None:
    wanted = settings(tmp_path)
    wanted.themes.mkdir()
    (wanted.themes / "mine.toml").write_text('like = "paper"\ntitle = "Mine"\n[colours]\naccent = "#AA0055"\n')
    mine = ThemeStore(wanted).find("mine")
    assert (mine.title, mine.dark, mine.colours["accent"]) == ("Mine", False, "#aa0055")
    assert mine.alarms == theme_file.find("paper").alarms
    assert "mine" in ThemeStore(wanted).names()


@pytest.mark.parametrize("name", NAMES)
def test_all_of_ours_can_be_read(name: str) -> None:
    assert theme_file.hard_to_read(theme_file.find(name)) == ""


def test_what_can_hardly_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('like = "dusk"\n[colours]\nquiet = "#606870"\n')
    told = theme_file.hard_to_read(theme_file.find("mine", tmp_path))
    assert told == "hard to read: quiet on chosen (2.2) and 2 more"


# --------------------------------------------------------------------------- which one is in use


def test_the_first_that_is_named_is_worn(tmp_path: Path) -> None:
    bare, configured = ThemeStore(settings(tmp_path)), ThemeStore(settings(tmp_path, "paper"))
    assert bare.first({})[0].name == "dusk"
    assert configured.first({})[0].name == "paper"
    assert configured.keep("clear")
    assert configured.first({})[0].name == "clear"
    assert configured.first({"CONTROLROOM_THEME": "contrast"})[0].name == "contrast"


def test_what_was_chosen_holds_until_the_config_says_another(tmp_path: Path) -> None:
    assert ThemeStore(settings(tmp_path, "paper")).keep("clear")
    assert ThemeStore(settings(tmp_path, "paper")).first({})[0].name == "clear"
    assert ThemeStore(settings(tmp_path, "contrast")).first({})[0].name == "contrast"
    assert (tmp_path / "screen.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "[]", "{", '{"theme": 3}', '{"theme": {"name": "gone", "instead_of": ""}}'])
def test_a_memory_that_cannot_be_used_is_forgotten(tmp_path: Path, text: str) -> None:
    (tmp_path / "screen.json").write_text(text)
    assert ThemeStore(settings(tmp_path)).first({})[0].name == "dusk"
    assert ThemeStore(settings(tmp_path)).keep("paper")
    assert json.loads((tmp_path / "screen.json").read_text())["theme"]["name"] == "paper"


def test_a_wrong_theme_leaves_the_default_and_a_sentence(tmp_path: Path) -> None:
    file, trouble = ThemeStore(settings(tmp_path, "nope")).first({})
    assert file.name == "dusk"
    assert trouble.startswith("there is no theme 'nope'")
    assert trouble.endswith("Until then it is drawn as dusk.")


def test_a_poor_terminal_gets_the_poor_theme_unless_one_is_named(tmp_path: Path) -> None:
    assert ThemeStore(settings(tmp_path), Depth.SIXTEEN).first({})[0].name == "sixteen"
    assert ThemeStore(settings(tmp_path, "paper"), Depth.SIXTEEN).first({})[0].name == "paper"


@pytest.mark.parametrize(
    ("environment", "depth"),
    [
        ({"TERM": "xterm-256color"}, Depth.MANY),
        ({"TERM": "tmux-256color"}, Depth.MANY),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, Depth.MANY),
        ({"TERM": "xterm-16color"}, Depth.SIXTEEN),
        ({"TERM": "linux"}, Depth.SIXTEEN),
        ({"TERM": "screen"}, Depth.SIXTEEN),
        ({"TERM": "vt100"}, Depth.NONE),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, Depth.NONE),
        ({"TERM": "xterm-256color", "NO_COLOR": ""}, Depth.MANY),
        ({"TERM": "dumb"}, None),
        ({"TERM": "vt100", "TEXTUAL_COLOR_SYSTEM": "256"}, Depth.MANY),
    ],
)
def test_the_terminal_says_how_many_colours_it_has(environment: dict[str, str], depth: Depth | None) -> None:
    """In a process of its own: terminfo is read once in each."""
    code = "import json, sys; from controlroom.tui.run import colours_of; print(colours_of(json.loads(sys.argv[1])))"
    argv = [sys.executable, "-c", code, json.dumps(environment)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == str(depth)
