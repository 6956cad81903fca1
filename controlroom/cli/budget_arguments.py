"""What the verbs of budgets take."""

import argparse

from controlroom.cli.arguments import status
from controlroom.domain.gauges import PERIODS, UNITS
from controlroom.domain.money.budget import ORDERS, read_ladder, scope_problem


def show(parser: argparse.ArgumentParser) -> None:
    """Take the form of the answer."""
    status(parser)


def remove(parser: argparse.ArgumentParser) -> None:
    """Take the name of a budget."""
    parser.add_argument("name", metavar="NAME", help="as budget show has it")


def set_one(parser: argparse.ArgumentParser) -> None:
    """Take all of a budget. What is not said stays as it is in a budget that is there already."""
    parser.add_argument("name", metavar="NAME", help="a-z 0-9 _ -, like day")
    parser.add_argument("--limit", metavar="L", help="dollars like 8, tokens like 5M, per cent of a window like 85")
    parser.add_argument("--period", choices=PERIODS, help="of what the limit is (default: day)")
    parser.add_argument("--scope", metavar="S", type=_scope, help="fleet, 'host H', 'profile P' or 'agent H/A'")
    parser.add_argument("--unit", choices=UNITS, help="what is counted (default: billed)")
    parser.add_argument("--window", metavar="W", help="of a plan, for --unit window: five_hour, seven_day, …")
    parser.add_argument("--ladder", metavar="AT:DO,…", type=_ladder, help="default: 50:notify,80:hold,95:pause")
    parser.add_argument("--order", choices=ORDERS, help="who is ended first: the lowest priority, or all at once")
    dry = parser.add_mutually_exclusive_group()
    dry.add_argument("--dry-run", dest="dry_run", action="store_true", default=None, help="only say what would be done")
    dry.add_argument("--in-earnest", dest="dry_run", action="store_false", help="no dry run any more")


def _scope(text: str) -> str:
    if wrong := scope_problem(text):
        raise argparse.ArgumentTypeError(wrong)
    return text


def _ladder(text: str) -> object:
    try:
        return read_ladder(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
