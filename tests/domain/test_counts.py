"""Counts that are kept from picture to picture are those that a count of all agents gives."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from controlroom.domain.display.views import Counts, headline, host_rows
from controlroom.domain.model import Agent, Fleet, Host, LinkState, Question, State
from controlroom.domain.persistent_tables import HostedTable, Table
from controlroom.domain.questions import QuestionKind

HOSTS = {
    name: Host(name, name, link) for name, link in zip("abc", (LinkState.UP, LinkState.LOST, LinkState.UP), strict=True)
}
agents = st.builds(
    Agent,
    st.sampled_from([*HOSTS, "gone"]),
    st.sampled_from(["x", "y", "~z"]),
    st.just(1),
    st.sampled_from(["headless", "adopted"]),
    st.sampled_from(list(State)),
    st.just(0),
    ended=st.sampled_from([0, 0, 5]),
    question=st.none() | st.just(Question("q", QuestionKind.PERMISSION, "May it?", "", 1)),
)
steps = st.lists(st.tuples(agents, st.booleans()), max_size=20)


@given(steps)
def test_they_follow_whatever_agents_do(played: list[tuple[Agent, bool]]) -> None:
    table, counts = HostedTable[Agent](), Counts()
    for agent, goes in played:
        table = table.updated({} if goes else {agent.id: agent}, [agent.id] if goes else [])
        counts = counts.after(table)
        fleet = Fleet(agents=table, hosts=Table(HOSTS))
        assert headline(fleet, counts) == headline(fleet)
        assert host_rows(fleet, 9, counts) == host_rows(fleet, 9)
        assert counts.limited == {key for key, one in table.items() if one.state is State.LIMITED}
        head, shown = headline(fleet), [fleet.state_of(one) for one in table.values() if not _is_nothing(fleet, one)]
        assert {state: number for state, number in head.counts.items() if number} == {
            state: shown.count(state) for state in shown
        }
        assert head.questions == len(fleet.questions())
        for row in host_rows(fleet, 9):
            theirs = fleet.agents_on(row.name)
            assert (row.agents, row.agents_known) == (sum(not one.has_ended for one in theirs), len(theirs))


def _is_nothing(fleet: Fleet, agent: Agent) -> bool:
    return agent.adopted and fleet.state_of(agent) is State.UNKNOWN
