from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import asyncssh
import pytest

from controlroom import __version__
from controlroom.domain.address import parse_address
from controlroom.engine.hosts import tcp
from controlroom.engine.hosts.channel import Channel, HostKeyUnknown, HostRefuses, LinkLost, SecretWanted
from controlroom.engine.hosts.deploy import Ended
from controlroom.engine.hosts.links import HostDialler
from controlroom.engine.hosts.ssh import SshDialler
from controlroom.engine.hosts.ssh_config import Deadlines
from controlroom.engine.hosts.tcp import LOGINS, Ways
from controlroom.wire.messages import Greet, Welcome, pack, read_from_node
from tests.conftest import MakeHosts
from tests.engine.far_end import cache_of, read_to_end, read_until, tiny
from tests.lab import bundle
from tests.lab.command import run
from tests.lab.host import Host
from tests.lab.loopback import LoopbackHost
from tests.lab.namespaces import NamespaceLab
from tests.lab.processes import look
from tests.lab.waiting import wait_for_async
from tests.lab.world import World

QUICK = Deadlines(connect=1.0, login=0.5, step=20.0)


def dialler(home: World, address: str = "vm1", code: bytes | None = None, **options: object) -> SshDialler:
    """A dialler that uses ~/.ssh of the test's HOME, as for a user; `code` stands for the node."""
    if code is not None:
        options["offers"] = tiny(code)
    return SshDialler("vm1", parse_address(address), home.room / "known_hosts", **options)  # type: ignore[arg-type]


ECHO = b"import os\nos.write(1, b'here\\n')\nwhile data := os.read(0, 65536):\n    os.write(1, data)\n"


async def refused(home: World, address: str = "vm1", **options: object) -> str:
    with pytest.raises(HostRefuses) as error:
        await dialler(home, address, ECHO, **options).dial()
    return str(error.value)


async def lost(home: World, address: str = "vm1", **options: object) -> str:
    with pytest.raises(LinkLost) as error:
        await dialler(home, address, ECHO, **options).dial()
    return str(error.value)


async def reached(one: SshDialler) -> Channel:
    channel = await one.dial()
    assert await read_until(channel, b"here\n") == b"here\n"
    return channel


@asynccontextmanager
async def server(answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[str]:
    """Something that is no sshd, at the address given."""
    opened: list[asyncio.StreamWriter] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(writer)
        await answer(reader, writer)

    listening = await asyncio.start_server(take, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()
        for writer in opened:
            writer.close()


def configure(home: World, text: str) -> None:
    """Put lines before all others of ~/.ssh/config."""
    path = home.home / ".ssh" / "config"
    path.write_text(text + "\n" + path.read_text())


# -- it works


async def test_the_real_node_answers_over_ssh(home: World, ssh_host: LoopbackHost, no_leftovers: None) -> None:
    bundle.forget(ssh_host.home)
    channel = await HostDialler("vm1", "vm1", home.room / "known_hosts").dial()
    await channel.send(pack(Greet(__version__, "room")))
    welcome = read_from_node((await read_until(channel, b"\n")).split(b"\n")[0])
    await channel.close()
    assert isinstance(welcome, Welcome)
    assert welcome.home == str(ssh_host.home)


async def test_bytes_pass_unchanged_and_the_node_ends_with_the_channel(home: World, ssh_host: LoopbackHost) -> None:
    data = os.urandom(300_000).replace(b"e", b"f") + b"end\n"
    channel = await reached(dialler(home, code=ECHO))
    (node,) = [process for process in ssh_host.processes() if "serve.py" in process.command]
    _, echoed = await asyncio.gather(channel.send(data), read_until(channel, b"end\n"))
    assert echoed == data
    await channel.close()
    await wait_for_async(lambda: look(node.pid) is None)


async def test_rooms_at_once_on_one_host(home: World, ssh_host: LoopbackHost) -> None:
    bundle.forget(ssh_host.home)
    channels = await asyncio.gather(*(reached(dialler(home, code=ECHO)) for _ in range(5)))
    await asyncio.gather(*(channel.close() for channel in channels))
    assert len(list(cache_of(ssh_host.home).iterdir())) == 1


async def test_a_talking_login_file_is_skipped(home: World, ssh_host: LoopbackHost) -> None:
    (ssh_host.home / ".bashrc").write_text(
        "echo 'Welcome!'; printf '\\033]0;title\\007 {\"landed\": true} no newline'\n"
    )
    assert "Welcome!" in ssh_host.run("true")
    channel = await reached(dialler(home, code=ECHO))
    await channel.close()


async def test_a_jump_host_of_the_config_is_used(home: World, ssh_hosts: MakeHosts) -> None:
    first, second = ssh_hosts(2)
    configure(home, "Host vm2\n  ProxyJump vm1")
    channel = await reached(dialler(home, "vm2", ECHO))
    assert len(first.connections()) == len(second.connections()) == 1
    await channel.close()
    await wait_for_async(lambda: not first.connections() and not second.connections())


async def test_an_unknown_key_of_a_jump_host_names_that_host(home: World, ssh_hosts: MakeHosts) -> None:
    first, _ = ssh_hosts(2)
    configure(home, "Host vm2\n  ProxyJump vm1")
    path = home.home / ".ssh" / "known_hosts"
    kept = [line for line in path.read_text().splitlines(keepends=True) if str(first.port) not in line]
    path.write_text("".join(kept))
    with pytest.raises(HostKeyUnknown) as unknown:
        await dialler(home, "vm2", ECHO).dial()
    assert (unknown.value.fingerprint, unknown.value.place) == (first.fingerprint, f"[127.0.0.1]:{first.port}")


async def test_nothing_of_ours_is_forwarded(home: World, ssh_host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    started = run("ssh-agent", "-s").stdout
    agent = dict(part.split("=", 1) for part in started.replace("\n", "").split(";") if "=" in part)
    monkeypatch.setenv("SSH_AUTH_SOCK", agent["SSH_AUTH_SOCK"])
    monkeypatch.setenv("DISPLAY", ":99")
    agents = f"IdentityAgent {agent['SSH_AUTH_SOCK']}\n  ForwardAgent yes"
    configure(home, f"Host *\n  {agents}\n  ForwardX11 yes\n  ForwardX11Trusted yes\n  RequestTTY force")
    code = b"import os, sys\nprint(*os.environ, f'tty {sys.stdin.isatty()}', 'end', sep='\\n', flush=True)"
    try:
        channel = await dialler(home, code=code).dial()
        said = (await read_until(channel, b"end\n")).decode().split("\n")
        await channel.close()
    finally:
        os.kill(int(agent["SSH_AGENT_PID"]), signal.SIGTERM)
    assert "HOME" in said
    assert not {"SSH_AUTH_SOCK", "DISPLAY", "tty True"} & set(said)


# -- host keys


async def test_an_unknown_key_is_a_question_and_once_accepted_is_known(home: World, ssh_hosts: MakeHosts) -> None:
    (host,) = ssh_hosts(1, known=False, held=False)
    one = dialler(home, code=ECHO)
    with pytest.raises(HostKeyUnknown) as unknown:
        await one.dial()
    assert unknown.value.fingerprint == host.fingerprint
    assert not cache_of(host.home).exists()
    one.trust(unknown.value.fingerprint)
    await (await reached(one)).close()
    assert f"[127.0.0.1]:{host.port} ssh-ed25519" in (home.room / "known_hosts").read_text()
    await (await reached(dialler(home, code=ECHO))).close()


async def test_a_fingerprint_given_beforehand_needs_no_question(home: World, ssh_hosts: MakeHosts) -> None:
    (host,) = ssh_hosts(1, known=False)
    with pytest.raises(HostKeyUnknown):
        await HostDialler("vm1", "vm1", home.room / "known_hosts", f"SHA256:{'A' * 43}").dial()
    await (await HostDialler("vm1", "vm1", home.room / "known_hosts", host.fingerprint).dial()).close()


async def test_a_changed_key_is_refused_even_if_trusted(home: World, ssh_host: Host) -> None:
    bundle.forget(ssh_host.home)
    old = ssh_host.fingerprint
    new = ssh_host.change_key()
    said = await refused(home, trusted=[new])
    assert old in said
    assert new in said
    assert f"{home.home / '.ssh' / 'known_hosts'} line 1" in said
    assert "Nothing was sent" in said
    assert not cache_of(ssh_host.home).exists()


async def test_a_key_of_another_kind_than_the_known_one_is_refused(home: World, ssh_host: Host) -> None:
    run("ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", home.directory / "other")
    public = (home.directory / "other.pub").read_text()
    (home.home / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{ssh_host.port} {public}")
    assert "shows another host key than before" in await refused(home)


async def test_a_revoked_key_is_refused(home: World, ssh_host: Host) -> None:
    path = home.home / ".ssh" / "known_hosts"
    path.write_text(path.read_text() + "@revoked * " + path.read_text().split(" ", 1)[1])
    assert "revoked" in await refused(home)


async def test_a_certificate_of_a_known_authority_is_enough(home: World, ssh_host: LoopbackHost) -> None:
    authority, key = home.directory / "ca", ssh_host.directory / "etc_ssh" / "ssh_host_ed25519_key"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", authority)
    run("ssh-keygen", "-q", "-s", authority, "-h", "-I", "vm1", "-n", "127.0.0.1", f"{key}.pub")
    ssh_host.stop()
    with ssh_host.config.open("a") as config:
        config.write(f"HostCertificate {key}-cert.pub\n")
    ssh_host.start()
    known = home.home / ".ssh" / "known_hosts"
    known.write_text(f"@cert-authority * {authority.with_suffix('.pub').read_text()}")
    await (await reached(dialler(home, code=ECHO))).close()
    known.write_text("")
    with pytest.raises(HostKeyUnknown):
        await dialler(home, code=ECHO).dial()


# -- keys of ours


async def test_refused_keys_are_named_with_what_to_do(home: World, ssh_host: LoopbackHost) -> None:
    (ssh_host.directory / "authorized_keys").write_text("")
    said = await refused(home)
    assert f"vm1 refused our keys for user {ssh_host.user} (tried id_operator)" in said
    assert f"ssh-copy-id -p {ssh_host.port} {ssh_host.user}@vm1" in said


async def test_keys_that_cannot_be_used_are_left_out_in_words(home: World, ssh_host: LoopbackHost) -> None:
    folder = home.home / ".ssh"
    run("ssh-keygen", "-q", "-N", "secret", "-f", folder / "locked")
    (folder / "junk").write_text("no key")
    lines = "\n".join(f"  IdentityFile ~/.ssh/{name}" for name in ("missing", "locked", "junk"))
    configure(home, f"Host *\n{lines}")
    await (await reached(dialler(home, code=ECHO))).close()
    (ssh_host.directory / "authorized_keys").write_text("")
    with pytest.raises(SecretWanted, match="passphrase of the key"):
        await dialler(home, code=ECHO).dial()
    (folder / "locked").unlink()
    said = await refused(home)
    assert "~/.ssh/missing does not exist" in said
    assert "~/.ssh/junk is not a private key" in said


async def test_only_keys_that_are_missing(home: World, ssh_host: Host) -> None:
    (home.home / ".ssh" / "id_operator").unlink()
    said = await refused(home)
    assert "(tried none; left out: " in said
    assert "id_operator does not exist" in said


async def test_a_config_that_makes_no_sense_is_named_by_file_and_line(home: World, ssh_host: Host) -> None:
    configure(home, "Host *\n  Port twenty")
    assert ".ssh/config line 2" in await refused(home)


# -- no way in


async def test_a_refused_port(home: World, ssh_host: Host) -> None:
    ssh_host.stop()
    assert "refused the connection: nothing listens there" in await lost(home)


async def test_a_name_that_nobody_knows(home: World) -> None:
    assert "the name nowhere.invalid is not known here" in await lost(home, "nowhere.invalid")


async def test_something_that_never_answers(home: World) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with server(silent) as address:
        assert "did not let us in within 0.5 s" in await lost(home, address, deadlines=QUICK)


@pytest.mark.parametrize("words", [b"", b"HTTP/1.0 400 Bad\r\n\r\n", b"SSH-1.5-old\r\n", b"\x00" * 100_000])
async def test_something_that_is_no_sshd(home: World, words: bytes) -> None:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(words)
        writer.close()

    async with server(talk) as address:
        with pytest.raises((LinkLost, HostRefuses), match="vm1"):
            await dialler(home, address, ECHO, deadlines=QUICK).dial()


async def test_a_connection_that_is_reset_may_be_tried_again(home: World) -> None:
    async def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with server(reset) as address:
        assert "its sshd is busy (MaxStartups)" in await lost(home, address, deadlines=QUICK)


async def test_a_host_without_sessions(home: World, ssh_hosts: MakeHosts) -> None:
    ssh_hosts(1, sshd=["MaxSessions 0"])
    assert "vm1 gave us no session" in await lost(home)


async def test_a_login_shell_that_runs_nothing(home: World, ssh_host: LoopbackHost) -> None:
    key = ssh_host.identity.with_name("id_operator.pub").read_text()
    (ssh_host.directory / "authorized_keys").write_text(f'command="echo Only git here. >&2; exit 3" {key}')
    assert "it ended with exit status 3 and said: Only git here." in await refused(home)


async def test_a_host_that_is_off_the_net_and_one_that_falls_off(
    home: World, vms: Callable[..., NamespaceLab], tmp_path: Path
) -> None:
    host = vms(1)["vm1"]
    quick = Deadlines(connect=1.0, login=0.5, keepalive=0.2, close=0.2)
    channel = await reached(dialler(home, code=ECHO, deadlines=Deadlines(keepalive=0.2, close=0.2)))
    host.cut()
    data, end = await read_to_end(channel)
    await channel.close()
    assert (data, type(end)) == (b"", LinkLost)
    assert "does not answer within 1 s" in await lost(home, deadlines=quick)
    host.link(clear=True)
    await (await reached(dialler(home, code=ECHO))).close()


# -- the link breaks


async def test_a_broken_link_is_lost_and_never_an_outcome(home: World, ssh_host: Host) -> None:
    channel = await reached(dialler(home, code=ECHO))
    ssh_host.kill_connections()
    data, end = await read_to_end(channel)
    assert (data, type(end)) == (b"", LinkLost)
    assert str(end).startswith("the link to vm1 broke")
    with pytest.raises(LinkLost):
        await channel.send(b"x" * 3_000_000)
    await channel.close()


async def test_a_node_that_ends_is_told_from_a_broken_link(home: World, ssh_host: Host) -> None:
    channel = await dialler(
        home, code=b"import sys\nprint('last words', flush=True)\nsys.exit('no \\x1b[2J luck')"
    ).dial()
    data, end = await read_to_end(channel)
    await channel.close()
    assert (data, type(end)) == (b"last words\n", Ended)
    assert str(end) == "vm1's node ended with exit status 1: no ␛ luck"


async def test_a_node_that_is_killed(home: World, ssh_host: Host) -> None:
    channel = await dialler(home, code=b"import os\nos.kill(os.getpid(), 9)").dial()
    _, end = await read_to_end(channel)
    await channel.close()
    assert isinstance(end, Ended)
    assert "SIGKILL" in str(end) or "137" in str(end)


async def test_a_host_frozen_in_mid_stream_is_lost(home: World, ssh_host: LoopbackHost) -> None:
    configure(home, "Host *\n  ServerAliveInterval 0")
    deadlines = Deadlines(keepalive=0.2, close=0.2)
    channel = await reached(dialler(home, code=ECHO, deadlines=deadlines))
    ssh_host.freeze()
    try:
        _, end = await read_to_end(channel)
        await channel.close()
    finally:
        ssh_host.thaw()
    assert type(end) is LinkLost


# -- many


async def test_hosts_that_hang_hold_up_no_other(home: World, ssh_host: Host) -> None:
    """More than may log in at once at one sshd, all of one room."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    ways = Ways(time.monotonic)
    async with AsyncExitStack() as stack:
        addresses = [await stack.enter_async_context(server(silent)) for _ in range(LOGINS + 3)]
        hanging = [asyncio.create_task(dialler(home, each, ECHO, ways=ways).dial()) for each in addresses]
        await asyncio.sleep(0)
        await (await reached(dialler(home, code=ECHO, ways=ways))).close()
        assert not any(task.done() for task in hanging)
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)


async def test_a_host_behind_a_jump_host_is_found_when_the_way_there_heals(
    home: World, vms: Callable[..., NamespaceLab]
) -> None:
    """The first attempt hangs at the jump host's kernel; a later one gets through, over the same connection."""
    lab = vms(2)
    configure(home, "Host vm2\n  ProxyJump vm1")
    lab["vm2"].cut()
    dialling = asyncio.create_task(dialler(home, "vm2", ECHO).dial())
    await wait_for_async(lambda: [each for each in lab["vm1"].processes() if "sshd: agent" in each.command])
    lab["vm2"].heal()
    channel = await dialling
    assert await read_until(channel, b"here\n") == b"here\n"
    await channel.close()


# -- a host that talks without end


TINY = b"import os\nos.write(1, b'here\\n')\nwhile True:\n    os.write(%d, b'e')\n"


@pytest.mark.parametrize("stream", [1, 2], ids=["output", "errors"])
async def test_packets_without_number_are_taken_a_few_at_a_time_and_with_pauses(
    home: World, ssh_host: LoopbackHost, monkeypatch: pytest.MonkeyPatch, stream: int
) -> None:
    sizes: list[int] = []
    transports = set[asyncio.Transport]()
    take = asyncssh.SSHClientConnection.data_received

    def noted(self: asyncssh.SSHClientConnection, data: bytes, datatype: int | None = None) -> None:
        sizes.append(len(data))
        transports.add(self._transport)  # type: ignore[arg-type]
        take(self, data, datatype)

    monkeypatch.setattr(asyncssh.SSHClientConnection, "data_received", noted)
    channel = await dialler(home, code=TINY % stream).dial()
    reading = asyncio.create_task(_read_on(channel))
    (transport,) = transports
    try:
        monkeypatch.setattr(tcp, "AT_ONCE", 0.0)  # on a machine with little time for us they never cost much in a row
        await wait_for_async(lambda: not transport.is_reading(), 20, poll=0.001)
        await wait_for_async(transport.is_reading, 20, poll=0.001)
        assert max(sizes) <= 16 * 1024
    finally:
        reading.cancel()
        await channel.close()


async def _read_on(channel: Channel) -> None:
    while True:
        await channel.receive()


HOSTILE = b"\x1b[2J\x1b]0;evil\x07\xe2\x80\xae"


async def endlessly(data: bytes, writer: asyncio.StreamWriter) -> None:
    """Say something for as long as anybody listens."""
    with suppress(ConnectionError):
        while True:
            writer.write(data)
            await writer.drain()


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (b"", HOSTILE + b"x" * 8_000 + b"\r\n"),
        (b"", b"x" * 8_000),
        (b"SSH-2.0-" + HOSTILE + b"\r\n", b""),
        (b"SSH-2.0-a\r\n\0\0\0\x0c\x0a\x14" + b"x" * 10, b""),
        (b"SSH-2.0-a\r\n\0\0\0\x24\x06\1\0\0\0\2\0\0\0\x0d" + HOSTILE + b"\0" * 10, b""),
    ],
    ids=["lines without number", "a line without end", "a version", "half a packet", "a reason to leave"],
)
async def test_what_is_no_sshd_is_given_up_in_plain_words_and_no_config_is_blamed(
    home: World, first: bytes, then: bytes
) -> None:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        if then:
            await endlessly(then, writer)

    async with server(talk) as address:
        sentence = await lost(home, address)
    assert (sentence.isprintable(), "does not speak SSH as it should" in sentence) == (True, True)


async def test_the_banner_of_an_sshd_is_shown_to_nobody(
    home: World, ssh_hosts: MakeHosts, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    banner = home.directory / "banner"
    banner.write_bytes((HOSTILE + b"evil\n") * 10_000)
    (host,) = ssh_hosts(1, sshd=[f"Banner {banner}"])
    assert "evil" in host.ssh("true").stderr, "it has one"
    await (await reached(dialler(home, code=ECHO))).close()
    (host.directory / "authorized_keys").write_text("")
    sentence = await refused(home)
    assert "evil" not in f"{sentence}{caplog.text}{capfd.readouterr()}"


# -- a host that becomes another one


class Far(asyncssh.SSHServerSession[bytes]):
    """A session whose commands really run."""

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self._chan, self._loop = chan, asyncio.get_running_loop()

    def exec_requested(self, command: str) -> bool:
        self._process = subprocess.Popen(command, shell=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        threading.Thread(target=self._say, daemon=True).start()
        return True

    def data_received(self, data: bytes, datatype: int | None) -> None:
        assert self._process.stdin
        self._process.stdin.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        with self._process:
            self._process.kill()

    def _say(self) -> None:
        assert self._process.stdout
        with suppress(ValueError, OSError, RuntimeError):  # the pipe, or the loop, is closed with the connection
            while data := os.read(self._process.stdout.fileno(), 4096):
                self._loop.call_soon_threadsafe(self._write, data)

    def _write(self, data: bytes) -> None:
        with suppress(BrokenPipeError):
            self._chan.write(data)


@pytest.mark.parametrize("changed", [False, True])
async def test_a_host_that_shows_another_key_in_the_middle_of_a_session_is_left(home: World, changed: bool) -> None:
    keys = [asyncssh.generate_private_key("ssh-ed25519") for _ in range(2)]
    connections: list[asyncssh.SSHServerConnection] = []

    class Server(asyncssh.SSHServer):
        def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
            connections.append(conn)

        def begin_auth(self, username: str) -> bool:
            return False

        def session_requested(self) -> Far:
            return Far()

    listening = await asyncssh.listen(
        "127.0.0.1", 0, server_factory=Server, server_host_keys=[keys[0]], encoding=None, rekey_bytes=100_000
    )
    address = f"[127.0.0.1]:{listening.get_port()}"
    (home.room / "known_hosts").write_text(f"{address} {keys[0].export_public_key().decode()}")
    channel = await reached(dialler(home, address.replace("[", "").replace("]", ""), ECHO))
    if changed:
        (connection,) = connections
        connection._server_host_keys[b"ssh-ed25519"] = asyncssh.load_keypairs([keys[1]])[0]
    await channel.send(b"x" * 300_000 + b"end\n")
    data, ended = (await read_until(channel, b"end\n"), None) if not changed else await read_to_end(channel)
    assert (b"end" in data, "Host key is not trusted" in str(ended)) == (not changed, changed)
    await channel.close()
    listening.close()
    await listening.wait_closed()
