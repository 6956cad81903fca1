"""Whatever the system's ssh logs in with, we do: each line here is one that ssh takes, tried on a real sshd."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from controlroom.domain.address import parse_address
from controlroom.engine.hosts.channel import HostKeyUnknown, HostRefuses, LinkLost, LoginDenied
from controlroom.engine.hosts.ssh import SshDialler
from controlroom.engine.hosts.ssh_config import HostConfig, resolve
from controlroom.protocol.ssh_command import find_ssh
from tests.conftest import MakeHosts
from tests.engine.far_end import read_until, tiny
from tests.lab.command import run
from tests.lab.host import Host
from tests.lab.loopback import LoopbackHost
from tests.lab.waiting import wait_for_async
from tests.lab.world import World


def dialler(home: World, address: str = "vm1", **options: object) -> SshDialler:
    return SshDialler("vm1", parse_address(address), home.room / "known_hosts", offers=tiny(), **options)  # type: ignore[arg-type]


async def enters(home: World, address: str = "vm1", **options: object) -> None:
    channel = await dialler(home, address, **options).dial()
    assert await read_until(channel, b"here\n") == b"here\n"
    await channel.close()


async def refusal(home: World, address: str = "vm1", **options: object) -> str:
    with pytest.raises(HostRefuses) as error:
        await dialler(home, address, **options).dial()
    return str(error.value)


async def read(address: str, config: Path | None = None) -> HostConfig:
    ssh = find_ssh()
    assert ssh
    return await resolve(address, parse_address(address), ssh, config)


def configure(home: World, text: str | bytes) -> None:
    """Put lines before all others of ~/.ssh/config."""
    path = home.home / ".ssh" / "config"
    path.write_bytes((text.encode() if isinstance(text, str) else text) + b"\n" + path.read_bytes())


def ssh_enters(host: Host, home: World, name: str = "vm1") -> bool:
    """Whether OpenSSH's own client gets in with the config as it is now."""
    config = home.home / ".ssh" / "config"
    words = ["ssh", "-F", str(config), name, "true"]
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False).returncode == 0


# -- what ssh takes


@pytest.mark.parametrize(
    "lines",
    [
        "Host vm1\n  Port {port} # usual",
        "Host *\n  ConnectTimeout 10s # short",
        "Host *\n  ServerAliveInterval 1m",
        'Match exec "test x = x" host other\n  Port 1',
        "Match all # note",
        b"# caf\xe9\nHost other\n  HostName b\xe9",
        "Host *\n  PubkeyAuthentication unbound",
        "Host=vm1\n  Compression=yes",
        'Host "vm1" other\n\tUser "{user}"',
        "Host *\n  RekeyLimit 1G 1h\n  IPQoS none\n  AddKeysToAgent 1h\n  CanonicalizeHostname no",
        "Host *\n  KexAlgorithms -diffie-hellman-*\n  Ciphers ^aes256-ctr\n  MACs +hmac-sha1",
        "Host *\n  HostKeyAlgorithms +ssh-rsa",
        "Host *\n  PubkeyAcceptedAlgorithms +ssh-rsa\n  CASignatureAlgorithms +ssh-rsa",
        "IgnoreUnknown UseKeychain,Foo*\nUseKeychain yes\nFooBar 1",
        'Host *\n  SetEnv A=1 B="two words"\n  SendEnv LC_* -LC_ALL',
        "Match user {user} !host other\n  ServerAliveCountMax 2",
        "Match final host vm1\n  TCPKeepAlive no",
        "Include ~/.ssh/nothing-there-*",
        "Host *\n  IdentityFile ~/.ssh/id_missing_%h_%r_${{HOME}}",
        "Host *\n  AddressFamily inet\n  BindAddress 127.0.0.1",
        "Host *\n  KbdInteractiveAuthentication no\n  PreferredAuthentications publickey",
    ],
)
async def test_what_ssh_logs_in_with_we_do(home: World, ssh_host: LoopbackHost, lines: str | bytes) -> None:
    configure(home, lines.format(port=ssh_host.port, user=ssh_host.user) if isinstance(lines, str) else lines)
    assert ssh_enters(ssh_host, home), "ssh itself takes it"
    await enters(home)


@pytest.mark.parametrize("jump", ["ssh://{user}@vm1:{port}", "%r@vm1", "{user}@vm1:{port}", "ssh://vm1/"])
async def test_jump_hosts_in_every_form_are_jumped_through(home: World, ssh_hosts: MakeHosts, jump: str) -> None:
    first, second = ssh_hosts(2)
    configure(home, "Host vm2\n  ProxyJump " + jump.format(user=first.user, port=first.port).rstrip("/"))
    channel = await dialler(home, "vm2").dial()
    assert len(first.connections()) >= 1
    assert len(second.connections()) >= 1
    await channel.close()


async def test_a_line_of_jumps_passes_them_in_order_and_only_the_first_has_jumps_of_its_own(
    home: World, ssh_hosts: MakeHosts
) -> None:
    first, second, third = ssh_hosts(3)
    configure(home, "Host vm3\n  ProxyJump vm1,vm2\nHost vm2\n  ProxyJump nowhere.invalid")
    channel = await dialler(home, "vm3").dial()
    assert [bool(host.connections()) for host in (first, second, third)] == [True, True, True]
    await channel.close()


async def test_a_proxy_command_is_run_by_the_shell_with_its_tokens(home: World, ssh_host: LoopbackHost) -> None:
    relay = home.directory / "relay.py"
    relay.write_text(
        "import os, socket, sys, threading\n"
        "far = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
        "def out():\n    while data := far.recv(65536): os.write(1, data)\n"
        "threading.Thread(target=out, daemon=True).start()\n"
        "while data := os.read(0, 65536): far.sendall(data)\n"
    )
    configure(home, f"Host vm1\n  ProxyCommand python3 {relay} %h %p # to %n, 100%%")
    assert ssh_enters(ssh_host, home)
    await enters(home)


async def test_variables_of_the_config_reach_the_session(home: World, ssh_hosts: MakeHosts) -> None:
    ssh_hosts(1, sshd=["AcceptEnv *"])
    configure(home, "Host *\n  SetEnv CR_SET='two words'\n  SendEnv CR_SEN?")
    os.environ["CR_SENT"] = "sent"
    code = b"import os\nprint(os.environ['CR_SET'], os.environ['CR_SENT'], 'end', flush=True)\n"
    try:
        ours = SshDialler("vm1", parse_address("vm1"), home.room / "known_hosts", offers=tiny(code))
        channel = await ours.dial()
        assert await read_until(channel, b"end\n") == b"two words sent end\n"
        await channel.close()
    finally:
        del os.environ["CR_SENT"]


async def test_without_ssh_the_library_reads_the_config(home: World, ssh_host: LoopbackHost) -> None:
    await enters(home, ssh="")
    configure(home, "Host *\n  Port twenty")
    assert "config line 2" in await refusal(home, ssh="")


# -- one broken line


BROKEN = ("Nonsense yes", "Port twenty", "Ciphers none-such", "ConnectTimeout soon", 'IdentityFile "half', "Port")


@pytest.mark.parametrize("line", BROKEN)
async def test_a_broken_line_is_told_of_its_host_and_takes_no_other_along(
    home: World, ssh_host: LoopbackHost, line: str
) -> None:
    configure(home, f"Host other\n  User x\n  {line}")
    assert not ssh_enters(ssh_host, home), "ssh gives up on all of it"
    await enters(home)
    said = await refusal(home, "other")
    assert f"{home.home}/.ssh/config line 3" in said


async def test_a_condition_that_ssh_cannot_read_is_that_of_nobody(home: World, ssh_host: LoopbackHost) -> None:
    configure(home, "Match planet earth\n  Port 1\nMatch\n  Port 2\nHost *\n  ServerAliveInterval 30")
    await enters(home)


async def test_a_broken_line_in_an_included_file_takes_no_other_host_along(home: World, ssh_host: LoopbackHost) -> None:
    folder = home.home / ".ssh" / "config.d"
    folder.mkdir()
    (folder / "a").write_text("Host other\n  Nonsense yes\n")
    (folder / "b").write_text("Host vm1\n  ServerAliveInterval 7\n")
    configure(home, f"Include {folder}/*")
    await enters(home)
    assert f"{folder}/a line 2" in await refusal(home, "other")


async def test_broken_lines_of_every_host_are_told(home: World, ssh_host: LoopbackHost) -> None:
    configure(home, "Host *\n  Nonsense yes")
    assert "config line 2 (Bad configuration option: nonsense)" in await refusal(home)


# -- keys of hosts


@pytest.mark.parametrize(
    "named",
    [
        "~/.ssh/known_hosts.d/%h",
        "~/.ssh/known_hosts.d/%k",
        "${{HOME}}/known-%n",
        '"~/.ssh/two words" ~/none',
        "~/%p-%r",
    ],
)
async def test_a_changed_key_is_refused_wherever_its_file_is_named(
    home: World, ssh_host: LoopbackHost, named: str
) -> None:
    file = named.split(" ~/none")[0].strip('"').format()
    for token, text in {
        "~": str(home.home), "${HOME}": str(home.home), "%h": "127.0.0.1", "%k": "vm1", "%n": "vm1",
        "%p": str(ssh_host.port), "%r": ssh_host.user,
    }.items():  # fmt: skip
        file = file.replace(token, text)
    Path(file).parent.mkdir(exist_ok=True)
    shutil.move(home.home / ".ssh" / "known_hosts", file)
    configure(home, f"Host *\n  UserKnownHostsFile {named.format()}")
    await enters(home)
    ssh_host.change_key()
    said = await refusal(home)
    assert "shows another host key than before" in said
    assert f"{file} line 1" in said


async def test_a_changed_key_is_refused_under_its_alias(home: World, ssh_host: LoopbackHost) -> None:
    known = home.home / ".ssh" / "known_hosts"
    known.write_text("Fleet-One " + known.read_text().split(" ", 1)[1])
    configure(home, "Host *\n  HostKeyAlias Fleet-One")
    assert ssh_enters(ssh_host, home)
    await enters(home)
    ssh_host.change_key()
    assert "shows another host key than before" in await refusal(home)


async def test_a_changed_key_is_refused_where_names_are_hashed(home: World, ssh_host: LoopbackHost) -> None:
    known = home.home / ".ssh" / "known_hosts"
    run("ssh-keygen", "-q", "-H", "-f", known)
    assert "127.0.0.1" not in known.read_text()
    await enters(home)
    ssh_host.change_key()
    assert "shows another host key than before" in await refusal(home)


async def test_a_changed_key_is_refused_where_names_are_written_in_capitals(home: World, ssh_host: Host) -> None:
    known = home.home / ".ssh" / "known_hosts"
    known.write_text(f"[LocalHost]:{ssh_host.port} " + known.read_text().split(" ", 1)[1])
    configure(home, "Host vm1\n  HostName LOCALHOST\n  AddressFamily inet")
    assert ssh_enters(ssh_host, home)
    await enters(home)
    ssh_host.change_key()
    assert "shows another host key than before" in await refusal(home)


async def test_a_key_in_the_second_of_two_files_is_known_and_a_revoked_one_is_refused(
    home: World, ssh_host: Host
) -> None:
    folder = home.home / ".ssh"
    (folder / "empty").write_text("")
    configure(home, "Host *\n  UserKnownHostsFile ~/.ssh/empty ~/.ssh/known_hosts")
    await enters(home)
    kind, key = (folder / "known_hosts").read_text().split()[1:3]
    (folder / "empty").write_text(f"@revoked * {kind} {key}\n")
    assert "revoked" in await refusal(home)


async def test_a_key_of_the_list_of_revoked_ones_is_refused(home: World, ssh_host: Host) -> None:
    folder = home.home / ".ssh"
    (folder / "revoked").write_text(" ".join((folder / "known_hosts").read_text().split()[1:3]) + "\n")
    configure(home, "Host *\n  RevokedHostKeys ~/.ssh/revoked")
    assert not ssh_enters(ssh_host, home)
    assert "revoked" in await refusal(home)
    (folder / "known_hosts").write_text("")
    assert "revoked" in await refusal(home, trusted=[ssh_host.fingerprint])
    (folder / "revoked").unlink()
    assert "RevokedHostKeys" in await refusal(home)


async def test_an_unknown_key_is_a_question_still(home: World, ssh_hosts: MakeHosts) -> None:
    ssh_hosts(1, known=False)
    configure(home, "Host *\n  UserKnownHostsFile ~/.ssh/known_hosts.d/%h\n  StrictHostKeyChecking no")
    with pytest.raises(HostKeyUnknown):
        await dialler(home).dial()


# -- keys of ours


def agent_with(key: Path | None) -> dict[str, str]:
    """Start an ssh agent that holds a key; end it by its SSH_AGENT_PID."""
    started = run("ssh-agent", "-s").stdout
    agent = dict(part.split("=", 1) for part in started.replace("\n", "").split(";") if "=" in part)
    if key:
        give(agent, key)
    return agent


def give(agent: dict[str, str], key: Path) -> None:
    subprocess.run(["ssh-add", "-q", key], env={**os.environ, **agent}, check=True, capture_output=True)


@pytest.mark.parametrize("only", ["yes", "no"])
async def test_a_key_of_the_agent_is_used_and_named_by_its_public_half(
    home: World, ssh_host: LoopbackHost, only: str
) -> None:
    folder = home.home / ".ssh"
    agent = agent_with(folder / "id_operator")
    try:
        (folder / "named.pub").write_text(run("ssh-keygen", "-y", "-f", folder / "id_operator").stdout)
        (folder / "id_operator").rename(folder / "away")
        config = (folder / "config").read_text().replace("IdentityFile", "#IdentityFile")
        (folder / "config").write_text(config)
        sock = agent["SSH_AUTH_SOCK"]
        configure(home, f"Host *\n  IdentityAgent {sock}\n  IdentityFile {folder}/named.pub\n  IdentitiesOnly {only}")
        assert ssh_enters(ssh_host, home)
        await enters(home)
        run("ssh-keygen", "-q", "-N", "", "-t", "ed25519", "-f", folder / "foreign")
        configure(home, f"Host *\n  IdentityAgent {sock}\n  IdentityFile {folder}/foreign.pub\n  IdentitiesOnly yes")
        (folder / "named.pub").unlink()
        with pytest.raises(LoginDenied):
            await dialler(home).dial()
    finally:
        os.kill(int(agent["SSH_AGENT_PID"]), 15)


async def test_the_named_key_comes_first_so_that_a_full_agent_does_not_use_up_the_tries(
    home: World, ssh_hosts: MakeHosts
) -> None:
    (host,) = ssh_hosts(1, sshd=["MaxAuthTries 2"])
    folder = home.home / ".ssh"
    agent = agent_with(None)
    try:
        for number in range(4):
            key = folder / f"other{number}"
            run("ssh-keygen", "-q", "-N", "", "-t", "ed25519", "-f", key)
            give(agent, key)
        give(agent, folder / "id_operator")
        (folder / "id_operator.pub").write_text(run("ssh-keygen", "-y", "-f", folder / "id_operator").stdout)
        configure(home, f"Host *\n  IdentityAgent {agent['SSH_AUTH_SOCK']}\n  IdentitiesOnly no")
        assert ssh_enters(host, home)
        await enters(home)
    finally:
        os.kill(int(agent["SSH_AGENT_PID"]), 15)


async def test_a_certificate_that_the_config_names_lets_us_in(home: World, ssh_host: LoopbackHost) -> None:
    folder, authority = home.home / ".ssh", home.directory / "ca"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", authority)
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "mine")
    run("ssh-keygen", "-q", "-s", authority, "-I", "me", "-n", ssh_host.user, folder / "mine.pub")
    (folder / "mine-cert.pub").rename(folder / f"cert-of-{ssh_host.user}.pub")
    keys = ssh_host.directory / "authorized_keys"
    options = keys.read_text().split(" ssh-ed25519 ", 1)[0]
    keys.write_text(f"cert-authority,{options} {authority.with_suffix('.pub').read_text()}")
    assert not ssh_enters(ssh_host, home)
    configure(home, f"Host *\n  IdentityFile {folder}/mine\n  CertificateFile {folder}/cert-of-%r.pub")
    assert ssh_enters(ssh_host, home)
    await enters(home)


# -- asking ssh is safe


async def test_nothing_that_a_config_names_is_compressed(home: World, ssh_host: LoopbackHost) -> None:
    """A small packet may unpack to a huge one: none is ever agreed on, whatever the config says."""
    configure(home, "Host *\n  Compression yes")
    ssh_host.stop()
    with ssh_host.config.open("a") as config:
        config.write("LogLevel DEBUG2\n")
    ssh_host.start()
    await enters(home)
    said = (ssh_host.directory / "console.log").read_text(errors="replace")
    agreed = [line for line in said.splitlines() if "kex: client->server" in line or "kex: server->client" in line]
    assert agreed
    assert all("compression: none" in line for line in agreed)


async def test_a_condition_that_hangs_is_ended_and_named(home: World, ssh_host: LoopbackHost) -> None:
    mark = home.directory / "begun"
    configure(home, f'Match exec "touch {mark}; exec sleep 611"\n  Port 1')
    asked = asyncio.create_task(_resolved_quickly())
    with pytest.raises(LinkLost, match="Match exec"):
        await asked
    assert mark.exists()
    await wait_for_async(
        lambda: not [each for each in home.processes() if "sleep 611" in each.command], what="it ends with ssh"
    )


async def _resolved_quickly() -> HostConfig:
    ssh = find_ssh()
    assert ssh
    return await resolve("vm1", parse_address("vm1"), ssh, deadline=5.0)  # ssh has begun by then


async def test_the_loop_goes_on_while_ssh_is_asked(home: World, ssh_host: LoopbackHost) -> None:
    begun, go = home.directory / "begun", home.directory / "go"
    configure(home, f'Match exec "touch {begun}; until [ -e {go} ]; do sleep 0.01; done"\n  User x')
    asked = asyncio.create_task(read("vm1"))
    await wait_for_async(begun.exists)
    go.touch()  # ssh waits for it: had the loop waited for ssh, neither would have ended
    assert (await asked).user == "x"


async def test_a_condition_runs_as_often_as_ssh_itself_runs_it(home: World, ssh_host: LoopbackHost) -> None:
    count = home.directory / "count"
    configure(home, f'Match exec "echo x >> {count}"\n  ServerAliveInterval 9')
    assert ssh_enters(ssh_host, home)
    once = count.read_text().count("x")
    await enters(home)
    assert count.read_text().count("x") == 2 * once


@pytest.mark.parametrize("name", ["-oProxyCommand=id", "-F/etc/passwd", "--", "-G"])
def test_a_name_is_never_an_option_of_ssh(name: str) -> None:
    with pytest.raises(ValueError, match="is not an address"):
        parse_address(name)


async def test_a_jump_of_the_config_is_never_an_option_either(home: World, ssh_host: LoopbackHost) -> None:
    configure(home, "Host vm1\n  ProxyJump -oProxyCommand=touch${IFS}/tmp/x@vm1")
    with pytest.raises(HostRefuses):
        await dialler(home).dial()


async def test_addresses_of_the_sixth_version_are_dialled_as_they_are(home: World) -> None:
    (home.home / ".ssh").mkdir(exist_ok=True)
    (home.home / ".ssh" / "config").write_text("Host fd00::2\n  User me\n  IdentityFile ~/.ssh/%h\n")
    found = await read("root@fd00::2")
    assert (found.host, found.user, found.port, list(found.identities)) == ("fd00::2", "root", 22, ["~/.ssh/fd00::2"])
