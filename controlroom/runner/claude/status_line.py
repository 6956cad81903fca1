"""The status line of an interactive Claude, which is told more than its files say: what the session has cost, and
how far a plan's windows are used.

Claude Code runs the command of the setting `statusLine` after each update, with JSON on its stdin, and shows what it
prints (Claude Code 2.1.330, observed). Ours keeps that JSON in the agent's folder, and prints what the user's own
command prints. A setting of the project's is left alone, and then we do without: its command is not ours to start.
"""

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from controlroom.runner.claude import settings
from controlroom.runner.files import read_regular
from controlroom.runner.folder import STATUS_LINE
from controlroom.text.json_fields import table, text
from controlroom.wire.lines import PeerError, from_line

_LIMIT = 1024 * 1024
_MORE = ("padding", "refreshInterval")


def setting(environ: Mapping[str, str], cwd: str, given: Sequence[str]) -> dict[str, Any]:
    """Return the status line as Claude's settings have it; empty when it is not ours to set."""
    project = [_status_line(os.path.join(cwd, ".claude", name)) for name in ("settings.local.json", "settings.json")]
    own = _status_line(os.path.join(settings.config_folder(environ, cwd, given), "settings.json"))
    if own is None or any(one is None or one for one in project):
        return {}
    line = {"type": "command", "command": _command(os.getcwd(), text(own.get("command"), _LIMIT))}
    return line | {name: own[name] for name in _MORE if isinstance(own.get(name), int)}


def _command(folder: str, own: str) -> str:
    """Build the shell command: keep the JSON whole or not at all, then let the user's own say what is shown."""
    kept = shlex.quote(os.path.join(folder, STATUS_LINE))
    keep = f'umask 077; told=$(cat); printf %s "$told" >{kept}.new && mv -f {kept}.new {kept}'
    return f'{keep}; printf %s "$told" | {{ {own}\n}}' if own else keep


def _status_line(path: str) -> dict[str, Any] | None:
    """Return the setting in a settings file, empty when it has none; None when the file cannot be understood."""
    try:
        return table(table(json.loads(read_regular(path, _LIMIT))).get("statusLine"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError):
        return None


class StatusLine:
    """What the status line of the agent in the current folder was told last."""

    def __init__(self) -> None:
        self._seen: tuple[int, ...] = ()

    def read(self) -> dict[str, Any] | None:
        """Return it when it is new; None otherwise, or when it cannot be read."""
        try:
            status = os.stat(STATUS_LINE, follow_symlinks=False)
            stamp = status.st_ino, status.st_mtime_ns, status.st_size
            if stamp == self._seen:
                return None
            self._seen = stamp
            return from_line(read_regular(STATUS_LINE, _LIMIT))
        except (OSError, PeerError):
            return None
