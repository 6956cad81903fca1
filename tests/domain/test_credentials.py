"""Of several credentials new work takes the one with the most left; one that is held is passed over."""

from __future__ import annotations

from dataclasses import replace

from controlroom.domain import intents
from controlroom.domain.budgets import Budget, BudgetUnit, Period, Rung, RungAction
from controlroom.domain.decide import Decision, Refused, decide
from controlroom.domain.display.tasks import why
from controlroom.domain.gauges import Headroom, LimitKind
from controlroom.domain.intents import MoveOn, SpawnOn
from controlroom.domain.model import Agent, Credential, Fleet, Profile, State
from controlroom.domain.orders import Work
from controlroom.domain.queue import backoff, dispatch, restarts
from controlroom.domain.restart_rules import RestartRules
from controlroom.domain.tasks import (
    Attempt,
    AttemptEnd,
    Drain,
    Preflight,
    Task,
    TaskState,
    WaitReason,
)
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
    made = world(rows=(replace(worker("a", ""), session="s"),), credentials=(TEAM,))
    refused = decide(made, intents.ResumeAgent("vm1/a", 1), 1, NOON)
    assert isinstance(refused, Refused)
    assert "its session is that of its host's own login, and none that profile p names now (team)" in refused.reason


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


def test_what_holds_one_ends_by_itself_though_another_has_no_host() -> None:
    attempt = Attempt("vm1", "a", 1, NOON - MINUTE, NOON - 1_000, AttemptEnd.ACCOUNT, credential="key")
    broke = task(1, profile="p", state=TaskState.DROPPED, attempts=(attempt,))
    made = world(broke, task(2, profile="p"), credentials=(KEY, MINE))
    lacks = Preflight(login="Claude has no login there")
    made = replace(made, queue=replace(made.queue, preflights={"vm1": lacks}))
    decided = dispatch.plan(made, NOON)
    assert decided.start is None
    assert decided.next_look == NOON - 1_000 + made.queue.rules.backoff
    assert dispatch.plan(made, decided.next_look).start is not None


def test_what_was_turned_away_with_one_that_no_profile_names_any_more_holds_nobody() -> None:
    attempt = Attempt("vm1", "a", 1, NOON - MINUTE, NOON - 1_000, AttemptEnd.ACCOUNT, credential="team")
    broke = task(1, profile="p", state=TaskState.DROPPED, attempts=(attempt,))
    made = world(broke, task(2, profile="q"), credentials=(MINE, KEY))
    made = replace(made, profiles={**made.profiles, "q": Profile("q")})
    assert dispatch.plan(made, NOON).start is not None
    assert backoff.alarms(made, NOON) == {}


def test_what_another_profile_names_is_still_held() -> None:
    attempt = Attempt("vm1", "a", 1, NOON - MINUTE, NOON - 1_000, AttemptEnd.ACCOUNT, credential="team")
    broke = task(1, profile="p", state=TaskState.DROPPED, attempts=(attempt,))
    made = world(broke, task(2, profile="q"), credentials=(MINE,))
    made = replace(made, profiles={**made.profiles, "q": Profile("q", credentials=(TEAM,))})
    assert dispatch.plan(made, NOON).start is None


def test_an_agent_goes_on_in_its_session_once_its_own_credential_has_room() -> None:
    rules = RestartRules(after_limit=True)
    row = replace(worker("a", "team", State.LIMITED), session="s", ended=NOON - 1_000, limited_until=NOON)
    made = replace(used(95, 10), agents={"vm1/a": row})
    made = replace(made, profiles={"p": replace(made.profiles["p"], restarts=rules)})
    gauge = window("team@x", 95, "vm1/a")
    made = replace(made, headroom={gauge.key: gauge})
    at = NOON + MINUTE
    assert restarts.plan(made, at).start is None, "plan has room, and does not find its session"


def test_an_agent_leaves_a_drained_host_with_a_credential_that_another_host_takes() -> None:
    row = agent("a", profile="p", ordered=Work(AgentKind.HEADLESS, "p", credential="key"))
    made = with_tasks(fleet(row, hosts=(host("vm1", free=3 * GIB), host("vm2", free=3 * GIB))), max_agents=50)
    made = replace(made, profiles={"p": Profile("p", credentials=(MINE, KEY))})
    drained = replace(made.hosts["vm1"], drain=Drain("ann", NOON, move=True))
    lacks = {"vm2": Preflight(login="Claude has no login there")}
    made = replace(made, hosts={**made.hosts, "vm1": drained}, queue=replace(made.queue, preflights=lacks))
    leave = dispatch.next_leave(made, NOON, ())
    assert leave is not None
    assert leave.host == "vm2"
    decision = decide(made, intents.ReassignAgent("vm1/a", 1, "", host="vm2"), 1, NOON)
    assert isinstance(decision, Decision)
    assert isinstance(decision.effect, MoveOn)
    assert decision.effect.start.credential == "key"


def test_a_start_by_hand_takes_one_that_its_host_is_fit_for() -> None:
    made = world(credentials=(MINE, KEY))
    made = replace(made, queue=replace(made.queue, preflights={"vm1": Preflight(login="Claude has no login there")}))
    decision = decide(made, intents.SpawnAgent("x", "work", "vm1", "p"), 1, NOON)
    assert isinstance(decision, Decision)
    assert isinstance(decision.effect, SpawnOn)
    assert decision.effect.credential == "key"


def test_what_is_left_of_a_named_login_does_not_count_for_those_who_use_the_hosts_own() -> None:
    for payer in (Profile("q", credential="plan", billing=Payer.PLAN), Profile("q")):
        made = used(20, 95, task(1, profile="q"))
        made = replace(made, profiles={**made.profiles, "q": payer})
        assert dispatch.plan(made, NOON).waits["t1"].reason is WaitReason.LIMIT
        made = used(95, 20, task(1, profile="q"))
        made = replace(made, profiles={**made.profiles, "q": payer})
        assert dispatch.plan(made, NOON).start is not None
