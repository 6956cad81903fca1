"""Tells home what each agent's limits.json says, whenever it says something else."""

import os
from collections.abc import Callable
from dataclasses import replace

from controlroom.node.agent_folders import Entry, signature
from controlroom.runner.files import read_regular
from controlroom.runner.folder import LIMITS
from controlroom.wire.codec import decode
from controlroom.wire.lines import PeerError, from_line
from controlroom.wire.records import FORMAT
from controlroom.wire.usage import LimitsSeen

_LIMIT = 64 * 1024
_MOST_WINDOWS, _TEXT = 32, 200


class LimitsFeed:
    """What home has been told."""

    def __init__(self, send: Callable[[LimitsSeen], None]) -> None:
        self._send = send
        self._stands: dict[str, tuple[int, ...]] = {}

    def touch(self, entry: Entry) -> None:
        """An agent's file may have been replaced."""
        stands = signature(os.path.join(entry.folder, LIMITS))
        if not stands or stands == self._stands.get(entry.folder):
            return
        self._stands[entry.folder] = stands
        if seen := read_limits(entry):
            self._send(seen)

    def forget(self, entry: Entry) -> None:
        """An agent's folder is no longer looked at."""
        self._stands.pop(entry.folder, None)


def read_limits(entry: Entry) -> LimitsSeen | None:
    """Read an agent's limits.json; None when there is none that can be read."""
    try:
        value = from_line(read_regular(os.path.join(entry.folder, LIMITS), _LIMIT))
        seen = decode(LimitsSeen, {**value, "name": entry.name, "epoch": entry.epoch})
    except (OSError, PeerError):
        return None
    if value.get("format") != FORMAT:
        return None
    windows = tuple(replace(window, name=window.name[:_TEXT]) for window in seen.windows[:_MOST_WINDOWS])
    return replace(seen, account=seen.account[:_TEXT], plan=seen.plan[:_TEXT], windows=windows)
