"""A key that strayed: an alarm for as long as its agent runs, told by explain and by the check of the host."""

from __future__ import annotations

from dataclasses import replace

from controlroom.cli.records import Asked, answer
from controlroom.domain import events
from controlroom.domain.display import checkup
from controlroom.domain.display.checkup import Grade
from controlroom.domain.display.explain import explain
from controlroom.domain.gauges import Alarm, AlarmKind, AlarmLevel
from controlroom.domain.model import State
from controlroom.domain.reduce import reduce
from controlroom.text.host_sample import HostCheck
from controlroom.text.states import AgentKind, Payer
from tests.domain.worlds import MINUTE, NOON, agent, fleet, host

STRAY = replace(
    agent("docs-1"), stray_key="ANTHROPIC_API_KEY of the login shell", billing=Payer.API, started=NOON - MINUTE
)


def seen(*agents: object) -> events.AgentsObserved:
    return events.AgentsObserved("vm1", agents, complete=True, at=NOON)  # type: ignore[arg-type]


def test_it_is_an_alarm_until_its_agent_has_ended() -> None:
    before = fleet(hosts=(host("vm1"),))
    told = reduce(before, seen(STRAY, agent("docs-2")))
    ((about, alarm),) = told.alarms.items()
    assert (about, alarm.agent, alarm.since) == ("key vm1/docs-1", "vm1/docs-1", NOON - MINUTE)
    assert "ANTHROPIC_API_KEY" in alarm.text
    assert "billed" in alarm.text
    assert reduce(told, seen(STRAY, agent("docs-2"))).alarms is told.alarms
    assert not reduce(told, seen(replace(STRAY, state=State.DONE))).alarms
    assert not reduce(told, seen(replace(STRAY, stray_key=""))).alarms
    assert not reduce(told, seen()).alarms


def test_agents_of_others_raise_it_as_well() -> None:
    theirs = replace(STRAY, name="~work", kind=AgentKind.ADOPTED, epoch=0)
    told = reduce(fleet(hosts=(host("vm1"),)), events.AdoptedObserved("vm1", (theirs,), NOON))
    assert set(told.alarms) == {"key vm1/~work"}
    assert "profile" not in told.alarms["key vm1/~work"].text
    assert not reduce(told, events.AdoptedObserved("vm1", (), NOON)).alarms


def test_explain_says_it() -> None:
    world = reduce(fleet(hosts=(host("vm1"),)), seen(STRAY))
    notes = dict(explain(world, world.agents["vm1/docs-1"], NOON).notes)
    assert notes["key"].startswith("it uses ANTHROPIC_API_KEY of the login shell and not the plan of vm1")


def test_the_check_of_a_host_says_it() -> None:
    found = HostCheck(logged_in=True, login="api_key", stray_key="apiKeyHelper in ~/.claude/settings.json")
    checks = checkup.checks(fleet(hosts=(host("vm1"),)), host("vm1"), found, NOON)
    (login,) = (one for one in checks if one.name == "login")
    assert login.verdict == Grade.WARN
    assert "apiKeyHelper in ~/.claude/settings.json takes precedence" in login.found
    assert login.mend == "remove it there"


def test_status_tells_alarms_the_worst_first() -> None:
    world = reduce(fleet(hosts=(host("vm1"),)), seen(STRAY))
    world = replace(
        world,
        alarms={
            **world.alarms,
            "budget day": Alarm("it is gone", AlarmLevel.DANGER, NOON, kind=AlarmKind.BUDGET, subject="day"),
        },
    )
    told = answer("status", Asked(world, NOON))["alarms"]
    assert [(alarm["level"], alarm["agent"]) for alarm in told] == [("danger", None), ("warning", STRAY.id)]
    assert "ANTHROPIC_API_KEY of the login shell and not the plan" in told[1]["text"]


def test_two_answers_to_who_pays_are_an_alarm_and_a_line_of_explain_until_it_ends() -> None:
    doubted = replace(
        agent("docs-1"), billing=Payer.UNKNOWN, billing_doubt="a plan pays by what is set up on its host, …"
    )
    world = reduce(fleet(hosts=(host("vm1"),)), seen(doubted))
    (alarm,) = world.alarms.values()
    assert alarm.text.startswith(f"{doubted.id}: a plan pays by what is set up on its host")
    assert "both kinds of budgets bind it" in alarm.text
    notes = dict(explain(world, world.agents[doubted.id], NOON).notes)
    assert notes["pays"].startswith("not known: a plan pays")
    assert not reduce(world, seen(replace(doubted, billing_doubt=""))).alarms


def login_check(found: HostCheck) -> checkup.Check:
    (login,) = (
        one for one in checkup.checks(fleet(hosts=(host("vm1"),)), host("vm1"), found, NOON) if one.name == "login"
    )
    return login


def test_a_host_check_holds_claude_against_what_is_set_up() -> None:
    found = HostCheck(logged_in=True, login="claude.ai max", billing="api", billing_told="plan", claude="2.1.332")
    check = login_check(found)
    assert check.verdict == Grade.WARN
    assert "by its settings an account that is billed pays" in check.found
    unsure = login_check(replace(found, billing=""))
    assert "who pays is not known" in unsure.found
    sure = login_check(replace(found, billing="plan"))
    assert (sure.verdict, sure.found) == (Grade.OK, "plan login, max")
