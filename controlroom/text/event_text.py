"""What an agent's events and log records say, as lines for people.

Shapes of the events: Claude Code 2.1.330, `--output-format stream-json` and the lines of its transcripts, which say the
same in a few other words, observed. Whatever comes, nothing here raises. Lines of events are raw: callers sanitize them
before they are shown. No line holds a newline, and all of it is bounded.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from controlroom.text.json_fields import number, table, tables, text, whole
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.lazy_pattern import pattern
from controlroom.text.sanitize import redact

LINE_LIMIT = 20_000
"""Characters of one line at most."""
LAST_LIMIT = 300
"""Characters of `last_words` and `telling_words` at most."""
SAID_LINES, RESULT_LINES = 400, 5
"""Lines shown of one text of the agent, and of one result of a tool."""
ASKED_LIMIT = 30_000
"""Characters of one question that a person is shown at most: what asks more is not allowed from here."""


class Line(NamedTuple):
    """One line for people. `kind`: `say tool result error ask note think done`."""

    kind: str
    text: str


def speak(event: dict[str, Any]) -> list[Line]:
    """Turn one stream-json event into lines. An unknown event says nothing."""
    kind = event.get("type")
    speaker = _SPEAKERS.get(kind) if isinstance(kind, str) else None
    if speaker is None:
        return []
    lines = speaker(event)
    below = event.get("parent_tool_use_id") or event.get("isSidechain")
    return [Line(line.kind, f"» {line.text}") for line in lines] if below else lines


def record_lines(stream: str, body: bytes) -> list[Line]:
    """Render one log record (stream letters of `wire.records`): events as speech, everything else as it stands."""
    if stream == "a":
        event = _parsed(body)
        return [_plain("say", body)] if event is None else speak(event)
    if stream == "i":
        return [Line("note", f"you: {_plain('note', body).text}")]
    return [_plain({"e": "error", "n": "note"}.get(stream, "say"), body)]


def last_words(stream: str, body: bytes) -> str:
    """The newest thing a record says in one line, or "" when it says nothing."""
    lines = [line.text.strip() for line in record_lines(stream, body) if line.kind != "think"]
    return next((words for words in reversed(lines) if words), "")[:LAST_LIMIT]


def telling_words(stream: str, body: bytes) -> str:
    """Like `last_words`, but "" of what only says that a turn or a run is over: the agent's state says that better."""
    if stream == "n" and body.strip() == b"done":
        return ""
    lines = [line.text.strip() for line in record_lines(stream, body) if line.kind not in ("think", "done")]
    return next((words for words in reversed(lines) if words), "")[:LAST_LIMIT]


def asked(tool: str, given: dict[str, Any]) -> str:
    """Say all that a tool call wants to do: the command, the file with what goes into it, the questions with choices.

    Whoever allows it allows every argument: those without a place of their own come last, by name. What is longer than
    `ASKED_LIMIT` ends just beyond it, so that whoever shows it can tell.
    """
    if tool == "AskUserQuestion":
        return _questions(given)[: ASKED_LIMIT + 1]
    main = _argument(given)
    more = [text(given.get(key), ASKED_LIMIT + 1) for key in _SAID]
    others = [f"{key}: {_as_words(value)}" for key, value in given.items() if key not in _SAID and value != main]
    return "\n".join(part for part in dict.fromkeys([main, *more, *others]) if part)[: ASKED_LIMIT + 1] or _BARE.get(
        tool, tool
    )


_BARE = {"ExitPlanMode": "it has written down no plan, and wants to begin"}
"""What calls without arguments want."""


def tool_line(tool: str, given: dict[str, Any]) -> str:
    """Name a tool call in one line: `Bash  git push origin main`."""
    return f"{tool}  {_first_line(_argument(given))}".rstrip()


def command_of(stream: str, body: bytes) -> str:
    """The newest shell command that a log record holds, whole; "" when it holds none."""
    event = _parsed(body) if stream == "a" and b'"Bash"' in body else None
    calls = tables(table((event or {}).get("message")).get("content"))
    commands = [
        text(table(call.get("input")).get("command"), ASKED_LIMIT) for call in calls if call.get("name") == "Bash"
    ]
    return next((command for command in reversed(commands) if command.strip()), "")


def money(dollars: float) -> str:
    """Write dollars the way a person reads them: `$0.06`, `$12.40`, less than a cent as `$0.004`."""
    return f"${dollars:.2f}" if dollars >= 0.01 or dollars == 0 else f"${dollars:.4f}"


def limit_name(window: str) -> str:
    """Name a plan window of a `rate_limit_event`."""
    return {"five_hour": "5-hour limit", "seven_day": "weekly limit"}.get(window, "limit")


def retry_words(event: dict[str, Any]) -> str:
    """What an `api_retry` event says: `429 rate limit, retrying in 4 s (2 of 10)`."""
    status, error = whole(event.get("error_status")), text(event.get("error"), 60).replace("_", " ")
    error = "" if error == "unknown" else error
    what = " ".join(part for part in (str(status or ""), error) if part) or "no answer"
    seconds = number(event.get("retry_delay_ms")) / 1000
    wait = f"{seconds:.0f}" if seconds >= 1 else f"{seconds:.1f}"
    return f"{what}, retrying in {wait} s ({whole(event.get('attempt'))} of {whole(event.get('max_retries'))})"


# --------------------------------------------------------------------------- one function an event type


def _system(event: dict[str, Any]) -> list[Line]:
    subtype = event.get("subtype")
    speaker = _NOTES.get(subtype) if isinstance(subtype, str) else None
    return [line for line in (speaker(event),) if line.text] if speaker else []


def _init(event: dict[str, Any]) -> Line:
    parts = (text(event.get(key), 200) for key in ("model", "permissionMode", "cwd"))
    return Line("note", " · ".join(part for part in parts if part))


def _denied(event: dict[str, Any]) -> Line:
    return Line("error", f"denied: {_first_line(text(event.get('tool_name')) or text(event.get('message')))}")


_NOTES: dict[str, Callable[[dict[str, Any]], Line]] = {
    "init": _init,
    "api_retry": lambda event: Line("error", retry_words(event)),
    "model_fallback": lambda event: Line("note", _first_line(text(event.get("content")))),
    "informational": lambda event: Line("note", _first_line(text(event.get("content")))),
    "permission_denied": _denied,
    "task_started": lambda event: Line("note", f"background: {_first_line(text(event.get('description')))}"),
    "task_notification": lambda event: Line("note", _first_line(text(event.get("summary")))),
    "compact_boundary": lambda _event: Line("note", "the conversation was compacted"),
    "turn_duration": lambda event: Line("done", f"done · {_seconds(number(event.get('durationMs')) / 1000)}"),
}


def _assistant(event: dict[str, Any]) -> list[Line]:
    kind = "error" if event.get("is_api_error_message") or event.get("isApiErrorMessage") else "say"
    return [line for block in _blocks(event) for line in _block(block, kind)]


def _block(block: dict[str, Any], kind: str) -> list[Line]:
    what = block.get("type")
    if what == "text":
        return _said(kind, text(block.get("text"), 1_000_000))
    if what == "thinking":
        return _said("think", text(block.get("thinking"), 1_000_000))
    if what == "tool_use":
        return [Line("tool", tool_line(text(block.get("name"), 200), table(block.get("input"))))]
    return []


def _user(event: dict[str, Any]) -> list[Line]:
    if event.get("isReplay") or event.get("isMeta"):
        return []
    change = _change(table(event.get("tool_use_result") or event.get("toolUseResult")))
    lines: list[Line] = []
    for block in _blocks(event):
        if block.get("type") == "tool_result":
            lines += [change] if change else _tool_result(block)
        elif block.get("type") == "text":
            words = text(block.get("text"), LINE_LIMIT)
            lines += _prompt(words) if "sessionId" in event else _said("note", words)[:RESULT_LINES]
    return lines


_MARKS = pattern("</?(?:pasted_content|command-(?:name|message|args)|local-command-std(?:out|err))[^>]{0,80}>")


def _prompt(words: str) -> list[Line]:
    """Show what a person said, as a transcript has it: with marks around commands and around what was pasted."""
    if words.startswith("[Request interrupted"):
        return [Line("note", "interrupted")]
    rows = [row for row in _MARKS.sub("", words).strip().split("\n") if row.strip()]
    more = [f"… {len(rows) - RESULT_LINES} more lines"] if len(rows) > RESULT_LINES else []
    return [Line("note", f"you: {row}") for row in [*rows[:RESULT_LINES], *more]]


def _tool_result(block: dict[str, Any]) -> list[Line]:
    content = block.get("content")
    parts = [content] if isinstance(content, str) else [text(part.get("text"), 100_000) for part in tables(content)]
    rows = [row for row in "\n".join(parts).split("\n") if row.strip()]
    kind = "error" if block.get("is_error") else "result"
    lines = [Line(kind, row[:LINE_LIMIT]) for row in rows[:RESULT_LINES]]
    return [*lines, Line(kind, f"… {len(rows) - RESULT_LINES} more lines")] if len(rows) > RESULT_LINES else lines


def _change(outcome: dict[str, Any]) -> Line | None:
    """Sum up what an edit changed: `routes.ts  +41 −7`."""
    hunks = tables(outcome.get("structuredPatch"))
    rows = [row for hunk in hunks for row in hunk.get("lines") or () if isinstance(row, str)] if hunks else []
    if not rows:
        return None
    added, removed = (sum(row.startswith(sign) for row in rows) for sign in "+-")
    return Line("result", f"{_first_line(text(outcome.get('filePath')))}  +{added} −{removed}")


def _result(event: dict[str, Any]) -> list[Line]:
    if text(event.get("terminal_reason")).startswith("aborted"):
        return [Line("note", "interrupted")]
    turns, denied = whole(event.get("num_turns")), len(tables(event.get("permission_denials")))
    parts = [f"{turns} turn" + "s" * (turns != 1), money(number(event.get("total_cost_usd")))]
    parts += [f"{denied} denied"] * bool(denied)
    if not event.get("is_error"):
        return [Line("done", " · ".join(["done", *parts]))]
    errors = event.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else event.get("result")
    is_told = event.get("terminal_reason") == "api_error"  # a message of its own has told it already
    reason = [] if is_told else [_first_line(text(first)) or "no reason given"]
    return [Line("error", " · ".join(["failed", *reason, *parts]))]


def _limit(event: dict[str, Any]) -> list[Line]:
    info = table(event.get("rate_limit_info"))
    name = limit_name(text(info.get("rateLimitType")))
    if info.get("status") == "rejected" and not info.get("isUsingOverage"):
        return [Line("error", f"{name} used up")]
    if info.get("status") == "allowed_warning":
        return [Line("note", f"{name} {number(info.get('utilization')) * 100:.0f} % used")]
    return []


def _control_request(event: dict[str, Any]) -> list[Line]:
    request = table(event.get("request"))
    if request.get("subtype") != "can_use_tool":
        return []
    tool, given = text(request.get("tool_name"), 200), table(request.get("input"))
    return _said("ask", _questions(given)) if tool == "AskUserQuestion" else [Line("ask", tool_line(tool, given))]


_SPEAKERS: dict[str, Callable[[dict[str, Any]], list[Line]]] = {
    "system": _system,
    "assistant": _assistant,
    "user": _user,
    "result": _result,
    "rate_limit_event": _limit,
    "conversation_reset": lambda _event: [Line("note", "the conversation was cleared: another session begins")],
    "control_request": _control_request,
    "control_cancel_request": lambda _event: [Line("note", "the question was withdrawn")],
}


# --------------------------------------------------------------------------- parts

_MAIN = (
    "command", "file_path", "notebook_path", "path", "pattern", "url", "query", "skill", "description", "prompt",
    "plan",
)  # fmt: skip


_SAID = ("description", "old_string", "new_string", "content", "plan")
"""Arguments that are shown as they stand, after the main one."""


def _as_words(value: object) -> str:
    """Write a value in one line: it is not to look like another argument."""
    if isinstance(value, str) and value.isprintable():
        return value
    try:
        return json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):
        return "a value that cannot be shown"


def _argument(given: dict[str, Any]) -> str:
    """The one argument that says what a tool call is about."""
    if "todos" in given:
        todos = tables(given["todos"])
        return f"{sum(todo.get('status') == 'completed' for todo in todos)} of {len(todos)} done"
    named = (text(given.get(key), ASKED_LIMIT + 1) for key in _MAIN)
    main = next((value for value in named if value), "")
    return main or next((value[: ASKED_LIMIT + 1] for value in given.values() if isinstance(value, str) and value), "")


def _seconds(count: float) -> str:
    return f"{count:.0f} s" if count < 120 else f"{count / 60:.0f} min"


def _questions(given: dict[str, Any]) -> str:
    rows: list[str] = []
    for question in tables(given.get("questions")):
        rows.append(_first_line(text(question.get("question"))))
        for number_, option in enumerate(tables(question.get("options")), 1):
            words = (_first_line(text(option.get(key), 500)) for key in ("label", "description"))
            rows.append(f"  {number_}. " + " - ".join(word for word in words if word))
    return "\n".join(rows) or "a question without words"


def _blocks(event: dict[str, Any]) -> list[dict[str, Any]]:
    content = table(event.get("message")).get("content")
    return [{"type": "text", "text": content}] if isinstance(content, str) else tables(content)


def _said(kind: str, words: str) -> list[Line]:
    rows = words.strip("\n").split("\n") if words.strip() else []
    lines = [Line(kind, row[:LINE_LIMIT].rstrip("\r")) for row in rows[:SAID_LINES]]
    return [*lines, Line(kind, f"… {len(rows) - SAID_LINES} more lines")] if len(rows) > SAID_LINES else lines


def _first_line(words: str) -> str:
    """The first line that says something, marked when more follows."""
    rows = words.strip().split("\n", 1)
    first = rows[0].rstrip("\r")
    return first[:LINE_LIMIT] + (" …" if len(rows) > 1 or len(first) > LINE_LIMIT else "")


def _plain(kind: str, body: bytes) -> Line:
    return Line(kind, body[: LINE_LIMIT * 4].decode("utf-8", "replace").replace("\n", " ").rstrip("\r")[:LINE_LIMIT])


def _parsed(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


LONGEST = 4 * 1024 * 1024
"""Bytes of one line that are joined at most; a longer one is shown in parts."""

COLOURED = ("out", "err")
"""Kinds of lines that may hold colours of their own."""

_BY_STREAM = {"o": "out", "e": "err", "i": "input"}


class LogRecord(NamedTuple):
    """One record of an agent's log, as it was written.

    Streams: `o` output, `e` error output, `a` agent event (JSON), `i` sent by the operator, `n` said by the runner.
    """

    at: int
    """UTC milliseconds of the host."""
    stream: str
    body: bytes
    continued: bool = False
    """Whether the next record of the stream goes on with its line."""


class ShownLine(NamedTuple):
    """One line for people: when, what kind of thing, its text."""

    at: int
    kind: str
    text: str


def shown_lines(records: Iterable[LogRecord]) -> Iterator[ShownLine]:
    """Render records in order. A record that is continued is joined with the next one of its stream, if any."""
    held: dict[str, tuple[int, bytes]] = {}
    for record in records:
        body = held.pop(record.stream, (0, b""))[1] + record.body
        if record.continued and len(body) < LONGEST:
            held[record.stream] = record.at, body
            continue
        yield from _lines(record.at, record.stream, body)
    for stream, (at, body) in held.items():
        yield from _lines(at, stream, body)


def _lines(at: int, stream: str, body: bytes) -> Iterator[ShownLine]:
    for line in record_lines(stream, body):
        yield ShownLine(at, _BY_STREAM.get(stream, line.kind), redact(line.text))
