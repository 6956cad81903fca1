"""The app on a real terminal, with an engine in its own process: what tests and benchmarks of bytes run on.

    python -m tests.tui.stage [crash | late | thousand]

Its clock stands at 14:32:00, so that no minute passes while somebody counts bytes.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from datetime import timezone

from controlroom.tui import theme
from controlroom.tui.app import ControlRoomApp
from controlroom.tui.run import _glyphs, colours_of, show
from controlroom.tui.wardrobe import Wardrobe
from tests.tui import scenes
from tests.tui.engine import SmallEngine


def main(how: str) -> int:
    """Show the farm; `crash`: make a mistake after the first picture; `late`: the engine is never there; `thousand`:
    a thousand agents on twenty hosts, fifty of which change ten times a second."""
    fleet = scenes.thousand() if how == "thousand" else scenes.farm()
    engine = SmallEngine(fleet, scenes.logs(fleet), lambda: scenes.NOW)
    if how == "late":
        engine.starting = asyncio.Event()
    app = Crashing(engine, how == "crash", _glyphs(os.environ))
    if how == "thousand":
        app.on_start = lambda: app.work(restless(engine))
    try:
        return show(app)
    except ZeroDivisionError as mistake:
        sys.stderr.write(f"one sentence: {type(mistake).__name__}\n")
        return 70


async def restless(engine: SmallEngine) -> None:
    """Let agents speak, for ever."""
    said = 0
    while True:
        await asyncio.sleep(0.1)
        ids = list(engine.fleet.agents)
        loud = [engine.fleet.agents[ids[(said + step) % len(ids)]] for step in range(50)]
        said += 50
        engine.put(*(replace(agent, last_line=f"line {said}", cpu_percent=float(said % 90)) for agent in loud))


class Crashing(ControlRoomApp):
    """The app, with a mistake in it when that is wanted."""

    def __init__(self, engine: SmallEngine, crash: bool, glyphs: theme.Glyphs) -> None:
        depth = colours_of(os.environ)
        assert depth is not None
        wardrobe = Wardrobe(None, depth)
        file, _ = wardrobe.first(os.environ)
        super().__init__(
            engine.connect,
            theme_file=file,
            wardrobe=wardrobe,
            glyphs=glyphs,
            now=lambda: scenes.NOW,
            zone=timezone.utc,
            hold_keys=True,
        )
        self._crash = crash

    def on_mount(self) -> None:
        if self._crash:
            self.set_timer(0.3, self._mistake)

    def _mistake(self) -> None:
        secret = "sk-ant-a-secret-value"
        raise ZeroDivisionError(len(secret) // 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
