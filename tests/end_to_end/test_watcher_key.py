"""A watcher's key behind a real sshd: it reaches the watchers' socket and nothing else, whatever ssh is asked for."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import pytest

from controlroom.client.bridge import MARK
from controlroom.domain import intents
from controlroom.engine.frontends.rights import LOOK_ONLY
from controlroom.protocol.messages import (
    LOOK,
    VERSION,
    Answered,
    Bridged,
    FleetNews,
    Hello,
    Question,
    Request,
    StopEngine,
    Submit,
    Told,
    Unwelcome,
    Watch,
    Welcome,
    pack,
    read_told,
)
from tests.conftest import MakeHosts
from tests.end_to_end.elsewhere import install
from tests.end_to_end.room import Room
from tests.engine.samples import sample
from tests.lab.host import Host
from tests.lab.loopback import LoopbackHost
from tests.lab.machine import free_port
from tests.lab.processes import read
from tests.lab.terminal import Terminal
from tests.lab.waiting import wait_for
from tests.lab.world import World

MANUAL = Path(__file__).parents[2] / "controlroom" / "manual" / "remote.md"
KEY_LINE = re.search(r'^restrict,command="([^"]+)" ssh-ed25519 ', MANUAL.read_text(), re.MULTILINE)
"""The line that the manual tells people to write, tried here as it stands."""

OpenScreen = Callable[..., Terminal]


@pytest.fixture
def box(ssh_hosts: MakeHosts) -> Iterator[LoopbackHost]:
    """A machine with an engine and an agent; `vm1` is its operator's key, `vm1-ro` the watcher's."""
    assert KEY_LINE is not None, "the manual names the line for a watcher's key"
    (host,) = ssh_hosts(1, watch_command=KEY_LINE[1])
    install(host)
    room = Room()
    room.run("--home", "vm1", "spawn", "a1", "--", "sh", "-c", "echo hello; sleep 300")
    yield host
    room.run("--home", "vm1", "kill", "a1", "--yes")
    room.run("--home", "vm1", "stop")


def state(host: Host) -> dict[str, object]:
    """What an operator sees, and what lies in the room's folders there."""
    room = Room()
    agents = json.loads(room.run("--home", "vm1", "status", "--json"))["agents"]
    kept = [{name: agent[name] for name in ("id", "run", "state", "pid", "task")} for agent in agents]
    config = sorted(str(path) for path in (host.home / ".config").rglob("*"))
    return {"agents": kept, "audit": room.run("--home", "vm1", "audit", "--json"), "config": config}


def watch_by_ssh(host: Host, *frames: bytes, words: tuple[str, ...] = ()) -> list[Told]:
    """Say these frames through the watcher's key; gives all that is told until the engine ends it."""
    argv = ["ssh", "-F", str(host.ssh_config), f"{host.name}-ro", *words]
    done = subprocess.run(argv, input=b"".join(frames), capture_output=True, timeout=60)
    _, mark, said = done.stdout.partition(MARK)
    assert mark, done
    return [read_told(line) for line in said.splitlines()]


def refusals(host: Host, orders: list[Submit]) -> list[Told]:
    """Return these orders through the key, and read until each is answered."""
    argv = ["ssh", "-F", str(host.ssh_config), f"{host.name}-ro"]
    told: list[Told] = []
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(HELLO + pack(Watch()) + b"".join(map(pack, orders)))
        process.stdin.flush()
        while process.stdout.readline() != MARK:
            pass
        while sum(isinstance(answer, Answered) for answer in told) < len(orders):
            told.append(read_told(process.stdout.readline()))
        process.stdin.close()
    return told


HELLO = pack(Hello(VERSION, "watch", "eve"))
KNOWN = {
    "agent": "local/a1", "subject": "local/a1", "host": "local", "name": "a9", "epoch": 1, "task": "x", "text": "x",
    "address": "me@vm9", "version": VERSION, "role": "watch", "verdict": "allow", "question": "q", "by": "agent",
}  # fmt: skip


def test_every_intent_and_every_frame_through_the_key_change_nothing(box: LoopbackHost) -> None:
    before = state(box)
    kinds = get_args(intents.Intent)
    told = refusals(box, [Submit(number, sample(kind, **KNOWN)) for number, kind in enumerate(kinds, 1)])
    assert isinstance(told[0], Welcome)
    assert told[0].rights == LOOK
    assert any(isinstance(news, FleetNews) for news in told)
    answers = [answer for answer in told if isinstance(answer, Answered)]
    assert {(answer.result.outcome, answer.result.reason) for answer in answers} == {("refused", LOOK_ONLY)}
    known = {**KNOWN, "path": str(box.home / "made"), "intent": intents.KillAgent("local/a1", 1)}
    made = [sample(kind, **known) for kind in get_args(Request)]
    watch_by_ssh(box, HELLO, *(pack(frame) for frame in made if isinstance(frame, Question)))
    for frame in made:
        if not isinstance(frame, Question):  # each may end the conversation
            watch_by_ssh(box, HELLO, pack(frame))
    for said in (
        pack(Bridged(VERSION, "10.9.9.9")) + HELLO,
        pack(Hello(VERSION, "stop")) + pack(StopEngine()),
    ):
        assert isinstance(watch_by_ssh(box, said)[-1], Unwelcome)
    assert state(box) == before
    assert not (box.home / "made").exists()


def test_no_trick_of_ssh_leads_around_the_key(box: LoopbackHost, home: World, tmp_path: Path) -> None:
    before = state(box)
    proof = box.home / "proof"
    config = ["-F", str(box.ssh_config)]
    for words in (
        (f"touch {proof}",), ("controlroom", "kill", "a1", "--yes"), ("controlroom", "bridge"), ("-s", "sftp"),
        ("-t", f"touch {proof}"), ("-tt", "sh", "-i"), ("-N",), ("-s", "netconf"),
        ("-o", f"SetEnv=CONTROLROOM_HOME={tmp_path} PYTHONSTARTUP={proof} BASH_ENV={proof} SSH_CONNECTION=9.9.9.9"),
        ("--read-only=no",), (f"';touch {proof};'",), (f"$(touch {proof})",),
    ):  # fmt: skip
        _end(subprocess.Popen(
            ["ssh", *config, *_options_first(words)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ), says="-N" not in words)  # fmt: skip
    copied = subprocess.run(["scp", "-q", *config, __file__, f"{box.name}-ro:{proof}"], capture_output=True, timeout=60)
    assert copied.returncode != 0
    assert not proof.exists()
    assert state(box) == before


def _options_first(words: tuple[str, ...]) -> list[str]:
    """ssh's own options stand before the host, the command after it."""
    if words[:1] == ("-s",):
        return ["-s", "vm1-ro", *words[1:]]
    if words[0] in ("-t", "-tt"):
        return [words[0], "vm1-ro", *words[1:]]
    if words[0] in ("-N", "-o"):
        return [*words, "vm1-ro"]
    return ["vm1-ro", "--", *words] if words[0].startswith("--") else ["vm1-ro", *words]


def _end(process: subprocess.Popen[bytes], says: bool) -> None:
    """Whatever was asked for, the bridge answers, or nobody."""
    try:
        said, _ = process.communicate(timeout=3 if not says else 30)
    except subprocess.TimeoutExpired:
        process.kill()
        said, _ = process.communicate()
    told = said.replace(b"\r", b"").partition(MARK)[2]
    assert not told or isinstance(read_told(told.splitlines()[0]), Unwelcome), said


def test_nothing_is_forwarded_and_there_is_no_terminal(box: LoopbackHost, tmp_path: Path) -> None:
    port, other, socks = free_port(set()), free_port(set()), free_port(set())
    argv = ["ssh", "-F", str(box.ssh_config), "-v", "-A", "-X", "-o", "ExitOnForwardFailure=no"]
    argv += ["-L", f"{port}:127.0.0.1:{box.port}", "-R", f"{other}:127.0.0.1:{box.port}", "-D", str(socks)]
    argv += ["-R", f"{tmp_path}/s:127.0.0.1:{box.port}"]
    with (tmp_path / "said").open("wb") as complaints:
        process = subprocess.Popen([*argv, "vm1-ro"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints)
    try:
        assert process.stdout is not None
        assert process.stdin is not None
        while process.stdout.readline() != MARK:
            pass
        process.stdin.write(HELLO)
        process.stdin.flush()
        assert isinstance(read_told(process.stdout.readline()), Welcome)
        with socket.create_connection(("127.0.0.1", port), 5) as through:
            through.settimeout(10)
            assert through.recv(100) == b"", "sshd lets nothing through"
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", other), 5)
    finally:
        process.kill()
        process.communicate()
    argv = ["ssh", "-F", str(box.ssh_config), "-tt", "vm1-ro"]
    wanted = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert "PTY allocation request failed" in wanted.stderr
    said = (tmp_path / "said").read_text()
    assert "administratively prohibited" in said
    assert "remote port forwarding failed" in said


def test_neither_an_agent_nor_a_variable_of_the_watchers_gets_there(box: LoopbackHost, home: World) -> None:
    agent_socket = home.home / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", agent_socket], stdout=subprocess.DEVNULL)
    wait_for(agent_socket.is_socket, 10, "an ssh agent")
    argv = ["ssh", "-F", str(box.ssh_config), "-A", "-o", f"IdentityAgent={agent_socket}"]
    argv += ["-o", "SetEnv=CONTROLROOM_HOME=/tmp/evil PYTHONPATH=/tmp/evil BASH_ENV=/tmp/evil", "vm1-ro"]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        while process.stdout.readline() != MARK:
            pass
        (bridge,) = [one for one in box.processes() if one.command.endswith("controlroom bridge --read-only")]
        variables = read(bridge.pid, "environ").decode()
        assert "SSH_CONNECTION=" in variables, "it is the bridge's environment"
        for name in ("SSH_AUTH_SOCK", "/tmp/evil", "DISPLAY=", "SSH_TTY"):
            assert name not in variables
    finally:
        for ended in (process, agent):
            ended.kill()
            ended.communicate()


def test_who_watches_from_afar_sees_the_screen_and_starts_no_engine(
    home: World, box: LoopbackHost, tmux_screen: OpenScreen
) -> None:
    before = state(box)
    room = Room()
    screen = tmux_screen([sys.executable, "-m", "controlroom", "watch", "--home", "vm1-ro"])
    screen.wait_for_text("read-only", "a1", deadline=30)
    for key in ("x", "y", "s", "m", "Enter", "x", "y", "q"):
        screen.keys(key)
    screen.wait_for_text("read-only", "a1")
    assert "hello" in room.run("--home", "vm1-ro", "logs", "a1")
    room.run("--home", "vm1-ro", "costs")
    there = room.records("front_ends", "--home", "vm1-ro", "attached")
    assert [(one["role"], one["rights"], one["bridged"]) for one in there] == [
        ("watch", "look", True), ("cli", "look", True),
    ]  # fmt: skip
    for verb in (("kill", "a1", "--yes"), ("stop",)):
        assert LOOK_ONLY in room.run("--home", "vm1-ro", *verb, expect=1)
    assert state(box) == before
    room.run("--home", "vm1", "stop")
    screen.wait_for_text("engine stopped")
    assert "a watcher starts none" in room.run("--home", "vm1-ro", "status", expect=3)
    room.run("--home", "vm1", "engine")
    screen.wait_until_gone("engine stopped", deadline=30)
    screen.keys("q")
    screen.wait_for_exit()
