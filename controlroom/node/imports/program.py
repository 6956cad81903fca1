"""Lists and reads transcripts in a process that stands back: `python3 -I -S …/program.py FOLDER…`, one per connection.

Inquiries come on stdin and answers leave on stdout, each a line of the wire; the end of stdin ends it. Whatever this
host has to do comes first, its processors and its disks.
"""

import contextlib
import gc
import os
import platform
import sys
from bisect import bisect_right

sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 3)))
sys.dont_write_bytecode = True

from controlroom.node.imports.found import Transcript, transcripts  # noqa: E402 - the path comes first
from controlroom.node.imports.reader import read  # noqa: E402
from controlroom.runner import core_files  # noqa: E402
from controlroom.runner.claude import login  # noqa: E402
from controlroom.wire.imports import (  # noqa: E402
    MOST_LISTED,
    ListTranscripts,
    ReadTranscripts,
    TranscriptFound,
    TranscriptsListed,
    TranscriptsRead,
)
from controlroom.wire.messages import pack, read_to_node  # noqa: E402

NICE = 19
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30, "arm64": 30, "i686": 289, "armv7l": 314, "riscv64": 30}
_SELDOM = 50_000
"""Objects after which garbage is collected: what a line is read into holds none, and there are many lines."""
_IDLE = 3 << 13
"""The class of those who have the disk when nobody else wants it (linux/ioprio.h)."""


def stand_back() -> None:
    """Take what nobody else wants, of processors and disks."""
    with contextlib.suppress(OSError):
        os.nice(NICE)
    number = _IOPRIO_SET.get(platform.machine())
    if sys.platform == "linux" and number is not None:
        with contextlib.suppress(ImportError, OSError, AttributeError):
            import ctypes

            ctypes.CDLL(None).syscall(number, 1, 0, _IDLE)


class Listing:
    """What lies there, as it was when the first page was asked for."""

    def __init__(self, folders: list[str]) -> None:
        self._folders = folders
        self._known: list[Transcript] = []
        self._since = -1

    def page(self, asked: ListTranscripts) -> TranscriptsListed:
        """Return a page."""
        if not asked.after or asked.since != self._since:
            self._known, self._since = transcripts(self._folders, asked.since), asked.since
        begin = bisect_right(self._known, asked.after, key=lambda known: known.path) if asked.after else 0
        page = self._known[begin : begin + max(0, min(asked.count, MOST_LISTED))]
        return TranscriptsListed(
            asked.id,
            tuple(TranscriptFound(*known) for known in page),
            len(self._known),
            sum(known.size for known in self._known),
            min((known.at for known in self._known), default=0),
        )


class Payers:
    """Who pays, by settings folder, as it says now."""

    def __init__(self, environ: dict[str, str]) -> None:
        self._environ = environ
        self._known: dict[str, str] = {}

    def of(self, folder: str) -> str:
        """Return who pays for what is used with a settings folder: `api`, `plan`, or "" when that is not known."""
        if folder not in self._known:
            home = self._environ.get("HOME", "/")
            plain = os.path.realpath(os.path.join(home, ".claude")) == folder
            environ = self._environ if plain else {**self._environ, "CLAUDE_CONFIG_DIR": folder}
            self._known[folder] = login.find(environ, home).billing
        return self._known[folder]


def main(folders: list[str]) -> int:
    """Answer until stdin ends."""
    core_files.forbid()
    gc.set_threshold(_SELDOM)
    stand_back()
    listing, payers = Listing(folders), Payers(dict(os.environ))
    for line in sys.stdin.buffer:
        asked = read_to_node(line.rstrip(b"\n"))
        if isinstance(asked, ListTranscripts):
            answer: TranscriptsListed | TranscriptsRead = listing.page(asked)
        elif isinstance(asked, ReadTranscripts):
            answer = TranscriptsRead(asked.id, tuple(read(asked.places, asked.since, payers.of)))
        else:
            return 2
        sys.stdout.buffer.write(pack(answer))
        sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
