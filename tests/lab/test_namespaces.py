"""Hosts in namespaces: every fault is switched on, seen, and switched off."""

from __future__ import annotations

import subprocess
import time

import pytest

from tests.conftest import MakeLab
from tests.lab.command import run
from tests.lab.waiting import wait_for


def test_hosts_are_machines_of_their_own(vms: MakeLab) -> None:
    lab = vms(2, operators=1)
    one, two = lab["vm1"], lab["vm2"]
    assert one.run("hostname; id -un; echo $HOME; pwd").split() == ["vm1", "agent", "/home/agent", "/home/agent"]
    ids = "cat /etc/machine-id /proc/sys/kernel/random/boot_id; ls -A /tmp | wc -l"
    assert set(one.run(ids).split()) & set(two.run(ids).split()) == {"0"}
    one.run("tmux new -d -s a 'sleep 999'")
    assert two.ssh("tmux ls").returncode == 1
    there = lab["op1"].execute("ssh", "vm2", "hostname")
    assert (there.stdout, there.stderr) == ("vm2\n", "")
    assert one.ssh("id", watcher=True).returncode == 1
    lab["op1"].roam(lab.options.net.replace("0/24", "99"))
    assert lab["op1"].execute("ssh", "vm1", "echo $SSH_CLIENT").stdout.startswith(lab["op1"].ip)


def test_the_cable(vms: MakeLab) -> None:
    host = vms(1)["vm1"]
    host.link(delay=5, jitter=2, loss=5, dup=20, reorder=10)
    assert host.run("seq 200 | tail -1", timeout=60) == "200\n"
    counts = host.lab.ask(op="stats")["vm1"]
    assert counts["up"] > 0
    assert counts["dup"] > 0
    host.cut()
    with pytest.raises(subprocess.TimeoutExpired):
        host.ssh("true", timeout=2)
    assert host.lab.ask(op="stats")["vm1"]["cut"] > 0
    host.heal()
    assert host.run("echo hi") == "hi\n"


def test_connections_power_and_sleep(vms: MakeLab) -> None:
    host = vms(1)["vm1"]
    host.run("echo kept > f; sync; tmux new -d -s b 'sleep 999'")
    with host.logged_in() as client:
        host.kill_connections()
        assert client.wait(60) == 255
    host.stop()
    assert "refused" in host.ssh("true").stderr
    host.start()
    host.freeze()
    assert not host.banner()
    host.thaw()
    boot = host.run("cat /proc/sys/kernel/random/boot_id; cat f; tmux ls")
    host.reboot()
    again = host.run("cat /proc/sys/kernel/random/boot_id; cat f; tmux ls 2>&1 | grep -c '^b' || true").split()
    assert again[0] not in boot
    assert again[1:] == ["kept", "0"]
    host.power_off(hard=False)
    assert not host.banner()


def test_disk_clock_and_tmux(vms: MakeLab) -> None:
    host = vms(1, disk=24, faketime=True)["vm1"]
    host.fill()
    assert "No space left" in host.ssh("echo x > g").stderr
    host.unfill()
    assert host.run("echo x > g; cat g") == "x\n"
    host.run("tmux new -d -s a 'sleep 999'")
    assert host.kill_tmux() == 1
    host.skew(-7200)
    assert int(host.run("date +%s")) < time.time() - 7000


def test_nothing_is_left(vms: MakeLab) -> None:
    lab = vms(2, disk=8)
    tag, directory = lab.options.tag, lab.directory
    assert tag in run("ip", "netns", "list").stdout
    lab.down()
    assert not directory.exists()
    wait_for(lambda: tag not in run("ip", "-br", "link").stdout + run("ip", "netns", "list").stdout, 5)
    assert str(directory) not in run("mount").stdout
