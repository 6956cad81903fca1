"""The manual as help shows it: which pages there are, what stands on them, and where a word stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from controlroom.client import manual
from controlroom.domain.display.markdown import Kind, lines
from tests.documents import ROOT, pages


def test_every_page_has_a_topic_and_every_topic_a_page() -> None:
    assert sorted(manual.TOPICS) == [page.stem for page in pages()]


@pytest.mark.parametrize("topic", manual.TOPICS)
def test_a_page_is_read_without_the_marks_of_its_generator(topic: str) -> None:
    page = manual.read(topic)
    assert page.topic == topic
    assert page.summary.endswith(".")
    assert page.text.startswith(f"# {page.title}\n\n{page.summary}\n\n")
    assert "<!--" not in page.text


def test_what_is_no_topic_is_not_looked_for_on_disk() -> None:
    with pytest.raises(KeyError):
        manual.read("../__init__")


def test_no_escape_of_a_page_leaves_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hosts.md").write_text("# Hosts\n\nMachines.\n\nA \x1b]0;title\x07 and \x9b31m \x1b[2J here.\n")
    monkeypatch.setattr(manual, "folder", lambda: str(tmp_path))
    assert not [
        character for character in manual.read("hosts").text if not (character.isprintable() or character == "\n")
    ]


def test_a_search_gives_topic_heading_and_sentence_whatever_case_and_line() -> None:
    match = manual.Match("troubleshooting", "The terminal is in disorder", "")
    hits = [hit._replace(text="") for hit in manual.search("KILL -9")]
    assert match in hits
    page = (ROOT / "controlroom" / "manual" / "hosts.md").read_text()
    broken = next(line.split()[-1] + " " + after.split()[0] for line, after in prose(page))
    assert any(hit.topic == "hosts" for hit in manual.search(broken))


def prose(page: str) -> list[tuple[str, str]]:
    """Lines of one paragraph that follow each other."""
    pairs = zip(page.splitlines(), page.splitlines()[1:], strict=False)
    return [(a, b) for a, b in pairs if len(a) > 80 and b and a[0].isalpha() and b[0].isalpha() and "`" not in a + b]


def test_a_search_without_a_match_gives_nothing() -> None:
    assert not list(manual.search("xyzzy"))


@pytest.mark.parametrize("width", [24, 45, 80, 200])
@pytest.mark.parametrize("topic", manual.TOPICS)
def test_every_page_fits_every_width_and_loses_no_word(topic: str, width: int) -> None:
    page = manual.read(topic)
    drawn = lines(page.text, width)
    assert max(len(line.text) for line in drawn) <= width
    squeezed = "".join("".join(line.text for line in drawn).split())
    for word in page.summary.split():
        assert word in squeezed
    assert drawn[0] == (Kind.HEADING, page.title)
