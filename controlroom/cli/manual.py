"""`controlroom help`: pages of the manual, and where a word stands in them."""

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence

from controlroom.cli import output
from controlroom.cli.columns import wrapped
from controlroom.cli.entry_points import EntryPoints
from controlroom.cli.exits import Exit, Stop
from controlroom.client import manual
from controlroom.domain.display.markdown import Kind, Line, lines
from controlroom.domain.words import nearest

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
