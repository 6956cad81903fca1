"""What is drawn can be read: every cell of real screens, in every theme, in all colours, in 256 and in 16.

WCAG 2.2 level AA: text 4.5 to 1. Lines and bars are no text: the filled part of a bar must be seen (3 to 1), and the
lines that separate meanings must be there at all.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import cycle

import pytest
from rich.style import Style

from controlroom.domain.model import LinkState
from controlroom.tui.theme import theme_file
from controlroom.tui.theme.colours import READABLE, SEEN, SIXTEEN, Depth, contrast
from controlroom.tui.theme.theme_store import ThemeStore
from tests.tui import scenes
from tests.tui.room import Room, room
from tests.tui.tour import TOUR, Cell, by_rich, by_sixteen, cells, kind

NAMES = theme_file.names()
FAINT = 1.3
"""Contrast of a line that separates meanings, at least."""

Round = Callable[[str], str]


def as_it_is(colour: str) -> str:
    return colour


def by_tmux(colour: str) -> str:
    """What tmux 3.3a sends to a terminal of 256 colours when it was sent all of them (colour.c, colour_find_rgb)."""
    parts = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    cube = [(0, 95, 135, 175, 215, 255)[0 if v < 48 else 1 if v < 114 else (v - 35) // 40] for v in parts]
    average = sum(parts) // 3
    grey = 8 + 10 * (23 if average > 238 else max(0, (average - 3) // 10))
    apart = [sum((a - b) ** 2 for a, b in zip(parts, other, strict=True)) for other in (cube, [grey] * 3)]
    chosen = cube if apart[0] <= apart[1] else [grey] * 3
    return "#{:02x}{:02x}{:02x}".format(*chosen)


def bold_as_bright(colour: str) -> str:
    """What many terminals of 16 colours make of bold."""
    rounded = by_sixteen(colour)
    return SIXTEEN[SIXTEEN.index(rounded) % 8 + 8]


@asynccontextmanager
async def drawn(size: tuple[int, int]) -> AsyncIterator[Room]:
    """A farm with everything in it, hosts that are away too."""
    farm = scenes.watched()
    hosts = [
        replace(farm.hosts["vm2"], question=scenes.permission("host key", "SHA256:abc\nIs that its key?", id_="q-9")),
        scenes.host("away", 97, 7.9, link=LinkState.LOST, reason="no route to host"),
        scenes.host("new", 50, 4.0, link=LinkState.REFUSED, reason="wants a key that is not ours"),
    ]
    fleet = replace(farm, hosts={**farm.hosts, **{host.name: host for host in hosts}})
    async with room(fleet, scenes.logs(fleet), size, theme_store=ThemeStore()) as here:
        here.engine.spent, here.engine.ran = scenes.spent(fleet), scenes.ran(fleet)
        yield here


LEAST = {"text": READABLE, "bar": SEEN, "line": FAINT}


def hard(cell: Cell, rounded: Round) -> str:
    """Why a cell cannot be read, or nothing."""
    style = cell.style
    assert not style.dim, f"{cell.place}: {cell.text!r} is dim, which mosh drops"
    assert style.color, f"{cell.place}: {cell.text!r} has no colour"
    assert style.bgcolor, f"{cell.place}: {cell.text!r} has no ground"
    text, ground = (rounded(colour.get_truecolor().hex) for colour in (style.color, style.bgcolor))
    if style.reverse:
        text, ground = ground, text
    ratio, wanted = contrast(text, ground), LEAST[kind(cell.text[0])]
    return "" if ratio >= wanted else f"{cell.place}: {cell.text[:30]!r} {text} on {ground}: {ratio:.2f}"


Looks = dict[tuple[str, Style], Cell]


async def look(here: Room, name: str) -> dict[Depth, Looks]:
    """Go everywhere and take down what stands there, each look once: in many colours, and in sixteen."""
    seen: dict[Depth, Looks] = {Depth.SIXTEEN: {}, Depth.MANY: {}}
    for place, keys in TOUR:
        here.clock.pass_(1)
        await here.pilot.press(*keys)
        await here.settle()
        for depth, looks in seen.items():
            here.app.context.themes.depth = depth
            here.app.use_theme(theme_file.find(name))
            await here.settle()
            for cell in cells(here, place):
                looks.setdefault((kind(cell.text[0]), cell.style), cell)
    return seen


EACH = [*zip(NAMES, cycle([(120, 40), (45, 20), (200, 50)]), strict=False)]


@pytest.mark.parametrize(
    ("name", "size"), [*EACH[:2], *(pytest.param(*each, marks=pytest.mark.long) for each in EACH[2:])]
)
async def test_every_cell_can_be_read(name: str, size: tuple[int, int]) -> None:
    async with drawn(size) as here:
        seen = await look(here, name)
    many, sixteen = seen[Depth.MANY].values(), seen[Depth.SIXTEEN].values()
    assert len(many) > 25, "the tour has seen something"
    wrong = [
        f"{rounded.__name__} {why}"
        for rounded in (as_it_is, by_rich, by_tmux)
        for cell in many
        if (why := hard(cell, rounded))
    ]
    wrong += [f"by_sixteen {why}" for cell in sixteen if (why := hard(cell, by_sixteen))]
    wrong += [
        f"bold as bright {cell.place}: {cell.text!r}"
        for cell in sixteen
        if cell.style.bold and kind(cell.text[0]) == "text" and bright(cell) < READABLE
    ]
    assert not wrong, "\n".join(wrong)


def bright(cell: Cell) -> float:
    assert cell.style.color
    assert cell.style.bgcolor
    ground = by_sixteen(cell.style.bgcolor.get_truecolor().hex)
    text = cell.style.color.get_truecolor().hex
    return contrast(text if cell.style.reverse else bold_as_bright(text), ground)


def test_what_cannot_be_read_is_found() -> None:
    grey = Cell("word", Style.parse("#777777 on #000000"), "here")
    assert not hard(grey, as_it_is)
    assert "3.66" in hard(replace(grey, style=Style.parse("#666666 on #000000")), as_it_is)
    assert by_tmux("#11161d") == "#121212"
    assert by_rich("#000000") == "#000000"
