"""Files in a folder where an agent may put anything: read without being trapped, written whole or not at all."""

import errno
import os
import stat

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


def open_regular(path: str) -> tuple[int, int]:
    """Open a regular file for reading; give its descriptor and size in bytes.

    A symlink, FIFO, device or folder raises `OSError`, and none of them can make the caller wait.
    """
    descriptor = os.open(path, _READ)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return descriptor, found.st_size


def read_regular(path: str, limit: int) -> bytes:
    """Read a whole regular file. Raises `OSError`, also for one of more than `limit` bytes."""
    descriptor, size = open_regular(path)
    try:
        if size > limit:
            raise OSError(errno.EFBIG, f"larger than {limit} bytes", path)
        return _read_up_to(descriptor, limit)
    finally:
        os.close(descriptor)


def read_piece(path: str, offset: int, limit: int) -> bytes:
    """Read up to `limit` bytes from `offset` on; fewer, or none, when there are no more or it is no regular file."""
    try:
        descriptor, _ = open_regular(path)
    except OSError:
        return b""
    try:
        return os.pread(descriptor, limit, offset)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _read_up_to(descriptor: int, limit: int) -> bytes:
    parts, left = [], limit
    while left and (part := os.read(descriptor, left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def write_atomic(path: str, data: bytes) -> None:
    """Write a file 0600 in one step: readers see the old one or the new one, also when the disk is full."""
    beside = f"{path}.{os.getpid()}.new"
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise


def make_private(folder: str) -> None:
    """Make a folder 0700 where there is none; its parents too."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
