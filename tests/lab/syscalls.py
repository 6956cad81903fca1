"""What the standard library has no call for: mount, setns and TAP devices (Linux)."""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct

LIBC = ctypes.CDLL(None, use_errno=True)
READ_ONLY, REMOUNT, BIND, RECURSIVE, PRIVATE = 1, 32, 4096, 16384, 1 << 18
NEW_NETWORK = 0x40000000
TUNSETIFF, TAP, NO_PACKET_INFO = 0x400454CA, 0x0002, 0x1000
TUN_DEVICE = "/dev/net/tun"


def mount(source: str, target: str, kind: str | None = None, flags: int = 0, data: str | None = None) -> None:
    """The system call mount(2)."""

    def encoded(text: str | None) -> bytes | None:
        return None if text is None else os.fsencode(text)

    words = encoded(source), encoded(target), encoded(kind)
    if LIBC.mount(*words, ctypes.c_ulong(flags), encoded(data)):
        number = ctypes.get_errno()
        raise OSError(number, f"mount {source} on {target}: {os.strerror(number)}")


def enter_network(namespace: int) -> None:
    """Move this thread into the network namespace of an open file."""
    if LIBC.setns(namespace, NEW_NETWORK):
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")


def open_tap(interface: str, namespace: str | None = None) -> int:
    """A new TAP device, in a named network namespace or in ours; returns its non-blocking descriptor."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        if namespace:
            away = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
            try:
                enter_network(away)
            finally:
                os.close(away)
        device = os.open(TUN_DEVICE, os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH14x", interface.encode(), TAP | NO_PACKET_INFO))
        return device
    finally:
        enter_network(home)
        os.close(home)
