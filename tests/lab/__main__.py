"""A lab by hand, with faults to switch on and off.

    python -m tests.lab up 3                       prints the path of an ssh_config for vm1, vm2, vm3
    ssh -F LAB/ssh_config vm1 hostname
    python -m tests.lab link vm1 --delay 150 --jitter 30 --loss 5      | --cut both | --clear
    python -m tests.lab kill_connections vm1       a reset on every connection
    python -m tests.lab reboot vm1                 power loss, empty /tmp, the same disk
    python -m tests.lab freeze vm1                 thaw: suspended
    python -m tests.lab fill vm1                   unfill: no space left (up --disk 24)
    python -m tests.lab skew vm1 -7200             its wall clock (up --faketime)
    python -m tests.lab exec vm1 ps -ef            a command inside, without ssh
    python -m tests.lab down

Several labs at once: give each its own --lab DIRECTORY. `up --loopback` needs no root and knows fewer faults.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.lab.cable import Conditions
from tests.lab.lab import Lab, open_lab
from tests.lab.loopback import LoopbackLab
from tests.lab.namespaces import NamespaceHost, NamespaceLab
from tests.lab.options import Options

PLAIN: tuple[str, ...] = (
    "boot",
    "power_off",
    "reboot",
    "stop",
    "start",
    "freeze",
    "thaw",
    "kill_connections",
    "kill_tmux",
)
PLAIN += ("change_key", "processes", "unfill", "heal")


def parser() -> argparse.ArgumentParser:
    """All verbs and their options."""
    top = argparse.ArgumentParser(
        prog="python -m tests.lab", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("--lab", type=Path, default=Path("/tmp/lab-by-hand"), help="its directory")
    verbs = top.add_subparsers(dest="verb", required=True)
    up = verbs.add_parser("up")
    up.add_argument("count", type=int)
    up.add_argument("--loopback", action="store_true", help="sshds on 127.0.0.1")
    for option in ("tag", "net", "prefix", "hostname", "watch-command"):
        up.add_argument(f"--{option}")
    for option in ("operators", "disk", "seed"):
        up.add_argument(f"--{option}", type=int)
    up.add_argument("--faketime", action="store_true")
    up.add_argument("--sshd", action="append", help="a line for sshd_config")
    up.add_argument("--share", action="append", help="OUTSIDE:INSIDE, a path to show read-only")
    for verb in ("down", "list", "stats"):
        verbs.add_parser(verb)
    for verb in (*PLAIN, "link", "fill", "skew", "roam", "exec"):
        add_host_verb(verbs.add_parser(verb), verb)
    return top


def add_host_verb(verb: argparse.ArgumentParser, name: str) -> None:
    """The arguments of a verb that is for one host."""
    verb.add_argument("host")
    if name == "link":
        verb.add_argument("--direction", choices=["up", "down", "both"], default="both")
        verb.add_argument("--clear", action="store_true")
        verb.add_argument("--cut", choices=["none", "up", "down", "both"])
        for field in dataclasses.fields(Conditions):
            if field.name != "cut":
                verb.add_argument(f"--{field.name}", type=float)
    elif name == "fill":
        verb.add_argument("--leave", type=int, default=0)
    elif name == "skew":
        verb.add_argument("seconds", type=float)
    elif name == "roam":
        verb.add_argument("ip")
    elif name == "exec":
        verb.add_argument("--user", choices=["root", "agent", "watcher"], default="agent")
        verb.add_argument("command", nargs=argparse.REMAINDER)


def build(directory: Path, loopback: bool, count: int, **given: Any) -> None:
    """Bring a lab up and say where it is."""
    chosen = {name: value for name, value in given.items() if value not in (None, False)}
    chosen["share"] = dict(pair.split(":") for pair in chosen.get("share", []))
    kind = LoopbackLab if loopback else NamespaceLab
    lab: Lab[Any] = kind(directory, Options(**chosen))
    lab.up(count)
    print(lab.ssh_config)


def act(lab: Lab[Any], verb: str, name: str, **given: Any) -> Any:
    """Do one verb to one host; returns what there is to print."""
    host = lab[name]
    if verb == "exec":
        assert isinstance(host, NamespaceHost)
        words = [word for word in given["command"] if word != "--"]
        return subprocess.run([*host.inside(given["user"]), *words]).returncode
    return getattr(host, verb)(**{key: value for key, value in given.items() if value is not None})


def main() -> int:
    """Do what the command line says."""
    given = vars(parser().parse_args())
    directory, verb = given.pop("lab"), given.pop("verb")
    if verb == "up":
        build(directory, **given)
        return 0
    lab = open_lab(directory)
    if verb == "down":
        lab.down()
    elif verb == "list":
        print("\n".join(f"{host.name} {host.target}" for host in lab.hosts))
    elif verb == "stats":
        assert isinstance(lab, NamespaceLab)
        print(json.dumps(lab.ask(op="stats"), indent=1))
    else:
        said = act(lab, verb, given.pop("host"), **given)
        print(said if said is not None else "done")
    return 0


if __name__ == "__main__":
    sys.exit(main())
