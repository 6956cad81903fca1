"""What the shell offers when somebody presses Tab."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from controlroom.cli.completions import candidates

ROOM = {
    "AGENT": ["docs-1", "vm1/docs-1", "vm2/api-3"],
    "HOST": ["local", "vm1", "vm2"],
    "PROFILE": ["docs"],
    "MODEL": ["claude-sonnet-5-5"],
}


def offered(line: str) -> list[str]:
    return candidates(line.split(" ")[1:], lambda: ROOM)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("controlroom sp", ["spawn"]),
        ("controlroom ho", ["host"]),
        ("controlroom host a", ["add", "answer"]),
        ("controlroom nothing like ", []),
        ("controlroom kill ", ["docs-1", "vm1/docs-1", "vm2/api-3"]),
        ("controlroom kill docs-1 vm", ["vm1/docs-1", "vm2/api-3"]),
        ("controlroom kill docs-1 --y", ["--yes"]),
        ("controlroom answer docs-1 ", ["allow", "always", "deny"]),
        ("controlroom answer docs-1 allow ", []),
        ("controlroom spawn docs-2 --host v", ["vm1", "vm2"]),
        ("controlroom spawn --host vm1 docs-2 --profile ", ["docs"]),
        ("controlroom spawn docs-2 --model cl", ["claude-sonnet-5-5"]),
        ("controlroom spawn docs-2 --task-file ", []),
        ("controlroom spawn docs-2 -- ma", []),
        ("controlroom host check ", ["local", "vm1", "vm2"]),
        ("controlroom costs --by ho", ["host", "hour"]),
        ("controlroom completions ", ["bash", "fish", "zsh"]),
        ("controlroom help m", ["model", "money"]),
        ("controlroom help host", ["host", "hosts"]),
        ("controlroom help --", ["--help", "--search"]),
    ],
)
def test_what_may_stand_there(line: str, words: list[str]) -> None:
    assert offered(line) == words


def test_nothing_is_asked_where_no_name_can_stand() -> None:
    def nobody() -> dict[str, list[str]]:
        raise AssertionError("the engine was asked")

    assert candidates(["spa"], nobody) == ["spawn"]
    assert "--host" in candidates(["spawn", "--"], nobody)


def test_bash_completes_verbs_without_an_engine_and_starts_none(tmp_path: Path) -> None:
    programs = Path(sys.executable).parent
    environ = {
        "HOME": str(tmp_path),
        "PATH": f"{programs}:{os.environ['PATH']}",
        "CONTROLROOM_HOME": str(tmp_path / "room"),
    }
    script = """
        eval "$(controlroom completions bash)"
        for line in "controlroom inte" "controlroom host re" "controlroom kill "; do
            COMP_WORDS=($line); [[ $line == *" " ]] && COMP_WORDS+=("")
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _controlroom; echo "$line: ${COMPREPLY[*]}"
        done
    """
    done = subprocess.run(["bash", "-c", script], env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines() == [
        "controlroom inte: interrupt",
        "controlroom host re: remove retry",
        "controlroom kill : ",
    ]
    assert not (tmp_path / "room" / "engine.lock").exists()
