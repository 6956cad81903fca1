"""What happens to a fleet, told event by event."""

from dataclasses import replace
from functools import reduce as fold

from hypothesis import given
from hypothesis import strategies as st

from controlroom.domain import events
from controlroom.domain.model import Fleet, Limits, LinkState, State
from controlroom.domain.orders import Result
from controlroom.domain.reduce import HISTORY, SLOT, reduce
from controlroom.text.host_sample import HostSample
from controlroom.text.states import Outcome
from tests.domain.worlds import MINUTE, NOON, agent, facts, fleet, happenings, host, order, question


def test_a_host_is_added_met_and_lost_and_its_agents_are_lost_with_it() -> None:
    world = reduce(Fleet("r"), events.HostAdded("vm1", "ann@vm1", NOON))
    assert world.hosts["vm1"].link is LinkState.CONNECTING
    world = reduce(world, events.HostMet("vm1", facts(), NOON + 1))
    world = reduce(world, events.AgentsObserved("vm1", (agent(),), NOON + 2, complete=True))
    assert world.state_of(world.agents["vm1/docs-1"]) is State.WORKING
    world = reduce(world, events.LinkChanged("vm1", LinkState.LOST, NOON + MINUTE, "connection reset"))
    assert world.state_of(world.agents["vm1/docs-1"]) is State.LOST
    assert world.agents["vm1/docs-1"].state is State.WORKING, "the last known state is kept"
    assert world.hosts["vm1"].since == NOON + MINUTE


def test_a_second_reason_does_not_restart_the_clock_of_a_lost_link() -> None:
    world = reduce(fleet(), events.LinkChanged("vm1", LinkState.LOST, NOON, "reset"))
    world = reduce(world, events.LinkChanged("vm1", LinkState.LOST, NOON + MINUTE, "timed out"))
    assert (world.hosts["vm1"].since, world.hosts["vm1"].reason) == (NOON, "timed out")


def test_a_host_is_not_named_twice_where_its_trouble_is_shown() -> None:
    world = reduce(fleet(), events.LinkChanged("vm1", LinkState.LOST, NOON, "vm1: nothing listens there"))
    assert world.hosts["vm1"].reason == "nothing listens there"


def test_a_complete_view_drops_what_the_host_no_longer_has() -> None:
    world = reduce(fleet(agent("a"), agent("b")), events.AgentsObserved("vm1", (agent("b"),), NOON, complete=True))
    assert set(world.agents) == {"vm1/b"}


def test_an_agent_that_was_ordered_survives_a_view_that_does_not_know_it_yet() -> None:
    row = agent("new", state=State.STARTING)
    world = reduce(fleet(), events.Ordered(order("spawn", "new", 7), row))
    world = reduce(world, events.AgentsObserved("vm1", (), NOON, complete=True))
    assert world.agents["vm1/new"].state is State.STARTING


def test_a_refused_spawn_is_a_failed_row_with_the_hosts_reason() -> None:
    world = reduce(fleet(), events.Ordered(order("spawn", "new", 7), agent("new", state=State.STARTING)))
    world = reduce(world, events.Concluded(7, "vm1/new", Result(Outcome.REFUSED, "tmux is missing"), NOON + 5))
    row = world.agents["vm1/new"]
    assert (row.state, row.detail, row.pending) == (State.FAILED, "tmux is missing", None)


def test_the_conclusion_of_another_order_changes_nothing() -> None:
    world = reduce(fleet(agent()), events.Ordered(order("kill", op=8)))
    assert reduce(world, events.Concluded(7, "vm1/docs-1", Result(Outcome.DONE), NOON)) is world


def test_an_older_epoch_never_replaces_the_one_that_was_ordered() -> None:
    world = fleet(agent())
    world = reduce(world, events.Ordered(order("reassign", op=9), agent(epoch=2, state=State.STARTING)))
    world = reduce(world, events.AgentsObserved("vm1", (agent(epoch=1),), NOON))
    assert world.agents["vm1/docs-1"].epoch == 2


def test_after_a_reassign_that_never_arrived_the_old_run_shows_again() -> None:
    world = fleet(agent())
    world = reduce(world, events.Ordered(order("reassign", op=9), agent(epoch=2, state=State.STARTING)))
    world = reduce(world, events.Concluded(9, "vm1/docs-1", Result(Outcome.UNKNOWN, "the link dropped"), NOON))
    world = reduce(world, events.AgentsObserved("vm1", (agent(epoch=1),), NOON, complete=True))
    assert (world.agents["vm1/docs-1"].epoch, world.agents["vm1/docs-1"].state) == (1, State.WORKING)


def test_loads_and_lines_of_another_epoch_are_late_news() -> None:
    world = fleet(agent(epoch=2))
    world = reduce(world, events.LoadsSeen("vm1", (events.LoadSeen("vm1/docs-1", 1, 5, 5.0, 1),), NOON))
    world = reduce(world, events.LinesSeen("vm1", (events.LineSeen("vm1/docs-1", 1, "old", NOON),), NOON))
    assert (world.agents["vm1/docs-1"].rss, world.agents["vm1/docs-1"].last_line) == (None, "")


def test_an_ended_agent_uses_nothing() -> None:
    world = reduce(fleet(agent(rss=7, cpu_percent=3.0)), events.AgentsObserved("vm1", (agent(state=State.DONE),), NOON))
    assert world.agents["vm1/docs-1"].rss is None


def test_what_the_host_says_keeps_the_last_line_we_know() -> None:
    world = fleet(agent(last_line="pytest -q", rss=7))
    world = reduce(world, events.AgentsObserved("vm1", (agent(state=State.WAITING, question=question()),), NOON))
    seen = world.agents["vm1/docs-1"]
    assert (seen.last_line, seen.rss, seen.state) == ("pytest -q", 7, State.WAITING)


def test_a_host_cannot_speak_for_the_agents_of_another() -> None:
    world = fleet(agent(), hosts=(host(), host("vm2")))
    world = reduce(world, events.LinesSeen("vm2", (events.LineSeen("vm1/docs-1", 1, "liar", NOON),), NOON))
    assert world.agents["vm1/docs-1"].last_line == ""


def test_history_is_bounded() -> None:
    samples = [events.HostSampled("vm1", HostSample(NOON + n * SLOT, float(n % 100), 1, 4)) for n in range(3 * HISTORY)]
    world = fold(reduce, samples, fleet())
    assert len(world.hosts["vm1"].cpu_history) == HISTORY
    assert world.hosts["vm1"].cpu_history[-1] == (3 * HISTORY - 1) % 100


def test_history_is_even_in_time_however_seldom_a_host_has_news() -> None:
    """What did not change was as it was; what happened while the link was down nobody knows."""

    def after(world: Fleet, seconds: int, cpu: float, **more: int) -> Fleet:
        return reduce(world, events.HostSampled("vm1", HostSample(NOON + seconds * 1000, cpu, **more)))

    world = after(after(after(fleet(hosts=(host(sample=None),)), 0, 1.0), 1, 2.0), 21, 9.0, network_in=5, network_out=2)
    assert world.hosts["vm1"].cpu_history == (2.0, 2.0, 2.0, 2.0, 9.0)
    assert world.hosts["vm1"].network_history == (7,)
    assert after(world, 22, 8.0).hosts["vm1"].cpu_history == (2.0, 2.0, 2.0, 2.0, 8.0)
    assert len(after(world, 100_000, 8.0).hosts["vm1"].cpu_history) == HISTORY
    lost = reduce(world, events.LinkChanged("vm1", LinkState.LOST, NOON + 25_000))
    back = reduce(lost, events.HostMet("vm1", facts(), NOON + 60_000))
    assert after(back, 61, 3.0).hosts["vm1"].cpu_history == (2.0, 2.0, 2.0, 2.0, 9.0, 3.0)


def test_reading_the_config_again_keeps_hosts_that_stay_and_drops_the_rest() -> None:
    world = fleet(agent(), agent(on="vm2"), hosts=(host(), host("vm2")))
    world = reduce(world, events.Configured({}, Limits(), {"vm1": "ann@vm1", "vm3": "ann@vm3"}, NOON))
    assert set(world.hosts) == {"vm1", "vm3"}
    assert world.hosts["vm1"].link is LinkState.UP
    assert set(world.agents) == {"vm1/docs-1"}


@given(st.lists(happenings, max_size=30))
def test_no_sequence_of_events_breaks_the_fleet(sequence: list[events.Event]) -> None:
    world = fold(reduce, sequence, fleet(agent()))
    assert all(one.id == key for key, one in world.agents.items())
    assert all(one.host in world.hosts for one in world.agents.values())


def test_agents_of_others_are_a_list_of_their_own() -> None:
    """What a host says of its own agents never removes them, and the other way round."""
    theirs = agent(name="~work", epoch=0, kind="adopted", last_line="hello", rss=7)
    world = fleet(agent(), hosts=(host(), host("vm2")))
    world = reduce(world, events.AdoptedObserved("vm1", (theirs, replace(theirs, name="~b", host="vm2")), NOON))
    assert set(world.agents) == {"vm1/docs-1", "vm1/~work"}, "a host speaks for itself alone"
    world = reduce(world, events.AgentsObserved("vm1", (), NOON, complete=True))
    assert set(world.agents) == {"vm1/~work"}
    again = reduce(world, events.AdoptedObserved("vm1", (replace(theirs, last_line="", rss=None),), NOON + 1))
    assert again is world, "lines and loads are kept, and nothing else has changed"
    waiting = replace(theirs, state=State.WAITING, last_line="")
    world = reduce(again, events.AdoptedObserved("vm1", (waiting,), NOON))
    assert (world.agents["vm1/~work"].last_line, world.agents["vm1/~work"].state) == ("hello", State.WAITING)
    lost = reduce(world, events.LinkChanged("vm1", LinkState.LOST, NOON))
    assert lost.state_of(lost.agents["vm1/~work"]) is State.LOST
    over = reduce(world, events.AdoptedObserved("vm1", (), NOON)).agents["vm1/~work"]
    assert (over.state, over.ended) == (State.UNKNOWN, NOON), "it is shown for a while"
