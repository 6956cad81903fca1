"""A run with a grant, and what it spends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from controlroom.runner.money.grant_file import RunCeilings
from controlroom.runner.money.run_budget import RunBudget
from controlroom.runner.money.run_spend import RunSpend
from tests.lab.price_files import MARK, put_grant, put_prices
from tests.runner.usage import BEGAN, SESSION, Claude


class Room:
    """An agent's folder, its Claude's files, and two clocks."""

    def __init__(self, folder: Path) -> None:
        self.claude = Claude(folder)
        self.folder = folder / "state" / "agents" / "a.1"
        self.folder.mkdir(parents=True)
        put_prices(folder / "state")
        self.now, self.wall = 1000.0, BEGAN
        self.slept = 0.0

    def grant(self, number: int, *, lasts: int = 0, **terms: Any) -> RunCeilings:
        """Write one down, as the node does."""
        given = RunCeilings(number, until=self.wall + lasts if lasts else 0, lasts=lasts, prices=MARK)._replace(**terms)
        put_grant(self.folder, given)
        return given

    def begin(self, expected: int = 0, billing: str = "api") -> RunBudget:
        budget = RunBudget(expected, metered=True, since_boot=lambda: self.now + self.slept)
        assert budget.begin(billing, self.now, self.wall) == ""
        spend = RunSpend(str(self.claude.config), str(self.claude.cwd), SESSION, lambda: self.wall)
        budget.watch(spend, lambda: SESSION, self.now, billing)
        return budget

    def after(self, budget: RunBudget, seconds: float) -> str:
        """What it says so much later, asked as often as it wants to be."""
        until = self.now + seconds
        while True:
            why = budget.due(self.now)
            if why or budget.wakes_at > until:
                self.now = self.now if why else until
                return why
            self.now = max(self.now + 0.001, budget.wakes_at)


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Room:
    made = Room(tmp_path)
    monkeypatch.chdir(made.folder)
    return made
