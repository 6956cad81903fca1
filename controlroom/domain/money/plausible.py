"""What use of a model can be true: how much one message holds, and how much one run asks for in some time. Pure.

The figures are generous: neither a prompt nor an answer is longer than the largest context window (a million tokens;
Claude models, November 2026), and a run may have twenty subagents that all answer at once. What is beyond that is
damage or a forged line. Of such a message counts as much as may be true until somebody has looked. Times are UTC
milliseconds.
"""

from typing import NamedTuple

from controlroom.meter.prices import DOLLAR
from controlroom.meter.usage import Usage

MOST_PROMPT, MOST_ANSWER, MOST_SEARCHES = 1_000_000, 1_000_000, 200
"""Tokens of one message's prompt and of its answer, and its searches, at most."""

MINUTE = 60_000
SLACK = 10 * MINUTE
"""How long a message may have been under way: so much older than the last one heard it may be."""

LONGEST = 7 * 24 * 60 * MINUTE
"""What was done in a longer time than this is not known better than of this time."""


class Kinds(NamedTuple):
    """What is limited apart: uncached prompts, answers, reads from the cache, searches."""

    fresh: float
    answer: float
    read: float
    searches: float


AT_ONCE = Kinds(8_000_000, 4_000_000, 16_000_000, 400)
"""What may come at one moment, as from many subagents that end together."""

A_MINUTE = Kinds(4_000_000, 200_000, 60_000_000, 60)

REPORT_AT_ONCE, REPORT_A_MINUTE, REPORT_TIMES = 20 * DOLLAR, 2 * DOLLAR, 3
"""Pico-dollars that Claude may report of a run beyond this many times what its messages cost."""


class Pace:
    """How much of each kind one run may still use, as time goes by."""

    def __init__(self, began: int) -> None:
        """`began`: when it may have begun."""
        self._at, self._left = began, AT_ONCE
        self.heard = 0
        """When it was heard last, by our clock; 0: never."""

    def take(self, usage: Usage, at: int) -> Usage:
        """Give as much of a message's use as can be true when it was asked for at `at`; all of it, mostly."""
        passed = min(max(0, at - self._at), LONGEST) / MINUTE
        rows = zip(self._left, AT_ONCE, A_MINUTE, strict=True)
        self._at, self._left = max(at, self._at), Kinds(*(min(a, b) + rate * passed for a, b, rate in rows))
        taken = _within(usage, self._left)
        used = Kinds(taken.prompt - taken.cache_read, taken.output, taken.cache_read, taken.web_searches)
        self._left = Kinds(*(a - b for a, b in zip(self._left, used, strict=True)))
        return taken


def _within(usage: Usage, left: Kinds) -> Usage:
    """Cut a message's use down to what may be true, prompts where they are dearest last."""
    room = min(MOST_PROMPT, max(0, int(left.fresh)))
    kept = []
    for count in (usage.input, usage.cache_write_5m, usage.cache_write_1h):
        kept.append(min(count, room))
        room -= kept[-1]
    read = min(usage.cache_read, MOST_PROMPT - sum(kept), max(0, int(left.read)))
    answer = min(usage.output, MOST_ANSWER, max(0, int(left.answer)))
    searches = min(usage.web_searches, MOST_SEARCHES, max(0, int(left.searches)))
    return Usage(kept[0], answer, kept[1], kept[2], read, searches)


def most_reported(metered: int, lasted: int) -> int:
    """Give the pico-dollars that Claude may report of a run whose messages cost `metered` and that lasted so long."""
    return REPORT_TIMES * metered + REPORT_AT_ONCE + REPORT_A_MINUTE * min(max(0, lasted), LONGEST) // MINUTE
