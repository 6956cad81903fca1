"""Which subagents are at work, told by how their transcripts end: whatever file says so, on a terminal or not.

Claude Code 2.1.330, observed: each subagent, those that others started and those in the background, too, has a file of
its own. It begins with its prompt within half a second of the subagent, and all its lines are marked `isSidechain`.
While the subagent works, the last `user` or `assistant` line is a prompt, a tool's result, or an answer that calls
tools or was cut off; when it is done, an answer with another `stop_reason` (an API error, too) or `[Request interrupted
by user`. One that is given more to do goes on in the same file. A `.meta.json` beside it says `finished`, but not of
one that was interrupted. Read by the runner, which must stay small.
"""

import json

from controlroom.text.json_fields import table, tables, text

_MARKS = b'"user"', b'"assistant"'
_GOES_ON = ("", "tool_use", "pause_turn")
"""Reasons to stop after which there is more to come. Where Claude Code asks again, a line of the user says so."""

_INTERRUPTED = "[Request interrupted by user"


def at_work(lines: bytes) -> bool | None:
    """Say whether a subagent was at work after the last of these whole lines of one file; None: they do not tell.

    A line that cannot be read is taken for one of work that goes on.
    """
    for line in reversed(lines.split(b"\n")):
        if any(mark in line for mark in _MARKS):
            try:
                entry = table(json.loads(line))
            except (ValueError, RecursionError):
                return True
            if entry.get("type") in ("user", "assistant"):
                return bool(entry.get("isSidechain")) and _goes_on(entry["type"], table(entry.get("message")))
    return None


def _goes_on(kind: str, message: dict[str, object]) -> bool:
    if kind == "assistant":
        return text(message.get("stop_reason")) in _GOES_ON
    said = [text(block.get("text"), 100) for block in tables(message.get("content"))]
    return not any(words.startswith(_INTERRUPTED) for words in said)
