"""What `__main__` hands to the command line: the floors that it may not import itself."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from controlroom.domain.calculators.estimate import Wish
    from controlroom.protocol.messages import Estimated


class AtBoot(Protocol):
    """The engine as something that this machine starts by itself. Results: whether it is so now, and sentences."""

    def how(self) -> str:
        """How this machine starts the engine: `systemd`, `cron` or nothing."""

    def install(self) -> tuple[bool, list[str]]:
        """Make this machine start the engine."""

    def start(self) -> tuple[bool, list[str]]:
        """Start the engine the way it is started at boot, where that can be done."""

    def uninstall(self) -> tuple[bool, list[str]]:
        """Make this machine start the engine no more."""


class FirstRun(Protocol):
    """What a new room begins with."""

    @property
    def config(self) -> "Path":
        """Where its config is."""

    def write_config(self) -> bool:
        """Write one that explains itself; False: there is one. Raises `OSError`."""

    def ssh_hosts(self) -> list[str]:
        """Name the hosts that ~/.ssh/config knows."""


class Bridge(Protocol):
    """Joins stdin and stdout to the engine's socket, until either ends; gives the exit code."""

    def __call__(self, *, read_only: bool, start: bool) -> int:
        """`read_only`: to the socket where nobody can change anything; `start`: an engine where none runs."""


class EntryPoints(NamedTuple):
    """Each runs to its end and gives an exit code; none is imported before it is called."""

    screen: Callable[[bool, str], int]
    """The TUI, on this terminal; True: to look and nothing else; in the colours of this theme, where one is named."""
    engine: Callable[[], int]
    """The engine of this room, in this process."""
    demo: Callable[[int, bool], int]
    """A throw-away room with so many agents; True: without the screen, until it is interrupted."""
    reports: "Callable[[], Path]"
    """The folder for reports of our own mistakes."""
    at_boot: Callable[[], AtBoot]
    """How this room's engine is started with the machine."""
    first_run: Callable[[], FirstRun]
    """What this room begins with."""
    bridge: Bridge
    """The way in for a front end on another machine."""
    mcp: Callable[[str], int]
    """The tools of a lead, over stdin and stdout; its token is in this file, or where the environment says."""
    estimate: "Callable[[Wish], Estimated]"
    """An estimate from the data files alone, without an engine; blocks, for seconds when prices were never listed."""
