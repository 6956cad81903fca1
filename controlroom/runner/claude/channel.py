"""Claude's control channel, without a pipe in it: what its events mean, and what to write back.

Shapes and order of events: Claude Code 2.1.330 run with `--input-format stream-json --output-format stream-json
--permission-prompt-tool stdio`, observed. Worth knowing of it:
  - one `result` ends a turn (`result`); `system/init` begins each, and tells of another session after `/clear`;
  - a message sent during a turn is taken in at the next tool call, or begins a turn of its own after the result, and
    several may become one turn: their number says nothing, so its input is closed when no turn begins for a while;
  - a background task that ends begins a turn of its own;
  - questions are asked one at a time, an interrupt withdraws them, and the turn ends with an `aborted_…` reason;
  - the control request `set_model` is answered at once, and holds from the next request to the API on;
  - the control request `get_usage` is answered at once, in a turn and before the first message;
    `session.total_cost_usd` is the session's total, which a resumed one goes on from. With a key Claude asks nobody.
"""

import json
from collections.abc import Callable
from typing import Any

from controlroom.metering.usage_file import pico_of
from controlroom.runner.claude import lead_tools, result
from controlroom.runner.claude.questions import (
    CHOICES,
    EDITS,
    SHOWS_PLAN,
    Question,
    ask,
    checked_answers,
    filled,
    proposed,
)
from controlroom.runner.claude.tool_calls import may_change
from controlroom.runner.outcome import Exit, Refused
from controlroom.text.event_text import asked, limit_name, retry_words
from controlroom.text.json_fields import number, table, tables, text, whole
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.states import Cause, ItemAnswer, State, Verdict
from controlroom.wire.runner import Answer
from controlroom.wire.spec import AgentSpec

_PREFIX = "usage-"


def line(number: int) -> bytes:
    """Return the question of this number."""
    request = {"type": "control_request", "request_id": f"{_PREFIX}{number}", "request": {"subtype": "get_usage"}}
    return json.dumps(request).encode() + b"\n"


def is_answer(event: dict[str, Any]) -> bool:
    """Return whether an event answers such a question, whatever it says."""
    if event.get("type") != "control_response":
        return False
    return text(table(event.get("response")).get("request_id"), 100).startswith(_PREFIX)


def answer(event: dict[str, Any]) -> tuple[int, int] | None:
    """Return the question's number and the session's total in pico-dollars; None: this event does not tell it."""
    if not is_answer(event):
        return None
    response = table(event.get("response"))
    number = text(response.get("request_id"), 100).removeprefix(_PREFIX)
    pico = pico_of(table(table(response.get("response")).get("session")).get("total_cost_usd"))
    return (int(number), pico) if number.isdecimal() and pico is not None else None


SETTLE = 3_000
"""Milliseconds without a new turn after which the work is taken to be over, when there may be more to come."""

_MOST_QUESTIONS, _MOST_DENIALS = 64, 10_000
_DENIED = "The operator denied this."


class StateEvent(NamedTuple):
    """The event that put the agent into its state, in Claude's words, and when."""

    state: State
    value: str
    at: int


def new_session(random: bytes) -> str:
    """Make a session id, a version 4 UUID, of 16 random bytes."""
    mixed = bytearray(random)
    mixed[6], mixed[8] = mixed[6] & 0x0F | 0x40, mixed[8] & 0x3F | 0x80
    digits = mixed.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))


def command_line(program: str, more: tuple[str, ...], spec: AgentSpec, session: str) -> list[str]:
    """Build Claude's argv. `session` is the new session's id, unused when `spec.resume` goes on with one."""
    argv = [program, *more, "-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose"]
    argv += ["--permission-prompt-tool", "stdio"]
    argv += ["--resume", spec.resume] if spec.resume else ["--session-id", session]
    options = (
        ("--model", spec.model),
        ("--permission-mode", spec.permission_mode),
        ("--max-turns", str(spec.max_turns or "")),
        ("--max-budget-usd", spec.max_budget_usd),
        ("--fallback-model", ",".join(spec.fallback)),
    )
    return [*argv, *lead_tools.arguments(spec), *(part for name, value in options if value for part in (name, value))]


def interactive_line(program: str, more: tuple[str, ...], spec: AgentSpec, session: str) -> list[str]:
    """Build the argv of Claude on a terminal; limits on turns and dollars exist only without one."""
    argv = [program, *more, *(("--resume", spec.resume) if spec.resume else ("--session-id", session))]
    options = (("--model", spec.model), ("--permission-mode", spec.permission_mode))
    return [*argv, *lead_tools.arguments(spec), *(part for name, value in options if value for part in (name, value))]


class Conversation:
    """One run of Claude: feed it events, ask it what to write. Times are UTC ms."""

    def __init__(self, session: str = "", model: str = "", settle: int = SETTLE) -> None:
        self.state = State.STARTING
        self.detail = ""
        self.session, self.model = session, model
        self.cause = Cause.NONE
        """Of its last turn."""
        self.limited_until = 0
        self.seen: StateEvent | None = None
        self._settle = settle
        self._questions: dict[str, Question] = {}
        self._denials: set[str] = set()
        self._tasks: tuple[str, ...] = ()
        self._plan: dict[str, Any] = {}
        """What the last plan was given: it is asked about without (Claude Code 2.1.330, observed)."""
        self._turn = False
        self._begun = False
        self._more_may_come = False
        self._interrupting = False
        self._closed = False
        self.answered = self.acted = False
        """Whether it has said anything at the end of a turn, and called a tool that may change files."""
        self.succeeded = False
        """Whether its last turn ended as it should."""
        self._models: dict[str, tuple[str, Callable[[str], None]]] = {}
        """Models that it was told to go on with and has not answered about, and whom to tell; by request."""
        self._over: Callable[[Exit], tuple[State, str]] | None = None
        self._turn_ended = 0
        self._keeps = False
        """Whether it was interrupted and waits for a message, with its input open."""
        self._login_refused = False
        self._reset = 0
        """When the plan's window that was told of last ends."""
        self._error_ends = 0
        """When the limit ends that the last message of an error told of."""
        self._refused = self._answered = ""
        """Of this turn: why a hook refused its prompt, what a command answered instead of a model."""
        self._took_turn = False

    # ------------------------------------------------------------------ what is so

    @property
    def question(self) -> Question | None:
        """The oldest open question."""
        return next(iter(self._questions.values()), None)

    @property
    def denied(self) -> int:
        """How many tool calls have been denied."""
        return len(self._denials)

    @property
    def may_close_at(self) -> int | None:
        """When its input may be closed (a time that may have passed); None: there is something to wait for."""
        if self._closed or self._turn or not self._turn_ended or self._keeps or self._questions or self._tasks:
            return None
        return self._turn_ended + (self._settle if self._more_may_come else 0)

    @property
    def working(self) -> bool:
        """Whether a turn is on that an interrupt could stop."""
        return self._turn and self._begun and not self._closed

    @property
    def has_done(self) -> bool | None:
        """Whether it has done anything, as far as it says; None: it has called tools."""
        return True if self.answered else None if self.acted else False

    @property
    def at_work(self) -> bool:
        """Whether it is to be heard of: it waits for nobody, and for no limit."""
        return self.state is State.WORKING

    # ------------------------------------------------------------------ what to write

    def begin(self, task: str) -> bytes:
        """Return the task as the first message."""
        self._turn = True
        return _user(task)

    def message(self, words: str) -> bytes:
        """Say something to it. Raises `Refused` when it takes nothing more."""
        if self._closed:
            raise Refused("it has finished its task and is ending; reassign it to go on")
        if not words.strip():
            raise Refused("there is nothing in this message")
        self._more_may_come |= self._turn
        self._turn, self._keeps = True, False
        if self.state is State.IDLE:
            self.state, self.detail = State.WORKING, ""
        return _user(words)

    def interrupt(self, request: str) -> bytes:
        """Stop the turn; it then waits for a message. Raises `Refused` when no turn is on."""
        if not self.working:
            raise Refused("it is not working on anything that could be stopped")
        self._interrupting = True
        return _line({"type": "control_request", "request_id": request, "request": {"subtype": "interrupt"}})

    def set_model(self, model: str, request: str, reply: Callable[[str], None]) -> bytes:
        """Have it go on with another model; `reply` is told once it has, or why not. Raises `Refused`."""
        if self._closed:
            raise Refused("it has finished its task and is ending: say the model with its next one")
        self._models[request] = model, reply
        asked = {"subtype": "set_model", "model": model}
        return _line({"type": "control_request", "request_id": request, "request": asked})

    def asking(self, line: bytes) -> bytes:
        """Put a question of the runner's own. Raises `Refused` when it takes nothing more."""
        if self._closed:
            raise Refused("it has finished its task and is ending")
        return line

    def answer(self, answer: Answer, now: int) -> bytes:
        """Answer an open question. Raises `Refused` when it is not open, shows something else, or the answer does not
        fit it; it is then as open as before."""
        verdict, words = answer.verdict, answer.text
        asks = the_open_one(self._questions.get(answer.question), answer)
        if self._closed:
            raise Refused("its input is closed, nothing reaches it any more: kill it, or reassign it")
        response = _response(asks, verdict, words, answer.answers)
        more = self.message(words) if asks.kind != CHOICES and verdict != Verdict.DENY and words.strip() else b""
        del self._questions[asks.id]
        self._settled(now, f"answered {verdict}")
        return _reply(asks.id, response) + more

    def stay(self, now: int) -> None:
        """Wait for a message, with its input open: what was to follow its turn was stopped."""
        self._keeps = True
        self._become(State.IDLE, "interrupted", "interrupted", now)

    def closed(self) -> None:
        """Its input has been closed: it takes nothing more."""
        self._closed = True

    # ------------------------------------------------------------------ what it says

    def feed(self, event: dict[str, Any], now: int) -> bytes:
        """Take one event. Gives what must be written back at once, mostly nothing."""
        kind = event.get("type")
        handler = _HANDLERS.get(kind) if isinstance(kind, str) else None
        return (handler(self, event, now) or b"") if handler else b""

    def over(self, ended: Exit) -> tuple[State, str]:
        """Return what became of it, now that its process has ended by itself."""
        if ended.signal is not None or (self._over is None and ended.code):
            return State.FAILED, ended.words()
        return self._over(ended) if self._over else (State.FAILED, "it ended without a result")

    def _become(self, state: State, detail: str, value: str, now: int) -> None:
        if (state, detail) != (self.state, self.detail):
            self.state, self.detail = state, detail
            self.seen = StateEvent(state, value, now)
        if state is not State.LIMITED:
            self.limited_until = 0

    def _settled(self, now: int, value: str) -> None:
        """Be working, or waiting when a question is open."""
        question = self.question
        if question is None:
            self._become(State.WORKING, "", value, now)
        else:
            first = question.text.split("\n", 1)[0][:120]
            self._become(State.WAITING, f"asks: {first}", f"can_use_tool {question.tool[:60]}", now)

    def _system(self, event: dict[str, Any], now: int) -> None:
        subtype = event.get("subtype")
        if subtype == "init":
            self._init(event, now)
        elif subtype == "api_retry":
            self._retry(event, now)
        elif subtype == "compact_boundary":
            self._took_turn = True  # work of its own, though no turn
        elif subtype == "informational":
            self._refused = result.refusal(event) or self._refused
        elif subtype == "background_tasks_changed":
            self._tasks = tuple(text(task.get("description"), 80) for task in tables(event.get("tasks")))
            self._more_may_come = True
            self._turn_ended = self._turn_ended and now

    def _init(self, event: dict[str, Any], now: int) -> None:
        self.model = text(event.get("model"), 100) or self.model
        self.session = text(event.get("session_id"), 64) or self.session
        self._turn = self._begun = True
        self._interrupting = self._keeps = False
        self._refused, self._answered, self._error_ends = "", "", 0
        self._settled(now, "system init")

    def _retry(self, event: dict[str, Any], now: int) -> None:
        if self._questions:  # of a subagent; a person is waited for all the same
            return
        words = retry_words(event)
        value = f"api_retry {whole(event.get('error_status')) or 'no answer'}"
        if event.get("error") == "rate_limit" or event.get("error_status") == 429:
            self._become(State.LIMITED, words, value, now)
            self.limited_until = now + whole(event.get("retry_delay_ms"), 10**10)
        else:
            self._become(State.WORKING, words, value, now)

    def _assistant(self, event: dict[str, Any], now: int) -> None:
        if event.get("error") == "authentication_failed":
            self._login_refused = True
        if event.get("is_api_error_message") or event.get("error"):
            self._error_ends = result.limit_ends(event)
            return
        message = table(event.get("message"))
        self.acted |= may_change(event)
        model = text(message.get("model"), 100)
        if model[:1] not in ("", "<") and not event.get("parent_tool_use_id"):
            self.model = model
        self._answered = result.command_output(message)
        for block in tables(message.get("content")):
            if block.get("name") == SHOWS_PLAN:
                self._plan = table(block.get("input"))
        self._moved(event, now)

    def _moved(self, event: dict[str, Any], now: int) -> None:
        if self._turn:
            self._settled(now, text(event.get("type"), 40))

    def _rate_limit(self, event: dict[str, Any], now: int) -> None:
        info = table(event.get("rate_limit_info"))
        if info.get("status") != "rejected" or info.get("isUsingOverage"):
            return
        name = limit_name(text(info.get("rateLimitType")))
        self._reset = int(number(info.get("resetsAt"), 1e11) * 1000)
        if self._questions:
            return
        self._become(State.LIMITED, name, f"rate_limit_event rejected {name}", now)
        self.limited_until = self._reset

    def _asks(self, event: dict[str, Any], now: int) -> bytes:
        request, ident = table(event.get("request")), text(event.get("request_id"), 200)
        if request.get("subtype") != "can_use_tool" or not ident or len(self._questions) >= _MOST_QUESTIONS:
            return _line({"type": "control_response", "response": _no(ident)}) if ident else b""
        tool, tool_input = text(request.get("tool_name"), 200) or "a tool", table(request.get("input"))
        words = asked(tool, {**self._plan, **tool_input}) if tool == SHOWS_PLAN else ""
        lasting = (EDITS,) if tool == SHOWS_PLAN else proposed(tables(request.get("permission_suggestions")))
        self._questions[ident] = ask(ident, tool, tool_input, now, lasting, words, known=True)
        self._settled(now, "can_use_tool")
        return b""

    def _withdraws(self, event: dict[str, Any], now: int) -> None:
        if self._questions.pop(text(event.get("request_id"), 200), None):
            self._settled(now, "control_cancel_request")

    def _responds(self, event: dict[str, Any], _now: int) -> None:
        response = table(event.get("response"))
        refused = response.get("subtype") == "error"
        if (asked := self._models.pop(text(response.get("request_id"), 200), None)) is not None:
            model, reply = asked
            self.model = self.model if refused else model
            reply(f"Claude refused it: {text(response.get('error'), 200) or 'it does not say why'}" if refused else "")
        elif refused and not is_answer(event):
            self._interrupting = False

    def _result(self, event: dict[str, Any], now: int) -> None:
        self._turn, self._turn_ended = False, now
        self._questions.clear()
        for denial in tables(event.get("permission_denials"))[: _MOST_DENIALS - len(self._denials)]:
            self._denials.add(text(denial.get("tool_use_id"), 100))
        value, self.cause, self.succeeded = result.words_of(event), Cause.NONE, False
        if self._interrupting:
            self._interrupting, self._keeps = False, True
            self._over = lambda _ended: (State.FAILED, "interrupted")
            self._become(State.IDLE, "interrupted", value, now)
        elif event.get("is_error"):
            self._failed(event, value, now)
        else:
            self._succeeded(event, value, now)

    def _failed(self, event: dict[str, Any], value: str, now: int) -> None:
        failed = result.failure(event, login_refused=self._login_refused)
        self.cause = result.cause(event, login_refused=self._login_refused)
        self._over = lambda _ended: failed
        limited = failed[0] is State.LIMITED
        self._become(*(failed if limited else (State.IDLE, failed[1])), value, now)
        ends = self._error_ends or (self._reset if result.is_plan_limit(event) else 0)
        self.limited_until = ends if limited else 0
        self.seen = StateEvent(failed[0], value, now)

    def _succeeded(self, event: dict[str, Any], value: str, now: int) -> None:
        """Take a success for what it is: the end of a turn, or of a prompt that none was taken for."""
        nothing = not whole(event.get("num_turns"))
        if result.stopped_by_hook(event):
            why = "a hook stopped it in the middle of its turn"
        else:
            why = result.no_turn(event, self._refused, self._answered) if nothing and not self._took_turn else ""
        self._took_turn |= not nothing
        self.succeeded = not why
        self.answered |= bool(text(event.get("result"), 1_000).strip())
        refused = self._refused if nothing else ""
        self._over = (lambda _ended: (State.FAILED, why)) if why else (lambda ended: self._finished(ended, refused))
        waits = f"waits for {self._tasks[0]}" if self._tasks else ""
        self._become(State.WORKING if waits else State.IDLE, waits or why, value, now)
        self.seen = StateEvent(State.WORKING if waits else State.FAILED if why else State.DONE, value, now)

    def _finished(self, ended: Exit, refused: str) -> tuple[State, str]:
        if ended.code:
            return State.FAILED, ended.words()
        notes = [f"{self.denied} denied"] if self.denied else []
        notes += [f"a hook refused the last message: {refused}"] if refused else []
        return State.DONE, ", ".join(["done", *notes]) if notes else ""


_HANDLERS: dict[str, Callable[[Conversation, dict[str, Any], int], bytes | None]] = {
    "system": Conversation._system,
    "assistant": Conversation._assistant,
    "user": Conversation._moved,
    "stream_event": Conversation._moved,
    "rate_limit_event": Conversation._rate_limit,
    "control_request": Conversation._asks,
    "control_cancel_request": Conversation._withdraws,
    "control_response": Conversation._responds,
    "result": Conversation._result,
}


def the_open_one(asks: Question | None, answer: Answer) -> Question:
    """Return the open question when an answer is for it, as it was shown. Raises `Refused`."""
    if asks is None or asks.id != answer.question:
        raise Refused("this question is no longer open")
    if answer.digest != asks.digest:
        raise Refused("it asks something else than what was shown: look at the question again")
    if asks.cut and answer.verdict is not Verdict.DENY:
        raise Refused("it asks more than can be shown: deny it, and tell it to ask for less at once")
    if answer.verdict is Verdict.UNKNOWN:
        raise Refused("an answer is allow, always or deny")
    if answer.verdict is Verdict.ALWAYS and not asks.lasting:
        raise Refused("the question names nothing that `always` could allow: allow it once")
    return asks


def _response(asks: Question, verdict: Verdict, words: str, answers: tuple[ItemAnswer, ...]) -> dict[str, Any]:
    """Return what Claude is told. Raises `Refused`."""
    if verdict is Verdict.DENY:
        return {"behavior": "deny", "message": words or _DENIED}
    if asks.kind == CHOICES:
        return {"behavior": "allow", "updatedInput": filled(asks, checked_answers(asks, answers))}
    allowed: dict[str, Any] = {"behavior": "allow", "updatedInput": asks.given}
    if verdict is Verdict.ALWAYS:
        allowed["updatedPermissions"] = [part.update for part in asks.lasting]
    return allowed


def _user(words: str) -> bytes:
    return _line({"type": "user", "message": {"role": "user", "content": words}})


def _reply(request: str, response: dict[str, Any]) -> bytes:
    success = {"subtype": "success", "request_id": request, "response": response}
    return _line({"type": "control_response", "response": success})


def _no(request: str) -> dict[str, Any]:
    return {"subtype": "error", "request_id": request, "error": "not supported here"}


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"
