"""A node as a whole: what it says of its host, when it ends, what it leaves, and what it makes of bad input."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import libtmux
import psutil
import pytest

import controlroom
from controlroom.node.owner import Owner, Ownership
from controlroom.text.host_sample import HostSample
from controlroom.wire.lines import MAX_FRAME
from controlroom.wire.messages import Greet, Notice, Ping, Pong, Spawn, pack
from controlroom.wire.spec import AgentSpec
from tests.lab.bundle import forget
from tests.lab.node_client import SERVE, NodeClient
from tests.lab.waiting import wait_for
from tests.lab.world import World


def test_a_node_says_what_it_stands_on(home: World) -> None:
    with NodeClient() as node:
        welcome = node.greet()
        assert welcome.home == str(home.home)
        assert welcome.hostname == os.uname().nodename
        assert welcome.python == ".".join(map(str, sys.version_info[:3]))
        assert welcome.version == controlroom.__version__
        assert welcome.memory_total > 2**20
        assert welcome.cores == os.cpu_count()
        assert welcome.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        assert welcome.tmux[0].isdigit()
        assert (welcome.owner, welcome.owner_epoch) == ("", 0)
        figures = node.wait(HostSample, lambda seen: seen.cpu_percent is not None)
        assert figures.memory_total == welcome.memory_total
        assert figures.disk_free
        assert figures.load_1m is not None


def test_a_heartbeat_is_answered_with_the_clock(home: World) -> None:
    with NodeClient() as node:
        welcome = node.greet()
        node.send(Ping(1), Ping(2))
        assert node.wait(Pong, lambda pong: pong.number == 2).clock >= welcome.clock


# -- the end


def test_a_node_ends_with_its_channel_and_leaves_nothing(home: World) -> None:
    with NodeClient() as node:
        node.greet()
        assert node.spawn("one", 1, "sleep", "600").outcome == "done"
        agent = node.wait_agent("one", lambda seen: seen.pid).pid
        assert node.close() == 0
        assert node.errors == b""
    os.kill(agent, 0)
    names = [process.name for process in home.processes()]
    assert sorted(name for name in names if not name.startswith("python")) == ["sleep", "tmux: server"]
    assert len(names) == 3, "the runner and no node"
    with NodeClient() as node:
        node.greet()
        assert (node.agents()["one"].state, node.agents()["one"].pid) == ("working", agent)
        assert node.kill("one", 1).outcome == "done"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_node_that_is_told_to_end_does(home: World, number: int) -> None:
    with NodeClient() as node:
        node.greet()
        node.process.send_signal(number)
        assert node.process.wait(60) == 0


def test_a_node_whose_channel_closes_before_a_word_is_silent(home: World) -> None:
    done = subprocess.run([sys.executable, SERVE], input=b"", capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_node_ends_when_home_is_silent(home: World) -> None:
    program = (
        "import sys; sys.argv=['x']; import controlroom.wire.messages as m; m.NODE_PATIENCE=1.0\n"
        "from controlroom.node import main; sys.exit(main.main())"
    )
    for said in (b"", pack(Greet("1", "room"))):
        with subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
        ) as silent:
            assert silent.stdin
            silent.stdin.write(said)
            silent.stdin.flush()
            assert silent.wait(60) == 0


def test_acts_under_way_are_finished_when_home_goes(home: World) -> None:
    with NodeClient() as node:
        node.greet()
        node.send(Spawn(1, "one", 1, AgentSpec("command", ("sleep", "600")), ""))
        assert node.close() == 0
    with NodeClient() as node:
        node.greet()
        assert node.agents()["one"].state == "working"


def test_a_killed_node_harms_no_agent(home: World) -> None:
    with NodeClient() as node:
        node.greet()
        node.spawn("one", 1, "sleep", "600")
        agent = node.wait_agent("one", lambda seen: seen.pid).pid
        node.process.kill()
    with NodeClient() as node:
        node.greet()
        assert node.agents()["one"].pid == agent


# -- what home says wrongly


@pytest.mark.parametrize(
    "line",
    [
        b"hello\n",
        b'{"is":"Launch"}\n',
        b'{"is":"Ping","number":NaN}\n',
        b'{"is":"Ping","number":' + b"9" * 5000 + b"}\n",
        b'{"is":"Kill","id":1,"name":7,"epoch":1}\n',
        b"[" * 100_000 + b"\n",
        pack(Greet("1", "room")),
        b"x" * (MAX_FRAME + 1),
    ],
    ids=["no JSON", "unknown", "NaN", "long number", "wrong type", "depth", "greets again", "long line"],
)
def test_a_broken_protocol_is_said_and_ends_the_node(home: World, line: bytes) -> None:
    with NodeClient() as node:
        node.greet()
        assert node.process.stdin
        try:
            node.process.stdin.write(line)
            node.process.stdin.flush()
        except BrokenPipeError:
            pass
        assert node.process.wait(60) == 1
        notice = node.wait(Notice, lambda notice: "did not understand" in notice.text)
        assert notice.text.startswith("the node did not understand its engine: ")
        assert b"Traceback" not in node.errors


@pytest.mark.parametrize(
    "first",
    [pack(Ping(1)), b"\xff\n", b'{"is":"Greet","version":"1","room":"r","namespace":"../x"}\n', pack(Greet("1", ""))],
)
def test_who_does_not_greet_is_not_served(home: World, first: bytes) -> None:
    forget(home.home)
    done = subprocess.run([sys.executable, SERVE], input=first, capture_output=True, check=False, timeout=60)
    assert done.returncode == 1
    assert b"did not understand its engine" in done.stdout
    assert b"Traceback" not in done.stderr
    assert list(home.home.iterdir()) == []


def test_a_greeting_may_come_in_pieces_and_with_more_behind_it(home: World) -> None:
    with NodeClient() as node:
        assert node.process.stdin
        line = pack(Greet("1", "room"))
        for piece in (line[:10], line[10:-1], line[-1:] + pack(Ping(1)) + pack(Ping(2))[:5], pack(Ping(2))[5:]):
            node.process.stdin.write(piece)
            node.process.stdin.flush()
        node.wait(Pong, lambda pong: pong.number == 2)


# -- shipped


@pytest.fixture
def bundle(home: World) -> Path:
    """The node as it lies on a host: our folders, libtmux and psutil in one place."""
    root = home.directory / "bundle"
    source = Path(controlroom.__file__).parent
    for folder in ("node", "runner", "wire", "metering", "text"):
        shutil.copytree(source / folder, root / "controlroom" / folder)
    shutil.copy(source / "__init__.py", root / "controlroom")
    for package in (libtmux, psutil):
        shutil.copytree(Path(str(package.__file__)).parent, root / package.__name__)
    return root


def test_a_shipped_node_runs_alone(home: World, bundle: Path) -> None:
    with NodeClient(argv=[sys.executable, "-I", "-S", str(bundle / "controlroom/node/serve.py")]) as node:
        node.greet()
        assert node.spawn("one", 1, "echo", "hello").outcome == "done"
        node.wait_agent("one", lambda seen: seen.state == "done")
        node.wait(HostSample, lambda seen: seen.cpu_percent is not None)
        assert node.notices() == []


def test_a_shipped_node_without_its_parts_says_so_and_still_sees(home: World, bundle: Path) -> None:
    for package in ("libtmux", "psutil"):
        shutil.rmtree(bundle / package)
    with NodeClient(argv=[sys.executable, "-I", "-S", str(bundle / "controlroom/node/serve.py")]) as node:
        node.greet()
        node.wait(HostSample, lambda seen: seen.cpu_percent is not None)
        wait_for(
            lambda: node.notices() == ["libtmux did not arrive with the node: agents can be seen here but not started"]
        )
        reply = node.spawn("one", 1, "true")
        assert reply.outcome == "refused"
        assert "libtmux did not arrive with the node" in reply.reason


def test_the_greeting_needs_no_heavy_module() -> None:
    heavy = {"asyncio", "psutil", "libtmux", "logging"}
    program = f"import sys, controlroom.node.main; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# -- the owner's file


def test_one_of_many_rooms_becomes_the_owner(tmp_path: Path) -> None:
    rooms = [Ownership(str(tmp_path / "state"), f"room{number}", read_only=False) for number in range(8)]
    program = (
        "import sys; from controlroom.node.owner import Ownership\n"
        "print(not Ownership(sys.argv[1], sys.argv[2], read_only=False).refusal())"
    )
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "state"), f"room{number}"], stdout=subprocess.PIPE
        )
        for number in range(8)
    ]
    won = [racer.communicate(timeout=60)[0] == b"True\n" for racer in racers]
    assert won.count(True) == 1
    assert [room.mine() for room in rooms] == won
    assert rooms[0].current().epoch == 1
    assert rooms[3].take() == ""
    assert rooms[0].current() == Owner("room3", 2)
    assert json.loads((tmp_path / "state/owner.json").read_text()) == {"room": "room3", "epoch": 2}
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["owner.json"]


def test_namespaces_never_meet(home: World) -> None:
    with NodeClient() as one, NodeClient() as other:
        one.greet("abc")
        other.greet("def")
        assert one.spawn("same", 1, "sleep", "600").outcome == "done"
        assert other.spawn("same", 1, "sleep", "600").outcome == "done"
        pids = {node.wait_agent("same", lambda seen: seen.pid).pid for node in (one, other)}
        assert len(pids) == 2
        assert one.kill("same", 1).outcome == "done"
        assert other.agents()["same"].state == "working"
        os.kill(other.agents()["same"].pid, 0)
