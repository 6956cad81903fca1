"""The verbs of rules: what each is called, what it does, and what it takes."""

import argparse

from controlroom.cli.verb import Verb


def _listed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--floor", action="store_true", help="show the floor of denials, too")
    _json(parser)


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def _whose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--folder", metavar="F", default="", help="for agents in this folder, like '/srv/**'")
    parser.add_argument("--profile", metavar="P", default="", help="for agents of this profile")
    parser.add_argument("--host", metavar="H", default="", help="for agents on this host")


def _added(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="a-z 0-9 _ -, like status")
    parser.add_argument("what", metavar="TOOL[: PATTERN]", help="like 'Bash: git status *', 'Edit: docs/**', WebSearch")
    says = parser.add_mutually_exclusive_group()
    says.add_argument("--deny", action="store_true", help="deny it")
    says.add_argument("--ask", action="store_true", help="ask a person, whatever else allows it")
    _whose(parser)
    parser.add_argument("--agent", metavar="A", default="", help="for agents of this name")
    parser.add_argument("--for", dest="lasts", metavar="SPAN", default="", help="until then: 90m, 12h, 7d")
    parser.add_argument("--uses", metavar="N", type=_uses, default=0, help="answer so many calls, and no more")
    parser.add_argument("--replace", action="store_true", help="instead of the rule of this name")


def _uses(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:8]) <= 1_000_000):
        raise argparse.ArgumentTypeError("expected a number from 1 to 1000000")
    return int(text)


def _removed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="as rules list has it")


def _tested(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", metavar="TOOL[: WHAT]", help="like 'Bash: git push origin main' or 'Edit: src/x.py'")
    _whose(parser)
    parser.add_argument("--agent", metavar="A", default="", help="as if this agent asked")
    _json(parser)


def _imported(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", nargs="+", help="a settings.json of Claude Code; - is stdin")
    _whose(parser)
    parser.add_argument("--dry-run", action="store_true", help="say what would be added, and add nothing")


RULES: tuple[Verb, ...] = (
    Verb(
        "rules list",
        "rules",
        "[--floor] [--json]",
        "Show the rules that answer what agents ask, and how often each has.",
        "They stand in rules.toml beside config.toml; a running engine reads it again when it changes.",
        ("controlroom rules list", "controlroom rules list --floor"),
        "rules:show",
        _listed,
    ),
    Verb(
        "rules add",
        "rules",
        "NAME 'TOOL: PATTERN' [--deny | --ask] [--folder F] [--profile P]\n"
        "       [--host H] [--agent A] [--for SPAN] [--uses N] [--replace]",
        "Make a rule that answers what agents ask.",
        "Deny beats ask, and ask beats allow; nothing overrides the floor of denials. A pattern of Bash is words: * at "
        "its end is any more of them, else it stands for one. Each command of a line must be allowed, and none is that "
        "is not understood. controlroom help rules says all of it.",
        (
            "controlroom rules add status 'Bash: git status *'",
            "controlroom rules add tests 'Bash: npm run test *' --folder '/srv/app/**' --for 8h",
            "controlroom rules add no-publish 'Bash: npm publish' --deny",
        ),
        "rules:add",
        _added,
    ),
    Verb(
        "rules remove",
        "rules",
        "NAME",
        "Remove a rule.",
        "",
        ("controlroom rules remove tests",),
        "rules:remove",
        _removed,
    ),
    Verb(
        "rules test",
        "rules",
        "'TOOL: WHAT' [--agent A | --folder F] [--profile P] [--host H] [--json]",
        "Say what the rules would say of a call, and why; nothing is answered.",
        "Without --agent and --folder as for an agent in this folder.",
        (
            "controlroom rules test 'Bash: git push origin main'",
            "controlroom rules test 'Edit: docs/index.md' --agent docs-1",
        ),
        "rules:test",
        _tested,
    ),
    Verb(
        "rules import",
        "rules",
        "FILE... [--folder F] [--profile P] [--host H] [--dry-run]",
        "Make rules of the permission rules in Claude Code's settings.",
        "Claude's own stay as they are. What cannot be said here as safely is left out, and named.",
        ("controlroom rules import ~/.claude/settings.json --dry-run",),
        "rules:take_in",
        _imported,
    ),
)
