"""The room's links, one task each: whatever becomes of one, the others and the engine go on."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from controlroom.domain.events import LinkChanged
from controlroom.domain.intents import LinkEffect, RetryLink, TrustKey
from controlroom.domain.model import LinkState
from controlroom.engine.hosts.link import HostLink, Sink
from controlroom.wire.messages import ToNode

log = logging.getLogger("controlroom.engine")


class Links:
    """What stands to every host of the room."""

    def __init__(
        self, sink: Sink, clock: Callable[[], int], logged: Path, open_link: Callable[[str, str, str], HostLink]
    ) -> None:
        """`open_link`: (host, address, fingerprint) -> a link that reports to `sink`; `logged`: where the log is."""
        self._sink, self._clock, self._logged, self._open_link = sink, clock, logged, open_link
        self._links: dict[str, tuple[HostLink, asyncio.Task[None]]] = {}
        self.ending: set[asyncio.Task[None]] = set()
        """Links to hosts that are no longer in the room, while they close."""

    def connect(self, host: str, address: str, fingerprint: str) -> None:
        """Begin to connect, and go on for ever."""
        link = self._open_link(host, address, fingerprint)
        task = asyncio.get_running_loop().create_task(self._run(host, link), name=f"link {host}")
        self._links[host] = link, task

    def disconnect(self, host: str) -> None:
        """Have no link to a host any more."""
        _, task = self._links.pop(host)
        task.cancel()
        self.ending.add(task)
        task.add_done_callback(self.ending.discard)

    def link(self, host: str) -> HostLink:
        """Give the link to a host of the room."""
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
        """Send a host a message; False when it cannot be reached."""
        found = self._links.get(host)
        return found is not None and found[0].send(message)

    async def close(self, patience: float) -> None:
        """End all links, waiting so many seconds at most."""
        tasks = [task for _, task in self._links.values()] + list(self.ending)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=patience)

    async def _run(self, host: str, link: HostLink) -> None:
        """Run a link; its failing is our own mistake, and must not take anything else along."""
        try:
            await link.run()
        except Exception:
            log.exception("the link to %s failed", host)
            reason = f"Control Room made a mistake here; see {self._logged}, then run: controlroom stop"
            self._sink.happened(LinkChanged(host, LinkState.LOST, self._clock(), reason))
