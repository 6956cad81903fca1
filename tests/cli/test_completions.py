"""What the shell offers when somebody presses Tab."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from controlroom.cli.completions import candidates, names_in
from tests.domain.worlds import agent, fleet

ROOM = {
    "AGENT": ["docs-1", "vm1/docs-1", "vm2/api-3"],
    "HOST": ["local", "vm1", "vm2"],
    "PROFILE": ["docs"],
    "CREDENTIAL": ["mine", "team"],
    "MODEL": ["claude-sonnet-5-5"],
    "TASK": ["t1", "t2"],
    "BUDGET": ["day"],
}


def offered(line: str) -> list[str]:
    return candidates(line.split(" ")[1:], lambda: ROOM)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("controlroom sp", ["spawn"]),
        ("controlroom spawn docs-1 --credential ", ["mine", "team"]),
        ("controlroom task add --credential t", ["team"]),
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
        ("controlroom help m", ["mcp", "model", "money"]),
        ("controlroom help host", ["host", "hosts"]),
        ("controlroom help --", ["--help", "--search"]),
        ("controlroom kill docs-1 doc", []),
        ("controlroom kill state:fa", ["state:failed"]),
        ("controlroom spawn docs-2 --kind ", ["command", "headless", "interactive"]),
        ("controlroom why ", ["docs-1", "t1", "t2", "vm1/docs-1", "vm2/api-3"]),
        ("controlroom status h", ["host:"]),
        ("controlroom status host:vm", ["host:vm1", "host:vm2"]),
        ("controlroom task list --state f", ["failed"]),
        ("controlroom task list state:o", ["state:open"]),
        ("controlroom task list name:t", ["name:t1", "name:t2"]),
        ("controlroom task drop t1 ", ["t2"]),
        ("controlroom budget remove ", ["day"]),
        ("controlroom budget set ", ["day"]),
        ("controlroom queue set st", ["stagger_seconds="]),
    ],
)
def test_what_may_stand_there(line: str, words: list[str]) -> None:
    assert offered(line) == words


@pytest.mark.parametrize("claimed", ["$(touch x)", "x;reboot", "`id`", "x&", "a b", "-x", "x\ny", "'"])
def test_what_a_host_calls_a_model_gets_onto_no_command_line_unless_it_may_be_one(claimed: str) -> None:
    hosts = fleet(agent("docs-1", model=claimed), agent("docs-2", model="us.anthropic/opus-5:1[1m]"))
    assert names_in(hosts)["MODEL"] == [*hosts.limits.cheaper, "us.anthropic/opus-5:1[1m]"]


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
        for line in "controlroom inte" "controlroom host re" "controlroom kill " "controlroom status state:fa"; do
            COMP_LINE=$line COMP_POINT=${#line}; _controlroom; echo "$line: ${COMPREPLY[*]}"
        done
    """
    done = subprocess.run(["bash", "-c", script], env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines() == [
        "controlroom inte: interrupt",
        "controlroom host re: relieve remove replace retry",
        "controlroom kill : ",
        "controlroom status state:fa: failed",  # bash takes what stands after a colon for a word of its own
    ]
    assert not (tmp_path / "room" / "engine.lock").exists()


ZSH = """
    mkdir functions; controlroom completions zsh > functions/_controlroom
    fpath=($PWD/functions $fpath); autoload -Uz compinit; compinit -D -u
    print file: $_comps[controlroom]
    unset '_comps[controlroom]'; eval "$(controlroom completions zsh)"
    print evaluated: $_comps[controlroom]
"""
FISH = """
    controlroom completions fish | source
    touch a-file
    for line in "controlroom inte" "controlroom " "controlroom spawn x --task-file a-"
        echo "$line:" (complete -C $line | string replace -r '\t.*' '')
    end
"""


def printed(tmp_path: Path, shell: str, *words: str) -> list[str]:
    """What a shell prints in which nothing but the program is set up."""
    programs = Path(sys.executable).parent
    environ = {"HOME": str(tmp_path), "PATH": f"{programs}:{os.environ['PATH']}", "CONTROLROOM_HOME": "/nowhere"}
    done = subprocess.run(
        [shell, *words], env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert not done.stderr, done.stderr
    return done.stdout.splitlines()


def test_zsh_takes_the_script_as_a_file_of_its_fpath_and_evaluated(tmp_path: Path, need: Callable[..., str]) -> None:
    assert printed(tmp_path, need("zsh"), "-fc", ZSH) == ["file: _controlroom", "evaluated: _controlroom"]


def test_fish_offers_files_only_where_no_word_of_ours_stands(tmp_path: Path, need: Callable[..., str]) -> None:
    interrupt, verbs, files = printed(tmp_path, need("fish"), "--private", "-c", FISH)
    assert interrupt == "controlroom inte: interrupt"
    assert "spawn" in verbs
    assert "a-file" not in verbs
    assert files.endswith(": a-file")
