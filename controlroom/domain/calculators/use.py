"""What was really used, in the form that advice is worked out from: sums of messages that are alike."""

from collections.abc import Mapping
from dataclasses import field

from controlroom.metering.prices import micro
from controlroom.metering.usage import Usage
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import Payer

DAY = 86_400_000
"""Milliseconds, as all times here."""

MINUTE = 60_000


@dataclass(frozen=True)
class Alike:
    """Messages that agree in all that their price goes by, summed up."""

    model: str
    billing: Payer
    """As in `domain.money.costs`: api, plan, or nothing."""
    messages: int
    usage: Usage
    pico: int
    """What was booked for them, at the prices of their moments."""
    over: int = 0
    """The largest of the sheet's limits for long prompts that each of their prompts is beyond; 0: none."""
    fast: bool = False
    us: bool = False
    batch: bool = False
    unpriced: bool = False
    """Their model has no price, so they were counted as the dearest."""


@dataclass(frozen=True)
class Week:
    """The week of one plan's login, as far as it is used: the only measure there is of what a plan holds."""

    account: str
    used: int
    """Per cent of its window, as Claude last said."""
    spent: int
    """Micro-dollars at list prices that agents of this room have used of it since it began."""


@dataclass(frozen=True)
class Use:
    """All use between two moments."""

    since: int
    """When it began: what was asked for, or the first use that is known, whichever is later."""
    until: int
    asked_days: int
    groups: tuple[Alike, ...] = ()
    peaks: Mapping[str, int] = field(default_factory=dict)
    """By billing: tokens of the busiest minute, without those read from the cache."""
    hit_rates: Mapping[str, float] = field(default_factory=dict)
    """By profile: which share of its prompts came out of the cache (0 to 1); of profiles with enough messages."""

    weeks: tuple[Week, ...] = ()
    """Of every login whose week has been read."""
    own_plan: str = ""
    """The key of the plan that the room's logins have; empty: nobody has said."""
    logins: int = 1
    """How many logins there are."""

    @property
    def span(self) -> int:
        """Milliseconds that it covers; less than a day counts as one, so that nothing is blown up without end."""
        return max(DAY, self.until - self.since)

    @property
    def days(self) -> float:
        """How many days it covers."""
        return self.span / DAY


@dataclass(frozen=True)
class Requests:
    """How large the requests of one model are: quartiles (25, 50 and 75 %) of their tokens, and their mean.

    Measured quartiles are to about 3 %, all else is exact.
    """

    model: str
    prompts: tuple[int, ...]
    """Tokens of the whole prompt, cached or not."""
    outputs: tuple[int, ...]
    hit_rate: float
    """Which share of the prompts came out of the cache (0 to 1)."""
    written_5m: float = 1.0
    """Which share of what did not was written to the cache for five minutes; the rest of both is plain input."""
    written_1h: float = 0.0
    mean_prompt: float | None = None
    mean_output: float | None = None
    messages: int = 0
    """Requests that it was read from; 0: it was not measured here."""
    source: str = ""
    """Where it comes from, in words."""


def fresh(usage: Usage) -> int:
    """Count the tokens that limits and throughput go by: all but those read from the cache."""
    return usage.input + usage.cache_write_5m + usage.cache_write_1h + usage.output


def booked(groups: tuple[Alike, ...]) -> int:
    """What was booked for groups, in micro-dollars."""
    return micro(sum(group.pico for group in groups))
