"""Of several credentials new work takes the one with the most left; one that is held is passed over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain import intents
from controlroom.domain.budgets import Budget, BudgetUnit, Period, Rung, RungAction
from controlroom.domain.decide import Decision, Refused, decide
from controlroom.domain.display.tasks import why
from controlroom.domain.display.views import drain_words, host_row
from controlroom.domain.gauges import Headroom, LimitKind
from controlroom.domain.intents import MoveOn, SpawnOn
from controlroom.domain.model import Agent, Credential, Fleet, Profile, State
from controlroom.domain.orders import Work
from controlroom.domain.preconditions import Refusal
from controlroom.domain.queue import backoff, dispatch, drains, restarts
from controlroom.domain.queue.edits import check_wish
from controlroom.domain.restart_rules import RestartRules
from controlroom.domain.tasks import Attempt, AttemptEnd, Drain, Preflight, Task, TaskState, TaskWish
from controlroom.domain.waits import WaitReason
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
    assert words[1] == "each credential that it may take is held:"
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
    leave = drains.next_leave(made, NOON, ()).leave
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


def test_a_task_takes_the_one_that_was_chosen_for_it_however_little_is_left_of_it() -> None:
    chosen = used(60, 20, task(1, profile="p", credential="team"), task(2, profile="p"))
    assert taken(chosen) == "team"
    full = dispatch.plan(used(90, 20, task(1, profile="p", credential="team")), NOON)
    assert full.start is None, "the other one has room"
    assert [one.name for one in full.waits["t1"].credentials] == ["team"]
    gone = dispatch.plan(used(60, 20, task(1, profile="p", credential="other")), NOON)
    assert gone.waits["t1"].reason is WaitReason.NO_CREDENTIAL


def test_a_task_goes_on_anew_once_another_one_is_chosen_that_does_not_find_its_session() -> None:
    attempt = Attempt("vm1", "a", 1, NOON - MINUTE, NOON - 1_000, AttemptEnd.CRASHED, session="s", credential="team")
    row = replace(worker("a", "team", State.FAILED), session="s", ended=NOON - 1_000)
    for chosen, resumes in {"team": True, "plan": False, "": True}.items():
        start = dispatch.plan(
            world(task(1, profile="p", attempts=(attempt,), credential=chosen), rows=(row,)), NOON
        ).start
        assert start is not None
        assert (start.credential, start.resumes) == (chosen or "team", resumes)


@pytest.mark.parametrize(
    ("profile", "credential", "reason"),
    [
        ("p", "tema", "profile p names no credential 'tema': did you mean team?"),
        ("p", "nobody", "profile p names no credential 'nobody' (there are team, plan)"),
        ("one", "team", "profile one names no credential 'team' (it has no credentials = […])"),
        ("run", "team", "a command logs in with no credential of the room"),
        ("", "team", "credential 'team' needs a profile that names it in its credentials"),
    ],
)
def test_what_its_profile_does_not_name_is_refused_in_a_sentence(profile: str, credential: str, reason: str) -> None:
    made = world()
    others = {"one": Profile("one"), "run": Profile("run", AgentKind.COMMAND, ("true",), credentials=(TEAM,))}
    made = replace(made, profiles={**made.profiles, **others})
    by_hand = decide(made, intents.SpawnAgent("x", "work", "vm1", profile, credential=credential), 1, NOON)
    assert by_hand == Refused(reason)
    with pytest.raises(Refusal) as refused:
        check_wish(made, TaskWish("work", profile=profile, credential=credential))
    assert str(refused.value) == reason


def test_the_one_that_a_person_chose_is_taken_again_at_each_later_run() -> None:
    made = used(60, 20)
    first = decide(made, intents.SpawnAgent("x", "work", "vm1", "p", credential="team"), 1, NOON)
    assert isinstance(first, Decision)
    assert first.row is not None
    assert first.row.ordered is not None
    assert (first.row.ordered.credential, first.row.ordered.chosen_credential) == ("team", "team")
    ended = replace(worker("x", "team"), ordered=first.row.ordered)
    made = replace(made, agents={**made.agents, ended.id: ended})
    again = decide(made, intents.ReassignAgent("vm1/x", 1, "more"), 2, NOON)
    assert isinstance(again, Decision)
    assert isinstance(again.effect, SpawnOn)
    assert (again.effect.credential, again.effect.chosen_credential) == ("team", "team")
    no_more = replace(made, profiles={"p": Profile("p", credentials=(MINE,))})
    assert isinstance(decide(no_more, intents.ReassignAgent("vm1/x", 1, "more"), 2, NOON), Refused)


def test_the_one_that_was_chosen_is_refused_on_a_host_that_is_not_fit_for_it() -> None:
    made = world(credentials=(MINE, KEY))
    made = replace(made, queue=replace(made.queue, preflights={"vm1": Preflight(login="Claude has no login there")}))
    refused = decide(made, intents.SpawnAgent("x", "work", "vm1", "p", credential="plan"), 1, NOON)
    assert isinstance(refused, Refused)
    assert refused.reason.startswith("vm1 is not fit for it: Claude has no login there")


def bucket(organisation: str, used: int) -> Headroom:
    """How many of 50 requests a minute an organisation's keys have used; 45 are the most."""
    account = f"API {organisation}" if organisation else "API"
    return Headroom(
        account, "requests opus-5-5", LimitKind.BUCKET, used, 50, at=NOON, measured=False, buffer=45,
        model="opus-5-5", organisation=organisation,
    )  # fmt: skip


def test_requests_a_minute_are_those_of_the_organisation_whose_key_it_is() -> None:
    other = Credential("other", "the key of other", own_login=True, organisation="customer")
    rows = tuple(replace(worker(name, name), billing=Payer.API) for name in ("key", "other"))
    made = world(task(1, profile="p"), rows=rows, credentials=(KEY, other))

    def with_buckets(own: int, customers: int) -> Fleet:
        gauges = bucket("", own), bucket("customer", customers), window("me@x", 0)
        return replace(made, headroom={gauge.key: gauge for gauge in gauges})

    assert taken(with_buckets(40, 10)) == "other"
    assert taken(with_buckets(10, 40)) == "key"
    assert taken(with_buckets(45, 44)) == "other"
    full = dispatch.plan(with_buckets(45, 45), NOON)
    assert [(one.name, one.about) for one in full.waits["t1"].credentials] == [
        ("key", ("API requests opus-5-5",)),
        ("other", ("API customer requests opus-5-5",)),
    ], "a window of a plan that neither uses leaves no room"


def test_one_that_cannot_be_had_on_a_host_is_passed_over_there_and_an_alarm_says_so() -> None:
    attempt = Attempt("vm1", "a-t9", 1, NOON - MINUTE, NOON - 1_000, AttemptEnd.NO_CREDENTIAL, credential="key")
    gone = task(9, profile="p", attempts=(attempt,), not_before=NOON + 60 * MINUTE)
    made = world(gone, task(1, profile="p"), credentials=(KEY, MINE))
    assert taken(made) == "plan"
    by_hand = decide(made, intents.SpawnAgent("x", "work", "vm1", "p"), 1, NOON)
    assert isinstance(by_hand, Decision)
    assert isinstance(by_hand.effect, SpawnOn)
    assert by_hand.effect.credential == "plan"
    ((about, alarm),) = backoff.alarms(made, NOON).items()
    assert about == "credential the key of key on vm1"
    assert alarm.text.startswith("the key of key cannot be had on vm1: its file or command there gives none.")
    elsewhere = replace(made, hosts={**made.hosts, "vm2": host("vm2", free=3 * GIB)})
    start = dispatch.plan(elsewhere, NOON).start
    assert start is not None
    assert (start.host, start.credential) == ("vm2", "key")
    later = NOON + 2 * MINUTE
    again = dispatch.plan(made, later).start
    assert again is not None
    assert again.credential == "key", "it may be there by now"
    for end, raised in {AttemptEnd.FAILED: [], AttemptEnd.DONE: [], AttemptEnd.NEVER_BEGAN: [about]}.items():
        tried = replace(attempt, agent="a-t8", at=later, ended=later, end=end)
        since = replace(made, tasks={**made.tasks, "t8": task(8, profile="p", state=TaskState.HELD, attempts=(tried,))})
        assert list(backoff.alarms(since, later + MINUTE)) == raised, end


def test_why_a_drained_host_keeps_its_agents_is_said_where_a_budget_holds_new_work() -> None:
    row = agent("a", profile="p", ordered=Work(AgentKind.HEADLESS, "p", credential="key"))
    made = with_tasks(fleet(row, hosts=(host("vm1", free=3 * GIB), host("vm2", free=3 * GIB))), max_agents=50)
    rung = Rung(90, RungAction.HOLD)
    gone = Budget("day", "fleet", Period.DAY, BudgetUnit.BILLED, 100, 100, spent=90, rungs=(rung,), reached=1)
    made = replace(made, profiles={"p": Profile("p", credentials=(KEY,))}, budgets={"day": gone})
    leaving = replace(made.hosts["vm1"], drain=Drain("ann", NOON - MINUTE, move=True))
    held = replace(made, hosts={**made.hosts, "vm1": leaving})
    row_of = host_row(held, leaving, NOON)
    assert row_of.progress.startswith("0 of 1 moved; vm1/a stays: budget day (fleet) holds new work from 90 % on")
    assert leaving.drain is not None
    assert drain_words(leaving.drain, NOON, row_of.progress).endswith(f"goes on elsewhere; {row_of.progress}")
    with_plan = replace(held, profiles={"p": Profile("p", credentials=(KEY, MINE))})
    assert host_row(with_plan, leaving, NOON).progress == "0 of 1 moved", "the plan pays for it there"
    stays_by_itself = replace(leaving, drain=Drain("ann", NOON))
    assert host_row(replace(held, hosts={**held.hosts, "vm1": stays_by_itself}), stays_by_itself, NOON).progress == ""
