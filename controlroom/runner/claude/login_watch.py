"""A login that changes while its Claude runs: Claude takes what its settings say anew, at once.

Claude Code 2.1.332, observed: a key that comes into the settings of a scope is sent with the next request, though the
run began with a plan. Only the files' times are looked at until one has changed. Read by the runner, which must stay
small.
"""

import os
from collections.abc import Mapping

from controlroom.runner.claude import payer, settings
from controlroom.runner.claude.login import UNKNOWN
from controlroom.runner.spec import Spec

_PAUSE = 1.0
"""Seconds between two looks at least."""


class LoginWatch:
    """How one Claude logs in, from its start on."""

    def __init__(self, environ: Mapping[str, str], cwd: str, spec: Spec) -> None:
        self._environ, self._cwd, self._spec = environ, cwd, spec
        self._due = 0.0
        self.billing = payer.of_spec(environ, cwd, spec).billing
        """Who pays, as it was found last (`login.Login`)."""
        self._seen = self._signatures()

    def change(self, now: float) -> str:
        """Say in words how it has changed since the last call, "" when it has not. `now`: seconds, never jumping."""
        if now < self._due:
            return ""
        self._due = now + _PAUSE
        seen = self._signatures()
        if seen == self._seen:
            return ""
        self._seen = seen
        found = payer.of_spec(self._environ, self._cwd, self._spec)
        if found.billing in (UNKNOWN, self.billing):  # a file that is being written says nothing for a moment
            return ""
        self.billing = found.billing
        return f"who pays was changed while it runs: {found.source}"

    def _signatures(self) -> list[tuple[int, ...]]:
        return [_signature(path) for path in settings.files(self._environ, self._cwd, self._spec.command[1:])]


def _signature(path: str) -> tuple[int, ...]:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size
