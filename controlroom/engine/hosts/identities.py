"""Which key files can be offered to a host: those that are there, are keys, and are open."""

import errno
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from controlroom.engine.hosts.secrets import Secrets, passphrase_key

ReadKey = Callable[..., Any]
"""(path[, passphrase]) -> a key. Raises `OSError`, or `ValueError` (with `passphrase` in it when it wants one)."""


def usual_files(known: Sequence[str] = ()) -> list[str]:
    """Give the keys that are tried when the config names none, as far as they are there; `known`: to ssh itself."""
    usual = known or [f"~/.ssh/id_{kind}" for kind in ("ed25519", "ecdsa", "rsa")]
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
