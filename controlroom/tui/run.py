"""The way in and out: the app on this terminal, and the terminal as it was when the app is over, whatever ended it."""

import gc
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from rich.console import Console

from controlroom.domain.display.layout import ScreenSettings
from controlroom.domain.keys.keymap import DEFAULT, Keymap, KeyProblem, remapped
from controlroom.tui.app import FRAME, ControlRoomApp
from controlroom.tui.engine_client import Connect, Source
from controlroom.tui.terminal.bell import GIVE_BACK, KEEP_TITLE, Bell
from controlroom.tui.terminal.restore import Kept, Leaving
from controlroom.tui.theme import theme
from controlroom.tui.theme.colours import Depth
from controlroom.tui.theme.theme_file import ThemeError
from controlroom.tui.theme.theme_store import ThemeStore

if TYPE_CHECKING:
    from controlroom.client.transport import Transport

_USAGE = 2
_DUMB = (
    "this terminal can print lines and nothing more (TERM={}), and the screen needs one that can be drawn on; "
    "see: controlroom status. If it can, say what it is: TERM=xterm-256color controlroom"
)


def reaching(watching: bool, way: "Transport | None") -> Connect:
    """Make the function that connects to the engine of this room; `watching`: read-only."""

    async def reach_engine(start: bool) -> Source:
        """Load the client only now: a frame is painted."""
        from controlroom.client.client import Client

        return await Client.connect(start=start, role="watch" if watching else "tui", pace=FRAME, way=way)

    return reach_engine


def run(
    settings: ScreenSettings,
    watching: bool = False,
    theme_name: str = "",
    environment: Mapping[str, str] = os.environ,
    way: "Transport | None" = None,
) -> int:
    """Run the screen on this terminal; gives the exit code. What went wrong in it is raised here, after it is closed.

    `watching`: to look and nothing else, whatever is pressed. `way`: to the engine, where it is on another machine.

    `theme_name` comes from the command line; `CONTROLROOM_THEME` names a theme too, `CONTROLROOM_GLYPHS=ascii` asks
    for signs that every font has, `NO_COLOR` for no colours.
    """
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        return _complain("the screen needs a terminal; for scripts there is: controlroom status")
    depth = colours_of(environment)
    if depth is None:
        return _complain(_DUMB.format(environment.get("TERM", "")))
    themes = ThemeStore(settings, depth, glyphs_of(environment))
    try:
        file, trouble = (themes.find(theme_name), "") if theme_name else themes.first(environment)
    except ThemeError as error:
        return _complain(str(error))
    keys, wrong = keys_of(settings)
    themes.use(file)
    app = ControlRoomApp(
        reaching(watching, way),
        themes=themes,
        keys=keys,
        read_only=watching,
        hold_keys=True,
        bell=Bell() if settings.bell else None,
    )
    app.troubles = [words for words in (settings.problem, trouble, wrong) if words]
    with _own_title(settings.bell):
        code = show(app)
    for words in app.troubles:
        _complain(words)  # it stood on the screen for a moment only
    return code


@contextmanager
def _own_title(wanted: bool) -> Iterator[None]:
    """Put a title of ours on top of the terminal's own, and take it away in the end."""
    try:
        print(KEEP_TITLE * wanted, end="", flush=True)  # noqa: T201 - it is the terminal's, not a person's
        yield
    finally:
        with suppress(OSError):  # the terminal may be gone
            print(GIVE_BACK * wanted, end="", flush=True)  # noqa: T201


def show(app: ControlRoomApp) -> int:
    """Run an app on this terminal; gives the exit code, raises what went wrong in it."""
    kept = Kept()
    leaving, begun = Leaving(app, kept), app.on_start

    def begin() -> None:
        leaving.running()
        begun()

    app.on_start = begin
    gc.freeze()  # what was loaded stays: to look through it for garbage takes 20 ms each time
    gc.set_threshold(10_000)
    gc.enable()
    # A thread that still reads when the loop is over leaves something behind that nobody awaits, and nobody must read.
    warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
    try:
        app.run()
    except BaseException:
        kept.give_back()
        raise
    if app.mistake is not None:
        raise app.mistake
    return app.return_code or 0


def colours_of(environment: Mapping[str, str]) -> Depth | None:
    """With how many colours to draw on this terminal; None: it can only print lines.

    TERM and COLORTERM say it, as Rich 15 understands them; NO_COLOR (https://no-color.org) and a terminal that has
    fewer than eight colours mean none.
    """
    forced = environment.get("TEXTUAL_COLOR_SYSTEM", "auto")
    system = Console(force_terminal=True, color_system=forced, _environ=environment).color_system  # type: ignore[arg-type]
    if system is None:
        return None
    if environment.get("NO_COLOR") or (forced == "auto" and _has_no_colours(environment)):
        return Depth.NONE
    return Depth.SIXTEEN if system == "standard" else Depth.MANY


def _has_no_colours(environment: Mapping[str, str]) -> bool:
    """Ask terminfo, where there is one that knows the terminal: Rich takes every terminal for one of 16 colours."""
    try:
        import curses

        curses.setupterm(environment.get("TERM", ""), sys.__stdout__.fileno() if sys.__stdout__ else 1)
        return curses.tigetnum("colors") < 8 and not environment.get("COLORTERM")
    except (ImportError, OSError, ValueError):
        return False
    except curses.error:
        return False


def keys_of(settings: ScreenSettings) -> tuple[Keymap, str]:
    """The keys that hold, and what is wrong with those of the config, in a sentence."""
    try:
        return remapped(settings.keys or {}), ""
    except KeyProblem as problem:
        return DEFAULT, f"{settings.source}: {problem}. Until then all keys are what they were."


def glyphs_of(environment: Mapping[str, str]) -> theme.Glyphs:
    """Take the plain set where it is asked for, or where the terminal does not speak UTF-8."""
    asked = environment.get("CONTROLROOM_GLYPHS", "")
    speaks = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    return theme.PLAIN_GLYPHS if asked == "ascii" or not speaks else theme.RICH_GLYPHS


def _complain(sentence: str) -> int:
    sys.stderr.write(f"controlroom: {sentence}\n")
    return _USAGE
