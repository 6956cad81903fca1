"""The app on a real terminal, with an engine in its own process: what tests and benchmarks of bytes run on.

    python -m tests.tui.stage [crash | early | hung | late | stuck | thousand | watched]

Its clock stands at 14:32:00, so that no minute passes while somebody counts bytes.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from dataclasses import replace
from datetime import timezone

from textual import events

from controlroom.tui.app import ControlRoomApp
from controlroom.tui.run import colours_of, glyphs_of, show
from controlroom.tui.theme import theme
from controlroom.tui.theme.theme_store import ThemeStore
from tests.tui import scenes
from tests.tui.engine import SmallEngine


def main(how: str) -> int:
    """Show the farm; `crash`: make a mistake after the first picture; `late`: the engine is never there; `thousand`:
    a thousand agents on twenty hosts, fifty of which change ten times a second; `early`: be told to end while it
    starts; `stuck`: never come to the end of ending; `hung`: do nothing more after F9; `watched`: with budgets, limits,
    alarms and what was spent."""
    fleet = {"thousand": scenes.thousand, "watched": scenes.watched}.get(how, scenes.farm)()
    engine = SmallEngine(fleet, scenes.logs(fleet), lambda: scenes.NOW)
    engine.spent, engine.ran = scenes.spent(fleet), scenes.ran(fleet)
    if how == "late":
        engine.starting = asyncio.Event()
    app = Staged(engine, how, glyphs_of(os.environ))
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


class Staged(ControlRoomApp):
    """The app, with a mistake in it when that is wanted."""

    def __init__(self, engine: SmallEngine, how: str, glyphs: theme.Glyphs) -> None:
        depth = colours_of(os.environ)
        assert depth is not None
        themes = ThemeStore(None, depth, glyphs)
        file, _ = themes.first(os.environ)
        themes.use(file)
        super().__init__(
            engine.connect,
            themes=themes,
            now=lambda: scenes.NOW,
            zone=timezone.utc,
            hold_keys=True,
        )
        self._how = how
        if how == "thousand":
            self.on_start = lambda: self.work(restless(engine))

    def on_mount(self) -> None:
        if self._how == "early":
            os.kill(os.getpid(), signal.SIGTERM)
        if self._how == "crash":
            self.set_timer(0.3, self._mistake)

    def _mistake(self) -> None:
        secret = "sk-ant-a-secret-value"
        raise ZeroDivisionError(len(secret) // 0)

    async def _close_all(self) -> None:
        if self._how == "stuck":
            await asyncio.sleep(600)
        await super()._close_all()

    async def on_event(self, event: events.Event) -> None:
        if self._how == "hung" and isinstance(event, events.Key) and event.key == "f9":
            os.write(1, b"\x1b[H hung ")
            while True:
                time.sleep(0.1)  # noqa: ASYNC251 - that is the mistake
        await super().on_event(event)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
