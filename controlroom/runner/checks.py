"""The checks of an agent's work: run by us when it says that it is done, in its folder and environment, never by it.

One command after the other, each in a session of its own, for so many minutes at most; when one has ended, whatever it
left behind is ended, too. What they print goes into the agent's log, the end of it to the agent. Loaded only where
there is something to check.
"""

import contextlib
import os
import selectors
import shlex
import time
from collections.abc import Callable, Generator, Mapping
from typing import Any, Protocol

from controlroom.runner import agent_process, looking, outcome, process_tree
from controlroom.runner.agent_process import CheckProcess
from controlroom.runner.log_writer import LineCutter, LinePart
from controlroom.runner.outcome import Unfit
from controlroom.runner.recorder import DONE_WITH, READ_BYTES
from controlroom.text.checks import CHECKING, OUTPUT, CheckOrder, CheckRun, Checks, CheckState
from controlroom.text.json_fields import text, whole
from controlroom.text.sanitize import redact, sanitize_lines
from controlroom.text.states import State

PATIENCE = 5.0
"""Seconds between TERM and KILL."""

LOGGED = 1024 * 1024
"""Bytes of what one check prints that are logged as they come; of more, the last `_TAIL` follow at its end."""

TOLD_LINES, TOLD = 80, 6_000
"""How much of the end of what failed an agent is told: lines, and characters."""

_LAST_LINE = 160
"""Characters of the last line of an output that a row has."""

_FRESH = "a fresh checkout"
"""What stands for a check where the checks cannot begin."""

_ROW = 60
"""Characters of a command that a row has."""

_TAIL = 64 * 1024
_LAST_READS = 64
"""Reads of what a check has printed, once it has ended: what still writes then is being ended."""
_NEVER = float("inf")
_KEY_LENGTH = 512
"""Bytes that are left out where the end of an output begins in the middle of a line: a key may have begun before."""


class CheckLog(Protocol):
    """What is told that checks run and what they print (`recorder.Recorder`)."""

    def note(self, words: str) -> None:
        """Log what we have to say."""

    def output(self, pieces: list[LinePart]) -> None:
        """Log what a check has printed."""


class CheckRunner:
    """Runs one agent's checks, as often as it is told to `begin`. Times are monotonic seconds."""

    def __init__(
        self,
        order: CheckOrder,
        selector: selectors.BaseSelector,
        recorder: CheckLog,
        clock: Callable[[], int],
        agent: Callable[[], int],
        known: Mapping[str, Any],
    ) -> None:
        """`clock` gives UTC ms, `agent` the pid of the agent's own process, 0 when that has ended.

        `known`: how its work began, for who looks at it (`worktree.look.Known`).
        """
        self.order, self._selector, self._recorder, self._clock = order, selector, recorder, clock
        self._known = {**known, "clean": order.clean, "guarded": order.guarded}
        self._agent = agent
        self.checks = Checks(attempts=order.attempts, clean=order.clean)
        self.stale = True
        """Whether the agent may have worked since they ran last."""
        self.stopped = False
        """Whether a person wants the agent to stand still until it works again."""
        self._environ: Mapping[str, str] = {}
        self._folder = self._cwd = ""
        """Where the agent works, and where its checks run."""
        self._looking = ""
        """What its work is being looked at for (`worktree.look`), where nothing is checked yet or any more."""
        self._found = -1
        """Our end of the pipe that says what was found."""
        self._fresh = False
        """Whether there is a fresh checkout."""
        self._mend = ""
        """What the agent can do so that its work can be checked at all."""
        self._hopeless = False
        """Whether its work cannot be checked, whatever it does."""
        self._final = Checks()
        """What they came to, while the fresh checkout is taken away."""
        self._next = 0
        self._before: set[tuple[int, str]] = set()
        """What ran already when the check began that runs now."""
        self._output: CheckOutput | None = None
        self._pid = 0
        self._began = 0.0
        self._ends_at = _NEVER
        self._failure: str | None = None
        """Why the one that has ended did not pass, "": it did; None: it runs."""
        self._ending: Generator[float, None, list[process_tree.Process]] | None = None
        self._ending_at = _NEVER

    # ------------------------------------------------------------------ what is so

    @property
    def running(self) -> bool:
        """Whether they run."""
        return self.checks.state is CheckState.RUNNING

    @property
    def busy(self) -> bool:
        """Whether they run, or one that was stopped is not gone yet."""
        return self.running or self._ending is not None

    @property
    def is_due(self) -> bool:
        """Whether they are to begin once the agent waits for words."""
        return self.stale and not self.busy and not self.stopped

    @property
    def is_judged(self) -> bool:
        """Whether they run, or have told how its work of now is."""
        return self.running or (self.checks.at > 0 and not self.stale)

    @property
    def has_failed(self) -> bool:
        """Whether they have run to their end, and one has failed."""
        return self.checks.state is CheckState.FAILED

    @property
    def may_tell(self) -> bool:
        """Whether the agent is to be told that they have failed, and to go on."""
        return self.has_failed and self.checks.told < self.order.attempts and not self._hopeless

    @property
    def words(self) -> str:
        """How they came out, in a few words."""
        failed = self.checks.failure
        if self.running:
            return f"checking: {_brief(self.checks.command)}"
        if self.checks.state is CheckState.PASSED:
            return "checked"
        last = self.checks.output.rpartition("\n")[2].strip()[:_LAST_LINE]
        said = f" ({last})" if last else ""
        if failed is None:
            return "its checks did not finish"
        return f"checks failed: {_brief(failed.command)}: {failed.failure}{said}"

    @property
    def trouble(self) -> str:
        """What is wrong with one that runs on though its checks have failed, and that is told nothing more."""
        failed = self.checks.failure
        if failed is None or not self.has_failed or self.stale or self.may_tell:
            return ""
        return f"checks failed: {_brief(failed.command)}: {failed.failure}"

    def at_work(self, state: State, detail: str) -> tuple[State, str]:
        """What an agent does that is in this state otherwise."""
        if self.running:
            return State.WORKING, self.words
        return (state, self.words) if self.is_judged and state is State.IDLE and not detail else (state, detail)

    def evidence(self, state: State) -> dict[str, Any]:
        """What they tell of the agent's state."""
        return {"source": "checks", "state": state, "value": self.words, "at": self.checks.at}

    def judged(self, detail: str) -> tuple[State, str]:
        """What becomes of a run that is done otherwise, and what is said of that beside."""
        if self.checks.state is CheckState.PASSED:
            others = detail.removeprefix("done").removeprefix(", ")
            guarded = f"; {self.checks.guarded_words}" if self.checks.guarded_words else ""
            return State.DONE, "done, checked" + (others and f", {others}") + guarded
        return State.FAILED, self.words

    def fields(self) -> dict[str, Any]:
        """Return what the status says of them."""
        fields = self.checks._asdict()
        if self.stale and self.checks.state is CheckState.PASSED:  # what it has done since may not pass
            fields["state"] = CheckState.UNFINISHED
        fields["output"] = self.checks.output[-OUTPUT:]
        fields["runs"] = [run._asdict() for run in self.checks.runs]
        return fields

    def told(self) -> str:
        """Return what the agent is told of the failure; it counts as told from now on."""
        self.checks = self.checks._replace(told=self.checks.told + 1)
        self.stale = True  # what it makes of that is to be checked
        self._recorder.note("it is told of that, to mend it")
        failed, left = self.checks.failure, self.order.attempts - self.checks.told
        command, why = (failed.command, failed.failure) if failed else ("", "")
        if self._mend:
            return f"Your work could not be checked: {self._mend}. When you have finished, it is checked again."
        printed = self.checks.output.strip("\n")
        said = f"The end of what it printed:\n\n{printed}\n\n" if printed else "It printed nothing.\n\n"
        once = "; there will be no further time after that" if not left else ""
        return (
            f"Your work was checked, and did not pass. The check `{command}` failed: {why}. {said}"
            "Mend what it found wrong, and do not weaken the checks. They are run again, by themselves, when you have "
            f"finished{once}."
        )

    # ------------------------------------------------------------------ running

    def begin(self, environ: Mapping[str, str], cwd: str) -> None:
        """Begin with the first; `cwd`: where the agent works. What was stopped is gone, or is taken to be."""
        self._drop()
        self._environ, self._folder, self._cwd, self._next, self.stale = environ, cwd, cwd, 0, False
        self._mend, self._hopeless, self.stopped = "", False, False
        told = 0 if self.checks.state is CheckState.PASSED else self.checks.told
        self.checks = self.checks._replace(state=CheckState.RUNNING, runs=(), output="", told=told, at=self._clock())
        if self.order.clean or self.order.guarded:
            self._look("begin")
        else:
            self._start()

    def not_told(self) -> None:
        """The agent could not be told: somebody has to look."""
        self.stale, self._hopeless = False, True

    def worked(self) -> None:
        """The agent has done something since they ran last."""
        self.stale, self.stopped = True, False

    def abandon(self, *, until_it_works: bool = False) -> None:
        """Begin no further one: the agent works again, or is being ended. What runs is ended by `due`, or with all.

        `until_it_works`: they do not begin by themselves before the agent has worked again.
        """
        self.stopped |= until_it_works
        if not self.running:
            return
        self._recorder.note("its checks were stopped")
        self.stale = True
        self.checks = self.checks._replace(state=CheckState.UNFINISHED, command="", at=self._clock())
        if self._ending is None:
            self._end()

    def reaped(self, pid: int, status: int) -> bool:
        """Take note that a child has ended. False: it is none of theirs."""
        if pid != self._pid:
            return False
        self._pid = 0
        if self._failure is None:
            ended = outcome.from_status(status)
            self._failure = ended.words() if ended.code or ended.signal else ""
        if self._ending is None:
            self._end()
        return True

    def wakes_at(self) -> float:
        """When `due` has something to do."""
        return min(self._ends_at, self._ending_at)

    def due(self, *, works: bool) -> bool:
        """Go on: end what takes too long, and what one that has ended left behind; then begin the next.

        `works`: the agent works again, so they are stopped. True: they have just come to their end.
        """
        if works:
            self.abandon()
        before = self.running
        self._go_on()
        return before and not self.running

    def _go_on(self) -> None:
        now = time.monotonic()
        if self._ends_at <= now:
            self._failure = f"no end in {self._seconds / 60:g} min"
            self._end()
        if self._ending is not None and self._ending_at <= now:
            try:
                self._ending_at = now + next(self._ending)
            except StopIteration as stopped:
                self._over(stopped.value)

    def finish(self) -> None:
        """All is over: nothing more is read, and no fresh checkout stays."""
        if self._fresh:
            with contextlib.suppress(Unfit):
                looking.at_once("end", self._environ, self._folder, self._known)
        self._drop()
        if self.running:
            self.checks = self.checks._replace(state=CheckState.UNFINISHED, command="", at=self._clock())

    def _drop(self) -> None:
        """Read nothing more of what ran last, and wait for nothing of it."""
        if self._output:
            self._output.close()
        if self._found >= 0:
            os.close(self._found)
        self._output, self._found, self._looking, self._pid = None, -1, "", 0
        self._ending, self._ending_at, self._ends_at = None, _NEVER, _NEVER

    @property
    def _seconds(self) -> float:
        return looking.SECONDS if self._looking else self.order.minutes * 60

    def _start(self) -> None:
        command = self.order.commands[self._next]
        shown = shown_command(command)
        self.checks = self.checks._replace(command=shown)
        self._recorder.note(f"{CHECKING}{shown}")
        environ = {**self._environ, "PWD": self._cwd}

        def start() -> CheckProcess:
            program = agent_process.program_of(command, environ, self._cwd)
            return agent_process.start_check([program, *command[1:]], environ, self._cwd)

        end = self._launch(start)
        self._output = CheckOutput(end, self._selector, self._recorder) if end >= 0 else None

    def _look(self, what: str) -> None:
        self._looking = what
        self.checks = self.checks._replace(command="git")
        self._found = self._launch(lambda: looking.start(what, self._environ, self._folder, self._known))

    def _launch(self, start: Callable[[], CheckProcess]) -> int:
        """Start a process, and say where it says something; -1: it cannot be started, which `due` takes for its end."""
        self._before = {(process.pid, process.started) for process in self._others()}
        self._began, self._failure = time.monotonic(), None
        try:
            child = start()
        except Unfit as unfit:
            self._failure = str(unfit)
            self._end()
            return -1
        self._pid, self._ends_at = child.pid, self._began + self._seconds
        return child.output

    def _end(self) -> None:
        self._ends_at = _NEVER
        self._ending, self._ending_at = process_tree.ending(self._processes, patience=PATIENCE), 0.0

    def _others(self) -> list[process_tree.Process]:
        return process_tree.others_below(os.getpid(), self._agent())

    def _processes(self) -> list[process_tree.Process]:
        """The living processes of the check: what is below us since it began, and not below the agent.

        Elsewhere than on Linux what has left its parent is found when the agent ends.
        """
        return [process for process in self._others() if (process.pid, process.started) not in self._before]

    def _over(self, left: list[process_tree.Process]) -> None:
        """A check has ended, and all that it started."""
        self._ending, self._ending_at = None, _NEVER
        if self._looking:
            self._looked()
            return
        tail = self._output.close() if self._output else ""
        self._output = None
        if not self.running:
            return
        words = self._failure if self._failure is not None else "it was ended"
        if left:
            words = words or f"still there after SIGKILL: {process_tree.names(left)}"
        self._passed_on(words, tail)

    def _passed_on(self, failure: str, tail: str = "") -> None:
        """Note how one came out, and begin the next, if it passed and there is one."""
        run = CheckRun(self.checks.command, failure[:300], round(time.monotonic() - self._began, 1))
        runs = (*self.checks.runs, run)
        self._recorder.note(f"check {'failed' if failure else 'passed'}: {run.command}{failure and f': {failure}'}")
        self._next += 1
        if not failure and self._next < len(self.order.commands):
            self.checks = self.checks._replace(runs=runs)
            self._start()
            return
        state = CheckState.FAILED if failure else CheckState.PASSED
        final = self.checks._replace(state=state, runs=runs, command="", output=tail if failure else "")
        if self._fresh:
            self._final = final
            self._look("end")
        else:
            self.checks = final._replace(at=self._clock())

    def _looked(self) -> None:
        """Take what was found of its work, and begin to check it; or end, once the fresh checkout is gone."""
        what, self._looking = self._looking, ""
        found = looking.found(self._found) if self._found >= 0 else {}
        self._found = -1
        if what == "end":
            self._fresh = False
            self.checks = self._final._replace(at=self._clock()) if self.running else self.checks
            return
        self._cwd = text(found.get("cwd"), 4096) or self._folder
        self._fresh |= bool(found.get("cwd"))
        if not self.running:
            return
        self._take_guarded(found)
        problem, unfit = text(found.get("problem"), 1_000), text(found.get("unfit"), 1_000)
        if self.order.clean and not self._fresh:
            unfit = unfit or ("" if problem else self._failure or "git was not heard of")
            self._mend, self._hopeless = problem, bool(unfit)
            self.checks = self.checks._replace(command=_FRESH)
            self._next = len(self.order.commands)
            self._passed_on(problem or unfit)
        else:
            self._start()

    def _take_guarded(self, found: dict[str, Any]) -> None:
        said = found.get("guarded")
        names = tuple(text(name, 300) for name in said) if isinstance(said, list) else ()
        unknown = text(found.get("guards_unknown"), 300) if found else "git was not heard of"
        self.checks = self.checks._replace(
            guarded=names,
            more_guarded=whole(found.get("more_guarded")),
            guards_unknown=unknown if self.order.guarded else "",
            commit=text(found.get("commit"), 100),
        )


class CheckOutput:
    """What a check prints: logged, with an end to that; the last of it kept."""

    def __init__(self, end: int, selector: selectors.BaseSelector, recorder: CheckLog) -> None:
        self._end, self._selector, self._recorder = end, selector, recorder
        self._cutter = LineCutter()
        self._tail = bytearray()
        self._size = 0
        self._logged = 0
        selector.register(end, selectors.EVENT_READ, self._readable)

    def close(self) -> str:
        """Take what is left, and read nothing more; the end of all that was printed, safe to show and to be told."""
        for _ in range(_LAST_READS):
            if self._end < 0 or not self._read():
                break
        self._close()
        held = _from_a_line(bytes(self._tail), self._size - self._logged)
        if left_out := self._size - self._logged - len(held):
            self._recorder.output(self._cutter.flush(final=True))
            self._recorder.note(f"{left_out} bytes that the check printed are left out here")
        self._recorder.output(self._cutter.feed(held) + self._cutter.flush(final=True))
        return _shown(_from_a_line(bytes(self._tail), self._size))

    def _readable(self, _mask: int) -> str:
        self._read()
        return DONE_WITH

    def _read(self) -> bool:
        try:
            data = os.read(self._end, READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._close()
            return False
        self._size += len(data)
        self._tail += data
        del self._tail[:-_TAIL]
        if self._size <= LOGGED:
            self._logged = self._size
            self._recorder.output(self._cutter.feed(data))
        return True

    def _close(self) -> None:
        if self._end >= 0:
            self._selector.unregister(self._end)
            with contextlib.suppress(OSError):
                os.close(self._end)
            self._end = -1


def shown_command(command: tuple[str, ...]) -> str:
    """Write a command as a shell would take it, in one line that is safe to show."""
    return redact("".join(sanitize_lines(shlex.join(command).replace("\n", "␤"), 300)))


def _brief(command: str) -> str:
    """A command as a row has room for it."""
    return command if len(command) <= _ROW else command[: _ROW - 1] + "…"


def _from_a_line(tail: bytes, size: int) -> bytes:
    """Return the last `size` bytes, as far as `tail` has them; where it does not have all, from the next line on."""
    if size <= len(tail):
        return tail[-size:] if size else b""
    newline = tail.find(b"\n")
    return tail[newline + 1 :] if newline >= 0 else tail[_KEY_LENGTH:]


def _shown(data: bytes) -> str:
    """Return the last lines of an output without secrets and controls."""
    lines = sanitize_lines(redact(data.decode("utf-8", "replace")))
    while lines and not lines[-1].strip():
        lines.pop()
    end = "\n".join(lines[-TOLD_LINES:])
    return end if len(end) <= TOLD else "…" + end[-TOLD:]
