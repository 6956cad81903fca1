"""Old transcripts of a real host, counted while its node is killed and its link is cut: each message once, and all."""

from __future__ import annotations

import random
import signal
import sqlite3
from contextlib import closing

import pytest

from controlroom.domain.imports import ImportState, ImportUsage, UsageImport
from tests.conftest import MakeHosts
from tests.faults.room import Room, room_of
from tests.faults.truth import NODE
from tests.lab.host import Host
from tests.lab.processes import Process
from tests.lab.transcripts import counted, write

pytestmark = pytest.mark.usefixtures("home")

PROGRAM = "imports/program.py"
AT = 1_785_000_000_000
BOOKED = """select count(*), sum(input), sum(output), sum(cache_write_5m + cache_write_1h), sum(cache_read) from usage
    join sources on source = id where agent = '(imported)'"""


def called(host: Host, words: str) -> list[Process]:
    return [process for process in host.processes() if words in process.command]


def kill_node(host: Host) -> None:
    for process in host.processes():
        if NODE.search(process.command):
            process.signal(signal.SIGKILL)


def cut_link(host: Host) -> None:
    host.kill_connections()


def imported(room: Room) -> UsageImport:
    return room.host("vm1").imported or UsageImport(ImportState.UNKNOWN)


async def test_an_import_goes_on_where_it_was_when_its_node_is_killed_and_its_link_is_cut(ssh_hosts: MakeHosts) -> None:
    (host,) = ssh_hosts(1)
    write(host.home, 24_000_000, AT, random.Random(5), largest=21)
    true = counted(sorted(host.home.rglob("*.jsonl")))
    seen = [0]

    def is_further() -> bool:
        if imported(room).read != seen[-1]:
            seen.append(imported(room).read)
        return len(seen) > 1 and seen[-1] > seen[-2]

    async with room_of([host]) as room:
        asked = await room.client.submit(ImportUsage("vm1"))
        assert asked.ok, asked.reason
        for fault in (kill_node, cut_link):
            await room.until(lambda: is_further() and called(host, PROGRAM), 30, "it to be in the middle")
            seen.append(seen[-1])
            reader = called(host, PROGRAM)
            for process in reader:
                process.signal(signal.SIGSTOP)
            assert reader, imported(room)
            assert imported(room).state is ImportState.RUNNING
            since = room.host("vm1").since
            fault(host)
            for process in reader:
                process.signal(signal.SIGCONT)
            await room.until(lambda since=since: room.host("vm1").since > since, 30, "the loss to be noticed")  # type: ignore[misc]
        await room.until(lambda: is_further() and imported(room).state is ImportState.DONE, 60, "the end")
        assert seen == sorted(seen), "it never begins anew"
        assert imported(room).messages == true["messages"]
        path = room.place.ledger
    with closing(sqlite3.connect(path)) as ledger:
        assert ledger.execute(BOOKED).fetchall() == [tuple(true.values())]
