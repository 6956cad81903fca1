"""What `__main__` hands to the command line: the floors that it may not import itself."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


class Starters(NamedTuple):
    """Each runs to its end and gives an exit code; none is imported before it is called."""

    screen: Callable[[], int]
    """The TUI, on this terminal."""
    engine: Callable[[], int]
    """The engine of this room, in this process."""
    demo: Callable[[int, bool], int]
    """A throw-away room with so many agents; True: without the screen, until it is interrupted."""
    reports: "Callable[[], Path]"
    """The folder for reports of our own mistakes."""
