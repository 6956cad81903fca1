"""Who pays, by what is there; and keys that nobody meant to use."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from controlroom.runner.claude import login
from controlroom.wire.spec import AgentSpec, Credential

KEY = "sk-ant-api03-a-key-that-must-never-be-shown"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / ".claude").mkdir()
    (tmp_path / "project" / ".claude").mkdir(parents=True)
    return {"HOME": str(tmp_path)}


def write(environ: dict[str, str], path: str, value: Any) -> None:
    Path(environ["HOME"], path).write_text(json.dumps(value))


def log_in(environ: dict[str, str]) -> None:
    kept = {"accessToken": "sk-ant-oat01-secret", "scopes": ["user:inference"], "subscriptionType": "max"}
    write(environ, ".claude/.credentials.json", {"claudeAiOauth": kept})


def billing(environ: dict[str, str], **how: Any) -> str:
    return login.find(environ, environ["HOME"] + "/project", **how).billing


def stray(environ: dict[str, str], **spec: Any) -> str:
    """What strays of an agent whose login shell has all that it has."""
    return login.stray_login(environ, environ["HOME"] + "/project", environ, AgentSpec(kind="headless", **spec))


def test_without_a_key_the_plan_pays_that_is_logged_in_to_and_else_nobody_knows(environ: dict[str, str]) -> None:
    assert billing(environ) == ""
    log_in(environ)
    assert billing(environ) == "plan"
    assert billing({**environ, "ANTHROPIC_API_KEY": "", "CLAUDE_CODE_USE_BEDROCK": "0"}) == "plan"
    assert stray(environ) == ""


def test_a_plan_that_was_ordered_is_believed_where_nothing_denies_it(environ: dict[str, str]) -> None:
    ordered = AgentSpec(credential=Credential(plan=True))
    assert login.of_spec(environ, environ["HOME"], ordered).billing == "plan"
    write(environ, ".claude.json", {"primaryApiKey": KEY})
    assert login.of_spec(environ, environ["HOME"], ordered).billing == "api"
    assert login.stray_login(environ, environ["HOME"], environ, ordered) == "primaryApiKey in ~/.claude.json"


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
    spec = AgentSpec(kind="headless", env_file="~/env")
    assert login.stray_login({**environ, "ANTHROPIC_API_KEY": KEY}, cwd, environ, spec) == ""


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
    assert stray(environ, credential=Credential(plan=True)) == "CLAUDE_CODE_USE_BEDROCK"


@pytest.mark.parametrize(
    ("kind", "pays"),
    [("fifo", ""), ("folder", ""), ("endless", ""), ("secret", ""), ("large", ""),
     ("damaged", "plan"), ("list", "plan"), ("link", "api")],
)  # fmt: skip
def test_settings_that_cannot_be_read_leave_it_open_who_pays_and_what_is_no_json_says_nothing(
    environ: dict[str, str], tmp_path: Path, kind: str, pays: str
) -> None:
    log_in(environ)
    path = tmp_path / ".claude" / "settings.json"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind in ("folder", "secret"):  # root may read everything, so a loop of links stands for what it may not
        path.mkdir() if kind == "folder" else path.symlink_to(path)
    elif kind == "endless":
        path.symlink_to("/dev/zero")
    elif kind == "link":
        (tmp_path / "dotfiles").write_text(json.dumps({"apiKeyHelper": "x"}))
        path.symlink_to(tmp_path / "dotfiles")
    elif kind == "large":
        path.write_text(json.dumps({"padding": "x" * 2**20, "apiKeyHelper": "x"}))
    else:
        path.write_text("[1]" if kind == "list" else '{"apiKeyHelper":' + "[" * 100_000)
    assert billing(environ) == pays


def test_its_own_file_may_be_large_and_may_speak_of_keys(environ: dict[str, str]) -> None:
    history = ['"primaryApiKey": "said in a prompt"'] * 100_000
    write(environ, ".claude.json", {"history": history})
    assert billing(environ) == ""
    write(environ, ".claude.json", {"history": history, "primaryApiKey": KEY})
    assert billing(environ) == "api"


def test_managed_settings_go_before_all_others_and_their_drop_ins_follow_by_name(
    environ: dict[str, str], tmp_path: Path
) -> None:
    log_in(environ)
    (tmp_path / "managed" / "managed-settings.d").mkdir(parents=True)
    managed = str(tmp_path / "managed")
    write(environ, "project/.claude/settings.json", {"env": {"ANTHROPIC_API_KEY": ""}})
    write(environ, "managed/managed-settings.json", {"env": {"ANTHROPIC_API_KEY": KEY}})
    assert billing(environ, managed=managed) == "api"
    write(environ, "managed/managed-settings.d/20-b.json", {"env": {"ANTHROPIC_API_KEY": ""}})
    assert billing(environ, managed=managed) == "plan"
    write(environ, "managed/managed-settings.d/30-c.json", {"env": {"CLAUDE_CODE_USE_VERTEX": 1}})
    write(environ, "managed/managed-settings.d/10-a.json", {"env": {"CLAUDE_CODE_USE_VERTEX": 0}})
    assert billing(environ, managed=managed) == "api"


@pytest.mark.parametrize(("answer", "pays"), [("approved", "api"), ("rejected", "plan"), ("", "")])
def test_on_a_terminal_a_key_pays_once_it_was_approved(environ: dict[str, str], answer: str, pays: str) -> None:
    """Claude Code 2.1.332, observed: one that was rejected is not sent, and of a new one it asks."""
    log_in(environ)
    write(environ, ".claude.json", {"customApiKeyResponses": {answer: [KEY[-20:]]} if answer else {}})
    environ["ANTHROPIC_API_KEY"] = KEY
    assert billing(environ, interactive=True) == pays
    assert billing(environ) == "api"


def test_an_enterprise_seat_may_be_billed_or_not(environ: dict[str, str]) -> None:
    kept = {"accessToken": "sk-ant-oat01-secret", "scopes": ["user:inference"], "subscriptionType": "enterprise"}
    write(environ, ".claude/.credentials.json", {"claudeAiOauth": kept})
    assert billing(environ) == ""


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ({"type": "rate_limit_event", "rate_limit_info": {}}, "plan"),
        ({"type": "rate_limit_event", "rate_limit_info": {"isUsingOverage": True}}, "overage"),
        ({"type": "system", "subtype": "init", "apiKeySource": "ANTHROPIC_API_KEY"}, "api"),
        ({"type": "system", "subtype": "init", "apiKeySource": "none"}, ""),
        ({"type": "system", "subtype": "init", "apiKeySource": "/login managed key"}, ""),
        ({"type": "result", "modelUsage": {"m": {"provider": "bedrock"}}}, "api"),
        ({"type": "result", "modelUsage": {"m": {"provider": "firstParty"}, "n": 1}}, ""),
        ({"type": "result", "modelUsage": [1]}, ""),
        ({"type": "result", "modelUsage": {"m": {"provider": ["x"]}}}, ""),
        ({"type": []}, ""),
    ],
)
def test_what_claude_says_of_itself_is_held_against_it(event: dict[str, Any], told: str) -> None:
    assert login.told_by(event) == told


def test_two_answers_that_disagree_are_a_sentence() -> None:
    assert "a plan pays by what is set up on its host" in login.doubt("plan", "api")
    assert login.doubt("plan", "overage") == "its plan is used up, and what goes beyond it is billed (overage)"
    assert [login.doubt(*pair) for pair in (("", "overage"), ("api", "overage"))] == ["", ""]
    assert [login.doubt(*pair) for pair in (("plan", "plan"), ("", "api"), ("api", ""))] == ["", "", ""]


def test_a_process_without_a_home_has_the_users(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]) -> None:
    monkeypatch.setenv("HOME", environ["HOME"])
    log_in(environ)
    assert login.has_plan({})
