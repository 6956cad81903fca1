"""Of several credentials new work takes the one with the most left; one that is held is passed over."""

from __future__ import annotations

from dataclasses import replace

from controlroom.domain import intents
from controlroom.domain.budgets import Budget, BudgetUnit, Period, Rung, RungAction
from controlroom.domain.decide import Decision, Refused, decide
from controlroom.domain.display.tasks import why
from controlroom.domain.gauges import Headroom, LimitKind
from controlroom.domain.intents import SpawnOn
from controlroom.domain.model import Agent, Credential, Fleet, Profile, State
from controlroom.domain.orders import Work
from controlroom.domain.queue import dispatch
from controlroom.domain.tasks import Attempt, AttemptEnd, Task, TaskState, WaitReason
from controlroom.text.states import AgentKind, Payer
from tests.domain.worlds import GIB, MINUTE, NOON, agent, fleet, host, task, with_tasks

TEAM = Credential("team", "the login of team", Payer.PLAN, "/team", own_login=True)
MINE = Credential("plan", "plan", Payer.PLAN)
KEY = Credential("key", "the key of key", own_login=True)


def world(*tasks: Task, rows: tuple[Agent, ...] = (), credentials: tuple[Credential, ...] = (TEAM, MINE)) -> Fleet:
    made = with_tasks(fleet(*rows, hosts=(host("vm1", free=3 * GIB),)), *tasks, max_agents=50)
    return replace(made, profiles={"p": Profile("p", credentials=credentials)})


def window(account: str, used: int, *agents: str) -> Headroom:
    """How far a window of a login is used, and by whom."""
    shares = dict.fromkeys(agents, 1000 // max(1, len(agents)))
    return Headroom(
        account, "5 h", LimitKind.WINDOW, used, 100, NOON + 60 * MINUTE, at=NOON, shares=shares, span=300 * MINUTE
    )


def worker(name: str, credential: str, state: State = State.DONE) -> Agent:
    work = Work(AgentKind.HEADLESS, "p", credential=credential)
    return agent(name, state=state, profile="p", ordered=work, ended=NOON * (state is State.DONE))


def used(team: int, plan: int, *tasks: Task) -> Fleet:
    """A fleet in which both logins are known by agents that used them."""
    made = world(*tasks, rows=(worker("a", "team"), worker("b", "plan")))
    gauges = window("team@x", team, "vm1/a"), window("me@x", plan, "vm1/b")
    return replace(made, headroom={gauge.key: gauge for gauge in gauges})


def taken(made: Fleet) -> str:
    start = dispatch.plan(made, NOON).start
    assert start is not None
    return start.credential


def test_the_one_with_the_most_left_is_taken_and_of_equal_ones_the_first() -> None:
    assert taken(world(task(1, profile="p"))) == "team", "nothing has been heard of either"
    assert taken(used(60, 20, task(1, profile="p"))) == "plan"
    assert taken(used(20, 60, task(1, profile="p"))) == "team"
    assert taken(used(25, 21, task(1, profile="p"))) == "team", "a few per cent make no difference"


def test_one_whose_window_is_used_up_is_passed_over_and_why_names_each_once_all_are() -> None:
    assert taken(used(90, 80, task(1, profile="p"))) == "plan"
    full = used(90, 95, task(1, profile="p"))
    wait = dispatch.plan(full, NOON).waits["t1"]
    assert [(one.name, one.reason) for one in wait.credentials] == [
        (name, WaitReason.LIMIT) for name in ("team", "plan")
    ]
    assert (wait.reason, wait.until) == (WaitReason.CREDENTIALS, NOON + 60 * MINUTE)
    words = why(full, replace(full.tasks["t1"], wait=wait), NOON)
    assert words[1] == "all credentials of its profile are held:"
    assert "  team: limit team@x 5 h: 90 of 100 is used, in 1h00" in words


def test_one_that_was_turned_away_is_passed_over_by_others_and_by_a_start_by_hand() -> None:
    attempt = Attempt("vm1", "a", 1, NOON - MINUTE, NOON - 1_000, AttemptEnd.ACCOUNT, credential="team")
    broke = task(1, profile="p", attempts=(attempt,), not_before=NOON + MINUTE)
    made = world(broke, task(2, profile="p"))
    assert taken(made) == "plan"
    decision = decide(made, intents.SpawnAgent("x", "work", "vm1", "p"), 1, NOON)
    assert isinstance(decision, Decision)
    assert isinstance(decision.effect, SpawnOn)
    assert decision.effect.credential == "plan"
    assert decision.note == "credential plan (team not known, held; plan not known)"


def test_a_budget_that_holds_what_keys_pay_leaves_the_plan() -> None:
    rung = Rung(80, RungAction.HOLD)
    gone = Budget("day", "fleet", Period.DAY, BudgetUnit.BILLED, 100, 100, spent=90, rungs=(rung,), reached=1)
    made = world(task(1, profile="p"), credentials=(KEY, MINE))
    assert taken(made) == "key"
    assert taken(replace(made, budgets={"day": gone})) == "plan"


def test_a_session_stays_with_its_credential_and_changes_only_to_one_that_finds_it() -> None:
    def again(before: str, credentials: tuple[Credential, ...]) -> dispatch.Start:
        attempt = Attempt(
            "vm1", "a", 1, NOON - MINUTE, NOON - 1_000, AttemptEnd.CRASHED, session="s", credential=before
        )
        row = worker("a", before, State.FAILED)
        row = replace(row, session="s", ended=NOON - 1_000)
        resumed = task(1, profile="p", state=TaskState.WAITING, attempts=(attempt,))
        start = dispatch.plan(world(resumed, rows=(row,), credentials=credentials), NOON).start
        assert start is not None
        return start

    stays = again("plan", (TEAM, MINE))
    assert (stays.credential, stays.resumes) == ("plan", True)
    other = again("plan", (TEAM, KEY))
    assert (other.credential, other.resumes) == ("key", True), "a key finds the sessions of the user's folder"
    anew = again("team", (MINE, KEY))
    assert (anew.credential, anew.resumes) == ("plan", False), "nobody else has that folder"


def test_a_session_that_no_credential_finds_is_refused_by_hand_in_a_sentence() -> None:
    row = replace(worker("a", "team"), session="s")
    refused = decide(world(rows=(row,), credentials=(MINE, KEY)), intents.ResumeAgent("vm1/a", 1), 1, NOON)
    assert isinstance(refused, Refused)
    assert (
        "its session is that of credential team, and none that profile p names now (plan, key) finds it"
        in refused.reason
    )


def test_of_a_window_that_is_young_no_more_than_a_share_is_handed_out_at_once() -> None:
    def waits(used: int, minutes: int, **rules: int) -> object:
        """What a task waits for once a window of 5 hours has lasted so long."""
        gauge = replace(window("me@x", used), resets=NOON + (300 - minutes) * MINUTE)
        made = with_tasks(fleet(hosts=(host("vm1", free=3 * GIB),)), task(1), max_agents=50, **rules)
        wait = dispatch.plan(replace(made, headroom={gauge.key: gauge}), NOON).waits.get("t1")
        return (wait.reason, wait.until - NOON, wait.most) if wait else None

    assert waits(55, 10) == (WaitReason.NEW_WINDOW, 50 * MINUTE, 50)
    assert waits(45, 10) is None
    assert waits(55, 61) is None
    assert waits(55, 10, new_window_percent=60) is None
    assert waits(90, 10) == (WaitReason.LIMIT, 290 * MINUTE, 100), "used up is used up"
