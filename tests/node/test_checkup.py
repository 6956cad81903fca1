"""A host looks at itself: real programs of this machine, and stand-ins where a fault must be."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from controlroom.node import inquiries
from controlroom.text.host_sample import FolderCheck, FolderProblem
from controlroom.wire.inquiries import Check, Checked
from tests.lab.node_client import NodeClient
from tests.lab.world import World

SECRET = "sk-ant-api03-a-secret"


def program(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


def look(home: World, **variables: str) -> dict[str, object]:
    environ = {"HOME": str(home.home), "PATH": f"{home.home / 'bin'}:/usr/bin:/bin", **variables}
    return inquiries.claude_facts(environ)


def test_a_real_node_answers_with_what_is_here(home: World) -> None:
    with NodeClient() as node:
        node.greet()
        node.spawn("one", 1, "true")
        number = node.number()
        node.send(Check(number))
        checked = node.wait(Checked, lambda one: one.id == number, 40)
    found = checked.host
    assert found.python == ".".join(map(str, sys.version_info[:3]))
    assert found.tmux
    assert found.git
    assert found.disk_free
    assert found.memory_total
    assert checked.clock > 0
    assert found.state_mode == 0o700
    assert found.state_problem == ""


def test_the_real_claude_says_its_version_and_login(home: World, claude: Path) -> None:
    (home.home / "bin").mkdir()
    (home.home / "bin" / "claude").symlink_to(claude)
    found = look(home)
    assert str(found["claude"]).startswith("2.")
    assert found["login_problem"] == "Claude has never been used here"
    assert not (home.home / ".claude.json").exists(), "looking changes nothing"
    (home.home / ".claude.json").write_text('{"hasCompletedOnboarding": true}')
    assert (look(home)["logged_in"], look(home)["login"]) == (False, "none")
    with_key = look(home, ANTHROPIC_API_KEY=SECRET)
    assert (with_key["logged_in"], with_key["login"]) == (True, "api_key")
    assert "secret" not in str(with_key)
    assert look(home, ANTHROPIC_AUTH_TOKEN=SECRET)["login"] == "ANTHROPIC_AUTH_TOKEN", "which is no token of a plan"


def test_a_claude_that_is_missing_broken_or_silent(home: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "not on the PATH" in str(look(home)["claude_problem"])
    assert look(home, ANTHROPIC_API_KEY=SECRET)["login"] == "ANTHROPIC_API_KEY"
    program(home.home / "bin", "claude", "echo >&2 broken; exit 3")
    assert look(home)["claude_problem"] == "exit 3: broken"
    program(home.home / "bin", "claude", "exec sleep 60")
    monkeypatch.setattr(inquiries, "DEADLINE", 0.2)
    assert "said nothing within" in str(look(home)["claude_problem"])


@pytest.mark.parametrize("said", ["", "nonsense", "[]", '{"loggedIn"', '{"other": 1}'])
def test_a_status_that_is_not_understood_is_not_known(said: str) -> None:
    found = inquiries.login_by_status(said, "", {})
    assert "logged_in" not in found
    assert "nothing that we understand" in found["login_problem"]


def test_a_plan_is_named(home: World) -> None:
    told = '{"loggedIn": true, "authMethod": "claude.ai", "subscriptionType": "max", "email": "ann@example.org"}'
    assert inquiries.login_by_status(told, "", {}) == {
        "logged_in": True,
        "login": "claude.ai max",
        "billing_told": "plan",
    }


def test_the_state_folder_as_it_stands(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    assert "state_mode" not in inquiries.state_facts(str(folder))
    folder.mkdir(parents=True, mode=0o750)
    assert inquiries.state_facts(str(folder))["state_mode"] == stat.S_IMODE(folder.stat().st_mode)


def test_limits_of_sshd_from_its_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    more = tmp_path / "sshd_config.d"
    more.mkdir()
    (more / "10-more.conf").write_text("MaxSessions 3\n")
    main = tmp_path / "sshd_config"
    main.write_text(f"# x\nInclude {more}/*.conf\nMaxSessions 99\nMatch User bob\n  MaxStartups 1\n")
    monkeypatch.setattr(inquiries, "SSHD_CONFIG", str(main))
    text = inquiries.sshd_config(str(main))
    assert inquiries.sshd_limits(text) == {"max_sessions": 3, "max_startups": ""}
    (more / "10-more.conf").unlink()
    (more / "20-secret.conf").symlink_to("/nonexistent")
    assert inquiries.sshd_config(str(main)) == "", "what cannot be read may say anything"


def test_folders_as_an_agent_would_find_them(home: World) -> None:
    (home.home / "repo" / ".git").mkdir(parents=True)
    (home.home / "repo" / "src").mkdir()
    (home.home / "plain").mkdir()
    (home.home / "file").write_text("")
    projects = {str((home.home / "repo").resolve()): {"hasTrustDialogAccepted": True}, "/": {}, "x": 1}
    (home.home / ".claude.json").write_text(json.dumps({"projects": projects}))
    environ = {"HOME": str(home.home)}
    paths = ("repo/src", "~/repo", str(home.home / "plain"), "gone", "file", "a\0b")
    found = {folder.path: folder for folder in inquiries.checked_folders(paths, environ)}
    assert found["repo/src"] == FolderCheck("repo/src", FolderProblem.UNKNOWN, True, True)
    assert found["~/repo"].repository
    assert found[str(home.home / "plain")] == FolderCheck(str(home.home / "plain"), repository=False, trusted=False)
    assert found["gone"].problem is FolderProblem.ABSENT
    assert found["file"].problem is FolderProblem.NOT_A_FOLDER
    (home.home / ".claude.json").write_text("[[[")
    assert not next(inquiries.checked_folders(["repo"], environ)).trusted


def test_a_folder_in_which_nothing_can_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: mode is not os.W_OK)
    assert next(inquiries.checked_folders([str(tmp_path)], {"HOME": "/"})).problem is FolderProblem.READ_ONLY


def test_a_node_that_is_asked_for_folders_alone_starts_no_program(home: World) -> None:
    with NodeClient() as node:
        node.greet()
        number = node.number()
        node.send(Check(number, ("gone",), folders_alone=True))
        checked = node.wait(Checked, lambda one: one.id == number, 40)
    assert [folder.problem for folder in checked.folders] == [FolderProblem.ABSENT]
    assert (checked.host.tmux, checked.host.claude, checked.host.claude_problem) == ("", "", "")
