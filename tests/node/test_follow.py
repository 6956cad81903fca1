"""Logs: whole records, in order, each once; live with a window, and older text by position."""

from __future__ import annotations

import asyncio
import base64
import os
from pathlib import Path

import pytest

from controlroom.node.logs import follow
from controlroom.node.logs.follow import CHUNK, PAUSE, Follower, LastLines, newest_words
from controlroom.runner.folder import agent_folder
from controlroom.wire import records
from controlroom.wire.messages import LOG_WINDOW, Credit, Fetch, Follow, LastLine, LogChunk, LogStart, Ping, Pong
from controlroom.wire.messages import LastLines as LinesSeen
from controlroom.wire.records import Position
from tests.lab.log_files import AT, record, write
from tests.lab.node_client import NodeClient, bodies_of
from tests.lab.waiting import wait_for, wait_for_async
from tests.lab.world import World
from tests.node.on_host import put_agent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of epoch 1 of the agent `one`, in the state folder `tmp_path`."""
    place = Path(agent_folder(str(tmp_path), "one", 1))
    place.mkdir(parents=True)
    return place


# -- the window


class Home:
    """The receiving end of a follower, with a clock that is moved by hand."""

    def __init__(self, state: Path) -> None:
        self.chunks: list[LogChunk] = []
        self.time = 0.0
        self.follower = Follower(str(state), self.chunks.append, lambda: self.time)

    def data(self, name: str = "one") -> bytes:
        return b"".join(base64.b64decode(chunk.data) for chunk in self.chunks if chunk.name == name)

    def size(self, chunk: LogChunk) -> int:
        return len(base64.b64decode(chunk.data))

    def credit_all(self, since: int = 0) -> int:
        """Return credit for every chunk from `since` on; tells how many there are now."""
        for chunk in self.chunks[since : (until := len(self.chunks))]:
            self.follower.credit(self.size(chunk))
        return until

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    async def follow(self, *names: str) -> None:
        self.follower.follow(Follow(tuple(LogStart(name, 1, 0, 0) for name in names)))
        await self.settle()


def joined(chunks: list[LogChunk]) -> None:
    """Each chunk begins where the one before it of the same log ended, but for what it says it skipped."""
    places: dict[str, Position] = {}
    for chunk in chunks:
        start, before = Position(chunk.segment, chunk.offset), places.get(chunk.name)
        assert before is None or chunk.skipped or start == before or start == Position(before.segment + 1, 0)
        places[chunk.name] = Position(chunk.next_segment, chunk.next_offset)


async def test_a_flood_fills_half_the_window_and_waits_for_credit(tmp_path: Path, folder: Path) -> None:
    lines = [record(f"{number:05d} " + "x" * 1000) for number in range(1000)]
    write(folder, 1, b"".join(lines[:500]))
    write(folder, 2, b"".join(lines[500:]))
    home = Home(tmp_path)
    await home.follow("one")
    assert LOG_WINDOW // 2 - CHUNK <= len(home.data()) <= LOG_WINDOW // 2
    taken = 0
    while taken < len(home.chunks):
        taken = home.credit_all(taken)
    assert home.data() == b"".join(lines)
    joined(home.chunks)
    assert not any(chunk.skipped for chunk in home.chunks)


async def test_a_quiet_log_is_not_held_up_by_floods(tmp_path: Path, folder: Path) -> None:
    names = [f"flood{number}" for number in range(10)]
    for name in names:
        place = folder.with_name(f"{name}.1")
        os.mkdir(place)
        write(place, 1, record("x" * 1000) * 1000)
    home = Home(tmp_path)
    await home.follow("one", *names)
    assert {chunk.name for chunk in home.chunks} == set(names)
    assert sum(map(home.size, home.chunks)) < LOG_WINDOW
    write(folder, 1, record("hello"))
    home.follower.touch("one")
    await home.settle()
    assert home.data() == record("hello")


async def test_who_stays_behind_skips_to_the_tail_and_says_how_much(tmp_path: Path, folder: Path) -> None:
    lines = [record(f"{number:05d} " + "x" * 1000) for number in range(3000)]
    home = Home(tmp_path)
    for segment in (1, 2, 3):
        write(folder, segment, b"".join(lines[(segment - 1) * 1000 : segment * 1000]))
    await home.follow("one")
    home.time += follow.BEHIND + 1
    home.follower.touch("one")
    await home.settle()
    home.credit_all()
    skipping = next(chunk for chunk in home.chunks if chunk.skipped)
    before = sum(home.size(chunk) for chunk in home.chunks[: home.chunks.index(skipping)])
    whole = b"".join(lines)
    assert whole[before + skipping.skipped :].startswith(base64.b64decode(skipping.data))
    assert home.data().endswith(lines[-1])
    assert len(home.data()) + skipping.skipped == len(whole)
    assert base64.b64decode(skipping.data).startswith(b"1795307427677 o 0")


async def test_a_short_wait_skips_nothing(tmp_path: Path, folder: Path) -> None:
    write(folder, 1, record("x" * 1000) * 3000)
    home = Home(tmp_path)
    await home.follow("one")
    home.time += follow.BEHIND - 1
    home.follower.touch("one")
    await home.settle()
    home.credit_all()
    assert not any(chunk.skipped for chunk in home.chunks)


async def test_text_fetched_at_the_end_meets_what_is_followed(tmp_path: Path, folder: Path) -> None:
    home = Home(tmp_path)
    write(folder, 1, record("before"))
    await home.follow("one")
    write(folder, 1, record("between") * 3)
    fetched = home.follower.fetch(Fetch(7, "one", 1, count=2))
    assert home.data() == record("before") + record("between") * 3
    last = home.chunks[-1]
    assert (fetched.next_segment, fetched.next_offset) == (last.next_segment, last.next_offset)
    assert bodies_of(fetched) == ["between", "between"]
    write(folder, 1, record("after"))
    home.follower.touch("one")
    await home.settle()
    assert (home.chunks[-1].segment, home.chunks[-1].offset) == (fetched.next_segment, fetched.next_offset)


async def test_text_fetched_at_the_end_of_a_flood_skips_to_it(tmp_path: Path, folder: Path) -> None:
    home = Home(tmp_path)
    write(folder, 1, record("x" * 1000) * 3000)
    await home.follow("one")
    sent = len(home.data())
    fetched = home.follower.fetch(Fetch(7, "one", 1, count=2))
    last = home.chunks[-1]
    assert (last.data, last.skipped) == ("", 3000 * len(record("x" * 1000)) - sent)
    assert (fetched.next_segment, fetched.next_offset) == (last.next_segment, last.next_offset)


async def test_a_log_that_is_followed_already_goes_on_where_it_was(tmp_path: Path, folder: Path) -> None:
    home = Home(tmp_path)
    write(folder, 1, record("once"))
    await home.follow("one")
    await home.follow("one", "two")
    assert home.data() == record("once")
    await home.follow("two")
    write(folder, 1, record("unseen"))
    home.follower.touch("one")
    await home.settle()
    assert home.data() == record("once")


# -- fetching


async def test_older_text_is_fetched_back_to_the_first_record(tmp_path: Path, folder: Path) -> None:
    lines = [f"line {number}" for number in range(1000)]
    for segment in range(4):
        write(folder, segment + 1, b"".join(map(record, lines[segment * 250 : segment * 250 + 250])))
    home = Home(tmp_path)
    fetched = home.follower.fetch(Fetch(1, "one", 1, count=300))
    found = bodies_of(fetched)
    while not fetched.first:
        fetched = home.follower.fetch(Fetch(1, "one", 1, fetched.segment, fetched.offset, count=300))
        assert fetched.data
        found = bodies_of(fetched) + found
    assert found == lines


async def test_text_is_fetched_forward_from_the_first_record(tmp_path: Path, folder: Path) -> None:
    lines = [f"line {number}" for number in range(100)]
    for segment in range(4):
        write(folder, segment + 1, b"".join(map(record, lines[segment * 25 : segment * 25 + 25])))
    home = Home(tmp_path)
    fetched = home.follower.fetch(Fetch(1, "one", 1, 0, 0, count=10, forward=True))
    assert (bodies_of(fetched), fetched.first) == (lines[:10], True)
    found = bodies_of(fetched)
    while fetched.data:
        fetched = home.follower.fetch(Fetch(1, "one", 1, fetched.next_segment, fetched.next_offset, 10, forward=True))
        found += bodies_of(fetched)
        assert not fetched.first
    assert found == lines


@pytest.mark.parametrize(("name", "epoch"), [("one", 1), ("nobody", 1), ("../one", 1), ("one", 99)])
async def test_no_log_is_said_in_words(tmp_path: Path, folder: Path, name: str, epoch: int) -> None:
    fetched = Home(tmp_path).follower.fetch(Fetch(1, name, epoch))
    assert "is on this host" in fetched.reason
    assert (fetched.data, fetched.first) == ("", True)


# -- newest lines


def test_the_newest_words_are_those_of_the_last_record_that_says_something() -> None:
    event = '{"type":"assistant","message":{"content":[{"type":"text","text":"I look\\nfurther"}]}}'
    data = record("first") + record(event, b"a", 5) + record('{"type":"system","subtype":"x"}', b"a") + record("")
    assert newest_words(data) == (5, "further")
    assert newest_words(record("")) is None
    assert newest_words(record("my key sk-ant-api03-secret")) == (AT, "my key sk-ant-…")


def test_the_newest_words_of_one_stream_are_not_mixed_with_those_of_another() -> None:
    data = record("loading ", b"O") + record("disk is slow", b"e", 5) + record("done", b"o", 6)
    assert newest_words(data) == (6, "loading done")
    assert newest_words(data[: data.rindex(b"\n", 0, -1) + 1]) == (5, "disk is slow")


def test_the_newest_words_are_not_those_that_an_end_is_told_with() -> None:
    turn = '{"type":"result","subtype":"success","is_error":false,"num_turns":2,"total_cost_usd":0.07}'
    said = record('{"type":"assistant","message":{"content":[{"type":"text","text":"All tidy."}]}}', b"a", 5)
    assert newest_words(said + record(turn, b"a") + record("done", b"n")) == (5, "All tidy.")
    assert newest_words(said + record("failed: exit 1", b"n", 6)) == (6, "failed: exit 1")


def test_words_of_a_long_line_are_found_though_its_beginning_was_not_read() -> None:
    data = records.pack(AT, b"a", b'{"x": "' + b"y" * 100_000 + b'"}')
    rest = data[data.index(b"\n") + 1 :]
    assert newest_words(record("said before") + rest) == (AT, "said before")


async def test_newest_lines_are_coalesced(folder: Path) -> None:
    told: list[list[LastLine]] = []
    time = [0.0]
    lines = LastLines(told.append, lambda: time[0])
    write(folder, 1, record("old"))
    lines.add("one", 1, str(folder))
    await wait_for_async(lambda: told == [[LastLine("one", 1, "old", AT)]])
    for number in range(10):
        write(folder, 1, record(f"new {number}"))
        lines.touch("one")
        await asyncio.sleep(0)
    assert len(told) == 1, "the second line of an agent waits"
    time[0] += PAUSE
    await wait_for_async(lambda: told[1:] == [[LastLine("one", 1, "new 9", AT)]])
    write(folder, 2, record("in the next segment"))
    time[0] += PAUSE
    lines.touch("one")
    await wait_for_async(lambda: told[2:] == [[LastLine("one", 1, "in the next segment", AT)]])
    lines.close()


async def test_lines_that_nobody_looks_at_leave_together_and_at_once_when_somebody_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "UNSEEN", 3600.0)
    told: list[list[LastLine]] = []
    time = [0.0]
    lines = LastLines(told.append, lambda: time[0])
    places = {name: Path(agent_folder(str(tmp_path), name, 1)) for name in ("one", "two", "three")}
    for name, place in places.items():
        os.makedirs(place)
        write(place, 1, record("old"))
        lines.add(name, 1, str(place))
    await wait_for_async(lambda: len(told) == 1)
    lines.show(["one"])
    time[0] += PAUSE
    for name, place in places.items():
        write(place, 1, record("new"))
        lines.touch(name)
    await wait_for_async(lambda: told[1:] == [[LastLine("one", 1, "new", AT)]])
    lines.show(["two"])
    await wait_for_async(lambda: told[2:] == [[LastLine("two", 1, "new", AT)]])
    lines.show(None)
    await wait_for_async(lambda: told[3:] == [[LastLine("three", 1, "new", AT)]])
    lines.close()


async def test_lines_that_nobody_looks_at_come_after_a_while(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "UNSEEN", 0.01)
    told: list[list[LastLine]] = []
    lines = LastLines(told.append, lambda: 0.0)
    lines.show(())
    write(folder, 1, record("said"))
    lines.add("one", 1, str(folder))
    await wait_for_async(lambda: told == [[LastLine("one", 1, "said", AT)]])
    lines.close()


# -- through a real node


def test_a_living_log_is_followed_over_its_segments(node: NodeClient) -> None:
    program = "i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i+1)); done; sleep 600"
    node.spawn("one", 1, "sh", "-c", program, max_log_bytes=1024 * 1024)
    node.send(Follow((LogStart("one", 1, 0, 0),)))

    def found() -> list[str]:
        return [body for chunk in node.all(LogChunk) for body in bodies_of(chunk)]

    wait_for(lambda: found()[-1:] == ["2999"])
    assert found() == [str(number) for number in range(3000)]
    joined(node.all(LogChunk))
    node.wait(LinesSeen, lambda seen: seen.lines[0].text == "2999")


def test_earlier_epochs_stay_readable(node: NodeClient) -> None:
    for epoch in (1, 2):
        node.spawn("one", epoch, "echo", f"epoch {epoch}")
        node.wait_agent("one", lambda seen, epoch=epoch: (seen.epoch, seen.state) == (epoch, "done"))  # type: ignore[misc]
    assert "epoch 1" in bodies_of(node.fetch("one", 1))
    assert "epoch 2" in bodies_of(node.fetch("one", 2))


def test_every_agent_has_a_last_line_from_the_beginning(home: World) -> None:
    for name in ("ended", "other"):
        write(put_agent(home, name, state="done"), 1, record(f"last words of {name}"))
    with NodeClient() as node:
        node.greet()
        wait_for(
            lambda: (
                {line.text for seen in node.all(LinesSeen) for line in seen.lines}
                == {"last words of ended", "last words of other"}
            )
        )


def test_a_home_that_does_not_read_is_not_flooded_and_still_gets_its_answers(home: World, node: NodeClient) -> None:
    folder = put_agent(home, "one", state="done")
    write(folder, 1, record("x" * 1000) * 5000)
    node.send(Follow((LogStart("one", 1, 0, 0),)), Ping(5))
    node.wait(Pong, lambda pong: pong.number == 5)
    wait_for(lambda: sum(len(chunk.data) for chunk in node.all(LogChunk)) > LOG_WINDOW // 2)
    node.send(Ping(6))
    node.wait(Pong, lambda pong: pong.number == 6)
    sent = sum(len(base64.b64decode(chunk.data)) for chunk in node.all(LogChunk))
    assert sent <= LOG_WINDOW // 2
    node.send(Credit(sent))
    wait_for(lambda: sum(len(base64.b64decode(chunk.data)) for chunk in node.all(LogChunk)) > sent)
