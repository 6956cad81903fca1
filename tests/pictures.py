"""Makes screenshots/ from the demo: real engine, node, runners and files, drawn by the real screen without a terminal.

    python -m tests.pictures [FOLDER]

The clock stands still while a picture is taken, and pictures of one run show one moment. PNG files need rsvg-convert
(Debian: librsvg2-bin).
"""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timezone
from pathlib import Path

from textual.pilot import Pilot

from controlroom.client.client import Client
from controlroom.domain.model import Fleet, State
from controlroom.tui.app import ControlRoomApp, utc_now
from controlroom.tui.screens.review import ReviewScreen
from controlroom.tui.theme import theme_file
from controlroom.tui.theme.colours import Depth
from controlroom.tui.theme.theme_store import ThemeStore

SCREENSHOTS = Path(__file__).parent.parent / "screenshots"
_AGENTS = 14
_WANTED = {State.WAITING, State.WORKING, State.LIMITED, State.FAILED, State.IDLE, State.DONE}


@dataclass(frozen=True)
class ViewState:
    """One picture: its file's name, its size in cells, the keys that lead there, its theme."""

    name: str
    size: tuple[int, int]
    keys: tuple[str, ...] = ()
    theme: str = theme_file.DEFAULT
    png: bool = False
    role: str = "tui"
    colours: Depth = Depth.MANY


SAID = tuple("space" if sign == " " else sign for sign in "Say that it counts from the first try.")
"""A comment in a review."""

CRAWLER = ("slash", *"crawl-1", "enter")
"""Finds an agent that the demo's script has started."""

PICTURES = (
    ViewState("overview", (160, 42), png=True),
    ViewState("overview-4k", (200, 50)),
    ViewState("panes", (200, 50), ("g", "a", "6", "enter"), png=True),
    ViewState("marked", (120, 36), ("asterisk", "x")),
    ViewState("question", (120, 36), ("n", "enter")),
    ViewState("rule", (120, 36), ("exclamation_mark", "ampersand")),
    ViewState("hosts", (120, 30), ("h",)),
    ViewState("costs", (120, 40), ("c",), png=True),
    ViewState("costs-4k", (200, 50), ("c",)),
    ViewState("tasks", (160, 42), ("number_sign",)),
    ViewState("review", (160, 42), ("plus", "enter", *"jjjjj", "c", *SAID, "enter")),
    ViewState("spawn", (120, 36), ("s",)),
    ViewState("adopt", (120, 36), (*CRAWLER, "tilde", "6")),
    ViewState("help", (120, 40), ("question_mark",)),
    ViewState("watch", (120, 36), role="watch"),
    ViewState("phone", (45, 20), png=True),
    ViewState("phone-question", (45, 20), ("n", "enter")),
    ViewState("phone-adopt", (45, 20), (*CRAWLER, "tilde", "6")),
    ViewState("phone-pane", (45, 20), ("g", "j")),
    ViewState("phone-costs", (45, 20), ("c",)),
    ViewState("phone-limits", (45, 20), ("c", "l")),
    ViewState("phone-tasks", (45, 20), ("number_sign",)),
    ViewState("phone-review", (45, 20), ("plus", "enter", *"jjjj")),
    ViewState("phone-tall", (60, 30)),
    ViewState("themes", (120, 36), ("colon", *"theme", "enter", "j")),
    *(ViewState(f"theme-{name}", (120, 36), theme=name) for name in theme_file.names()),
    ViewState("no-colour", (120, 36), colours=Depth.NONE),
)


def main(argv: list[str]) -> None:
    """Make them all."""
    folder = Path(argv[0]) if argv else SCREENSHOTS
    folder.mkdir(exist_ok=True)
    with demo():
        asyncio.run(take(folder))
    for view in PICTURES:
        path = folder / f"{view.name}.svg"
        if view.png and shutil.which("rsvg-convert"):
            subprocess.run(["rsvg-convert", "-o", path.with_suffix(".png"), path], check=True)
        print(path.name, file=sys.stderr)


@contextmanager
def demo() -> Iterator[None]:
    """Play the demo without its screen; this process's environment leads to its room."""
    words = [sys.executable, "-m", "controlroom", "demo", "--hold", "--agents", str(_AGENTS)]
    playing = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert playing.stdout
        name, _, folder = playing.stdout.readline().strip().partition("=")
        os.environ[name] = folder
        yield
    finally:
        playing.send_signal(signal.SIGINT)
        playing.wait(60)


async def take(folder: Path) -> None:
    """Wait until every kind of state is there, then take each picture at that moment."""
    client = await Client.connect()
    async with asyncio.timeout(60):
        while _WANTED - _states(client.fleet):
            await client.changed()
    await client.close()
    moment = utc_now()
    for view in PICTURES:
        svg = await drawn(view, moment)
        (folder / f"{view.name}.svg").write_text(svg)


def _states(fleet: Fleet) -> set[State]:
    return {agent.state for agent in fleet.agents.values()}


async def drawn(view: ViewState, moment: int) -> str:
    """Draw one picture as SVG."""

    async def connect(_start: bool) -> Client:
        return await Client.connect(start=False, role=view.role)

    themes = ThemeStore(None, view.colours)
    themes.use(themes.find(view.theme))
    app = ControlRoomApp(
        connect,
        themes=themes,
        now=lambda: moment,
        zone=timezone.utc,
    )
    async with app.run_test(size=view.size) as pilot:
        await _settled(pilot, app)
        for key in view.keys:
            await pilot.press(key)
            await _settled(pilot, app)
        return portable(app.export_screenshot(title=f"controlroom · {view.size[0]}x{view.size[1]}"))


async def _settled(pilot: Pilot[None], app: ControlRoomApp) -> None:
    """Wait until the fleet is there and its picture has been drawn."""
    async with asyncio.timeout(60):
        while not app.context.view.fleet.agents:
            await pilot.pause(0.05)
        while isinstance(app.screen, ReviewScreen) and app.screen.changes is None:
            await pilot.pause(0.05)
    for _ in range(10):
        await pilot.pause(0.05)


_CELL = 12.2
"""Width of a cell in an exported picture."""
_SPACE = "&#160;"
_TEXT = re.compile(rf'(<text[^>]*? x=")([0-9.]+)("[^>]*? textLength=")([0-9.]+)("[^>]*>)((?:{_SPACE})+)')


def portable(svg: str) -> str:
    """Make a picture that every viewer draws alike: no font from elsewhere, no text that begins with spaces."""
    svg = re.sub(r"@font-face\s*\{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace("font-family: Fira Code, monospace", 'font-family: "DejaVu Sans Mono", "Menlo", monospace')
    return _TEXT.sub(_moved, svg)


def _moved(match: re.Match[str]) -> str:
    """Some renderers drop spaces at the beginning of a text: let it begin behind them."""
    shift = _CELL * (len(match[6]) // len(_SPACE))
    x, length = float(match[2]) + shift, max(0.0, float(match[4]) - shift)
    return f"{match[1]}{x:.1f}{match[3]}{length:.1f}{match[5]}"


if __name__ == "__main__":
    main(sys.argv[1:])
