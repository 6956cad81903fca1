"""The room's links, a task each, and what dials their hosts. Whatever becomes of one link, the others go on."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from controlroom.domain.address import HostKind, kind_of, parse_address
from controlroom.domain.intents import LinkEffect, RetryLink, TrustKey
from controlroom.engine.hosts.channel import Channel, Dialler
from controlroom.engine.hosts.link import Link
from controlroom.engine.hosts.local import LocalDialler, this_machine
from controlroom.engine.hosts.secrets import Secrets
from controlroom.engine.hosts.signer import Signer
from controlroom.engine.hosts.tcp import Ways
from controlroom.wire.messages import ToNode

log = logging.getLogger("controlroom.engine")


class Links:
    """What stands to every host of the room."""

    def __init__(
        self,
        open_link: Callable[[str, str, str], Link],
        signer: Signer,
        failed: Callable[[str, str], None],
        logged: Path,
    ) -> None:
        """`open_link`: (host, address, fingerprint) -> a link; `logged`: where the log is.

        `failed`: (host, why) is called when a link has ended by a mistake of ours.
        """
        self._open_link, self._signer, self._failed, self._logged = open_link, signer, failed, logged
        self._links: dict[str, tuple[Link, asyncio.Task[None]]] = {}
        self.ending: set[asyncio.Task[None]] = set()
        """Links to hosts that are no longer in the room, while they close."""

    def connect(self, host: str, address: str, fingerprint: str) -> None:
        """Connect to a host, and keep it connected."""
        link = self._open_link(host, address, fingerprint)
        task = asyncio.get_running_loop().create_task(self._run(host, link), name=f"link {host}")
        self._links[host] = link, task

    def disconnect(self, host: str) -> None:
        """Close the link to a host."""
        _, task = self._links.pop(host)
        task.cancel()
        self.ending.add(task)
        task.add_done_callback(self.ending.discard)

    def link(self, host: str) -> Link:
        """Return the link to a host of the room."""
        return self._links[host][0]

    def tell(self, effect: LinkEffect) -> str:
        """Tell a link what a person said; the verb for the audit, which holds that a secret was told, never which."""
        link = self.link(effect.host)
        if isinstance(effect, RetryLink):
            link.retry()
            return "host retry"
        if isinstance(effect, TrustKey):
            link.trust(effect.question, effect.accept)
            return "trust" if effect.accept else "distrust"
        link.tell(effect.question, effect.secret)
        return "distrust" if effect.secret is None else "secret"

    def send(self, host: str, message: ToNode) -> bool:
        """Sign a message and send it to a host; False when it cannot be reached."""
        signed, to_host = self._signer.signed(host, message), self._links.get(host)
        return to_host is not None and to_host[0].send(signed)

    async def close(self, patience: float) -> None:
        """End all links, waiting so many seconds at most."""
        tasks = [task for _, task in self._links.values()] + list(self.ending)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=patience)

    async def _run(self, host: str, link: Link) -> None:
        """Run a link; its failing is our own mistake, and must not take anything else along."""
        try:
            await link.run()
        except Exception:
            log.exception("the link to %s failed", host)
            reason = f"Control Room made a mistake here; see {self._logged}, then run: controlroom stop"
            self._failed(host, reason)


class HostDialler:
    """Opens channels to a host, over SSH or (address `local`) as a subprocess."""

    def __init__(
        self, host: str, address: str, known_hosts: Path, fingerprint: str = "", ways: Ways | None = None
    ) -> None:
        """`known_hosts`: where accepted keys are kept; `fingerprint`: of a key to accept unasked; `ways`: the room's.

        Raises `ValueError`, with a sentence for people, when `address` is none.
        """
        self._host = host
        self._address = parse_address(address) if kind_of(address) is HostKind.SSH else None
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
