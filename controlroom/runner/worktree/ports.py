"""A range of free ports for one worktree: below those that the system gives out by itself, and nobody else's here."""

import errno
import socket
from collections.abc import Iterable

FIRST, LAST = 20_000, 32_767
"""Linux gives out ports from 32,768 on (ip_local_port_range); other systems from 49,152."""


def free_range(count: int, taken: Iterable[tuple[int, ...]], seed: int) -> tuple[int, ...]:
    """Find `count` ports in a row that nobody listens on and no worktree has; () when there are none.

    `taken`: ranges of others, each as first and count. `seed`: where the search begins, so that rooms which know
    nothing of each other seldom meet.
    """
    held = {port for first_and_count in taken if first_and_count for port in _ports(*first_and_count)}
    places = (LAST - FIRST + 1) // count if count > 0 else 0
    for number in range(places):
        first = FIRST + (seed + number) % places * count
        if not held.intersection(_ports(first, count)) and all(is_free(port) for port in _ports(first, count)):
            return first, count
    return ()


def is_free(port: int) -> bool:
    """Whether nobody listens on a port of this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as error:
            return error.errno not in (errno.EADDRINUSE, errno.EACCES)
    return True


def _ports(first: int, count: int) -> range:
    return range(first, first + min(max(count, 0), LAST))
