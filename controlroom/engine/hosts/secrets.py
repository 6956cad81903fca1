"""Secrets of logins that only a person knows (passphrases, passwords, second factors), and key files they open.

An attempt that lacks one ends with `SecretWanted`; once a person has answered, the next attempt has it. Passphrases and
passwords are kept in memory for reconnecting, as an agent would; a one-time code is dropped after use. None is written.
"""

import errno
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from controlroom.engine.hosts.channel import SecretWanted
from controlroom.engine.hosts.deploy import shown

_ONCE_MORE = "What was said before was not accepted.\n"
_LASTING = ("assword", "assphrase")


class Secrets:
    """The answers people gave about one host, by the question."""

    def __init__(self) -> None:
        self._kept: dict[str, str] = {}
        self._rejected: set[str] = set()

    def __repr__(self) -> str:
        return f"<{len(self._kept)} secrets>"

    def keep(self, key: str, secret: str) -> None:
        """Remember an answer; `key` is that of the `SecretWanted`."""
        self._kept[key] = secret

    def get(self, key: str) -> str | None:
        """Return an answer, None when nobody has given one."""
        return self._kept.get(key)

    def drop(self, key: str, *, rejected: bool = False) -> None:
        """Forget an answer; `rejected`: it was wrong, and the next question says so."""
        self._kept.pop(key, None)
        if rejected:
            self._rejected.add(key)

    def wanted(self, key: str, title: str, text: str) -> SecretWanted:
        """Ask for an answer."""
        once_more = _ONCE_MORE if key in self._rejected else ""
        self._rejected.discard(key)
        return SecretWanted(key, title, once_more + text)

    def passphrase_wanted(self, path: str) -> SecretWanted:
        """Ask for what opens a key file."""
        return self.wanted(
            passphrase_key(path),
            f"The passphrase of the key {path}",
            f"The key {path} has a passphrase, and no ssh agent holds it (any more).\n"
            "It is kept in the engine's memory, for this host alone, until the engine ends. Or unlock it with ssh-add.",
        )


def passphrase_key(path: str) -> str:
    """Return the passphrase of a key file."""
    return f"passphrase of {path}"


class Login:
    """One attempt to log in at one machine: answers what it can, and remembers what it could not."""

    def __init__(self, secrets: Secrets, place: str, user: str) -> None:
        self._secrets, self._place, self._user = secrets, place, user
        self._used: list[tuple[str, str]] = []
        self._missing: SecretWanted | None = None

    def prompts(self, instructions: str, prompts: Sequence[tuple[str, bool]]) -> list[str] | None:
        """Answer what a host asks (keyboard-interactive), None when an answer is missing."""
        answers = [self._answer(shown(prompt) or "?", shown(instructions)) for prompt, _ in prompts]
        return [answer for answer in answers if answer is not None] if None not in answers else None

    def password(self) -> str | None:
        """Return the password, None when there is none."""
        return self._answer("Password:", "")

    def succeeded(self) -> None:
        """Drop what is good for once."""
        for key, prompt in self._used:
            if not any(word in prompt for word in _LASTING):
                self._secrets.drop(key)

    def failed(self) -> SecretWanted | None:
        """Return what must be asked for the next try; None: this machine wants nothing that a person could say."""
        if self._missing is None and self._used:
            for key, _ in self._used:
                self._secrets.drop(key, rejected=True)
            self._used, (key, prompt) = [], self._used[0]
            self._missing = self._question(key, prompt, "")
        return self._missing

    def _answer(self, prompt: str, instructions: str) -> str | None:
        key = f"{self._user}@{self._place} {prompt}"
        if self._missing is not None:
            return None
        if (key, prompt) in self._used:  # asked again for what it has just been told
            self._secrets.drop(key, rejected=True)
        answer = self._secrets.get(key)
        if answer is None:
            self._missing = self._question(key, prompt, instructions)
        else:
            self._used.append((key, prompt))
        return answer

    def _question(self, key: str, prompt: str, instructions: str) -> SecretWanted:
        quoted = f"It says: {instructions}\n" if instructions else ""
        return self._secrets.wanted(
            key,
            f"{self._place} asks {self._user}: {prompt}",
            f"{self._place} wants more than a key to let {self._user} in. It asks: {prompt}\n{quoted}"
            "To be asked no more, let it take your public key: ssh-copy-id.",
        )


ReadKey = Callable[..., Any]
"""(path[, passphrase]) -> a key. Raises `OSError`, or `ValueError` (with `passphrase` in it when it wants one)."""


def usual_files(defaults: Sequence[str] = ()) -> list[str]:
    """Return the usual key files that exist, for a config that names none; `defaults`: those that ssh itself names."""
    usual = defaults or [f"~/.ssh/id_{kind}" for kind in ("ed25519", "ecdsa", "rsa")]
    return [path for path in usual if Path(path).expanduser().exists()]


def usable_of(
    files: Sequence[str], only: bool, secrets: Secrets, read_key: ReadKey
) -> tuple[list[Any], list[str], list[str]]:
    """Part identity files into those to offer, those that cannot be (in words), and those locked still."""
    usable: list[Any] = []
    left_out: list[str] = []
    locked: list[str] = []
    for name in files:
        path = str(Path(name).expanduser())
        trouble = _trouble_with(path, read_key)
        if trouble == _LOCKED and (key := _unlocked(path, name, secrets, read_key)):
            usable.append(key)
            continue
        if trouble:
            left_out.append(f"{name} {trouble}")
        # A public key names one of the agent's; without IdentitiesOnly all of the agent's are tried anyway.
        if trouble in ("", _LOCKED) and (only or not path.endswith(".pub")):
            usable.append(path)
            locked += [name] * (trouble == _LOCKED)
    return usable, left_out, locked


def _unlocked(path: str, name: str, secrets: Secrets, read_key: ReadKey) -> Any:
    """Open a key with the passphrase that a person has said; a wrong one is forgotten."""
    passphrase = secrets.get(passphrase_key(name))
    try:
        return None if passphrase is None else read_key(path, passphrase)
    except (OSError, ValueError):
        secrets.drop(passphrase_key(name), rejected=True)
    return None


_LOCKED = "has a passphrase (unlock it with ssh-add)"


def _trouble_with(path: str, read_key: ReadKey) -> str:
    try:
        if not path.endswith(".pub"):
            read_key(path)
    except OSError as error:
        return "does not exist" if error.errno == errno.ENOENT else f"cannot be read ({error.strerror})"
    except ValueError as error:
        return _LOCKED if "assphrase" in str(error) else "is not a private key"
    return ""
