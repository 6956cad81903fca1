"""A plain rendering of the log on the tmux pane, without ever waiting for it."""

import contextlib
import os
import termios

from controlroom.text.event_text import Line
from controlroom.text.sanitize import PLAIN, Span, Style, redact, spans

_WAITING_MOST = 64 * 1024
_AT_ONCE = 100
"""Lines of one batch that are shown; of more, the last ones."""

_MARKS = {
    "tool": "⏺ ", "result": "  ", "error": "✕ ", "ask": "▲ ", "note": "· ", "think": "~ ", "done": "✓ ",
}  # fmt: skip


class Pane:
    """The runner's own stdout. What it does not take in time is left out, and counted."""

    def __init__(self, end: int = 1) -> None:
        self._end = end
        self._waiting = bytearray()
        self._missed = 0
        with contextlib.suppress(OSError):
            os.set_blocking(end, False)
        _silence(end)

    def show(self, lines: list[Line]) -> None:
        """Show lines, each with the sign of its kind."""
        self.miss(len(lines) - _AT_ONCE)
        for line in lines[-_AT_ONCE:]:
            self._say(f"{_MARKS.get(line.kind, '')}{_drawn(redact(line.text))}")
        self.flush()

    @property
    def free(self) -> bool:
        """Whether nothing waits to be shown, or to be said to be left out."""
        return not self._waiting and not self._missed

    def show_plain(self, lines: bytes) -> None:
        """Show lines of printable ASCII, each with its CR LF, while the pane is `free`."""
        try:
            taken = os.write(self._end, lines)
        except BlockingIOError:
            taken = 0
        except OSError:  # the pane is gone
            return
        self._waiting += lines[taken:]

    def miss(self, count: int) -> None:
        """Count lines that will not be shown."""
        self._missed += max(0, count)

    @property
    def waiting(self) -> bool:
        """Whether `flush` has something left to write."""
        return bool(self._waiting)

    def flush(self) -> None:
        """Write what the pane takes now."""
        while self._waiting:
            try:
                del self._waiting[: os.write(self._end, self._waiting[:16_384])]
            except BlockingIOError:
                return
            except OSError:  # the pane is gone
                self._waiting.clear()

    def _say(self, text: str) -> None:
        if len(self._waiting) > _WAITING_MOST:
            self._missed += 1
            return
        if self._missed:
            self._waiting += f"… {self._missed} lines are in the log only\r\n".encode()
            self._missed = 0
        self._waiting += f"{text}\r\n".encode("utf-8", "replace")


class NoPane(Pane):
    """Stands in where the pane belongs to the agent: shows nothing and touches nothing."""

    def __init__(self) -> None:
        self._end, self._waiting, self._missed = -1, bytearray(), 0

    def show(self, lines: list[Line]) -> None:
        """Show nothing."""

    def show_plain(self, lines: bytes) -> None:
        """Show nothing."""


def _silence(end: int) -> None:
    """Keep what is typed into the pane from standing between the lines; Ctrl-C still works."""
    with contextlib.suppress(termios.error):
        settings = termios.tcgetattr(end)
        settings[3] &= ~termios.ECHO
        termios.tcsetattr(end, termios.TCSANOW, settings)


def _drawn(text: str) -> str:
    return "".join(map(_coloured, spans(text)))


def _coloured(span: Span) -> str:
    return span.text if span.style == PLAIN else f"\x1b[{_codes(span.style)}m{span.text}\x1b[0m"


def _codes(style: Style) -> str:
    switches = ((style.bold, "1"), (style.italic, "3"), (style.underline, "4"), (style.reverse, "7"))
    codes = [code for on, code in switches if on]
    return ";".join([*codes, *_colour("38", style.fg), *_colour("48", style.bg)])


def _colour(kind: str, colour: str) -> list[str]:
    if colour.startswith("#"):
        return [kind, "2", *(str(int(colour[index : index + 2], 16)) for index in (1, 3, 5))]
    return [kind, "5", colour] if colour else []
