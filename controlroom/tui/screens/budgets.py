"""Budgets on the screen: which one, then a form that sets, raises, previews or removes it."""

from collections.abc import Sequence
from dataclasses import replace

from textual.app import ComposeResult
from textual.containers import Vertical

from controlroom.domain.budgets import PERIODS, Budget, BudgetUnit, Period
from controlroom.domain.decide import Refused, decide
from controlroom.domain.display.bars import doing
from controlroom.domain.display.views import Line
from controlroom.domain.intents import Intent, RemoveBudget, SetBudget
from controlroom.domain.model import Fleet
from controlroom.domain.money.allotment import MONEY
from controlroom.domain.money.budget import (
    BudgetRule,
    amount,
    described,
    ladder,
    read_ladder,
    read_limit,
    written_limit,
)
from controlroom.domain.money.ladder import previewed, rule_of, waits_for
from controlroom.domain.words import percent
from controlroom.tui.screens.dialogs import Choices, ConfirmSheet, PickSheet, ReportSheet, Sheet, Words
from controlroom.tui.screens.forms import Form
from controlroom.tui.widgets.fields import Choice, Field, OneLine
from controlroom.tui.widgets.headings import Rule

_NEW = "+"
_MOST = 9
"""Budgets that have a digit."""


class BudgetsSheet(PickSheet):
    """Which budget it is about; a digit chooses."""

    def __init__(self, budgets: Sequence[Budget]) -> None:
        super().__init__()
        self._budgets, self._more = budgets[:_MOST], budgets[_MOST:]

    def compose(self) -> ComposeResult:
        """A line each, then the keys."""
        with Vertical(classes="sheet"):
            yield Rule(id="heading")
            more = [f"and {len(self._more)} more, by controlroom budget set NAME"] if self._more else []
            yield Words("Which budget?", "\n".join([*map(_line, enumerate(self._budgets, 1)), *more]))
            numbers = [(str(number), budget.name) for number, budget in enumerate(self._budgets, 1)]
            yield Choices([*numbers, (_NEW, "a new one"), ("q", "leave it")])

    def take(self, key: str) -> None:
        """Open the form of a budget, or that of a new one."""
        if key == _NEW or (key.isdecimal() and 0 < int(key) <= len(self._budgets)):
            self.dismiss()
            names = [budget.name for budget in (*self._budgets, *self._more)]
            self.app.push_screen(BudgetForm(None if key == _NEW else self._budgets[int(key) - 1], names))


def _line(numbered: tuple[int, Budget]) -> str:
    number, budget = numbered
    gone = f"{percent(budget.percent)} of {amount(budget.limit, budget.unit)}"
    return " · ".join(filter(None, (f"{number} {budget.name}", budget.scope, gone, doing(budget))))


def choose_budget(fleet: Fleet) -> Sheet:
    """What opens first: the form where there is nothing to choose from, else the choice. Ceilings of leads stay."""
    changeable = (budget for budget in fleet.budgets.values() if budget.period is not Period.EVER)
    budgets = sorted(changeable, key=lambda budget: (-(budget.percent or 0), budget.name))
    return BudgetsSheet(budgets) if budgets else BudgetForm(None, ())


class BudgetForm(Form):
    """Everything about one budget. The limit is filled first: to raise it takes a number and Enter."""

    go = "do it"

    def __init__(self, budget: Budget | None, names: Sequence[str]) -> None:
        """`budget`: the one to change; None: a new one, with none of the `names` that are taken."""
        self._budget, self._names = budget, names
        self.heading = f"budget {budget.name}" if budget else "a new budget"
        super().__init__()

    def fields(self) -> list[Field]:
        """The limit last; what has begun keeps its unit."""
        rule = rule_of(self._budget) if self._budget else BudgetRule("day", 0)
        free = "" if "day" in self._names else "day"
        new: list[Field] = [] if self._budget else [OneLine("name", free), Choice("unit", MONEY, rule.unit)]
        ways = ["set", "preview"] if self._budget is None else ["set", "preview", "remove"]
        return [
            *new,
            OneLine("scope", rule.scope, hint="fleet, host NAME, profile NAME or agent HOST/NAME"),
            *([Choice("period", PERIODS, rule.period)] if rule.unit is not BudgetUnit.WINDOW else []),
            OneLine("ladder", ladder(rule.rungs)),
            Choice("armed", ["armed", "disarmed"], "disarmed" if rule.dry_run else "armed"),
            Choice("do", ways, "set"),
            OneLine("limit", written_limit(rule.limit, rule.unit) if rule.limit else "", hint=_hint(rule.unit)),
        ]

    def rule(self) -> BudgetRule | str:
        """The budget as the form has it, or what is wrong with it."""
        rule = rule_of(self._budget) if self._budget else BudgetRule(self.value("name").strip(), 0)
        unit = rule.unit if self._budget else BudgetUnit(self.value("unit"))
        period = rule.period if unit is BudgetUnit.WINDOW else Period(self.value("period"))
        try:
            written, limit = self.value("ladder"), read_limit(self.value("limit"), unit)
            rungs = rule.rungs if written == ladder(rule.rungs) else read_ladder(written)
        except ValueError as error:
            return str(error)
        scope, disarmed = self.value("scope").strip(), self.value("armed") == "disarmed"
        return replace(rule, limit=limit, unit=unit, period=period, rungs=rungs, scope=scope, dry_run=disarmed)

    def intent(self) -> Intent | str:
        """What is chosen: a preview is of what would be set."""
        was = rule_of(self._budget) if self._budget else None
        if was and self.value("do") == "remove":
            return self._unless_refused(RemoveBudget(was.name, was))
        wanted = self.rule()
        return wanted if isinstance(wanted, str) else self._unless_refused(SetBudget(wanted, was, new=was is None))

    def _unless_refused(self, wanted: Intent) -> Intent | str:
        decision = decide(self.context.fleet, wanted, 0, self.context.view.now)
        return decision.reason if isinstance(decision, Refused) else wanted

    def done(self) -> str:
        """How it stands now, and what it waits for."""
        wanted = self.rule()
        if isinstance(wanted, str):
            return ""
        note = waits_for(wanted, self.context.fleet)
        return f"budget {wanted.name}: {described(wanted)}" + (f"; {note}" if note else "")

    def send(self) -> None:
        """Do what is chosen: a preview stays over the form, a removal is asked about."""
        wanted = self.intent()
        if isinstance(wanted, RemoveBudget):
            self.finish()
            title, text = f"Remove budget {wanted.name}?", "What it has paused goes on."
            self.app.push_screen(ConfirmSheet(title, text, "remove", wanted, f"budget {wanted.name} is removed"))
        elif isinstance(wanted, SetBudget) and self.value("do") == "preview":
            words = [*previewed(self._budget, wanted.rule), waits_for(wanted.rule, self.context.fleet)]
            told = [Line("", line.strip()) for line in words if line]
            self.app.push_screen(ReportSheet(f"preview of budget {wanted.name}", told))
        else:
            super().send()

    def leave(self) -> None:
        """Close; a limit is no draft to come back to."""
        self.dismiss()


def _hint(unit: BudgetUnit) -> str:
    return {"tokens": "tokens like 5M", "window": "per cent like 85"}.get(unit, "dollars like 8; tokens like 5M")
