"""Comments that were not sent yet: they outlive the screen, and are of one agent alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from controlroom.domain.model import Agent
from controlroom.domain.review import Comment
from controlroom.text.changes import LineKind
from controlroom.tui.review_drafts import ReviewDrafts
from controlroom.tui.theme.memory import Memory
from tests.tui import scenes

COMMENTS = (Comment("docs/\udcff.md", 0, 3, LineKind.ADDED, "a line", "Why?\nSay."),)


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "screen.json")


def agent(**changes: object) -> Agent:
    known = replace(scenes.farm().agents["vm1/web-2"], epoch=2, started=50)
    return replace(known, **changes)  # type: ignore[arg-type]


def test_they_outlive_the_screen_in_a_file_of_their_own(memory: Memory, tmp_path: Path) -> None:
    assert ReviewDrafts(memory).keep(agent(), COMMENTS)
    assert ReviewDrafts(memory).of(agent()) == COMMENTS
    assert (tmp_path / "reviews.json").stat().st_mode & 0o777 == 0o600
    assert ReviewDrafts(memory).keep(agent(), ())
    assert ReviewDrafts(memory).of(agent()) == ()


def test_they_go_on_with_later_runs_and_not_with_another_agent_of_that_name(memory: Memory) -> None:
    ReviewDrafts(memory).keep(agent(), COMMENTS)
    assert ReviewDrafts(memory).of(agent(epoch=3, started=90)) == COMMENTS
    assert ReviewDrafts(memory).of(agent(epoch=1, started=90)) == ()
    assert ReviewDrafts(memory).of(agent(started=90)) == ()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"vm1/web-2": 3}', '{"vm1/web-2": [2, 50, [["a", "b"], 7]]}'])
def test_a_file_that_was_damaged_is_forgotten(memory: Memory, tmp_path: Path, text: str) -> None:
    (tmp_path / "reviews.json").write_text(text)
    assert ReviewDrafts(memory).of(agent()) == ()


def test_without_a_place_they_live_as_long_as_the_screen() -> None:
    drafts = ReviewDrafts(None)
    assert not drafts.keep(agent(), COMMENTS)
    assert drafts.of(agent()) == COMMENTS
