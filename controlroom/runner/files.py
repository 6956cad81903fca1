"""Files in a folder where an agent may put anything: read without being trapped, written whole or not at all.

Nothing here waits for a FIFO, follows a link or opens a device.
"""

import contextlib
import errno
import os
import select
import stat
import time

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


_TRIES = 3
"""How often a file is taken out of the way that comes again."""


def open_regular(path: str) -> tuple[int, int]:
    """Open a regular file for reading; return its descriptor and size in bytes.

    A symlink, FIFO, device or folder raises `OSError`, and none of them can make the caller wait.
    """
    descriptor = os.open(path, _READ)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return descriptor, status.st_size


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
    return read_piece_of(path, offset, limit)[0]


def read_piece_of(path: str, offset: int, limit: int) -> tuple[bytes, int]:
    """Read a piece as `read_piece` does, and the size of its file; -1 when there is none."""
    try:
        descriptor, size = open_regular(path)
    except OSError:
        return b"", -1
    try:
        return os.pread(descriptor, limit, offset), size
    except OSError:
        return b"", -1
    finally:
        os.close(descriptor)


def _read_up_to(descriptor: int, limit: int) -> bytes:
    parts, left = [], limit
    while left and (part := os.read(descriptor, left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def read_given(path: str, limit: int, seconds: float) -> bytes:
    """Read up to `limit` bytes of a file that the user names: a link or a FIFO is fine, if it ends within `seconds`.

    Raises `OSError`, also for a folder or a device.
    """
    descriptor = os.open(path, _READ & ~os.O_NOFOLLOW)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISREG(mode):
            return _read_up_to(descriptor, limit)
        if stat.S_ISFIFO(mode):
            return _read_fifo(descriptor, limit, time.monotonic() + seconds)
        raise OSError(errno.EINVAL, "not a file", path)
    finally:
        os.close(descriptor)


def _read_fifo(descriptor: int, limit: int, until: float) -> bytes:
    data, waiting = b"", select.poll()
    waiting.register(descriptor, select.POLLIN)
    while len(data) < limit and (left := until - time.monotonic()) > 0:
        if not waiting.poll(left * 1000):
            break
        try:
            part = os.read(descriptor, limit - len(data))
        except BlockingIOError:
            continue
        if not part and data:
            return data
        if not part:
            time.sleep(0.01)  # its writer has not come yet, which poll calls a hang-up
        data += part
    if len(data) < limit:
        raise OSError(errno.ETIMEDOUT, "nobody wrote all of it in time")
    return data


def create(path: str) -> int:
    """Make a new regular file 0600 and open it for writing, in place of whatever lies there. Raises `OSError`."""
    for _ in range(_TRIES):
        with contextlib.suppress(FileExistsError):
            return os.open(path, _WRITE | os.O_EXCL | os.O_APPEND, 0o600)
        _take_away(path)
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)


def _take_away(path: str) -> None:
    """Remove what lies there; a folder is moved aside."""
    if stat.S_ISDIR(os.lstat(path).st_mode):
        os.rename(path, f"{path}.{time.monotonic_ns()}")
    else:
        os.unlink(path)


def append_to(path: str) -> int:
    """Open a regular file for appending, made 0600 where there is none. Anything else raises `OSError`."""
    descriptor = os.open(path, _WRITE | os.O_APPEND, 0o600)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", path)
    return descriptor


def write_atomic(path: str, data: bytes, beside: str = "", *, durable: bool = True) -> None:
    """Write a file 0600 in one step: readers see the old one or the new one, also when the disk is full.

    `beside`: where it is written first. Not `durable`: it need not be on the disk when this returns. Raises `OSError`.
    """
    beside = beside or f"{path}.{os.getpid()}.new"
    descriptor = create(beside)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        try:
            os.replace(beside, path)
        except IsADirectoryError:
            _take_away(path)
            os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise


def why(error: Exception) -> str:
    """Return what went wrong with a file, and what to do where there is no room for it."""
    if not isinstance(error, OSError) or not error.strerror:
        return str(error) or type(error).__name__
    advice = ": free some space there (df -h), or some files (df -i)"
    full = advice if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
    return f"{error.filename}: {error.strerror}{full}" if error.filename else f"{error.strerror}{full}"


def make_private(folder: str) -> None:
    """Make a folder 0700 where there is none; its parents too."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
