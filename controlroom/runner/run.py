"""Starts the runner from any folder: `python3 -I -S …/controlroom/runner/run.py FOLDER`, without site and its paths."""

import gc
import importlib
import os
import sys
from collections.abc import Callable

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def _at_once(path: str, flags: int) -> int:
    """Open a file without waiting, whatever an agent put in its place."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW)


def _largest(place: str) -> str:
    """The largest file that a run needs: loaded first, what compiling it takes is free for the rest (0.3 to 0.9 MB).

    By how its order reads; a wrong guess costs memory and nothing else.
    """
    try:
        with open(os.path.join(place, "spec.json"), "rb", 0, opener=_at_once) as spec:
            interactive = b'"interactive"' in (spec.read(1 << 16) or b"")
    except OSError:
        interactive = False
    return "controlroom.runner.claude.dialogs" if interactive else "controlroom.runner.claude.channel"


def _load() -> Callable[[str], int]:
    """Load all that a run needs. What the first run compiled is there for all others."""
    importlib.import_module(_largest(sys.argv[1] if sys.argv[1:] else ""))
    main: Callable[[str], int] = importlib.import_module("controlroom.runner.main").main
    return main


def _load_from_sources() -> Callable[[str], int]:
    """Load all of it anew, and nothing that was compiled before."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "controlroom"]:
        del sys.modules[name]
    sys.dont_write_bytecode, sys.pycache_prefix = True, os.devnull
    return _load()


if __name__ == "__main__":
    gc.disable()  # what is loaded now stays
    try:
        run = _load()
    except (EOFError, ValueError, TypeError):  # a full disk or a power cut has left half of a compiled file
        run = _load_from_sources()
    gc.enable()
    sys.exit(run(sys.argv[1]))
