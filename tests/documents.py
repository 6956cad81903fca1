"""The parts of the manual that come from the code, so that they cannot grow apart.

python -m tests.documents        writes them anew between their marks
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path

from controlroom.cli.exits import MEANINGS as EXITS
from controlroom.cli.verbs import VERBS
from controlroom.domain.display.views import GLYPHS, MEANINGS, ORDER
from controlroom.domain.keys.keymap import DEFAULT, shown
from controlroom.engine.config.reference import reference

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
MANUAL = ROOT / "controlroom" / "manual"


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
    rows = [f"| {GLYPHS[state]} | {state} | {MEANINGS[state]} |" for state in ORDER]
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
        ["| exit code | means |", "|---|---|", *(f"| {int(code)} | {says} |" for code, says in EXITS.items())]
    )


def config() -> str:
    """The reference of config.toml."""
    return f"```toml\n{reference().strip()}\n```"


PARTS: dict[str, tuple[str, Callable[[], str]]] = {
    "keys": ("keys", keys),
    "states": ("states", states),
    "verbs": ("verbs", verbs),
    "exits": ("verbs", exits),
    "config": ("config", config),
}
"""For each part the page that it stands on, and what makes it."""


def filled(page: Path) -> str:
    """A page of the manual with its parts as the code has them now. Raises `ValueError` for a part without a place."""
    text = page.read_text()
    for name, (topic, part) in PARTS.items():
        if topic != page.stem:
            continue
        marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not marked.search(text):
            raise ValueError(f"{page.name} has no place for {name}")
        text = marked.sub(lambda match, part=part: f"{match[1]}{part()}\n{match[2]}", text)  # type: ignore[misc]
    return text


def pages() -> list[Path]:
    """The pages of the manual."""
    return sorted(MANUAL.glob("*.md"))


if __name__ == "__main__":
    for path in pages():
        path.write_text(filled(path))
    print(f"{', '.join(PARTS)} written", file=sys.stderr)
