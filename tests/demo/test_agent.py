"""The scripted agent, as its runner meets it: a process on pipes that speaks Claude Code's control channel."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from controlroom.demo.scenes import SCENES
from controlroom.demo.speech import Speech, write_down
from controlroom.engine.catalogs.list_prices import list_prices
from controlroom.metering.prices import micro
from controlroom.metering.usage import message_of
from controlroom.text.event_text import speak

ROOT = Path(__file__).parents[2]
QUICK = ("--pace", "0.01")
Event = dict[str, Any]


class Agent:
    """A running agent and what it has said so far."""

    def __init__(self, *words: str) -> None:
        self.events: list[Event] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "controlroom.demo.agent", *words],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def tell(self, message: Event) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def say(self, words: str) -> None:
        self.tell({"type": "user", "message": {"role": "user", "content": words}})

    def until(self, wanted: Callable[[Event], object]) -> Event:
        """Read events until one is wanted; the test's own time limit bounds it."""
        assert self.process.stdout
        for line in self.process.stdout:
            event: Event = json.loads(line)
            self.events.append(event)
            if wanted(event):
                return event
        raise AssertionError(f"it ended before: {[event.get('type') for event in self.events]}")

    def finish(self) -> int:
        """Close its stdin, read what it still says, and give its exit code."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        self.events += [json.loads(line) for line in self.process.stdout]
        return self.process.wait(60)

    def end(self) -> None:
        self.process.kill()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(BrokenPipeError):
                assert stream
                stream.close()
        self.process.wait()

    @property
    def said(self) -> list[str]:
        return [line.text for event in self.events for line in speak(event)]


@pytest.fixture
def start() -> Iterator[Callable[..., Agent]]:
    agents: list[Agent] = []

    def begin(*words: str) -> Agent:
        agents.append(Agent(*words))
        return agents[-1]

    yield begin
    for agent in agents:
        agent.end()


def is_a(kind: str) -> Callable[[Event], bool]:
    return lambda event: event.get("type") == kind


def asks(event: Event) -> bool:
    return event.get("type") == "control_request" and event["request"]["subtype"] == "can_use_tool"


def answer(request: Event, **response: object) -> Event:
    body = {"subtype": "success", "request_id": request["request_id"], "response": response}
    return {"type": "control_response", "response": body}


def test_a_task_is_done_and_the_end_of_input_ends_it(start: Callable[..., Agent]) -> None:
    agent = start("fix", *QUICK, "--session-id", "11111111-2222-4333-8444-555555555555", "--model", "some-model")
    agent.say("fix it")
    result = agent.until(is_a("result"))
    assert agent.finish() == 0
    init = agent.events[0]
    assert (init["type"], init["subtype"], init["model"]) == ("system", "init", "some-model")
    assert {event["session_id"] for event in agent.events} == {"11111111-2222-4333-8444-555555555555"}
    assert (result["is_error"], result["permission_denials"]) == (False, [])
    assert "app/dates.py  +2 −2" in agent.said


def test_allowed_it_goes_on(start: Callable[..., Agent]) -> None:
    agent = start("infra", *QUICK)
    agent.say("go")
    request = agent.until(asks)
    assert request["request"]["input"] == {"command": "terraform apply next"}
    agent.tell(answer(request, behavior="allow", updatedInput=request["request"]["input"]))
    assert agent.until(is_a("result"))["permission_denials"] == []
    assert "Applied, and every machine answers its health check." in agent.said


def test_denied_it_says_so_and_counts_it(start: Callable[..., Agent]) -> None:
    agent = start("infra", *QUICK)
    agent.say("go")
    agent.tell(answer(agent.until(asks), behavior="deny", message="not today"))
    assert len(agent.until(is_a("result"))["permission_denials"]) == 1
    assert any(line.startswith("Left as it is") for line in agent.said)


def test_an_interrupt_ends_the_turn_and_a_message_begins_the_next(start: Callable[..., Agent]) -> None:
    agent = start("perf", *QUICK)
    agent.say("measure")
    agent.until(is_a("user"))
    agent.tell({"type": "control_request", "request_id": "r1", "request": {"subtype": "interrupt"}})
    assert agent.until(is_a("control_response"))["response"]["request_id"] == "r1"
    assert agent.until(is_a("result"))["terminal_reason"] == "aborted_streaming"
    agent.say("now the other half")
    agent.until(is_a("system"))
    agent.until(lambda event: "Going on with: now the other half" in json.dumps(event))
    agent.until(is_a("user"))


def test_an_interrupt_withdraws_the_question(start: Callable[..., Agent]) -> None:
    agent = start("docs", *QUICK)
    agent.say("go")
    request = agent.until(asks)
    agent.tell({"type": "control_request", "request_id": "r1", "request": {"subtype": "interrupt"}})
    assert agent.until(is_a("control_cancel_request"))["request_id"] == request["request_id"]
    assert agent.until(is_a("result"))["is_error"] is True


def test_a_message_during_the_work_is_taken_in(start: Callable[..., Agent]) -> None:
    agent = start("api", *QUICK)
    agent.say("go")
    agent.until(is_a("assistant"))
    agent.say("mind the index\nof orders")
    agent.until(lambda event: "Understood: mind the index of orders" in json.dumps(event))


def test_the_limit_is_told_before_it_is_waited_out(start: Callable[..., Agent]) -> None:
    agent = start("tests", *QUICK)
    agent.say("go")
    warned = agent.until(is_a("rate_limit_event"))["rate_limit_info"]
    rejected = agent.until(is_a("rate_limit_event"))["rate_limit_info"]
    assert (warned["status"], rejected["status"]) == ("allowed_warning", "rejected")
    assert rejected["resetsAt"] % 3600 == 0
    assert agent.process.poll() is None


@pytest.mark.parametrize(("scene", "code"), [("seed", 1), ("native", -signal.SIGSEGV)])
def test_some_runs_fail(start: Callable[..., Agent], scene: str, code: int) -> None:
    agent = start(scene, *QUICK)
    agent.say("go")
    agent.events += [json.loads(line) for line in agent.process.stdout or ()]
    assert agent.process.wait(60) == code


def test_what_the_rules_forbid_is_denied_without_a_question(start: Callable[..., Agent]) -> None:
    agent = start("audit", *QUICK)
    agent.say("go")
    result = agent.until(is_a("result"))
    assert (len(result["permission_denials"]), result["is_error"]) == (3, False)
    assert not any(asks(event) for event in agent.events)


def test_the_same_seed_tells_the_same_story(start: Callable[..., Agent]) -> None:
    def story(seed: str) -> list[Event]:
        agent = start("web", "--pace", "0.01", "--seed", seed, "--beats", "12")
        agent.say("go")
        for _ in range(2):
            agent.until(lambda event: event.get("type") == "assistant" and "text" in event["message"]["content"][0])
        agent.process.kill()
        return agent.events

    assert story("4") == story("4")
    assert story("4") != story("5")


def test_a_session_that_goes_on_has_messages_of_its_own(start: Callable[..., Agent]) -> None:
    """Those of the run before are counted already: the bill of this one would be for nothing that can be seen."""

    def ids(option: str) -> set[str]:
        agent = start("fix", *QUICK, option, "11111111-2222-4333-8444-555555555555")
        agent.say("go")
        agent.until(is_a("result"))
        return {event["message"]["id"] for event in agent.events if event["type"] == "assistant"}

    first, again, once_more = ids("--session-id"), ids("--resume"), ids("--resume")
    assert first
    assert len(first | again | once_more) == len(first) + len(again) + len(once_more)


def test_after_its_beats_it_stands_still_and_still_listens(start: Callable[..., Agent]) -> None:
    agent = start("api", "--beats", "5")
    agent.say("go")
    agent.until(lambda event: event.get("type") == "user" and "passed" in json.dumps(event))
    agent.tell({"type": "control_request", "request_id": "r1", "request": {"subtype": "interrupt"}})
    agent.until(is_a("result"))


@pytest.mark.parametrize(("scene", "code"), [("backup", 0), ("migrate", 3)])
def test_commands_print_and_end(scene: str, code: int) -> None:
    command = [sys.executable, "-m", "controlroom.demo.agent", scene, *QUICK]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == code
    assert len(done.stdout.splitlines()) > 3
    assert ("still referenced" in done.stderr) == (code == 3)


def test_a_scene_that_is_not_there() -> None:
    command = [sys.executable, "-m", "controlroom.demo.agent", "nothing"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert "which scene? one of access, api" in done.stderr


def test_it_ends_when_told_to(start: Callable[..., Agent]) -> None:
    agent = start("api")
    agent.say("go")
    agent.until(is_a("system"))
    os.kill(agent.process.pid, signal.SIGTERM)
    assert agent.process.wait(60) == 143


def test_names_are_fit_for_agents() -> None:
    from controlroom.demo.cast import cast
    from controlroom.text.names import agent_name_problem

    names = [part.name for part in cast(60)]
    assert len(set(names)) == 60
    assert [agent_name_problem(name) for name in names] == [None] * 60
    assert {part.scene for part in cast(14)} == set(SCENES)


def test_a_played_session_costs_what_its_transcript_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prices are the list's, and the sum of the transcript is the bill of the last result."""
    dice = Random("a bill")
    speech = Speech(dice, "s", "claude-opus-5-5", "/work")
    for words in ("one", "two and a little more", "three"):
        speech.text(words)
        assert speech.settled is not None
        write_down(speech.settled, "s", {"CLAUDE_CONFIG_DIR": str(tmp_path)}, "/work", 1_795_348_800.0)
    (transcript,) = tmp_path.glob("projects/*/s.jsonl")
    messages = [message_of(line) for line in transcript.read_bytes().splitlines()]
    assert len(messages) == 3
    sheet = list_prices()
    theirs = micro(sum(sheet.cost(message).pico for message in messages if message))
    assert round(speech.done("done")["total_cost_usd"] * 1_000_000) == theirs > 0


def test_a_session_that_plays_for_hours_does_not_grow_without_end() -> None:
    speech = Speech(Random("a long day"), "s", "claude-sonnet-5-5", "/work")
    prompts = [speech.text("more")["message"]["usage"]["cache_read_input_tokens"] for _ in range(1000)]
    assert 100_000 < max(prompts) < 200_000
