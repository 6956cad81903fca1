"""Agents that others started: sessions of the user's own tmux server, and Claudes, seen by a real node."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from controlroom.node.adopted.agents import AdoptedAgents
from controlroom.node.adopted.tmux import UserTmux
from controlroom.node.observation import processes
from controlroom.wire.messages import AdoptedSeen, Greet
from controlroom.wire.messages import Loads as LoadsSeen
from tests.lab.node_client import ROOM, NodeClient
from tests.lab.processes import everything
from tests.lab.waiting import wait_for
from tests.lab.world import World
from tests.node.adopted import (
    SESSION,
    last_line,
    node,
    say,
    session,
    spoke,
    tmux,
    transcript,
    under,
    wait_ended,
    wait_others,
)
from tests.node.on_host import evidence

__all__ = ["node"]


# -- sessions on the user's own tmux server


def test_sessions_without_a_claude_are_listed_as_what_they_are(home: World, node: NodeClient) -> None:
    pid = session("Büro 2", "exec bash --norc", home.home)
    session("build", "echo made 41 of 97; exec sleep 600")
    node.greet()
    seen = wait_others(node, lambda seen: seen["~build"].detail == "runs sleep")
    assert set(seen) == {"~buro-2", "~build"}
    shell, build = seen["~buro-2"], seen["~build"]
    assert (shell.kind, shell.epoch, shell.state, shell.pid) == ("adopted", 0, "idle", pid)
    assert (shell.place, shell.cwd) == ("tmux Büro 2", str(home.home))
    assert shell.pane.startswith("%")
    assert evidence(shell)["process"][0] == "idle"
    assert (build.state, evidence(build)["process"][0]) == ("unknown", "unknown")
    wait_for(lambda: last_line(node, "~build") == "made 41 of 97")
    loads = [load for told in node.all(LoadsSeen) for load in told.agents if load.name == "~build"]
    assert loads[-1].processes == 1
    assert loads[-1].rss > 0
    tmux("kill-session", "-t", "=build:")
    wait_others(node, lambda seen: set(seen) == {"~buro-2"})
    tmux("kill-server")
    wait_others(node, lambda seen: not seen)


def test_hostile_names_and_screens_do_nothing_and_are_told_apart(home: World, node: NodeClient) -> None:
    made = home.directory / "made"
    session("a", r"printf '\033]52;c;aGk=\007\033[2Jevil'; exec sleep 600")
    names = [f"x #(touch {made}) y", "-t", "~", "A", "é" * 300, "\u202emoc", "1\n2 3 %9 $(x)"]
    for name in names:
        session("plain", "exec sleep 600")
        tmux("rename-session", "-t", "=plain:", "--", name)
    made.unlink(missing_ok=True)  # tmux itself may have run it, when it was named
    node.greet()
    seen = wait_others(node, lambda seen: len(seen) == 1 + len(names))
    assert all(agent.place.startswith("tmux ") for agent in seen.values())
    assert {"~a", "~a-2"} <= set(seen)
    wait_for(lambda: (last_line(node, "~a") or "").endswith("evil"))
    assert not made.exists()


def test_nothing_is_told_where_it_is_not_wanted(home: World, node: NodeClient) -> None:
    session("one", "exec sleep 600")
    node.send(Greet("0.1.0", ROOM, adopt=False))
    node.spawn("own", 1, "sleep", "600")
    node.wait(LoadsSeen, lambda told: any(load.name == "own" for load in told.agents))
    assert not node.all(AdoptedSeen)


def test_agents_of_a_room_are_not_others(home: World, node: NodeClient, claude_program: Path) -> None:
    """Also one of another room, and whatever they start without their tag."""
    tags = {"CONTROLROOM_AGENT": "other/agent.1", "CONTROLROOM_PLACE": "1-2"}
    theirs = subprocess.Popen([claude_program, "600"], env={**os.environ, **tags})
    node.greet()
    node.spawn("own", 1, "env", "-u", "CONTROLROOM_AGENT", str(claude_program), "600")
    session("one", "exec sleep 600")
    try:
        wait_others(node, lambda seen: seen.get("~one"))
        wait_others(node, lambda seen: seen["~one"].detail == "runs sleep")
        assert all({agent.name for agent in told.agents} <= {"~one"} for told in node.all(AdoptedSeen))
    finally:
        theirs.kill()
        theirs.wait()


# -- Claudes


def test_a_claude_in_a_session_is_one_agent_with_the_state_it_writes(
    home: World, node: NodeClient, claude_program: Path
) -> None:
    pane = session("agent-1", f"{claude_program} 600 | tee log", home.home)
    pid = under(pane, "claude").pid
    say(home, pid, "busy", statusUpdatedAt=1795307430708)
    node.greet()
    seen = wait_others(node, lambda seen: seen["~agent-1"].state == "working")
    assert set(seen) == {"~agent-1"}
    one = seen["~agent-1"]
    assert (one.pid, one.session, one.since, one.place) == (pid, SESSION, 1795307430708, "tmux agent-1")
    assert {source: state for source, (state, _) in evidence(one).items()} == dict.fromkeys(
        ("session file", "process", "tmux"), "working"
    )
    say(home, pid, "waiting", waitingFor="permission prompt")
    assert wait_others(node, lambda seen: seen["~agent-1"].state == "waiting")["~agent-1"].detail == (
        "waits: permission prompt"
    )
    say(home, pid, "idle")
    wait_others(node, lambda seen: seen["~agent-1"].state == "idle")
    say(home, pid, "shell")
    wait_others(node, lambda seen: seen["~agent-1"].state == "working")
    say(home, pid, "busy", procStart="1")
    stale = wait_others(node, lambda seen: seen["~agent-1"].state == "unknown")["~agent-1"]
    assert "stale" in evidence(stale)["session file"][1]
    os.kill(pid, signal.SIGKILL)
    wait_others(node, lambda seen: not seen)


def test_a_claude_outside_of_tmux_is_named_after_its_folder(
    home: World, node: NodeClient, claude_program: Path
) -> None:
    folder = home.home / "My Project"
    folder.mkdir()
    claudes = [subprocess.Popen([claude_program, "600"], cwd=folder) for _ in range(2)]
    try:
        node.greet()
        seen = wait_others(node, lambda seen: len(seen) == 2)
        assert set(seen) == {"~my-project", "~my-project-2"}
        assert {agent.place for agent in seen.values()} == {f"pid {claude.pid}" for claude in claudes}
        assert {(agent.state, agent.pane, agent.cwd) for agent in seen.values()} == {("unknown", "", str(folder))}
        say(home, claudes[0].pid, "busy")
        wait_others(node, lambda seen: {agent.state for agent in seen.values()} == {"unknown", "working"})
    finally:
        for claude in claudes:
            claude.kill()
            claude.wait()
    wait_others(node, lambda seen: not seen)


def test_a_claude_that_another_started_is_a_part_of_it(home: World, node: NodeClient, claude_program: Path) -> None:
    """So is what a wrapper of the same name starts: the one with a session file is the agent."""
    script = f"'{claude_program}' 600 & exec -a claude '{claude_program}' 601"
    pane = session("work", f'exec bash -c "{script}"', home.home)
    outer = pane
    inner = wait_for(lambda: [one for one in everything() if one.parent == pane and one.name == "claude"])[0]
    say(home, outer, "idle")
    say(home, inner.pid, "busy")
    node.greet()
    seen = wait_others(node, lambda seen: seen["~work"].state == "idle")
    assert [agent.pid for agent in seen.values()] == [outer]
    (home.home / ".claude" / "sessions" / f"{outer}.json").unlink()
    seen = wait_others(node, lambda seen: seen["~work"].state == "working")
    assert [agent.pid for agent in seen.values()] == [inner.pid]


def test_a_claude_with_another_home_is_somebody_elses(home: World, node: NodeClient, claude_program: Path) -> None:
    elsewhere = subprocess.Popen([claude_program, "600"], env={**os.environ, "HOME": "/elsewhere"})
    here = subprocess.Popen([claude_program, "600"], cwd=home.home)
    try:
        node.greet()
        seen = wait_others(node, lambda seen: seen)
        assert [agent.pid for agent in seen.values()] == [here.pid]
    finally:
        for claude in (elsewhere, here):
            claude.kill()
            claude.wait()


def test_what_is_called_in_another_script_is_told_apart_and_found_again(home: World, node: NodeClient) -> None:
    names = ("前端", "后端", "日本語 server", "server", "работа")
    for name in names:
        session(name, "exec sleep 600")
    node.greet()
    first = wait_others(node, lambda seen: len(seen) == len(names))
    assert {agent.place for agent in first.values()} == {f"tmux {name}" for name in names}
    assert "~server" in first
    assert not any(name.startswith("~unnamed") or name.endswith("-2") for name in first)
    with NodeClient() as another:
        another.greet()
        again = wait_others(another, lambda seen: len(seen) == len(names))
    assert {one.place: one.name for one in again.values()} == {one.place: one.name for one in first.values()}


def test_a_session_that_is_renamed_stays_the_same_agent(home: World, node: NodeClient, claude_program: Path) -> None:
    pid = under(session("work", f"{claude_program} 600", home.home), "claude").pid
    session("plain", "exec sleep 600")
    say(home, pid, "busy")
    node.greet()
    wait_others(node, lambda seen: seen["~work"].place == "tmux work" and seen["~plain"].place == "tmux plain")
    tmux("rename-session", "-t", "=work:", "deploy")
    tmux("rename-session", "-t", "=plain:", "other")
    seen = wait_others(node, lambda seen: seen["~work"].place == "tmux deploy" and seen["~plain"].place == "tmux other")
    assert (set(seen), seen["~work"].session) == ({"~work", "~plain"}, SESSION)


def test_a_claude_that_is_stopped_is_paused_until_it_goes_on(
    home: World, node: NodeClient, claude_program: Path
) -> None:
    """One that is a pane's own process tmux itself would let go on at once."""
    pid = under(session("work", f"'{claude_program}' 600; exec sleep 601", home.home), "claude").pid
    say(home, pid, "busy")
    node.greet()
    wait_others(node, lambda seen: seen["~work"].state == "working")
    os.kill(pid, signal.SIGSTOP)
    seen = wait_others(node, lambda seen: seen["~work"].state == "paused")["~work"]
    assert seen.detail == f"process {pid} (claude) is stopped by a signal; who sent it is not recorded"
    assert evidence(seen)["process"] == ("paused", seen.detail)
    assert (seen.pid, seen.ended, evidence(seen)["session file"][0]) == (pid, 0, "working")
    os.kill(pid, signal.SIGCONT)
    wait_others(node, lambda seen: seen["~work"].state == "working")


# -- transcripts


@pytest.fixture
def claude(home: World, claude_program: Path) -> int:
    """A Claude in a session, with its session file; its pid."""
    pid = under(session("talk", f"{claude_program} 600", home.home), "claude").pid
    say(home, pid, "busy")
    return pid


def test_its_newest_words_and_its_model_are_those_of_its_transcript(home: World, node: NodeClient, claude: int) -> None:
    path = transcript(home, home.home)
    noise = json.dumps({"type": "api-request-shape", "x": "y" * 300_000}) + "\n"
    path.write_text(spoke("old", model="claude-sonnet-5") + noise * 3 + spoke("hello there") + noise)
    node.greet()
    wait_for(lambda: last_line(node, "~talk") == "hello there")
    assert wait_others(node, lambda seen: seen["~talk"].model)["~talk"].model == "claude-opus-5-5"
    with path.open("a") as file:
        file.write(spoke("sub", isSidechain=True) + spoke("no model", model="<synthetic>") + '{"type":"assistant"')
    wait_for(lambda: last_line(node, "~talk") == "no model")
    with path.open("a") as file:
        file.write("}\n" + spoke("key sk-ant-api03-abcdefghijklmnop"))
    wait_for(lambda: (last_line(node, "~talk") or "").startswith("key "))
    assert "abcdefghijklmnop" not in str(last_line(node, "~talk"))
    say(home, claude, "busy", sessionId=SESSION.replace("1", "2"))
    transcript(home, home.home, SESSION.replace("1", "2")).write_text(spoke("a new session"))
    wait_for(lambda: last_line(node, "~talk") == "a new session", 20)


NO_TRANSCRIPTS: dict[str, Callable[[Path, Path], object]] = {
    "link": lambda path, secret: path.symlink_to(secret),
    "fifo": lambda path, secret: os.mkfifo(path),
    "folder": lambda path, secret: path.mkdir(),
    "depth": lambda path, secret: path.write_bytes(b'"type":"assistant"' + b"[" * 400_000 + b"\n\xff\xfe\0\n{}\n"),
    "nan": lambda path, secret: path.write_text('{"type":"assistant","message":[{}],"timestamp":NaN}\n' * 100),
    "hole": lambda path, secret: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 2**40),
}


def test_a_transcript_that_is_none_says_nothing(home: World, node: NodeClient, claude_program: Path) -> None:
    secret = home.home / "secret"
    secret.write_text(spoke("a secret"))
    for number, (name, put) in enumerate(NO_TRANSCRIPTS.items()):
        pid = under(session(name, f"{claude_program} 600", home.home), "claude").pid
        say(home, pid, "busy", sessionId=f"{SESSION[:-2]}{number + 10}")
        put(transcript(home, home.home, f"{SESSION[:-2]}{number + 10}"), secret)
    node.greet()
    seen = wait_others(node, lambda seen: {agent.state for agent in seen.values()} == {"working"})
    assert set(seen) == {f"~{name}" for name in NO_TRANSCRIPTS}
    sound = under(session("sound", f"{claude_program} 600", home.home), "claude").pid
    say(home, sound, "idle")
    transcript(home, home.home).write_text(spoke("all is well"))
    wait_for(lambda: last_line(node, "~sound") == "all is well", 20)
    assert not any(last_line(node, name) for name in seen)


def test_a_session_file_may_be_anybodys_writing(home: World, node: NodeClient, claude: int) -> None:
    secret = home.home / "secret.jsonl"
    secret.write_text(spoke("a secret") + json.dumps({"status": "busy"}))
    writings: list[tuple[Callable[[Path], object], str]] = [
        (lambda path: path.symlink_to(secret), "unknown"),
        (lambda path: os.mkfifo(path), "unknown"),
        (lambda path: path.write_text('{"status":["busy"]}'), "unknown"),
        (lambda path: path.write_text('{"status":"on fire"}'), "unknown"),
        (lambda path: path.write_text('{"status":"busy","sessionId":"../../../../secret","cwd":7}'), "working"),
        (lambda path: path.write_text('{"status":"busy","statusUpdatedAt":NaN}'), "unknown"),
        (lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 2**40), "unknown"),
    ]
    node.greet()
    for write, state in writings:
        path = say(home, claude, "idle")
        wait_others(node, lambda seen: seen["~talk"].state == "idle")
        path.unlink()
        write(path)
        wait_others(node, lambda seen, state=state: (seen["~talk"].state, seen["~talk"].session) == (state, ""))  # type: ignore[misc]
        path.unlink()
    assert last_line(node, "~talk") != "a secret"


# -- limits, and how it ended

LIMIT: dict[str, Any] = {"error": "rate_limit", "isApiErrorMessage": True, "apiErrorStatus": 429}


def limit(ends: int) -> dict[str, Any]:
    """Fields of a line that tells of a plan's limit (Claude Code 2.1.332, observed). `ends`: UTC seconds."""
    info = {"status": "rejected", "resetsAt": ends, "rateLimitType": "five_hour"}
    return {**LIMIT, "apiError": "usage_limit_reached", "apiErrorParams": {"rate_limit_info": info}}


def test_an_idle_claude_at_its_limit_is_limited_until_then(home: World, node: NodeClient, claude: int) -> None:
    path, ends = transcript(home, home.home), int(time.time()) + 7200
    path.write_text(spoke("hello"))
    node.greet()
    wait_for(lambda: last_line(node, "~talk") == "hello")
    with path.open("a") as file:
        file.write(spoke("You've hit your 5-hour limit · resets 9pm", model="<synthetic>", **limit(ends)))
    say(home, claude, "idle")
    seen = wait_others(node, lambda seen: seen["~talk"].state == "limited")["~talk"]
    assert (seen.limited_until, seen.detail) == (ends * 1000, "You've hit your 5-hour limit · resets 9pm")
    with path.open("a") as file:
        file.write(spoke("I go on"))
    seen = wait_others(node, lambda seen: seen["~talk"].state == "idle")["~talk"]
    assert (seen.limited_until, seen.detail) == (0, "")


def test_when_the_limit_is_long_over_it_is_idle_and_says_why(home: World, node: NodeClient, claude: int) -> None:
    path = transcript(home, home.home)
    path.write_text(spoke("You've hit your limit", model="<synthetic>", **limit(int(time.time()) - 600)))
    say(home, claude, "idle")
    node.greet()
    seen = wait_others(node, lambda seen: seen["~talk"].state == "idle")["~talk"]
    assert seen.detail == "its limit is over, and it has not gone on by itself"


TOOL = '{"type":"assistant","timestamp":"2026-11-22T06:00:00.000Z","message":{"content":[{"type":"tool_use"}]}}\n'
REFUSED: dict[str, Any] = {"error": "authentication_failed", "isApiErrorMessage": True, "apiErrorStatus": 401}
UNKNOWN_EXIT = "; its exit code is not known"


@pytest.mark.parametrize(
    ("said", "state", "detail"),
    [
        (spoke("all done"), "done", "its last turn was over" + UNKNOWN_EXIT),
        (spoke("I look") + TOOL, "failed", "it ended in the middle of a turn" + UNKNOWN_EXIT),
        (spoke("Invalid API key", model="<synthetic>", **REFUSED), "failed", "Invalid API key" + UNKNOWN_EXIT),
        (spoke("your limit", model="<synthetic>", **limit(4_000_000_000)), "limited", "your limit"),
        ("", "unknown", "it has ended, and nothing says how: its exit code is not known; it was busy when last seen"),
    ],
)
def test_one_that_ends_is_told_with_what_is_known_and_can_still_be_read(
    home: World, node: NodeClient, claude: int, said: str, state: str, detail: str
) -> None:
    transcript(home, home.home).write_text(said)
    node.greet()
    wait_others(node, lambda seen: seen["~talk"].state == "working")
    os.kill(claude, signal.SIGKILL)
    seen = wait_ended(node, "~talk")
    assert (seen.state, seen.detail, seen.pid, seen.exit_code) == (state, detail, 0, None)
    assert (seen.session, seen.ended >= seen.started > 0) == (SESSION, True)
    assert bool(node.fetch("~talk", 0).data) is bool(said)
    wait_others(node, lambda seen: not seen)


def test_one_that_has_removed_its_session_file_is_still_known_by_it(home: World, node: NodeClient, claude: int) -> None:
    """Claude removes it a moment before it ends."""
    transcript(home, home.home).write_text(spoke("all done"))
    node.greet()
    wait_others(node, lambda seen: seen["~talk"].state == "working")
    (home.home / ".claude" / "sessions" / f"{claude}.json").unlink()
    seen = wait_others(node, lambda seen: seen["~talk"].state == "unknown")["~talk"]
    assert (seen.session, seen.detail) == (SESSION, "its session file is gone: it is ending")
    os.kill(claude, signal.SIGKILL)
    assert (wait_ended(node, "~talk").state, wait_ended(node, "~talk").session) == ("done", SESSION)


def test_the_end_of_one_that_lived_for_a_moment_is_told_though_it_was_seen_without_its_session_file(
    home: World, claude_program: Path
) -> None:
    """Claude removes it before it ends, and one so young without a file would not be listed for the first time."""
    others = AdoptedAgents(UserTmux("", os.environ), str(home.home))
    with subprocess.Popen([claude_program, "600"], cwd=home.home) as claude:
        try:
            path = say(home, claude.pid, "busy")
            others.look(processes.look(), 1.0)
            assert [agent.state for agent in others.seen()] == ["working"]
            path.unlink()
            others.look(processes.look(), 2.0)
            assert [agent.detail for agent in others.seen()] == ["its session file is gone: it is ending"]
        finally:
            claude.kill()
    others.look(processes.look(), 3.0)
    assert (others.seen(), [agent.pid for agent in others.ended()]) == ((), [0])


def test_a_session_that_is_left_without_its_claude_is_another_agent(
    home: World, node: NodeClient, claude_program: Path
) -> None:
    pane = session("work", f"'{claude_program}' 600; exec sleep 601", home.home)
    pid = under(pane, "claude").pid
    say(home, pid, "busy")
    node.greet()
    wait_others(node, lambda seen: seen["~work"].state == "working")
    os.kill(pid, signal.SIGKILL)
    assert wait_ended(node, "~work").pid == 0
    wait_others(node, lambda seen: set(seen) == {"~work-2"})


# -- what it costs


def test_one_tmux_client_a_second_at_most(home: World, node: NodeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is looked at: our own server, the user's, and the screens of many panes there."""
    log, program = home.directory / "calls", home.directory / "bin" / "tmux"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\ndate +%s%N >> {log}\nexec {shutil.which("tmux")} "$@"\n')
    program.chmod(0o755)
    for number in range(12):
        session(f"s{number}", "while :; do date; sleep 0.2; done")
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    with NodeClient() as watched:
        watched.greet()
        assert watched.spawn("own", 1, "sleep", "600").outcome == "done"
        begun = len(log.read_text().split())
        wait_for(lambda: all(last_line(watched, f"~s{number}") for number in range(12)), 30)
        wait_for(lambda: len(log.read_text().split()) >= begun + 6, 30)
    calls = [int(word) for word in log.read_text().split()[begun:]]
    pauses = [(after - before) / 1e9 for before, after in pairwise(calls)]
    assert min(pauses) > 0.5, pauses


def test_a_tmux_server_of_the_user_that_hangs_holds_nobody_up(
    home: World, node: NodeClient, claude_program: Path
) -> None:
    session("one", "exec sleep 600")
    server = int(tmux("display-message", "-p", "#{pid}"))
    outside = subprocess.Popen([claude_program, "600"], cwd=home.home)
    os.kill(server, signal.SIGSTOP)
    try:
        node.greet()
        assert node.spawn("own", 1, "sleep", "600").outcome == "done"
        seen = wait_others(node, lambda seen: seen, 30)
        assert [agent.pid for agent in seen.values()] == [outside.pid]
        assert node.kill("own", 1).outcome == "done"
    finally:
        os.kill(server, signal.SIGCONT)
        outside.kill()
        outside.wait()


def test_the_users_own_server_is_found_where_the_login_shell_has_it(
    home: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node itself was started without that variable, as by ssh; and the server is begun after it."""
    monkeypatch.setenv("SHELL", "/bin/bash")
    folder = home.home / "sockets"
    folder.mkdir(mode=0o700)
    (home.home / ".bash_profile").write_text(f"export TMUX_TMPDIR={folder}\n")
    with NodeClient() as node:
        node.send(Greet("0.1.0", ROOM, "", adopt=True))
        session("here", "sleep 300")
        wait_others(node, lambda seen: seen["~here"])
        monkeypatch.setenv("TMUX_TMPDIR", str(folder))
        session("there", "sleep 300")
        wait_others(node, lambda seen: seen["~there"])
        tmux("kill-server")
