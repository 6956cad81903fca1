"""From names to agents, hosts and profiles; from files and arguments to texts."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.cli.exits import Exit, Stop
from controlroom.cli.find import agent_of, check_profile, host_of, read_text, task_text, typed
from controlroom.domain.preconditions import MAX_TASK
from tests.domain.worlds import agent, fleet, host

TWO = fleet(agent("docs-1", "vm1"), agent("docs-1", "vm2"), agent("api-3", "vm2"), hosts=(host("vm1"), host("vm2")))


def test_a_name_is_enough_where_it_is_unique() -> None:
    assert agent_of(TWO, "api-3").id == "vm2/api-3"
    assert agent_of(TWO, "vm2/docs-1").id == "vm2/docs-1"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("docs-1", "docs-1 is the name of 2 agents: say vm1/docs-1 or vm2/docs-1"),
        ("doc-1", "there is no agent 'doc-1': did you mean docs-1?; see controlroom status"),
        ("vm1/api-3", "there is no agent 'vm1/api-3': did you mean vm2/api-3?; see controlroom status"),
        ("docs-13", "there is no agent 'docs-13'; see controlroom status"),
        ("~claude-7", "there is no agent '~claude-7'; what others started is kept for a day after its end; see"),
        ("zzz", "there is no agent 'zzz'; see controlroom status"),
        ("\x1b[2J" * 99, "there is no agent '\\x1b[2J"),
    ],
)
def test_else_one_is_told_which(text: str, sentence: str) -> None:
    with pytest.raises(Stop) as stopped:
        agent_of(TWO, text)
    assert stopped.value.code is Exit.NOT_FOUND
    assert stopped.value.sentence.startswith(sentence)
    assert len(stopped.value.sentence) < 300


def test_a_host_not_heard_yet_is_named() -> None:
    with pytest.raises(Stop, match="not heard yet: vm3"):
        agent_of(fleet(hosts=(host("vm3", seen=0),)), "docs-1")


def test_hosts_and_profiles() -> None:
    assert host_of(TWO, "vm1").name == "vm1"
    check_profile(TWO, "")
    check_profile(TWO, "docs")
    with pytest.raises(Stop, match=r"there is no host 'vm': did you mean vm\d\?; see controlroom host list") as stopped:
        host_of(TWO, "vm")
    assert stopped.value.code is Exit.NOT_FOUND
    with pytest.raises(Stop, match=r"there is no profile 'x' \(there are docs\)"):
        check_profile(TWO, "x")
    with pytest.raises(Stop, match="there is no profile 'dcs': did you mean docs"):
        check_profile(TWO, "dcs")


@given(st.text(st.characters(codec="utf-8")))
def test_any_text_comes_through_the_command_line(text: str) -> None:
    assert task_text(text, None) == text


def test_a_task_comes_from_a_file_byte_for_byte(tmp_path: Path) -> None:
    text = "'\"`$(touch x)`;\r\n\t🎉\0\x1b[2J \\n" * 10_000
    path = tmp_path / "task"
    path.write_bytes(text.encode())
    assert task_text(None, str(path)) == text


def test_a_task_comes_from_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("tüdelü\r\n".encode())))
    assert read_text("-", "the task") == "tüdelü\r\n"


@pytest.mark.parametrize(
    ("content", "code", "sentence"),
    [
        (b"abc\xff", Exit.USAGE, "the task is not UTF-8 text: byte 3 is 0xff"),
        (b"a" * (MAX_TASK + 1), Exit.REFUSED, "the task is longer than 1048576 bytes"),
    ],
)
def test_what_is_no_task(tmp_path: Path, content: bytes, code: Exit, sentence: str) -> None:
    path = tmp_path / "task"
    path.write_bytes(content)
    with pytest.raises(Stop, match=sentence) as stopped:
        read_text(str(path), "the task")
    assert stopped.value.code is code


@pytest.mark.parametrize("file", ["/nonexistent", "/", "a\0b"])
def test_a_file_that_cannot_be_read(file: str) -> None:
    with pytest.raises(Stop, match="the task cannot be read from"):
        read_text(file, "the task")


def test_bytes_of_the_command_line_that_are_no_text() -> None:
    with pytest.raises(Stop, match="the message is not UTF-8 text"):
        typed(b"a\xff".decode("utf-8", "surrogateescape"), "the message")
