"""What a fleet of a given size would need, for people and for scripts."""

import argparse
import asyncio
from collections.abc import Callable

from controlroom.cli import output
from controlroom.cli.entry_points import EntryPoints
from controlroom.cli.exits import Exit
from controlroom.cli.room import wait_settled
from controlroom.client.client import Client, EngineUnavailable, Estimated
from controlroom.domain.calculators.estimate import Estimate, TierFit, Wish, as_table
from controlroom.domain.calculators.offers import cheapest
from controlroom.domain.words import count, dollars, percent

SETTLING = 3.0
"""Seconds for a fresh engine to hear from its hosts what agents need there."""

_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "CHF": "CHF "}


def estimate(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Estimate requests, dollars and machines."""
    wish = Wish(
        args.agents,
        args.hours,
        args.requests_per_hour,
        args.model,
        args.days,
        args.input_tokens,
        args.output_tokens,
        args.cache_hit,
    )
    answer = entry_points.estimate(wish) if args.offline else asyncio.run(_ask(wish, entry_points.estimate))
    if answer.estimate is None:
        output.talk(answer.reason)
        return Exit.REFUSED
    if args.json:
        output.json_data(as_table(wish, answer.estimate))
    else:
        show(wish, answer.estimate)
    return Exit.DONE


async def _ask(wish: Wish, offline: Callable[[Wish], Estimated]) -> Estimated:
    """Ask the engine, which knows what was measured; without one, the data files say what is usual."""
    try:
        client = await Client.connect(role="cli")
        try:
            await wait_settled(client, seconds=SETTLING)
            return await client.estimate(wish)
        finally:
            await client.close()
    except EngineUnavailable as problem:
        output.talk(f"nothing that was measured is counted: {problem}")
        return await asyncio.to_thread(offline, wish)


def show(wish: Wish, found: Estimate) -> None:
    """Print an estimate: dollars, tiers, machines, then everything that was taken for granted."""
    output.paragraph(
        f"{found.model}: {wish.agents} agents, {wish.hours:g} hours a day, {wish.per_hour:g} requests an hour each: "
        f"{found.requests_a_minute:.4g} requests a minute, {count(found.requests_a_month)} a month"
    )
    output.data("")
    _cases(found)
    output.data("")
    _tiers(found)
    output.data("")
    _machines(found)
    for sentence in found.said:
        output.note(sentence)


def _cases(found: Estimate) -> None:
    rows: list[tuple[str, ...]] = [("CASE", "PROMPT", "ANSWER", "IN/M", "OUT/M", "A MONTH")]
    for case in found.cases:
        rates = (count(round(case.input_a_minute)), count(round(case.output_a_minute)))
        rows.append((case.name, count(case.prompt), count(case.output), *rates, dollars(case.month)))
    if found.mean is not None:
        rows.append(("mean", "", "", "", "", dollars(found.mean)))
    output.table(rows, right=frozenset(range(1, 6)))


def _tiers(found: Estimate) -> None:
    rows: list[tuple[str, ...]] = [("TIER", "REQ", "IN", "OUT", "SPEND", "HOLDS")]
    for fit in found.tiers:
        shares = (fit.requests, fit.input, fit.output, fit.spend)
        rows.append((fit.name, *(percent(None if share is None else 100 * share) for share in shares), _holds(fit)))
    output.table(rows, right=frozenset(range(1, 5)))
    output.paragraph(_verdict(found))


def _verdict(found: Estimate) -> str:
    """Name the lowest tier that holds, and how far its ceilings are."""
    for fit in found.tiers:
        if fit.holds:
            rates = max(share for share in (fit.requests, fit.input, fit.output) if share is not None)
            spend = "" if fit.spend is None else f" and {percent(100 * fit.spend)} of its spend"
            return f"{fit.name} holds even the high case: at most {percent(100 * rates)} of a ceiling{spend}"
    if any(fit.holds is None for fit in found.tiers):
        return "which tier holds cannot be said: there is no reading of their ceilings for this model"
    return "no tier that is known holds the high case: ask for limits of your own, or make it less"


def _holds(fit: TierFit) -> str:
    """Say whether a tier holds the high case, and if not, by what it does not."""
    shares = {"requests": fit.requests, "input": fit.input, "output": fit.output, "spend": fit.spend}
    beyond = [name for name, share in shares.items() if share is not None and share > 1]
    if beyond:
        return f"no: {', '.join(beyond)}"
    return "yes" if fit.holds else "no reading"


def _machines(found: Estimate) -> None:
    rows: list[tuple[str, ...]] = [("A MONTH", "EACH", "MACHINES")]
    for one in cheapest(found.housings):
        machine = one.machine
        money = dollars(one.month).replace("$", _SIGNS[machine.currency])
        rows.append((money, f"{one.each}", f"{one.machines} × {machine.provider} {machine.name}"))
    if len(rows) == 1:
        output.data("no machine that is known holds even one such agent (see machines.toml)")
    else:
        output.table(rows, right=frozenset((0, 1)))
