"""Who pays, by what is there; and keys that nobody meant to use."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from controlroom.node.claude import payer
from controlroom.node.spec import Credential, Spec

KEY = "sk-ant-api03-a-key-that-must-never-be-shown"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / ".claude").mkdir()
    (tmp_path / "project" / ".claude").mkdir(parents=True)
    return {"HOME": str(tmp_path)}


def write(environ: dict[str, str], path: str, value: Any) -> None:
    Path(environ["HOME"], path).write_text(json.dumps(value))


def log_in(environ: dict[str, str]) -> None:
    write(environ, ".claude/.credentials.json", {"claudeAiOauth": {"accessToken": "sk-ant-oat01-secret"}})


def billing(environ: dict[str, str]) -> str:
    return payer.billing(environ, environ["HOME"] + "/project")


def stray(environ: dict[str, str], **spec: Any) -> str:
    """What strays of an agent whose login shell has all that it has."""
    return payer.stray(environ, environ["HOME"] + "/project", environ, Spec(kind="headless", **spec))


def test_without_a_key_the_plan_pays(environ: dict[str, str]) -> None:
    assert billing(environ) == "plan"
    assert billing({**environ, "ANTHROPIC_API_KEY": "", "CLAUDE_CODE_USE_BEDROCK": "0"}) == "plan"
    assert stray(environ) == ""


@pytest.mark.parametrize("name", ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"])
def test_a_key_of_the_login_shell_strays_only_where_there_is_a_plan(environ: dict[str, str], name: str) -> None:
    environ[name] = KEY
    assert billing(environ) == "api"
    assert stray(environ) == ""
    log_in(environ)
    assert stray(environ) == f"{name} of the login shell"
    os.unlink(f"{environ['HOME']}/.claude/.credentials.json")
    assert stray({**environ, "CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-x"}) == f"{name} of the login shell"


@pytest.mark.parametrize(
    "spec",
    [
        {"credential": Credential(file="~/key")},
        {"credential": Credential(command=("pass", "key"))},
        {"env": {"ANTHROPIC_API_KEY": KEY}},
    ],
)
def test_what_the_profile_brings_is_meant(environ: dict[str, str], spec: dict[str, Any]) -> None:
    log_in(environ)
    environ["ANTHROPIC_API_KEY"] = KEY
    assert stray(environ, **spec) == ""


def test_what_an_env_file_brings_is_meant(environ: dict[str, str]) -> None:
    log_in(environ)
    cwd = environ["HOME"]
    spec = Spec(kind="headless", env_file="~/env")
    assert payer.stray({**environ, "ANTHROPIC_API_KEY": KEY}, cwd, environ, spec) == ""


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (".claude/settings.json", {"apiKeyHelper": "pass key"}, "apiKeyHelper in ~/.claude/settings.json"),
        (".claude/settings.json", {"env": {"ANTHROPIC_API_KEY": KEY}}, "ANTHROPIC_API_KEY in ~/.claude/settings.json"),
        ("project/.claude/settings.local.json", {"apiKeyHelper": "x"}, "~/project/.claude/settings.local.json"),
    ],
)
def test_a_key_of_the_settings_strays_even_from_a_profile_that_wants_the_plan(
    environ: dict[str, str], path: str, value: Any, named: str
) -> None:
    write(environ, path, value)
    assert billing(environ) == "api"
    assert stray(environ) == ""
    assert named in stray(environ, credential=Credential(plan=True))
    log_in(environ)
    assert named in stray(environ)
    assert KEY not in stray(environ)


def test_another_cloud_is_no_stray_key(environ: dict[str, str]) -> None:
    log_in(environ)
    environ |= {"CLAUDE_CODE_USE_BEDROCK": "1", "ANTHROPIC_API_KEY": KEY}
    assert (billing(environ), stray(environ)) == ("api", "")


@pytest.mark.parametrize("kind", ["fifo", "folder", "damaged", "list", "link", "endless"])
def test_settings_that_are_none_are_read_as_none(environ: dict[str, str], tmp_path: Path, kind: str) -> None:
    path = tmp_path / ".claude" / "settings.json"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "endless":
        path.symlink_to("/dev/zero")
    elif kind == "link":
        (tmp_path / "dotfiles").write_text(json.dumps({"apiKeyHelper": "x"}))
        path.symlink_to(tmp_path / "dotfiles")
    else:
        path.write_text("[1]" if kind == "list" else '{"apiKeyHelper":' + "[" * 100_000)
    assert billing(environ) == ("api" if kind == "link" else "plan")


def test_a_process_without_a_home_has_the_users(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]) -> None:
    monkeypatch.setenv("HOME", environ["HOME"])
    log_in(environ)
    assert payer.has_plan({})
