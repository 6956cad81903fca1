"""What a plan leaves, as an agent's run was told by Claude: said when it has changed, and anew on each connection."""

from dataclasses import dataclass


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
