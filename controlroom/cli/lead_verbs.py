"""The verbs of leads: what each is called, what it does, and what it takes."""

import argparse

from controlroom.cli.verb import Verb


def _added(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="a-z 0-9 _ -, like research")
    parser.add_argument(
        "--verbs",
        metavar="V[,V]",
        default="",
        help="what it may do, like spawn,kill,logs,task (default: all that leads can have, but answer)",
    )
    parser.add_argument("--host", metavar="H", action="append", default=[], help="where it may start agents; several")
    parser.add_argument("--profile", metavar="P", action="append", default=[], help="of which profiles; several")
    parser.add_argument("--agents", metavar="N", type=_count, default=1, help="how many at once (default: 1)")
    parser.add_argument("--limit", metavar="USD", required=True, help="what its agents may spend in all, like 20")
    ends = parser.add_mutually_exclusive_group()
    ends.add_argument("--until", metavar="WHEN", default="", help="when all of it ends: 18:30, 2h, or ISO 8601")
    ends.add_argument("--for", dest="lasts", metavar="SPAN", default="", help="how long it lasts: 90m, 12h, 7d")
    parser.add_argument("--token-file", metavar="F", default="", help="where its token goes, into a new file 0600")


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:5]) <= 1_000):
        raise argparse.ArgumentTypeError("expected a number of agents from 1 to 1000")
    return int(text)


def _listed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def _removed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="as lead list has it")
    parser.add_argument("--kill", action="store_true", help="end its agents, too")


def _served(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--token-file", metavar="F", default="", help="what holds the token (default: CONTROLROOM_LEAD_TOKEN_FILE)"
    )


LEADS: tuple[Verb, ...] = (
    Verb(
        "lead add",
        "leads",
        "NAME --limit USD --host H... --profile P... [--verbs V[,V]]\n"
        "       [--agents N] [--until WHEN | --for SPAN] [--token-file F]",
        "Give an agent that leads others its rights.",
        "Its token goes into a file that only you can read, and is told once: the engine keeps what tells it, and not "
        "the token. The lead acts on agents and tasks that it started, and sees no others. Its agents spend up to its "
        'limit together, and then are paused. An agent gets the token by lead = "NAME" in its profile. '
        "controlroom help leads says all of it.",
        (
            "controlroom lead add research --limit 20 --host vm1 --profile docs --agents 3 --for 12h",
            "controlroom lead add nightly --limit 5 --host local --profile fix --verbs spawn,logs,task --until 06:00",
        ),
        "leads:add",
        _added,
    ),
    Verb(
        "lead list",
        "leads",
        "[--json]",
        "Show the leads: what each may do and has spent.",
        "",
        ("controlroom lead list", "controlroom lead list --json | jq '.leads[] | {name, spent_usd, limit_usd}'"),
        "leads:show",
        _listed,
    ),
    Verb(
        "lead remove",
        "leads",
        "NAME [--kill]",
        "End the rights of a lead at once.",
        "Its tasks that wait are dropped. Its agents go on, up to its limit, unless --kill ends them.",
        ("controlroom lead remove research", "controlroom lead remove research --kill"),
        "leads:remove",
        _removed,
    ),
    Verb(
        "mcp",
        "leads",
        "[--token-file F]",
        "Serve the verbs of a lead to an agent, over stdio (MCP).",
        'Claude starts it by itself where its profile says lead = "NAME". What may be done the engine decides by the '
        "token, however it is asked. Needs the extra: pip install 'controlroom[mcp]'.",
        ("controlroom mcp --token-file ~/research.token",),
        "leads:serve",
        _served,
    ),
)
