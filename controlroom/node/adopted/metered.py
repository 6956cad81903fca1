"""The sessions that agents of any room of this user are metered from, as their runners have noted them.

A session that a runner goes on with is the runner's from where it began on, and that is noted before its Claude begins:
so what stood there before the notes were read, and is not noted as a runner's, was written by somebody else.
"""

import os
from collections.abc import Iterable, Mapping, Sequence

from controlroom.node.agent_folders import entries, signature
from controlroom.runner.folder import SESSIONS
from controlroom.runner.money.usage_meter import Metered, noted_sessions

MeteredBySession = Mapping[str, Sequence[Metered]]


class MeteredSessions:
    """What is noted, read again of those folders where that has changed."""

    def __init__(self, state: str) -> None:
        self._state = state
        self._noted: dict[str, tuple[tuple[int, ...], tuple[Metered, ...]]] = {}
        """By folder: the file as it was when it was read, and what it says."""

    def read(self) -> MeteredBySession:
        """Return it by session."""
        before, self._noted = self._noted, {}
        by_session: dict[str, list[Metered]] = {}
        for place in _places(self._state):
            for entry in entries(place):
                current = signature(os.path.join(entry.folder, SESSIONS))
                seen, noted = before.get(entry.folder, ((), ()))
                if current != seen:
                    noted = tuple(noted_sessions(entry.folder))
                self._noted[entry.folder] = current, noted
                for metered in noted:
                    by_session.setdefault(metered.session, []).append(metered)
        return by_session


def _places(state: str) -> list[str]:
    """Return where the agents of each room of this user lie."""
    base = os.path.dirname(state) if os.path.basename(os.path.dirname(state)) == "controlroom" else state
    try:
        return [base, *(entry.path for entry in os.scandir(base) if entry.is_dir(follow_symlinks=False))]
    except OSError:
        return [state]


def goes_on(noted: Iterable[Metered], since: int) -> Metered | None:
    """Return the first run that goes on with a session in which another was at work since then (UTC ms); None: none."""
    later = (metered for metered in noted if metered.at and metered.at >= since)
    return min(later, key=lambda metered: metered.begins, default=None)
