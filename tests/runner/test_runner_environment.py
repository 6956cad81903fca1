"""What an agent's environment is made of, and what is said when a part of it is missing."""

import os
import time
from pathlib import Path

import pytest

from controlroom.runner import environment
from controlroom.runner.folder import PLACE, TAG
from controlroom.runner.outcome import Unfit
from controlroom.text.states import Cause
from controlroom.wire.spec import AgentSpec, Credential

LOGIN = {"HOME": "/home/agent", "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
KEY, TOKEN = "sk-ant-api03-abcdefgh", "sk-ant-oat01-abcdefgh"


def build(spec: AgentSpec, **login: str) -> dict[str, str]:
    return environment.build({**LOGIN, **login}, spec, "default/a.1", "fd-1")


def logged_in(credential: Credential, **login: str) -> dict[str, str]:
    found = build(AgentSpec(credential=credential), **login)
    return {name: value for name, value in found.items() if "ANTHROPIC" in name or "TOKEN" in name}


def test_the_profile_comes_after_the_login_and_the_file_between(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("# ours\nexport A=file\nB='in quotes'\n\nC=a=b # no comment\n")
    found = build(AgentSpec(env={"A": "profile"}, env_file=str(file)), A="login", D="login")
    assert [found[name] for name in "ABCD"] == ["profile", "in quotes", "a=b # no comment", "login"]
    assert (found[TAG], found[PLACE]) == ("default/a.1", "fd-1")


@pytest.mark.parametrize(
    "name",
    ["CLAUDECODE", "CLAUDE_CODE_SESSION_ID", "CLAUDE_PID", "CLAUDE_CODE_ENTRYPOINT", "CLAUDE_CODE_CHILD_SESSION",
     "CLAUDE_CODE_MESSAGING_SOCKET", "CLAUDE_CODE_MESSAGING_TOKEN", "AI_AGENT", "CLAUDE_EFFORT", "TMUX", "TMUX_PANE"],
)  # fmt: skip
def test_an_agent_does_not_take_itself_for_a_part_of_another(name: str) -> None:
    assert name not in build(AgentSpec(), **{name: "x"})
    assert build(AgentSpec(env={name: "meant"}))[name] == "meant"


def test_what_users_set_for_claude_stays() -> None:
    found = build(AgentSpec(max_output_tokens=8000), CLAUDE_CONFIG_DIR="/c", CLAUDE_CODE_MAX_RETRIES="1")
    assert (found["CLAUDE_CONFIG_DIR"], found["CLAUDE_CODE_MAX_RETRIES"]) == ("/c", "1")
    assert found["CLAUDE_CODE_MAX_OUTPUT_TOKENS"] == "8000"


def test_strange_entries_of_a_login_shell_are_left_out() -> None:
    found = environment.build({**LOGIN, "BASH_FUNC_x%%": "() {}", "N": 3, "Z": "a\0b"}, AgentSpec(), "t", "p")
    assert not {"BASH_FUNC_x%%", "N", "Z"} & set(found)


def test_without_a_credential_the_login_decides() -> None:
    assert logged_in(Credential(), ANTHROPIC_AUTH_TOKEN="t") == {"ANTHROPIC_AUTH_TOKEN": "t"}


def test_a_plan_needs_no_key() -> None:
    keys = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_AUTH_TOKEN": "t", "CLAUDE_CODE_OAUTH_TOKEN": TOKEN}
    assert logged_in(Credential(plan=True), **keys) == {"CLAUDE_CODE_OAUTH_TOKEN": TOKEN}


@pytest.mark.parametrize(("secret", "name"), [(KEY, "ANTHROPIC_API_KEY"), (TOKEN, "CLAUDE_CODE_OAUTH_TOKEN")])
def test_a_key_comes_from_a_file_or_a_command(tmp_path: Path, secret: str, name: str) -> None:
    (tmp_path / "key").write_text(f"{secret}\n")
    others = {"ANTHROPIC_API_KEY": "old", "ANTHROPIC_AUTH_TOKEN": "old", "HOME": str(tmp_path)}
    assert logged_in(Credential(file="~/key"), **others) == {name: secret}
    assert logged_in(Credential(command=("cat", "key")), **others) == {name: secret}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (AgentSpec(env_file="~/gone"), "env_file /home/agent/gone cannot be read on this host: No such file"),
        (AgentSpec(credential=Credential(file="gone")), "credential file /home/agent/gone cannot be read on this host"),
        (AgentSpec(credential=Credential(command=("gone",))), "the credential command gone is not there on this host"),
        (AgentSpec(env={"A B": "x"}), "the profile's env names 'A B', which cannot be an environment variable"),
        (AgentSpec(env={"A": "x\0"}), "the profile's env names 'A'"),
    ],
)
def test_what_is_missing_is_named(spec: AgentSpec, words: str) -> None:
    with pytest.raises(Unfit, match=f"^{words}") as raised:
        build(spec)
    assert (raised.value.cause is Cause.NO_CREDENTIAL) is (spec.credential != Credential())


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo locked >&2; exit 4", "failed: exit 4; what it said may be secret"),
        (f"echo {KEY} >&2; kill $$", "failed: killed by SIGTERM; what it said"),
        ("true", "gave no key"),
        ("echo one; echo two", "gave no key"),
        ("printf 'a\\033b'", "gave no key"),
    ],
)
def test_a_command_that_fails_says_why(tmp_path: Path, script: str, words: str) -> None:
    with pytest.raises(Unfit) as raised:
        build(AgentSpec(credential=Credential(command=("sh", "-c", script))), HOME=str(tmp_path))
    assert words in str(raised.value)
    assert KEY not in str(raised.value)


def test_a_command_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "CREDENTIAL_SECONDS", 0.2)
    began = time.monotonic()
    with pytest.raises(Unfit, match="gave nothing in 0 seconds"):
        build(AgentSpec(credential=Credential(command=("sleep", "300"))), HOME=str(tmp_path))
    assert time.monotonic() - began < 100


def test_a_wrong_line_in_an_env_file_is_named_by_number(tmp_path: Path) -> None:
    (tmp_path / "env").write_text("A=1\nwhat is this\n")
    with pytest.raises(Unfit, match=r"line 2: expected NAME=value"):
        build(AgentSpec(env_file=str(tmp_path / "env")))


@pytest.mark.parametrize(
    ("cwd", "path"),
    [("", "/home/agent"), ("~", "/home/agent"), ("~/a", "/home/agent/a"), ("b/c", "/home/agent/b/c"), ("/d", "/d")],
)
def test_folders_are_meant_from_the_home(cwd: str, path: str) -> None:
    assert environment.expanded(cwd, "/home/agent") == path


def test_a_folder_that_is_not_there_is_told() -> None:
    with pytest.raises(Unfit, match="the folder /home/agent/x is not there on this host: create it, or give another"):
        environment.working_folder(AgentSpec(cwd="x"), "/home/agent")
