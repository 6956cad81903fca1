"""The script that a prompt carries: its `[[...]]` directives as steps."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from tests.lab.messages_api.defaults import Json

FOR_EVER = 10**9  # times=inf
OPTION = re.compile(r"(\w+)=(\S+)")
DIRECTIVE = re.compile(r"\[\[(text|tools|tool|think|error|midstream|drop|hang|slow|max_tokens|refusal)\b")
ESCAPED_OR_END = re.compile(r'\\.|"', re.DOTALL)


def end_of_string(text: str, start: int) -> int:
    """The index behind the JSON string that begins at text[start]."""
    at = start + 1
    while found := ESCAPED_OR_END.search(text, at):
        if found[0] == '"':
            return found.end()
        at = found.end()
    raise ValueError("a string without an end")


def end_of_object(text: str, start: int) -> int:
    """The index behind the JSON object that begins at text[start]."""
    depth, at = 0, start
    while at < len(text):
        if text[at] == '"':
            at = end_of_string(text, at)
            continue
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        at += 1
        if depth == 0:
            return at
    raise ValueError("braces without an end")


def end_of_argument(prompt: str, verb: str, start: int) -> int:
    """The index of the first "]]" that is not inside a tool's JSON."""
    at = start
    while at < len(prompt) and not prompt.startswith("]]", at):
        at = end_of_object(prompt, at) if verb in ("tool", "tools") and prompt[at] == "{" else at + 1
    return at


def tool(text: str) -> Json:
    """`Name {json}` as a tool call."""
    name, _, rest = text.strip().partition(" ")
    return {"name": name, "input": json.loads(rest) if rest.strip() else {}}


def options(argument: str) -> dict[str, str]:
    return dict(OPTION.findall(argument))


def times(argument: str) -> int:
    """How often a failing step is served before the next one."""
    count = options(argument).get("times", "1")
    return FOR_EVER if count == "inf" else int(count)


def failing_error(argument: str) -> Json:
    given = options(argument)
    return {
        "kind": "error",
        "status": int(argument.split()[0]),
        "times": times(argument),
        "retry_after": given.get("retry_after"),
        "should_retry": given.get("should_retry"),
    }


def failing_midstream(argument: str) -> Json:
    words = [word for word in argument.split() if "=" not in word]
    return {"kind": "midstream", "error": (words or ["overloaded_error"])[0], "times": times(argument)}


def failing_drop(argument: str) -> Json:
    return {"kind": "drop", "times": times(argument)}


def slowness(argument: str) -> Json:
    delay, *chunks = argument.split()
    return {"chunk_delay": float(delay), **({"chunks": int(chunks[0])} if chunks else {})}


STEPS: dict[str, Callable[[str], Json]] = {
    "text": lambda argument: {"kind": "text", "text": argument},
    "tool": lambda argument: {"kind": "tool", "tools": [tool(argument)]},
    "tools": lambda argument: {"kind": "tool", "tools": [tool(part) for part in argument.split(";;")]},
}
FAILURES = {"error": failing_error, "midstream": failing_midstream, "drop": failing_drop}
DECORATIONS: dict[str, Callable[[str], Json]] = {
    "think": lambda argument: {"thinking": argument},
    "slow": slowness,
    "hang": lambda argument: {"first_delay": float(argument or 30)},
    "max_tokens": lambda argument: {"stop_reason": "max_tokens"},
    "refusal": lambda argument: {"stop_reason": "refusal"},
}


def parse(prompt: str) -> list[Json]:
    """The steps of a prompt, each a dict with "kind"; ValueError for a broken directive."""
    steps: list[Json] = []
    coming: Json = {}  # what the next step will carry
    at = 0
    while found := DIRECTIVE.search(prompt, at):
        verb = found[1]
        end = end_of_argument(prompt, verb, found.end())
        argument, at = prompt[found.end() : end].strip(), end + 2
        if verb in STEPS:
            steps.append({**STEPS[verb](argument), **coming})
            coming = {}
        elif verb in FAILURES:
            coming.setdefault("before", []).append(FAILURES[verb](argument))
        else:
            coming |= DECORATIONS[verb](argument)
    if coming:
        steps.append({"kind": "text", "text": None, **coming})  # the configured text, decorated
    return steps
