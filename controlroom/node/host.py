"""The machine itself: what `Welcome` says about it once, and what it lacks."""

import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import sys
import time

from controlroom import __version__
from controlroom.node.owner import Owner
from controlroom.wire.messages import TmuxSeen, Welcome

NO_TMUX = "tmux is missing on this host: install it (Debian: apt-get install tmux)"

_TMUX_SECONDS = 3.0
_PLACES = ("/usr/local/bin", "/opt/homebrew/bin", "/usr/bin", "/bin", "/home/linuxbrew/.linuxbrew/bin", "~/.local/bin")
"""Where tmux is looked for when PATH has none: a shell that is not a login shell often lacks these."""


def now() -> int:
    """Return this machine's clock, UTC ms."""
    return time.time_ns() // 1_000_000


def welcome(owner: Owner, tmux: str) -> Welcome:
    """Describe this machine. Quick: nothing is started but `tmux -V`."""
    user, version = pwd.getpwuid(os.geteuid()), ask_tmux(tmux)
    machine = os.uname()
    return Welcome(
        version=__version__,
        hostname=machine.nodename,
        user=user.pw_name,
        home=os.environ.get("HOME") or user.pw_dir,
        platform=f"{machine.sysname.lower()}-{machine.machine}",
        python=".".join(str(part) for part in sys.version_info[:3]),
        machine_id=machine_id(),
        boot_id=boot_id(),
        cores=os.cpu_count() or 1,
        memory_total=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        clock=now(),
        tmux=version.version,
        tmux_problem=version.problem,
        owner=owner.room,
        owner_epoch=owner.epoch,
        place=home_place(),
    )


def boot_id() -> str:
    """Name this run of the machine; another one after a reboot. "" when the system does not say."""
    return _first_line("/proc/sys/kernel/random/boot_id") or _output("/usr/sbin/sysctl", "-n", "kern.bootsessionuuid")


def home_place() -> str:
    """Name this user's home on this run of this machine. "" when the system does not say.

    Not the machine-id: copies of one disk share it, and two users of one machine are two hosts.
    """
    boot = boot_id()
    try:
        home = os.stat(os.path.expanduser("~"))
    except OSError:
        return ""
    words = boot, home.st_dev, home.st_ino, os.environ.get("XDG_STATE_HOME", "")
    return hashlib.sha256(repr(words).encode()).hexdigest()[:24] if boot else ""


def machine_id() -> str:
    """Name this machine for good. "" when the system does not say."""
    return (
        _first_line("/etc/machine-id")
        or _first_line("/var/lib/dbus/machine-id")
        or _output("/usr/sbin/sysctl", "-n", "kern.uuid")
    )


def find_tmux() -> str:
    """Return the path of the tmux program, "" when there is none."""
    return shutil.which("tmux") or shutil.which("tmux", path=os.pathsep.join(map(os.path.expanduser, _PLACES))) or ""


def ask_tmux(program: str) -> TmuxSeen:
    """Ask tmux which version it is, like `3.3a`. That it does not say so once does not mean that it is not there."""
    if not program:
        return TmuxSeen()
    try:
        done = subprocess.run(
            (program, "-V"), capture_output=True, timeout=_TMUX_SECONDS, stdin=subprocess.DEVNULL, check=False
        )
    except subprocess.TimeoutExpired:
        return TmuxSeen(problem=f"{program} -V said nothing within {_TMUX_SECONDS:g} s")
    except OSError as error:
        return TmuxSeen(problem=f"{program} cannot be run: {error.strerror}")
    version = done.stdout.decode("utf-8", "replace").removeprefix("tmux").strip()
    return TmuxSeen(version) if version else TmuxSeen(problem=f"{program} -V ended with {done.returncode}")


def shortcomings(tmux: TmuxSeen) -> list[str]:
    """Return what this host lacks, and what to do about it."""
    lacking = []
    version = re.match(r"(\d+)\.(\d+)(\w?)", tmux.version.removeprefix("next-"))
    if tmux.missing:
        lacking.append(f"{NO_TMUX}. Until then agents can be seen here but not started")
    elif version and (int(version[1]), int(version[2]), version[3]) < (3, 2, "a"):
        lacking.append(f"tmux {version[0]} is too old on this host: agents need 3.2a or newer")
    if importlib.util.find_spec("libtmux") is None:
        lacking.append("libtmux did not arrive with the node: agents can be seen here but not started")
    if importlib.util.find_spec("psutil") is None and not sys.platform.startswith("linux"):
        lacking.append("psutil did not arrive with the node: there are no figures of memory and CPU from this host")
    return lacking


def _first_line(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.readline(200).strip()
    except OSError:
        return ""


def _output(*argv: str) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, timeout=3, stdin=subprocess.DEVNULL, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else ""
