"""Why a state: what decided it, what disagrees, how old it is, and a next step that is true."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given

from controlroom.cli.records import Explained, answer
from controlroom.cli.verbs import find
from controlroom.domain.budgets import Budget, BudgetUnit, Period
from controlroom.domain.display import explain as why
from controlroom.domain.display import views
from controlroom.domain.display.advice import Step
from controlroom.domain.display.explain import exit_words
from controlroom.domain.keys.actions import BY_NAME
from controlroom.domain.keys.keymap import DEFAULT
from controlroom.domain.model import Agent, Evidence, Fleet, LinkState, State
from controlroom.domain.money.budget import HOUR, LADDER
from controlroom.domain.went_on import went_on
from controlroom.text.states import AgentKind, Cause, Payer
from tests.domain import worlds
from tests.domain.worlds import MINUTE, NOON, agent, facts, fleet, host, order, question

STREAM = Evidence("stream", "working", "assistant", NOON - 5 * MINUTE)
RUNNER = Evidence("runner", "working", "process 41 runs", NOON - 6 * MINUTE)
ALIVE = Evidence("process", "working", "process 41 lives", NOON - 6 * MINUTE)


def told(one: Agent, world: Fleet | None = None) -> why.Explanation:
    return why.explain(world or fleet(one), one, NOON)


def text(one: Agent, world: Fleet | None = None) -> str:
    return "\n".join(
        f"{line.label}: {line.words}" for line in why.lines(told(one, world), NOON, lambda at: f"at {at % 97}")
    )


def steps(one: Agent, world: Fleet | None = None) -> str:
    return "\n".join(f"{step.words} [{step.key}] {step.command}" for step in told(one, world).steps)


def test_who_only_looks_is_offered_no_step_that_changes_anything() -> None:
    asking = agent(state=State.WAITING, question=question())
    assert [step.action for step in told(asking).steps] == ["allow", "deny", "message"]
    assert why.for_watchers(told(asking)).steps == (Step("An operator can act on it; you may look."),)
    ended = agent(state=State.FAILED, ended=NOON)
    offered = {step.action for step in why.for_watchers(told(ended)).steps}
    assert "open" in offered
    assert not {"retry", "reassign", "forget"} & offered


def test_the_source_that_knows_most_decides() -> None:
    found = told(agent(evidence=(ALIVE, RUNNER, STREAM)))
    assert found.decided == "Claude's own events: assistant"
    assert [view.source for view in found.views if view.decides] == ["stream"]
    assert told(agent(evidence=(ALIVE, RUNNER))).decided == "the runner around it: process 41 runs"


def test_how_a_process_ended_counts_for_more_than_its_last_event() -> None:
    ended = agent(
        state=State.FAILED,
        detail="killed by SIGSEGV",
        exit_signal=11,
        evidence=(replace(STREAM, agrees=False), Evidence("runner", "failed", "killed by SIGSEGV", NOON)),
    )
    found = told(ended)
    assert found.decided == "the runner around it: killed by SIGSEGV"
    assert found.disagrees == (
        "Claude's own events say working (assistant): that was its last event; how its process ended counts for more",
    )
    assert ("ended", "ended by SIGSEGV: it crashed, 5m ago") in found.notes


def test_what_the_node_found_is_said_to_be_the_nodes() -> None:
    found = told(agent(state=State.FAILED, detail="the host was rebooted"))
    assert found.decided == "the node on vm1, which looked for it: the host was rebooted"
    assert "no source says anything about" in text(agent(state=State.FAILED, detail="the host was rebooted"))


def test_a_source_that_disagrees_is_named_with_what_becomes_of_it() -> None:
    gone = Evidence("process", "failed", "its runner is gone", NOON - MINUTE, agrees=False)
    said = text(agent(evidence=(STREAM, gone)))
    assert "its runner is gone, 1m ago; disagrees, says failed" in said
    assert "its host looks again each second" in said


def test_a_lost_agent_says_how_old_all_is_and_why_it_cannot_be_moved() -> None:
    away = host(link=LinkState.LOST, since=NOON - 7 * MINUTE, seen=NOON - 8 * MINUTE, reason="connection reset")
    one = agent(evidence=(STREAM,))
    world = fleet(one, hosts=(away,))
    found = told(one, world)
    assert (found.state, found.since, found.stale) == (State.LOST, NOON - 8 * MINUTE, True)
    assert found.decided == "Control Room itself: vm1 cannot be asked. When last heard, it was working."
    assert found.host == "vm1 is lost for 7m (connection reset); last heard 8m ago: all of this is as old."
    assert not any(view.decides for view in found.views)
    assert "It cannot be moved meanwhile" in steps(one, world)
    assert "controlroom host remove vm1" in steps(one, world)


@pytest.mark.parametrize(
    ("link", "words"),
    [
        (LinkState.ASKING, "asks something before it can be used"),
        (LinkState.REFUSED, "refuses us"),
        (LinkState.CONNECTING, "is connecting"),
    ],
)
def test_each_way_to_be_away_has_its_own_way_back(link: LinkState, words: str) -> None:
    one = agent()
    assert words in steps(one, fleet(one, hosts=(host(link=link),)))


def test_an_agent_not_seen_since_the_engine_began() -> None:
    one = agent(state=State.UNKNOWN, detail="not seen yet by this engine", cause=Cause.UNSEEN)
    assert told(one).decided.startswith("the ledger:")
    assert "has not said yet what became of it" in steps(one)


@pytest.mark.parametrize(
    ("cause", "code", "words"),
    [
        (Cause.NO_LOGIN, 1, "run `claude` there once, as the same user"),
        (Cause.OUT_OF_MEMORY, None, "ran out of memory"),
        (Cause.REBOOTED, None, "rebooted"),
        (Cause.RUNNER_KILLED, None, "runner was killed from outside"),
        (Cause.NEVER_STARTED, None, "runner could not be started"),
        (Cause.DISK_FULL, None, "The disk is full"),
        (Cause.NONE, 127, "program was not found"),
        (Cause.NONE, 1, "Read the end of its log"),
    ],
)
def test_a_failure_leads_to_its_cause(cause: Cause, code: int | None, words: str) -> None:
    assert words in steps(agent(state=State.FAILED, detail="whatever was said", cause=cause, exit_code=code))


def test_a_failed_agent_with_a_session_goes_on_in_it() -> None:
    failed = agent(state=State.FAILED, detail="exit 1")
    assert "controlroom reassign vm1/docs-1 --task TEXT --continue" in steps(failed)
    assert "--continue" not in steps(replace(failed, session=""))


def test_who_was_paused_by_a_budget_goes_on_by_itself_or_has_nothing_to_go_on_in() -> None:
    paused = agent(state=State.PAUSED, detail="$0.07 of $0.02 spent", cause=Cause.BUDGET, session="s-1")
    said = steps(paused)
    assert "goes on by itself when its budget resets" in said
    assert "controlroom budget show" in said
    assert "reassign" not in said, "that would be refused for want of money"
    fresh = steps(replace(paused, session=""))
    assert "retry vm1/docs-1" in fresh
    assert "--continue" not in fresh, "there is no session to go on in"
    assert "controlroom resume vm1/docs-1" in steps(replace(paused, detail="", cause=Cause.NONE))


def test_a_question_a_limit_and_an_order_are_told_with_their_times() -> None:
    asking = agent(
        state=State.WAITING, question=question(), pending=order("kill", op=3, at=NOON - 2 * MINUTE, who="ann")
    )
    assert "asks: run: git push, 2m ago" in text(asking)
    assert "order: kill ordered by ann 2m ago, not answered yet" in text(asking)
    assert "controlroom answer vm1/docs-1 allow" in steps(asking)
    limited = agent(state=State.LIMITED, pid=41, limited_until=NOON + 90 * MINUTE)
    assert "until: the limit ends in 1h30" in text(limited)
    assert "tries again by itself" in steps(limited)
    over = replace(limited, pid=None, limited_until=None, ended=NOON)
    assert "--continue" in steps(over)


def test_when_a_limit_is_over_the_next_step_is_to_go_on() -> None:
    ended = agent(state=State.LIMITED, ended=NOON - 9 * MINUTE, limited_until=NOON + MINUTE)
    assert "It has ended with the limit: go on in its session when it is over" in steps(ended)
    over = replace(ended, limited_until=NOON - MINUTE)
    assert "until: the limit ended 1m ago, by our clock" in text(over)
    assert "The limit is over: let it go on in its session" in steps(over)
    assert "reassign vm1/docs-1 --task TEXT --continue" in steps(over)
    assert "--continue" not in steps(replace(over, session=""))
    living = replace(over, ended=0, pid=41)
    assert "goes on by itself in a moment" in steps(living)
    assert "controlroom send vm1/docs-1" in steps(living)
    unknown = replace(ended, limited_until=None)
    assert "until" not in {label for label, _ in told(unknown).notes}
    assert "when it is over" in steps(unknown)


def test_subagents_at_work_are_told() -> None:
    assert "below: 1 subagent of it at work\n" in text(agent(subagents=1))
    assert "below: 20 subagents of it at work\n" in text(agent(subagents=20))
    assert "below" not in text(agent(subagents=0)) + text(agent())


def test_a_host_of_another_room_is_only_looked_at() -> None:
    one = agent()
    assert "controlroom host take vm1" in steps(one, fleet(one, hosts=(host(facts=facts(owned=False)),)))


def test_what_somebody_else_started_is_not_touched() -> None:
    found = Evidence("session file", "idle", "idle", NOON)
    adopted = agent("~mine", kind="adopted", epoch=0, state=State.IDLE, evidence=(found,))
    assert told(adopted).decided == "Claude's session file: idle"
    assert "did not start it and does not touch it" in steps(adopted)
    assert "in no tmux session" in steps(adopted)
    assert "controlroom kill" not in steps(adopted)
    bare = replace(adopted, evidence=(), state=State.UNKNOWN, place="tmux work", pane="%3")
    assert told(bare).decided.startswith("nobody: it was not started here (tmux work)")
    assert "controlroom attach vm1/~mine" in steps(bare)
    away = fleet(bare, hosts=(host(link=LinkState.LOST),))
    assert "Wait: vm1 is retried automatically" in steps(bare, away)
    assert "cannot be moved" not in steps(bare, away)


def test_a_long_silence_is_pointed_out() -> None:
    assert "It has written nothing for 40m" in steps(agent(last_line="x", last_line_at=NOON - 40 * MINUTE))


@pytest.mark.parametrize(
    ("kind", "code", "signal", "words"),
    [
        ("headless", None, None, ""),
        ("headless", 0, None, "exit 0: it ended by itself"),
        ("headless", 1, None, "exit 1: Claude gave up"),
        ("command", 3, None, "exit 3: it reports an error"),
        ("command", 127, None, "its program was not found"),
        ("command", 137, None, "exit 137: something in it was ended by SIGKILL"),
        ("command", None, 15, "ended by SIGTERM: somebody asked it to end"),
        ("command", None, 63, "ended by signal 63"),
    ],
)
def test_what_an_ending_means(kind: str, code: int | None, signal: int | None, words: str) -> None:
    said = exit_words(AgentKind(kind), code, signal)
    assert words in said
    assert bool(said) == bool(words)


@given(worlds.agents, worlds.states)
def test_every_agent_can_be_explained_and_every_step_is_a_verb_that_there_is(one: Agent, state: State) -> None:
    for link in LinkState:
        shown = replace(one, state=state)
        found = told(shown, fleet(shown, hosts=(host(shown.host, link=link),)))
        assert found.steps
        json.dumps(answer("explain", Explained(fleet(shown), shown, found)))
        for step in found.steps:
            if step.command:
                verb, _ = find(step.command.removeprefix("controlroom ").split())
                assert verb is not None, step.command


def test_keys_are_those_of_the_table() -> None:
    found = told(agent(state=State.IDLE))
    assert found.steps[0].key(DEFAULT) == BY_NAME["message"].key


def test_a_pause_for_want_of_money_names_its_budget_and_what_ends_it() -> None:
    detail = "paused: budget: less is left of it than a start may need"
    paused = replace(agent("docs-1"), state=State.PAUSED, detail=detail, cause=Cause.BUDGET, billing=Payer.UNKNOWN)
    budgets = {
        "day": Budget("day", "fleet", Period.DAY, BudgetUnit.BILLED, 1_000_000, 950_000, spent=730_000, rungs=LADDER),
        "plan": Budget(
            "plan", "fleet", Period.DAY, BudgetUnit.COVERED, 1_000_000, 950_000, 0, NOON + HOUR, 950_000, rungs=LADDER
        ),
        "other": Budget("other", "host vm9", Period.DAY, BudgetUnit.BILLED, 1_000_000, 950_000, spent=0),
    }
    world = replace(fleet(replace(paused, exit_code=143, ended=NOON)), budgets=budgets)
    notes = told(world.agents[paused.id], world).notes
    assert [words for label, words in notes if label == "ended"] == ["its runner ended it to pause it, just now"]
    assert [words for label, words in notes if label == "budget"] == [
        "day (fleet): $0.73 is gone, its stop line is $0.95",
        (
            "plan (fleet): ≈$0.95 is gone, its stop line is ≈$0.95; it resets in 1h00; to raise it: "
            "controlroom budget set plan --limit …"
        ),
    ]


def test_one_whose_session_has_moved_says_where_it_goes_on_and_offers_nothing_that_cannot_be() -> None:
    left = agent(state=State.DONE, ended=NOON, session="s-1", started=NOON - 9 * MINUTE)
    there = agent(on="vm2", session="s-1", started=NOON)
    world = fleet(left, there, hosts=(worlds.host(), worlds.host("vm2")))
    assert views.agent_row(world, left, NOON).line == "moved to vm2"
    assert "moved: its session goes on as vm2/docs-1, which is working" in text(left, world)
    assert [step.action for step in told(left, world).steps] == ["open", "forget"]
    assert views.agent_row(world, there, NOON).line != "moved to vm1"
    over = replace(there, state=State.DONE, ended=NOON + MINUTE)
    back = replace(left, epoch=2, started=NOON + 2 * MINUTE)
    home_again = fleet(back, over, hosts=(worlds.host(), worlds.host("vm2")))
    assert views.agent_row(home_again, over, NOON).line == "moved to vm1"
    assert went_on(home_again, back) is None
    on_its_way = replace(there, pending=order("spawn"))
    assert went_on(fleet(left, on_its_way, hosts=(worlds.host(), worlds.host("vm2"))), left) is None
