"""Hosts that are sshds on 127.0.0.1: no rights needed, works wherever sshd is installed."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
from contextlib import suppress
from pathlib import Path

from tests.lab import bundle
from tests.lab.host import Host
from tests.lab.lab import Lab
from tests.lab.machine import free_port
from tests.lab.options import Machine
from tests.lab.processes import Process, belonging_to, children_of, end_all, everything, look, sweep
from tests.lab.sshd import GO_HOME, HOST_KEY, loopback_config, make_key, public_file, sshd_program
from tests.lab.waiting import wait_for

PRIVILEGE_SEPARATION = Path("/run/sshd")  # made by the service at boot; a container never booted


class LoopbackHost(Host):
    """An sshd on 127.0.0.1 whose sessions get a HOME and a tmux folder of their own."""

    @property
    def home(self) -> Path:
        return self.directory / "home"

    @property
    def config(self) -> Path:
        return self.directory / "etc_ssh" / "sshd_config"

    def make(self) -> None:
        for folder in (self.directory / "etc_ssh", self.home, self.directory / "run"):
            folder.mkdir(mode=0o700, parents=True)
        make_key(self.directory / "etc_ssh" / HOST_KEY, self.name)
        operator, watcher = (public_file(self.lab.directory / f"id_{key}") for key in ("operator", "watcher"))
        (self.directory / "authorized_keys").write_text(
            f'command="{GO_HOME}" {operator.read_text()}'
            f'restrict,command="{self.lab.options.watch_command}" {watcher.read_text()}'
        )
        self.write_config()
        if self.lab.options.held:
            bundle.hold(self.home)

    def write_config(self) -> None:
        self.config.write_text(loopback_config(self.machine, self.directory, self.home, self.lab.options.sshd))

    def launch(self) -> None:
        if os.getuid() == 0:
            PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
        command = [sshd_program() or "sshd", "-D", "-e", "-f", str(self.config)]
        child = self.lab.spawn(command, self.directory / "console.log")
        (self.directory / "sshd.pid").write_text(str(child.pid))

    def banner(self) -> bool:
        return self.listener() is not None and super().banner()

    def listener(self) -> Process | None:
        """Its sshd that waits for connections."""
        with suppress(OSError, ValueError):
            pid = int((self.directory / "sshd.pid").read_text())
            process = look(pid)
            return process if process and str(self.config) in process.command else None
        return None

    def connections(self) -> list[Process]:
        """The processes of its sshd that hold a connection: a monitor each, some with a child."""
        listener = self.listener()
        if listener is None:
            return []
        servers = [process for process in everything() if process.name.startswith("sshd")]
        monitors = [process for process in servers if process.parent == listener.pid]
        return [*monitors, *children_of(monitors, servers)]

    def kill_connections(self) -> None:
        end_all(self.connections)

    def stop(self) -> None:
        listener = self.listener()
        if listener is None:
            return
        listener.signal(signal.SIGSTOP)  # so that nobody new gets in meanwhile
        self.kill_connections()
        listener.signal(signal.SIGKILL)
        wait_for(lambda: self.listener() is None, 10, f"the end of {self.name}'s sshd")

    def start(self) -> None:
        self.boot()

    def power_off(self) -> None:
        sweep(self.directory, self.lab.made)
        run = self.directory / "run"
        shutil.rmtree(run, ignore_errors=True)
        run.mkdir(mode=0o700, parents=True)

    def processes(self) -> list[Process]:
        return belonging_to(self.directory, self.lab.made)


class LoopbackLab(Lab[LoopbackHost]):
    """Several such hosts."""

    mode = "loopback"

    def make_hosts(self) -> list[LoopbackHost]:
        return [LoopbackHost(self, machine) for machine in self.record.machines]

    def plan(self, count: int) -> None:
        user = pwd.getpwuid(os.getuid()).pw_name
        taken: set[int] = set()
        for number in range(1, count + 1):
            port = free_port(taken)
            taken.add(port)
            name = f"{self.options.prefix}{number}"
            self.record.machines.append(Machine(name, "vm", number, "127.0.0.1", port, user))

    def lay_network(self) -> None:
        """The loopback interface is there."""

    def remove_network(self) -> None:
        """And stays."""
