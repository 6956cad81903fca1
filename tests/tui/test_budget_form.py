"""Budgets on the screen: chosen, raised, previewed, removed, made anew."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain.budgets import Budget
from controlroom.domain.decide import Refused, decide
from controlroom.domain.gauges import Alarm, AlarmKind, AlarmLevel
from controlroom.domain.intents import RemoveBudget, SetBudget
from controlroom.domain.money.ladder import rule_of
from controlroom.tui.screens.budgets import BudgetForm, BudgetsSheet
from controlroom.tui.screens.costs import CostsScreen
from controlroom.tui.screens.dialogs import ConfirmSheet, ReportSheet
from controlroom.tui.widgets.fields import Field
from tests.tui import scenes
from tests.tui.engine import for_watchers
from tests.tui.room import Room, room
from tests.tui.scenes import NOW

DOLLAR = 1_000_000


def sorted_by_use(here: Room) -> list[str]:
    budgets = here.engine.fleet.budgets.values()
    return [each.name for each in sorted(budgets, key=lambda budget: (-(budget.percent or 0), budget.name))]


async def form_of_day(here: Room) -> BudgetForm:
    await here.press("c")
    here.screen(CostsScreen)
    await here.press("s")
    await here.until(lambda: "Which budget?" in here.text(), "the choice")
    assert isinstance(here.app.screen, BudgetsSheet)
    numbered = [f"{number} {name} · " for number, name in enumerate(sorted_by_use(here), 1)]
    assert all(any(line.strip().startswith(words) for line in here.text().splitlines()) for words in numbered)
    await here.press("1")
    await here.until(lambda: "budget day" in here.text(), "the form")
    return here.screen(BudgetForm)


@pytest.mark.parametrize("size", [(45, 20), (200, 50)])
async def test_a_budget_is_raised_by_a_number_and_enter(size: tuple[int, int]) -> None:
    fleet = scenes.watched()
    async with room(fleet, size=size) as here:
        await form_of_day(here)
        await here.press("backspace", "backspace", "backspace", *"200", "enter")
        await here.until(lambda: here.engine.asked, "the order")
        was = rule_of(fleet.budgets["day"])
        assert here.engine.asked == [SetBudget(replace(was, limit=200 * DOLLAR), was)]


async def test_a_preview_orders_nothing_and_leads_back_to_the_form() -> None:
    async with room(scenes.watched(), size=(120, 40)) as here:
        await form_of_day(here)
        await here.press("backspace", "backspace", "backspace", *"200", "up", "2", "down")
        await here.press("enter")
        await here.until(lambda: "nothing is changed; it would be" in here.text(), "the preview")
        assert "limit $160.00 → $200.00" in here.text()
        assert isinstance(here.app.screen, ReportSheet)
        await here.press("q")
        assert isinstance(here.app.screen, BudgetForm)
        assert here.engine.asked == []
        await here.press("escape")


async def test_a_budget_is_removed_after_a_question_and_nonsense_is_said() -> None:
    async with room(scenes.watched(), size=(120, 40)) as here:
        await form_of_day(here)
        await here.press(*"x", "enter")
        await here.until(lambda: 'expected dollars like "2.50"' in here.text(), "what is wrong")
        await here.press("up", "3", "down", "enter")
        await here.until(lambda: "Remove budget day?" in here.text(), "the question")
        assert isinstance(here.app.screen, ConfirmSheet)
        await here.press("y")
        await here.until(lambda: here.engine.asked, "the order")
        assert here.engine.asked == [RemoveBudget("day", rule_of(here.engine.fleet.budgets["day"]))]


async def test_without_budgets_the_form_makes_the_first_one() -> None:
    async with room(scenes.farm(), size=(120, 40)) as here:
        await here.press("c")
        await here.press("s")
        await here.until(lambda: "a new budget" in here.text(), "the form")
        await here.press(*"8", "enter")
        await here.until(lambda: here.engine.asked, "the order")
        (wanted,) = here.engine.asked
        assert isinstance(wanted, SetBudget)
        assert (wanted.rule.name, wanted.rule.limit, wanted.rule.scope) == ("day", 8 * DOLLAR, "fleet")


async def changed(here: Room, budgets: dict[str, Budget]) -> None:
    """Have the fleet's budgets be these, as this front end hears of it."""
    here.engine.become(budgets=budgets)
    await here.until(lambda: here.app.context.fleet.budgets == budgets, "the other budgets")


@pytest.mark.parametrize("do", ["1", "2", "3"], ids=["set", "preview", "remove"])
async def test_a_form_that_stands_open_does_nothing_to_a_budget_that_has_changed(do: str) -> None:
    async with room(scenes.watched(), size=(120, 40)) as here:
        await form_of_day(here)
        day = here.engine.fleet.budgets["day"]
        await changed(here, {**here.engine.fleet.budgets, "day": replace(day, limit=day.limit + 1)})
        await here.press("up", do, "down", "enter")
        await here.until(lambda: "budget day was changed since it was shown" in here.text(), "the refusal")
        assert isinstance(here.app.screen, BudgetForm)
        assert here.engine.asked == []
        await here.press("escape")


async def test_a_question_whether_to_remove_a_budget_is_about_the_one_that_was_shown() -> None:
    async with room(scenes.watched(), size=(120, 40)) as here:
        await form_of_day(here)
        await here.press("up", "3", "down", "enter")
        await here.until(lambda: "Remove budget day?" in here.text(), "the question")
        day = here.engine.fleet.budgets["day"]
        await changed(here, {**here.engine.fleet.budgets, "day": replace(day, limit=day.limit + 1)})
        await here.press("y")
        await here.until(lambda: here.engine.asked, "the order")
        (wanted,) = here.engine.asked
        refused = decide(here.engine.fleet, wanted, 0, NOW)
        assert isinstance(refused, Refused)
        assert refused.reason == "budget day was changed since it was shown: look again"


NOT_A_BUDGET = [
    ("limit", "-5", "expected dollars"),
    ("limit", "0", "more than nothing"),
    ("limit", "nan", "expected dollars"),
    pytest.param("limit", "inf", "expected dollars", marks=pytest.mark.long),
    pytest.param("limit", "1e5", "expected dollars", marks=pytest.mark.long),
    ("limit", "٥", "expected dollars"),
    pytest.param("limit", "５", "expected dollars", marks=pytest.mark.long),
    pytest.param("limit", "0.0000001", "expected dollars", marks=pytest.mark.long),
    ("limit", "9" * 4000, "expected dollars"),
    ("scope", "host vm9", "vm9"),
    pytest.param("scope", "host vm1\u0131", "vm1", marks=pytest.mark.long),
    ("scope", "profile nobody", "nobody"),
    ("scope", "agent vm1/", "binds nobody"),
    pytest.param("scope", "agent  vm1/docs-1", "binds nobody", marks=pytest.mark.long),
    pytest.param("scope", "agent vm1/d\u043ecs-1", "binds nobody", marks=pytest.mark.long),
    ("scope", "fleet x", "is no scope"),
    pytest.param("scope", "x" * 4000, "is no scope", marks=pytest.mark.long),
    ("ladder", "", "expected a ladder"),
    ("ladder", "٩٠:pause", "expected a ladder"),
    pytest.param("ladder", "95:sudo", "a rung does", marks=pytest.mark.long),
    pytest.param("ladder", "0:pause", "1 to 100", marks=pytest.mark.long),
    ("ladder", ",".join(["95:pause"] * 9 + [f"{at}:hold" for at in range(1, 30)]), "twenty"),
]


@pytest.mark.parametrize(("field", "value", "says"), NOT_A_BUDGET)
async def test_what_is_no_budget_is_neither_set_nor_shown_as_one(field: str, value: str, says: str) -> None:
    async with room(scenes.watched(), size=(120, 40)) as here:
        form = await form_of_day(here)
        parts = {each.name_of: each for each in form.query(Field)}
        parts[field].fill(value)
        for do in ("preview", "set"):
            parts["do"].fill(do)
            form.send()
            await here.until(lambda: says in here.text(), "what is wrong")
        assert here.engine.asked == []
        assert here.app.screen is form
        await here.press("escape")


async def test_a_budget_that_stops_nobody_yet_says_so_on_the_screen() -> None:
    async with room(scenes.watched(), size=(200, 50)) as here:
        form = await form_of_day(here)
        parts = {each.name_of: each for each in form.query(Field)}
        parts["scope"].fill("agent vm1/dosc-1")
        parts["do"].fill("preview")
        form.send()
        await here.until(lambda: "there is no agent vm1/dosc-1 yet" in here.text(), "that it stops nobody")
        await here.press("q", "escape")


async def test_a_budget_without_a_ladder_is_given_none_when_it_is_raised() -> None:
    fleet = scenes.watched()
    counting = replace(fleet.budgets["day"], rungs=(), reached=0)
    async with room(replace(fleet, budgets={"day": counting}), size=(120, 40)) as here:
        await form_of_day(here)
        await here.press("0", "enter")
        await here.until(lambda: here.engine.asked, "the order")
        (wanted,) = here.engine.asked
        assert isinstance(wanted, SetBudget)
        assert wanted.rule.rungs == ()


async def test_a_watcher_has_no_form_of_a_budget() -> None:
    async with room(scenes.watched(), size=(120, 40), engine=for_watchers(scenes.watched())) as here:
        await here.until(lambda: here.app.context.view.read_only, "that it may only look")
        await here.press("c", "s")
        assert isinstance(here.app.screen, CostsScreen)


async def test_alarms_say_what_to_do() -> None:
    fleet = scenes.watched()
    gone = {"budget day": Alarm("budget day is gone", AlarmLevel.DANGER, NOW, kind=AlarmKind.BUDGET, subject="day")}
    async with room(replace(fleet, alarms=gone), size=(120, 40)) as here:
        await here.press("w")
        await here.until(lambda: "controlroom budget set day --limit" in here.text(), "what to do")
