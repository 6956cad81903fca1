"""A node killed with -9 before each thing that it does to the world: the next node finds the truth, nothing is doubled.

An audit hook counts what a node does (a folder made, a file opened to be written, a rename, a tmux command, a signal, a
word to a runner) and kills it before the n-th. Killing before n + 1 is killing after n.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from controlroom.domain.model import Agent, Fleet, State
from controlroom.node.orders import sweep_aside
from controlroom.text.states import AgentKind
from controlroom.wire.messages import Forget, Kill, Reply, Spawn, ToNode
from controlroom.wire.spec import AgentSpec
from tests.faults.truth import Here, Truth, look_at, problems, sockets_left, state_of
from tests.lab.node_client import SERVE, NodeClient
from tests.lab.waiting import wait_for
from tests.lab.world import World
from tests.node.on_host import tmux

CRASHING = """
import os, runpy, signal, sys
left, serve = int(sys.argv[1]), sys.argv[2]
state = os.path.join(os.environ["HOME"], ".local")
changes = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.kill", "socket.connect"}
tmux = {"start-server", "new-session", "kill-session"}

def hook(event, arguments):
    global left
    if event == "open":
        counts = str(arguments[0]).startswith(state) and (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR)
    elif event == "subprocess.Popen":
        counts = tmux & set(map(str, arguments[1]))
    else:
        counts = event in changes
    if counts:
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(hook)
sys.argv = [serve]
runpy.run_path(serve, run_name="__main__")
"""
SCRIPT = AgentSpec("command", ("sh", "-c", "setsid sleep 100000 & exec sleep 100000"))
MOST = 500
"""Steps that a scenario may have, at most."""


def orders(name: str) -> Iterator[ToNode]:
    """Spawned, reassigned, killed, forgotten."""
    yield Spawn(1, name, 1, SCRIPT, "")
    yield Spawn(2, name, 2, SCRIPT, "", 1)
    yield Kill(3, name, 2)
    yield Forget(4, name, 2)


def dies(step: int, name: str) -> bool:
    """Play the scenario to a node that dies at a step; False when it came to its end."""
    node = NodeClient((sys.executable, "-B", "-c", CRASHING, str(step), SERVE))  # its own steps, and none of an import
    node.greet()
    for number, order in enumerate(orders(name), 1):
        with contextlib.suppress(BrokenPipeError):
            node.send(order)
        wait_for(lambda number=number: len(node.all(Reply)) == number or node.process.poll() is not None, 30)  # type: ignore[misc]
    return node.close() == -signal.SIGKILL


def fleet_of(node: NodeClient) -> Fleet:
    """What a node shows, as far as it is compared."""
    agents = [
        Agent("here", seen.name, seen.epoch, AgentKind(seen.kind), State(seen.state), seen.since)
        for seen in node.agents().values()
    ]
    return Fleet(agents={agent.id: agent for agent in agents})


def unborn(truth: Truth, name: str) -> bool:
    """A folder that was begun and holds nothing yet: it is told as such in a while, and is in nobody's way."""
    return any(life[0] == name and not state for life, state in truth.statuses.items())


def found_again(here: Here, name: str) -> None:
    """A sound node comes: what it shows is so; the agent can be started anew and ended, and nothing is left."""
    with NodeClient() as node:
        node.greet()

        def well() -> bool:
            truth = look_at(here, "")
            wrong = [text for text in problems(truth, fleet_of(node)) if name in text or "knows" in text]
            assert not wrong or unborn(truth, name), (wrong, truth)
            return True

        wait_for(well, 20, f"{name} to be in order", poll=0.1)
        known = node.agents().get(name)
        epoch = known.epoch if known else 0
        replaces = epoch if known and known.state == "working" else 0
        again = node.ask(lambda number: Spawn(number, name, epoch + 1, SCRIPT, "", replaces))
        assert again.outcome == "done", again
        wait_for(lambda: len(look_at(here, "").tagged.get((name, epoch + 1), ())) == 2, 10)
        assert list(look_at(here, "").tagged) == [(name, epoch + 1)]
        assert node.kill(name, epoch + 1).outcome == "done"
        assert look_at(here, "").tagged == {}
        wait_for(lambda: nothing_is_left(here), 5, "the runner to be gone")  # its lock goes a moment before it does


def nothing_is_left(here: Here) -> bool:
    truth = look_at(here, "")
    return not (truth.tagged or truth.sessions or truth.runners or sockets_left(here, ""))


@pytest.mark.timeout(1200)
def test_a_node_killed_at_any_step_leaves_nothing_that_the_next_one_does_not_find(
    home: World, seed: int, request: pytest.FixtureRequest
) -> None:
    stride = 1 if request.config.getoption("long") else 6
    here = Here(home)
    step = random.Random(seed).randint(1, stride)
    while dies(step, f"s{step}"):
        found_again(here, f"s{step}")
        step += stride
        assert step < MOST
    assert step > 20, "the scenario has become too short to mean anything"
    aside = [name for name in os.listdir(os.path.join(state_of(here, ""), "agents")) if name.startswith(".")]
    assert aside == [], "what a killed node was removing is removed by the next"


VICTIMS: dict[str, Callable[[str], int]] = {
    "runner": lambda name: int(tmux("display-message", "-p", "-t", f"={name}:", "#{pane_pid}")),
    "tmux server": lambda _: int(tmux("display-message", "-p", "#{pid}")),
}


@pytest.mark.parametrize("victim", VICTIMS)
def test_a_runner_or_a_tmux_server_killed_at_any_moment_leaves_nothing(
    home: World, victim: str, seed: int, request: pytest.FixtureRequest
) -> None:
    """As soon as it is there, and later and later in its life."""
    here = Here(home)
    moments = 40 if request.config.getoption("long") else 5
    for number in range(moments):
        name, pause = f"m{number}", random.Random(seed + number).uniform(0, 0.15)
        with NodeClient() as node:
            node.greet()
            node.send(Spawn(1, name, 1, SCRIPT, ""))
            pid = wait_for(lambda: there(VICTIMS[victim], name), 10, f"the {victim}", poll=0.001)  # noqa: B023
            time.sleep(pause)
            os.kill(pid, signal.SIGKILL)
        found_again(here, name)


def there(find: Callable[[str], int], name: str) -> int:
    """A pid, 0 while there is none."""
    try:
        return find(name)
    except (ValueError, AssertionError, RuntimeError):
        return 0


def test_what_was_being_removed_is_removed_but_not_what_still_is(home: World) -> None:
    agents = home.home / ".local/state/controlroom/agents"
    for name in (".old.1.999999999", f".busy.1.{os.getpid()}", "kept.1", ".other"):
        (agents / name).mkdir(parents=True)
    sweep_aside(str(agents.parent))
    assert sorted(path.name for path in agents.iterdir()) == [f".busy.1.{os.getpid()}", ".other", "kept.1"]


@pytest.mark.parametrize("then", ["spawn", "kill"])
def test_a_runner_that_is_just_coming_up_does_not_outlive_what_was_begun(home: World, then: str) -> None:
    """Its node was killed, its tmux server too: no pane, no socket and no status tell of it, only its command line."""
    folder = home.home / ".local/state/controlroom/agents/late.1"
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text("{}")
    program = "import signal, time; signal.signal(signal.SIGHUP, signal.SIG_IGN); time.sleep(600)"
    late = subprocess.Popen([sys.executable, "-c", program, str(folder)], cwd=home.home)
    with NodeClient() as node:
        node.greet()
        if then == "spawn":
            assert node.spawn("late", 2, "sleep", "600").outcome == "done"
            assert node.kill("late", 2).outcome == "done"
        else:
            assert node.kill("late", 1).outcome == "done"
            assert node.wait_agent("late", lambda seen: seen.state == "done").detail.startswith("killed")
    assert late.wait(60) == -signal.SIGKILL
