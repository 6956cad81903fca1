"""The files that one session of Claude writes, read by offset and never twice.

`CONFIG/projects/SLUG/SESSION.jsonl` and `CONFIG/projects/SLUG/SESSION/subagents/**` (Claude Code 2.1.330, observed: a
line stands there within 0.3 seconds of its message). The agent may write anything there: everything is bounded. Read
by the runner, which must stay small.
"""

import os
from collections.abc import Iterator

from controlroom.metering.usage import Damaged, Message, message_of
from controlroom.runner.claude.transcript import find_transcript
from controlroom.runner.files import open_regular

_AT_ONCE = 4 * 1024 * 1024
_MOST_FILES, _DEEPEST = 1000, 4


def session_files(config: str, cwd: str, session: str) -> list[str]:
    """Give the paths of a session's transcript and of those of its subagents; none while there is no transcript."""
    transcript = find_transcript(config, cwd, session)
    return files_of(transcript) if transcript else []


def files_of(transcript: str) -> list[str]:
    """Give the path of a transcript and of those of its subagents."""
    return [transcript, *_subagents(transcript.removesuffix(".jsonl"))]


class Tail:
    """One transcript, read piece by piece. A piece counts when it is `taken`; until then it is given again."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.offset = 0
        """Where the next piece begins."""
        self.readable = True
        """Whether the file could be read when it was last tried."""
        self._skipping = False

    def rewind(self) -> None:
        """Begin anew."""
        self.offset, self._skipping = 0, False

    def next(self) -> bytes:
        """Give what has been added, up to its last newline, a few megabytes at most; nothing when there is none."""
        self.readable = False
        try:
            descriptor, size = open_regular(self._path)
        except OSError:
            return b""
        try:
            if size < self.offset:  # cut short: what it holds now is new
                self.rewind()
            data = self._whole(self._read(descriptor, size))
            self.readable = True
            return data
        except OSError:
            return b""
        finally:
            os.close(descriptor)

    def messages(self, data: bytes) -> Iterator[Message]:
        """Give the messages in a piece; damaged lines are passed over."""
        return (message for _, message in self.placed(data) if message is not None)

    def placed(self, data: bytes) -> Iterator[tuple[int, Message | None]]:
        """Give the messages in a piece with the offset of their lines; None for a damaged line that speaks of one."""
        for start, line in self.lines(data):
            try:
                if (message := message_of(line)) is not None:
                    yield start, message
            except Damaged:
                yield start, None

    def lines(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Give the lines in a piece, each with its offset."""
        start = self.offset
        for number, line in enumerate(data.split(b"\n")):
            if number or not self._skipping:
                yield start, line
            start += len(line) + 1

    def taken(self, data: bytes) -> None:
        """A piece is done with."""
        self._skipping = not data.endswith(b"\n")
        self.offset += len(data)

    def _read(self, descriptor: int, size: int) -> bytes:
        """Read on; a hole in the file is passed over at once, however large it is, with the line that it is in."""
        if self.offset < size and hasattr(os, "SEEK_DATA"):
            start = os.lseek(descriptor, self.offset, os.SEEK_DATA)
            self._skipping |= start > self.offset
            self.offset = start
        return os.pread(descriptor, _AT_ONCE, self.offset)

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
