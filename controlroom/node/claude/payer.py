"""Who pays for what a Claude asks: a key, or the plan of a login; and a key that nobody meant to use.

Claude Code 2.1.330, observed: a token (ANTHROPIC_AUTH_TOKEN) and a key (ANTHROPIC_API_KEY) of the environment, and an
`apiKeyHelper` or either of the two in the settings of the user or the project, each go before the login of a plan. Only
whether they are there is looked at, never what they are. Read by the runner, which must stay small.
"""

import json
import os
import stat
from collections.abc import Mapping
from typing import Any

from controlroom.meter.loose import table
from controlroom.node.claude.transcript import config_folder
from controlroom.node.spec import Spec

KEYS = ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY")
PLAN_TOKEN = "CLAUDE_CODE_OAUTH_TOKEN"  # noqa: S105 - a name

_OTHER_CLOUDS = ("CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY")
_HELPER = "apiKeyHelper"
_LIMIT = 1024 * 1024


def billing(environ: Mapping[str, str], cwd: str) -> str:
    """Say who pays: `api` (a key, a gateway's token, another cloud) or `plan`."""
    return "api" if _elsewhere(environ) or key(environ, cwd) else "plan"


def key(environ: Mapping[str, str], cwd: str) -> str:
    """Name the key that a Claude uses in this environment and folder, "" when there is none."""
    named = next((name for name in KEYS if environ.get(name)), "")
    return named or next((f"{what} in {_short(path, environ)}" for path, what in _of_settings(environ, cwd)), "")


def has_plan(environ: Mapping[str, str]) -> bool:
    """Tell whether there is a plan's login that a Claude would use if there were no key."""
    if environ.get(PLAN_TOKEN):
        return True
    return bool(table(_read(os.path.join(_config(environ), ".credentials.json")).get("claudeAiOauth")))


def stray(
    environ: Mapping[str, str], cwd: str, login: Mapping[str, object] | None = None, spec: Spec | None = None
) -> str:
    """Name the key that moves an agent off a plan though nothing asks for it, "" when none does.

    `login` is the login shell's environment, `spec` what was ordered: what the profile itself brings is meant.
    """
    found = "" if _elsewhere(environ) else key(environ, cwd)
    if not found or (spec and _is_asked_for(found, environ, login or {}, spec)):
        return ""
    wanted = spec is not None and spec.credential.plan
    if not (wanted or has_plan(environ)):
        return ""
    return f"{found} of the login shell" if spec and found in KEYS else found


def _is_asked_for(found: str, environ: Mapping[str, str], login: Mapping[str, object], spec: Spec) -> bool:
    if spec.credential.file or spec.credential.command:
        return True
    return found in KEYS and (found in spec.env or environ.get(found) != login.get(found))


def _elsewhere(environ: Mapping[str, str]) -> bool:
    return any(environ.get(name, "0") not in ("", "0", "false") for name in _OTHER_CLOUDS)


def _of_settings(environ: Mapping[str, str], cwd: str) -> list[tuple[str, str]]:
    """Give what brings a key in Claude's settings: the file, and the name."""
    folders = (_config(environ), os.path.join(cwd, ".claude"))
    paths = [os.path.join(folder, name) for folder in folders for name in ("settings.json", "settings.local.json")]
    found = []
    for path in dict.fromkeys(paths):
        settings = _read(path)
        variables = table(settings.get("env"))
        found += [(path, name) for name in KEYS if variables.get(name)]
        found += [(path, _HELPER)] * bool(settings.get(_HELPER))
    return found


def _config(environ: Mapping[str, str]) -> str:
    return config_folder({"HOME": os.path.expanduser("~"), **environ})


def _short(path: str, environ: Mapping[str, str]) -> str:
    home = environ.get("HOME", "")
    return f"~{path.removeprefix(home)}" if home and path.startswith(f"{home}/") else path


def _read(path: str) -> dict[str, Any]:
    """Read a file of the user's, which may be a link to one; empty for what is no such file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except (OSError, ValueError):
        return {}
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return {}
        return table(json.loads(os.read(descriptor, _LIMIT)))
    except (OSError, ValueError, RecursionError):
        return {}
    finally:
        os.close(descriptor)
