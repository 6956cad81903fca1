"""Claude's settings of all scopes, as far as they say how it logs in: `env` and `apiKeyHelper`.

Claude Code 2.1.332, observed, the lowest first: the user's file; the project's, in the working folder alone; the
project's local one there and in the root of the git checkout, of a worktree in that of the main one; `--settings`; and
the managed ones, whose drop-ins follow one another by name. `env` is merged name by name and goes before the process's
environment; an empty value takes a variable away. Whether the folder is trusted makes no difference without a terminal.
Read by the runner, which must stay small.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from controlroom.meter.loose import table
from controlroom.node.claude import kept_json
from controlroom.node.claude.kept_json import Unreadable
from controlroom.node.claude.transcript import config_folder
from controlroom.node.files import read_given

MANAGED = "/Library/Application Support/ClaudeCode" if sys.platform == "darwin" else "/etc/claude-code"

_USER, _PROJECT, _LOCAL = "user", "project", "local"


class Given(NamedTuple):
    """A value, and the file that gives it; "" for the environment."""

    value: str
    path: str


class Settings(NamedTuple):
    """What holds for one Claude."""

    variables: Mapping[str, Given]
    helper: Given
    """The `apiKeyHelper`."""
    unreadable: bool
    """A file is there that cannot be read: what it says may change everything."""

    def get(self, name: str) -> str:
        """Give the value of a variable, "" when it has none."""
        given = self.variables.get(name)
        return given.value if given else ""

    def path(self, name: str) -> str:
        """Give the file that a variable comes from."""
        given = self.variables.get(name)
        return given.path if given else ""


def read(environ: Mapping[str, str], cwd: str, arguments: Sequence[str] = (), managed: str = MANAGED) -> Settings:
    """Merge what holds for a Claude in this environment and folder, with these arguments."""
    variables = {name: Given(value, "") for name, value in environ.items()}
    helper, unreadable = Given("", ""), False
    for path in _files(environ, cwd, arguments, managed):
        try:
            values = table(json.loads(path)) if path.startswith("{") else kept_json.read(path)
        except (ValueError, RecursionError):
            continue
        except Unreadable:
            unreadable = True
            continue
        variables |= {name: Given(_text(value), path) for name, value in table(values.get("env")).items()}
        if isinstance(values.get("apiKeyHelper"), str):
            helper = Given(values["apiKeyHelper"], path)
    return Settings(variables, helper, unreadable)


def _files(environ: Mapping[str, str], cwd: str, arguments: Sequence[str], managed: str) -> Iterator[str]:
    sources = _argument(arguments, "--setting-sources")
    wanted = (_USER, _PROJECT, _LOCAL) if sources is None else tuple(sources.replace(" ", "").split(","))
    if _USER in wanted:
        yield os.path.join(config_folder({"HOME": os.path.expanduser("~"), **environ}), "settings.json")
    if _PROJECT in wanted:
        yield os.path.join(cwd, ".claude", "settings.json")
    if _LOCAL in wanted:
        for folder in dict.fromkeys((cwd, _checkout(cwd))):
            yield os.path.join(folder, ".claude", "settings.local.json")
    if given := _argument(arguments, "--settings"):
        yield given.strip() if given.strip().startswith("{") else os.path.join(cwd, given)
    yield os.path.join(managed, "managed-settings.json")
    drop_ins = os.path.join(managed, "managed-settings.d")
    try:
        yield from (os.path.join(drop_ins, name) for name in sorted(os.listdir(drop_ins)) if name.endswith(".json"))
    except OSError:
        return


def _argument(arguments: Sequence[str], name: str) -> str | None:
    """Give what an option was given last."""
    value = None
    for index, word in enumerate(arguments):
        if word == name and index + 1 < len(arguments):
            value = arguments[index + 1]
        elif word.startswith(f"{name}="):
            value = word.partition("=")[2]
    return value


def _checkout(cwd: str) -> str:
    """Give the root of the git checkout that a folder is in, of a worktree the main one's; the folder itself: none."""
    folder = cwd
    while not os.path.exists(mark := os.path.join(folder, ".git")):
        if folder == (folder := os.path.dirname(folder)):
            return cwd
    if os.path.isdir(mark):
        return folder
    try:
        said = read_given(mark, 4096, 0).decode("utf-8", "replace")
        place = os.path.join(folder, said.removeprefix("gitdir:").strip())
    except OSError:
        return folder
    main, found, _ = place.rpartition("/.git/worktrees/")
    return main if found else folder


def _text(value: Any) -> str:
    """Give a value of `env` as Claude hands it on; a number or a boolean is one, too."""
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, (bool, int, float)) else ""
