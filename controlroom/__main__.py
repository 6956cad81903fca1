"""The only place that knows every floor: it hands what it starts to the command line."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from controlroom.cli import output
from controlroom.cli.exits import Exit, Stop
from controlroom.cli.run import main as run
from controlroom.cli.starters import AtBoot, Beginnings, Starters

if TYPE_CHECKING:
    from pathlib import Path

    from controlroom.fleet.attaching.reach_engine import Way


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line (without the program's name); give its exit code."""
    starters = Starters(_screen, _engine, _demo, _reports, _at_boot, _beginnings, _bridge)
    return run(sys.argv[1:] if argv is None else argv, starters)


def _screen(watching: bool, theme: str) -> int:
    from controlroom.fleet.configuration.screen_config import screen_settings
    from controlroom.fleet.home import find_home
    from controlroom.tui.run import run as run_screen

    way = _way(watching) if output.is_terminal(sys.stdout) else None
    return run_screen(screen_settings(find_home(os.environ)), watching, theme, way=way)


def _way(watching: bool) -> "Way | None":
    """Where the engine is on another machine: connect before the screen is drawn, as ssh may have something to ask."""
    from controlroom.fleet.home import HomeProblem, engine_place, find_home

    try:
        if not (place := engine_place(find_home(os.environ), os.environ)):
            return None
    except HomeProblem as problem:
        raise Stop(Exit.NO_ENGINE, str(problem)) from None
    from controlroom.fleet.attaching.away import Away, parsed
    from controlroom.fleet.attaching.reach_engine import EngineUnavailable

    try:
        address = parsed(place)
        output.talk(f"connecting to {address}…")
        way = Away(address, ask=True)
        way.dial_ahead(watching=watching)
    except EngineUnavailable as problem:
        raise Stop(Exit.NO_ENGINE, str(problem)) from None
    return way


def _bridge(*, read_only: bool, start: bool) -> int:
    from controlroom.fleet.attaching.bridge import run as run_bridge

    return run_bridge(read_only=read_only, start=start)


def _engine() -> int:
    from controlroom.fleet.engine_main import run as run_engine

    return run_engine()


def _demo(agents: int, hold: bool) -> int:
    from controlroom.cli.stage import direct
    from controlroom.demo.play import NoDemo, play
    from controlroom.fleet.home import find_home

    def namespace_of(folder: str) -> str:
        return find_home({"CONTROLROOM_HOME": folder}).namespace

    try:
        return play(agents, hold, direct, namespace_of)
    except NoDemo as problem:
        raise Stop(Exit.REFUSED, str(problem)) from None


def _reports() -> "Path":
    from controlroom.fleet.home import find_home

    return find_home(os.environ).state_folder


def _at_boot() -> AtBoot:
    from controlroom.fleet.attaching.at_boot import AtBoot
    from controlroom.fleet.home import find_home

    return AtBoot(find_home(os.environ), os.environ)


def _beginnings() -> "Beginnings":
    from pathlib import Path

    from controlroom.fleet.configuration.beginnings import Beginnings
    from controlroom.fleet.home import find_home

    return Beginnings(find_home(os.environ), Path.home())


if __name__ == "__main__":
    sys.exit(main())
