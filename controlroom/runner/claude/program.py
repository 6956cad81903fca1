"""What makes a process a Claude: the native program, or a runtime of its script.

Read by the runner, which must stay small.
"""

import os
from collections.abc import Sequence

_PROGRAMS, _RUNTIMES = frozenset({"claude", "claude.exe"}), frozenset({"node", "nodejs", "bun"})
_SCRIPTS = ("/claude-code/cli.js", "/claude-code/cli.mjs", "/bin/claude")


def is_claude(path: str, argv: Sequence[str]) -> bool:
    """Tell whether a process that runs the program at `path` with these words is Claude Code."""
    runs, called = os.path.basename(path.removesuffix(" (deleted)")), os.path.basename(argv[0]) if argv else ""
    if runs in _PROGRAMS or called in _PROGRAMS:
        return True
    return runs in _RUNTIMES and any(word.endswith(_SCRIPTS) for word in argv[1:4])
