"""What README and manual say is what the code does, and what they lead to is there."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documents import MANUAL, README, ROOT, filled, pages

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


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_generated_parts_of_the_manual_are_as_the_code_has_them(page: Path) -> None:
    assert filled(page) == page.read_text(), "run: python -m tests.documents"


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
    assert (MANUAL / "verbs.md").exists()
