"""Typing into the pane that we run in, through the tmux server around us; and reading what stands there.

Text is always pasted: it goes to tmux on stdin and to the program between the marks of a bracketed paste, so nothing in
it is a key. Read by the runner, which must stay small.
"""

import os
import re
from collections.abc import Mapping

from controlroom.runner.agent_process import printed
from controlroom.runner.outcome import Refused, Unfit

_DEADLINE = 5.0
"""Seconds a tmux command may take."""
_SCREEN = 256 * 1024
_MOST_ROWS = 400
# A paste ends at ESC [ 201 ~, and other controls are keys: none of them may come out of a text.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Keys:
    """One pane. `program` is the path of tmux, `environ` what tmux gave to its first process."""

    def __init__(self, program: str, environ: Mapping[str, str]) -> None:
        """Raise `Unfit` when there is no pane around us."""
        socket, pane = environ.get("TMUX", "").rsplit(",", 2)[0], environ.get("TMUX_PANE", "")
        if not program or not socket or not re.fullmatch("%[0-9]+", pane):
            raise Unfit("kind interactive needs a tmux pane of its own, and there is none around it")
        self._tmux = [program, "-N", "-S", socket]
        self._pane = pane

    def submit(self, text: str) -> None:
        """Paste a text and press Enter. Raises `Refused` when tmux does not do it."""
        self._paste(text, ";", *self._key("Enter"))

    def clear(self, rows: int) -> None:
        """Remove what stands where text is typed, at most so many rows of it. Raises `Refused`."""
        presses = min(2 * rows, _MOST_ROWS)
        self._run(*self._awake(), ";", "send-keys", "-N", str(presses), "-t", self._pane, "C-u")

    def paste(self, text: str) -> None:
        """Paste a text. Raises `Refused` when tmux does not do it."""
        self._paste(text)

    def _paste(self, text: str, *then: str) -> None:
        buffer = f"typed-{os.getpid()}"
        paste = ("paste-buffer", "-p", "-r", "-d", "-b", buffer, "-t", self._pane)
        self._run(
            *("load-buffer", "-b", buffer, "-", ";", *self._awake(), ";", *paste, *then),
            given=plain(text).encode("utf-8", "replace"),
        )

    def press(self, key: str) -> None:
        """Press one key by its tmux name. Raises `Refused` when tmux does not do it."""
        self._run(*self._awake(), ";", *self._key(key))

    def screen(self) -> list[str]:
        """Give the lines on the pane, without colours. Raises `Refused`."""
        said = self._run("capture-pane", "-p", "-t", self._pane)
        return [line.rstrip() for line in said.decode("utf-8", "replace").split("\n")]

    def _awake(self) -> tuple[str, ...]:
        """Leave the mode in which somebody scrolls back: keys would go there."""
        return "copy-mode", "-q", "-t", self._pane

    def _key(self, name: str) -> tuple[str, ...]:
        return "send-keys", "-t", self._pane, name

    def _run(self, *command: str, given: bytes = b"") -> bytes:
        try:
            said = printed([*self._tmux, *command], {}, "/", seconds=_DEADLINE, limit=_SCREEN, given=given)
        except Unfit as error:
            raise Refused(f"its terminal cannot be reached: {error}") from None
        if said.status:
            reason = said.err.decode("utf-8", "replace").strip()[:200]
            raise Refused(f"its terminal cannot be reached: {reason or 'tmux failed'}")
        if said.status is None:
            raise Refused(f"its terminal cannot be reached: tmux has not answered for {_DEADLINE:g} seconds")
        return said.out


def plain(text: str) -> str:
    """Give a text as it may be pasted: line ends as newlines, other controls but tabs as visible signs."""
    return _CONTROLS.sub(_visible, text.replace("\r\n", "\n").replace("\r", "\n"))


def _visible(match: "re.Match[str]") -> str:
    code = ord(match[0])
    return chr(0x2400 + code) if code < 0x20 else "\ufffd"
