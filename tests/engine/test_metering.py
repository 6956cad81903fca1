"""From transcripts to the ledger: whatever is cut, lost, sent again or asked for anew, the total is that of the set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.engine.hosts.translate import HostContext
from controlroom.engine.hosts.translate_usage import read_usage
from controlroom.engine.ledger.ledger import Ledger, check
from controlroom.engine.ledger.usage_tables import Booking, Source, book
from controlroom.metering.prices import Cost
from controlroom.metering.usage import Message
from controlroom.wire.usage import UsageBooked, UsagePlace, UsageSeen
from tests.node.adopted import Session
from tests.runner.usage import BEGAN, line, total

SETTING = HostContext("vm1", "room-1", BEGAN + 10**6, ahead=0)
MICRO = 10**6
THEIRS = Source("vm1", "~work", "", "/src", "api", 1)

said = st.lists(
    st.one_of(
        st.tuples(st.just("message"), st.integers(0, 5), st.integers(0, 90)),
        st.tuples(st.just("subagent"), st.integers(6, 9), st.integers(0, 90)),
        st.tuples(st.just("total"), st.just(0), st.integers(0, 400)),
        st.tuples(st.just("damage"), st.just(0), st.just(0)),
    ),
    max_size=12,
)
events = st.lists(st.sampled_from(("write", "look", "lose", "node")), max_size=30)


def lines(what: Sequence[tuple[str, int, int]], where: str) -> bytes:
    """The transcript, or the subagent's: a message stands there twice, as one of two blocks does."""
    inside = [item for item in what if (item[0] == "subagent") == (where == "subagent")]
    return b"".join(lines_of(*item) for item in inside)


def lines_of(kind: str, number: int, amount: int) -> bytes:
    if kind == "damage":
        return b'{"type":"assistant","message":{"usage":{"input_tokens":NaN}}}\n\xff\n'
    if kind == "total":
        return total(amount / MICRO)
    return line(number, amount) * (2 if kind == "message" else 1)


def true_total(what: Sequence[tuple[str, int, int]]) -> int:
    """Micro-dollars: an output token costs one."""
    cost: dict[int, int] = {}
    reported = 0
    for kind, number, amount in what:
        if kind in ("message", "subagent"):
            cost[number] = max(cost.get(number, 0), amount)
        elif kind == "total":
            reported = max(reported, amount)
    return max(sum(cost.values()), reported)


class Home:
    """Books pieces in a ledger; some of them get lost on the way."""

    def __init__(self, ledger: Ledger, work: Session) -> None:
        self._ledger, self._work = ledger, work

    def look(self, *, lose: bool = False) -> bool:
        """Let the node look, and book what it sends; tell whether there was anything."""
        pieces = self._work.usage.look([self._work.running()], BEGAN)
        for piece in pieces:
            if not lose:
                self.book(piece)
        return bool(pieces)

    def book(self, piece: UsageSeen) -> None:
        used = read_usage(piece, SETTING)
        assert used is not None
        bookings = [Booking(one, self.cost(one), one.at) for one in used.messages]
        self._ledger.booked(book(THEIRS, bookings, used.reports)).result(60)
        place = UsagePlace(piece.place.name, piece.place.epoch, piece.end, piece.place.mark)
        self._work.booked[place.name, place.epoch] = place
        self._work.usage.take(UsageBooked(place))

    @staticmethod
    def cost(message: Message) -> Cost:
        return Cost(message.usage.output * MICRO, True)


@given(said, events, st.randoms(use_true_random=False))
def test_whatever_happens_on_the_way_the_total_is_that_of_the_set(
    tmp_path_factory: pytest.TempPathFactory, what: list[tuple[str, int, int]], happens: Sequence[str], random: Any
) -> None:
    folder = tmp_path_factory.mktemp("metering")
    work, ledger = Session(folder), Ledger(folder / "ledger.db", "room-1")
    home = Home(ledger, work)
    left = {where: lines(what, where) for where in ("main", "subagent")}
    try:
        work.ask()
        for event in [*happens, "node"]:
            if event == "write":
                where = random.choice(("main", "subagent"))
                cut = random.randint(0, len(left[where]))
                work.add(left[where][:cut], inside="subagents/agent-a.jsonl" if where == "subagent" else "")
                left[where] = left[where][cut:]
            elif event == "node":
                work.usage = type(work.usage)()
                work.ask()
            else:
                home.look(lose=event == "lose")
        work.add(left["main"])
        work.add(left["subagent"], inside="subagents/agent-a.jsonl")
        while home.look():
            pass
        assert ledger.read("select coalesce(sum(pico), 0) from spend") == [(true_total(what) * MICRO,)]
        assert check(ledger) == []
    finally:
        ledger.close()
