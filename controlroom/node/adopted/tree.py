"""Which processes are an adopted agent: its Claude, what that has started, and the script that runs it.

A script is a shell that was given a file or a command. A shell that somebody types in is nobody's part, nor is a tmux
server, a terminal, or anything above them: what may be signalled ends below the first of these. A script that runs
several Claudes, or a shell for somebody, is no part of any of them.
"""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile

from controlroom.node.observation.processes import LINUX, ProcessSnapshot, program
from controlroom.runner import process_tree
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.lazy_pattern import pattern

SHELLS = frozenset(b"sh bash zsh fish dash ksh mksh ash tcsh csh nu xonsh pwsh elvish busybox login".split())

_RUNS_ANOTHER = frozenset(b"timeout time xargs nohup setsid stdbuf unbuffer flock".split())
"""Programs that only run another one, in a script."""

_PLAIN = pattern(r"-[abefhklmnpuvxBCEHPT]+|--(?:norc|noprofile|posix|login)")
"""Options of a shell after which a script may follow; any other may take a word, or have it read what is typed."""

_COMMAND = pattern(r"-[abefhklmnpuvxBCEHPT]*c[abefhklmnpuvxBCEHPT]*")

_ENDS_IN_A_SHELL = pattern(
    r"(?:^|[;&|\n(])\s*(?:exec\s+)?(?P<q>[\"']?)(?:\$\{?SHELL\}?|(?:\S*/)?(?:ba|z|da|fi|k|mk|a|tc|c)?sh)(?P=q)"
    r"(?:\s+-[-\w]+)*[\s;)]*$"
)
"""A command that leaves whoever attaches a shell, once its work is done: `claude; exec bash`."""

_MARK = pattern(r"([0-9a-f]{0,12})\.([0-9]{1,10})\.([0-9]{1,20})")

Argv = Callable[[int], Sequence[str]]
"""Gives the words that a process was started with; none where they cannot be seen."""


class Mark(NamedTuple):
    """One process of one run of a machine (`wire.adopted`)."""

    boot: str
    pid: int
    start: int

    def __str__(self) -> str:
        return f"{self.boot}.{self.pid}.{self.start}"

    def lives(self, boot: str, look: ProcessSnapshot) -> bool:
        """Whether this very process is there, and has not ended."""
        process = look.table.get(self.pid)
        return self.boot == boot and process is not None and process.start == self.start and not process.zombie


def short_boot(boot_id: str) -> str:
    """Name a run of a machine in a mark."""
    return re.sub("[^0-9a-f]", "", boot_id.lower())[:12]


def read_mark(text: str) -> Mark | None:
    """Read a mark; None for what is none."""
    parts = _MARK.fullmatch(text)
    return Mark(parts[1], int(parts[2]), int(parts[3])) if parts else None


def mark_of(pid: int, boot: str, look: ProcessSnapshot) -> str:
    """Mark a process; "" where nothing tells it from a later one of its pid."""
    process = look.table.get(pid)
    return str(Mark(boot, pid, process.start)) if process and LINUX else ""


def words_of(pid: int) -> Sequence[str]:
    """Return the words that a process of this user was started with; none of anybody else's."""
    running = program(pid)
    return running.argv if running else ()


def is_shell(pid: int, look: ProcessSnapshot) -> bool:
    """Whether a process calls itself as shells do."""
    return look.table[pid].name.lstrip(b"-") in SHELLS


def runs_script(argv: Sequence[str]) -> bool:
    """Whether a shell was given a script, by the words that it was started with; in doubt somebody types in it."""
    if not argv or os.path.basename(argv[0]).startswith("-"):
        return False
    words = [word for word in argv[1:] if word]
    for index, word in enumerate(words):
        if _COMMAND.fullmatch(word):
            command = next((each for each in words[index + 1 :] if not _PLAIN.fullmatch(each)), "")
            return bool(command) and not _ENDS_IN_A_SHELL.search(command)
        if not _PLAIN.fullmatch(word):
            return not word.startswith(("-", "+"))
    return False


def line_up(pid: int, look: ProcessSnapshot) -> list[int]:
    """Return a process and those that it descends from, nearest first."""
    line: list[int] = []
    while pid in look.table and pid not in line:
        line.append(pid)
        pid = look.table[pid].parent
    return line


def is_part(pid: int, look: ProcessSnapshot, argv: Argv) -> bool:
    """Whether a process above a Claude only runs a script."""
    name = look.table[pid].name
    return name in _RUNS_ANOTHER or (is_shell(pid, look) and runs_script(argv(pid)))


def script_of(pid: int, look: ProcessSnapshot, argv: Argv = words_of) -> int:
    """Return the topmost process of the script that runs a Claude; 0: none does, or one that runs a shell, too."""
    line = list(takewhile(lambda above: above > 1 and is_part(above, look, argv), line_up(pid, look)[1:]))
    while line and not is_shell(line[-1], look):
        line.pop()
    if not line:
        return 0
    beside = look.below(line[-1:]) - look.below([pid])
    return 0 if any(is_a_persons(each, look, argv) for each in beside) else line[-1]


def is_a_persons(pid: int, look: ProcessSnapshot, argv: Argv = words_of) -> bool:
    """Whether somebody may type in a process, or it keeps terminals for others."""
    if pid not in look.table or look.table[pid].name.startswith((b"tmux", b"screen", b"sshd", b"login")):
        return True
    return is_shell(pid, look) and not look.table[pid].zombie and not runs_script(argv(pid))


def as_known(pids: Iterable[int], look: ProcessSnapshot) -> list[process_tree.Process]:
    """Return processes as they are signalled: by pid and start."""
    there = (look.table[pid] for pid in sorted(pids) if pid in look.table and not look.table[pid].zombie)
    return [
        process_tree.Process(each.pid, each.parent, str(each.start), each.name.decode("utf-8", "replace"))
        for each in there
    ]
