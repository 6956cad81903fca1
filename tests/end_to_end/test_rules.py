"""What a real Claude asks over SSH is answered by rules where they understand it, and by a person where they do not."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from controlroom.protocol.home import find_home
from tests.end_to_end.room import Room, Status
from tests.lab.host import Host
from tests.lab.messages_api.server import Api
from tests.lab.world import World

TALK = """
[profiles.talk]
kind = "interactive"
permission_mode = "default"
cwd = "project"
"""


NOTES = """
import json, sys
tool = {"name": "add", "description": "adds a note", "inputSchema": {"type": "object"}}
for line in sys.stdin:
    asked = json.loads(line)
    server = {"protocolVersion": asked.get("params", {}).get("protocolVersion"), "capabilities": {"tools": {}}}
    server["serverInfo"] = {"name": "notes", "version": "1"}
    answers = {"initialize": server, "tools/list": {"tools": [tool]}, "tools/call": {"content": []}}
    if asked["method"] == "tools/call":
        with open(sys.argv[1], "a") as notes:
            notes.write(asked["params"]["arguments"]["text"] + "\\n")
    if "id" in asked:
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": answers.get(asked["method"], {})}), flush=True)
"""


def serve_notes(host: Host) -> Path:
    """Give Claude on a host an MCP server `notes`, and return the file that it writes to."""
    program, notes, settings = host.home / "notes.py", host.home / "notes.txt", host.home / ".claude.json"
    program.write_text(NOTES)
    server = {"type": "stdio", "command": sys.executable, "args": [str(program), str(notes)]}
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "mcpServers": {"notes": server}}))
    return notes


def add_note(text: str, to: str) -> str:
    return f"[[tool mcp__notes__add {json.dumps({'text': text, 'to': to})}]]"


def bash(command: str) -> str:
    return f"[[tool Bash {json.dumps({'command': command, 'description': 'works'})}]]"


def test_rules_answer_all_that_they_understand_and_leave_the_rest_to_a_person(
    room: Room, vm1: Host, api: Api, home: World
) -> None:
    room.run("rules", "add", "made", "Bash: touch made.txt")
    room.run("rules", "add", "work", "Edit: work/**", "--host", "vm1", "--uses", "1")
    room.run("rules", "add", "no-publish", "Bash: npm publish", "--deny")
    room.run("rules", "add", "notes", "mcp__notes__add: text=* to=docs/*")
    room.run("rules", "add", "no-secrets", "mcp__notes: to=secrets/**", "--deny")
    notes = serve_notes(vm1)
    write = '[[tool Write {"file_path":"%s/project/work/new.txt","content":"x"}]]' % vm1.home  # noqa: UP031
    odd = "touch made.txt; touch $(echo owned)"
    calls = [
        add_note("kept", "docs/a"), add_note("not kept", "secrets/a"),
        bash("touch made.txt"), write, bash("npm publish"), bash("git push origin main"), bash(odd),
        bash("touch made.txt && touch made.txt"),
    ]  # fmt: skip
    room.run("spawn", "a", "--host", "vm1", "--cwd", "project", "--task", "".join(calls) + "[[text well]]")

    def asks_odd(status: Status) -> bool:
        return any(odd in (each["question"] or {}).get("text", "") for each in status["agents"])

    room.wait_until("the odd one", asks_odd)
    assert "no rule allows" not in room.run("rules", "test", "Bash: touch made.txt", "--agent", "a")
    room.run("answer", "a", "deny", "not", "this")
    room.wait_for_state("a", "done")

    project = vm1.home / "project"
    assert (project / "made.txt").exists()
    assert (project / "work" / "new.txt").exists()
    assert not (project / "owned").exists()
    assert notes.read_text() == "kept\n"
    log = room.run("logs", "a", "-n", "200")
    for words in (
        "allow, by rule notes",
        "deny, by rule no-secrets",
        "allow, by rule made",
        "allow, by rule work",
        "deny, by rule no-publish",
        "deny, by rule floor pushes",
    ):
        assert words in log
    audit = room.run("audit", "-n", "50")
    for who in ("rule made", "rule work", "rule no-publish", "rule floor pushes"):
        assert who in audit
    used = {rule["name"]: rule["used"] for rule in json.loads(room.run("rules", "list", "--json"))["rules"]}
    assert used == {"made": 2, "work": 1, "no-publish": 1, "notes": 1, "no-secrets": 1}

    find_home(os.environ).rules.write_text("[rules.made\n")
    room.wait_until("the alarm", lambda status: any("rules.toml" in alarm["text"] for alarm in status["alarms"]))
    assert "made" in room.run("rules", "list")


def test_rules_answer_an_interactive_claude_through_its_hook(room: Room, vm1: Host, api: Api, home: World) -> None:
    config = find_home(os.environ).config
    config.write_text(TALK)
    config.chmod(0o600)
    room.run("stop")
    room.run("rules", "add", "made", "Bash: touch made.txt")
    calls = [bash("touch made.txt"), bash("git push origin main"), bash("touch other.txt")]
    task = "".join(calls) + "[[text well]]"
    room.run("spawn", "a", "--host", "vm1", "--profile", "talk", "--task", task)

    def asks_other(status: Status) -> bool:
        return any("touch other.txt" in (each["question"] or {}).get("text", "") for each in status["agents"])

    room.wait_until("the one that no rule is about", asks_other, 60)
    project = vm1.home / "project"
    assert (project / "made.txt").exists()
    room.run("answer", "a", "allow")
    room.wait_for_state("a", "idle", deadline=60)
    assert (project / "other.txt").exists()
    log = room.run("logs", "a", "-n", "200")
    for words in ("allow, by rule made", "deny, by rule floor pushes"):
        assert words in log
    audit = room.run("audit", "-n", "50")
    assert "rule made" in audit
    assert "rule floor pushes" in audit
