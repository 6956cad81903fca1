"""However the screen ends, the terminal is what it was: looked at in real panes of tmux."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from controlroom.tui.terminal.restore import SIGNALS
from tests.lab.terminal import Terminal
from tests.lab.waiting import wait_for
from tests.tui.terminals import ROOT, STAGE, Stage, app_of, assert_restored, modes, settled


def test_q_leaves_the_terminal_as_it_was(stage: Stage) -> None:
    terminal = stage()
    terminal.wait_for_text("docs-1")
    terminal.keys("q")
    assert_restored(terminal, 0)


def test_nothing_of_a_screen_that_grew_is_left_behind(stage: Stage) -> None:
    terminal = stage(size=(45, 20))
    terminal.wait_for_text("docs-1")
    terminal.resize(60, 30)
    wait_for(lambda: "─ agents ─" in terminal.screen(), 5, "the taller picture")
    terminal.keys("q")
    assert_restored(terminal, 0)
    assert "docs-1" not in terminal.screen()
    assert "agents" not in terminal.screen()


def test_ctrl_c_leaves_too(stage: Stage) -> None:
    terminal = stage()
    terminal.wait_for_text("docs-1")
    terminal.keys("s")
    terminal.wait_for_text("spawn an agent")
    terminal.keys("C-c")
    assert_restored(terminal, 0)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_leaves_the_terminal_as_it_was(stage: Stage, number: signal.Signals) -> None:
    terminal = stage()
    terminal.wait_for_text("docs-1")
    os.kill(app_of(terminal), number)
    assert_restored(terminal, 128 + number)


def test_a_mistake_of_our_own_leaves_the_terminal_and_a_sentence(stage: Stage) -> None:
    terminal = stage("crash")
    terminal.wait_for_text("one sentence: ZeroDivisionError")
    assert_restored(terminal, 70)
    assert b"Traceback" not in terminal.raw()
    assert b"sk-ant-" not in terminal.raw()


def test_a_terminal_that_goes_away_takes_the_app_with_it(stage: Stage) -> None:
    terminal = stage()
    terminal.wait_for_text("docs-1")
    app = app_of(terminal)
    terminal.tmux("kill-pane")
    wait_for(lambda: not psutil.pid_exists(app), 5, "the app to end")


@pytest.mark.parametrize("how", ["stuck", "hung"])
def test_a_screen_that_cannot_end_in_order_ends_all_the_same(stage: Stage, how: str) -> None:
    """`stuck`: closing takes for ever; `hung`: its loop does something else for ever."""
    terminal = stage(how)
    terminal.wait_for_text("docs-1")
    if how == "hung":
        terminal.keys("F9")
        terminal.wait_for_text(" hung ")
    os.kill(app_of(terminal), signal.SIGTERM)
    assert_restored(terminal, 143)


def test_a_signal_while_it_starts_leaves_the_terminal_as_it_was(stage: Stage) -> None:
    terminal = stage("early")
    assert_restored(terminal, 143)
    assert b"\x1b[?1049h" in terminal.raw(), "it was told when the screen was taken already"


def test_a_thing_that_is_killed_outright_leaves_it_to_reset(stage: Stage) -> None:
    """Nobody can give the terminal back after SIGKILL: this is what the manual says to do then."""
    terminal = stage("; reset; tput cnorm")
    terminal.wait_for_text("docs-1")
    os.kill(app_of(terminal), signal.SIGKILL)
    terminal.wait_for_text("left with")
    assert modes(terminal)["mouse_any_flag"] == "0"


class Shell(Terminal):
    """An interactive shell, which can put what it runs to the background."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, ["bash", "--norc", "--noprofile", "-i"], 120, 40, {"PS1": "$ "}, ROOT)


def stages(shell: Shell) -> list[psutil.Process]:
    """What runs below a shell of the stage."""
    below = psutil.Process(int(shell.tmux("display-message", "-p", "#{pane_pid}"))).children(recursive=True)
    found = [process for process in below if "tests.tui.stage" in process.cmdline()]
    assert found
    return found


@pytest.mark.parametrize("line", ["{}", "sh -c '{}; exit $?'"], ids=["itself", "below a script"])
def test_ctrl_z_and_fg(tmp_path: Path, line: str) -> None:
    shell = Shell(tmp_path)
    try:
        shell.wait_for_text("$")
        shell.type(line.format(STAGE) + "\n")
        shell.wait_for_text("docs-1", "q quit")
        settled(shell)
        before = shell.screen()
        shell.keys("C-z")
        shell.wait_for_text("Stopped")
        assert modes(shell) == {"alternate_on": "0", "cursor_flag": "1", "mouse_any_flag": "0"}
        shell.type("stty -a; echo in the 'shell'\n")
        assert {"icanon", "echo", "isig"} <= set(shell.wait_for_text("in the shell").split())
        shell.type("fg\n")

        def as_before() -> bool:
            assert shell.screen() == before
            return True

        wait_for(as_before, what="the screen as it was")
        assert modes(shell) == {"alternate_on": "1", "cursor_flag": "0", "mouse_any_flag": "1"}
        settled(shell)
        apps = stages(shell)
        shell.keys("j", "q")
        shell.wait_until_gone("docs-1")
        wait_for(lambda: not any(app.is_running() for app in apps), what="the app to end")

        def prompted() -> bool:
            """What is typed before the shell has its terminal back may be lost."""
            shell.type("echo left with $?\n")
            return "left with 0" in shell.screen()

        wait_for(prompted, what="the shell to listen", poll=0.3)
        assert_restored_modes(shell)
    finally:
        shell.close()


def test_a_stopped_screen_goes_with_its_terminal(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    try:
        shell.wait_for_text("$")
        shell.type(f"{STAGE}\n")
        shell.wait_for_text("docs-1", "q quit")
        stopped = stages(shell)
        shell.keys("C-z")
        shell.wait_for_text("Stopped")
    finally:
        shell.close()
    wait_for(lambda: not any(app.is_running() for app in stopped), what="the app to end")


def test_ctrl_z_where_no_shell_waits_stops_nothing(stage: Stage) -> None:
    terminal = stage()
    terminal.wait_for_text("docs-1")
    terminal.keys("C-z")
    terminal.wait_for_text("there is no shell under this screen; q leaves it")
    terminal.keys("q")
    assert_restored(terminal, 0)


def assert_restored_modes(terminal: Terminal) -> None:
    terminal.wait_for_text("left with 0")
    assert modes(terminal) == {"alternate_on": "0", "cursor_flag": "1", "mouse_any_flag": "0"}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("TERM=dumb {}", "can print lines and nothing more (TERM=dumb)"),
        ("{} | cat", "the screen needs a terminal; for scripts there is: controlroom status"),
        ("{} --theme nope", "there is no theme 'nope'; there are"),
    ],
)
def test_where_there_can_be_no_screen_there_is_a_sentence(tmp_path: Path, line: str, told: str) -> None:
    command = line.format(f"{sys.executable} -m controlroom") + "; echo left; sleep 600"
    terminal = Terminal(tmp_path / "t", command, 200, 20, {"CONTROLROOM_HOME": str(tmp_path / "room")}, ROOT)
    try:
        terminal.wait_for_text(told, "left")
        assert b"\x1b" not in terminal.raw()
        assert not (tmp_path / "room").exists()
    finally:
        terminal.close()


def test_an_engine_that_is_killed_leaves_a_screen_that_can_be_left(tmp_path: Path) -> None:
    """The whole program: a theme of one's own, the engine killed under the screen, which starts another one."""
    room = tmp_path / "room"
    (room / "themes").mkdir(parents=True, mode=0o700)
    (room / "themes" / "mine.toml").write_text('like = "dusk"\n[colours]\nbackground = "#102030"\n')
    (room / "config.toml").write_text('theme = "mine"\nlocal = false\n[keys]\nback = "}"\n')
    env = {"CONTROLROOM_HOME": str(room)}

    def engine() -> int:
        words = (room / "engine.lock").read_text().split()
        assert words, "an engine is just writing its name into the lock"
        return int(words[0])

    command = f"{sys.executable} -m controlroom; code=$?; stty -a; echo left with $code; sleep 600"
    terminal = Terminal(tmp_path / "t", command, 120, 40, {**env, "COLORTERM": "truecolor"}, ROOT)
    try:
        terminal.wait_for_text("No hosts yet", "} quit", deadline=30)
        assert "48;2;16;32;48m" in terminal.colours()
        first = engine()
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: engine() != first, 30, "another engine")
        terminal.keys("}")
        assert_restored(terminal, 0)
    finally:
        terminal.close()
        stop = [sys.executable, "-m", "controlroom", "stop"]
        subprocess.run(stop, env={**os.environ, **env}, capture_output=True, timeout=60, check=True)
