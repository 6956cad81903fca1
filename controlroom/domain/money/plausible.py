"""What use of a model can be true: how much one message holds, and how much one run asks for in some time. Pure.

The figures are generous: neither a prompt nor an answer is longer than the largest context window (a million tokens;
Claude models, November 2026), and a run may have twenty subagents that all answer at once. What is beyond that is
damage or a forged line. Of such a message counts as much as may be true until somebody has looked. Times are UTC
milliseconds.
"""

from typing import NamedTuple

from controlroom.metering.prices import DOLLAR
from controlroom.metering.usage import Usage

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


REMEMBERED = 512
"""Messages of a run that are known again: several lines tell of each, and a piece may come twice."""


class Pace:
    """How much of each kind one run may still use, as time goes by."""

    def __init__(self, began: int) -> None:
        """`began`: when it may have begun."""
        self._at, self._left = began, AT_ONCE
        self._known: dict[tuple[str, str], Usage] = {}
        self.heard = 0
        """When it was heard last, by our clock; 0: never."""
        self.met = 0
        """When it was heard first, by our clock; 0: never."""

    def take(self, key: tuple[str, str], usage: Usage, at: int) -> Usage:
        """Give as much of a message's use as can be true when it was asked for at `at`; all of it, mostly."""
        passed = min(max(0, at - self._at), LONGEST) / MINUTE
        rows = zip(self._left, AT_ONCE, A_MINUTE, strict=True)
        self._at, self._left = max(at, self._at), Kinds(*(min(a, b) + rate * passed for a, b, rate in rows))
        before = self._known.get(key, Usage())
        taken = _within(usage, before, self._left)
        more = (_kinds(taken), _kinds(before), self._left)
        self._left = Kinds(*(left - max(0, new - old) for new, old, left in zip(*more, strict=True)))
        self._known[key] = Usage(*map(max, taken, before))
        if len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]
        return taken


def _kinds(usage: Usage) -> Kinds:
    return Kinds(usage.prompt - usage.cache_read, usage.output, usage.cache_read, usage.web_searches)


def _within(usage: Usage, before: Usage, left: Kinds) -> Usage:
    """Cut a message's use down to what may be true; `before`: what it had used when it was told of last."""
    most = Kinds(*(max(0, int(room)) + old for room, old in zip(left, _kinds(before), strict=True)))
    room = min(MOST_PROMPT, int(most.fresh))
    kept = []
    for count in (usage.input, usage.cache_write_5m, usage.cache_write_1h):
        kept.append(min(count, room))
        room -= kept[-1]
    read = min(usage.cache_read, MOST_PROMPT - sum(kept), int(most.read))
    answer = min(usage.output, MOST_ANSWER, int(most.answer))
    return Usage(kept[0], answer, kept[1], kept[2], read, min(usage.web_searches, MOST_SEARCHES, int(most.searches)))


def most_reported(metered: int, lasted: int) -> int:
    """Give the pico-dollars that Claude may report of a run whose messages cost `metered` and that lasted so long."""
    return REPORT_TIMES * metered + REPORT_AT_ONCE + REPORT_A_MINUTE * min(max(0, lasted), LONGEST) // MINUTE
