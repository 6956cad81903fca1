"""What a machine uses and has left: read on a host, bounded and kept at home."""

from dataclasses import dataclass


@dataclass(frozen=True)
class HostSample:
    """Figures of a machine at one moment; bytes, per cent of the machine, load averages. None: no reading."""

    at: int
    """UTC milliseconds."""
    cpu_percent: float | None = None
    memory_used: int | None = None
    memory_total: int | None = None
    swap_used: int | None = None
    swap_total: int | None = None
    load_1m: float | None = None
    disk_free: int | None = None
    disk_total: int | None = None
    iowait_percent: float | None = None
    """Share of the CPU's time in which it could only wait for a disk."""
    network_in: int | None = None
    network_out: int | None = None
    """Bytes a second over the last few seconds; the loopback does not count."""
    load_5m: float | None = None
    load_15m: float | None = None
