"""Plays a scene as Claude Code would live it: turns, questions, interrupts, messages, limits.

Hears messages of Claude Code's control channel (2.1.330, observed) from a queue, and says its events.
"""

from __future__ import annotations

import contextlib
import os
import queue
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple

from controlroom.demo.scenes import SCENES, Ask, Beat, Crash, Fail, Forbidden, HitLimit, NearLimit, Say, Use
from controlroom.demo.speech import Event, Speech

_HOUR = 3600
FIVE_HOURS = 0.37
"""How much of five hours the login `you` has used."""
_HELD = 3600.0
"""Seconds of one wait of an agent that stands still."""


class Orders(NamedTuple):
    """What the command line says. Flags of Claude Code that change nothing here are passed over."""

    scene: str
    seed: int = 0
    pace: float = 1.0
    beats: int | None = None
    session: str = ""
    resumed: bool = False
    model: str = ""
    mode: str = "default"


class _Interrupted(Exception):
    """The turn was stopped by the operator."""


class Ended(Exception):
    """The scene ends the process, with this code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def read_orders(argv: Sequence[str]) -> Orders:
    """Read the command line. Raises `ValueError` when there is no such scene or a number is none."""
    if not argv or argv[0] not in SCENES:
        raise ValueError(f"which scene? one of {', '.join(sorted(SCENES))}")
    orders, words = Orders(argv[0]), iter(argv[1:])
    for word in words:
        if word in _FLAGS:
            orders = orders._replace(**_FLAGS[word](next(words, "")))
    return orders


_FLAGS: dict[str, Callable[[str], dict[str, Any]]] = {
    "--seed": lambda value: {"seed": int(value)},
    "--pace": lambda value: {"pace": max(0.01, float(value))},
    "--beats": lambda value: {"beats": int(value)},
    "--session-id": lambda value: {"session": value},
    "--resume": lambda value: {"session": value, "resumed": True},
    "--model": lambda value: {"model": value},
    "--permission-mode": lambda value: {"mode": value},
}


class Player:
    """Plays one scene. `heard` holds what came on stdin, in order, and None for its end."""

    def __init__(self, orders: Orders, heard: queue.Queue[Event | None], say: Callable[[Event], None]) -> None:
        self._orders, self._heard, self._emit = orders, heard, say
        scene = SCENES[orders.scene]
        again = f"/{time.time_ns()}" if orders.resumed else ""  # its messages are new ones, and so are their ids
        dice = Random(f"{orders.scene}/{orders.seed}{again}")  # noqa: S311 - a story, not a secret
        self._beats = scene.play(dice)
        self.speech = Speech(dice, orders.session, orders.model or scene.model, os.getcwd())
        self._left = orders.beats
        self._messages: list[str] = []
        self._answers: dict[str, Event] = {}
        self._allowed: set[str] = set()
        self._sent: bool | None = None
        self._words = ""
        self._closed = False
        self._over = False
        self._failed = False

    def run(self) -> int:
        """Play turn after turn until stdin ends; give the exit code."""
        while not self._closed or self._messages:
            while not self._messages and not self._closed:
                self._hear(self._heard.get())
            if self._messages:
                self._turn()
        return 1 if self._failed else 0

    def _turn(self) -> None:
        task = self._messages.pop(0)
        self._emit(self.speech.init(self._orders.mode))
        if SCENES[self._orders.scene].login == "you" and not os.environ.get("ANTHROPIC_API_KEY"):
            self._emit(self.speech.limit("allowed", "five_hour", FIVE_HOURS, _next_reset()))
        try:
            self._greet(task)
            while not self._over:
                self._acknowledge()
                self._step()
        except _Interrupted:
            self._failed = True
            self._emit(self.speech.aborted())
            return
        self._failed = False
        self._emit(self.speech.done(self._words))

    def _greet(self, task: str) -> None:
        if self._orders.resumed or self._words:
            self._say(f"Going on with: {_head(task)}", 0.4)

    def _acknowledge(self) -> None:
        while self._messages:
            self._say(f"Understood: {_head(self._messages.pop(0))} I'll take that into account.", 0.3)

    def _step(self) -> None:
        try:
            beat = next(self._beats) if self._sent is None else self._beats.send(self._sent)
        except StopIteration:
            self._over = True
            return
        self._sent = None
        self._count()
        self._play(beat)

    def _count(self) -> None:
        if self._left is None:
            return
        self._left -= 1
        while self._left < 0:
            self._pause(_HELD)

    def _play(self, beat: Beat) -> None:
        match beat:
            case Say(text, after):
                self._say(text, after)
            case Use():
                self._use(beat)
            case Ask(use):
                self._sent = self._ask(use)
            case Forbidden(use):
                call = self._call(use)
                self._emit(self.speech.denied(call, use.tool, use.input))
                self._result(call, "Permission to use this tool has been denied.", failed=True)
            case _:
                self._suffer(beat)

    def _suffer(self, beat: Beat) -> None:
        """Play what an agent does not do but meets."""
        match beat:
            case NearLimit(share, window):
                self._emit(self.speech.limit("allowed_warning", window, share, _next_reset()))
            case HitLimit(window):
                self._wait_out(window)
            case Fail(text, error):
                for event in self.speech.failed(text, error):
                    self._emit(event)
                raise Ended(1)
            case Crash(number):
                _die(number)
            case _:
                raise TypeError("a scene of kind headless speaks; only a command prints")

    def _say(self, words: str, after: float) -> None:
        self._wait(after)
        self._words = words
        self._emit(self.speech.text(words))

    def _call(self, use: Use) -> str:
        self._wait(0.3)
        call, event = self.speech.tool(use.tool, use.input)
        self._emit(event)
        return call

    def _use(self, use: Use) -> None:
        call = self._call(use)
        self._wait(use.takes)
        self._emit(self.speech.result_of(call, use.result, failed=use.failed, outcome=_outcome(use)))

    def _ask(self, use: Use) -> bool:
        call = self._call(use)
        if use.tool in self._allowed or self._permitted(call, use):
            self._wait(use.takes)
            self._result(call, use.result, failed=use.failed)
            return True
        self._emit(self.speech.denied(call, use.tool, use.input))
        self._result(call, "The user doesn't want to proceed with this tool use.", failed=True)
        return False

    def _permitted(self, call: str, use: Use) -> bool:
        number, event = self.speech.ask(call, use.tool, use.input)
        self._emit(event)
        try:
            while number not in self._answers and not self._closed:
                self._hear(self._heard.get())
        except _Interrupted:
            self._emit(self.speech.withdraw(number))
            self._result(call, "The user interrupted.", failed=True)
            self._sent = False
            raise
        answer = self._answers.pop(number, {})
        if answer.get("updatedPermissions"):
            self._allowed.add(use.tool)
        if words := answer.get("message"):
            self._messages.append(str(words))
        return answer.get("behavior") == "allow"

    def _result(self, call: str, words: str, *, failed: bool) -> None:
        self._emit(self.speech.result_of(call, words, failed=failed))

    def _wait_out(self, window: str) -> None:
        resets = _next_reset()
        self._emit(self.speech.retry(int((resets - time.time()) * 1000)))
        self._emit(self.speech.limit("rejected", window, 1.0, resets))
        while (left := resets - time.time()) > 0:
            self._pause(left + 1)

    def _wait(self, seconds: float) -> None:
        """Wait some seconds of the scene."""
        self._pause(seconds * self._orders.pace if self._left is None else 0)

    def _pause(self, seconds: float) -> None:
        """Wait some seconds of the clock, and hear what is said meanwhile."""
        end = time.monotonic() + seconds
        with contextlib.suppress(queue.Empty):
            while True:
                self._hear(self._heard.get(timeout=max(0.0, end - time.monotonic())))

    def _hear(self, message: Event | None) -> None:
        if message is None:
            self._closed = True
            return
        kind = message.get("type")
        if kind == "user":
            self._messages.append(_text_of(message))
        elif kind == "control_response":
            response = _table(message.get("response"))
            self._answers[str(response.get("request_id"))] = _table(response.get("response"))
        elif kind == "control_request":
            self._obey(str(message.get("request_id")), _table(message.get("request")))

    def _obey(self, number: str, request: Event) -> None:
        interrupted = request.get("subtype") == "interrupt"
        if request.get("subtype") == "set_model":
            self.speech.model = str(request.get("model"))
        body: Event = {"still_queued": []} if interrupted else {}
        response = {"subtype": "success", "request_id": number, "response": body}
        self._emit({"type": "control_response", "response": response})
        if interrupted:
            raise _Interrupted


def _head(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) < 120 else words[:119] + "…"


def _table(value: object) -> Event:
    return value if isinstance(value, dict) else {}


def _text_of(message: Event) -> str:
    content = _table(message.get("message")).get("content")
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    return "\n".join(str(_table(block).get("text", "")) for block in blocks)


def _outcome(use: Use) -> object:
    """What an edit changed, line by line, as the Edit tool reports it."""
    if not use.added and not use.removed:
        return None
    lines = ["-"] * use.removed + ["+"] * use.added
    return {"filePath": use.input.get("file_path"), "structuredPatch": [{"oldStart": 1, "newStart": 1, "lines": lines}]}


def _next_reset() -> int:
    """The full hour after the next one, in seconds since 1970: windows end at full hours."""
    return (int(time.time()) // _HOUR + 2) * _HOUR


def _die(number: int) -> None:
    sys.stdout.flush()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    signal.pause()
