"""How long agents ran: what hosts have said of it is kept, also of those that are gone, and nothing is guessed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.client.client import Client
from controlroom.domain.model import Agent, Fleet, Host, LinkState, State
from controlroom.engine.ledger.ledger import Ledger
from controlroom.engine.ledger.run_tables import WRITTEN, Run, RunBook, epoch_of, known_alive, session_number
from controlroom.engine.ledger.usage_tables import DAY, Booking, RunKey, Source, book
from controlroom.engine.ledger.usage_views import hours
from controlroom.metering.prices import Cost
from controlroom.metering.usage import Message, Usage
from controlroom.text.names import ADOPTED
from controlroom.text.states import AgentKind
from tests.engine.budgeted import Spender, message
from tests.engine.rooms import Room, room
from tests.engine.scripted import NOON
from tests.lab.world import World

HOUR = 3_600_000
API = Source("vm1", "a1", "docs", "/project", "api", 1)
ROWS = "select agent, epoch, began, ended, seen from agent_runs order by agent, began"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path / "ledger.db", "room-1")
    yield opened
    opened.close()


class Books:
    """A book with its ledger; begun anew whenever an engine is."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.book = RunBook(ledger.runs)

    def again(self) -> None:
        """Another engine takes over; the one before had no time for anything."""
        path = self.ledger.path
        self.ledger.close()
        self.__init__(Ledger(path, "room-1"))  # type: ignore[misc]

    def see(self, now: int, *agents: Agent, adopted: bool = False) -> None:
        """The host is heard."""
        self.ledger.booked(self.book.observed("vm1", agents, now, adopted=adopted)).result(60)
        self.ledger.booked(self.book.heard("vm1", now)).result(60)

    def rows(self) -> list[tuple[Any, ...]]:
        return self.ledger.read(ROWS)


@pytest.fixture
def books(ledger: Ledger) -> Iterator[Books]:
    kept = Books(ledger)
    yield kept
    kept.ledger.close()


def agent(epoch: int = 1, state: State = State.WORKING, started: int = NOON, ended: int = 0, **more: Any) -> Agent:
    made = Agent("vm1", "a1", epoch, AgentKind.HEADLESS, state, NOON, started=started, ended=ended, profile="docs")
    return replace(made, **more)


def test_a_run_is_kept_from_its_beginning_to_its_end(books: Books) -> None:
    books.see(NOON + 5, agent(started=0, state=State.STARTING))
    assert books.rows() == []
    for later in (10, 20, 30):
        books.see(NOON + later, agent())
    assert books.rows() == [("a1", 1, NOON, 0, NOON + 10)]
    books.see(NOON + HOUR, agent(state=State.DONE, ended=NOON + HOUR - 7))
    books.see(NOON + 2 * HOUR, agent(2, started=NOON + 2 * HOUR - 1))
    assert books.rows() == [
        ("a1", 1, NOON, NOON + HOUR - 7, NOON + HOUR - 7),
        ("a1", 2, NOON + 2 * HOUR - 1, 0, NOON + 2 * HOUR),
    ]


def test_an_engine_that_was_away_learns_when_it_ended_and_began(books: Books) -> None:
    books.see(NOON + 1, agent())
    books.again()
    books.see(NOON + 9 * HOUR, agent(state=State.FAILED, ended=NOON + 2 * HOUR))
    assert books.rows() == [("a1", 1, NOON, NOON + 2 * HOUR, NOON + 2 * HOUR)]
    books.again()
    books.see(NOON + 20 * HOUR, agent(4, State.PAUSED, NOON + 15 * HOUR, NOON + 16 * HOUR))
    assert books.rows()[1:] == [("a1", 4, NOON + 15 * HOUR, NOON + 16 * HOUR, NOON + 16 * HOUR)]


def test_what_is_gone_counts_as_long_as_it_was_seen(books: Books) -> None:
    books.see(NOON + 1, agent())
    books.see(NOON + WRITTEN - 2, agent())
    books.see(NOON + WRITTEN + 9)
    assert [row[2:4] for row in books.rows()] == [(NOON, NOON + WRITTEN - 2)]
    books.see(NOON + HOUR, agent(started=NOON + HOUR - 5))
    assert [row[1:4] for row in books.rows()[1:]] == [(1, NOON + HOUR - 5, 0)], "another one of the same name"


@pytest.mark.parametrize("state", [State.WORKING, State.DONE])
@pytest.mark.parametrize("forgotten", [True, False])
def test_another_of_the_same_name_and_number_is_another(books: Books, state: State, forgotten: bool) -> None:
    """A name that was forgotten begins at epoch 1 again, perhaps while nobody looks."""
    over = NOON + 7 * HOUR if state is State.DONE else 0
    books.see(NOON + 1, agent())
    if forgotten:
        books.see(NOON + HOUR, agent(state=State.DONE, ended=NOON + 1))
        books.see(NOON + 6 * HOUR)
    else:
        books.again()
    books.see(NOON + 9 * HOUR, agent(started=NOON + 5 * HOUR, state=state, ended=over))
    assert [row[2:4] for row in books.rows()] == [(NOON, NOON + 1), (NOON + 5 * HOUR, over)]


def test_one_that_ended_nobody_knows_when_has_no_hours(books: Books) -> None:
    books.see(NOON + HOUR, agent(state=State.FAILED))
    assert books.rows() == []
    books.see(NOON + HOUR, agent(2))
    books.see(NOON + 2 * HOUR, agent(2, State.UNKNOWN))
    books.see(NOON + 3 * HOUR, agent(2, State.FAILED))
    assert books.rows() == [("a1", 2, NOON, NOON + 2 * HOUR, NOON + 2 * HOUR)], "as long as it was seen"


def test_a_run_that_was_given_up_too_early_goes_on(books: Books) -> None:
    """As when its host is taken out of the room, and comes back."""
    books.see(NOON + 1, agent())
    books.see(NOON + 60_000)
    books.see(NOON + 2 * HOUR, agent())
    assert [row[2:4] for row in books.rows()] == [(NOON, NOON + 1), (NOON + 1, 0)]
    books.see(NOON + 3 * HOUR)
    books.see(NOON + 9 * HOUR, agent(state=State.DONE, ended=NOON + 5 * HOUR))
    assert [row[2:4] for row in books.rows()] == [(NOON, NOON + 1), (NOON + 1, NOON + 5 * HOUR)]


def test_an_agent_of_others_is_told_by_its_session(books: Books) -> None:
    theirs = agent(0, kind=ADOPTED, name="~work", session="s1")
    books.see(NOON + 1, theirs, agent(name="~codex", kind=ADOPTED), adopted=True)
    books.see(NOON + HOUR, agent())
    books.see(NOON + 2 * HOUR, theirs, adopted=True)
    books.see(NOON + 3 * HOUR, replace(theirs, session="s2"), adopted=True)
    assert books.rows() == [
        ("a1", 1, NOON, 0, NOON + 3 * HOUR),
        ("~work", session_number("s1"), NOON, NOON + 2 * HOUR, NOON + 2 * HOUR),
        ("~work", session_number("s2"), NOON + 2 * HOUR, 0, NOON + 3 * HOUR),
    ]


def test_that_a_host_is_there_is_written_now_and_then_and_when_it_leaves() -> None:
    book_ = RunBook([Run("vm1", "a1", 1, NOON, 0, NOON)])
    assert book_.left("vm1") == []
    assert book_.heard("vm1", NOON + WRITTEN - 1) == []
    assert [values for _, values in book_.left("vm1")] == [(NOON + WRITTEN - 1, "vm1")]
    assert book_.closing() == []
    assert [values for _, values in book_.heard("vm1", NOON + 2 * WRITTEN)] == [(NOON + 2 * WRITTEN, "vm1")]


lives = st.lists(st.sampled_from(("begin", "end", "forget", "look", "look", "engine")), max_size=40)


@given(lives, st.lists(st.integers(1, HOUR), min_size=40, max_size=40))
def test_whatever_happens_hours_are_never_more_than_there_were(
    tmp_path_factory: pytest.TempPathFactory, happens: Sequence[str], passes: Sequence[int]
) -> None:
    """What was seen at least once is counted in full when the host has said how it ended, and never twice."""
    books, now, there = Books(Ledger(tmp_path_factory.mktemp("runs") / "ledger.db", "room-1")), NOON, None
    exact = most = 0
    for what, passed in zip(happens, passes, strict=False):
        now += passed
        if what == "begin" and (there is None or there.ended):
            there = agent(there.epoch + 1 if there else 1, started=now)
            seen = False
        elif what == "end" and there and not there.ended:
            there = replace(there, state=State.DONE, ended=now)
        elif what == "forget" and there and there.ended:
            there = None
        elif what == "engine":
            books.again()
        elif what == "look":
            books.see(now, *([there] if there else []))
            if there and there.ended and not seen:
                exact, seen = exact + there.ended - there.started, True
        if what == "end" and there and there.ended == now:
            most += there.ended - there.started
    most += now - there.started if there and not there.ended else 0
    rows = books.rows()
    books.ledger.close()
    counted = sum((ended or seen) - began for _, _, began, ended, seen in rows)
    assert exact <= counted <= most
    assert all((before[3] or before[4]) <= after[2] for before, after in pairwise(rows))


# --------------------------------------------------------------------------- read


def spend(ledger: Ledger, source: Source, at: int, number: int = 1) -> None:
    used = Message(f"msg_{source.agent}_{source.epoch}_{number}", "req", at, "claude-opus-5-5", Usage(5, 10))
    ledger.booked(book(source, [Booking(used, Cost(10**9, True), at)])).result(60)


def ran(ledger: Ledger, *runs: tuple[str, int, int, int, int]) -> None:
    """Runs as (agent, epoch, began, ended, seen)."""
    insert = (
        "insert into agent_runs (host, agent, profile, epoch, began, ended, seen) values ('vm1', ?, 'docs', ?, ?, ?, ?)"
    )
    ledger.booked([(insert, run) for run in runs]).result(60)


NOBODY: Mapping[RunKey, int] = {}


def test_hours_are_those_of_the_span(ledger: Ledger) -> None:
    spend(ledger, API, NOON)
    ran(ledger, ("a1", 1, NOON - 3 * HOUR, NOON + HOUR, 0), ("a1", 2, NOON + 2 * HOUR, 0, NOON + 3 * HOUR))
    for since, until, known in (
        (0, 2 * NOON, 5),
        (NOON, 2 * NOON, 2),
        (NOON, NOON + HOUR // 2, 0.5),
        (NOON - DAY, NOON + 2 * HOUR, 4),
        (NOON + HOUR // 4 - 1, NOON + 9 * HOUR, 2),
    ):
        for by, key in (("agent", "vm1/a1"), ("profile", "docs"), ("host", "vm1")):
            assert hours(ledger, by, since, until, NOBODY) == {key: known * HOUR}
    assert hours(ledger, "agent", NOON + HOUR // 4, NOON + 9 * HOUR, NOBODY) == {}, "nothing was used then"
    alive = {("vm1", "a1", 2): NOON + 4 * HOUR, ("vm1", "a1", 1): 2 * NOON}
    assert hours(ledger, "agent", 0, 2 * NOON, alive) == {"vm1/a1": 6 * HOUR}
    assert hours(ledger, "model", 0, 2 * NOON, alive) == {}


def test_a_key_with_a_run_that_was_never_seen_has_no_hours(ledger: Ledger) -> None:
    spend(ledger, API, NOON)
    spend(ledger, API._replace(agent="a2", profile="tests"), NOON)
    spend(ledger, API._replace(epoch=0), NOON - 9 * DAY)
    ran(ledger, ("a1", 1, NOON, NOON + HOUR, 0), ("a3", 1, NOON, NOON + HOUR, 0))
    assert hours(ledger, "agent", NOON, 2 * NOON, NOBODY) == {"vm1/a1": HOUR}
    assert hours(ledger, "profile", NOON, 2 * NOON, NOBODY) == {"docs": HOUR}
    assert hours(ledger, "host", NOON, 2 * NOON, NOBODY) == {}
    assert hours(ledger, "agent", 0, 2 * NOON, NOBODY) == {}, "a run of the time before runs were kept"


def test_what_goes_on_is_known_up_to_now_or_to_when_its_host_was_heard() -> None:
    hosts = {"vm1": Host("vm1", "", LinkState.UP, seen=7), "vm2": Host("vm2", "", LinkState.LOST, seen=7)}
    agents = [
        agent(),
        agent(host="vm2"),
        agent(name="a2", state=State.DONE),
        agent(0, name="~work", kind=ADOPTED, session="s1"),
    ]
    fleet = Fleet(hosts=hosts, agents={one.id: one for one in agents})
    assert known_alive(fleet, 9) == {("vm1", "a1", 1): 9, ("vm2", "a1", 1): 7, ("vm1", "~work", epoch_of(agents[3])): 9}


# --------------------------------------------------------------------------- the whole


@pytest.fixture
def host() -> Spender:
    made = Spender()
    made.agents["a1"] = replace(made.agents["a1"], started=NOON - 2 * HOUR)
    return made


async def asked(here: Room, by: str = "agent", since: int = NOON - DAY) -> dict[str, int]:
    front = await Client.connect(start=False, role="cli")
    answer = await front.costs(by, since, here.now)
    await front.close()
    assert answer.reason == ""
    return answer.ran


async def test_hours_outlive_the_agent_and_the_engine(home: World, host: Spender) -> None:
    async with room(host) as here:
        await here.until(lambda: here.agent("vm1/a1").spent == 40_000_000)
        for more in (1, 2):
            here.now += HOUR
            assert await asked(here) == {"vm1/a1": (2 + more) * HOUR}
        assert await asked(here, "profile", NOON) == {"docs": 2 * HOUR}
        host.agents["a1"] = replace(host.agents["a1"], state="done", ended=NOON + HOUR // 2)
        here.now += HOUR
        host.show()
        await here.until(lambda: here.agent("vm1/a1").state == "done")
        del host.agents["a1"]
        host.show("a1")
        await here.until(lambda: "vm1/a1" not in here.engine.store.fleet.agents)
        here.now += 9 * HOUR
        await here.until(lambda: here.ledger.read(ROWS)[0][3])
    async with room(host) as again:
        again.now = NOON + 20 * HOUR
        assert await asked(again, "host") == {"vm1": 5 * HOUR // 2}


async def test_of_a_host_that_is_away_hours_are_those_up_to_when_it_was_heard(home: World, host: Spender) -> None:
    async with room(host) as here:
        await here.until(lambda: here.agent("vm1/a1").spent == 40_000_000)
        host.reachable = False
        host.cut()
        await here.until(lambda: here.link("vm1") is not LinkState.UP)
        here.now += 5 * HOUR
        assert await asked(here) == {"vm1/a1": 2 * HOUR}
    async with room(host, up=False) as again:
        again.now += 1
        assert await asked(again) == {"vm1/a1": 2 * HOUR}
        host.reachable = True
        host.use(message(3))
        await again.up()
        await again.until(lambda: again.ledger.read("select sum(messages) from spend") == [(3,)])
        again.now += 5 * HOUR
        assert await asked(again) == {"vm1/a1": 7 * HOUR + 1}
