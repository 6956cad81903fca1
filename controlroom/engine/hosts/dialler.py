"""The dialler of a host by its address. What SSH needs is loaded only when the first host needs it."""

import asyncio
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from controlroom.domain.address import parse_address
from controlroom.engine.hosts.channel import Channel, Dialler
from controlroom.engine.hosts.local import LocalDialler, this_machine
from controlroom.engine.hosts.secrets import Secrets
from controlroom.engine.hosts.tcp import Ways
from controlroom.text.names import LOCAL


class HostDialler:
    """Opens channels to a host, over SSH or (address `local`) as a subprocess."""

    def __init__(
        self, host: str, address: str, known_hosts: Path, fingerprint: str = "", ways: Ways | None = None
    ) -> None:
        """`known_hosts`: where accepted keys are kept; `fingerprint`: of a key to accept unasked; `ways`: the room's.

        Raises `ValueError`, with a sentence for people, when `address` is none.
        """
        self._host = host
        self._address = None if address == LOCAL else parse_address(address)
        self._known_hosts = known_hosts
        self._trusted = {fingerprint} if fingerprint else set()
        self._secrets = Secrets()
        self._ways = ways or Ways(time.monotonic)
        self.proven: Sequence[str] = ()

    def trust(self, fingerprint: str) -> None:
        """Accept the key with this fingerprint when it is next shown, and remember it."""
        self._trusted.add(fingerprint)

    def keep(self, key: str, secret: str) -> None:
        """Remember the answer to a `SecretWanted`, in memory only."""
        self._secrets.keep(key, secret)

    async def dial(self) -> Channel:
        """Open a channel. Raises `LinkLost`, `HostRefuses`, `HostKeyUnknown` or `SecretWanted`."""
        if self._address is None:
            self.proven = await asyncio.to_thread(this_machine)
            return await LocalDialler(self._host).dial()
        ssh: Any = await asyncio.to_thread(import_module, "controlroom.engine.hosts.ssh")
        dialler: Dialler = ssh.SshDialler(
            self._host,
            self._address,
            self._known_hosts,
            trusted=self._trusted,
            secrets=self._secrets,
            ways=self._ways,
        )
        channel = await dialler.dial()
        self.proven = dialler.proven
        return channel
