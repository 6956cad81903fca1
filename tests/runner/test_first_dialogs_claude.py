"""What a preflight says that Claude would ask first, real Claude Code asks on its terminal, and then no more."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest

from controlroom.domain.display.checkup import preflight
from controlroom.domain.model import Profile
from controlroom.domain.preconditions import unfit_folder
from controlroom.engine.hosts.translate import to_check, to_folders
from controlroom.text.states import AgentKind
from controlroom.wire.inquiries import Check, Checked
from controlroom.wire.messages import Spawn
from controlroom.wire.spec import AgentSpec
from tests.lab.messages_api.server import Api
from tests.lab.node_client import NodeClient
from tests.lab.waiting import wait_for
from tests.lab.world import World
from tests.runner.interactive import LATE, screen

pytestmark = pytest.mark.usefixtures("login_shell")


def would_ask(node: NodeClient) -> str:
    """What keeps interactive agents out of the project, as the queue reads the host's own look at itself."""
    number = node.number()
    node.send(Check(number, ("project",)))
    checked = node.wait(Checked, lambda one: one.id == number, 60)
    found = preflight(to_check(checked, checked.clock), checked.clock)
    found = replace(found, folders=to_folders(checked, ("project",)))
    return unfit_folder(found, Profile("talk", AgentKind.INTERACTIVE), "project")


def press(*keys: str) -> None:
    subprocess.run(["tmux", "-L", "controlroom", "send-keys", "-t", "=talk:", *keys], check=True, timeout=60)


def answered(what: str, *keys: str) -> None:
    """Answer what stands on its screen as a person does there, once it stands there."""
    wait_for(lambda: what in screen(), LATE, f"it asks: {what}")
    press(*keys)
    wait_for(lambda: what not in screen(), LATE, f"it was answered: {what}")


def asks(node: NodeClient, words: str) -> None:
    """Wait until its runner says that it asks this."""
    node.wait_agent("talk", lambda seen: seen.detail == f"start-up dialog: it asks {words}; attach to answer it", LATE)


@pytest.mark.long
def test_the_first_questions_are_foretold_and_once_they_are_answered_nothing_keeps_an_agent_out(
    node: NodeClient, home: World, api: Api
) -> None:
    (home.home / ".claude.json").unlink()
    assert would_ask(node) == "Claude would ask its first questions (run claude once there)"
    spec = AgentSpec(kind="interactive", cwd="project", permission_mode="default")
    node.ask(lambda number: Spawn(number, "talk", 1, spec, "[[text at last]]", 0))
    asks(node, "what it asks once, at the first start of all")
    answered("Choose the text style", "Enter")
    answered("Security notes", "Enter")
    asks(node, "whether you trust its folder")
    assert would_ask(node) == "Claude would ask whether you trust project (run claude there once)"
    assert not api.requests(main=True)
    answered("Yes, I trust this folder", "Down", "Enter")
    wait_for(lambda: api.requests(main=True), LATE, "it begins with its task")
    assert would_ask(node) == ""
