"""How one machine is to be reached over SSH, and what to say to people when that fails."""

import errno
import os
import re
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controlroom.fleet.hosts.address import Address, place_of
from controlroom.fleet.hosts.hostkeys import HostKeys
from controlroom.fleet.hosts.ship import shown

_SYSTEM_KNOWN_HOSTS = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
_USER_KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
_USER_CONFIG, _SYSTEM_CONFIG = "~/.ssh/config", "/etc/ssh/ssh_config"


@dataclass(frozen=True)
class Deadlines:
    """Seconds that each part of connecting may take."""

    connect: float = 20.0
    """All of it for one machine: name, TCP, login."""
    login: float = 15.0
    """From TCP being there to being logged in; less than `connect`, so that the two are told apart."""
    step: float = 60.0
    """Each step of putting the node there."""
    close: float = 2.0
    keepalive: float = 5.0
    """Between asyncssh's keepalives; a link is lost when two go without an answer, at three times this."""


Identities = Sequence[Any] | tuple[()] | None
"""Key files, and keys opened with a passphrase, to offer. (): the config names none, so ssh's usual ones and the
agent's; None: no key at all."""


@dataclass(frozen=True)
class Plan:
    """How one machine is to be reached."""

    address: Address
    user: str
    host: str
    """What known_hosts calls it: HostKeyAlias, or the host that is dialled."""
    port: int
    config: Sequence[Path]
    keys: HostKeys
    algorithms: Sequence[str] | tuple[()]
    ciphers: Sequence[str]
    """In the order of preference; none: as the config says."""
    identities: "Identities"
    left_out: Sequence[str]
    """Identity files that cannot be used, in words."""
    locked: Sequence[str]
    """Identity files with a passphrase that nobody has said yet."""
    jumps: Sequence[Address]

    @property
    def place(self) -> str:
        """Host and port as a known_hosts file writes them."""
        return place_of(self.host, self.port)


def denied(name: str, plan: Plan) -> str:
    """Say that a machine took none of our keys."""
    tried = [Path(path).name for path in plan.identities or () if isinstance(path, str)] or ["the keys in ~/.ssh"]
    tried += ["the ssh agent's"] if os.environ.get("SSH_AUTH_SOCK") else []
    tried = ["none"] if plan.identities is None else tried
    left_out = f"; left out: {', '.join(plan.left_out)}" if plan.left_out else ""
    port = f"-p {plan.port} " if plan.port != 22 else ""
    return (
        f"{name} refused our keys for user {plan.user} (tried {', '.join(tried)}{left_out}): add your public key there"
        f" with `ssh-copy-id {port}{plan.user}@{plan.address.host}`, or name the right key with IdentityFile in"
        " ~/.ssh/config, then retry"
    )


def cut_off(name: str, plan: Plan, why: str, deadlines: Deadlines) -> str:
    """Say that a connection ended, or stood still, before we were logged in."""
    if "timeout" in why.lower():
        return f"{name}: something answers at {plan.place}, but did not let us in within {deadlines.login:g} s"
    return (
        f"{name} ({plan.place}) closed the connection before we were logged in: its sshd is busy (MaxStartups),"
        " restarting, or it is no sshd"
    )


def unreached(error: OSError, name: str, plan: Plan, deadlines: Deadlines) -> str:
    """Say why there is no connection at all."""
    numbers = {error.errno, *(int(number) for number in re.findall(r"Errno (\d+)", str(error)))}
    at = f"{name}: {plan.place}"
    if isinstance(error, socket.gaierror):
        return (
            f"{name}: the name {plan.host} is not known here ({shown(str(error))}): check the address and the network"
        )
    if isinstance(error, TimeoutError) or errno.ETIMEDOUT in numbers:
        return f"{at} does not answer within {deadlines.connect:g} s: is it switched on, and is the way there open?"
    if errno.ECONNREFUSED in numbers:
        return f"{at} refused the connection: nothing listens there; is sshd running, and is the port right?"
    if numbers & {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN}:
        return f"{at} cannot be reached from here (no route): check the network or the VPN"
    if numbers & {errno.ECONNRESET, errno.EPIPE}:
        return cut_off(name, plan, "", deadlines)
    return f"{at}: {shown(str(error))}"


def acknowledge_at_once(connected: Any) -> None:
    """Let no acknowledgement wait for data of ours: sshd holds its next words back for it, 40 ms while a session opens.

    Linux; it lasts until the kernel takes the connection for a chatty one (tcp(7), TCP_QUICKACK).
    """
    if connected is not None and hasattr(socket, "TCP_QUICKACK"):
        with suppress(OSError):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def config_files() -> list[Path]:
    """Give the ssh config files of the user and of the system."""
    return [Path(name).expanduser() for name in (_USER_CONFIG, _SYSTEM_CONFIG)]


def known_hosts_files(given: Any) -> list[Path]:
    """Give the known_hosts files that a parsed config names, or the usual ones; `given` looks a keyword up."""
    user, system = given("UserKnownHostsFile"), given("GlobalKnownHostsFile")
    names = [*(_USER_KNOWN_HOSTS if user is None else user), *(_SYSTEM_KNOWN_HOSTS if system is None else system)]
    return [Path(name).expanduser() for name in names]
