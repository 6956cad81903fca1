"""Addresses of hosts as people give them, checked before anything of ssh sees them.

A name reaches `ProxyCommand` and `Match exec` lines of ~/.ssh/config, which a shell runs: only plain ones pass.
"""

import ipaddress
import re

from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.names import LOCAL
from controlroom.text.states import StrEnum

_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,63}")
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?")
_ZONE = re.compile(r"(?:%[A-Za-z0-9._-]{1,32})?")
_FORMS = "use user@address, user@address:port, [IPv6]:port or a name of ~/.ssh/config"


class HostKind(StrEnum):
    """How a host is reached. Whatever differs between kinds of hosts asks for this."""

    LOCAL = "local"
    """It is the machine that the engine stands on: its node is a subprocess."""
    SSH = "ssh"


def kind_of(address: str) -> HostKind:
    """Return how the host with this address is reached."""
    return HostKind.LOCAL if address == LOCAL else HostKind.SSH


@dataclass(frozen=True)
class Address:
    """Where a host of kind `SSH` is. What is None or empty is left to ~/.ssh/config, then to ssh's defaults."""

    host: str
    user: str = ""
    port: int | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host and self.port else self.host
        return f"{self.user}@" * bool(self.user) + host + (f":{self.port}" if self.port else "")


def parse_address(text: str) -> Address:
    """Read an address. Raises `ValueError` with a sentence for people."""
    user, at, rest = text.rpartition("@")
    if at and not _USER.fullmatch(user):
        raise ValueError(f"{_shown(text)}: {_shown(user)} cannot be a user name; {_FORMS}")
    host, port = _split_port(rest)
    if not (_is_ipv6(host) if ":" in host else _HOST.fullmatch(host)):
        raise ValueError(f"{_shown(text)} is not an address of a host; {_FORMS}")
    if port is not None and not (port.isascii() and port.isdecimal() and 0 < int(port[:6]) < 65536):
        raise ValueError(f"{_shown(text)}: {_shown(port)} is not a port; {_FORMS}")
    return Address(host, user, int(port) if port else None)


def short_name(address: str) -> str:
    """Make a host's name from its address: the first label, or all of an IP address; "" when it is no address."""
    try:
        place = parse_address(address).host.partition("%")[0].lower()
    except ValueError:
        return ""
    label = place if re.fullmatch(r"[0-9.]+|[0-9a-f:.]*:[0-9a-f:.]*", place) else place.split(".")[0]
    return re.sub(r"[^a-z0-9._-]", "-", label).strip("-._")[:41]


def place_of(host: str, port: int) -> str:
    """Name host and port as a known_hosts file does."""
    return host if port == 22 else f"[{host}]:{port}"


_BRACKETED = re.compile(r"\[([^\[\]]*:[^\[\]]*)\](?::(.*))?", re.DOTALL)


def _split_port(text: str) -> tuple[str, str | None]:
    if bracketed := _BRACKETED.fullmatch(text):
        return bracketed[1], bracketed[2]
    if text.count(":") == 1:
        host, _, port = text.partition(":")
        return host, port
    return text, None


def _is_ipv6(text: str) -> bool:
    host, percent, zone = text.partition("%")
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return _ZONE.fullmatch(percent + zone) is not None


def _shown(text: str) -> str:
    return ascii(text)[:60]
