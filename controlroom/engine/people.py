"""The people at front ends: who is attached, what they are called, and what one of another version is told."""

import getpass
import re
from dataclasses import replace

from controlroom.domain.attached import FrontEnd, in_order
from controlroom.domain.clock_set import later
from controlroom.protocol.messages import VERSION, Bridged
from controlroom.text.sanitize import sanitize

_NAME, _ORIGIN = 60, 60
"""Characters that are shown at most."""


def who(user: str, bridge: Bridged | None) -> str:
    """Name a person for the audit: what they say of themselves, and where sshd says that they come from.

    Whoever comes over a bridge is known by name only as far as they say it: the rest of what they say is left out, so
    that nobody takes on the address of somebody else.
    """
    if bridge is None:
        return sanitize(user, _NAME + _ORIGIN) or getpass.getuser()
    name = re.split(r"[\s,()]", user.strip(), maxsplit=1)[0]
    return f"{sanitize(name, _NAME) or 'somebody'} from {sanitize(bridge.origin, _ORIGIN) or 'elsewhere'}"


def terminal(text: str) -> str:
    """Make the name of a terminal, as somebody says it, safe to show."""
    return sanitize(text, _NAME)


def other_version(front_end: str, bridge: Bridged | None) -> str:
    """Say that engine and front end do not fit, and what to do."""
    theirs = _version(front_end)
    if bridge is not None and bridge.version != front_end:
        return (
            f"Control Room is version {_version(bridge.version)} there and {theirs} here: "
            "install the same version on both machines"
        )
    return (
        f"an engine of version {VERSION} runs {'there' if bridge else 'here'}, and this is version {theirs}: "
        f"run `controlroom stop`{' there' if bridge else ''} to let a new engine start (agents live on)"
    )


def _version(text: str) -> str:
    return ascii(text)[1:20].rstrip(chr(39))


class Connections:
    """The front ends that are attached, by their sessions."""

    def __init__(self) -> None:
        self._there: dict[object, FrontEnd] = {}

    def came(self, conversation: object, front_end: FrontEnd) -> None:
        """Note a front end that was let in."""
        self._there[conversation] = front_end

    def left(self, conversation: object) -> None:
        """Forget a front end that is gone, or never came."""
        self._there.pop(conversation, None)

    def clock_set(self, by: int) -> None:
        """Move all moments with our clock: front ends have been here as long as before."""
        self._there = {
            key: replace(front_end, since=later(front_end.since, by)) for key, front_end in self._there.items()
        }

    def seen_by(self, conversation: object) -> tuple[FrontEnd, ...]:
        """Return all that are there, the one that asks marked as such."""
        marked = (replace(front_end, asks=key is conversation) for key, front_end in self._there.items())
        return in_order(marked)
