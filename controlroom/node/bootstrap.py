"""What runs first on a host, before anything of ours lies there: finds or receives the bundle, then becomes the node.

`engine.hosts.deploy` reads this file as text and sends it down the channel; nobody imports it. Each thing it says is
one line `MARKER {json}`, so that whatever a talking `.bashrc` printed before can be skipped. Standard library,
Python 3.10.
"""

import errno
import hashlib
import json
import os
import re
import signal
import sys
import time
from typing import Any

PATIENCE = 60
"""Seconds without a byte of the bundle after which we end: a link that broke silently leaves nothing behind."""

UNUSED = 30 * 86400
"""Seconds after which a bundle that nobody started a node from is removed."""


class Trouble(Exception):
    """Why there will be no node here: a word for home to explain, and details."""

    def __init__(self, kind: str, **details: Any) -> None:
        super().__init__(kind)
        self.said = {"trouble": kind, **details}


def land(marker: str, offers: "list[dict[str, Any]]") -> None:
    """Choose among `offers`, make sure the bundle is here, and run its node in place of this process."""
    os.umask(0o077)  # whatever the login shell leaves to others: what we make, ~/.cache too, is ours alone
    try:
        offer = next(offer for offer in offers if fits(offer["needs"]))
        place = held_at(offer)
        say(marker, python=sys.version.split()[0], offer=offers.index(offer), held=bool(place))
        place = place or put(receive(offer), offer)
    except Trouble as trouble:
        say(marker, **trouble.said)
        sys.exit(1)
    except OSError as error:
        say(marker, trouble="os", name=errno.errorcode.get(error.errno or 0, ""), text=str(error))
        sys.exit(1)
    say(marker, landed=offer["digest"])
    serve = os.path.join(place, "controlroom", "node", "serve.py")
    os.execv(sys.executable, [sys.executable, "-I", "-S", serve])  # noqa: S606


def say(marker: str, **what: Any) -> None:
    """Write one line to home, whole."""
    data = f"\n{marker} {json.dumps(what)}\n".encode()
    while data:
        data = data[os.write(1, data) :]


def fits(needs: "dict[str, Any] | None") -> bool:
    """Return whether the compiled part of a bundle runs here."""
    if needs is None:
        return True
    name, version = libc()
    return (
        needs["platform"] == sys.platform
        and needs["machine"] == os.uname().machine
        and needs["bits"] == (64 if sys.maxsize > 2**32 else 32)
        and needs["libc"] == name
        and tuple(needs["libc_version"]) <= version
        and needs["python"] in ("", sys.implementation.cache_tag)
    )


def libc() -> "tuple[str, tuple[int, ...]]":
    """Name the C library and its version; only glibc says which it is."""
    if sys.platform != "linux":
        return "", ()
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (ValueError, OSError):
        return "musl", ()
    return name, tuple(int(part) for part in re.findall(r"\d+", version))


ELSEWHERE = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT)
"""What is wrong with a home in which nothing can be kept: agents there are to be seen and ended all the same."""


def caches() -> "list[str]":
    """Name the folders in which bundles may be kept: in the home, else where others keep what does not last."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.join(os.path.expanduser("~"), ".cache")
    own = f"controlroom-node-{os.geteuid()}"
    named = [os.environ.get(name, "") for name in ("TMPDIR", "XDG_RUNTIME_DIR")]
    others = [*named, "/tmp", "/dev/shm", "/var/tmp"]  # noqa: S108 - `ours` is asked
    return [os.path.join(base, "controlroom", "node"), *(os.path.join(o, own, "node") for o in others if o)]


def ours(cache: str) -> bool:
    """Return whether a cache and the folder around it are our own, and writable by nobody else. Raises `OSError`."""
    stats = [os.lstat(folder) for folder in (os.path.dirname(cache), cache)]
    return all(status.st_uid == os.geteuid() and status.st_mode & 0o170022 == 0o040000 for status in stats)


def held_at(offer: "dict[str, Any]") -> str:
    """Return where the bundle lies whole, "" if nowhere. Raises `Trouble` where others may write to the home's cache.

    Other places count only while nothing can be kept in the home.
    """
    home, *others = caches()
    for cache in [home] if can_keep(home) else [home, *others]:
        try:
            mine = ours(cache)
        except OSError:
            continue
        if not mine and cache == home:
            raise Trouble("foreign", path=writable_part(cache))
        place = os.path.join(cache, offer["digest"])
        if mine and is_whole(place, offer):
            freshen(place)
            return place
    return ""


def can_keep(cache: str) -> bool:
    """Return whether a cache can be written to, as far as that is known without writing."""
    try:
        make_cache(cache)
    except OSError as error:
        return error.errno not in ELSEWHERE
    return os.access(cache, os.W_OK)


def is_whole(place: str, offer: "dict[str, Any]") -> bool:
    """Return whether the bundle lies there whole. After a power loss files may be there but empty."""
    try:
        return weigh(place) == (offer["files"], offer["size"])
    except OSError:
        return False


def writable_part(cache: str) -> str:
    """Name the one of two folders that is not as it should be."""
    outer = os.lstat(os.path.dirname(cache))
    return os.path.dirname(cache) if outer.st_mode & 0o170022 != 0o040000 else cache


def freshen(place: str) -> None:
    """Note that the bundle is used; where nothing can be written, nothing is swept either."""
    try:
        os.utime(place)
    except OSError:
        return


def put(data: bytes, offer: "dict[str, Any]") -> str:
    """Keep the bundle where that can be done first. Raises what is wrong with the home when it cannot be anywhere."""
    problem: OSError | None = None
    home, *others = caches()
    for cache in (home, *others):
        try:
            make_cache(cache)
            if not ours(cache):
                continue
            place = os.path.join(cache, offer["digest"])
            if is_whole(place, offer):
                return place  # another room was quicker: the same hash is the same bundle
            if os.path.lexists(place):
                remove(place)
            unpack(data, place, offer)
            sweep(cache)
        except OSError as error:
            problem = problem or error
            if problem.errno not in ELSEWHERE:
                break
        else:
            return place
    raise problem or Trouble("foreign", path=home)


def make_cache(cache: str) -> None:
    """Make a cache; what is around it in the home may be missing, too."""
    outer = os.path.dirname(cache)
    if cache == caches()[0]:
        os.makedirs(os.path.dirname(outer), exist_ok=True)
    for folder in (outer, cache):
        os.makedirs(folder, mode=0o700, exist_ok=True)


def weigh(place: str) -> "tuple[int, int]":
    """Count the files of a bundle and their bytes, without what Python compiled of them."""
    files = size = 0
    for folder, inner, names in os.walk(place):
        inner[:] = [name for name in inner if name != "__pycache__"]
        files += len(names)
        size += sum(os.lstat(os.path.join(folder, name)).st_size for name in names)
    return files, size


def receive(offer: "dict[str, Any]") -> bytes:
    """Read the bundle from stdin and check its hash."""
    parts = []
    left = offer["length"]
    while left:
        signal.alarm(PATIENCE)
        part = os.read(0, min(left, 65536))
        if not part:
            sys.exit(1)
        parts.append(part)
        left -= len(part)
    signal.alarm(0)
    data = b"".join(parts)
    if hashlib.sha256(data).hexdigest() != offer["digest"]:
        raise Trouble("damaged")
    return data


def unpack(data: bytes, place: str, offer: "dict[str, Any]") -> None:
    """Unpack beside `place` and move there in one step: whoever looks sees all of it or nothing."""
    import tempfile

    new = tempfile.mkdtemp(prefix=".new-", dir=os.path.dirname(place))
    try:
        write(data, new)
        if weigh(new) != (offer["files"], offer["size"]):
            raise Trouble("damaged")
        os.rename(new, place)
    except OSError as error:
        # Another room was quicker: the same hash is the same bundle.
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
    finally:
        if os.path.lexists(new):
            remove(new)


def write(data: bytes, new: str) -> None:
    """Write every file of the archive below `new`; anything but a plain file with a plain name is refused."""
    import io
    import tarfile

    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        for entry in archive:
            parts = entry.name.split("/")
            source = archive.extractfile(entry) if entry.isreg() else None
            if source is None or not all(re.fullmatch(r"\w[\w.-]*", part) for part in parts):
                raise Trouble("damaged")
            os.makedirs(os.path.join(new, *parts[:-1]), mode=0o700, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with open(os.open(os.path.join(new, *parts), flags, 0o600), "wb") as file:
                file.write(source.read())


def sweep(cache: str) -> None:
    """Remove bundles that nobody has used for a month, and what a broken unpacking left behind."""
    now = time.time()
    for name in os.listdir(cache):
        age = 86400 if name.startswith(".new-") else UNUSED if re.fullmatch("[0-9a-f]{64}", name) else None
        path = os.path.join(cache, name)
        if age is not None and os.path.lexists(path) and now - os.lstat(path).st_mtime > age:
            remove(path)


def remove(path: str) -> None:
    """Remove a bundle: out of the way in one step, then file by file."""
    import shutil

    aside = os.path.join(os.path.dirname(path), f".new-{os.getpid()}-{os.path.basename(path)[:12]}")
    try:
        os.rename(path, aside)
    except FileNotFoundError:
        return  # somebody else was quicker
    shutil.rmtree(aside, ignore_errors=True)
