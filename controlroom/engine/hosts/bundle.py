"""What travels to a host: our node half, libtmux and, where it runs there, psutil; one tar.gz named by its hash."""

import gzip
import hashlib
import importlib.util
import io
import os
import re
import sys
import tarfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

import controlroom

_OURS = ("text", "metering", "wire", "runner", "node")
_LEFT_OUT = frozenset({"__pycache__", "tests", "test", "docs"})
_KEPT_SUFFIXES = (".py", ".so")
_NOT_NEEDED = frozenset({"libtmux/pytest_plugin.py", "libtmux/conftest.py"})


@dataclass(frozen=True)
class Needs:
    """What a host must be for the compiled part of a bundle to run there."""

    platform: str
    """`sys.platform`."""
    machine: str
    bits: int
    libc: str
    """`glibc`, `musl` or "" (macOS)."""
    libc_version: tuple[int, ...]
    """At least this one; only glibc says its version."""
    python: str
    """`sys.implementation.cache_tag` of the one Python that can load it; empty: any from 3.10 on."""


@dataclass(frozen=True)
class Bundle:
    """One archive, and what a host checks of it."""

    data: bytes
    digest: str
    """sha256 of `data`, in hex: also the name of its folder on a host."""
    files: int
    size: int
    """Bytes of all files, unpacked."""
    needs: Needs | None = None


def bundles() -> tuple[Bundle, ...]:
    """Give the bundles of this installation, the preferred one first. Built once a process, in some 0.1 s.

    Safe in threads. Raises `OSError` or `ImportError` when the installation is broken.
    """
    with _building:
        return _built()


_building = threading.Lock()


@cache
def _built() -> tuple[Bundle, ...]:
    plain = _read([*sorted(_our_files()), *sorted(_files_of("libtmux"))])
    return (pack([*plain, *_read(sorted(_psutil_files()))], _needs()), pack(plain))


def pack(files: Sequence[tuple[str, bytes]], needs: Needs | None = None) -> Bundle:
    """Make a bundle of files, by name and content; the same files give the same bundle."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o600
            archive.addfile(entry, io.BytesIO(content))
    data = gzip.compress(raw.getvalue(), compresslevel=6, mtime=0)
    size = sum(len(content) for _, content in files)
    return Bundle(data, hashlib.sha256(data).hexdigest(), len(files), size, needs)


def _read(files: Iterable[tuple[str, Path]]) -> list[tuple[str, bytes]]:
    return [(name, path.read_bytes()) for name, path in files]


def _our_files() -> Iterator[tuple[str, Path]]:
    root = Path(controlroom.__file__).resolve().parent
    yield "controlroom/__init__.py", root / "__init__.py"
    for folder in _OURS:
        yield from _files_under(root / folder, f"controlroom/{folder}")


def _files_of(package: str) -> Iterator[tuple[str, Path]]:
    yield from _files_under(_folder_of(package), package)


def _folder_of(package: str) -> Path:
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ImportError(f"{package} is not installed: install Control Room again")
    return Path(next(iter(found.submodule_search_locations)))


def _files_under(folder: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    for path in folder.rglob("*"):
        inside = path.relative_to(folder)
        name = f"{prefix}/{inside.as_posix()}"
        if path.suffix in _KEPT_SUFFIXES and not _LEFT_OUT.intersection(inside.parts) and name not in _NOT_NEEDED:
            yield name, path


def _psutil_files() -> Iterator[tuple[str, Path]]:
    others = {"linux": {"osx", "bsd"}, "darwin": {"linux", "bsd"}}.get(sys.platform, set()) | {
        "windows",
        "sunos",
        "aix",
    }
    for name, path in _files_of("psutil"):
        if path.stem.removeprefix("_ps") not in others:
            yield name, path


def _needs() -> Needs:
    name, version = _libc()
    return Needs(
        platform=sys.platform,
        machine=os.uname().machine,
        bits=64 if sys.maxsize > 2**32 else 32,
        libc=name,
        libc_version=_promised_glibc() or version,
        python=_python_of(path.name for _, path in _psutil_files()),
    )


def _libc() -> tuple[str, tuple[int, ...]]:
    """Name the C library and its version, as `node/bootstrap.py` does on a host."""
    if sys.platform != "linux":
        return "", ()
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (ValueError, OSError):
        return "musl", ()
    return name, tuple(int(part) for part in re.findall(r"\d+", version))


def _promised_glibc() -> tuple[int, ...]:
    """Read the oldest glibc for psutil from its wheel's tags (PEP 600: `manylinux_2_12`); () when it was built here."""
    text = metadata.distribution("psutil").read_text("WHEEL") or ""
    tags = [(int(major), int(minor)) for major, minor in re.findall(r"manylinux_(\d+)_(\d+)", text)]
    return min(tags, default=())


def _python_of(names: Iterator[str]) -> str:
    tied = [name for name in names if name.endswith(".so") and ".abi3." not in name]
    return sys.implementation.cache_tag or "" if tied else ""
