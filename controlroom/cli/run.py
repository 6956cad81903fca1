"""From a command line to an exit code. Whatever happens, a person gets a sentence and never a traceback."""

import os
import sys
from collections.abc import Callable, Sequence

from controlroom import __version__
from controlroom.cli import output
from controlroom.cli.entry_points import EntryPoints
from controlroom.cli.exits import Exit, Stop
from controlroom.cli.homes import take_home


def run(argv: Sequence[str], entry_points: EntryPoints) -> int:
    """Run what the command line (without the program's name) says; give the exit code."""
    try:
        return _dispatch(list(argv), entry_points)
    except Stop as stop:
        if stop.sentence:
            output.talk(stop.sentence)
        return stop.code
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        output.close_quietly()
        return Exit.CLOSED
    except Exception as error:  # the last line of defence: what gets here is our own mistake
        return _report(error, entry_points)


def _dispatch(words: list[str], entry_points: EntryPoints) -> int:
    if words[:1] != ["--complete"]:
        words = take_home(words, os.environ)
    theme, words = _theme(words)
    if not words:
        return entry_points.screen(False, theme)
    if theme:
        raise Stop(Exit.USAGE, "--theme is for the screen: controlroom --theme NAME, or controlroom watch --theme NAME")
    if words[0] == "--complete":
        from controlroom.cli.completions import answer

        return answer(words[1:])
    if words[0] in ("--version", "-V"):
        output.own(f"controlroom {__version__}\n")
        return Exit.DONE
    if words[0] in ("--help", "-h", "help") and len(words) == 1:
        return _show_help()
    if words[0] == "help" and _is_verb(words[1:]):
        words = [*words[1:], "--help"]
    return _run_verb(words, entry_points)


def _is_verb(words: list[str]) -> bool:
    """Whether help is wanted on a verb, and not on a topic of the manual."""
    from controlroom.cli.verbs import below, find
    from controlroom.client.manual import TOPICS

    if words[0] in TOPICS and len(words) == 1:
        return False
    return find(words)[0] is not None or any(below(words[0]))


def _theme(words: list[str]) -> tuple[str, list[str]]:
    """Take the theme of the screen off the front of a command line; "" is none."""
    if words and words[0].startswith("--theme="):
        words = ["--theme", words[0].removeprefix("--theme="), *words[1:]]
    if not words or words[0] != "--theme":
        return "", words
    if len(words) < 2 or not words[1]:
        raise Stop(Exit.USAGE, "--theme wants a name: controlroom --theme paper")
    return words[1], words[2:]


def _show_help() -> int:
    from controlroom.cli.help import overview

    output.own(overview())
    return Exit.DONE


def _run_verb(words: list[str], entry_points: EntryPoints) -> int:
    from controlroom.cli.help import family, parser_of
    from controlroom.cli.verbs import below, find

    verb, rest = find(words)
    if verb is None and words[1:] in (["--help"], ["-h"]) and (inner := list(below(words[0]))):
        output.own(family(words[0], inner))
        return Exit.DONE
    if verb is None:
        raise Stop(Exit.USAGE, _unknown(words))
    if "--help" in _before_dashes(rest) or "-h" in _before_dashes(rest):
        output.own(parser_of(verb).format_help())
        return Exit.DONE
    command: list[str] = []
    if verb.name == "spawn" and "--" in rest:
        at = rest.index("--")
        rest, command = rest[:at], rest[at + 1 :]
    parser = parser_of(verb)
    parsed = parser.parse_args(_with_texts(rest, parser.knows))
    parsed.command = command
    return verb.load()(parsed, entry_points)


def _before_dashes(words: list[str]) -> list[str]:
    return words[: words.index("--")] if "--" in words else words


def _with_texts(words: list[str], knows: Callable[[str], bool]) -> list[str]:
    """Join `--task TEXT` into one word that argparse cannot misread, whatever it is (but an option of its own)."""
    from controlroom.cli.arguments import TEXT_MARK

    option, joined = "--task=" + TEXT_MARK, list[str]()
    for word in words:
        if joined and joined[-1] == "--task" and not knows(word):
            joined[-1] = option + word
        elif word.startswith("--task="):
            joined.append(option + word.removeprefix("--task="))
        else:
            joined.append(word)
    return joined


def _unknown(words: list[str]) -> str:
    from controlroom.cli.verbs import VERBS, below
    from controlroom.domain.words import nearest

    if inner := [verb.name for verb in below(words[0])]:
        return f"{words[0]} what? say {', '.join(inner)}"
    names = {part for verb in VERBS for part in (verb.name, verb.name.split()[0])}
    return f"there is no verb {ascii(words[0])[:60]}{nearest(words[0], names)}; see controlroom --help"


def _report(error: Exception, entry_points: EntryPoints) -> int:
    from controlroom.cli.report import write_report

    place = write_report(error, entry_points)
    output.talk(
        f"Control Room made a mistake ({type(error).__name__}) and stopped here; agents live on. Report: {place}"
    )
    return Exit.UNEXPECTED


def main(argv: Sequence[str], entry_points: EntryPoints) -> int:
    """Run the command line, and see that what was written has left."""
    output.open_closed_streams()
    code = run(argv, entry_points)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        output.close_quietly()
        return Exit.CLOSED
    return code
