"""Tables that never change: what a change makes is what a dict would hold, in its order, and the old one stays."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.domain.persistent_tables import HostedTable, Table, differing

keys = st.builds(lambda host, name: f"{host}/{name}", st.sampled_from(["vm1", "vm2"]), st.text("ab~", max_size=2))
steps = st.lists(
    st.tuples(st.dictionaries(keys, st.integers(0, 9), max_size=40), st.lists(keys, max_size=4), st.booleans()),
    max_size=12,
)


@pytest.mark.parametrize("kind", [Table, HostedTable])
@given(taken=steps)
def test_a_table_is_what_a_dict_would_be_and_the_one_before_stays(kind: Any, taken: Any) -> None:
    table, twin = kind(), dict[str, int]()
    for put, dropped, looked in taken:
        before, was = table, dict(twin)
        table = table.updated(put, dropped)
        twin = {key: value for key, value in {**twin, **put}.items() if key not in dropped}
        if looked:  # what is looked through is kept in another form from then on
            assert dict(table) == twin
        assert table == twin
        assert len(table) == len(twin)
        assert all(table[key] == value and key in table for key, value in twin.items())
        assert not any(key in table or table.get(key) for key in dropped)
        assert before == was


@given(taken=steps)
def test_a_table_by_host_knows_what_each_host_has(taken: Any) -> None:
    table: HostedTable[int] = HostedTable()
    for put, dropped, _ in taken:
        table = table.updated(put, dropped)
    for host in ("vm1", "vm2", "vm3"):
        others = {key: value for key, value in table.items() if key.startswith(f"{host}/~")}
        mine = {key: value for key, value in table.items() if key.startswith(f"{host}/")}
        assert dict(table.adopted_on(host)) == others
        assert dict(table.on(host)) == {key: value for key, value in mine.items() if key not in others}


@given(taken=steps, more=steps, other=st.dictionaries(keys, st.integers(0, 9)))
def test_what_differs_is_named_whatever_lies_between(taken: Any, more: Any, other: Any) -> None:
    tables = [HostedTable[int]()]
    for put, dropped, looked in [*taken, *more]:
        tables.append(tables[-1].updated(put, dropped))
        if looked:
            dict(tables[-1])
    last, nothing = tables[-1], object()
    for old in (*tables, other):
        keys = {key for key in {**old, **last} if old.get(key, nothing) is not last.get(key, nothing)}
        assert differing(old, last) == differing(last, old) == keys


def test_the_order_is_that_in_which_keys_came() -> None:
    table: Table[int] = Table({f"{number}": number for number in range(100)})
    for number in (70, 3, 200, 150):
        table = table.updated({str(number): -number})
    assert [*table] == [*(str(number) for number in range(100)), "200", "150"]


def test_no_change_is_the_same_table() -> None:
    table, hosted = Table({"a": 1}), HostedTable({"vm1/a": 1})
    assert table.updated({}) is table
    assert hosted.updated({}, ()) is hosted
    with pytest.raises(KeyError):
        table["b"]
    with pytest.raises(KeyError):
        hosted["vm1/b"]
