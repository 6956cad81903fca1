"""A node and the real Claude Code CLI: found by the login shell, seen by its own session file, asked and answered."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from controlroom.text.states import TellKind, Verdict
from controlroom.wire.messages import AgentSeen, Reply, Spawn, Tell
from controlroom.wire.spec import AgentSpec, Credential
from tests.lab.claude import log_in
from tests.lab.messages_api.server import Api
from tests.lab.node_client import NodeClient
from tests.lab.processes import everything, look
from tests.lab.world import World
from tests.node.on_host import evidence

ASK = '[[tool Bash {"command":"touch made.txt","description":"make a file"}]]'


pytestmark = pytest.mark.usefixtures("login_shell")


def spawn(node: NodeClient, task: str, epoch: int = 1, replaces: int = 0) -> Reply:
    spec = AgentSpec(cwd="project", permission_mode="default")
    return node.ask(lambda number: Spawn(number, "claude", epoch, spec, task, replaces))


def tell(node: NodeClient, seen: AgentSeen, what: TellKind, text: str = "", verdict: str = "") -> Reply:
    question, digest = (seen.question.id, seen.question.digest) if seen.question else ("", "")
    return node.ask(lambda number: Tell(number, seen.name, seen.epoch, what, text, question, Verdict(verdict), digest))


def test_it_asks_and_its_own_session_file_says_so_too(project: Path, node: NodeClient) -> None:
    assert spawn(node, ASK + "[[text all done]]").outcome == "done"
    seen = node.wait_agent("claude", lambda seen: seen.question and len(seen.evidence) == 5, 30)
    seen = node.wait_agent("claude", lambda seen: evidence(seen)["session file"][0] == "waiting")
    assert seen.question
    assert (seen.state, seen.question.tool, seen.detail) == ("waiting", "Bash", "asks: touch made.txt")
    assert {source: state for source, (state, _) in evidence(seen).items()} == dict.fromkeys(
        ("stream", "runner", "process", "tmux", "session file"), "waiting"
    )
    late = node.ask(lambda number: Tell(number, "claude", 1, TellKind.ANSWER, "", "another", Verdict.ALLOW))
    assert (late.outcome, late.reason) == ("refused", "this question is no longer open")
    assert tell(node, seen, TellKind.ANSWER, verdict="allow").outcome == "done"
    assert node.wait_agent("claude", lambda seen: seen.state == "done", 30).exit_code == 0
    assert (project / "made.txt").exists()


def test_it_is_reassigned_in_the_middle_of_its_work(node: NodeClient) -> None:
    assert spawn(node, ASK).outcome == "done"
    first = node.wait_agent("claude", lambda seen: seen.question, 30)
    assert spawn(node, "[[text the second task]]", epoch=2, replaces=1).outcome == "done"
    second = node.wait_agent("claude", lambda seen: seen.state == "done" and seen.epoch == 2, 30)
    assert second.session != first.session
    assert look(first.pid) is None


def test_a_run_that_ended_at_its_limit_stays_limited_and_goes_on_in_its_session(
    project: Path, node: NodeClient, home: World, api: Api
) -> None:
    log_in(home.home, "ann@example.org")
    api.configure(ratelimit="unified", mode=429)
    spec = AgentSpec(cwd="project", permission_mode="default", credential=Credential(plan=True))
    assert node.ask(lambda number: Spawn(number, "claude", 1, spec, "hello", 0)).outcome == "done"
    seen = node.wait_agent("claude", lambda seen: seen.state == "limited" and seen.ended, 30)
    killed_runner(node)
    assert node.agents()["claude"] == seen
    assert seen.limited_until > seen.ended
    api.configure(mode="ok")
    again = AgentSpec(cwd="project", permission_mode="default", credential=Credential(plan=True), resume=seen.session)
    assert node.ask(lambda number: Spawn(number, "claude", 2, again, "[[text on]]", 0)).outcome == "done"
    done = node.wait_agent("claude", lambda seen: seen.state == "done", 30)
    assert (done.session, done.limited_until) == (seen.session, 0)


def killed_runner(node: NodeClient) -> None:
    """Kill the runner of another agent, and wait until the node has buried that: it has looked at all agents twice."""
    node.spawn("other", 1, "sleep", "600")
    pid = node.wait_agent("other", lambda seen: seen.pid).pid
    os.kill(next(process.parent for process in everything() if process.pid == pid), signal.SIGKILL)
    node.wait_agent("other", lambda seen: seen.detail == "its runner was killed")
