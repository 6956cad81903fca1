"""The demo on the real engine, node, runner, tmux and files: every state is seen, and nothing is left."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil
import pytest

from controlroom.demo import play
from controlroom.demo.cast import NATURAL, cast
from controlroom.demo.sweep import processes
from controlroom.demo.world import TOKEN, NoDemo, World
from controlroom.protocol.home import find_home
from controlroom.runner.folder import state_folder
from tests.end_to_end.room import here
from tests.lab.price_files import LIST
from tests.lab.terminal import Terminal
from tests.lab.waiting import wait_for
from tests.lab.world import World as Home

pytestmark = pytest.mark.usefixtures("no_leftovers")


class Demo:
    """`controlroom demo --hold` as a process, and what belongs to it."""

    def __init__(self, agents: int) -> None:
        words = [sys.executable, "-m", "controlroom", "demo", "--hold", "--agents", str(agents)]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True)
        assert self.process.stdout
        line = self.process.stdout.readline().strip()
        assert line.startswith("CONTROLROOM_HOME="), line
        self.folder = Path(line.partition("=")[2])
        self.namespace = find_home({"CONTROLROOM_HOME": str(self.folder)}).namespace

    def run(self, *words: str) -> str:
        """Run a verb in the demo's room."""
        with patch.dict(os.environ, CONTROLROOM_HOME=str(self.folder)):
            return here(words)[1]

    def agents(self) -> dict[str, dict[str, Any]]:
        """The agents of its status by name."""
        return {agent["name"]: agent for agent in json.loads(self.run("status", "--json"))["agents"]}

    def states(self) -> dict[str, str]:
        """What its agents do."""
        return {name: agent["state"] for name, agent in self.agents().items()}

    def tasks(self) -> set[str]:
        """The states that tasks of its queue are in."""
        return {each["state"] for each in json.loads(self.run("task", "list", "--all", "--json"))["tasks"]}

    def processes(self) -> list[psutil.Process]:
        """Its processes, the one we started and the sweeper too."""
        sweepers = [one for one in psutil.process_iter() if _mentions(one, self.folder)]
        return [*processes(self.folder, self.namespace), *sweepers]

    def end(self, number: int) -> int:
        """End it by a signal; give its exit code."""
        self.process.send_signal(number)
        code = self.process.wait(60)
        assert self.process.stdout
        self.process.stdout.close()
        return code


def _mentions(process: psutil.Process, folder: Path) -> bool:
    try:
        return any(str(folder) in word for word in process.cmdline()) or process.environ().get(TOKEN) == str(folder)
    except psutil.Error:
        return False


@pytest.fixture
def start(home: Home) -> Iterator[Callable[[int], Demo]]:
    demos: list[Demo] = []

    def begin(agents: int) -> Demo:
        demos.append(Demo(agents))
        return demos[-1]

    yield begin
    for demo in demos:
        if demo.process.poll() is None:
            demo.end(signal.SIGTERM)


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if not path.is_dir()]


def test_every_state_is_seen_and_answers_are_obeyed(start: Callable[[int], Demo], home: Home) -> None:
    demo = start(14)
    expected = {
        "docs-1": "waiting",
        "infra": "waiting",
        "api-3": "working",
        "web-2": "working",
        "lint-1": "working",
        "serve": "working",
        "test-4": "limited",
        "perf-5": "idle",
        "fix-7": "done",
        "audit-6": "done",
        "backup": "done",
        "seed-9": "failed",
        "parse-8": "failed",
        "migrate": "failed",
    }
    wait_for(lambda: expected.items() <= demo.states().items(), 60, "every state of the demo", poll=0.2)
    agents = demo.agents()
    assert agents["audit-6"]["detail"] == "done, 3 denied"
    assert (agents["parse-8"]["exit_signal"], agents["migrate"]["exit_code"]) == (signal.SIGSEGV, 3)
    assert agents["test-4"]["limited_until"]
    assert "git push origin docs/update" in agents["docs-1"]["question"]["text"]

    assert (agents["docs-1"]["billing"], agents["web-2"]["billing"]) == ("api", "plan")
    wait_for(lambda: demo.agents()["docs-1"]["spent_usd"], 20, "what it has cost")
    limits = {f"{one['account']} {one['limit']}": one for one in json.loads(demo.run("limits", "--json"))["limits"]}
    windows = {name: one["used_percent"] for name, one in limits.items() if one["kind"] == "window"}
    assert windows == {
        "you@example.org 5 h": 37, "you@example.org week": 61, "team@example.org 5 h": 100, "team@example.org week": 61,
    }  # fmt: skip
    assert limits["API requests sonnet-5-5"]["limit_per_minute"]

    demo.run("answer", "state:asks name:docs-1", "deny", "--yes")
    demo.run("send", "perf-5", "Look at the commits only.")
    wait_for(lambda: "Not pushed" in demo.run("logs", "docs-1"), 20, "the answer to be obeyed")
    wait_for(lambda: "Going on with: Look at the commits" in demo.run("logs", "perf-5"), 20, "the message to arrive")
    what_a_script_has_started_is_taken_over(demo)
    a_fleet_file_is_applied(demo)
    demo.run("reassign", "fix-7", "--task", "Fix the next one.")
    wait_for(lambda: demo.agents()["fix-7"]["run"] == 2, 20, "the new epoch")
    wait_for(lambda: {"done", "running", "waiting"} <= demo.tasks(), 60, "a queue at work", poll=0.2)

    assert demo.end(signal.SIGINT) == 0
    assert_gone(demo, home)


def what_a_script_has_started_is_taken_over(demo: Demo) -> None:
    scripts = {"~crawl-1", "~crawl-2", "~try-this"}
    assert {name for name in demo.agents() if name.startswith("~")} == scripts, "and nobody else's"
    assert f"controlroom fleet plan {demo.folder}/fleet.toml" in demo.run("logs", "~try-this", "-n", "30")
    demo.run("adopt", "crawl-*", "--profile", "careful", "--yes")
    agents = demo.agents()
    assert [agents[name]["taken_over_as"] for name in sorted(scripts)] == ["crawl-1", "crawl-2", None]
    assert "it is ended past 8 h, 2048 MiB of memory" in demo.run("explain", "~crawl-1")
    demo.run("kill", "~crawl-2", "--yes")
    wait_for(lambda: "~crawl-2" not in demo.agents() or demo.agents()["~crawl-2"]["ended"], 20, "its end")


def a_fleet_file_is_applied(demo: Demo) -> None:
    file = str(demo.folder / "fleet.toml")
    changes = json.loads(demo.run("fleet", "plan", file, "--json"))["changes"]
    assert [(each["action"], each["name"]) for each in changes] == [
        ("start", "editor"), ("start", "page-1"), ("start", "page-2"), ("add", "links"), ("add", "notes"),
    ]  # fmt: skip
    demo.run("fleet", "apply", file, "--yes")
    again = json.loads(demo.run("fleet", "plan", file, "--json"))["changes"]
    assert [each["action"] for each in again] == [None] * len(changes), "to apply it again changes nothing"


def test_a_verb_that_comes_at_once_meets_the_demos_own_engine(start: Callable[[int], Demo], home: Home) -> None:
    """An engine that the verb had to start would have the user's environment, and leave nodes in the user's cache."""
    demo = start(1)
    assert find_home({"CONTROLROOM_HOME": str(demo.folder)}).running_socket().exists()
    wait_for(lambda: demo.states(), 30, "an agent")
    assert demo.end(signal.SIGTERM) == 128 + signal.SIGTERM
    assert_gone(demo, home)


def test_it_may_end_while_it_begins(start: Callable[[int], Demo], home: Home) -> None:
    demo = start(8)
    assert demo.end(signal.SIGHUP) == 128 + signal.SIGHUP
    assert_gone(demo, home)


def test_a_signal_in_the_midst_of_an_event_loop_is_not_lost() -> None:
    """What a loop calls may raise only two kinds of errors past the loop."""

    def told() -> None:
        raise play.Told(signal.SIGTERM)

    async def busy() -> None:
        asyncio.get_running_loop().call_soon(told)
        await asyncio.wait_for(asyncio.Event().wait(), 60)

    with pytest.raises(play.Told):
        asyncio.run(busy())


def test_an_engine_started_anew_goes_too_though_the_demo_is_killed(start: Callable[[int], Demo], home: Home) -> None:
    demo = start(1)
    wait_for(lambda: len(demo.states()) == 1, 30, "an agent")
    demo.run("stop")
    demo.run("status")
    assert demo.end(signal.SIGKILL) == -signal.SIGKILL
    wait_for(lambda: not demo.processes(), 30, "every process to be gone")
    shutil.rmtree(home.home / ".cache")  # this engine was started by the user, and used the user's cache of nodes
    assert_gone(demo, home)


def assert_gone(demo: Demo, home: Home) -> None:
    wait_for(lambda: not demo.processes(), 30, "every process to be gone")
    wait_for(lambda: not demo.folder.exists(), 30, "the folder to be gone")
    assert not Path(state_folder(os.environ, demo.namespace)).exists()
    assert not [path for path in files_below(home.tmux) if demo.namespace in path.name and _answers(path)]
    assert files_below(home.home) == []
    assert [path.name for path in files_below(home.room)] == [LIST], "as it was before"


def _answers(socket: Path) -> bool:
    return subprocess.run(["tmux", "-S", str(socket), "ls"], capture_output=True).returncode == 0


def test_the_screen_is_alive_and_takes_all_with_it(home: Home, tmux_screen: Callable[..., Terminal]) -> None:
    screen = tmux_screen([sys.executable, "-m", "controlroom", "demo", "--agents", "1"], width=140, height=40)
    screen.wait_for_text("docs-1", "waiting", deadline=30)
    screen.keys("q")
    assert screen.wait_for_exit(30) == 0
    assert files_below(home.home) == []


def screens(home: Home) -> list[psutil.Process]:
    """The screens of demos of this test's world."""
    screens = [one for one in home.processes() if one.command.endswith("-m controlroom")]
    found = []
    for screen in screens:
        with contextlib.suppress(psutil.Error):
            found.append(psutil.Process(screen.pid))
    return found


def demo_folders(home: Home) -> set[str]:
    """The folders of demos that somebody of this world still uses."""
    return {process.command for process in home.processes() if "controlroom-demo-" in process.command}


def test_a_screen_that_dies_gives_the_terminal_back(home: Home, tmux_screen: Callable[..., Terminal]) -> None:
    demo = f"{sys.executable} -m controlroom demo --agents 2"
    command = f"{demo}; echo ended with $?; stty -a | grep -o ' icanon'; read -r line"
    screen = tmux_screen(["bash", "-c", command], width=100, height=30)
    screen.wait_for_text("api-3", "working", deadline=30)
    (process,) = screens(home)
    folder = Path(process.environ()[TOKEN])
    process.kill()
    screen.wait_for_text("ended with 137", "icanon", deadline=30)
    assert "api-3" not in screen.screen()
    assert not folder.exists()
    wait_for(lambda: not demo_folders(home), 10, "the demo to be gone")


def test_a_terminal_that_goes_away_ends_it(home: Home, tmux_screen: Callable[..., Terminal]) -> None:
    screen = tmux_screen([sys.executable, "-m", "controlroom", "demo", "--agents", "2"])
    screen.wait_for_text("api-3", "working", deadline=30)
    screen.close()
    wait_for(lambda: not demo_folders(home) and not screens(home), 20, "the demo to be gone")


def test_it_wants_a_terminal(home: Home) -> None:
    words = [sys.executable, "-m", "controlroom", "demo"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 1
    assert "controlroom demo --hold" in done.stderr


def test_without_tmux_it_says_what_to_do(home: Home) -> None:
    environ = {**os.environ, "PATH": "/nonexistent"}
    done = subprocess.run(
        [sys.executable, "-m", "controlroom", "demo", "--hold"], env=environ, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "the demo needs tmux: install it (Debian: apt-get install tmux), then try again\n"


def test_the_room_of_the_user_is_not_touched(home: Home, tmp_path: Path) -> None:
    with World(cast(2), os.environ, lambda folder: "0123456789ab", NATURAL) as world:
        inside = str(world.folder)
        environ = world.environ
        changed = {name for name, value in environ.items() if os.environ.get(name) != value}
        assert all(inside in environ[name] for name in changed - {"PYTHONPATH", "PYTHONUSERBASE"})
        assert "HOME" in changed, "what else the user runs is not shown, and cannot be taken over"
        assert world.folder.stat().st_mode & 0o777 == 0o700
        assert find_home(environ).config.read_text().startswith("adopt = false")
    assert not world.folder.exists()


def test_a_world_needs_tmux() -> None:
    with pytest.raises(NoDemo, match="needs tmux"), World([], {"PATH": ""}, str, NATURAL):
        pass
