"""Where the room lives, and who else could have written there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from controlroom.protocol.home import MAX_SOCKET_PATH, HomeProblem, check_private, find_home, make_private
from tests.lab.world import World


def test_a_room_of_ones_own_lies_in_one_folder_and_has_a_namespace(tmp_path: Path) -> None:
    home = find_home({"HOME": "/home/ann", "CONTROLROOM_HOME": str(tmp_path / "r")})
    assert {home.config_folder, home.state_folder} == {tmp_path / "r"}
    assert len(home.namespace) == 12
    assert home.namespace != find_home({"CONTROLROOM_HOME": str(tmp_path / "s")}).namespace


def test_the_same_folder_by_another_path_is_the_same_room(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    homes = [find_home({"CONTROLROOM_HOME": str(tmp_path / name)}) for name in ("real", "link", "real/../real/")]
    assert len({home.namespace for home in homes}) == 1


def test_the_default_room_follows_xdg_and_keeps_off_the_hosts_own_folder() -> None:
    plain = find_home({"HOME": "/home/ann"})
    assert plain.namespace == ""
    assert plain.config == Path("/home/ann/.config/controlroom/config.toml")
    assert plain.ledger == Path("/home/ann/.local/state/controlroom-room/ledger.db")
    xdg = find_home({"HOME": "/home/ann", "XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "relative"})
    assert xdg.config == Path("/c/controlroom/config.toml")
    assert xdg.ledger == plain.ledger, "a relative XDG path is to be ignored"


def test_socket_paths_stay_short_however_long_the_folders_are(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 200)
    deep.mkdir()
    home = find_home({"HOME": "/", "CONTROLROOM_HOME": str(deep), "XDG_RUNTIME_DIR": str(deep)})
    assert len(os.fsencode(home.socket)) < MAX_SOCKET_PATH
    short = find_home({"HOME": "/", "CONTROLROOM_HOME": str(deep), "XDG_RUNTIME_DIR": "/tmp"})
    assert short.socket.parent == Path("/tmp/controlroom")


def test_a_running_engine_is_found_whatever_environment_it_was_started_in(tmp_path: Path) -> None:
    home = find_home({"HOME": "/", "CONTROLROOM_HOME": str(tmp_path)})
    assert home.running_socket() == home.socket
    home.lock.write_text("123\n/run/user/7/controlroom/x.sock\n")
    assert home.running_socket() == Path("/run/user/7/controlroom/x.sock")


def test_folders_are_made_for_us_alone(tmp_path: Path) -> None:
    home = find_home({"HOME": "/", "CONTROLROOM_HOME": str(tmp_path / "a" / "b")})
    home.prepare()
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "a", tmp_path / "a/b")] == [0o700, 0o700]
    (tmp_path / "a/b").chmod(0o755)
    home.prepare()
    assert (tmp_path / "a/b").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o602, 0o620, 0o666, 0o600, 0o644, 0o640])
def test_a_file_that_others_can_write_is_refused_with_the_command_to_run(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "config.toml"
    file.touch()
    file.chmod(mode)
    if mode & 0o022:
        with pytest.raises(HomeProblem, match=f"run: chmod go-w {file}"):
            check_private(file)
    else:
        check_private(file)


def test_what_is_not_there_yet_is_fine_and_what_is_no_file_is_not(tmp_path: Path) -> None:
    check_private(tmp_path / "none")
    os.mkfifo(tmp_path / "fifo", 0o600)
    with pytest.raises(HomeProblem, match="not a plain file"):
        check_private(tmp_path / "fifo")
    with pytest.raises(HomeProblem, match="not a plain file"):
        check_private(tmp_path)


def test_a_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "room"
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(HomeProblem, match="chmod go-w"):
        make_private(folder)
    (tmp_path / "file").touch()
    with pytest.raises(HomeProblem, match=r"cannot be used|not a folder"):
        make_private(tmp_path / "file" / "room")


def test_a_link_laid_in_tmp_is_refused_and_one_in_the_home_is_not(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to("target")
    make_private(tmp_path / "link")
    with pytest.raises(HomeProblem, match="is not a folder"):
        make_private(tmp_path / "link", links=False)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_what_belongs_to_somebody_else_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.touch(0o600)
    os.chown(file, 4321, 4321)
    with pytest.raises(HomeProblem, match="belongs to another user"):
        check_private(file)


@pytest.mark.parametrize("how", ["link", "file", "open to all", "of another user"])
def test_a_folder_for_sockets_that_somebody_else_has_made_is_left_to_him(home: World, how: str) -> None:
    tmp_path = home.directory  # its path is short, as those of sockets must be
    runtime, state = tmp_path / "run", tmp_path / "state"
    runtime.mkdir()
    taken = runtime / "controlroom"
    environ = {"HOME": str(tmp_path), "CONTROLROOM_HOME": str(state), "XDG_RUNTIME_DIR": str(runtime)}
    assert find_home(environ).runtime_folder == taken
    if how == "link":
        taken.symlink_to(tmp_path)
    elif how == "file":
        taken.touch()
    else:
        taken.mkdir()
        taken.chmod(0o777)
        if how == "of another user" and os.getuid():
            pytest.skip("only root can give a folder away")
        if how == "of another user":
            taken.chmod(0o700)
            os.chown(taken, 12345, 12345)
    place = find_home(environ)
    assert place.runtime_folder == state / "sockets"
    assert str(taken) in place.elsewhere
    assert str(place.runtime_folder) in place.elsewhere
    place.prepare()
    assert place.runtime_folder.stat().st_mode & 0o777 == 0o700
    long = {**environ, "HOME": "/home/ann", "CONTROLROOM_HOME": str(tmp_path / ("x" * 90))}
    assert find_home(long).runtime_folder == Path("/home/ann/.cache/controlroom-sockets")
