"""A slow link to home, and hosts that lack what agents need."""

from __future__ import annotations

import asyncio
import fcntl
import os
import select
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from controlroom.node import orders, spawn
from controlroom.node.host import NO_TMUX, boot_id, shortcomings
from controlroom.node.outbox import BOUND, Outbox
from controlroom.node.owner import Ownership
from controlroom.node.place import Place, Turns
from controlroom.node.spawn import Spawner
from controlroom.node.tmux_server import NameTaken, Tmux, TmuxError
from controlroom.runner.folder import state_folder
from controlroom.text.states import Outcome
from controlroom.wire.lines import LineSplitter
from controlroom.wire.messages import (
    AgentSeen,
    AgentsSeen,
    Fetch,
    Fetched,
    FromNode,
    LastLine,
    Notice,
    QuestionSeen,
    Reply,
    Spawn,
    TmuxSeen,
    read_from_node,
)
from controlroom.wire.spec import AgentSpec
from tests.lab.node_client import NodeClient
from tests.lab.waiting import wait_for, wait_for_async
from tests.lab.world import World


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
    await asyncio.sleep(0)  # the link is full from now on
    for number in range(1000):
        outbox.agent(agent(number))
        outbox.send(Reply(number, Outcome.DONE))
    found = await received(pipe[0], outbox)
    assert [reply.id for reply in found if isinstance(reply, Reply)] == list(range(1000))
    assert [seen.agents[0].since for seen in found if isinstance(seen, AgentsSeen)] == [999]


async def test_what_is_said_in_one_turn_leaves_together_and_in_order(pipe: tuple[int, int]) -> None:
    outbox = Outbox(pipe[1], lambda: None)
    outbox.lines([LastLine("one", 1, "first", 1)])
    outbox.agent(agent(1))
    outbox.send(Reply(1, Outcome.DONE))
    outbox.agent(agent(2))
    await outbox.room()
    lines = os.read(pipe[0], 65536).splitlines()
    kinds = [type(read_from_node(line)).__name__ for line in lines]
    assert kinds == ["AgentsSeen", "LastLines", "Reply", "AgentsSeen"]


async def test_a_link_that_takes_nothing_is_given_up(pipe: tuple[int, int]) -> None:
    broken = asyncio.Event()
    outbox = Outbox(pipe[1], broken.set)
    for _ in range(BOUND // 500_000 + 1):
        outbox.send(Notice("x" * 500_000))
    await asyncio.wait_for(broken.wait(), 60)


async def test_a_link_that_is_gone_is_noticed() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    broken = asyncio.Event()
    Outbox(writing, broken.set).send(Notice("hello"))
    await asyncio.wait_for(broken.wait(), 60)
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
    actor = orders.Actor(place, Ownership(state, "r", read_only=False), Spawner(place, no_environment), Turns())
    reply = await actor.act(Spawn(1, "one", 1, AgentSpec("command", ("true",)), ""))
    assert reply == Reply(1, Outcome.REFUSED, f"one does not start: {NO_TMUX}")
    assert os.listdir(os.path.join(state, "agents")) == []
    assert shortcomings(TmuxSeen())[0].startswith(NO_TMUX)


async def no_environment() -> dict[str, str]:
    return dict(os.environ)


async def test_a_runner_that_does_not_come_up_leaves_nothing(home: World, monkeypatch: pytest.MonkeyPatch) -> None:
    program = home.directory / "broken.py"
    program.write_text("raise SystemExit('broken')")
    monkeypatch.setattr(spawn, "RUN", str(program))
    state = state_folder(os.environ, "")
    tmux = Tmux("tmux", "controlroom", os.environ)
    place = Place(state, "", tmux, boot_id())
    actor = orders.Actor(place, Ownership(state, "r", read_only=False), Spawner(place, no_environment), Turns())
    reply = await actor.act(Spawn(1, "one", 1, AgentSpec("command", ("true",)), ""))
    assert reply.outcome == "refused"
    assert reply.reason.startswith("one does not start: its runner ended at once")
    assert os.listdir(os.path.join(state, "agents")) == []
    assert not await tmux.panes()


async def test_a_runner_that_lives_is_given_time_to_come_up(home: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Among hundreds that are started at once it may hardly get to run; to be told as failed it would be ended."""
    program = home.directory / "slow.py"
    again = f"os.execv(sys.executable, [sys.executable, '-I', '-S', {spawn.RUN!r}, sys.argv[1]])"
    program.write_text(f"import os, sys, time\ntime.sleep(1)\n{again}\n")
    monkeypatch.setattr(spawn, "RUN", str(program))
    monkeypatch.setattr(spawn, "START_DEADLINE", 0.1)
    state = state_folder(os.environ, "")
    place = Place(state, "", Tmux("tmux", "controlroom", os.environ), boot_id())
    actor = orders.Actor(place, Ownership(state, "r", read_only=False), Spawner(place, no_environment), Turns())
    reply = await actor.act(Spawn(1, "one", 1, AgentSpec("command", ("true",)), ""))
    assert reply == Reply(1, Outcome.DONE)


async def test_a_server_is_never_started_with_what_a_session_brings(home: World) -> None:
    """Its command line and its environment would stay readable for as long as it lives."""
    tmux = Tmux("tmux", "controlroom", os.environ)
    answer = await tmux.run("new-session", "-d", "-s", "one", "--", "sleep", "600")
    assert answer.code
    assert "no server running" in answer.errors[0] or "error connecting" in answer.errors[0]
    assert await tmux.panes() is None


async def test_a_server_that_ends_before_its_first_session_is_started_again(home: World) -> None:
    """It ends with its last session, and that may be another's just now."""

    class Ending(Tmux):
        starts = 0

        async def start_server(self) -> None:
            await super().start_server()
            self.starts += 1
            if self.starts == 1:
                await self.run("kill-server")

    tmux = Ending("tmux", "controlroom", os.environ)
    assert await tmux.new_session("one", 1, ["sleep", "600"])
    assert (tmux.starts, list(await tmux.panes() or {})) == (2, ["one"])


async def test_a_name_that_is_taken_is_told_and_its_session_stays_as_it_is(home: World) -> None:
    """Most often a server runs: it is asked for the session at once, and for nothing before."""
    tmux = Tmux("tmux", "controlroom", os.environ)
    pid = await tmux.new_session("one", 1, ["sleep", "600"])
    with pytest.raises(NameTaken):
        await tmux.new_session("one", 2, ["sleep", "601"])
    panes = await tmux.panes() or {}
    assert [(pane.pid, pane.epoch) for pane in panes.values()] == [(pid, 1)]


async def test_a_tmux_that_hangs_costs_a_deadline_and_leaves_nothing(home: World) -> None:
    program = home.directory / "other-tmux"
    put_script(program, "exec sleep 4322")
    with pytest.raises(TmuxError, match=r"has not answered for 0\.2 seconds"):
        await Tmux(str(program), "controlroom", os.environ).run("list-panes", deadline=0.2)
    await wait_for_async(lambda: not [each for each in home.processes() if "sleep 4322" in each.command])


def put_script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


async def test_no_server_is_told_from_one_that_cannot_be_reached(home: World) -> None:
    assert await Tmux("tmux", "controlroom", os.environ).panes() is None
    program = home.directory / "other-tmux"
    put_script(program, "echo 'lost in space' >&2; exit 1")
    with pytest.raises(TmuxError, match="lost in space"):
        await Tmux(str(program), "controlroom", os.environ).panes()


# -- tmux comes, or does not answer at once

TMUX = shutil.which("tmux") or "/usr/bin/tmux"
BARE = "from controlroom.node import host; host._PLACES = (); from controlroom.node.main import main; main()"
"""A node that finds tmux on its PATH alone."""


@pytest.fixture
def tools(home: World, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on the PATH."""
    folder = home.home / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_tmux_that_is_installed_as_told_serves_at_once(tools: Path) -> None:
    with NodeClient((sys.executable, "-c", BARE)) as node:
        welcome = node.greet()
        assert (welcome.tmux, welcome.tmux_problem) == ("", "")
        assert node.spawn("one", 1, "/bin/sleep", "300") == Reply(1, Outcome.REFUSED, f"one does not start: {NO_TMUX}")
        wait_for(lambda: [text for text in node.notices() if NO_TMUX in text])
        (tools / "tmux").symlink_to(TMUX)
        assert node.spawn("one", 2, "/bin/sleep", "300").outcome == "done"
        found = node.wait(TmuxSeen, lambda seen: seen.version)
        assert (found.missing, found.problem) == (False, "")
        wait_for(lambda: NO_TMUX not in node.notices()[-1])
        assert node.kill("one", 2).outcome == "done"


def test_tmux_that_does_not_say_its_version_once_is_not_missing(tools: Path) -> None:
    (tools / "tmux").write_text(
        f'#!/bin/sh\nif test "$1" = -V && ! test -e {tools}/asked; then : >{tools}/asked; exec /bin/sleep 60; fi\n'
        f'exec {TMUX} "$@"\n'
    )
    (tools / "tmux").chmod(0o755)
    with NodeClient((sys.executable, "-c", BARE)) as node:
        welcome = node.greet()
        assert (welcome.tmux, welcome.tmux_problem) == ("", f"{tools}/tmux -V said nothing within 3 s")
        assert node.spawn("one", 1, "/bin/sleep", "300").outcome == "done"
        assert node.wait(TmuxSeen, lambda seen: seen.version).problem == ""
        assert not [text for text in node.notices() if NO_TMUX in text]
        assert node.kill("one", 1).outcome == "done"
