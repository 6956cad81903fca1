"""The verbs that advise: other ways to pay for what was used, and what a fleet would need."""

import argparse
import asyncio
from collections.abc import Callable, Iterator

from controlroom.cli import output
from controlroom.cli.entry_points import EntryPoints
from controlroom.cli.exits import Exit
from controlroom.cli.records import Wished
from controlroom.cli.room import wait_settled, with_room
from controlroom.client.client import Client, EngineUnavailable, Estimated
from controlroom.domain.calculators.comparison import AccountUse, Comparison, PaymentOption, Terms
from controlroom.domain.calculators.estimate import Estimate, TierFit, Wish
from controlroom.domain.calculators.offers import cheapest, price_words
from controlroom.domain.words import count, days, dollars, percent
from controlroom.text.states import Payer

_WHOSE = {
    Payer.API: "what keys paid",
    Payer.PLAN: "what plans covered (≈ list price)",
    "": "who paid is not known (≈ list price)",
}


def plan(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Compare the last days' use with its alternatives."""
    if bool(args.committed) != bool(args.tokens_per_minute):
        output.talk("an offer of throughput takes both: --committed DOLLARS-AN-HOUR and --tokens-per-minute N")
        return Exit.USAGE
    return with_room(_plan, args)


async def _plan(client: Client, args: argparse.Namespace) -> int:
    terms = Terms(args.can_wait, args.cache_hit, args.committed, args.tokens_per_minute)
    answer = await client.compare(args.days, terms)
    if answer.comparison is None:
        output.talk(answer.reason)
        return Exit.REFUSED
    if args.json:
        output.json_answer("plan", answer.comparison)
    else:
        show_plan(answer.comparison)
    return Exit.DONE


def show_plan(found: Comparison) -> None:
    """Print a comparison: a table for each kind of account, then everything that was taken for granted."""
    if not found.parts:
        output.talk(
            f"nothing was used in the last {found.asked_days} days, so there is nothing to compare; "
            "what a fleet would need: controlroom estimate --help"
        )
    for part in found.parts:
        _part(part, found.days)
    for sentence in found.said:
        output.note(sentence)


def _part(part: AccountUse, measured: float) -> None:
    sign = "" if part.billing == Payer.API else "≈"
    output.data(f"{_WHOSE.get(part.billing, part.billing)}:")
    output.paragraph(
        f"{sign}{dollars(part.spent)} in {days(measured)}, {sign}{dollars(part.month)} a month at this rate"
        f"{_from_little(measured)}; "
        f"{count(part.messages)} messages, {count(round(part.mean))} tokens a minute, {count(part.peak)} at the peak"
    )
    output.data("")
    output.noted_table(("WAY", "A MONTH", "OF NOW"), list(_rows(part, sign)), right=frozenset((1, 2)))
    output.data("")
    output.paragraph(_plan_verdict(part, sign))
    output.data("")


def _from_little(measured: float) -> str:
    """Say of a month that is worked out from less than a day how little that is. `measured`: days."""
    return "" if measured >= 1 else f", a guess: {days(measured)} is little to go by"


def _rows(part: AccountUse, sign: str) -> Iterator[tuple[tuple[str, ...], str]]:
    before = ""
    for way in part.ways:
        if before and way.kind != before:
            yield ("", "", ""), ""
        before = way.kind
        share = percent(100 * way.month / part.month if part.month else None)
        yield (way.name, _money(way, sign), share), way.note


def _plan_verdict(part: AccountUse, sign: str) -> str:
    cheapest, sure = part.cheapest(), part.cheapest(sure=True)
    verdict = f"cheapest to pay: {cheapest.name}, {_money(cheapest, sign)} a month"
    if cheapest == sure:
        return verdict
    return f"{verdict}, if it holds this use (no reading); what certainly holds: {sure.name}, {_money(sure, sign)}"


def _money(way: PaymentOption, sign: str) -> str:
    return dollars(way.month) if way.fixed else f"{sign}{dollars(way.month)}"


SETTLING = 3.0
"""Seconds for a fresh engine to hear from its hosts what agents need there."""


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
        output.json_answer("estimate", Wished(wish, answer.estimate))
    else:
        show_estimate(wish, answer.estimate)
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


def show_estimate(wish: Wish, found: Estimate) -> None:
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
    output.paragraph(_estimate_verdict(found))


def _estimate_verdict(found: Estimate) -> str:
    """Name the lowest tier that holds, and how far its ceilings are."""
    for fit in found.tiers:
        if fit.holds:
            rates = max(share for share in (fit.requests, fit.input, fit.output) if share is not None)
            spend = "" if fit.spend is None else f" and {percent(100 * fit.spend)} of its spend"
            return f"{fit.name} holds even the high case: at most {percent(100 * rates)} of a ceiling{spend}"
    if any(fit.holds is None for fit in found.tiers):
        return "which tier holds cannot be said: there is no reading of their ceilings for this model"
    return "no known tier holds the high case: ask for custom limits, or plan for less"


def _holds(fit: TierFit) -> str:
    """Whether a tier holds the high case, and if not, by what it does not."""
    shares = {"requests": fit.requests, "input": fit.input, "output": fit.output, "spend": fit.spend}
    beyond = [name for name, share in shares.items() if share is not None and share > 1]
    if beyond:
        return f"no: {', '.join(beyond)}"
    return "yes" if fit.holds else "no reading"


def _machines(found: Estimate) -> None:
    rows: list[tuple[str, ...]] = [("A MONTH", "EACH", "MACHINES")]
    for one in cheapest(found.housings):
        machine = one.machine
        money = price_words(one.month, machine.currency)
        rows.append((money, f"{one.each}", f"{one.machines} × {machine.provider} {machine.name}"))
    if len(rows) == 1:
        output.data("no known machine holds even one such agent (see machines.toml)")
    else:
        output.table(rows, right=frozenset((0, 1)))
