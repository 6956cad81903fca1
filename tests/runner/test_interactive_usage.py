"""What an interactive Claude has cost while it runs: by its transcript, and by what it shows on its status line."""

from __future__ import annotations

import pytest

from controlroom.engine.catalogs.list_prices import list_prices
from controlroom.metering.usage import Message
from controlroom.metering.usage_file import Record, Refusal, Report, from_line
from controlroom.text.states import TellKind
from controlroom.wire.messages import Spawn, Tell
from controlroom.wire.spec import AgentSpec
from tests.lab.messages_api.server import Api
from tests.lab.node_client import NodeClient, state_folder
from tests.lab.waiting import wait_for
from tests.lab.world import World
from tests.runner.interactive import LATE

pytestmark = pytest.mark.usefixtures("login_shell")


def records(home: World) -> list[Record]:
    """What its runner wrote."""
    path = state_folder(home.home) / "agents" / "talk.1" / "usage.jsonl"
    return [from_line(line) for line in path.read_bytes().split(b"\n")[:-1]] if path.exists() else []


def hidden(home: World) -> int:
    """Pico-dollars that Claude reports and no message accounts for."""
    reported = max((record.pico for record in records(home) if isinstance(record, Report)), default=0)
    messages = {record.key: record for record in records(home) if isinstance(record, Message)}
    sheet = list_prices()
    return reported - sum(sheet.cost(message).pico for message in messages.values())


@pytest.mark.long
def test_a_thought_that_was_interrupted_costs_what_claude_shows(node: NodeClient, home: World, api: Api) -> None:
    """No line of the transcript tells of it, and the status line does when Claude has said something else."""
    spec = AgentSpec(kind="interactive", cwd="project", permission_mode="default", model="claude-opus-5-5")
    task = f"[[slow 0.2 100]] [[think {'hmm, well, ' * 100}]] [[text thought]]"
    assert node.ask(lambda number: Spawn(number, "talk", 1, spec, task, 0)).outcome == "done"
    wait_for(lambda: api.state.deltas > 3, LATE, "the beginning of a thought")
    node.wait_agent("talk", lambda seen: seen.state == "working", LATE)
    assert node.ask(lambda number: Tell(number, "talk", 1, TellKind.INTERRUPT)).outcome == "done"
    node.wait_agent("talk", lambda seen: seen.state == "idle", LATE)
    assert node.ask(lambda number: Tell(number, "talk", 1, TellKind.MESSAGE, "[[text thought]]")).outcome == "done"
    wait_for(lambda: records(home), LATE, "what it said next")
    wait_for(lambda: hidden(home) > 10**10, LATE, "more than a cent")
    assert len({record.run for record in records(home) if not isinstance(record, Refusal)}) == 1
