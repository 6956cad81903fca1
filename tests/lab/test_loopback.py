"""Hosts on 127.0.0.1: apart from each other, reachable by name, stopped and started at will."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import asyncssh
import pytest

from tests.conftest import MakeHosts
from tests.lab.command import ROOT
from tests.lab.host import Host
from tests.lab.machine import no_loopback_lab
from tests.lab.waiting import wait_for
from tests.lab.world import World


def test_two_hosts_share_neither_home_nor_tmux(ssh_hosts: MakeHosts) -> None:
    one, two = ssh_hosts(2)
    one.run("echo mine > note; tmux new -d -s a 'sleep 999'")
    assert one.run("pwd; echo $HOME").split() == [str(one.home)] * 2
    assert (one.home / "note").read_text() == "mine\n"
    assert one.run("tmux ls").startswith("a:")
    assert two.ssh("tmux ls").returncode == 1
    assert two.ssh("cat note").returncode == 1


def test_the_shell_reads_bashrc_and_a_terminal_gets_a_login_shell(ssh_host: Host) -> None:
    (ssh_host.home / ".bashrc").write_text("export FROM_BASHRC=yes\n")
    (ssh_host.home / ".profile").write_text("export FROM_PROFILE=yes\n")
    assert ssh_host.run("echo $FROM_BASHRC,$SSH_ORIGINAL_COMMAND") == "yes,\n"
    shell = subprocess.run(
        ["ssh", "-tt", "-F", str(ssh_host.ssh_config), ssh_host.name],
        input=b"echo =$FROM_PROFILE=; exit\n",
        capture_output=True,
        timeout=60,
    )
    assert b"=yes=" in shell.stdout


async def test_asyncssh_finds_hosts_by_name_and_by_address(ssh_host: Host) -> None:
    for place in ({"host": "vm1"}, {"host": ssh_host.ip, "port": ssh_host.port, "username": ssh_host.user}):
        async with asyncssh.connect(**place) as connection:
            key = connection.get_server_host_key()
            assert key is not None
            assert key.get_fingerprint() == ssh_host.fingerprint
            done = await connection.run("cat; pwd", input="quote ' \" $x\n", encoding="utf-8")
            assert done.stdout == f"quote ' \" $x\n{ssh_host.home}\n"


async def test_unknown_and_changed_keys_are_not_accepted(ssh_hosts: MakeHosts, home: World) -> None:
    (host,) = ssh_hosts(1, known=False)
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        await asyncssh.connect("vm1")
    host.lab.install(home.home)
    old = host.fingerprint
    async with asyncssh.connect("vm1"):
        pass
    assert host.change_key() != old
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        await asyncssh.connect("vm1")


def test_stop_refuses_and_what_runs_there_lives_on(ssh_host: Host) -> None:
    ssh_host.run("tmux new -d -s a 'sleep 999'")
    with ssh_host.logged_in() as client:
        ssh_host.stop()
        assert client.wait(60) == 255
    assert "refused" in ssh_host.ssh("true").stderr
    ssh_host.start()
    assert ssh_host.run("tmux ls").startswith("a:")


def test_broken_connections_freezing_and_power(ssh_host: Host) -> None:
    ssh_host.run("echo kept > f; tmux new -d -s a 'sleep 999'")
    with ssh_host.logged_in() as client:
        ssh_host.kill_connections()
        assert client.wait(60) == 255
    ssh_host.freeze()
    assert not ssh_host.banner()
    ssh_host.thaw()
    assert ssh_host.kill_tmux() == 1
    ssh_host.run("tmux new -d -s b 'sleep 999'")
    ssh_host.reboot()
    assert ssh_host.run("cat f; tmux ls 2>&1 | grep -c '^b'|| true") == "kept\n0\n"


def test_the_watcher_key_runs_only_its_forced_command(ssh_hosts: MakeHosts) -> None:
    (host,) = ssh_hosts(1, watch_command="echo watching")
    assert host.ssh("id", watcher=True).stdout == "watching\n"


def test_a_host_with_a_longer_name_is_not_taken_for_this_one(ssh_hosts: MakeHosts) -> None:
    hosts = ssh_hosts(10)
    hosts[0].power_off()
    assert hosts[9].run("echo up") == "up\n"


HOLD_A_LAB = """
import sys
from tests.lab.loopback import LoopbackLab
from tests.lab.warden import Warden
lab = LoopbackLab()
Warden().watch(lab.directory)
lab.up(1)
lab["vm1"].run("tmux new -d -s a 'sleep 999'")
print(lab.directory, flush=True)
sys.stdin.read()
"""


def test_a_killed_test_run_leaves_nothing() -> None:
    assert no_loopback_lab() == ""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_A_LAB], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        directory = Path(run.stdout.readline().strip())
        assert re.fullmatch(r"/tmp/lab-\w+", str(directory))
        run.kill()
    wait_for(lambda: not directory.exists(), 20, f"{directory} to go")
