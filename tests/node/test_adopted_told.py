"""What home is told of agents that others started: all that live, then what changes, and each end once."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace

from controlroom.node.adopted.reports import LastReports
from controlroom.node.outbox import Outbox
from controlroom.text.states import Outcome
from controlroom.wire.lines import LineSplitter
from controlroom.wire.messages import AdoptedSeen, AgentSeen, Reply, read_from_node
from tests.lab.waiting import wait_for_async

A = AgentSeen("~a", 0, "adopted", "working", 1)
B = replace(A, name="~b")
ENDED = replace(A, state="done", ended=9)


def part(*agents: AgentSeen) -> AdoptedSeen:
    return AdoptedSeen(agents, complete=False)


def test_all_are_told_when_others_live_and_else_what_has_changed() -> None:
    told, idle = LastReports(), replace(A, state="idle")
    assert told.again([A]) == [], "nobody has looked yet"
    assert told.all([A, B], []) == [AdoptedSeen((A, B))]
    assert told.all([A, B], []) == []
    assert told.again([idle, B]) == [part(idle)]
    assert told.again([idle]) == []
    assert told.all([idle, B], []) == []
    assert told.all([A, B], []) == [part(A)]
    assert told.all([B], [ENDED]) == [part(ENDED), AdoptedSeen((B,))]
    assert told.again([A]) == [], "it lives no more"


async def test_a_slow_link_is_told_the_newest_and_every_end() -> None:
    source, sink = os.pipe()
    os.set_blocking(source, False)
    outbox = Outbox(sink, lambda: None)
    blocked = Reply(1, Outcome.DONE, "x" * 2**20)  # more than a pipe takes
    outbox.send(blocked)
    await asyncio.sleep(0)
    idle, waiting = replace(A, state="idle"), replace(A, state="waiting")
    for seen in (
        AdoptedSeen((A, B)),
        part(idle),
        part(waiting),
        part(replace(ENDED, name="~c")),
        AdoptedSeen((waiting, B)),
    ):
        outbox.adopted(seen)
    outbox.adopted(part(idle))
    data = b""

    def all_read() -> bool:
        nonlocal data
        try:
            data += os.read(source, 2**20)
        except BlockingIOError:
            return False
        return data.count(b"\n") == 3

    await wait_for_async(all_read)
    assert [read_from_node(line) for line in LineSplitter(2**22).feed(data)] == [
        blocked,
        part(replace(ENDED, name="~c"), idle),
        AdoptedSeen((idle, B)),
    ]
    await outbox.close(1.0)
    os.close(source)
    os.close(sink)
    await asyncio.sleep(0)
