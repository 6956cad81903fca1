"""A node and the real Claude Code CLI: found by the login shell, seen by its own session file, asked and answered."""

from __future__ import annotations

from pathlib import Path

import pytest

from controlroom.wire.messages import AgentSeen, Reply, Spawn, Tell
from controlroom.wire.spec import AgentSpec
from tests.lab.processes import look
from tests.node.client import NodeClient
from tests.node.test_observe import evidence

ASK = '[[tool Bash {"command":"touch made.txt","description":"make a file"}]]'


pytestmark = pytest.mark.usefixtures("login_shell")


def spawn(node: NodeClient, task: str, epoch: int = 1, replaces: int = 0) -> Reply:
    spec = AgentSpec(cwd="project", permission_mode="default")
    return node.ask(lambda number: Spawn(number, "claude", epoch, spec, task, replaces))


def tell(node: NodeClient, seen: AgentSeen, what: str, text: str = "", verdict: str = "") -> Reply:
    question = seen.question.id if seen.question else ""
    return node.ask(lambda number: Tell(number, seen.name, seen.epoch, what, text, question, verdict))


def test_it_asks_and_its_own_session_file_says_so_too(node: NodeClient, project: Path) -> None:
    assert spawn(node, ASK + "[[text all done]]").outcome == "done"
    seen = node.wait_agent("claude", lambda seen: seen.question and len(seen.evidence) == 5, 30)
    seen = node.wait_agent("claude", lambda seen: evidence(seen)["session file"][0] == "waiting")
    assert seen.question
    assert (seen.state, seen.question.tool, seen.detail) == ("waiting", "Bash", "asks: touch made.txt")
    assert {source: state for source, (state, _) in evidence(seen).items()} == dict.fromkeys(
        ("stream", "runner", "process", "tmux", "session file"), "waiting"
    )
    late = node.ask(lambda number: Tell(number, "claude", 1, "answer", "", "another", "allow"))
    assert (late.outcome, late.reason) == ("refused", "this question is no longer open")
    assert tell(node, seen, "answer", verdict="allow").outcome == "done"
    assert node.wait_agent("claude", lambda seen: seen.state == "done", 30).exit_code == 0
    assert (project / "made.txt").exists()


def test_it_is_reassigned_in_the_middle_of_its_work(node: NodeClient) -> None:
    assert spawn(node, ASK).outcome == "done"
    first = node.wait_agent("claude", lambda seen: seen.question, 30)
    assert spawn(node, "[[text the second task]]", epoch=2, replaces=1).outcome == "done"
    second = node.wait_agent("claude", lambda seen: seen.state == "done" and seen.epoch == 2, 30)
    assert second.session != first.session
    assert look(first.pid) is None
