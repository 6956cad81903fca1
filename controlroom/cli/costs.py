"""What was spent, for people and for scripts."""

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, tzinfo

from controlroom.cli import output
from controlroom.cli.entry_points import EntryPoints
from controlroom.cli.exits import Exit
from controlroom.cli.record_fields import record
from controlroom.cli.records import COST, CostOf, Spent
from controlroom.cli.room import money_zone, with_room
from controlroom.client.client import Client
from controlroom.domain.money.budget import begins
from controlroom.domain.money.costs import HOURLY, CostRow, grouped, per_hour, shares, totals
from controlroom.domain.words import count, dollars, percent
from controlroom.text.states import Payer
from controlroom.text.time_zones import day_name, hour_name

_TIMES = {"day": day_name, "hour": hour_name}
_PAYS = {Payer.API: "billed", Payer.PLAN: "plan", "": "unknown"}


def costs(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Show what was spent."""
    return with_room(_costs, args)


async def _costs(client: Client, args: argparse.Namespace) -> int:
    zone, now = money_zone(client.fleet), client.now() / 1000
    since, until = round(moment(args.since, now, zone) * 1000), round(now * 1000)
    answer = await client.costs("time" if args.by in _TIMES else args.by, since, until)
    if answer.reason:
        output.talk(answer.reason)
        return Exit.REFUSED
    name = _TIMES.get(args.by)
    rows = grouped(answer.rows, lambda row: name(int(row.key), zone)) if name else answer.rows
    if args.json:
        output.json_answer("costs", Spent(args.by, since, until, *priced_rows(rows, answer.ran)))
    elif args.csv:
        spreadsheet(rows, args.by, answer.ran)
    else:
        began = f"{datetime.fromtimestamp(since / 1000, zone):%Y-%m-%d %H:%M}"
        write_table(rows, args.by, began, answer.ran)
    return Exit.DONE


def moment(text: str, now: float, zone: tzinfo | None = None) -> float:
    """Read a moment in the past: `90m`, `12h`, `7d`, `today`, or a day or time like 2026-11-01 in a zone (or here).

    `now` and what is given are seconds since 1970. Raises `ValueError` with what was expected.
    """
    if text == "today":
        return begins(datetime.fromtimestamp(now, zone).date(), zone) / 1000
    units = {"m": "minutes", "h": "hours", "d": "days"}
    if text[:-1].isdecimal() and text[-1:] in units and int(text[:-1]) < 100_000:
        return now - timedelta(**{units[text[-1]]: int(text[:-1])}).total_seconds()
    try:
        moment = datetime.fromisoformat(text)
        read = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"{ascii(text)[:40]} is not a time: say 90m, 12h, 7d, today or 2026-11-01") from None
    if read > now:
        raise ValueError(f"{text} is in the future: say 90m, 12h, 7d, today or a day that has begun")
    return read


def _rates(rows: Sequence[CostRow], ran: Mapping[str, int]) -> list[int | None]:
    """What an agent-hour of each row has cost; None: not known, or two kinds of account paid for its agents."""
    paid = Counter(row.key for row in rows)
    return [per_hour(row.micro, ran.get(row.key)) if paid[row.key] == 1 else None for row in rows]


def _whole(rows: Sequence[CostRow], ran: Mapping[str, int]) -> Mapping[str, int]:
    """How long the agents of all rows ran, under the key of the totals; nothing where that is not known of some."""
    return {"": sum(ran.values())} if {row.key for row in rows} <= ran.keys() else {}


def priced_rows(rows: Sequence[CostRow], ran: Mapping[str, int]) -> tuple[list[CostOf], list[CostOf]]:
    """All rows, then their totals."""
    return _costs_of(rows, rows, ran), _costs_of(totals(rows), rows, _whole(rows, ran))


def _costs_of(rows: Sequence[CostRow], all_rows: Sequence[CostRow], ran: Mapping[str, int]) -> list[CostOf]:
    parts = zip(rows, _rates(rows, ran), shares(rows, all_rows), strict=True)
    return [CostOf(row, ran.get(row.key), rate, share) for row, rate, share in parts]


def write_table(rows: Sequence[CostRow], by: str, since: str, ran: Mapping[str, int]) -> None:
    """Write all rows and their totals as a table; `since`: the moment, in words, from which on they count."""
    if not rows:
        output.talk(f"nothing has been spent since {since}")
        return
    head = (
        by.upper(),
        "PAYS",
        "COST",
        "SHARE",
        "MSGS",
        "IN",
        "OUT",
        "CACHED",
        "READ",
        "HITS",
        *["AN HOUR"] * (by in HOURLY),
    )
    priced, whole = priced_rows(rows, ran)
    drawn = [head, *(_cells(cost, "–") for cost in priced)]
    if len(rows) > 1:
        drawn += [("",) * len(head), *(_cells(cost, "all") for cost in whole)]
    drawn = [cells[: len(head)] for cells in drawn]
    output.table(drawn, right=frozenset(range(2, len(head))))
    if any(row.billing != Payer.API for row in rows):
        output.talk("≈ list price, where a plan covers it or nobody says who pays: not a bill, and never part of a sum")
    if unpriced := sum(row.unpriced for row in rows):
        output.talk(f"{dollars(unpriced)} of it is for models without a price, counted as the dearest: see prices.toml")
    if estimated := sum(row.estimated for row in rows):
        output.talk(f"~ {dollars(estimated)} of it is estimated: requests that were cut off")
    if doubted := sum(row.doubted for row in rows):
        output.talk(
            f"{dollars(doubted)} of it is doubted, as more was claimed than can be true: controlroom ledger doubted"
        )
    if unattributed := sum(row.unattributed for row in rows):
        output.talk(f"{dollars(unattributed)} of it is unattributed: Claude reports it, no message accounts for it")


def _cells(cost: CostOf, unnamed: str) -> tuple[str, ...]:
    row, each = cost.row, cost.rate
    rate, worth = row.hit_rate, "" if row.billing == Payer.API else "≈"
    money = f"{worth}{'~' if row.estimated else ''}{dollars(row.micro)}"
    hourly = "–" if each is None else f"{worth}{dollars(each)}"
    tokens = (row.input, row.output, row.cache_write_5m + row.cache_write_1h, row.cache_read)
    hits = percent(None if rate is None else 100 * rate)
    paid = (row.key or unnamed, _PAYS[row.billing], money, percent(cost.share))
    return (*paid, count(row.messages), *map(count, tokens), hits, hourly)


def spreadsheet(rows: Sequence[CostRow], by: str, ran: Mapping[str, int]) -> None:
    """Print the rows and then their totals as CSV."""
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([by, *(field.name for field in COST[1:]), "is_total"])
    for priced, is_total in zip(priced_rows(rows, ran), ("false", "true"), strict=True):
        for row in priced:
            writer.writerow([*map(_plain, record(COST, row).values()), is_total])
    output.data(text.getvalue().removesuffix("\n"))


def _plain(value: object) -> object:
    """Keep a spreadsheet from taking a name for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value
