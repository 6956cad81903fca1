"""What a lab is made of, and its record on disk: another process that opens the directory knows all of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

Kind = Literal["vm", "operator"]
Mode = Literal["loopback", "namespaces"]


@dataclass
class Options:
    """How the hosts of a lab differ from a stock machine. Most of it needs namespaces."""

    tag: str = ""  # prefix of interfaces, namespaces and cgroups; empty: a random one
    net: str = ""  # the network, as 10.77.0.0/24; empty: a random free one
    prefix: str = "vm"  # hosts are prefix1, prefix2, ...
    operators: int = 0  # extra hosts op1, op2, ... that hold the keys to all others
    disk: int = 0  # MiB of ext4 behind /home, 0: the machine's own disk
    hostname: str = ""  # the same hostname for every host
    faketime: bool = False  # a wall clock that can be set
    share: dict[str, str] = field(default_factory=dict)  # path outside -> path inside, read-only
    watch_command: str = "/bin/false"  # forced command of the watcher's key
    held: bool = True  # the node's files lie there already; on a small disk of its own they never do
    sshd: list[str] = field(default_factory=list)  # lines for sshd_config; the rest stays as it is shipped
    seed: int = 1  # of the cables' dice


@dataclass
class Machine:
    """The record of one host."""

    name: str
    kind: Kind
    number: int
    ip: str
    port: int
    user: str


@dataclass
class Record:
    """The record of a lab."""

    mode: Mode
    options: Options
    machines: list[Machine] = field(default_factory=list)
    gateway: str = "127.0.0.1"  # where the hosts reach this machine
    prefix_length: int = 8

    def save(self, directory: Path) -> None:
        """Write the record into the lab's directory."""
        (directory / "lab.json").write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def load(cls, directory: Path) -> Record:
        """Read it back; FileNotFoundError where there is no lab."""
        data = json.loads((directory / "lab.json").read_text())
        data["options"] = Options(**data["options"])
        data["machines"] = [Machine(**machine) for machine in data["machines"]]
        return cls(**data)
