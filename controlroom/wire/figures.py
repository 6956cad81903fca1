"""What a node says of its machine's figures. Times and units as in `wire.messages`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class HostSeen:
    """Figures of the machine, once a second when they changed noticeably. None: no reading."""

    at: int
    cpu_percent: float | None = None
    memory_used: int | None = None
    memory_total: int | None = None
    swap_used: int | None = None
    swap_total: int | None = None
    load_1m: float | None = None
    disk_free: int | None = None
    disk_total: int | None = None
    iowait_percent: float | None = None
    """Share of the machine's CPU time that had nothing to do but wait for a disk."""
    network_in: int | None = None
    network_out: int | None = None
    """Bytes a second over the last few seconds; the loopback does not count."""
    load_5m: float | None = None
    load_15m: float | None = None
