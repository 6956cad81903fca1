"""`--home` before the verb or among its options: which room, and on which machine its engine is."""

from __future__ import annotations

import pytest

from controlroom.cli.exits import Exit, Stop
from controlroom.cli.homes import take_home


@pytest.mark.parametrize(
    ("line", "rest", "environ"),
    [
        ("", "", {}),
        ("--home me@box", "", {"CONTROLROOM_AT": "me@box"}),
        ("--home=me@box:2222 status --json", "status --json", {"CONTROLROOM_AT": "me@box:2222"}),
        ("status --home box --json", "status --json", {"CONTROLROOM_AT": "box"}),
        ("watch --home box", "watch", {"CONTROLROOM_AT": "box"}),
        ("--home local status", "status", {"CONTROLROOM_AT": "local"}),
        ("--home ~/room status", "status", {"CONTROLROOM_HOME": "~/room"}),
        ("--home . engine --install", "engine --install", {"CONTROLROOM_HOME": "."}),
        ("--home box engine", "engine", {"CONTROLROOM_AT": "box"}),
        ("spawn a --task --home --host b", "spawn a --task --home --host b", {}),
        ("spawn a -- prog --home x", "spawn a -- prog --home x", {}),
        ("--home box demo", "demo", {}),
    ],
)
def test_it_is_taken_out_of_the_line(line: str, rest: str, environ: dict[str, str]) -> None:
    found: dict[str, str] = {}
    assert take_home(line.split(), found) == rest.split()
    assert found == environ


def test_a_folder_is_a_room_on_this_machine() -> None:
    found = {"CONTROLROOM_AT": "box"}
    take_home(["--home", "/srv/room", "status"], found)
    assert found == {"CONTROLROOM_HOME": "/srv/room"}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--home", "wants a folder, user@address or local"),
        ("status --home", "wants a folder, user@address or local"),
        ("--home -oProxyCommand=x status", "expected --home user@address"),
        ("--home= status", "expected --home user@address"),
        ("--home a;b status", "expected --home user@address"),
        ("--home box init", "ssh -t box controlroom init"),
        ("--home box bridge", "ssh -t box controlroom bridge"),
        ("--home box engine --foreground", "ssh -t box controlroom engine --foreground"),
    ],
)
def test_what_cannot_be_is_said(line: str, words: str) -> None:
    with pytest.raises(Stop) as stop:
        take_home(line.split(), {})
    assert words in stop.value.sentence
    assert stop.value.code is Exit.USAGE


def test_the_environment_alone_is_minded_too() -> None:
    with pytest.raises(Stop):
        take_home(["engine", "--install"], {"CONTROLROOM_AT": "me@box"})
    assert take_home(["engine", "--install"], {"CONTROLROOM_AT": "local"}) == ["engine", "--install"]
