"""What a run has spent: each message once, at its dearest; nothing that others have spent; nothing that is hidden."""

from __future__ import annotations

import contextlib
import json
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlroom.metering import usage
from controlroom.metering.prices import micro
from controlroom.metering.usage import Message
from controlroom.runner.claude import transcripts
from controlroom.runner.money import run_spend
from controlroom.runner.money.run_spend import MOST_SESSIONS, CountedMessages, RunSpend
from controlroom.runner.money.usage_meter import UsageMeter
from tests.lab.price_files import CENT, SIMPLE
from tests.runner.usage import (
    BEGAN,
    CALLS,
    DONE,
    FORK,
    PARENT,
    PROMPT,
    RESULT,
    SESSION,
    STOPPED,
    Claude,
    add,
    claude,
    line,
)

__all__ = ["claude"]

BEFORE, LATER = "2026-11-22T04:00:00Z", "2026-11-22T09:00:00Z"
DOLLARS = 1_000_000


def spend(claude: Claude, session: str = SESSION, sheet: Any = SIMPLE) -> RunSpend:
    made = RunSpend(str(claude.config), str(claude.cwd), session, lambda: BEGAN)
    if sheet:
        made.price(sheet)
    return made


def cents(run: RunSpend, session: str = SESSION) -> float:
    run.count(session)
    return run.spent / 10_000


def test_each_message_counts_once_at_its_dearest_wherever_it_stands(claude: Claude) -> None:
    run = spend(claude)
    add(claude.transcript, line(1, 10), line(1, 10), line(2, 5))
    assert cents(run) == 15
    add(claude.transcript, line(2, 7), line(1, 3))
    add(claude.subagent("agent-a.jsonl"), line(3, 100), line(1, 10))
    add(claude.subagent("deeper", "agent-b.jsonl"), line(4, 1000))
    assert cents(run) == 10 + 7 + 100 + 1000
    assert run.tokens == 10 + 7 + 100 + 1000 + 4 * 3
    assert not run.behind


class Reads:
    """What is read of transcripts, and how many lines of them are searched for usage."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.size = self.parsed = 0

        def pread(descriptor: int, most: int, offset: int) -> bytes:
            data = os.pread(descriptor, most, offset)
            self.size += len(data)
            return data

        def messages_of(data: bytes) -> Iterator[Message]:
            self.parsed += bool(data)
            return usage.messages_of(data)

        monkeypatch.setattr(transcripts, "os", SimpleNamespace(**{**vars(os), "pread": pread}))
        monkeypatch.setattr(transcripts, "messages_of", messages_of)


class Readers:
    """The meter, the budget, and what is shown of one Claude's transcript."""

    def __init__(self, claude: Claude, *, resumed: str = "", since: str = "") -> None:
        place = str(claude.config), str(claude.cwd)
        recent = transcripts.RecentPieces(lambda: True)
        self.meter = UsageMeter(*place, resumed, clock=lambda: BEGAN, random=lambda _: b"\x01" * 8, recent=recent)
        self.run = RunSpend(*place, SESSION, lambda: BEGAN, recent=recent)
        self.run.price(SIMPLE)
        self.transcript = transcripts.Transcript(*place, recent)
        self.transcript.follow(SESSION, since)
        self.shown: list[bytes] = []

    def looks(self) -> list[Callable[[], object]]:
        return [lambda: self.meter.look(SESSION), lambda: self.run.count(SESSION), self.read]

    def read(self) -> None:
        self.shown += [line for _, line in self.transcript.read()]


@pytest.mark.parametrize("follow", [2, 3])
def test_a_line_that_several_follow_is_read_and_parsed_once(
    claude: Claude, monkeypatch: pytest.MonkeyPatch, follow: int
) -> None:
    reads, readers = Reads(monkeypatch), Readers(claude)
    lines = [line(number, 1) for number in range(30)]
    for number, each in enumerate(lines):
        add(claude.transcript, each)
        looks = readers.looks()[:follow]
        for turn in range(follow):
            looks[(number + turn - 1) % follow]()  # what is shown begins it
    assert (readers.meter.taken, readers.run.spent) == (30, 30 * 10_000)
    assert (reads.size, reads.parsed) == (sum(map(len, lines)), 30)
    assert readers.shown == ([each.rstrip() for each in lines] if follow == 3 else [])


@given(st.data())
def test_each_of_three_readers_gets_all_whoever_comes_first(data: st.DataObject) -> None:
    """Long lines and short ones, whatever was read by whom when the next come."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        claude = Claude(Path(folder))
        readers, lines = Readers(claude), list[bytes]()
        for _ in range(data.draw(st.integers(1, 8))):
            for size in data.draw(st.lists(st.sampled_from([10, 20_000, 70_000]), max_size=4)):
                lines += [line(len(lines), 1), b'{"type":"user","x":"%s"}\n' % (b"x" * size)]
                add(claude.transcript, *lines[-2:])
            for look in data.draw(st.lists(st.sampled_from(readers.looks()), max_size=3)):
                look()
        for look in readers.looks():
            look()
        assert readers.meter.taken == len(lines) // 2
        assert readers.run.spent == len(lines) // 2 * 10_000
        assert readers.shown == [each.rstrip() for each in lines]


def test_the_answer_of_a_call_that_read_a_picture_is_shown(claude: Claude) -> None:
    """Pictures stand in it in base64, and several may be in one line."""
    lines = [line(1, 1), b'{"type":"user","x":"%s"}\n' % (b"x" * (7 * 1024 * 1024)), line(2, 1)]
    readers = Readers(claude)
    add(claude.transcript, *lines)
    for look in readers.looks() * 2:
        look()
    assert [len(each) for each in readers.shown] == [len(each) - 1 for each in lines]
    assert (readers.meter.taken, readers.run.spent) == (2, 2 * 10_000)


def test_of_a_long_session_that_goes_on_only_what_is_new_is_shown_and_that_is_read_once(
    claude: Claude, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(claude.transcript, *(line(number, 1, BEFORE) + b'{"x":"%s"}\n' % (b"x" * 2_000) for number in range(1000)))
    readers = Readers(claude, since="2026-11-22T05:00:00")
    for look in readers.looks():
        look()
    assert readers.shown == []
    reads, lines = Reads(monkeypatch), [line(number, 1) for number in range(2000, 2009)]
    for number, each in enumerate(lines):
        add(claude.transcript, each)
        for turn in range(3):
            readers.looks()[(number + turn) % 3]()
    assert readers.shown == [each.rstrip() for each in lines]
    assert readers.run.spent == 9 * 10_000
    assert (reads.size, reads.parsed) == (sum(map(len, lines)), 9)


def test_a_long_transcript_that_two_follow_is_parsed_once(claude: Claude, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcripts, "AT_ONCE", 100_000)
    lines = [line(number, 1) + b'{"type":"user","x":"%s"}\n' % (b"x" * 2_000) for number in range(200)]
    reads, readers = Reads(monkeypatch), Readers(claude)
    add(claude.transcript, *lines, PROMPT)
    readers.meter.look(SESSION)
    readers.run.count(SESSION)
    assert (readers.meter.taken, readers.run.spent, readers.run.subagents) == (200, 200 * 10_000, 1)
    assert reads.parsed == 401


def test_in_a_transcript_that_is_cut_short_nothing_is_old_for_any_of_three_readers(claude: Claude) -> None:
    add(claude.transcript, *(line(number, 1) for number in range(50)))
    readers = Readers(claude, resumed=SESSION)
    for look in readers.looks():
        look()
    assert readers.run.spent == 0
    claude.transcript.write_bytes(line(60, 5) + b"\n")
    for look in readers.looks():
        look()
    add(claude.transcript, line(61, 2))
    for look in readers.looks():
        look()
    assert readers.run.spent == 7 * 10_000
    assert readers.shown[50:] == [line(60, 5).rstrip(), line(61, 2).rstrip()]


def test_what_stood_there_before_is_of_others_whenever_it_comes_again(claude: Claude) -> None:
    add(claude.transcript, line(1, 1000, LATER), b'{"type":"assistant","message":{"usage":{')
    add(claude.subagent("agent-a.jsonl"), line(2, 1000))
    run = spend(claude)
    assert cents(run) == 0
    add(claude.transcript, b"\n", line(3, 5, BEFORE), line(1, 2000), line(2, 1000))
    add(claude.subagent("agent-b.jsonl"), line(4, 6, BEFORE), line(1, 1000))
    assert cents(run) == 11


def test_a_session_that_is_gone_over_to_brings_what_is_older_and_not_what_is_new(claude: Claude) -> None:
    other = claude.transcript.with_name(f"{FORK}.jsonl")
    add(claude.transcript, line(1, 5))
    run = spend(claude)
    add(claude.transcript, line(2, 7, BEFORE))
    assert cents(run) == 7
    add(other, line(3, 1000, BEFORE), line(4, 11, LATER))
    assert cents(run, FORK) == 18
    add(other, line(5, 2, BEFORE))
    add(claude.transcript, line(6, 3))
    assert cents(run, FORK) == 23


def test_of_many_sessions_the_last_ones_are_read_on(claude: Claude) -> None:
    run = spend(claude)
    sessions = [f"{number:08x}-2222-4333-8444-555555555555" for number in range(MOST_SESSIONS + 5)]
    for number, session in enumerate(sessions):
        run.count(session)
        add(claude.transcript.with_name(f"{session}.jsonl"), line(number, 1, LATER))
        run.count(session)
    add(claude.transcript, line(1000, 1, LATER))
    add(claude.transcript.with_name(f"{sessions[-2]}.jsonl"), line(1001, 1, LATER))
    assert cents(run, sessions[-1]) == len(sessions) + 1


def test_a_transcript_that_is_cut_short_and_written_anew_hides_nothing(claude: Claude) -> None:
    add(claude.transcript, *(line(number, 1000) for number in range(10)))
    run = spend(claude)
    add(claude.transcript, line(20, 5))
    assert cents(run) == 5
    claude.transcript.write_bytes(line(21, 7))
    assert cents(run) == 12


def test_a_damaged_line_costs_as_much_as_the_dearest_message(claude: Claude) -> None:
    run = spend(claude)
    add(claude.transcript, line(1, 5), line(2, 50), line(3, 1).replace(b'"output_tokens": 1', b'"output_tokens": NaN'))
    add(claude.transcript, b'{"usage": "a word about \\u0022usage\\u0022"}\n')
    assert cents(run) == 105


def test_the_stream_tells_of_a_message_before_its_transcript_does(claude: Claude) -> None:
    run = spend(claude)
    event = {**json.loads(line(1, 1)), "request_id": "req_1"}
    del event["requestId"]
    for _ in range(2):
        run.heard(event, 0)
    run.heard({**event, "message": {**event["message"], "model": "<synthetic>"}}, 0)
    run.heard({**event, "message": {**event["message"], "usage": {"output_tokens": float("nan")}}}, 0)
    run.heard({**event, "message": "hello"}, 0)
    assert cents(run) == 1
    add(claude.transcript, line(1, 30))
    assert cents(run) == 30


def test_messages_that_no_transcript_tells_of_are_missed_when_they_are_several(claude: Claude) -> None:
    run = spend(claude)
    add(claude.transcript, line(0, 1))
    run.count(SESSION)
    for number in range(4):
        run.heard({**json.loads(line(number)), "request_id": f"req_{number}"}, float(number))
    assert (run.missing(3), run.missing(3.5)) == (0, 3)
    add(claude.transcript, line(1, 1))
    run.count(SESSION)
    assert run.missing(100) == 0
    for number in range(4, 9):
        run.heard({**json.loads(line(number)), "request_id": f"req_{number}"}, float(number))
    assert run.missing(100) == 7
    add(claude.transcript, line(8, 1))
    run.count(SESSION)
    assert run.missing(100) == 0


@pytest.mark.parametrize("hide", ["unlink", "symlink", "folder"])
def test_a_file_that_cannot_be_read_any_more_is_named(claude: Claude, hide: str) -> None:
    run = spend(claude)
    assert (run.count(SESSION), run.found) == ("", False)
    agent = claude.subagent("agent-a.jsonl")
    add(claude.transcript, line(1, 5))
    add(agent, line(2, 5))
    assert (run.count(SESSION), run.found) == ("", True)
    agent.unlink()
    if hide == "symlink":
        agent.symlink_to(claude.transcript)
    elif hide == "folder":
        agent.mkdir()
    assert run.count(SESSION) == str(agent)
    assert run.spent == 10 * DOLLARS // 100


def test_what_never_told_of_the_run_may_go_and_what_is_no_file_is_no_transcript(claude: Claude) -> None:
    add(claude.transcript, line(1, 5))
    old = claude.subagent("agent-old.jsonl")
    add(old, line(2, 5))
    run = spend(claude)
    run.count(SESSION)
    old.unlink()
    claude.subagent("agent-trap.jsonl").symlink_to(claude.transcript)
    assert (run.count(SESSION), run.found) == ("", True)
    claude.transcript.unlink()
    claude.transcript.symlink_to("/dev/null")
    assert (run.count(SESSION), run.found) == ("", False)


def test_without_prices_it_counts_tokens_and_prices_all_of_it_when_they_come(claude: Claude) -> None:
    run = spend(claude, sheet=None)
    add(claude.transcript, line(1, 10))
    assert (cents(run), run.tokens) == (0, 13)
    run.price(SIMPLE)
    assert run.behind
    assert (cents(run), run.tokens, run.behind) == (10, 13, False)
    run.price(SIMPLE)
    assert cents(run) == 10


def test_a_long_transcript_is_read_in_steps(claude: Claude, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_spend, "A_LOOK", 1)
    run = spend(claude)
    add(claude.transcript, line(1, 1))
    add(claude.subagent("agent-a.jsonl"), line(2, 1))
    assert (cents(run), run.behind) == (1, True)
    assert (cents(run), run.behind) == (2, True)
    assert (cents(run), run.behind) == (2, False)


def test_what_claude_reports_counts_when_it_is_more(claude: Claude) -> None:
    reports = iter([5 * CENT, 5 * CENT, 90 * CENT])
    run = RunSpend(str(claude.config), str(claude.cwd), SESSION, lambda: BEGAN, lambda _: next(reports))
    run.price(SIMPLE)
    add(claude.transcript, line(1, 10))
    assert [cents(run), cents(run), cents(run)] == [10, 10, 90]


# -- sessions of Claudes below it


def test_sessions_below_it_count_each_by_itself_and_stay_counted_when_they_are_over(claude: Claude) -> None:
    reports = {SESSION: 5 * CENT, FORK: 90 * CENT}
    run = RunSpend(str(claude.config), str(claude.cwd), SESSION, lambda: BEGAN, lambda one: reports.get(one, 0))
    run.price(SIMPLE)
    add(claude.transcript, line(1, 10))
    assert cents(run) == 10
    other = Claude(claude.cwd / "below")
    run.join(str(other.config), str(other.cwd), FORK, fresh=True)
    add(other.transcript.with_name(f"{FORK}.jsonl"), line(2, 20, BEFORE))
    assert cents(run) == 10 + 90
    run.leave(FORK)
    add(claude.transcript, line(3, 7))
    assert (cents(run), run.tokens) == (17 + 90, 13 + 23 + 10)
    run.join(str(other.config), str(other.cwd), FORK, fresh=False)
    add(other.transcript.with_name(f"{FORK}.jsonl"), line(4, 100))
    assert cents(run) == 17 + 120


def test_any_number_of_sessions_below_it_is_counted(claude: Claude) -> None:
    run = spend(claude)
    add(claude.transcript, line(0, 1))
    for number in range(1, 3 * MOST_SESSIONS):
        session = f"{number:08x}-2222-4333-8444-555555555555"
        add(claude.transcript.with_name(f"{session}.jsonl"), line(number, 1))
        run.join(str(claude.config), str(claude.cwd), session, fresh=True)
        assert cents(run) == number + 1
        if number % 2:
            run.leave(session)
    add(claude.transcript, line(10_000, 1))
    assert cents(run) == 3 * MOST_SESSIONS + 1


def test_what_was_over_before_there_were_prices_is_priced_too(claude: Claude) -> None:
    run = spend(claude, sheet=None)
    run.join(str(claude.config), str(claude.cwd), FORK, fresh=True)
    add(claude.transcript.with_name(f"{FORK}.jsonl"), line(2, 20))
    run.count(SESSION)
    run.leave(FORK)
    run.price(SIMPLE)
    assert cents(run) == 20


# -- the table of what is known


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 2**62), st.integers(0, 2**40)), max_size=200))
def test_the_sum_is_that_of_the_dearest_of_each_in_any_order(said: list[tuple[int, int, int]]) -> None:
    known = CountedMessages()
    parts = [known.more((f"m{number}", ""), pico, tokens) for number, pico, tokens in said]
    for place in (1, 2):
        best: dict[int, int] = {}
        for row in said:
            best[row[0]] = max(best.get(row[0], 0), row[place])
        assert sum(part[place - 1] for part in parts) == sum(best.values())


def test_a_hundred_thousand_messages_take_a_few_megabytes() -> None:
    known, dice = CountedMessages(), random.Random(1)
    keys = [(f"msg_{dice.getrandbits(80):x}", f"req_{number}") for number in range(100_000)]
    assert sum(known.more(key, 3, 1)[0] for key in keys) == 300_000
    assert sum(known.more(key, 4, 1)[0] for key in reversed(keys)) == 100_000
    assert known.size_in_bytes <= 7 * 1024 * 1024


def test_beyond_the_bound_everything_counts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_spend, "MOST_MESSAGES", 3)
    known = CountedMessages()
    assert [known.more((str(number % 4), ""), 1, 1)[0] for number in range(8)] == [1, 1, 1, 1, 1, 1, 1, 1]


def test_a_cent_is_a_cent() -> None:
    assert micro(CENT) == 10_000


WHAT = st.sampled_from(["write", "hear", "count", "cut"])
STEPS = st.lists(st.tuples(WHAT, st.integers(0, 6), st.integers(1, 50), st.integers(0, 2)), max_size=40)


@given(STEPS, st.integers(0, 6))
def test_in_any_order_and_however_often_it_is_the_sum_of_the_dearest(
    steps: list[tuple[str, int, int, int]], others: int
) -> None:
    """Numbers below `others` are of messages that stood there before; a file is cut only when it has been read."""
    with tempfile.TemporaryDirectory() as directory:
        claude = Claude(Path(directory))
        files = [claude.transcript, claude.subagent("agent-a.jsonl"), claude.subagent("agent-b.jsonl")]
        add(claude.transcript, *(line(number, 50, BEFORE) for number in range(others)))
        run, dearest = spend(claude), dict.fromkeys(range(others, 7), 0)
        for what, number, output, file in steps:
            if what == "write":
                add(files[file], line(number, output))
            elif what == "hear" and number >= others:
                run.heard({**json.loads(line(number, output)), "request_id": f"req_{number}"}, 0)
            elif what == "cut":
                run.count(SESSION)
                files[file].write_bytes(b"")
            if number >= others and what in ("write", "hear"):
                dearest[number] = max(dearest[number], output)
            if what in ("count", "cut"):
                run.count(SESSION)
        add(claude.transcript, b"")
        run.count(SESSION)
        assert run.spent == sum(dearest.values()) * 10_000


# -- subagents


def at_work(run: RunSpend, session: str = SESSION) -> int | None:
    run.count(session)
    return run.subagents


def test_subagents_are_at_work_from_their_prompt_to_their_last_answer(claude: Claude) -> None:
    run = spend(claude)
    assert run.subagents is None, "nothing has been read"
    add(claude.transcript, PARENT)
    assert at_work(run) == 0
    one, two, below = (claude.subagent(*names) for names in (["agent-a.jsonl"], ["agent-b.jsonl"], ["x", "c.jsonl"]))
    add(one, PROMPT)
    add(two, PROMPT, CALLS)
    assert at_work(run) == 2
    add(below, PROMPT)
    add(claude.transcript, PARENT)
    assert at_work(run) == 3, "its own turn may be over"
    add(two, RESULT, DONE[:-9])
    assert at_work(run) == 3
    add(two, DONE[-9:])
    add(below, STOPPED)
    assert at_work(run) == 1
    add(one, DONE)
    assert at_work(run) == 0
    add(one, PROMPT)
    assert at_work(run) == 1, "it was given more to do"
    one.unlink()
    assert at_work(run) == 1, "nobody knows better"


def test_subagents_of_a_run_before_that_was_killed_are_none(claude: Claude) -> None:
    add(claude.subagent("agent-a.jsonl"), PROMPT, CALLS)
    add(claude.transcript, PARENT)
    run = spend(claude, sheet=None)
    assert at_work(run) == 0
    run.price(SIMPLE)
    assert run.subagents is None
    assert at_work(run) == 0
    add(claude.subagent("agent-a.jsonl"), PROMPT)
    assert at_work(run) == 1, "it goes on in this run"


def test_subagents_of_a_session_that_is_read_no_more_are_none(claude: Claude) -> None:
    run = spend(claude)
    add(claude.transcript, PARENT)
    add(claude.subagent("agent-a.jsonl"), PROMPT)
    assert at_work(run) == 1
    for number in range(MOST_SESSIONS):
        found = at_work(run, f"{number:08d}-2222-4333-8444-555555555555")
    assert found == 0
