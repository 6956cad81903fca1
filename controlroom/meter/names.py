"""The name rule, checked at both ends of every wire.

tmux runs `#(...)` found in session names and folders and matches `-t` by prefix, so a name is plain or it is refused.
"""

import re

_AGENT = re.compile(r"[a-z0-9][a-z0-9_-]{0,40}")
_HOST = re.compile(r"[a-z0-9][a-z0-9._-]{0,40}")

LOCAL = "local"
"""The name of the machine the engine stands on; no other host may take it."""


def agent_name_problem(name: object) -> str | None:
    """Say in words why `name` cannot name an agent, or None when it can."""
    if isinstance(name, str) and _AGENT.fullmatch(name):
        return None
    return (
        f"{_shown(name)} cannot name an agent: use 1 to 41 of a-z 0-9 _ - and begin with a letter or digit, like docs-1"
    )


def host_name_problem(name: object) -> str | None:
    """Say in words why `name` cannot name a host, or None when it can."""
    if isinstance(name, str) and _HOST.fullmatch(name):
        return None
    return f"{_shown(name)} cannot name a host: use 1 to 41 of a-z 0-9 . _ - and begin with a letter or digit, like vm1"


def _shown(name: object) -> str:
    return ascii(name)[:60]
