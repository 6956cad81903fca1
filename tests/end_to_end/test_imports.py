"""What Claude has used before Control Room was there: offered at the first start, counted on request, once for ever."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.end_to_end.room import Room
from tests.lab.messages_api.server import Api
from tests.lab.transcripts import counted
from tests.lab.world import World


def ask_claude(project: Path, *words: str) -> None:
    """Have somebody work with Claude Code, as before there was a room."""
    command = ['. ~/.profile; exec claude -p --model claude-sonnet-5-5 "$@"', "claude", *words]
    subprocess.run(["sh", "-c", *command], cwd=project, check=True, timeout=120, capture_output=True)


def test_what_was_used_before_the_first_start_counts_once_for_ever(
    room: Room, home: World, claude_home: Callable[..., Path], api: Api
) -> None:
    project = claude_home(home.home, api)
    ask_claude(project, '[[tool Bash {"command": "echo one"}]] [[text hello]]', "--allowedTools", "Bash")
    ask_claude(project, "--continue", "[[text more]]")
    paths = sorted((home.home / ".claude" / "projects").rglob("*.jsonl"))
    for path in paths:
        os.utime(path, (path.stat().st_mtime - 86_400,) * 2)
    true = counted(paths)
    assert true["messages"] > 1

    room.run("init")
    (host,) = room.status()["hosts"]
    assert (host["imported"]["state"], host["imported"]["transcripts"]) == ("offered", len(paths))
    assert any("controlroom costs import local" in alarm["text"] for alarm in room.status()["alarms"])

    (told,) = room.records("hosts", "costs", "import", "local")
    assert (told["state"], told["messages"], told["read_bytes"]) == ("done", true["messages"], told["transcript_bytes"])
    assert float(told["cost_usd"]) > 0
    assert room.status()["alarms"] == []
    (row,) = room.records("rows", "costs", "--by", "folder")
    assert row["key"] == f"local:{project}"
    tokens = (row["input_tokens"], row["output_tokens"], row["cache_read_tokens"])
    assert tokens == tuple(true[kind] for kind in ("input_tokens", "output_tokens", "cache_read_input_tokens"))
    assert room.records("rows", "costs", "--by", "agent")[0]["key"] == "local/(imported)"
    assert json.loads(room.run("plan", "--json"))
    assert room.status()["money"]["day_billed_usd"] == "0.000000", "it takes nothing from today"

    (again,) = room.records("hosts", "costs", "import")
    assert (again["state"], again["messages"]) == ("done", 0)
    assert room.records("rows", "costs", "--by", "folder") == [row]

    session = paths[0].stem
    room.run(
        "spawn",
        "docs-1",
        "--host",
        "local",
        "--cwd",
        str(project),
        "--",
        "claude",
        "--resume",
        session,
        "-p",
        "[[text on]]",
    )
    room.wait_for_state("docs-1", "done", "failed")
    (latest,) = room.records("hosts", "costs", "import", "local")
    after = counted(sorted((home.home / ".claude" / "projects").rglob("*.jsonl")))
    rows = room.records("rows", "costs", "--by", "host")
    assert latest["state"] == "done"
    assert sum(each["messages"] for each in rows) == after["messages"], "the old ones are not booked again"
