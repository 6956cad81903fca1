"""Claude's settings of all scopes, as far as they say how it logs in: `env` and `apiKeyHelper`.

Claude Code 2.1.332, observed, the lowest first: the user's file; the project's, in the working folder alone; the
project's local one there and in the root of the git checkout, of a worktree in that of the main one; `--settings`; and
the managed ones, whose drop-ins follow one another by name. `env` is merged name by name and goes before the process's
environment; an empty value takes a variable away, and white space around one does not count. What chooses a login or a
folder of Claude's own (`_NOT_BY_PROJECT`) is not taken from a project. A CLAUDE_CONFIG_DIR that the user's file,
`--settings` or the managed ones give moves the user's file itself: variables of the first one stay, its helper does
not. Whether the folder is trusted makes no difference without a terminal.

These files may be large, links to elsewhere, or no files at all. Whether one is not there or cannot be read are two
things: what stands in the second is not known.
"""

import json
import os
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from controlroom.runner.files import read_given
from controlroom.text.json_fields import table
from controlroom.text.lazy_named_tuple import NamedTuple

_LIMIT, _LARGE, _ENTRY = 1024 * 1024, 64 * 1024 * 1024, 65_536


class Unreadable(OSError):
    """A file is there, and what it says cannot be known."""


def read_object(path: str) -> dict[str, Any]:
    """Read an object of up to 1 MiB; empty when there is none, or it is no JSON. Raises `Unreadable`."""
    try:
        value = json.loads(_bytes(path, _LIMIT))
    except (ValueError, RecursionError):
        return {}
    return table(value)


def read_entry(path: str, name: str) -> Any:
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
    """Return what a file holds, nothing when there is none. A link is followed: the user's files may be links."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return b""
    except OSError as error:
        raise Unreadable(str(error)) from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > limit:
            raise Unreadable(f"{path} is no file of up to {limit} bytes")
        return os.read(descriptor, limit)
    except OSError as error:
        raise Unreadable(str(error)) from None
    finally:
        os.close(descriptor)


MANAGED = "/Library/Application Support/ClaudeCode" if sys.platform == "darwin" else "/etc/claude-code"

_USER, _PROJECT, _LOCAL = "user", "project", "local"
GIVEN, _MANAGED = "given", "managed"
"""`GIVEN`: by `--settings`."""

_FOLDER, _DROP_INS = "CLAUDE_CONFIG_DIR", "managed-settings.d"
_NOT_BY_PROJECT = frozenset((
    _FOLDER, "CLAUDE_SECURESTORAGE_CONFIG_DIR", "CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_PROFILE", "ANTHROPIC_CONFIG_DIR",
    "ANTHROPIC_FEDERATION_RULE_ID",
))  # fmt: skip


class SettingValue(NamedTuple):
    """A value, and the file that gives it; "" for the environment."""

    value: str
    path: str
    scope: str = ""


class Settings(NamedTuple):
    """What holds for one Claude."""

    variables: Mapping[str, SettingValue]
    helper: SettingValue
    """The `apiKeyHelper`."""
    forced: SettingValue
    """The kind of login that the managed settings ask for: `claudeai`, `console`, `gateway`."""
    unreadable: bool
    """A file is there that cannot be read: what it says may change everything."""

    def get(self, name: str) -> str:
        """Return the value of a variable, "" when it has none."""
        variable = self.variables.get(name)
        return variable.value.strip() if variable else ""

    def path(self, name: str) -> str:
        """Return the file that a variable comes from."""
        given = self.variables.get(name)
        return given.path if given else ""

    @property
    def folder(self) -> str:
        """The folder that Claude keeps its files in."""
        return self.get(_FOLDER) or os.path.join(self.get("HOME"), ".claude")


def read(environ: Mapping[str, str], cwd: str, arguments: Sequence[str] = (), managed: str = MANAGED) -> Settings:
    """Merge what holds for a Claude in this environment and folder, with these arguments."""
    environ = environ if "HOME" in environ else {"HOME": os.path.expanduser("~"), **environ}
    first = _merged(environ, _files(environ.get(_FOLDER, ""), environ["HOME"], cwd, arguments, managed))
    if not first.path(_FOLDER):
        return first
    moved = _files(first.get(_FOLDER), environ["HOME"], cwd, arguments, managed)
    second = _merged({}, moved)
    return second._replace(
        variables={**first.variables, **second.variables}, unreadable=first.unreadable or second.unreadable
    )


def config_folder(environ: Mapping[str, str], cwd: str, arguments: Sequence[str] = ()) -> str:
    """Return the folder that a Claude keeps its files in, with its settings taken into account."""
    return os.path.join(cwd, read(environ, cwd, arguments).folder)


def files(environ: Mapping[str, str], cwd: str, arguments: Sequence[str] = ()) -> list[str]:
    """Return the paths of the files that say how a Claude logs in, whether they are there or not.

    Among them is the folder of the managed drop-ins: it changes when one comes or goes.
    """
    environ = environ if "HOME" in environ else {"HOME": os.path.expanduser("~"), **environ}
    folder = environ.get(_FOLDER, "") or os.path.join(environ["HOME"], ".claude")
    paths = [path for _, path in _files(folder, environ["HOME"], cwd, arguments, MANAGED) if not path.startswith("{")]
    beside = os.path.join(MANAGED, _DROP_INS), os.path.join(cwd, folder, ".credentials.json")
    return list(dict.fromkeys((*paths, *beside)))


def _merged(environ: Mapping[str, str], files: Iterator[tuple[str, str]]) -> Settings:
    """Merge the settings of these scopes and files; a "file" that begins with a brace is the settings themselves."""
    variables = {name: SettingValue(value, "") for name, value in environ.items()}
    helper, forced, unreadable = SettingValue("", ""), SettingValue("", ""), False
    for scope, path in files:
        try:
            values = table(json.loads(path)) if path.startswith("{") else read_object(path)
        except (ValueError, RecursionError):
            continue
        except Unreadable:
            unreadable = True
            continue
        refused = _NOT_BY_PROJECT if scope in (_PROJECT, _LOCAL) else ()
        allowed = {name: value for name, value in table(values.get("env")).items() if name not in refused}
        variables |= {name: SettingValue(_text(value), path) for name, value in allowed.items()}
        if isinstance(values.get("apiKeyHelper"), str):
            helper = SettingValue(values["apiKeyHelper"], path, scope)
        if scope == _MANAGED and isinstance(values.get("forceLoginMethod"), str):
            forced = SettingValue(values["forceLoginMethod"], path)
    return Settings(variables, helper, forced, unreadable)


def _files(folder: str, home: str, cwd: str, arguments: Sequence[str], managed: str) -> Iterator[tuple[str, str]]:
    """Yield the scopes and files that count, the lowest first; `folder`: Claude's own, "" for the usual one."""
    sources = _argument(arguments, "--setting-sources")
    wanted = (_USER, _PROJECT, _LOCAL) if sources is None else tuple(sources.replace(" ", "").split(","))
    if _USER in wanted:
        yield _USER, os.path.join(cwd, folder or os.path.join(home, ".claude"), "settings.json")
    if _PROJECT in wanted:
        yield _PROJECT, os.path.join(cwd, ".claude", "settings.json")
    if _LOCAL in wanted:
        for place in dict.fromkeys((cwd, _checkout(cwd))):
            yield _LOCAL, os.path.join(place, ".claude", "settings.local.json")
    if given := _argument(arguments, "--settings"):
        yield GIVEN, given.strip() if given.strip().startswith("{") else os.path.join(cwd, given)
    yield _MANAGED, os.path.join(managed, "managed-settings.json")
    drop_ins = os.path.join(managed, _DROP_INS)
    try:
        names = sorted(name for name in os.listdir(drop_ins) if name.endswith(".json"))
    except OSError:
        return
    for name in names:
        yield _MANAGED, os.path.join(drop_ins, name)


def _argument(arguments: Sequence[str], name: str) -> str | None:
    """Return what an option was given last."""
    value = None
    for index, word in enumerate(arguments):
        if word == name and index + 1 < len(arguments):
            value = arguments[index + 1]
        elif word.startswith(f"{name}="):
            value = word.partition("=")[2]
    return value


def _checkout(cwd: str) -> str:
    """The root of the git checkout around a folder, of a worktree the main one's; without one, the folder itself."""
    folder = cwd
    while not os.path.exists(mark := os.path.join(folder, ".git")):
        if folder == (folder := os.path.dirname(folder)):
            return cwd
    if os.path.isdir(mark):
        return folder
    try:
        pointer = read_given(mark, 4096, 0).decode("utf-8", "replace")
        place = os.path.join(folder, pointer.removeprefix("gitdir:").strip())
    except OSError:
        return folder
    main, is_worktree, _ = place.rpartition("/.git/worktrees/")
    return main if is_worktree else folder


def _text(value: Any) -> str:
    """Return a value of `env` as Claude hands it on; a number or a boolean is one, too."""
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, (bool, int, float)) else ""
