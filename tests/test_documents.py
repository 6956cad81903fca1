"""What README and manual say is what the code does, and what they lead to is there."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documents import CONTRIBUTING, PARTS, README, ROOT, filled, pages

MOST_BYTES = 9_000
"""Of the README: what a person reads before trying something."""

LINK = re.compile(r'(?:\]\(|\bsrc=")([^)"#\s]+)')


def documents() -> list[Path]:
    """Everything that people read in a browser."""
    return [README, *pages(), *sorted((ROOT / ".github").rglob("*.md"))]


def headings(text: str) -> Iterator[tuple[int, str]]:
    """Level and words of each heading; what stands in blocks of code is none."""
    in_code = False
    for line in text.splitlines():
        in_code ^= line.startswith("```")
        if not in_code and (found := re.match(r"(#+) (.+)", line)):
            yield len(found[1]), found[2]


@pytest.mark.parametrize("path", sorted({place for place, _ in PARTS.values()}), ids=lambda path: path.stem)
def test_generated_parts_are_as_the_code_has_them(path: Path) -> None:
    assert filled(path) == path.read_text(), "run: python -m tests.documents"


def test_no_mark_stands_where_nothing_is_generated() -> None:
    marks = {name: path for path in documents() for name in re.findall(r"<!-- (\w+) -->", path.read_text())}
    assert marks == {name: place for name, (place, _) in PARTS.items()}


def test_the_readme_is_short() -> None:
    assert len(README.read_bytes()) <= MOST_BYTES


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.stem)
def test_every_link_leads_to_a_file(path: Path) -> None:
    links = [link for link in LINK.findall(path.read_text()) if "://" not in link]
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_the_readme_leads_to_every_page_of_the_manual() -> None:
    links = {(ROOT / link).resolve() for link in LINK.findall(README.read_text())}
    assert [page.name for page in pages() if page.resolve() not in links] == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_a_page_begins_with_its_title_and_a_sentence_on_it(page: Path) -> None:
    lines = page.read_text().splitlines()
    assert lines[0].lower().replace(" ", "-") == f"#-{page.stem}"
    assert (lines[1], lines[3]) == ("", "")
    assert re.fullmatch(r"[A-Z].{10,100}\.", lines[2])
    assert [words for level, words in headings(page.read_text()) if level == 1] == [lines[0][2:]]


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_a_page_holds_nothing_that_a_terminal_could_misread(page: Path) -> None:
    odd = {
        character
        for character in page.read_text()
        if unicodedata.category(character)[0] == "C" or unicodedata.east_asian_width(character) in ("W", "F")
    }
    assert odd <= {"\n"}


def long_sentences(text: str) -> list[str]:
    """The prose of a page, without code, tables and marks."""
    prose = re.sub(r"^```.*?^```|^\|[^\n]*$|<!--.*?-->", "", text, flags=re.MULTILINE | re.DOTALL)
    return [sentence for sentence in re.split(r"(?<=[.:?])\s+", " ".join(prose.split())) if len(sentence) > 60]


def test_no_sentence_stands_on_two_pages() -> None:
    sentences = [(path.stem, sentence) for path in pages() for sentence in set(long_sentences(path.read_text()))]
    counts = Counter(sentence for _, sentence in sentences)
    twice = [f"{page}: {sentence}" for page, sentence in sentences if counts[sentence] > 1]
    assert not twice, "\n".join(twice)


def test_every_verb_that_the_manual_names_is_one() -> None:
    from controlroom.cli.verbs import find

    named = re.compile(r"(?:^|`)controlroom ((?!--)[a-z].*?)(?:`|$)", re.MULTILINE)
    wrong = [
        f"{path.name}: controlroom {words}"
        for path in documents()
        for words in named.findall(path.read_text())
        if find(words.split())[0] is None
    ]
    assert not wrong, "\n".join(wrong)


PATH = re.compile(r"`([\w.-]+(?:/[\w.-]*)*)`")
FOLDERS = {path.name for path in (ROOT / "controlroom").iterdir() if path.is_dir()}


def paths_of(text: str) -> list[str]:
    """What stands between backticks and looks like a path of this repository."""
    first = {"controlroom", "tests", "themes", "screenshots", ".github", ".ci", *FOLDERS}
    names = (name for name in PATH.findall(text) if "/" in name or re.search(r"\.(py|md|yml|yaml|tcss)$", name))
    return [name for name in names if name.partition("/")[0] in first or "/" not in name]


@pytest.mark.parametrize("path", sorted((ROOT / ".github").rglob("*.md")), ids=lambda path: path.stem)
def test_every_path_that_is_named_for_contributors_exists(path: Path) -> None:
    below = ("", "controlroom")
    paths = paths_of(path.read_text())
    assert [name for name in paths if not any((ROOT / place / name).exists() for place in below)] == []


def test_paths_are_looked_for() -> None:
    """The test above would also be green if it saw no path."""
    assert {"controlroom/domain/decide.py", "tui/", "text/"} <= set(
        paths_of((ROOT / ".github/ARCHITECTURE.md").read_text())
    )
    assert paths_of("`controlroom/no_such.py`, `no/` and `nothing.py`") == ["controlroom/no_such.py", "nothing.py"]


def test_modules_run_by_hand_exist() -> None:
    """The commands that contributors are told, as far as a file or a test is named in them."""
    text = CONTRIBUTING.read_text()
    for module in re.findall(r"python -m ((?:tests|controlroom)[\w.]*)", text):
        place = ROOT / module.replace(".", "/")
        assert place.with_suffix(".py").exists() or (place / "__main__.py").exists(), module
    for path in re.findall(r"pytest (\S+)", text):
        assert (ROOT / path).exists(), path


def test_architecture_tells_of_every_floor() -> None:
    text = (ROOT / ".github" / "ARCHITECTURE.md").read_text()
    told = re.findall(r"^\| `(\w+)/` \|", text, re.MULTILINE)
    assert sorted(told) == sorted(name for name in FOLDERS if not name.startswith("__"))


def test_the_forge_runs_the_test_command_of_the_readme_on_every_python() -> None:
    workflow = (ROOT / ".github" / "workflows" / "tests.yml").read_text()
    (command,) = re.findall(r"^```sh\n(python3 .* tests)\n```", README.read_text(), re.MULTILINE)
    assert f"- run: {command}\n" in workflow
    assert '["3.11", "3.12", "3.13", "3.14"]' in workflow
    assert 'requires-python = ">=3.11"' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize(
    ("message", "good"),
    [
        ("node: look at a pane only when its text has changed\n\nWhy.\n", True),
        ("README: say it\n", True),
        ("say it\n", False),
        (f"node: {'x' * 66}\n", True),
        (f"node: {'x' * 67}\n", False),
        ("\nnode: an empty first line\n", False),
    ],
)
def test_the_hook_on_subjects_knows_a_good_one(message: str, good: bool) -> None:
    (pattern,) = re.findall(r"entry: '(\\A.*)'", (ROOT / ".pre-commit-config.yaml").read_text())
    assert bool(re.search(pattern, message, re.MULTILINE | re.DOTALL)) == good
