"""What a person says to `init`, and how it is told what was found."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from controlroom.cli.init import chosen
from tests.lab.terminal import Terminal


@pytest.mark.parametrize(
    ("said", "hosts"),
    [
        ("", []),
        ("n", []),
        ("No", []),
        ("2, 1", ["vm2", "vm1"]),
        ("vm3 me@vm4", ["vm3", "me@vm4"]),
        ("y 1", ["y", "vm1"]),
    ],
)
def test_numbers_names_and_nothing(said: str, hosts: list[str]) -> None:
    assert chosen(said, ["vm1", "vm2", *(["y"] if "y" in hosts else [])]) == hosts


@pytest.mark.parametrize("said", ["y", "yes", "1 Y", "7"])
def test_what_names_no_machine_is_asked_again(said: str) -> None:
    with pytest.raises(ValueError, match="neither a number of the list nor an address: say which machines"):
        chosen(said, ["vm1", "vm2"])


def test_what_was_found_is_broken_between_words(tmp_path: Path) -> None:
    words = "it is not on the PATH of the login shell, so put it there"
    told = f"from controlroom.cli import output; output.hanging('   x claude: ', {words!r})"
    stays = f"{told}; import time; time.sleep(600)"  # what tmux writes into a pane that is over may scroll it
    terminal = Terminal(tmp_path / "terminal", [sys.executable, "-c", stays], 40, 10)
    try:
        terminal.wait_for_text("so put it", "there")
        lines = [line for line in terminal.screen().splitlines() if line]
        assert lines[0].startswith("   x claude: it is not on the")
        assert all(line.startswith(" " * 13) for line in lines[1:3])
        assert " ".join(" ".join(lines[:3]).split()) == f"x claude: {words}"
    finally:
        terminal.close()
