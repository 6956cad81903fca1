"""What a node makes of the agents' folders and of everything else it can see of them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.node import orders
from controlroom.node.file_watch import BEAT, QUIET, Inotify, pause
from controlroom.node.git.edit_watch import EditWatch
from controlroom.node.host import boot_id
from controlroom.node.logs.follow import Follower, LastLines
from controlroom.node.observation import observer as observer_module
from controlroom.node.observation.observer import Observer
from controlroom.node.observation.usage_feed import UsageFeed
from controlroom.node.outbox import Outbox
from controlroom.node.owner import Ownership
from controlroom.node.place import Place, Turns
from controlroom.node.spawn import Spawner
from controlroom.node.tmux_server import Tmux
from controlroom.runner.status_file import StatusFile
from controlroom.text.states import Outcome, TellKind
from controlroom.wire import records
from controlroom.wire.lines import LineSplitter
from controlroom.wire.messages import AgentSeen, AgentsSeen, FromNode, Kill, Reply, Spawn, Tell, read_from_node
from controlroom.wire.messages import LastLines as LinesSeen
from controlroom.wire.spec import AgentSpec
from controlroom.wire.usage import LimitsSeen
from tests.lab.node_client import NodeClient, state_folder
from tests.lab.waiting import wait_for, wait_for_async
from tests.lab.world import World
from tests.node.on_host import evidence, of_tag, put_agent, tmux


def own(home: World, room: str = "room-under-test") -> None:
    """Make `room` the owner of this host."""
    state_folder(home.home).mkdir(parents=True, exist_ok=True)
    (state_folder(home.home) / "owner.json").write_text(json.dumps({"room": room, "epoch": 1}))


# -- which agents there are


def test_all_agents_are_told_at_once_then_what_changes(home: World) -> None:
    put_agent(home, "ended", state="done", detail="fine")
    put_agent(home, "twice", 1, state="done")
    put_agent(home, "twice", 2, state="failed", detail="exit 1")
    with NodeClient() as node:
        node.greet()
        first = node.all(AgentsSeen)[0]
        assert first.complete
        assert {(seen.name, seen.epoch, seen.state) for seen in first.agents} == {
            ("ended", 1, "done"),
            ("twice", 2, "failed"),
        }
        put_agent(home, "new", state="done")
        node.wait_agent("new", lambda seen: seen.state == "done")
        put_agent(home, "twice", 3, state="done")
        node.wait_agent("twice", lambda seen: seen.epoch == 3)
        (state_folder(home.home) / "agents/new.1").rename(home.directory / "away")
        node.wait(AgentsSeen, lambda seen: seen.gone == ("new",))


def test_a_status_is_told_as_soon_as_it_is_replaced(home: World, node: NodeClient) -> None:
    folder = put_agent(home, "one", state="done", detail="first")
    node.wait_agent("one", lambda seen: seen.detail == "first")
    (folder / "new").write_text(json.dumps({"kind": "command", "state": "failed", "since": 9, "detail": "second"}))
    os.replace(folder / "new", folder / "status.json")
    seen = node.wait_agent("one", lambda seen: seen.detail == "second")
    assert seen == AgentSeen("one", 1, "command", "failed", 9, "second")


# -- whatever an agent puts there


@pytest.mark.parametrize(
    ("put", "said"),
    [
        (lambda path: path.write_text("[1, 2]"), "not a JSON object"),
        (lambda path: path.write_text("{"), "not a JSON object"),
        (lambda path: path.write_text("[" * 100_000), "not a JSON object"),
        (lambda path: path.write_text('{"kind":"command","state":"done","since":NaN}'), "NaN is not a number"),
        (
            lambda path: path.write_text('{"kind":"command","state":"done","since":"x"}'),
            "since: expected a whole number",
        ),
        (lambda path: path.write_text('{"kind":"command","state":["done"],"since":1}'), "state: expected text"),
        (lambda path: path.write_text('{"kind":"command","state":"on fire","since":1}'), "'on fire' as the state"),
        (lambda path: path.write_text('{"format":2,"kind":"command","state":"done","since":1}'), "format 2"),
        (lambda path: path.write_bytes(b"\xff\xfe\0"), "not a JSON object"),
        (lambda path: os.truncate(path, 2**40), "larger than"),
        (lambda path: path.symlink_to("/etc/passwd"), "symbolic link"),
        (lambda path: os.mkfifo(path), "not a regular file"),
        (lambda path: path.mkdir(), "not a regular file"),
    ],
)
def test_a_status_that_cannot_be_used_is_unknown_and_says_why(
    home: World, node: NodeClient, put: Callable[[Path], object], said: str
) -> None:
    status = put_agent(home, "odd", state="done") / "status.json"
    node.wait_agent("odd", lambda seen: seen.state == "done")
    if "truncate" not in put.__code__.co_names:
        status.unlink()
    put(status)
    seen = node.wait_agent("odd", lambda seen: seen.state == "unknown" and said in seen.detail)
    assert "its status.json cannot be used" in seen.detail
    put_agent(home, "sound", state="done")
    node.wait_agent("sound", lambda seen: seen.state == "done")


def test_what_a_status_says_is_bounded_and_its_folder_names_it(home: World) -> None:
    many = [{"source": "runner", "state": "done", "value": "v" * 5000, "at": 1}] * 100
    folder = put_agent(home, "liar")
    lies = {"name": "other", "epoch": 99, "kind": "command", "state": "done", "since": 1, "pid": -5}
    (folder / "status.json").write_text(json.dumps({**lies, "detail": "d" * 10**5, "evidence": many}))
    with NodeClient() as node:
        node.greet()
        seen = node.agents()["liar"]
    assert (seen.name, seen.epoch, seen.pid, len(seen.detail), len(seen.evidence)) == ("liar", 1, 0, 1000, 8)


def test_what_is_no_agents_folder_is_passed_over(home: World) -> None:
    parent = put_agent(home, "one", state="done").parent
    for name in ("no-epoch", "UPPER.1", "a.0", "a.-1", "a.1.2", ".hidden.1", "a.99999999999"):
        (parent / name).mkdir()
    (parent / "file.1").write_text("")
    (parent / "link.1").symlink_to(parent / "one.1")
    with NodeClient() as node:
        node.greet()
        assert list(node.agents()) == ["one"]


# -- other sources


def test_a_living_agent_carries_evidence_of_every_source(node: NodeClient) -> None:
    node.spawn("one", 1, "sleep", "600")
    pane = tmux("display-message", "-p", "-t", "=one:", "#{pane_pid}").strip()
    seen = node.wait_agent("one", lambda seen: len(seen.evidence) == 3)
    assert evidence(seen) == {
        "runner": ("working", f"process {seen.pid} runs"),
        "process": ("working", f"process {seen.pid} lives"),
        "tmux": ("working", f"session one, process {pane}"),
    }


CLAUDE = """
import json, os, sys, time
folder = os.path.join(os.environ["CLAUDE_CONFIG_DIR"], "sessions")
os.makedirs(folder, exist_ok=True)
start = open(f"/proc/{os.getpid()}/stat").read().rpartition(")")[2].split()[19]
for line in sys.stdin:
    status = json.loads(line)["message"]["content"]
    start = "1" if status == "stale" else start
    with open(os.path.join(folder, f"{os.getpid()}.json"), "w") as file:
        json.dump({"status": status, "waitingFor": "permission prompt", "procStart": start}, file)
"""


def test_a_session_file_is_a_second_witness(node: NodeClient, home: World) -> None:
    program = home.directory / "claude.py"
    program.write_text(CLAUDE)
    spec = AgentSpec(
        "headless",
        ("sh", "-c", f"{sys.executable} {program}; true"),
        env={"CLAUDE_CONFIG_DIR": str(home.directory / "c")},
    )
    assert node.ask(lambda number: Spawn(number, "one", 1, spec, "busy")).outcome == "done"
    node.wait_agent("one", lambda seen: evidence(seen).get("session file") == ("working", "busy"))
    for status, said in (
        ("waiting", ("waiting", "waiting: permission prompt")),
        ("stale", ("unknown", "stale: of an earlier process")),
    ):
        assert node.ask(lambda number, text=status: Tell(number, "one", 1, TellKind.MESSAGE, text)).outcome == "done"  # type: ignore[misc]
        node.wait_agent("one", lambda seen, said=said: evidence(seen)["session file"] == said)  # type: ignore[misc]


# -- runners that die


def test_a_killed_runner_takes_its_agent_with_it_and_it_is_said(node: NodeClient, home: World) -> None:
    node.spawn("one", 1, "sh", "-c", "setsid sleep 600 & sleep 600")
    wait_for(lambda: len(of_tag("one", 1)) == 3)
    os.kill(int(tmux("display-message", "-p", "-t", "=one:", "#{pane_pid}")), signal.SIGKILL)
    seen = node.wait_agent("one", lambda seen: seen.state == "failed")
    assert (seen.detail, seen.cause, seen.pid) == ("its runner was killed", "runner-killed", 0)
    assert not of_tag("one", 1)
    written = json.loads((state_folder(home.home) / "agents/one.1/status.json").read_text())
    assert (written["state"], written["detail"]) == ("failed", "its runner was killed")
    assert not (state_folder(home.home) / "agents/one.1/control.sock").exists(), "nor the socket that it left"
    assert node.spawn("one", 2, "sleep", "600").outcome == "done"


def test_who_may_not_act_tells_a_dead_runner_as_evidence_only(home: World) -> None:
    own(home)
    folder = put_agent(home, "one")
    before = (folder / "status.json").read_bytes()
    with NodeClient() as watcher:
        watcher.greet(read_only=True)
        seen = watcher.wait_agent("one", lambda seen: evidence(seen).get("process"))
        assert (seen.state, evidence(seen)["process"]) == ("working", ("failed", "its runner is gone"))
        with NodeClient() as owner:
            owner.greet()
            watcher.wait_agent("one", lambda seen: seen.state == "failed")
    assert (folder / "status.json").read_bytes() != before


@pytest.mark.parametrize("read_only", [True, False])
def test_a_reboot_ends_everything(home: World, read_only: bool) -> None:
    own(home)
    put_agent(home, "one", boot="another-boot")
    with NodeClient() as node:
        node.greet(read_only=read_only)
        assert node.wait_agent("one", lambda seen: seen.state == "failed").detail == "the host was rebooted"


def test_a_folder_that_nobody_is_starting_any_more_has_failed(home: World) -> None:
    own(home)
    folder = put_agent(home, "one")
    (folder / "status.json").unlink()
    with NodeClient() as node:
        node.greet()
        assert node.agents()["one"].state == "starting"
        past = time.time() - 3600
        os.utime(folder, (past, past))
        assert node.wait_agent("one", lambda seen: seen.state == "failed").detail == "its runner never came up"


HUNG = """
import fcntl, os, signal, socket, subprocess, sys, time
os.chdir(sys.argv[1])
lock = os.open("spec.json", os.O_RDONLY)
fcntl.flock(lock, fcntl.LOCK_EX)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
here = os.stat(".")
marks = {"CONTROLROOM_AGENT": "default/one.1", "CONTROLROOM_PLACE": f"{here.st_dev:x}-{here.st_ino:x}"}
subprocess.Popen(["sleep", "600"], env={**os.environ, **marks})
listener = socket.socket(socket.AF_UNIX)
listener.bind("control.sock")
listener.listen(5)
time.sleep(600)
"""


@contextmanager
def hung_runner(home: World) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A runner of the agent `one` that answers nothing and has no session."""
    folder = put_agent(home, "one")
    program = home.directory / "hung.py"
    program.write_text(HUNG)
    with subprocess.Popen([sys.executable, str(program), str(folder)]) as runner:
        try:
            wait_for((folder / "control.sock").exists)
            yield runner, folder
        finally:
            runner.kill()


def test_a_lost_session_is_evidence_that_disagrees(home: World, node: NodeClient) -> None:
    with hung_runner(home):
        seen = node.wait_agent("one", lambda seen: len(seen.evidence) == 2)
        assert evidence(seen) == {
            "process": ("working", "its runner lives"),
            "tmux": ("failed", "no tmux server runs"),
        }


async def test_the_agent_of_a_runner_that_hangs_is_ended_by_the_node(
    home: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    own(home)
    monkeypatch.setattr(orders, "END_DEADLINE", 0.2)
    state = str(state_folder(home.home))
    place = Place(state, "", Tmux("tmux", "controlroom", os.environ), boot_id())
    ownership = Ownership(state, "room-under-test", read_only=False)
    actor = orders.Actor(place, ownership, Spawner(place, asyncio.Future), Turns())
    monkeypatch.setattr(orders, "TELL_DEADLINE", 0.2)
    with hung_runner(home) as (runner, folder):
        silent = "its runner has not answered for 0.2 seconds"
        assert await actor.act(Tell(2, "one", 1, TellKind.INTERRUPT)) == Reply(2, Outcome.UNKNOWN, silent)
        assert await actor.act(Kill(1, "one", 1)) == Reply(1, Outcome.DONE)
        assert runner.wait(60) == -signal.SIGKILL
    assert not of_tag("one", 1)
    status = json.loads((folder / "status.json").read_text())
    assert (status["state"], status["detail"]) == ("done", "killed; its runner did not answer")


# -- an observer alone, which nobody tells to look


@asynccontextmanager
async def observing(home: World, *, inotify: bool) -> AsyncIterator[list[FromNode]]:
    """Run an observer, and return what it tells home."""
    told: list[FromNode] = []
    reading, writing = os.pipe()
    loop, splitter, state = asyncio.get_running_loop(), LineSplitter(), str(state_folder(home.home))
    outbox = Outbox(writing, lambda: None)
    lines = LastLines(outbox.lines, loop.time)
    follower, usage = Follower(state, outbox.send, loop.time), UsageFeed(state, outbox.send)
    edits = EditWatch(state, outbox.edits, os.environ, loop.time)
    observer = Observer(state, outbox, lines, follower, usage, edits, inotify=inotify)
    loop.add_reader(
        reading, lambda: told.extend(read_from_node(line) for line in splitter.feed(os.read(reading, 65536)))
    )
    observer.start()
    try:
        yield told
    finally:
        observer.close()
        lines.close()
        loop.remove_reader(reading)
        await outbox.close(1)
        os.close(reading)
        os.close(writing)


async def test_a_pass_over_the_files_stands_in_for_inotify(home: World) -> None:
    folder = put_agent(home, "one", detail="first")
    async with observing(home, inotify=False) as told:
        (folder / "log.000001").write_bytes(records.pack(5, b"o", b"a line"))
        (folder / "new").write_text(json.dumps({"kind": "command", "state": "done", "since": 9, "detail": "second"}))
        os.replace(folder / "new", folder / "status.json")
        await wait_for_async(lambda: any(isinstance(m, AgentsSeen) and m.agents[0].detail == "second" for m in told))
        await wait_for_async(lambda: any(isinstance(m, LinesSeen) and m.lines[0].text == "a line" for m in told))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="inotify is a part of Linux")
async def test_what_a_plan_leaves_goes_home_as_soon_as_it_is_written(home: World) -> None:
    folder = put_agent(home, "one")
    async with observing(home, inotify=True) as told:
        (folder / "new").write_text(json.dumps({"format": 1, "account": "ann", "plan": "max", "windows": []}))
        os.replace(folder / "new", folder / "limits.json")
        await wait_for_async(lambda: any(isinstance(m, LimitsSeen) and m.plan == "max" for m in told))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="inotify is a part of Linux")
def test_a_runner_touches_its_status_for_a_new_question_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    status, inotify = StatusFile({"state": "working"}), Inotify(touched=True)
    inotify.add(str(tmp_path))
    touched: list[set[str]] = []
    for question in (None, {"id": "q1"}, {"id": "q1"}, {"id": "q2"}, None):
        status.save(question=question, detail=str(question))
        status.save(detail="something else", log_bytes=len(touched))
        touched.append({change.name for change in inotify.read()})
    inotify.close()
    assert touched == [set(), {"status.json"}, set(), {"status.json"}, set()]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="inotify is a part of Linux")
async def test_a_new_question_waits_for_no_beat(home: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observer_module, "pause", lambda _now: 3600.0)
    folder = put_agent(home, "one")
    asks = {"kind": "permission", "tool": "Bash", "text": "ls", "at": 9}
    async with observing(home, inotify=True) as told:

        def asked() -> list[str]:
            seen = [message.agents[0].question for message in told if isinstance(message, AgentsSeen)]
            return [question.id for question in seen if question]

        (folder / "log.000001").write_bytes(records.pack(5, b"o", b"a line"))
        await wait_for_async(lambda: any(isinstance(m, LinesSeen) and m.lines[0].text == "a line" for m in told))

        async def told_of(ident: str) -> None:
            await wait_for_async(lambda: asked()[-1:] == [ident])

        for ident in ("q1", "q2"):
            status = {"kind": "headless", "state": "waiting", "since": 9, "question": {**asks, "id": ident}}
            (folder / "status.json.new").write_text(json.dumps(status))
            os.replace(folder / "status.json.new", folder / "status.json")
            os.utime(folder / "status.json")
            await told_of(ident)


@given(st.floats(0, 2e9))
def test_looks_fall_on_the_beats_of_the_clock_and_not_too_near(now: float) -> None:
    seconds = pause(now)
    assert QUIET <= seconds <= QUIET + BEAT
    beats = (now + seconds) / BEAT
    assert abs(beats - round(beats)) < 1e-4
