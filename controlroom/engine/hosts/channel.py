"""The transport of a link: bytes to and from a node that already speaks. `ssh` and `local` make such channels."""

from collections.abc import Sequence
from typing import Protocol


class LinkLost(Exception):
    """The channel is gone, or could not be opened; trying again may help. The text is a sentence for people."""


class HostRefuses(Exception):
    """The host will not have us, or cannot run a node; only a person can change that. The text says what to do."""


class LoginDenied(HostRefuses):
    """The host does not let us in. Each try counts there as a failed login, and too many of them may get us banned."""


class AsksTooMuch(HostRefuses):
    """The host took more of our time than one host may have: it is not let in again for a while."""


class HostKeyUnknown(Exception):
    """The host showed a key we have never seen. A person must compare the fingerprint."""

    def __init__(self, fingerprint: str, algorithm: str, place: str = "") -> None:
        super().__init__(f"unknown host key {fingerprint}")
        self.fingerprint = fingerprint
        """`SHA256:…`, as ssh-keygen -l prints it."""
        self.algorithm = algorithm
        self.place = place
        """Who showed it, as known_hosts names it (`[10.0.0.7]:2222`): the host itself, or a jump host on the way."""


class SecretWanted(Exception):
    """Logging in needs something that only a person knows. It never holds the secret, only the question."""

    def __init__(self, key: str, title: str, text: str) -> None:
        super().__init__(title)
        self.key = key
        """What the answer is remembered by."""
        self.title = title
        self.text = text


class Channel(Protocol):
    """A running node at the far end. Its `Welcome` has not been read; nothing else ever arrives but node messages."""

    async def send(self, data: bytes) -> None:
        """Send all of `data`; waits while the far end is slow. Raises `LinkLost`."""

    async def receive(self) -> bytes:
        """Return what has arrived, at least one byte. Raises `LinkLost` when the channel has ended."""

    async def close(self) -> None:
        """Close the channel and everything opened for it. Never raises."""


class Dialler(Protocol):
    """Opens channels to one host."""

    @property
    def proven(self) -> Sequence[str]:
        """What the last login proved of who is there: each names one machine and user. None, before there was one."""

    async def dial(self) -> Channel:
        """Connect, ship the node if the host lacks it, start it.

        Raises `LinkLost`, `HostRefuses`, `HostKeyUnknown` or `SecretWanted`; every wait inside has a deadline.
        """
