"""Acts on real agents: real runner, real tmux, real processes."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from controlroom.text.states import Outcome, TellKind
from controlroom.wire.messages import Forget, Kill, Loads, Reply, Spawn, Take, Tell, ToNode
from controlroom.wire.spec import AgentSpec
from tests.lab import bundle
from tests.lab.node_client import NodeClient, bodies_of, state_folder
from tests.lab.waiting import wait_for
from tests.lab.world import World
from tests.node.on_host import environment_of, of_tag, tmux

NASTY = 'it\'s "quoted" `id` $(touch /tmp/never) ; rm -rf / & | \\ #(touch x) [/] %s {} 🎛️ \u202e é\n\tnext line;\n'


def test_a_task_of_any_text_reaches_a_command_whole(home: World) -> None:
    task = (NASTY * (200_000 // len(NASTY.encode()) + 1))[:200_000]
    with NodeClient() as node:
        node.greet()
        program = "import sys,hashlib;d=sys.stdin.buffer.read();print(len(d),hashlib.sha256(d).hexdigest())"
        assert node.spawn("eater", 1, sys.executable, "-c", program, task=task) == Reply(1, Outcome.DONE)
        seen = node.wait_agent("eater", lambda seen: seen.state == "done")
        assert (seen.exit_code, seen.task) == (0, task[:200])
        data = task.encode()
        assert f"{len(data)} {hashlib.sha256(data).hexdigest()}" in bodies_of(node.fetch("eater", 1))


STUBBORN = """
import os, signal, subprocess, sys, time
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
if sys.argv[1:]:
    subprocess.Popen([sys.executable, __file__], start_new_session=True)
print("up", flush=True)
time.sleep(600)
"""


@pytest.fixture
def stubborn(home: World) -> tuple[str, ...]:
    """A command that ignores TERM and HUP, and has a child in a session of its own that does too."""
    program = home.directory / "stubborn.py"
    program.write_text(STUBBORN)
    return sys.executable, str(program), "with-a-child"


# -- spawn


def test_the_same_spawn_twice_is_one_agent(node: NodeClient) -> None:
    assert node.spawn("one", 3, "sleep", "600").outcome == "done"
    pid = node.wait_agent("one", lambda seen: seen.pid).pid
    assert node.spawn("one", 3, "sleep", "600").outcome == "done"
    assert node.agents()["one"].pid == pid
    assert len(tmux("list-sessions").splitlines()) == 1


def test_an_old_epoch_is_refused(node: NodeClient) -> None:
    assert node.spawn("one", 3, "true").outcome == "done"
    node.wait_agent("one", lambda seen: seen.state == "done")
    reply = node.spawn("one", 2, "true")
    assert (reply.outcome, reply.reason) == ("refused", "one is already in run 3; run 2 is over")


def test_a_running_agent_is_not_spawned_over_unless_it_is_replaced(node: NodeClient) -> None:
    assert node.spawn("one", 1, "sh", "-c", "setsid sleep 600 & sleep 600").outcome == "done"
    wait_for(lambda: len(of_tag("one", 1)) == 3)
    refused = node.spawn("one", 2, "sleep", "600")
    assert refused == Reply(refused.id, Outcome.REFUSED, "one is running here (run 1): kill or reassign it")
    assert node.spawn("one", 2, "sleep", "600", replaces=1).outcome == "done"
    assert not of_tag("one", 1)
    assert node.wait_agent("one", lambda seen: seen.pid and seen.state == "working").epoch == 2
    first = json.loads((state_folder(Path(os.environ["HOME"])) / "agents/one.1/status.json").read_text())
    assert (first["state"], first["detail"]) == ("done", "reassigned")


def test_a_run_that_was_ended_for_one_that_does_not_begin_is_not_said_to_be_refused(
    node: NodeClient, home: World
) -> None:
    assert node.spawn("one", 1, "sleep", "600").outcome == "done"
    node.wait_agent("one", lambda seen: seen.pid and seen.state == "working")
    in_the_way = state_folder(home.home) / "agents" / "one.2"
    in_the_way.write_text("a file")
    reply = node.spawn("one", 2, "sleep", "600", replaces=1)
    assert reply.outcome == "half", "refused would say that nothing has changed"
    assert not of_tag("one", 1)
    in_the_way.unlink()
    assert node.spawn("one", 2, "sleep", "600").outcome == "done"


@pytest.mark.parametrize("session", ["--dangerously-skip-permissions", "-x", "a b", "../x", "s" * 101])
def test_what_cannot_be_a_session_is_resumed_nowhere(node: NodeClient, session: str) -> None:
    """It is put behind `--resume`, whose value may be left out: what looks like an option would be one."""
    reply = node.ask(lambda number: Spawn(number, "one", 1, AgentSpec(resume=session), "go on"))
    assert reply.outcome == "refused"
    assert "cannot be the id of a Claude session" in reply.reason


def test_two_rooms_ends_spawn_one_name_and_one_agent_comes_up(node: NodeClient) -> None:
    with NodeClient() as other:
        other.greet()
        for number in range(1, 5):
            order = AgentSpec("command", ("sleep", "600"))
            for client in (node, other):
                client.send(Spawn(number, f"race{number}", 1, order, ""))
            replies = [c.wait(Reply, lambda reply, n=number: reply.id == n) for c in (node, other)]  # type: ignore[misc]
            assert "done" in [reply.outcome for reply in replies]
            assert all(reply.outcome == "done" or "being started" in reply.reason for reply in replies), replies
            wait_for(lambda n=number: of_tag(f"race{n}", 1))  # type: ignore[misc]
            assert len(of_tag(f"race{number}", 1)) == 1


@pytest.mark.parametrize(
    ("name", "epoch", "spec", "reason"),
    [
        ("#(touch x)", 1, AgentSpec("command", ("true",)), "cannot name an agent"),
        ("../up", 1, AgentSpec("command", ("true",)), "cannot name an agent"),
        ("a", 0, AgentSpec("command", ("true",)), "cannot be the number of a run"),
        ("a", 1, AgentSpec("command", ()), "needs a command"),
        ("a", 1, AgentSpec("shell", ("true",)), "there is no kind 'shell'"),
        ("a", 1, AgentSpec("command", ("true",), env={"X": "y" * 300_000}), "the profile is longer"),
    ],
)
def test_what_cannot_be_started_is_refused(
    node: NodeClient, name: str, epoch: int, spec: AgentSpec, reason: str
) -> None:
    reply = node.ask(lambda number: Spawn(number, name, epoch, spec, ""))
    assert reply.outcome == "refused"
    assert reason in reply.reason
    assert not list(state_folder(Path(os.environ["HOME"])).glob("agents/*"))


def test_a_task_beyond_the_limit_is_refused(node: NodeClient) -> None:
    reply = node.spawn("big", 1, "true", task="x" * (1024 * 1024 + 1))
    assert reply.outcome == "refused"
    assert "longer than 1048576 bytes" in reply.reason


def test_what_an_agent_cannot_be_started_with_is_its_state(node: NodeClient) -> None:
    assert node.spawn("lost", 1, "no-such-program").outcome == "done"
    assert "no-such-program is not there" in node.wait_agent("lost", lambda seen: seen.state == "failed").detail


def test_folders_are_private(node: NodeClient, home: World) -> None:
    os.umask(0o022)
    node.spawn("one", 1, "sleep", "600", task="secret")
    state = state_folder(home.home)
    for path in [state, *state.rglob("*")]:
        mode = stat.S_IMODE(path.lstat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path
    assert not (state / "agents/one.1/environ.json").exists()


# -- tmux


def test_nothing_leaks_into_the_tmux_server(home: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANTED", "sk-ant-planted-in-environment")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/tmp/planted.sock")
    with NodeClient() as node:
        node.greet()
        task, env = "planted in the task", {"KEY": "sk-ant-planted-in-profile"}
        assert node.spawn("one", 1, "sleep", "600", task=task, env=env).outcome == "done"
        listed = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True).stdout
        server = next(line for line in listed.splitlines() if " start-server " in line and "-Lcontrolroom " in line)
        assert "planted" not in listed
        assert "one" not in server.split()
        shown = tmux("show-environment", "-g") + tmux("show-environment", "-t", "=one:")
        assert "planted" not in shown
        assert {line.partition("=")[0] for line in shown.splitlines()} <= {"PWD"}
        pid = int(tmux("display-message", "-p", "#{pid}"))
        assert not [item for item in environment_of(pid) if b"planted" in item]


def test_the_tmux_server_is_closed_to_escapes(node: NodeClient, home: World) -> None:
    (home.home / ".tmux.conf").write_text("set -g set-titles on\n")
    node.spawn("one", 1, "sleep", "600")
    options = tmux("show-options", "-g") + tmux("show-options", "-s") + tmux("show-options", "-gw")
    for line in (
        *("set-titles off", "set-clipboard off", "allow-rename off", "automatic-rename off", "bell-action none"),
        *("mouse on", "history-limit 2000", "exit-empty on", "allow-passthrough off"),
    ):
        assert line in options.splitlines(), line
    assert "#(" not in tmux("show-options", "-g", "status-left") + tmux("show-options", "-g", "status-right")
    assert tmux("show-options", "-v", "-t", "=one:", "@controlroom_epoch") == "1\n"
    assert (
        tmux("display-message", "-p", "-t", "=one:", "#{window_width}x#{window_height} #{session_path}") == "120x40 /\n"
    )


# -- kill


def test_killed_means_that_nothing_is_left_and_nobody_else_waits(node: NodeClient, stubborn: tuple[str, ...]) -> None:
    node.spawn("one", 1, *stubborn)
    wait_for(lambda: len(of_tag("one", 1)) == 2)
    first, second = node.number(), node.number()
    node.send(Kill(first, "one", 1), Tell(second, "one", 1, TellKind.MESSAGE, "waits for its turn"))
    assert node.spawn("other", 1, "sleep", "600").outcome == "done"
    assert node.wait(Reply, lambda reply: reply.id == first).outcome == "done"
    assert not of_tag("one", 1)
    assert node.wait(Reply, lambda reply: reply.id == second).reason == "one is not running"
    one = node.wait_agent("one", lambda seen: seen.state == "done")
    assert one.detail == "killed"
    assert node.wait_agent("other", lambda seen: seen.started).started < one.ended, "it began while the other ended"
    wait_for(lambda: tmux("list-sessions", "-F", "#S") == "other\n")
    assert node.kill("one", 1).outcome == "done"


def test_every_request_has_exactly_one_reply(node: NodeClient) -> None:
    order = AgentSpec("command", ("sleep", "600"))
    acts: list[ToNode] = []
    for epoch in range(1, 11):
        name, ids = f"a{epoch % 3}", [node.number() for _ in range(6)]
        acts += [Spawn(ids[0], name, epoch, order, ""), Tell(ids[1], name, epoch, TellKind.INTERRUPT)]
        acts += [Kill(ids[2], name, epoch), Forget(ids[3], name, epoch), Take(ids[4]), Kill(ids[5], name, epoch + 1)]
    node.send(*acts)
    wait_for(lambda: len(node.all(Reply)) >= len(acts), 60)
    assert node.kill("nobody", 1).outcome == "refused"
    assert sorted(reply.id for reply in node.all(Reply)) == list(range(1, len(acts) + 2))
    assert not [reply for reply in node.all(Reply) if reply.outcome not in ("done", "refused")]
    wait_for(lambda: node.agents() == {})


def test_unknown_agents_are_named(node: NodeClient) -> None:
    node.spawn("one", 4, "true")
    assert node.kill("one", 3).reason == "run 3 of one is not on this host; there is run 4"
    assert node.kill("two", 1).reason == "run 1 of two is not on this host"


# -- tell, forget


def test_what_the_runner_refuses_is_passed_on(node: NodeClient) -> None:
    node.spawn("one", 1, "sleep", "600")
    reply = node.ask(lambda number: Tell(number, "one", 1, TellKind.MESSAGE, "hello"))
    assert (reply.outcome, reply.reason) == (
        "refused",
        "it is a plain command: it takes no messages, answers or interrupts",
    )
    reply = node.ask(lambda number: Tell(number, "one", 1, TellKind.UNKNOWN))
    assert (reply.outcome, reply.reason) == (
        "refused",
        "an agent can be sent a message, an answer, an interrupt or a model, and nothing else",
    )


def test_who_has_ended_is_told_nothing(node: NodeClient) -> None:
    node.spawn("one", 1, "true")
    node.wait_agent("one", lambda seen: seen.state == "done")
    wait_for(lambda: tmux("list-sessions") == "")
    reply = node.ask(lambda number: Tell(number, "one", 1, TellKind.MESSAGE, "hello"))
    assert (reply.outcome, reply.reason) == ("refused", "one is not running")


def test_only_who_has_ended_is_forgotten(node: NodeClient, home: World) -> None:
    for epoch in (1, 2):
        node.spawn("one", epoch, "true")
        node.wait_agent("one", lambda seen, epoch=epoch: (seen.epoch, seen.state) == (epoch, "done"))  # type: ignore[misc]
    node.spawn("two", 1, "sleep", "600")
    reply = node.ask(lambda number: Forget(number, "two", 1))
    assert (reply.outcome, reply.reason) == ("refused", "two is running (run 1): kill it first")
    assert node.ask(lambda number: Forget(number, "one", 2)).outcome == "done"
    wait_for(lambda: "one" not in node.agents())
    assert [path.name for path in (state_folder(home.home) / "agents").iterdir()] == ["two.1"]


# -- owner


def test_only_the_room_that_owns_a_host_acts_there(node: NodeClient) -> None:
    node.spawn("one", 1, "sleep", "600")
    with NodeClient() as other:
        welcome = other.greet(room="another-room")
        assert (welcome.owner, welcome.owner_epoch) == ("room-under-test", 1)
        assert other.agents()["one"].state == "working"
        acts: tuple[Callable[[int], ToNode], ...] = (
            lambda number: Kill(number, "one", 1),
            lambda number: Tell(number, "one", 1, TellKind.INTERRUPT),
            lambda number: Forget(number, "one", 1),
        )
        for act in acts:
            reply = other.ask(act)
            assert reply.outcome == "refused"
            assert "belongs to another control room (room-under-t" in reply.reason
            assert "controlroom host take NAME" in reply.reason
        assert other.ask(Take).outcome == "done"
        assert "belongs to another control room (another-room)" in node.kill("one", 1).reason
        assert other.kill("one", 1).outcome == "done"


def test_who_may_only_look_changes_nothing(home: World, node: NodeClient) -> None:
    node.spawn("one", 1, "sleep", "600")
    node.wait_agent("one", lambda seen: seen.state == "working")
    before = {path: path.lstat().st_mtime_ns for path in state_folder(home.home).rglob("*")}
    with NodeClient() as watcher:
        watcher.greet(read_only=True)
        for reply in (
            watcher.kill("one", 1),
            watcher.spawn("two", 1, "true"),
            watcher.ask(Take),
            watcher.ask(lambda number: Forget(number, "one", 1)),
            watcher.ask(lambda number: Tell(number, "one", 1, TellKind.INTERRUPT)),
        ):
            assert (reply.outcome, reply.reason) == ("refused", "this connection is read-only")
    assert {path: path.lstat().st_mtime_ns for path in state_folder(home.home).rglob("*")} == before


def test_a_watcher_alone_leaves_no_trace(home: World) -> None:
    bundle.forget(home.home)
    with NodeClient() as watcher:
        watcher.greet(read_only=True)
        assert watcher.spawn("one", 1, "true").outcome == "refused"
    assert list(home.home.iterdir()) == []


def test_a_damaged_owner_file_is_said_and_can_be_taken(node: NodeClient, home: World) -> None:
    node.spawn("one", 1, "sleep", "600")
    (state_folder(home.home) / "owner.json").write_text("{")
    reply = node.kill("one", 1)
    assert reply.outcome == "refused"
    assert "owner.json cannot be used" in reply.reason
    assert node.ask(Take).outcome == "done"
    assert node.kill("one", 1).outcome == "done"


# -- two hosts on one machine


def test_agents_of_one_name_under_two_homes_do_not_meet(
    home: World, node: NodeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As two containers may share a process table: same user, namespace, name and epoch."""
    assert node.spawn("one", 1, "sh", "-c", "setsid sleep 600 & sleep 600").outcome == "done"
    wait_for(lambda: len(of_tag("one", 1)) == 3)
    with monkeypatch.context() as other_home:
        for name in ("HOME", "TMUX_TMPDIR"):
            folder = home.directory / f"other-{name.lower()}"
            folder.mkdir()
            other_home.setenv(name, str(folder))
        with NodeClient() as other:
            other.greet()
            assert other.spawn("one", 1, "sleep", "600").outcome == "done"
            load = other.wait(Loads).agents[0]
            assert load.processes == 2, "the runner and its own agent"
            assert other.kill("one", 1).outcome == "done"
            assert not of_tag("one", 1)
    assert len(of_tag("one", 1)) == 3
    assert node.agents()["one"].state == "working"
