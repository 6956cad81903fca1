"""Whoever stops the engine is told what is under way."""

from __future__ import annotations

from dataclasses import replace

from controlroom.domain.display.under_way import under_way
from controlroom.domain.fleet_files import AgentEntry, AppliedFleet, Member, TaskMember, TaskStep
from controlroom.domain.imports import ImportState, UsageImport
from controlroom.domain.orders import Order
from controlroom.domain.tasks import Drain, Hold, Leaving, TaskWish
from tests.domain.worlds import NOON, agent, fleet, host, task, with_tasks


def test_nothing_is_said_where_nothing_is_under_way() -> None:
    done = Drain("ann", NOON, move=True, emptied=NOON)
    still = Drain("ann", NOON)
    arrived = Member("site", AgentEntry("a2", "docs"), wanted=1, begun=1, host="vm1", epoch=1, arrived=True)
    calm = fleet(agent("a1"), agent("a2"), hosts=(host(drain=done), host("vm2", drain=still)))
    calm = replace(calm, fleets={"site": AppliedFleet("site", "ann", NOON, 1)}, members={"a2": arrived})
    assert under_way(calm) == []


def test_a_move_is_told_once_and_other_orders_beside_it() -> None:
    def order(verb: str, on: str, name: str, op: int) -> Order:
        return Order(op, verb, on, name, 1, NOON)

    leaves = agent("a1", pending=order("move", "vm1", "a1", 7))
    comes = agent("a1", "vm2", pending=order("spawn", "vm2", "a1", 7))
    ending = agent("a3", pending=order("kill", "vm1", "a3", 8))
    told = under_way(fleet(leaves, comes, ending, hosts=(host(), host("vm2"))))
    assert told == ["on the way to another host: vm1/a1", "ordered: vm1/a3 (ending)"]


def test_drains_imports_fleets_and_the_queue_are_told_with_how_far_they_are() -> None:
    drain = Drain("ann", NOON, move=True, number=1, size=1, leaving=(Leaving("a1", "vm2", 1, NOON),), moved=2)
    counting = UsageImport(ImportState.RUNNING, NOON, size=100, read=42)
    world = fleet(agent("a1"), agent("a2"), hosts=(host(drain=drain, imported=counting), host("vm2")))
    members = {
        "a4": Member("site", AgentEntry("a4", "docs"), wanted=2, begun=1),
        "a5": Member("site", AgentEntry("a5", "docs"), wanted=1, begun=1, ends="vm1/a5", ends_epoch=1, leaves=True),
        "b1": Member("other", AgentEntry("b1", "docs")),
    }
    step = TaskMember(TaskWish(text=""), "", step=TaskStep.ADD)
    fleets = {"site": AppliedFleet("site", "ann", NOON, 2, {"k": step}), "other": AppliedFleet("other", "ann", NOON, 1)}
    world = with_tasks(replace(world, members=members, fleets=fleets), task(1), task(2))
    held = replace(world, queue=replace(world.queue, hold=Hold("ann", NOON, "")))
    told = under_way(world)
    assert told[:-1] == under_way(held)
    assert told == [
        "vm1 is being emptied: 2 of 4 moved",
        "old transcripts of vm1 are being counted: 42 % read",
        "fleet site is being applied: 1 to start, 1 to end, 1 task to change",
        "2 tasks wait in the queue: nothing starts without an engine",
    ]
