"""The verbs of fleet files against a real engine, node, runner and tmux on this machine."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from tests.end_to_end.room import Room, engines
from tests.lab.waiting import wait_for
from tests.lab.world import World

CONFIG = """
[queue]
stagger_seconds = 0
memory_percent = 100
[profiles.shell]
kind = "command"
command = ["sh", "-c", "{ cat; echo; } | tee -a begun; exec sleep 600"]
shares_folder = true
[profiles.once]
kind = "command"
command = ["cat"]
"""

FILE = """
[defaults]
profile = "shell"
[templates.page]
text = "page {number}"
[[agents]]
name = "page"
count = COUNT
template = "page"
[[agents]]
name = "editor"
host = "local"
keep = true
text = "answer"
[[tasks]]
key = "links"
profile = "once"
text = "mend the links"
""".replace("{number}", "{{number}}")


def started(room: Room) -> dict[str, tuple[int, str]]:
    return {agent["name"]: (agent["run"], agent["state"]) for agent in room.status()["agents"]}


def test_a_fleet_is_planned_applied_through_a_kill_changed_mended_exported_and_ended(
    home: World, tmp_path: Path
) -> None:
    (home.room / "config.toml").write_text(CONFIG)
    room, file = Room(), tmp_path / "site.toml"
    file.write_text(FILE.replace("COUNT", "4"))
    planned = json.loads(room.run("fleet", "plan", str(file), "--json"))
    assert [change["action"] for change in planned["changes"]] == ["start"] * 5 + ["add"]
    assert {change["host"] for change in planned["changes"]} == {"local"}
    assert planned["hosts"][0]["starts"] == 6
    assert started(room) == {}
    assert "Nobody is there to ask: say --yes" in room.run("fleet", "apply", str(file), expect=1)

    assert json.loads(room.run("fleet", "apply", str(file), "--yes", "--json"))["result"] == "5 start, 1 add of a task"
    for engine in engines(home):  # in the middle of it
        os.kill(engine.pid, signal.SIGKILL)
    names = ["editor", "mend-the-links-t1", "page-1", "page-2", "page-3", "page-4"]
    room.wait_until("all have started", lambda _: sorted(started(room)) == names, 60)
    room.wait_for_state("mend-the-links-t1", "done")
    settled(room)
    first = {name: run for name, (run, _) in started(room).items()}  # a start that was lost leaves a number
    begun = (home.home / "begun").read_text().split("\n")
    assert sorted(filter(None, begun)) == ["answer", "page 1", "page 2", "page 3", "page 4"], "nobody began twice"
    assert "nothing to do" in said(room, "apply", file)

    file.write_text(FILE.replace("COUNT", "3").replace('text = "answer"', 'text = "answer all"'))
    room.run("fleet", "apply", str(file), "--yes")
    room.wait_until("another run of one", lambda _: started(room)["editor"] == (first["editor"] + 1, "working"))
    room.wait_until("one has ended", lambda _: started(room)["page-4"][1] == "done")
    assert started(room)["page-1"] == (first["page-1"], "working")

    room.run("kill", "page-2", "--yes")
    room.run("spawn", "mine", "--profile", "shell", "--task", "x")
    (told,) = json.loads(room.run("fleet", "drift", "--json"))["fleets"]
    drifts = {change["name"]: (change["drift"], change["action"]) for change in told["changes"]}
    assert drifts == {"page-2": ("ended", "start"), "mine": ("extra", None)}
    room.run("fleet", "apply", str(file), "--yes")
    room.wait_until("it has started again", lambda _: started(room)["page-2"] == (first["page-2"] + 1, "working"))
    fleets = {agent["name"]: agent["fleet"] for agent in room.records("agents", "status", "fleet:site")}
    assert fleets == dict.fromkeys([name for name in names if name != "page-4"], "site"), "one has left it"

    now = tmp_path / "now.toml"
    exported = json.loads(room.run("fleet", "export", str(now), "--json"))
    assert (exported["left_out"], exported["agents"], exported["tasks"]) == ([], 5, 0)
    assert "is there already" in room.run("fleet", "export", str(now), expect=1)
    assert now.stat().st_mode & 0o077 == 0
    plan = json.loads(room.run("fleet", "plan", str(now), "--json"))
    assert (plan["changes"], plan["same"]) == ([], 5)

    file.write_text("")
    room.run("fleet", "apply", str(file), "--yes")
    room.wait_until("all have ended but one", lambda _: working(room) == ["mine"])
    wait_for(lambda: not json.loads(room.run("fleet", "drift", "--json"))["fleets"], 30, "it is no more", poll=0.1)
    assert "there is no fleet 'site': none was applied" in room.run("fleet", "drift", "site", expect=5)
    room.run("kill", "mine", "--yes")


def working(room: Room) -> list[str]:
    return sorted(name for name, (_, state) in started(room).items() if state != "done")


def settled(room: Room) -> None:
    """Wait until nothing is on its way any more."""

    def is_settled() -> bool:
        fleets = json.loads(room.run("fleet", "drift", "--json"))["fleets"]
        return not [change for told in fleets for change in told["changes"] if change["drift"] == "coming"]

    wait_for(is_settled, 30, "the fleet to be as it was applied", poll=0.1)


def said(room: Room, verb: str, file: Path) -> str:
    """What a verb tells the person, who has said yes."""
    answer = json.loads(room.run("fleet", verb, str(file), "--yes", "--json"))
    return "nothing to do" if not answer["changes"] else str(answer)


def test_a_bad_file_is_refused_whole_with_its_path_and_a_sentence(home: World, tmp_path: Path) -> None:
    (home.room / "config.toml").write_text(CONFIG)
    room, file = Room(), tmp_path / "site.toml"
    file.write_text(FILE.replace("COUNT", "2").replace('profile = "once"', 'profile = "onse"'))
    told = room.run("fleet", "apply", str(file), "--yes", expect=1)
    assert f"{file}: tasks.links: there is no profile 'onse': did you mean once?" in told
    file.write_text("[[agents]]\nname = 3\n")
    assert f"{file}: agents[1].name: expected text in quotes" in room.run("fleet", "plan", str(file), expect=2)
    assert started(room) == {}
