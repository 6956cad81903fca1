"""Fleet files, planned and applied: to apply again changes nothing, and nobody else's agent or task is touched."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.domain.adoption import Adoption
from controlroom.domain.claims import digest
from controlroom.domain.fleet_files import FleetFile
from controlroom.domain.fleets.checking import check_file
from controlroom.domain.fleets.plans import Act, Drift, FleetPlan
from controlroom.domain.model import LinkState, State
from controlroom.domain.preconditions import Refusal
from controlroom.domain.restart_rules import RestartRules
from controlroom.domain.tasks import Drain, Halt, Hold, Restarts, TaskState
from controlroom.domain.waits import WaitReason
from controlroom.text.states import AgentKind
from controlroom.wire.codec import decode, encode
from tests.domain.fleet_worlds import PROFILES, SimulatedRoom, file_of, task_of, wish
from tests.domain.worlds import GIB, NOON, agent, order


def acts(plan: FleetPlan) -> dict[str, Act]:
    return {change.name: change.act for change in plan.acts}


def drifts(plan: FleetPlan) -> dict[str, Drift]:
    return {change.name: change.drift for change in plan.changes}


def room_with(file: FleetFile) -> SimulatedRoom:
    room = SimulatedRoom()
    room.apply(file)
    room.settle()
    return room


# --------------------------------------------------------------------------- many files

names = st.sampled_from(["a", "b", "c", "d"])
wishes = st.builds(
    lambda name, text, model, host, profile, keep: wish(
        name, text, model=model if profile == "docs" else "", host=host, profile=profile, keep=keep
    ),
    names,
    st.sampled_from(["one", "two"]),
    st.sampled_from(["", "haiku"]),
    st.sampled_from(["", "vm1", "vm2"]),
    st.sampled_from(["docs", "shell"]),
    st.booleans(),
)
keys = st.sampled_from(["k1", "k2", "k3"])
tasks = st.builds(
    lambda key, text, priority: task_of(key, text, priority=priority),
    keys,
    st.sampled_from(["one", "two"]),
    st.integers(0, 1),
)
files = st.builds(
    lambda agents, more, name: file_of(*agents, tasks=more, name=name),
    st.lists(wishes, max_size=4, unique_by=lambda each: each.entry.name),
    st.lists(tasks, max_size=3, unique_by=lambda each: each.wish.key),
    st.sampled_from(["docs", "docs", "other"]),
)
ends = st.lists(st.tuples(names, st.sampled_from([State.DONE, State.FAILED]), st.booleans()), max_size=3)


def happen(room: SimulatedRoom, ended: list[tuple[str, State, bool]]) -> None:
    """Some agents end, by themselves or by hand."""
    for name, state, by_hand in ended:
        for row in [row for row in room.fleet.agents.values() if row.name == name and not row.has_ended]:
            room.end(row.id, row.epoch, state, by="ann" if by_hand else "")


@given(st.lists(st.tuples(files, ends), min_size=1, max_size=4))
def test_what_was_applied_is_as_it_was_applied_and_to_apply_it_again_changes_nothing(
    rounds: list[tuple[FleetFile, list[tuple[str, State, bool]]]],
) -> None:
    room = SimulatedRoom()
    for file, ended in rounds:
        room.apply(file)
        room.settle()
        happen(room, ended)
        room.settle()
        room.apply(file)
        room.settle()
        again = room.plan(file)
        assert not again.acts, again
        orders, before = list(room.orders), room.fleet.members
        room.apply(file)
        room.settle()
        assert room.orders == orders
        assert room.fleet.members == before
        assert not room.drift(file.name).acts


@given(files, files, st.lists(names, unique=True))
def test_nobodys_agents_are_ended_or_told_anything_but_those_of_the_fleet(
    first: FleetFile, second: FleetFile, theirs: list[str]
) -> None:
    others = [replace(agent(name, "vm1", task="theirs", started=NOON), session="") for name in theirs]
    room = SimulatedRoom(*others)
    for file in (first, second, FleetFile(first.name), FleetFile(second.name)):
        room.apply(file)
        room.settle()
    assert all(room.fleet.agents[other.id] == other for other in others)
    assert not room.fleet.members
    left = [row.id for row in room.fleet.agents.values() if not row.has_ended]
    assert sorted(left) == sorted(other.id for other in others), "and of the fleets nothing is left at work"


@given(st.lists(st.tuples(files, ends), min_size=1, max_size=3), st.lists(names, unique=True))
def test_what_runs_as_a_fleet_file_changes_nothing_when_it_is_planned(
    rounds: list[tuple[FleetFile, list[tuple[str, State, bool]]]], theirs: list[str]
) -> None:
    others = [agent(name, "vm3", profile="docs", cwd="elsewhere", model="opus") for name in theirs]
    room = SimulatedRoom(*others)
    for file, ended in rounds:
        room.apply(file)
        room.settle()
        happen(room, ended)
    for name in ("all", "docs"):
        exported = room.exported(name)
        whole = FleetFile("all", exported.agents, exported.tasks)
        assert room.plan(whole).changes == ()
        assert decode(FleetFile, encode(exported)) == exported


# --------------------------------------------------------------------------- one after the other


def test_a_plan_says_where_each_would_start_what_it_takes_and_what_would_not_fit() -> None:
    room = SimulatedRoom(hosts=2)
    room.fleet = replace(
        room.fleet,
        limits=replace(room.fleet.limits, memory_per_agent=GIB),
        hosts={
            one.name: replace(one, drain=Drain("ann", NOON) if one.name == "vm2" else None)
            for one in room.fleet.hosts.values()
        },
    )
    known = replace(room.known, rates={"docs": 2_000_000})
    from controlroom.domain.fleets.planning import plan

    told = plan(
        file_of(*(wish(f"a{number}") for number in range(5)), wish("b", profile="shell")), room.fleet, known, NOON
    )
    starts = [change for change in told.changes if change.wait is None]
    assert [change.host for change in starts] == ["vm1"] * 4
    assert [(share.name, share.starts, share.memory, share.hourly) for share in told.hosts] == [
        ("vm1", 4, 3 * GIB, 6_000_000)
    ]
    waits = [change.wait.reason for change in told.changes if change.wait]
    assert waits == [WaitReason.NO_HOST] * 2
    assert all(change.hourly == 2_000_000 and change.memory == GIB for change in told.changes if change.name != "b")
    unknown = room.plan(file_of(wish("a")))
    assert unknown.changes[0].hourly is None
    assert unknown.hosts[0].unknown == 1


def test_a_change_of_model_is_told_and_other_work_is_a_new_run() -> None:
    room = room_with(file_of(wish("a"), wish("b"), wish("c"), wish("d")))
    changed = file_of(wish("a", model="haiku"), wish("b", "else"), wish("c", cwd="/srv"), wish("d", keep=True))
    plan = room.plan(changed)
    assert acts(plan) == {"a": Act.MODEL, "b": Act.RENEW, "c": Act.RENEW, "d": Act.UPDATE}
    assert "folder project -> /srv" in {change.why for change in plan.changes}
    room.orders.clear()
    room.apply(changed)
    room.settle()
    where = {member.entry.name: member.host for member in room.fleet.members.values()}
    assert room.orders[0] == f"model {where['a']}/a"
    assert sorted(word.split()[0] for word in room.orders[1:]) == ["end", "end", "start", "start"]
    assert not room.plan(changed).acts


def test_another_host_is_a_new_run_there_unless_the_host_is_drained() -> None:
    room = room_with(file_of(wish("a", host="vm1")))
    there = file_of(wish("a", host="vm2"))
    assert acts(room.plan(there)) == {"a": Act.RENEW}
    room.apply(there)
    room.settle()
    assert room.orders == ["start vm1/a 1", "end vm1/a 1", "start vm2/a 1"]
    gone = replace(room.fleet.hosts["vm1"], drain=Drain("ann", NOON))
    room.fleet = replace(room.fleet, hosts={**room.fleet.hosts, "vm1": gone})
    back = room.plan(file_of(wish("a", host="vm1")))
    assert not back.acts
    room.apply(file_of(wish("a", host="vm1")))
    assert [(change.drift, change.why) for change in room.drift().changes] == [
        (Drift.MOVED, "on vm2 while vm1 is drained")
    ]


def test_drift_tells_what_ended_failed_was_changed_by_hand_is_missing_and_is_extra() -> None:
    room = room_with(file_of(*(wish(name) for name in ("done", "failed", "killed", "forgotten", "changed"))))
    where = {member.entry.name: member.id for member in room.fleet.members.values()}
    room.end(where["done"], 1)
    room.end(where["failed"], 1, State.FAILED)
    room.end(where["killed"], 1, by="ann")
    entry = room.fleet.members["changed"].entry
    room.start("changed", where["changed"].split("/")[0], 2, entry, "by hand")
    room.start("extra", "vm1", 1, entry, "more")
    room.fleet = replace(
        room.fleet, agents={id_: row for id_, row in room.fleet.agents.items() if id_ != where["forgotten"]}
    )
    told = room.drift()
    expected = {"failed": Drift.FAILED, "killed": Drift.ENDED, "forgotten": Drift.MISSING, "changed": Drift.CHANGED}
    assert drifts(told) == {**expected, "extra": Drift.EXTRA}
    assert acts(told) == {"failed": Act.START, "killed": Act.START, "forgotten": Act.START, "changed": Act.RENEW}
    assert told.same == 1
    room.apply(file_of(*(wish(name) for name in ("done", "failed", "killed", "forgotten", "changed"))))
    room.settle()
    assert drifts(room.drift()) == {"extra": Drift.EXTRA}


def test_a_standing_agent_is_started_again_when_it_ends_and_not_when_a_person_ended_it() -> None:
    room = room_with(file_of(wish("a", keep=True, host="vm1"), wish("b", host="vm1")))
    room.end("vm1/a", 1)
    room.end("vm1/b", 1)
    room.settle()
    assert room.orders == ["start vm1/a 1", "start vm1/b 1", "start vm1/a 2"]
    room.end("vm1/a", 2, by="ann")
    room.settle()
    assert len(room.orders) == 4
    assert drifts(room.drift()) == {"a": Drift.ENDED}


def test_what_is_taken_back_into_a_file_while_it_is_being_ended_starts_again() -> None:
    room = room_with(file_of(wish("a", host="vm1")))
    room.apply(file_of())
    back = file_of(wish("a", host="vm1"))
    assert acts(room.plan(back)) == {"a": Act.START}
    room.apply(back)
    room.settle()
    assert room.orders == ["start vm1/a 1", "end vm1/a 1", "start vm1/a 2"]
    assert not room.plan(back).acts


def test_a_standing_agent_that_was_given_up_starts_again_when_its_file_is_applied() -> None:
    file = file_of(wish("a", keep=True, host="vm1"))
    room = room_with(file)
    rules = RestartRules(starts=3, within=10**9, pause=0)
    room.fleet = replace(room.fleet, profiles={"docs": replace(PROFILES["docs"], restarts=rules)})
    for epoch in range(1, 5):
        room.end("vm1/a", epoch, State.FAILED)
        room.settle()
    assert room.fleet.agents["vm1/a"].epoch == 4
    assert drifts(room.drift()) == {"a": Drift.FAILED}
    room.apply(file)
    room.settle()
    assert room.orders[-1] == "start vm1/a 5"


def test_a_standing_agent_that_a_halt_ended_starts_again_when_that_is_over() -> None:
    room = room_with(file_of(wish("a", keep=True, host="vm1"), wish("b", host="vm1")))
    halted = {f"vm1/{name}": Restarts("vm1", 1, halted=1) for name in "ab"}
    halt = Halt("bob", NOON, kill=True)
    room.fleet = replace(room.fleet, queue=replace(room.fleet.queue, restarts=halted, halt=halt))
    room.end("vm1/a", 1, by="bob")
    room.end("vm1/b", 1, by="bob")
    room.settle()
    room.fleet = replace(room.fleet, queue=replace(room.fleet.queue, halt=None))
    room.settle()
    assert room.orders[-1] == "start vm1/a 2"


def test_a_start_that_never_reached_its_host_is_made_good_and_one_that_did_is_never_made_twice() -> None:
    room = SimulatedRoom(hosts=1)
    room.apply(file_of(wish("a")))
    member = room.fleet.members["a"]
    from controlroom.domain.events import FleetsSeen
    from controlroom.domain.fleets.applying import begun
    from controlroom.domain.reduce import reduce

    room.fleet = reduce(room.fleet, FleetsSeen(members=(begun(member, "vm1", 1),)))  # and the engine was killed
    room.settle()
    assert room.orders == ["start vm1/a 1"]
    room.end("vm1/a", 1)
    room.settle()
    room.fleet = replace(room.fleet, agents={})  # a person has it forgotten
    room.settle()
    assert room.orders == ["start vm1/a 1"]
    assert not room.plan(file_of(wish("a"))).acts, "it was done"


def test_a_move_is_followed_and_one_of_the_same_name_elsewhere_is_nobody_of_ours() -> None:
    room = room_with(file_of(wish("a", host="vm1")))
    theirs = room.start("a", "vm2", 4, room.fleet.members["a"].entry, "theirs")
    room.end("vm1/a", 1, State.FAILED)
    room.settle()
    assert room.fleet.members["a"].host == "vm1", "nobody has moved it"
    room.apply(file_of())
    room.settle()
    assert room.fleet.agents["vm2/a"] == theirs

    room = room_with(file_of(wish("a")))
    member = room.fleet.members["a"]
    row = room.fleet.agents[member.id]
    to = next(name for name in room.fleet.hosts if name != row.host)
    moving = replace(order("move", "a", op=7), host=row.host)
    room.put(replace(row, pending=moving))
    room.put(replace(row, host=to, state=State.STARTING, pending=replace(moving, verb="spawn", host=to)))
    room.settle()
    assert room.fleet.members["a"].goes_to == to
    room.put(replace(row, state=State.DONE, ended=NOON))
    assert row.ordered is not None
    told = replace(row.ordered, cwd="/moved/there", worktree="HEAD")  # with its session and folder
    room.put(replace(row, host=to, ordered=told, task="go on"))
    room.digests[f"{to}/a"] = digest("go on")
    room.settle()
    assert room.fleet.members["a"].id == f"{to}/a"
    assert not room.drift().changes
    assert acts(room.plan(file_of(wish("a", "something else")))) == {"a": Act.RENEW}
    room.apply(file_of())
    room.settle()
    assert room.fleet.agents[f"{to}/a"].has_ended


def test_nothing_is_ended_on_a_host_that_is_away_until_it_is_back() -> None:
    room = room_with(file_of(wish("a", host="vm1")))
    up = room.fleet.hosts["vm1"]
    room.fleet = replace(room.fleet, hosts={**room.fleet.hosts, "vm1": replace(up, link=LinkState.LOST)})
    room.apply(file_of())
    room.settle()
    assert room.orders == ["start vm1/a 1"]
    assert drifts(room.drift()) == {"a": Drift.COMING}
    room.fleet = replace(room.fleet, hosts={**room.fleet.hosts, "vm1": up})
    room.settle()
    assert room.orders[-1] == "end vm1/a 1"
    assert not room.fleet.members


def test_a_hold_of_the_queue_holds_the_starts_of_a_fleet() -> None:
    room = SimulatedRoom()
    room.fleet = replace(room.fleet, queue=replace(room.fleet.queue, hold=Hold("bob", NOON)))
    room.apply(file_of(wish("a")))
    room.settle()
    assert room.orders == []
    (change,) = room.drift().changes
    assert change.wait is not None
    assert change.wait.reason is WaitReason.QUEUE_HELD
    assert room.drift().notes


# --------------------------------------------------------------------------- tasks


def test_tasks_are_added_edited_tried_again_and_dropped_by_their_keys() -> None:
    first = file_of(tasks=[task_of("k1"), task_of("k2", after=("k1",)), task_of("k3"), task_of("k4")])
    room = room_with(first)
    assert room.fleet.tasks["t2"].after == ("t1",)
    assert not room.plan(first).acts
    room.become("t3", TaskState.FAILED)
    room.become("t4", TaskState.DONE)
    second = file_of(tasks=[task_of("k1", "mend more"), task_of("k3"), task_of("k4")])
    assert acts(room.plan(second)) == {"k1": Act.EDIT, "k2": Act.DROP, "k3": Act.RETRY}
    room.apply(second)
    room.settle()
    assert room.bodies["t1"] == "mend more"
    assert [room.fleet.tasks[id_].state for id_ in ("t2", "t3", "t4")] == [
        TaskState.DROPPED,
        TaskState.WAITING,
        TaskState.DONE,
    ]
    assert not room.plan(second).acts


def test_a_task_that_somebody_else_added_under_its_key_is_left_alone() -> None:
    room = room_with(file_of(tasks=[task_of("k1"), task_of("k2")], name="other"))
    ours = file_of(tasks=[task_of("k1", priority=3), task_of("k2")])
    plan = room.plan(ours)
    assert not plan.acts
    assert drifts(plan) == {"k1": Drift.TAKEN}
    room.apply(ours)
    assert not room.plan(ours).acts
    room.apply(file_of())
    room.settle()
    assert all(task.state is TaskState.WAITING for task in room.fleet.tasks.values())


# --------------------------------------------------------------------------- files that are refused


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (file_of(wish("a", profile="doks")), "agents.a: there is no profile 'doks'"),
        (file_of(wish("a", host="vm9")), "agents.a: there is no host 'vm9'"),
        (file_of(wish("a", labels=("gpu",))), "agents.a: no host has the label 'gpu'"),
        (file_of(wish("a", credential="team")), "agents.a: profile docs names no credential 'team'"),
        (file_of(wish("a", model="--danger")), "agents.a: '--danger' cannot be a model"),
        (file_of(wish("a", "")), "agents.a: the task is empty"),
        (file_of(wish("A b")), "agents.A b: 'A b' cannot name an agent"),
        (file_of(wish("a"), wish("a")), "agents.a: 2 have this name"),
        (file_of(tasks=[task_of("")]), "tasks: one has no key"),
        (file_of(tasks=[task_of("k1", after=("k2",)), task_of("k2", after=("k1",))]), "would wait for each other: k"),
        (file_of(tasks=[task_of("k1", after=("k9",))]), "tasks.k1: it comes after 'k9', and there is no such task"),
        (file_of(tasks=[task_of("k1", profile="nope")]), "tasks.k1: there is no profile 'nope'"),
        (file_of(tasks=[task_of("12")]), "tasks.12: key 12 would name a task by its id"),
        (file_of(wish("a"), name="My fleet"), "cannot name a fleet"),
        (file_of(wish("a\x1b]0;x")), r"agents.a\x1b]0;x: 'a\x1b]0;x' cannot name an agent"),
        (file_of(wish("b\x1b"), wish("b\x1b")), r"agents.b\x1b: 2 have this name"),
        (file_of(tasks=[task_of("k\x1b[31m")]), r"tasks.k\x1b[31m: a key has"),
        (file_of(tasks=[task_of(f"k{one}", after=(f"k{(one + 1) % 900}",)) for one in range(900)]), "and 881 more"),
    ],
)
def test_a_file_that_cannot_be_is_refused_with_its_entry_and_a_sentence(file: FleetFile, words: str) -> None:
    with pytest.raises(Refusal) as refused:
        SimulatedRoom().plan(file)
    assert words in str(refused.value)


def test_a_name_that_an_agent_was_taken_over_with_is_left_to_it() -> None:
    theirs = replace(
        agent("~tmux", "vm1"), kind=AgentKind.ADOPTED, ordered=None, mark="b.1.2", adoption=Adoption("a", "b.1.2")
    )
    room = SimulatedRoom(theirs)
    (change,) = room.plan(file_of(wish("a"))).changes
    assert (change.act, change.drift, change.subject) == (Act.NOTHING, Drift.TAKEN, "vm1/~tmux")
    assert room.plan(file_of(wish("a", host="vm2"))).changes[0].act is Act.START, "names are those of a host"


def test_a_profile_that_takes_no_outside_work_starts_nothing_from_a_file() -> None:
    room = SimulatedRoom()
    careful = replace(PROFILES["docs"], takes_outside=False)
    room.fleet = replace(room.fleet, profiles={"docs": careful})
    with pytest.raises(Refusal, match=r"agents\.a: profile docs takes no work whose text comes from a file"):
        room.plan(file_of(wish("a")))


def test_a_name_that_a_profile_keeps_running_is_no_name_for_an_entry() -> None:
    world = SimulatedRoom().fleet
    rules = replace(PROFILES["docs"].restarts, keep=1)
    world = replace(world, profiles={"docs": replace(PROFILES["docs"], restarts=rules)})
    with pytest.raises(Refusal, match="keeps an agent of this name running"):
        check_file(file_of(wish("docs-1")), world)
