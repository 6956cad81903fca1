"""The table: order, headings, filter; rows that did not change are the same rows."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce as fold
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.domain import events
from controlroom.domain.display import arrange as display
from controlroom.domain.display.arrange import (
    Arranged,
    Arrangement,
    Change,
    Group,
    GroupRow,
    Sort,
    following,
)
from controlroom.domain.display.views import AgentRow, agent_row
from controlroom.domain.model import Agent, Fleet, LinkState, Money, State, with_changes
from controlroom.domain.patch import changed_rows
from controlroom.domain.reduce import reduce
from tests.domain.worlds import MINUTE, NOON, agent, agents, fleet, happenings, host, order, question

AWAY = host("vm2", link=LinkState.LOST, since=NOON - 9 * MINUTE, seen=NOON - 9 * MINUTE)


def busy() -> Fleet:
    return fleet(
        agent("web-10", since=NOON - 50 * MINUTE, spent=5, rss=100, cpu_percent=9.0, model="claude-opus-5"),
        agent("web-2", since=NOON - 5 * MINUTE, spent=900, rss=300, cpu_percent=1.0, model="", profile="docs"),
        agent("docs-1", state=State.WAITING, question=question(), rss=200, since=NOON - 2 * MINUTE),
        agent("seed-9", state=State.FAILED, detail="exit 1", since=NOON - 9 * MINUTE, profile="docs"),
        agent("far-1", on="vm2", since=NOON - 90 * MINUTE),
        hosts=(host(), AWAY),
    )


class Table:
    """A table as it was at one time; more of the fleet's life can follow."""

    def __init__(
        self, world: Fleet, now: int, wanted: Arrangement, before: Table | None = None, *, hold: bool = False
    ) -> None:
        self.arranged: Arranged = before.arranged if before else Arranged()
        self.changes: list[Change] | None = self.arranged.follow(world, now, wanted, hold=hold)
        self.rows, self.ids = tuple(self.arranged), tuple(self.arranged.ids)


arrange = Table


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        (Sort.NEED, ["docs-1", "seed-9", "far-1", "web-2", "web-10"]),
        (Sort.NAME, ["docs-1", "far-1", "seed-9", "web-2", "web-10"]),
        (Sort.HOST, ["docs-1", "seed-9", "web-2", "web-10", "far-1"]),
        (Sort.STATE, ["docs-1", "seed-9", "far-1", "web-10", "web-2"]),
        (Sort.AGE, ["docs-1", "web-2", "seed-9", "web-10", "far-1"]),
        (Sort.MODEL, ["web-10", "docs-1", "far-1", "seed-9", "web-2"]),
        (Sort.RAM, ["web-2", "docs-1", "web-10", "far-1", "seed-9"]),
        (Sort.COST, ["web-2", "web-10", "docs-1", "far-1", "seed-9"]),
        (Sort.CPU, ["web-10", "web-2", "docs-1", "far-1", "seed-9"]),
    ],
)
def test_orders(sort: Sort, names: list[str]) -> None:
    table = arrange(busy(), NOON, Arrangement(sort))
    assert [agent.split("/")[1] for agent in table.ids] == names


@pytest.mark.parametrize(
    ("group", "heads"),
    [
        (Group.HOST, ["vm1", "vm2"]),
        (Group.STATE, ["waiting", "failed", "lost", "working"]),
        (Group.PROFILE, ["docs", "no profile"]),
    ],
)
def test_groups_have_headings_that_count(group: Group, heads: list[str]) -> None:
    table = arrange(busy(), NOON, Arrangement(Sort.NAME, group))
    headings = [row for row in table.rows if isinstance(row, GroupRow)]
    assert [row.title for row in headings] == heads
    assert sum(row.count for row in headings) == len(table.ids) == 5
    assert not {row.id for row in headings} & set(table.ids)


def test_a_heading_tells_states_in_the_order_of_need() -> None:
    first = arrange(busy(), NOON, Arrangement(group=Group.HOST)).rows[0]
    assert isinstance(first, GroupRow)
    assert first.counts == ((State.WAITING, 1), (State.FAILED, 1), (State.WORKING, 2))


def test_a_filter_leaves_no_empty_heading() -> None:
    table = arrange(busy(), NOON, Arrangement(group=Group.HOST, text="vm1 failed"))
    assert [row.id for row in table.rows] == ["host: vm1", "vm1/seed-9"]


def test_a_row_is_made_anew_only_when_something_in_it_changed() -> None:
    world = busy()
    before = arrange(world, NOON, Arrangement())
    other = replace(busy(), agents={**world.agents, "vm1/web-2": agent("web-2", last_line="new")})
    after = arrange(other, NOON, Arrangement(), before)
    same = {row.id for row in before.rows for new in after.rows if new is row}
    assert same == set(before.ids) - {"vm1/web-2"}
    later = arrange(other, NOON + MINUTE, Arrangement(), after)
    assert all(isinstance(row, AgentRow) and row.age != "now" for row in later.rows)
    ages = {row.id: row.age for row in later.rows if isinstance(row, AgentRow)}
    assert (ages["vm1/docs-1"], ages["vm2/far-1"]) == ("3m", "10m")


def test_a_lost_link_reaches_rows_whose_agents_did_not_change() -> None:
    world = busy()
    before = arrange(world, NOON, Arrangement())
    cut = replace(world, hosts={**world.hosts, "vm1": replace(world.hosts["vm1"], link=LinkState.LOST)})
    states = {row.id: row.state for row in arrange(cut, NOON, Arrangement(), before).rows if isinstance(row, AgentRow)}
    assert states["vm1/web-2"] is State.LOST
    assert states["vm1/seed-9"] is State.FAILED


def test_an_order_that_is_held_stays_and_newcomers_stand_behind() -> None:
    by_cpu = Arrangement(Sort.CPU)
    before = arrange(busy(), NOON, by_cpu)
    world = busy()
    with_changes = {
        **world.agents,
        "vm1/seed-9": replace(world.agents["vm1/seed-9"], cpu_percent=99.0),
        "vm1/new": agent("new", cpu_percent=100.0),
    }
    held = arrange(replace(world, agents=with_changes), NOON, by_cpu, before, hold=True)
    assert held.ids == (*before.ids, "vm1/new")
    assert arrange(replace(world, agents=with_changes), NOON, by_cpu, before).ids[:2] == ("vm1/new", "vm1/seed-9")


@given(
    st.lists(happenings, max_size=12),
    st.lists(st.lists(happenings, max_size=4), max_size=4),
    st.sampled_from(list(Sort)),
    st.sampled_from(list(Group)),
    st.sampled_from(["", "a", "vm1", "working"]),
)
def test_agents_put_in_their_places_stand_where_a_table_arranged_anew_has_them(
    before: list[events.Event], after: list[list[events.Event]], sort: Sort, group: Group, text: str
) -> None:
    world, wanted = fold(reduce, before, busy()), Arrangement(sort, group, text)
    table = arrange(world, NOON, wanted)
    for more in after:
        world = fold(reduce, more, world)
        shown = {row.id: row for row in table.rows if isinstance(row, AgentRow)}
        table, anew = arrange(world, NOON, wanted, table), arrange(world, NOON, wanted)
        assert (table.rows, table.ids) == (anew.rows, anew.ids)
        for row, becomes in table.changes or ():
            assert row == shown.pop(row.id if row else "", None)
            shown |= {becomes.id: becomes} if becomes else {}
        assert sorted(shown) == sorted(table.ids), "what is said to have changed is all that has"
        assert places(table) == places(anew)


@given(
    st.lists(st.tuples(st.integers(0, 2), st.lists(happenings, max_size=3)), max_size=5),
    st.sampled_from(list(Group)),
    st.sampled_from(["", "1m"]),
)
def test_minutes_that_pass_leave_no_row_behind(
    after: list[tuple[int, list[events.Event]]], group: Group, text: str
) -> None:
    world, now, wanted = busy(), NOON, Arrangement(Sort.NEED, group, text)
    table = arrange(world, now, wanted)
    for minutes, more in after:
        world, now = fold(reduce, more, world), now + minutes * MINUTE
        table, anew = arrange(world, now, wanted, table), arrange(world, now, wanted)
        assert (table.rows, table.ids) == (anew.rows, anew.ids)


def places(table: Table) -> list[object]:
    """What a table says of its places, each counted out from its rows."""
    rows, arranged = table.rows, table.arranged
    agents = [place for place, row in enumerate(rows) if isinstance(row, AgentRow)]
    assert [arranged.place_of(number) for number in range(len(agents))] == agents
    assert [arranged.agents_before(place) for place in range(len(rows) + 1)] == [
        sum(agent < place for agent in agents) for place in range(len(rows) + 1)
    ]
    waiting = [isinstance(row, AgentRow) and row.state is State.WAITING for row in rows]
    for start in range(len(rows)):
        assert arranged.waiting(range(start, len(rows))) == sum(waiting[start:])
        assert arranged.waiting(range(start)) == sum(waiting[:start])
    assert [arranged.ids.index(id_) for id_ in table.ids] == list(range(len(table.ids)))
    return list(agents)


class Compared:
    """A sort key that counts how often it is compared."""

    times = 0

    def __init__(self, key: Any) -> None:
        self.key = key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Compared) and bool(self.key == other.key)

    def __lt__(self, other: Compared) -> bool:
        Compared.times += 1
        return bool(self.key < other.key)


def test_one_of_five_thousand_agents_is_put_in_its_place_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    made, keyed, by_need = list[str](), list[str](), display.KEYS[Sort.NEED]

    def noting_row(fleet: Fleet, agent: Agent, now: int) -> AgentRow:
        made.append(agent.id)
        return agent_row(fleet, agent, now)

    def noting_key(agent: Agent, row: AgentRow) -> Compared:
        keyed.append(agent.id)
        return Compared(by_need(agent, row))

    monkeypatch.setattr(display, "agent_row", noting_row)
    monkeypatch.setitem(display.KEYS, Sort.NEED, noting_key)
    world = fleet(*(agent(f"web-{number}") for number in range(5000)))
    before = arrange(world, NOON, Arrangement())
    made.clear()
    keyed.clear()
    Compared.times = 0
    asks = agent("web-4000", state=State.WAITING, question=question())
    after = arrange(replace(world, agents={**world.agents, asks.id: asks}), NOON, Arrangement(), before)
    assert after.ids[0] == asks.id
    assert made == keyed == [asks.id]
    assert Compared.times <= 3 * 13  # found where it is, and among those that wait; 2 ** 13 > 5000


def test_a_minute_makes_anew_the_rows_that_are_looked_at_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    world = fleet(*(agent(f"a{number:04}", since=NOON) for number in range(2000)))
    table, made = Arranged(), list[str]()
    table.follow(world, NOON, Arrangement())

    def counted(fleet: Fleet, agent: Agent, now: int) -> AgentRow:
        made.append(agent.id)
        return agent_row(fleet, agent, now)

    monkeypatch.setattr(display, "agent_row", counted)
    assert table.follow(world, NOON + MINUTE, Arrangement()) == []
    assert made == []
    assert [row.age for row in table[10:14]] == ["1m"] * 4
    assert [row.age for row in table[10:14]] == ["1m"] * 4
    assert made == [f"vm1/a{number:04}" for number in range(10, 14)]


def test_names_that_read_alike_stand_in_one_order_whatever_came_first() -> None:
    one, other = agent("web-2"), agent("web-02")
    ids = ("vm1/web-02", "vm1/web-2")
    assert arrange(fleet(one, other), NOON, Arrangement()).ids == ids
    assert arrange(fleet(other, one), NOON, Arrangement()).ids == ids


def test_what_is_lively_and_what_is_more() -> None:
    world = busy()
    one = world.agents["vm1/web-2"]

    def other(**changes: object) -> Fleet:
        return replace(world, agents={**world.agents, one.id: with_changes(one, **changes)})

    def host_other(name: str, **changes: object) -> Fleet:
        return replace(world, hosts={**world.hosts, name: replace(world.hosts[name], **changes)})  # type: ignore[arg-type]

    assert (
        changed_rows(world, world)
        == changed_rows(world, host_other("vm1", seen=NOON, cpu_history=(1.0,)))
        == frozenset()
    )
    assert changed_rows(world, other(last_line="new", rss=7)) == frozenset({one.id})
    more = [
        other(state=State.IDLE), other(spent=5), other(name="else"), host_other("vm1", link=LinkState.LOST),
        host_other("vm2", seen=NOON), replace(world, agents={}), replace(world, money=Money(1)),
    ]  # fmt: skip
    assert [changed_rows(world, fleet) for fleet in more] == [None] * len(more)


LINES = st.lists(st.tuples(st.integers(0, 11), st.sampled_from(["", "a line", "another"]), st.integers(0, 2)))


@given(st.lists(agents, min_size=1, max_size=12), st.lists(LINES, max_size=4), st.sampled_from(list(Group)))
def test_lines_and_loads_that_are_taken_alone_leave_the_table_that_they_would_make(
    many: list[Agent], patches: list[list[tuple[int, str, int]]], group: Group
) -> None:
    world = fleet(*many, hosts=(host(), host("vm2")))
    wanted = Arrangement(group=group)
    table = arrange(world, NOON, wanted)
    for patch in patches:
        before, agents = world, dict(world.agents)
        for number, line, rss in patch:
            id_ = list(agents)[number % len(agents)]
            agents[id_] = with_changes(agents[id_], last_line=line, rss=rss)
        world = replace(world, agents=agents)
        loaded = table.arranged.renew(world, changed_rows(before, world) or ())
        assert {row.rss for _, row in loaded if row} <= {0, 1, 2}
    assert tuple(table.arranged) == arrange(world, NOON, wanted).rows
    assert (
        arrange(world, NOON, Arrangement(text="line"), table).rows
        == arrange(world, NOON, Arrangement(text="line")).rows
    )


def test_a_line_makes_no_row_until_that_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    world = busy()
    table = arrange(world, NOON, Arrangement()).arranged
    made: list[str] = []

    def noting(fleet: Fleet, agent: Agent, now: int) -> AgentRow:
        made.append(agent.id)
        return agent_row(fleet, agent, now)

    monkeypatch.setattr(display, "agent_row", noting)
    agents = {id_: with_changes(one, last_line="new") for id_, one in world.agents.items()}
    assert table.renew(replace(world, agents=agents), agents) == []
    assert made == []
    last = table[len(table) - 1]
    assert isinstance(last, AgentRow)
    assert last.line == "new"
    assert made == [last.id]


def test_choices_go_round() -> None:
    sort = Sort.NEED
    seen = [sort := following(sort) for _ in Sort]
    assert set(seen) == set(Sort)
    assert seen[-1] is Sort.NEED


@given(
    st.lists(agents, max_size=12),
    st.sampled_from(list(Sort)),
    st.sampled_from(list(Group)),
    st.sampled_from(["", "a", "vm1", "working"]),
)
def test_every_agent_that_fits_stands_once_below_its_heading(
    many: list[Agent], sort: Sort, group: Group, text: str
) -> None:
    world = fleet(*many, hosts=(host(), host("vm2")))
    wanted = Arrangement(sort, group, text)
    table = arrange(world, NOON, wanted)
    alone = {agent for agent in world.agents if arrange(fleet(world.agents[agent]), NOON, Arrangement(text=text)).ids}
    if not text:
        assert set(table.ids) == set(world.agents) == alone
    assert len(set(table.ids)) == len(table.ids)
    assert arrange(world, NOON, wanted, table).rows == table.rows
    if group is Group.HOST:
        heading = ""
        for row in table.rows:
            heading = row.title if isinstance(row, GroupRow) else heading
            assert isinstance(row, GroupRow) or row.host == heading


def test_one_that_has_moved_says_so_as_soon_as_it_is_at_work_elsewhere() -> None:
    left = agent("a1", state=State.DONE, ended=NOON, session="s-1", detail="done")
    there = agent("a1", on="vm2", session="s-1", started=NOON, pending=order("spawn", "a1"))
    on_its_way = fleet(left, there, hosts=(host(), host("vm2")))
    table = arrange(on_its_way, NOON, Arrangement())

    def line(table: Table) -> str:
        (row,) = (row for row in table.rows if isinstance(row, AgentRow) and row.id == left.id)
        return row.line

    assert line(table) == "done"
    arrived = replace(there, pending=None)
    at_work = replace(on_its_way, agents={left.id: left, arrived.id: arrived})
    assert line(arrange(at_work, NOON, Arrangement(), table)) == "moved to vm2"
