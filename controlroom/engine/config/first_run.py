"""What a new room begins with: a config that explains itself, and the hosts that ~/.ssh/config knows already."""

import glob
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import tomli_w

from controlroom.domain.address import parse_address
from controlroom.engine.config.settings import SINGLE, TABLES, ConfigFile
from controlroom.engine.config.toml_tables import Table
from controlroom.protocol.home import Home


def reference() -> str:
    """Return config.toml with every setting commented out at its default, each with its meaning."""
    lines = [
        "# Control Room's config. What is commented out is the default; address and credential have none.",
        "# NAME is yours to choose. The engine reads this file when it starts: after a change, `controlroom stop`",
        "# (agents live on), and whatever you do next starts it. The screen reads theme, bell and keys when it opens.",
        "",
    ]
    for name, field in ConfigFile.model_fields.items():
        if name not in TABLES and name != "keys":
            lines += [f"# {field.description}", f"# {name} = {_toml(field.default)}", ""]
    for name, table in TABLES.items():
        lines += [f"# {ConfigFile.model_fields[name].description}", f"# [{name}{'' if name in SINGLE else '.NAME'}]"]
        lines += [line for key in table.model_fields for line in _setting(table, key)] + [""]
    lines += [f"# {ConfigFile.model_fields['keys'].description}", "# [keys]", '# kill = "x"', ""]
    return "\n".join(lines)


def _setting(table: type[Table], key: str) -> list[str]:
    field = table.model_fields[key]
    secret = '"plan"' if key == "credential" else '{ file = "…" }'
    default = '"…"' if field.is_required() else secret if field.default is None else _toml(field.default)
    return [f"#   {field.description}", f"# {key} = {default}"]


def _toml(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, Table):
        return f"{{ {', '.join(f'{key} = {_toml(part)}' for key, part in value.model_dump().items())} }}"
    return tomli_w.dumps({"x": value}).removeprefix("x = ").strip() if value != {} else "{}"


_MOST_BYTES = 1024 * 1024
_MOST_FILES = 64
_DEEPEST = 8
_LINE = re.compile(r"\s*([A-Za-z]+)(?:\s*=\s*|\s+)(.*)")
_FORGES = ("git",)
"""Users whose hosts keep source code and run nothing for us."""


class FirstRun:
    """What a new room begins with. `user_home`: whose ~/.ssh/config is read."""

    def __init__(self, home: Home, user_home: Path) -> None:
        self._home = home
        self._ssh = user_home / ".ssh"

    @property
    def config(self) -> Path:
        """Where the room's config is."""
        return self._home.config

    def write_config(self) -> bool:
        """Write a config in which every setting stands, commented out; False: there is one, and it stays as it is.

        Raises `OSError`.
        """
        self._home.prepare()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        try:
            descriptor = os.open(self._home.config, flags, 0o600)
        except FileExistsError:
            return False
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(reference())
        return True

    def ssh_hosts(self) -> list[str]:
        """Return the hosts of ~/.ssh/config and of what it includes, in their order: no patterns, no forges of code."""
        hosts: dict[str, None] = {}
        for names, user in self._blocks(self._ssh / "config", 0, [0]):
            if user not in _FORGES:
                hosts.update(dict.fromkeys(name for name in names if _plain(name)))
        return list(hosts)

    def _blocks(self, path: Path, depth: int, read: list[int]) -> Iterator[tuple[list[str], str]]:
        """Yield each block's names and user (ssh_config(5)); what cannot be read is passed over."""
        names: list[str] = []
        user = ""
        for keyword, words in self._lines(path, depth, read):
            if keyword == "include":
                for name in words:
                    yield from self._included(name, depth, read)
            elif keyword in ("host", "match"):
                yield names, user
                names, user = (words if keyword == "host" else []), ""
            elif keyword == "user" and not user:
                user = words[0]
        yield names, user

    def _included(self, name: str, depth: int, read: list[int]) -> Iterator[tuple[list[str], str]]:
        pattern = os.path.join(self._ssh, os.path.expanduser(name))
        for path in sorted(glob.glob(pattern)):
            if depth < _DEEPEST:
                yield from self._blocks(Path(path), depth + 1, read)

    def _lines(self, path: Path, depth: int, read: list[int]) -> Iterator[tuple[str, list[str]]]:
        """Yield keyword (in small letters) and values of each line that has some."""
        read[0] += 1
        if read[0] > _MOST_FILES or not path.is_file():
            return
        try:
            with open(path, "rb") as file:
                text = file.read(_MOST_BYTES).decode("utf-8", "replace")
        except OSError:
            return
        for line in text.splitlines():
            if (match := _LINE.fullmatch(line)) and (words := _words(match[2])):
                yield match[1].lower(), words


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text, comments=True)
    except ValueError:
        return []


def _plain(name: str) -> bool:
    """Return whether a name can be dialled as it stands."""
    try:
        parse_address(name)
    except ValueError:
        return False
    return not any(sign in name for sign in "*?!")
