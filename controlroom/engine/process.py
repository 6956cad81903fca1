"""The engine's process on the disk: a bounded log without secrets, and no core file.

A core would hold the keys and passphrases of all hosts. What the engine starts gets back the limits that it was given
itself. Where the kernel hands cores to a program (core_pattern with a pipe, core(5)), no limit holds.
"""

import logging
import logging.handlers
import resource
import sys
import time
from pathlib import Path

from controlroom.text.sanitize import redact

LOG_BYTES = 1024 * 1024
"""Bytes of the engine's log, and of the one before it."""

MOST = 60
"""Lines that one part of the engine writes in a minute at most: front ends, hosts and agents cause them, too."""

_MINUTE = 60.0


class Sparing(logging.Filter):
    """Lets through so many lines of each logger in a minute; the first of the next one says how many were left out."""

    def __init__(self) -> None:
        super().__init__()
        self._minutes: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is to be written."""
        began, count = self._minutes.get(record.name, (record.created, 0))
        if not 0 <= record.created - began < _MINUTE:
            if count > MOST:
                record.msg, record.args = f"({count - MOST} lines before this were left out) {record.getMessage()}", ()
            began, count = record.created, 0
        self._minutes[record.name] = began, count + 1
        return count < MOST


class _Redacted(logging.Formatter):
    """Writes UTC times, and no keys."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's name
        """Write when it was."""
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))

    def format(self, record: logging.LogRecord) -> str:
        """Format a record, traceback included."""
        return redact(super().format(record))


def log_to(path: Path) -> None:
    """Write what this process has to say to a file from now on. Raises `OSError`."""
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8")
    handler.setFormatter(_Redacted("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(Sparing())
    logging.raiseExceptions = False  # a full disk must not write to a terminal that is not there
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("controlroom").setLevel(logging.INFO)


_GIVEN: list[tuple[int, int]] = []


def forbid_cores() -> None:
    """Disable core files of this process (Linux; elsewhere there is no way to give the limit back)."""
    if sys.platform == "linux":
        soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
        _GIVEN[:] = [(soft, hard)]
        resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


def restore_core_limit(pid: int) -> None:
    """Give a process that was just started the limits that this one had before `forbid_cores`. Raises `OSError`."""
    if sys.platform == "linux" and _GIVEN and pid:
        resource.prlimit(pid, resource.RLIMIT_CORE, _GIVEN[0])
