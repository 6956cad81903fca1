"""Which files Claude's own tools have edited, by what it said in real runs, and how that is noted."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from controlroom.runner.claude.edits import LONGEST, MOST_EDITED, EditCalls, EditNotes, note, read_notes
from controlroom.runner.folder import EDITS
from tests.runner.recorded import events


def call(tool: str, number: int = 1, /, **given: object) -> dict[str, Any]:
    block = {"type": "tool_use", "id": f"toolu_{number}", "name": tool, "input": given}
    return {"type": "assistant", "message": {"content": [block]}}


def result(number: int = 1, *, error: bool = False) -> dict[str, Any]:
    block = {"type": "tool_result", "tool_use_id": f"toolu_{number}", "is_error": error}
    return {"type": "user", "message": {"content": [block]}}


def edited(*heard: dict[str, Any]) -> list[str]:
    calls = EditCalls()
    return [path for event in heard for path in calls.edited(event)]


def test_a_real_run_that_writes_and_edits_a_file() -> None:
    assert set(edited(*events("edited"))) == {"/home/agent/project/t.txt"}


def test_what_was_denied_has_edited_nothing() -> None:
    assert edited(*events("denied")) == []


@pytest.mark.parametrize(("tool", "name"), [("MultiEdit", "file_path"), ("NotebookEdit", "notebook_path")])
def test_each_tool_names_its_file_in_its_own_way(tool: str, name: str) -> None:
    assert edited(call(tool, 1, **{name: "/r/a"}), result()) == ["/r/a"]


def test_a_call_counts_once_it_has_done_its_work() -> None:
    assert edited(call("Edit", file_path="/r/a")) == []
    assert edited(call("Edit", file_path="/r/a"), result(error=True)) == []
    assert edited(call("Read", file_path="/r/a"), result()) == []


@pytest.mark.parametrize("path", ["", "a\0b", "x" * (LONGEST + 1), "\ud800", 7, None, ["/r/a"]])
def test_what_cannot_be_a_path_is_passed_over(path: object) -> None:
    assert edited(call("Edit", file_path=path), result()) == []


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def noted(folder: Path) -> list[str]:
    return [found.path for found in read_notes((folder / EDITS).read_bytes())]


def test_each_file_is_noted_once_and_no_more_of_them_than_fit(folder: Path) -> None:
    notes = EditNotes()
    for number in range(MOST_EDITED + 5):
        for event in (call("Write", number, file_path=f"/r/{number}"), result(number)) * 2:
            notes.hear(event)
    assert noted(folder) == [f"/r/{number}" for number in range(MOST_EDITED)]
    assert os.stat(folder / EDITS).st_mode & 0o777 == 0o600


def test_a_link_in_the_place_of_the_notes_is_not_followed(folder: Path) -> None:
    (folder / EDITS).symlink_to(folder / "elsewhere")
    notes = EditNotes()
    notes.hear(call("Write", file_path="/r/a"))
    notes.hear(result())
    assert not (folder / "elsewhere").exists()


def test_what_was_accepted_is_noted_beside_them(folder: Path) -> None:
    note(EDITS, path="/r/a")
    note(EDITS, merged="a" * 40)
    assert [found.merged for found in read_notes((folder / EDITS).read_bytes())] == ["", "a" * 40]


def test_lines_that_are_no_notes_are_passed_over() -> None:
    whole = json.dumps({"path": "/r/a"}).encode()
    odd = [b"", b"{", b"[" * 5000, b'{"path": 7}', b'{"path": "\\ud800"}', b'{"merged": "--all"}', b'["/r/b"]', b"{}"]
    assert [found.path for found in read_notes(b"\n".join([*odd, whole, b""]))] == ["/r/a"]
