"""How what agents have used comes home: each agent's usage file by offset, asked for again until it is booked.

A node sends whole lines of `usage.jsonl` (`metering.usage`) of every epoch it has; home says from where on, and, once a
piece is safely booked, that the next may come. Sent twice does no harm: home knows each message.

Agents that others started have no such file. Of each of their transcripts the node sends the lines that a runner would
have written: the place is then one in the transcript, and the epoch is a number that names that file.
"""

from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.states import Uncounted

USAGE_PIECE = 64 * 1024
"""Bytes of one piece at most; a longer line is passed over."""

USAGE_OPEN = 16
"""Pieces that may be under way, one an agent's epoch."""


@dataclass(frozen=True)
class UsagePlace:
    """How much of one epoch's usage file is booked, in bytes; or of a transcript of an agent of others."""

    name: str
    epoch: int
    offset: int
    mark: str = ""
    """What the file began with when it was read; a file that begins otherwise is another one, to be read anew."""


@dataclass(frozen=True)
class SendUsage:
    """Send the usage of every agent from these places on, and of those not named from the beginning. Said once."""

    places: tuple[UsagePlace, ...] = ()


@dataclass(frozen=True)
class UsageBooked:
    """A piece is booked: go on from there."""

    place: UsagePlace


@dataclass(frozen=True)
class UsageSeen:
    """The lines from `place` up to `end`. What could not be sent between them is left out."""

    place: UsagePlace
    end: int
    data: str
    session: str = ""
    """Of an agent of others: the session of its Claude."""
    billing: str = ""
    """Who pays for this epoch, which may not be the agent's last: `api`, `plan`, or nothing when it is not known."""
    lost: bool = False
    """The file holds less than was booked of it, or is another one: what nobody has booked of it may be lost. Then
    there may be no line, and `end` may be the place itself."""


@dataclass(frozen=True)
class UsageGap:
    """What Claudes of others used, and nobody can count."""

    since: int
    """UTC ms; 0: nobody knows since when."""
    until: int
    """UTC ms; 0: it goes on."""
    why: Uncounted
    where: str = ""
    """The file or folder that it is about."""


@dataclass(frozen=True)
class UsageGaps:
    """All that is known to be missing of the last day, where that is new."""

    gaps: tuple[UsageGap, ...] = ()


UsageOrder = SendUsage | UsageBooked


@dataclass(frozen=True)
class WindowSeen:
    """One window of a plan: `five_hour`, `seven_day`, `seven_day_opus`, `overage`, or one that nobody knows yet."""

    name: str
    at: int
    """When it was read, of the host's clock."""
    percent: float | None = None
    """How much of it is used, may be beyond 100; None: nobody has said."""
    resets: int = 0
    """When it begins anew, UTC milliseconds of Anthropic's clock; 0: not said."""
    status: str = ""
    """`allowed`, `allowed_warning` or `rejected`; `in_use` of overage that is billed; "": the source does not say."""
    source: str = ""
    """`stream`, `get_usage` or `status line`."""


@dataclass(frozen=True)
class LimitsSeen:
    """The windows that the login of one agent's run is counted against."""

    name: str
    epoch: int
    account: str = ""
    """Names the login in few words, the same on every host, and is no secret; "": the host cannot say whose it is."""
    plan: str = ""
    """What it has subscribed to, as `max`; "": not said."""
    windows: tuple[WindowSeen, ...] = ()
