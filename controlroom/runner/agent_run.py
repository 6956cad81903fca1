"""One run of one agent, from its start to the end of its whole tree: one thread, one selector."""

import contextlib
import os
import selectors
import signal
import time
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any

from controlroom.runner import agent_process, environment, folder, outcome, process_tree
from controlroom.runner.agent_process import AgentInput, signal_pipe, speakable
from controlroom.runner.claude import channel as claude
from controlroom.runner.claude import nested
from controlroom.runner.claude.edits import EditNotes
from controlroom.runner.claude.login import stray_login
from controlroom.runner.claude.questions import answer_words
from controlroom.runner.control_socket import Caller, ControlSocket
from controlroom.runner.log_writer import RunLog
from controlroom.runner.money.run_money import Money
from controlroom.runner.outcome import Exit, Refused, Unfit, Unpaid, Unsigned
from controlroom.runner.pane import Pane
from controlroom.runner.recorder import DONE_WITH, Recorder
from controlroom.runner.signed import Orders
from controlroom.runner.spec import Order
from controlroom.runner.status_file import StatusFile
from controlroom.runner.watch import Watch
from controlroom.text.states import AgentKind, Cause, State
from controlroom.wire import records
from controlroom.wire.runner import (
    Answer,
    AskPlan,
    End,
    Interrupt,
    Message,
    Received,
    SealedRequest,
    SetModel,
    TakeGrant,
)

if TYPE_CHECKING:
    from controlroom.runner.checks import CheckRunner
    from controlroom.runner.claude.interactive import Interactive

PATIENCE = 5.0
"""Seconds between TERM and KILL."""
GRACE = 0.3
"""Seconds that processes have to follow an agent that has ended by itself."""
LAST_TURN_SECONDS = 10.0
"""Seconds an agent has to stop its turn when its time is up."""

_NEVER = float("inf")
_NOTED = 10
"""Orders of others that are noted in its log; further ones are counted."""


class AgentRun:
    """Runs one order in the current folder, to its end."""

    _source = "stream"
    """What an agent's own state comes from."""

    def __init__(self, order: Order, status: StatusFile, log: RunLog, pane: Pane) -> None:
        self._order, self._status = order, status
        self._selector = selectors.DefaultSelector()
        self._recorder = Recorder(self._selector, log, pane, self._hear, _now)
        self._conversation: claude.Conversation | None = None
        self._talk: claude.Conversation | Interactive | None = None
        self._pid = 0
        self._inlet: AgentInput | None = None
        self._money = Money(order, lambda: self._talk.session if self._talk else "", self._recorder.note)
        self._watch = self._watching()
        self._edits = EditNotes()
        self._preparing = 0
        """The process that makes its worktree; 0: there is none, or it has ended."""
        self._checks: CheckRunner | None = None
        self._exit: Exit | None = None
        self._verdict: tuple[State, str] | None = None
        self._ended_for = Cause.NONE
        self._ending: Generator[float, None, list[process_tree.Process]] | None = None
        self._ending_at = 0.0
        self._time_up_at = _NEVER
        self._closed_at = -_NEVER
        self._finished = False
        self._waiting: list[Caller] = []
        self._orders = Orders(order.key, order.name, order.epoch, order.owner)
        self._forged = 0
        self._oom_before = outcome.oom_kills()
        signals = signal_pipe()
        self._selector.register(signals, selectors.EVENT_READ, lambda _mask: self._on_signal(os.read(signals, 4096)))
        self._control = ControlSocket(self._selector, self._handle)

    # ------------------------------------------------------------------ start

    def start(self, login: dict[str, Any], task: str) -> None:
        """Start the agent. Raises `Unfit` when it cannot be, `Unpaid` when it must not be."""
        spec = self._order.spec
        environ = environment.build(login, spec, self._order.tag, folder.place("."))
        cwd = environment.working_folder(spec, environ["HOME"])
        if spec.worktree or spec.resume:
            cwd = self._in_worktree(environ, cwd)
        if self._ends:
            return
        environ["PWD"] = cwd
        self._environ, self._cwd = environ, cwd
        self._checks = self._check_runner()
        if why := self._money.begin(environ):
            raise Unpaid(why)
        self._pid = self._launch(agent_process.program_of(spec.command, environ, cwd), environ, cwd)
        self._money.watch_below(environ, cwd, self._pid if self._talk else 0)
        if spec.max_hours:
            self._time_up_at = time.monotonic() + spec.max_hours * 3600
        self._give(task)
        stray = stray_login(environ, cwd, login, spec) if self._talk else ""
        self._save(pid=self._pid, cwd=cwd, stray_key=stray[:200])

    def _in_worktree(self, environ: dict[str, str], cwd: str) -> str:
        """Return the folder to work in, once its worktree is there, or the end of all this. Raises `Unfit`."""
        from controlroom.runner import preparation  # most agents need none

        if not preparation.is_needed(self._order):
            return cwd
        child = preparation.start(environ)
        self._preparing = child.pid
        os.close(child.stdin)
        self._recorder.listen(child.stdout, records.OUT)
        self._recorder.listen(child.stderr, records.ERR)
        self._save()
        while self._preparing and not self._ends:
            for key, mask in self._selector.select(1.0):
                key.data(mask)
            self._recorder.due()
            self._control.hang_up_late()
        if self._ends:
            return cwd
        cwd, worktree, self._status.repository = preparation.result(environ, cwd)
        self._watch = self._watching()
        if worktree:
            self._status.save(worktree=worktree)
        return cwd

    def _watching(self) -> Watch:
        return Watch(self._order.spec, lambda: self._recorder.taken + self._money.written)

    def _launch(self, program: str, environ: dict[str, str], cwd: str) -> int:
        """Start it with pipes; return its pid."""
        spec = self._order.spec
        argv = [program, *spec.command[1:]]
        if spec.kind == AgentKind.HEADLESS:
            self._talk = self._conversation = claude.Conversation(spec.resume, spec.model)
            session = claude.new_session(os.urandom(16))
            argv = claude.command_line(program, spec.command[1:], spec, session)
            self._money.watch(environ, cwd, spec.resume or session)
        child = agent_process.start(argv, environ, cwd)
        self._inlet = AgentInput(self._selector, child.stdin, self._not_taken)
        self._recorder.listen(child.stdout, records.EVENT if self._conversation else records.OUT)
        self._recorder.listen(child.stderr, records.ERR)
        return child.pid

    def _give(self, task: str) -> None:
        if self._conversation:
            self._write(self._money.question(first=True))
            self._write(self._conversation.begin(speakable(task)))
        elif self._inlet:
            self._inlet.write(task.encode("utf-8", "surrogateescape"))
            self._inlet.close()

    # ------------------------------------------------------------------ the loop

    def run(self) -> None:
        """Run until the agent and all its processes are gone, and the last word about them is written."""
        wakes_at = time.monotonic()
        while not self._finished:
            pause = None if wakes_at == _NEVER else max(0.0, wakes_at - time.monotonic())
            follows = True
            for number, (key, mask) in enumerate(self._selector.select(pause)):
                follows = key.data(mask) is not DONE_WITH or (follows and number > 0)
            if not follows and time.monotonic() < wakes_at:
                continue  # a line of output is no reason to look at everything
            self._due()
            pause = self._pause()
            wakes_at = _NEVER if pause is None else time.monotonic() + pause

    def _pause(self) -> float | None:
        """Say for how long only the outside can want something."""
        now = time.monotonic()
        times = [*self._recorder.wakes_at(), self._time_up_at, self._ending_at if self._ending else _NEVER]
        times.append(self._money.wakes_at(ending=self._ends))
        times.append(_NEVER if self._ends else self._watch.wakes_at())
        times.append(self._checks.wakes_at() if self._checks else _NEVER)
        if self._control.busy or self._status.unsaved:
            times.append(now + 1.0)
        if (close_at := self._may_close_at()) is not None:
            times.append(now + (close_at - _now()) / 1000)
        first = min(times)
        return None if first == _NEVER else max(0.0, first - now)

    def _due(self) -> None:
        self._recorder.due()
        self._control.hang_up_late()
        if self._checks and self._checks.busy and self._ending is None:
            self._go_on_checking(self._checks)
        if (close_at := self._may_close_at()) is not None and close_at <= _now():
            self._work_is_over()
        if (why := self._money.due(ending=self._ends)) and not self._is_done() and not self._checking:
            self._wind_up(State.PAUSED, why)
        if self._conversation and self._conversation.working and not self._ends:
            self._write(self._money.question())
        if not self._ends:
            self._look_after()
        if self._time_up_at <= time.monotonic():
            self._time_is_up()
        if self._verdict and not (self._talk and self._talk.working):
            self._begin_ending()
        if self._ending and self._ending_at <= time.monotonic():
            self._go_on_ending()
        if not self._finished:
            self._save()

    def _look_after(self) -> None:
        """See what goes wrong, and end it where its profile says so."""
        self._watch.due(self._talk is None or self._talk.at_work)
        trouble = self._watch.trouble
        if trouble and trouble.cause.value in self._order.spec.end_on and not self._is_done():
            self._ended_for = trouble.cause
            self._wind_up(State.FAILED, trouble.words)

    @property
    def _ends(self) -> bool:
        """Whether it has ended, or we have begun to end it."""
        return self._exit is not None or self._verdict is not None or self._ending is not None

    def _may_close_at(self) -> int | None:
        if self._conversation is None or self._exit is not None or (self._checks and self._checks.busy):
            return None
        return self._conversation.may_close_at

    def _is_done(self) -> bool:
        """Whether it has done its work: its input may be closed, or was closed just now, and it is ending by itself."""
        return self._may_close_at() is not None or time.monotonic() < self._closed_at + PATIENCE

    def _check_runner(self) -> "CheckRunner | None":
        order = self._order.spec.checks
        if not order.is_wanted:
            return None
        from controlroom.runner.checks import CheckRunner  # most agents have none

        known = self._status.known
        return CheckRunner(order, self._selector, self._recorder, _now, lambda: 0 if self._exit else self._pid, known)

    @property
    def _checking(self) -> bool:
        return self._checks is not None and self._checks.running

    def _work_is_over(self) -> None:
        """It has finished all that it was told: check what it has done, or let it end."""
        if self._checks and self._checks.stale and self._conversation and self._conversation.succeeded:
            self._checks.begin(self._environ, self._cwd)
        else:
            self._close_input()

    def _go_on_checking(self, checks: "CheckRunner") -> None:
        """See how the checks go; when they are over, tell it to go on, or let it end."""
        if not checks.due(works=self._talk is not None and self._talk.working):
            return
        if self._exit is not None:
            self._begin_ending()
        elif checks.may_tell and (why := self._money.over()):
            self._wind_up(State.PAUSED, why)
        elif checks.may_tell:
            self._tell_again(checks.told())

    def _stop_checks(self) -> None:
        """Somebody wants it to stand still: it waits for a message, and is checked after the next turn."""
        if self._checks:
            self._checks.abandon(until_it_works=True)
        if self._conversation:
            self._conversation.stay(_now())
        self._recorder.sent("interrupt")

    def _tell_again(self, words: str) -> None:
        if self._conversation:
            self._write(self._conversation.message(words))

    def _on_signal(self, numbers: bytes) -> None:
        if signal.SIGHUP in numbers:
            self._end(State.FAILED, "its tmux session was closed")
        if signal.SIGTERM in numbers:
            self._end(State.FAILED, "its runner was told to end (SIGTERM)")
        if signal.SIGCHLD in numbers:  # after the others: a closed terminal ends its agent, too
            self._reap()
        if signal.SIGINT in numbers:
            self._key_pressed()
        if nested.SIGNAL in numbers:
            self._money.notice()

    def _key_pressed(self) -> None:
        """Ctrl-C in the pane: stop the turn of a headless agent, or its checks; hand it on to a command."""
        if self._conversation and self._checking:
            self._stop_checks()
        elif self._conversation:
            with contextlib.suppress(Refused):
                self._write(self._conversation.interrupt(f"key-{_now()}"))
                self._recorder.note("interrupted from its pane")
        elif self._pid and self._exit is None:
            with contextlib.suppress(OSError):
                os.killpg(self._pid, signal.SIGINT)

    # ------------------------------------------------------------------ the agent's input

    def _hear(self, event: dict[str, Any]) -> None:
        if self._conversation:
            self._write(self._conversation.feed(event, _now()))
        self._money.hear(event)
        self._watch.hear(event)
        self._edits.hear(event)

    def _write(self, data: bytes) -> None:
        if data and self._inlet:
            self._inlet.write(data)

    def _close_input(self) -> None:
        if self._inlet and self._conversation:
            self._conversation.closed()
            self._inlet.close()
            self._closed_at = time.monotonic()

    def _not_taken(self) -> None:
        if self._conversation and self._exit is None:
            self._recorder.note("the agent has closed its input: what was sent last did not reach it")

    # ------------------------------------------------------------------ requests

    def _handle(self, received: Received, caller: Caller) -> None:
        if isinstance(received.request, End):
            why = received.request.why[:200]
            self._waiting.append(caller)
            self._end(State.DONE, why or "killed")
            return
        try:
            self._do(received.request, received.fields, caller)
        except Unsigned as refused:
            self._forged += 1
            if self._forged <= _NOTED:
                self._recorder.note(f"refused what its room did not order ({received.fields.get('do')}): {refused}")
            caller.reply(str(refused))
            self._save()
        except Refused as refused:
            caller.reply(str(refused))
        else:
            self._save()

    def _do(self, request: SealedRequest | TakeGrant, fields: Mapping[str, Any], caller: Caller) -> None:
        """Do what is asked and reply now or later, or raise `Refused`."""
        if self._ends:
            raise Refused("it has ended; reassign it to go on")
        peer = process_tree.process(caller.pid) if caller.pid else None
        if peer and os.getpid() in process_tree.above(peer):
            raise Unsigned("an agent gives its own runner no orders")
        if isinstance(request, TakeGrant):  # its terms themselves are signed
            self._money.take(request.number)
            self._save()
            caller.reply()
            return
        self._orders.check(fields)
        if self._preparing:
            raise Refused("its worktree is being made: try again once it has started")
        if isinstance(request, AskPlan):
            if self._conversation is None:
                raise Refused("only a headless Claude can be asked what is used of its plan")
            self._write(self._conversation.asking(self._money.plan_question()))
            caller.reply()
        elif isinstance(request, Interrupt) and self._checking:
            self._stop_checks()
            caller.reply()
        else:
            self._tell(request, caller.reply)

    def _tell(self, request: Message | Answer | Interrupt | SetModel, reply: Callable[[str], None]) -> None:
        talk = self._conversation
        if talk is None:
            raise Refused("it is a plain command: it takes no messages, answers or interrupts")
        if isinstance(request, SetModel):
            self._write(talk.set_model(request.model, f"model-{time.monotonic_ns()}", reply))
            self._recorder.note(f"to go on with the model {request.model}")
            return
        if isinstance(request, Message):
            self._write(talk.message(request.text))
            self._recorder.sent(request.text)
        elif isinstance(request, Answer):
            self._write(talk.answer(request, _now()))
            self._recorder.answered(answer_words(request), of_rules=bool(request.by))
        else:
            self._write(talk.interrupt(f"operator-{_now()}"))
            self._recorder.sent("interrupt")
        reply("")

    # ------------------------------------------------------------------ the end

    def _time_is_up(self) -> None:
        """First stop the turn, so that Claude can write down where it stood; then end it."""
        if self._verdict or (self._exit is not None and not self._checking):
            self._time_up_at = _NEVER
            self._begin_ending()
        else:
            self._ended_for = Cause.OVER_LIMIT
            self._wind_up(State.FAILED, f"stopped after {self._order.spec.max_hours:g} h (max_hours)")

    def _wind_up(self, state: State, words: str) -> None:
        """End the agent for a reason of ours, and let it stop its turn before."""
        self._verdict = (state, words)
        self._time_up_at = time.monotonic() + LAST_TURN_SECONDS
        self._recorder.note(f"ending it: {words}")
        if self._talk and self._talk.working:
            self._stop_turn()

    def _stop_turn(self) -> None:
        """Interrupt a turn that is on."""
        if self._conversation:
            self._write(self._conversation.interrupt(f"time-{_now()}"))

    def _reap(self) -> None:
        """Collect every child that has ended: the agent, and orphans that have become ours."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if os.WIFSTOPPED(status):
                self._stopped(pid)
            elif self._checks and self._checks.reaped(pid, status):
                continue
            elif pid == self._preparing:
                self._preparing = 0
            elif pid == self._pid:
                self._exit = outcome.from_status(status, outcome.starved_since(self._oom_before))
                self._begin_ending(GRACE)

    def _stopped(self, pid: int) -> None:
        """Take note that a child has been stopped by a signal."""

    def _end(self, state: State, words: str) -> None:
        """End the agent for a reason of ours."""
        if (self._exit is None or self._checking) and self._ending is None:
            if self._verdict is None:
                self._verdict = state, words
                self._ended_for = Cause.KILLED if state is State.DONE else Cause.NONE
            self._recorder.note(f"ending it: {words}")
        self._begin_ending()

    def _begin_ending(self, grace: float = 0.0) -> None:
        if self._ending is None:
            if self._checks:
                self._checks.abandon()
            self._ending = process_tree.ending(self._processes, patience=PATIENCE, grace=grace, told=self._left_behind)
            self._ending_at = 0.0

    def _processes(self) -> list[process_tree.Process]:
        return process_tree.of_agent(self._order.tag, folder.place("."), os.getpid())

    def _left_behind(self, processes: list[process_tree.Process]) -> None:
        if self._exit is not None and processes:
            self._recorder.note(f"it has ended; ending what it left behind: {process_tree.names(processes)}")

    def _go_on_ending(self) -> None:
        if self._ending:
            try:
                self._ending_at = time.monotonic() + next(self._ending)
            except StopIteration as stopped:
                self._reap()
                if stopped.value or not self._checked_at_its_end():
                    self._finish(stopped.value)

    def _checked_at_its_end(self) -> bool:
        """Begin to check the work of one that has ended by itself, and takes no words any more; False: no need."""
        checks, done = self._checks, self._own_end(self._exit or Exit())[0] is State.DONE
        if checks is None or not checks.stale or self._verdict or not done:
            return False
        self._recorder.finish()
        self._ending = None
        checks.begin(self._environ, self._cwd)
        return True

    def _finish(self, left: list[process_tree.Process]) -> None:
        """Nothing of the agent runs any more, or cannot be ended: say what became of it, and stop."""
        if self._checks:
            self._checks.finish()
        self._recorder.finish()
        self._money.finish()
        state, detail = self._last_state()
        reason = f"still there after SIGKILL: {process_tree.names(left)}" if left else ""
        failed = self._verdict is None and state is State.FAILED
        self._conclude(
            state, f"{detail} ({reason})" if reason else detail, reason, self._cause() if failed else self._ended_for
        )

    def _cause(self) -> Cause:
        cause = self._conversation.cause if self._conversation else Cause.NONE
        if self._checks and self._checks.has_failed and cause is Cause.NONE:
            return Cause.CHECKS
        return self._exit.cause if self._exit and cause is Cause.NONE else cause

    def _last_state(self) -> tuple[State, str]:
        if self._verdict:
            state, words = self._verdict
            return state, (state is State.PAUSED and self._money.over()) or words
        state, detail = self._own_end(self._exit or Exit())
        if state is State.DONE and self._checks and self._checks.is_judged:
            return self._checks.judged(detail)
        if state is State.DONE and self._has_done_nothing():
            self._status.save(nothing_changed=True)
            return state, "done, nothing changed" + detail.removeprefix("done")
        return state, detail

    def _has_done_nothing(self) -> bool:
        """Whether it has answered nothing, and changed no file; of one on a terminal that is not asked."""
        talk = self._conversation
        did = talk.has_done if talk else self._talk is not None or self._recorder.taken > 0 or None
        if did is None:
            with contextlib.suppress(ImportError, Unfit):  # the files of an older version may be gone by now
                from controlroom.runner import looking  # few runs say nothing at all

                did = looking.has_changed(self._environ, self._cwd, self._status.known)
        return did is False

    def _own_end(self, ended: Exit) -> tuple[State, str]:
        """What became of it, as its process and its own words tell."""
        if self._talk is None:
            failed = bool(ended.code or ended.signal)
            return (State.FAILED, ended.words()) if failed else (State.DONE, "")
        state, detail = self._talk.over(ended)
        complaint = self._recorder.complaint
        silent = self._talk.seen is None and complaint not in detail
        return state, f"{detail}: {complaint}" if state is State.FAILED and silent else detail

    def give_up(self, words: str, state: State = State.FAILED, cause: Cause = Cause.NONE) -> None:
        """It could not be started, or we can no longer run it: end what there is and say why."""
        left = process_tree.end(self._processes, PATIENCE)
        self._reap()
        with contextlib.suppress(Exception):  # it may be what has failed
            self._money.finish()
        self._conclude(state, words, process_tree.names(left), cause)

    def _conclude(self, state: State, detail: str, reason: str, cause: Cause = Cause.NONE) -> None:
        """Write the last word about the agent, answer who waits for it, and stop. A runner pauses for money alone."""
        why = Cause.BUDGET if state is State.PAUSED else cause
        self._recorder.note(detail if detail.startswith(state) else f"{state}: {detail}" if detail else str(state))
        code, number = (self._exit.code, self._exit.signal) if self._exit else (None, None)
        self._save((state, detail), cause=why, pid=0, ended=_now(), exit_code=code, exit_signal=number)
        self._status.finish()
        for caller in self._waiting:
            caller.reply(reason)
        self._control.close()
        self._finished = True

    # ------------------------------------------------------------------ the status

    def _save(self, ending: tuple[State, str] | None = None, **more: Any) -> None:
        """Write the status when something in it has changed."""
        talk, before = self._talk, self._status.fields
        state, detail = ending or self._at_work()
        changes: dict[str, Any] = {"state": state, "detail": detail[:500], "log_bytes": self._recorder.log.size, **more}
        changes.update(self._money.fields(last=ending is not None), billing=self._money.billing)
        changes.update({"forged": self._forged} if self._forged else {})
        found = self._watch.trouble.words if self._watch.trouble else self._checks.trouble if self._checks else ""
        if (trouble := "" if ending else found) or before.get("trouble"):
            changes["trouble"] = trouble
        if talk:
            question = None if ending else talk.question
            changes["question"] = question and question.shown()
            changes.setdefault("cause", talk.cause if state is State.IDLE else Cause.NONE)
            changes["limited_until"] = talk.limited_until if state is State.LIMITED else 0
            changes.update(model=talk.model, session=talk.session, denied=talk.denied)
        if self._checks and self._checks.checks.at:
            changes["checks"] = self._checks.fields()
        if state != before["state"] or "pid" in more:
            changes.update(since=_now(), evidence=self._evidence(state, more.get("pid", before["pid"])))
        self._status.save(**changes)

    def _at_work(self) -> tuple[State, str]:
        """What it does, while it has not ended."""
        own = (State.STARTING, "its worktree is being made") if self._preparing else (State.WORKING, "")
        state, detail = (self._talk.state, self._talk.detail) if self._talk else own
        return self._checks.at_work(state, detail) if self._checks else (state, detail)

    def _evidence(self, state: State, pid: int) -> list[dict[str, Any]]:
        value = self._exit.words() if self._exit else f"process {pid} runs" if pid else "no process"
        evidence = [{"source": "runner", "state": state, "value": value, "at": _now()}]
        if self._checks and self._checks.is_judged and not self._verdict:
            evidence.insert(0, self._checks.evidence(state))
        elif self._talk and (event := self._talk.seen):
            evidence.insert(0, {"source": self._source, "state": event.state, "value": event.value, "at": event.at})
        return evidence


def _now() -> int:
    return time.time_ns() // 1_000_000
