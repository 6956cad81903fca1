"""What the verbs that advise take: numbers in a range, each with its unit."""

import argparse
from collections.abc import Callable

from controlroom.cli.arguments import status


def _number(text: str, least: float, most: float, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"expected {what} from {least:g} to {most:g}, not {ascii(text)[:40]}")
    return value


def _share(text: str) -> float:
    return _number(text.removesuffix("%").rstrip(), 0, 100, "per cent") / 100


def _dollars(text: str) -> int:
    return round(1_000_000 * _number(text.removeprefix("$"), 0.0001, 1_000_000, "dollars"))


def _hours(text: str) -> float:
    return _number(text, 0.01, 24, "hours a day")


def _rate(text: str) -> float:
    return _number(text, 0.01, 100_000, "requests an hour")


def _whole(most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0
        if not 1 <= value <= most:
            raise argparse.ArgumentTypeError(f"expected a whole number from 1 to {most:,}, not {ascii(text)[:40]}")
        return value

    return read


_days, _days_of_a_month = _whole(3650), _whole(31)
_agents, _tokens, _throughput = _whole(100_000), _whole(10_000_000), _whole(10**12)


def plan(parser: argparse.ArgumentParser) -> None:
    """Take how far to look back, and what to compare it with."""
    add = parser.add_argument
    add("--days", metavar="N", type=_days, default=30, help="the last N days of use (default 30)")
    add("--can-wait", metavar="PERCENT", type=_share, default=1.0, help="what could wait for a batch (default 100)")
    add(
        "--cache-hit", metavar="PERCENT", type=_share, help="what better caching would reach (default: your best or 90)"
    )
    add("--committed", metavar="DOLLARS", type=_dollars, default=0, help="an offer: dollars an hour for one unit")
    add("--tokens-per-minute", metavar="N", type=_throughput, default=0, help="tokens a minute that such a unit holds")
    status(parser)


def estimate(parser: argparse.ArgumentParser) -> None:
    """Take the size of a fleet, and how its requests are."""
    add = parser.add_argument
    add("--agents", metavar="N", type=_agents, required=True, help="agents that work at the same time")
    add("--hours", metavar="H", type=_hours, required=True, help="hours a day that each of them works")
    add("--requests-per-hour", metavar="R", type=_rate, required=True, help="API requests an hour of each of them")
    add("--model", metavar="M", default="", help="as the API names it (default: the one you used most)")
    add("--days", metavar="D", type=_days_of_a_month, default=30, help="days of a month that they work (default 30)")
    add("--input-tokens", metavar="N", type=_tokens, help="tokens of a prompt, cached ones too (default: as measured)")
    add("--output-tokens", metavar="N", type=_tokens, help="tokens of an answer (default: as measured)")
    add("--cache-hit", metavar="PERCENT", type=_share, help="how much of prompts is cached (default: as measured)")
    add("--offline", action="store_true", help="from the data files alone, without the engine")
    status(parser)
