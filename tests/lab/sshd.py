"""Keys, and the configuration of a host's sshd and of its clients."""

from __future__ import annotations

import base64
import glob
import hashlib
import os
import pwd
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.lab.command import run
from tests.lab.options import Machine

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
HOST_KEY = "ssh_host_ed25519_key"

# All else stays as sshd ships it (MaxSessions 10, MaxStartups 10:30:100, no ClientAlive): those limits are part of
# what is tested. The first value wins in sshd_config, so a lab's own lines stand before these.
COMMON = (
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "PrintMotd no",
    "UseDNS no",
    "Subsystem sftp internal-sftp",
)

# HOME is the throw-away one, but sshd starts in the account's folder: go home first, as a login there would.
GO_HOME = (
    r"cd; asked=$SSH_ORIGINAL_COMMAND; unset SSH_ORIGINAL_COMMAND OLDPWD; "
    r"if [ -n \"$asked\" ]; then eval \"$asked\"; else exec \"$SHELL\" -l; fi"
)

CLIENT_DEFAULTS = """Host *
  UserKnownHostsFile {known_hosts}
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  IdentitiesOnly yes
  IdentityAgent none
  ForwardAgent no
  BatchMode yes
  ConnectTimeout 5
  ServerAliveInterval 2
  ServerAliveCountMax 3
"""


def sshd_program() -> str | None:
    """The path of sshd; it stands outside an ordinary user's PATH."""
    return shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}")


def make_key(path: Path, comment: str) -> None:
    """A new ed25519 key pair, in place of an older one."""
    for old in (path, public_file(path)):
        old.unlink(missing_ok=True)
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path)


def public_file(path: Path) -> Path:
    return path.with_name(path.name + ".pub")


def fingerprint(key: Path) -> str:
    """The fingerprint of a key as OpenSSH shows it: SHA256:..."""
    blob = base64.b64decode(public_file(key).read_text().split()[1])
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def known_hosts_line(machine: Machine, key: Path) -> str:
    """The line of a known_hosts file for this host."""
    place = machine.ip if machine.port == 22 else f"[{machine.ip}]:{machine.port}"
    return " ".join([place, *public_file(key).read_text().split()[:2]]) + "\n"


def account_is_locked() -> bool:
    """Whether sshd, run as root, would turn our own account away ("account is locked")."""
    try:
        lines = Path("/etc/shadow").read_text().splitlines()
    except OSError:
        return False  # an ordinary user: that sshd cannot look, either
    name = pwd.getpwuid(os.getuid()).pw_name
    return any(line.startswith(f"{name}:!") for line in lines)


def loopback_config(machine: Machine, directory: Path, home: Path, own: Iterable[str]) -> str:
    """The sshd_config of a host that is an sshd on 127.0.0.1 with a HOME and a tmux folder of its own."""
    lines = [
        *own,
        f"ListenAddress {machine.ip}:{machine.port}",
        f"HostKey {directory}/etc_ssh/{HOST_KEY}",
        f"AuthorizedKeysFile {directory}/authorized_keys",
        "StrictModes no",
        "PidFile none",
        f"SetEnv HOME={home} TMUX_TMPDIR={directory}/run LAB_HOST={machine.name}",
        # Only PAM overlooks a locked account; it wants root, which is just when sshd can see the lock.
        f"UsePAM {'yes' if account_is_locked() else 'no'}",
    ]
    return "\n".join([*lines, *COMMON]) + "\n"


def namespace_config(name: str, faketime: bool, own: Iterable[str]) -> str:
    """The sshd_config of a host with a filesystem view of its own."""
    environment = [f"LAB_HOST={name}"]
    if faketime:
        environment += [
            "LD_PRELOAD=/etc/ssh/libfaketime.so.1",
            "FAKETIME_TIMESTAMP_FILE=/etc/ssh/faketimerc",
            "FAKETIME_NO_CACHE=1",
            "FAKETIME_DONT_FAKE_MONOTONIC=1",
        ]
    lines = [
        *own,
        "ListenAddress 0.0.0.0:22",
        f"HostKey /etc/ssh/{HOST_KEY}",
        "AuthorizedKeysFile .ssh/authorized_keys",
        "PermitRootLogin no",
        "PidFile /run/sshd.pid",
        "SetEnv " + " ".join(environment),
        "UsePAM no",
    ]
    return "\n".join([*lines, *COMMON]) + "\n"


def faketime_library() -> str | None:
    """Where Debian's libfaketime is, or None."""
    return next(iter(glob.glob("/usr/lib/*/faketime/libfaketime.so.1")), None)


def client_config(machines: Sequence[Machine], folder: str, known_hosts: str) -> str:
    """An ssh_config with NAME and NAME-ro (the watcher's key) for every host, and their bare addresses."""
    parts = []
    for machine in machines:
        for name, key in ((machine.name, "operator"), (f"{machine.name}-ro", "watcher")):
            user = machine.user if key == "operator" or machine.port != 22 else "watcher"
            parts.append(
                f"Host {name}\n  HostName {machine.ip}\n  Port {machine.port}\n  User {user}\n"
                f"  IdentityFile {folder}/id_{key}\n"
            )
    addresses = " ".join(sorted({machine.ip for machine in machines}))
    parts.append(f"Host {addresses}\n  IdentityFile {folder}/id_operator\n")
    return "\n".join([*parts, CLIENT_DEFAULTS.format(known_hosts=known_hosts)])
