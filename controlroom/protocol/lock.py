"""One engine a room: the lock that it holds as long as it lives, with its process id and the path of its socket.

While it is being started another lock is held, from before its process begins until it listens: by then the first is
taken. Any number of starts may hold that together, and it goes over from who starts the engine to the engine.
"""

import errno
import fcntl
import os
from pathlib import Path


class Taken(Exception):
    """Another engine holds the lock; the text says which process."""


def hold(path: Path, socket: Path) -> int:
    """Take the lock and write down who has it; give the descriptor, which must stay open. Raises `Taken`, `OSError`."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n{socket}\n".encode(), 0)
    except OSError as error:
        os.close(descriptor)
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise Taken(f"an engine of this room runs already (process {holder(path) or 'unknown'})") from None
        raise
    return descriptor


def show_start(path: Path) -> int:
    """Show that an engine is being started, for as long as any process has this descriptor open. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def is_held(path: Path) -> bool:
    """Say whether an engine holds a lock now: the one of its life, or the one of a start."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def holder(path: Path) -> int:
    """Give the process id that was written by the last holder; 0 when there is none."""
    try:
        first = path.read_text("utf-8", "replace").partition("\n")[0]
    except OSError:
        return 0
    return int(first) if first.isdecimal() else 0
