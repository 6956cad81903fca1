"""The settings of budgets: what holds for all of them, each one as a table, and what budgets.toml holds."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticKnownError

from controlroom.domain.budgets import ORDERS, PERIODS, BudgetUnit, Period, Rung, RungAction, StopOrder
from controlroom.domain.money.budget import (
    ACTIONS,
    LADDER,
    NAME,
    BudgetRule,
    ladder,
    problem,
    read_limit,
    scope_problem,
    sorted_rungs,
    written_limit,
)
from controlroom.engine.config.toml_tables import Table
from controlroom.text.states import OpenStrEnum
from controlroom.text.time_zones import zone_of

PERIOD = "period"
"""Agents may run on alone to the end of the shortest period that binds them."""


def _zone(value: str) -> str:
    if value and zone_of(value) is None:
        raise ValueError(f'{ascii(value)[:60]} is no time zone: say one like "Europe/Berlin"')
    return value


def _alone(value: object) -> object:
    hours = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= 24 * 366
    if value != PERIOD and not hours:
        raise ValueError('expected "period" or hours like 6')
    return value


def _limit(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError('expected dollars like "8" or "2.50"')
    return format(value, "f").rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _scope(value: str) -> str:
    if wrong := scope_problem(value):
        raise ValueError(wrong)
    return value


class MoneyTable(Table):
    """What holds for all budgets."""

    time_zone: Annotated[str, AfterValidator(_zone)] = Field(
        "", description='where days begin, like "Europe/Berlin"; empty: this machine\'s time zone'
    )
    alone: Annotated[str | float, BeforeValidator(_alone)] = Field(
        PERIOD,
        description='how long agents may run on without the engine: "period" (to the end of the shortest budget period '
        "that binds them), or hours",
    )
    unordered: int = Field(
        100,
        ge=1,
        le=1_000_000,
        description="dollars an hour that one host may claim for agents that this room did not start (ten times that "
        "in a day; five times that for each agent that it started and no budget binds); what is beyond is set aside",
    )
    cheaper: list[str] = Field(
        ["opus", "sonnet", "haiku"], description="models from dear to cheap, for budgets that go cheaper"
    )


def _of(members: Sequence[OpenStrEnum]) -> BeforeValidator:
    """A check that a word is one of these: an open set takes all others for its unknown member."""

    def check(value: object) -> OpenStrEnum:
        if value not in members:
            raise PydanticKnownError("enum", {"expected": ", ".join(f"'{member}'" for member in members)})
        return type(members[0])(value)

    return BeforeValidator(check)


class RungTable(Table):
    """What is done when so much of a budget is gone."""

    at: int = Field(ge=1, le=100, description="per cent")
    do: Annotated[RungAction, _of(ACTIONS)] = Field(description="what is done")


class BudgetTable(Table):
    """A limit on what is spent, and what is done on the way to it."""

    limit: Annotated[str, BeforeValidator(_limit)] = Field(
        description='dollars like "8" or "2.50"; tokens like "5M"; per cent of a plan\'s window like "85"'
    )
    period: Annotated[Period, _of(PERIODS)] = Field(Period.DAY, description="hour, day, week or month")
    scope: Annotated[str, AfterValidator(_scope)] = Field(
        "fleet", description='whose: "fleet", "host NAME", "profile NAME" or "agent HOST/NAME"'
    )
    unit: BudgetUnit = Field(
        BudgetUnit.BILLED,
        strict=False,
        description="billed (what keys pay), covered (list price of what plans cover), tokens, or window "
        "(per cent of a plan's window)",
    )
    window: str = Field("", description='which window of a plan, like "five_hour" or "seven_day"')
    ladder: list[RungTable] = Field(
        [RungTable(at=rung.percent, do=rung.action) for rung in LADDER],
        description="what is done when so many per cent are gone: notify, hold (no new work), cheaper (new work goes "
        "to cheaper models), pause, interrupt, stop",
    )
    order: Annotated[StopOrder, _of(ORDERS)] = Field(
        StopOrder.PRIORITY,
        description="priority: agents of profiles with a lower priority are ended first; all: all at once",
    )
    command: list[str] = Field(
        [], description="what to run on this machine when a rung is reached, word by word; facts on stdin as JSON"
    )
    dry_run: bool = Field(False, description="disarmed: only say what would be done")

    @model_validator(mode="after")
    def _can_be(self) -> "BudgetTable":
        if wrong := problem(rule_of("budget", self)):
            raise ValueError(wrong)
        return self


Budgets = dict[str, BudgetTable]


def _budget_names(value: Budgets) -> Budgets:
    for name in value:
        if not NAME.fullmatch(name):
            raise ValueError(f"{ascii(name)[:60]} cannot name a budget: use 1 to 41 of a-z 0-9 _ -")
    return value


OwnBudgets = Annotated[Budgets, AfterValidator(_budget_names)]


class BudgetsFile(Table):
    """All of budgets.toml."""

    budgets: Budgets = Field({}, description="limits on what is spent")


def rule_of(name: str, table: BudgetTable) -> BudgetRule:
    """Return a budget in the engine's terms. Raises `ValueError` for a limit that cannot be."""
    return BudgetRule(
        name,
        read_limit(table.limit, table.unit),
        table.period,
        table.scope,
        table.unit,
        table.window,
        sorted_rungs(Rung(rung.at, rung.do) for rung in table.ladder),
        table.order,
        tuple(table.command),
        table.dry_run,
    )


def table_of(rule: BudgetRule) -> dict[str, Any]:
    """Return a budget as it is written into budgets.toml: what is as by default is left out."""
    whole = {
        "limit": written_limit(rule.limit, rule.unit),
        "period": str(rule.period),
        "scope": rule.scope,
        "unit": str(rule.unit),
        "window": rule.window,
        "order": str(rule.order),
        "command": list(rule.command),
        "dry_run": rule.dry_run,
    }
    default = {name: BudgetTable.model_fields[name].default for name in whole}
    changed = {name: value for name, value in whole.items() if value != default[name]}
    if ladder(rule.rungs) != ladder(LADDER):
        changed["ladder"] = [{"at": rung.percent, "do": rung.action} for rung in rule.rungs]
    return changed
