"""Until when each host has told all that its agents had used: no date that it gives later lies before that.

A node sends what it has kept as soon as it is asked, and what is new at once. So a host that has been connected for a
while has told what is older, whenever it says that it was; what it can date freely is the time in which it was not
heard. All methods are called on the event loop. Times are UTC milliseconds of our clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from controlroom.domain.clock_set import later
from controlroom.domain.money.plausible import MINUTE, SLACK
from controlroom.engine.ledger.doubted_tables import write_told
from controlroom.engine.ledger.usage_tables import Statement

CAUGHT_UP = 2 * MINUTE
"""How long a host may take, connected, to send what it has kept; the time of several links counts together."""

WRITTEN = 5 * MINUTE
"""What of it an engine may lose that is killed."""


@dataclass
class _Host:
    till: int = 0
    """It had told what was older than this; 0: nothing is known."""
    up: int = 0
    """Since when it is connected; 0: it is not."""
    connected: int = 0
    """For how long it has been connected since the last gap that is not told yet, before this link."""
    met: int = 0
    """When it was first connected, as far as is known."""
    written: int = 0
    """What of `till` is written down."""


class Told:
    """Keeps that of all hosts."""

    def __init__(self, before: Mapping[str, int]) -> None:
        """`before`: until when each had told everything before this engine began."""
        self._hosts = {host: _Host(till=at, met=at, written=at) for host, at in before.items()}

    def up(self, name: str, now: int) -> None:
        """A host is connected."""
        host = self._hosts.setdefault(name, _Host())
        host.up, host.met = host.up or now, host.met or now

    def down(self, name: str, now: int) -> None:
        """A host is connected no more."""
        host = self._hosts.get(name)
        if host is None or not host.up:
            return
        till = self.till(name, now)
        host.connected = 0 if till > host.till else host.connected + max(0, now - host.up)
        host.till, host.up = till, 0

    def till(self, name: str, now: int) -> int:
        """Give the moment before which a host has told everything; 0: none is known."""
        host = self._hosts.get(name, _Host())
        if not host.up:
            return host.till
        if now - host.up >= CAUGHT_UP:
            return now - CAUGHT_UP
        return max(host.till, host.up) if host.connected + now - host.up >= CAUGHT_UP else host.till

    def earliest(self, name: str, now: int) -> int:
        """Give the earliest date that a host can give now to what it has not told before; 0: any."""
        return max(0, self.till(name, now) - SLACK)

    def is_late(self, name: str, at: int, now: int) -> bool:
        """Say whether a host could have told before what it dates so, or dates it to before it was known here."""
        host = self._hosts.get(name, _Host())
        return at < (self.till(name, now) or host.met or now) - SLACK

    def statements(self, now: int, least: int = 0) -> list[Statement]:
        """Give what is to be written down, if it is later by more than `least` than what is."""
        made: list[Statement] = []
        for name, host in self._hosts.items():
            till = self.till(name, now)
            if till > host.written + least:
                host.written = till
                made.append(write_told(name, till))
        return made

    def clock_set(self, by: int) -> None:
        """Our clock was set."""
        for host in self._hosts.values():
            host.till, host.up, host.met = later(host.till, by), later(host.up, by), later(host.met, by)
