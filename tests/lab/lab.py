"""A set of hosts: up, down, and what hosts of both kinds share."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Generic, Self, TypeVar

from tests.lab.command import ROOT
from tests.lab.host import Host
from tests.lab.options import Mode, Options, Record
from tests.lab.processes import sweep, ticks
from tests.lab.sshd import HOST_KEY, SYSTEM_PATH, client_config, known_hosts_line, make_key

AnyHost = TypeVar("AnyHost", bound=Host)


class Lab(ABC, Generic[AnyHost]):
    """Hosts with one set of keys in one directory. A context manager: leaving it takes the lab down."""

    mode: ClassVar[Mode]

    def __init__(self, directory: Path | None = None, options: Options | None = None) -> None:
        """A lab in `directory` (a new one in /tmp): the one recorded there, or one to bring `up`."""
        self.made = 0 if directory else ticks()
        self.directory = directory.resolve() if directory else Path(tempfile.mkdtemp(prefix="lab-", dir="/tmp"))
        self.children: list[subprocess.Popen[bytes]] = []
        try:
            self.record = Record.load(self.directory)
        except FileNotFoundError:
            self.record = Record(self.mode, options or Options())
        self.identity = self.directory / "id_operator"
        self.watcher_identity = self.directory / "id_watcher"
        self.known_hosts = self.directory / "known_hosts"
        self.ssh_config = self.directory / "ssh_config"
        self.hosts: list[AnyHost] = self.make_hosts()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.down()

    def __getitem__(self, name: str) -> AnyHost:
        """The host with this name; KeyError names those that exist."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise KeyError(f"no host {name}: there are {', '.join(host.name for host in self.hosts)}")

    @property
    def options(self) -> Options:
        """What it is made of."""
        return self.record.options

    # -- to be told by the kind of lab

    @abstractmethod
    def make_hosts(self) -> list[AnyHost]:
        """The hosts of the record."""

    @abstractmethod
    def plan(self, count: int) -> None:
        """Decide names, addresses and ports, and write them into the record."""

    @abstractmethod
    def lay_network(self) -> None:
        """Make what lies between the hosts."""

    @abstractmethod
    def remove_network(self) -> None:
        """Remove it."""

    # -- life

    def up(self, count: int) -> Self:
        """Build and boot `count` hosts; on any failure everything is taken down again."""
        if (self.directory / "lab.json").exists():
            raise FileExistsError(f"{self.directory} already holds a lab: take it down first")
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o755)
        self.plan(count)
        self.save()
        self.hosts = self.make_hosts()
        try:
            for key in (self.identity, self.watcher_identity):
                make_key(key, key.name)
            self.lay_network()
            for host in self.hosts:
                host.make()
            self.write_clients()
            for host in self.hosts:
                host.launch()
            for host in self.hosts:
                host.wait_until_up()
        except BaseException as error:
            error.add_note(self.console())
            self.down()
            raise
        return self

    def down(self) -> None:
        """Switch everything off and remove the directory; harmless where there is nothing."""
        if not (self.directory / "lab.json").exists():
            return
        for host in self.hosts:
            host.power_off()
        self.remove_network()
        sweep(self.directory, self.made)
        for child in self.children:
            child.wait(60)
        shutil.rmtree(self.directory, ignore_errors=True)

    def save(self) -> None:
        """Write the record."""
        self.record.save(self.directory)

    def write_clients(self) -> None:
        """Write known_hosts and ssh_config for all hosts."""
        lines = [known_hosts_line(h.machine, h.directory / "etc_ssh" / HOST_KEY) for h in self.hosts]
        self.known_hosts.write_text("".join(lines))
        self.ssh_config.write_text(self.client_config(str(self.directory), str(self.known_hosts)))

    def client_config(self, folder: str, known_hosts: str) -> str:
        """An ssh_config for a client that has the keys in `folder`."""
        return client_config(self.record.machines, folder, known_hosts)

    def install(self, home: Path, known: bool = True) -> None:
        """Let a HOME on this machine reach all hosts: ~/.ssh with keys, config, and known_hosts unless not `known`."""
        folder = home / ".ssh"
        folder.mkdir(mode=0o700, exist_ok=True)
        for key in (self.identity, self.watcher_identity):
            shutil.copy(key, folder / key.name)
        hosts = folder / "known_hosts"
        hosts.write_text(self.known_hosts.read_text() if known else "")
        config = folder / "config"
        config.write_text(self.client_config(str(folder), str(hosts)))
        config.chmod(0o600)

    # -- processes

    def spawn(self, argv: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
        """Start a process of the lab: its own session, a clean environment, its stderr at the end of `log`."""
        with log.open("ab") as file:
            child = subprocess.Popen(
                argv,
                cwd=ROOT,
                env={"PATH": SYSTEM_PATH, "LANG": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=file,
                start_new_session=True,
            )
        self.children = [*(running for running in self.children if running.poll() is None), child]
        return child

    def console(self) -> str:
        """The ends of all logs, for a failure."""
        logs = [log for log in sorted(self.directory.rglob("*.log")) if log.stat().st_size]
        return "\n".join(f"--- {log}\n{log.read_text(errors='replace')[-1500:]}" for log in logs)


def open_lab(directory: Path) -> Lab[Host]:
    """The lab recorded in a directory."""
    from tests.lab.loopback import LoopbackLab
    from tests.lab.namespaces import NamespaceLab

    kinds: dict[Mode, type[Lab[Host]]] = {"loopback": LoopbackLab, "namespaces": NamespaceLab}  # type: ignore[dict-item]
    return kinds[Record.load(directory).mode](directory)
