"""What an interactive Claude is doing, told by its session file and its transcript; no file and no terminal in here.

Claude Code 2.1.330, observed:
  - while a start-up dialog is open there is no session file; once there is one, it says `busy idle waiting shell`, but
    for a moment at first nothing;
  - a prompt stands in the transcript as `user` line, one given during a turn first as `queue-operation`. Pasted text of
    several lines is put between `<pasted_content …>` marks, tabs become spaces;
  - what a permission prompt asks stands there before it is answered, as the one tool call without a result; where it
    does not, or another call is under way (one that needed no permission, one of a subagent in the background), the
    screen alone says it: what is asked is what both say, else what the screen says. The hook of permission requests
    says the whole input of a call, and not which call it is: that is the one whose dialog is on the screen;
  - a prompt that a hook refused stands as `system` line with the reason, and goes back to where it was typed;
  - Escape leaves `[Request interrupted by user]` and the state `idle`; so does turning down what is asked;
  - at a weekly limit a dialog opens that asks whether to wait; SIGINT ends it in the middle of a turn, with exit 0.
"""

import zlib
from typing import TYPE_CHECKING, Any

from controlroom.metering.usage import moment
from controlroom.runner.claude.channel import StateEvent
from controlroom.runner.claude.dialogs import READERS, Dialog, is_call, lasting, startup
from controlroom.runner.claude.questions import ASKS, SHOWS_PLAN, Lasting, Question, ask, has_previews
from controlroom.runner.claude.result import INTERRUPTED, limit_ends, login_trouble, refusal
from controlroom.runner.outcome import Exit
from controlroom.text.event_text import asked
from controlroom.text.json_fields import table, tables, text, whole
from controlroom.text.lazy_pattern import pattern
from controlroom.text.states import Cause, State

if TYPE_CHECKING:
    from controlroom.runner.claude.permission_requests import PermissionRequest

DIALOG_AFTER = 8_000
"""Milliseconds without a session file after which Claude is taken to stand at a start-up dialog."""

_ATTACH = "attach to answer it"
STARTUP_DIALOG = f"start-up dialog: {_ATTACH}"

DIALOG = "dialog open"
"""What the session file says that it waits for where no other words fit."""

BEGINS = 2_000
"""Milliseconds that Claude may take from a prompt to the session file that says so."""

GOES_ON = 120_000
"""Milliseconds after the end of a plan's limit in which Claude goes on by itself: after some 65 s, it says."""

UNTOLD = 1_000
"""Milliseconds in which transcript and screen may come to say the same, before what the screen says counts alone; and
between two looks at the screen from then on."""

_MOST_CALLS = 200
_PASTED = pattern("</?pasted_content[^>]{0,80}>")


_SUBAGENTS = ("Agent", "Task")
"""Calls below which others ask: what stands on the screen is one of theirs, and not in this transcript."""


class Interactive:
    """One run of Claude on a terminal. Times are UTC ms."""

    def __init__(self, session: str, model: str, now: int) -> None:
        self.state = State.STARTING
        self.detail = ""
        self.session, self.model = session, model
        self.cause = Cause.NONE
        """What the login has to do with it, where its last turn ended so."""
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
        self._waits_for: tuple[str, int, str] | None = None
        """What the session file says that it waits for, since when, and the one call that is open; None: nothing."""
        self._waits_since = 0
        self._looks_at: int | None = None
        """When to look at its screen; None: no look is needed."""
        self._startup = ""
        """What its screen asks before there is a session."""
        self._dialog: Dialog | None = None
        """What its question was read from, where its screen alone says it."""
        self.request: PermissionRequest | None = None
        """What its question was told by, where its hook has told it."""
        self.hooked = False
        """Whether a hook tells its permission requests: a moment after their dialogs have come up."""
        self._requests: list[PermissionRequest] = []
        self._told: tuple[PermissionRequest, str] | None = None
        """The request that was asked about last, and the id of that question."""
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

    @property
    def succeeded(self) -> bool:
        """Whether it has ended its turn as it should, and waits for words."""
        return self.state is State.IDLE and not self.detail and self.status == "idle" and not self._turn

    @property
    def at_work(self) -> bool:
        """Whether it is to be heard of. Beside a background command alone it waits for a message."""
        return self.working and self.state is State.WORKING

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
        self.question = self.request = self._waits_for = self._looks_at = None
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
            self._looks_at = now if self._looks_at is None else self._looks_at
            words = f"start-up dialog: it asks {self._startup}; {_ATTACH}" if self._startup else STARTUP_DIALOG
            self._become(State.WAITING, words, "no session file", now)

    def _waits(self, what: str, value: str, now: int) -> None:
        call = self._open_call()
        wait = what, self.moved[0], call[0] if call else ""
        if wait != self._waits_for:
            is_late_line = self._dialog is not None and wait[:2] == (self._waits_for or ())[:2]
            self._waits_for = wait
            if not is_late_line:
                self._waits_since, self.question, self._dialog, self.request = now, None, None, None
            self._looks_at = now if what in READERS else None
        self._say_what_for(what, value, now)

    def _open_call(self) -> "tuple[str, str, dict[str, Any]] | None":
        """The one call without a result: its id, tool and input."""
        (ident, (tool, given)), *others = self._calls.items() or [("", ("", {}))]
        return (ident, tool, given) if tool and not others and tool not in _SUBAGENTS else None

    def _say_what_for(self, what: str, value: str, now: int) -> None:
        if self._outcome[0] is State.LIMITED and what == DIALOG:
            self._become(State.LIMITED, f"{self._outcome[1]}; {DIALOG}: attach to answer it", value, now)
        elif self.question is None:
            self._become(State.WAITING, f"{what}: attach to answer it", value, now)
        else:
            first = self.question.text.split("\n", 1)[0][:120]
            self._become(State.WAITING, f"asks: {first}", value, now)

    def requested(self, requests: "list[PermissionRequest]", now: int) -> None:
        """Take the permission requests that its hook has told and that are open."""
        if requests != self._requests:
            self._requests = requests
            self._looks_at = now if self._waits_for is not None else self._looks_at

    def wants_screen(self, now: int) -> bool:
        """Whether its screen is to be read now (`shows`)."""
        return self._looks_at is not None and self._looks_at <= now

    def shows(self, screen: list[str], now: int) -> None:
        """Take what its screen shows: the open call, else what stands there; another text is another question."""
        if self._waits_for is None:
            self._startup, self._looks_at = startup(screen), now + UNTOLD
            return
        (what, moved, _), call = self._waits_for, self._open_call()
        late = now - self._waits_since >= UNTOLD
        self._looks_at = now + (UNTOLD if late else 0)
        dialog = READERS[what](screen) if late else None
        stays = dialog is not None and dialog == self._dialog and not dialog.cut
        self.request = next((one for one in self._requests if is_call(screen, one.tool, one.given)), None)
        if self.request is not None:
            self._ask_request(self.request, call, screen, now)
        elif call is not None and not stays and (late or not self._hook_may_tell(call)) and is_call(screen, *call[1:]):
            self._ask_call(call, screen, now)
        elif dialog is not None:
            self._ask_dialog(f"screen-{moved}-{zlib.crc32(repr(dialog).encode()):08x}", dialog, screen, now)
        elif late and call is not None:
            self._ask_call(call, [], now)  # it says where to look; a key is pressed only when that is on the screen
        elif late:
            self.question = self._dialog = None
        self._say_what_for(what, f"{'its screen' if self._dialog else 'session file'} waiting: {what}", now)

    def _ask_call(self, call: "tuple[str, str, dict[str, Any]]", screen: list[str], now: int) -> None:
        ident, tool, given = call
        if self._told and self._told[0].is_open and (self._told[0].tool, self._told[0].given) == (tool, given):
            ident = self._told[1]
        self._dialog, self._looks_at = None, self._looks_at if not screen else None
        more = lasting(screen, tool)
        if self.question is None or (self.question.id, self.question.lasting) != (ident, more):
            self._ask(ident, Dialog(tool, asked(tool, given), given), more, now, words=True)

    def _hook_may_tell(self, call: "tuple[str, str, dict[str, Any]]") -> bool:
        return self.hooked and call[1] not in (ASKS, SHOWS_PLAN)

    def _ask_request(
        self, request: "PermissionRequest", call: "tuple[str, str, dict[str, Any]] | None", screen: list[str], now: int
    ) -> None:
        is_written = call is not None and call[1:] == (request.tool, request.given)
        if (
            self._told is None or self._told[0] is not request
        ):  # what was asked before it was written down stays the same
            self._told = request, call[0] if call and is_written else request.id
        ident = self._told[1]
        self._dialog, self._looks_at = None, None if is_written else self._looks_at
        more = lasting(screen, request.tool)
        before = self.question
        told = ident, more, request.given
        if before is None or (before.id, before.lasting, before.given) != told or not before.whole:
            dialog = Dialog(request.tool, asked(request.tool, request.given), request.given)
            self._ask(ident, dialog, more, now, words=True, known=True)

    def _ask_dialog(self, ident: str, dialog: Dialog, screen: list[str], now: int) -> None:
        if dialog != self._dialog:
            self._ask(ident, dialog, lasting(screen, dialog.tool), now)
            self._dialog = dialog

    def _ask(
        self,
        ident: str,
        dialog: Dialog,
        more: tuple[Lasting, ...],
        now: int,
        *,
        words: bool = False,
        known: bool = False,
    ) -> None:
        def takes(one: dict[str, Any]) -> bool:
            return words and not has_previews(one)

        self.asked_at = self.moved[0]
        self.question = ask(
            ident, dialog.tool, dialog.given, now, more, dialog.text, own_words=takes, cut=dialog.cut, known=known
        )

    def is_shown(self, screen: list[str]) -> bool:
        """Return whether its question is what this screen asks: the same call, or word for word what was read there."""
        if self._waits_for is None:
            return False
        if self.request is not None:
            return is_call(screen, self.request.tool, self.request.given)
        if self._dialog is not None:
            return READERS[self._waits_for[0]](screen) == self._dialog
        call = self._open_call()
        return call is not None and is_call(screen, *call[1:])

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
        self.cause = Cause.NONE
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
        self.cause = login_trouble(event)

    def _got(self, event: dict[str, Any], now: int) -> None:
        content = table(event.get("message")).get("content")
        for block in tables(content):
            if block.get("type") == "tool_result":
                self._calls.pop(text(block.get("tool_use_id"), 200), None)
            elif text(block.get("text"), 100).startswith(INTERRUPTED):
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
    return "" if words.startswith(INTERRUPTED) else words


def squeezed(words: str) -> str:
    """Return words without what Claude changes in a prompt: white space, and the marks around what was pasted."""
    return "".join(_PASTED.sub("", words).split())
