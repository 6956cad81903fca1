"""The engine as a process: it starts by itself, once, says why when it cannot, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controlroom.client.client import Client, EngineUnavailable, NoEngine
from controlroom.domain import intents
from controlroom.domain.model import LinkState, State
from controlroom.protocol.home import Home, LockTaken, find_home, hold, holder, is_held
from controlroom.protocol.messages import ALL, Welcome, pack
from tests.lab.waiting import wait_for, wait_for_async
from tests.lab.world import World

NOTHING = "local = false\n"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
async def place(home: World) -> AsyncIterator[Home]:
    """The room of the test's world; its engine is stopped at the end."""
    found = find_home(os.environ)
    yield found
    if is_held(found.lock):
        os.kill(holder(found.lock), signal.SIGTERM)
        await wait_for_async(lambda: not is_held(found.lock), 10)


def configure(place: Home, text: str) -> None:
    place.config.write_text(text)
    place.config.chmod(0o600)


def foreground() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "controlroom", "engine", "--foreground"],
        cwd=ROOT,
        text=True,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


async def until_gone(client: Client) -> None:
    with contextlib.suppress(EngineUnavailable):
        while True:
            await asyncio.wait_for(client.changed(), 60)
    assert not client.connected


async def local_is_up(client: Client) -> None:
    while client.fleet.hosts["local"].link is not LinkState.UP:
        await asyncio.wait_for(client.changed(), 60)


async def test_it_starts_by_itself_runs_agents_and_they_outlive_it(place: Home) -> None:
    client = await Client.connect()
    await local_is_up(client)
    outcome = await client.submit(intents.SpawnAgent("a1", "", command=("sh", "-c", "echo hello; sleep 600")))
    assert outcome.ok, outcome.reason
    agent = outcome.agent
    await client.follow({agent: None})
    page = await client.fetch(agent, 1)
    while not any(record.body == b"hello" for record in page.records):
        page = await client.fetch(agent, 1, after=None)
    await client.stop_engine()
    assert not is_held(place.lock)
    assert not place.socket.exists()
    await client.close()
    with pytest.raises(NoEngine):
        await Client.connect(start=False)
    again = await Client.connect()
    assert again.fleet.agents[agent].state is State.UNKNOWN
    await local_is_up(again)
    assert again.fleet.agents[agent].state is State.WORKING
    assert again.fleet.room == client.fleet.room
    assert (await again.submit(intents.KillAgent(agent, 1))).ok
    await again.close()


async def test_front_ends_that_start_together_get_one_engine(place: Home, home: World) -> None:
    configure(place, NOTHING)
    clients = await asyncio.gather(*(Client.connect() for _ in range(5)))
    assert len({client.fleet.room for client in clients}) == 1

    def engines() -> list[int]:
        return [process.pid for process in home.processes() if "engine --foreground" in process.command]

    await wait_for_async(lambda: engines() == [holder(place.lock)], 10)
    for client in clients:
        await client.close()


async def test_a_wrong_config_is_shown_by_whoever_would_start_it_and_nothing_starts(place: Home) -> None:
    configure(place, '[profiles.docs]\nmodle = "x"\n')
    with pytest.raises(EngineUnavailable) as caught:
        await Client.connect()
    assert str(caught.value) == f"{place.config}: profiles.docs.modle is not a setting: did you mean model?"
    assert not is_held(place.lock)
    assert not place.ledger.exists()
    configure(place, NOTHING)
    await (await Client.connect()).close()


@pytest.mark.parametrize(
    ("config", "becomes"),
    [(NOTHING, "the engine has stopped\n"), ("nothing = 1\n", "no engine runs here\n")],
    ids=["comes up", "cannot start"],
)
def test_stop_waits_for_an_engine_that_is_starting(place: Home, home: World, config: str, becomes: str) -> None:
    configure(place, config)
    gate, late = home.directory / "gate", home.directory / "late"
    os.mkfifo(gate)
    late.mkdir()
    (late / "sitecustomize.py").write_text(
        f"import sys\nif '--foreground' in sys.orig_argv:\n    open({str(gate)!r}).close()\n"
    )
    command = [sys.executable, "-m", "controlroom"]
    front_end = subprocess.Popen([*command, "status"], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(late)})
    wait_for(lambda: any("engine --foreground" in one.command for one in home.processes()), 20, "a start")
    front_end.kill()
    front_end.wait(60)
    stop = subprocess.Popen([*command, "stop"], cwd=ROOT, text=True, stderr=subprocess.PIPE)
    assert stop.stderr
    said = stop.stderr.readline()
    gate.open("w").close()  # it opens as soon as the engine is at it, which then goes on
    _, rest = stop.communicate(timeout=60)
    assert (said, rest) == ("an engine is starting: waiting for it to come up\n", becomes)
    assert stop.returncode == 0
    assert not is_held(place.lock)


async def test_a_damaged_ledger_is_shown_too(place: Home) -> None:
    configure(place, NOTHING)
    place.ledger.write_bytes(b"not a ledger" * 1000)
    with pytest.raises(EngineUnavailable, match=r"is damaged .*: move it away"):
        await Client.connect()


async def test_a_folder_that_others_can_write_is_shown_too(place: Home) -> None:
    place.state_folder.chmod(0o777)
    with pytest.raises(EngineUnavailable, match="run: chmod go-w"):
        await Client.connect()
    place.state_folder.chmod(0o700)


async def test_a_second_engine_says_so_and_ends(place: Home) -> None:
    configure(place, NOTHING)
    client = await Client.connect()
    second = await asyncio.to_thread(foreground().communicate, timeout=60)
    assert second[1] == f"an engine of this room runs already (process {holder(place.lock)})\n"
    assert client.connected
    await client.close()


async def test_in_the_foreground_it_says_where_it_listens_and_ends_by_ctrl_c(place: Home) -> None:
    configure(place, NOTHING)
    engine = foreground()
    assert engine.stderr is not None
    assert f"listens at {place.socket}" in await asyncio.to_thread(engine.stderr.readline)
    client = await Client.connect(start=False)
    engine.send_signal(signal.SIGINT)
    assert await asyncio.to_thread(engine.wait, 20) == 0
    await until_gone(client)
    assert engine.stderr.read() == ""
    engine.stderr.close()
    await client.close()


async def test_killed_with_9_it_is_simply_started_again(place: Home) -> None:
    configure(place, NOTHING)
    client = await Client.connect()
    os.kill(holder(place.lock), signal.SIGKILL)
    await until_gone(client)
    await client.close()
    again = await Client.connect()
    assert again.fleet.room == client.fleet.room
    await again.close()


async def test_the_engine_keeps_nothing_of_the_terminal_it_was_started_from(
    place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(place, NOTHING)
    monkeypatch.setenv("TMUX", "/tmp/tmux-0/default,1,0")
    monkeypatch.setenv("CLAUDECODE", "1")
    monkeypatch.setenv("SSH_AUTH_SOCK", "/tmp/agent")
    client = await Client.connect()
    process = holder(place.lock)
    environ = (await asyncio.to_thread(Path(f"/proc/{process}/environ").read_bytes)).split(b"\0")
    assert not [entry for entry in environ if entry.startswith((b"TMUX=", b"CLAUDECODE="))]
    assert b"SSH_AUTH_SOCK=/tmp/agent" in environ
    assert os.readlink(f"/proc/{process}/cwd") == "/"
    assert os.getsid(process) not in (os.getsid(0), 0)
    assert os.readlink(f"/proc/{process}/fd/0") == "/dev/null"
    status = await asyncio.to_thread(Path(f"/proc/{process}/status").read_text)
    assert "Umask:\t0077\n" in status
    await client.close()


async def test_no_file_of_the_room_is_for_others_and_no_log_holds_a_key(place: Home) -> None:
    configure(place, NOTHING)
    client = await Client.connect()
    key = "sk-ant-api03-verysecret"
    await client.submit(intents.AddHost("vm1", f"{key}@127.0.0.1:1"))
    await wait_for_async(lambda: client.fleet.hosts["vm1"].link is LinkState.LOST, 20)
    await client.stop_engine()
    await client.close()
    for path in place.state_folder.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
        assert path == place.hosts or key.encode() not in path.read_bytes(), path


async def test_a_lock_that_nobody_answers_for_is_a_sentence(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controlroom.client.client.PATIENCE", 0.1)
    descriptor = hold(place.lock, place.socket)
    with pytest.raises(LockTaken):
        hold(place.lock, place.socket)
    with pytest.raises(EngineUnavailable, match=rf"the engine \(process {os.getpid()}\) does not answer"):
        await Client.connect()
    os.close(descriptor)


async def test_an_engine_that_hangs_is_a_sentence(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controlroom.client.client.GRACE", 0.1)
    place.prepare()
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(place.socket))
        mute.listen()
        with pytest.raises(EngineUnavailable, match="does not answer"):
            await Client.connect(start=False)
    place.socket.unlink()


def test_its_own_log_is_bounded(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        "import logging, pathlib, sys; from controlroom.engine import process as m; m.LOG_BYTES = 2000\n"
        "m.log_to(pathlib.Path(sys.argv[1]))\n"
        "for n in range(500): logging.getLogger(f'controlroom.{n % 10}').info('line %d sk-ant-api03-verysecret', n)"
    )
    place.prepare()
    subprocess.run([sys.executable, "-c", script, str(place.log)], cwd=ROOT, check=True, timeout=60)
    files = sorted(place.state_folder.glob("engine.log*"))
    assert len(files) == 2
    assert all(file.stat().st_size <= 2000 for file in files)
    assert "verysecret" not in "".join(file.read_text() for file in files)
    assert "line 499" in place.log.read_text()


def test_front_ends_load_nothing_heavy() -> None:
    script = (
        "import sys, controlroom.client.client\n"
        "heavy = {'asyncssh', 'pydantic', 'sqlite3', 'textual', 'rich', 'libtmux', 'psutil', 'logging.handlers'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (said.stdout, said.stderr) == ("[]\n", "")


def test_the_engine_loads_ssh_only_when_a_host_needs_it(place: Home) -> None:
    script = "import sys, controlroom.engine.main; print('asyncssh' in sys.modules, 'textual' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert said.stdout == "False False\n"
    wait_for(lambda: not is_held(place.lock), 5)


@pytest.mark.parametrize(("number", "meant"), [(signal.SIGTERM, True), (signal.SIGKILL, False)])
async def test_a_front_end_knows_an_engine_that_was_stopped_from_one_that_died(
    place: Home, number: signal.Signals, meant: bool
) -> None:
    place.prepare()
    configure(place, NOTHING)
    client = await Client.connect()
    os.kill(holder(place.lock), number)
    await until_gone(client)
    assert client.stopped is meant
    await client.close()


async def test_an_engine_of_an_older_version_that_was_told_to_stop_has_stopped(place: Home) -> None:
    """It takes its leave by its reason alone."""

    async def serve(incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        await incoming.readline()
        outgoing.write(pack(Welcome("0.1.0+5", "room", ALL, 0)))
        assert b"StopEngine" in await incoming.readline()
        outgoing.write(b'{"is":"Unwelcome","reason":"the engine has ended; agents live on"}\n')
        outgoing.close()

    place.prepare()
    async with await asyncio.start_unix_server(serve, place.running_socket(watching=False)):
        client = await Client.connect(start=False, role="stop")
        await client.stop_engine()
        assert client.stopped
        await client.close()
