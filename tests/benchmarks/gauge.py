"""How soon what a host has written down stands in a gauge: `python -m tests.benchmarks.gauge [AGENTS]`.

A real engine and node on this machine, scripted Claudes with a message a second each. The time is from a line in an
agent's usage file to the budget's gauge in a front end; and what the budget controller needs to
look at 200 agents.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from controlroom.client.client import Client
from controlroom.domain.budgets import BudgetUnit
from controlroom.domain.intents import KillAgent, SetBudget, SpawnAgent
from controlroom.domain.model import LinkState
from controlroom.domain.money.allotment import Fund, Run, RunGrant
from controlroom.domain.money.budget import BudgetRule
from controlroom.protocol.home import find_home
from controlroom.runner.folder import state_folder
from controlroom.text.states import Payer
from tests.benchmarks.table import print_table
from tests.domain.worlds import share_out

SPENDER = Path(__file__).parents[1] / "runner" / "spender.py"
DOLLAR = 1_000_000
MESSAGES = 20


async def measure(agents: int) -> None:
    """Let agents spend, and see when the gauge shows it."""
    place = find_home(os.environ)
    place.prepare()
    work = json.dumps([sys.executable, str(SPENDER), json.dumps({"pace": 1.0, "output": 2500, "late": 0.2})])
    place.config.write_text(f'[profiles.busy]\ncommand = {work}\nenv = {{ ANTHROPIC_API_KEY = "k" }}\n')
    place.config.chmod(0o600)
    client = await Client.connect()
    while client.fleet.hosts["local"].link is not LinkState.UP:
        await client.changed()
    assert (await client.submit(SetBudget(BudgetRule("day", 1000 * DOLLAR)))).ok
    for number in range(agents):
        outcome = await client.submit(SpawnAgent(f"a{number}", "spend", "local", profile="busy"))
        assert outcome.ok, outcome.reason
    folder = Path(state_folder(dict(os.environ), place.namespace), "agents")
    written: list[float] = []
    shown: list[float] = []
    spent, end = 0, time.monotonic() + 90
    while len(shown) < MESSAGES * agents and time.monotonic() < end:
        lines = count_lines(folder)
        written += [time.monotonic()] * (lines - len(written))
        now = (client.fleet.budgets["day"].spent or 0) // 50_000
        shown += [time.monotonic()] * (now - spent)
        spent = max(spent, now)
        await asyncio.sleep(0.003)
    delays = [later - earlier for earlier, later in zip(written, shown, strict=False)]
    print_table(
        f"{agents} agents, {len(delays)} messages",
        [
            ("usage line on the host → gauge, median", f"{statistics.median(delays):.2f} s", "≤ 1 s"),
            ("usage line on the host → gauge, longest", f"{max(delays):.2f} s", "≤ 1 s"),
        ],
    )
    for agent in list(client.fleet.agents.values()):
        await client.submit(KillAgent(agent.id, agent.epoch))
    await client.stop_engine()
    await client.close()


def count_lines(folder: Path) -> int:
    """Count what all usage files hold."""
    return sum(path.read_bytes().count(b"\n") for path in folder.glob("*/usage.jsonl"))


def look(agents: int) -> None:
    """Share four budgets out among agents."""
    rules = [
        BudgetRule("day", 800 * DOLLAR),
        BudgetRule("week", 4000 * DOLLAR),
        BudgetRule("host", DOLLAR, scope="host vm1"),
    ]
    funds = [
        Fund(rule, 0, 10**9, 100 * DOLLAR) for rule in [*rules, BudgetRule("tokens", 10**9, unit=BudgetUnit.TOKENS)]
    ]
    runs = [
        Run(
            f"vm{n % 5}",
            f"a{n}",
            1,
            billing=Payer.API,
            booked=n * 1000,
            grants=(RunGrant(n, n * 1000 + DOLLAR, ends=9),),
        )
        for n in range(agents)
    ]
    began = time.perf_counter()
    shares = share_out(funds, runs, {})
    seconds = time.perf_counter() - began
    print_table("Sharing out", [(f"{agents} agents, 4 budgets, {len(shares)} grants", f"{1000 * seconds:.1f} ms", "")])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="cr-") as directory:
        (Path(directory) / "home").mkdir()
        os.environ |= {"HOME": f"{directory}/home", "CONTROLROOM_HOME": f"{directory}/room"}
        asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
    look(200)
