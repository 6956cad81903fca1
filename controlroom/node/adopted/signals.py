"""Signals to agents that others started, which home has adopted: to exactly their processes, and to no other.

What home orders names a process by pid and start. It is looked at anew before anything is sent: whether it is still
that one, whether it is a Claude or a script of this user that no room started, and what has descended from it. A shell
in which somebody types is never a part of it, nor is a tmux server.
"""

import asyncio
import os
import signal
from collections.abc import Callable

from controlroom.node.adopted.agents import AdoptedAgents
from controlroom.node.adopted.claudes import is_claude
from controlroom.node.adopted.tree import (
    Mark,
    as_known,
    is_a_persons,
    is_part,
    line_up,
    read_mark,
    script_of,
    short_boot,
    words_of,
)
from controlroom.node.observation import processes
from controlroom.node.observation.processes import LINUX, ProcessSnapshot, marks_of, program
from controlroom.node.owner import Ownership
from controlroom.node.place import Turns
from controlroom.node.spawn import Refusal
from controlroom.runner import process_tree
from controlroom.runner.files import why
from controlroom.text.names import is_adopted_name
from controlroom.text.states import AdoptedSignal, Outcome
from controlroom.wire.adopted import SignalAdopted
from controlroom.wire.messages import Reply

PATIENCE = 8.0
"""Seconds from SIGTERM to SIGKILL: Claude Code needs up to three to clean up (2.1.332, measured)."""


class AdoptedActor:
    """Interrupts and ends them, for the room that owns this host."""

    def __init__(self, adopted: AdoptedAgents | None, ownership: Ownership, turns: Turns, boot_id: str) -> None:
        """`adopted`: None where the room does not look for agents of others."""
        self._adopted, self._ownership, self._turns, self._boot = adopted, ownership, turns, short_boot(boot_id)

    async def act(self, wanted: SignalAdopted) -> Reply:
        """Do it and say what became of it. Never raises."""
        try:
            if not is_adopted_name(wanted.name):
                raise Refusal(f"{ascii(wanted.name)[:60]} is no name of an agent that others started")
            async with self._turns.of(wanted.name):
                reason = self._ownership.refusal() or await asyncio.to_thread(self._done, wanted)
            return Reply(wanted.id, Outcome.REFUSED if reason else Outcome.DONE, reason)
        except Refusal as refusal:
            return Reply(wanted.id, Outcome.REFUSED, str(refusal))
        except (OSError, RuntimeError, ValueError) as error:
            return Reply(wanted.id, Outcome.UNKNOWN, why(error))

    def _done(self, wanted: SignalAdopted) -> str:
        """Send what is wanted and wait for what follows. Returns "", or why nothing was done. Raises `OSError`."""
        if self._adopted is None or not LINUX:
            raise Refusal("this host cannot tell a process from a later one of its number: end it where it was started")
        mark, script = read_mark(wanted.mark), read_mark(wanted.script)
        if mark is None or (wanted.script and script is None):
            raise Refusal("the order names no process")
        target = Target(wanted.name, mark, script, self._boot)
        if wanted.signal is AdoptedSignal.INTERRUPT:
            target.interrupt()
            return ""
        if left := process_tree.end(target.finding(), PATIENCE):
            raise OSError(f"{wanted.name} could not be ended: {process_tree.names(left)} still there")
        others = self._adopted.at_work_on(wanted.session) if wanted.session else []
        alive = [pid for pid in others if process_tree.process(pid) is not None and is_running(pid)]
        return f"process {alive[0]} is at work on session {wanted.session}, too" if alive else ""


def is_running(pid: int) -> bool:
    """Whether a process is there, and has not ended."""
    there = process_tree.process(pid)
    return there is not None and process_tree.living(there)


class Target:
    """The processes of one adopted agent, looked at anew each time."""

    def __init__(self, name: str, mark: Mark, script: Mark | None, boot: str) -> None:
        self._name, self._mark, self._script, self._boot = name, mark, script, boot
        self._with_script: bool | None = None
        """Whether the script is a part of it; None: nobody has looked yet."""
        self._known: dict[int, str] = {}
        """What was once found to be a part of it, by pid: when it was started. What is orphaned stays one."""

    def interrupt(self) -> None:
        """Send SIGINT to its Claude. Raises `Refusal` when there is none."""
        look = processes.look()
        self._check(look)
        claudes = [pid for pid in self._pids(look) if is_claude(look.table[pid])]
        sent = [process_tree.send(process, signal.SIGINT) for process in as_known(claudes[:1], look)]
        if not any(sent):
            raise Refusal(f"{self._name} has no Claude at work now: there is nothing to interrupt")

    def finding(self) -> Callable[[], list[process_tree.Process]]:
        """Return what finds all that lives of it. Raises `Refusal` when its processes must not be signalled."""
        self._check(processes.look())
        return self._find

    def _check(self, look: ProcessSnapshot) -> None:
        """See that what the order names is what it was shown as; what is gone is fine."""
        for mark in filter(None, (self._mark, self._script)):
            if mark.lives(self._boot, look) and (reason := _untouchable(mark.pid, look)):
                raise Refusal(f"{self._name} is not ended: {reason}")

    def _find(self) -> list[process_tree.Process]:
        look = processes.look()
        found = as_known(self._pids(look), look)
        self._known |= {process.pid: process.started for process in found}
        return found

    def _pids(self, look: ProcessSnapshot) -> list[int]:
        """Return what lives of it, its Claude first."""
        roots = [self._mark.pid] if self._mark.lives(self._boot, look) else []
        if self._with_script is None:  # decided once: when its Claude has ended, a script is left with the others
            alone = self._script is not None and self._script.lives(self._boot, look)
            self._with_script = alone and self._script is not None and self._is_alone(self._script.pid, look)
        if self._with_script and self._script and self._script.lives(self._boot, look):
            roots.append(self._script.pid)
        roots += [pid for pid, started in self._known.items() if _is_same(pid, started, look)]
        pids = look.below(roots)
        for pid in [pid for pid in pids if pid not in roots and _is_anothers(pid, look)]:
            pids -= look.below([pid])
        pids -= {os.getpid(), os.getppid()}
        first = [pid for pid in sorted(pids) if pid == self._mark.pid or is_claude(look.table[pid])]
        return [*first, *sorted(pids - {*first})]

    def _is_alone(self, script: int, look: ProcessSnapshot) -> bool:
        """Whether a script runs this agent and nothing of a person's, as when it was adopted."""
        below = look.below([script]) - {script}
        claudes = [pid for pid in below if is_claude(look.table[pid])]
        first = [pid for pid in claudes if not {*claudes}.intersection(line_up(pid, look)[1:])]
        if len(first) > 1:
            return False
        if first:
            return script_of(first[0], look) == script
        return is_part(script, look, words_of) and not any(is_a_persons(each, look) for each in below)


def _untouchable(pid: int, look: ProcessSnapshot) -> str:
    """Why a process must not be signalled; "": it may be."""
    if program(pid) is None:
        return f"process {pid} is another user's"
    if pid in (1, os.getpid(), os.getppid()):
        return f"process {pid} is no agent"
    if is_a_persons(pid, look):
        return f"process {pid} is a shell that somebody types in, or keeps terminals"
    if any(marks_of(each)[0] for each in line_up(pid, look)):
        return f"process {pid} is of an agent that a control room started"
    return ""


def _is_anothers(pid: int, look: ProcessSnapshot) -> bool:
    """Whether what an agent has started is nobody's part of it: a tmux server, or an agent of a room."""
    return look.table[pid].name.startswith((b"tmux", b"screen")) or bool(marks_of(pid)[0])


def _is_same(pid: int, started: str, look: ProcessSnapshot) -> bool:
    return pid in look.table and str(look.table[pid].start) == started and not look.table[pid].zombie
