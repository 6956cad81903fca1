"""Help: verbs with their examples and exit codes, and the pages of the manual with a search."""

import argparse
import os
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from typing import NoReturn

from controlroom import __version__
from controlroom.cli import output
from controlroom.cli.entry_points import EntryPoints
from controlroom.cli.exits import MEANINGS, Exit, Stop
from controlroom.cli.output import wrapped
from controlroom.cli.verb import Verb
from controlroom.cli.verbs import GROUPS, VERBS
from controlroom.client import manual
from controlroom.client.manual import TOPICS
from controlroom.domain.display.markdown import Kind, Line, lines
from controlroom.domain.words import nearest

_COLUMNS = 100


class Parser(argparse.ArgumentParser):
    """A parser that leaves by our exit codes, with one sentence instead of a page."""

    def error(self, message: str) -> NoReturn:
        """What is wrong and where help is. Raises `Stop`."""
        raise Stop(Exit.USAGE, f"{message}; see {self.prog} --help")

    def knows(self, word: str) -> bool:
        """Whether a word is one of the options."""
        return word in self._option_string_actions


def overview() -> str:
    """The text of `controlroom --help`."""
    return "\n".join(
        (
            "usage: controlroom [--theme NAME]     open the screen",
            "       controlroom VERB ...           the same from a shell: data to stdout, messages to stderr",
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
    """The help of verbs that begin with the same word, as `controlroom budget --help`."""
    lines = [f"usage: controlroom {word} VERB ...", "", *(f"  {verb.name:<15} {verb.says}" for verb in verbs)]
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
    return ["", f"{GROUPS[group]}:", *(f"  {verb.name:<15} {verb.says}" for verb in verbs)]


def _terminal_columns() -> int:
    try:
        return max(40, os.get_terminal_size().columns)
    except OSError:
        return _COLUMNS


_WIDEST = 100
"""Columns of a page on a wide terminal: longer lines are hard to read."""

_PAGER = "less"
"""Shows pages where PAGER is not set. Of all pagers it alone is known to pass bold type on (`-R`)."""


def page(args: argparse.Namespace, entry_points: EntryPoints) -> int:
    """Show a page, or find a text in all of them."""
    try:
        return _search(" ".join(args.search)) if args.search is not None else _page(args.topic)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise Stop(Exit.REFUSED, f"the manual cannot be read, install Control Room again: {error}") from None


def _page(topic: str) -> int:
    columns = output.width()
    try:
        text = manual.read(topic).text
    except KeyError:
        raise Stop(Exit.USAGE, _unknown(topic)) from None
    if columns is None:
        output.data(text.rstrip("\n"))
    else:
        _show(lines(text, min(columns, _WIDEST)))
    return Exit.DONE


def _unknown(topic: str) -> str:
    from controlroom.cli.verbs import VERBS

    near = nearest(topic[:80], [*manual.TOPICS, *(verb.name for verb in VERBS)])
    return f"there is no page or verb {ascii(topic)[:60]}{near}; pages are {', '.join(manual.TOPICS)}"


def _search(words: str) -> int:
    if not words.strip():
        raise Stop(Exit.USAGE, "-s needs a word to search for")
    nothing = True
    for match in manual.search(words):
        nothing = False
        for line in wrapped(f"{match.topic}: {match.heading}: {match.text}", output.width(), then="    "):
            output.data(line)
    if nothing:
        raise Stop(Exit.REFUSED, f"no page of the manual contains {ascii(words)[:60]}")
    return Exit.DONE


def _show(drawn: Sequence[Line]) -> None:
    """Show a page on the terminal, through a pager where there is one."""
    command = _pager()
    plain = not output.coloured(sys.stdout) or bool(command and os.path.basename(command[0]) != _PAGER)
    text = "\n".join(line.text if plain else _bold(line) for line in drawn) + "\n"
    if not (command and _paged(command, text)):
        output.own(text)


def _bold(line: Line) -> str:
    return f"\x1b[1m{line.text}\x1b[0m" if line.text and line.kind in (Kind.HEADING, Kind.LABEL) else line.text


def _pager() -> list[str]:
    """The pager's command line; nothing where the user wants none, or what stands in PAGER cannot be read."""
    try:
        words = shlex.split(os.environ.get("PAGER", _PAGER))
    except ValueError:
        return []
    if words and os.path.basename(words[0]) == _PAGER:
        words.append("-R")
    return [] if words == ["cat"] else words


def _paged(command: Sequence[str], text: str) -> bool:
    """Whether a pager was there to show a text. Ctrl-C is the pager's while it runs."""
    import signal

    handler = signal.signal(signal.SIGINT, lambda *_: None)  # not SIG_IGN, which the pager would inherit
    try:
        environment = {"LESS": "FX", **os.environ}  # a page that fits is just printed, and all stay when it is left
        subprocess.run(command, input=text.encode(), env=environment, check=False)
    except OSError:
        return False
    finally:
        signal.signal(signal.SIGINT, handler)
    return True
