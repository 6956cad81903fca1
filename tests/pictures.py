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

from controlroom.domain.model import Fleet, State
from controlroom.fleet.client import Client
from controlroom.tui.app import ControlRoomApp, utc_now
from controlroom.tui.look import theme
from controlroom.tui.look.theme import Depth
from controlroom.tui.look.wardrobe import Wardrobe

SCREENSHOTS = Path(__file__).parent.parent / "screenshots"
_AGENTS = 14
_WANTED = {State.WAITING, State.WORKING, State.LIMITED, State.FAILED, State.IDLE, State.DONE}


@dataclass(frozen=True)
class Picture:
    """One picture: its file's name, its size in cells, the keys that lead there, its theme."""

    name: str
    size: tuple[int, int]
    keys: tuple[str, ...] = ()
    theme: str = theme.DEFAULT
    png: bool = False
    role: str = "tui"
    colours: Depth = Depth.MANY


PICTURES = (
    Picture("overview", (160, 42), png=True),
    Picture("overview-4k", (200, 50)),
    Picture("panes", (200, 50), ("g", "a", "6", "enter"), png=True),
    Picture("marked", (120, 36), ("asterisk", "x")),
    Picture("question", (120, 36), ("n", "enter")),
    Picture("hosts", (120, 30), ("h",)),
    Picture("costs", (120, 40), ("c",), png=True),
    Picture("costs-4k", (200, 50), ("c",)),
    Picture("spawn", (120, 36), ("s",)),
    Picture("help", (120, 40), ("question_mark",)),
    Picture("watch", (120, 36), role="watch"),
    Picture("phone", (45, 20), png=True),
    Picture("phone-question", (45, 20), ("n", "enter")),
    Picture("phone-pane", (45, 20), ("g", "j")),
    Picture("phone-costs", (45, 20), ("c",)),
    Picture("phone-limits", (45, 20), ("c", "l")),
    Picture("phone-tall", (60, 30)),
    Picture("themes", (120, 36), ("colon", *"theme", "enter", "j")),
    *(Picture(f"theme-{name}", (120, 36), theme=name) for name in theme.names()),
    Picture("no-colour", (120, 36), colours=Depth.NONE),
)


def main(argv: list[str]) -> None:
    """Make them all."""
    folder = Path(argv[0]) if argv else SCREENSHOTS
    folder.mkdir(exist_ok=True)
    with demo():
        asyncio.run(take(folder))
    for picture in PICTURES:
        path = folder / f"{picture.name}.svg"
        if picture.png and shutil.which("rsvg-convert"):
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
        playing.wait(30)


async def take(folder: Path) -> None:
    """Wait until every kind of state is there, then take each picture at that moment."""
    client = await Client.connect()
    async with asyncio.timeout(60):
        while _WANTED - _states(client.fleet):
            await client.changed()
    await client.close()
    moment = utc_now()
    for picture in PICTURES:
        svg = await drawn(picture, moment)
        (folder / f"{picture.name}.svg").write_text(svg)


def _states(fleet: Fleet) -> set[State]:
    return {agent.state for agent in fleet.agents.values()}


async def drawn(picture: Picture, moment: int) -> str:
    """Draw one picture as SVG."""

    async def connect(_start: bool) -> Client:
        return await Client.connect(start=False, role=picture.role)

    app = ControlRoomApp(
        connect,
        theme_file=theme.find(picture.theme),
        wardrobe=Wardrobe(None, picture.colours),
        now=lambda: moment,
        zone=timezone.utc,
    )
    async with app.run_test(size=picture.size) as pilot:
        await _settled(pilot, app)
        for key in picture.keys:
            await pilot.press(key)
            await _settled(pilot, app)
        return portable(app.export_screenshot(title=f"controlroom · {picture.size[0]}x{picture.size[1]}"))


async def _settled(pilot: Pilot[None], app: ControlRoomApp) -> None:
    """Wait until the fleet is there and its picture has been drawn."""
    async with asyncio.timeout(20):
        while not app.picture.fleet.agents:
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
