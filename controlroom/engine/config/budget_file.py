"""Budgets that `budget set` was told: budgets.toml beside config.toml, written whole, in one step."""

from controlroom.domain.money.budget import BudgetRule
from controlroom.engine.config.money_settings import Budgets, BudgetsFile, rule_of, table_of
from controlroom.engine.config.toml_file import ConfigProblem, write
from controlroom.engine.config.toml_tables import read
from controlroom.protocol.home import Home

_HEAD = """\
# Written by `controlroom budget set` and `controlroom budget remove`: what you write here by hand may be lost.
# Budgets of your own go into config.toml beside it, which Control Room never writes.

"""


def rules(home: Home, own: Budgets) -> dict[str, BudgetRule]:
    """Give all budgets, those of config.toml (`own`) and those that were set. Raises `ConfigProblem`."""
    told = read(home.budgets, BudgetsFile).budgets
    for name in told:
        if name in own:
            raise ConfigProblem(f"{home.budgets}: budgets.{name}: it stands in config.toml too; take one of them out")
    return {name: rule_of(name, table) for name, table in (own | told).items()}


def keep(home: Home, rule: BudgetRule) -> None:
    """Write a budget into budgets.toml. Raises `ConfigProblem`; the file is then as it was."""
    _write(home, {**_told(home), rule.name: rule})


def drop(home: Home, name: str) -> None:
    """Take a budget out of budgets.toml. Raises `ConfigProblem`; the file is then as it was."""
    told = _told(home)
    if told.pop(name, None) is not None:
        _write(home, told)


def _told(home: Home) -> dict[str, BudgetRule]:
    return {name: rule_of(name, table) for name, table in read(home.budgets, BudgetsFile).budgets.items()}


def _write(home: Home, told: dict[str, BudgetRule]) -> None:
    tables = {name: table_of(rule) for name, rule in sorted(told.items())}
    write(home.budgets, _HEAD, {"budgets": tables} if tables else {})
