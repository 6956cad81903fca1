"""The parts of the manual and of .github that come from the code, so that they cannot grow apart.

python -m tests.documents        writes them anew between their marks
"""

import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import controlroom
from controlroom.cli.exits import MEANINGS as EXITS
from controlroom.cli.record_fields import Field, Kind
from controlroom.cli.records import ANSWERS
from controlroom.cli.verbs import VERBS
from controlroom.domain.display.views import GLYPHS, MEANINGS, ORDER
from controlroom.domain.keys.keymap import DEFAULT, shown
from controlroom.engine.config.first_run import reference

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


def records() -> str:
    """The answers of verbs with `--json`, field by field; one that stands in several is described once."""
    parts, seen = list[str](), dict[tuple[Field, ...], str]()
    for verb, fields in ANSWERS.items():
        rows = [f"| `{name}` | {what} | {says} |" for name, what, says in _rows(fields, "", verb, seen)]
        parts += [f"**`{verb} --json`**", "", "| field | holds | |", "|---|---|---|", *rows, ""]
    return "\n".join(parts).rstrip()


def _rows(
    fields: tuple[Field, ...], before: str, verb: str, seen: dict[tuple[Field, ...], str]
) -> Iterator[tuple[str, str, str]]:
    for field in fields:
        name = f"{before}{field.name}{'[]' if field.kind is Kind.RECORDS else ''}"
        place = seen.get(field.fields) if len(field.fields) > 1 else None
        yield name, str(field.kind), f"{field.says}{'; ' if field.says else ''}as {place}" if place else field.says
        if field.fields and not place:
            seen[field.fields] = f"`{name}` of `{verb}`"
            yield from _rows(field.fields, f"{name}.", verb, seen)


def config() -> str:
    """The reference of config.toml."""
    return f"```toml\n{reference().strip()}\n```"


def the_map() -> str:
    """The floors of the package, out of its docstring."""
    _, floors, *_ = (controlroom.__doc__ or "").split("\n\n")
    return f"```text\n{textwrap.dedent(floors)}\n```"


CONTRIBUTING = ROOT / ".github" / "CONTRIBUTING.md"

PARTS: dict[str, tuple[Path, Callable[[], str]]] = {
    "keys": (MANUAL / "keys.md", keys),
    "states": (MANUAL / "states.md", states),
    "verbs": (MANUAL / "verbs.md", verbs),
    "exits": (MANUAL / "verbs.md", exits),
    "records": (MANUAL / "verbs.md", records),
    "config": (MANUAL / "config.md", config),
    "map": (CONTRIBUTING, the_map),
}
"""For each part the file that it stands in, and what makes it."""


def filled(path: Path) -> str:
    """A document with its parts as the code has them now. Raises `ValueError` for a part without a place."""
    text = path.read_text()
    for name, (place, part) in PARTS.items():
        if place != path:
            continue
        marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not marked.search(text):
            raise ValueError(f"{path.name} has no place for {name}")
        text = marked.sub(lambda match, part=part: f"{match[1]}{part()}\n{match[2]}", text)  # type: ignore[misc]
    return text


def pages() -> list[Path]:
    """The pages of the manual."""
    return sorted(MANUAL.glob("*.md"))


if __name__ == "__main__":
    for document in {place for place, _ in PARTS.values()}:
        document.write_text(filled(document))
    print(f"{', '.join(PARTS)} written", file=sys.stderr)
