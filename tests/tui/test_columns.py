"""Columns are fitted to what stands in them, kept as rows become others."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from controlroom.domain.display.views import AgentRow, agent_rows
from controlroom.tui.widgets.agents import Widths, columns
from tests.tui.scenes import farm

ROWS = agent_rows(farm(), 0)
rows = st.builds(
    lambda row, host, name, cost: row._replace(host=host, name=name, id=f"{host}/{row.name}", cost=cost),
    st.sampled_from(ROWS),
    st.sampled_from(["vm1", "a-host-with-a-long-name"]),
    st.text(min_size=1, max_size=30),
    st.sampled_from(["", "$1", "$1234.50"]),
)


@given(st.lists(st.lists(rows, max_size=6, unique_by=lambda row: row.id), min_size=1, max_size=6), st.integers(20, 220))
def test_they_are_as_wide_as_if_all_rows_were_new(shown: list[list[AgentRow]], width: int) -> None:
    kept, before = Widths(), dict[str, AgentRow]()
    for each in shown:
        now = {row.id: row for row in each}
        kept.follow(each, [(before.get(id_), now.get(id_)) for id_ in {**before, **now}])
        before, anew = now, Widths()
        anew.follow(each, None)
        assert columns(width, kept) == columns(width, anew)
        assert kept.widest("name") == max((len(row.name) for row in each), default=0)
        assert set(kept.hosts) == {row.host for row in each}
