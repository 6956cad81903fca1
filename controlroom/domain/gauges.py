"""What the screen has gauges for besides machines: budgets, headroom of limits, and what somebody must be told.

Money is micro-dollars. A budget counts in one unit and no other: what keys pay (`billed`), what plans' logins cover at
list prices (`covered`, shown with ≈), tokens of all kinds, or per cent of a plan's window. Times are UTC milliseconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from controlroom.text.states import OpenStrEnum, StrEnum


class BudgetUnit(StrEnum):
    """What a budget is counted in."""

    BILLED = "billed"
    """Micro-dollars that keys pay."""
    COVERED = "covered"
    """Micro-dollars at list prices of what plans' logins cover."""
    TOKENS = "tokens"
    WINDOW = "window"
    """Per cent of a window of a plan."""

    @property
    def is_dollars(self) -> bool:
        """Whether amounts in it are micro-dollars."""
        return self in (BudgetUnit.BILLED, BudgetUnit.COVERED)


PERIODS = ("hour", "day", "week", "month")


class ScopeKind(OpenStrEnum):
    """What a budget can hold: everything, or what has one name."""

    FLEET = "fleet"
    HOST = "host"
    PROFILE = "profile"
    AGENT = "agent"
    ACCOUNT = "account"
    UNKNOWN = ""


class Scope(NamedTuple):
    """Whom a budget binds, written as `fleet`, `host vm1`, `profile docs`, `agent vm1/docs-1` or `account NAME`."""

    kind: ScopeKind
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" if self.name else str(self.kind)


def read_scope(text: str) -> Scope:
    """Read a scope; one of another kind is of the kind `UNKNOWN`, and binds nobody."""
    kind, _, name = text.partition(" ")
    return Scope(ScopeKind(kind), name)


class RungAction(OpenStrEnum):
    """What a rung of a budget's ladder does, from the mildest up."""

    NOTIFY = "notify"
    HOLD = "hold"
    CHEAPER = "cheaper"
    PAUSE = "pause"
    INTERRUPT = "interrupt"
    STOP = "stop"
    UNKNOWN = ""
    """Of a version that this one does not know: nothing is done."""


@dataclass(frozen=True)
class Rung:
    """What is done when so much of a budget is gone."""

    percent: int
    action: RungAction


@dataclass(frozen=True)
class Budget:
    """A budget as it stands. Amounts are in its unit: micro-dollars, tokens or per cent."""

    name: str
    scope: str
    """`fleet`, `host vm1`, `profile docs` or `agent vm1/docs-1`; of a window: `account` and its key too."""
    period: str
    """`hour`, `day`, `week`, `month`; of unit `window`: the window's name, as `five_hour`."""
    unit: BudgetUnit
    limit: int
    stop: int
    """The stop line: what its last stopping rung comes to; `limit` when none stops."""
    began: int = 0
    """When its period began, in the operator's time zone."""
    ends: int = 0
    spent: int | None = None
    """What is known to be gone since then; None: no reading."""
    granted: int = 0
    """What running agents may still spend by their grants: spent and this together stay below the stop line."""
    rungs: tuple[Rung, ...] = ()
    reached: int = 0
    """How many of the rungs have been reached, in their order."""
    runs_out: int | None = None
    """When it is gone at the rate of the last minutes and hours; None: not within its period, or not known."""
    overshoot: int | None = None
    """What may come on top at the very most: a message in flight for each agent and subagent; None: not known."""
    dry_run: bool = False
    """Disarmed: its ladder only says what it would do."""
    order: str = "priority"
    """Who is ended first: agents of the lowest `priority`, or `all` at once."""
    command: tuple[str, ...] = ()
    """What is run when a rung is reached."""

    @property
    def percent(self) -> float | None:
        """How much of the limit is gone; None: no reading."""
        return None if self.spent is None or not self.limit else 100 * self.spent / self.limit

    @property
    def overshoot_unknown(self) -> bool:
        """Whether agents run on what it has granted, and nobody knows what may come on top."""
        return self.overshoot is None and self.granted > 0 and self.unit.is_dollars


class LimitKind(OpenStrEnum):
    """What sort of limit there is: of a plan's login, of the API, or of a plan's money for it."""

    WINDOW = "window"
    """A window of a plan, in per cent."""
    BUCKET = "bucket"
    """What the API takes a minute."""
    CREDIT = "credit"
    """A plan's monthly API credit, in micro-dollars."""
    UNKNOWN = ""


@dataclass(frozen=True)
class Headroom:
    """What one limit leaves: a window of a plan, or a bucket of the API of one model class; of one account."""

    account: str
    """Names the account in few words, the same on every host; never a secret."""
    name: str
    """`5 h`, `week`, `week Opus`; `requests`, `input`, `output` with the model class."""
    kind: LimitKind
    used: int | None = None
    """Per cent, or requests or tokens of the last minute; None: no reading."""
    limit: int | None = None
    """100 of a window; a bucket's ceiling; None: not known."""
    resets: int = 0
    """When it is whole again; 0: not known, or all the time."""
    source: str = ""
    """Where the reading comes from, in a word or two: `stream`, `status line`, `metering`, `headers`."""
    at: int = 0
    """When it was read."""
    measured: bool = True
    """False: it is worked out, not read."""
    buffer: int | None = None
    """Where the operator wants it to end, below `limit`; None: at the limit."""
    shares: Mapping[str, int] = field(default_factory=dict)
    """Who used how much of it, by agent id, per mille of what is used."""
    disputed: tuple[str, ...] = ()
    """Hosts that contradict each other about it, by name: the strictest of the plausible readings is shown."""

    @property
    def key(self) -> str:
        """What names it in the fleet."""
        return f"{self.account} {self.name}"


class AlarmLevel(StrEnum):
    """How urgent something is, calm first."""

    CALM = ""
    NOTICE = "notice"
    WARNING = "warning"
    DANGER = "danger"


@dataclass(frozen=True)
class Alarm:
    """Something the operator should know until it is over: a budget's rung, a stray key, a ledger that is full."""

    text: str
    """One sentence: what, where, and what to do."""
    level: AlarmLevel = AlarmLevel.WARNING
    since: int = 0
    agent: str = ""
    """The agent that it is about, by id."""
    mark: str = ""
    """What it has come to, where figures in its text change by the minute: it is news when this changes."""

    def is_news_after(self, before: "Alarm | None") -> bool:
        """Whether people are to be told of it, who know of the one before."""
        if before is None or self.level != before.level:
            return True
        return (self.mark or self.text) != (before.mark or before.text) or self.agent != before.agent


def urgency(alarm: Alarm) -> tuple[int, int, str]:
    """What alarms are sorted by: the worst first, of equal ones the newest."""
    return -list(AlarmLevel).index(alarm.level), -alarm.since, alarm.text
