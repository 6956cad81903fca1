"""A day of a site: three hosts with real Claude Code, and all ways in which agents come to be there, side by side.

A fleet from a file, agents of somebody's scripts that are taken over, a lead that starts its own, and old transcripts.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from controlroom.protocol.home import find_home
from tests.conftest import MakeLab
from tests.end_to_end.leading import ARGUMENTS, call, calls, spent, try_each_verb
from tests.end_to_end.room import FurnishClaude, Room, Status, micro
from tests.end_to_end.site import CONFIG, FLEET, TASKS, Site, begin_repository, tasks
from tests.end_to_end.somebody import Somebody, others
from tests.lab.messages_api.server import Api
from tests.lab.transcripts import counted
from tests.lab.waiting import wait_for
from tests.lab.world import World

SPENDER = Path(__file__).parents[1] / "runner" / "spender.py"
CEILING = 2_000_000
"""What the agents of the lead may spend, in micro-dollars."""
BUSY = {"pace": 0.3, "output": 2500, "late": 0.1}
"""Five cents a message."""
LEADS = """
[profiles.boss]
lead = "research"
cwd = "project"

[profiles.spender]
command = ["python3", "/home/agent/spender.py", {busy}]
env = {{ ANTHROPIC_API_KEY = "k" }}

[profiles.small]
max_memory_mb = 20
"""


@pytest.fixture
def site(
    room: Room,
    home: World,
    vms: MakeLab,
    start_api: Callable[..., Api],
    claude_share: dict[str, str],
    claude_home: FurnishClaude,
    tmp_path: Path,
) -> Site:
    """Three hosts of somebody who has Claude Code; the room does not know them yet."""
    home.room.mkdir(mode=0o700, exist_ok=True)
    config = home.room / "config.toml"
    config.write_text(CONFIG + LEADS.format(busy=json.dumps(json.dumps(BUSY))))
    config.chmod(0o600)
    lab = vms(3, share=claude_share)
    api = start_api(host=lab.record.gateway)
    for host in lab.hosts:
        begin_repository(host, claude_home(host, api))
    claude_home(home.home, api)
    (home.home / ".claude" / "settings.json").write_text('{"permissions": {"allow": ["Bash"]}}')
    (lab["vm2"].home / SPENDER.name).write_bytes(SPENDER.read_bytes())
    return Site(room, lab, api, tmp_path / "fleet.toml")


@pytest.mark.timeout(900)
def test_a_fleet_a_lead_agents_of_scripts_and_what_was_used_before_go_side_by_side(site: Site, home: World) -> None:
    ann = Somebody(site.vm1)
    old = ann.ask_claude('[[tool Bash {"command": "echo one"}]] [[text hello]]')
    scripts_begin(ann)
    site.add_hosts()
    a_lead_begins(site, home)
    a_fleet_is_planned_and_applied(site)
    the_lead_spends_its_ceiling_and_no_more(site, home)
    what_was_used_before_counts_once(site, old)
    five_scripts_are_taken_over(site, ann, old.stem)

    the_file_is_changed(site)
    page = vm3_is_drained_until_its_link_is_cut(site)
    scripts_are_ended_and_one_goes_on_under_a_runner(site, ann, old.stem)
    vm3_is_empty_once_its_link_is_back(site, page)
    drift_is_shown_and_mended(site)
    every_message_has_been_counted_once(site, home)

    what_runs_is_what_is_written_down(site)
    all_of_it_ends(site, ann)


def scripts_begin(ann: Somebody) -> None:
    """Sessions as scripts start them: with a log, in a loop, one after the other; and a shell of hers."""
    (ann.host.home / "agents" / "logs").mkdir(parents=True)
    (ann.host.home / "loop.sh").write_text("while true; do claude -p '[[hang 600]]'; done\n")
    ann.host.own(ann.host.home)
    ann.begin("typed", "exec bash --norc")
    for number in (1, 2):
        log = f"~/agents/logs/agent-{number}.log"
        ann.begin(f"agent-{number}", f"echo begun by hand >{log}; claude -p '[[hang 600]]' | tee -a {log}")
    ann.begin("agent-3", "bash ~/loop.sh")
    ann.begin("agent-4", "claude -p '[[hang 600]]'")


def what_was_used_before_counts_once(site: Site, old: Path) -> None:
    """It is offered, counted when it is wanted, and counted a second time it adds nothing."""
    room, true = site.room, counted([old])
    assert true["messages"] == 2
    site.wait(lambda: site.history("vm1") == "offered", "the old transcript to be offered")
    assert any("controlroom costs import vm1" in alarm["text"] for alarm in room.status()["alarms"])
    today = room.status()["money"]["day_billed_usd"]
    (told,) = room.records("hosts", "costs", "import", "vm1")
    assert (told["state"], told["messages"]) == ("done", 2)
    (row,) = imported(room)
    assert row["key"] == "vm1/(imported)"
    assert {kind: row[kind] for kind in true if kind in row} == {kind: true[kind] for kind in row if kind in true}
    assert micro(row["list_price_usd"]) > 0
    assert room.status()["money"]["day_billed_usd"] == today, "it takes nothing from today"
    (again,) = room.records("hosts", "costs", "import", "vm1")
    assert (again["state"], again["messages"]) == ("done", 0)
    assert imported(room) == [row]
    assert not [alarm for alarm in room.status()["alarms"] if "costs import vm1" in alarm["text"]]


def imported(room: Room) -> list[dict[str, Any]]:
    """What `costs` says of the history of all hosts."""
    return [row for row in room.records("rows", "costs", "--by", "agent") if row["key"].endswith("/(imported)")]


NAMES = frozenset(f"~agent-{number}" for number in range(1, 6))


def five_scripts_are_taken_over(site: Site, ann: Somebody, session: str) -> None:
    """The fifth of them goes on in the session that was counted already."""
    room = site.room
    claude = f"claude --resume {session} --model claude-sonnet-5-5 '[[text first words]]'"
    ann.begin("agent-5", f"{claude}; exec bash --norc")
    room.wait_until("its first words", lambda status: others(status)["~agent-5"]["spent_usd"] is not None, 60)
    room.wait_until(
        "all sessions",
        lambda status: {name for name, agent in others(status).items() if agent["session"]} == NAMES,
        60,
    )
    assert "was not started here" in room.run("kill", "~agent-4", "--yes", expect=1)
    taken = room.records("agents", "adopt", "agent-*", "--yes")
    assert {(each["agent"], each["outcome"]) for each in taken} == {(f"vm1/{name}", "done") for name in NAMES}
    names = {agent["taken_over_as"] for agent in others(room.status()).values()}
    assert names == {*(name[1:] for name in NAMES), None}
    assert "begun by hand" in room.run("logs", "agent-1"), "its log file is its log"
    assert "a signal to its processes is all that reaches it" in room.run("explain", "agent-3")


def a_lead_begins(site: Site, home: World) -> None:
    """A real Claude at home that may start two agents on vm2, and nothing else, tries everything."""
    rights = ("--host", "vm2", "--profile", "spender", "--agents", "2", "--limit", "2", "--verbs", "spawn")
    site.room.run("lead", "add", "research", *rights, "--for", "2h")
    script = "".join(call("spawn", name=name, task="spend") for name in ("w1", "w2", "w3")) + call("status")
    script += calls(ARGUMENTS) + bash(f"CONTROLROOM_HOME={home.room} {sys.executable} -m controlroom kill w1 --yes")
    script += bash("until test -e ~/spent; do sleep 0.2; done")
    script += call("spawn", name="w4", task="spend") + "[[text so be it]]"
    site.room.run("spawn", "boss", "--host", "local", "--profile", "boss", "--task", script)


def bash(command: str) -> str:
    return f"[[tool Bash {json.dumps({'command': command})}]]"


def the_lead_spends_its_ceiling_and_no_more(site: Site, home: World) -> None:
    """What it was not given it does not get: by its tools, by its shell, or by its token in other hands."""
    room = site.room
    pair = ("vm2/w1", "vm2/w2")
    site.wait(lambda: {site.agents()[name]["state"] for name in pair} == {"paused"}, "all to be spent that there is")
    total = spent(site.vm2.home, "/home/agent")
    assert CEILING * 7 // 10 <= total <= CEILING, total
    (home.home / "spent").touch()
    room.wait_for_state("boss", "idle", "done", deadline=60)
    told = room.run("logs", "boss", "-n", "400")
    assert "You are lead research. You may: spawn, " in told
    assert "may have 2 agents at work at once, and has 2" in told
    assert "may spend $2.00 in all" in told
    assert "is a part of local/boss, which leads by a token" in told
    assert {name for name in ARGUMENTS if f"No such tool available: mcp__controlroom__{name}" in told} == {*ARGUMENTS}
    before = room.records("tasks", "task", "list", "--all"), site.agents()
    refused = try_each_verb("research")
    assert {name: why for name, why in refused.items() if "was not given" not in why} == {}
    assert (room.records("tasks", "task", "list", "--all"), site.agents().keys()) == (before[0], before[1].keys())
    assert {name for name, agent in site.agents().items() if agent["lead"]} == {*pair}
    lines = [line for line in room.records("lines", "audit", "-n", "500") if line["who"] == "lead research"]
    assert Counter((line["verb"], line["target"]) for line in lines if line["outcome"] == "done") == dict.fromkeys(
        (("spawn", name) for name in pair), 1
    )
    room.run("lead", "remove", "research")
    assert not find_home(os.environ).lead_token("research").exists()


def a_fleet_is_planned_and_applied(site: Site) -> None:
    """Twelve agents on three hosts, and ten tasks."""
    site.write(FLEET + tasks())
    assert site.plan() == {"start": 12, "add": TASKS}
    site.apply()
    site.wait(lambda: len(site.working()) == 12 and site.done() == TASKS, "all agents at work, and all tasks done")
    site.wait(lambda: not site.plan(), "nothing to be left to do")
    assert Counter(site.working().values()) == {"vm1": 2, "vm2": 5, "vm3": 5}
    assert site.lines("project/story.txt") == {f"job {number}": 1 for number in range(TASKS)}, "each was done once"
    assert site.lines("fed") == {"feed": 8}


def the_file_is_changed(site: Site) -> None:
    """One of a count goes, and one gets another text; nothing else is touched."""
    before, working = site.agents(), site.working()
    changed = FLEET.replace("count = 8", "count = 7").replace("Answer readers.", "Answer writers.")
    site.write(changed + tasks())
    assert site.plan() == {"end": 1, "new run": 1}
    site.apply()
    del working["feed-8"]
    site.wait(lambda: "Answer writers." in site.room.agent("editor")["task"], "the editor to have its new text")
    site.wait(lambda: site.working() == working and not site.plan(), "the change to be there")
    runs = {name: agent["run"] for name, agent in site.agents().items()}
    same = {name: agent["run"] for name, agent in before.items() if name not in ("vm1/editor", "vm3/feed-8")}
    assert same.items() <= runs.items()


def vm3_is_drained_until_its_link_is_cut(site: Site) -> Status:
    """Its agents leave two at a time, and some have; gives its Claude as it was."""
    page = site.agents()["vm3/page-3"]
    site.room.run("host", "drain", "vm3", "--move", "--batch", "2", "--reason", "new kernel")
    site.wait(lambda: site.host("vm3")["drain"]["moved"], "the drain to be in the middle")
    site.vm3.sever()
    return page


def vm3_is_empty_once_its_link_is_back(site: Site, page: Status) -> None:
    """Each of its agents is at work once elsewhere, a Claude in its session and its folder."""
    site.wait(lambda: link(site, "vm3") == "lost", "the cut to be seen")
    drain = site.host("vm3")["drain"]
    assert 0 < drain["moved"] < 4
    assert len(drain["leaving"]) <= 2
    assert drain["stopped_since"] is None, "a cut is no failure"
    site.vm3.heal()
    site.wait(lambda: site.host("vm3")["drain"]["empty_since"], "vm3 to be empty")
    drain = site.host("vm3")["drain"]
    assert (drain["moved"], drain["failed"]) == (4, [])
    assert not [name for name, host in site.working().items() if host == "vm3"]
    assert not [process for process in site.vm3.processes() if "7003" in process.command]
    assert site.lines("fed") == {"feed": 11}, "each was begun once where it went"
    (now,) = [agent for agent in site.agents().values() if agent["name"] == "page-3" and agent["host"] != "vm3"]
    assert now["session"] == page["session"]
    asked = [json.dumps(request) for request in site.api.requests(main=True)]
    assert any("Write page 3" in each and "You go on on another machine" in each for each in asked), "it remembers"
    folder = site.lab[now["host"]].home / Path(now["cwd"]).relative_to("/home/agent")
    assert (folder / "page.html").read_text() == "3\n"
    assert not site.plan(), "a fleet follows its agents to where this room has moved them"
    site.room.run("host", "undrain", "vm3")


def link(site: Site, name: str) -> str:
    return next(str(host["state"]) for host in site.room.status()["hosts"] if host["name"] == name)


def scripts_are_ended_and_one_goes_on_under_a_runner(site: Site, ann: Somebody, session: str) -> None:
    """Those that are killed are gone with the loop that would start the next; the shell of the restarted one stays."""
    room = site.room
    pids = {name: agent["pid"] for name, agent in others(room.status()).items() if name in NAMES}
    assert ann.alive(pids) == NAMES
    room.run("kill", "agent-4", "--yes")
    room.run("kill", "agent-3", "--yes")
    assert ann.alive(pids) == NAMES - {"~agent-3", "~agent-4"}
    assert ann.sessions() == {"typed", "agent-1", "agent-2", "agent-5"}
    room.run("adopt", "agent-2", "--profile", "small")
    room.wait_until("what takes too much to end", lambda status: others(status)["~agent-2"]["state"] == "failed")
    assert ann.alive(pids) == {"~agent-1", "~agent-5"}
    assert ann.sessions() == {"typed", "agent-1", "agent-5"}
    assert "MiB of memory, 20 are the most: it is ended" in room.run("audit", "--grep", "agent-2")
    assert "ended by a signal from here: it takes" in room.run("explain", "agent-2")
    assert room.run("adopt", "agent-5", "--restart", "--yes", "--task", "[[text last words]]") == "vm1/agent-5\n"
    agent = room.wait_for_state("agent-5", "done", deadline=60)
    assert (agent["session"], agent["cwd"], agent["kind"]) == (session, "/home/agent/project", "headless")
    assert ann.alive(pids) == {"~agent-1"}
    assert ann.sessions() == {"typed", "agent-1", "agent-5"}, "whoever looks at agent-5 has a shell there"
    asked = json.dumps(site.api.requests(main=True)[-1])
    assert all(words in asked for words in ("hello", "first words", "last words"))
    assert "taken over as agent-5" in room.run("audit", "--grep", "agent-5")


def drift_is_shown_and_mended(site: Site) -> None:
    """What is away from vm3 goes back there, which takes agents again, and what was ended begins again."""
    moved = dict.fromkeys(("feed-2", "feed-4", "feed-6"), "moved")
    assert site.drift() == moved
    site.room.run("kill", "feed-1", "--yes")
    site.wait(lambda: site.drift() == {**moved, "feed-1": "ended"}, "the drift to be seen")
    assert site.plan() == {"start": 1, "new run": 3}
    site.apply()
    there = {"feed-1": "vm2", **dict.fromkeys(moved, "vm3")}
    site.wait(lambda: not site.drift() and there.items() <= site.working().items(), "the drift to be mended")
    assert site.lines("fed") == {"feed": 15}


def every_message_has_been_counted_once(site: Site, home: World) -> None:
    """However it came: by runners, from transcripts of others, before there was a room, carried to another host."""
    homes = [host.home for host in site.lab.hosts]
    projects = [place / ".claude" / "projects" for place in (*homes, home.home)]

    def all_booked() -> bool:
        true = counted(chain.from_iterable(folder.rglob("*.jsonl") for folder in projects))
        rows = site.room.records("rows", "costs", "--by", "host")
        kinds = ("input_tokens", "output_tokens", "cache_read_tokens")
        booked = [sum(row[kind] for row in rows) for kind in kinds]
        assert booked == [true[kind] for kind in ("input_tokens", "output_tokens", "cache_read_input_tokens")], rows
        return True

    site.wait(all_booked, "all messages to be counted")
    rows = {row["key"]: row["messages"] for row in site.room.records("rows", "costs", "--by", "agent")}
    expected = {"vm1/(imported)": 2, "vm1/~agent-5": 1, "vm1/agent-5": 1}
    assert {key: rows.get(key) for key in expected} == expected
    site.room.run("costs", "import")
    all_booked()


def what_runs_is_what_is_written_down(site: Site) -> None:
    exported = site.file.with_name("exported.toml")
    site.room.run("fleet", "export", str(exported))
    site.file = exported
    assert not site.plan()


def all_of_it_ends(site: Site, ann: Somebody) -> None:
    site.write('fleet = "site"\n')
    site.apply()
    site.wait(lambda: not site.working(), "the fleet to have ended")
    site.room.run("halt", "--kill", "--yes")
    wait_for(lambda: ann.sessions() == {"typed", "agent-5"}, 60, "those of the scripts to have ended, too")
