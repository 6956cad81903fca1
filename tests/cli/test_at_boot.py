"""An engine that the machine starts: `engine --install` and `--uninstall`.

No systemd runs where tests run, and a crontab belongs to who runs them: `systemctl`, `loginctl` and `crontab` are
stand-ins on PATH that keep what they are told and start what the unit says. The unit is checked by systemd's own tool.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from controlroom.client.boot_service import AtBoot
from controlroom.protocol.home import find_home
from tests.end_to_end.room import Room
from tests.lab.waiting import wait_for
from tests.lab.world import World

THEIRS = b"# mine\n@daily  /usr/bin/true\t# controlroom\n\n@reboot echo 100\\% # controlroom-other\n"

SYSTEMCTL = """
import os, shlex, subprocess, sys
folder = os.environ["STAND_IN"]
open(folder + "/said", "a").write(" ".join(sys.argv) + "\\n")
if sys.argv[2:3] == ["restart"]:
    unit = os.environ["HOME"] + "/.config/systemd/user/" + sys.argv[3]
    fields = [line.partition("=") for line in open(unit).read().splitlines()]
    command = next(value for name, _, value in fields if name == "ExecStart")
    place = next(value for name, _, value in fields if name == "WorkingDirectory")
    given = dict(shlex.split(value)[0].split("=", 1) for name, _, value in fields if name == "Environment")
    plain = {name: value for name, value in os.environ.items() if name != "CONTROLROOM_HOME"}
    subprocess.Popen(shlex.split(command), cwd=place, env={**plain, **given}, start_new_session=True,
                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
"""
LOGINCTL = """
import os, sys
open(os.environ["STAND_IN"] + "/said", "a").write(" ".join(sys.argv) + "\\n")
if os.path.exists(os.environ["STAND_IN"] + "/no-linger"):
    sys.exit("Could not enable linger: Access denied")
"""
CRONTAB = """
import os, sys
table = os.environ["STAND_IN"] + "/crontab"
if sys.argv[1:] == ["-l"]:
    if not os.path.exists(table):
        sys.exit("no crontab for ann")
    sys.stdout.buffer.write(open(table, "rb").read())
else:
    open(table, "wb").write(sys.stdin.buffer.read())
"""
SILENT = "import sys; sys.exit('Failed to connect to bus: No medium found')"

StandIns = Callable[..., Path]


@pytest.fixture
def stand_ins(home: World, monkeypatch: pytest.MonkeyPatch) -> StandIns:
    """`stand_ins(crontab=CRONTAB)`: programs of these names come first on PATH; gives the folder they write into."""
    folder = home.directory / "stand in"
    (folder / "bin").mkdir(parents=True)

    def make(**programs: str) -> Path:
        for name, text in programs.items():
            program = folder / "bin" / name
            program.write_text(f"#!{sys.executable}\n{text}")
            program.chmod(0o755)
        return folder

    monkeypatch.setenv("STAND_IN", str(folder))
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
    return make


def controlroom(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "controlroom", *words], capture_output=True, text=True, timeout=60, check=False
    )


def engine_runs() -> bool:
    return controlroom("stop").stderr.startswith("the engine has stopped")


# -- systemd


def test_systemd_takes_over_the_engine_that_runs(home: World, stand_ins: StandIns) -> None:
    folder = stand_ins(systemctl=SYSTEMCTL, loginctl=LOGINCTL, crontab=SILENT)
    room = Room()
    room.run("spawn", "job", "--", "sleep", "6000")
    done = controlroom("engine", "--install")
    assert (done.returncode, done.stdout) == (0, "systemd\n"), done.stderr
    unit = home.home / ".config" / "systemd" / "user" / f"{boot().name}.service"
    assert f"wrote {unit}" in done.stderr
    assert "linger is on" in done.stderr
    said = (folder / "said").read_text()
    assert f"--user enable {unit.name}" in said
    assert "loginctl enable-linger" in said.replace(f"{folder}/bin/", "")
    assert room.agent("job")["state"] == "working"
    again = controlroom("engine", "--install")
    assert f"kept {unit}" in again.stderr
    stopped = controlroom("stop").stderr
    assert "this machine starts it again when it boots" in stopped
    assert "took away" in controlroom("engine", "--uninstall").stderr
    assert not unit.exists()
    assert "nothing to take away" in controlroom("engine", "--uninstall").stderr
    room.run("kill", "job", "--yes")
    assert controlroom("stop").stderr == "the engine has stopped\n"


def test_linger_that_is_denied_says_what_to_run(home: World, stand_ins: StandIns) -> None:
    folder = stand_ins(systemctl=SYSTEMCTL, loginctl=LOGINCTL, crontab=SILENT)
    (folder / "no-linger").touch()
    well, says = boot().install()
    assert well
    assert "Access denied" in says[-1]
    assert "sudo loginctl enable-linger" in says[-1]


def test_a_unit_that_cannot_be_enabled_is_a_refusal(home: World, stand_ins: StandIns) -> None:
    stand_ins(systemctl="import sys\nif 'enable' in sys.argv: sys.exit('Unit is masked.')", crontab=SILENT)
    done = controlroom("engine", "--install")
    assert done.returncode == 1
    assert "failed: Unit is masked." in done.stderr


def boot(**more: str) -> AtBoot:
    environ = {**os.environ, **more}
    return AtBoot(find_home(environ), environ)


def test_systemd_reads_the_unit_as_it_was_meant(home: World, need: Callable[..., str], tmp_path: Path) -> None:
    analyze = need("systemd-analyze", package="systemd")
    odd = tmp_path / 'a room, 50% 5" wide $HOME'
    odd.mkdir()
    unit = tmp_path / "controlroom.service"
    unit.write_text(boot(CONTROLROOM_HOME=str(odd)).unit_text())
    environ = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    words = [analyze, "--user", "verify", str(unit)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, env=environ, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# -- cron


def test_cron_gets_one_line_and_keeps_the_others(home: World, stand_ins: StandIns) -> None:
    folder = stand_ins(systemctl=SILENT, crontab=CRONTAB)
    table = folder / "crontab"
    table.write_bytes(THEIRS)
    done = controlroom("engine", "--install")
    assert (done.returncode, done.stdout) == (0, "cron\n"), done.stderr
    assert table.read_bytes() == THEIRS + boot().line().encode() + b"\n"
    assert "the crontab has the line already" in controlroom("engine", "--install").stderr
    assert table.read_bytes().count(b"engine --foreground") == 1
    assert engine_runs()
    assert "took our @reboot line" in controlroom("engine", "--uninstall").stderr
    assert table.read_bytes() == THEIRS


def test_an_older_line_of_ours_is_replaced(home: World, stand_ins: StandIns) -> None:
    folder = stand_ins(systemctl=SILENT, crontab=CRONTAB)
    (folder / "crontab").write_bytes(b"@reboot old thing # " + boot().name.encode() + b"\n" + THEIRS.rstrip(b"\n"))
    assert boot().install()[0]
    assert (folder / "crontab").read_bytes() == THEIRS + boot().line().encode() + b"\n"


def test_the_line_starts_this_rooms_engine_as_cron_would(home: World, stand_ins: StandIns) -> None:
    odd = home.directory / "50% 'off'"
    odd.mkdir(mode=0o700)
    line = boot(CONTROLROOM_HOME=str(odd)).line()
    command = line.removeprefix("@reboot ").replace(r"\%", "%")
    environ = {"HOME": str(home.home), "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh", "LOGNAME": "ann"}
    engine = subprocess.Popen(["/bin/sh", "-c", command], env=environ, cwd=home.home)
    log = odd / "engine.log"
    try:
        wait_for(lambda: "listens at" in log.read_text() if log.exists() else False, 30, "the engine to listen")
        assert engine.poll() is None
    finally:
        engine.terminate()
        assert engine.wait(60) == 0


def test_without_either_it_says_what_to_run(home: World, stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = stand_ins(systemctl=SILENT)
    monkeypatch.setenv("PATH", str(folder / "bin"))
    well, says = boot().install()
    assert not well
    assert "neither a systemd" in says[0]
    assert shlex.split(says[1])[-2:] == ["engine", "--foreground"]
    assert f"CONTROLROOM_HOME={home.room}" in says[1]


def test_a_crontab_that_cannot_be_read_is_left_alone(home: World, stand_ins: StandIns) -> None:
    stand_ins(systemctl=SILENT, crontab="import sys; sys.exit('you are not allowed to use this program')")
    assert boot().install() == (False, ["the crontab cannot be read: nothing was changed; try crontab -l"])


def test_each_room_has_its_own_place(home: World, tmp_path: Path) -> None:
    default = AtBoot(find_home({"HOME": str(home.home)}), {"HOME": str(home.home)})
    assert default.unit == home.home / ".config/systemd/user/controlroom.service"
    assert "CONTROLROOM_HOME" not in default.unit_text()
    assert boot().name != boot(CONTROLROOM_HOME=str(tmp_path)).name
