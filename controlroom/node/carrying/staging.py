"""Where what is carried lies on its way: `STATE/moves/NAME.OP/`, 0700, a file for each part.

Parts come and go in pieces. What has arrived counts from the first byte on, so that a transfer which was cut goes on
where it ended; a part is taken for whole when its hash is that of what was packed.
"""

import base64
import binascii
import contextlib
import hashlib
import json
import os
import shutil
import time
from typing import Any

from controlroom.node.spawn import Refusal
from controlroom.runner.files import append_to, make_private, open_regular, read_regular, write_atomic
from controlroom.runner.git import remove_tree
from controlroom.text.names import agent_name_problem
from controlroom.wire.carrying import PIECE, Part

SESSION, COMMITS, WORK = "session", "commits", "work"
PARTS = (SESSION, COMMITS, WORK)
MANIFEST, UNPACKED = "manifest.json", "unpacked.json"

_FOLDER = "moves"
_BLOCK = 1024 * 1024
_NOTE_MOST = 4 * 1024 * 1024
_OLD = 14 * 86_400
"""Seconds after which what nobody fetched is removed."""


def folder_of(state: str, name: str, op: int) -> str:
    """Return the folder of a move. Raises `Refusal` for what cannot be one."""
    if (problem := agent_name_problem(name)) or not 0 < op < 2**62:
        raise Refusal(problem or f"{op} cannot be the number of a move")
    return os.path.join(state, _FOLDER, f"{name}.{op}")


def made(state: str, name: str, op: int) -> str:
    """Return the folder of a move, made where there is none."""
    folder = folder_of(state, name, op)
    make_private(folder)
    return folder


def sweep(state: str) -> None:
    """Remove what moves have left that were given up long ago."""
    with contextlib.suppress(OSError):
        for item in list(os.scandir(os.path.join(state, _FOLDER))):
            if time.time() - item.stat(follow_symlinks=False).st_mtime > _OLD:
                remove_tree(item.path)


def remove(folder: str) -> None:
    """Remove the folder of a move."""
    if os.path.lexists(folder):
        shutil.rmtree(folder, ignore_errors=True)


def note(folder: str, name: str, value: Any) -> None:
    """Write down what was done. Raises `OSError`."""
    write_atomic(os.path.join(folder, name), json.dumps(value).encode())


def noted(folder: str, name: str) -> Any:
    """Return what was written down; None: nothing."""
    try:
        return json.loads(read_regular(os.path.join(folder, name), _NOTE_MOST))
    except (OSError, ValueError, RecursionError):
        return None


# ---------------------------------------------------------------------- parts


def part_of(folder: str, name: str) -> Part:
    """Describe a part that was packed. Raises `OSError`."""
    size, digest = measured(os.path.join(folder, name))
    return Part(name, size, digest)


def measured(path: str) -> tuple[int, str]:
    """Return the bytes of a regular file and their SHA-256. Raises `OSError`."""
    digest, size = hashlib.sha256(), 0
    descriptor, _ = open_regular(path)
    with open(descriptor, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()


def read_piece(folder: str, part: str, offset: int) -> str:
    """Read a piece of a part, in base64. Raises `OSError`."""
    descriptor, _ = open_regular(os.path.join(folder, _known(part)))
    try:
        return base64.b64encode(os.pread(descriptor, PIECE, max(0, offset))).decode()
    finally:
        os.close(descriptor)


def arrived(folder: str, part: Part) -> int:
    """Return how many bytes of a part have come; what is whole and wrong has not. Raises `OSError`."""
    path = os.path.join(folder, _known(part.name))
    try:
        size = os.stat(path, follow_symlinks=False).st_size
    except FileNotFoundError:
        return 0
    if size < part.size or (size == part.size and measured(path)[1] == part.sha256):
        return size
    os.unlink(path)
    return 0


def write_piece(folder: str, part: Part, offset: int, data: str) -> int:
    """Take a piece of a part; return how many bytes of it there are. A piece that came before changes nothing."""
    path = os.path.join(folder, _known(part.name))
    try:
        piece = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal("a piece of what is carried is damaged") from None
    descriptor = append_to(path)
    try:
        size = os.fstat(descriptor).st_size
        if offset != size or size + len(piece) > part.size:
            return size
        with open(descriptor, "ab", closefd=False) as file:
            file.write(piece)
        return size + len(piece)
    finally:
        os.close(descriptor)


def check(folder: str, part: Part) -> None:
    """See that a part is whole. Raises `Refusal`."""
    if measured(os.path.join(folder, _known(part.name))) != (part.size, part.sha256):
        raise Refusal(f"the part {part.name} did not arrive as it was sent (SHA-256): move it again")


def _known(part: str) -> str:
    if part not in PARTS:
        raise Refusal(f"there is no part {ascii(part)[:40]}")
    return part
