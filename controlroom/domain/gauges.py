"""What the screen has gauges for besides machines and budgets: headroom of limits, and what somebody must be told.

Money is micro-dollars. Times are UTC milliseconds.
"""

from collections.abc import Mapping
from dataclasses import field

from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import OpenStrEnum, StrEnum


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
    model: str = ""
    """What models have in their names that it counts, lower case: `opus`, a bucket's model class; "": it counts all."""
    span: int = 0
    """How long a window is; 0: not known."""
    organisation: str = ""
    """Whose keys fill a bucket, where the config names several; "": those of the room's own."""

    @property
    def key(self) -> str:
        """What names it in the fleet."""
        return f"{self.account} {self.name}"

    @property
    def used_percent(self) -> float | None:
        """How much of it is used; None: that, or how much there is, is not known."""
        return None if self.used is None or not self.limit else 100 * self.used / self.limit


class AlarmLevel(StrEnum):
    """How urgent something is, calm first."""

    CALM = ""
    NOTICE = "notice"
    WARNING = "warning"
    DANGER = "danger"


class AlarmKind(StrEnum):
    """What an alarm is about, where something follows from it."""

    ADVICE = "advice"
    """A host that is too full, too busy, or idle."""
    BUDGET = "budget"
    CREDENTIAL = "credential"
    """A credential that lets nobody in."""
    DISK = "disk"
    DRAIN = "drain"
    """A drain that stands still, or has emptied its host."""
    GIVEN_UP = "given up"
    """An agent that is not started again."""
    OVERLAP = "overlap"
    """Agents that have edited the same file."""
    OVERAGE = "overage"
    """A plan is used up, and what goes beyond it is billed."""
    PREFLIGHT = "preflight"
    """A host that lacks what agents need."""
    OTHER = "other"


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
    kind: AlarmKind = AlarmKind.OTHER
    subject: str = ""
    """What one of a kind is about: the name of a budget or a host, a login, a credential."""

    def is_news_after(self, before: "Alarm | None") -> bool:
        """Whether people are to be told of it, who know of the one before."""
        if before is None or self.level != before.level:
            return True
        return (self.mark or self.text) != (before.mark or before.text) or self.agent != before.agent


def urgency(alarm: Alarm) -> tuple[int, int, str]:
    """What alarms are sorted by: the worst first, of equal ones the newest."""
    return -list(AlarmLevel).index(alarm.level), -alarm.since, alarm.text
