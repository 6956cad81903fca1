"""Whatever a reader skipped: after a patch it holds what the engine holds."""

from dataclasses import replace
from functools import reduce as fold

from hypothesis import given
from hypothesis import strategies as st

from controlroom.domain import events
from controlroom.domain.model import Fleet, State
from controlroom.domain.patch import Patch, apply, diff, is_empty, snapshot
from controlroom.domain.reduce import reduce
from controlroom.domain.tasks import Queue, Restarts
from controlroom.wire.codec import decode, encode
from controlroom.wire.lines import to_line
from tests.domain.worlds import GIB, NOON, agent, fleet, happenings


@given(st.lists(happenings, max_size=20), st.lists(happenings, max_size=20))
def test_a_patch_closes_any_gap_over_the_wire_too(before: list[events.Event], after: list[events.Event]) -> None:
    held = fold(reduce, before, fleet(agent()))
    now = fold(reduce, after, held)
    assert apply(held, diff(held, now)) == now
    assert apply(held, decode(Patch, encode(diff(held, now)))) == now
    assert apply(held, decode(Patch, encode(snapshot(now)))) == now


def test_nothing_new_is_an_empty_patch() -> None:
    world = fleet(agent())
    assert is_empty(diff(world, world))
    assert not is_empty(diff(world, fleet()))
    assert not is_empty(snapshot(Fleet()))


def test_a_line_or_a_load_costs_little_however_much_is_known_of_its_agent() -> None:
    long = agent(task="x" * 200, detail="y" * 300, cwd="/srv/" + "z" * 100)
    world = fleet(long)
    line = events.LinesSeen("vm1", (events.LineSeen(long.id, 1, "42 passed in 3.1 s", NOON),), NOON)
    load = events.LoadsSeen("vm1", (events.LoadSeen(long.id, 1, GIB, 12.5, 7),), NOON)
    for happened in (line, load):
        patch = diff(world, reduce(world, happened))
        assert not patch.agents
        assert len(to_line(encode(patch))) < 250
    state = replace(long, state=State.IDLE)
    assert diff(reduce(world, line), fleet(replace(state, last_line="new"))).agents.keys() == {long.id}


def test_one_start_without_being_asked_sends_that_one_alone() -> None:
    kept = {f"watcher-{number}": Restarts("vm1", number) for number in range(1, 200)}
    held = replace(fleet(), queue=Queue(restarts=kept))
    now = replace(
        held, queue=Queue(last_start=NOON, restarts={**kept, "watcher-7": Restarts("vm2", 8), "new-1": Restarts()})
    )
    gone = replace(
        now, queue=Queue(restarts={key: one for key, one in now.queue.restarts.items() if key != "watcher-9"})
    )
    one_start = diff(held, now)
    assert one_start.restarts.keys() == {"watcher-7", "new-1"}
    assert len(to_line(encode(diff(now, gone)))) < 1_500
    for before, after in ((held, now), (now, gone), (gone, fleet()), (fleet(), gone)):
        assert apply(before, decode(Patch, encode(diff(before, after)))) == after
        assert apply(before, decode(Patch, encode(snapshot(after)))) == after
    assert is_empty(diff(now, replace(now, queue=replace(now.queue, restarts=dict(now.queue.restarts)))))
