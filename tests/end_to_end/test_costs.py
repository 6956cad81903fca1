"""What a real Claude agent on a real SSH host costs: shown with it, listed by `costs`, known when it is gone."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from tests.end_to_end.room import Room, micro
from tests.lab.host import Host
from tests.lab.messages_api.server import Api
from tests.lab.waiting import wait_for
from tests.lab.world import World


def billed(room: Room, name: str) -> int:
    """What Claude's own last result says, in micro-dollars."""
    events = [json.loads(line) for line in room.run("logs", name, "--raw", "-n", "1000").splitlines()]
    dollars: float = [event for event in events if event["type"] == "result"][-1]["total_cost_usd"]
    return round(dollars * 1_000_000)


def agent_seconds(room: Room, by: str) -> float:
    """How long the only agent ran."""
    (row,) = room.records("rows", "costs", "--by", by)
    seconds: float = row["ran_seconds"]
    return seconds


def test_what_an_agent_cost_is_what_claude_says(room: Room, vm1: Host) -> None:
    room.run("spawn", "docs-1", "--host", "vm1", "--cwd", "project", "--task", "[[text hello]]")
    room.wait_for_state("docs-1", "done")
    theirs = billed(room, "docs-1")
    assert theirs > 0

    room.wait_until("it is metered", lambda _: micro(room.agent("docs-1")["spent_usd"]) == theirs)
    assert room.agent("docs-1")["billing"] == "api"
    (row,) = room.records("rows", "costs", "--by", "agent")
    assert (row["key"], row["billing"], row["messages"]) == ("vm1/docs-1", "api", 1)
    assert row["list_price_usd"] == f"{theirs / 1_000_000:.6f}"

    room.run("reassign", "docs-1", "--continue", "--task", "[[text more]]")
    room.wait_until("its session goes on", lambda _: room.agent("docs-1")["run"] == 2)
    room.wait_for_state("docs-1", "done")
    assert billed(room, "docs-1") > theirs
    theirs = billed(room, "docs-1")
    room.wait_until("both runs are metered", lambda _: micro(room.agent("docs-1")["spent_usd"]) == theirs)
    (row,) = room.records("rows", "costs", "--by", "model")
    assert (row["messages"], row["unattributed_usd"]) == (2, "0.000000")

    ran = agent_seconds(room, "agent")
    assert 0 < ran < 180, "two short runs, and not what lies between and after them"
    room.run("stop")
    room.run("kill", "docs-1", "--yes", expect=1)  # it has ended; but the engine is there again
    room.run("forget", "docs-1", "--yes")
    assert [agent_seconds(room, by) for by in ("agent", "profile", "host")] == [ran] * 3, "also when it is gone"
    rows = list(csv.DictReader(io.StringIO(room.run("costs", "--by", "day", "--csv"))))
    assert [row["is_total"] for row in rows] == ["false", "true"]
    bills = {row["list_price_usd"] for row in rows}
    assert bills == {f"{theirs / 1_000_000:.6f}"}, "the bill stays when the agent is gone"


@pytest.mark.usefixtures("vm1")
def test_what_claude_reports_beyond_its_transcript_is_a_row_of_its_own(room: Room, api: Api) -> None:
    """A thought that is interrupted stands in no transcript."""
    task = f"[[slow 0.2 100]] [[think {'hmm, well, ' * 100}]] [[text thought]]"
    room.run("spawn", "deep-1", "--host", "vm1", "--cwd", "project", "--task", task)
    wait_for(lambda: api.state.deltas > 3, 30, "the beginning of a thought")
    room.run("interrupt", "deep-1")
    room.wait_for_state("deep-1", "idle")
    theirs = billed(room, "deep-1")
    assert theirs > 0
    room.wait_until("it is metered", lambda _: micro(room.agent("deep-1")["spent_usd"]) == theirs)
    (row,) = room.records("rows", "costs", "--by", "model")
    assert (row["key"], row["messages"], row["output_tokens"]) == ("unattributed", 0, 0)
    assert row["list_price_usd"] == row["unattributed_usd"] == f"{theirs / 1_000_000:.6f}"

    room.run("send", "deep-1", "[[text thought]]")
    room.wait_for_state("deep-1", "done", "idle")
    room.wait_until("more is spent", lambda _: billed(room, "deep-1") > theirs)
    more = billed(room, "deep-1")
    room.wait_until("it is metered", lambda _: micro(room.agent("deep-1")["spent_usd"]) == more)
    rows: dict[str, Any] = {}

    def attributed() -> bool:
        """What Claude reports in the end is there a moment before the transcript says which message it was."""
        rows.update({row["key"]: row for row in room.records("rows", "costs", "--by", "model")})
        return len(rows) == 2

    wait_for(attributed, 30, "the message is a row of its own")
    assert rows["unattributed"]["list_price_usd"] == f"{theirs / 1_000_000:.6f}"
    assert "unattributed" in room.run("costs", "--by", "model")
    assert room.run("ledger", "check") == ""


def test_who_did_what_is_kept_and_the_ledger_is_whole(room: Room, home: World) -> None:
    room.run("spawn", "t1", "--task", "", "--", "sleep", "600")
    room.run("kill", "t1", "--yes")
    lines = room.records("lines", "audit")
    did = [(line["verb"], line["target"], line["outcome"]) for line in lines]
    assert did == [("spawn", "local/t1", "done"), ("kill", "local/t1", "done")]
    assert "spawn" not in room.run("audit", "--grep", "kill")
    assert room.run("ledger", "check") == ""
    assert room.run("ledger", "backup", "~/copy.db").strip() == str(home.home / "copy.db")
    assert "there already" in room.run("ledger", "backup", "~/copy.db", expect=1)
