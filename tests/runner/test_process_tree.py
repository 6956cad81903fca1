"""Trees of real processes: found wherever they hide, and ended whatever they ignore."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from controlroom.runner import folder, process_tree
from tests.lab.waiting import wait_for

MARK, PLACE = f"test/tree-{os.getpid()}.1", "abc-123"


@pytest.fixture
def tagged() -> Iterator[dict[str, str]]:
    """The environment of an agent; whatever carries it is killed in the end."""
    yield {"PATH": os.environ["PATH"], folder.TAG: MARK, folder.PLACE: PLACE}
    for process in process_tree.of_agent(MARK, PLACE):
        os.kill(process.pid, signal.SIGKILL)


@contextmanager
def shell(script: str, environ: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A shell that has run its script up to the line `echo ready`."""
    with subprocess.Popen(["sh", "-c", script], env=environ, stdout=subprocess.PIPE) as top:
        assert top.stdout
        assert top.stdout.readline() == b"ready\n"
        try:
            yield top
        finally:
            top.kill()


def _two_below(root: int) -> list[process_tree.Process]:
    processes = process_tree.snapshot()
    found = [processes[pid] for pid in process_tree.descendants(root, processes)]
    return found if {process.name for process in found} == {"sh", "sleep"} else []


def names() -> list[str]:
    return sorted(process.name for process in process_tree.of_agent(MARK, PLACE))


def test_descendants_are_found_at_any_depth(tagged: dict[str, str]) -> None:
    with shell("sh -c 'sleep 300; :' & echo ready; wait", tagged) as top:
        below = wait_for(lambda: _two_below(top.pid))
        assert sorted(process.name for process in below) == ["sh", "sleep"]
        assert process_tree.end(lambda: process_tree.of_agent(MARK, PLACE), 1) == []


def test_the_tag_finds_what_has_left_the_tree(tagged: dict[str, str]) -> None:
    with shell("setsid sh -c 'sleep 300 & sleep 301 & wait' & echo ready", tagged) as top:
        top.wait(60)
        wait_for(lambda: names() == ["sh", "sleep", "sleep"])


def test_children_without_the_tag_are_found_below_one_that_has_it(tagged: dict[str, str]) -> None:
    with shell("env -i /bin/sleep 300 & echo ready; wait", tagged):
        wait_for(lambda: names() == ["sh", "sleep"])


@pytest.mark.parametrize("other", [{folder.TAG: f"{MARK}0"}, {folder.PLACE: f"{PLACE}0"}], ids=["name", "place"])
def test_another_agents_processes_are_not_ours(tagged: dict[str, str], other: dict[str, str]) -> None:
    with shell("echo ready; exec sleep 300", {**tagged, **other}):
        assert process_tree.of_agent(MARK, PLACE) == []


def test_what_ignores_term_is_killed(tagged: dict[str, str]) -> None:
    with shell("trap '' TERM HUP; sleep 300 & echo ready; wait; wait", tagged) as top:
        assert process_tree.end(lambda: process_tree.of_agent(MARK, PLACE), patience=0.2) == []
        assert top.wait(60) == -signal.SIGKILL


def test_what_obeys_term_is_not_killed(tagged: dict[str, str]) -> None:
    with shell("trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done", tagged) as top:
        assert process_tree.end(lambda: process_tree.of_agent(MARK, PLACE), patience=10) == []
        assert top.wait(60) == 7


def test_children_born_while_it_ends_are_ended_too(tagged: dict[str, str]) -> None:
    script = "trap 'setsid sleep 300 & setsid sleep 301 &' TERM; echo ready; while :; do sleep 0.02; done"
    with shell(script, tagged):
        assert process_tree.end(lambda: process_tree.of_agent(MARK, PLACE), patience=0.3) == []
        assert names() == []


def _exhaust(steps: Iterator[float]) -> None:
    while True:
        next(steps)


def test_what_cannot_be_ended_is_named() -> None:
    kept = process_tree.Process(1, 0, "0", "init")
    steps = process_tree.ending(lambda: [kept], patience=0)
    with pytest.raises(StopIteration) as stopped:
        _exhaust(steps)
    assert stopped.value.value == [kept]
    assert process_tree.names([kept]) == "init (1)"
    assert process_tree.names([kept] * 7).endswith("and 2 more")


def test_a_pid_that_is_used_again_gets_no_signal() -> None:
    with subprocess.Popen(["sleep", "300"]) as child:
        (seen,) = [process for process in process_tree.snapshot().values() if process.pid == child.pid]
        assert not process_tree.send(seen._replace(started="1"), signal.SIGKILL)
        assert process_tree.living(seen)
        assert process_tree.send(seen, signal.SIGKILL)
        assert child.wait(60) == -signal.SIGKILL
        assert not process_tree.living(seen)


def test_a_name_with_a_parenthesis_is_read_right(tagged: dict[str, str]) -> None:
    rename = (
        "import ctypes, time; ctypes.CDLL(None).prctl(15, b') R 1 (x'); print('ready', flush=True); time.sleep(300)"
    )
    with subprocess.Popen([sys.executable, "-c", rename], env=tagged, stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        seen = process_tree.snapshot()[child.pid]
        child.kill()
    assert (seen.parent, seen.name) == (os.getpid(), ") R 1 (x")


def test_without_proc_the_same_is_read_from_ps(tagged: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    with shell("sleep 300 & echo ready; wait", tagged) as top:
        proc = process_tree.snapshot()
        monkeypatch.setattr(process_tree, "PROC", "/nowhere")
        ps = process_tree.snapshot()
        assert process_tree.descendants(top.pid, ps) == process_tree.descendants(top.pid, proc)
        assert (ps[top.pid].parent, ps[top.pid].name) == (os.getpid(), "sh")
        assert process_tree.living(ps[top.pid])
        monkeypatch.undo()
        process_tree.end(lambda: process_tree.of_agent(MARK, PLACE), 1)
