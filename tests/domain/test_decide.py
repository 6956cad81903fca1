"""What may be done, and the sentences that say why not."""

from dataclasses import replace
from typing import Any

import pytest

from controlroom.domain import intents
from controlroom.domain.budgets import Budget, BudgetUnit, Period
from controlroom.domain.decide import Decision, Refused, decide
from controlroom.domain.events import HostAdded, Ordered
from controlroom.domain.model import Fleet, Limits, LinkState, Profile, State
from controlroom.domain.money.budget import BudgetRule
from controlroom.domain.preconditions import MAX_TASK
from controlroom.domain.questions import Question, QuestionKind
from controlroom.domain.reduce import reduce
from controlroom.text.states import AgentKind, Item, ItemAnswer, Option, TellKind, Verdict
from tests.domain.worlds import MINUTE, NOON, agent, facts, fleet, host, order, question

SPAWN = intents.SpawnAgent("api-1", "fix the tests", "vm1")


def accepted(world: Fleet, intent: intents.Intent) -> Decision:
    decision = decide(world, intent, 7, NOON)
    assert isinstance(decision, Decision), decision
    return decision


def refused(world: Fleet, intent: intents.Intent) -> str:
    decision = decide(world, intent, 7, NOON)
    assert isinstance(decision, Refused)
    return decision.reason


def test_a_spawn_is_a_starting_row_before_the_host_has_answered() -> None:
    decision = accepted(fleet(), SPAWN)
    (ordered,) = decision.events
    assert isinstance(ordered, Ordered)
    assert ordered.row is not None
    assert (ordered.row.id, ordered.row.epoch, ordered.row.state) == ("vm1/api-1", 1, State.STARTING)
    effect = decision.effect
    assert effect == intents.SpawnOn("vm1", "api-1", 1, "fix the tests", AgentKind.HEADLESS)


def test_of_two_quick_presses_one_wins_and_the_other_is_told() -> None:
    world = reduce(fleet(), accepted(fleet(), SPAWN).events[0])
    assert "vm1/api-1 is there already, starting just now" in refused(world, SPAWN)


def test_a_name_whose_run_has_ended_is_free_again_with_the_next_epoch() -> None:
    effect = accepted(fleet(agent("api-1", state=State.DONE, epoch=4)), SPAWN).effect
    assert isinstance(effect, intents.SpawnOn)
    assert effect.epoch == 5


def test_a_profile_fills_what_the_order_leaves_open() -> None:
    effect = accepted(fleet(), replace(SPAWN, profile="docs", model="claude-haiku-5-5")).effect
    assert isinstance(effect, intents.SpawnOn)
    assert (effect.model, effect.cwd) == ("claude-haiku-5-5", "project")


def test_a_command_makes_the_kind() -> None:
    effect = accepted(fleet(), intents.SpawnAgent("job", "", "vm1", command=("make", "all"))).effect
    assert isinstance(effect, intents.SpawnOn)
    assert effect.kind == "command"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "A b"}, "cannot name an agent"),
        ({"name": "#(touch x)"}, "cannot name an agent"),
        ({"host": "vm"}, "there is no host 'vm': did you mean vm1?"),
        ({"profile": "dosc"}, "there is no profile 'dosc': did you mean docs?"),
        ({"profile": "zzz"}, "there are docs"),
        ({"kind": "magic"}, "there is no kind 'magic'"),
        ({"kind": "command"}, "needs a command"),
        ({"task": "  "}, "the task is empty"),
        ({"task": "x" * (MAX_TASK + 1)}, "are the most"),
    ],
)
def test_a_wrong_spawn_is_refused_in_words(change: dict[str, str], words: str) -> None:
    assert words in refused(fleet(), replace(SPAWN, **change))  # type: ignore[arg-type]


def test_a_host_that_is_away_says_since_when_and_why() -> None:
    away = host(link=LinkState.LOST, since=NOON - 7 * MINUTE, reason="connection reset")
    assert refused(fleet(hosts=(away,)), SPAWN) == "vm1 cannot be asked: lost for 7m (connection reset)"


def test_a_host_that_another_room_owns_can_only_be_looked_at() -> None:
    assert "controlroom host take vm1" in refused(fleet(hosts=(host(facts=facts(owned=False)),)), SPAWN)


def test_a_host_that_had_no_tmux_is_asked_anew() -> None:
    assert accepted(fleet(hosts=(host(facts=facts(tmux="")),)), SPAWN).effect


def test_memory_counts_what_is_starting() -> None:
    tight = host(free=900 * 1024**2)
    world = fleet(hosts=(tight,))
    world = reduce(world, accepted(world, SPAWN).events[0])
    world = reduce(world, accepted(world, replace(SPAWN, name="api-2")).events[0])
    assert "vm1 has 100M left, an agent needs 400M" in refused(world, replace(SPAWN, name="api-3"))
    assert accepted(replace(world, limits=Limits(0)), replace(SPAWN, name="api-3")).effect


def test_without_a_host_named_local_is_meant_or_the_only_one() -> None:
    unnamed = replace(SPAWN, host="")
    assert accepted(fleet(), unnamed).effect
    assert "which host?" in refused(fleet(hosts=(host("vm1"), host("vm2"))), unnamed)
    assert "controlroom host add" in refused(Fleet(), unnamed)


def test_kill_carries_the_epoch_it_was_shown_for() -> None:
    world = fleet(agent(epoch=2))
    assert "restarted meanwhile" in refused(world, intents.KillAgent("vm1/docs-1", 1))
    assert accepted(world, intents.KillAgent("vm1/docs-1", 2)).effect == intents.KillOn("vm1", "docs-1", 2)


def test_kill_of_something_over_or_underway_says_so() -> None:
    assert "has ended already (done, 5m ago)" in refused(
        fleet(agent(state=State.DONE, detail="killed")), intents.KillAgent("vm1/docs-1", 1)
    )
    dying = agent(pending=order("kill", op=3, at=NOON - 2 * MINUTE))
    assert "is being ended already, for 2m" in refused(fleet(dying), intents.KillAgent("vm1/docs-1", 1))


def test_an_unknown_agent_is_met_with_a_guess() -> None:
    assert "did you mean vm1/docs-1?" in refused(fleet(agent()), intents.KillAgent("vm1/dosc-1", 1))


def test_reassign_ends_the_old_epoch_and_may_keep_the_session() -> None:
    effect = accepted(fleet(agent(cwd="/w")), intents.ReassignAgent("vm1/docs-1", 1, "now the api", True)).effect
    assert isinstance(effect, intents.SpawnOn)
    assert (effect.epoch, effect.replaces, effect.resume, effect.cwd) == (2, 1, "s-1", "/w")


def test_reassign_of_an_ended_agent_replaces_nothing() -> None:
    effect = accepted(fleet(agent(state=State.FAILED)), intents.ReassignAgent("vm1/docs-1", 1, "again")).effect
    assert isinstance(effect, intents.SpawnOn)
    assert (effect.replaces, effect.resume) == (0, "")


def test_reassign_without_a_session_cannot_continue() -> None:
    world = fleet(agent(session=""))
    assert "no Claude session" in refused(world, intents.ReassignAgent("vm1/docs-1", 1, "x", True))


def test_a_pause_ends_the_run_of_a_session_and_of_nothing_else() -> None:
    pause = intents.PauseAgent("vm1/docs-1", 1)
    assert accepted(fleet(agent()), pause).effect == intents.KillOn("vm1", "docs-1", 1, "paused")
    assert "runs a command, which has no session" in refused(fleet(agent(kind=AgentKind.COMMAND)), pause)
    assert "has no Claude session yet: it cannot be paused" in refused(fleet(agent(session="")), pause)
    assert "has ended" in refused(fleet(agent(state=State.PAUSED, ended=NOON)), pause)


@pytest.mark.parametrize("state", [State.PAUSED, State.DONE, State.FAILED])
def test_what_has_ended_is_resumed_in_its_session(state: State) -> None:
    resume = intents.ResumeAgent("vm1/docs-1", 1)
    effect = accepted(fleet(agent(state=state, ended=NOON, cwd="/w")), resume).effect
    assert isinstance(effect, intents.SpawnOn)
    assert (effect.epoch, effect.replaces, effect.resume, effect.cwd) == (2, 0, "s-1", "/w")
    assert effect.task == intents.GO_ON
    assert "retry gives it its task again" in refused(fleet(agent(state=state, ended=NOON, session="")), resume)
    assert "has not ended (working for 5m)" in refused(fleet(agent()), resume)


def test_a_reassigned_command_keeps_its_command_on_the_host() -> None:
    world = fleet(agent(kind="command"))
    world = replace(world, profiles={"job": Profile("job", AgentKind.COMMAND, ("make",))})
    effect = accepted(world, intents.ReassignAgent("vm1/docs-1", 1, "")).effect
    assert isinstance(effect, intents.SpawnOn)
    assert (effect.kind, effect.command) == ("command", ())


def test_an_answer_is_for_the_question_that_was_shown() -> None:
    world = fleet(agent(state=State.WAITING, question=question("git push", "q2")))
    assert "asks something else now: look again" in refused(
        world, intents.AnswerQuestion("vm1/docs-1", "q1", Verdict.ALLOW)
    )
    effect = accepted(world, intents.AnswerQuestion("vm1/docs-1", "q2", Verdict.DENY, "not today")).effect
    assert effect == intents.TellOn("vm1", "docs-1", 1, TellKind.ANSWER, "not today", "q2", Verdict.DENY)


def test_an_answer_to_what_was_shown_before_under_the_same_id_is_refused() -> None:
    shown = replace(question("rm -rf build", "q2"), digest="of-the-new")
    world = fleet(agent(state=State.WAITING, question=shown))
    for digest in ("of-the-old", ""):
        said = refused(world, intents.AnswerQuestion("vm1/docs-1", "q2", Verdict.ALLOW, digest=digest))
        assert said == "vm1/docs-1 asks something else now: look again"
    effect = accepted(world, intents.AnswerQuestion("vm1/docs-1", "q2", Verdict.ALLOW, digest="of-the-new")).effect
    assert isinstance(effect, intents.TellOn)
    assert effect.digest == "of-the-new"


PARTS = Item("Which parts?", "Parts", (Option("Auth"), Option("Cache"), Option("Docs")), several=True, own_words=True)
REGION = Item("Which region?", "Region", (Option("eu-1"), Option("us-1")), own_words=True)


BOTH = ItemAnswer((2,)), ItemAnswer((1,), "and mine")


def asking(*items: Item) -> Fleet:
    asked = Question("q2", QuestionKind.CHOICES, "Which?", "Which?", NOON, items, "d")
    return fleet(agent(state=State.WAITING, question=asked))


def answers(text: str = "", *said: ItemAnswer) -> intents.AnswerQuestion:
    return intents.AnswerQuestion("vm1/docs-1", "q2", Verdict.ALLOW, text, "d", said)


@pytest.mark.parametrize(
    ("items", "text", "said", "told"),
    [
        ((PARTS,), "1,3", (), (ItemAnswer((1, 3)),)),
        ((PARTS,), "1 3", (), (ItemAnswer((1, 3)),)),
        ((PARTS,), "auth, Docs", (), (ItemAnswer((1, 3)),)),
        ((PARTS,), "1, docs", (), (ItemAnswer((1, 3)),)),
        ((REGION,), "eu-1, not us-1", (), (ItemAnswer((), "eu-1, not us-1"),)),
        ((REGION,), "eu-1, us-1", (), (ItemAnswer((), "eu-1, us-1"),)),
        ((PARTS,), "auth, and some tests", (), (ItemAnswer((), "auth, and some tests"),)),
        ((REGION,), "US-1", (), (ItemAnswer((2,)),)),
        ((REGION,), "the moon", (), (ItemAnswer((), "the moon"),)),
        ((REGION, PARTS), "2\n1,3", (), (ItemAnswer((2,)), ItemAnswer((1, 3)))),
        (
            (REGION, PARTS),
            "",
            (ItemAnswer((2,)), ItemAnswer((1,), "and mine")),
            (ItemAnswer((2,)), ItemAnswer((1,), "and mine")),
        ),
        ((REGION,), "", (ItemAnswer((), "9"),), (ItemAnswer((), "9"),)),
    ],
)
def test_choices_are_taken_by_number_label_or_in_words(
    items: tuple[Item, ...], text: str, said: tuple[ItemAnswer, ...], told: tuple[ItemAnswer, ...]
) -> None:
    effect = accepted(asking(*items), answers(text, *said)).effect
    assert isinstance(effect, intents.TellOn)
    assert (effect.answers, effect.text) == (told, "")


@pytest.mark.parametrize(
    ("items", "intent", "reason"),
    [
        ((REGION, PARTS), answers("2"), "it asks 2 questions: give each its answer, as in --question 1 --choose 1"),
        ((REGION,), answers("9"), "there is no 9: the question (Region) has 2 choices (if 9 is your own"),
        ((REGION,), answers("0"), "there is no 0"),
        ((REGION,), answers("99999999999"), "there is no 999999"),
        ((REGION,), answers("1,2"), "takes one choice, not 2"),
        ((REGION,), answers(" "), "the question (Region) has no answer: say the number of a choice or words"),
        ((REGION, PARTS), answers("", ItemAnswer((1,)), ItemAnswer()), "question 2 (Parts) has no answer"),
        ((REGION, PARTS), answers("", ItemAnswer((1,))), "it asks 2 questions, and 1 of them have an answer"),
        ((REGION,), answers("", ItemAnswer((1,)), ItemAnswer((1,))), "it asks 1 question, and 2"),
        ((REGION._replace(own_words=False),), answers("the moon"), "takes the number of a choice: attach"),
        ((), answers(""), "wants an answer in words"),
        (
            (REGION,),
            replace(answers("", ItemAnswer((1,))), verdict=Verdict.DENY),
            "a denial answers all of it",
        ),
    ],
)
def test_what_does_not_fit_a_question_is_refused(
    items: tuple[Item, ...], intent: intents.AnswerQuestion, reason: str
) -> None:
    assert reason in refused(asking(*items), intent)


def test_choices_are_no_answer_to_a_permission() -> None:
    world = fleet(agent(state=State.WAITING, question=question("git push", "q2")))
    said = intents.AnswerQuestion("vm1/docs-1", "q2", Verdict.ALLOW, answers=(ItemAnswer((1,)),))
    assert "asks nothing that has choices" in refused(world, said)


def test_an_answer_to_nobody_is_refused() -> None:
    assert "asks nothing now" in refused(fleet(agent()), intents.AnswerQuestion("vm1/docs-1", "q1", Verdict.ALLOW))
    unread = intents.AnswerQuestion("vm1/docs-1", "q1", Verdict("maybe"))
    assert "an answer is allow, always or deny" in refused(fleet(agent()), unread)


def test_a_host_key_is_accepted_or_turned_down_by_its_question() -> None:
    asking = host(link=LinkState.ASKING, question=question("SHA256:abc", "host_key:SHA256:abc"))
    world = fleet(hosts=(asking,))
    effect = accepted(world, intents.AnswerQuestion("vm1", "host_key:SHA256:abc", Verdict.ALLOW)).effect
    assert effect == intents.TrustKey("vm1", "host_key:SHA256:abc", True)
    assert "asks nothing like that" in refused(
        world, intents.AnswerQuestion("vm1", "host_key:SHA256:xyz", Verdict.ALLOW)
    )


def test_messages_reach_only_what_runs_and_listens() -> None:
    assert accepted(fleet(agent()), intents.SendMessage("vm1/docs-1", 1, "hello")).effect
    assert "takes no messages" in refused(fleet(agent(kind="command")), intents.SendMessage("vm1/docs-1", 1, "x"))
    assert "reassign it to go on" in refused(
        fleet(agent(state=State.DONE, detail="done")), intents.SendMessage("vm1/docs-1", 1, "x")
    )
    assert "is empty" in refused(fleet(agent()), intents.SendMessage("vm1/docs-1", 1, " "))


def test_only_what_has_ended_is_forgotten() -> None:
    assert "kill it first" in refused(fleet(agent()), intents.ForgetAgent("vm1/docs-1", 1))
    assert accepted(fleet(agent(state=State.DONE)), intents.ForgetAgent("vm1/docs-1", 1)).effect


def test_hosts_are_added_once() -> None:
    decision = accepted(fleet(), intents.AddHost("vm2", "ann@vm2", "SHA256:abc"))
    assert decision == Decision((HostAdded("vm2", "ann@vm2", NOON),), intents.ConnectTo("vm2", "ann@vm2", "SHA256:abc"))
    assert "choose --name" in refused(fleet(), intents.AddHost("vm1", "bob@vm1"))
    assert "in the room already, as vm1" in refused(fleet(), intents.AddHost("vm9", "ann@vm1"))
    assert "this machine" in refused(fleet(), intents.AddHost("local", "ann@vm9"))
    assert "cannot name a host" in refused(fleet(), intents.AddHost("-oProxyCommand=x", "ann@vm9"))


def test_taking_a_host_we_own_is_pointless() -> None:
    assert "already" in refused(fleet(), intents.TakeHost("vm1"))
    world = fleet(hosts=(host(facts=facts(owned=False)),))
    assert accepted(world, intents.TakeHost("vm1")).effect == intents.TakeOn("vm1")


def test_a_secret_is_given_to_the_question_it_was_said_for() -> None:
    asking = host(link=LinkState.ASKING, question=replace(question("a code", "secret:1"), kind=QuestionKind.SECRET))
    world = fleet(hosts=(asking,))
    effect = accepted(world, intents.AnswerQuestion("vm1", "secret:1", Verdict.ALLOW, "4711")).effect
    assert effect == intents.GiveSecret("vm1", "secret:1", "4711")
    assert "4711" not in repr(effect)
    effect = accepted(world, intents.AnswerQuestion("vm1", "secret:1", Verdict.DENY)).effect
    assert effect == intents.GiveSecret("vm1", "secret:1", None)
    assert "asks for a secret" in refused(world, intents.AnswerQuestion("vm1", "secret:1", Verdict.ALLOW))
    assert "asks nothing like that" in refused(world, intents.AnswerQuestion("vm1", "secret:0", Verdict.ALLOW, "4711"))


@pytest.mark.parametrize(
    ("changes", "ended"),
    [
        ({"state": State.LIMITED, "ended": NOON}, True),
        ({"state": State.LIMITED, "pid": 7}, False),
        ({"state": State.PAUSED, "ended": NOON}, True),
        ({"state": State.PAUSED, "pid": 7}, False),
    ],
)
def test_what_is_limited_or_paused_has_ended_only_when_its_run_has(changes: dict[str, Any], ended: bool) -> None:
    world = fleet(one := agent(**changes))
    killed, again = (
        decide(world, intents.KillAgent(one.id, 1), 1, NOON),
        decide(world, intents.ReassignAgent(one.id, 1, "x"), 2, NOON),
    )
    assert isinstance(killed, Refused) is ended
    assert isinstance(again, Decision)
    assert isinstance(again.effect, intents.SpawnOn)
    assert again.effect.replaces == (0 if ended else 1)
    forgotten = decide(world, intents.ForgetAgent(one.id, 1), 3, NOON)
    assert isinstance(forgotten, Decision) is ended
    spawned = decide(world, intents.SpawnAgent("docs-1", "x", "vm1"), 4, NOON)
    assert isinstance(spawned, Decision) is ended


def test_always_is_an_answer_only_where_what_it_allows_is_shown() -> None:
    always = intents.AnswerQuestion("vm1/docs-1", "q1", Verdict.ALWAYS)
    assert "names nothing that `always` could allow" in refused(
        fleet(agent(state=State.WAITING, question=question())), always
    )
    named = replace(question(), always=("Bash: git push",))
    accepted(fleet(agent(state=State.WAITING, question=named)), always)


def test_a_question_that_is_not_shown_whole_can_only_be_turned_down() -> None:
    asks = replace(question(), cut=True, always=("Bash: ls",))
    fleet_ = fleet(agent(state=State.WAITING, question=asks))
    for verdict in ("allow", "always"):
        refused_ = refused(fleet_, intents.AnswerQuestion("vm1/docs-1", "q1", Verdict(verdict)))
        assert "asks more than can be shown here: deny it" in refused_
    accepted(fleet_, intents.AnswerQuestion("vm1/docs-1", "q1", Verdict.DENY))


def test_a_budget_is_changed_and_removed_as_it_was_shown_or_not_at_all() -> None:
    rule = BudgetRule("day", 8_000_000)
    stands = Budget("day", "fleet", Period.DAY, BudgetUnit.BILLED, rule.limit, rule.stop, rungs=rule.rungs)
    world, other = replace(fleet(), budgets={"day": stands}), replace(rule, limit=9_000_000)
    for wanted in (intents.SetBudget(other, rule), intents.RemoveBudget("day", rule)):
        accepted(world, wanted)
        assert "was changed since it was shown" in refused(world, replace(wanted, was=other))
        assert "no budget" in refused(fleet(), wanted) or "was removed since" in refused(fleet(), wanted)
    assert "there is a budget day already" in refused(world, intents.SetBudget(other, new=True))
