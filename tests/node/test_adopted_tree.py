"""Which shells are scripts, and which somebody types in: in doubt, somebody types in it."""

from __future__ import annotations

import pytest

from controlroom.node.adopted.tree import is_a_persons, read_mark, runs_script, script_of
from controlroom.node.observation.processes import Process, ProcessSnapshot

SCRIPTS = (
    "sh -c|claude -p x | tee log",
    "bash -c|claude -p 'x; bash'|bash",
    "/bin/bash -lc|claude -p x",
    "bash -e -u|./run.sh",
    "bash|/home/ann/agents/loop.sh|3",
    "bash --norc|loop.sh",
    "sh -c|cd /srv && bash run.sh",
    "zsh -c|exec tee /tmp/a.fish.log",
)
TYPED_IN = (
    "bash",
    "-bash",
    "bash -l",
    "bash --norc -i",
    "bash -i -c|claude",
    "bash --rcfile|/etc/rc",
    "bash -o|vi",
    "bash -s|x",
    "bash -",
    "sh -c|claude; exec bash --norc",
    "sh -c|claude; $SHELL",
    'sh -c|claude; exec "$SHELL" -l',
    "sh -c|(claude; /usr/bin/zsh)",
    "bash -c",
    "",
)


def argv(line: str) -> list[str]:
    first, *rest = line.split("|")
    return [*first.split(), *rest]


@pytest.mark.parametrize("line", SCRIPTS)
def test_a_shell_that_was_given_something_to_run_is_a_script(line: str) -> None:
    assert runs_script(argv(line))


@pytest.mark.parametrize("line", TYPED_IN)
def test_any_other_shell_is_somebodys(line: str) -> None:
    assert not runs_script(argv(line))


def tree(*rows: tuple[int, int, str, str]) -> tuple[ProcessSnapshot, dict[int, list[str]]]:
    """Processes as pid, parent, name and words."""
    look = ProcessSnapshot(Process(pid, parent, 1, pid, 0, 0, name=name.encode()) for pid, parent, name, _ in rows)
    return look, {pid: argv(words) for pid, _, _, words in rows}


def test_a_script_is_taken_up_to_the_first_that_is_somebodys() -> None:
    look, words = tree(
        (10, 1, "tmux: server", "tmux"),
        (11, 10, "bash", "-bash"),
        (12, 11, "bash", "bash|all.sh"),
        (13, 12, "timeout", "timeout 60 bash|one.sh"),
        (14, 13, "bash", "bash|one.sh"),
        (15, 14, "claude", "claude -p"),
        (16, 14, "tee", "tee log"),
    )
    assert script_of(15, look, words.__getitem__) == 12
    shell = Process(17, 12, 1, 17, 0, 0, name=b"bash")
    beside = ProcessSnapshot([*look.table.values(), shell])
    assert script_of(15, beside, {**words, 17: ["bash", "-i"]}.__getitem__) == 0, "it runs a shell for somebody, too"
    below = ProcessSnapshot([*look.table.values(), shell._replace(parent=15)])
    assert script_of(15, below, {**words, 17: ["bash", "-i"]}.__getitem__) == 12, "what Claude starts is Claude's"
    assert script_of(11, look, words.__getitem__) == 0
    assert is_a_persons(10, look, words.__getitem__)
    assert is_a_persons(99, look, words.__getitem__), "what is gone is nobody's to signal"


def test_a_mark_is_read_as_it_is_written_or_not_at_all() -> None:
    assert str(read_mark("0a1b.12.345")) == "0a1b.12.345"
    for text in ("", "1.2", "0a1b.12.345 ", "XY.1.2", f"a.{'1' * 11}.2", "a.1.-2"):
        assert read_mark(text) is None
