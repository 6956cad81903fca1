"""Metering: what stands in transcripts reaches usage.jsonl once, and is what Claude bills, to the micro-dollar."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from controlroom.metering.usage_file import Refusal, Report
from controlroom.runner.claude.transcripts import find_transcript
from controlroom.runner.money.usage_meter import (
    LATE,
    NEVER,
    OFTEN,
    SOON,
    Metered,
    UsageMeter,
    noted_sessions,
)
from tests.runner.usage import BEGAN, FORK, SESSION, Claude, claude, line, names, stamped, told, total, written

__all__ = ["claude"]

RUN, NEXT_RUN = "0101010101010101"[:15], "0202020202020202"[:15]


def say(path: Path, *lines: bytes) -> None:
    with open(path, "ab") as file:
        file.write(b"".join(lines))


def reports() -> list[tuple[str, int]]:
    """What usage.jsonl says that runs have cost, in micro-dollars."""
    return [(record.run, record.pico // 10**6) for record in written() if isinstance(record, Report)]


def result(total: float, new: float, session: str = SESSION) -> dict[str, Any]:
    """An event at the end of a turn, as Claude Code gives it."""
    models = {"claude-opus-5-5": {"costUSD": new}}
    return {
        "type": "result",
        "session_id": session,
        "total_cost_usd": total,
        "model_usage_since_last_result": models,
    }


def test_a_message_of_many_lines_is_told_once(claude: Claude) -> None:
    meter = claude.meter()
    say(claude.transcript, line(1), line(1), b'{"type":"user"}\n', line(2), b"not json\n")
    meter.look(SESSION)
    say(claude.transcript, line(2), line(3))
    meter.look(SESSION)
    meter.look(SESSION)
    assert names(told()) == [("msg_1", 10), ("msg_2", 10), ("msg_3", 10)]


def test_a_message_that_has_grown_is_told_again(claude: Claude) -> None:
    meter = claude.meter()
    say(claude.transcript, line(1, output=1))
    meter.look(SESSION)
    say(claude.transcript, line(1, output=30))
    meter.look(SESSION)
    assert names(told()) == [("msg_1", 1), ("msg_1", 30)]


def test_subagents_count_however_deep_they_are(claude: Claude) -> None:
    say(claude.transcript, line(1))
    say(claude.subagent("agent-a.jsonl"), line(2))
    say(claude.subagent("deeper", "still", "agent-b.jsonl"), line(3))
    say(claude.subagent("agent-a.meta.json"), line(4))
    claude.meter().look(SESSION)
    assert {name for name, _ in names(told())} == {"msg_1", "msg_2", "msg_3"}


def test_half_a_line_waits_for_the_rest(claude: Claude) -> None:
    meter, whole = claude.meter(), line(1)
    for end in range(0, len(whole) - 1, 37):
        claude.transcript.write_bytes(whole[:end])
        meter.look(SESSION)
        assert told() == []
    claude.transcript.write_bytes(whole)
    meter.look(SESSION)
    assert names(told()) == [("msg_1", 10)]


def test_a_transcript_that_was_cut_short_is_read_anew(claude: Claude) -> None:
    meter = claude.meter()
    say(claude.transcript, line(1), line(2))
    meter.look(SESSION)
    claude.transcript.write_bytes(line(3))
    meter.look(SESSION)
    assert names(told())[2:] == [("msg_3", 10)]


def test_a_line_of_many_megabytes_is_passed_over(claude: Claude) -> None:
    meter = claude.meter()
    say(claude.transcript, line(1), b'{"usage":"' + b"x" * 9_000_000 + b'"}\n', line(2))
    meter.look(SESSION)
    assert names(told()) == [("msg_1", 10), ("msg_2", 10)]


@pytest.mark.parametrize("kind", ["fifo", "symlink", "folder"])
def test_what_is_no_transcript_is_left_alone(claude: Claude, kind: str, tmp_path: Path) -> None:
    say(tmp_path / "elsewhere", line(9))
    for path in (claude.subagent("agent-a.jsonl"), claude.transcript):
        if kind == "fifo":
            os.mkfifo(path)
        elif kind == "symlink":
            path.symlink_to(tmp_path / "elsewhere")
        else:
            path.mkdir()
    claude.meter().look(SESSION)
    assert told() == []


def test_a_session_that_began_elsewhere_is_found(claude: Claude) -> None:
    elsewhere = claude.config / "projects" / "-another-place"
    elsewhere.mkdir()
    say(elsewhere / f"{SESSION}.jsonl", line(1))
    claude.meter().look(SESSION)
    assert names(told()) == [("msg_1", 10)]


@pytest.mark.parametrize("session", ["", "../../etc/passwd", "x", SESSION + "/.."])
def test_what_is_no_session_has_no_transcript(claude: Claude, session: str) -> None:
    assert find_transcript(str(claude.config), str(claude.cwd), session) == ""


def test_it_looks_for_as_long_as_a_line_may_come(claude: Claude) -> None:
    meter = claude.meter()
    assert meter.wakes_at == NEVER
    meter.expect(100.0)
    assert meter.wakes_at == 100.0 + SOON
    meter.due(SESSION, 100.0)
    assert meter.wakes_at == 100.0 + SOON
    now = 100.0
    while meter.wakes_at != NEVER:
        now = meter.wakes_at
        meter.due(SESSION, now)
    assert LATE <= now - 100.0 <= LATE + SOON


def test_what_is_said_all_the_time_puts_no_look_off_for_long(claude: Claude) -> None:
    meter = claude.meter()
    meter.due(SESSION, 0.0)
    while meter.wakes_at != NEVER:
        meter.due(SESSION, meter.wakes_at)
    say(claude.transcript, line(1))
    now = began = 100.0
    meter.expect(now)
    while meter.wakes_at > now:
        now += SOON / 2
        meter.expect(now)
    assert OFTEN <= now - began <= OFTEN + SOON
    meter.due(SESSION, now)
    assert meter.taken == 1
    assert meter.wakes_at > now


def test_a_disk_that_takes_nothing_is_tried_again(claude: Claude) -> None:
    meter = claude.meter()
    say(claude.transcript, line(1))
    Path("usage.jsonl").symlink_to("/dev/full")
    meter.look(SESSION)
    Path("usage.jsonl").unlink()
    meter.look(SESSION)
    assert names(told()) == [("msg_1", 10)]


def test_a_run_is_told_with_its_messages_and_what_it_reports(claude: Claude) -> None:
    meter = claude.meter()
    say(claude.transcript, line(1))
    say(claude.subagent("agent-a.jsonl"), line(2))
    meter.hear(result(0.5, 0.5), 1.0)
    meter.look(SESSION)
    meter.hear(result(0.75, 0.25), 2.0)
    meter.hear(result(0.75, 0), 3.0)
    assert reports() == [(RUN, 500_000), (RUN, 750_000)]
    assert [message.run for message in told()] == [RUN, RUN]


def test_what_stood_in_a_resumed_session_is_not_this_runs(claude: Claude) -> None:
    say(claude.transcript, line(1), total(0.5))
    say(claude.subagent("agent-a.jsonl"), line(2))
    meter = claude.meter(resumed=SESSION, began=0)
    say(claude.transcript, line(3))
    say(claude.subagent("agent-b.jsonl"), line(4))
    meter.look(SESSION)
    assert {message.id: message.run for message in told()} == {"msg_1": "", "msg_2": "", "msg_3": RUN, "msg_4": RUN}
    meter.hear(result(0.75, 0.25), 1.0)
    say(claude.transcript, total(0.8))
    meter.look(SESSION)
    assert reports() == [(RUN, 250_000), (RUN, 300_000)]


@pytest.mark.parametrize("forks", [False, True])
def test_it_is_noted_before_its_claude_begins_where_a_run_goes_on(claude: Claude, forks: bool) -> None:
    say(claude.transcript, line(1))
    size = claude.transcript.stat().st_size
    place = str(claude.config), str(claude.cwd)
    UsageMeter(*place, SESSION, forks=forks, clock=lambda: BEGAN, random=lambda _: b"\x01" * 8)
    say(claude.transcript, line(2))
    assert list(noted_sessions(".")) == [Metered(SESSION, *place, "", *(() if forks else (BEGAN, size)))]


def test_a_fork_begins_with_what_is_its_parents(claude: Claude) -> None:
    meter = claude.meter(resumed=SESSION)
    copy = line(1, at="2026-11-22T04:59:59Z")
    say(claude.transcript.with_name(f"{FORK}.jsonl"), copy, copy, line(2), line(3, at="2026-11-22T04:59:59Z"))
    meter.hear(result(0.75, 0.25, FORK), 1.0)
    meter.look(FORK)
    assert [message.run for message in told()] == ["", RUN, RUN]
    assert reports() == [(RUN, 250_000)]


def test_a_fork_on_a_terminal_reports_nothing_that_its_parent_may_have_cost(claude: Claude) -> None:
    meter = claude.meter()
    say(claude.transcript, line(1, at="2026-11-22T04:59:59Z"), line(2), total(0.75))
    meter.look(SESSION)
    assert reports() == []


def test_what_a_status_line_shows_counts_from_its_first_word_on(claude: Claude) -> None:
    meter = claude.meter()
    meter.show(SESSION, 500_000 * 10**6)  # a fork: its parent's
    say(claude.transcript, line(1, at="2026-11-22T04:59:59Z"), line(2))
    meter.show(SESSION, 750_000 * 10**6)
    say(claude.transcript, total(0.8))
    meter.look(SESSION)
    assert reports() == [(RUN, 250_000), (RUN, 300_000)]


def test_a_status_line_whose_first_word_was_missed_is_made_up_for_at_the_end(claude: Claude) -> None:
    meter = claude.meter()
    meter.show(SESSION, 500_000 * 10**6)
    say(claude.transcript, line(1), total(0.8))
    meter.look(SESSION)
    assert reports() == [(RUN, 800_000)]


def test_a_resumed_session_shows_what_it_had_cost_first(claude: Claude) -> None:
    say(claude.transcript, line(1), total(0.5))
    meter = claude.meter(resumed=SESSION)
    meter.show(SESSION, 750_000 * 10**6)
    assert reports() == [(RUN, 250_000)]


def test_a_session_after_another_is_a_run_of_its_own(claude: Claude) -> None:
    meter = claude.meter()
    say(claude.transcript, line(1), total(0.5))
    meter.look(SESSION)
    say(claude.transcript.with_name(f"{FORK}.jsonl"), line(2, at="2026-11-22T05:00:01Z"), total(0.25))
    meter.look(FORK)
    assert reports() == [(RUN, 500_000), (NEXT_RUN, 250_000)]
    assert [message.run for message in told()] == [RUN, NEXT_RUN]


def test_a_claude_that_does_not_tell_what_is_new_is_not_taken_for_dearer_than_it_was(claude: Claude) -> None:
    say(claude.transcript, line(1), total(0.5))
    meter = claude.meter(resumed=SESSION)
    meter.hear({"type": "result", "session_id": SESSION, "total_cost_usd": 0.75}, 1.0)
    assert reports() == [(RUN, 250_000)]


def test_a_report_that_the_disk_does_not_take_is_written_later(claude: Claude) -> None:
    meter = claude.meter()
    Path("usage.jsonl").symlink_to("/dev/full")
    meter.hear(result(0.5, 0.5), 1.0)
    Path("usage.jsonl").unlink()
    meter.look(SESSION)
    assert reports() == [(RUN, 500_000)]


@pytest.mark.parametrize("value", [float("nan"), -1.0, 1e300, "1", None])
def test_a_report_that_cannot_be_is_none(claude: Claude, value: Any) -> None:
    meter = claude.meter()
    meter.hear(result(value, 0.5), 1.0)
    assert reports() == []


def test_holes_of_a_terabyte_are_passed_over(claude: Claude) -> None:
    meter = claude.meter()
    say(claude.transcript, line(1))
    with open(claude.transcript, "r+b") as file:
        file.truncate(2**40)
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + line(2))
    meter.finish(SESSION)
    assert names(told()) == [("msg_1", 10), ("msg_2", 10)]


# -- clocks


@pytest.mark.parametrize("hours", [-24 * 365, -24, -1, 0, 24])
def test_a_clock_that_is_turned_changes_nothing_of_a_session_that_began_with_its_run(
    claude: Claude, hours: int
) -> None:
    wall, stamp = [BEGAN], stamped(BEGAN + hours * 3_600_000 + 5000)
    meter = UsageMeter(str(claude.config), str(claude.cwd), clock=lambda: wall[0], random=lambda _: b"\x01" * 8)
    meter.join(str(claude.config), str(claude.cwd), SESSION, fresh=True)
    wall[0] += hours * 3_600_000
    say(claude.transcript, line(1, at=stamp))
    say(claude.subagent("agent-a.jsonl"), line(2, at=stamp))
    meter.look(SESSION)
    say(claude.transcript, total(0.5))
    meter.look(SESSION)
    assert [(message.id, message.run) for message in told()] == [("msg_1", RUN), ("msg_2", RUN)]
    assert reports() == [(RUN, 500_000)]


@pytest.mark.parametrize("seconds", [-86_400, -10, 0, 86_400])
def test_a_clock_that_is_turned_tells_copies_from_what_a_fork_adds(claude: Claude, seconds: int) -> None:
    wall, boot = [BEGAN], 1000.0
    meter = UsageMeter(str(claude.config), str(claude.cwd), clock=lambda: wall[0], random=lambda _: b"\x01" * 8)
    for step in range(3):
        meter.expect(boot + step)
        meter.due(FORK, boot + step + 0.25)
        wall[0] += 1000
    wall[0] += 1000 * seconds
    transcript = claude.transcript.with_name(f"{FORK}.jsonl")
    copies = line(1, at=stamped(BEGAN - 2 * 86_400_000))
    say(transcript, copies, line(2, at=stamped(wall[0])))
    meter.expect(boot + 3)
    meter.due(FORK, boot + 3.25)
    say(transcript, line(3, at=stamped(wall[0] + 500)))
    meter.expect(boot + 4)
    meter.due(FORK, boot + 4.25)
    assert [(message.id, message.run) for message in told()] == [("msg_1", ""), ("msg_2", RUN), ("msg_3", RUN)]


# -- when the API answers, and when it refuses


def compact(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"


def asked(name: str, second: int) -> bytes:
    return compact({"type": "api-request", "id": name, "timestamp": stamped(BEGAN + 1_000 * second), "params": {}})


def answered(number: int, name: str, second: int, output: int = 10) -> bytes:
    entry = json.loads(line(number, output, stamped(BEGAN + 1_000 * second)))
    return compact({**entry, "requestRef": name})


def took() -> list[tuple[str, int]]:
    return [(message.id, message.took) for message in told()]


def test_an_answer_takes_from_its_last_request_to_its_last_block(claude: Claude) -> None:
    meter = claude.meter()
    say(claude.transcript, asked("a", 1), asked("b", 5))
    meter.look(SESSION)
    say(claude.transcript, answered(1, "b", 7))
    meter.look(SESSION)
    say(claude.transcript, answered(1, "b", 9, output=20), asked("c", 10), answered(2, "c", 11))
    meter.look(SESSION)
    assert took() == [("msg_1", 2_000), ("msg_1", 4_000), ("msg_2", 1_000)]


def test_an_answer_whose_request_stands_nowhere_took_nobody_knows_how_long(claude: Claude) -> None:
    meter = claude.meter()
    say(claude.transcript, asked("a", 1), line(1, at=stamped(BEGAN + 9_000)), answered(2, "other", 8))
    say(claude.subagent("agent-a.jsonl"), answered(3, "a", 8))
    meter.look(SESSION)
    assert took() == [("msg_1", 0), ("msg_2", 0), ("msg_3", 0)]


def test_what_an_earlier_run_was_answered_is_not_told_again(claude: Claude) -> None:
    say(claude.transcript, asked("a", 1), refused(1, 429), answered(1, "a", 2))
    meter = claude.meter(resumed=SESSION)
    say(claude.transcript, asked("b", 11), answered(2, "b", 14))
    meter.look(SESSION)
    assert [pair for pair in took() if pair[1]] == [("msg_2", 3_000)]
    assert refusals() == []


def refused(second: int, status: object, **more: object) -> bytes:
    entry = {"type": "system", "subtype": "api_error", "error": {"status": status}, "uuid": f"u{second}"}
    return compact({**entry, "timestamp": stamped(BEGAN + 1_000 * second), **more})


def refusals() -> list[tuple[str, int]]:
    return [(record.id, record.status) for record in written() if isinstance(record, Refusal)]


def test_each_request_that_the_api_refused_is_told_once(claude: Claude) -> None:
    meter = claude.meter()
    final = {
        "type": "assistant",
        "subtype": "",
        "isApiErrorMessage": True,
        "apiErrorStatus": 529,
        "error": "overloaded",
    }
    say(claude.transcript, asked("a", 1), refused(2, 429), asked("b", 3), refused(4, 529))
    meter.look(SESSION)
    say(claude.transcript, refused(5, 429, uuid="u5", **final))
    meter.look(SESSION)
    meter.look(SESSION)
    assert refusals() == [("u2", 429), ("u4", 529), ("u5", 529)]
    assert told() == []


@pytest.mark.parametrize("status", [None, "429", 7, True, 10**30, {}, -429, float("nan")], ids=repr)
def test_what_is_no_status_is_no_refusal(claude: Claude, status: object) -> None:
    say(claude.transcript, refused(2, status), refused(3, 429, uuid=7), refused(4, 429, timestamp="soon"))
    say(claude.transcript, b'{"type":"api-request",' + b"[" * 100_000 + b"\n")
    claude.meter().look(SESSION)
    assert written() == []
