"""`attach` on real screens: to a session here and over SSH, out of it with a phone's keys, and all as it was before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from controlroom.protocol.home import find_home
from controlroom.text.names import tmux_socket
from tests.end_to_end.room import Room
from tests.lab.host import Host
from tests.lab.processes import everything
from tests.lab.terminal import Terminal
from tests.lab.waiting import wait_for
from tests.lab.world import World

OpenScreen = Callable[..., Terminal]
CONTROLROOM = (sys.executable, "-m", "controlroom")
LATE = 30


@pytest.fixture
def talk(room: Room) -> str:
    room.run("spawn", "talk", "--kind", "interactive", "--", "sh", "-c", "cat")
    return "talk"


@pytest.fixture
def ssh_host(ssh_hosts: Callable[..., list[Host]]) -> Host:
    """A host whose key only the room knows."""
    return ssh_hosts(1, known=False)[0]


@pytest.fixture
def far_talk(room: Room, ssh_host: Host) -> str:
    room.run("host", "add", ssh_host.target, "--name", "vm1", "--fingerprint", ssh_host.fingerprint)
    room.run("spawn", "far", "--host", "vm1", "--kind", "interactive", "--", "sh", "-c", "cat")
    return "vm1/far"


def far_tmux(host: Host, *words: str) -> str:
    quoted = " ".join(f"'{word}'" for word in words)
    return host.ssh(f"tmux -L {socket()} {quoted}").stdout


def socket() -> str:
    return tmux_socket(find_home(os.environ).namespace)


def size(name: str) -> str:
    command = ["tmux", "-L", socket(), "display-message", "-p", "-t", f"={name}:"]
    command.append("#{window_width}x#{window_height} #{session_attached} #{window-size}")
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()


def test_attached_typed_and_left_with_a_phones_keys(room: Room, talk: str, tmux_screen: OpenScreen) -> None:
    for columns, rows in ((45, 20), (100, 30)):
        screen = tmux_screen([*CONTROLROOM, "attach", talk], width=columns, height=rows)
        screen.wait_for_text("leave: ` q", deadline=LATE)
        assert size(talk) == f"{columns}x{rows - 1} 1 latest"
        screen.type(f"hello {columns}")
        screen.keys("Enter")
        wait_for(lambda screen=screen, columns=columns: screen.screen().count(f"hello {columns}") == 2)  # type: ignore[misc]
        screen.type("``tick")
        screen.keys("Enter")
        screen.wait_for_text("`tick")
        screen.type("`q")
        assert screen.wait_for_exit(LATE) == 0
        wait_for(lambda: size(talk) == "120x40 0 latest", LATE)


def test_a_tap_leaves_and_read_only_takes_no_keys(room: Room, talk: str, tmux_screen: OpenScreen) -> None:
    screen = tmux_screen([*CONTROLROOM, "attach", talk], width=60, height=20)
    screen.wait_for_text("or tap here", deadline=LATE)
    screen.tap(10, 19)
    assert screen.wait_for_exit(LATE) == 0
    screen = tmux_screen([*CONTROLROOM, "attach", talk, "--read-only"], width=60, height=20)
    screen.wait_for_text("you only look | leave: ` q", deadline=LATE)
    screen.type("never\n")
    command = ["tmux", "-L", socket(), "capture-pane", "-p", "-t", f"={talk}:"]
    for _ in range(5):  # what comes within a millisecond is a paste to tmux, and holds no key
        assert "never" not in subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    screen.type("`q")
    assert screen.wait_for_exit(LATE) == 0


def test_no_slip_of_a_finger_ends_or_renames_anything(room: Room, talk: str, tmux_screen: OpenScreen) -> None:
    screen = tmux_screen([*CONTROLROOM, "attach", talk], width=60, height=20)
    screen.wait_for_text("leave: ` q", deadline=LATE)
    for key in ("&", "x", "$", ",", "c", ":", "!", "%", '"', "z", "D", "s"):
        screen.type(f"`{key}")
    screen.type("y\n")
    screen.wait_for_text("y", deadline=LATE)
    command = ["tmux", "-L", socket(), "list-panes", "-a", "-F", "#{session_name} #{window_index}"]
    assert subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout == "talk 0\n"
    screen.type("`q")
    assert screen.wait_for_exit(LATE) == 0


def test_what_others_started_is_attached_to_where_it_is(room: Room, home: World, tmux_screen: OpenScreen) -> None:
    subprocess.run(["tmux", "-f", "/dev/null", "new-session", "-d", "-s", "mine", "cat"], check=True, timeout=60)
    room.wait_until("it is seen", lambda status: any(one["name"] == "~mine" for one in status["agents"]), LATE)
    screen = tmux_screen([*CONTROLROOM, "attach", "~mine"], width=60, height=20)
    screen.wait_for_text("[mine]", deadline=LATE)
    screen.type("hello")
    screen.keys("Enter")
    wait_for(lambda: screen.screen().count("hello") == 2)
    screen.keys("C-b", "d")
    assert screen.wait_for_exit(LATE) == 0


def test_the_way_back_from_what_others_started_is_the_same_and_reaches_no_program(
    room: Room, home: World, ssh_host: Host, tmux_screen: OpenScreen
) -> None:
    """Here and over SSH: the line at the bottom says how, and no key of it comes to the program."""
    begin = ["tmux", "-f", "/dev/null", "new-session", "-d", "-s"]
    subprocess.run([*begin, "mine", "cat"], check=True, timeout=60)
    ssh_host.ssh(" ".join(f"'{word}'" for word in [*begin, "theirs", "cat"]))
    room.run("host", "add", ssh_host.target, "--name", "vm1", "--fingerprint", ssh_host.fingerprint)
    for agent in ("local/~mine", "vm1/~theirs"):
        name = agent.partition("/")[2]
        wait_for(lambda agent=agent: agent in room.run("status"), LATE)  # type: ignore[misc]
        screen = tmux_screen([*CONTROLROOM, "attach", agent], width=60, height=20)
        screen.wait_for_text("leave: ` q or tap here", name, deadline=LATE)
        # The third key within a millisecond is a paste to tmux: what is seen came long before the next one.
        screen.type("hello")
        screen.wait_for_text("hello")
        screen.type("``")
        screen.wait_for_text("hello`")
        screen.keys("Enter")
        wait_for(lambda screen=screen: screen.screen().count("hello`") == 2)  # type: ignore[misc]
        screen.type("`q")
        assert screen.wait_for_exit(LATE) == 0
        screen = tmux_screen([*CONTROLROOM, "attach", agent, "--read-only"], width=60, height=20)
        screen.wait_for_text("you only look | leave: ` q", "hello", deadline=LATE)
        screen.type("never\n")
        for _ in range(5):  # what comes within a millisecond is a paste to tmux, and holds no key
            assert "never" not in screen.screen()
            assert room.agent(name)["state"] != "done"
        screen.type("`q")
        assert screen.wait_for_exit(LATE) == 0
    shown = subprocess.run(["tmux", "capture-pane", "-p", "-t", "=mine:"], capture_output=True, text=True, check=True)
    there = ssh_host.ssh("tmux capture-pane -p -t =theirs:").stdout
    for text in (shown.stdout, there):
        assert set(text.split()) == {"hello`"}, "no key of the way back was typed into it"
    for command in ("ps -eo args", "true"):
        assert "-L cr-" not in ssh_host.ssh(command).stdout, "the tmux around it ends with its terminal"
    screen = tmux_screen([*CONTROLROOM, "attach", "local/~mine"], width=60, height=20)
    screen.wait_for_text("or tap here", deadline=LATE)
    screen.tap(10, 19)
    assert screen.wait_for_exit(LATE) == 0


def test_over_ssh_it_is_a_connection_of_its_own(
    room: Room, far_talk: str, ssh_host: Host, tmux_screen: OpenScreen
) -> None:
    screen = tmux_screen([*CONTROLROOM, "attach", far_talk], width=45, height=20)
    screen.wait_for_text("leave: ` q", deadline=LATE)
    screen.type("hello")
    screen.keys("Enter")
    wait_for(lambda: screen.screen().count("hello") == 2)
    screen.type("`q")
    assert screen.wait_for_exit(LATE) == 0
    shape = "#{window_width}x#{window_height}"
    wait_for(lambda: far_tmux(ssh_host, "display-message", "-p", "-t", "=far:", shape).strip() == "120x40", LATE)

    ssh_host.change_key()
    screen = tmux_screen([*CONTROLROOM, "attach", far_talk], width=100, height=20)
    assert screen.wait_for_exit(LATE) == 4
    wait_for(lambda: b"Host key verification failed" in screen.raw())


def test_from_the_screen_and_back_also_when_the_link_dies(
    room: Room, far_talk: str, home: World, tmux_screen: OpenScreen
) -> None:
    screen = tmux_screen([*CONTROLROOM], width=100, height=30)
    screen.wait_for_text("far", "attach", deadline=LATE)
    screen.keys("Enter")
    screen.wait_for_text("start-up dialog", deadline=LATE)
    screen.type("t")
    screen.wait_for_text("leave: ` q", deadline=LATE)
    screen.type("hello")
    screen.keys("Enter")
    wait_for(lambda: screen.screen().count("hello") == 2)
    screen.type("`q")
    screen.wait_until_gone("leave: ` q", deadline=LATE)
    screen.wait_for_text("start-up dialog", deadline=LATE)

    screen.type("c")
    screen.wait_for_text("the terminal of vm1/far", "hello", deadline=LATE)
    screen.type("t")
    screen.wait_for_text("leave: ` q", deadline=LATE)
    (link,) = [one for one in everything() if " -tt " in one.command and str(home.directory) in one.command]
    os.kill(link.pid, signal.SIGKILL)
    screen.wait_for_text("start-up dialog", "look at its state", deadline=LATE)
    screen.type("qq")
    assert screen.wait_for_exit(LATE) == 0


def test_what_cannot_be_attached_to_is_told(room: Room, talk: str, tmux_screen: OpenScreen) -> None:
    assert "needs a terminal" in room.run("attach", talk, expect=2)
    room.run("kill", talk, "--yes")
    screen = tmux_screen([*CONTROLROOM, "attach", talk], width=100, height=20)
    assert screen.wait_for_exit(LATE) == 1
    wait_for(lambda: b"its terminal is gone" in screen.raw())


@pytest.mark.parametrize("term", ["xterm-ghostty", "xterm-kitty", "none", ""])
def test_a_terminal_that_this_machine_has_never_heard_of(talk: str, tmux_screen: OpenScreen, term: str) -> None:
    screen = tmux_screen(["env", f"TERM={term}", *CONTROLROOM, "attach", talk])
    wait_for(lambda: " 1 " in size(talk), LATE, "somebody to be attached")
    screen.type("hello there")
    screen.keys("Enter")
    screen.wait_for_text("hello there\nhello there", deadline=LATE)
