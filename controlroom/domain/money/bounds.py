"""How much of what one host claims can count: bounds by what was granted, what was ordered, and time. Pure.

A host names the runs that it tells of, so a bound for each of them is none: whoever invents runs has as many bounds.
What was ordered is known at home, and so is what was granted; everything else of one host shares its bounds, by the
hour and the day that it is dated to. What is beyond is set aside until somebody has looked. Money is pico-dollars at
list prices, times are UTC milliseconds.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from controlroom.domain.money.allotment import FEW
from controlroom.metering.prices import DOLLAR
from controlroom.metering.usage import Usage

HOUR, DAY = 3_600_000, 86_400_000

A_DAY = 10
"""Hours' worth of what was not ordered that one host may claim in a day."""

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
    """One bound of some use. `kind`: `granted`, `run`, `host`, `day` or `late`; `span`: which hour or day."""

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

    def most(self, billing: str, subagents: int) -> Amount | None:
        """Give what the run can have used since: no runner lets twice its ceiling and a few messages pass.

        None: no ceiling is known for its payer (`billing`; "": not known).
        """
        tops = {"api": (self.billed,), "plan": (self.covered,)}.get(billing, (self.billed, self.covered))
        money = [top for top in tops if top is not None]
        if not money and self.tokens is None:
            return None
        few = _MESSAGES + min(subagents, SUBAGENTS)
        pico = (2 * (max(money) - self.base) + few * FEW["billed"]) * _MICRO if money else FOREVER
        tokens = FOREVER if self.tokens is None else 2 * (self.tokens - self.base_tokens) + few * FEW["tokens"]
        return Amount(max(0, pico), max(0, tokens))


FOREVER = 2**62


def of_grant(host: str, agent: str, epoch: int, since: int, most: Amount) -> list[Bound]:
    """Give the bound of a run that goes by grants since then."""
    return [Bound("granted", host, agent, epoch, since, most)]


def of_run(host: str, agent: str, epoch: int, at: int, dollars: int) -> list[Bound]:
    """Give the bound of a run that was ordered, lives and is bound by no grant. `dollars`: a host's for an hour."""
    return [Bound("run", host, agent, epoch, at // HOUR, worth(A_RUN * dollars))]


def of_host(host: str, at: int, dollars: int) -> list[Bound]:
    """Give the bounds of what this room did not order."""
    most = worth(A_DAY * dollars)
    return [Bound("host", host, "", 0, at // HOUR, worth(dollars)), Bound("day", host, "", 0, at // DAY, most)]


def of_late(host: str, at: int, dollars: int, now: int) -> list[Bound]:
    """Give the bounds of what this room did not order and is told late: what is told of it in a day shares one."""
    late = Bound("late", host, "", 0, now // DAY, worth(A_DAY * dollars))
    return [late, *of_host(host, at, dollars)] if at > now - DAY else [late]


def worth(dollars: int) -> Amount:
    """Give the bound that so many dollars are."""
    return Amount(dollars * DOLLAR, dollars * TOKENS)


class Taken:
    """What was used of each bound."""

    def __init__(self) -> None:
        self._used: dict[tuple[str, str, str, int, int], Amount] = {}

    def missing(self, bounds: Iterable[Bound]) -> list[Bound]:
        """Give those of which it is not known what was used of them."""
        return [bound for bound in dict.fromkeys(bounds) if bound.key not in self._used]

    def know(self, bound: Bound, used: Amount) -> None:
        """Take what was used of a bound until now, unless that is known. Those not asked for longest are forgotten."""
        self._used.setdefault(bound.key, used)
        while len(self._used) > _MOST:
            del self._used[next(iter(self._used))]

    def take(self, bounds: Iterable[Bound], wanted: Amount) -> Amount:
        """Take some use out of all its bounds; give as much of it as they leave."""
        bounds, given = list(bounds), wanted
        for bound in bounds:
            used = self._used.get(bound.key, Amount())
            given = Amount(
                *(min(want, max(0, most - had)) for want, most, had in zip(given, bound.most, used, strict=True))
            )
        given = _in_proportion(wanted, given)
        for bound in bounds:
            used = self._used.pop(bound.key, Amount())
            self._used[bound.key] = Amount(used.pico + given.pico, used.tokens + given.tokens)
        return given


_MOST = 20_000


def _in_proportion(wanted: Amount, given: Amount) -> Amount:
    """Give what is left of both when one of them is cut down."""
    if given == wanted:
        return wanted
    part = min((got / want for got, want in zip(given, wanted, strict=True) if want), default=0.0)
    return Amount(min(given.pico, int(wanted.pico * part)), min(given.tokens, int(wanted.tokens * part)))


def cut_down(usage: Usage, wanted: Amount, given: Amount) -> Usage:
    """Give a message's use cut down to what it was given: tokens of each kind alike."""
    if given == wanted:
        return usage
    of = ((got, want) for got, want in zip(given, wanted, strict=True) if want)
    got, want = min(of, key=lambda part: part[0] / part[1], default=(0, 1))
    return Usage(*(count * got // want for count in usage))
