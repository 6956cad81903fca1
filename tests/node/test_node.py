"""A node as a whole: what it says of its host, when it ends, what it leaves, and what it makes of bad input."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import libtmux
import psutil
import pytest

import controlroom
from controlroom.node import act, spawn
from controlroom.node.folder import state_folder
from controlroom.node.host import NO_TMUX, boot_id, shortcomings
from controlroom.node.outbox import BOUND, Outbox
from controlroom.node.owner import Owner, Ownership
from controlroom.node.place import Place, Turns
from controlroom.node.spawn import Spawner
from controlroom.node.tmux import Tmux, TmuxError
from controlroom.wire.lines import MAX_FRAME, LineSplitter
from controlroom.wire.messages import (
    AgentSeen,
    AgentSpec,
    AgentsSeen,
    Fetch,
    Fetched,
    FromNode,
    Greet,
    HostSeen,
    Notice,
    Ping,
    Pong,
    QuestionSeen,
    Reply,
    Spawn,
    pack,
    read_from_node,
)
from tests.lab.processes import everything
from tests.lab.waiting import wait_for, wait_for_async
from tests.lab.world import World
from tests.node.client import SERVE, NodeClient


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
        figures = node.wait(HostSeen, lambda seen: seen.cpu_percent is not None)
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
        assert node.process.wait(10) == 0


def test_a_node_whose_channel_closes_before_a_word_is_silent(home: World) -> None:
    done = subprocess.run([sys.executable, SERVE], input=b"", capture_output=True, check=False, timeout=20)
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
            assert silent.wait(20) == 0


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
        assert node.process.wait(20) == 1
        notice = node.wait(Notice, lambda notice: notice.level == "error")
        assert notice.text.startswith("the node did not understand its engine: ")
        assert b"Traceback" not in node.errors


@pytest.mark.parametrize(
    "first", [pack(Ping(1)), b"\xff\n", b'{"is":"Greet","version":"1","room":"r","namespace":"../x"}\n']
)
def test_who_does_not_greet_is_not_served(home: World, first: bytes) -> None:
    done = subprocess.run([sys.executable, SERVE], input=first, capture_output=True, check=False, timeout=20)
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


# -- a slow link


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe that holds one page."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    yield reading, writing
    os.close(reading)
    os.close(writing)


def agent(number: int, **fields: object) -> AgentSeen:
    return AgentSeen("one", 1, "command", "working", number, **fields)  # type: ignore[arg-type]


async def received(reading: int, outbox: Outbox) -> list[FromNode]:
    """Read everything that is waiting."""
    lines = LineSplitter()
    found: list[FromNode] = []
    while not outbox.idle or select.select([reading], [], [], 0)[0]:
        data = await asyncio.to_thread(os.read, reading, 65536)
        found += [read_from_node(line) for line in lines.feed(data)]
    return found


async def test_a_slow_link_gets_the_newest_state_and_every_reply(pipe: tuple[int, int]) -> None:
    outbox = Outbox(pipe[1], lambda: None)
    outbox.send(Notice("x" * 200_000))
    for number in range(1000):
        outbox.agent(agent(number))
        outbox.send(Reply(number, "done"))
    found = await received(pipe[0], outbox)
    assert [reply.id for reply in found if isinstance(reply, Reply)] == list(range(1000))
    assert [seen.agents[0].since for seen in found if isinstance(seen, AgentsSeen)] == [999]


async def test_a_link_that_takes_nothing_is_given_up(pipe: tuple[int, int]) -> None:
    broken = asyncio.Event()
    outbox = Outbox(pipe[1], broken.set)
    for _ in range(BOUND // 500_000 + 1):
        outbox.send(Notice("x" * 500_000))
    await asyncio.wait_for(broken.wait(), 5)


async def test_a_link_that_is_gone_is_noticed() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    broken = asyncio.Event()
    Outbox(writing, broken.set).send(Notice("hello"))
    assert broken.is_set()
    os.close(writing)


async def test_many_agents_with_long_questions_fit_into_lines(pipe: tuple[int, int]) -> None:
    outbox = Outbox(pipe[1], lambda: None)
    question = QuestionSeen("q", "Bash", "\n" * 30_000, 5)
    agents = [AgentSeen(f"a{number}", 1, "headless", "waiting", 1, question=question) for number in range(300)]
    outbox.all_agents(agents)
    found = await received(pipe[0], outbox)
    first = found[0]
    assert isinstance(first, AgentsSeen)
    assert first.complete
    assert [seen.name for seen in first.agents] == [seen.name for seen in agents]
    told = {seen.name: seen for message in found if isinstance(message, AgentsSeen) for seen in message.agents}
    assert list(told.values()) == agents


def test_many_requests_for_logs_are_answered_in_turn(home: World) -> None:
    with NodeClient() as node:
        node.greet()
        node.spawn("one", 1, "seq", "100000")
        node.wait_agent("one", lambda seen: seen.state == "done")
        numbers = [node.number() for _ in range(50)]
        node.send(*(Fetch(number, "one", 1, count=10**6) for number in numbers))
        wait_for(lambda: len(node.all(Fetched)) == 50)
        assert [fetched.id for fetched in node.all(Fetched)] == numbers
        assert len({fetched.data for fetched in node.all(Fetched)}) == 1


# -- what a host lacks


async def test_without_tmux_agents_are_refused_with_what_to_do(home: World) -> None:
    state = state_folder(os.environ, "")
    place = Place(state, "", Tmux("", "controlroom", os.environ), boot_id())
    actor = act.Actor(place, Ownership(state, "r", read_only=False), Spawner(place, no_environment), Turns())
    reply = await actor.act(Spawn(1, "one", 1, AgentSpec("command", ("true",)), ""))
    assert reply == Reply(1, "refused", f"one does not start: {NO_TMUX}")
    assert os.listdir(os.path.join(state, "agents")) == []
    assert shortcomings("")[0].startswith(NO_TMUX)


async def no_environment() -> dict[str, str]:
    return dict(os.environ)


async def test_a_runner_that_does_not_come_up_leaves_nothing(home: World, monkeypatch: pytest.MonkeyPatch) -> None:
    program = home.directory / "broken.py"
    program.write_text("raise SystemExit('broken')")
    monkeypatch.setattr(spawn, "_RUN", str(program))
    state = state_folder(os.environ, "")
    tmux = Tmux("tmux", "controlroom", os.environ)
    place = Place(state, "", tmux, boot_id())
    actor = act.Actor(place, Ownership(state, "r", read_only=False), Spawner(place, no_environment), Turns())
    reply = await actor.act(Spawn(1, "one", 1, AgentSpec("command", ("true",)), ""))
    assert reply.outcome == "refused"
    assert reply.reason.startswith("one does not start: its runner ended at once")
    assert os.listdir(os.path.join(state, "agents")) == []
    assert await tmux.panes() == {}


async def test_a_tmux_that_hangs_costs_a_deadline_and_leaves_nothing(home: World) -> None:
    program = home.directory / "other-tmux"
    put_script(program, "exec sleep 4322")
    with pytest.raises(TmuxError, match=r"has not answered for 0\.2 seconds"):
        await Tmux(str(program), "controlroom", os.environ).run("list-panes", deadline=0.2)
    await wait_for_async(lambda: not [each for each in everything() if "sleep 4322" in each.command])


def put_script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


async def test_no_server_is_told_from_one_that_cannot_be_reached(home: World) -> None:
    assert await Tmux("tmux", "controlroom", os.environ).panes() is None
    program = home.directory / "other-tmux"
    put_script(program, "echo 'lost in space' >&2; exit 1")
    with pytest.raises(TmuxError, match="lost in space"):
        await Tmux(str(program), "controlroom", os.environ).panes()


# -- shipped


@pytest.fixture
def bundle(home: World) -> Path:
    """The node as it lies on a host: our folders, libtmux and psutil in one place."""
    root = home.directory / "bundle"
    source = Path(controlroom.__file__).parent
    for folder in ("node", "wire", "meter"):
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
        node.wait(HostSeen, lambda seen: seen.cpu_percent is not None)
        assert node.notices() == []


def test_a_shipped_node_without_its_parts_says_so_and_still_sees(home: World, bundle: Path) -> None:
    for package in ("libtmux", "psutil"):
        shutil.rmtree(bundle / package)
    with NodeClient(argv=[sys.executable, "-I", "-S", str(bundle / "controlroom/node/serve.py")]) as node:
        node.greet()
        node.wait(HostSeen, lambda seen: seen.cpu_percent is not None)
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
    won = [racer.communicate(timeout=20)[0] == b"True\n" for racer in racers]
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
