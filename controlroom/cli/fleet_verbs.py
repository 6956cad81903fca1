"""The verbs of fleet files: what each is called, what it does, and what it takes."""

import argparse

from controlroom.cli.verb import Verb


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def _planned(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="the fleet file; - is stdin")
    _json(parser)


def _applied(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="the fleet file; - is stdin")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    _json(parser)


def _drifted(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("fleet", metavar="FLEET", nargs="?", default="", help="its name (default: all of them)")
    _json(parser)


def _exported(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", nargs="?", default="", help="a new file (default: stdout)")
    parser.add_argument("--name", metavar="N", default="", help="of the fleet (default: that of the file, or exported)")
    _json(parser)


FLEETS: tuple[Verb, ...] = (
    Verb(
        "fleet plan",
        "fleets",
        "FILE [--json]",
        "Say what applying a fleet file would do, where and at what cost.",
        "It does nothing. Memory is what agents of the profile were seen to take, else limits.memory_per_agent_mb; "
        "cost an hour is what "
        "they have cost in the last 30 days, at list prices. What would not fit is named with the reason. controlroom "
        "help fleets says what stands in such a file.",
        ("controlroom fleet plan fleet.toml", "controlroom fleet plan fleet.toml --json | jq '.changes[].action'"),
        "fleets:plan",
        _planned,
    ),
    Verb(
        "fleet apply",
        "fleets",
        "FILE [--yes] [--json]",
        "Have the agents and tasks that a fleet file says.",
        "And no others of that fleet. What it would do is listed first, and must be confirmed. Starts keep to the "
        "rules of the queue, one after the "
        "other, and go on by themselves after a restart of the engine. Only what this fleet has started is ended, and "
        "worktrees stay. To apply the same file again changes nothing, but for what drift says.",
        ("controlroom fleet apply fleet.toml", "controlroom fleet apply fleet.toml --yes"),
        "fleets:apply",
        _applied,
    ),
    Verb(
        "fleet drift",
        "fleets",
        "[FLEET] [--json]",
        "Say what is not as a fleet file was applied, and what would mend it.",
        "",
        ("controlroom fleet drift docs", "controlroom fleet drift --json | jq '.fleets[].changes[].drift'"),
        "fleets:drift",
        _drifted,
    ),
    Verb(
        "fleet export",
        "fleets",
        "[FILE] [--name N] [--json]",
        "Write what runs now as a fleet file.",
        "Agents with their whole texts, for which hosts are asked, and open tasks. What others started, and what a "
        "profile keeps running, is left out; what else "
        "cannot stand in such a file is named. A file that is there is not overwritten.",
        ("controlroom fleet export now.toml", "controlroom fleet export | less"),
        "fleets:export",
        _exported,
    ),
)
