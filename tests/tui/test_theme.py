"""Themes are data that can be read: in 16 million colours, in 256, and told apart in 16."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.color import Color, ColorSystem

from controlroom.domain.loglines import KINDS
from controlroom.domain.model import LinkState, State
from controlroom.tui import theme
from controlroom.tui.run import theme_folders

NAMES = theme.names()


def luminance(colour: Color) -> float:
    parts = [part / 255 for part in colour.get_truecolor()]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Color, other: Color) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def read_on(file: theme.ThemeFile) -> list[tuple[str, str, str]]:
    """Every text colour with every ground it may stand on."""
    texts = {name: file.colours[name] for name in ("text", "strong", "quiet", "accent")} | dict(file.alarms)
    found = [(name, colour, ground) for name, colour in texts.items() for ground in ("background", "panel", "chosen")]
    found += [(f"log.{name}", colour, "background") for name, colour in file.log.items()]
    return found + [(f"terminal {at}", colour, "background") for at, colour in enumerate(file.terminal)]


def test_there_is_a_dark_one_and_a_light_one() -> None:
    assert {theme.find(name).dark for name in NAMES} == {True, False}
    assert theme.DEFAULT in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_text_can_be_read_on_its_ground(name: str) -> None:
    file = theme.find(name)
    for what, colour, ground in read_on(file):
        ratio = contrast(Color.parse(colour), Color.parse(file.colours[ground]))
        assert ratio >= 4.5, f"{what} on {ground}: {ratio:.1f}"


@pytest.mark.parametrize("name", NAMES)
def test_every_text_can_be_read_in_256_colours(name: str) -> None:
    file = theme.find(name)
    for what, colour, ground in read_on(file):
        shown, on = (Color.parse(c).downgrade(ColorSystem.EIGHT_BIT) for c in (colour, file.colours[ground]))
        assert contrast(shown, on) >= 4.0, f"{what} on {ground}: {contrast(shown, on):.1f}"


@pytest.mark.parametrize("name", NAMES)
def test_no_text_vanishes_in_16_colours(name: str) -> None:
    file = theme.find(name)
    for what, colour, ground in read_on(file):
        if ground == "background":
            shown, on = (Color.parse(c).downgrade(ColorSystem.STANDARD) for c in (colour, file.colours[ground]))
            assert shown.number != on.number, what


@pytest.mark.parametrize("name", NAMES)
def test_there_is_a_style_for_everything(name: str) -> None:
    made = theme.palette(theme.find(name))
    assert set(made.states) == set(State)
    assert set(made.links) == set(LinkState)
    assert set(made.kinds) == set(KINDS)
    assert not any(style.dim for style in (*made.states.values(), *made.kinds.values(), made.quiet, made.rule))


@pytest.mark.parametrize("glyphs", [theme.RICH_GLYPHS, theme.PLAIN_GLYPHS])
def test_every_state_has_a_sign_of_one_cell(glyphs: theme.Glyphs) -> None:
    from rich.cells import cell_len

    assert set(glyphs.states) == set(State)
    assert set(glyphs.links) == set(LinkState)
    assert all(cell_len(sign) == 1 for sign in (*glyphs.states.values(), *glyphs.links.values()))


def whole() -> str:
    return (theme.folder() / f"{theme.DEFAULT}.toml").read_text()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name = ", "cannot be read as a theme"),
        ("name = 'x'", "the table [colours] is missing"),
        (whole().replace('"#f2837b"', '"red"'), 'alarms.danger must be a colour like "#7fb4e6", not'),
        (whole().replace("[terminal]", "[terminals]"), "terminal.colours must be a list of 16 colours"),
    ],
)
def test_a_wrong_file_gets_one_clear_message(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(theme.ThemeError) as caught:
        theme.find("mine", tmp_path)
    assert str(tmp_path / "mine.toml") in str(caught.value)
    assert told in str(caught.value)


def test_an_unknown_theme_names_those_there_are() -> None:
    with pytest.raises(theme.ThemeError, match="there is no theme 'nope'; there are dusk, paper"):
        theme.find("nope")


def test_a_theme_of_ones_own_lies_beside_the_config(tmp_path: Path) -> None:
    [folder] = theme_folders({"CONTROLROOM_HOME": str(tmp_path)})
    folder.mkdir()
    (folder / "mine.toml").write_text(whole().replace('"#7fb4e6"      #', '"#ffffff"      #'))
    assert theme.find("mine", folder).colours["accent"] == "#ffffff"
