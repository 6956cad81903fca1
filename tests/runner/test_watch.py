"""What goes wrong with an agent that runs is found, told, and ends it where its profile says so."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from pathlib import Path
from selectors import DefaultSelector
from typing import Any

import pytest

from controlroom.runner.claude import channel
from controlroom.runner.claude.interactive import Interactive
from controlroom.runner.log_writer import RunLog
from controlroom.runner.money.usage_meter import UsageMeter
from controlroom.runner.pane import NoPane
from controlroom.runner.recorder import Recorder
from controlroom.runner.watch import Watch
from controlroom.text.states import Cause
from controlroom.wire.lines import PeerError, from_line
from controlroom.wire.records import EVENT
from controlroom.wire.spec import AgentSpec
from tests.lab.agent_under_test import MakeAgent
from tests.lab.waiting import wait_for
from tests.runner.usage import SESSION, Claude

EATER = (
    "import time\nheld = bytearray(120 << 20)\nfor place in range(0, len(held), 4096): held[place] = 1\ntime.sleep(300)"
)


def test_one_of_which_nothing_is_heard_is_ended_where_its_profile_says_so(agent: MakeAgent) -> None:
    seen = agent("sleep", "300", max_quiet=0.4, end_on=("quiet",)).start().finish()
    assert (seen.state, seen.detail, seen.cause) == ("failed", "nothing was heard of it for 0.4 s", "quiet")


def test_else_it_is_told_until_something_is_heard(agent: MakeAgent, tmp_path: Path) -> None:
    sign = tmp_path / "speak"
    script = f"while [ ! -e {sign} ]; do sleep 0.05; done; while :; do echo here; sleep 0.05; done"
    run = agent("sh", "-c", script, max_quiet=1.0).start()
    wait_for(lambda: run.seen().trouble == "nothing was heard of it for 1 s")
    assert run.seen().state == "working"
    sign.touch()
    wait_for(lambda: run.seen().trouble == "")


def test_one_that_speaks_now_and_then_is_well(agent: MakeAgent) -> None:
    script = "for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.2; done"
    seen = agent("sh", "-c", script, max_quiet=60.0, end_on=("quiet",)).start().finish()
    assert (seen.state, seen.trouble) == ("done", "")


def test_what_claude_answers_the_runner_itself_is_not_heard_of_it(tmp_path: Path) -> None:
    """An agent with a grant is asked every five seconds what it has cost, and answers while its turn hangs."""
    heard: list[dict[str, Any]] = []
    selector = DefaultSelector()
    recorder = Recorder(selector, RunLog(1 << 20, str(tmp_path)), NoPane(), heard.append, lambda: 1)
    end, other = os.pipe()
    os.set_blocking(end, False)
    recorder.listen(end, EVENT)
    asked = json.loads(channel.line(1))["request_id"]
    for number, (said, taken) in enumerate(
        [({"type": "control_response", "response": {"request_id": asked}}, 0), ({"type": "assistant"}, 1)], 1
    ):
        os.write(other, json.dumps(said).encode() + b"\n")
        for key, mask in selector.select(10):
            key.data(mask)
        assert (len(heard), recorder.taken) == (number, taken)
    recorder.finish()
    os.close(other)


def test_what_subagents_write_is_heard_of_a_claude_on_a_terminal(tmp_path: Path) -> None:
    """Their lines stand in files of their own, and for as long as they are at work nothing stands in its own."""
    claude = Claude(tmp_path)
    meter = UsageMeter(str(claude.config), str(claude.cwd), clock=lambda: 1, random=os.urandom)
    assert meter.size(SESSION) == 0
    claude.transcript.write_bytes(b"{}\n")
    claude.subagent("agent-1.jsonl").write_bytes(b'{"a":1}\n')
    assert meter.size(SESSION) == 11


@pytest.mark.parametrize(("status", "works"), [("busy", True), ("shell", False), ("idle", False)])
def test_a_claude_beside_whose_prompt_a_command_runs_waits_for_a_message(status: str, works: bool) -> None:
    claude = Interactive(SESSION, "", 0)
    claude.look({"status": status, "statusUpdatedAt": 1}, 1)
    assert claude.at_work is works


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone says what processes take")
def test_one_that_has_more_processes_than_it_may_is_ended(agent: MakeAgent) -> None:
    script = "for i in 1 2 3 4 5; do sleep 300 & done; wait"
    seen = agent("sh", "-c", script, max_processes=3, end_on=("over-limit",)).start().finish()
    assert (seen.state, seen.cause) == ("failed", "over-limit")
    assert seen.detail == "it has 6 processes, 3 are the most"


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone says what processes take")
@pytest.mark.parametrize(("most", "ends"), [(80, True), (900, False)])
def test_one_that_takes_more_memory_than_it_may_is_ended(agent: MakeAgent, most: int, ends: bool) -> None:
    run = agent(sys.executable, "-c", EATER, max_memory=most << 20, end_on=("over-limit",)).start()
    if ends:
        seen = run.finish()
        assert (seen.state, seen.cause) == ("failed", "over-limit")
        assert seen.detail.endswith("MiB of memory, 80 are the most")
    else:
        run.running()
        assert run.seen().trouble == ""


def call(number: int, command: str = "make", error: bool = True, tool: str = "Bash") -> list[dict[str, Any]]:
    """A call of a tool, and its answer, as Claude's stream and transcripts have them."""
    used = {"type": "tool_use", "id": f"toolu_{number}", "name": tool, "input": {"command": command}}
    answer = {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": "no", "is_error": error}
    return [
        {"type": "assistant", "message": {"content": [used]}},
        {"type": "user", "message": {"content": [answer]}},
    ]


def fed(most: int, *events: list[dict[str, Any]]) -> Watch:
    watch = Watch(AgentSpec(max_same_failures=most), lambda: 0)
    for event in (event for pair in events for event in pair):
        watch.hear(event)
    return watch


CUT_OFF = "[Request interrupted by user for tool use]"


def test_one_whose_call_of_a_tool_is_under_way_may_be_silent_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    watch = Watch(AgentSpec("headless", max_quiet=60.0), lambda: 1)
    watch.hear({"type": "assistant", "message": {"content": [{"type": "tool_use", "id": "c1", "name": "Bash"}]}})

    def trouble_at(second: int) -> str:
        now[0] = 100.0 + second
        watch.due(works=True)
        return watch.trouble.words if watch.trouble else ""

    assert trouble_at(170) == ""
    assert trouble_at(200) == "nothing was heard of it for 3 min, in a call of a tool"
    watch.hear(
        {"type": "user", "message": {"content": [{"type": "tool_result", "tool_use_id": "c1", "is_error": True}]}}
    )
    assert trouble_at(220) == "nothing was heard of it for 1 min", "it fails as often as it likes"
    watch.hear({"type": "assistant", "message": {"content": [{"type": "tool_use", "id": "c2", "name": "Bash"}]}})
    watch.hear({"type": "result"})
    assert trouble_at(240) == "nothing was heard of it for 1 min", "its turn is over, and so is the call"
    for number, content in enumerate((CUT_OFF, [{"type": "text", "text": CUT_OFF}]), 3):
        watch.hear({"type": "assistant", "message": {"content": [{"type": "tool_use", "id": f"c{number}"}]}})
        assert trouble_at(200 + 40 * number).endswith("in a call of a tool")
        watch.hear({"type": "user", "message": {"content": content}})
        assert trouble_at(220 + 40 * number) == "nothing was heard of it for 1 min", "on a terminal no result says so"


def test_the_same_call_that_fails_again_and_again_is_trouble_and_others_between_change_nothing() -> None:
    assert fed(3, call(1), call(2)).trouble is None
    trouble = fed(3, call(1), call(2, "ls", error=False), call(3), call(4)).trouble
    assert trouble is not None
    assert (trouble.cause, trouble.words) == (Cause.REPEATING, "the same call has failed 3 times in a row")
    assert fed(3, call(1), call(2), call(3, error=False), call(4)).trouble is None
    assert fed(3, call(1), call(2), call(3), call(4, error=False)).trouble is None, "it is over once that works"
    assert fed(3, call(1, "a"), call(2, "b"), call(3, "c")).trouble is None
    assert fed(0, *(call(number) for number in range(20))).trouble is None


def test_tests_that_fail_while_it_mends_what_they_test_are_no_trouble() -> None:
    def edited(number: int, error: bool) -> list[dict[str, Any]]:
        return call(number, f"change {number}", error, "Edit")

    assert fed(3, call(1), call(2), edited(3, False), call(4), edited(5, False), call(6)).trouble is None
    assert fed(3, call(1), call(2), call(3), edited(4, False)).trouble is None, "it has found another way"
    assert fed(3, call(1), call(2), edited(3, True), call(4)).trouble is not None


@pytest.mark.parametrize(
    "event",
    [
        {"type": "user", "message": "text"},
        {"type": "user", "message": {"content": [{"type": "tool_result", "tool_use_id": 7, "is_error": "yes"}, 5]}},
        {"type": "assistant", "message": {"content": [{"type": "tool_use", "input": {"a": [1, {"b": None}]}}]}},
        {"type": "assistant", "message": {"content": [{"type": "tool_use", "name": ["Edit"], "id": {}}]}},
    ],
)
def test_events_of_any_shape_are_taken(event: dict[str, Any]) -> None:
    assert fed(1, [event, event]).trouble is None


def test_a_call_as_deep_as_can_just_be_read_is_taken() -> None:
    def deep(levels: int) -> dict[str, Any] | None:
        line = b'{"type":"assistant","message":{"content":[{"type":"tool_use","id":"t","input":%s1%s}]}}'
        with contextlib.suppress(PeerError):
            return from_line(line % (b"[" * levels, b"]" * levels))
        return None

    def below(frames: int, event: dict[str, Any]) -> None:
        fed(3, [event]) if frames == 0 else below(frames - 1, event)

    for event in filter(None, map(deep, range(900, 1000))):
        below(20, event)


@pytest.mark.parametrize(("name", "fails"), [("edited", True), ("allowed", False)])
def test_what_claude_really_says_of_a_call_that_failed_is_understood(name: str, fails: bool) -> None:
    lines = Path(__file__).parent.joinpath("events", f"{name}.jsonl").read_text().splitlines()
    watch = fed(1, [event for event in map(json.loads, lines) if "type" in event])
    assert (watch.trouble is not None) == fails
