"""What docstrings and comments name is there: modules, what they hold, members of classes, files.

A dotted name is taken for one of ours when it begins with a floor (or one that there was), with a module of the same
folder, or with a class of ours. Everything is looked up in the source, and nothing is imported.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "controlroom"
FLOORS = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
RETIRED = {"fleet", "meter", "conversation", "attaching"}
"""Floors that there were: what begins with them leads nowhere."""

DOTTED = re.compile(r"`((?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*)(?:\(\))?`")
BARE = re.compile(rf"(?<![\w./`-])((?:{'|'.join(sorted(FLOORS | RETIRED))})(?:\.[a-z_]\w*)+)(?![\w/])")
FILE = re.compile(r"(?<![\w./~<*-])((?:[a-z_]\w*/)*[a-z_]\w*\.py)\b")
ENDINGS = {"toml", "json", "jsonl", "md", "py", "db", "log", "sock", "svg"}


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """Every docstring, bare string and comment of a file, with its line."""
    source = path.read_text()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def targets(node: ast.AST) -> Iterator[str]:
    """The names that a statement binds in its module or class."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        yield from ((alias.asname or alias.name).partition(".")[0] for alias in node.names)
    elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            yield from (inner.id for inner in ast.walk(target) if isinstance(inner, ast.Name))
    elif isinstance(node, (ast.If, ast.Try)):
        yield from (name for child in ast.iter_child_nodes(node) for name in targets(child))


@cache
def module_names(path: Path) -> frozenset[str]:
    """What a module holds."""
    return frozenset(name for node in ast.parse(path.read_text()).body for name in targets(node))


@cache
def classes() -> dict[str, set[str]]:
    """The members of all classes of ours by the name of the class; those of their bases are found by their names."""
    members: dict[str, set[str]] = defaultdict(set)
    bases: dict[str, set[str]] = defaultdict(set)
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                members[node.name] |= {name for child in node.body for name in targets(child)} | set(own(node))
                bases[node.name] |= {base.id for base in node.bases if isinstance(base, ast.Name)}
    for name, above in bases.items():
        members[name] |= {member for base in above for member in members.get(base, set())}
    return dict(members)


def own(node: ast.ClassDef) -> Iterator[str]:
    """What the methods of a class bind to `self`."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store):
            yield inner.attr


def resolves(place: Path, parts: list[str]) -> bool:
    """Whether a dotted name leads from a folder or module to something that is there."""
    if not parts:
        return place.is_dir() or place.with_suffix(".py").exists()
    if place.is_dir():
        if (place / parts[0]).is_dir() or (place / f"{parts[0]}.py").exists():
            return resolves(place / parts[0], parts[1:])
        return len(parts) == 1 and parts[0] in module_names(place / "__init__.py")
    module = place.with_suffix(".py")
    if not module.exists() or parts[0] not in module_names(module):
        return False
    return len(parts) == 1 or parts[1] in classes().get(parts[0], set())


def trouble(path: Path, name: str) -> bool:
    """Whether a dotted name looks like one of ours and leads nowhere."""
    first, *rest = name.split(".")
    if rest[-1] in ENDINGS:
        return False
    if first == PACKAGE.name:
        return not resolves(PACKAGE, rest)
    if first in FLOORS | RETIRED:
        return not resolves(PACKAGE / first, rest)
    if first in classes():
        return rest[0] not in classes()[first]
    if (path.parent / f"{first}.py").exists():
        return not resolves(path.parent / first, rest)
    return False


def dead(path: Path, text: str) -> Iterator[str]:
    """The names in a text of this file that lead nowhere."""
    names = [*DOTTED.findall(text), *BARE.findall(text)]
    yield from (name for name in dict.fromkeys(names) if trouble(path, name))
    for name in FILE.findall(text):
        if not any((place / name).exists() for place in (path.parent, PACKAGE, ROOT)):
            yield name


def test_what_docstrings_and_comments_name_is_there() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for line, text in prose(path)
        for name in dead(path, text)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("see `domain.reduce.reduce` and `domain.model.Fleet.agents`, `domain.keys.actions`", []),
        ("see `domain.reduce.nothing`", ["domain.reduce.nothing"]),
        ("see `domain.nothing` (wire.nothing), `Fleet.nothing`", ["domain.nothing", "Fleet.nothing", "wire.nothing"]),
        ("a name of yesterday: `fleet.translate`", ["fleet.translate"]),
        ("of this folder: `model.Fleet`, `model.Nothing`", ["model.Nothing"]),
        ("others': `json.dumps`, `claude.ai`, `status.json`, the node. The end", []),
        ("files: node/bootstrap.py, model.py, nothing.py, node/nothing.py", ["nothing.py", "node/nothing.py"]),
    ],
)
def test_a_dead_name_is_seen(text: str, names: list[str]) -> None:
    assert list(dead(PACKAGE / "domain" / "reduce.py", text)) == names


OF_TEXTUAL = {"Screen", "Input", "TextArea", "VerticalScroll"}


def selectors(css: str) -> set[str]:
    """The classes of widgets that a style sheet speaks of."""
    heads = re.findall(r"([^{}]+)\{", re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL))
    return {name for head in heads for name in re.findall(r"(?<![\w.#$-])[A-Z]\w*", head)}


def test_style_sheets_speak_of_widgets_that_there_are() -> None:
    """A rule for a class that was renamed holds for nothing, and nobody is told."""
    sheets = [(path.name, path.read_text()) for path in (PACKAGE / "tui").glob("*.tcss")]
    for path in (PACKAGE / "tui").rglob("*.py"):
        sheets += [(path.name, css) for css in re.findall(r'DEFAULT_CSS = (?:f?"+)([^"]+)"', path.read_text())]
    wrong = [f"{name}: {word}" for name, css in sheets for word in selectors(css) - {*classes(), *OF_TEXTUAL}]
    assert len(sheets) > 3
    assert not wrong, "\n".join(wrong)
