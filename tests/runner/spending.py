"""An agent whose scripted Claude spends, and what it says that it spent."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from controlroom.runner.money.grant_file import RunCeilings
from controlroom.wire.spec import AgentSpec
from tests.lab.agent_under_test import Agent
from tests.lab.price_files import MARK, put_grant

SPENDER = str(Path(__file__).with_name("spender.py"))

DOLLAR = 1_000_000


class Spender(Agent):
    """A runner around a scripted Claude that sends messages of a dollar each."""

    def __init__(self, state: Path, name: str, **plan: Any) -> None:
        self.truth = state / f"{name}.truth"
        kind = plan.pop("kind", "headless")
        told = json.dumps({"truth": str(self.truth), **plan})
        spec = AgentSpec(kind, (sys.executable, SPENDER, told))
        super().__init__(state / "agents" / f"{name}.1", spec, login={**os.environ, "ANTHROPIC_API_KEY": "k"})

    def given(self, number: int, *, spawned: bool = True, **terms: Any) -> RunCeilings:
        """Write its grant down, as the node does; `spawned`: it begins with it."""
        given = RunCeilings(number, prices=MARK)._replace(**terms)
        put_grant(self.folder, given)
        if spawned:
            self.order["grant"] = number
            self.write_order()
        return given

    def begun(self) -> int:
        """How many messages have begun."""
        return self.truth.read_text().split().count("begun") if self.truth.exists() else 0
