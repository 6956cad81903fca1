"""One host in the place of another: what is looked at first, and what it takes over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain import intents
from controlroom.domain.budgets import Budget, BudgetUnit, Period
from controlroom.domain.leads import USUAL, Lead
from controlroom.domain.model import Fleet, LinkState, Profile, with_changes
from controlroom.domain.preconditions import Refusal
from controlroom.domain.queue import drains, restarts
from controlroom.domain.queue.replacing import Replacement, replaced
from controlroom.domain.restart_rules import RestartRules
from controlroom.domain.tasks import Drain, Preflight, TaskState
from tests.domain.worlds import GIB, NOON, agent, facts, fleet, host, task

REPLACE = intents.ReplaceHost("vm1", "vm2")


def world(**new: object) -> Fleet:
    """vm1 runs two agents, vm2 is new, vm3 is there too."""
    rows = (agent("a", profile="p"), agent("b"))
    hosts = host("vm1", free=0, labels=("gpu",)), host("vm2", free=3 * GIB, **new), host("vm3", free=4 * GIB)
    return replace(fleet(*rows, hosts=hosts), profiles={"p": Profile("p", labels=("gpu",))})


def plan(made: Fleet, *fixed: str) -> Replacement:
    return replaced(made, REPLACE, "ann", NOON, fixed)


def test_all_that_is_at_work_there_goes_to_the_new_one_and_nowhere_else() -> None:
    made = world()
    taken = plan(made)
    assert (taken.drain.to, taken.drain.move, taken.labels) == ("vm2", True, ("gpu",))
    assert taken.words == "vm2 takes over labels gpu"
    hosts = {**made.hosts, "vm1": replace(made.hosts["vm1"], drain=taken.drain)}
    leave = drains.next_leave(replace(made, hosts=hosts), NOON, ()).leave
    assert leave is not None
    assert (leave.agent.name, leave.host) == ("b", "vm2"), "a waits until vm2 has the label"
    labelled = {**hosts, "vm2": replace(hosts["vm2"], labels=("gpu",), sample=hosts["vm3"].sample)}
    leave = drains.next_leave(replace(made, hosts=labelled), NOON, ()).leave
    assert leave is not None
    assert (leave.agent.name, leave.host) == ("a", "vm2"), "though vm3 has as much room"


def test_tasks_and_budgets_of_the_old_one_are_those_of_the_new_one() -> None:
    budget = Budget("night", "host vm1", Period.DAY, BudgetUnit.BILLED, 10_000_000, 9_500_000)
    tasks = task(1, host="vm1"), task(2, host="vm3"), task(3, host="vm1", state=TaskState.DONE)
    made = replace(world(), budgets={"night": budget}, tasks={one.id: one for one in tasks})
    taken = plan(made)
    assert [(one.id, one.host) for one in taken.tasks] == [("t1", "vm2")]
    (rule,) = taken.budgets
    assert (rule.name, rule.scope, rule.limit, rule.period) == ("night-vm2", "host vm2", 10_000_000, Period.DAY)
    assert taken.words == "vm2 takes over labels gpu; budget night-vm2; 1 task wanted there"
    own = replace(budget, name="own", scope="host vm2")
    assert plan(replace(made, budgets={"night": budget, "own": own})).budgets == (), "it has one of its own"


def test_what_stands_in_the_config_is_said_and_counts_already() -> None:
    watch = Profile("watch", restarts=RestartRules(keep=1, hosts=("vm1",)))
    made = replace(world(labels=("gpu", "big")), profiles={"p": Profile("p", labels=("gpu",)), "watch": watch})
    taken = plan(made, "vm2")
    assert taken.labels == (), "it has its own"
    assert "profiles.watch.keep_hosts names vm1: vm2 counts instead" in taken.words
    hosts = {**made.hosts, "vm1": replace(made.hosts["vm1"], drain=taken.drain)}
    start = restarts.plan(replace(made, hosts=hosts), NOON).start
    assert start is not None
    assert (start.name, start.host) == ("watch-1", "vm2")


def test_what_a_lead_began_goes_to_the_new_one_and_what_its_lead_may_not_do_there_is_said() -> None:
    lead = Lead("research", USUAL, ("vm1",), ("p",), 2, 5_000_000)
    made = world(labels=("gpu",))
    work = {row.id: row.ordered for row in made.agents.values() if row.ordered}
    rows = [with_changes(made.agents[id_], ordered=replace(its, lead="research")) for id_, its in work.items()]
    made = replace(made, agents={row.id: row for row in rows}, leads={lead.name: lead})
    taken = plan(made)
    assert "lead research was given vm1 and not vm2: its agents go there, and it begins nothing there" in taken.words
    hosts = {**made.hosts, "vm1": replace(made.hosts["vm1"], drain=taken.drain)}
    leave = drains.next_leave(replace(made, hosts=hosts), NOON, ()).leave
    assert leave is not None
    assert leave.host == "vm2"
    elsewhere = {**hosts, "vm1": replace(hosts["vm1"], drain=replace(taken.drain, to=""))}
    assert drains.next_leave(replace(made, hosts=elsewhere), NOON, ()).leave is None, "nobody has named a host"


@pytest.mark.parametrize(
    ("new", "says"),
    [
        ({"link": LinkState.LOST}, "vm2 cannot be asked"),
        ({"drain": Drain("bob", NOON)}, "vm2 takes nothing new: it is drained by bob"),
        ({"facts": facts(owned=False)}, "vm2 belongs to another control room"),
        ({"facts": facts(tmux="")}, "vm2 has no tmux"),
        ({"sample": None}, "vm2 has not said yet how much memory is free"),
        ({"labels": ("big",)}, "vm2 lacks the label gpu"),
    ],
)
def test_what_is_known_against_it_is_said_before_anything_is_done(new: dict[str, object], says: str) -> None:
    with pytest.raises(Refusal, match=says):
        plan(world(**new))


def test_a_new_one_without_room_or_fitness_is_refused() -> None:
    made = world()
    full = replace(made, agents={**made.agents, "vm1/c": agent("c", rss=3 * GIB)})
    with pytest.raises(Refusal, match=r"vm2 has 2\.2G left to give .*and what is at work on vm1 takes 3\.8G"):
        plan(full)
    few = replace(made, queue=replace(made.queue, rules=replace(made.queue.rules, max_agents_per_host=1)))
    with pytest.raises(Refusal, match="vm2 has 0 of at most 1 agents, and 2 come from vm1"):
        plan(few)
    lacks = replace(made, queue=replace(made.queue, preflights={"vm2": Preflight(claude="Claude is not there")}))
    with pytest.raises(Refusal, match="vm2 is not fit for a: Claude is not there"):
        plan(lacks)
    with pytest.raises(Refusal, match="others are at work under the names a"):
        plan(replace(made, agents={**made.agents, "vm2/a": agent("a", on="vm2")}))
    with pytest.raises(Refusal, match="vm2 lacks the label gpu"):
        plan(made, "vm2")
    with pytest.raises(Refusal, match="cannot take its own place"):
        replaced(made, intents.ReplaceHost("vm1", "vm1"), "ann", NOON)
    with pytest.raises(Refusal, match="there is no host 'vm9'"):
        replaced(made, intents.ReplaceHost("vm1", "vm9"), "ann", NOON)


def test_hosts_that_replace_each_other_lead_to_the_last() -> None:
    made = world()
    to = {"vm1": "vm2", "vm2": "vm3"}
    hosts = {
        name: replace(one, drain=Drain("ann", NOON, move=True, to=to[name]) if name in to else None)
        for name, one in made.hosts.items()
    }
    assert drains.replacement(replace(made, hosts=hosts), "vm1") == "vm3"
    circle = {**hosts, "vm3": replace(hosts["vm3"], drain=Drain("ann", NOON, move=True, to="vm1"))}
    assert drains.replacement(replace(made, hosts=circle), "vm1") == "vm3"
