"""The node's files on a host that was met before: unpacked and compiled once, and there from the beginning.

Almost every host has them when it is met. To send, unpack and compile them for each HOME of a test took longer than
most tests. Those of the deployment itself (`tests/engine/test_ship.py`, hosts with `held=False`) begin without.
"""

from __future__ import annotations

import compileall
import shutil
from functools import cache
from pathlib import Path

from controlroom.engine.hosts.deploy import bundles
from controlroom.node.bootstrap import write
from tests.lab.kept import made_once


def hold(home: Path) -> None:
    """Put the files where a node looks for them in a HOME of this machine: a link to those that all share."""
    place_in(home).symlink_to(unpacked())


def copy(home: Path) -> None:
    """The same in a HOME whose users do not get to ours: a copy. Its times are kept, or all would be compiled anew."""
    shutil.copytree(unpacked(), place_in(home))


def place_in(home: Path) -> Path:
    """Where they have to lie, in folders that only their owner gets to."""
    folder = home / ".cache" / "controlroom" / "node"
    folder.mkdir(parents=True)
    for made in (folder.parent, folder):
        made.chmod(0o700)
    return folder / bundles()[0].digest


def forget(home: Path) -> None:
    """Take them away: a new host."""
    shutil.rmtree(home / ".cache")


@cache
def unpacked() -> Path:
    """Where they lie for the tests of all workers."""
    return made_once(bundles()[0].digest, unpack)


def unpack(place: Path) -> None:
    place.mkdir(mode=0o700)
    write(bundles()[0].data, str(place))
    compileall.compile_dir(place, quiet=2)
