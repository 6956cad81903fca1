"""What an agent said last, read from the end of its log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from controlroom.node.logs.final_answer import LIMIT, Answer, final_answer
from controlroom.runner.worktree.record import MAKING
from controlroom.text.checks import CHECKING
from controlroom.wire.records import EVENT, MAX_BODY, NOTE, OUT, pack, segment_name

AT = 1_795_307_427_677


def said(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "assistant", "message": {"content": [{"type": "text", "text": text}]}, **more}


def result(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "result", "subtype": "success", "result": text, **more}


def write(folder: Path, *events: dict[str, Any] | bytes, segment: int = 1) -> str:
    records = [
        pack(AT + at, OUT if isinstance(event, bytes) else EVENT, event if isinstance(event, bytes) else dumped(event))
        for at, event in enumerate(events)
    ]
    (folder / segment_name(segment)).write_bytes(b"".join(records) + pack(AT + 99, NOTE, b"done"))
    return str(folder)


def dumped(event: dict[str, Any]) -> bytes:
    return json.dumps(event).encode()


TOOL = {"type": "assistant", "message": {"content": [{"type": "tool_use", "name": "Bash", "input": {}}]}}


@pytest.mark.parametrize(
    ("events", "answer"),
    [
        ((said("first"), result("first"), said("then"), result("then")), Answer("then", AT + 3)),
        ((said("so far"), TOOL), Answer("so far", AT)),
        ((said("it"), said("the subagent's", parent_tool_use_id="t1")), Answer("it", AT)),
        ((said("it"), said("the side chain's", isSidechain=True)), Answer("it", AT)),
        ((said("it"), result("API Error: 529", is_error=True)), Answer("it", AT)),
        ((b"building", b"ok: 12 tests", b"  "), Answer("ok: 12 tests", AT + 1)),
        ((b"a line", said("it"), b"a later line"), Answer("it", AT + 1)),
        ((b'{"type": "result", "result": "not an event"}', said("it")), Answer("it", AT + 1)),
        ((TOOL,), Answer()),
        ((), Answer()),
    ],
)
def test_the_last_text_of_the_agent_itself_counts(
    tmp_path: Path, events: tuple[dict[str, Any] | bytes, ...], answer: Answer
) -> None:
    assert final_answer(write(tmp_path, *events)) == answer


def test_what_a_check_prints_is_no_answer(tmp_path: Path) -> None:
    write(tmp_path, b"it is written")
    with (tmp_path / segment_name(1)).open("ab") as file:
        for text in (b"make lint", b"make test"):
            file.write(pack(AT + 7, NOTE, CHECKING.encode() + text) + pack(AT + 8, OUT, b"2 failed"))
    assert final_answer(str(tmp_path)) == Answer("it is written", AT)


def test_how_a_worktree_was_made_is_no_answer(tmp_path: Path) -> None:
    made = f"{MAKING}made /srv/app".encode()
    assert final_answer(write(tmp_path, made)) == Answer()
    assert final_answer(write(tmp_path, made, b"hello")).text == "hello"


def test_an_answer_is_found_in_an_earlier_segment_and_put_together_from_its_parts(tmp_path: Path) -> None:
    write(tmp_path, result("x" * (2 * MAX_BODY)))
    write(tmp_path, TOOL, segment=2)
    found = final_answer(str(tmp_path))
    assert (len(found.text), found.cut, found.at) == (LIMIT, True, AT)


@pytest.mark.parametrize("damage", [b'"result"' + b"[" * 100_000, b'{"type":"result","result":7}', b"\xff\xfe" * 100])
def test_damage_is_passed_over(tmp_path: Path, damage: bytes) -> None:
    write(tmp_path, said("it"))
    with (tmp_path / segment_name(1)).open("ab") as file:
        file.write(pack(AT, EVENT, damage) + b"no record at all\n")
    assert final_answer(str(tmp_path)).text in ("it", "no record at all")


def test_without_a_log_nothing_was_said(tmp_path: Path) -> None:
    assert final_answer(str(tmp_path / "gone")) == Answer()
