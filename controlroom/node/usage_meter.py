"""What an agent's API messages use, out of its session's transcript and those of its subagents, into usage.jsonl.

`CONFIG/projects/SLUG/SESSION.jsonl` and `CONFIG/projects/SLUG/SESSION/subagents/**` (Claude Code 2.1.330, observed: a
line stands there within 0.3 seconds of its message). Files are read by offset, once; a resumed session's older lines
come again, and home knows them. The agent may write anything there: everything is bounded. Read by the runner, which
must stay small.
"""

import os
from collections.abc import Iterator

from controlroom.meter.usage import Damaged, Message, message_of, to_line
from controlroom.node.files import open_regular
from controlroom.node.folder import USAGE
from controlroom.node.transcript import find_transcript

SOON = 0.25
"""Seconds from something said to a look, and from look to look while more may come."""

LATE = 2.0
"""Seconds after something was said in which its line may still be written."""

_AT_ONCE = 4 * 1024 * 1024
_MOST_FILES, _DEEPEST = 1000, 4
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
        self._tails: dict[str, _Tail] = {}
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
        transcript = find_transcript(self._config, self._cwd, session)
        if not transcript:
            return
        for path in [transcript, *_subagents(transcript.removesuffix(".jsonl"))]:
            tail = self._tails.setdefault(path, _Tail(path))
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


class _Tail:
    """One transcript, read piece by piece. A piece counts when it is `taken`; until then it is given again."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._offset = 0
        self._skipping = False

    def next(self) -> bytes:
        """Give what has been added, up to its last newline, a few megabytes at most; nothing when there is none."""
        try:
            descriptor, size = open_regular(self._path)
        except OSError:
            return b""
        try:
            if size < self._offset:  # cut short: what it holds now is new
                self._offset, self._skipping = 0, False
            return self._whole(os.pread(descriptor, _AT_ONCE, self._offset))
        except OSError:
            return b""
        finally:
            os.close(descriptor)

    def messages(self, data: bytes) -> Iterator[Message]:
        """Give the messages in a piece; damaged lines are passed over."""
        lines = data.split(b"\n")
        for line in lines[1:] if self._skipping else lines:
            try:
                message = message_of(line)
            except Damaged:
                continue
            if message is not None:
                yield message

    def taken(self, data: bytes) -> None:
        """A piece is done with."""
        self._skipping = not data.endswith(b"\n")
        self._offset += len(data)

    def _whole(self, data: bytes) -> bytes:
        """Cut at the last newline; a line that fills a piece is no message, and is passed over in pieces."""
        end = data.rfind(b"\n") + 1
        return data[:end] if end or len(data) < _AT_ONCE else data


def _subagents(folder: str, depth: int = 0) -> list[str]:
    """Find the transcripts below a session's `subagents` folder."""
    found: list[str] = []
    where = os.path.join(folder, "subagents") if depth == 0 else folder
    try:
        entries = list(os.scandir(where))[:_MOST_FILES]
    except OSError:
        return found
    for entry in entries:
        if entry.name.endswith(".jsonl"):
            found.append(entry.path)
        elif depth < _DEEPEST and entry.is_dir(follow_symlinks=False):
            found += _subagents(entry.path, depth + 1)
    return found[:_MOST_FILES]
