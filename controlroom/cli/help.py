"""Help that teaches: what there is, an example each, and what the exit codes mean."""

import argparse
import os
import textwrap
from collections.abc import Sequence
from typing import NoReturn

from controlroom import __version__
from controlroom.cli.exits import MEANINGS, Exit, Stop
from controlroom.cli.verbs import GROUPS, VERBS, Verb
from controlroom.client.manual import TOPICS

_COLUMNS = 100


class Parser(argparse.ArgumentParser):
    """A parser that leaves by our exit codes, with one sentence instead of a page."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where help is. Raises `Stop`."""
        raise Stop(Exit.USAGE, f"{message}; see {self.prog} --help")

    def knows(self, word: str) -> bool:
        """Say whether a word is one of the options."""
        return word in self._option_string_actions


def overview() -> str:
    """Give the text of `controlroom --help`."""
    return "\n".join(
        (
            "usage: controlroom [--theme NAME]     open the screen",
            "       controlroom VERB ...           the same from a shell: stdout is data, stderr is talk",
            "       controlroom VERB --help        what a verb takes, with examples",
            "       controlroom help TOPIC         a page of the manual",
            "",
            "Control Room runs a fleet of AI coding agents in tmux, on this machine and on hosts over SSH.",
            *(line for group in GROUPS for line in _group(group)),
            "",
            "First steps:",
            "  controlroom demo",
            "  controlroom spawn docs-1 --cwd ~/src/docs --task 'Bring the docs up to 2.4.'",
            "  controlroom logs docs-1 -f",
            "  controlroom host add me@vm1.example.com",
            "",
            "AGENT is a name where that is unique, else HOST/NAME.",
            "--home USER@ADDRESS, with any verb or none, attaches to the engine of that machine, over ssh.",
            "CONTROLROOM_HOME=DIR keeps a room of its own in DIR: config, engine, and agents on every host.",
            "NO_COLOR=1 switches colours off.",
            "",
            "Topics of the manual:",
            *(f"  {line}" for line in textwrap.wrap(" ".join(TOPICS), 76, break_on_hyphens=False)),
            "",
            "Exit codes:",
            *(f"  {code:>3}  {meaning}" for code, meaning in MEANINGS.items()),
            "",
            f"Control Room {__version__}",
            "",
        )
    )


def family(word: str, verbs: Sequence[Verb]) -> str:
    """Give the help of verbs that begin with the same word, as `controlroom budget --help`."""
    lines = [f"usage: controlroom {word} VERB ...", "", *(f"  {verb.name:<13} {verb.says}" for verb in verbs)]
    return "\n".join([*lines, "", f"controlroom {verbs[0].name} --help, and so on: what each takes, with examples", ""])


def parser_of(verb: Verb) -> Parser:
    """Make the parser of one verb, with its help."""
    columns = min(_COLUMNS, _terminal_columns())
    about = "\n\n".join(textwrap.fill(part, columns) for part in (verb.says, verb.more) if part)
    examples = "\n".join(["examples:" if len(verb.examples) > 1 else "example:", *(f"  {e}" for e in verb.examples)])
    parser = Parser(
        prog=f"controlroom {verb.name}",
        usage=f"controlroom {verb.name} {verb.usage}".rstrip(),
        description=about,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    verb.arguments(parser)
    return parser


def _group(group: str) -> list[str]:
    verbs = [verb for verb in VERBS if verb.group == group]
    return ["", f"{GROUPS[group]}:", *(f"  {verb.name:<13} {verb.says}" for verb in verbs)]


def _terminal_columns() -> int:
    try:
        return max(40, os.get_terminal_size().columns)
    except OSError:
        return _COLUMNS
