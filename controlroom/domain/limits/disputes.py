"""Several hosts speak for the windows of one login, and one of them may lie: what counts, and who disagrees. Pure.

Within a window use never falls, and its end never moves (a plan's windows have a length that is known). So a host that
says less than another one said before, or names another end, contradicts it. Who is contradicted by more hosts than
agree with him does not count; of the others the strictest does. Times are UTC milliseconds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations

from controlroom.domain.limits.headroom import MINUTE, Reading

SLACK = 15 * MINUTE
"""By how much what is said of one window's end may differ: some say it to the hour's quarter."""

ROUNDING = 2
"""Per cent by which readings of one moment may differ: sources round in their own ways."""

MOST = 256
"""Windows that one host may speak of at most."""


@dataclass(frozen=True)
class Said:
    """What one host says of one window."""

    peak: Reading
    """The most that it has said to be used: it cannot have become less."""
    newest: Reading
    since: int
    """When it first said so: one that repeats what it knows contradicts nobody."""


Sayings = Mapping[tuple[str, str], Said]
"""What one host says, by login and window."""


@dataclass(frozen=True)
class Verdict:
    """What counts of one window."""

    reading: Reading
    hosts: tuple[str, ...] = ()
    """Those that contradict each other, by name."""


def heard(sayings: Sayings, new: Iterable[Reading]) -> Sayings:
    """Give what a host says, with new readings of it."""
    kept = dict(sayings)
    for reading in new:
        kept[reading.key] = _after(kept.get(reading.key), reading)
    if len(kept) > MOST:
        newest = sorted(kept.items(), key=lambda pair: (pair[1].newest.at, pair[0]))[-MOST:]
        return dict(newest)
    return kept


def _after(known: Said | None, new: Reading) -> Said:
    if known is None or (new.at >= known.peak.ends and not _is_same(known.peak, new)):
        return Said(new, new, new.at)
    if _rank(new) < _rank(known.newest):
        return known if new.ends <= known.newest.at else replace(known, peak=_stricter(known.peak, new))
    repeats = new.used == known.newest.used and _is_same(known.newest, new)
    peak = new if new.used is None or known.peak.used is None else _stricter(known.peak, new)
    return Said(peak, new, known.since if repeats else new.at)


def verdicts(by_host: Mapping[str, Sayings], now: int) -> dict[tuple[str, str], Verdict]:
    """Say what counts of every window that lasts."""
    keys = dict.fromkeys(key for sayings in by_host.values() for key in sayings)
    found = {}
    for key in keys:
        said = {host: sayings[key] for host, sayings in by_host.items() if key in sayings}
        lasts = {host: one for host, one in said.items() if one.peak.ends > now}
        if lasts:
            found[key] = _verdict(lasts)
    return found


def _verdict(said: Mapping[str, Said]) -> Verdict:
    against: dict[str, int] = dict.fromkeys(said, 0)
    for (one, first), (other, second) in combinations(said.items(), 2):
        if _contradict(first, second):
            against[one] += 1
            against[other] += 1
    plausible = [one for host, one in said.items() if 2 * against[host] <= len(said)]
    strictest = max((one.peak for one in plausible or said.values()), key=_strictness)
    return Verdict(strictest, tuple(sorted(host for host, count in against.items() if count)))


def _contradict(one: Said, other: Said) -> bool:
    """Say whether two hosts cannot both be right."""
    if one.peak.used is None or other.peak.used is None:
        return False
    if not _is_same(one.peak, other.peak):
        return True
    before, after = (one, other) if one.since <= other.since else (other, one)
    return (after.newest.used or 0) + ROUNDING < (before.peak.used or 0)


def _is_same(one: Reading, other: Reading) -> bool:
    """Say whether two readings may be of one run of a window."""
    return not one.resets or not other.resets or abs(one.resets - other.resets) <= SLACK


def _stricter(one: Reading, other: Reading) -> Reading:
    return max(one, other, key=_strictness)


def _strictness(reading: Reading) -> tuple[object, ...]:
    used = -1 if reading.used is None else reading.used
    return used, reading.in_use, reading.at, reading.resets, reading.source


def _rank(reading: Reading) -> tuple[object, ...]:
    """The newest word of a host; of two of one moment always the same one, the worse."""
    return reading.at, *_strictness(reading)
