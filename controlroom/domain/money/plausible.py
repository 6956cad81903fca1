"""What use of a model can be true: of one message, of one run in some time, and of one host in a day. Pure.

The figures are generous: neither a prompt nor an answer is longer than the largest context window (a million tokens;
Claude models, November 2026), and a run may have twenty subagents that all answer at once. What is beyond that is
damage or a forged line, and counts only as far as it can be true until somebody has looked. A host is bounded by what
was granted, by what was ordered, and by time. Times are UTC milliseconds.
"""

from collections.abc import Iterable
from typing import NamedTuple

from controlroom.domain.budgets import BudgetUnit
from controlroom.domain.money.allotment import FEW
from controlroom.metering.prices import DOLLAR
from controlroom.metering.usage import Usage
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import Payer

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
        """As much of a message's use as can be true when it was asked for at `at`; all of it, mostly."""
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
    """The pico-dollars that Claude may report of a run whose messages cost `metered` and that lasted so long."""
    return REPORT_TIMES * metered + REPORT_AT_ONCE + REPORT_A_MINUTE * min(max(0, lasted), LONGEST) // MINUTE


@dataclass(frozen=True)
class DoubtedUse:
    """One booking that was set aside. Money: micro-dollars at list prices; `at`: UTC milliseconds."""

    number: int
    at: int
    agent: str
    """Its id."""
    message: str
    """Of the API's message; "": what Claude reports of a run."""
    tokens: int
    claimed: int
    counted: int
    settled: str = ""
    """`struck` or `accepted`, "" while it is open."""


HOUR, DAY = 3_600_000, 86_400_000

A_DAY = 10
"""Hours' worth of what was not ordered that one host may claim in a day."""

HISTORY_DAYS = 5
"""Days' worth of that which all Claudes of a host may have used in one day of the past."""

A_RUN = 5
"""What one run that was ordered and is bound by no grant may use in an hour, beside what a host may claim."""

TOKENS = 5_000_000
"""Tokens to a dollar at most: the cheapest tokens of the models in use, and models without a price, are bound so."""

SUBAGENTS = 20
"""Subagents whose last messages may have been under way when a grant was used up."""

_MESSAGES = 10
_MICRO = DOLLAR // 1_000_000


class Amount(NamedTuple):
    """Some use: what it costs, and its tokens."""

    pico: int = 0
    tokens: int = 0


class Bound(NamedTuple):
    """One bound of some use.

    `kind`: `granted`, `run`, `host`, `day`, `late` or `history`; `span`: which hour or day.
    """

    kind: str
    host: str
    agent: str
    epoch: int
    span: int
    most: Amount

    @property
    def key(self) -> tuple[str, str, str, int, int]:
        """What names it."""
        return self[:5]


@dataclass(frozen=True)
class Ceilings:
    """The highest ceilings that a run was ever granted, over the whole run; None: in this unit nothing bound it."""

    since: int
    """When it was granted something for the first time."""
    base: int = 0
    """Micro-dollars that were booked of it by then."""
    base_tokens: int = 0
    billed: int | None = None
    covered: int | None = None
    tokens: int | None = None

    def most(self, billing: Payer, subagents: int) -> Amount | None:
        """What the run can have used since: no runner lets twice its ceiling and a few messages pass.

        None: no ceiling is known for its payer (`billing`; "": not known).
        """
        tops = {"api": (self.billed,), "plan": (self.covered,)}.get(billing, (self.billed, self.covered))
        money = [top for top in tops if top is not None]
        if not money and self.tokens is None:
            return None
        few = _MESSAGES + min(subagents, SUBAGENTS)
        pico = (2 * (max(money) - self.base) + few * FEW[BudgetUnit.BILLED]) * _MICRO if money else FOREVER
        tokens = FOREVER if self.tokens is None else 2 * (self.tokens - self.base_tokens) + few * FEW[BudgetUnit.TOKENS]
        return Amount(max(0, pico), max(0, tokens))


FOREVER = 2**62


def of_grant(host: str, agent: str, epoch: int, since: int, most: Amount) -> list[Bound]:
    """The bound of a run that goes by grants since then."""
    return [Bound("granted", host, agent, epoch, since, most)]


def of_run(host: str, agent: str, epoch: int, at: int, dollars: int) -> list[Bound]:
    """The bound of a run that was ordered, lives and is bound by no grant. `dollars`: a host's for an hour."""
    return [Bound("run", host, agent, epoch, at // HOUR, worth(A_RUN * dollars))]


def of_host(host: str, at: int, dollars: int) -> list[Bound]:
    """The bounds of what this room did not order."""
    most = worth(A_DAY * dollars)
    return [Bound("host", host, "", 0, at // HOUR, worth(dollars)), Bound("day", host, "", 0, at // DAY, most)]


def of_late(host: str, at: int, dollars: int, now: int) -> list[Bound]:
    """The bounds of what this room did not order and is told late: what is told of it in a day shares one."""
    late = Bound("late", host, "", 0, now // DAY, worth(A_DAY * dollars))
    return [late, *of_host(host, at, dollars)] if at > now - DAY else [late]


def of_history(host: str, at: int, dollars: int) -> list[Bound]:
    """The bound of what a host says was used on a day before it was in the room."""
    return [Bound("history", host, "", 0, at // DAY, worth(HISTORY_DAYS * A_DAY * dollars))]


def worth(dollars: int) -> Amount:
    """The bound that so many dollars are."""
    return Amount(dollars * DOLLAR, dollars * TOKENS)


class BoundUse:
    """What was used of each bound."""

    def __init__(self) -> None:
        self._used: dict[tuple[str, str, str, int, int], Amount] = {}

    def missing(self, bounds: Iterable[Bound]) -> list[Bound]:
        """Those of which it is not known what was used of them."""
        return [bound for bound in dict.fromkeys(bounds) if bound.key not in self._used]

    def know(self, bound: Bound, used: Amount) -> None:
        """Take what was used of a bound until now, unless that is known. Those not asked for longest are forgotten."""
        self._used.setdefault(bound.key, used)
        while len(self._used) > _MOST:
            del self._used[next(iter(self._used))]

    def take(self, bounds: Iterable[Bound], wanted: Amount) -> Amount:
        """Take some use out of all its bounds; give as much of it as they leave."""
        bounds, portion = list(bounds), wanted
        for bound in bounds:
            used = self._used.get(bound.key, Amount())
            portion = Amount(
                *(min(want, max(0, most - had)) for want, most, had in zip(portion, bound.most, used, strict=True))
            )
        portion = _in_proportion(wanted, portion)
        for bound in bounds:
            used = self._used.pop(bound.key, Amount())
            self._used[bound.key] = Amount(used.pico + portion.pico, used.tokens + portion.tokens)
        return portion


_MOST = 20_000


def _in_proportion(wanted: Amount, given: Amount) -> Amount:
    """What is left of both when one of them is cut down."""
    if given == wanted:
        return wanted
    part = min((got / want for got, want in zip(given, wanted, strict=True) if want), default=0.0)
    return Amount(min(given.pico, int(wanted.pico * part)), min(given.tokens, int(wanted.tokens * part)))


def cut_down(usage: Usage, wanted: Amount, given: Amount) -> Usage:
    """A message's use cut down to what it was given: tokens of each kind alike."""
    if given == wanted:
        return usage
    of = ((got, want) for got, want in zip(given, wanted, strict=True) if want)
    got, want = min(of, key=lambda part: part[0] / part[1], default=(0, 1))
    return Usage(*(count * got // want for count in usage))
