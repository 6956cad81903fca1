"""Tables of usage that cannot be true (what was claimed, what counts, how it was settled), and of what hosts have told.

Such a message stands in `usage` with as much as may be true, under a flag of its own; a report of a run likewise. What
stands here is never booked again from a host's files: what a person has decided stays.
"""

import json
from collections.abc import Sequence
from typing import Any

from controlroom.engine.ledger.usage_tables import DOUBTED, SETTLED, Statement
from controlroom.metering.prices import micro
from controlroom.metering.usage import Usage
from controlroom.text.lazy_dataclass import dataclass

OPEN, STRUCK, ACCEPTED = "", "struck", "accepted"

DOUBTED_TABLES: Sequence[str] = (
    """create table doubted (id integer primary key, at integer not null, host text not null, agent text not null,
    epoch integer not null, message text not null, request text not null, run integer not null, claimed text not null,
    claimed_pico integer not null, counted_pico integer not null, settled text not null default '',
    honest text not null default '[]', honest_pico integer not null default 0, unique (message, request, run))""",
)
"""Format 8 of the ledger. `honest`: what was said of the same message that can be true; it counts when the rest is
struck out, so that nobody gets rid of a bill by an impossible one."""

Row = tuple[Any, ...]
_COLUMNS = "id, at, host, agent, epoch, message, request, run, claimed, claimed_pico, counted_pico, settled"
ALL_DOUBTED = f"select {_COLUMNS} from doubted order by id"

# ruff: noqa: S608 - only our own words go into these
_KINDS = ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read", "web_searches")
_BOOKED = f"from usage where message = ?6 and request = ?7 and flags & {DOUBTED} = 0"
_SET_ASIDE = f"""insert or replace into doubted ({_COLUMNS}, honest, honest_pico)
    values ({", ".join(f"?{number + 1}" for number in range(12))},
    coalesce((select json_array({", ".join(_KINDS)}) {_BOOKED}), '[]'), coalesce((select pico {_BOOKED}), 0))"""
_HONEST = "update doubted set honest = ?, honest_pico = ? where id = ? and honest_pico < ?"
_BACK = ", ".join(f"{kind} = coalesce(json_extract(honest, '$[{at}]'), 0)" for at, kind in enumerate(_KINDS))
_STRUCK = f"""update usage set {_BACK}, pico = honest_pico, flags = flags & ~{DOUBTED} from doubted
    where doubted.id = ? and usage.message = doubted.message and usage.request = doubted.request"""
_CLAIMED = ", ".join(f"{kind} = json_extract(claimed, '$[{at}]')" for at, kind in enumerate(_KINDS))
_ACCEPTED = f"""update usage set {_CLAIMED}, pico = claimed_pico, flags = flags & ~{DOUBTED} from doubted
    where doubted.id = ? and usage.message = doubted.message and usage.request = doubted.request"""
_SETTLED = "update doubted set settled = ?, counted_pico = {} where id = ?"


@dataclass(frozen=True)
class Doubted:
    """One booking that cannot be true. A report of a run has no message; money is pico-dollars at list prices."""

    id: int
    at: int
    """When it was set aside, UTC milliseconds."""
    host: str
    agent: str
    epoch: int
    message: str
    request: str
    run: int
    claimed: str
    """What was claimed, as JSON: tokens by kind (`Usage`)."""
    claimed_pico: int
    counted_pico: int
    settled: str = OPEN

    @property
    def key(self) -> tuple[str, str, int]:
        """What names it wherever it comes again: the message, or the run that it is a report of."""
        return self.message, self.request, 0 if self.message else self.run

    @property
    def tokens(self) -> int:
        """The tokens that were claimed."""
        return sum(json.loads(self.claimed)[:5])

    @property
    def claimed_micro(self) -> int:
        """Micro-dollars that were claimed."""
        return micro(self.claimed_pico)

    @property
    def counted_micro(self) -> int:
        """Micro-dollars that count."""
        return micro(self.counted_pico)


def set_aside(doubted: Doubted) -> Statement:
    """Write down a booking that cannot be true, before it is booked."""
    return _SET_ASIDE, tuple(vars(doubted).values())


def honest(doubted: Doubted, usage: Usage, pico: int) -> Statement:
    """Write down what was said of the same message that can be true."""
    return _HONEST, (json.dumps(list(usage)), pico, doubted.id, pico)


def struck(doubted: Doubted) -> list[Statement]:
    """Take a booking out of all sums."""
    out: Statement = (
        (_STRUCK, (doubted.id,)) if doubted.message else ("update runs set reported = 0 where run = ?", (doubted.run,))
    )
    return [out, *SETTLED, (_SETTLED.format("honest_pico"), (STRUCK, doubted.id))]


def accepted(doubted: Doubted) -> list[Statement]:
    """Count a booking as it was claimed."""
    reported: Statement = ("update runs set reported = ? where run = ?", (doubted.claimed_pico, doubted.run))
    counted: Statement = (_ACCEPTED, (doubted.id,)) if doubted.message else reported
    return [counted, *SETTLED, (_SETTLED.format("claimed_pico"), (ACCEPTED, doubted.id))]


TOLD_TABLES: Sequence[str] = ("create table told (host text primary key, till integer not null) without rowid",)
"""A part of format 10 of the ledger."""

TOLD_ROWS = "select host, till from told"


def write_told(host: str, till: int) -> Statement:
    """Write until when a host has told everything."""
    return "insert or replace into told values (?, ?)", (host, till)
