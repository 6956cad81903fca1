"""What is printed: sanitized, lined up, coloured only for a terminal, whole in any encoding."""

from __future__ import annotations

import io
import json
import os
import pty
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.cli import output
from controlroom.cli.output import cells, cut, lined_up
from controlroom.domain.attached import FrontEnd
from controlroom.domain.display.loglines import log_lines
from controlroom.text.event_text import LogRecord

HOSTILE = "\x1b]52;c;aGk=\x07 \x1b[2J \x9b31m \x07 \u202eevil\u2066 \r\x08 [/] [@click=x] {} \x00 \ud800"
NEVER = ("\x1b", "\x9b", "\x07", "\x08", "\r", "\x00", "\u202e", "\u2066", "\ud800")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.TextIOWrapper]:
    """stdout and stderr on a real pseudo-terminal."""
    ours, theirs = pty.openpty()
    with open(theirs, "w", encoding="utf-8") as stream:
        for name in ("stdout", "stderr"):
            monkeypatch.setattr(sys, name, stream)
        for name in ("NO_COLOR", "TERM"):
            monkeypatch.delenv(name, raising=False)
        yield stream
    os.close(ours)


def test_nothing_hostile_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    output.data(HOSTILE)
    output.talk(HOSTILE)
    output.table([(HOSTILE, "a"), ("b", HOSTILE)])
    output.log_lines(log_lines([LogRecord(0, stream, HOSTILE.encode("utf-8", "replace")) for stream in "oein"]))
    said = "".join(capsys.readouterr())
    assert not [mark for mark in NEVER if mark in said]
    assert "[@click=x]" in said


def test_keys_are_never_printed(capsys: pytest.CaptureFixture[str]) -> None:
    output.data("a sk-ant-api03-Secret_1 b")
    output.talk("a sk-ant-api03-Secret_1 b")
    assert "Secret" not in "".join(capsys.readouterr())


@given(st.text())
def test_json_is_whole_in_every_encoding(text: str) -> None:
    for encoding in ("utf-8", "ascii", "latin-1"):
        kept = sys.stdout
        sys.stdout = io.TextIOWrapper(io.BytesIO(), encoding)
        try:
            output.json_answer("attached", [FrontEnd(f"a{text}".encode("utf-8", "replace").decode(), "cli", "all", 0)])
            written = sys.stdout.buffer
        finally:
            sys.stdout, stream = kept, sys.stdout
        assert isinstance(written, io.BytesIO)
        assert json.loads(written.getvalue())["front_ends"][0]["who"] == f"a{text}".encode("utf-8", "replace").decode()
        stream.close()


def test_a_narrow_encoding_loses_signs_but_not_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    output.data("▲ waiting – ü")
    assert stream.buffer.getvalue() == b"? waiting ? ?\n"


LINES = [
    LogRecord(0, "o", b"\x1b[32mok\x1b[0m done"),
    LogRecord(0, "e", b"bad"),
    LogRecord(0, "i", b"hello"),
    LogRecord(0, "n", b"the runner says"),
]


def test_a_pipe_gets_no_colours(capsys: pytest.CaptureFixture[str]) -> None:
    output.log_lines(log_lines(LINES))
    plain = capsys.readouterr().out
    assert "\x1b" not in plain
    assert plain.splitlines()[:2] == ["ok done", "bad"]


@pytest.mark.parametrize(
    ("name", "value", "colours"),
    [("TERM", "xterm", True), ("NO_COLOR", "1", False), ("NO_COLOR", "", True), ("TERM", "dumb", False)],
)
def test_a_terminal_gets_colours_unless_it_has_none(
    terminal: io.TextIOWrapper, monkeypatch: pytest.MonkeyPatch, name: str, value: str, colours: bool
) -> None:
    monkeypatch.setenv(name, value)
    assert output.coloured(terminal) == colours


def test_colours_are_made_anew(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "coloured", lambda _stream: True)
    output.log_lines(log_lines([LogRecord(0, "o", b"\x1b[1;38;2;1;2;3;44mhot\x1b[0m cold")]))
    assert capsys.readouterr().out == "\x1b[1;38;2;1;2;3;48;5;4mhot\x1b[0m cold\n"


def test_raw_is_raw(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    output.raw(b"\x00\xff\x1b[2J\n")
    assert capfdbinary.readouterr().out == b"\x00\xff\x1b[2J\n"


def test_columns_line_up_with_wide_and_combining_signs() -> None:
    lines = lined_up([("名前", "1"), ("e\u0301a", "20"), ("abc", "3")], frozenset((1,)), None)
    assert lines == ["名前   1", "e\u0301a    20", "abc    3"]
    assert [cells(line) for line in lines] == [8, 8, 8]


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"])), st.integers(0, 30))
def test_what_is_cut_fits(text: str, room: int) -> None:
    assert cells(cut(text, room)) <= room or room == 0
    if cells(text) <= room:
        assert cut(text, room) == text
