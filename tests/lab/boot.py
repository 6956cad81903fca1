"""Process 1 of a host in a namespace: mounts what is its own, then keeps sshd running and reaps orphans.

SIGTERM: an orderly shutdown. SIGUSR1: no sshd. SIGUSR2: sshd again.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

from tests.lab.accounts import FILES
from tests.lab.command import run
from tests.lab.sshd import SYSTEM_PATH, sshd_program
from tests.lab.syscalls import BIND, PRIVATE, READ_ONLY, RECURSIVE, REMOUNT, mount

GRACE = 2.0  # seconds between TERM and the end of an orderly shutdown
TURN = 0.05  # seconds between two looks at what has ended


@dataclass(frozen=True)
class Boot:
    """What process 1 is told."""

    directory: str
    hostname: str
    share: dict[str, str]  # path outside -> path inside
    cgroup: str = ""  # the folder of its cgroup, empty: none

    def text(self) -> str:
        """As one word of a command line."""
        return json.dumps(asdict(self))


def own_paths(boot: Boot) -> dict[str, Path]:
    """Where in the host's view -> what is put there."""
    folder = Path(boot.directory)
    names = [name for name in FILES if name != "machine-id" or Path("/etc", name).exists()]
    files = {f"/etc/{name}": folder / "etc" / name for name in names}
    return {
        "/etc/ssh": folder / "etc_ssh",
        "/home": folder / "disk",
        **files,
        "/proc/sys/kernel/random/boot_id": folder / "boot_id",
        **{inside: Path(outside) for outside, inside in boot.share.items()},
    }


def bind(descriptor: int, target: str, is_folder: bool) -> None:
    """Put an open path at `target`, which is made if it is not there; the descriptor is closed."""
    place = Path(target)
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        if is_folder:
            place.mkdir()
        else:
            place.touch()
    mount(f"/proc/self/fd/{descriptor}", target, None, BIND | RECURSIVE)
    os.close(descriptor)


def make_view(boot: Boot) -> None:
    """Give this mount namespace its own /proc, /tmp, /run, /home, /etc/ssh and names."""
    mount("none", "/", None, RECURSIVE | PRIVATE)
    mount("proc", "/proc", "proc")
    paths = own_paths(boot)  # opened first: the new /tmp and /run may hide them
    opened = {target: (os.open(source, os.O_PATH), source.is_dir()) for target, source in paths.items()}
    for folder, data in (("/tmp", "mode=1777,size=256m"), ("/run", "mode=755,size=64m")):
        mount("tmpfs", folder, "tmpfs", 0, data)
    Path("/run/sshd").mkdir(mode=0o755)
    for target, (descriptor, is_folder) in opened.items():
        bind(descriptor, target, is_folder)
        if target in boot.share.values():
            mount("none", target, None, BIND | REMOUNT | READ_ONLY)
    socket.sethostname(boot.hostname)
    run("ip", "link", "set", "lo", "up")


def use_console(log: int) -> None:
    """Let nothing of the outside world stay open but the log."""
    null = os.open("/dev/null", os.O_RDONLY)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.closerange(3, 256)


class Init:
    """Process 1."""

    def __init__(self) -> None:
        self.program = sshd_program() or "/usr/sbin/sshd"
        self.sshd = 0
        self.wanted = True
        self.stopping = False
        signal.signal(signal.SIGTERM, self.told)
        signal.signal(signal.SIGUSR1, self.told)
        signal.signal(signal.SIGUSR2, self.told)

    def told(self, number: int, frame: FrameType | None) -> None:
        """A signal from outside."""
        self.stopping = self.stopping or number == signal.SIGTERM
        self.wanted = number == signal.SIGUSR2

    def keep_sshd(self) -> None:
        """Start or end sshd, as wanted."""
        if self.wanted and not self.sshd:
            argv = [self.program, "-D", "-e", "-f", "/etc/ssh/sshd_config"]
            self.sshd = os.posix_spawn(self.program, argv, {"PATH": SYSTEM_PATH, "LANG": "C.UTF-8"}, setsid=True)
        elif not self.wanted and self.sshd:
            os.kill(self.sshd, signal.SIGTERM)

    def reap(self) -> None:
        """Bury what has ended, as process 1 must."""
        with suppress(ChildProcessError):
            while pid := os.waitpid(-1, os.WNOHANG)[0]:
                if pid == self.sshd:
                    self.sshd = 0

    def run(self) -> None:
        """Until told to stop; then ask all to end, and let the kernel kill what is left after a grace."""
        while not self.stopping:
            self.keep_sshd()
            time.sleep(TURN)
            self.reap()
        end = time.monotonic() + GRACE
        with suppress(ProcessLookupError):
            os.kill(-1, signal.SIGTERM)
            while time.monotonic() < end:
                os.kill(-1, 0)
                self.reap()
                time.sleep(TURN)


def main() -> None:
    """Become process 1 of the host described in the one argument."""
    boot = Boot(**json.loads(sys.argv[1]))
    folder = Path(boot.directory)
    if boot.cgroup:
        Path(boot.cgroup, "cgroup.procs").write_text("0")
    (folder / "init.pid").write_text(os.readlink("/proc/self"))  # as outside: /proc is still theirs
    log = os.open(folder / "console.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    make_view(boot)
    use_console(log)
    Init().run()
    os._exit(0)


if __name__ == "__main__":
    main()
