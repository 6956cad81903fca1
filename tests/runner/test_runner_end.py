"""How an agent ends under its runner: by itself, by order, by a signal, with its pane."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from controlroom.runner import process_tree
from tests.lab.agent_under_test import RUN, Agent, MakeAgent, alive
from tests.lab.waiting import wait_for
from tests.lab.world import World


@pytest.mark.parametrize(
    ("script", "state", "detail", "code", "number"),
    [
        ("exit 0", "done", "", 0, None),
        ("exit 3", "failed", "exit 3", 3, None),
        ("kill -SEGV $$", "failed", "killed by SIGSEGV", None, signal.SIGSEGV),
        ("kill -KILL $$", "failed", "killed by SIGKILL", None, signal.SIGKILL),
    ],
)
def test_the_true_end_is_told(
    agent: MakeAgent, script: str, state: str, detail: str, code: int | None, number: int | None
) -> None:
    seen = agent("sh", "-c", script).start().finish()
    assert (seen.state, seen.detail, seen.exit_code, seen.exit_signal) == (state, detail, code, number)
    assert (seen.pid, seen.started, seen.ended > 0) == (0, 1_795_307_427_677, True)
    assert [(entry.source, entry.state) for entry in seen.evidence] == [("runner", state)]


def test_end_leaves_nothing_whatever_hides(agent: MakeAgent) -> None:
    script = "setsid sleep 300 & (sleep 301 &) ; env -i /bin/sh -c 'setsid /bin/sleep 302 & exit' ; echo up; sleep 303"
    run = agent("sh", "-c", script).start()
    wait_for(lambda: run.lines() == ["up"])
    tree = wait_for(lambda: (found := below(run.process.pid)) if len(below(run.process.pid)) == 5 else found[:0])
    assert run.ask(do="end", why="enough") == ""
    assert [pid for pid in tree if alive(pid)] == []
    seen = run.finish()
    assert (seen.state, seen.detail, seen.exit_signal) == ("done", "enough", signal.SIGTERM)


def below(root: int) -> list[int]:
    return sorted(process_tree.descendants(root, process_tree.snapshot()))


def test_what_ignores_term_is_killed_after_a_while(agent: MakeAgent) -> None:
    run = agent("sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done").start()
    wait_for(lambda: run.lines() == ["up"])
    assert run.ask(do="end") == ""
    assert run.finish().exit_signal == signal.SIGKILL


def test_what_an_agent_leaves_behind_is_ended_and_told(agent: MakeAgent) -> None:
    run = agent("sh", "-c", "setsid sleep 300 & echo $!").start()
    assert run.finish().state == "done"
    assert not alive(int(run.lines()[0]))
    assert any("left behind: sleep" in line for line in run.lines("n"))


def test_a_runner_that_is_killed_takes_its_agent_along(agent: MakeAgent) -> None:
    run = agent("sleep", "300").start()
    pid = run.running().pid
    run.process.kill()
    run.process.wait(60)
    wait_for(lambda: not alive(pid))


@pytest.mark.parametrize(
    ("number", "words"),
    [(signal.SIGHUP, "its tmux session was closed"), (signal.SIGTERM, "its runner was told to end")],
)
def test_a_runner_that_must_go_ends_its_tree_first(agent: MakeAgent, number: int, words: str) -> None:
    run = agent("sh", "-c", "setsid sleep 300 & echo $!; wait").start()
    wait_for(run.lines)
    run.process.send_signal(number)
    seen = run.finish()
    assert (seen.state, seen.detail.startswith(words)) == ("failed", True)
    assert not alive(int(run.lines()[0]))


def test_ctrl_c_in_the_pane_goes_to_the_command(agent: MakeAgent) -> None:
    run = agent("sh", "-c", "trap 'echo caught; exit 4' INT; echo up; while :; do sleep 0.1; done").start()
    wait_for(lambda: run.lines() == ["up"])
    run.process.send_signal(signal.SIGINT)
    assert run.finish().exit_code == 4
    assert run.lines() == ["up", "caught"]


def test_its_time_is_limited(agent: MakeAgent) -> None:
    seen = agent("sleep", "300", max_hours=0.0001).start().finish()
    assert (seen.state, seen.detail) == ("failed", "stopped after 0.0001 h (max_hours)")


@pytest.fixture
def tmux(home: World, need: Callable[..., str]) -> Callable[..., str]:
    """`tmux("kill-session", "-t", "x")` on a server of the test's own; what it printed."""
    program = [need("tmux"), "-S", str(home.tmux / "runner"), "-f", "/dev/null"]

    def call(*words: str) -> str:
        return subprocess.run([*program, *words], env={"PATH": os.environ["PATH"]}, check=True, timeout=60,
                              stdout=subprocess.PIPE, text=True).stdout  # fmt: skip

    return call


def in_a_pane(tmux: Callable[..., str], run: Agent) -> None:
    argv = (sys.executable, "-I", "-S", RUN, str(run.folder))
    tmux("new-session", "-d", "-s", "x", "-x", "60", "-y", "10", "--", *argv)


def test_a_pane_shows_the_log(agent: MakeAgent, tmux: Callable[..., str]) -> None:
    run = agent("sh", "-c", r"echo one; printf '\033[32mgreen\033[0m \033[2J\033]0;owned\007\n'; sleep 300")
    in_a_pane(tmux, run)
    wait_for(lambda: "green ␛␛" in tmux("capture-pane", "-p", "-t", "=x:"))
    assert tmux("capture-pane", "-p", "-t", "=x:").split() == ["one", "green", "␛␛"]
    terminal = tmux("display-message", "-p", "-t", "=x:", "#{pane_tty}").strip()
    assert (
        "-echo"
        in subprocess.run(["stty", "-F", terminal, "-a"], check=True, capture_output=True, text=True).stdout.split()
    )
    assert tmux("display-message", "-p", "-t", "=x:", "#{pane_title}").strip() != "owned"
    run.ask(do="end")


@pytest.mark.parametrize("how", [("kill-session", "-t", "=x"), ("kill-server",)], ids=["session", "server"])
def test_a_closed_session_ends_the_agent_and_is_told(
    agent: MakeAgent, tmux: Callable[..., str], how: tuple[str, ...]
) -> None:
    run = agent("sh", "-c", "trap '' HUP; setsid sleep 300 & echo $!; wait")
    in_a_pane(tmux, run)
    wait_for(run.lines)
    tmux(*how)
    run.until(lambda seen: seen.ended)
    assert (run.seen().state, run.seen().detail) == ("failed", "its tmux session was closed")
    assert not alive(int(run.lines()[0]))


def test_ctrl_c_typed_into_the_pane_reaches_the_command(agent: MakeAgent, tmux: Callable[..., str]) -> None:
    run = agent("sh", "-c", "trap 'exit 4' INT; echo up; while :; do sleep 0.1; done")
    in_a_pane(tmux, run)
    wait_for(run.lines)
    tmux("send-keys", "-t", "=x:", "C-z", "C-\\", "C-c")
    assert run.until(lambda seen: seen.exit_code) == 4


# -- names and bytes that are not ASCII, whatever the locale
