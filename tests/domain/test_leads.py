"""What a lead may do: what it was given, with what is its own, and nothing else, whatever it tries."""

from __future__ import annotations

from dataclasses import MISSING, fields, replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.domain import branch_intents, intents
from controlroom.domain.adoption import Adoption
from controlroom.domain.adoption_intents import AdoptAgent, RestartAdopted
from controlroom.domain.decide import Decision, Refused, decide
from controlroom.domain.imports import ImportIntent
from controlroom.domain.lead_rights import MAY_SUBMIT, allowed, check_added, check_open_tasks, lead_waits
from controlroom.domain.leads import USUAL, VERBS, AddLead, Lead, LeadIntent, LeadVerb, read_verbs
from controlroom.domain.model import Agent, Fleet, Host, HostFacts, LinkState, Profile, State
from controlroom.domain.orders import Work
from controlroom.domain.permissions.intents import RuleIntent
from controlroom.domain.preconditions import Refusal
from controlroom.domain.queue.dispatch import World
from controlroom.domain.tasks import Origin, Source, Task, TaskState, TaskWish
from controlroom.domain.waits import WaitReason
from controlroom.domain.worktrees import DropWorktree
from controlroom.text.states import AgentKind, Verdict

NOON = 1_900_000_000_000
LEAD = Lead("research", VERBS, ("vm1",), ("docs",), 2, 5_000_000, NOON + 3_600_000, NOON - 1_000)
FACTS = HostFacts("vm1", "ann", "Linux", "3.12", "3.4", 4, 2**33, "m", "b", 0, owned=True)

NEVER_SUBMIT: frozenset[type] = frozenset(
    {
        intents.PauseAgent, intents.ResumeAgent, intents.InterruptAgent, intents.SetModel, intents.ForgetAgent,
        branch_intents.Accept, branch_intents.PushBranch, branch_intents.PullRequest, branch_intents.DropWork,
        DropWorktree,
        intents.AddHost, intents.RemoveHost, intents.RetryHost, intents.TakeHost, intents.DrainHost,
        intents.UndrainHost, intents.SetBudget, intents.RemoveBudget, intents.SettleUsage, intents.EditTask,
        intents.MoveTask, intents.HoldTask, intents.ReleaseTask, intents.HoldQueue, intents.ReleaseQueue,
        intents.SetQueue, intents.HaltRoom, intents.ResumeRoom, *get_args(RuleIntent),
        *get_args(LeadIntent), *get_args(ImportIntent), intents.RelieveHost, intents.ContinueDrain,
        intents.ReplaceHost, intents.ApplyFleet, AdoptAgent, RestartAdopted,
    }
)  # fmt: skip
"""What no lead may ever want. A new intent belongs here, or into `lead_rights.MAY_SUBMIT`: decide which."""


def agent(name: str, lead: str, state: State = State.WORKING) -> Agent:
    work = Work(AgentKind.HEADLESS, "docs", lead=lead)
    return Agent("vm1", name, 1, AgentKind.HEADLESS, state, NOON, session="s", pid=7, started=NOON, ordered=work)


def room(*agents: Agent, lead: Lead = LEAD) -> Fleet:
    tasks = {
        "t1": Task(number=1, title="x", state=TaskState.WAITING, since=NOON, added=NOON, origin=Origin("ann")),
        "t2": Task(
            number=2,
            title="y",
            state=TaskState.WAITING,
            since=NOON,
            added=NOON,
            origin=Origin("lead", Source.AGENT, "research"),
        ),
    }
    return Fleet(
        hosts={name: Host(name, f"ann@{name}", LinkState.UP, facts=FACTS) for name in ("vm1", "vm2")},
        agents={one.id: one for one in agents},
        profiles={
            "docs": Profile("docs"),
            "free": Profile("free", takes_outside=False),
            "shell": Profile("shell", AgentKind.COMMAND, ("sh",)),
            "boss": Profile("boss", lead="other"),
        },
        tasks=tasks,
        leads={lead.name: lead},
    )


OTHERS = agent("ours", ""), agent("theirs", "other"), agent("mine", "research")


def refusal(fleet: Fleet, intent: intents.Intent, now: int = NOON) -> str:
    with pytest.raises(Refusal) as no:
        allowed(fleet, "research", intent, now)
    return str(no.value)


def test_every_intent_is_decided_on() -> None:
    undecided = set(get_args(intents.Intent)) - MAY_SUBMIT.keys() - NEVER_SUBMIT
    assert not undecided, "say in MAY_SUBMIT or NEVER_SUBMIT what leads may do of these"
    assert not MAY_SUBMIT.keys() & NEVER_SUBMIT


_TEXTS = st.sampled_from(
    ["vm1/ours", "vm1/theirs", "vm1/mine", "vm1/nobody", "vm1", "vm2", "docs", "t1", "t2", "x", ""]
)


def _any(kind: type) -> st.SearchStrategy[Any]:
    """Any intent of a kind: what leads could write into it by hand."""
    values: dict[str, st.SearchStrategy[Any]] = {}
    for part in fields(kind):
        if part.name in ("tasks", "rule", "lead", "change", "rules", "answers", "terms") and part.type != "str":
            continue
        if part.type in ("str", str):
            values[part.name] = _TEXTS
        elif part.type in ("int", int):
            values[part.name] = st.sampled_from([0, 1, 2])
        elif part.type in ("bool", bool):
            values[part.name] = st.booleans()
    known: dict[str, Any] = {"verdict": Verdict.ALLOW, "tasks": (TaskWish(text="x"),), "rules": {}}
    fixed = {part.name: st.just(known[part.name]) for part in fields(kind) if part.name in known}
    needed = {part.name for part in fields(kind)} - values.keys() - fixed.keys()
    without = (part.name for part in fields(kind) if part.default is MISSING and part.default_factory is MISSING)
    values |= {name: st.none() for name in without if name in needed}
    return st.builds(kind, **values, **fixed)


@given(st.data())
def test_a_lead_gets_nothing_that_it_was_not_given(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(get_args(intents.Intent), key=lambda kind: kind.__name__)))
    verbs = tuple(data.draw(st.sets(st.sampled_from(VERBS))))
    lead = replace(LEAD, verbs=verbs)
    fleet = room(*OTHERS, lead=lead)
    intent = data.draw(_any(kind))
    try:
        wanted = allowed(fleet, "research", intent, NOON)
    except Refusal:
        return
    assert lead.may(MAY_SUBMIT[kind])
    subject = getattr(wanted, "agent", "") or getattr(wanted, "subject", "")
    assert subject in ("", "vm1/mine")
    assert getattr(wanted, "task", "") == "t2" or kind not in (intents.DropTask, intents.RetryTask)
    if isinstance(wanted, intents.SpawnAgent):
        assert (wanted.lead, wanted.host, wanted.profile, wanted.command) == ("research", "vm1", "docs", ())
        assert (wanted.cwd, wanted.model, wanted.credential, wanted.anyway) == ("", "", "", False)
    if isinstance(wanted, intents.AddTasks):
        assert all((task.source, task.host, task.profile) == (Source.AGENT, "vm1", "docs") for task in wanted.tasks)
        assert wanted.lead == "research"


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb in MAY_SUBMIT.values()])
def test_without_its_verb_an_intent_is_refused(verb: LeadVerb) -> None:
    given: dict[LeadVerb, intents.Intent] = {
        LeadVerb.SPAWN: intents.SpawnAgent("a", "do it"),
        LeadVerb.KILL: intents.KillAgent("vm1/mine", 1),
        LeadVerb.REASSIGN: intents.ReassignAgent("vm1/mine", 1, "x"),
        LeadVerb.RETRY: intents.RetryAgent("vm1/mine", 1),
        LeadVerb.SEND: intents.SendMessage("vm1/mine", 1, "x"),
        LeadVerb.ANSWER: intents.AnswerQuestion("vm1/mine", "q", Verdict.ALLOW),
        LeadVerb.TASK_ADD: intents.AddTasks((TaskWish(text="x"),)),
        LeadVerb.TASK_DROP: intents.DropTask("t2"),
    }
    intent = given[verb]
    fleet = room(*OTHERS)
    assert type(allowed(fleet, "research", intent, NOON)) is type(intent)
    without = replace(LEAD, verbs=tuple(other for other in VERBS if other is not verb))
    assert "was not given" in refusal(room(*OTHERS, lead=without), intent)


@pytest.mark.parametrize(
    ("lead", "words"),
    [(replace(LEAD, removed=NOON), "was removed"), (replace(LEAD, until=NOON), "is over")],
)
def test_a_lead_that_is_over_may_do_nothing(lead: Lead, words: str) -> None:
    fleet = room(*OTHERS, lead=lead)
    assert words in refusal(fleet, intents.KillAgent("vm1/mine", 1))
    assert words in lead_waits(fleet, "research", NOON)


def spawned(fleet: Fleet, name: str = "new", **more: Any) -> Decision | Refused:
    intent = intents.SpawnAgent(name, "do it", "vm1", "docs", lead="research")
    return decide(fleet, replace(intent, **more), 1, NOON, "lead research")


def test_an_agent_of_a_lead_is_its_own_from_the_order_on() -> None:
    decision = spawned(room())
    assert isinstance(decision, Decision)
    assert decision.row is not None
    assert decision.row.lead == "research"


def test_a_lead_has_so_many_agents_at_once_and_no_more() -> None:
    one, two = agent("a", "research"), agent("b", "research")
    assert isinstance(spawned(room(one)), Decision)
    refused = spawned(room(one, two))
    assert isinstance(refused, Refused)
    assert "2 agents at work at once" in refused.reason
    assert isinstance(spawned(room(one, replace(two, state=State.DONE, ended=NOON, pid=None))), Decision)


@pytest.mark.parametrize(
    "again",
    [
        intents.ReassignAgent("vm1/c", 1, "x"),
        intents.ResumeAgent("vm1/c", 1),
        intents.ReassignAgent("vm1/c", 1, "x", host="vm2"),
    ],
)
def test_no_second_run_makes_more_agents_at_once_than_it_was_given(again: intents.Intent) -> None:
    at_work = agent("a", "research"), agent("b", "research")
    ended = replace(agent("c", "research"), state=State.DONE, ended=NOON, pid=None, session="another")
    refused = decide(room(*at_work, ended), again, 1, NOON, "lead research")
    assert isinstance(refused, Refused)
    assert "2 agents at work at once" in refused.reason
    assert isinstance(decide(room(at_work[0], ended), again, 1, NOON, "lead research"), Decision)
    removed = room(*at_work, ended, lead=replace(LEAD, removed=NOON))
    assert isinstance(decide(removed, again, 1, NOON, "ann"), Decision), "what is left of it is a person's"


@pytest.mark.parametrize("again", [intents.RetryAgent("vm2/a", 1), intents.ReassignAgent("vm2/a", 1, "x")])
def test_it_begins_no_run_on_a_host_that_a_person_has_moved_its_agent_to(again: intents.Intent) -> None:
    moved = replace(agent("a", "research"), host="vm2")
    assert "starts agents on vm1, not on" in refusal(room(moved), again)
    end = intents.KillAgent("vm2/a", 1)
    assert allowed(room(moved), "research", end, NOON) == end


@pytest.mark.parametrize("again", [intents.RetryAgent("vm1/mine", 1), intents.ReassignAgent("vm1/mine", 1, "x")])
def test_it_begins_no_run_of_a_profile_that_asks_nobody_by_now(again: intents.Intent) -> None:
    fleet = room(*OTHERS)
    fleet = replace(fleet, profiles={**fleet.profiles, "docs": Profile("docs", takes_outside=False)})
    assert "takes no tasks of agents" in refusal(fleet, again)


def test_of_an_agent_that_has_its_name_it_is_told_nothing_else() -> None:
    theirs = replace(agent("~tmux", ""), kind=AgentKind.ADOPTED, ordered=None, adoption=Adoption("claude", "b.1.2"))
    fleet = room(*OTHERS, theirs)
    for name in ("ours", "theirs", "claude"):
        words = refusal(fleet, intents.SpawnAgent(name, "x"))
        assert words == f"vm1/{name} was not started by lead research: choose another name"


def test_what_a_lead_began_leaves_a_drained_host_for_those_of_its_lead_alone() -> None:
    def kept_away(fleet: Fleet, name: str) -> bool:
        waits = World(fleet, NOON).elsewhere(fleet.agents[name], None, ["vm2"])
        return not isinstance(waits, str) and WaitReason.HOST_OTHER in [wait.reason for wait in waits]

    fleet = room(agent("mine", "research"), agent("ours", ""))
    assert kept_away(fleet, "vm1/mine")
    assert not kept_away(fleet, "vm1/ours")
    assert not kept_away(replace(fleet, leads={"research": replace(LEAD, removed=NOON)}), "vm1/mine")


def test_a_lead_has_so_many_tasks_open_and_no_more_and_none_once_it_was_removed() -> None:
    fleet = room()
    check_open_tasks(fleet, "research", 19)
    with pytest.raises(Refusal, match="may have 20 open tasks, and has 1"):
        check_open_tasks(fleet, "research", 20)
    check_open_tasks(fleet, "", 1_000)
    with pytest.raises(Refusal, match="was removed"):
        check_open_tasks(room(lead=replace(LEAD, removed=NOON)), "research", 1)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"host": "vm2"}, "starts agents on vm1"),
        ({"profile": "free"}, "starts agents of docs"),
        ({"profile": "shell"}, "starts agents of docs"),
        ({"name": "old"}, "was not started by lead research"),
        ({"lead": "gone"}, "there is no lead"),
    ],
)
def test_the_decision_itself_holds_what_the_lead_was_given(more: dict[str, Any], words: str) -> None:
    ended = replace(agent("old", ""), state=State.DONE, ended=NOON, pid=None)
    refused = spawned(room(ended), **more)
    assert isinstance(refused, Refused)
    assert words in refused.reason


def test_a_profile_that_asks_nobody_takes_nothing_from_a_lead() -> None:
    lead = replace(LEAD, profiles=("free",))
    refused = spawned(room(lead=lead), profile="free")
    assert isinstance(refused, Refused)
    assert "takes no tasks of agents" in refused.reason


def test_agents_that_lead_begin_where_the_engine_is() -> None:
    refused = decide(room(), intents.SpawnAgent("boss", "lead", "vm1", "boss"), 1, NOON)
    assert isinstance(refused, Refused)
    assert "the engine that they talk to is on this machine" in refused.reason
    here = replace(room(), hosts={"local": Host("local", "local", LinkState.UP, facts=FACTS)})
    assert isinstance(decide(here, intents.SpawnAgent("boss", "lead", "local", "boss"), 1, NOON), Decision)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "Re search"}, "cannot name a lead"),
        ({"name": "research"}, "already"),
        ({"profiles": ("shell",)}, "not headless"),
        ({"profiles": ("boss",)}, "lead others themselves"),
        ({"profiles": ("none",)}, "none"),
        ({"hosts": ("vm9",)}, "vm9"),
        ({"hosts": ()}, "verbs, hosts and profiles"),
        ({"limit": 0}, "a ceiling"),
        ({"agents": 0}, "agents at work at once"),
        ({"until": NOON}, "over already"),
    ],
)
def test_rights_that_make_no_sense_are_not_given(change: dict[str, Any], words: str) -> None:
    with pytest.raises(Refusal, match=words):
        check_added(room(), replace(LEAD, **{"name": "new", **change}), NOON)


def test_verbs_are_read_as_they_are_written() -> None:
    assert read_verbs(["spawn", "task-add"]) == (LeadVerb.SPAWN, LeadVerb.TASK_ADD)
    assert read_verbs(["task"]) == tuple(verb for verb in VERBS if verb.startswith("task "))
    assert LeadVerb.ANSWER not in USUAL
    with pytest.raises(ValueError, match="no verb of leads"):
        read_verbs(["budget set"])


def test_nothing_printed_holds_what_tells_a_token() -> None:
    assert "abc" not in repr(AddLead(LEAD, "abc" * 20))
