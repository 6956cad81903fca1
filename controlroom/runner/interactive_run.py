"""A run of Claude on the pane's own terminal: it has the keys and the screen, we read its files and type for others."""

import contextlib
import os
import signal
import time
from collections.abc import Callable

from controlroom.runner import agent_process
from controlroom.runner.agent_process import speakable
from controlroom.runner.agent_run import AgentRun
from controlroom.runner.claude import channel as claude
from controlroom.runner.claude import own_settings, settings
from controlroom.runner.claude.dialogs import is_call
from controlroom.runner.claude.interactive import Interactive
from controlroom.runner.claude.permission_requests import PermissionRequests
from controlroom.runner.claude.questions import CHOICES, Question, answer_words, checked_answers
from controlroom.runner.claude.result import refusal
from controlroom.runner.claude.status_line import StatusLine
from controlroom.runner.claude.tool_calls import may_change
from controlroom.runner.claude.transcripts import SessionFile, Transcript
from controlroom.runner.outcome import Refused
from controlroom.runner.typed import READY, Decided, Filled, Keys, Pressed, Typed, as_text, dialog_key
from controlroom.text.states import State, Verdict
from controlroom.wire.runner import Answer, Interrupt, Message, SetModel

QUICK, SLOW = 0.1, 0.5
"""Seconds between two looks at Claude's files: while something goes on, and when nothing has for a while."""
_TAKES = 0.05
"""Seconds after an answer to Claude's hook until its files can say what came of that."""
_CALM = 5.0
"""Seconds without anything new after which looks become rare."""
_SEARCH = 2.0
_TERMINAL = 0
_BEING_TYPED = "something is being typed to it already: try again in a moment"
_BY_RULE = "A rule of the room does not allow this."
_UNTAKEN = "its task stands on its screen, but Claude has not taken it: attach and look"


class InteractiveRun(AgentRun):
    """Runs one order of kind `interactive` in the current folder, to its end."""

    _source = "Claude's files"

    # ------------------------------------------------------------------ start

    def _launch(self, program: str, environ: dict[str, str], cwd: str) -> int:
        spec = self._order.spec
        self._keys = Keys(self._order.tmux, os.environ)
        environ["TERM"] = os.environ.get("TERM") or "xterm-256color"
        session = spec.resume or claude.new_session(os.urandom(16))
        self._claude = self._talk = Interactive(session, spec.model, _now())
        config = settings.config_folder(environ, cwd, spec.command[1:])
        self._transcript = Transcript(config, cwd, self._money.recent)
        self._money.watch(environ, cwd, session)
        self._transcript.follow(session, _iso(time.time()) if spec.resume else "")
        more = spec.command[1:]
        self._requests = PermissionRequests(self._selector, self._look_soon)
        own = own_settings.arguments(environ, cwd, more, counts=self._money.wants_status_line)
        self._claude.hooked = bool(own)
        more += tuple(own)
        argv = claude.interactive_line(program, more, spec, session)
        pid = agent_process.start_on_terminal(argv, environ, cwd, _TERMINAL)
        self._file = SessionFile(config, pid)
        self._status_line = StatusLine()
        self._typing: list[Typed] = []
        self._typed_last: Typed | None = None
        self._pressed: Pressed | Filled | Decided | None = None
        if self._checks:
            self._checks.stale = False  # it waits for words more often than it has done something
        self._looks_at = self._searches_at = 0.0
        self._seen: tuple[list[str], float] = [], 0.0
        """Its screen as it was read last, and when."""
        self._moved = time.monotonic()
        return pid

    def _give(self, task: str) -> None:
        if task.strip():
            self._claude.owed = State.STARTING, "its task is being typed"
            self._typing.append(Typed(as_text(speakable(task)), self._claude, self._keys, self._task_typed))

    def _task_typed(self, reason: str) -> None:
        self._claude.owed = (State.WAITING, _UNTAKEN) if reason and not self._claude.refused else None
        if reason:
            self._recorder.note(f"the task was not given: {reason}")

    def _stopped(self, pid: int) -> None:
        """Ctrl-Z on its terminal: there is no shell around it that could bring it back."""
        if pid == self._pid:
            with contextlib.suppress(OSError):
                os.tcsetpgrp(_TERMINAL, pid)
                os.killpg(pid, signal.SIGCONT)

    # ------------------------------------------------------------------ looking

    def _pause(self) -> float | None:
        pause = super()._pause()
        if self._exit is not None:
            return pause
        left = max(0.0, self._looks_at - time.monotonic())
        return left if pause is None else min(pause, left)

    def _look_soon(self) -> None:
        """Look as soon as what has come is read: a permission request waits, and Claude with it."""
        self._looks_at = 0.0

    def _due(self) -> None:
        now = time.monotonic()
        if self._looks_at <= now and self._exit is None:
            self._look(now)
            busy = self._typing or self._pressed or self._requests.told
            calm = now - self._moved > _CALM and not busy
            self._looks_at = now + (SLOW if calm else QUICK)
            if self._checks and self._checks.is_due and self._waits_for_words():
                self._checks.begin(self._environ, self._cwd)
        super()._due()
        if self._verdict and self._exit is None and self._ending is None and self._money.subagents:
            self._recorder.note("its subagents are at work, and no key stops them: it is ended at once")
            self._begin_ending()

    def _waits_for_words(self) -> bool:
        """Whether it has finished a turn, and nothing is about to be said to it."""
        return self._claude.succeeded and not self._typing and self._pressed is None and not self._ends

    def _tell_again(self, words: str) -> None:
        self._typing.append(Typed(as_text(speakable(words)), self._claude, self._keys, self._told_again))

    def _told_again(self, reason: str) -> None:
        if reason and self._checks:
            self._checks.not_told()
            self._recorder.note(f"it was not told that its checks failed: {reason}")

    def _look(self, now: float) -> None:
        """See what Claude has written, and go on with what is being typed."""
        before, file = (self._claude.state, self._claude.session), self._file.read()
        if file is None and self._searches_at <= now:
            self._searches_at = now + _SEARCH
            self._file.search()
        self._claude.look(file, _now())
        if status_line := self._status_line.read():
            self._money.told(status_line)
        if self._claude.session != before[1]:
            self._transcript.follow(self._claude.session, _iso(time.time() - 5))
        heard = self._hear_all()
        self._claude.look(file, _now())
        if self._claude.status not in ("", "waiting"):
            self._requests.over()
        self._claude.requested(self._requests.told, _now())
        self._read_screen()
        if self._claude.request:
            self._claude.request.shown = True
        self._type(now)
        if heard or self._claude.state is not before[0]:
            self._moved = now

    def _read_screen(self) -> None:
        """See what its screen asks; while answers are put in there key by key, it shows them and no question anew."""
        if not isinstance(self._pressed, Filled) and self._claude.wants_screen(_now()):
            self._claude.shows(self._screen(), _now())

    def _screen(self) -> list[str]:
        """Return its screen: the one just seen, where that shows what a hook has told since, for Claude waits."""
        seen, at = self._seen
        new = [request for request in self._requests.told if not request.shown]
        if time.monotonic() - at < QUICK and any(is_call(seen, request.tool, request.given) for request in new):
            return seen
        screen: list[str] = []
        with contextlib.suppress(Refused):
            screen = self._keys.screen()
        self._seen = screen, time.monotonic()
        return screen

    def _hear_all(self) -> bool:
        lines = self._transcript.read()
        for event, line in lines:
            self._money.hear(event)
            self._recorder.told(event, line)
            self._claude.hear(event, _now())
            self._watch.hear(event)
            self._edits.hear(event)
            if self._checks and may_change(event):
                self._checks.worked()
            for typed in self._typing:
                typed.hear(event)
            if self._typed_last and refusal(event):
                self._typed_last.turned_away(event)
        return bool(lines)

    def _in_front(self) -> bool:
        """Return whether Claude has the terminal, and not an editor or pager that it has started."""
        try:
            return os.tcgetpgrp(_TERMINAL) == self._pid
        except OSError:
            return False

    def _type(self, now: float) -> None:
        if self._typing:
            self._typed_last = self._typing[0]
            self._typed_last.due(now, self._in_front())
            self._typing = [typed for typed in self._typing if not typed.over]
        if self._pressed:
            self._pressed.due(now)
            self._pressed = None if self._pressed.over else self._pressed

    # ------------------------------------------------------------------ requests

    def _tell(self, request: Message | Answer | Interrupt | SetModel, reply: Callable[[str], None]) -> None:
        if isinstance(request, SetModel):
            raise Refused("the model of a Claude on a terminal is chosen there: attach, and type /model")
        if isinstance(request, Message):
            self._message(request.text, reply)
        elif isinstance(request, Interrupt):
            self._interrupt(reply)
        else:
            self._answer(request, reply)
        by_hook = isinstance(self._pressed, Decided)  # it is just taking the answer: leave it the processor meanwhile
        self._looks_at = time.monotonic() + _TAKES if by_hook else 0.0

    def _check_typing(self) -> None:
        """Raise `Refused` where Claude would not take what is typed."""
        self._check_keys()
        if any(typed.under_way for typed in self._typing):
            raise Refused(_BEING_TYPED)

    def _check_keys(self) -> None:
        """Raise `Refused` where no key may be pressed: what its terminal shows is not Claude's, or not for keys."""
        if self._claude.status not in (*READY, "waiting"):
            raise Refused("nothing can be typed to it now: look at its screen")
        if not self._in_front():
            raise Refused("something else has its terminal: attach and look")
        self._check_pressed()

    def _check_pressed(self) -> None:
        if self._pressed:
            raise Refused(_BEING_TYPED)

    def _message(self, words: str, reply: Callable[[str], None]) -> None:
        if not words.strip():
            raise Refused("there is nothing in this message")
        if self._claude.status == "waiting":
            raise Refused("it waits for something else: look at what it asks")
        self._check_typing()
        self._typing.append(Typed(as_text(words, commands=True), self._claude, self._keys, reply))

    def _interrupt(self, reply: Callable[[str], None]) -> None:
        if not self._claude.working:
            raise Refused("it is not working on anything that could be stopped")
        self._check_typing()
        before = self._claude.moved  # what was queued begins at once: it may never be seen idle

        def still() -> bool:
            return self._claude.working and self._claude.moved == before

        self._press("Escape", lambda: not still(), still, reply)
        self._recorder.sent("interrupt")

    def _answer(self, answer: Answer, reply: Callable[[str], None]) -> None:
        """Answer by keys, where it is certain what they mean; else it is to be answered on its screen.

        What was typed last may wait to be confirmed: an open question says that Claude has gone on. Words that no page
        takes are said to it afterwards, as a message.
        """
        asks, verdict = claude.the_open_one(self._claude.question, answer), answer.verdict
        if answer.by:  # by Claude's hook: no key is needed
            self._check_pressed()
        else:
            self._check_keys()
        then = self._told_then(answer.text, reply) if answer.text.strip() else reply
        if answer.by:
            self._decide(asks, verdict, answer.text, reply)
        elif asks.kind == CHOICES and verdict is not Verdict.DENY:
            self._fill(asks, answer, reply)
        else:
            key = dialog_key(asks.kind, verdict, self._keys.screen())

            def certain() -> bool:
                screen = self._keys.screen()
                return self._asks(asks, screen) and dialog_key(asks.kind, verdict, screen) == key

            self._press(key, lambda: self._claude.question is not asks, certain, then)
        self._recorder.answered(answer_words(answer), of_rules=bool(answer.by))

    def _decide(self, asks: Question, verdict: Verdict, words: str, reply: Callable[[str], None]) -> None:
        """Give the answer of a rule to the hook that asked, and to nothing else: a key might hit another dialog."""
        request = self._claude.request
        if request is None or verdict not in (Verdict.ALLOW, Verdict.DENY):
            raise Refused("no hook of Claude's has asked this: a person answers it")
        if not request.decide(verdict, words.strip() or _BY_RULE):
            raise Refused("Claude's hook has gone: a person answers it")
        self._pressed = Decided(time.monotonic(), lambda: self._claude.question is not asks, reply)

    def _fill(self, asks: Question, answer: Answer, reply: Callable[[str], None]) -> None:
        self._pressed = Filled(
            asks,
            checked_answers(asks, answer.answers),
            self._keys,
            time.monotonic(),
            taken=lambda: self._claude.question is not asks,
            certain=lambda: self._in_front() and self._waits_for(asks),
            done=reply,
        )

    def _told_then(self, words: str, reply: Callable[[str], None]) -> Callable[[str], None]:
        """Say words once the answer was taken. They may have to wait for its next question: nobody waits for them."""

        def told(reason: str) -> None:
            if not reason:
                self._typing.append(Typed(as_text(speakable(words)), self._claude, self._keys, self._words_typed))
            reply(reason)

        return told

    def _words_typed(self, reason: str) -> None:
        if reason:
            self._recorder.note(f"it was answered, but not told what was to be said with it: {reason}")

    def _asks(self, asks: Question, screen: list[str]) -> bool:
        """Return whether this question is the one that is open at this very moment, as its file and its screen say."""
        return self._claude.is_shown(screen) and self._waits_for(asks)

    def _waits_for(self, asks: Question) -> bool:
        """Return whether its session file says that it waits for an answer to this question."""
        file = self._file.read() or {}
        waits = "input needed" if asks.kind == CHOICES else "permission prompt"
        return file.get("waitingFor") == waits and file.get("statusUpdatedAt") == self._claude.asked_at

    def _press(
        self, key: str, shown: Callable[[], bool], certain: Callable[[], bool], reply: Callable[[str], None]
    ) -> None:
        now = time.monotonic()
        self._pressed = Pressed(key, self._keys, now, shown=shown, certain=certain, done=reply)

    # ------------------------------------------------------------------ the end

    def _stop_turn(self) -> None:
        with contextlib.suppress(Refused):
            self._keys.press("Escape")

    def _last_state(self) -> tuple[State, str]:
        self._requests.close()
        self._hear_all()
        for typed in self._typing:
            typed.drop("it has ended")
        if self._pressed:
            self._pressed.drop("it has ended")
        if self._exit is not None and self._exit.code and not self._verdict:
            with contextlib.suppress(Refused):
                rows = [row for row in self._keys.screen() if row.strip()]
                self._recorder.complained("\n".join(rows[-20:]))
        return super()._last_state()


def _now() -> int:
    return time.time_ns() // 1_000_000


def _iso(seconds: float) -> str:
    """Write a time as transcripts do."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
