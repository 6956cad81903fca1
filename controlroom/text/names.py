"""The name rule, checked at both ends of every wire.

tmux runs `#(...)` found in session names and folders and matches `-t` by prefix, so a name is plain or it is refused.
"""

from controlroom.text.lazy_pattern import pattern

_AGENT = pattern(r"[a-z0-9][a-z0-9_-]{0,40}")
_HOST = pattern(r"[a-z0-9][a-z0-9._-]{0,40}")

_SESSION = pattern(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")

_MODEL = pattern(r"[A-Za-z0-9][A-Za-z0-9._:/@\[\]-]{0,199}")

_BRANCH = pattern(r"(?!.*(?:\.\.|//|@\{|/\.|\.lock(?:/|$)|[./]$))[A-Za-z0-9_][A-Za-z0-9._/+@#=-]{0,199}")

_ADOPTED = pattern(r"~[a-z0-9_-]{1,40}")

ADOPTED = "adopted"
"""The kind of an agent that others started: it is shown, and nothing of ours touches it. Its epoch is 0."""

LOCAL = "local"
"""The name of the machine the engine stands on; no other host may take it."""


def agent_name_problem(name: object) -> str | None:
    """Say in words why `name` cannot name an agent, or None when it can."""
    if isinstance(name, str) and _AGENT.fullmatch(name):
        return None
    return (
        f"{_shown(name)} cannot name an agent: use 1 to 41 of a-z 0-9 _ - and begin with a letter or digit, like docs-1"
    )


def is_adopted_name(name: object) -> bool:
    """Whether `name` is one that we give to agents that others started: `~` and what they call it."""
    return isinstance(name, str) and _ADOPTED.fullmatch(name) is not None


def shown_name_problem(name: object) -> str | None:
    """Say in words why no agent that is shown can have this `name`, ours or another's, or None when one can."""
    return None if is_adopted_name(name) else agent_name_problem(name)


def host_name_problem(name: object) -> str | None:
    """Say in words why `name` cannot name a host, or None when it can."""
    if isinstance(name, str) and _HOST.fullmatch(name):
        return None
    return f"{_shown(name)} cannot name a host: use 1 to 41 of a-z 0-9 . _ - and begin with a letter or digit, like vm1"


def is_session(text: str) -> bool:
    """Whether `text` can be the id of a Claude session: it is put behind an option, and must not look like one."""
    return _SESSION.fullmatch(text) is not None


def is_model(text: str) -> bool:
    """Whether `text` may name a model, those of clouds with their regions, and the mark of a large context."""
    return _MODEL.fullmatch(text) is not None


def branch_name_problem(name: object) -> str | None:
    """Say in words why `name` cannot name a branch here, or None when it can.

    Git takes more (git-check-ref-format): what is plain is no option, and nothing that a terminal or a shell reads.
    """
    if isinstance(name, str) and _BRANCH.fullmatch(name) and name != "HEAD":
        return None
    return f"{_shown(name)} cannot name a branch: use letters, digits and . _ / + @ # = -, like docs/update-2.0"


def tmux_socket(namespace: str) -> str:
    """The name of our tmux socket (`tmux -L`) in a namespace; "" is the default one."""
    return f"controlroom-{namespace}" if namespace else "controlroom"


def _shown(name: object) -> str:
    return ascii(name)[:60]
