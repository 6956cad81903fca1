"""The process that carries the frames of all cables of a lab, steered over a unix socket.

A request is one JSON line, {"op": "add" | "del" | "set" | "stats" | "quit", ...}; so is the answer, {"ok": ...} or
{"error": text}. A kernel without netem can do all of this: the cable is two TAP devices and this loop.
"""

from __future__ import annotations

import errno
import heapq
import itertools
import json
import os
import select
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.lab.cable import DIRECTIONS, Cable, Direction
from tests.lab.syscalls import open_tap

LARGEST_FRAME = 65536
FRAMES_A_TURN = 64  # of one cable, before the others get theirs
HARMLESS = (errno.EAGAIN, errno.EIO, errno.EBADF, errno.ENOBUFS)


class Switchboard:
    """All cables of one lab."""

    def __init__(self, path: Path, seed: int) -> None:
        self.seed = seed
        self.path = path
        self.cables: dict[str, Cable] = {}
        self.ends: dict[int, tuple[Cable, Direction]] = {}
        self.waiting: list[tuple[float, int, Cable, Direction, bytes]] = []
        self.order = itertools.count()
        self.poll = select.epoll()
        self.control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        path.unlink(missing_ok=True)
        self.control.bind(str(path))
        path.chmod(0o600)
        self.control.listen(16)
        self.poll.register(self.control, select.EPOLLIN)
        self.open = True

    # -- requests

    def add(self, host: str, namespace: str, interface: str) -> bool:
        """Lay a cable from eth0 in a network namespace to an interface outside."""
        self.remove(host)
        inner, outer = open_tap("eth0", namespace), open_tap(interface)
        cable = self.cables[host] = Cable(host, inner, outer, self.seed)
        self.ends[inner], self.ends[outer] = (cable, "up"), (cable, "down")
        for descriptor in (inner, outer):
            self.poll.register(descriptor, select.EPOLLIN)
        return True

    def remove(self, host: str) -> bool:
        """Take a cable away with all frames in it."""
        cable = self.cables.pop(host, None)
        if cable is None:
            return False
        for descriptor in cable.descriptors:
            self.ends.pop(descriptor, None)
            with suppress(OSError):
                self.poll.unregister(descriptor)
            os.close(descriptor)
        self.waiting = [frame for frame in self.waiting if frame[2] is not cable]
        heapq.heapify(self.waiting)
        return True

    def set(self, host: str, direction: str, clear: bool, changes: dict[str, object]) -> bool:
        """Change the conditions of one direction or of both."""
        chosen = tuple(d for d in DIRECTIONS if direction in (d, "both"))
        self.cables[host].set(chosen, clear, changes)
        return True

    def stats(self) -> dict[str, Any]:
        """Frames carried and lost by each cable, and the conditions that hold."""
        return {
            host: {**cable.counts, "conditions": {d: asdict(cable.lanes[d].conditions) for d in DIRECTIONS}}
            for host, cable in self.cables.items()
        }

    def quit(self) -> bool:
        """End after this answer."""
        self.open = False
        return True

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do one request."""
        operations: dict[str, Callable[..., object]] = {
            "add": self.add,
            "del": self.remove,
            "set": self.set,
            "stats": self.stats,
            "quit": self.quit,
        }
        try:
            return {"ok": operations[request.pop("op")](**request)}
        except Exception as error:
            return {"error": repr(error)}

    def serve_one(self) -> None:
        """Accept one connection on the control socket and answer its request."""
        connection, _ = self.control.accept()
        with connection, suppress(OSError, ValueError):
            connection.settimeout(5)
            with connection.makefile() as lines:
                answer = self.answer(json.loads(lines.readline()))
            connection.sendall(json.dumps(answer).encode() + b"\n")

    # -- frames

    def deliver(self, cable: Cable, direction: Direction, frame: bytes) -> None:
        """Let a frame out at the other end, unless the cable was cut while it was on its way."""
        lane = cable.lanes[direction]
        if lane.conditions.silent(direction):
            cable.counts["cut"] += 1
            return
        try:
            os.write(lane.target, frame)
            cable.counts[direction] += 1
        except OSError as error:
            if error.errno not in HARMLESS:
                raise
            cable.counts["overflow"] += 1

    def deliver_due(self) -> None:
        """Deliver every frame whose time has come."""
        now = time.monotonic()
        while self.waiting and self.waiting[0][0] <= now:
            _, _, cable, direction, frame = heapq.heappop(self.waiting)
            self.deliver(cable, direction, frame)

    def take_in(self, descriptor: int) -> None:
        """Read frames from one end and decide when each arrives at the other."""
        if descriptor not in self.ends:
            return
        cable, direction = self.ends[descriptor]
        for _ in range(FRAMES_A_TURN):
            try:
                frame = os.read(descriptor, LARGEST_FRAME)
            except OSError:
                return
            now = time.monotonic()
            for at in cable.arrivals(direction, len(frame), now):
                if at <= now and not self.waiting:
                    self.deliver(cable, direction, frame)
                else:
                    heapq.heappush(self.waiting, (at, next(self.order), cable, direction, frame))

    def run(self) -> None:
        """Carry frames until told to quit."""
        while self.open:
            self.deliver_due()
            pause = max(0.0, self.waiting[0][0] - time.monotonic()) if self.waiting else -1
            for descriptor, _ in self.poll.poll(pause):
                if descriptor == self.control.fileno():
                    self.serve_one()
                else:
                    self.take_in(descriptor)
        self.path.unlink(missing_ok=True)


def ask(path: Path, request: dict[str, Any]) -> Any:
    """Send one request to the switchboard behind a socket: RuntimeError with its refusal, OSError if it is gone."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        connection.sendall(json.dumps(request).encode() + b"\n")
        with connection.makefile() as lines:
            answer = json.loads(lines.readline())
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return answer["ok"]


if __name__ == "__main__":
    Switchboard(Path(sys.argv[1]), int(sys.argv[2])).run()
