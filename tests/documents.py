"""The parts of the README that come from the code, so that they cannot grow apart.

python -m tests.documents        writes them anew between their marks
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path

from controlroom.cli.exits import MEANINGS
from controlroom.cli.verbs import VERBS
from controlroom.domain.display.views import GLYPHS, ORDER
from controlroom.domain.keys.keymap import DEFAULT, shown
from controlroom.domain.model import State
from controlroom.engine.config.reference import reference

README = Path(__file__).parent.parent / "README.md"

_STATES = {
    State.WAITING: "a person is asked for something",
    State.FAILED: "it ended and did not do what it should: exit code, signal or reason are shown",
    State.LOST: "its host cannot be reached; what is shown is as old as it says",
    State.UNKNOWN: "no source says what it does",
    State.LIMITED: "stopped by a rate or plan limit, until the time shown",
    State.IDLE: "it waits for a message",
    State.STARTING: "ordered, not heard of yet",
    State.WORKING: "it works",
    State.PAUSED: "stopped, to be resumed",
    State.DONE: "it has ended well, or was killed by its operator",
}


def keys() -> str:
    """The table of keys."""
    rows = [
        f"| `{DEFAULT.shown(action.name)}` | {action.name} | {action.where.replace(' ', ', ')} | {action.help} |"
        for action in DEFAULT.actions
    ]
    rows += [
        f"| `{'` `'.join(map(shown, motion.keys))}` | {motion.name} | {motion.where} | {motion.help} |"
        for motion in DEFAULT.motions
    ]
    return "\n".join(["| key | name in `[keys]` | where | what it does |", "|---|---|---|---|", *rows])


def states() -> str:
    """The table of states."""
    rows = [f"| {GLYPHS[state]} | {state} | {_STATES[state]} |" for state in ORDER]
    return "\n".join(["| | state | means |", "|---|---|---|", *rows])


def verbs() -> str:
    """The table of verbs."""
    rows = []
    for verb in VERBS:
        usage = " ".join(f"{verb.name} {verb.usage}".split()).replace("|", "\\|")
        rows.append(f"| `{usage}` | {verb.says} |")
    return "\n".join(["| verb | what it does |", "|---|---|", *rows])


def exits() -> str:
    """The exit codes."""
    return "\n".join(
        ["| exit code | means |", "|---|---|", *(f"| {int(code)} | {says} |" for code, says in MEANINGS.items())]
    )


def config() -> str:
    """The reference of config.toml."""
    return f"```toml\n{reference().strip()}\n```"


PARTS: dict[str, Callable[[], str]] = {
    "keys": keys,
    "states": states,
    "verbs": verbs,
    "exits": exits,
    "config": config,
}


def filled(text: str) -> str:
    """Give the README with every part as the code has it now."""
    for name, part in PARTS.items():
        marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not marked.search(text):
            raise ValueError(f"the README has no place for {name}")
        text = marked.sub(lambda match, part=part: f"{match[1]}{part()}\n{match[2]}", text)  # type: ignore[misc]
    return text


if __name__ == "__main__":
    README.write_text(filled(README.read_text()))
    print(f"{README.name}: {', '.join(PARTS)} written", file=sys.stderr)
