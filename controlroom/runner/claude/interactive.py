"""What an interactive Claude is doing, told by its session file and its transcript; no file and no terminal in here.

Claude Code 2.1.330, observed:
  - while a start-up dialog is open there is no session file; once there is one, it says `busy idle waiting shell`, but
    for a moment at first nothing;
  - a prompt stands in the transcript as `user` line, one given during a turn first as `queue-operation`. Pasted text of
    several lines is put between `<pasted_content …>` marks, tabs become spaces;
  - what a permission prompt asks stands there before it is answered, as the one tool call without a result; where it
    does not, the screen alone says it (`dialog`);
  - a prompt that a hook refused stands as `system` line with the reason, and goes back to where it was typed;
  - Escape leaves `[Request interrupted by user]` and the state `idle`; so does turning down what is asked;
  - at a weekly limit a dialog opens that asks whether to wait; SIGINT ends it in the middle of a turn, with exit 0.
"""

import re
import zlib
from collections.abc import Callable
from typing import Any

from controlroom.metering.usage import moment
from controlroom.runner.claude.channel import StateEvent
from controlroom.runner.claude.questions import EDITORS, EDITS, READERS, SHOWS_PLAN, Dialog, Question, ask, has_previews
from controlroom.runner.claude.result import limit_ends, refusal
from controlroom.runner.outcome import Exit
from controlroom.text.event_text import asked
from controlroom.text.json_fields import table, tables, text, whole
from controlroom.text.states import State

DIALOG_AFTER = 8_000
"""Milliseconds without a session file after which Claude is taken to stand at a start-up dialog."""

STARTUP_DIALOG = "start-up dialog: attach to answer it"

DIALOG = "dialog open"
"""What the session file says that it waits for where no other words fit."""

BEGINS = 2_000
"""Milliseconds that Claude may take from a prompt to the session file that says so."""

GOES_ON = 120_000
"""Milliseconds after the end of a plan's limit in which Claude goes on by itself: after some 65 s, it says."""

UNTOLD = 1_000
"""Milliseconds that the transcript may take to say what is asked, before the screen is read."""

_MOST_CALLS = 200
_INTERRUPTED = "[Request interrupted by user"
_PASTED = re.compile("</?pasted_content[^>]{0,80}>")


_SUBAGENTS = ("Agent", "Task")
"""Calls below which others ask: what stands on the screen is one of theirs, and not in this transcript."""


class Interactive:
    """One run of Claude on a terminal. Times are UTC ms."""

    def __init__(self, session: str, model: str, now: int) -> None:
        self.state = State.STARTING
        self.detail = ""
        self.session, self.model = session, model
        self.limited_until = 0
        self.denied = 0
        self.seen: StateEvent | None = None
        self.question: Question | None = None
        self.status = ""
        """What the session file says; "": there is none yet."""
        self.owed: tuple[State, str] | None = None
        """What it is until its task has been taken: it is not idle before."""
        self.moved: tuple[int, int] = (0, 0)
        """The session file's time, and how often it has been interrupted: other ones after a key that did something."""
        self.asked_at = 0
        """The session file's time of the question: while that stands, it is the one on the screen."""
        self.refused = False
        """Whether a hook refused the last prompt."""
        self._since = now
        self._untold: tuple[str, int] | None = None
        self._dialog: Dialog | None = None
        """What was last read from its screen."""
        self._calls: dict[str, tuple[str, dict[str, Any]]] = {}
        self._outcome: tuple[State, str] = (State.IDLE, "")
        self._turn = False
        """Whether the transcript ends in the middle of a turn."""
        self._begun: tuple[int, int] = (-1, 0)
        """Of the last prompt: the session file's time then, and until when it is not believed to be idle still."""

    @property
    def working(self) -> bool:
        """Whether a turn is on that an interrupt could stop."""
        return self.status == "busy"

    def look(self, file: dict[str, Any] | None, now: int) -> None:
        """Take what the session file says, None: there is none."""
        if file is None:
            if not self.status:
                self._not_there_yet(now)
            return
        status = text(file.get("status"), 40)
        if not status and not self.status and now - self._since < DIALOG_AFTER:
            return
        self.status = status or "unknown"
        self.session = text(file.get("sessionId"), 64) or self.session
        self.moved = whole(file.get("statusUpdatedAt")), self.moved[1]
        waits = text(file.get("waitingFor"), 80) if self.status == "waiting" else ""
        value = f"session file {self.status}" + (f": {waits}" if waits else "")
        if self.status == "waiting":
            self._waits(waits or "a dialog is open", value, now)
            return
        self.question = self._untold = None
        begins = self.status == "idle" and self._begun[0] == self.moved[0] and now < self._begun[1]
        self._become(*((State.WORKING, "") if begins else self._meaning(now)), value, now)

    def _meaning(self, now: int) -> tuple[State, str]:
        if self.status == "busy":
            return State.WORKING, ""
        if self.status == "shell":
            return State.WORKING, "a background command still runs"
        if self.status != "idle":
            return State.UNKNOWN, f"its session file says {self.status!a}, which is not known here"
        if self.owed:
            return self.owed
        if self._outcome[0] is State.LIMITED and 0 < self.limited_until + GOES_ON < now:
            return State.IDLE, "its limit is over, and it has not gone on by itself"
        return self._outcome

    def _not_there_yet(self, now: int) -> None:
        if now - self._since >= DIALOG_AFTER:
            self._become(State.WAITING, STARTUP_DIALOG, "no session file", now)

    def _waits(self, what: str, value: str, now: int) -> None:
        call = next(iter(self._calls.items())) if len(self._calls) == 1 else None
        if call is not None and call[1][0] not in _SUBAGENTS:
            ident, (tool, given) = call
            self._untold = None
            self._ask(ident, Dialog(tool, asked(tool, given), given), now, words=True)
        elif self._untold is None or self._untold[0] != what:
            self._untold, self.question = (what, now), None
        self._say_what_for(what, value, now)

    def _say_what_for(self, what: str, value: str, now: int) -> None:
        if self._outcome[0] is State.LIMITED and what == DIALOG:
            self._become(State.LIMITED, f"{self._outcome[1]}; {DIALOG}: attach to answer it", value, now)
        elif self.question is None:
            self._become(State.WAITING, f"{what}: attach to answer it", value, now)
        else:
            first = self.question.text.split("\n", 1)[0][:120]
            self._become(State.WAITING, f"asks: {first}", value, now)

    def _ask(self, ident: str, dialog: Dialog, now: int, *, words: bool = False) -> None:
        if self.question is None or self.question.id != ident:
            self.asked_at, self._dialog = self.moved[0], dialog

            def takes(one: dict[str, Any]) -> bool:
                return words and not has_previews(one)

            lasting = (EDITS,) if dialog.tool in (SHOWS_PLAN, *EDITORS) else ()
            self.question = ask(
                ident, dialog.tool, dialog.given, now, lasting, dialog.text, own_words=takes, cut=dialog.cut
            )

    def untold(self, now: int) -> "Callable[[list[str]], Dialog | None] | None":
        """How to read from the screen what is asked; None: nothing is, or the transcript says it or still may."""
        if self._untold is None or now - self._untold[1] < UNTOLD:
            return None
        return READERS.get(self._untold[0])

    def shows(self, dialog: "Dialog | None", now: int) -> None:
        """Take what the screen asks, after `untold`; another text is another question."""
        if self._untold is None:
            return
        if dialog is None:
            self.question = None
        else:
            self._ask(f"screen-{self.moved[0]}-{zlib.crc32(repr(dialog).encode()):08x}", dialog, now)
        self._say_what_for(self._untold[0], f"its screen, waiting: {self._untold[0]}", now)

    def still_shows(self, dialog: "Dialog | None") -> bool:
        """Return whether this is the dialog, word for word, that its question was made of."""
        return dialog is not None and dialog == self._dialog

    def hear(self, event: dict[str, Any], now: int) -> None:
        """Take a line of the transcript."""
        kind = event.get("type")
        if event.get("isSidechain"):
            return
        self.refused &= kind not in ("assistant", "user")
        if kind == "assistant":
            self._spoke(event, now)
        elif kind == "user":
            self._got(event, now)
        elif refused := refusal(event):
            self._outcome = State.IDLE, f"a hook refused what it was told: {refused}"
            self._begun, self.refused = (-1, 0), True

    def over(self, ended: Exit) -> tuple[State, str]:
        """Return what became of it, now that its process has ended by itself."""
        if ended.code or ended.signal:
            return State.FAILED, ended.words()
        if self.status == "busy" and self._turn:
            return State.FAILED, "it was left in the middle of a turn"
        return State.DONE, "it was left on its terminal"

    def _spoke(self, event: dict[str, Any], now: int) -> None:
        message = table(event.get("message"))
        if event.get("isApiErrorMessage"):
            self._failed(event, message)
            return
        self.model = text(message.get("model"), 100) or self.model
        self._outcome, self.limited_until, self._turn = (State.IDLE, ""), 0, False
        for block in tables(message.get("content")):
            self._turn |= block.get("type") == "tool_use"
            ident = text(block.get("id"), 200)
            if block.get("type") == "tool_use" and ident and len(self._calls) < _MOST_CALLS:
                self._calls[ident] = text(block.get("name"), 200) or "a tool", table(block.get("input"))

    def _failed(self, event: dict[str, Any], message: dict[str, Any]) -> None:
        self._turn = False
        words = next((text(block.get("text"), 400) for block in tables(message.get("content"))), "")
        limited = event.get("error") == "rate_limit" or event.get("apiErrorStatus") == 429
        self._outcome = State.LIMITED if limited else State.IDLE, words.strip().split("\n", 1)[0] or "an API error"
        self.limited_until = limit_ends(event) if limited else 0

    def _got(self, event: dict[str, Any], now: int) -> None:
        content = table(event.get("message")).get("content")
        for block in tables(content):
            if block.get("type") == "tool_result":
                self._calls.pop(text(block.get("tool_use_id"), 200), None)
            elif text(block.get("text"), 100).startswith(_INTERRUPTED):
                self.moved = self.moved[0], self.moved[1] + 1
                self._calls.clear()
                self._turn = False
                self._outcome = State.IDLE, "interrupted"
        if prompt(event):
            told_since = self.moved[0] > moment(event.get("timestamp")) > 0  # a short turn may be over by now
            self._begun = (-1, 0) if told_since else (self.moved[0], now + BEGINS)
            self._calls.clear()
            self._outcome, self._turn = (State.IDLE, ""), True

    def _become(self, state: State, detail: str, value: str, now: int) -> None:
        if (state, detail) != (self.state, self.detail):
            self.state, self.detail = state, detail
            self.seen = StateEvent(state, value, now)


def prompt(event: dict[str, Any]) -> str:
    """Return the words of a prompt that a line of the transcript shows as submitted, "" for any other line."""
    if event.get("type") == "queue-operation":
        return text(event.get("content"), 2_000_000) if event.get("operation") == "enqueue" else ""
    if event.get("type") != "user" or event.get("isMeta") or event.get("isSidechain"):
        return ""
    content = table(event.get("message")).get("content")
    texts = [text(block.get("text"), 2_000_000) for block in tables(content) if block.get("type") == "text"]
    words = text(content, 2_000_000) or "\n".join(texts)
    return "" if words.startswith(_INTERRUPTED) else words


def squeezed(words: str) -> str:
    """Return words without what Claude changes in a prompt: white space, and the marks around what was pasted."""
    return "".join(_PASTED.sub("", words).split())
