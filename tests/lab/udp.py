"""A thin, long, lossy way for UDP on the loopback: delays, loses, counts, and changes its address as a phone does."""

from __future__ import annotations

import heapq
import random
import selectors
import socket
import threading
import time
from dataclasses import dataclass, field

HEADERS = 28
"""Bytes of IPv4 and UDP headers that each datagram costs on the air."""


@dataclass
class Counted:
    """What has come through in one direction. `octets` count without headers."""

    datagrams: int = 0
    octets: int = 0

    @property
    def on_air(self) -> int:
        """With headers."""
        return self.octets + HEADERS * self.datagrams


@dataclass(order=True)
class _Late:
    at: float
    number: int
    data: bytes = field(compare=False)
    to_server: bool = field(compare=False)


class Way:
    """Between one client, which talks to `port`, and a server on 127.0.0.1."""

    def __init__(self, server_port: int, delay: float = 0.0, loss: float = 0.0, seed: int = 1) -> None:
        """`delay`: seconds each way; `loss`: share of datagrams, 0 to 1."""
        self.delay, self.loss = delay, loss
        self.down, self.up = Counted(), Counted()
        self._server = ("127.0.0.1", server_port)
        self._random = random.Random(seed)
        self._front = _socket()
        self._back = _socket()
        self.port: int = self._front.getsockname()[1]
        self._client: tuple[str, int] | None = None
        self._late: list[_Late] = []
        self._number = 0
        self._cut = self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def roam(self) -> None:
        """Go on from another address, as a phone that leaves the house."""
        self._back, old = _socket(), self._back
        old.close()

    def cut(self, cut: bool = True) -> None:
        """Let nothing through, or everything again."""
        self._cut = cut

    def close(self) -> None:
        """End."""
        self._ended = True
        self._thread.join(2)
        self._front.close()
        self._back.close()

    def _run(self) -> None:
        while not self._ended:
            with selectors.DefaultSelector() as selector:
                for end in (self._front, self._back):
                    if end.fileno() >= 0:
                        selector.register(end, selectors.EVENT_READ)
                wait = max(0.0, self._late[0].at - time.monotonic()) if self._late else 0.05
                ready = {key.fd for key, _ in selector.select(min(wait, 0.05))}
            for end in (self._front, self._back):
                if end.fileno() in ready:
                    self._receive(end is self._front, end)
            while self._late and self._late[0].at <= time.monotonic():
                self._pass_on(heapq.heappop(self._late))

    def _receive(self, to_server: bool, end: socket.socket) -> None:
        try:
            data, sender = end.recvfrom(65_536)
        except OSError:
            return
        if to_server:
            self._client = sender
        if self._cut or self._random.random() < self.loss:
            return
        self._number += 1
        heapq.heappush(self._late, _Late(time.monotonic() + self.delay, self._number, data, to_server))

    def _pass_on(self, late: _Late) -> None:
        counted = self.up if late.to_server else self.down
        counted.datagrams += 1
        counted.octets += len(late.data)
        try:
            if late.to_server:
                self._back.sendto(late.data, self._server)
            elif self._client:
                self._front.sendto(late.data, self._client)
        except OSError:
            return


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    return made
