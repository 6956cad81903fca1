"""Budgets on the screen: chosen, raised, previewed, removed, made anew."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlroom.domain.gauges import Alarm, AlarmKind, AlarmLevel
from controlroom.domain.intents import RemoveBudget, SetBudget
from controlroom.domain.money.ladder import rule_of
from controlroom.tui.screens.budgets import BudgetForm, BudgetsSheet
from controlroom.tui.screens.costs import CostsScreen
from controlroom.tui.screens.dialogs import ConfirmSheet, ReportSheet
from tests.tui import scenes
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
        assert here.engine.asked == [SetBudget(replace(rule_of(fleet.budgets["day"]), limit=200 * DOLLAR))]


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
        assert here.engine.asked == [RemoveBudget("day")]


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


async def test_alarms_say_what_to_do() -> None:
    fleet = scenes.watched()
    gone = {"budget day": Alarm("budget day is gone", AlarmLevel.DANGER, NOW, kind=AlarmKind.BUDGET)}
    async with room(replace(fleet, alarms=gone), size=(120, 40)) as here:
        await here.press("w")
        await here.until(lambda: "controlroom budget set day --limit" in here.text(), "what to do")
