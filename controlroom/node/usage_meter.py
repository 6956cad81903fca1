"""What an agent's API messages use, out of its session's transcript and those of its subagents, into usage.jsonl.

`CONFIG/projects/SLUG/SESSION.jsonl` and `CONFIG/projects/SLUG/SESSION/subagents/**` (Claude Code 2.1.330, observed: a
line stands there within 0.3 seconds of its message). Files are read by offset, once; a resumed session's older lines
come again, and home knows them. The agent may write anything there: everything is bounded. Read by the runner, which
must stay small.
"""

import os
from collections.abc import Iterator

from controlroom.meter.usage import Message, to_line
from controlroom.node.folder import USAGE
from controlroom.node.session_files import Tail, session_files

SOON = 0.25
"""Seconds from something said to a look, and from look to look while more may come."""

LATE = 2.0
"""Seconds after something was said in which its line may still be written."""

_REMEMBERED = 256
"""Messages whose last numbers are remembered: a message's lines stand close together."""

NEVER = float("inf")


class UsageMeter:
    """Reads one agent's transcripts and appends what is new to usage.jsonl in the current folder."""

    def __init__(self, config: str, cwd: str) -> None:
        self.wakes_at = NEVER
        """When to look next, on the clock of `expect`."""
        self._config, self._cwd = config, cwd
        self._until = 0.0
        self._tails: dict[str, Tail] = {}
        self._told: dict[tuple[str, str], Message] = {}
        self._torn = False

    def expect(self, now: float) -> None:
        """The agent has said something (`now`: seconds on a clock that never jumps): a line may be written soon."""
        self._until = now + LATE
        self.wakes_at = min(self.wakes_at, now + SOON)

    def due(self, session: str, now: float) -> None:
        """Look, when it is time."""
        if self.wakes_at <= now:
            self.look(session)
            self.wakes_at = now + SOON if now < self._until else NEVER

    def look(self, session: str) -> None:
        """Read what has been added to the session's files. What cannot be read or written is tried again next time."""
        for path in session_files(self._config, self._cwd, session):
            tail = self._tails.setdefault(path, Tail(path))
            while data := tail.next():
                fresh = self._fresh(tail.messages(data))
                if not self._write(b"".join(map(to_line, fresh))):
                    return
                self._told.update((message.key, message) for message in fresh)
                tail.taken(data)
        while len(self._told) > _REMEMBERED:
            del self._told[next(iter(self._told))]

    def _fresh(self, messages: Iterator[Message]) -> list[Message]:
        """Keep the last of each message, and only what has not been told so."""
        newest = {message.key: message for message in messages}
        return [message for message in newest.values() if self._told.get(message.key) != message]

    def _write(self, lines: bytes) -> bool:
        """Append to usage.jsonl; False when the disk does not take it."""
        if not lines:
            return True
        data = b"\n" + lines if self._torn else lines
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(USAGE, flags, 0o600)
        except OSError:
            return False
        try:
            written = os.write(descriptor, data)
        except OSError:
            written = 0
        finally:
            os.close(descriptor)
        self._torn = (self._torn and not written) or 0 < written < len(data)
        return written == len(data)
