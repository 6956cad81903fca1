"""Output in colours of its own can be read on every theme, whatever colours those are."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.style import Style

from controlroom.domain.model import Fleet, State
from controlroom.text.event_text import LogRecord
from controlroom.tui.theme import theme, theme_file
from controlroom.tui.theme.colours import READABLE, Depth, contrast
from controlroom.tui.theme.theme import Palette, run_style
from tests.tui import scenes
from tests.tui.room import room
from tests.tui.tour import by_rich, by_sixteen

COLOURS = st.one_of(
    st.just(""),
    st.integers(0, 255).map(str),
    st.tuples(*[st.integers(0, 255)] * 3).map(lambda rgb: "#{:02x}{:02x}{:02x}".format(*rgb)),
)


@cache
def palette(name: str, depth: Depth) -> Palette:
    return theme.palette(theme_file.find(name), depth=depth)


@given(st.sampled_from(theme_file.names()), COLOURS, COLOURS, st.booleans(), st.booleans())
def test_whatever_is_asked_for_can_be_read(name: str, fg: str, bg: str, bold: bool, reverse: bool) -> None:
    for depth, rounds in ((Depth.MANY, (str, by_rich)), (Depth.SIXTEEN, (by_sixteen,))):
        made = palette(name, depth)
        for ground in (made.page, made.panel):
            style = ground + made.text + run_style(made, (fg, bg, bold, False, False, reverse), ground)
            assert style.color
            assert style.bgcolor
            text, under = style.color.get_truecolor().hex, style.bgcolor.get_truecolor().hex
            for rounded in rounds:
                assert contrast(rounded(text), rounded(under)) >= READABLE


def test_what_can_be_read_stays_as_it_was_asked_for() -> None:
    dusk = palette("dusk", Depth.MANY)
    style = run_style(dusk, ("#ffcc66", "", True, False, False, False), dusk.page)
    assert style == Style(color="#ffcc66", bold=True)


def test_without_colours_only_the_rest_is_left() -> None:
    bare = palette("dusk", Depth.NONE)
    assert run_style(bare, ("1", "4", True, False, True, True), bare.page) == Style(
        bold=True, underline=True, reverse=True
    )


@pytest.mark.parametrize("name", ["dusk", "paper"])
async def test_white_on_paper_and_black_on_dusk_are_seen(name: str) -> None:
    noisy = scenes.agent("noisy", "vm1", State.WORKING, 1, kind="command")
    fleet = Fleet("room", scenes.farm().hosts, {noisy.id: noisy})
    body = b"\x1b[38;2;255;255;255mwhite\x1b[0m \x1b[38;2;0;0;0mblack\x1b[0m \x1b[48;5;226myellow\x1b[0m"
    async with room(fleet, {(noisy.id, 1): [LogRecord(scenes.NOW, "o", body)]}, theme_name=name) as here:
        await here.until(lambda: "white black yellow" in here.text())
        shown = [segment for strip in here.strips() for segment in strip]
        for word in ("white", "black", "yellow"):
            style = next(segment.style for segment in shown if segment.text.strip() == word)
            assert style
            assert style.color
            assert style.bgcolor
            assert contrast(style.color.get_truecolor().hex, style.bgcolor.get_truecolor().hex) >= READABLE
