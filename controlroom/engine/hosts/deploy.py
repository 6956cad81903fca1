"""Ships the node to a host and starts it, over one byte channel that then is the node's own.

    home                                       host
    COMMAND (names no data) ------------------> sh looks for a Python that is new enough
                                     <--------- MARKER here, and runs it: no login file has read what is ours
    one line of Python: node/bootstrap.py ---->
                                     <--------- MARKER {"python": …, "offer": 0, "held": false}
    the bundle, only if it is not held ------->
                                     <--------- MARKER {"landed": …}   and execv: what follows is the node's

The bundle is our half for hosts with libtmux and, where it runs there, psutil: one tar.gz named by its hash. Everything
before a marker is noise of the host's login files. This machine is treated like a host over SSH.
"""

import asyncio
import base64
import gzip
import hashlib
import importlib.util
import io
import json
import os
import re
import secrets
import sys
import tarfile
import threading
import zlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import controlroom
from controlroom.engine.hosts.channel import Channel, HostRefuses, LinkLost
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.sanitize import redact, sanitize

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
    """Return the bundles of this installation, the preferred one first. Built once a process, in some 0.1 s.

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
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(f"{package} is not installed: install Control Room again")
    return Path(next(iter(spec.submodule_search_locations)))


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
    """Return the C library and its version, as `node/bootstrap.py` does on a host."""
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


T = TypeVar("T")

LOADER = "import sys;exec(sys.stdin.buffer.raw.readline())"
"""What Python is told to run: one line, read byte by byte so that nothing after it is taken."""

Offers = Callable[[], Sequence[Bundle]]

_OLDEST = "3.10"
_MAX_NOISE = 256 * 1024
PLACES = (
    "/usr/local/bin:/opt/homebrew/bin:$HOME/.local/bin:$HOME/.pyenv/shims:$HOME/miniconda3/bin"
    ":/run/current-system/sw/bin:/usr/pkg/bin"
)
"""Where Python may lie when the PATH of a plain SSH command is too short to name it."""

# Inside: no single quote, backslash, exclamation mark or newline, so that every login shell (sh, bash, zsh, fish, csh)
# takes it as one plain word.
_SCRIPT = (
    "m=$1;o=;"
    't(){ if "$1" -I -S -c "import sys;sys.exit(sys.version_info<(3,10))" </dev/null >/dev/null 2>&1;'
    f'then echo;echo $m here;exec "$1" -I -S -c "{LOADER}";fi;'
    'o="$o $("$1" -V 2>&1 </dev/null)";};'
    "for p in python3 python3.14 python3.13 python3.12 python3.11 python3.10;do "
    'c=$(PATH="$PATH:@PLACES@";command -v $p) && t "$c";done;'
    'c=$("${SHELL:-sh}" -lc "command -v python3" </dev/null 2>/dev/null|tail -n 1);'
    'if test -x "$c";then t "$c";fi;'
    "echo $m none $o"
)


class Ended(LinkLost):
    """The program at the far end of a raw channel has ended by itself: the link is whole."""

    def __init__(self, host: str, status: str, said: str) -> None:
        """`status` in words (`exit status 1`); `said`: the end of its error output, hostile."""
        last = shown(said)
        super().__init__(f"{host}'s node ended with {status}" + (f": {last}" if last else ""))
        self.status = status
        self.said = said


def command(marker: str, places: str = PLACES) -> str:
    """The command line for a host's login shell; `places` come after its PATH. It holds no data and no secret."""
    return f"sh -c '{_SCRIPT.replace('@PLACES@', places)}' controlroom {marker}"


def new_marker() -> str:
    """Draw the word that our lines begin with: nothing that a host's login files print by chance."""
    return f"controlroom-{secrets.token_hex(12)}"


def shown(text: str | bytes, limit: int = 300) -> str:
    """Return the last line that says something, safe to show."""
    whole = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    lines = [line for line in whole.splitlines() if line.strip()]
    return redact(sanitize(lines[-1].strip(), limit)) if lines else ""


async def board(
    host: str,
    channel: Channel,
    marker: str,
    offers: Offers = bundles,
    patience: float = 60.0,
    *,
    announced: bool = True,
) -> Channel:
    """Turn a channel with `command(marker)` or `LOADER` at its far end into a channel to a node.

    `offers` gives the bundles to choose from (called in a thread); the last one runs anywhere. `patience`: seconds for
    each step of the host; taking a bundle may last five times that. `announced`: `command` runs at the far end, and
    says when Python listens. The channel is closed when this raises: `HostRefuses` with what to do, or `LinkLost`.
    """
    try:
        try:
            bundles_here = await asyncio.to_thread(offers)
        except (ImportError, OSError) as error:
            raise HostRefuses(f"Control Room is not whole here ({error}): install it again") from None
        boarding = _Boarding(host, channel, marker, patience)
        if announced:
            await boarding.hear_of_python()
        return await boarding.run(bundles_here)
    except BaseException:
        await channel.close()
        raise


class _Boarding:
    def __init__(self, host: str, channel: Channel, marker: str, patience: float) -> None:
        self._host = host
        self._channel = channel
        self._mark = marker.encode()
        self._marker = marker
        self._patience = patience
        self._held = b""
        self._noise = b""

    async def hear_of_python(self) -> None:
        """Wait until Python is about to listen: what is sent before, a login file may take."""
        try:
            async with asyncio.timeout(self._patience):
                line = await self._marked_line()
        except TimeoutError:
            raise LinkLost(
                f"{self._host} did not start Python within {self._patience:g} s: does a login file there (.bashrc) wait"
                " for something, or read what is typed?"
            ) from None
        if line != b"here":
            self._understood(line)
            raise LinkLost(f"{self._host} gave a confused answer before its node was started: {shown(line)}")

    async def run(self, offers: Sequence[Bundle]) -> Channel:
        with suppress(Ended):  # the sentence of a host without Python may already be on its way
            await self._in_time(self._channel.send(_first_line(self._marker, offers)), 1, "take our first words")
        report = await self._said("start Python")
        if not report.get("held"):
            bundle = offers[_index(report.get("offer"), len(offers))]
            with suppress(Ended):
                await self._in_time(self._channel.send(bundle.data), 5, "take the node that we sent")
        if "landed" not in await self._said("unpack and start the node"):
            raise LinkLost(f"{self._host} gave a confused answer while its node was started")
        return _Rest(self._channel, self._held)

    async def _in_time(self, work: Awaitable[T], factor: int, what: str) -> T:
        try:
            async with asyncio.timeout(self._patience * factor):
                return await work
        except TimeoutError:
            raise LinkLost(f"{self._host} did not {what} within {self._patience * factor:g} s") from None

    async def _said(self, what: str) -> dict[str, Any]:
        """Return the next thing the bootstrap says, and leave what follows it for the node."""
        return self._understood(await self._in_time(self._marked_line(), 1, what))

    def _understood(self, line: bytes) -> dict[str, Any]:
        if line.startswith(b"none"):
            raise HostRefuses(_no_python(self._host, line))
        try:
            report = json.loads(line)
        except (ValueError, RecursionError):
            report = None
        if not isinstance(report, dict):
            raise LinkLost(f"{self._host} gave a confused answer while its node was started: {shown(line)}")
        if "trouble" in report:
            raise HostRefuses(_trouble(self._host, report))
        return report

    async def _marked_line(self) -> bytes:
        while True:
            before, mark, after = self._held.partition(self._mark)
            line, newline, rest = after.partition(b"\n")
            if mark and newline:
                self._held = rest
                return line.strip()
            if len(self._held) > _MAX_NOISE:
                raise HostRefuses(
                    f"{self._host} talks without end when we log in ({shown(before)}): look at its .bashrc"
                )
            self._held += await self._more()

    async def _more(self) -> bytes:
        try:
            return await self._channel.receive()
        except Ended as end:
            output = shown(self._held + b"\n" + end.said.encode("utf-8", "replace")) or "nothing"
            raise HostRefuses(
                f"{self._host} did not run what we asked for: it ended with {end.status} and said: {output}. A forced"
                " command, a login shell that allows nothing or a login file that ends early stands in the way"
            ) from None


class _Rest:
    """A channel whose first bytes have been read already."""

    def __init__(self, channel: Channel, held: bytes) -> None:
        self._channel = channel
        self._held = held

    async def send(self, data: bytes) -> None:
        await self._channel.send(data)

    async def close(self) -> None:
        await self._channel.close()

    async def receive(self) -> bytes:
        held, self._held = self._held, b""
        return held or await self._channel.receive()


@cache
def _bootstrap() -> str:
    source = (Path(controlroom.__file__).parent / "node" / "bootstrap.py").read_bytes()
    return base64.b64encode(zlib.compress(source, 9)).decode()


def _first_line(marker: str, offers: Sequence[Bundle]) -> bytes:
    described = [
        {
            "digest": offer.digest,
            "length": len(offer.data),
            "files": offer.files,
            "size": offer.size,
            "needs": asdict(offer.needs) if offer.needs else None,
        }
        for offer in offers
    ]
    program = (
        f'import base64,zlib;exec(zlib.decompress(base64.b64decode("{_bootstrap()}")));land({marker!r},{described!r})'
    )
    return program.encode() + b"\n"


def _index(value: object, count: int) -> int:
    return value if isinstance(value, int) and 0 <= value < count else count - 1


def _no_python(host: str, line: bytes) -> str:
    versions = sorted(set(re.findall(r"Python (\d{1,2}\.\d{1,3})", line.decode("ascii", "replace"))), key=_as_version)
    has = f"has Python {' and '.join(versions)}" if versions else "has no python3"
    return (
        f"{host} {has}; Control Room needs {_OLDEST} or newer there: install one (Debian: apt-get install python3; or"
        " `uv python install 3.12` without root) so that `python3` or `python3.12` is found when you log in"
    )


def _as_version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _trouble(host: str, report: dict[str, Any]) -> str:
    text = shown(str(report.get("text", "")))
    kind = report["trouble"]
    if report.get("name") in ("ENOSPC", "EDQUOT"):
        return f"{host} has no room left for our node ({text}): free some 5 MB in ~/.cache there"
    if report.get("name") in ("EACCES", "EROFS", "EPERM"):
        return f"{host} does not let us write where our node is kept ({text}): make ~/.cache writable there"
    if kind == "foreign":
        path = shown(str(report.get("path", "")))
        return f"on {host} others may write to {path}: run `chmod 700` on it there (and see whose it is)"
    if kind == "damaged":
        return f"{host} received our node damaged: retry; if it stays so, its Python or its disk is not sound"
    return f"{host} could not unpack our node ({text or shown(str(kind))}): put that right there"
