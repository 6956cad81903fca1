"""What a runner that was killed had not written: it stands in the transcripts of the sessions that it had noted."""

from __future__ import annotations

from pathlib import Path

import pytest

from controlroom.metering.usage import Message
from controlroom.metering.usage_file import Refusal, from_line
from controlroom.node.ending import record_last_usage
from controlroom.runner.folder import SESSIONS, USAGE
from tests.runner.usage import SESSION, Claude, add, claude, line, told

__all__ = ["claude"]


def finish(claude: Claude) -> list[tuple[str, str]]:
    """Do what is done after a runner was killed; the messages that stand in the usage file then, with their runs."""
    record_last_usage(".")
    return [(message.id, message.run) for message in told()]


def test_only_what_the_runner_did_not_write_is_written(claude: Claude) -> None:
    meter = claude.meter()
    meter.join(str(claude.config), str(claude.cwd), SESSION, fresh=True)
    add(claude.transcript, line(1), line(2, output=1))
    meter.look(SESSION)
    add(claude.transcript, line(2, output=30), line(3))
    add(claude.subagent("agent-a.jsonl"), line(4))
    with open(USAGE, "ab") as file:
        file.write(b'{"format":2,"id":"half')
    record_last_usage(".")
    lines = Path(USAGE).read_bytes().split(b"\n")
    assert lines[2] == b'{"format":2,"id":"half'
    records = [from_line(said) for said in [*lines[:2], *lines[3:-1]]]
    found = [(record.id, record.usage.output) for record in records if isinstance(record, Message)]
    assert found == [("msg_1", 10), ("msg_2", 1), ("msg_2", 30), ("msg_3", 10), ("msg_4", 10)]
    assert len({record.run for record in records if not isinstance(record, Refusal)}) == 1
    before = Path(USAGE).read_bytes()
    record_last_usage(".")
    assert Path(USAGE).read_bytes() == before


@pytest.mark.parametrize(
    "noted", [b"", b"nonsense\n\xff\n{}\n", b'{"session":"../../x","config":"/","cwd":"/","run":""}\n']
)
def test_what_is_no_note_of_a_session_is_passed_over(claude: Claude, noted: bytes) -> None:
    Path(SESSIONS).write_bytes(noted)
    add(claude.transcript, line(1))
    assert finish(claude) == []


def test_a_run_that_never_met_a_claude_has_used_nothing(claude: Claude) -> None:
    assert finish(claude) == []
    assert not Path(USAGE).exists()
