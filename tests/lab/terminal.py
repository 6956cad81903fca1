"""A command on a real screen: a private tmux server with one pane, keys in, text and raw bytes out."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.lab.command import run
from tests.lab.processes import everything
from tests.lab.waiting import wait_for

# The pane waits until its output is piped to a file, then runs the command, which sees nothing of tmux. The exit status
# goes to the file $0: tmux 3.3a often loses it (#{pane_dead_status} stays empty). The trap: ^C ends only the command.
START = 'tmux wait-for start; unset TMUX TMUX_PANE; trap : INT QUIT; "$@"; echo $? > "$0.new"; mv "$0.new" "$0"'


class Terminal:
    """One command in one pane of a tmux server that nobody else uses."""

    def __init__(
        self,
        directory: Path,
        command: str | Sequence[str],
        width: int = 120,
        height: int = 40,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        """Start `command` (a string is for /bin/sh) at `width` x `height`, with `env` added to our environment."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.socket = directory / "screen"
        self.recording = directory / "bytes"
        self.recording.touch()
        self.status = directory / "status"
        argv = ["/bin/sh", "-c", command] if isinstance(command, str) else [*command]
        extra = [word for name, value in (env or {}).items() for word in ("-e", f"{name}={value}")]
        size = ["-x", str(width), "-y", str(height)]
        place = ["-c", str(cwd)] if cwd else []
        self.tmux(
            "new-session", "-d", "-s", "screen", *size, *place, *extra, "/bin/sh", "-c", START, str(self.status), *argv
        )
        self.tmux("set", "-g", "remain-on-exit", "on")
        self.tmux("set", "-g", "status", "off")
        self.tmux("set", "-g", "window-size", "manual")
        self.tmux("resize-window", "-x", str(width), "-y", str(height))
        self.tmux("pipe-pane", "-O", f"cat >> {shlex.quote(str(self.recording))}")
        self.tmux("wait-for", "-S", "start")

    def tmux(self, *words: str) -> str:
        """A command to the private server; returns what it prints."""
        return run("tmux", "-S", self.socket, "-f", "/dev/null", *words).stdout

    def keys(self, *names: str) -> None:
        """Press keys by their tmux names: "Enter", "C-c", "x", "Down"."""
        self.tmux("send-keys", *names)

    def insist(self, key: str, taken: Callable[[], object], deadline: float = 30.0) -> None:
        """Press a key until it is taken: what has just appeared takes none, lest somebody answers it blindly."""

        def pressed() -> object:
            self.keys(key)
            return taken()

        wait_for(pressed, deadline, f"{key} to be taken", poll=0.7)

    def type(self, text: str) -> None:
        """Type text as it stands, without looking for key names in it."""
        self.tmux("send-keys", "-l", "--", text)

    def tap(self, column: int, row: int) -> None:
        """Press and release the left mouse button on a cell (counted from 0), as an SGR mouse report."""
        self.type(f"\x1b[<0;{column + 1};{row + 1}M\x1b[<0;{column + 1};{row + 1}m")

    def screen(self) -> str:
        """The text on the screen, one line a row, without spaces at the ends."""
        return self.tmux("capture-pane", "-p")

    def colours(self) -> str:
        """The text on the screen with its SGR sequences."""
        return self.tmux("capture-pane", "-p", "-e")

    def raw(self) -> bytes:
        """Every byte that the command has written to its terminal; a little behind the screen."""
        return self.recording.read_bytes()

    def resize(self, width: int, height: int) -> None:
        """Give the terminal another size; the command gets SIGWINCH."""
        self.tmux("resize-window", "-x", str(width), "-y", str(height))

    def wait_for_text(self, *texts: str, deadline: float = 10.0) -> str:
        """Wait until all of `texts` stand on the screen at once; returns the screen."""

        def complete() -> str:
            screen = self.screen()
            missing = [text for text in texts if text not in screen]
            assert not missing, f"missing {missing} on this screen:\n{screen}"
            return screen

        return wait_for(complete, deadline, f"{texts} on the screen", poll=0.05)

    def wait_until_gone(self, text: str, deadline: float = 10.0) -> str:
        """Wait until `text` is not on the screen; returns the screen."""

        def gone() -> str:
            screen = self.screen()
            assert text not in screen, f"still there:\n{screen}"
            return screen or " "

        return wait_for(gone, deadline, f"{text!r} to leave the screen", poll=0.05)

    def pid(self) -> int:
        """The process of the command."""
        shell = int(self.tmux("display-message", "-p", "#{pane_pid}"))

        def children() -> list[int]:
            return [each.pid for each in everything() if each.parent == shell and not each.name.startswith("tmux")]

        return wait_for(children, what="the command")[0]

    def exit_status(self) -> int | None:
        """The exit status of the command (128 + signal if it was killed), or None while it runs."""
        return int(self.status.read_text()) if self.status.exists() else None

    def wait_for_exit(self, deadline: float = 10.0) -> int:
        """Wait until the command has ended; returns its exit status."""

        def ended() -> int:
            status = self.exit_status()
            assert status is not None, f"still running:\n{self.screen()}"
            return status + 1

        return wait_for(ended, deadline, "the command to end", poll=0.05) - 1

    def close(self) -> None:
        """End the server and what runs in it."""
        subprocess.run(
            ["tmux", "-S", str(self.socket), "kill-server"], capture_output=True, stdin=subprocess.DEVNULL, timeout=60
        )
