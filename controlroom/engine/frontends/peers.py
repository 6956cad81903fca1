"""Whose process is at the other end of a socket: leads, and what they began, are let in by their token alone.

An agent runs as the same user as the engine, so a socket that this user may open is open to it: what its Claude runs in
a shell would have all rights. A process that bears an agent's mark in its environment, or is below one that does, is
told from others. One that tears itself loose of both is not: for that an agent needs a sandbox, or another user.
"""

import socket
import struct
from collections.abc import Iterator
from pathlib import Path

from controlroom.domain.address import HostKind
from controlroom.domain.model import Agent, Fleet

TAG = b"CONTROLROOM_AGENT="
"""What a runner puts into the environment of all that its agent starts: `NAMESPACE/NAME.EPOCH` follows."""

_ABOVE, _MOST = 64, 1024 * 1024


def refusal(connection: socket.socket, fleet: Fleet, namespace: str) -> str:
    """Why a process may not come in here; "": it may. Without leads nothing is looked up."""
    leads = bool(fleet.leads) or any(profile.lead for profile in fleet.profiles.values())
    agent = _led(_peer(connection), fleet, namespace) if leads else None
    if agent is None:
        return ""
    whose = f"lead {agent.lead} began" if agent.lead else "leads by a token"
    return f"this process is a part of {agent.id}, which {whose}: it may do what a token says, by controlroom mcp"


def only_lead(connection: socket.socket, fleet: Fleet, namespace: str) -> str | None:
    """The one lead whose token a process may say, "" for none; None: any, for it is a part of no agent that leads.

    A token lies in a file that every agent of this user can read.
    """
    agent = _led(_peer(connection), fleet, namespace)
    return None if agent is None else _leads_as(agent, fleet)


def _leads_as(agent: Agent, fleet: Fleet) -> str:
    profile = fleet.profiles.get(agent.ordered.profile if agent.ordered else agent.profile)
    return profile.lead if profile is not None else ""


def _peer(connection: socket.socket) -> int:
    """The process at the other end; 0 where the system does not tell."""
    if not hasattr(socket, "SO_PEERCRED"):
        return 0
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[0])


def _led(pid: int, fleet: Fleet, namespace: str) -> Agent | None:
    """The agent that a process belongs to, if it leads others or a lead began it; None: it belongs to no such one."""
    here = [host.name for host in fleet.hosts.values() if host.kind is HostKind.LOCAL]
    for tag in _tags(pid):
        room, _, run = tag.rpartition("/")
        name = run.rpartition(".")[0]
        agents = (fleet.agents.get(f"{host}/{name}") for host in here if room == (namespace or "default"))
        for agent in filter(None, agents):
            if agent.lead or _leads_as(agent, fleet):
                return agent
    return None


def _tags(pid: int) -> Iterator[str]:
    """The marks of a process and of those above it."""
    for _ in range(_ABOVE):
        if pid <= 1:
            return
        for variable in _read(pid, "environ").split(b"\0"):
            if variable.startswith(TAG):
                yield variable.removeprefix(TAG).decode("utf-8", "replace")
        above = _read(pid, "stat").rpartition(b")")[2].split()
        pid = int(above[1]) if len(above) > 1 and above[1].isdigit() else 0


def _read(pid: int, name: str) -> bytes:
    try:
        with Path("/proc", str(pid), name).open("rb") as file:
            return file.read(_MOST)
    except OSError:
        return b""
