"""Two real credentials of a profile, a plan's login and a key: real Claude Code, a real runner, a real queue."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.room import Room
from tests.lab.claude import log_in
from tests.lab.messages_api.server import Api
from tests.lab.waiting import wait_for
from tests.lab.world import World

TOKEN = "sk-ant-oat01-of-the-team"
KEY = "sk-ant-api03-my-key-of-the-lab-that-is-forty-digits-long"
CONFIG = """
[queue]
stagger_seconds = 0
backoff_seconds = 2
retry_seconds = 0
memory_percent = 100

[credentials.team]
config_dir = "{home}/team"

[credentials.mine]
file = "~/.mine"

[profiles.p]
credentials = ["team", "mine"]
cwd = "project"
shares_folder = true
"""


@pytest.fixture
def configured(home: World, api: Api, claude_home: Callable[..., Path]) -> None:
    """A home whose team's plan is used by 60 per cent as its first answer says, and that has a key beside it."""
    claude_home(home.home, api)
    log_in(home.home, "team@example.org", folder="team", token=TOKEN)
    (home.home / ".mine").write_text(f"{KEY}\n")
    config = home.room / "config.toml"
    config.write_text(CONFIG.format(home=home.home))
    config.chmod(0o600)
    api.configure(of_keys={TOKEN: {"ratelimit": "unified", "unified": {"5h_utilization": 0.6, "5h_reset_in": 9000}}})


def add(room: Room, text: str) -> str:
    """Add a task; its id."""
    return room.run("task", "add", f"[[text {text}]]", "--profile", "p").strip()


def task(room: Room, name: str) -> dict[str, Any]:
    """One task."""
    return next(one for one in room.records("tasks", "task", "list", "--all") if one["id"] == name)


def done(room: Room, name: str) -> list[tuple[str, str]]:
    """Wait until a task is done; how its attempts ended, and with which credential."""

    def ended() -> dict[str, Any]:
        found = task(room, name)
        assert found["state"] == "done", found
        return found

    found = wait_for(ended, 60, f"{name} to be done", poll=0.2)
    return [(attempt["end"], attempt["credential"]) for attempt in found["attempts"]]


def used(room: Room, limit: str, percent: int) -> None:
    """Wait until it is known how far a limit is used, and by whom: until then it is anybody's."""

    def known() -> bool:
        limits = room.records("limits", "limits")
        return any(one["limit"] == limit and one["used_percent"] == percent and one["used_by"] for one in limits)

    wait_for(known, 60, f"it is known who has used {percent} % of {limit}", poll=0.2)


def turned_away(room: Room, name: str, end: str) -> None:
    """Wait until the first attempt of a task has ended so."""
    wait_for(lambda: task(room, name)["attempts"][0]["end"] == end, 60, f"{name} to end: {end}", poll=0.2)


def said_why(room: Room, name: str, words: str) -> None:
    """Wait until `why` says these words of a task: it is at work each time that it probes."""
    wait_for(lambda: words in room.run("why", name), 60, f"{name} to wait: {words}", poll=0.2)


def asked_by(api: Api, text: str) -> set[str]:
    """By which key and token the requests of a task were asked that the API let in."""
    asked = [one for one in api.requests(main=True) if f"[[text {text}]]" in one["prompt"] and one["status"] == 200]
    return {one["login"] for one in asked}


@pytest.mark.usefixtures("configured")
def test_the_one_with_more_left_is_taken_and_one_that_is_refused_is_passed_over_until_a_probe_gets_in(
    room: Room, home: World, api: Api
) -> None:
    assert done(room, add(room, "first")) == [("done", "team")]
    used(room, "5 h", 60)
    assert done(room, add(room, "second")) == [("done", "mine")]

    for name, (end, mode) in {"third": ("login", 401), "fifth": ("limited", 429)}.items():
        api.configure(of_keys={KEY: {"mode": mode}})
        held = add(room, name)
        turned_away(room, held, end)
        beside = f"beside {name}"
        assert done(room, add(room, beside)) == [("done", "team")]
        assert asked_by(api, beside) == {TOKEN}
        said_why(room, held, "mine: the key of mine")
        api.configure(of_keys={KEY: {}})
        attempts = done(room, held)
        assert attempts[-1] == ("done", "mine")
        assert set(attempts[:-1]) == {(end, "mine")}

    (home.home / ".mine").rename(home.home / ".gone")
    assert done(room, add(room, "without it")) == [("no credential", "mine"), ("done", "team")]
    (alarm,) = room.status()["alarms"]
    assert alarm["text"].startswith("the key of mine cannot be had on local: its file or command there gives none")
    (home.home / ".gone").rename(home.home / ".mine")
    wait_for(lambda: done(room, add(room, "again"))[-1] == ("done", "mine"), 60, "it is tried again", poll=1.0)
    assert asked_by(api, "first") == {TOKEN}
    assert asked_by(api, "second") | asked_by(api, "third") | asked_by(api, "fifth") == {KEY}
    assert room.status()["alarms"] == []
