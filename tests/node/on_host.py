"""What stands on a host: folders of agents, their processes and sessions."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from controlroom.metering.usage_file import Record, from_line
from controlroom.node.host import boot_id
from controlroom.runner.folder import TAG
from controlroom.wire.messages import (
    AgentSeen,
)
from controlroom.wire.usage import UsageBooked, UsagePlace, UsageSeen
from tests.lab.node_client import NodeClient, state_folder
from tests.lab.waiting import wait_for
from tests.lab.world import World


def of_tag(name: str, epoch: int) -> list[int]:
    """Every process of this test's world that carries an agent's tag."""
    wanted = {f"{TAG}=default/{name}.{epoch}".encode(), f"HOME={os.environ['HOME']}".encode()}
    return [pid for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))) if wanted <= environment_of(pid)]


def environment_of(pid: int) -> set[bytes]:
    try:
        return set(Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))
    except OSError:
        return set()


def tmux(*command: str) -> str:
    done = subprocess.run(["tmux", "-L", "controlroom", *command], capture_output=True, text=True, check=False)
    return done.stdout


def put_agent(home: World, name: str, epoch: int = 1, *, boot: str | None = None, **status: Any) -> Path:
    """Make an agent's folder as if it had been run, and give it."""
    folder = state_folder(home.home) / "agents" / f"{name}.{epoch}"
    folder.mkdir(parents=True)
    order = {"format": 1, "name": name, "epoch": epoch, "started": 5, "boot": boot_id() if boot is None else boot}
    (folder / "spec.json").write_text(json.dumps({**order, "spec": {"kind": "command"}}))
    fields = {"kind": "command", "state": "working", "since": 7, **status}
    (folder / "status.json").write_text(json.dumps({"format": 1, **fields}))
    return folder


def evidence(seen: AgentSeen) -> dict[str, tuple[str, str]]:
    return {one.source: (one.state, one.value) for one in seen.evidence}


class Books:
    """Home, as far as usage goes."""

    def __init__(self, node: NodeClient) -> None:
        self.node = node
        self.booked: list[Record] = []
        self.places: dict[tuple[str, int], UsagePlace] = {}
        self.answered = 0

    def book(self) -> None:
        """Book what has come, and say so."""
        seen = self.node.all(UsageSeen)
        for piece in seen[self.answered :]:
            self.booked += [from_line(line.encode()) for line in piece.data.splitlines() if line]
            place = UsagePlace(piece.place.name, piece.place.epoch, piece.end, piece.place.mark)
            self.places[place.name, place.epoch] = place
            self.node.send(UsageBooked(place))
        self.answered = len(seen)

    def wait(self, count: int) -> None:
        """Book until so many messages have come."""

        def enough() -> bool:
            self.book()
            return len(self.booked) >= count

        wait_for(enough, 15, f"{count} messages")
        assert len(self.booked) == count
