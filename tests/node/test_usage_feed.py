"""Usage on its way home, from a real node: piece by piece as it is booked, again when home asks again."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from controlroom.metering.usage import Message, Usage
from controlroom.metering.usage_file import to_line
from controlroom.node.agent_folders import Entry, write_status
from controlroom.wire.messages import AgentSeen
from controlroom.wire.usage import USAGE_PIECE, SendUsage, UsageSeen
from tests.lab.node_client import NodeClient, state_folder
from tests.lab.waiting import wait_for
from tests.lab.world import World
from tests.node.on_host import Books


def messages(first: int, last: int) -> list[Message]:
    return [
        Message(f"msg_{number}", f"req_{number}", 1, "claude-opus-5-5", Usage(number)) for number in range(first, last)
    ]


def usage_file(home: World, name: str, epoch: int = 1) -> Path:
    folder = state_folder(home.home) / "agents" / f"{name}.{epoch}"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder / "usage.jsonl"


def write(path: Path, some: Sequence[Message]) -> None:
    with open(path, "ab") as file:
        file.write(b"".join(map(to_line, some)))


@pytest.fixture
def books(node: NodeClient) -> Books:
    return Books(node)


def test_what_was_used_comes_home_and_then_what_is_added(home: World, node: NodeClient, books: Books) -> None:
    path = usage_file(home, "a1")
    write(path, messages(0, 3))
    node.send(SendUsage())
    books.wait(3)
    write(path, messages(3, 5))
    books.wait(5)
    assert books.booked == messages(0, 5)


def test_nothing_is_sent_before_home_asks(home: World, node: NodeClient) -> None:
    write(usage_file(home, "a1"), messages(0, 1))
    node.fetch("nobody", 1)
    assert node.all(UsageSeen) == []


def test_a_great_deal_comes_in_pieces(home: World, node: NodeClient, books: Books) -> None:
    count = 3 * USAGE_PIECE // len(to_line(messages(0, 1)[0]))
    write(usage_file(home, "a1"), messages(0, count))
    node.send(SendUsage())
    books.wait(count)
    assert max(len(piece.data) for piece in node.all(UsageSeen)) <= USAGE_PIECE


def test_many_agents_are_served_in_turn(home: World, node: NodeClient, books: Books) -> None:
    for number in range(40):
        write(usage_file(home, f"a{number}"), messages(number, number + 1))
    node.send(SendUsage())
    books.wait(40)


def test_home_is_asked_again_only_for_what_it_has_not_booked(home: World, node: NodeClient, books: Books) -> None:
    path = usage_file(home, "a1")
    write(path, messages(0, 2))
    node.send(SendUsage())
    books.wait(2)
    with NodeClient() as again:
        again.greet()
        later = Books(again)
        again.send(SendUsage(tuple(books.places.values())))
        write(path, messages(2, 3))
        later.wait(1)
        assert later.booked == messages(2, 3)


def test_a_file_that_is_another_one_is_read_from_its_beginning(home: World, node: NodeClient, books: Books) -> None:
    path = usage_file(home, "a1")
    write(path, messages(0, 5))
    node.send(SendUsage())
    books.wait(5)
    path.unlink()
    write(path, messages(10, 20))
    books.wait(15)
    assert books.booked[5:] == messages(10, 20)


def transcript(home: World, session: str, some: Sequence[Message]) -> None:
    """A transcript of these messages, as Claude Code 2.1.332 writes it (the fields that count)."""
    path = home.home / ".claude" / "projects" / "-project" / f"{session}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        for one in some:
            usage = {"input_tokens": one.usage.input, "output_tokens": 0, "cache_read_input_tokens": 0}
            message = {"id": one.id, "model": one.model, "role": "assistant", "usage": usage}
            line = {"type": "assistant", "requestId": one.request, "timestamp": "1970-01-01T00:00:00.001Z"}
            file.write(json.dumps({**line, "message": message}) + "\n")


@pytest.mark.parametrize("left", [0, 1])
def test_a_file_that_was_emptied_while_home_was_away_is_told_and_written_back_from_the_transcript(
    home: World, left: int
) -> None:
    path, session = usage_file(home, "a1"), "11111111-2222-4333-8444-555555555555"
    write(path, messages(0, 3))
    seen = AgentSeen("a1", 1, "headless", "done", 1, cwd="/project", session=session)
    write_status(Entry("a1", 1, str(path.parent)), seen)
    with NodeClient() as node:
        node.greet()
        books = Books(node)
        node.send(SendUsage())
        books.wait(3)
    transcript(home, session, messages(0, 6))
    path.write_bytes(b"".join(map(to_line, messages(5, 5 + left))))
    with NodeClient() as node:
        node.greet()
        later = Books(node)
        node.send(SendUsage(tuple(books.places.values())))
        later.wait(6 + left)
        assert [piece.lost for piece in node.all(UsageSeen)] == [True]
        assert set(later.booked) == set(messages(0, 6))
        write(path, messages(6, 7))
        later.wait(7 + left)
        assert not node.all(UsageSeen)[-1].lost


def test_a_file_that_was_emptied_without_a_transcript_is_told(home: World, node: NodeClient, books: Books) -> None:
    path = usage_file(home, "a1")
    write(path, messages(0, 3))
    node.send(SendUsage())
    books.wait(3)
    path.write_bytes(b"")
    wait_for(lambda: [piece for piece in node.all(UsageSeen) if piece.lost and not piece.data], 15, "it is told")
    books.book()
    write(path, messages(3, 4))
    books.wait(4)


def test_earlier_epochs_are_sent_too(home: World, node: NodeClient, books: Books) -> None:
    write(usage_file(home, "a1", 1), messages(0, 1))
    write(usage_file(home, "a1", 2), messages(1, 2))
    node.send(SendUsage())
    books.wait(2)


def test_each_epoch_says_who_paid_for_it(home: World, node: NodeClient, books: Books) -> None:
    for epoch, payer in ((1, "plan"), (2, "api"), (3, "")):
        path = usage_file(home, "a1", epoch)
        write(path, messages(epoch, epoch + 1))
        if payer:
            seen = AgentSeen("a1", epoch, "headless", "done", 1, billing=payer)
            write_status(Entry("a1", epoch, str(path.parent)), seen)
    node.send(SendUsage())
    books.wait(3)
    payers = {piece.place.epoch: piece.billing for piece in node.all(UsageSeen)}
    assert payers == {1: "plan", 2: "api", 3: ""}


def test_a_line_without_its_end_waits_and_one_without_end_is_passed_over(
    home: World, node: NodeClient, books: Books
) -> None:
    path = usage_file(home, "a1")
    write(path, messages(0, 1))
    with open(path, "ab") as file:
        file.write(to_line(messages(1, 2)[0])[:-20])
    node.send(SendUsage())
    books.wait(1)
    with open(path, "ab") as file:
        file.write(to_line(messages(1, 2)[0])[-20:])
    books.wait(2)


@pytest.mark.parametrize("kind", ["symlink", "fifo", "folder"])
def test_what_is_no_file_sends_nothing(home: World, node: NodeClient, books: Books, kind: str, tmp_path: Path) -> None:
    path = usage_file(home, "trap")
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        write(tmp_path / "elsewhere", messages(7, 9))
        path.symlink_to(tmp_path / "elsewhere")
    write(usage_file(home, "zz"), messages(0, 1))
    node.send(SendUsage())
    books.wait(1)
    assert books.booked == messages(0, 1)
