"""Budgets as they stand, and the words they are made of: units, scopes, and rungs with what each does.

Money is micro-dollars. A budget counts in one unit and no other. Times are UTC milliseconds.
"""

from typing import NamedTuple

from controlroom.text.lazy_dataclass import dataclass
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


class Period(OpenStrEnum):
    """How long a limit on money or tokens lasts before it begins anew."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    EVER = "ever"
    """It does not begin anew: what the agents of a lead may spend in all. No other budget can say so."""
    UNKNOWN = ""


PERIODS = (Period.HOUR, Period.DAY, Period.WEEK, Period.MONTH)


class StopOrder(OpenStrEnum):
    """Whom a stopping rung ends first."""

    PRIORITY = "priority"
    """Agents of the lowest priority."""
    ALL = "all"
    """All at once."""
    UNKNOWN = ""


ORDERS = (StopOrder.PRIORITY, StopOrder.ALL)


class ScopeKind(OpenStrEnum):
    """What a budget can hold: everything, or what has one name."""

    FLEET = "fleet"
    HOST = "host"
    PROFILE = "profile"
    AGENT = "agent"
    ACCOUNT = "account"
    LEAD = "lead"
    """The agents that a lead has begun: its ceiling, which stands in its grant and in no file."""
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


STOPPING = frozenset({RungAction.PAUSE, RungAction.INTERRUPT, RungAction.STOP})
"""Actions that end the spending of agents which run."""


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
    period: Period
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
    window: str = ""
    """Of unit `window`: its name, as `five_hour`; `period` says nothing then."""
    order: StopOrder = StopOrder.PRIORITY
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
