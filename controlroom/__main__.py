"""The only place that knows every floor: it hands what it starts to the command line."""

import gc
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from controlroom.cli import output
from controlroom.cli.entry_points import AtBoot, EntryPoints, FirstRun
from controlroom.cli.exits import Exit, Stop
from controlroom.cli.run import main as run

if TYPE_CHECKING:
    from pathlib import Path

    from controlroom.client.transport import Transport
    from controlroom.domain.calculators.estimate import Wish
    from controlroom.protocol.messages import Estimated


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line (without the program's name); give its exit code."""
    if argv is None:  # a process of its own: what a verb loads stays, and it mostly ends before there is garbage
        gc.set_threshold(20_000)
    entry_points = EntryPoints(_screen, _engine, _demo, _reports, _at_boot, _first_run, _bridge, _mcp, _estimate)
    return run(sys.argv[1:] if argv is None else argv, entry_points)


def _screen(watching: bool, theme: str) -> int:
    gc.disable()  # what is loaded now stays, and the first frame waits for it; `show` enables it again
    from controlroom.engine.config.screen_config import screen_settings
    from controlroom.protocol.home import find_home
    from controlroom.tui.run import run as run_screen

    way = _way(watching) if output.is_terminal(sys.stdout) else None
    return run_screen(screen_settings(find_home(os.environ)), watching, theme, way=way)


def _way(watching: bool) -> "Transport | None":
    """Where the engine is on another machine: connect before the screen is drawn, as ssh may have something to ask."""
    from controlroom.protocol.home import HomeProblem, engine_place, find_home

    try:
        if not (place := engine_place(find_home(os.environ), os.environ)):
            return None
    except HomeProblem as problem:
        raise Stop(Exit.NO_ENGINE, str(problem)) from None
    from controlroom.client.remote import Away, parsed
    from controlroom.client.transport import EngineUnavailable

    try:
        address = parsed(place)
        output.talk(f"connecting to {address}…")
        way = Away(address, ask=True)
        way.dial_ahead(watching=watching)
    except EngineUnavailable as problem:
        raise Stop(Exit.NO_ENGINE, str(problem)) from None
    return way


def _bridge(*, read_only: bool, start: bool) -> int:
    from controlroom.client.bridge import run as run_bridge

    return run_bridge(read_only=read_only, start=start)


def _engine() -> int:
    gc.disable()  # what is loaded now stays; the engine enables it once it listens
    from controlroom.engine.main import run as run_engine

    return run_engine()


def _demo(agents: int, hold: bool) -> int:
    from controlroom.cli.stage import direct
    from controlroom.demo.play import NoDemo, play
    from controlroom.protocol.home import find_home

    def namespace_of(folder: str) -> str:
        return find_home({"CONTROLROOM_HOME": folder}).namespace

    try:
        return play(agents, hold, direct, namespace_of)
    except NoDemo as problem:
        raise Stop(Exit.REFUSED, str(problem)) from None


def _reports() -> "Path":
    from controlroom.protocol.home import find_home

    return find_home(os.environ).state_folder


def _at_boot() -> AtBoot:
    from controlroom.client.boot_service import AtBoot
    from controlroom.protocol.home import find_home

    return AtBoot(find_home(os.environ), os.environ)


def _first_run() -> "FirstRun":
    from pathlib import Path

    from controlroom.engine.config.first_run import FirstRun
    from controlroom.protocol.home import find_home

    return FirstRun(find_home(os.environ), Path.home())


def _mcp(token_file: str) -> int:
    from controlroom.mcp.session import NoToken, read_token

    try:
        token = read_token(token_file)
    except NoToken as problem:
        raise Stop(Exit.USAGE, str(problem)) from None
    try:
        from controlroom.mcp.serve import run as run_mcp
    except ModuleNotFoundError as missing:
        raise Stop(Exit.REFUSED, f"this needs {missing.name}: pip install 'controlroom[mcp]'") from None
    return run_mcp(token, output.talk)


def _estimate(wish: "Wish") -> "Estimated":
    from controlroom.engine.budgets.advisor import offline

    return offline(wish)


if __name__ == "__main__":
    sys.exit(main())
