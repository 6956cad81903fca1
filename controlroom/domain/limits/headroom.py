"""What is left of limits: readings of a plan's windows, which of them counts where hosts disagree, and the alarms.

A window is somebody else's count. Once it has begun anew, what is used of it is not known. Of contradicting hosts, the
strictest plausible reading counts. An alarm is raised once when a limit is passed and stands until there is room again;
its words hold no figure that moves. Times are UTC milliseconds.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import combinations

from controlroom.domain.gauges import Alarm, AlarmKind, AlarmLevel, Headroom, LimitKind
from controlroom.domain.words import count, dollars
from controlroom.text.lazy_dataclass import dataclass

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000

_LENGTHS = {"five_hour": 5 * HOUR, "seven_day": 7 * DAY}
_NAMES = {"five_hour": "5 h", "seven_day": "week", "overage": "overage"}
_LONGEST = 40 * DAY
"""How far ahead a window of unknown length may begin anew: a month, and a little."""
_KEPT = DAY
"""How long a reading of unknown length counts when nobody says when its window begins anew."""

OVERAGE = "overage"
"""The window of what a plan does not cover: billed, when its owner has allowed that."""

UNREAD = "plan"
"""Stands for the windows of a login of which nothing has been read."""


@dataclass(frozen=True)
class Reading:
    """How much of one window of one login was used at one moment."""

    account: str
    window: str
    """`five_hour`, `seven_day`, `seven_day_opus`, …"""
    at: int
    percent: float | None = None
    """None: not said, but that it is (not) used up."""
    resets: int = 0
    """When the window begins anew; 0: not said."""
    rejected: bool = False
    """Nothing more is let through."""
    source: str = ""
    in_use: bool = False
    """Of overage: what the plan does not cover is billed."""

    @property
    def key(self) -> tuple[str, str]:
        """What names the window."""
        return self.account, self.window

    @property
    def ends(self) -> int:
        """When it no longer counts."""
        return self.resets or self.at + (length(self.window) or _KEPT)

    @property
    def began(self) -> int:
        """When the window began, 0 when that is not known."""
        span = length(self.window)
        return self.resets - span if self.resets and span else 0

    @property
    def used(self) -> int | None:
        """Whole per cent that are used; one that lets nothing through is used up."""
        if self.rejected:
            return max(100, int(self.percent or 0))
        return None if self.percent is None else int(self.percent)


Readings = Mapping[tuple[str, str], Reading]


def length(window: str) -> int | None:
    """How long a window is, None when that is not known."""
    return _LENGTHS.get(window) or (_LENGTHS["seven_day"] if window.startswith("seven_day_") else None)


def window_name(window: str) -> str:
    """Name a window as people do: `5 h`, `week`, `week Opus`."""
    if scope := _scope(window):
        return f"week {_model_words(scope)}"
    return _NAMES.get(window) or window.replace("_", " ")


def _model_words(name: str) -> str:
    return name.title() if "_" not in name else name.replace("_", " ")


def model_of(window: str) -> str:
    """What the models of a window have in their names, "" when it counts them all."""
    scope = _scope(window)
    return scope if "_" not in scope else ""


def _scope(window: str) -> str:
    """What a window of a week is about; "": all of it, or it is another one."""
    return window.removeprefix("seven_day_") if window.startswith("seven_day_") else ""


def believable(reading: Reading, now: int) -> Reading:
    """Take away an end that cannot be: nobody knows it then, but what is used counts."""
    furthest = now + (length(reading.window) or _LONGEST) + HOUR
    return reading if 0 <= reading.resets <= furthest else replace(reading, resets=0)


def lasting(readings: Readings, now: int) -> list[Reading]:
    """Those that still count, by account, the shortest window first."""
    kept = [reading for reading in readings.values() if reading.ends > now]
    return sorted(kept, key=lambda reading: (reading.account, length(reading.window) or _LONGEST, reading.window))


def window_gauge(
    reading: Reading, buffer: int | None, shares: Mapping[str, int], disputed: tuple[str, ...] = ()
) -> Headroom:
    """Make a gauge of a reading. `buffer`: the operator's own end, in per cent; `disputed`: by which hosts."""
    return Headroom(
        account=reading.account,
        name=window_name(reading.window),
        kind=LimitKind.WINDOW,
        used=reading.used,
        limit=100,
        resets=reading.resets,
        source=reading.source,
        at=reading.at,
        buffer=buffer,
        shares=shares,
        disputed=disputed,
        model=_scope(reading.window).lower(),
        span=length(reading.window) or 0,
    )


def credit_gauge(credit: int, billed: int, resets: int, source: str, now: int) -> Headroom:
    """Make the gauge of a plan's monthly API credit, in micro-dollars: worked out from what keys were billed here."""
    at = now - now % MINUTE
    return Headroom("API", "credit", LimitKind.CREDIT, billed, credit, resets, source, at, measured=False)


def unread(account: str) -> Headroom:
    """Make a gauge for a login of which nothing has been read; its source says where a reading would come from."""
    return Headroom(account, UNREAD, LimitKind.WINDOW, source="comes with its agents' next answer")


def per_mille(parts: Mapping[str, int]) -> dict[str, int]:
    """Who has which share of a sum; what rounds to nothing is left out."""
    whole = sum(parts.values())
    shares = {name: round(1000 * part / whole) for name, part in parts.items()} if whole else {}
    return {name: share for name, share in sorted(shares.items(), key=lambda pair: (-pair[1], pair[0])) if share}


SLACK = 15 * MINUTE
"""By how much what is said of one window's end may differ: some say it to the hour's quarter."""

ROUNDING = 2
"""Per cent by which readings of one moment may differ: sources round in their own ways."""

MOST = 256
"""Windows that one host may speak of at most."""


@dataclass(frozen=True)
class WindowClaim:
    """What one host says of one window."""

    peak: Reading
    """The most that it has said to be used: it cannot have become less."""
    newest: Reading
    since: int
    """When it first said so: one that repeats what it knows contradicts nobody."""


Sayings = Mapping[tuple[str, str], WindowClaim]
"""What one host says, by login and window."""


@dataclass(frozen=True)
class Settled:
    """What counts of one window."""

    reading: Reading
    hosts: tuple[str, ...] = ()
    """Those that contradict each other, by name."""


def heard(sayings: Sayings, new: Iterable[Reading]) -> Sayings:
    """What a host says, with new readings of it."""
    kept = dict(sayings)
    for reading in new:
        kept[reading.key] = _after(kept.get(reading.key), reading)
    if len(kept) > MOST:
        newest = sorted(kept.items(), key=lambda pair: (pair[1].newest.at, pair[0]))[-MOST:]
        return dict(newest)
    return kept


def _after(known: WindowClaim | None, new: Reading) -> WindowClaim:
    if known is None or (new.at >= known.peak.ends and not _is_same(known.peak, new)):
        return WindowClaim(new, new, new.at)
    if _rank(new) < _rank(known.newest):
        return known if new.ends <= known.newest.at else replace(known, peak=_stricter(known.peak, new))
    repeats = new.used == known.newest.used and _is_same(known.newest, new)
    peak = new if new.used is None or known.peak.used is None else _stricter(known.peak, new)
    return WindowClaim(peak, new, known.since if repeats else new.at)


def settled(by_host: Mapping[str, Sayings], now: int) -> dict[tuple[str, str], Settled]:
    """What counts of every window that lasts."""
    keys = dict.fromkeys(key for sayings in by_host.values() for key in sayings)
    counting = {}
    for key in keys:
        by_host_here = {host: sayings[key] for host, sayings in by_host.items() if key in sayings}
        lasts = {host: one for host, one in by_host_here.items() if one.peak.ends > now}
        if lasts:
            counting[key] = _settled(lasts)
    return counting


def _settled(said: Mapping[str, WindowClaim]) -> Settled:
    against: dict[str, int] = dict.fromkeys(said, 0)
    for (one, first), (other, second) in combinations(said.items(), 2):
        if _contradict(first, second):
            against[one] += 1
            against[other] += 1
    plausible = [one for host, one in said.items() if 2 * against[host] <= len(said)]
    strictest = max((one.peak for one in plausible or said.values()), key=_strictness)
    return Settled(strictest, tuple(sorted(host for host, count in against.items() if count)))


def _contradict(one: WindowClaim, other: WindowClaim) -> bool:
    """Whether two hosts cannot both be right."""
    if one.peak.used is None or other.peak.used is None:
        return False
    if not _is_same(one.peak, other.peak):
        return True
    before, after = (one, other) if one.since <= other.since else (other, one)
    return (after.newest.used or 0) + ROUNDING < (before.peak.used or 0)


def _is_same(one: Reading, other: Reading) -> bool:
    """Whether two readings may be of one run of a window."""
    return not one.resets or not other.resets or abs(one.resets - other.resets) <= SLACK


def _stricter(one: Reading, other: Reading) -> Reading:
    return max(one, other, key=_strictness)


def _strictness(reading: Reading) -> tuple[object, ...]:
    used = -1 if reading.used is None else reading.used
    return used, reading.in_use, reading.at, reading.resets, reading.source


def _rank(reading: Reading) -> tuple[object, ...]:
    """The newest word of a host; of two of one moment always the same one, the worse."""
    return reading.at, *_strictness(reading)


Clock = Callable[[int], str]

_CALM = 0.8
"""An alarm about a bucket, which is refilled all the time, ends below this share of where it began."""


def about(one: Headroom) -> str:
    """Name what an alarm is about."""
    return f"limit {one.key}"


def alarms(headroom: Iterable[Headroom], known: Mapping[str, Alarm], now: int, clock: Clock) -> dict[str, Alarm]:
    """The alarms there are about limits, by what they are about; `known`: those that stand."""
    raised: dict[str, Alarm] = {}
    for one in headroom:
        name = about(one)
        before = known.get(name)
        text, level = _limit_words(one, before, clock)
        if text:
            same = before is not None and (before.text, before.level) == (text, level)
            raised[name] = before if same and before else Alarm(text, level, before.since if before else now)
        if one.disputed:
            name = f"disputed {one.key}"
            alarm = Alarm(_disputed(one), AlarmLevel.WARNING, known[name].since if name in known else now)
            raised[name] = alarm
    return raised


def _disputed(one: Headroom) -> str:
    """Say that hosts contradict each other about a window."""
    return (
        f"{one.account}: {' and '.join(one.disputed)} contradict each other about {one.name}: the strictest "
        "plausible reading counts. To ignore a host: controlroom host remove HOST"
    )


def billed(readings: Iterable[Reading], known: Mapping[str, Alarm], now: int) -> dict[str, Alarm]:
    """The alarms about plans that are used up and billed beyond."""
    accounts = sorted({reading.account for reading in readings if reading.window == OVERAGE and reading.in_use})
    text = "what its plan does not cover is billed now (overage): agents with this login cost dollars"
    raised: dict[str, Alarm] = {}
    for account in accounts:
        alarm = Alarm(f"{account}: {text}", AlarmLevel.DANGER, now, kind=AlarmKind.OVERAGE, subject=account)
        raised[f"overage {account}"] = known.get(f"overage {account}", alarm)
    return raised


def _limit_words(one: Headroom, before: Alarm | None, clock: Clock) -> tuple[str, AlarmLevel]:
    if one.used is None or one.limit is None:
        return "", AlarmLevel.CALM
    over = before is not None and one.kind is LimitKind.BUCKET
    if one.used >= one.limit * (_CALM if over and before and before.level is AlarmLevel.DANGER else 1):
        return _out(one, clock), AlarmLevel.DANGER
    if one.buffer is not None and one.used >= one.buffer * (_CALM if over else 1):
        return _near(one), AlarmLevel.WARNING
    return "", AlarmLevel.CALM


def _out(one: Headroom, clock: Clock) -> str:
    until = f" until {clock(one.resets)}" if one.resets else ""
    if one.kind is LimitKind.WINDOW:
        return f"{one.account}: {one.name} is used up{until}: agents with this login wait, or are billed as overage"
    if one.kind is LimitKind.CREDIT:
        return f"{one.account}: this month's credit is used up by our count: what keys use now is billed"
    return f"{one.account}: {one.name} are at their ceiling: the API refuses what is beyond; spawn fewer, or go slower"


def _near(one: Headroom) -> str:
    amount = f"{one.buffer} %" if one.kind is LimitKind.WINDOW else _amount(one)
    kept = f"has passed the {amount} that you want to keep to"
    return f"{one.account}: {one.name} {kept if one.kind != 'bucket' else kept.replace('has', 'have')}"


def _amount(one: Headroom) -> str:
    return dollars(one.buffer or 0) if one.kind is LimitKind.CREDIT else f"{count(one.buffer or 0)} a minute"
