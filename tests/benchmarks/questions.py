"""The screen of open questions, with many of them: who asks alike, drawing, a key, the list, what a rule would answer.

    python -m tests.benchmarks.questions [--questions 200] [--rounds 20]

The real screen on an engine in memory, without a terminal. Half of the agents ask the same, each of the others another
thing.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median

from controlroom.domain.model import Fleet, State
from controlroom.domain.open_questions import alike
from controlroom.domain.orders import Work
from controlroom.domain.permissions.coverage import coverage
from controlroom.domain.permissions.judge import NO_RULES
from controlroom.domain.permissions.rules import Rule, RuleVerdict
from controlroom.tui.screens.many import Listed
from controlroom.tui.screens.questions import QuestionsScreen
from tests.benchmarks.figures import load
from tests.benchmarks.table import print_table
from tests.tui import scenes
from tests.tui.room import Room, room

Row = tuple[str, str, str]


def main(argv: list[str]) -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args(argv)
    asking = fleet(options.questions)
    rule = Rule("make", RuleVerdict.ALLOW, "Bash", "make deploy")
    rows = [
        ("who asks alike", measured(lambda: alike(asking), options.rounds), ""),
        ("what a rule would answer", measured(lambda: coverage(asking, NO_RULES, [rule], 0, {}), options.rounds), ""),
    ]
    for size in ((45, 20), (200, 50)):
        rows += asyncio.run(drawn(asking, size, options.rounds))
    print_table(f"{options.questions} open questions, {load()}", rows)


def fleet(count: int) -> Fleet:
    """So many who ask."""
    made = scenes.farm()
    agents = {}
    for number in range(count):
        command = "make deploy" if number % 2 else f"make -C part-{number} deploy"
        asked = scenes.permission(f"run: {command}", command, 9, f"q-{number}")
        told = json.dumps({"command": command, "description": f"The reason of {number}"})
        agent = scenes.agent(f"web-{number}", "vm1", State.WAITING, 9, question=replace(asked, input=told))
        agents[agent.id] = replace(agent, ordered=Work(agent.kind, agent.profile, agent.model, agent.cwd))
    return replace(made, agents=agents)


async def drawn(asking: Fleet, size: tuple[int, int], rounds: int) -> list[Row]:
    """What the screen takes at a size."""
    async with room(asking, size=size) as here:
        await here.press("!")
        screen = here.screen(QuestionsScreen)
        title = f"{size[0]}x{size[1]}"
        rows = [(f"{title}: shown anew", measured(lambda: screen.see(screen.view), rounds), "")]
        moved = [await pressed(here, "j") for _ in range(5)]
        rows.append((f"{title}: a key, until all is calm", f"{median(moved):.0f} ms", ""))
        listing = next(asked for asked in screen.table.rows if len(asked.whom) > 1)
        screen.table.choose(listing.id)
        rows.append((f"{title}: the list", f"{await pressed(here, 'y'):.0f} ms", ""))
        listed = here.app.screen.query_one(Listed)
        rows.append((f"{title}: the list turned", measured(lambda: listed.build(*listed.size), rounds), ""))
        return rows


async def pressed(here: Room, key: str) -> float:
    """Milliseconds from a key until nothing is on its way any more."""
    began = time.perf_counter()
    await here.pilot.press(key)
    await here.calm()
    return (time.perf_counter() - began) * 1000


def measured(do: Callable[[], object], rounds: int) -> str:
    """The median of some rounds."""
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        do()
        taken.append((time.perf_counter() - began) * 1000)
    return f"{median(taken):.1f} ms"


if __name__ == "__main__":
    main(sys.argv[1:])
