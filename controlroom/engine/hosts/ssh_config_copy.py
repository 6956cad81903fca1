"""ssh gives up on the whole config for one line that it cannot read; a copy without that line serves the other hosts.

In place of a broken line stands an identity file that does not exist. Identity files add up, whatever else was said
before, so `ssh -G` shows it for the hosts that the line is about, and for no others. A broken `Host` or `Match` line
begins a block of nobody.
"""

import glob
import os
import re
import shlex
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

BROKEN = "/nonexistent/controlroom-broken-line-"
"""How the names of the identity files that stand for broken lines begin; then comes the line's place in the list."""

_LINE = re.compile(r"(?P<path>.+?):? line (?P<number>\d+): (?P<reason>.*)")
_KEYWORD = re.compile(rb"\s*(host|match|include)[\s=]+(.*)", re.IGNORECASE | re.DOTALL)
_NOBODY = b'Host "!*"'
_DEEPEST = 16
_SYSTEM_CONFIG = "/etc/ssh/ssh_config"


class Broken(NamedTuple):
    """A line that ssh cannot read."""

    path: str
    number: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path} line {self.number} ({self.reason})"


class Copy(NamedTuple):
    """A config without its broken lines: `path` is to be read; `origins`: copied file -> where it came from."""

    path: Path
    origins: dict[str, str]

    def named(self, said: str) -> str:
        """Say what ssh said of the copy with the names of the originals."""
        for copied, origin in self.origins.items():
            said = said.replace(copied, origin)
        return said


def broken_lines(said: str) -> list[Broken]:
    """Read from ssh's error output which lines it cannot read."""
    found = (_LINE.fullmatch(line.strip()) for line in said.splitlines())
    return [Broken(line["path"], int(line["number"]), line["reason"]) for line in found if line]


@contextmanager
def sound_copy(config: Path | None, broken: Sequence[Broken]) -> Iterator[Copy]:
    """Copy a config (None: the user's and the system's) and all that it includes, without some lines."""
    with tempfile.TemporaryDirectory(prefix="controlroom-ssh-") as folder:
        copying = _Copying(Path(folder), broken)
        main = copying.copy(str(config or Path("~/.ssh/config").expanduser()), 0)
        if config is None:
            system = copying.copy(_SYSTEM_CONFIG, 0)
            main.write_bytes(main.read_bytes() + b"\nMatch all\nInclude " + os.fsencode(system) + b"\n")
        yield Copy(main, copying.origins)


class _Copying:
    def __init__(self, folder: Path, broken: Sequence[Broken]) -> None:
        self._folder = folder
        self._broken = {(os.path.realpath(line.path), line.number): index for index, line in enumerate(broken)}
        self.origins: dict[str, str] = {}

    def copy(self, path: str, depth: int) -> Path:
        """Copy one file and what it includes; one that cannot be read is empty."""
        target = self._folder / str(len(self.origins))
        self.origins[str(target)] = path
        try:
            lines = Path(path).read_bytes().split(b"\n")
        except OSError:
            lines = []
        real = os.path.realpath(path)
        sound = [self._line(line, (real, number), depth) for number, line in enumerate(lines, start=1)]
        target.write_bytes(b"\n".join(sound))
        return target

    def _line(self, line: bytes, place: tuple[str, int], depth: int) -> bytes:
        """Give a line as it stands in the copy; there are as many of them as before."""
        keyword = _KEYWORD.fullmatch(line)
        kind = keyword[1].lower() if keyword else b""
        if place in self._broken:
            return _NOBODY if kind in (b"host", b"match") else f"IdentityFile {BROKEN}{self._broken[place]}".encode()
        if keyword and kind == b"include" and depth < _DEEPEST:
            copies = [self.copy(name, depth + 1) for name in _included(os.fsdecode(keyword[2]), place[0])]
            return b"Include " + b" ".join(os.fsencode(copy) for copy in copies) if copies else b"#"
        return line


def _included(words: str, within: str) -> list[str]:
    """Give the files that an `Include` names: its patterns begin at ~/.ssh, or at /etc/ssh in the system's config."""
    base = "/etc/ssh" if within.startswith("/etc/ssh/") else os.path.expanduser("~/.ssh")
    try:
        patterns = shlex.split(words, comments=True)
    except ValueError:
        return []
    paths = (os.path.join(base, os.path.expanduser(pattern)) for pattern in patterns)
    return [name for path in paths for name in sorted(glob.glob(path)) if os.path.isfile(name)]
