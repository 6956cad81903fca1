"""Claude's own JSON files, read with care: they may be large, links to elsewhere, or no files at all.

Whether a file is not there or cannot be read are two things: what stands in the second is not known. Read by the
runner, which must stay small.
"""

import json
import os
import stat
from typing import Any

from controlroom.text.json_fields import table

_LIMIT, _LARGE, _ENTRY = 1024 * 1024, 64 * 1024 * 1024, 65_536


class Unreadable(OSError):
    """A file is there, and what it says cannot be known."""


def read(path: str) -> dict[str, Any]:
    """Read an object of up to 1 MiB; empty when there is none, or it is no JSON. Raises `Unreadable`."""
    try:
        value = json.loads(_bytes(path, _LIMIT))
    except (ValueError, RecursionError):
        return {}
    return table(value)


def entry(path: str, name: str) -> Any:
    """Read one entry of a file that may be large (it holds what was asked in every project); None when it has none.

    Raises `Unreadable`.
    """
    data = _bytes(path, _LARGE)
    mark = json.dumps(name).encode()
    place = data.find(mark)
    while place > 0 and data[place - 1 : place] == b"\\":  # it stands in some text
        place = data.find(mark, place + 1)
    if place < 0:
        return None
    value = data[place + len(mark) :][:_ENTRY].decode("utf-8", "replace").lstrip(" \t\r\n:")
    del data
    try:
        return json.JSONDecoder().raw_decode(value)[0]
    except (ValueError, RecursionError):
        return None


def _bytes(path: str, limit: int) -> bytes:
    """Give what a file holds, nothing when there is none. A link is followed: the user's files may be links."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return b""
    except OSError as error:
        raise Unreadable(str(error)) from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > limit:
            raise Unreadable(f"{path} is no file of up to {limit} bytes")
        return os.read(descriptor, limit)
    except OSError as error:
        raise Unreadable(str(error)) from None
    finally:
        os.close(descriptor)
