"""A room whose engine is on another machine: every verb and the screen reach it through the user's own ssh."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controlroom.protocol.messages import PROTOCOL, VERSION
from tests.conftest import MakeHosts
from tests.end_to_end.elsewhere import install
from tests.end_to_end.room import Room, engines
from tests.lab.loopback import LoopbackHost
from tests.lab.terminal import Terminal
from tests.lab.waiting import wait_for
from tests.lab.world import World

OpenScreen = Callable[..., Terminal]


@pytest.fixture
def box(ssh_hosts: MakeHosts) -> Iterator[LoopbackHost]:
    """A machine with Control Room on it; its engine is stopped at the end."""
    (host,) = ssh_hosts(1)
    install(host)
    yield host
    Room().run("--home", "vm1", "stop")


def test_every_verb_reaches_the_engine_there_and_says_who_it_was(home: World, box: LoopbackHost) -> None:
    room = Room()
    room.run("--home", "vm1", "spawn", "a1", "--", "sh", "-c", "echo hello from there; sleep 6000")
    status = json.loads(room.run("--home", "vm1", "status", "--json"))
    assert [agent["name"] for agent in status["agents"]] == ["a1"]
    wait_for(lambda: "hello from there" in room.run("logs", "a1", "--home", "vm1"), 20, "its log")
    room.run("kill", "--home=vm1", "a1", "--yes")
    audit = room.records("lines", "--home", box.target, "audit")
    assert {line["who"] for line in audit} == {f"{box.user} from 127.0.0.1 (cli)"}
    assert {line["verb"] for line in audit} >= {"spawn", "kill"}
    (there,) = room.records("front_ends", "--home", "vm1", "attached")
    assert (there["who"], there["bridged"], there["rights"]) == (f"{box.user} from 127.0.0.1", True, "all")
    assert not engines(home), "none was started here"
    said = room.run("--home", "vm1", "ledger", "backup", "copy.db", expect=2)
    assert "whole path" in said


def test_the_config_may_say_where_the_engine_is(home: World, box: LoopbackHost) -> None:
    room = Room()
    config = home.room / "config.toml"
    config.write_text('home = "vm1"\n')
    config.chmod(0o600)
    room.run("engine")
    assert not engines(home)
    assert "the engine of this room is on vm1" in room.run("engine", "--foreground", expect=3)
    folder = home.directory / "another"
    room.run("--home", str(folder), "status")
    assert engines(home), "a folder names a room on this machine"
    room.run("--home", str(folder), "stop")


def test_what_is_done_on_the_machine_itself_says_so() -> None:
    for words in (("engine", "--install"), ("engine", "--foreground"), ("bridge",), ("init",)):
        said = Room().run("--home", "me@box", *words, expect=2)
        assert f"ssh -t me@box controlroom {' '.join(words)}" in said


@pytest.mark.parametrize(
    ("program", "code", "words"),
    [
        (None, 3, "has no controlroom where its shell looks: install it there"),
        ("echo 'there is no verb bridge' >&2; exit 2; :", 3, "too old to be reached from elsewhere: update it"),
        ("echo 'the disk \x1b[2Jis full' >&2; exit 7; :", 3, "the disk"),
        ("exec cat /dev/zero; :", 3, "is no Control Room"),
    ],
)
def test_what_is_wrong_there_is_one_sentence(ssh_hosts: MakeHosts, program: str | None, code: int, words: str) -> None:
    (host,) = ssh_hosts(1)
    if program is not None:
        install(host, program)
    said = Room().run("--home", "vm1", "status", expect=code)
    assert words in said
    assert said.count("\n") == 1
    assert "\x1b" not in said


def test_what_is_wrong_on_the_way_is_one_sentence(home: World, ssh_hosts: MakeHosts) -> None:
    (host,) = ssh_hosts(1, known=False)
    install(host)
    room = Room()
    assert "the host key of vm1 is not known here" in room.run("--home", "vm1", "status", expect=3)
    host.lab.install(home.home, True)
    room.run("--home", "vm1", "stop")
    (home.home / ".ssh" / "config").write_text(
        (home.home / ".ssh" / "config").read_text().replace("IdentityFile", "#IdentityFile")
    )
    assert "vm1 does not let us in: try ssh vm1" in room.run("--home", "vm1", "status", expect=3)
    host.stop()
    assert "vm1 cannot be reached" in room.run("--home", "vm1", "status", expect=3)
    assert "cannot be reached" in room.run("--home", "nobody@nowhere.invalid", "status", expect=3)
    assert "expected --home" in room.run("--home", "-oProxyCommand=x", "status", expect=2)


def as_version(version: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the front end of another version."""
    program = (
        f"import sys, controlroom; controlroom.__version__ = {version!r}; "
        "from controlroom.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    argv = [sys.executable, "-c", program, *words]
    return subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)


def test_a_front_end_of_another_version_is_told_so(box: LoopbackHost) -> None:
    Room().run("--home", "vm1", "engine")
    done = as_version("9.9.9", "--home", "vm1", "status")
    assert done.returncode == 3
    assert done.stderr == (
        f"Control Room is version {VERSION} there and 9.9.9+{PROTOCOL} here: "
        "install the same version on both machines\n"
    )


def test_the_screen_goes_on_where_it_was_when_the_link_is_back(
    home: World, box: LoopbackHost, tmux_screen: OpenScreen
) -> None:
    room = Room()
    room.run("--home", "vm1", "spawn", "a1", "--", "sh", "-c", "echo begun; sleep 6000")
    screen = tmux_screen([sys.executable, "-m", "controlroom", "--home", "vm1"])
    screen.wait_for_text("a1", deadline=30)
    screen.wait_for_text("begun")
    box.stop()
    screen.wait_for_text("trying again")
    box.start()
    screen.wait_until_gone("trying again", deadline=30)
    room.run("--home", "vm1", "spawn", "a2", "--", "sleep", "6000")
    screen.wait_for_text("a2", deadline=30)
    screen.keys("q")
    screen.wait_for_exit()
    wait_for(lambda: not [one for one in home.processes() if "bridge" in one.command], 10, "no ssh to be left behind")
    room.run("--home", "vm1", "kill", "a1", "a2", "--yes")


def relock(key: Path, old: str, new: str) -> None:
    """Change the passphrase of a key."""
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", old, "-N", new, "-f", key], check=True, timeout=60)


def test_a_passphrase_is_asked_for_before_the_screen_is_drawn(
    home: World, box: LoopbackHost, tmux_screen: OpenScreen
) -> None:
    room = Room()
    room.run("--home", "vm1", "spawn", "a1", "--", "sleep", "6000")
    key, words = home.home / ".ssh" / box.identity.name, "open sesame"
    relock(key, "", words)
    config = home.home / ".ssh" / "config"
    config.write_text(config.read_text().replace("BatchMode yes", ""))
    assert "vm1 does not let us in" in room.run("--home", "vm1", "status", expect=3), "nobody is there to be asked"
    screen = tmux_screen([sys.executable, "-m", "controlroom", "--home", "vm1"])
    screen.wait_for_text("connecting to vm1", "Enter passphrase")
    screen.type(words)
    screen.keys("Enter")
    screen.wait_for_text("a1", "control room", deadline=30)
    screen.keys("q")
    screen.wait_for_exit()
    verb = tmux_screen([sys.executable, "-m", "controlroom", "--home", "vm1", "kill", "a1", "--yes"])
    verb.wait_for_text("Enter passphrase")
    verb.type(words)
    verb.keys("Enter")
    assert verb.wait_for_exit(30) == 0
    relock(key, words, "")


def test_a_shared_connection_of_the_users_own_is_used(home: World, box: LoopbackHost) -> None:
    room = Room()
    config = home.home / ".ssh" / "config"
    shared = home.home / ".ssh" / "shared"
    config.write_text(
        f"{config.read_text()}\nHost *\n  ControlMaster auto\n  ControlPersist 30\n  ControlPath {shared}\n"
    )
    room.run("--home", "vm1", "engine")
    assert shared.is_socket()
    before = len(box.connections())
    assert json.loads(room.run("--home", "vm1", "status", "--json"))["agents"] == []
    assert len(box.connections()) == before, "no second login"
    subprocess.run(["ssh", "-F", config, "-O", "exit", "vm1"], check=True, capture_output=True, timeout=60)


def test_a_cut_that_nobody_is_told_of_is_said_on_the_screen(box: LoopbackHost, tmux_screen: OpenScreen) -> None:
    room = Room()
    room.run("--home", "vm1", "spawn", "a1", "--", "sh", "-c", "echo begun; sleep 6000")
    screen = tmux_screen([sys.executable, "-m", "controlroom", "--home", "vm1"])
    screen.wait_for_text("begun", deadline=30)
    box.freeze()
    screen.wait_for_text("trying again", deadline=60)
    box.thaw()
    screen.wait_until_gone("trying again", deadline=60)
    screen.wait_for_text("begun")
    screen.keys("q")
