"""What a run has used that its runner could not write: it was killed, or its host went down, in the middle of a turn.

Its Claude was killed with it. What the transcripts hold by then is written behind what the runner wrote, and the
request that was under way is estimated, as the runner does at the end of a Claude that was killed.
"""

import os
from collections.abc import Iterator

from controlroom.metering.usage import Damaged, Message
from controlroom.metering.usage_file import from_line, to_line
from controlroom.runner.claude.in_flight import in_flight
from controlroom.runner.claude.session_files import Tail, session_files
from controlroom.runner.files import open_regular
from controlroom.runner.folder import USAGE
from controlroom.runner.money.metered_sessions import noted

_MOST = 64 * 1024 * 1024
"""Bytes of usage and of transcripts that are read at most."""


def finish(folder: str) -> None:
    """Write down what is missing in an agent's folder. What cannot be read or written is left out."""
    path = os.path.join(folder, USAGE)
    known = {message.key: message.usage for message in _written(path)}
    told = {message.key: message for message in _messages(folder)}
    missing = [message for message in told.values() if known.get(message.key) != message.usage]
    if missing:
        _append(path, b"".join(map(to_line, missing)))


def _messages(folder: str) -> Iterator[Message]:
    """Give what the transcripts of a run tell, and what was under way."""
    left = _MOST
    for session, config, cwd, run in dict.fromkeys(noted(folder)):
        for path in session_files(config, cwd, session):
            tail = Tail(path)
            while left > 0 and (data := tail.next()):
                left -= len(data)
                yield from (message._replace(run=run) for message in tail.messages(data))
                tail.taken(data)
            if last := in_flight(path):
                yield last


def _written(path: str) -> Iterator[Message]:
    try:
        descriptor, size = open_regular(path)
    except OSError:
        return
    with open(descriptor, "rb") as file:
        for line in file.read(min(size, _MOST)).split(b"\n"):
            try:
                record = from_line(line)
            except Damaged:
                continue
            if isinstance(record, Message):
                yield record


def _append(path: str, lines: bytes) -> None:
    """Append whole lines; one that a runner left half-written is ended first."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError:
        return
    try:
        size = os.fstat(descriptor).st_size
        whole = not size or os.pread(descriptor, 1, size - 1) == b"\n"
        os.write(descriptor, lines if whole else b"\n" + lines)
    except OSError:
        pass
    finally:
        os.close(descriptor)
