"""sessions.jsonl: which sessions of Claude a run is metered from, for whoever comes after a runner that was killed.

Read by the runner, which must stay small.
"""

import json
import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from controlroom.runner.files import read_piece
from controlroom.runner.folder import SESSIONS
from controlroom.text.json_fields import text
from controlroom.wire.lines import PeerError, from_line

_MOST_BYTES = 1024 * 1024
_SESSION = re.compile("[0-9a-fA-F-]{8,64}")
_RUN = re.compile("[0-9a-f]{15}")


class Metered(NamedTuple):
    """A session that a run is metered from."""

    session: str
    config: str
    cwd: str
    run: str
    """Names the run where all that stands in the session is its own (`metering.usage_file`); else empty."""


def note(metered: Metered) -> None:
    """Write one down in the current folder. What the disk does not take is not written."""
    line = json.dumps(metered._asdict(), separators=(",", ":")).encode("utf-8", "replace") + b"\n"
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(SESSIONS, flags, 0o600)
    except OSError:
        return
    try:
        if os.fstat(descriptor).st_size < _MOST_BYTES:
            os.write(descriptor, line)
    except OSError:
        pass
    finally:
        os.close(descriptor)


def noted(folder: str) -> Iterator[Metered]:
    """Give those of an agent's folder; what is damaged is passed over."""
    for line in read_piece(os.path.join(folder, SESSIONS), 0, _MOST_BYTES).split(b"\n"):
        try:
            value = from_line(line)
        except PeerError:
            continue
        found = Metered(*(text(value.get(name), 4096) for name in Metered._fields))
        if _SESSION.fullmatch(found.session) and found.config and (not found.run or _RUN.fullmatch(found.run)):
            yield found
