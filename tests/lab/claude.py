"""The real Claude Code CLI, and a HOME as its users have it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.__main__ import CLAUDE as VERSION

TOKEN = "lab-token"  # any: the stand-in asks for none unless told to
SETTINGS = {
    "DISABLE_AUTOUPDATER": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",  # or it resolves api.anthropic.com
    "CLAUDE_CODE_MAX_RETRIES": "1",  # or one failing run takes three minutes
}


def cache() -> Path:
    """Where `python -m tests` keeps what it installs for the tests only."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "controlroom-tests")


def candidates(environ: dict[str, str], cache_folder: Path) -> Iterable[Path]:
    """Where the CLI may be, the surest first."""
    if told := environ.get("CONTROLROOM_TEST_CLAUDE"):
        yield Path(told)
    yield cache_folder / "claude" / "node_modules" / ".bin" / "claude"
    if found := shutil.which("claude", path=environ.get("PATH")):
        yield Path(found)


def find(environ: dict[str, str], cache_folder: Path) -> Path | str:
    """The CLI in the version that the tests were made with, or why there is none."""
    others = []
    for path in candidates(environ, cache_folder):
        if path.exists():
            version = version_of(path)
            if version == VERSION:
                return path.resolve()
            others.append(f"{path} is {version}")
    return "; ".join(others) or f"Claude Code {VERSION} is not installed"


def version_of(path: Path) -> str:
    """Its version, as 2.1.330; what it said where that is none."""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        return repr(error)
    return done.stdout.partition(" ")[0].strip() or f"exit {done.returncode}"


def furnish(home: Path, claude: Path | str, url: str, extra: dict[str, str] | None = None, seen_as: str = "") -> Path:
    """Prepare a HOME for Claude Code against the API at `url`; returns its project folder, a trusted git repository.

    As many users have it: `claude` stands only in ~/.local/bin, PATH, key and base URL only in .bashrc (which .profile
    reads). `claude` may be a path inside a host; `seen_as` is HOME there, where it differs from `home`.
    """
    inside = seen_as or str(home)
    binary = home / ".local" / "bin" / "claude"
    project = home / "project"
    for folder in (binary.parent, home / ".claude", project):
        folder.mkdir(parents=True, exist_ok=True)
    binary.unlink(missing_ok=True)
    binary.symlink_to(claude)
    variables = {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_AUTH_TOKEN": TOKEN, **SETTINGS, **(extra or {})}
    lines = ["export PATH=$HOME/.local/bin:$PATH", *(f"export {name}='{value}'" for name, value in variables.items())]
    (home / ".bashrc").write_text("\n".join(lines) + "\n")
    (home / ".profile").write_text('. "$HOME/.bashrc"\n')
    trust = {str(Path(inside, "project")): {"hasTrustDialogAccepted": True}, inside: {"hasTrustDialogAccepted": True}}
    (home / ".claude.json").write_text(json.dumps({"hasCompletedOnboarding": True, "projects": trust}))
    subprocess.run(["git", "init", "-q", str(project)], check=True, capture_output=True, timeout=60)
    return project


def log_in(
    home: Path, mail: str, plan: str = "max", *, folder: str = "", token: str = "sk-ant-oat01-of-the-lab"
) -> None:
    """Give a furnished HOME the login of a plan, as `claude` keeps one (Claude Code 2.1.330, observed).

    `folder`: below the HOME, in place of its own; it is what CLAUDE_CONFIG_DIR names then.
    """
    login = {
        "accessToken": token,
        "refreshToken": "sk-ant-ort01-of-the-lab",
        "expiresAt": 4_000_000_000_000,
        "scopes": ["user:inference", "user:profile"],
        "subscriptionType": plan,
    }
    place = home / (folder or ".claude")
    place.mkdir(exist_ok=True)
    (place / ".credentials.json").write_text(json.dumps({"claudeAiOauth": login}))
    (place / ".credentials.json").chmod(0o600)
    config = json.loads((home / ".claude.json").read_text())
    config["oauthAccount"] = {"emailAddress": mail, "organizationName": f"{mail}'s Organization"}
    (place / ".claude.json" if folder else home / ".claude.json").write_text(json.dumps(config))
