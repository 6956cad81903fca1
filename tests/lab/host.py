"""One host as a test holds it, whatever it is made of."""

from __future__ import annotations

import signal
import socket
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.lab.options import Machine
from tests.lab.processes import Process
from tests.lab.sshd import HOST_KEY, fingerprint, make_key
from tests.lab.waiting import wait_for

if TYPE_CHECKING:
    from tests.lab.lab import Lab


class Host(ABC):
    """A host with a real sshd, a HOME and a tmux socket folder of its own."""

    def __init__(self, lab: Lab[Any], machine: Machine) -> None:
        self.lab = lab
        self.machine = machine
        self.name = machine.name
        self.user = machine.user
        self.port = machine.port
        self.directory = lab.directory / machine.name
        self.identity = lab.identity
        self.known_hosts = lab.known_hosts
        self.ssh_config = lab.ssh_config

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} {self.target}>"

    @property
    def ip(self) -> str:
        """Its address; one that roams changes it."""
        return self.machine.ip

    @property
    def address(self) -> str:
        """IP:PORT."""
        return f"{self.ip}:{self.port}"

    @property
    def target(self) -> str:
        """USER@IP:PORT, as a person gives it."""
        return f"{self.user}@{self.address}"

    @property
    @abstractmethod
    def home(self) -> Path:
        """The HOME of its user, as this machine sees it."""

    @property
    def fingerprint(self) -> str:
        """The fingerprint of its present host key, SHA256:..."""
        return fingerprint(self.directory / "etc_ssh" / HOST_KEY)

    # -- to be told by what it is made of

    @abstractmethod
    def make(self) -> None:
        """Lay down its files."""

    @abstractmethod
    def launch(self) -> None:
        """Start it without waiting for its sshd."""

    @abstractmethod
    def power_off(self) -> None:
        """Take away its power: nothing is flushed, no process says goodbye. Its disk stays."""

    @abstractmethod
    def stop(self) -> None:
        """End its sshd and all connections to it. What else runs there lives on; connecting is refused."""

    @abstractmethod
    def start(self) -> None:
        """Start its sshd again, at the same port."""

    @abstractmethod
    def kill_connections(self) -> None:
        """Break every connection to it; new ones are welcome."""

    @abstractmethod
    def processes(self) -> list[Process]:
        """Every process that runs there."""

    # -- what all have in common

    def boot(self) -> None:
        """Start it and wait for its sshd."""
        self.launch()
        self.wait_until_up()

    def reboot(self) -> None:
        """Lose power and come back: no process is left, /tmp and /run are empty, the disk is kept."""
        self.power_off()
        self.boot()

    def banner(self) -> bool:
        """Whether its sshd says hello."""
        with suppress(OSError), socket.create_connection((self.ip, self.port), 0.5) as connection:
            return connection.recv(4) == b"SSH-"
        return False

    def wait_until_up(self, deadline: float = 15.0) -> None:
        """Wait for its sshd."""
        wait_for(self.banner, deadline, f"sshd of {self.name}: see {self.directory}/console.log")

    def freeze(self) -> None:
        """Stop every process, as a suspended machine: it takes connections and says nothing."""
        for process in self.processes():
            process.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        for process in self.processes():
            process.signal(signal.SIGCONT)

    def kill_tmux(self) -> int:
        """Kill its tmux servers with SIGKILL; returns how many there were."""
        servers = [process for process in self.processes() if process.name.startswith("tmux: server")]
        for server in servers:
            server.signal(signal.SIGKILL)
        return len(servers)

    def change_key(self) -> str:
        """Give it another host key, as a reinstalled machine has; known_hosts keeps the old one."""
        make_key(self.directory / "etc_ssh" / HOST_KEY, self.name)
        self.stop()
        self.start()
        return self.fingerprint

    def ssh(self, *words: str, timeout: float = 30.0, watcher: bool = False) -> subprocess.CompletedProcess[str]:
        """OpenSSH's own `ssh` to this host."""
        name = f"{self.name}-ro" if watcher else self.name
        return subprocess.run(
            ["ssh", "-F", str(self.ssh_config), name, *words],
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            capture_output=True,
            timeout=timeout,
        )

    @contextmanager
    def logged_in(self) -> Iterator[subprocess.Popen[bytes]]:
        """OpenSSH's own `ssh`, connected to this host until something breaks that."""
        words = ["ssh", "-F", str(self.ssh_config), self.name, "echo in; cat"]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
            assert client.stdout is not None
            assert client.stdout.readline() == b"in\n"
            yield client

    def run(self, command: str, timeout: float = 30.0) -> str:
        """What a shell command prints there, over ssh; AssertionError if it does not exit 0."""
        done = self.ssh(command, timeout=timeout)
        assert done.returncode == 0, f"{self.name}: {command!r}: exit {done.returncode}: {done.stderr or done.stdout}"
        return done.stdout
