"""Use from before is counted once for ever, whatever is killed on the way, and takes nothing from today's budgets."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from controlroom.__main__ import main
from controlroom.cli import imports as verb
from controlroom.cli.exits import Exit
from controlroom.domain.imports import DeclineImport, FindTranscripts, ImportState, ImportUsage
from controlroom.domain.model import Money
from controlroom.engine import imports
from controlroom.engine.ledger.ledger import check
from controlroom.engine.ledger.usage_tables import IMPORTED, Booking, Source, book
from controlroom.engine.ledger.usage_views import costs, money, read_sums
from controlroom.metering.prices import Cost
from controlroom.metering.usage import Message, Usage
from controlroom.text.states import Outcome
from controlroom.wire.imports import (
    ListTranscripts,
    ReadTranscripts,
    TranscriptFound,
    TranscriptPart,
    TranscriptsListed,
)
from tests.engine.old_host import OldHost, imported, standing, write_lines
from tests.engine.rooms import Room, room
from tests.engine.scripted import NOON
from tests.lab.transcripts import counted, write
from tests.lab.world import World
from tests.runner.usage import line

DAY = 86_400_000


def truth(home: Path) -> dict[str, int]:
    return counted(home.rglob("*.jsonl"))


def sums(made: Room) -> dict[str, int]:
    rows = costs(made.ledger, "host", 0, 2 * NOON)
    return {
        "messages": sum(row.messages for row in rows),
        "input_tokens": sum(row.input for row in rows),
        "output_tokens": sum(row.output for row in rows),
        "cache_creation_input_tokens": sum(row.cache_write_5m + row.cache_write_1h for row in rows),
        "cache_read_input_tokens": sum(row.cache_read for row in rows),
    }


async def test_imported_twice_has_the_sums_of_once_and_killed_on_the_way_it_goes_on(
    home: World, tmp_path: Path
) -> None:
    write(tmp_path, 600_000, NOON - 90 * DAY, random.Random(3), largest=18)
    true = truth(tmp_path)
    host = OldHost(tmp_path)
    host.deaf_after = 3
    async with room(host) as made:
        await made.engine.submit(ImportUsage("vm1"), "ann")
        await made.until(lambda: len(host.asked) > 3, "it is in the middle")
    host.deaf_after, before = 10**6, len(host.asked)
    async with room(host) as made:
        assert 0 < sums(made)["messages"] < true["messages"]
        await made.until(lambda: standing(made).state is ImportState.DONE, "it goes on by itself")
        assert len(host.asked) > before
        again = {place.path for asked in host.asked[before:] for place in asked.places if not place.offset}
        assert host.asked[0].places[0].path not in again, "what was booked is not read again"
        await made.engine.ledger_writer.outbox.wait_idle()
        assert sums(made) == true
        assert standing(made).messages == true["messages"]

        reads = len(host.asked)
        twice = await imported(made)
        assert (len(host.asked), twice.messages, twice.state) == (reads, 0, ImportState.DONE)
        assert sums(made) == true
        assert check(made.ledger) == []


async def test_one_whose_host_answers_no_more_stops_with_a_sentence_and_goes_on_where_it_was(
    home: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seconds in (("PATIENCE", 0.05), ("AGAIN", 0.01), ("GIVES_UP", 0.1)):
        monkeypatch.setattr(imports, name, seconds)
    write(tmp_path, 400_000, NOON - 90 * DAY, random.Random(3), largest=18)
    host = OldHost(tmp_path)
    host.deaf_after = 2
    async with room(host) as made:
        stopped = await imported(made)
        assert stopped.state is ImportState.STOPPED
        assert stopped.reason.startswith("vm1 did not answer within 0.05 s; nothing has come for")
        assert 0 < stopped.read < stopped.size
        assert any("controlroom costs import vm1" in alarm.text for alarm in made.engine.store.fleet.alarms.values())
        host.deaf_after, before = 10**6, len(host.asked)
        assert (await imported(made)).state is ImportState.DONE
        again = {place.path for asked in host.asked[before:] for place in asked.places if not place.offset}
        assert host.asked[0].places[0].path not in again
        assert sums(made) == truth(tmp_path)


async def test_the_verb_looks_on_at_a_host_that_is_away_for_a_while_and_the_import_for_good(
    home: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(verb, "AWAY", 0.1)
    write(tmp_path, 200_000, NOON - 90 * DAY, random.Random(3), largest=17)
    host = OldHost(tmp_path)
    host.deaf_after = 1
    async with room(host) as made:
        looks_on = asyncio.create_task(asyncio.to_thread(main, ["costs", "import", "vm1"]))
        await made.until(lambda: len(host.asked) > 1, "it is in the middle")
        host.reachable = False
        host.cut()
        assert await looks_on == Exit.UNKNOWN
        words = "it goes on by itself, as soon as vm1 is back; to look on: controlroom costs import vm1"
        assert words in " ".join(capfd.readouterr().err.split())
        host.reachable, host.deaf_after = True, 10**6
        await made.until(lambda: standing(made).state is ImportState.DONE, "the end")
        assert sums(made) == truth(tmp_path)


async def test_what_lies_on_two_hosts_and_what_is_booked_already_counts_once(home: World, tmp_path: Path) -> None:
    write_lines(tmp_path, line(1, 10), line(2, 20))
    write_lines(tmp_path, line(2, 20), line(3, 30), name="fork")
    async with room(OldHost(tmp_path), OldHost(tmp_path, "vm2")) as made:
        ours = Source("vm1", "docs-1", "docs", "/src", "api", 1)
        message = Message("msg_1", "req_1", NOON, "claude-opus-5-5", Usage(3, 10), run="0" * 15)
        await made.engine.ledger_writer.outbox.put(book(ours, [Booking(message, Cost(7, True), NOON)]))
        first = await imported(made)
        assert (first.messages, first.files) == (2, 2)
        assert (await imported(made, "vm2")).messages == 0
        by_agent = {row.key: row.messages for row in costs(made.ledger, "agent", 0, 2 * NOON)}
        assert by_agent == {"vm1/docs-1": 1, f"vm1/{IMPORTED}": 2}
        assert check(made.ledger) == []


async def test_history_takes_nothing_from_budgets_until_a_run_says_that_it_asked_for_it(
    home: World, tmp_path: Path
) -> None:
    at = "2026-11-22T05:00:00Z"
    write_lines(tmp_path, line(1, 10, at), line(2, 20, at))
    async with room(OldHost(tmp_path)) as made:
        await imported(made)
        (row,) = costs(made.ledger, "host", 0, 2 * NOON)
        assert row.micro > 0
        assert money(made.ledger, 0, 0) == Money()
        assert read_sums(made.ledger, [0], [], NOON).since[0] == ()
        assert read_sums(made.ledger, [0], [], NOON, [("vm1", IMPORTED)]).since[0] == ()

        ours = Source("vm1", "docs-1", "docs", "/src", "api", 1)
        theirs = Message("msg_1", "req_1", NOON, "claude-opus-5-5", Usage(3, 10), run="0" * 15)
        copied = theirs._replace(id="msg_2", request="req_2", usage=Usage(3, 20), run="")
        cost = Cost(row.micro * 1_000_000 // 2, True)
        bookings = [Booking(theirs, cost, NOON), Booking(copied, cost, NOON)]
        await made.engine.ledger_writer.outbox.put(book(ours, bookings))
        await imported(made)
        by_agent = {row.key: row.messages for row in costs(made.ledger, "agent", 0, 2 * NOON)}
        assert by_agent == {"vm1/docs-1": 1, f"vm1/{IMPORTED}": 1}, "a copy in a resumed session stays history"
        (spend,) = read_sums(made.ledger, [0], [], NOON).since[0]
        assert (spend.agent, spend.micro > 0) == ("docs-1", True)
        assert check(made.ledger) == []


async def test_what_cannot_be_true_is_set_aside(home: World, tmp_path: Path) -> None:
    absurd = line(1, 10).replace(b'"input_tokens": 3', b'"input_tokens": 90000000')
    write_lines(tmp_path, absurd, line(2, 20), line(3, 20).replace(b'"input_tokens": 3', b'"input_tokens": -3'))
    many = [line(number, 900_000, "2026-10-01T05:00:00Z") for number in range(10, 60)]
    write_lines(tmp_path, *many, name="many")
    async with room(OldHost(tmp_path)) as made:
        assert (await imported(made)).messages == 52
        told = made.ledger.read("select reason from audit where verb = 'costs import' order by id desc limit 1")
        assert "; 1 line of use cannot be counted" in told[0][0]
        assert len(made.engine.spending.doubted) > 30
        assert any("ledger doubted" in alarm.text for alarm in made.engine.store.fleet.alarms.values())
        assert sums(made)["output_tokens"] < 10_000_000
        assert sums(made)["input_tokens"] < 10_000_000


async def test_times_that_cannot_be_are_those_of_the_file(home: World, tmp_path: Path) -> None:
    ahead, never, old = (line(1, at="2999-01-01T00:00:00Z"), line(2, at="x"), line(3, at="1999-01-01T00:00:00Z"))
    path = write_lines(tmp_path, ahead, never, old)
    os.utime(path, (NOON / 1000 - 86_400, NOON / 1000 - 86_400))
    async with room(OldHost(tmp_path)) as made:
        await imported(made)
        assert sum(row.messages for row in costs(made.ledger, "host", NOON - DAY - 900_000, NOON - DAY + 900_000)) == 3


class Liar(OldHost):
    """Says that there is more, and never reads on."""

    def parts(self, asked: ReadTranscripts) -> Sequence[TranscriptPart]:
        return [TranscriptPart(place.path, 0, 1) for place in asked.places[:1]]


class Other(OldHost):
    """Reads what it was not asked for."""

    def parts(self, asked: ReadTranscripts) -> Sequence[TranscriptPart]:
        return [TranscriptPart("/elsewhere", 0, 2**60, done=True)] * 3


class Endless(OldHost):
    """Lists what cannot be, page after page."""

    def listed(self, asked: ListTranscripts) -> TranscriptsListed:
        page = TranscriptFound(f"{asked.after}x", 0, NOON), TranscriptFound("y" * 1001 + asked.after, 5, NOON)
        return TranscriptsListed(asked.id, page, 2, 5, NOON)


async def test_a_host_that_lists_what_cannot_be_without_end_has_nothing(home: World, tmp_path: Path) -> None:
    async with room(Endless(tmp_path)) as made:
        done = await imported(made)
        assert (done.state, done.files) == (ImportState.DONE, 0)


@pytest.mark.parametrize("kind", [Liar, Other])
async def test_a_host_that_never_comes_to_an_end_is_stopped(home: World, tmp_path: Path, kind: type[OldHost]) -> None:
    write_lines(tmp_path, line(1))
    async with room(kind(tmp_path)) as made:
        stopped = await imported(made)
        assert stopped.state is ImportState.STOPPED
        assert "no further" in stopped.reason
        assert "import vm1" in made.engine.store.fleet.alarms
        assert made.ledger.read("select reason from audit where verb = 'costs import' order by id desc limit 1") == [
            ("vm1 reads its transcripts no further",)
        ]


async def test_old_transcripts_are_offered_once_and_can_be_declined_for_good(home: World, tmp_path: Path) -> None:
    path = write_lines(tmp_path, line(1))
    os.utime(path, (NOON / 1000 + 60, NOON / 1000 + 60))
    host = OldHost(tmp_path)
    async with room(host) as made:
        await made.engine.submit(FindTranscripts("vm1"), "ann")
        assert standing(made).state is ImportState.UNKNOWN, "it is from after the room met the host"
        os.utime(path, (NOON / 1000 - 60, NOON / 1000 - 60))
        await made.engine.submit(FindTranscripts("vm1"), "ann")
        assert (standing(made).state, standing(made).files) == (ImportState.OFFERED, 1)
        assert "controlroom costs import vm1" in made.engine.store.fleet.alarms["import vm1"].text
        assert (await made.engine.submit(DeclineImport("vm1"), "ann")).ok
        assert "import vm1" not in made.engine.store.fleet.alarms
    async with room(host) as made:
        await made.engine.submit(FindTranscripts("vm1"), "ann")
        assert standing(made).state is ImportState.DECLINED
        assert "import vm1" not in made.engine.store.fleet.alarms
        assert (await imported(made)).state is ImportState.DONE, "who thinks better of it may"
        assert (await made.engine.submit(ImportUsage("vm9"), "ann")).outcome is Outcome.REFUSED


async def test_what_was_left_out_as_older_is_read_when_it_is_wanted(home: World, tmp_path: Path) -> None:
    write_lines(tmp_path, line(1, at="2026-10-01T00:00:00Z"), line(2, at="2026-11-20T00:00:00Z"))
    async with room(OldHost(tmp_path)) as made:
        assert (await imported(made, since=NOON - 30 * DAY)).messages == 1
        assert (await imported(made)).messages == 1
        assert sums(made)["messages"] == 2
