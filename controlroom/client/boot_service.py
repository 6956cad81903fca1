"""Has this machine start the engine by itself, so that it survives logout and reboot.

A systemd user unit with linger where `systemctl --user` answers, else one `@reboot` line of the user's crontab. Both
run `controlroom engine --foreground` for the room that the environment names. Doing it twice changes nothing; other
units and other lines of the crontab are left alone. Units: systemd.service(5), systemd.syntax(7); lines: crontab(5).
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import controlroom
from controlroom.protocol.home import Home, HomeProblem, engine_place

DEADLINE = 20.0
"""Seconds that one call of a service manager may take."""

_ROOM = ("CONTROLROOM_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME")
"""Variables that say where the room is."""

_DAEMONS = ("cron", "crond", "fcron", "busybox-crond", "cronie")

Report = tuple[bool, list[str]]
"""Whether it is so now, and sentences for people: what was done, how to see it, what is still to do."""


class AtBoot:
    """One room's place among what this machine starts."""

    def __init__(self, home: Home, environ: Mapping[str, str]) -> None:
        self._home = home
        """`environ` is what the commands are run with, and where the room's variables are taken from."""
        self._environ = _with_bus(environ)
        self._words = [sys.executable, "-m", "controlroom", "engine", "--foreground"]
        self._folder = str(Path(controlroom.__file__).resolve().parents[1])
        self._room = {name: environ[name] for name in _ROOM if os.path.isabs(environ.get(name, ""))}
        if "CONTROLROOM_HOME" in environ:
            self._room = {"CONTROLROOM_HOME": str(home.state_folder)}
        self.name = f"controlroom-{home.namespace}" if home.namespace else "controlroom"
        """Of the unit, and of the mark in the crontab."""
        config = environ.get("XDG_CONFIG_HOME", "")
        base = Path(config) if os.path.isabs(config) else Path(environ.get("HOME") or Path.home()) / ".config"
        self.unit = base / "systemd" / "user" / f"{self.name}.service"

    # ----------------------------------------------------------------------- what the command line asks

    def how(self) -> str:
        """Return how the engine is started by this machine: `systemd`, `cron` or nothing."""
        if self.unit.exists():
            return "systemd"
        return "cron" if self._our_lines(self._crontab() or b"") else ""

    def install(self) -> Report:
        """Make this machine start the engine. Changes nothing of an engine that runs."""
        try:
            if place := engine_place(self._home, self._environ):
                return False, [f"the engine of this room is on {place}: run this there"]
        except HomeProblem as problem:
            return False, [str(problem)]
        if any("\n" in text for text in (self._folder, *self._words, *self._room.values())):
            return False, ["a path with a line break in its name cannot stand in a unit or a crontab: rename it"]
        if self._systemd_answers():
            return self._install_unit()
        if shutil.which("crontab", path=self._environ.get("PATH")):
            return self._install_line()
        neither = "this machine has neither a systemd that answers its users (systemctl --user) nor cron"
        what = f"{neither}, so nothing was done. Have whatever starts services here run this, as you:"
        return False, [what, f"  {self._command()}"]

    def start(self) -> Report:
        """Start the engine the way it is started at boot. Under cron nothing can: (False, [])."""
        if self.how() != "systemd":
            return False, []
        done = self._run("systemctl", "--user", "restart", self.unit.name)
        if done.returncode:
            return False, [f"systemctl --user restart {self.unit.name} failed: {_said(done)}"]
        return True, []

    def uninstall(self) -> Report:
        """Make this machine start the engine no more. One that runs goes on."""
        says = []
        if self.unit.exists():
            self._run("systemctl", "--user", "disable", self.unit.name)
            self.unit.unlink(missing_ok=True)
            self._run("systemctl", "--user", "daemon-reload")
            says.append(f"took away {self.unit}; linger stays as it is (loginctl disable-linger ends it)")
        table = self._crontab() or b""
        if self._our_lines(table):
            problem = self._write_crontab(self._others(table))
            says.append(problem or "took our @reboot line out of the crontab")
            if problem:
                return False, says
        return True, says or ["this machine did not start the engine: nothing to take away"]

    # ----------------------------------------------------------------------- systemd

    def _systemd_answers(self) -> bool:
        return self._run("systemctl", "--user", "show-environment").returncode == 0

    def unit_text(self) -> str:
        """Write the unit. A crash is mended by a restart; an engine that was stopped, or cannot start, stays so.

        Only the engine's own process is ended with it: this machine's agents were begun by it, and live on.
        """
        room = "".join(f"Environment={_unit_word(f'{name}={value}')}\n" for name, value in self._room.items())
        return (
            "[Unit]\n"
            "Description=Control Room engine: keeps a fleet of agents when nobody is looking\n"
            "StartLimitIntervalSec=300\n"
            "StartLimitBurst=5\n"
            "\n"
            "[Service]\n"
            f"ExecStart={' '.join(_unit_word(word, command=True) for word in self._words)}\n"
            f"WorkingDirectory={self._folder.replace('%', '%%')}\n"
            f"{room}"
            "Restart=on-failure\n"
            "RestartSec=2\n"
            "RestartPreventExitStatus=3\n"
            "KillMode=process\n"
            "\n"
            "[Install]\n"
            "WantedBy=default.target\n"
        )

    def _install_unit(self) -> Report:
        before = self.unit.read_text("utf-8", "replace") if self.unit.exists() else ""
        text = self.unit_text()
        try:
            self.unit.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            self.unit.write_text(text, "utf-8")
        except OSError as error:
            return False, [f"{self.unit} cannot be written: {error.strerror}"]
        says = [f"{'kept' if text == before else 'wrote'} {self.unit}"]
        for words in (("daemon-reload",), ("enable", self.unit.name)):
            done = self._run("systemctl", "--user", *words)
            if done.returncode:
                return False, [*says, f"systemctl --user {' '.join(words)} failed: {_said(done)}"]
        says.append(f"see it with: systemctl --user status {self.unit.name}")
        says.append(self._linger())
        return True, says

    def _linger(self) -> str:
        done = self._run("loginctl", "enable-linger")
        if done.returncode == 0:
            return "linger is on: your services live on after you log out, and start when the machine does"
        user = self._environ.get("USER") or self._environ.get("LOGNAME") or "$USER"
        without = "without it the engine ends when you log out"
        return f"linger could not be switched on ({_said(done)}): {without}; run: sudo loginctl enable-linger {user}"

    # ----------------------------------------------------------------------- cron

    def line(self) -> str:
        """Write the crontab's line; `%` means a line break there unless it is escaped."""
        return f"@reboot {self._command()} >/dev/null 2>&1 # {self.name}".replace("%", r"\%")

    def _command(self) -> str:
        room = "".join(f"{name}={shlex.quote(value)} " for name, value in self._room.items())
        return f"cd {shlex.quote(self._folder)} && {room}exec {shlex.join(self._words)}"

    def _install_line(self) -> Report:
        table = self._crontab()
        if table is None:
            return False, ["the crontab cannot be read: nothing was changed; try crontab -l"]
        ours = self.line().encode()
        if self._our_lines(table) == [ours]:
            says = ["the crontab has the line already"]
        else:
            others = self._others(table)
            gap = b"\n" if others and not others.endswith(b"\n") else b""
            if problem := self._write_crontab(others + gap + ours + b"\n"):
                return False, [problem]
            says = ["wrote one @reboot line into the crontab, and left the others as they are"]
        says.append("see it with: crontab -l")
        if not self._cron_runs():
            says.append("no cron daemon runs here now, and without one nothing is started: sudo service cron start")
        return True, says

    def _crontab(self) -> bytes | None:
        """Read the crontab; empty when there is none, None when it cannot be read."""
        done = self._run("crontab", "-l")
        if done.returncode == 0:
            return done.stdout
        return b"" if done.returncode == 1 and b"no crontab" in done.stderr.lower() else None

    def _our_lines(self, table: bytes) -> list[bytes]:
        return [line for line in table.splitlines() if self._is_ours(line)]

    def _others(self, table: bytes) -> bytes:
        return b"".join(line for line in table.splitlines(keepends=True) if not self._is_ours(line.rstrip(b"\r\n")))

    def _is_ours(self, line: bytes) -> bool:
        return line.startswith(b"@reboot ") and line.endswith(f" # {self.name}".encode())

    def _write_crontab(self, table: bytes) -> str:
        done = self._run("crontab", "-", stdin=table)
        return f"the crontab could not be written: {_said(done)}" if done.returncode else ""

    def _cron_runs(self) -> bool:
        done = self._run("ps", "-A", "-o", "comm=")
        names = {os.path.basename(name.strip()) for name in done.stdout.decode("utf-8", "replace").splitlines()}
        return done.returncode != 0 or bool(names & set(_DAEMONS))

    # ----------------------------------------------------------------------- running

    def _run(self, *words: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        """Run a command to its end; one that is not there or does not end has exit code 127."""
        try:
            return subprocess.run(
                words, input=stdin, capture_output=True, timeout=DEADLINE, env=self._environ, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return subprocess.CompletedProcess(words, 127, b"", str(error).encode())


def _with_bus(environ: Mapping[str, str]) -> dict[str, str]:
    """Add the folder where the user's systemd listens, which a shell without a login session does not name."""
    folder = f"/run/user/{os.getuid()}"
    bus = {} if "XDG_RUNTIME_DIR" in environ or not os.path.isdir(folder) else {"XDG_RUNTIME_DIR": folder}
    return {**environ, **bus}


def _unit_word(word: str, *, command: bool = False) -> str:
    """Quote a word of a unit file; in a command `$` would name a variable."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped.replace("$", "$$") if command else escaped}"'


def _said(done: "subprocess.CompletedProcess[bytes]") -> str:
    text = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
    return " ".join(text.split())[:300] or f"exit {done.returncode}"
