"""What this machine can give a lab: rights, programs, free ports and networks."""

from __future__ import annotations

import os
import random
import shutil
import socket
import sys
from contextlib import suppress
from pathlib import Path

from tests.lab.command import run
from tests.lab.sshd import sshd_program
from tests.lab.syscalls import TUN_DEVICE

PORTS = range(15000, 32000)  # below the ports that the kernel hands out by itself


def no_loopback_lab() -> str:
    """Why there can be no sshd on 127.0.0.1 here, or an empty text."""
    if sshd_program() is None:
        return "no sshd (Debian: openssh-server)"
    missing = [name for name in ("ssh", "ssh-keygen") if shutil.which(name) is None]
    return f"no {missing[0]} (Debian: openssh-client)" if missing else ""


def free_port(taken: set[int]) -> int:
    """A port on 127.0.0.1 that nobody listens on now."""
    for port in random.sample(PORTS, 200):
        if port not in taken:
            with suppress(OSError), socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
                return port
    raise OSError("no free port on 127.0.0.1")


def no_namespace_lab() -> str:
    """Why there can be no namespaces here, or an empty text."""
    if sys.platform != "linux":
        return "not Linux"
    if os.getuid() != 0:
        return "not root"
    if not Path(TUN_DEVICE).exists() and not make_tun_device():
        return f"no {TUN_DEVICE}"
    missing = [name for name in ("ip", "unshare", "nsenter", "ss") if shutil.which(name) is None]
    if missing or sshd_program() is None:
        return f"no {', '.join(missing) or 'sshd'} (Debian: iproute2, util-linux, openssh-server)"
    made = run("unshare", "--net", "--mount", "--pid", "--fork", "true", check=False)
    return "" if made.returncode == 0 else "the kernel gives no namespaces"


def make_tun_device() -> bool:
    """Make /dev/net/tun where a container lacks only the node."""
    try:
        Path(TUN_DEVICE).parent.mkdir(exist_ok=True)
        os.mknod(TUN_DEVICE, 0o20600, os.makedev(10, 200))
        os.close(os.open(TUN_DEVICE, os.O_RDWR))
    except OSError:
        return False
    return True


def unified_cgroup() -> Path | None:
    """Where cgroup version 2 is mounted, or None."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        if right.split()[0] == "cgroup2":
            return Path(left.split()[4])
    return None


def free_network() -> str:
    """A /24 that no route of this machine knows."""
    routes = run("ip", "-4", "route", "show", "table", "all").stdout
    while True:
        network = f"10.{random.randrange(64, 128)}.{random.randrange(256)}."
        if network not in routes:
            return network + "0/24"
