"""What goes wrong with an agent that runs: nothing is heard of it, it fails the same way again and again, it grows.

Linux alone says what processes take; elsewhere memory and processes are not looked at.
"""

import json
import os
import time
from collections.abc import Callable
from typing import Any

from controlroom.runner import process_tree
from controlroom.runner.claude.result import INTERRUPTED
from controlroom.text.json_fields import table, tables, text
from controlroom.text.lazy_named_tuple import NamedTuple
from controlroom.text.states import Cause
from controlroom.wire.spec import AgentSpec

SIZE_LOOK = 5.0
"""Seconds between two looks at memory and processes."""

FIRST_LOOK = 1.0
"""Seconds before the first of them."""

_QUIET_LOOKS = 4
"""How often it is looked whether anything was heard, in the time after which that is trouble."""

IN_A_CALL = 3
"""So many times as long may one be silent whose call of a tool is under way: tests and builds say nothing for long."""

_NEVER = float("inf")
_CALLS = 500
"""Tool calls that are remembered until they are answered, and that have failed."""
_EDITS = frozenset({"Edit", "MultiEdit", "NotebookEdit", "Write"})
"""Tools after which the same call is another attempt: tests fail until what they test is mended."""
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Trouble(NamedTuple):
    """What is wrong, in a few words, and why that would end it."""

    cause: Cause
    words: str


class Watch:
    """Watches one run. Times are monotonic seconds."""

    def __init__(self, spec: AgentSpec, heard: Callable[[], int]) -> None:
        """`heard` counts what was heard of it so far, in anything that grows."""
        self._spec, self._heard = spec, heard
        now = time.monotonic()
        self._count, self._heard_at = heard(), now
        self._quiet_look = now + self._quiet_pause if spec.max_quiet else _NEVER
        self._size_look = now + FIRST_LOOK if spec.max_memory or spec.max_processes else _NEVER
        self._calls: dict[str, tuple[int, bool]] = {}
        """What was called, and whether that edits."""
        self._failed: dict[int, int] = {}
        self._found: dict[Cause, str] = {}

    @property
    def _quiet_pause(self) -> float:
        return min(max(self._spec.max_quiet / _QUIET_LOOKS, 0.05), 60.0)

    @property
    def trouble(self) -> Trouble | None:
        """What is wrong now; what would end it comes first."""
        ordered = sorted(self._found.items(), key=lambda item: item[0].value not in self._spec.end_on)
        return Trouble(*ordered[0]) if ordered else None

    def wakes_at(self) -> float:
        """When `due` has something to do."""
        return min(self._quiet_look, self._size_look)

    def due(self, works: bool) -> None:
        """Look at what is due. `works`: it is to be heard of, for it waits for nobody."""
        now = time.monotonic()
        if self._quiet_look <= now:
            self._look_quiet(now, works)
        if self._size_look <= now:
            self._look_size()
            self._size_look = time.monotonic() + SIZE_LOOK

    def hear(self, event: dict[str, Any]) -> None:
        """Take an event of Claude's: a call that fails as it did before, one that does not, or the end of its turn."""
        if event.get("type") == "result" or _is_cut_off(event):
            self._calls.clear()
        if not (self._spec.max_same_failures or self._spec.max_quiet) or event.get("type") not in ("assistant", "user"):
            return
        for block in tables(table(event.get("message")).get("content")):
            if block.get("type") == "tool_use":
                edits = text(block.get("name"), 100) in _EDITS
                _put(self._calls, text(block.get("id"), 100), (_what(block), edits))
            elif block.get("type") == "tool_result":
                self._answered(text(block.get("tool_use_id"), 100), failed=block.get("is_error") is True)

    def _answered(self, call: str, *, failed: bool) -> None:
        what, edits = self._calls.pop(call, (None, False))
        if what is None or not self._spec.max_same_failures:
            return
        if edits and not failed:
            self._failed.clear()
            self._found.pop(Cause.REPEATING, None)
        times = self._failed.pop(what, 0) + 1
        if failed:
            _put(self._failed, what, times)
        if failed and times >= self._spec.max_same_failures:
            self._found[Cause.REPEATING] = f"the same call has failed {times} times in a row"
        elif times > self._spec.max_same_failures:
            self._found.pop(Cause.REPEATING, None)

    def _look_quiet(self, now: float, works: bool) -> None:
        count = self._heard()
        if count != self._count or not works:
            self._count, self._heard_at = count, now
        self._quiet_look = now + self._quiet_pause
        self._found.pop(Cause.QUIET, None)
        most, during = self._spec.max_quiet, ""
        if self._calls:
            most, during = most * IN_A_CALL, ", in a call of a tool"
        if now - self._heard_at >= most:
            self._found[Cause.QUIET] = f"nothing was heard of it for {_span(most)}{during}"

    def _look_size(self) -> None:
        spec, pids = self._spec, process_tree.below(os.getpid())
        self._found.pop(Cause.OVER_LIMIT, None)
        if spec.max_processes and len(pids) > spec.max_processes:
            self._found[Cause.OVER_LIMIT] = f"it has {len(pids)} processes, {spec.max_processes} are the most"
        elif spec.max_memory and sum(map(_resident, pids)) > spec.max_memory:
            own = sum(map(_own_share, pids))  # what several share counts in each of them above
            if own > spec.max_memory:
                least, most = own >> 20, spec.max_memory >> 20
                self._found[Cause.OVER_LIMIT] = f"it takes {least} MiB of memory, {most} are the most"


def _is_cut_off(event: dict[str, Any]) -> bool:
    """Whether an event says that an interrupt cut off what was under way: a session file names no call."""
    content = table(event.get("message")).get("content")
    said = [text(block.get("text"), 100) for block in tables(content)] or [text(content, 100)]
    return event.get("type") == "user" and any(words.startswith(INTERRUPTED) for words in said)


def _what(block: dict[str, Any]) -> int:
    """A number that calls have in common which ask the same of the same tool."""
    try:
        given = json.dumps(block.get("input"), sort_keys=True)
    except RecursionError:  # it could just be read
        given = ""
    return hash((text(block.get("name"), 100), given))


def _put(calls: "dict[Any, Any]", key: Any, value: Any) -> None:
    """Remember a call, and no more of them than fit."""
    calls[key] = value
    if len(calls) > _CALLS:
        del calls[next(iter(calls))]


def _resident(pid: int) -> int:
    words = process_tree.content(pid, "statm").split()
    return int(words[1]) * _PAGE if len(words) > 1 else 0


def _own_share(pid: int) -> int:
    """What a process takes, its part of what it shares; all of that where nobody says how much is shared."""
    for line in process_tree.content(pid, "smaps_rollup").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * 1024
    return _resident(pid)


def _span(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"
