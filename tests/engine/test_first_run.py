"""What a new room begins with."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from controlroom.engine.config.config import load
from controlroom.engine.config.first_run import FirstRun
from controlroom.protocol.home import find_home


@pytest.fixture
def room(tmp_path: Path) -> FirstRun:
    (tmp_path / ".ssh").mkdir()
    return FirstRun(find_home({"HOME": str(tmp_path), "CONTROLROOM_HOME": str(tmp_path / "room")}), tmp_path)


def known(room: FirstRun, tmp_path: Path, config: str) -> list[str]:
    (tmp_path / ".ssh" / "config").write_text(config)
    return room.ssh_hosts()


def test_the_first_config_changes_nothing_and_says_everything(
    room: FirstRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")  # zones of one name are one and the same; that of /etc/localtime is not
    home = find_home({"HOME": str(tmp_path), "CONTROLROOM_HOME": str(tmp_path / "room")})
    bare = load(home)
    assert room.write_config()
    assert stat.S_IMODE(room.config.stat().st_mode) == 0o600
    assert "memory_per_agent_mb" in room.config.read_text()
    assert vars(load(home)) == vars(bare)


def test_a_config_that_is_there_stays_as_it_is(room: FirstRun) -> None:
    assert room.write_config()
    room.config.write_text("local = false\n")
    assert not room.write_config()
    assert room.config.read_text() == "local = false\n"


def test_hosts_of_the_ssh_config_in_their_order(room: FirstRun, tmp_path: Path) -> None:
    config = """
        # machines
        Host vm1 vm2
            HostName 10.0.0.5
        host=mini
        Host *.example.com !vm3 vm?
        Host github
            HostName github.com
            User git
        Match exec "true"
            User ann
        Host "quoted name" web.example.org vm1
    """
    assert known(room, tmp_path, config) == ["vm1", "vm2", "mini", "web.example.org"]


def test_included_files_are_read_where_they_stand(room: FirstRun, tmp_path: Path) -> None:
    (tmp_path / ".ssh" / "farm.d").mkdir()
    (tmp_path / ".ssh" / "farm.d" / "a").write_text("Host farm1\n")
    (tmp_path / ".ssh" / "farm.d" / "b").write_text("Include config\nHost farm2\n")
    assert set(known(room, tmp_path, "Host first\nInclude farm.d/*\nHost last\n")) == {
        "first",
        "farm1",
        "farm2",
        "last",
    }


@pytest.mark.parametrize(
    "config", ["Host 'unbalanced\n", "Host\n", "User\n", "Host $(reboot) a;b -oProxyCommand=x\n", "\0"]
)
def test_nothing_strange_is_offered(room: FirstRun, tmp_path: Path, config: str) -> None:
    assert known(room, tmp_path, config) == []


def test_no_config_and_one_that_is_no_file(room: FirstRun, tmp_path: Path) -> None:
    assert room.ssh_hosts() == []
    os.mkfifo(tmp_path / ".ssh" / "config")
    assert room.ssh_hosts() == []
