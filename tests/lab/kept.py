"""What is made once for the tests of all workers, and of later runs: below the folder that is kept between runs."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from tests.__main__ import CACHE

FOLDER = CACHE / "made"
UNUSED = 86_400
"""Seconds after which what nobody has used is removed: most of it is of one state of the code."""


def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """The file or folder that `make` makes at a path; `name` says all that it depends on."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    place, new = FOLDER / name, FOLDER / "new"
    with open(FOLDER / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            for other in (new, *FOLDER.iterdir()):
                if other == new or time.time() - other.stat().st_mtime > UNUSED:
                    remove(other)
            make(new)
            new.rename(place)
        os.utime(place)
    return place


def remove(place: Path) -> None:
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
