"""The node's files on a host that was met before: unpacked and compiled once, and there from the beginning.

Almost every host has them when it is met. To send, unpack and compile them for each HOME of a test took longer than
most tests. Those of the deployment itself (`tests/engine/test_ship.py`, hosts with `held=False`) begin without.
"""

from __future__ import annotations

import compileall
import fcntl
import os
import shutil
import time
from functools import cache
from pathlib import Path

from controlroom.engine.hosts.deploy import Bundle, bundles
from controlroom.node.bootstrap import write
from tests.__main__ import CACHE

UNUSED = 86_400
"""Seconds after which the files of another state of the code are removed."""


def hold(home: Path) -> None:
    """Put the files where a node looks for them in a HOME of this machine: a link to those that all share."""
    folder = home / ".cache" / "controlroom" / "node"
    folder.mkdir(parents=True, mode=0o700)
    for made in (folder.parent, folder):
        made.chmod(0o700)
    (folder / bundles()[0].digest).symlink_to(unpacked())


def forget(home: Path) -> None:
    """Take them away: a new host."""
    shutil.rmtree(home / ".cache")


@cache
def unpacked() -> Path:
    """Where they lie for the tests of all workers."""
    bundle, folder = bundles()[0], CACHE / "node"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        place = folder / bundle.digest
        if not place.exists():
            sweep(folder)
            unpack(bundle, folder / "new", place)
        os.utime(place)
    return place


def unpack(bundle: Bundle, new: Path, place: Path) -> None:
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    write(bundle.data, str(new))
    compileall.compile_dir(new, ddir=str(place), quiet=2)
    new.rename(place)


def sweep(folder: Path) -> None:
    """Remove what was not used for a while."""
    for place in folder.iterdir():
        if place.is_dir() and time.time() - place.stat().st_mtime > UNUSED:
            shutil.rmtree(place)
