from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tui.room import nothing_is_due
from tests.tui.terminals import Stage


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key may write a file into the home of whoever presses it."""
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture(autouse=True)
def pilots_look_at_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Textual's pilot sleeps until the process takes no more of the processor, three times a key."""
    for place in ("textual.app", "textual.pilot"):
        monkeypatch.setattr(f"{place}.wait_for_idle", nothing_is_due)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    opened = Stage(tmp_path)
    yield opened
    opened.close()
