"""A check-up of a host: what is known of the link here, and what the host finds when it is asked."""

from collections.abc import Callable
from typing import Protocol

from controlroom.domain.display.checkup import Check, checks, link_check
from controlroom.domain.model import Fleet, LinkState
from controlroom.engine.hosts.inquiries import Inquiries, Unanswered
from controlroom.engine.hosts.translate import to_check
from controlroom.protocol.messages import CHECKING
from controlroom.wire import inquiries as wire


class Asking(Protocol):
    """What a check-up needs of the engine."""

    inquiries: Inquiries
    clock: Callable[[], int]

    @property
    def fleet(self) -> Fleet:
        """The fleet as it is."""

    def new_id(self) -> int:
        """Give a number for a request."""


async def check_up(engine: Asking, name: str) -> tuple[tuple[Check, ...], str]:
    """Check a host. Gives what was judged, and why its own part is missing, in a sentence."""
    host = engine.fleet.hosts.get(name)
    if host is None:
        return (), f"there is no host {ascii(name)[:60]}; see controlroom host list"
    if host.link is not LinkState.UP:
        return (link_check(host, engine.clock()),), f"{name} cannot be asked for the rest: it is {host.link}"
    try:
        found = await engine.inquiries.ask(name, wire.Check(engine.new_id()), wire.Checked, CHECKING)
    except Unanswered as problem:
        return (link_check(engine.fleet.hosts.get(name, host), engine.clock()),), str(problem)
    now = engine.clock()
    return checks(engine.fleet, engine.fleet.hosts.get(name, host), to_check(found, now), now), ""
