"""The account and identity files of a host in a namespace: users `agent` and `watcher`, its own names and ids."""

from __future__ import annotations

import uuid
from pathlib import Path

from tests.lab.options import Machine

USERS = {"agent": 1000, "watcher": 1001}
FILES = ("passwd", "group", "shadow", "hostname", "hosts", "machine-id")


def write_etc(folder: Path, machine: Machine, hostname: str, everyone: list[Machine], seed: int) -> None:
    """Write the files of /etc that tell one machine from another."""
    people = USERS.items()
    texts = {
        "passwd": "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n"
        "sshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n"
        + "".join(f"{user}:x:{uid}:{uid}::/home/{user}:/bin/bash\n" for user, uid in people),
        "group": "root:x:0:\ntty:x:5:\nnogroup:x:65534:\nagentlogs:x:1100:agent,watcher\n"
        + "".join(f"{user}:x:{uid}:\n" for user, uid in people),
        "shadow": "".join(f"{user}:*:19000:0:99999:7:::\n" for user in ("root", "nobody", "sshd", *USERS)),
        "hostname": f"{hostname}\n",
        "hosts": f"127.0.0.1 localhost {hostname}\n" + "".join(f"{other.ip} {other.name}\n" for other in everyone),
        "machine-id": uuid.uuid5(uuid.NAMESPACE_DNS, f"{seed}{machine.name}").hex + "\n",
    }
    for name in FILES:
        (folder / name).write_text(texts[name])
    (folder / "shadow").chmod(0o600)
