"""The checks of a real Claude on a terminal: after each turn in which it may have changed something."""

from __future__ import annotations

import pytest

from controlroom.text.checks import CheckOrder
from controlroom.wire.messages import Spawn
from controlroom.wire.spec import AgentSpec
from tests.lab.messages_api.server import Api
from tests.lab.node_client import NodeClient
from tests.lab.world import World
from tests.runner.interactive import LATE

pytestmark = pytest.mark.usefixtures("login_shell")

ALLOWED = ("claude", "--allowedTools", "Bash")
WORKS = '[[tool Bash {"command":"touch begun.txt","description":"begin"}]][[text I am done.]]'
MENDS = '[[tool Bash {"command":"touch mended.txt","description":"mend it"}]][[text It is mended.]]'


def spawn(node: NodeClient, home: World, script: str, task: str = WORKS) -> None:
    (home.home / "project" / "check.sh").write_text(script)
    checks = CheckOrder((("sh", "check.sh"),), attempts=1)
    spec = AgentSpec(kind="interactive", command=ALLOWED, cwd="project", checks=checks)
    assert node.ask(lambda number: Spawn(number, "talk", 1, spec, task)).outcome == "done"


def test_it_is_told_on_its_terminal_what_failed_and_mends_it(node: NodeClient, home: World, api: Api) -> None:
    spawn(node, home, f"test -e mended.txt && exit 0\necho '{MENDS}'\nexit 4\n")
    seen = node.wait_agent("talk", lambda seen: seen.detail == "checked", LATE)
    assert (seen.state, seen.trouble) == ("idle", "")
    assert seen.checks is not None
    assert (seen.checks.state, seen.checks.told) == ("passed", 1)
    assert "The check `sh check.sh` failed: exit 4." in str(api.requests(main=True)[-1]["body"])


def test_one_that_does_not_pass_waits_with_trouble_and_has_failed_when_it_is_left(
    node: NodeClient, home: World
) -> None:
    spawn(node, home, "echo '[[text I cannot.]]'\nexit 5\n")
    failed = "checks failed: sh check.sh: exit 5 ([[text I cannot.]])"
    seen = node.wait_agent("talk", lambda seen: seen.detail == failed, LATE)
    assert (seen.state, seen.trouble) == ("idle", "checks failed: sh check.sh: exit 5")
    assert seen.checks is not None
    assert (seen.checks.told, seen.checks.output) == (1, "[[text I cannot.]]")
