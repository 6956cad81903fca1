"""What is true on a host: read from its files and from /proc, not from anything that our own node says.

`problems` is the check at the end of every fault: I1 (never two lives of one agent), I3 (no acknowledged order lost),
I5 (nothing left that nobody knows of), and the fleet shown is what the host has.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from controlroom.domain.model import ENDED, Agent, Fleet
from controlroom.node.agent_folders import Entry, entries, read_status
from controlroom.runner.folder import TAG, place, tmux_socket
from controlroom.wire.lines import PeerError
from tests.lab.processes import Process, read
from tests.lab.world import World

RUNNER = re.compile(r"runner/run\.py \S*/agents/(\S+)\.(\d+)$")
NODE = re.compile(r"controlroom/node/serve\.py\b")

Life = tuple[str, int]
"""Name and epoch of an agent."""


class Place(Protocol):
    """A host, as far as it is looked at."""

    @property
    def home(self) -> Path: ...

    name: str

    def processes(self) -> list[Process]: ...

    def ssh(self, *words: str) -> subprocess.CompletedProcess[str]: ...


class Here:
    """This machine, in the world of a test, as a host that needs no way to it."""

    name = "here"

    def __init__(self, world: World) -> None:
        self.home, self.processes = world.home, world.processes

    def ssh(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["/bin/sh", "-c", *words], capture_output=True, text=True, timeout=60)


@dataclass
class Truth:
    """One host at one moment."""

    host: str
    statuses: dict[Life, str] = field(default_factory=dict)
    """State by life, "" where a folder has none."""
    runners: Counter[Life] = field(default_factory=Counter)
    tagged: dict[Life, list[Process]] = field(default_factory=dict)
    """Processes of agents by their environment, runners left out."""
    nodes: list[Process] = field(default_factory=list)
    sessions: list[str] = field(default_factory=list)
    """Names of the sessions on our tmux socket."""


def state_of(host: Place, namespace: str) -> str:
    """The folder where a host keeps what it knows, as this machine sees it."""
    return str(host.home / ".local" / "state" / "controlroom" / namespace)


def look_at(host: Place, namespace: str) -> Truth:
    """Look at everything of one room on one host."""
    truth = Truth(host.name)
    folders: dict[str, Life] = {}
    for entry in entries(state_of(host, namespace)):
        truth.statuses[entry.name, entry.epoch] = status_of(entry)
        folders[place(entry.folder)] = entry.name, entry.epoch
    for process in host.processes():
        put(truth, process, folders, namespace)
    listed = host.ssh(f"tmux -L {tmux_socket(namespace)} list-sessions -F '#{{session_name}}'")
    truth.sessions = listed.stdout.split() if listed.returncode == 0 else []
    return truth


def status_of(entry: Entry) -> str:
    """What a status file says of the state."""
    try:
        seen = read_status(entry)
    except PeerError as error:
        return f"damaged: {error}"
    return seen.state if seen else ""


def put(truth: Truth, process: Process, folders: Mapping[str, Life], namespace: str) -> None:
    """Sort one process of the host in."""
    if found := RUNNER.search(process.command):
        truth.runners[found[1], int(found[2])] += 1
    elif NODE.search(process.command):
        truth.nodes.append(process)
    else:
        environ = dict(pair.split(b"=", 1) for pair in read(process.pid, "environ").split(b"\0") if b"=" in pair)
        mark = environ.get(TAG.encode(), b"").decode(errors="replace")
        if mark.startswith(f"{namespace or 'default'}/"):
            name, _, epoch = mark.partition("/")[2].rpartition(".")
            truth.tagged.setdefault((name, int(epoch)), []).append(process)


# -- what must be so


def problems(truth: Truth, fleet: Fleet) -> list[str]:
    """What is wrong between a host and the fleet that is shown; empty when all is well."""
    shown = {(agent.name, agent.epoch): agent for agent in fleet.agents_on(truth.host)}
    return [f"{truth.host}: {text}" for text in (*two_lives(truth), *unknown(truth, shown), *not_shown(truth, shown))]


def two_lives(truth: Truth) -> Iterator[str]:
    """I1: one runner a life, and one life a name."""
    for life, count in truth.runners.items():
        if count > 1:
            yield f"{count} runners of {life}"
    alive = {*truth.runners, *truth.tagged}
    for name in {name for name, _ in alive}:
        lives = sorted(epoch for other, epoch in alive if other == name)
        if len(lives) > 1:
            yield f"{name} lives in epochs {lives}"


def unknown(truth: Truth, shown: Mapping[Life, Agent]) -> Iterator[str]:
    """I5: every process and every session belongs to an agent that is shown as alive."""
    alive = {life for life, agent in shown.items() if agent.state not in ENDED}
    for life, processes in truth.tagged.items():
        if life not in alive:
            yield f"nobody knows of {[(process.pid, process.command) for process in processes]} of {life}"
    for life in truth.runners:
        if life not in alive:
            yield f"nobody knows of the runner of {life}"
    names = {name for name, _ in alive}
    yield from (f"nobody knows of the tmux session {name}" for name in truth.sessions if name not in names)
    if len(truth.nodes) > 1:
        yield f"{len(truth.nodes)} nodes: {[node.pid for node in truth.nodes]}"


def not_shown(truth: Truth, shown: Mapping[Life, Agent]) -> Iterator[str]:
    """The fleet is what the host has: the newest life of every name, in its state."""
    newest = dict(sorted(truth.statuses))
    for name, epoch in newest.items():
        agent = shown.get((name, epoch))
        if agent is None:
            yield f"({name}, {epoch}) is there and not shown"
        elif agent.state.value != truth.statuses[name, epoch]:
            yield f"{name} is {truth.statuses[name, epoch]!r} and shown as {agent.state.value}"
    for life, agent in shown.items():
        if life not in truth.statuses and agent.state not in ENDED:
            yield f"{life} is shown as {agent.state.value} and not there"
        if agent.state not in ENDED and not truth.runners[life]:
            yield f"{life} is shown as {agent.state.value} and has no runner"
        if agent.pending:
            yield f"{life} has an order pending: {agent.pending.verb}"


def sockets_left(host: Place, namespace: str) -> list[str]:
    """Control sockets of agents that have ended."""
    ended = {state.value for state in ENDED}
    over = [entry for entry in entries(state_of(host, namespace)) if status_of(entry) in ended]
    return [entry.folder for entry in over if os.path.exists(f"{entry.folder}/control.sock")]
