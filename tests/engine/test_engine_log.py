"""The engine's log: whoever has much said in it keeps nobody else's lines from it for long."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from controlroom.engine.process import LOG_BYTES, MOST, Sparing, log_to


def line(number: int, seconds: float, name: str = "controlroom.server") -> logging.LogRecord:
    made = logging.LogRecord(name, logging.WARNING, "", 0, "line %d", (number,), None)
    made.created = seconds
    return made


def test_one_part_of_the_engine_writes_so_many_lines_in_a_minute_and_says_how_many_more_there_were() -> None:
    sparing = Sparing()
    written = [number for number in range(1000) if sparing.filter(line(number, 1000 + number / 100))]
    assert written == list(range(MOST))
    assert sparing.filter(line(0, 1005, "controlroom.link"))
    later = line(1000, 1061)
    assert sparing.filter(later)
    assert later.getMessage() == f"({1000 - MOST} lines before this were left out) line 1000"
    after = line(1001, 1062)
    assert sparing.filter(after)
    assert after.getMessage() == "line 1001"


def test_a_clock_that_is_set_back_silences_nobody() -> None:
    sparing = Sparing()
    for number in range(2 * MOST):
        sparing.filter(line(number, 5000))
    assert sparing.filter(line(0, 1000))


def test_a_flood_of_complaints_leaves_what_was_written_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was two files full within seconds, as fast as a watcher can connect and say nonsense."""
    root, ours = logging.getLogger(), logging.getLogger("controlroom")
    before, levels = list(root.handlers), (root.level, ours.level)
    monkeypatch.setattr(logging, "raiseExceptions", logging.raiseExceptions)
    log_to(tmp_path / "engine.log")
    try:
        logging.getLogger("controlroom.engine").info("ann stops the engine")
        for _ in range(3 * LOG_BYTES // 100):
            logging.getLogger("controlroom.server").warning("a front end was sent away: %s", "x" * 100)
        assert "ann stops the engine" in (tmp_path / "engine.log").read_text()
    finally:
        for handler in [one for one in root.handlers if one not in before]:
            root.removeHandler(handler)
            handler.close()
        root.setLevel(levels[0])
        ours.setLevel(levels[1])
