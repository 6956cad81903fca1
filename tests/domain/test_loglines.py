"""From what an agent wrote to lines that may be drawn."""

from hypothesis import given
from hypothesis import strategies as st

from controlroom.domain.display.loglines import KINDS, log_lines
from controlroom.text.event_text import LogRecord
from controlroom.text.sanitize import sanitize
from tests.domain.worlds import NOON

RED = b"\x1b[31mred\x1b[0m"


def texts(*records: LogRecord) -> list[tuple[str, str]]:
    return [(line.kind, line.text) for line in log_lines(records)]


def test_output_keeps_its_colours_as_styles() -> None:
    (line,) = log_lines([LogRecord(NOON, "o", RED + b" alert")])
    assert [(span.text, span.style.fg) for span in line.spans] == [("red", "1"), (" alert", "")]


def test_what_the_operator_sent_and_what_went_wrong_are_told_apart() -> None:
    said = texts(LogRecord(NOON, "i", b"go on"), LogRecord(NOON, "e", b"oops"), LogRecord(NOON, "n", b"started"))
    assert said == [("input", "you: go on"), ("err", "oops"), ("note", "started")]


def test_a_long_line_in_pieces_is_one_line() -> None:
    assert texts(LogRecord(NOON, "o", b"one ", True), LogRecord(NOON, "o", b"line")) == [("out", "one line")]


def test_two_streams_do_not_finish_each_others_lines() -> None:
    said = texts(LogRecord(NOON, "o", b"one ", True), LogRecord(NOON, "e", b"oops"), LogRecord(NOON, "o", b"line"))
    assert said == [("err", "oops"), ("out", "one line")]


def test_a_key_in_the_output_is_not_shown() -> None:
    ((_, text),) = texts(LogRecord(NOON, "o", b"using sk-ant-api03-abcdefgh now"))
    assert text == "using sk-ant-… now"


@given(st.lists(st.builds(LogRecord, st.just(NOON), st.sampled_from("oeain"), st.binary(max_size=60), st.booleans())))
def test_whatever_is_in_a_record_its_lines_are_sanitized(records: list[LogRecord]) -> None:
    for line in log_lines(records):
        assert line.kind in KINDS
        assert sanitize(line.text) == line.text
