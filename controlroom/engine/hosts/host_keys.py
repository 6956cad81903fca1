"""Host keys: which are known and from which line, what to say of a changed one, where an accepted one is kept.

Reading a line (hashed names, patterns, @cert-authority, @revoked) is left to the SSH library, one line at a time: a
line it cannot read is skipped and spoils no other. Hosts are looked up by name and port as they were dialled, never by
the address behind a name. An unknown key is a question for a person.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from controlroom.domain.address import place_of
from controlroom.domain.questions import Question, QuestionKind
from controlroom.engine.hosts.channel import HostKeyUnknown

_MAX_FILE = 16 * 1024 * 1024


class Key(Protocol):
    """A public key as the SSH library has it."""

    def get_fingerprint(self) -> str:
        """Return `SHA256:…`."""

    def get_algorithm(self) -> str:
        """Return its algorithm, like `ssh-ed25519`."""

    def export_public_key(self, format_name: str) -> bytes:
        """Write it; format `openssh`: algorithm, base64 and perhaps a comment."""


class Parsed(Protocol):
    """Lines of a known_hosts file as the SSH library reads them."""

    def match(self, host: str, addr: str, port: int | None) -> Sequence[Sequence[Any]]:
        """Return seven lists: trusted keys, CA keys, revoked keys, and the same of X.509."""


Parse = Callable[[str], Parsed]


class Stored(NamedTuple):
    """A key that a file holds for a host."""

    path: Path
    line: int
    key: Key


class HostKeys:
    """What some known_hosts files hold. They are read anew for every connection."""

    def __init__(self, files: Sequence[Path], parse: Parse, revoked: Sequence[Key] = ()) -> None:
        """`parse` reads known_hosts text; it raises `ValueError` for what it does not understand.

        `revoked`: keys that no host may show.
        """
        self._lines = [(path, number, line) for path in dict.fromkeys(files) for number, line in _lines_of(path)]
        self._parse = parse
        self._revoked = revoked

    def match(self, host: str, port: int) -> tuple[list[Any], ...]:
        """Return the lists the SSH library wants: trusted keys, CA keys, revoked keys, and the same of X.509.

        A host at another port that no line names may show a key known for the plain name, as with OpenSSH.
        """
        host = host.lower()
        lists = self._lists(host, port, place_of(host, port))
        return lists if port == 22 or any(lists[:2]) else self._lists(host, port, host)

    def is_revoked(self, key: Key) -> bool:
        """Return whether a key is one that no host may show."""
        return key in self._revoked

    def _lists(self, host: str, port: int, name: str) -> tuple[list[Any], ...]:
        lists: tuple[list[Any], ...] = ([], [], list(self._revoked), [], [], [], [])
        for _, _, parsed in self._about(host, port):
            for target, part in zip(lists, parsed.match(name, "", None), strict=True):
                target.extend(part)
        return lists

    def stored(self, host: str, port: int) -> list[Stored]:
        """Return the keys stored for just this host and port; a key of the same name at port 22 is another host's."""
        host = host.lower()
        place = place_of(host, port)
        return [
            Stored(path, number, key)
            for path, number, parsed in self._about(host, port)
            for key in parsed.match(place, "", None)[0]
        ]

    def _about(self, host: str, port: int) -> Iterator[tuple[Path, int, Parsed]]:
        for path, number, line in self._lines:
            if _may_name(line, host, place_of(host, port)):
                try:
                    yield path, number, self._parse(_names_in_small_letters(line))
                except ValueError:
                    continue


def changed(name: str, place: str, shown: Key, stored: Sequence[Stored]) -> str:
    """Say that a host shows another key than the stored ones, and what to do."""
    held = "; ".join(f"{old.key.get_fingerprint()} in {old.path} line {old.line}" for old in stored[:3])
    return (
        f"{name} ({place}) shows another host key than before: now {shown.get_fingerprint()}"
        f" ({shown.get_algorithm()}), stored {held}. Either the machine was set up anew, or somebody stands between it"
        f" and you. Nothing was sent. When you know that the new key is right, run"
        f" `ssh-keygen -R '{place}' -f {stored[0].path}`"
    )


def remember(path: Path, place: str, key: Key) -> None:
    """Add a key that a person has accepted to our own file (0600). Raises `OSError`."""
    line = f"{place} {key.export_public_key('openssh').decode('ascii').strip()}\n".encode()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with open(descriptor, "rb+", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        whole = size == 0 or os.pread(descriptor, 1, size - 1) == b"\n"
        file.write(line if whole else b"\n" + line)
        os.fsync(descriptor)


def _lines_of(path: Path) -> list[tuple[int, str]]:
    try:
        with open(path, "rb") as file:
            text = file.read(_MAX_FILE).decode("utf-8", "replace")
    except OSError:
        return []  # a file that is not there knows no host
    lines = enumerate((line.strip() for line in text.split("\n")), start=1)
    return [(number, line) for number, line in lines if line and not line.startswith("#")]


def _may_name(line: str, host: str, place: str) -> bool:
    """Return whether a line can be about a host; spares reading the keys of all others."""
    words = line.split(None, 2)
    names = words[1] if line.startswith("@") and len(words) > 1 else words[0]
    return bool(re.search(r"[*?|!]", names)) or not {host, place}.isdisjoint(names.lower().split(","))


def _names_in_small_letters(line: str) -> str:
    """ssh compares names of hosts without regard to case, and looks for small letters in hashed ones (sshd(8))."""
    if line.startswith("|"):
        return line
    marker, names, rest = re.fullmatch(r"(@\S+\s+)?(\S+)(.*)", line, re.DOTALL).groups()  # type: ignore[union-attr]
    return f"{marker or ''}{names if names.startswith('|') else names.lower()}{rest}"


def host_key_question(host: str, unknown: HostKeyUnknown, at: int) -> Question:
    """Ask whether a key is the host's; `at`: UTC ms."""
    return Question(
        id=question_id(unknown),
        kind=QuestionKind.HOST_KEY,
        title=f"Is this the key of {host}? {unknown.fingerprint}",
        text=(
            f"{unknown.place or host} shows a host key that we have never seen: {unknown.fingerprint}"
            f" ({unknown.algorithm}).\n"
            "Compare it with what the machine itself says, over a way you trust (its console, who runs it):\n"
            "    for key in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $key; done\n"
            "Allow only if one of its lines shows just this fingerprint."
        ),
        asked=at,
    )


def question_id(unknown: HostKeyUnknown) -> str:
    """Return the id of the question about a key."""
    return f"host_key:{unknown.fingerprint}"
