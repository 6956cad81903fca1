"""What hosts say that is counted: what agents have used, and how far their plans' windows are."""

from controlroom.engine.hosts.limits_seen import LoginSeen, read_limits
from controlroom.engine.hosts.translate import HostContext
from controlroom.engine.hosts.usage_seen import Used, read_usage
from controlroom.wire.usage import LimitsSeen, UsageSeen

Counted = Used | LoginSeen


def read_counted(seen: UsageSeen | LimitsSeen, setting: HostContext) -> Counted | None:
    """Read what a host has sent; None for what cannot be an agent's."""
    return read_limits(seen, setting) if isinstance(seen, LimitsSeen) else read_usage(seen, setting)
