"""Who pays, held against what the real Claude Code sends for each way to log in: a key, or the token of a plan."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from controlroom.runner.claude import login
from tests.lab.claude import SETTINGS
from tests.lab.messages_api.server import Api
from tests.lab.world import World
from tests.runner.claude_agents import BY_KEY, KEY

PLAN = "Bearer sk-ant-oat01-of-the-lab"
PROFILE_TOKEN = "token-of-a-profile"
BY_PROFILE = f"Bearer {PROFILE_TOKEN}"

OAUTH = {"accessToken": "sk-ant-oat01-of-the-lab", "expiresAt": 4_000_000_000_000, "scopes": ["user:inference"]}
LOGIN = ".claude/.credentials.json"
MAX = {LOGIN: {"claudeAiOauth": {**OAUTH, "subscriptionType": "max"}}}
CONSOLE = {".claude.json": {"primaryApiKey": KEY, "oauthAccount": {"emailAddress": "ann@example.org"}}}
USER, PROJECT, LOCAL = ".claude/settings.json", "project/.claude/settings.json", "project/.claude/settings.local.json"
NO_KEY = {"env": {"ANTHROPIC_API_KEY": ""}}
BEDROCK = {"env": {"CLAUDE_CODE_USE_BEDROCK": "1"}}
BY_TOKEN = {"CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-of-the-lab"}
HELPER = {"apiKeyHelper": f"echo {KEY}"}
SECOND = {"env": {"CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-second"}}
NO_TOKEN = {"env": {"CLAUDE_CODE_OAUTH_TOKEN": ""}}
MOVED = {"env": {"CLAUDE_CONFIG_DIR": "{HOME}/else"}}
ELSE, ELSE_LOGIN = "else/settings.json", "else/.credentials.json"
DESKTOP = {"CLAUDE_CODE_ENTRYPOINT": "claude-desktop"}
REMOTE = {"CLAUDE_CODE_REMOTE": "1"}
FEDERATION = {
    "ANTHROPIC_FEDERATION_RULE_ID": "rule",
    "ANTHROPIC_ORGANIZATION_ID": "organization",
    "ANTHROPIC_IDENTITY_TOKEN": "token",
}


def profile(name: str, **more: Any) -> dict[str, Any]:
    token = {"type": "oauth_token", "access_token": PROFILE_TOKEN, "expires_at": 4_000_000_000}
    return {
        f".config/anthropic/configs/{name}.json": {"authentication": {"type": "user_oauth"}},
        f".config/anthropic/credentials/{name}.json": token,
        **more,
    }


CASES: dict[str, tuple[dict[str, Any], dict[str, str], str, str]] = {
    # files, environment, what is sent first, who pays
    "a plan's login": (MAX, {}, PLAN, "plan"),
    "a plan's token": ({}, BY_TOKEN, PLAN, "plan"),
    "a Console login": (CONSOLE, {}, KEY, "api"),
    "a Console login beside a plan's": ({**MAX, **CONSOLE}, {}, PLAN, "plan"),
    "a Console login beside a plan's token": (CONSOLE, BY_TOKEN, PLAN, "plan"),
    "a login that may not infer": ({**CONSOLE, LOGIN: {"claudeAiOauth": {**OAUTH, "scopes": ["a"]}}}, {}, KEY, "api"),
    "a key beside a plan": (MAX, {"ANTHROPIC_API_KEY": KEY}, KEY, "api"),
    "a bearer token beside a plan": (MAX, {"ANTHROPIC_AUTH_TOKEN": "other"}, "Bearer other", "api"),
    "a key in the user's settings": ({**MAX, USER: BY_KEY}, {}, KEY, "api"),
    "a key in the project's settings": ({**MAX, PROJECT: BY_KEY}, {}, KEY, "api"),
    "a key in the local settings": ({**MAX, LOCAL: BY_KEY}, {}, KEY, "api"),
    "a key that the project takes away": ({**MAX, USER: BY_KEY, PROJECT: NO_KEY}, {}, PLAN, "plan"),
    "a key that the settings take away": ({**MAX, USER: NO_KEY}, {"ANTHROPIC_API_KEY": KEY}, PLAN, "plan"),
    "a key where the user has no local settings": ({**MAX, ".claude/settings.local.json": BY_KEY}, {}, PLAN, "plan"),
    "settings that are no JSON": ({**MAX, USER: '{"env": {"ANTHROPIC_API_KEY": "x"},}'}, {}, PLAN, "plan"),
    "a helper": ({**MAX, PROJECT: HELPER}, {}, KEY, "api"),
    "a helper that is taken away": ({**MAX, USER: HELPER, LOCAL: {"apiKeyHelper": ""}}, {}, PLAN, "plan"),
    "a cloud in the user's settings": ({**MAX, USER: BEDROCK}, {}, "", "api"),
    "a cloud in the project's settings": ({**MAX, PROJECT: BEDROCK}, {}, "", "api"),
    "a cloud as a JSON boolean": ({**MAX, LOCAL: {"env": {"CLAUDE_CODE_USE_VERTEX": True}}}, {}, "", "api"),
    "another cloud": (MAX, {"CLAUDE_CODE_USE_ANTHROPIC_AWS": "yes"}, "", "api"),
    "a cloud that is switched off": ({**MAX, USER: {"env": {"CLAUDE_CODE_USE_BEDROCK": "0"}}},
                                     {"CLAUDE_CODE_USE_BEDROCK": "1"}, PLAN, "plan"),
    "a switch that is none": (MAX, {"CLAUDE_CODE_USE_BEDROCK": "2"}, PLAN, "plan"),
    "the default profile": (profile("default"), {}, BY_PROFILE, "api"),
    "the default profile beside a plan": (profile("default", **MAX), {}, PLAN, "plan"),
    "a profile that is named": (profile("work", **MAX), {"ANTHROPIC_PROFILE": "work"}, BY_PROFILE, "api"),
    "a profile that is not there": (MAX, {"ANTHROPIC_PROFILE": "work"}, PLAN, "plan"),
    "a profile that the settings name": (
        profile("work", **MAX, **{USER: {"env": {"ANTHROPIC_PROFILE": "work"}}}), {}, BY_PROFILE, "api",
    ),
    "an older place of its own file": ({".claude/.config.json": {"primaryApiKey": KEY}}, {}, KEY, "api"),
    "headers beside a plan": (MAX, {"ANTHROPIC_CUSTOM_HEADERS": f"x-api-key: {KEY}"}, KEY, ""),
    "a plan of no known kind": ({LOGIN: {"claudeAiOauth": OAUTH}}, {}, PLAN, ""),
    "nothing": ({}, {}, "", ""),
    # what a project may not say
    "a plan's token of the project": ({**CONSOLE, PROJECT: SECOND}, {}, KEY, "api"),
    "a plan's token of the local settings": ({**CONSOLE, LOCAL: SECOND}, {}, KEY, "api"),
    "a token that the project takes away": ({**CONSOLE, PROJECT: NO_TOKEN}, BY_TOKEN, PLAN, "plan"),
    "a token that the user takes away": ({**CONSOLE, USER: NO_TOKEN}, BY_TOKEN, KEY, "api"),
    "a profile that the project names": (
        profile("work", **MAX, **{PROJECT: {"env": {"ANTHROPIC_PROFILE": "work"}}}), {}, PLAN, "plan",
    ),
    "an identity that the project brings": ({**MAX, PROJECT: {"env": FEDERATION}}, {}, PLAN, "plan"),
    "a folder that the project names": ({**MAX, PROJECT: MOVED, ELSE: BY_KEY}, {}, PLAN, "plan"),
    # another folder
    "a folder of its own": ({ELSE_LOGIN: MAX[LOGIN]}, MOVED["env"], PLAN, "plan"),
    "a folder that the user's settings name": ({**MAX, USER: MOVED, ELSE: BY_KEY}, {}, KEY, "api"),
    "a login there": ({USER: MOVED, ELSE_LOGIN: MAX[LOGIN]}, {}, PLAN, "plan"),
    "a login that is left behind": ({**MAX, **CONSOLE, USER: MOVED}, {}, KEY, "api"),
    "a helper that is left behind": ({USER: {**MOVED, **HELPER}, ELSE_LOGIN: MAX[LOGIN]}, {}, PLAN, "plan"),
    "a helper there": ({**MAX, USER: MOVED, ELSE: HELPER}, {}, KEY, "api"),
    "a key that is taken along": ({USER: {"env": {**MOVED["env"], **BY_KEY["env"]}}, ELSE_LOGIN: MAX[LOGIN]}, {},
                                  KEY, "api"),
    "a key that is taken away there": ({USER: {"env": {**MOVED["env"], **BY_KEY["env"]}}, ELSE: NO_KEY,
                                        ELSE_LOGIN: MAX[LOGIN]}, {}, PLAN, "plan"),
    "a plan's login kept apart": (
        {**CONSOLE, "kept/.credentials.json": MAX[LOGIN]}, {"CLAUDE_SECURESTORAGE_CONFIG_DIR": "{HOME}/kept"},
        PLAN, "plan",
    ),
    "profiles elsewhere": (
        {name.replace(".config", "elsewhere"): value for name, value in profile("default").items()},
        {"XDG_CONFIG_HOME": "{HOME}/elsewhere"}, BY_PROFILE, "api",
    ),
    # white space
    "a key of white space": (MAX, {"ANTHROPIC_API_KEY": "  "}, PLAN, "plan"),
    "a bearer token of white space": (MAX, {"ANTHROPIC_AUTH_TOKEN": " "}, PLAN, "plan"),
    "a plan's token of white space": (CONSOLE, {"CLAUDE_CODE_OAUTH_TOKEN": "  "}, KEY, "api"),
    "a profile with white space": (profile("work", **MAX), {"ANTHROPIC_PROFILE": " work "}, BY_PROFILE, "api"),
    # where a plan goes first
    "a key in the desktop app": (MAX, {**DESKTOP, "ANTHROPIC_API_KEY": KEY}, PLAN, "plan"),
    "a bearer token in the desktop app": (MAX, {**DESKTOP, "ANTHROPIC_AUTH_TOKEN": "other"}, PLAN, "plan"),
    "a helper in the desktop app": ({**MAX, USER: HELPER}, DESKTOP, PLAN, "plan"),
    "a key in the desktop app without a plan": ({}, {**DESKTOP, "ANTHROPIC_API_KEY": KEY}, KEY, "api"),
    "a key on a remote machine": ({}, {**BY_TOKEN, **REMOTE, "ANTHROPIC_API_KEY": KEY}, PLAN, "plan"),
    "a key in an editor": (MAX, {"CLAUDE_CODE_ENTRYPOINT": "claude-vscode", "ANTHROPIC_API_KEY": KEY}, PLAN, ""),
    "a login by the program around it": (MAX, {"CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST": "1"}, "", ""),
}  # fmt: skip


@pytest.fixture
def place(home: World, api: Api, claude_home: Callable[..., Path]) -> Path:
    """A HOME in which Claude Code would begin without a question."""
    claude_home(home.home, api)
    return home.home


def write(place: Path, files: dict[str, Any]) -> None:
    for name, value in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name == ".claude.json":
            value = {**json.loads(path.read_text()), **value}
        path.write_text(value if isinstance(value, str) else json.dumps(value))
        path.chmod(0o600)


def environ_of(place: Path, api: Api, **more: str) -> dict[str, str]:
    return {"HOME": str(place), "PATH": os.defpath, "ANTHROPIC_BASE_URL": api.url, **SETTINGS, **more}


def sent(api: Api, argv: list[str], environ: dict[str, str], cwd: Path) -> str:
    """What a Claude sends as who it is; "" when it asks nothing of this API."""
    subprocess.run(argv, env=environ, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    for request in api.requests():
        headers = {name.lower(): value for name, value in request["headers"].items()}
        return str(headers.get("x-api-key") or headers.get("authorization"))
    return ""


EACH = [pytest.param(case, marks=pytest.mark.long) if number % 8 else case for number, case in enumerate(CASES)]


@pytest.mark.parametrize("case", EACH)
def test_who_pays_is_as_claude_itself_logs_in(place: Path, api: Api, claude: Path, case: str) -> None:
    files, more, header, billing = CASES[case]
    files, more = json.loads(json.dumps([files, more]).replace("{HOME}", str(place)))
    write(place, files)
    environ, cwd = environ_of(place, api, **more), place / "project"
    assert sent(api, [str(claude), "-p", "hello"], environ, cwd) == header
    assert login.find(environ, str(cwd)).billing == billing


@pytest.mark.parametrize(
    ("arguments", "header", "billing"),
    [
        (["--settings", json.dumps(BY_KEY)], KEY, "api"),
        (["--settings=../other.json"], KEY, "api"),
        (["--setting-sources", "project,local"], PLAN, "plan"),
        (["--settings", json.dumps({"env": {"CLAUDE_CONFIG_DIR": "../else"}})], KEY, "api"),
    ],
)
def test_the_settings_of_a_command_line_count(
    place: Path, api: Api, claude: Path, arguments: list[str], header: str, billing: str
) -> None:
    user = {} if header == KEY else {USER: BY_KEY}
    write(place, {**MAX, **user, "other.json": BY_KEY, ELSE: BY_KEY})
    environ, cwd = environ_of(place, api), place / "project"
    argv = [str(claude), "-p", *arguments, "--", "hello"]
    assert sent(api, argv, environ, cwd) == header
    assert login.find(environ, str(cwd), argv).billing == billing


@pytest.mark.long
@pytest.mark.parametrize(
    ("files", "more", "arguments", "header", "billing"),
    [
        ({**MAX, **CONSOLE, USER: HELPER}, BY_TOKEN, [], "", ""),
        (MAX, {"ANTHROPIC_API_KEY": KEY}, [], KEY, "api"),
        ({**MAX, USER: BY_KEY}, {}, [], KEY, "api"),
        (MAX, {}, ["--settings", json.dumps(HELPER)], KEY, "api"),
        ({**MAX, "other.json": HELPER}, {}, ["--settings", "../other.json"], KEY, "api"),
    ],
)
def test_a_bare_one_knows_keys_alone(
    place: Path, api: Api, claude: Path, files: dict[str, Any], more: dict[str, str],
    arguments: list[str], header: str, billing: str,
) -> None:  # fmt: skip
    write(place, files)
    environ, cwd = environ_of(place, api, **more), place / "project"
    for argv, simple in (([str(claude), "--bare"], {}), ([str(claude)], {"CLAUDE_CODE_SIMPLE": "1"})):
        api.reset()
        argv += ["-p", *arguments, "--", "hello"]
        assert sent(api, argv, {**environ, **simple}, cwd) == header
        assert login.find({**environ, **simple}, str(cwd), argv).billing == billing


@pytest.mark.long
def test_local_settings_are_those_of_the_checkout_and_of_a_worktree_the_main_ones(
    place: Path, api: Api, claude: Path
) -> None:
    write(place, {**MAX, LOCAL: BY_KEY})
    git = ["git", "-C", str(place / "project"), "-c", "user.email=ann@example.org", "-c", "user.name=ann"]
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    subprocess.run([*git, "worktree", "add", "-q", str(place / "tree")], check=True, capture_output=True)
    (place / "project" / "below").mkdir()
    environ = environ_of(place, api)
    for cwd in (place / "project" / "below", place / "tree"):
        api.reset()
        assert sent(api, [str(claude), "-p", "hello"], environ, cwd) == KEY, cwd
        assert login.find(environ, str(cwd)).billing == "api"
    write(place, {LOCAL: {}, PROJECT: BY_KEY})
    api.reset()
    assert sent(api, [str(claude), "-p", "hello"], environ, place / "project" / "below") == PLAN
    assert login.find(environ, str(place / "project" / "below")).billing == "plan"
