"""python -m tests.benchmarks.usage: metering cold, and every view over a million messages."""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from controlroom.domain.calculators.comparison import Terms
from controlroom.domain.calculators.estimate import Wish
from controlroom.domain.model import Fleet
from controlroom.domain.money.costs import BY, HOURLY
from controlroom.engine.budgets.advisor import compared, estimated
from controlroom.engine.ledger.ledger import Ledger
from controlroom.engine.ledger.usage_tables import TOTALS, Booking, Source, book
from controlroom.engine.ledger.usage_views import costs, hours, plan_spend
from controlroom.engine.limits.api_limits import messages_since
from controlroom.metering.prices import Cost
from controlroom.metering.usage import Message, Usage
from controlroom.metering.usage_file import Report
from controlroom.protocol.home import Home
from controlroom.protocol.messages import AskComparison, AskEstimate
from controlroom.runner.money.usage_meter import UsageMeter
from tests.benchmarks.table import print_table

SESSION = "11111111-2222-4333-8444-555555555555"
AT = 1_795_348_800_000
HOUR, DAY = 3_600_000, 86_400_000
AGENTS, MODELS = 200, ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5")


def cpu(work: Callable[[], object]) -> float:
    """Seconds of processor that something takes."""
    began = time.process_time()
    work()
    return time.process_time() - began


def transcript(folder: Path, megabytes: int, generator: random.Random) -> Path:
    """A transcript as sessions make them: mostly prompts, tools and requests, one line in eight an answer."""
    path = folder / ".claude" / "projects" / "-p" / f"{SESSION}.jsonl"
    path.parent.mkdir(parents=True)
    filler = json.dumps({"type": "user", "message": {"content": "x" * 18_000}}).encode() + b"\n"
    usage = {"input_tokens": 3, "output_tokens": 20, "cache_read_input_tokens": 12_000}
    with open(path, "wb") as file:
        number = 0
        while file.tell() < megabytes * 1024 * 1024:
            number += 1
            content = "y" * generator.randrange(500, 3000)
            message = {"id": f"msg_{number}", "model": MODELS[0], "usage": usage, "content": content}
            entry = {"type": "assistant", "requestId": f"req_{number}", "timestamp": "2026-11-22T05:00:00Z"}
            file.write(filler * 7 + json.dumps(entry | {"message": message}).encode() + b"\n")
    return path


def look_often(meter: UsageMeter) -> None:
    """A thousand looks."""
    for _ in range(1000):
        meter.look(SESSION)


def metering(megabytes: int, generator: random.Random) -> list[tuple[str, str, str]]:
    """Reading transcripts cold, and again when nothing is new."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = transcript(folder, megabytes, generator).stat().st_size
        os.chdir(folder)
        meter = UsageMeter(str(folder / ".claude"), "/p", clock=lambda: AT, random=os.urandom)
        cold = cpu(lambda: meter.finish(SESSION))
        warm = cpu(lambda: look_often(meter)) / 1000
        os.chdir("/")
    return [
        ("transcripts, cold, one core", f"{size / cold / 1e6:.0f} MB/s", ">= 250 MB/s"),
        ("a look when nothing is new", f"{warm * 1e6:.0f} µs", "nothing measurable"),
    ]


def drawn(generator: random.Random) -> Usage:
    """What a request of an agent at work uses: long prompts out of the cache, short answers, both of all sizes."""
    output, written, read = (int(generator.lognormvariate(*each)) for each in ((5.5, 1), (6, 1), (10, 0.8)))
    return Usage(3, output, written, 0, read)


def fill(ledger: Ledger, count: int, generator: random.Random) -> None:
    """Book messages of thirty days: each agent works an hour at a time, as people's agents do.

    One in fifty was cut off, and each run reports a little more than its messages, twenty times.
    """
    sources = [
        Source(f"vm{n % 2}", f"agent-{n}", f"profile-{n % 5}", f"/src/{n % 20}", ("api", "plan")[n % 2])
        for n in range(AGENTS)
    ]
    for start in range(0, count, 1000):
        bookings, run, cost = [], f"{start // 1000:015x}", 0
        reports = []
        for number in range(start, start + 1000):
            at = AT + start * 30 * DAY // count + (number - start) % 50 * 72_000 + number % 1000 // 50 * HOUR
            model, usage = generator.choice(MODELS), drawn(generator)
            cut = number % 50 == 7
            message = Message(f"msg_{number}", f"req_{number}", at, model, usage, estimated=cut, run=run)
            bookings.append(Booking(message, Cost(generator.randrange(10**9, 10**11), True), at))
            cost += bookings[-1].cost.pico + 10**9
            if number % 50 == 49:
                reports.append(Report(run, cost, at))
        source = sources[start // 1000 % AGENTS]
        ran = source.host, source.agent, 0, bookings[0].at, source.profile, bookings[-1].at, 0
        ledger.booked(book(source, bookings, reports)).result(60)
        ledger.booked([("insert into agent_runs values (?, ?, ?, ?, ?, ?, ?)", ran)]).result(60)


def timed(looks: Mapping[str, Callable[[], object]]) -> list[tuple[str, str, str]]:
    """What each of some views takes when it is not the first."""
    least = {what: min(cpu(look) for _ in range(3)) for what, look in looks.items()}
    return [(what, f"{spent * 1000:.0f} ms", "<= 100 ms") for what, spent in least.items()]


def sums(ledger: Ledger) -> list[tuple[str, str, str]]:
    """Every view of what was spent."""
    end = AT + 30 * DAY
    return timed(
        {f"costs by {by}": partial(costs, ledger, by, 0, 2 * AT) for by in BY}
        | {f"agent-hours by {by}": partial(hours, ledger, by, 0, 2 * AT, {}) for by in HOURLY}
        | {
            "what a host's agents have spent": lambda: ledger.read(TOTALS, ("vm0",)),
            "who used five hours of a plan": lambda: plan_spend(ledger, end - 5 * HOUR, end),
            "who used a week of a plan": lambda: plan_spend(ledger, end - 7 * DAY, end),
            "what keys used in the last minutes": lambda: messages_since(ledger, end - 5 * 60_000),
        }
    )


def advice(ledger: Ledger, folder: Path) -> list[tuple[str, str, str]]:
    """What the engine answers to `plan` and `estimate`, by its own prices."""
    end, home = AT + 30 * DAY, Home(folder, folder, folder)
    plan, wish = AskComparison(1, 30, Terms()), AskEstimate(1, Wish(10, 8, 30))
    first = cpu(lambda: compared(home, ledger, Fleet(), plan, end))
    looks = {
        "plan": lambda: compared(home, ledger, Fleet(), plan, end),
        "plan, from the middle of a day on": lambda: compared(home, ledger, Fleet(), plan, end - DAY // 3),
        "estimate": lambda: estimated(home, ledger, Fleet(), wish, end),
    }
    return [("plan, when the limits of prices have changed", f"{first:.1f} s", ""), *timed(looks)]


def views(count: int, generator: random.Random) -> list[tuple[str, str, str]]:
    """Every view, and opening the ledger."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "ledger.db"
        ledger = Ledger(path, "room")
        began = time.perf_counter()
        fill(ledger, count, generator)
        took = time.perf_counter() - began
        size = sum(file.stat().st_size for file in Path(name).iterdir())
        rows = [
            ("booking", f"{count / took:.0f} messages/s", ""),
            ("ledger", f"{size / count:.0f} bytes a message", ""),
        ]
        rows += [*sums(ledger), *advice(ledger, Path(name))]
        ledger.close()
        opened = cpu(lambda: Ledger(path, "room").close())
        return [*rows, ("opening the ledger", f"{opened:.2f} s", "<= 1 s")]


def main() -> None:
    """Measure with the sizes given, or as they are asked for."""
    megabytes, count = (int(word) for word in (sys.argv[1:] or ["500", "1000000"]))
    generator = random.Random(1)
    print_table("Metering and costs", [*metering(megabytes, generator), *views(count, generator)])


if __name__ == "__main__":
    main()
