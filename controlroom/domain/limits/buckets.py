"""The API's buckets of requests and tokens a minute: their ceilings by tier, and how full they are by our own count.

Each model class has a bucket of each kind, refilled all the time at the ceiling's rate; the models of a class share it.
Of the input only what was not read from the cache counts, of the output only what was produced (rate-limits page of the
Claude API, 2026). A ceiling that is not known is None, never a guess: then the last minute counts. Times are UTC
milliseconds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import NamedTuple

from controlroom.domain.gauges import Headroom, LimitKind
from controlroom.domain.limits.headroom import MINUTE
from controlroom.metering.prices import bare_name
from controlroom.metering.usage import Message
from controlroom.text.lazy_dataclass import dataclass


@dataclass(frozen=True)
class Ceilings:
    """The most that a model class may use in a minute."""

    requests: int
    input: int
    """Tokens that are not read from the cache: input and cache writes."""
    output: int


@dataclass(frozen=True)
class Tier:
    """One step of an organisation at the API."""

    key: str
    name: str
    spend_cap: int | None = None
    """Micro-dollars in a calendar month (UTC), after which everything is refused; None: there is none, or not known."""


@dataclass(frozen=True)
class ModelClass:
    """Models that share one bucket of each kind."""

    key: str
    models: tuple[str, ...]
    ceilings: Mapping[str, Ceilings] = field(default_factory=dict)
    """By the tier's key; a tier that is missing has no known ceiling."""
    unsure: str = ""
    """What of it only follows by analogy, in words; empty: nothing."""


@dataclass(frozen=True)
class Tiers:
    """All that is known of the API's tiers."""

    tiers: tuple[Tier, ...] = ()
    """From the lowest up."""
    classes: tuple[ModelClass, ...] = ()

    def tier(self, key: str) -> Tier | None:
        """A tier by its key."""
        return next((tier for tier in self.tiers if tier.key == key), None)

    def class_of(self, model: str) -> ModelClass | None:
        """The class of a model, however dated or prefixed its name is; None: it is in no class that we know."""
        names = {model.split("[")[0].lower(), bare_name(model.split("[")[0].lower())}
        return next((one for one in self.classes if names.intersection(one.models)), None)

    def ceilings(self, tier: str, model: str) -> Ceilings | None:
        """What a tier lets through of a model; None: not known."""
        model_class = self.class_of(model)
        return model_class.ceilings.get(tier) if model_class else None


KINDS = ("requests", "input", "output")

LOOKED_BACK = 5 * MINUTE
"""How long a message may still weigh on a bucket: one that was overfilled needs more than a minute to be whole."""

MOST_MESSAGES = 100_000
"""Messages that are remembered; an organisation at the highest tier makes half of it in that time."""

METERING = "metering"

FAST = " fast"
"""Ends the name of a class's buckets of fast mode, which has some of its own; what they hold is not published."""


class Weight(NamedTuple):
    """What one message takes out of the buckets of its model class."""

    at: int
    of: str
    """The model class."""
    requests: int
    input: int
    output: int


@dataclass(frozen=True)
class HeadersRead:
    """What the API itself said of one class's bucket of one kind."""

    of: str
    kind: str
    limit: int
    remaining: int
    at: int


@dataclass(frozen=True)
class Ruling:
    """What buckets are held against."""

    account: str = "API"
    organisation: str = ""
    """Whose keys it is about, where the config names several."""
    tiers: Tiers = field(default_factory=Tiers)
    tier: str = ""
    """The tier's key, "" when nobody has said which."""
    own: Mapping[str, Ceilings] = field(default_factory=dict)
    """By class or model: what the operator says goes before all else."""
    told: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By model, then kind: what the Rate Limits API says."""
    buffers: Mapping[str, str] = field(default_factory=dict)
    """By kind (or "" for all): where the operator wants it to end, `45` or `90%`."""

    def class_of(self, model: str) -> str:
        """Name the class that a model shares its buckets with; a model that is in none is one of its own."""
        model_class = self.tiers.class_of(model)
        return model_class.key if model_class else model.removeprefix("claude-").split("[")[0]

    def ceiling(self, of: str, model: str, kind: str) -> tuple[int | None, str]:
        """A ceiling and who says so; None: not known."""
        if own := self.own.get(of) or self.own.get(model):
            return getattr(own, kind), "your ceiling"
        told = self.told.get(model.split("[")[0], {})
        if kind in told:
            return told[kind], "Rate Limits API"
        ceilings = self.tiers.ceilings(self.tier, model) if self.tier else None
        tier = self.tiers.tier(self.tier)
        return (getattr(ceilings, kind), f"tier {tier.name if tier else self.tier}") if ceilings else (None, "")


def weight(message: Message, ruling: Ruling) -> Weight | None:
    """What a message takes; None for one of a batch, which has limits of its own."""
    if message.batch:
        return None
    usage, of = message.usage, ruling.class_of(message.model)
    counted = usage.input + usage.cache_write_5m + usage.cache_write_1h
    return Weight(message.at, of + FAST * message.fast, 1, counted, usage.output)


class Lately:
    """The messages of the last minutes, each once however often it comes."""

    def __init__(self) -> None:
        self._messages: dict[tuple[str, str], Message] = {}

    def add(self, messages: Iterable[Message], now: int) -> bool:
        """Take messages; late ones count at their own time. Say whether any still weighs."""
        fresh = [message for message in messages if message.at > now - LOOKED_BACK]
        for message in fresh:
            earlier = self._messages.get(message.key)
            if earlier is None or sum(message.usage) > sum(earlier.usage):
                self._messages[message.key] = message
        if len(self._messages) > MOST_MESSAGES:
            self.prune(now)
            for key in list(self._messages)[:-MOST_MESSAGES]:
                del self._messages[key]
        return bool(fresh)

    def prune(self, now: int) -> None:
        """Let go of what weighs no more."""
        old = [key for key, message in self._messages.items() if message.at <= now - LOOKED_BACK]
        for key in old:
            del self._messages[key]

    def messages(self) -> Sequence[Message]:
        """In order of time."""
        return sorted(self._messages.values(), key=lambda message: message.at)


def level(taken: Sequence[tuple[int, int]], ceiling: int | None, now: int) -> int:
    """How far a bucket is used now: (when, how much) in order of time. Without a ceiling: in the last minute."""
    if ceiling is None:
        return sum(amount for at, amount in taken if at > now - MINUTE)
    used, last = 0.0, 0
    for at, amount in taken:
        used = max(0.0, used - (at - last) * ceiling / MINUTE) + amount
        last = at
    return round(max(0.0, used - max(0, now - last) * ceiling / MINUTE))


def buffer_of(buffers: Mapping[str, str], kind: str, limit: int | None) -> int | None:
    """Where the operator wants a limit to end: of a number, or per cent of it; None: at the limit."""
    wanted = buffers.get(kind) or buffers.get("")
    if not wanted or limit is None:
        return None
    return min(limit, limit * int(wanted[:-1]) // 100 if wanted.endswith("%") else int(wanted))


def gauges(
    lately: Sequence[Message], models: Iterable[str], read: Iterable[HeadersRead], ruling: Ruling, now: int
) -> list[Headroom]:
    """Make the gauges of all classes that were used lately, or whose `models` are at work now."""
    of_class = {ruling.class_of(model): model for model in sorted(models) if model}
    weights: dict[str, list[Weight]] = {of: [] for of in of_class}
    for message in lately:
        if (one := weight(message, ruling)) is not None and one.at > now - LOOKED_BACK:
            weights.setdefault(one.of, []).append(one)
            of_class.setdefault(one.of, message.model)
    newest = {(one.of, one.kind): one for one in sorted(read, key=lambda one: one.at)}
    return [
        _gauge(of, kind, of_class[of], weights[of], newest.get((of, kind)), ruling, now)
        for of in sorted(weights)
        for kind in KINDS
    ]


def _gauge(
    of: str, kind: str, model: str, weights: list[Weight], read: HeadersRead | None, ruling: Ruling, now: int
) -> Headroom:
    taken = [(one.at, int(getattr(one, kind))) for one in weights]
    limit: int | None
    if read is not None and now - read.at < LOOKED_BACK:
        since = [pair for pair in taken if pair[0] > read.at]
        if not since and now - read.at < MINUTE:
            return _as_read(read, ruling)
        taken, (limit, says) = [(read.at, read.limit - read.remaining), *since], (read.limit, "headers")
    else:
        limit, says = (None, "") if of.endswith(FAST) else ruling.ceiling(of, model, kind)
    return Headroom(
        account=ruling.account,
        name=f"{kind} {of}",
        kind=LimitKind.BUCKET,
        used=level(taken, limit, now),
        limit=limit,
        source=f"{METERING}, {says}" if says else METERING,
        at=now - now % MINUTE,
        measured=False,
        buffer=buffer_of(ruling.buffers, kind, limit),
        model=of.lower(),
        organisation=ruling.organisation,
    )


def _as_read(read: HeadersRead, ruling: Ruling) -> Headroom:
    return Headroom(
        account=ruling.account,
        name=f"{read.kind} {read.of}",
        kind=LimitKind.BUCKET,
        used=read.limit - read.remaining,
        limit=read.limit,
        source="headers",
        at=read.at,
        buffer=buffer_of(ruling.buffers, read.kind, read.limit),
        model=read.of.lower(),
        organisation=ruling.organisation,
    )
