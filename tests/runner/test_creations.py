"""Being told that something was created in a folder, by a signal."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from controlroom.runner.claude.nested import SIGNAL, Creations
from tests.lab.waiting import wait_for


@pytest.fixture
def told() -> Iterator[list[int]]:
    """The signals that came."""
    heard: list[int] = []
    before = signal.signal(SIGNAL, lambda number, _frame: heard.append(number))
    yield heard
    signal.signal(SIGNAL, before)


def test_what_is_created_is_told_and_what_is_changed_is_not(tmp_path: Path, told: list[int]) -> None:
    (tmp_path / "there").write_text("")
    creations = Creations()
    assert creations.watch([str(tmp_path)])
    (tmp_path / "there").write_text("more")
    (tmp_path / "there").unlink()
    assert told == []
    (tmp_path / "new").write_text("")
    wait_for(lambda: told, 5, "the signal")
    creations.close()
    told.clear()
    (tmp_path / "newer").write_text("")
    assert told == []


def test_a_folder_that_is_not_there_yet_is_waited_for_and_one_made_anew_is_watched(
    tmp_path: Path, told: list[int]
) -> None:
    folder = tmp_path / "config" / "sessions"
    creations = Creations()
    for _ in range(2):
        assert creations.watch([str(folder)])
        told.clear()
        folder.parent.mkdir(exist_ok=True)
        folder.mkdir()
        assert creations.watch([str(folder)])
        told.clear()
        (folder / "1.json").write_text("")
        wait_for(lambda: told, 5, "the signal")
        (folder / "1.json").unlink()
        folder.rmdir()
    creations.close()


def test_who_does_not_handle_the_signal_is_not_sent_it(tmp_path: Path) -> None:
    creations = Creations()
    assert not creations.watch([str(tmp_path)])
    (tmp_path / "new").write_text("")
    creations.close()
