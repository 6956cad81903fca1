"""An interactive Claude's status line: ours keeps what it is told, the user's own is shown, a project's is left."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from controlroom.runner.claude.own_settings import arguments
from controlroom.runner.claude.status_line import StatusLine, setting

TOLD = {"session_id": "s1", "rate_limits": {"five_hour": {"used_percentage": 37, "resets_at": 1795314827}}}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An agent's folder whose path wants quotes, beside a home and a project."""
    folder = tmp_path / "it's $(an) agent"
    for made in (folder, tmp_path / "home" / ".claude", tmp_path / "project" / ".claude"):
        made.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def given(place: Path, *more: str) -> list[str]:
    environ = {"HOME": str(place.parent / "home")}
    return arguments(environ, str(place.parent / "project"), more, counts=True)


def line(place: Path) -> dict[str, object]:
    return setting({"HOME": str(place.parent / "home")}, str(place.parent / "project"), ())


def shown(place: Path, said: str) -> str:
    """What the status line shows when Claude tells it this."""
    option, file = given(place)
    assert (option, file) == ("--settings", str(place / "settings.json"))
    setting = json.loads(Path(file).read_text())["statusLine"]
    done = subprocess.run(["sh", "-c", setting["command"]], input=said, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return done.stdout


def own(place: Path, where: str, **line: object) -> None:
    (place.parent / where).write_text(json.dumps({"theme": "dark", "statusLine": {"type": "command", **line}}))


def test_it_keeps_what_claude_tells_it(place: Path) -> None:
    said = json.dumps({**TOLD, "cwd": "/a\\b %s %d `x` 'y' \u20ac"})
    assert shown(place, said) == ""
    status = StatusLine()
    assert status.read() == json.loads(said)
    assert status.read() is None, "it is new once"
    for name in ("settings.json", "status_line.json"):
        assert (place / name).stat().st_mode & 0o077 == 0


def test_the_users_own_command_says_what_is_shown(place: Path) -> None:
    own(place, "home/.claude/settings.json", command="cat | tr a-z A-Z # shouted", padding=2)
    assert shown(place, '{"a":1}') == '{"A":1}'
    assert StatusLine().read() == {"a": 1}
    assert json.loads((place / "settings.json").read_text())["statusLine"]["padding"] == 2


@pytest.mark.parametrize("name", ["settings.json", "settings.local.json"])
def test_a_projects_command_is_not_ours_to_start(place: Path, name: str) -> None:
    own(place, f"project/.claude/{name}", command="echo project")
    assert line(place) == {}


@pytest.mark.parametrize("word", ["--settings", "--settings=x.json"])
def test_settings_of_the_profile_stay(place: Path, word: str) -> None:
    assert given(place, word, "x.json") == []


@pytest.mark.parametrize("data", ["{", "[" * 100_000, "\x00"])
def test_settings_that_cannot_be_read_are_left_alone(place: Path, data: str) -> None:
    (place.parent / "home/.claude/settings.json").write_text(data)
    assert line(place) == {}


def test_a_line_that_is_damaged_says_nothing(place: Path) -> None:
    status = StatusLine()
    assert status.read() is None
    (place / "status_line.json").write_text('{"rate_limits": NaN}')
    assert status.read() is None
    os.unlink(place / "status_line.json")
    os.mkfifo(place / "status_line.json")
    assert status.read() is None


def test_a_disk_that_takes_nothing_shows_the_users_line_all_the_same(place: Path) -> None:
    own(place, "home/.claude/settings.json", command="echo mine")
    (place / "status_line.json.new").mkdir()
    _, file = given(place)
    command = json.loads(Path(file).read_text())["statusLine"]["command"]
    done = subprocess.run(["sh", "-c", command], input="{}", capture_output=True, text=True, timeout=60)
    assert done.stdout == "mine\n"
