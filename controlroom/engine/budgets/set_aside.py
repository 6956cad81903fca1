"""What was set aside in a room: told in alarms, and settled by a person, one by one or all of a host or an agent.

All methods are called on the event loop. Times are UTC milliseconds, money pico-dollars.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from controlroom.domain import events
from controlroom.domain.gauges import Alarm
from controlroom.domain.intents import SettleUsage
from controlroom.domain.model import Fleet
from controlroom.domain.orders import Result
from controlroom.domain.words import dollars
from controlroom.engine.ledger import doubted_tables
from controlroom.engine.ledger.doubted_tables import ACCEPTED, OPEN, STRUCK, Doubted
from controlroom.engine.ledger.ledger import Ledger
from controlroom.engine.ledger.usage_tables import Statement
from controlroom.engine.ledger.writer import LedgerWriter
from controlroom.metering.usage import MOST_TOKENS
from controlroom.text.states import Outcome

MOST_OPEN = 5_000
"""Bookings of one host that are set aside at most: what it has beyond stays there until somebody has settled them."""

FEW = 3
"""Agents of one host that have alarms of their own; of more, the host has one."""

_ABOUT = "doubt "

Key = tuple[str, str, int]


class Room(Protocol):
    """What it needs of the engine."""

    clock: Callable[[], int]

    @property
    def fleet(self) -> Fleet:
        """The fleet as it is."""

    def happened(self, event: events.Event) -> None:
        """Take an event."""

    def new_id(self) -> int:
        """Give a number for an order."""

    def refuse(self, intent: SettleUsage, reason: str, who: str) -> Result:
        """Refuse an intent, and audit that."""


class SetAsideDesk:
    """Keeps it."""

    def __init__(self, room: Room, ledger: Ledger, ledger_writer: LedgerWriter) -> None:
        self._room, self._ledger_writer = room, ledger_writer
        self._known: dict[Key, Doubted] = {}
        self._open: dict[str, dict[Key, Doubted]] = {}
        """By host."""
        self._told: dict[str, set[str]] = {}
        """By host: what its alarms are about."""
        self._last = 0
        for row in ledger.read(doubted_tables.ALL_DOUBTED):
            self._take(Doubted(*row))

    def start(self) -> None:
        """Say what is yet to be settled."""
        for host in self._open:
            self.tell(host)

    @property
    def all(self) -> tuple[Doubted, ...]:
        """Everything that was ever set aside, oldest first."""
        return tuple(sorted(self._known.values(), key=lambda one: one.id))

    def find(self, message: str, request: str, run: int) -> Doubted | None:
        """Give what was set aside of a message, or of what is reported of a run."""
        return self._known.get((message, request, run))

    def is_full(self, host: str, *, ordered: bool = False) -> bool:
        """Say whether so much of a host is set aside that nothing more can be; of what was `ordered`, twice that."""
        return len(self._open.get(host, ())) >= MOST_OPEN * (1 + ordered)

    def add(self, doubted: Doubted) -> Doubted:
        """Set something aside, under a number of its own unless it was before."""
        known = self._known.get(doubted.key)
        numbered = replace(doubted, id=known.id if known else self._last + 1)
        self._take(numbered)
        return numbered

    def drop(self, some: Iterable[Doubted]) -> None:
        """These could not be written."""
        for doubted in some:
            self._known.pop(doubted.key, None)
            self._open.get(doubted.host, {}).pop(doubted.key, None)

    def _take(self, doubted: Doubted) -> None:
        self._known[doubted.key] = doubted
        self._last = max(self._last, doubted.id)
        theirs = self._open.setdefault(doubted.host, {})
        if doubted.settled == OPEN:
            theirs[doubted.key] = doubted
        else:
            theirs.pop(doubted.key, None)

    # ----------------------------------------------------------------------- telling

    def tell(self, host: str) -> None:
        """Say what of a host nobody has settled."""
        by_agent: dict[str, list[Doubted]] = {}
        for doubted in self._open.get(host, {}).values():
            by_agent.setdefault(f"{host}/{doubted.agent}", []).append(doubted)
        alarms = {agent: _alarm(agent, agent, theirs) for agent, theirs in by_agent.items()}
        if len(by_agent) > FEW:
            every = [doubted for theirs in by_agent.values() for doubted in theirs]
            alarms = {host: _alarm(f"{host}, {len(by_agent)} agents", host, every)}
        if self.is_full(host):
            last = next(reversed(alarms))
            more = f"; nothing more that it was not ordered to use is booked until then ({MOST_OPEN:,} are set aside)"
            alarms[last] = replace(alarms[last], text=alarms[last].text + more)
        for about in self._told.get(host, set()) - alarms.keys():
            self._room.happened(events.Alarmed(f"{_ABOUT}{about}", None))
        for about, alarm in alarms.items():
            self._room.happened(events.Alarmed(f"{_ABOUT}{about}", alarm))
        self._told[host] = set(alarms)

    # ----------------------------------------------------------------------- settling

    async def settle(self, intent: SettleUsage, who: str) -> Result:
        """Strike out what was set aside, or count it as it was claimed."""
        meant = self._meant(intent)
        chosen = [one for one in meant if one.settled == OPEN and not (intent.accept and _is_too_much(one))]
        if not chosen:
            return self._room.refuse(intent, f"{intent.name}: {_why(intent, meant)}", who)
        change = doubted_tables.accepted if intent.accept else doubted_tables.struck
        statements: list[Statement] = [statement for one in chosen for statement in change(one)]
        if problem := await self._ledger_writer.booked(statements):
            return self._room.refuse(intent, problem, who)
        for one in chosen:
            counted = one.claimed_pico if intent.accept else 0
            self._take(replace(one, settled=ACCEPTED if intent.accept else STRUCK, counted_pico=counted))
        self._audit(intent, chosen, who)
        for host in {one.host for one in chosen}:
            self.tell(host)
        return Result(Outcome.DONE, op=self._room.new_id())

    def _meant(self, intent: SettleUsage) -> list[Doubted]:
        if not intent.of:
            return [one for one in self._known.values() if one.id == intent.number]
        theirs = self._open.get(intent.of.partition("/")[0], {}).values()
        return [one for one in theirs if intent.of in (one.host, f"{one.host}/{one.agent}")]

    def _audit(self, intent: SettleUsage, chosen: Sequence[Doubted], who: str) -> None:
        claimed, counted = sum(one.claimed_micro for one in chosen), sum(one.counted_micro for one in chosen)
        what = f"{len(chosen)} of {intent.of}" if intent.of else f"number {intent.number}"
        told = Result(Outcome.DONE, f"{what}: {dollars(claimed)} claimed, {dollars(counted)} counted until now")
        target = intent.of or f"{chosen[0].host}/{chosen[0].agent}"
        self._ledger_writer.audited(who, "ledger accept" if intent.accept else "ledger strike", target, 0, told)


def _is_too_much(doubted: Doubted) -> bool:
    return bool(max(json.loads(doubted.claimed)) > MOST_TOKENS)


def _why(intent: SettleUsage, meant: Sequence[Doubted]) -> str:
    """Say why nothing of what is meant can be settled so."""
    if any(one.settled == OPEN for one in meant):
        return "no message can have used that much: strike it"
    said = f"it was {meant[0].settled} already" if meant else "nothing of that name is set aside"
    if not meant and not intent.of:
        said = "nothing of that number is set aside"
    return f"{said}; see: controlroom ledger doubted"


def _alarm(subject: str, name: str, theirs: Sequence[Doubted]) -> Alarm:
    claimed, counted = sum(one.claimed_micro for one in theirs), sum(one.counted_micro for one in theirs)
    numbers = ", ".join(str(one.id) for one in theirs[:5]) + (", …" if len(theirs) > 5 else "")
    text = (
        f"{subject}: {dollars(claimed)} of use that cannot be true is set aside ({numbers}), and {dollars(counted)} "
        "of it counts until somebody has looked: controlroom ledger doubted, then "
        f"controlroom ledger strike {name}, or controlroom ledger accept {name}"
    )
    return Alarm(text, "danger", min(one.at for one in theirs), name if "/" in name else "")
