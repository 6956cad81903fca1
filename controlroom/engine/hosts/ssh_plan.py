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

from controlroom.domain.address import Address, place_of
from controlroom.engine.hosts.deploy import shown
from controlroom.engine.hosts.host_keys import HostKeys
from controlroom.engine.hosts.ssh_config import SYSTEM_CONFIG, HostConfig

_SYSTEM_KNOWN_HOSTS = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
_USER_KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
_USER_CONFIG = "~/.ssh/config"
_CONNECT = 20.0


@dataclass(frozen=True)
class Deadlines:
    """Seconds that each part of connecting may take."""

    connect: float | None = None
    """TCP to one machine, its name included; None: ConnectTimeout, else 20 s."""
    login: float = 15.0
    """From TCP being there to being logged in."""
    step: float = 60.0
    """Each step of putting the node there."""
    close: float = 2.0
    keepalive: float = 5.0
    """Between asyncssh's keepalives; a link is lost when two go without an answer, at three times this."""

    def connecting(self, configured: float | None) -> float:
        """Give the seconds that a machine has to take a connection; `configured`: its ConnectTimeout."""
        return self.connect or configured or _CONNECT


Identities = Sequence[Any] | tuple[()] | None
"""Key files, and keys opened with a passphrase, to offer. (): the config names none, so ssh's usual ones and the
agent's; None: no key at all."""


@dataclass(frozen=True)
class Plan:
    """How one machine is to be reached, with the keys that are known and ours. Algorithms: (): the library's own."""

    address: Address
    config: HostConfig
    known_as: tuple[str, int]
    """What known_hosts calls it: HostKeyAlias (as if at port 22), or the host and port that are dialled."""
    keys: HostKeys
    algorithms: Sequence[str]
    ciphers: Sequence[str]
    key_exchanges: Sequence[str]
    macs: Sequence[str]
    signatures: Sequence[str]
    identities: "Identities"
    publics: Sequence[bytes]
    """Public keys and certificates of the identities: which of the agent's keys come first, or come at all."""
    left_out: Sequence[str]
    """Identity files that cannot be used, in words."""
    locked: Sequence[str]
    """Identity files with a passphrase that nobody has said yet."""

    @property
    def user(self) -> str:
        """Who logs in."""
        return self.config.user

    @property
    def host(self) -> str:
        """What is dialled."""
        return self.config.host

    @property
    def port(self) -> int:
        """Where it is dialled."""
        return self.config.port

    @property
    def place(self) -> str:
        """Host and port as a known_hosts file writes them."""
        return place_of(*self.known_as)


def denied(name: str, plan: Plan) -> str:
    """Say that a machine took none of our keys."""
    tried = [Path(path).name for path in plan.identities or () if isinstance(path, str)] or ["the keys in ~/.ssh"]
    agent = os.environ.get("SSH_AUTH_SOCK") if plan.config.agent is None else plan.config.agent
    tried += ["the ssh agent's"] if agent else []
    tried = ["none"] if not plan.identities and not agent and plan.config.named else tried
    left_out = f"; left out: {', '.join(plan.left_out)}" if plan.left_out else ""
    port = f"-p {plan.port} " if plan.port != 22 else ""
    return (
        f"{name} refused our keys for user {plan.user} (tried {', '.join(tried)}{left_out}): add your public key there"
        f" with `ssh-copy-id {port}{plan.user}@{plan.address.host}`, or name the right key with IdentityFile in"
        " ~/.ssh/config"
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
    at, seconds = f"{name}: {plan.place}", deadlines.connecting(plan.config.connect_seconds)
    if isinstance(error, socket.gaierror):
        return (
            f"{name}: the name {plan.host} is not known here ({shown(str(error))}): check the address and the network"
        )
    if isinstance(error, TimeoutError) or errno.ETIMEDOUT in numbers:
        return f"{at} does not answer within {seconds:g} s: is it switched on, and is the way there open?"
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
    return [Path(name).expanduser() for name in (_USER_CONFIG, SYSTEM_CONFIG)]


def known_hosts_files(given: Any) -> list[Path]:
    """Give the known_hosts files that a parsed config names, or the usual ones; `given` looks a keyword up."""
    user, system = given("UserKnownHostsFile"), given("GlobalKnownHostsFile")
    names = [*(_USER_KNOWN_HOSTS if user is None else user), *(_SYSTEM_KNOWN_HOSTS if system is None else system)]
    return [Path(name).expanduser() for name in names]
