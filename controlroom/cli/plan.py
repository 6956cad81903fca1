"""What real use would cost in other ways, for people and for scripts."""

import argparse
from collections.abc import Iterator

from controlroom.cli import output
from controlroom.cli.entry_points import EntryPoints
from controlroom.cli.exits import Exit
from controlroom.cli.room import with_room
from controlroom.client.client import Client
from controlroom.domain.calculators.comparison import Comparison, Part, Terms, Way, as_table
from controlroom.domain.money.costs import BILLED, COVERED
from controlroom.domain.words import count, days, dollars, percent

_WHOSE = {
    BILLED: "what keys paid",
    COVERED: "what plans covered (≈ list price)",
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
        output.json_data(as_table(answer.comparison))
    else:
        show(answer.comparison)
    return Exit.DONE


def show(found: Comparison) -> None:
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


def _part(part: Part, measured: float) -> None:
    sign = "" if part.billing == BILLED else "≈"
    output.data(f"{_WHOSE.get(part.billing, part.billing)}:")
    output.paragraph(
        f"{sign}{dollars(part.spent)} in {days(measured)}, {sign}{dollars(part.month)} a month at this rate; "
        f"{count(part.messages)} messages, {count(round(part.mean))} tokens a minute, {count(part.peak)} at the peak"
    )
    output.data("")
    output.noted_table(("WAY", "A MONTH", "OF NOW"), list(_rows(part, sign)), right=frozenset((1, 2)))
    output.data("")
    output.paragraph(_verdict(part, sign))
    output.data("")


def _rows(part: Part, sign: str) -> Iterator[tuple[tuple[str, ...], str]]:
    before = ""
    for way in part.ways:
        if before and way.kind != before:
            yield ("", "", ""), ""
        before = way.kind
        share = percent(100 * way.month / part.month if part.month else None)
        yield (way.name, _money(way, sign), share), way.note


def _verdict(part: Part, sign: str) -> str:
    cheapest, sure = part.cheapest(), part.cheapest(sure=True)
    said = f"cheapest to pay: {cheapest.name}, {_money(cheapest, sign)} a month"
    if cheapest == sure:
        return said
    return f"{said}, if it holds this use (no reading); what certainly holds: {sure.name}, {_money(sure, sign)}"


def _money(way: Way, sign: str) -> str:
    return dollars(way.month) if way.fixed else f"{sign}{dollars(way.month)}"
