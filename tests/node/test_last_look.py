"""What Claudes of others did while no node was connected: counted by the next node, or told as a gap."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from controlroom.metering.usage_file import Report
from controlroom.node.adopted.claudes import RunningClaude
from controlroom.node.adopted.last_look import LastLook
from controlroom.node.adopted.metered import MeteredSessions
from controlroom.text.states import Uncounted
from controlroom.wire.messages import AgentSeen
from controlroom.wire.usage import UsageGaps
from tests.lab.messages_api.server import Api
from tests.lab.node_client import NodeClient, state_folder
from tests.lab.waiting import wait_for
from tests.lab.world import World
from tests.node.adopted import NEXT, SESSION, Home, Session, others, spoke, tmux, wait_others
from tests.node.on_host import put_agent
from tests.runner.claude_agents import in_bash
from tests.runner.usage import BEGAN, line, stamped, total

RUN = "claude -p --output-format json"
LATER = BEGAN + 3_600_000
BOOT = "this run of the machine"


class Host:
    """A user's files on a host, and node after node that looks at them."""

    def __init__(self, home: World) -> None:
        self.state = state_folder(home.home)
        self.state.mkdir(parents=True)
        self.projects = home.home / ".claude" / "projects"
        (self.projects / "-work").mkdir(parents=True)
        self.work = Session(self.projects / "-work")

    def node(self) -> LastLook:
        return LastLook(str(self.state), "room", BOOT, MeteredSessions(str(self.state)).read)

    def leave(self, *claudes: RunningClaude, at: int = BEGAN, agents: tuple[AgentSeen, ...] = ()) -> None:
        """Have a node look once, and go."""
        node = self.node()
        node.missed(claudes, [str(self.projects)], at, at / 1000)
        node.keep(claudes, agents, [str(self.projects)], at, at / 1000)

    def missed(self, node: LastLook, *running: RunningClaude, now: int = LATER) -> list[RunningClaude]:
        """Return all that a node finds in its first two looks."""
        return [claude for _ in range(2) for claude in node.missed(running, [str(self.projects)], now, now / 1000)]

    def write(self, name: str, *lines: bytes, at: int = BEGAN + 60_000) -> Path:
        path = self.projects / "-work" / f"{name}.jsonl"
        with open(path, "ab") as file:
            file.write(b"".join(lines))
        os.utime(path, (at / 1000, at / 1000))
        return path


@pytest.fixture
def host(home: World) -> Host:
    return Host(home)


def first(at: int = BEGAN + 1000, cwd: str = "/srv/thing") -> bytes:
    return json.dumps({"type": "user", "timestamp": stamped(at), "cwd": cwd}).encode() + b"\n"


OTHER = SESSION.replace("1", "2")


def test_a_run_that_nobody_saw_is_found_with_all_of_its_session(host: Host) -> None:
    host.leave()
    host.write(SESSION, first(), line(1, at=stamped(BEGAN + 2000)), total(0.25))
    (claude,) = host.missed(node := host.node())
    assert (claude.name, claude.session, claude.fresh, claude.billing) == ("~thing", SESSION, True, "")
    assert host.missed(node) == [], "each is found once"
    work = host.work
    work.ask()
    work.usage.add([claude])
    work.settle()
    assert work.told() == [("msg_1", claude.run)]
    assert [record.pico for record in work.records if isinstance(record, Report)] == [250_000 * 10**6]


def test_what_the_node_before_left_stands_until_it_is_read(host: Host) -> None:
    host.leave()
    host.write(SESSION, first(), line(1, at=stamped(BEGAN + 2000)))
    node = host.node()
    node.keep([], (), [str(host.projects)], LATER, LATER / 1000)
    assert [claude.session for claude in host.missed(node)] == [SESSION]


def test_what_was_written_before_is_not_found_again(host: Host) -> None:
    host.write(SESSION, first(BEGAN - 9000), at=BEGAN - 9000)
    host.leave()
    assert host.missed(host.node()) == []


def test_the_first_node_of_a_host_looks_for_nothing(host: Host) -> None:
    host.write(SESSION, first())
    node = host.node()
    assert host.missed(node) == []
    assert node.gaps() is None


def test_what_went_on_in_an_older_session_is_told_apart_from_what_stood_there(host: Host) -> None:
    host.write(SESSION, first(BEGAN - 9000), line(1, at=stamped(BEGAN - 8000)), total(0.5), at=BEGAN - 8000)
    host.leave()
    host.write(SESSION, line(2, at=stamped(BEGAN + 2000)), total(0.75))
    (claude,) = host.missed(host.node())
    work = host.work
    work.ask()
    work.usage.add([claude])
    work.settle()
    assert work.told() == [("msg_1", ""), ("msg_2", claude.run)]
    assert [record.pico for record in work.records if isinstance(record, Report)] == [250_000 * 10**6]


def test_the_rest_of_one_that_was_at_work_is_read_as_the_same_run(host: Host) -> None:
    claude = host.work.running()._replace(billing="api")
    host.write(SESSION, first(), line(1, at=stamped(BEGAN + 2000)))
    host.leave(claude)
    host.write(SESSION, line(2, at=stamped(BEGAN + 3000)))
    assert host.missed(host.node()) == [claude]


def test_one_that_is_at_work_again_is_left_to_that(host: Host) -> None:
    claude = host.work.running()
    host.write(SESSION, first())
    host.leave(claude)
    assert host.missed(host.node(), host.work.running(run=NEXT)) == []


def test_one_whose_transcript_is_gone_is_a_gap(host: Host) -> None:
    host.leave(host.work.running())
    node = host.node()
    assert host.missed(node) == []
    (gap,) = node.gaps() or ()
    assert (gap.why, gap.since, gap.until, gap.where) == (Uncounted.GONE, BEGAN, LATER, str(host.work.path))
    assert node.gaps() is None, "it is told when it is new"


def test_a_gap_is_told_by_later_nodes_too_for_a_day(host: Host) -> None:
    host.leave(host.work.running())
    node = host.node()
    host.missed(node)
    node.keep([], (), [str(host.projects)], LATER, LATER / 1000)
    again = host.node()
    host.missed(again, now=LATER + 1000)
    assert [gap.why for gap in again.gaps() or ()] == [Uncounted.GONE]
    last = host.node()
    host.missed(last, now=LATER + 90_000_000)
    assert last.gaps() is None


def test_a_session_that_an_agent_is_metered_from_is_left_to_its_runner(home: World, host: Host) -> None:
    host.leave()
    host.write(SESSION, first(), line(1))
    host.write(OTHER, first(), line(2))
    folder = put_agent(home, "a1")
    noted = {"session": SESSION, "config": str(host.projects.parent), "cwd": "/srv/thing", "run": ""}
    (folder / "sessions.jsonl").write_text(json.dumps(noted) + "\n")
    assert [claude.session for claude in host.missed(host.node())] == [OTHER]


def test_it_stays_left_to_it_when_the_agent_is_forgotten_right_after_its_end(home: World, host: Host) -> None:
    host.leave()
    host.write(SESSION, first(), line(1), at=LATER - 1000)
    folder = put_agent(home, "a1")
    noted = {"session": SESSION, "config": str(host.projects.parent), "cwd": "/srv/thing", "run": ""}
    (folder / "sessions.jsonl").write_text(json.dumps(noted) + "\n")
    node = host.node()
    assert host.missed(node) == []
    shutil.rmtree(folder)
    assert host.missed(node, now=LATER + 9000) == []


def test_so_is_one_of_an_agent_of_another_room_of_this_user(host: Host) -> None:
    host.leave()
    host.write(SESSION, first(), line(1))
    folder = host.state / "0123abcd" / "agents" / "a1.1"
    folder.mkdir(parents=True)
    noted = {"session": SESSION, "config": str(host.projects.parent), "cwd": "/srv/thing", "run": ""}
    (folder / "sessions.jsonl").write_text(json.dumps(noted) + "\n")
    assert host.missed(host.node()) == []


def test_one_that_is_written_to_just_now_is_waited_for(host: Host) -> None:
    host.leave()
    path = host.write(SESSION, first(), at=LATER - 1000)
    node = host.node()
    assert host.missed(node) == []
    node.keep([], (), [str(host.projects)], LATER, LATER / 1000)
    assert [claude.transcript for claude in host.missed(host.node(), now=LATER + 9000)] == [str(path)]
    assert [claude.transcript for claude in host.missed(node, now=LATER + 9000)] == [str(path)]


def test_a_clock_that_was_put_back_meanwhile_hides_nothing(host: Host) -> None:
    host.leave()
    back = BEGAN - 86_400_000
    host.write(SESSION, first(back + 2000), line(1, at=stamped(back + 3000)), at=back + 5000)
    node = host.node()
    found = [
        claude for _ in range(2) for claude in node.missed([], [str(host.projects)], back + 60_000, BEGAN / 1000 + 60)
    ]
    assert [(claude.session, claude.fresh) for claude in found] == [(SESSION, True)]


def test_a_folder_that_cannot_be_read_is_a_gap(host: Host) -> None:
    host.leave()
    shutil.rmtree(host.projects)
    host.projects.write_text("no folder")
    node = host.node()
    host.missed(node)
    assert [gap.why for gap in node.gaps() or ()] == [Uncounted.UNREADABLE]


def test_transcripts_that_are_all_gone_are_a_gap(host: Host) -> None:
    host.leave()
    shutil.rmtree(host.projects)
    node = host.node()
    host.missed(node)
    assert [(gap.why, gap.where) for gap in node.gaps() or ()] == [(Uncounted.GONE, str(host.projects))]


@pytest.mark.parametrize("damage", [b"", b"{", b'{"format":9}', b'{"format":1,"looked":"x"}', b"\0" * 2_000_000])
def test_a_last_look_that_cannot_be_read_is_a_gap(host: Host, damage: bytes) -> None:
    host.leave()
    (path,) = host.state.glob("adopted-*.json")
    path.write_bytes(damage)
    node = host.node()
    assert host.missed(node) == []
    assert [(gap.why, gap.since) for gap in node.gaps() or ()] == [(Uncounted.NO_LAST_LOOK, 0)]


def test_transcripts_that_are_no_files_hold_nobody_up(host: Host) -> None:
    host.leave()
    os.mkfifo(host.projects / "-work" / f"{SESSION}.jsonl")
    (host.projects / "-work" / f"{OTHER}.jsonl").symlink_to("/dev/zero")
    (host.projects / "-loop").symlink_to(host.projects)
    assert host.missed(host.node()) == []


def test_a_watcher_of_a_host_leaves_nothing_there(host: Host) -> None:
    node = LastLook(str(host.state), "room", BOOT, dict, read_only=True)
    node.missed([], [str(host.projects)], BEGAN, 1.0)
    node.keep([], (), [str(host.projects)], BEGAN, 1.0)
    assert list(host.state.iterdir()) == []


def test_one_that_was_shown_is_told_to_have_ended_as_its_transcript_says(host: Host) -> None:
    host.write(SESSION, first(), spoke("all is done").encode())
    shown = AgentSeen("~work", 0, "adopted", "working", BEGAN, session=SESSION, pid=77, pane="%3", cwd="/srv/thing")
    other = replace(shown, name="~other")
    host.leave(host.work.running(), agents=(shown, other))
    node = host.node()
    host.missed(node)
    (seen,) = node.ended({"~other"})
    assert (seen.name, seen.state, seen.ended, seen.pid, seen.pane) == ("~work", "done", BEGAN + 60_000, 0, "")
    assert (seen.cwd, seen.model) == ("/srv/thing", "claude-opus-5-5")
    assert node.ended(()) == ()


# ------------------------------------------------------------------ with the real Claude Code


def shell(words: str, cwd: Path) -> None:
    subprocess.run(["bash", "-c", f". ~/.profile; {words}"], cwd=cwd, stdin=subprocess.DEVNULL, check=True, timeout=240)


def look_once(home: World) -> None:
    """Have a node look around for its room, and go."""
    with NodeClient() as node:
        node.greet()
        books = Home(node)
        wait_for(lambda: books.book() == 0 and [*state_folder(home.home).glob("adopted-*.json")], 30, "a look")


def test_runs_of_the_real_claude_that_nobody_saw_are_counted_by_the_next_node(
    home: World, project: Path, api: Api
) -> None:
    look_once(home)
    shell(f"for n in 1 2 3; do {RUN} hello > ~/bill$n.json; done", project)
    with NodeClient() as node:
        node.greet()
        books = Home(node)
        books.wait(3)
        assert len(api.requests(main=True)) == 3
        assert books.said() == {("~project", "")}, "who paid, nobody has seen"


def test_one_that_was_at_work_when_its_node_went_is_read_to_its_end_by_the_next(
    home: World, project: Path, api: Api
) -> None:
    (home.home / "task").write_text(in_bash("touch ~/at-work; until test -e ~/go-on; do sleep 0.1; done"))
    tmux("new-session", "-d", "-s", "work", "-c", str(project), "bash --norc")
    with NodeClient() as node:
        node.greet()
        books = Home(node)
        wait_others(node, lambda seen: seen["~work"], 30)
        line = f'. ~/.profile; {RUN} --allowedTools=Bash "$(cat ~/task)"; touch ~/over'
        tmux("send-keys", "-t", "=work:", line, "Enter")
        books.wait(1)
        wait_for(lambda: books.book() and (home.home / "at-work").exists(), 60, "it to be at work")
        wait_others(node, lambda seen: any(agent.session for agent in seen.values()), 30)
    (home.home / "go-on").touch()
    wait_for((home.home / "over").exists, 60, "it to have written down its second answer")
    assert len(api.requests(main=True)) == 2
    tmux("kill-session", "-t", "=work")
    with NodeClient() as node:
        node.greet()
        books = Home(node)
        books.wait(2)
        assert {billing for _, billing in books.said()} == {"api"}
        wait_for(lambda: books.book() and others(node)[1], 30, "its end to be told")


def test_one_that_keeps_no_transcript_is_a_gap(home: World, project: Path, api: Api) -> None:
    with NodeClient() as node:
        node.greet()
        Home(node)
        typed = subprocess.Popen(
            ["bash", "-c", f". ~/.profile; {RUN} --no-session-persistence hello"], cwd=project, stdin=subprocess.DEVNULL
        )
        (gap,) = node.wait(UsageGaps, lambda told: told.gaps, 30).gaps
        assert (gap.why, gap.where) == (Uncounted.NO_TRANSCRIPT, str(project))
        typed.wait(60)
