"""The settings that an interactive Claude is given by us: its status line, and a hook that tells permission requests.

Given as a file by `--settings`, so nothing is written where the user or the project keeps theirs. Claude adds hooks of
all sources to each other (Claude Code 2.1.332, observed).
"""

import json
import os
from collections.abc import Mapping, Sequence

from controlroom.runner.claude import permission_requests, status_line
from controlroom.runner.files import create
from controlroom.runner.folder import SETTINGS

_OPTION = "--settings"


def arguments(environ: Mapping[str, str], cwd: str, given: Sequence[str], *, counts: bool) -> list[str]:
    """Return what to start Claude with besides the arguments `given`; nothing when they name settings of their own.

    Writes settings.json into the current folder. `counts`: what its status line is told is wanted.
    """
    if any(word == _OPTION or word.startswith(_OPTION + "=") for word in given):
        return []
    folder = os.getcwd()
    settings = {"hooks": permission_requests.setting(folder)}
    if counts and (line := status_line.setting(environ, cwd, given)):
        settings["statusLine"] = line
    try:
        with open(create(SETTINGS), "w", encoding="utf-8") as file:
            json.dump(settings, file)
    except OSError:
        return []
    return [_OPTION, os.path.join(folder, SETTINGS)]
