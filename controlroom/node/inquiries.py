"""Answers to what home asks that changes nothing here: any room may, and a reason stands in for what cannot be given.

A check-up looks up what this host has of all that agents need; it is judged at home. Started for it: `tmux -V`, `git
--version`, `claude --version` and, where Claude has been used before, `claude auth status --json`, which starts no
session and prints no secret (Claude Code 2.1.330, observed); `loginctl` and `sshd -T` where they can be asked. Each has
a deadline.
"""

import asyncio
import base64
import contextlib
import glob
import json
import os
import pwd
import resource
import secrets
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any

from controlroom.node import host
from controlroom.node.adopted.agents import AdoptedAgents
from controlroom.node.agent_folders import entry_of, read_order
from controlroom.node.git.work import work_read
from controlroom.node.git.worktrees import list_worktrees
from controlroom.node.imports.keeper import TranscriptReader
from controlroom.node.login_shell import LoginEnvironment, alias_of
from controlroom.node.logs.searcher import search
from controlroom.node.observation.figures import Figures
from controlroom.node.place import Place
from controlroom.node.tmux_server import Screen, TmuxError
from controlroom.runner.agent_process import find_program
from controlroom.runner.claude import login
from controlroom.runner.claude.settings import Unreadable, read_entry
from controlroom.runner.environment import expanded
from controlroom.runner.files import read_regular
from controlroom.runner.folder import TASK
from controlroom.runner.git import GitFailed, located
from controlroom.text.host_sample import FolderCheck, FolderProblem, HostCheck
from controlroom.text.json_fields import table
from controlroom.text.names import is_adopted_name, shown_name_problem
from controlroom.wire.branches import ReadWork
from controlroom.wire.codec import decode
from controlroom.wire.imports import ListTranscripts, ReadTranscripts
from controlroom.wire.inquiries import (
    MOST_FOLDERS,
    ChangesListed,
    Check,
    Checked,
    DiffRead,
    Finding,
    Inquiry,
    ListChanges,
    ReadDiff,
    ReadSpec,
    ScreenShown,
    Search,
    ShowScreen,
    SpecRead,
)
from controlroom.wire.lines import MAX_TASK, PeerError
from controlroom.wire.spec import AgentSpec
from controlroom.wire.worktrees import ListWorktrees

DEADLINE = 6.0
"""Seconds that one program may take."""

_KEYS = ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN")
SSHD_CONFIG = "/etc/ssh/sshd_config"
"""Where sshd keeps its limits."""
_TEXT, _DEPTH = 300, 4
_FIRST = "firstParty"
_BILLED_BY = {"claude.ai": login.PLAN, "api_key": login.API, "api_key_helper": login.API, "third_party": login.API}
"""Who pays by the `authMethod` that Claude names; `oauth_token` is every bearer token, and tells nothing."""


def checked(asked: Check, place: Place, shell: LoginEnvironment, alias: str) -> Checked:
    """Look up what is asked. Takes up to a few deadlines: for a thread of its own.

    `alias`: what `claude` is short for in the login shell.
    """
    environ = environment_of(shell)
    folders = tuple(checked_folders(asked.folders[:MOST_FOLDERS], environ))
    if asked.folders_alone:
        return Checked(asked.id, host.now(), folders=folders)
    tmux = host.ask_tmux(place.tmux.program)
    found = HostCheck(
        python=".".join(str(part) for part in sys.version_info[:3]),
        tmux=tmux.version,
        tmux_problem=tmux.problem,
        git=_version_of("git", environ).removeprefix("git version "),
        environment_problem=shell.problem,
        **claude_facts(environ),
        onboarded=_entry("hasCompletedOnboarding", environ) is True,
        billing=login.find(environ, environ["HOME"]).billing,
        claude_alias=alias[:_TEXT],
        stray_key=login.stray_login(environ, environ["HOME"])[:_TEXT],
        **_disk_and_memory(place.state),
        **_sshd(),
        **_kernel(),
        **_logout(),
        **state_facts(place.state),
    )
    return Checked(asked.id, host.now(), found, folders)


def environment_of(shell: LoginEnvironment) -> dict[str, str]:
    """The environment in which programs are started here: that of the login shell, where there is one."""
    return {"HOME": os.path.expanduser("~"), "PATH": os.defpath, **shell.variables}


def checked_folders(paths: Iterable[str], environ: Mapping[str, str]) -> Iterator[FolderCheck]:
    """Look at folders as agents would find them. Raises nothing."""
    projects = table(_entry("projects", environ))
    for path in paths:
        whole = os.path.realpath(expanded(path, environ["HOME"])) if "\0" not in path else "/"
        above = [whole, *_above(whole)]
        trusted = any(table(projects.get(folder)).get("hasTrustDialogAccepted") is True for folder in above)
        in_git = any(os.path.exists(os.path.join(folder, ".git")) for folder in above)
        checkout = main_checkout(whole) if in_git else ""
        of_worktrees = table(projects.get(checkout)).get("hasTrustDialogAccepted") is True if checkout else None
        yield FolderCheck(path, _folder_problem(whole), in_git, trusted, of_worktrees)


def main_checkout(path: str) -> str:
    """The work tree that Claude (2.1.332, observed) asks about, once for all worktrees of a repository; "": none."""
    try:
        common = located(path).common
    except GitFailed:
        return ""
    return os.path.dirname(common) if os.path.basename(common) == ".git" else ""


def _above(path: str) -> Iterator[str]:
    while path != os.path.dirname(path):
        path = os.path.dirname(path)
        yield path


def _folder_problem(path: str) -> FolderProblem:
    if not os.path.lexists(path):
        return FolderProblem.ABSENT
    if not os.path.isdir(path):
        return FolderProblem.NOT_A_FOLDER
    if not os.access(path, os.X_OK):
        return FolderProblem.CLOSED
    return FolderProblem.UNKNOWN if os.access(path, os.W_OK) else FolderProblem.READ_ONLY


def _entry(name: str, environ: Mapping[str, str]) -> Any:
    """An entry of the file in which Claude keeps what it was told on a terminal; None: none, or not to be read."""
    try:
        return read_entry(os.path.join(environ.get("CLAUDE_CONFIG_DIR") or environ["HOME"], ".claude.json"), name)
    except Unreadable:
        return None


# --------------------------------------------------------------------------- programs


def _said(argv: list[str], environ: Mapping[str, str]) -> tuple[str, str]:
    """Run a program to its end; return what it printed, and what went wrong."""
    try:
        done = subprocess.run(
            argv,
            env=dict(environ),
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=DEADLINE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "", f"it said nothing within {DEADLINE:g} s"
    except (OSError, ValueError) as error:
        return "", f"it cannot be run: {error}"[:_TEXT]
    text = done.stdout.decode("utf-8", "replace").strip()
    words = done.stderr.decode("utf-8", "replace").strip().split("\n")[-1]
    return text, f"exit {done.returncode}: {words}"[:_TEXT] if done.returncode else ""


def _version_of(name: str, environ: Mapping[str, str]) -> str:
    program = find_program(name, environ["PATH"], environ["HOME"], "/")
    return _said([program, "--version"], environ)[0].split("\n")[0][:_TEXT] if program else ""


def claude_facts(environ: Mapping[str, str]) -> dict[str, Any]:
    """What there is of Claude, and its login, with the variables of the login shell."""
    program = find_program("claude", environ["PATH"], environ["HOME"], environ["HOME"])
    if program is None:
        return {"claude_problem": "it is not on the PATH of the login shell", **_login_by_key(environ)}
    quiet = {**environ, "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"}
    text, problem = _said([program, "--version"], quiet)
    fields = {"claude": text.split(" ")[0][:_TEXT], "claude_at": program, "claude_problem": problem}
    folder = environ.get("CLAUDE_CONFIG_DIR") or environ["HOME"]
    if problem or not os.path.exists(os.path.join(folder, ".claude.json")):  # asked there, it would begin one
        return {**fields, **_login_by_key(environ)}
    return {**fields, **login_by_status(*_said([program, "auth", "status", "--json"], quiet), environ)}


def _login_by_key(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return whether the environment brings a key along; without one nothing is known."""
    named = next((name for name in _KEYS if environ.get(name)), "")
    return {"logged_in": True, "login": named} if named else {"login_problem": "Claude has never been used here"}


def login_by_status(text: str, problem: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """Read what `claude auth status` says; it calls every bearer token one of a plan (2.1.330, observed)."""
    try:
        value = json.loads(text)
        logged_in, method, plan = value["loggedIn"], value.get("authMethod"), value.get("subscriptionType")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {"login_problem": problem or "claude auth status says nothing that we understand"}
    if method == "oauth_token" and environ.get("ANTHROPIC_AUTH_TOKEN"):
        method = "ANTHROPIC_AUTH_TOKEN"
    words = [word for word in (method, plan) if isinstance(word, str)]
    billing = _BILLED_BY.get(method, "") if value.get("apiProvider", _FIRST) == _FIRST else login.API
    return {"logged_in": bool(logged_in), "login": " ".join(words)[:_TEXT], "billing_told": billing}


# --------------------------------------------------------------------------- the machine


def _disk_and_memory(folder: str) -> dict[str, Any]:
    figures = Figures(folder).read()
    facts: dict[str, Any] = {"disk_free": figures.disk_free, "disk_total": figures.disk_total}
    if figures.memory_total is not None and figures.memory_used is not None:
        facts |= {"memory_total": figures.memory_total, "memory_free": figures.memory_total - figures.memory_used}
    if figures.swap_total is not None and figures.swap_used is not None:
        facts |= {"swap_total": figures.swap_total, "swap_free": figures.swap_total - figures.swap_used}
    while folder != "/" and not os.path.exists(folder):
        folder = os.path.dirname(folder)
    with contextlib.suppress(OSError):
        system = os.statvfs(folder)
        facts |= {"inodes_free": system.f_favail, "inodes_total": system.f_files}
    return facts


def _kernel() -> dict[str, Any]:
    soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    facts: dict[str, Any] = {"max_processes": 0 if soft == resource.RLIM_INFINITY else soft}
    text = _read("/proc/sys/fs/inotify/max_user_watches")
    if text.isdecimal():
        facts["inotify_watches"] = int(text)
    try:
        owned = (os.stat(f"/proc/{name}").st_uid for name in os.listdir("/proc") if name.isdecimal())
        facts["processes"] = sum(uid == os.geteuid() for uid in owned)
    except OSError:  # no /proc, or a process ended under our eyes
        return facts
    return facts


def _logout() -> dict[str, Any]:
    """Find out whether what we leave running lives on after a logout."""
    if not os.path.isdir("/run/systemd/system"):
        return {}
    folder, user = "/var/lib/systemd/linger", pwd.getpwuid(os.geteuid()).pw_name
    facts: dict[str, Any] = {"systemd": True, "linger": os.path.exists(os.path.join(folder, user))}
    if program := shutil.which("loginctl"):
        text, _ = _said([program, "show-session", "--property=KillUserProcesses", "--value"], os.environ)
        facts["ends_at_logout"] = {"yes": True, "no": False}.get(text)
    return facts


def state_facts(folder: str) -> dict[str, Any]:
    """The state folder, its mode, and why nothing can be written there."""
    facts: dict[str, Any] = {"state_folder": folder}
    above = folder
    while above != "/" and not os.path.exists(above):
        above = os.path.dirname(above)
    try:
        if above == folder:
            facts["state_mode"] = os.stat(folder).st_mode & 0o777
        if os.statvfs(above).f_flag & os.ST_RDONLY:
            facts["state_problem"] = "it lies on a file system that is mounted read-only"
        elif not os.access(above, os.W_OK | os.X_OK):
            facts["state_problem"] = f"{above} is not writable for this user"
    except OSError as error:
        facts["state_problem"] = error.strerror or str(error)
    return facts


# --------------------------------------------------------------------------- sshd


def _sshd() -> dict[str, Any]:
    """Read sshd's limits: from itself where that is allowed (root), else from its config, which may be readable."""
    program = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program and os.geteuid() == 0:
        text, problem = _said([program, "-T"], os.environ)
        if not problem:
            return sshd_limits(text)
    text = sshd_config(SSHD_CONFIG)
    return sshd_limits(f"{text}\nMaxSessions 10\nMaxStartups 10:30:100") if text else {}


def sshd_config(path: str, depth: int = 0) -> str:
    """Read a config of sshd with what it includes; empty when a part of it cannot be read."""
    text = _read(path, 256 * 1024)
    lines = text.splitlines()
    for index, line in enumerate(lines):
        words = line.split()
        if words and words[0].lower() == "include" and depth < _DEPTH:
            patterns = [os.path.join(os.path.dirname(SSHD_CONFIG), word) for word in words[1:]]
            parts = [sshd_config(name, depth + 1) for pattern in patterns for name in sorted(glob.glob(pattern))]
            if not all(parts):
                return ""
            lines[index] = "\n".join(parts)
    return "\n".join(lines)


def sshd_limits(text: str) -> dict[str, Any]:
    """Read what sshd_config(5) says of both; the first value counts."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, _, value = line.strip().partition(" ")
        if name.lower() == "match":
            break
        found.setdefault(name.lower(), value.strip())
    sessions = found.get("maxsessions", "")
    limits: dict[str, Any] = {"max_startups": found.get("maxstartups", "")[:20]}
    return {**limits, "max_sessions": int(sessions)} if sessions.isdecimal() else limits


def _read(path: str, limit: int = 200) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(limit).strip()
    except OSError:
        return ""


SCREEN_LIMIT = 256 * 1024
"""Bytes of one screen at most, colours included."""


class Inquirer:
    """Answers for one place."""

    def __init__(
        self, place: Place, login: Callable[[], Awaitable[LoginEnvironment]], adopted: AdoptedAgents | None = None
    ) -> None:
        """`login`: asks for the environment that agents get; `adopted`: the agents that others started."""
        self._place, self._login, self._adopted = place, login, adopted
        self._transcripts = TranscriptReader(self._environment)

    async def _environment(self) -> Mapping[str, str]:
        return environment_of(await self._login())

    def close(self) -> None:
        """End what was started for answers."""
        self._transcripts.close()

    async def answer(self, asked: Inquiry) -> Finding:
        """Find out. Never raises but for a mistake of ours."""
        if isinstance(asked, ReadSpec):
            return self._read_spec(asked)
        if isinstance(asked, ReadWork):
            return await asyncio.to_thread(work_read, self._place.state, asked, (await self._login()).variables)
        if isinstance(asked, Search):
            return await search(self._place.state, asked)
        if isinstance(asked, Check):
            login = await self._login()
            looks = not asked.folders_alone and _lacks_claude(login)
            alias = await alias_of("claude", os.environ, secrets.token_hex(16)) if looks else ""
            return await asyncio.to_thread(checked, asked, self._place, login, alias)
        if isinstance(asked, (ListChanges, ReadDiff)):
            return await self._compare(asked)
        if isinstance(asked, (ListTranscripts, ReadTranscripts)):
            return await self._transcripts.answer(asked)
        if isinstance(asked, ListWorktrees):
            return await asyncio.to_thread(
                list_worktrees, asked, self._place.state, environment_of(await self._login())
            )
        return await self._show_screen(asked)

    async def _compare(self, asked: ListChanges | ReadDiff) -> ChangesListed | DiffRead:
        from controlroom.node.git import changes  # most connections never ask for it

        environ = environment_of(await self._login())
        if isinstance(asked, ListChanges):
            return await asyncio.to_thread(changes.list_changes, asked, self._place.state, environ)
        return await asyncio.to_thread(changes.read_diff, asked, self._place.state, environ)

    def _read_spec(self, asked: ReadSpec) -> SpecRead:
        entry = entry_of(self._place.state, asked.name, asked.epoch)
        if entry is None:
            return SpecRead(asked.id, reason=f"run {asked.epoch} of {ascii(asked.name)[:60]} is not on this host")
        try:
            spec = decode(AgentSpec, read_order(entry).get("spec"))
            task = read_regular(os.path.join(entry.folder, TASK), MAX_TASK)
        except (OSError, PeerError) as error:
            return SpecRead(asked.id, reason=f"what {asked.name} was to do cannot be read: {error}"[:500])
        return SpecRead(asked.id, spec, task.decode("utf-8", "replace"))

    async def _show_screen(self, asked: ShowScreen) -> ScreenShown:
        if problem := shown_name_problem(asked.name):
            return ScreenShown(asked.id, reason=problem)
        try:
            screen = await self._screen(asked.name)
        except TmuxError as error:
            return ScreenShown(asked.id, reason=str(error))
        if screen is None:
            return ScreenShown(asked.id, reason=f"{asked.name} has no terminal now: its tmux session is gone")
        data = "\n".join(screen.lines).encode("utf-8", "surrogateescape")[:SCREEN_LIMIT]
        return ScreenShown(asked.id, base64.b64encode(data).decode(), screen.columns, screen.rows)

    async def _screen(self, name: str) -> Screen | None:
        """Look at a terminal: of an agent of ours, or of one that others started in tmux. Raises `TmuxError`."""
        if not is_adopted_name(name):
            return await self._place.tmux.screen(name)
        spot = self._adopted.find(name) if self._adopted else None
        if self._adopted is None or spot is None or not spot.pane:
            raise TmuxError(
                f"{name} is gone" if spot is None else f"{name} runs outside of tmux: no terminal of it is seen"
            )
        return await self._adopted.tmux.tmux.screen(name, spot.pane)


def _lacks_claude(login: LoginEnvironment) -> bool:
    home, path = os.path.expanduser("~"), login.variables.get("PATH", os.defpath)
    return find_program("claude", path, home, home) is None
