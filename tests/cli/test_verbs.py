"""The verbs against a real engine, node, runner and tmux on this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.room import Room, engines, here
from tests.lab.host import Host
from tests.lab.terminal import Terminal
from tests.lab.waiting import wait_for
from tests.lab.world import World

CONTROLROOM = [sys.executable, "-m", "controlroom"]
FOREVER = "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.1; done"
HOSTILE = b"\x1b]52;c;aGk=\x07\x1b[2J\x9b31m\xff\xfe\r\x08\x00 \xe2\x80\xae[/] [@click=app.quit]{}"
NEVER = ("\x1b", "\x9b", "\x07", "\x08", "\x00", "\u202e")


@pytest.fixture
def room(home: World) -> Room:
    return Room()


def shell(room: Room, name: str, script: str) -> None:
    room.run("spawn", name, "--", "sh", "-c", script)


def kill(room: Room, *names: str) -> None:
    for name in names:
        room.run("kill", name, "--yes")


# -- looking


def test_a_fresh_room_teaches(room: Room) -> None:
    room.wait_until("local to be up", lambda status: [host["state"] for host in status["hosts"]] == ["up"])
    done = subprocess.run([*CONTROLROOM, "status"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [["HOST", "LINK"], ["local", "up"]]
    assert done.stderr == "no agents: start one with controlroom spawn NAME --task 'what it should do'\n"


def test_status_json_has_what_scripts_need(room: Room) -> None:
    shell(room, "job", FOREVER)
    agent = room.wait_for_state("job", "working")
    assert set(agent) >= {
        *("id", "name", "host", "kind", "state", "state_since", "evidence", "model", "task", "pid", "memory_bytes"),
        *("cpu_percent", "exit_code", "question", "last_line"),
    }
    assert (agent["id"], agent["host"], agent["kind"], agent["exit_code"]) == ("local/job", "local", "command", None)
    (local,) = room.status()["hosts"]
    assert local["memory_total_bytes"] > 0
    assert room.records("hosts", "host", "list")[0]["name"] == "local"
    assert "local/job" in room.run("status")
    kill(room, "job")


# -- spawning


def test_spawn_prints_the_id_and_nothing_else(room: Room) -> None:
    assert room.run("spawn", "a1", "--", "true") == "local/a1\n"
    assert room.wait_for_state("a1", "done")["exit_code"] == 0


def test_what_cannot_be_spawned(room: Room) -> None:
    for words, code, sentence in (
        (["Bad", "--task", "x"], 1, "'Bad' cannot name an agent"),
        (["a;#(touch x)", "--task", "x"], 1, "cannot name an agent"),
        (["a", "--host", "lokal", "--task", "x"], 5, "there is no host 'lokal': did you mean local?"),
        (["a", "--profile", "nope", "--task", "x"], 5, "there is no profile 'nope': the config has none"),
        (["a", "--kind", "weird", "--task", "x"], 1, "there is no kind 'weird'"),
        (["a", "--kind", "command", "--task", "x"], 1, "kind command needs a command"),
        (["a", "--task", "  "], 1, "the task is empty"),
    ):
        assert sentence in room.run("spawn", *words, expect=code)
    assert room.status()["agents"] == []


def test_a_folder_that_is_not_there(room: Room) -> None:
    """Only the host can know: either spawn is told, or the row says so."""
    words = ["spawn", "a", "--cwd", "/nonexistent/\x1b[2J", "--", "true"]
    code, _, errors = here(words)
    said = errors if code else room.wait_for_state("a", "failed")["detail"]
    assert "/nonexistent/" in said
    assert not any(mark in said for mark in NEVER)


def test_two_spawns_at_once_in_a_room_without_an_engine(room: Room) -> None:
    words = [*CONTROLROOM, "spawn", "twin", "--", "sleep", "6000"]
    racers = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    said = [racer.communicate(timeout=60) for racer in racers]
    assert sorted(racer.returncode for racer in racers) == [0, 1, 1], said
    assert "".join(out for out, _ in said) == "local/twin\n"
    assert "".join(err for _, err in said).count("local/twin is there already") == 2
    assert len(room.status()["agents"]) == 1
    kill(room, "twin")


def test_a_task_may_look_like_an_option(room: Room, home: World) -> None:
    for number, text in enumerate(("-x", "--host=vm1 is down", "--kind", "--", "-")):
        name = f"a{number}"
        words = ["spawn", name, "--task", text, "--", "sh", "-c", f"cat > {name}"]
        if text in ("--kind", "--"):
            words[2:4] = [f"--task={text}"]
        room.run(*words)
        room.wait_for_state(name, "done")
        assert (home.home / name).read_text() == text


TEXT = "'\"`$(touch ran)`; rm -rf x\r\n\t🎉\\ #{pane_id} %% #(touch ran)\n\u202e\x1b[2J" * 3000


@pytest.mark.parametrize("source", ["file", "stdin", "argument"])
def test_a_task_arrives_byte_for_byte(room: Room, home: World, tmp_path: Path, source: str) -> None:
    text = TEXT[:100_000] if source == "argument" else TEXT
    (tmp_path / "task").write_bytes(text.encode())
    task = {
        "file": ["--task-file", str(tmp_path / "task")],
        "stdin": ["--task-file", "-"],
        "argument": ["--task", text],
    }
    words = ["spawn", "copy", *task[source], "--", "sh", "-c", "cat > got"]
    room.run(*words, stdin=text if source == "stdin" else "")
    room.wait_for_state("copy", "done")
    assert (home.home / "got").read_bytes() == text.encode()
    assert not (home.home / "ran").exists()
    shown = room.run("status")
    assert not any(mark in shown for mark in NEVER)


# -- hostile text


def test_nothing_an_agent_writes_reaches_the_terminal(room: Room, tmp_path: Path) -> None:
    (tmp_path / "said").write_bytes(HOSTILE + b"\n" + b"x" * 300_000 + b"\nlast \x1b[31mred\x1b[0m\n")
    room.run("spawn", "evil", "--", "sh", "-c", f"cat {tmp_path / 'said'}")
    room.run("spawn", "worse", "--", "sh", "-c", f"cat {tmp_path / 'said'} >&2")
    for name in ("evil", "worse"):
        room.wait_for_state(name, "done")
    shown = [["logs", name, *more] for name in ("evil", "worse") for more in ([], ["-f"])]
    for words in (["status"], ["status", "--json"], ["host", "list"], *shown):
        said = room.run(*words)
        assert not any(mark in said for mark in NEVER), words
    wanted = (tmp_path / "said").read_bytes().splitlines()
    for name in ("evil", "worse"):
        assert "last red" in room.run("logs", name, "-n", "2")
        raw = subprocess.run([*CONTROLROOM, "logs", name, "--raw"], capture_output=True, timeout=60).stdout
        assert raw.splitlines() == wanted


def test_keys_in_a_log_are_hidden(room: Room) -> None:
    shell(room, "leaky", "echo the key is sk-ant-api03-Not_Real_1234")
    room.wait_for_state("leaky", "done")
    assert "Not_Real" not in room.run("logs", "leaky") + room.run("status") + room.run("status", "--json")


# -- steering


def test_kill_asks_a_person_and_no_one_else(room: Room, tmux_screen: Callable[..., Terminal]) -> None:
    shell(room, "job", FOREVER)
    assert "Nobody is there to ask: say --yes" in room.run("kill", "job", expect=1)
    screen = tmux_screen([*CONTROLROOM, "kill", "job"])
    screen.wait_for_text("Kill local/job (working", "[y/N]", deadline=30)
    screen.keys("n", "Enter")
    assert screen.wait_for_exit() == 1
    assert room.wait_for_state("job", "working")
    for keys, code in ((["C-c"], 130), (["C-d"], 1), (["y", "Enter"], 0)):
        screen = tmux_screen([*CONTROLROOM, "kill", "job"])
        screen.wait_for_text("[y/N]", deadline=30)
        screen.keys(*keys)
        assert screen.wait_for_exit() == code
    assert "has ended" in room.run("kill", "job", expect=1)


def test_reassign_begins_an_epoch_and_old_logs_stay(room: Room, home: World) -> None:
    (home.room / "config.toml").write_text('[profiles.copy]\nkind = "command"\ncommand = ["cat"]\n')
    room.run("spawn", "a", "--profile", "copy", "--task", "first task")
    room.wait_for_state("a", "done")
    room.run("reassign", "a", "--task-file", "-", stdin="second task")
    wait_for(lambda: room.agent("a")["run"] == 2, 20)
    room.wait_for_state("a", "done")
    assert room.run("logs", "a", "-n", "100").startswith("second task")
    assert room.run("logs", "a", "--run", "1").startswith("first task")
    assert "there is no log of run 3 yet" in room.run("logs", "a", "--run", "3", expect=5)


def test_forget_removes_what_has_ended(room: Room) -> None:
    shell(room, "job", FOREVER)
    assert "has not ended: kill it first" in room.run("forget", "job", "--yes", expect=1)
    kill(room, "job")
    assert "say --yes" in room.run("forget", "job", expect=1)
    room.run("forget", "job", "--yes")
    assert room.status()["agents"] == []


def test_refusals_say_why(room: Room) -> None:
    shell(room, "job", FOREVER)
    shell(room, "ended", "true")
    room.wait_for_state("ended", "done")
    for words, code, sentence in (
        (["send", "job", "hello", "there"], 1, "runs a command, which takes no messages"),
        (["interrupt", "job"], 1, "runs a command"),
        (["model", "job", "haiku"], 1, "runs a command, which has no model"),
        (["answer", "ended", "allow"], 1, "local/ended asks nothing now (done)"),
        (["kill", "jub", "--yes"], 5, "there is no agent 'jub': did you mean job?"),
        (["logs", "other/job"], 5, "there is no agent 'other/job'"),
        (["host", "remove", "vm1"], 5, "there is no host 'vm1'"),
        (["host", "answer", "local", "allow"], 1, "local asks nothing now (up)"),
        (["host", "take", "local"], 1, "this room owns local already"),
        (["host", "add", "local", "--name", "local"], 1, "local is there already"),
        (["host", "add", "me@vm1", "--name", "Bad Name"], 1, "cannot name a host"),
        (["why", "jub"], 5, "there is no task and no agent 'jub': did you mean job?"),
    ):
        assert sentence in room.run(*words, expect=code)


def test_an_ambiguous_name_wants_a_host(room: Room, ssh_host: Host) -> None:
    room.run("host", "add", ssh_host.target, "--name", "vm1", "--fingerprint", ssh_host.fingerprint)
    for host in ("local", "vm1"):
        room.run("spawn", "twin", "--host", host, "--", "sleep", "6000")
    assert "twin is the name of 2 agents: say local/twin or vm1/twin" in room.run("kill", "twin", "--yes", expect=5)
    assert room.run("logs", "vm1/twin") == ""


def test_a_host_key_is_asked_on_a_terminal(
    room: Room, ssh_hosts: Callable[..., list[Host]], tmux_screen: Callable[..., Terminal]
) -> None:
    (host,) = ssh_hosts(1, known=False)
    screen = tmux_screen([*CONTROLROOM, "host", "add", host.target, "--name", "vm1"], width=160)
    screen.wait_for_text(host.fingerprint, "Is that the key of vm1? [y/N]", deadline=40)
    screen.keys("y", "Enter")
    screen.wait_for_text("vm1 is up", deadline=40)
    assert screen.wait_for_exit() == 0
    room.run("host", "remove", "vm1")


def test_a_host_key_that_is_turned_down(room: Room, ssh_hosts: Callable[..., list[Host]]) -> None:
    (host,) = ssh_hosts(1, known=False)
    said = room.run("host", "add", host.target, "--name", "vm1", expect=6)
    assert "controlroom host answer vm1 allow" in said
    room.run("host", "answer", "vm1", "deny")
    assert "vm1 cannot be asked" in room.run("spawn", "a", "--host", "vm1", "--task", "x", expect=1)


def test_a_host_is_checked(room: Room, ssh_host: Host) -> None:
    room.run("host", "add", ssh_host.target, "--name", "vm1", "--fingerprint", ssh_host.fingerprint)
    words = [*CONTROLROOM, "host", "check", "vm1"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=90)
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if line[:8].strip()}
    assert "up" in lines["link"]
    assert lines["tmux"].split()[1][0].isdigit()
    told = subprocess.run([*words, "--json"], capture_output=True, text=True, timeout=90)
    checked = json.loads(told.stdout)
    assert checked["ok"] is (told.returncode == 0) is (done.returncode == 0)
    named = {one["name"] for one in checked["checks"]}
    assert {"python", "claude", "login", "disk", "clock", "logout", "sshd"} <= named
    ssh_host.stop()
    room.wait_until("vm1 to be lost", lambda status: status["hosts"][-1]["state"] == "lost")
    said = room.run("host", "check", "vm1", expect=1)
    assert "cannot be asked for the rest" in said
    assert "there is no host 'vm2'" in room.run("host", "check", "vm2", expect=5)


# -- logs


def test_the_last_lines_are_the_last(room: Room) -> None:
    shell(room, "count", "seq 1 3000")
    room.wait_for_state("count", "done")
    lines = room.run("logs", "count", "-n", "2000").splitlines()
    assert len(lines) == 2000
    assert lines[-2] == "3000"
    assert room.run("logs", "count", "--raw", "-n", "1500") == "".join(f"{n}\n" for n in range(1501, 3001))
    assert room.run("logs", "count", "--raw", "-n", "9999") == "".join(f"{n}\n" for n in range(1, 3001))


def test_what_is_searched_for_comes_from_the_whole_log(room: Room) -> None:
    shell(room, "count", "seq 1 3000; echo Ready 12 ms; echo ready")
    room.wait_for_state("count", "done")
    assert room.run("logs", "count", "--grep", "299").split() == ["299", "1299", "2299", *map(str, range(2990, 3000))]
    assert room.run("logs", "count", "--grep", "299", "-n", "2").split() == ["2998", "2999"]
    assert room.run("logs", "count", "--grep", "ready") == "ready\n"
    assert room.run("logs", "count", "--grep", "ready", "-i") == "Ready 12 ms\nready\n"
    assert room.run("logs", "count", "--grep", r"\d+ ms$|^7$", "--regex") == "7\nReady 12 ms\n"
    assert room.run("logs", "count", "--grep", "no such thing") == ""
    assert "no regular expression" in room.run("logs", "count", "--grep", "(", "--regex", expect=1)
    assert "leave out -f and --raw" in room.run("logs", "count", "--grep", "x", "-f", expect=2)


def test_a_followed_log_ends_with_its_run_and_misses_nothing(room: Room, tmp_path: Path) -> None:
    shell(room, "count", f"seq 1 500; while [ ! -e {tmp_path}/go ]; do sleep 0.02; done; seq 501 2000; echo -n end")
    words = [*CONTROLROOM, "logs", "count", "--raw", "-f", "-n", "100"]
    following = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert following.stdout
    assert following.stdout.readline() in ("401\n", "1\n")
    (tmp_path / "go").touch()
    out, err = following.communicate(timeout=60)
    assert following.returncode == 0
    assert [line for line in out.splitlines() if line.isdigit() and int(line) > 500] == [
        str(number) for number in range(501, 2001)
    ]
    assert out.endswith("2000\nend\n")
    assert err == "local/count has ended: done\n"


def test_a_line_is_printed_whole_though_another_stream_wrote_meanwhile(room: Room, tmp_path: Path) -> None:
    gate = f"while [ ! -e {tmp_path}/$1 ]; do sleep 0.02; done"
    shell(room, "two", f"gate() {{ {gate}; }}; printf load; gate a; echo slow >&2; gate b; echo ing; printf 'end'")
    room.wait_until("the line is begun", lambda _: room.run("logs", "two", "--raw") == "load")
    words = [*CONTROLROOM, "logs", "two", "-f"]
    followers = [subprocess.Popen([*words, *more], stdout=subprocess.PIPE, text=True) for more in ([], ["--raw"])]
    (tmp_path / "a").touch()
    for following in followers:
        assert following.stdout
        assert following.stdout.readline() == "slow\n"
    assert room.run("logs", "two", "--raw") == "slow\nload"
    (tmp_path / "b").touch()
    printed = [following.communicate(timeout=60)[0] for following in followers]
    assert printed[0].splitlines()[:2] == ["loading", "end"]
    assert printed[1] == "loading\nend\n"
    assert room.run("logs", "two", "--raw") == "slow\nloading\nend\n"
    assert room.run("logs", "two", "--raw", "-n", "2") == "loading\nend\n"


def test_following_ends_quietly_by_ctrl_c_and_with_the_engine(room: Room) -> None:
    shell(room, "job", FOREVER)
    for code in (130, 3):
        words = [*CONTROLROOM, "logs", "job", "-f"]
        following = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert following.stdout
        assert following.stdout.readline().startswith("line ")
        if code == 130:
            following.send_signal(signal.SIGINT)
        else:
            room.run("stop")
        _, err = following.communicate(timeout=60)
        assert following.returncode == code
        assert ("engine has ended" in err) == (code == 3)
        assert "Traceback" not in err
    kill(room, "job")


def test_a_closed_pipe_is_quiet(room: Room) -> None:
    shell(room, "count", "seq 1 30000")
    room.wait_for_state("count", "done")
    line = f"{sys.executable} -m controlroom logs count -n 30000 | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] in ("141", "0")


def test_a_log_that_is_empty_yet_can_be_followed(room: Room, tmp_path: Path) -> None:
    shell(room, "late", f"while [ ! -e {tmp_path}/go ]; do sleep 0.02; done; echo first; echo second")
    words = [*CONTROLROOM, "logs", "late", "-f"]
    following = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert following.stderr
    assert following.stderr.readline() == "local/late has written nothing yet\n"
    (tmp_path / "go").touch()
    out, _ = following.communicate(timeout=60)
    assert out.splitlines()[:2] == ["first", "second"]
    assert following.returncode == 0


def test_the_log_of_a_host_that_cannot_be_asked_is_not_told_as_empty(
    room: Room, ssh_host: Host, tmp_path: Path
) -> None:
    room.run("host", "add", ssh_host.target, "--name", "vm1", "--fingerprint", ssh_host.fingerprint)
    go = f"while [ ! -e {tmp_path}/go ]; do sleep 0.02; done"
    room.run("spawn", "job", "--host", "vm1", "--", "sh", "-c", f"seq 1 3000; {go}; echo over")
    room.wait_until("its last line", lambda status: status["agents"][0]["last_line"] == "3000")
    assert room.agent("job")["log_bytes"] is None
    following = subprocess.Popen(
        [*CONTROLROOM, "logs", "job", "-f", "-n", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert following.stdout
    assert following.stderr
    assert following.stdout.readline() == "3000\n"
    ssh_host.stop()
    room.wait_until("vm1 to be lost", lambda status: status["hosts"][-1]["state"] == "lost")
    for more in ((), ("--raw",), ("-f",), ("-n", "5"), ("--grep", "3"), ("--run", "1")):
        assert "vm1 cannot be asked now: lost" in room.run("logs", "vm1/job", *more, expect=4)
    assert following.stderr.readline().startswith("vm1 cannot be asked now")
    ssh_host.start()
    room.wait_until("vm1 to be back", lambda status: status["hosts"][-1]["state"] == "up", 60)
    (tmp_path / "go").touch()
    out, _ = following.communicate(timeout=60)
    assert (following.returncode, out.splitlines()[0]) == (0, "over")
    assert room.run("logs", "job", "-n", "3").splitlines()[0] == "3000"


def test_what_is_no_text_is_not_searched_for(room: Room) -> None:
    shell(room, "count", "seq 1 3")
    for words in (["audit", "--grep", "\udcff"], ["logs", "count", "--grep", "\udcff"]):
        assert "is not UTF-8 text: byte 0 is 0xff" in room.run(*words, expect=2)


# -- the engine


def test_stop_and_start(room: Room) -> None:
    def said(*words: str) -> str:
        code, _, errors = here(words)
        assert code == 0
        return errors

    assert said("stop") == "no engine runs here\n"
    assert said("engine") == "the engine runs\n"
    assert said("stop") == "the engine has stopped\n"
    assert said("stop") == "no engine runs here\n"


def test_stop_says_who_goes_on_and_what_stops_them(room: Room) -> None:
    shell(room, "sleeper", "sleep 600")
    room.wait_for_state("sleeper", "working")
    done = subprocess.run([*CONTROLROOM, "stop"], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr.splitlines() == [
        "the engine has stopped",
        "1 agent goes on, and may spend: to end it, controlroom kill '*'; its turn alone, controlroom interrupt '*'",
        "no budget pauses it",
    ]
    room.run("kill", "*", "--yes")
    room.run("stop")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives a limit back to what was started")
def test_a_crash_of_the_engine_leaves_no_core_and_agents_may_leave_theirs(room: Room, home: World) -> None:
    words = ["bash", "-c", 'ulimit -S -c 4096 && exec "$0" -m controlroom engine', sys.executable]
    if subprocess.run(words, capture_output=True, timeout=60, check=False).returncode:
        pytest.skip("this machine allows no cores")
    (engine,) = engines(home)
    limits = Path(f"/proc/{engine.pid}/limits").read_text()
    (line,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
    assert line.split()[4] == "0"
    shell(room, "job", "bash -c 'ulimit -S -c'")
    room.wait_for_state("job", "done")
    assert room.run("logs", "job", "--raw") == "4096\n"


def test_an_engine_in_the_foreground_is_the_only_one(room: Room) -> None:
    engine = subprocess.Popen([*CONTROLROOM, "engine", "--foreground"], stderr=subprocess.PIPE, text=True)
    assert engine.stderr
    assert "the engine listens at" in engine.stderr.readline()
    room.wait_until("this machine to be up", lambda status: status["hosts"][0]["state"] == "up")
    assert str(engine.pid) in room.run("engine", "--foreground", expect=3)
    engine.terminate()
    engine.communicate(timeout=60)
    assert engine.returncode == 0


def test_a_wrong_config_is_one_sentence(room: Room, home: World) -> None:
    for config, sentence in (
        ("[hosts.vm1]\nadres = 'x'\n", "adres"),
        ("[[[", "config.toml"),
        ("local = 'no'", "local"),
    ):
        (home.room / "config.toml").write_text(config)
        for words in (["status"], ["spawn", "a", "--task", "x"], ["engine", "--foreground"]):
            said = room.run(*words, expect=3)
            assert sentence in said
            assert "config.toml" in said


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_a_standard_stream_that_is_closed_is_no_mistake_of_ours(room: Room, home: World, closed: str) -> None:
    """As a supervisor or a script may start it; the engine that it starts is one like any other."""
    words = f'exec "{sys.executable}" -m controlroom status --json {closed}'
    done = subprocess.run(["sh", "-c", words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90)
    assert (done.returncode, "mistake" in done.stderr, list(home.room.glob("report-*"))) == (0, False, [])
    assert bool(done.stdout) is ("1>" not in closed)
    assert room.run("status", "--json")


def test_a_home_that_others_can_write_is_refused(room: Room, home: World) -> None:
    home.room.chmod(0o777)
    assert "chmod go-w" in room.run("status", expect=3)
    home.room.chmod(0o700)


@pytest.mark.skipif(os.getuid() != 0 or sys.platform != "linux", reason="only root can mount a disk to read only")
def test_a_disk_that_can_only_be_read_is_named(home: World) -> None:
    mounts = f"mount -t tmpfs -o mode=700 none {home.room} && {{}} mount -o remount,ro {home.room} &&"
    for before in ("", f"touch {home.room}/engine.log {home.room}/engine.starting {home.room}/engine.lock &&"):
        words = f"{mounts.format(before)} exec {sys.executable} -m controlroom status"
        done = subprocess.run(["unshare", "-m", "sh", "-c", words], capture_output=True, text=True, timeout=60)
        assert done.returncode == 3, done.stderr
        assert str(home.room) in done.stderr
        assert "ead-only file system" in done.stderr


def test_a_room_that_cannot_be_made(room: Room) -> None:
    assert "/proc/nowhere" in room.run("status", expect=3, env={**os.environ, "CONTROLROOM_HOME": "/proc/nowhere"})
