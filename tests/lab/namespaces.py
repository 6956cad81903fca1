"""Hosts that are namespaces (pid, mount, uts, ipc, net) on a bridge, each behind a cable that can be made bad.

Needs root, /dev/net/tun, `ip`, `unshare`, `nsenter`; mkfs.ext4 and a loop device for a disk of its own, `ss` to
reset connections. A power loss sends no FIN and answers no packet, as with a real machine.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
import shutil
import signal
import subprocess
import sys
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.lab import bundle
from tests.lab.accounts import USERS, write_etc
from tests.lab.boot import Boot
from tests.lab.cable import Conditions, Cut
from tests.lab.command import run
from tests.lab.host import Host
from tests.lab.lab import Lab
from tests.lab.machine import free_network, unified_cgroup
from tests.lab.options import Machine
from tests.lab.processes import Process, everything, look
from tests.lab.sshd import HOST_KEY, SYSTEM_PATH, faketime_library, make_key, namespace_config, public_file
from tests.lab.switchboard import ask
from tests.lab.waiting import wait_for

FILLER = ".fill"


class NamespaceHost(Host):
    """A host with a network, a filesystem view, users and a process 1 of its own."""

    lab: NamespaceLab

    @property
    def home(self) -> Path:
        return self.directory / "disk" / "agent"

    @property
    def namespace(self) -> str:
        """The name of its network namespace and of its cgroup."""
        return f"{self.lab.options.tag}-{self.name}"

    @property
    def interface(self) -> str:
        """The outer end of its cable, on the bridge."""
        return f"{self.lab.options.tag}t{self.machine.number}"

    @property
    def cgroup(self) -> Path | None:
        """Its cgroup, where there is version 2."""
        root = unified_cgroup()
        return root / self.namespace if root else None

    def init(self) -> Process | None:
        """Its process 1, or None when it is off."""
        with suppress(OSError, ValueError):
            process = look(int((self.directory / "init.pid").read_text()))
            return process if process and str(self.directory) in process.command else None
        return None

    # -- files

    def make(self) -> None:
        options = self.lab.options
        for name in ("etc", "etc_ssh", "disk"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        if options.disk and self.machine.kind == "vm":
            self.make_disk(options.disk)
        machines = self.lab.record.machines
        write_etc(self.directory / "etc", self.machine, options.hostname or self.name, machines, options.seed)
        make_key(self.directory / "etc_ssh" / HOST_KEY, self.name)
        for user, uid in USERS.items():
            self.make_home(user, uid)
        if options.faketime:
            self.make_faketime()
        config = namespace_config(self.name, options.faketime, options.sshd)
        (self.directory / "etc_ssh" / "sshd_config").write_text(config)

    def make_disk(self, mebibytes: int) -> None:
        """Put a small ext4 behind /home, so that it can be filled."""
        image = self.directory / "disk.img"
        with image.open("wb") as file:
            file.truncate(mebibytes << 20)
        run("mkfs.ext4", "-q", "-F", "-m", "0", image)
        run("mount", "-o", "loop", image, self.directory / "disk")
        shutil.rmtree(self.directory / "disk" / "lost+found", ignore_errors=True)

    def make_home(self, user: str, uid: int) -> None:
        """A home with the key that may log in."""
        lab = self.lab
        operator, watcher = (public_file(key).read_text() for key in (lab.identity, lab.watcher_identity))
        keys = {"agent": operator, "watcher": f'restrict,command="{lab.options.watch_command}" {watcher}'}
        home = self.directory / "disk" / user
        folder = home / ".ssh"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / "authorized_keys").write_text(keys[user])
        (folder / "authorized_keys").chmod(0o600)
        home.chmod(0o750)
        if user == "agent" and self.machine.kind == "vm" and lab.options.held and not lab.options.disk:
            bundle.copy(home)
        self.own(home, uid)

    def own(self, path: Path, uid: int = USERS["agent"]) -> None:
        """Give a path and all below it to a user of the host."""
        for each in (path, *path.rglob("*")):
            os.chown(each, uid, uid, follow_symlinks=False)

    def make_faketime(self) -> None:
        """Put libfaketime where all processes of its sshd preload it."""
        library = faketime_library()
        if library is None:
            raise FileNotFoundError("no libfaketime (Debian: libfaketime)")
        shutil.copy(library, self.directory / "etc_ssh" / "libfaketime.so.1")
        self.skew(0)

    # -- power

    def launch(self) -> None:
        assert self.init() is None, f"{self.name} is running"
        self.plug_in()
        (self.directory / "init.pid").unlink(missing_ok=True)
        (self.directory / "boot_id").write_text(f"{uuid.uuid4()}\n")
        cgroup = self.cgroup
        if cgroup:
            cgroup.mkdir(exist_ok=True)
        options = self.lab.options
        boot = Boot(str(self.directory), options.hostname or self.name, options.share, str(cgroup or ""))
        enter = ["nsenter", f"--net=/run/netns/{self.namespace}"]
        unshare = ["unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child"]
        command = [sys.executable, "-m", "tests.lab.boot", boot.text()]
        self.lab.spawn([*enter, *unshare, *command], self.directory / "console.log")
        wait_for(self.init, 10, f"process 1 of {self.name}: see {self.directory}/console.log")

    def plug_in(self) -> None:
        """A network namespace with eth0 at the end of the cable, and the cable's other end on the bridge."""
        space = self.namespace
        run("ip", "netns", "add", space)
        self.lab.ask(op="add", host=self.name, namespace=space, interface=self.interface)
        number = self.machine.number
        mac = f"02:77:{self.lab.options.seed & 255:02x}:00:{number >> 8:02x}:{number & 255:02x}"
        run("ip", "-n", space, "link", "set", "eth0", "address", mac)
        self.take_address()
        run("ip", "link", "set", self.interface, "master", self.lab.bridge, "up")

    def take_address(self) -> None:
        record = self.lab.record
        run("ip", "-n", self.namespace, "addr", "add", f"{self.ip}/{record.prefix_length}", "dev", "eth0")
        run("ip", "-n", self.namespace, "link", "set", "eth0", "up")
        run("ip", "-n", self.namespace, "route", "replace", "default", "via", record.gateway)

    def power_off(self, hard: bool = True) -> None:
        """Power loss: nothing leaves the cable, nothing is flushed. Not `hard`: all are asked to end first."""
        if hard:
            with suppress(RuntimeError, OSError):
                self.link(cut="both")
        self.thaw()
        if init := self.init():
            init.signal(signal.SIGKILL if hard else signal.SIGTERM)
            wait_for(lambda: self.init() is None, 10, f"{self.name} to stop")
        with suppress(OSError):
            self.lab.ask(op="del", host=self.name)
        run("ip", "netns", "del", self.namespace, check=False)

    def remove(self) -> None:
        """Give back what it has of the machine. It is off."""
        cgroup = self.cgroup
        if cgroup:
            wait_for(lambda: is_removed(cgroup), 10, f"{cgroup} to empty")
        disk = self.directory / "disk"
        if disk.is_mount():
            run("umount", disk, check=False)
            if disk.is_mount():
                run("umount", "--lazy", disk)

    def stop(self) -> None:
        self.tell_init(signal.SIGUSR1)
        wait_for(lambda: not self.banner(), 10, f"sshd of {self.name} to end")
        self.kill_connections()

    def start(self) -> None:
        self.tell_init(signal.SIGUSR2)
        self.wait_until_up()

    def tell_init(self, number: int) -> None:
        init = self.init()
        assert init, f"{self.name} is off"
        init.signal(number)

    def processes(self) -> list[Process]:
        init = self.init()
        if init is None:
            return []
        wanted = os.readlink(f"/proc/{init.pid}/ns/pid")

        def inside(process: Process) -> bool:
            with suppress(OSError):
                return os.readlink(f"/proc/{process.pid}/ns/pid") == wanted
            return False

        return [process for process in everything() if inside(process)]

    # -- faults

    def link(self, direction: str = "both", clear: bool = False, **changes: Any) -> None:
        """Make its cable worse: the fields of `cable.Conditions`, for one direction or both; `clear` first heals it."""
        unknown = set(changes) - set(Conditions.__dataclass_fields__)
        if unknown:
            raise TypeError(f"a cable has no {', '.join(sorted(unknown))}")
        self.lab.ask(op="set", host=self.name, direction=direction, clear=clear, changes=changes)

    def cut(self, which: Cut = "both") -> None:
        """Every packet vanishes in silence: half-open connections."""
        self.link(cut=which)

    def sever(self) -> None:
        """Cut it, and have this machine's ends of its connections notice at once; the host's ends stay half open."""
        self.cut()
        run("ss", "-K", "dst", self.ip)

    def heal(self) -> None:
        """A perfect cable."""
        self.link(clear=True)

    def kill_connections(self) -> None:
        """Reset every TCP connection of it."""
        run("ip", "netns", "exec", self.namespace, "ss", "-K", "state", "established")

    def freeze(self) -> None:
        if (cgroup := self.cgroup) and (cgroup / "cgroup.freeze").exists():
            (cgroup / "cgroup.freeze").write_text("1")
        else:
            super().freeze()

    def thaw(self) -> None:
        if (cgroup := self.cgroup) and (cgroup / "cgroup.freeze").exists():
            (cgroup / "cgroup.freeze").write_text("0")
        else:
            super().thaw()

    def fill(self, leave: int = 0) -> None:
        """Use up its disk but for `leave` bytes; the lab must have been made with `disk`."""
        disk = self.directory / "disk"
        assert self.lab.options.disk, "this would fill the disk of this machine: give the lab a disk of its own"
        room = os.statvfs(disk)
        with suppress(OSError), (disk / FILLER).open("wb", buffering=0) as file:
            with suppress(OSError):
                os.posix_fallocate(file.fileno(), 0, max(1, room.f_bavail * room.f_frsize - leave))
            file.seek(0, os.SEEK_END)
            while not leave:  # the last blocks, until ENOSPC
                file.write(bytes(4096))

    def unfill(self) -> None:
        """Give the disk back."""
        (self.directory / "disk" / FILLER).unlink(missing_ok=True)

    def skew(self, seconds: float) -> None:
        """Set its wall clock off by so much; the lab must have been made with `faketime`."""
        assert self.lab.options.faketime, "give the lab faketime"
        (self.directory / "etc_ssh" / "faketimerc").write_text(f"{float(seconds):+}\n")

    def roam(self, ip: str) -> None:
        """Take another address, as a phone does between networks."""
        run("ip", "-n", self.namespace, "addr", "flush", "dev", "eth0")
        self.machine.ip = ip
        self.take_address()
        self.lab.save()

    # -- inside, without ssh

    def inside(self, user: str = "agent") -> list[str]:
        """The words before a command that run it inside the host; for Popen or a terminal."""
        init = self.init()
        assert init, f"{self.name} is off"
        uid = str({"root": 0, **USERS}[user])
        home = "/root" if user == "root" else f"/home/{user}"
        enter = ["nsenter", "-t", str(init.pid), "-m", "-u", "-i", "-n", "-p", "-r", "-S", uid, "-G", uid, "--wd=/"]
        environment = [f"HOME={home}", f"USER={user}", f"LOGNAME={user}", "SHELL=/bin/bash", "LANG=C.UTF-8"]
        return [*enter, "env", "-i", *environment, "TERM=xterm-256color", f"PATH={SYSTEM_PATH}"]

    def execute(self, *command: str, user: str = "agent", timeout: float = 30) -> subprocess.CompletedProcess[str]:
        """Run a command inside, without ssh."""
        return run(*self.inside(user), *command, check=False, timeout=timeout)


def is_removed(cgroup: Path) -> bool:
    """Remove a cgroup with those below it, unless something still runs in one, or has ended this very moment."""
    for folder in (*sorted(filter(Path.is_dir, cgroup.rglob("*")), reverse=True), cgroup):
        with suppress(OSError):
            folder.rmdir()
    return not cgroup.exists()


class NamespaceLab(Lab[NamespaceHost]):
    """Hosts `vm1`... and operators `op1`... on one bridge."""

    mode = "namespaces"

    @property
    def bridge(self) -> str:
        return f"{self.options.tag}br"

    @property
    def socket(self) -> Path:
        """Where the switchboard listens."""
        return self.directory / "switchboard"

    def ask(self, **request: Any) -> Any:
        """A request to the switchboard: see switchboard.Switchboard."""
        return ask(self.socket, request)

    def make_hosts(self) -> list[NamespaceHost]:
        return [NamespaceHost(self, machine) for machine in self.record.machines]

    def plan(self, count: int) -> None:
        options, record = self.options, self.record
        options.tag = options.tag or f"l{secrets.token_hex(2)}"
        options.net = options.net or free_network()
        network = ipaddress.ip_network(options.net)
        addresses = [str(address) for address in network.hosts()]
        record.gateway, record.prefix_length = addresses[0], network.prefixlen
        for number in range(1, count + 1):
            name = f"{options.prefix}{number}"
            record.machines.append(Machine(name, "vm", number, addresses[number], 22, "agent"))
        for number in range(1, options.operators + 1):
            machine = Machine(f"op{number}", "operator", 200 + number, addresses[-1 - number], 22, "agent")
            record.machines.append(machine)

    def lay_network(self) -> None:
        run("ip", "link", "add", self.bridge, "type", "bridge")
        run("ip", "addr", "add", f"{self.record.gateway}/{self.record.prefix_length}", "dev", self.bridge)
        run("ip", "link", "set", self.bridge, "up")
        command = [sys.executable, "-m", "tests.lab.switchboard", str(self.socket), str(self.options.seed)]
        self.spawn(command, self.directory / "switchboard.log")
        wait_for(self.socket.exists, 10, "the switchboard")

    def remove_network(self) -> None:
        for host in self.hosts:
            host.remove()
        with suppress(OSError, RuntimeError):
            self.ask(op="quit")
        run("ip", "link", "del", self.bridge, check=False)

    def write_clients(self) -> None:
        """Write known_hosts and ssh_config here, and ~/.ssh of every operator."""
        super().write_clients()
        for host in self.hosts:
            if host.machine.kind == "operator":
                self.install(host.home)
                folder = host.home / ".ssh"
                config = self.client_config("~/.ssh", "~/.ssh/known_hosts")
                (folder / "config").write_text(config)
                host.own(folder)
