"""What happens to a machine: it loses its power and comes back, its disk fills, its clock jumps."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import time

import pytest

from controlroom.domain import intents
from controlroom.domain.model import Agent, LinkState, State
from controlroom.domain.words import age
from tests.conftest import MakeHosts, MakeLab
from tests.engine.tails import Tail
from tests.faults.room import FIRST, Room, assert_whole, counting, numbers, room_of
from tests.faults.truth import state_of
from tests.lab.command import run
from tests.lab.namespaces import NamespaceHost
from tests.lab.sshd import faketime_library
from tests.lab.waiting import wait_for_async
from tests.lab.world import World

pytestmark = pytest.mark.usefixtures("home")

DAY = 86_400

BEGIN_AS = """
import ctypes, os, signal, struct, sys

pid = ctypes.c_int32(int(sys.argv[1]))
how = struct.pack("11Q", 0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, ctypes.addressof(pid), 1, 0)  # struct clone_args
libc = ctypes.CDLL(None, use_errno=True)
child = libc.syscall(435, how, ctypes.c_size_t(len(how)))  # clone3(2): 435 on every architecture
if child < 0:
    sys.exit(f"pid {pid.value}: {os.strerror(ctypes.get_errno())}")
if child == 0:
    os.setsid()
    for standard in range(3):
        os.dup2(os.open(os.devnull, os.O_RDWR), standard)
    os.execvp(sys.argv[2], sys.argv[2:])
"""
"""A program that begins another one under a pid of its choice, which fork(2) has no way to ask for."""


async def test_a_machine_that_lost_its_power_is_lost_and_its_agents_have_ended_when_it_is_back(vms: MakeLab) -> None:
    lab = vms(2)
    async with room_of(lab.hosts) as room:
        for name in ("vm1", "vm2"):
            assert (await room.spawn(name, "count", counting())).ok
        tail = await Tail.of(FIRST, "vm1/count")
        await room.until(lambda: len(numbers(tail)) > 5)
        lab["vm1"].power_off()
        await room.link("vm1", LinkState.LOST, LinkState.CONNECTING, seconds=40)
        assert room.client.fleet.state_of(room.agent("vm1/count")) is State.LOST
        assert room.agent("vm2/count").state is State.WORKING
        assert (await room.spawn("vm2", "another")).ok, "the others do not notice"
        lab["vm1"].boot()
        await room.up("vm1")
        await room.until(lambda: room.agent("vm1/count").state is State.FAILED, 20)
        assert room.agent("vm1/count").detail == "the host was rebooted"
        page = await room.client.fetch("vm1/count", 1, count=1, after=FIRST)
        assert [record.body for record in page.records] == [b"line 1"], "what it wrote stays readable"
        again = await room.spawn("vm1", "count", counting())
        assert (again.ok, again.epoch) == (True, 2), again.reason
        await room.in_order()


async def test_after_a_reboot_agents_run_again_where_their_profile_says_so_and_never_twice(vms: MakeLab) -> None:
    lab = vms(2)
    room = Room(lab.hosts)
    room.write_config()
    command = json.dumps(list(counting()))
    profile = f'[profiles.counter]\nkind = "command"\ncommand = {command}\n'
    room.place.config.write_text(
        f"{room.place.config.read_text()}\n[queue]\nstagger_seconds = 0.2\nmemory_percent = 100\nmin_disk_mb = 0\n"
        f'{profile}restart = "on-failure"\nrestart_seconds = 0\n'
    )
    async with room_of(lab.hosts) as room:
        for host, name in (("vm1", "a"), ("vm1", "b"), ("vm2", "c")):
            asked = await room.client.submit(intents.SpawnAgent(name, "", host, "counter"), wait=True)
            assert asked.ok, asked.reason
        assert (await room.spawn("vm1", "alone", counting())).ok
        await room.until(lambda: room.agent("vm1/alone").state is State.WORKING)
        lab["vm2"].sever()
        lab["vm1"].sever()
        lab["vm1"].power_off()
        await room.link("vm1", LinkState.LOST, LinkState.CONNECTING, seconds=40)
        lab["vm1"].boot()
        lab["vm2"].heal()
        await room.up()
        await room.until(lambda: all(_runs(room.agent(f"vm1/{name}"), 2) for name in "ab"), 40, "both to run again")
        assert room.agent("vm1/alone").detail == "the host was rebooted"
        assert _runs(room.agent("vm2/c"), 1), "its host was only away"
        await room.in_order()
        assert _runs(room.agent("vm1/a"), 2)


def _runs(agent: Agent, epoch: int) -> bool:
    return (agent.state, agent.epoch) == (State.WORKING, epoch)


def take(host: NamespaceHost, pid: int, command: str = "sleep 100000") -> None:
    """Give a pid of that machine, which is free, to another process of the agents' user."""
    words = ["setpriv", "--reuid", "agent", "--regid", "agent", "--clear-groups", *command.split()]
    done = host.execute("python3", "-c", BEGIN_AS, str(pid), *words, user="root")
    assert done.returncode == 0, done.stderr


def commands(host: NamespaceHost) -> dict[int, str]:
    """What runs there, by the pids of that machine."""
    rows = host.execute("ps", "-eo", "pid,args").stdout.split("\n")[1:]
    return {int(pid): words for pid, words in (row.split(None, 1) for row in rows if row.strip())}


async def test_what_has_the_pids_of_an_agent_and_its_runner_by_now_is_neither_shown_nor_ended(vms: MakeLab) -> None:
    host = vms(1)["vm1"]
    async with room_of([host]) as room:
        assert (await room.spawn("vm1", "count", counting())).ok
        await room.until(lambda: room.agent("vm1/count").state is State.WORKING)
        pids = [pid for pid, words in commands(host).items() if "count.1" in words or "line $n" in words]
        assert len(pids) >= 2, commands(host)
        host.sever()
        await room.link("vm1", LinkState.LOST, LinkState.CONNECTING, seconds=40)
        for process in host.processes():
            if "count.1" in process.command or "line $n" in process.command:
                process.signal(signal.SIGKILL)
        await room.until(lambda: not set(pids) & set(commands(host)))
        for pid in pids:
            take(host, pid)
        host.heal()
        await room.up("vm1")
        await room.until(lambda: room.agent("vm1/count").state is State.FAILED)
        assert room.agent("vm1/count").detail == "its runner was killed"
        await room.kill("vm1/count")
        assert (await room.spawn("vm1", "count", counting())).ok
        assert (await room.kill("vm1/count")).ok
        assert {commands(host).get(pid) for pid in pids} == {"sleep 100000"}


async def test_a_claude_that_has_the_pid_of_an_adopted_one_by_now_is_not_taken_for_it(vms: MakeLab) -> None:
    """The session file of the one before, which was killed, still names the pid."""
    host = vms(1)["vm1"]
    script = (
        "cp /bin/sleep ~/claude; mkdir -p ~/.claude/sessions; tmux new-session -d -s work ~/claude 100000;"
        " pid=$(tmux display-message -p -t =work: '#{pane_pid}');"
        ' until [ "$(cat /proc/$pid/comm)" = claude ]; do sleep 0.05; done;'  # its name before has a space in it
        " start=$(cut -d' ' -f22 /proc/$pid/stat);"
        ' echo "{\\"pid\\": $pid, \\"sessionId\\": \\"11111111-2222-4333-8444-555555555555\\", \\"cwd\\": \\"$HOME\\",'
        ' \\"procStart\\": \\"$start\\", \\"status\\": \\"busy\\"}" > ~/.claude/sessions/$pid.json; echo $pid'
    )
    started = host.execute("bash", "-c", script)
    pid = int(started.stdout)
    async with room_of([host]) as room:
        await room.until(lambda: room.client.fleet.agents, what="it to be adopted")
        (adopted,) = room.client.fleet.agents
        await room.until(lambda: room.agent(adopted).state is State.WORKING)
        host.sever()
        await room.link("vm1", LinkState.LOST, LinkState.CONNECTING, seconds=40)
        host.execute("kill", "-9", str(pid))
        await room.until(lambda: pid not in commands(host))
        take(host, pid, "/home/agent/claude 99999")
        host.heal()
        await room.up("vm1")
        await room.until(lambda: room.agent(adopted).ended)
        others = [agent for name, agent in room.client.fleet.agents.items() if name != adopted]
        assert [agent for agent in others if agent.session.startswith("11111111")] == []
        assert commands(host)[pid] == "/home/agent/claude 99999"


async def test_on_a_full_disk_nothing_starts_what_runs_goes_on_and_lost_lines_are_counted(vms: MakeLab) -> None:
    host = vms(1, disk=24)["vm1"]
    async with room_of([host]) as room:
        assert (await room.spawn("vm1", "count", counting(0.01))).ok
        tail = await Tail.of(FIRST, "vm1/count")
        await room.until(lambda: len(numbers(tail)) > 5)
        host.fill()
        refused = await room.spawn("vm1", "more")
        assert refused.outcome == "refused", refused
        assert "No space left" in refused.reason
        stands = len(numbers(tail))
        await wait_for_async(lambda: still(tail), 30, "the log to be full", poll=0.5)
        assert room.agent("vm1/count").state is State.WORKING
        host.unfill()
        await room.until(lambda: any("could not be kept" in line for line in tail.lines), 30, f"{tail.lines[-5:]}")
        await room.until(lambda: len(numbers(tail)) > stands + 5, 30)
        got = numbers(tail)
        assert got == sorted(set(got)), "in order, none twice"
        assert (await room.spawn("vm1", "more")).ok
        await room.in_order()


def make_home_read_only(host: NamespaceHost) -> None:
    """As far as paths go: what is open already stays open for writing."""
    init = host.init()
    assert init
    for words in (["--bind", "/home", "/home"], ["-o", "remount,ro,bind", "/home"]):
        run("nsenter", f"--mount=/proc/{init.pid}/ns/mnt", "mount", *words)


async def test_with_a_home_that_cannot_be_written_agents_are_seen_and_can_be_ended(vms: MakeLab) -> None:
    """The host is met again without a node in its cache, as after an update of ours."""
    host = vms(1, disk=24)["vm1"]
    async with room_of([host]) as room:
        for name in ("one", "two"):
            assert (await room.spawn("vm1", name, counting())).ok
        shutil.rmtree(host.home / ".cache")
        make_home_read_only(host)
        since = room.host("vm1").since
        host.kill_connections()
        await room.until(lambda: room.host("vm1").since > since, 10, "the reset to be noticed")
        await room.up()
        await room.until(lambda: room.agent("vm1/one").state is State.WORKING, 20)
        refused = await room.spawn("vm1", "more")
        assert refused.outcome == "refused"
        assert "Read-only file system" in refused.reason
        for name in ("one", "two"):
            killed = await room.kill(f"vm1/{name}")
            assert killed.ok, killed.reason
            await room.until(lambda name=name: room.agent(f"vm1/{name}").has_ended, 20)  # type: ignore[misc]
        assert not room.truth("vm1").sessions


async def still(tail: Tail) -> bool:
    """Whether nothing has come for a while."""
    before = len(tail.lines)
    await asyncio.sleep(1)
    return len(tail.lines) == before


async def test_with_a_full_disk_at_home_nothing_starts_and_what_runs_can_be_ended(
    vms: MakeLab, ssh_hosts: MakeHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = vms(1, disk=24)["vm1"]  # its disk is where the room lies
    place = small.directory / "disk" / "room"
    place.mkdir(mode=0o700)
    monkeypatch.setenv("CONTROLROOM_HOME", str(place))
    async with room_of(ssh_hosts(1)) as room:
        engine = room.engine
        assert (await room.spawn("vm1", "job")).ok
        small.fill()
        for _ in range(30):  # the ledger's file has some room of its own left
            refused = await room.spawn("vm1", "more")
            if refused.outcome == "refused":
                break
            assert (await room.kill("vm1/more")).ok
        assert "nothing was started" in refused.reason, refused
        assert (await room.kill("vm1/job")).ok
        assert room.host("vm1").link is LinkState.UP
        small.unfill()
        assert (await room.spawn("vm1", "again")).ok
        assert (await room.kill("vm1/again")).ok
        await room.in_order()
        assert room.engine == engine, "it lived through all of it"


async def test_a_log_that_is_taken_away_while_it_is_read_stops_nobody(ssh_hosts: MakeHosts) -> None:
    """Cut short, then removed, under a runner that writes and a reader that follows."""
    (host,) = ssh_hosts(1)
    async with room_of([host]) as room:
        assert (await room.spawn("vm1", "count", counting(0.02))).ok
        assert (await room.spawn("vm1", "other", counting(0.02))).ok
        tail, other = await Tail.of(FIRST, "vm1/count"), await Tail.of(FIRST, "vm1/other")
        await room.until(lambda: len(numbers(tail)) > 20)
        log = os.path.join(state_of(host, room.place.namespace), "agents", "count.1", "log.000001")
        os.truncate(log, 200)
        seen = len(numbers(tail))
        await room.until(lambda: len(numbers(tail)) > seen + 20, 30, "the log to go on")
        got = numbers(tail)
        assert got == sorted(set(got)), "in order, none twice"
        os.unlink(log)
        seen = len(numbers(other))
        await room.until(lambda: len(numbers(other)) > seen + 50, 30, "the other to go on")
        assert_whole(other)
        assert room.agent("vm1/count").state is State.WORKING
        assert (await room.kill("vm1/count")).ok
        page = await room.client.fetch("vm1/count", 1)
        assert page.reason or page.records, "what is there, or why there is nothing"
        assert (await room.kill("vm1/other")).ok
        await room.in_order()


async def test_clocks_that_differ_by_days_and_jump_make_no_age_strange(
    ssh_hosts: MakeHosts, home: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine's clock is days ahead of its host's and jumps, to and fro; the monotonic one is left alone."""
    library = faketime_library()
    assert library is not None, "no libfaketime (Debian: libfaketime)"
    offset = home.directory / "clock"
    monkeypatch.setenv("LD_PRELOAD", str(library))
    for name, value in (("TIMESTAMP_FILE", str(offset)), ("NO_CACHE", "1"), ("DONT_FAKE_MONOTONIC", "1")):
        monkeypatch.setenv(f"FAKETIME_{name}", value)

    def skew(seconds: int) -> None:
        offset.with_suffix(".new").write_text(f"+{seconds}\n")
        offset.with_suffix(".new").replace(offset)

    skew(3 * DAY)
    async with room_of(ssh_hosts(1)) as room:
        monkeypatch.delenv("LD_PRELOAD")
        assert (await room.spawn("vm1", "count", counting())).ok
        tail = await Tail.of(FIRST, "vm1/count")
        await room.until(lambda: len(numbers(tail)) > 5)
        facts = room.host("vm1").facts
        assert facts is not None
        assert abs(facts.clock_offset + 3 * DAY * 1000) < 5_000
        assert strange_times(room, 3 * DAY) == {}
        since = room.host("vm1").since
        for jump in (4 * DAY, 600, 2 * DAY):  # not behind: libfaketime 0.9.10 makes clock_nanosleep fail there
            skew(jump)
            seen = len(numbers(tail))
            await room.until(lambda seen=seen: len(numbers(tail)) > seen + 20, 30)  # type: ignore[misc]
            assert (await room.client.submit(intents.SendMessage("vm1/count", 1, "hello"))).outcome == "refused"
        assert room.host("vm1").link is LinkState.UP
        moved = since - DAY * 1000  # with the clock, as all that is shown: it is as long ago as it was
        await room.until(lambda: abs(room.host("vm1").since - moved) < 5_000, 30, "no link noticed")
        await room.until(lambda: strange_times(room, 2 * DAY, "line") == {}, 30, "new lines to have sound times")
        assert_whole(tail)
        assert (await room.kill("vm1/count")).ok
        ended = room.agent("vm1/count")
        assert ended.started <= ended.ended
        assert age(round(time.time() * 1000) - ended.ended) == "now", "what lies ahead of a clock has just happened"
        await room.in_order()


def strange_times(room: Room, ahead: int, *names: str) -> dict[str, float]:
    """Times that are in the future of the engine's clock, or older than this test: by name, seconds from now."""
    now, slack = (time.time() + ahead) * 1000, 120_000
    host, agent = room.host("vm1"), room.agent("vm1/count")
    times: dict[str, float] = {"seen": host.seen, "host": host.since, "agent": agent.since, "started": agent.started}
    times |= {"line": agent.last_line_at or now}
    looked = {name: at for name, at in times.items() if name in names or not names}
    return {name: (at - now) / 1000 for name, at in looked.items() if not now - slack <= at <= now + 1000}
