"""How the system's ssh is run: its options, its config, and the target."""

import os
import pwd
import shutil
from pathlib import Path

from controlroom.domain.address import Address

ALIVE = {"ServerAliveInterval": "4", "ServerAliveCountMax": "2"}
"""Three intervals of silence end a connection of ssh's: 12 s (ssh_config(5): the count may pass without an answer)."""


def find_ssh() -> str | None:
    """Return the system's ssh, None where there is none."""
    return shutil.which("ssh")


def target(address: Address) -> list[str]:
    """Return ssh's words for an address; the name can never be taken for an option."""
    user = ["-l", address.user] if address.user else []
    port = ["-p", str(address.port)] if address.port else []
    return [*user, *port, "--", address.host]


def account_home() -> str:
    """Return the home that ssh takes `~` for."""
    return pwd.getpwuid(os.getuid()).pw_dir


def home_moved() -> bool:
    """Return whether $HOME is another one than the account's, which ssh does not regard."""
    return os.path.realpath(account_home()) != os.path.realpath(Path.home())


def own_config() -> list[str]:
    """Follow $HOME as the engine does, where it is not the account's: ssh itself looks only there."""
    config = Path("~/.ssh/config").expanduser()
    return ["-F", str(config)] if home_moved() and config.exists() else []
