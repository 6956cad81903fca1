"""The environment an agent runs in: the login shell's, then the profile's, then its credential, and our tag."""

import contextlib
import json
import os
from collections.abc import Mapping

from controlroom.runner import folder
from controlroom.runner.agent_process import find_program, printed
from controlroom.runner.claude.login import BEFORE_PLAN, CLOUDS, KEYS, PLAN_TOKEN
from controlroom.runner.files import read_given, read_regular
from controlroom.runner.outcome import Unfit, from_status
from controlroom.text.lazy_pattern import pattern
from controlroom.text.states import Cause
from controlroom.wire.spec import AgentSpec, Credential

_UNTOLD = "what it said may be secret and is not kept: run it on the host to see it"

CREDENTIAL_SECONDS = 30.0
"""How long a credential's command may take."""

_NAME = pattern(r"[A-Za-z_][A-Za-z0-9_]*")
_LIMIT = 1024 * 1024
_ENVIRON_LIMIT = 16 * 1024 * 1024

# What Claude Code 2.1.330 gives to the tools it runs (observed), and tmux to its panes: an agent that is started from
# there must not take itself for a part of them.
_NESTED = frozenset(
    {
        "CLAUDECODE", "CLAUDE_CODE_SESSION_ID", "CLAUDE_PID", "CLAUDE_CODE_ENTRYPOINT", "CLAUDE_CODE_CHILD_SESSION",
        "CLAUDE_CODE_MESSAGING_SOCKET", "CLAUDE_CODE_MESSAGING_TOKEN", "CLAUDE_PROJECT_DIR", "CLAUDE_ENV_FILE",
        "AI_AGENT", "CLAUDE_EFFORT", "TMUX", "TMUX_PANE", "SHLVL", "_", "OLDPWD",
    }
)  # fmt: skip
_OAUTH_PREFIX = "sk-ant-oat"


def build(login: Mapping[str, object], spec: AgentSpec, tag: str, place: str) -> dict[str, str]:
    """Build the environment of an agent with this tag and place (`folder`).

    Raises `Unfit` with what is wrong: a file that is missing, a command that failed.
    """
    environ = {name: value for name, value in login.items() if isinstance(value, str) and _usable(name, value)}
    environ = {name: value for name, value in environ.items() if name not in _NESTED}
    environ.setdefault("HOME", os.path.expanduser("~"))
    environ.setdefault("PATH", os.defpath)
    if spec.env_file:
        environ.update(read_env_file(expanded(spec.env_file, environ["HOME"])))
    for name, value in spec.env.items():
        if not _usable(name, value):
            raise Unfit(f"the profile's env names {ascii(name)[:60]}, which cannot be an environment variable")
        environ[name] = value
    try:
        _log_in(environ, spec.credential)
    except Unfit as error:
        raise Unfit(str(error), Cause.NO_CREDENTIAL) from None
    if spec.max_output_tokens:
        environ["CLAUDE_CODE_MAX_OUTPUT_TOKENS"] = str(spec.max_output_tokens)
    environ[folder.TAG], environ[folder.PLACE] = tag, place
    return environ


def login_environment() -> dict[str, object]:
    """Read environ.json of the current folder and remove it at once: it may hold keys. Without one it is our own."""
    try:
        value = json.loads(read_regular(folder.ENVIRON, _ENVIRON_LIMIT))
        os.unlink(folder.ENVIRON)
    except (OSError, ValueError, RecursionError):
        with contextlib.suppress(OSError):
            os.unlink(folder.ENVIRON)
        value = None
    return value if isinstance(value, dict) else dict(os.environ)


def expanded(path: str, home: str) -> str:
    """Return a path of the profile as an absolute one: `~` and relative ones start from the home."""
    if path in ("", "~"):
        return home
    return os.path.normpath(os.path.join(home, path.removeprefix("~/")))


def working_folder(spec: AgentSpec, home: str) -> str:
    """Return the folder to work in. Raises `Unfit` when it is not there."""
    path = expanded(spec.cwd, home)
    if not os.path.isdir(path):
        raise Unfit(f"the folder {path} is not there on this host: create it, or give another cwd")
    return path


def read_env_file(path: str) -> dict[str, str]:
    """Read NAME=value lines (`export`, quotes and # comments are understood). Raises `Unfit` naming the line."""
    variables: dict[str, str] = {}
    for number, line in enumerate(_contents("env_file", path).splitlines(), 1):
        entry = line.strip().removeprefix("export ").strip()
        if not entry or entry.startswith("#"):
            continue
        name, equals, value = entry.partition("=")
        if not equals or not _usable(name.strip(), value):
            raise Unfit(f"env_file {path}, line {number}: expected NAME=value")
        variables[name.strip()] = _unquoted(value.strip())
    return variables


def _log_in(environ: dict[str, str], credential: Credential) -> None:
    if credential.plan:
        for name in BEFORE_PLAN:
            environ.pop(name, None)
        return
    secret = ""
    if credential.file:
        secret = _contents("credential file", expanded(credential.file, environ["HOME"]))
    elif credential.command:
        secret = _from_command(credential.command, environ)
    else:
        return
    for name in (*KEYS, *CLOUDS, PLAN_TOKEN):
        environ.pop(name, None)
    value = _checked(secret, "file" if credential.file else "command")
    environ[PLAN_TOKEN if value.startswith(_OAUTH_PREFIX) else "ANTHROPIC_API_KEY"] = value


def _checked(secret: str, source: str) -> str:
    value = secret.strip()
    if not value or "\n" in value or len(value) > 16_384 or not value.isprintable():
        raise Unfit(f"the credential {source} gave no key: expected one line that holds nothing else")
    return value


def _from_command(command: tuple[str, ...], environ: dict[str, str]) -> str:
    home = environ["HOME"]
    program = find_program(command[0], environ["PATH"], home, home)
    if program is None:
        raise Unfit(f"the credential command {command[0]} is not there on this host")
    output = printed([program, *command[1:]], environ, home, seconds=CREDENTIAL_SECONDS)
    if output.status is None:
        raise Unfit(f"the credential command {command[0]} gave nothing in {CREDENTIAL_SECONDS:.0f} seconds")
    if output.status:
        ended = from_status(output.status).words()
        raise Unfit(f"the credential command {command[0]} failed: {ended}; {_UNTOLD}")
    return output.out.decode("utf-8", "replace")


def _contents(what: str, path: str) -> str:
    try:
        return read_given(path, _LIMIT, CREDENTIAL_SECONDS).decode("utf-8", "surrogateescape")
    except OSError as error:
        raise Unfit(f"{what} {path} cannot be read on this host: {error.strerror}") from None


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value


def _usable(name: str, value: str) -> bool:
    return bool(_NAME.fullmatch(name)) and "\0" not in value
