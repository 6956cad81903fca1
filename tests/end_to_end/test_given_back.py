"""Work goes back to a real Claude that has ended: what conflicts, and what was said of its diff; it goes on knowing."""

from __future__ import annotations

import asyncio
import json

from controlroom.client.client import Client
from controlroom.domain.review import comment_on, message, sent_to
from tests.end_to_end.room import FurnishClaude, Room
from tests.end_to_end.steps import call, commit, git
from tests.lab.host import Host
from tests.lab.messages_api.server import Api
from tests.lab.world import World

LINES = "".join(f"line {number}\n" for number in range(9))

CONFIG = """
local = false

[profiles.docs]
cwd = "project"
worktree = true
"""

RULES = """
[rules.files]
allow = "Edit"

[rules.add]
allow = "Bash: git add -A"

[rules.commit]
allow = "Bash: git commit -q -m *"

[rules.merge]
allow = "Bash: git merge next"
"""


def bash(command: str) -> dict[str, object]:
    """A step of the API in which the model runs a command."""
    return {"kind": "tool", "tools": [{"name": "Bash", "input": {"command": command}}]}


def write(content: str) -> dict[str, object]:
    """Likewise, a file is written."""
    return {"kind": "tool", "tools": [{"name": "Write", "input": {"file_path": "new.md", "content": content}}]}


async def comment(text: str) -> str:
    """Send the agent what was said of its work, as the review on the screen does."""
    client = await Client.connect()
    said = message((comment_on("new.md", None, text),), "")
    result = await client.submit(sent_to(client.fleet.agents["vm1/docs-1"], said))
    await client.close()
    return result.reason


def test_one_that_has_ended_resolves_what_conflicts_and_reads_what_is_said(
    room: Room, home: World, ssh_host: Host, claude_home: FurnishClaude, api: Api
) -> None:
    for name, text in (("config.toml", CONFIG), ("rules.toml", RULES)):
        home.room.joinpath(name).write_text(text)
        home.room.joinpath(name).chmod(0o600)
    claude_home(ssh_host.home, api)
    project = ssh_host.home / "project"
    (project / "shared.md").write_text(LINES)
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "begin")
    git(project, "config", "user.name", "Bob")
    git(project, "config", "user.email", "bob@example.org")
    room.run("host", "add", ssh_host.target, "--name", "vm1", "--fingerprint", ssh_host.fingerprint)
    steps = f"{call('Write', file_path='new.md', content='mine')} {commit('new')} [[text mine is done]]"
    room.run("spawn", "docs-1", "--host", "vm1", "--profile", "docs", "--task", steps)
    session = room.wait_for_state("docs-1", "done", deadline=60)["session"]

    # the branch has another file of that name by now
    git(project, "checkout", "-q", "-b", "next")
    (project / "new.md").write_text("theirs")
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "theirs")
    git(project, "checkout", "-q", "--detach")
    api.queue(bash("git merge next"), write("both"), bash("git add -A"), bash("git commit -q -m 'both'"))
    told = room.run("accept", "docs-1", "--into", "next", "--give-back", expect=1)
    assert "new.md" in told
    room.wait_until("the second run", lambda status: room.agent("docs-1")["run"] == 2, 60)
    assert room.wait_for_state("docs-1", "done", deadline=60)["session"] == session
    asked = json.dumps(api.requests(main=True)[-1]["body"]["messages"])
    assert "mine is done" in asked, "it knows what it did"
    assert "conflicts with it in these files" in asked
    room.run("accept", "docs-1", "--into", "next")
    assert git(project, "show", "next:new.md") == "both"

    # what is said of its diff makes it go on again
    api.queue(write("both, and said so"), bash("git add -A"), bash("git commit -q -m 'said so'"))
    assert asyncio.run(comment("Say so.")) == ""
    room.wait_until("the third run", lambda status: room.agent("docs-1")["run"] == 3, 60)
    assert room.wait_for_state("docs-1", "done", deadline=60)["session"] == session
    assert "Say so." in json.dumps(api.requests(main=True)[-1]["body"]["messages"])
    room.run("accept", "docs-1", "--into", "next")
    assert git(project, "show", "next:new.md") == "both, and said so"
