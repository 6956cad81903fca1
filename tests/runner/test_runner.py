"""The runner around plain commands: pipes, log, status, the control socket, and the end of everything."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import controlroom
from controlroom.runner import folder
from controlroom.wire.lines import to_line
from tests.lab.agent_under_test import RUN, MakeAgent, alive
from tests.lab.waiting import wait_for
from tests.lab.world import World

NASTY = 'it\'s "quoted" `id` $(touch never) ; rm -rf / & | \\ #(touch x) 🎛️ \u202e \x00 \x1b[2J é\n\tnext line\n'


# -- what goes in


@pytest.mark.parametrize("closed", ["0<&-", "0<&- 1>&-", "0<&- 1>&- 2>&-"])
def test_a_runner_whose_own_streams_are_closed_gives_its_agent_pipes_all_the_same(
    agent: MakeAgent, closed: str
) -> None:
    one = agent("sh", "-c", "cat; echo out; echo err >&2; exit 3", task="the task\n")
    order = (one.folder / folder.SPEC).read_bytes()
    words = f'exec "{sys.executable}" -I -S "{RUN}" "{one.folder}" {closed}'
    one.process = subprocess.Popen(["sh", "-c", words], cwd="/", env={}, start_new_session=True)
    assert (one.finish().exit_code, one.lines("o"), one.lines("e")) == (3, ["the task", "out"], ["err"])
    assert (one.folder / folder.SPEC).read_bytes() == order, "nothing of ours was written into it"


@pytest.mark.parametrize("task", ["", NASTY, "x" * 1024 * 1024, "\n" * 70_000], ids=["none", "nasty", "1 MiB", "lines"])
def test_the_task_reaches_stdin_byte_for_byte(agent: MakeAgent, task: str) -> None:
    run = agent("sha256sum", task=task).start()
    assert run.finish().state == "done"
    assert run.lines() == [f"{hashlib.sha256(task.encode()).hexdigest()}  -"]


def test_the_task_stands_on_no_command_line(agent: MakeAgent) -> None:
    run = agent("sleep", "300", task="a secret plan").start()
    seen = run.running()
    for pid in (seen.pid, run.process.pid):
        assert b"secret" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    assert seen.task == "a secret plan"
    assert run.ask(do="end") == ""


def test_a_task_that_nobody_reads_stops_nothing(agent: MakeAgent) -> None:
    assert agent("true", task="x" * 1024 * 1024).start().finish().state == "done"


# -- what comes out


def test_output_and_errors_are_kept_apart_line_by_line(agent: MakeAgent) -> None:
    run = agent("sh", "-c", "echo one; echo two; echo oh >&2; printf last").start()
    run.finish()
    assert (run.lines("o"), run.lines("e")) == (["one", "two", "last"], ["oh"])


def test_bytes_of_any_kind_are_kept_as_they_are(agent: MakeAgent) -> None:
    data = bytes(range(256)).replace(b"\n", b"")
    run = agent(sys.executable, "-c", f"import sys; sys.stdout.buffer.write({data!r})").start()
    run.finish()
    assert [record.body for record in run.log() if record.stream == "o"] == [data]


def test_a_line_that_never_ends_comes_in_pieces(agent: MakeAgent) -> None:
    run = agent("sh", "-c", "head -c 200000 /dev/zero | tr '\\0' x; echo; echo after").start()
    run.finish()
    assert run.lines() == ["x" * 200_000, "after"]


def test_a_prompt_without_newline_is_seen_before_its_line_ends(agent: MakeAgent) -> None:
    run = agent("sh", "-c", "printf 'password? '; sleep 300").start()
    wait_for(lambda: run.lines() == ["password? "])
    assert [record.continued for record in run.log() if record.stream == "o"] == [True]
    run.ask(do="end")


def test_a_flood_is_kept_whole_even_when_the_pane_takes_nothing(agent: MakeAgent) -> None:
    run = agent("seq", "300000").start(stdout=subprocess.PIPE)
    run.until(lambda seen: seen.ended, 60)
    assert run.lines() == [str(number) for number in range(1, 300_001)]
    assert run.process.stdout
    run.process.stdout.close()
    run.process.wait(60)


def test_the_pane_shows_sanitized_text_with_its_colours(agent: MakeAgent) -> None:
    script = r"printf '\033[31mred\033[0m \033]0;title\007 \033[2J\n'; echo sk-ant-api03-abcdefgh"
    run = agent("sh", "-c", script).start(stdout=subprocess.PIPE)
    shown = run.process.communicate(timeout=60)[0].decode()
    assert "\x1b[38;5;1mred\x1b[0m" in shown
    assert re.sub("\x1b\\[[0-9;]*m|\r\n", "", shown).isprintable()
    assert "sk-ant-…" in shown
    assert "abcdefgh" not in shown


def test_keys_do_not_reach_the_log_even_in_a_line_that_is_cut(agent: MakeAgent) -> None:
    key = "sk-ant-api03-" + "k" * 80
    run = agent("sh", "-c", f"head -c {64 * 1024 - 5} /dev/zero | tr '\\0' .; echo {key}; echo {key} >&2").start()
    run.finish()
    assert "kkk" not in "".join(run.lines())
    assert run.lines("o")[0].endswith("...sk-ant-…")


def test_old_segments_go_when_the_log_is_full_and_it_says_so(agent: MakeAgent) -> None:
    run = agent("seq", "200000", max_log_bytes=400_000).start()
    seen = run.finish()
    assert seen.log_bytes == sum(entry.stat().st_size for entry in run.folder.glob("log.*"))
    assert seen.log_bytes <= 550_000
    assert run.lines("o")[-1] == "200000"
    assert not (run.folder / "log.000001").exists()
    assert any("were dropped" in line for line in run.lines("n"))


# -- the control socket


@pytest.mark.parametrize(
    "request_", [{"do": "message", "text": "hi"}, {"do": "interrupt"}, {"do": "answer"}, {"do": []}, {}]
)
def test_what_a_command_cannot_do_is_refused_in_words(agent: MakeAgent, request_: dict[str, object]) -> None:
    run = agent("sleep", "300").start()
    run.running()
    assert re.search("plain command|does not know", run.ask(**request_))
    assert run.ask(do="end") == ""


@pytest.mark.parametrize(
    "data",
    [b"not json\n", b"[]\n", b"\xff\n", b'{"do":NaN}\n', b"[" * 100_000 + b"\n", b"x" * 5_000_000],
    ids=["text", "list", "bytes", "NaN", "deep", "long"],
)
def test_nonsense_on_the_socket_is_answered_and_harms_nothing(agent: MakeAgent, data: bytes) -> None:
    run = agent("sleep", "300").start()
    run.running()
    try:
        assert run.send(data)["ok"] is False
    except ConnectionError:  # it hung up in the middle of five megabytes
        assert len(data) > 4_000_000
    assert run.ask(do="end") == ""


def test_the_socket_is_gone_when_the_agent_is(agent: MakeAgent) -> None:
    run = agent("true").start()
    run.finish()
    assert not (run.folder / folder.CONTROL).exists()


def test_only_its_user_can_read_what_it_writes(agent: MakeAgent) -> None:
    run = agent("sh", "-c", "echo up; sleep 300").start()
    wait_for(run.lines)
    modes = {name: (run.folder / name).stat().st_mode & 0o077 for name in (folder.STATUS, folder.CONTROL, "log.000001")}
    run.ask(do="end")
    assert not any(modes.values())


# -- one runner, once


def test_a_second_runner_for_the_same_agent_does_nothing(agent: MakeAgent) -> None:
    run = agent("sleep", "300").start()
    before = run.running()
    second = subprocess.run(
        [sys.executable, "-I", "-S", RUN, str(run.folder)], capture_output=True, timeout=60, check=False
    )
    assert (second.returncode, run.seen()) == (3, before)
    assert b"already has a runner" in second.stdout
    run.ask(do="end")


def test_an_agent_that_has_run_is_not_started_again(agent: MakeAgent) -> None:
    run = agent("true").start()
    ended = run.finish()
    again = subprocess.run(
        [sys.executable, "-I", "-S", RUN, str(run.folder)], capture_output=True, timeout=60, check=False
    )
    assert (again.returncode, run.seen()) == (2, ended)
    assert b"has run before" in again.stdout


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 2}, b"format 2, this runner reads 1"),
        ({"name": "#(id)"}, b"cannot name an agent"),
        ({"spec": {"kind": "dance"}}, b"no kind 'dance'"),
        ({"spec": {"kind": "command"}}, b"needs a command"),
        ({"spec": {"max_turns": "many"}}, b"spec.max_turns does not fit"),
    ],
)
def test_an_order_that_does_not_fit_is_refused(agent: MakeAgent, change: dict[str, object], words: bytes) -> None:
    run = agent("true")
    run.order.update(change)
    run.write_order()
    done = subprocess.run(
        [sys.executable, "-I", "-S", RUN, str(run.folder)], capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert words in done.stdout
    assert b"Traceback" not in done.stdout + done.stderr
    assert not (run.folder / folder.ENVIRON).exists()


def test_a_command_that_is_not_there_is_told(agent: MakeAgent) -> None:
    seen = agent("no-such-program").start().finish()
    assert (seen.state, seen.exit_code) == ("failed", None)
    assert seen.detail == "no-such-program is not there on this host: install it, or give its path"


def test_the_code_may_be_removed_while_it_runs(agent: MakeAgent, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(
        Path(controlroom.__file__).parent, bundle / "controlroom", ignore=shutil.ignore_patterns("__pycache__")
    )
    run = agent("sh", "-c", "echo ready; cat; setsid sleep 300 & wait").start(str(bundle / "controlroom/runner/run.py"))
    wait_for(lambda: run.lines() == ["ready"])
    shutil.rmtree(bundle)
    assert "plain command" in run.ask(do="message", text="hi")
    assert run.send(to_line({"do": 3}))["ok"] is False
    assert run.ask(do="end") == ""
    assert run.finish().detail == "killed"


def test_it_keeps_bytecode_for_the_next_and_starts_where_that_is_cut_short(agent: MakeAgent, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(
        Path(controlroom.__file__).parent, bundle / "controlroom", ignore=shutil.ignore_patterns("__pycache__")
    )
    run = str(bundle / "controlroom/runner/run.py")
    assert agent("true").start(run).finish().state == "done"
    kept = list((bundle / "controlroom/runner").glob("__pycache__/agent_run.*.pyc"))
    assert kept
    os.truncate(kept[0], 400)
    assert agent("true").start(run).finish().state == "done"


def test_it_does_not_grow_with_a_pipe_full_of_short_lines(agent: MakeAgent, tmp_path: Path) -> None:
    """A runner that gets no processor for a while finds its agent's pipe full, at worst of empty lines."""
    go, full = tmp_path / "go", tmp_path / "full"
    fill = f"until [ -e '{go}' ]; do sleep 0.01; done; yes '' | head -c 60000; touch '{full}'"
    run = agent("sh", "-c", f"seq 2000; {fill}; seq 20000; echo oh >&2; sleep 300").start()
    wait_for(lambda: len(run.lines("o")) == 2_000)
    at_work = resident(run.process.pid)
    os.kill(run.process.pid, signal.SIGSTOP)
    go.touch()
    wait_for(full.exists)
    os.kill(run.process.pid, signal.SIGCONT)
    wait_for(lambda: run.lines("e"))
    wait_for(lambda: len(run.lines("o")) == 82_000)
    grown = resident(run.process.pid) - at_work
    run.ask(do="end")
    assert grown <= 4 * 1024, "kB; each of 60,000 lines kept as an object would take more than 8 MB"


def resident(pid: int) -> int:
    """Resident memory of a process, kB."""
    figures = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(number) for number in re.findall(r"^Rss: +(\d+) kB", figures, re.MULTILINE))


@pytest.mark.parametrize(
    "module", ["asyncio", "subprocess", "dataclasses", "inspect", "pathlib", "logging", "shutil", "psutil"]
)
def test_it_imports_nothing_heavy(module: str) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import controlroom.runner.main; print(sys.argv[2] in sys.modules)"
    )
    root = str(Path(controlroom.__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, root, module],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "False\n"


def test_environment_of_a_command(agent: MakeAgent, home: World) -> None:
    login = {**os.environ, "TMUX": "/tmp/x,1,0", "CLAUDECODE": "1", "GREETING": "hello"}
    run = agent("env", login=login, env={"MORE": "a b"}, cwd=str(home.home)).start()
    seen = run.finish()
    found = dict(line.partition("=")[::2] for line in run.lines())
    assert (found["GREETING"], found["MORE"], found["PWD"]) == ("hello", "a b", str(home.home))
    assert found[folder.TAG] == "test/agent-1.1"
    assert not {"TMUX", "CLAUDECODE"} & set(found)
    assert seen.cwd == str(home.home)
    assert not (run.folder / folder.ENVIRON).exists()


def test_two_agents_of_one_name_in_two_rooms_leave_each_other_alone(agent: MakeAgent) -> None:
    one, other = agent("sleep", "300").start(), agent("sleep", "300").start()
    pids = [one.running().pid, other.running().pid]
    assert one.ask(do="end") == ""
    assert [alive(pid) for pid in pids] == [False, True]
    assert other.ask(do="end") == ""


def test_folders_and_variables_may_hold_anything(agent: MakeAgent, home: World) -> None:
    place = home.home / "dé 🎛️ 'x'"
    place.mkdir()
    login = {**os.environ, "ODD": b"\xff\xfe".decode("utf-8", "surrogateescape"), "UMLAUT": "ä"}
    run = agent("sh", "-c", 'pwd; printf "%s\\n%s\\n" "$ODD" "$UMLAUT"', login=login, cwd=str(place)).start()
    assert run.finish().cwd == str(place)
    assert [record.body for record in run.log() if record.stream == "o"] == [
        str(place).encode(),
        b"\xff\xfe",
        "ä".encode(),
    ]


def test_a_log_that_cannot_grow_any_more_stops_nothing(agent: MakeAgent) -> None:
    run = agent("sh", "-c", "seq 60000; exit 3")
    limited = ["sh", "-c", 'ulimit -f 100; exec "$0" "$@"', sys.executable, "-I", "-S", RUN, str(run.folder)]
    assert subprocess.run(limited, env={}, stdout=subprocess.DEVNULL, timeout=60, check=False).returncode == 0
    seen = run.seen()
    assert (seen.state, seen.detail, seen.log_bytes > 0) == ("failed", "exit 3", True)
    assert len(run.lines()) < 60_000
    assert run.lines()[0] == "1"
