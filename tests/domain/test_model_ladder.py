"""Agents at work go over to cheaper models when a budget or a window of a plan says so, and back without flapping."""

from __future__ import annotations

from dataclasses import replace

from controlroom.domain.budgets import Budget, BudgetUnit, Period, Rung, RungAction
from controlroom.domain.display.tasks import why
from controlroom.domain.model import Credential, Profile
from controlroom.domain.money.ladder import other_model
from controlroom.domain.orders import Work
from controlroom.text.states import AgentKind, Payer
from tests.domain.worlds import NOON, agent, fleet, host, task, with_tasks

RUNGS = (Rung(70, RungAction.CHEAPER), Rung(90, RungAction.CHEAPER))
WEEK = Budget("week", "fleet", Period.WEEK, BudgetUnit.WINDOW, 100, 100, rungs=RUNGS, window="seven_day")


def goes_to(model: str, used: int, chosen: str = "", meant: str = "opus", live: bool = True) -> str:
    """The model that an agent goes over to that works with `model`, once so much of a plan's week is used."""
    work = Work(AgentKind.HEADLESS, "p", model, chosen=chosen)
    row = agent("a", profile="p", ordered=work, billing=Payer.PLAN)
    reached = sum(used >= rung.percent for rung in RUNGS)
    made = replace(fleet(row), profiles={"p": Profile("p", model=meant, switches_model=live)})
    return other_model(replace(made, budgets={"week": replace(WEEK, spent=used, reached=reached)}), row)[0]


def test_a_window_of_a_plan_sends_agents_at_work_down_the_chain_and_up_again() -> None:
    assert goes_to("opus", 60) == ""
    assert goes_to("opus", 70) == "sonnet"
    assert goes_to("sonnet", 80) == ""
    assert goes_to("sonnet", 91) == goes_to("opus", 91) == "haiku"
    assert goes_to("haiku", 0) == "opus", "the window has begun anew"
    assert goes_to("haiku", 84) == "sonnet"


def test_readings_that_waver_about_a_rung_change_nothing() -> None:
    assert [goes_to("sonnet", used) for used in (71, 69, 70, 66)] == ["", "", "", ""]
    assert goes_to("sonnet", 64) == "opus"
    assert [goes_to("haiku", used) for used in (91, 89, 86)] == ["", "", ""]


def test_what_a_person_chose_is_what_it_comes_back_to_and_claudes_own_choice_has_a_name() -> None:
    assert goes_to("haiku", 0, chosen="sonnet") == "sonnet"
    assert (goes_to("", 70, meant=""), goes_to("", 0, meant="")) == ("sonnet", "")
    assert goes_to("sonnet", 0, meant="") == "default"
    assert goes_to("opus", 95, live=False) == ""


def test_why_says_that_a_waiting_task_starts_with_a_cheaper_model() -> None:
    made = with_tasks(fleet(hosts=(host("vm1"),)), task(1, profile="p"))
    made = replace(made, profiles={"p": Profile("p", model="opus", billing=Payer.PLAN)})
    made = replace(made, budgets={"week": replace(WEEK, spent=75, reached=1)})
    assert "it starts with sonnet instead of opus: budget week goes cheaper" in why(made, made.tasks["t1"], NOON)


def test_why_names_no_cheaper_model_where_the_credential_that_is_taken_is_not_bound() -> None:
    several = (Credential("plan", "plan", Payer.PLAN), Credential("key", "the key of key", own_login=True))
    made = with_tasks(fleet(hosts=(host("vm1"),)), task(1, profile="p"))
    made = replace(made, profiles={"p": Profile("p", model="opus", credentials=several)})
    keys = replace(WEEK, unit=BudgetUnit.BILLED, window="", spent=75, reached=1)
    made = replace(made, budgets={"week": keys})
    assert not [line for line in why(made, made.tasks["t1"], NOON) if "cheaper" in line]
    made = replace(made, profiles={"p": Profile("p", model="opus", credentials=several[1:])})
    assert [line for line in why(made, made.tasks["t1"], NOON) if "cheaper" in line]


def test_no_agent_changes_its_model_while_nothing_is_heard_of_a_window_or_between_rungs_that_lie_close() -> None:
    def goes(model: str, spent: int | None, *rungs: int) -> str:
        ladder = tuple(Rung(at, RungAction.CHEAPER) for at in rungs)
        row = agent("a", profile="p", ordered=Work(AgentKind.HEADLESS, "p", model), billing=Payer.PLAN)
        made = replace(fleet(row), profiles={"p": Profile("p", model="opus", switches_model=True)})
        reached = sum((spent or 0) >= at for at in rungs)
        return other_model(
            replace(made, budgets={"week": replace(WEEK, spent=spent, rungs=ladder, reached=reached)}), row
        )[0]

    assert [goes(model, None, 70, 90) for model in ("opus", "sonnet", "haiku")] == ["", "", ""], "after a restart"
    assert [goes("sonnet", used, 70, 72) for used in (71, 69, 71, 68)] == ["", "", "", ""]
    assert (goes("sonnet", 73, 70, 72), goes("sonnet", 60, 70, 72)) == ("haiku", "opus")
