"""What only a person knows: asked for when it is needed, kept in memory, and written nowhere."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh
import pytest

from controlroom.domain import intents
from controlroom.domain.address import parse_address
from controlroom.domain.model import LinkState, Question
from controlroom.engine.hosts.channel import HostRefuses, SecretWanted
from controlroom.engine.hosts.secrets import Secrets
from controlroom.engine.hosts.ssh import SshDialler
from controlroom.text.states import Verdict
from tests.end_to_end.room import Room as Verbs
from tests.engine.far_end import tiny
from tests.faults.room import Room, room_of
from tests.lab.host import Host
from tests.lab.processes import everything, read
from tests.lab.waiting import wait_for
from tests.lab.world import World

SESAME = "open sesame 4711"


def lock_key(home: World, passphrase: str = SESAME) -> Path:
    """Return the key that opens the hosts a passphrase."""
    key = home.home / ".ssh" / "id_operator"
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", passphrase, "-f", str(key)], check=True, timeout=60)
    return key


async def asked(room: Room, name: str = "vm1") -> Question:
    host = await room.link(name, LinkState.ASKING)
    assert host.question is not None
    assert host.question.kind == "secret"
    return host.question


async def say(room: Room, question: Question, secret: str, verdict: str = "allow") -> None:
    outcome = await room.client.submit(intents.AnswerQuestion("vm1", question.id, Verdict(verdict), secret))
    assert outcome.ok, outcome.reason


def places_of(secret: str, home: World) -> list[str]:
    """Where a secret stands that should stand nowhere: files of the world, command lines and environments."""
    needle = secret.encode()
    files = [str(path) for path in home.directory.rglob("*") if path.is_file() and needle in path.read_bytes()]
    ours = [process for process in everything() if process.pid != os.getpid()]
    return files + [
        f"{process.pid} {entry}"
        for process in ours
        for entry in ("cmdline", "environ")
        if needle in read(process.pid, entry)
    ]


async def test_a_passphrase_is_asked_for_kept_in_memory_and_written_nowhere(home: World, ssh_host: Host) -> None:
    lock_key(home)
    async with room_of([ssh_host], up=False) as room:
        first = await asked(room)
        assert "id_operator" in first.title
        await say(room, first, "something else")
        again = await asked(room)
        await room.until(lambda: "not accepted" in (room.host("vm1").question or first).text, 20)
        again = await asked(room)
        assert again.id != first.id
        late = await room.client.submit(intents.AnswerQuestion("vm1", first.id, Verdict.ALLOW, SESAME))
        assert late.outcome == "refused", "an answer is for the question that was shown"
        await say(room, again, SESAME)
        await room.up()
        ssh_host.kill_connections()
        since = room.host("vm1").since
        await room.until(lambda: room.host("vm1").since > since, 20)
        await room.up()
        assert places_of(SESAME, home) == []
        await room.kill_engine()
        await room.connect()
        question = await asked(room)
        await say(room, question, "", "deny")
        refused = await room.link("vm1", LinkState.REFUSED)
        assert "was not told" in refused.reason


@pytest.fixture
def ssh_agent(home: World, ssh_host: Host, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """An ssh agent that holds the key that opens the host; the key's file has a passphrase."""
    key, socket, ask = lock_key(home), home.directory / "agent", home.directory / "ask"
    shutil.copy(f"{ssh_host.identity}.pub", f"{key}.pub")  # by it the agent's key is known
    config = home.home / ".ssh" / "config"
    config.write_text(config.read_text().replace("IdentityAgent none", ""))
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    ask.write_text(f"#!/bin/sh\necho '{SESAME}'\n")
    ask.chmod(0o700)
    try:
        wait_for(socket.exists, 10)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        environ = {**os.environ, "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": "x"}
        subprocess.run(["ssh-add", "-q", str(key)], env=environ, check=True, timeout=60, stdin=subprocess.DEVNULL)
        ask.unlink()
        yield agent
    finally:
        agent.kill()
        agent.wait(60)


async def test_an_agent_that_is_gone_after_a_logout_leaves_a_question(
    home: World, ssh_host: Host, ssh_agent: subprocess.Popen[bytes]
) -> None:
    async with room_of([ssh_host]) as room:
        ssh_agent.kill()
        ssh_host.kill_connections()
        question = await asked(room)
        assert "no ssh agent holds it (any more)" in question.text
        verbs = Verbs()
        status = await asyncio.to_thread(verbs.run, "status")
        assert "controlroom host answer vm1 --secret" in status
        assert "allow" not in status
        assert "--secret" in await asyncio.to_thread(verbs.run, "host", "answer", "vm1", "allow", expect=2)
        said = await asyncio.to_thread(verbs.run, "host", "answer", "vm1", "--secret", stdin=f"{SESAME}\n")
        assert SESAME not in said
        await room.up()
    assert places_of(SESAME, home) == []


Challenge = tuple[str, str, str, list[tuple[str, bool]]]


class Curious(asyncssh.SSHServer):
    """Lets nobody in by key: it asks for a password and for a new code each time."""

    codes: list[str]
    password = "hunter2"

    def __init__(self) -> None:
        self._left = [("Password: ", self.password), ("Verification code: ", self.codes[0])]

    def public_key_auth_supported(self) -> bool:
        return False

    def kbdint_auth_supported(self) -> bool:
        return True

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> Challenge:
        return "", "\x1b]0;title\x07Hello", "", [(self._left[0][0], False)]

    def validate_kbdint_response(self, username: str, responses: Sequence[str]) -> bool | Challenge:
        if list(responses) != [self._left[0][1]]:
            return False
        self._left.pop(0)
        if self._left:
            return self.get_kbdint_challenge(username, "", "")
        self.codes.pop(0)
        return True


def let_in(process: asyncssh.SSHServerProcess[bytes]) -> None:
    """It is the login that matters here."""
    process.exit(7)


@asynccontextmanager
async def curious(home: World, *codes: str) -> AsyncIterator[str]:
    """Such a server, known to the world's HOME; gives its address."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    factory = type("Asking", (Curious,), {"codes": list(codes)})
    server = await asyncssh.create_server(
        factory, "127.0.0.1", 0, server_host_keys=[key], process_factory=let_in, encoding=None
    )
    port = server.sockets[0].getsockname()[1]
    (home.home / ".ssh").mkdir(mode=0o700, exist_ok=True)
    line = key.export_public_key().decode()
    (home.home / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{port} {line}")
    try:
        yield f"ann@127.0.0.1:{port}"
    finally:
        server.close()
        await server.wait_closed()


async def test_passwords_last_and_codes_are_good_for_once(home: World) -> None:
    secrets = Secrets()

    async def wanted(address: str) -> SecretWanted:
        with pytest.raises(SecretWanted) as error:
            await dialler(address).dial()
        return error.value

    def dialler(address: str) -> SshDialler:
        return SshDialler("vm1", parse_address(address), home.room / "known_hosts", offers=tiny(b""), secrets=secrets)

    async def enters(address: str) -> None:
        with pytest.raises(HostRefuses, match="exit status 7"):
            await dialler(address).dial()

    async with curious(home, "111", "222") as address:
        first = await wanted(address)
        assert "Password:" in first.title
        assert "\x1b" not in first.text
        secrets.keep(first.key, "wrong")
        again = await wanted(address)
        assert (again.key, again.text.startswith("What was said before was not accepted.")) == (first.key, True)
        secrets.keep(again.key, Curious.password)
        code = await wanted(address)
        assert "Verification code:" in code.title
        secrets.keep(code.key, "111")
        await enters(address)
        second = await wanted(address)
        assert (second.key, "not accepted" in second.text) == (code.key, False), "the password is kept, the code is not"
        secrets.keep(second.key, "222")
        await enters(address)
    assert "hunter2" not in repr(secrets)
