"""Hands this terminal to an agent's tmux session, and takes it back. The engine has no part in it.

The command is made of what the room knows (the host's address, the agent's name, the name of our tmux socket), each
checked again here; nothing that a host said comes near a command line. The way back is the same everywhere: the line at
the bottom names it. For an adopted agent, whose tmux is somebody's own, a second tmux around it has that line and takes
these keys, so that none of them reaches a program.
"""

import contextlib
import os
import re
import shlex
import subprocess
import sys
import termios
from collections.abc import Sequence

from controlroom.domain.address import Address, HostKind, parse_address
from controlroom.domain.model import Agent, Fleet, Host
from controlroom.protocol.home import Home
from controlroom.protocol.ssh_command import ALIVE, own_config, target
from controlroom.text.lazy_dataclass import dataclass
from controlroom.text.names import agent_name_problem, tmux_socket
from controlroom.text.sanitize import redact, sanitize

_CONFIG_SECONDS = 15.0
_SSH_FAILED = 255
_OWN_SERVER = (
    't=$("${SHELL:-sh}" -lc "printenv TMUX_TMPDIR" </dev/null 2>/dev/null|tail -n 1);'
    'test -S "$t/tmux-$(id -u)/default"&&export TMUX_TMPDIR="$t";'
)
"""The user's own tmux server is where the login shell has it, which a plain SSH command does not see."""

_PLACES = "/usr/local/bin:/opt/homebrew/bin:$HOME/.local/bin:/run/current-system/sw/bin:/usr/pkg/bin"
"""Where tmux may lie when the PATH of a plain SSH command is too short to name it."""

# What a program may have left switched on: other letters, margins, reverse video, the other screen, mouse reports,
# bracketed paste, focus reports, application keys; the cursor comes back.
_RESET = (
    "\x1b[!p\x1b(B\x0f\x1b[?5l\x1b[?7h"
    "\x1b[?1047l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?1004l\x1b[?1l\x1b>\x1b[?25h\x1b[0m"
)


_KNOWN_TERM = "infocmp >/dev/null 2>&1||export TERM=xterm-256color;"
"""For a shell: a terminal that the machine has never heard of is taken for what nearly all are like."""


class NoAttachment(Exception):
    """It cannot be attached to; the text is a sentence for people."""


@dataclass(frozen=True)
class Attachment:
    """A command that shows an agent's session on the terminal it is run on."""

    agent: str
    argv: tuple[str, ...]
    read_only: bool
    why_read_only: str = ""
    """Why nothing may be typed, when nobody asked for that."""

    def run(self) -> str:
        """Hand this terminal over, and take it back as it was. Returns what went wrong, in a sentence, or "".

        Blocks until the person leaves, the session ends or the link dies.
        """
        import tempfile  # 5 ms, which every verb would wait for

        before, code = _settings(), 1
        try:
            with tempfile.TemporaryFile() as complaints:
                code = _run(self.argv, complaints.fileno())
                size = complaints.seek(0, os.SEEK_END)
                complaints.seek(max(0, size - 4096))
                complaint = complaints.read().decode("utf-8", "replace")
        except OSError as error:
            return f"{self.argv[0]} cannot be run: {error.strerror}"
        finally:
            _restore(before)
        return self._sentence(code, complaint)

    def _sentence(self, code: int, complaint: str) -> str:
        if code == 0:
            return ""
        rows = [row.strip() for row in complaint.splitlines() if row.strip()]
        if rows:
            return f"{self.agent}: {redact(sanitize(rows[-1], 300))}"
        broke = "the connection broke" if code == _SSH_FAILED else "its tmux session is gone, or took nobody"
        return f"{self.agent}: {broke}: look at its state, then try again"


def attachment(home: Home, fleet: Fleet, agent_id: str, *, role: str, read_only: bool = False) -> Attachment:
    """Return what to run to attach to an agent. May ask ssh for its config. Raises `NoAttachment`.

    It is decided here who may only look: the role `watch`, and everybody on a host that another room owns.
    """
    agent = fleet.agents.get(agent_id)
    host = fleet.hosts.get(agent.host) if agent else None
    if agent is None or host is None:
        raise NoAttachment(f"there is no agent {ascii(agent_id)[:90]}; see controlroom status")
    why = _why_read_only(host, role)
    session = _session(home, agent)
    words = [*session, *(["-r"] if read_only or why else [])]
    tmux = _program("tmux", "apt-get install tmux") if host.kind is HostKind.LOCAL else "tmux"
    if agent.adopted:
        words = [tmux, agent.pane, *_framed([tmux, *words], agent.name, read_only=read_only or bool(why))]
    if host.kind is HostKind.LOCAL:
        script, words = (_IN_FRAME, words) if agent.adopted else ('exec "$@"', [tmux, *words])
        argv = ["env", "-u", "TMUX", "sh", "-c", f"{_KNOWN_TERM}{script}", "controlroom", *words]
    else:
        argv = _over_ssh(home, host, words, ours=not agent.adopted)
    return Attachment(agent.id, tuple(argv), read_only or bool(why), "" if read_only else why)


def _why_read_only(host: Host, role: str) -> str:
    if role == "watch":
        return "a watcher only looks"
    if host.facts and not host.facts.owned:
        return f"{host.name} belongs to another control room"
    return ""


def _session(home: Home, agent: Agent) -> list[str]:
    """Return tmux's words for an agent's session. Raises `NoAttachment`.

    What others started stays as it is: their own server, their own keys.
    """
    if agent.adopted:
        if not re.fullmatch("%[0-9]{1,9}", agent.pane):
            raise NoAttachment(f"{agent.id} is in no tmux session: it is where it was started ({agent.place})")
        return ["-u", "-N", "-L", "default", "attach-session", "-t", agent.pane]
    if problem := agent_name_problem(agent.name):
        raise NoAttachment(problem)
    if agent.has_ended:
        raise NoAttachment(f"{agent.id} has ended ({agent.detail or agent.state}): its terminal is gone")
    if not re.fullmatch("[0-9a-f]{0,64}", home.namespace):
        raise NoAttachment("this room's namespace is no name")
    return ["-u", "-N", "-L", tmux_socket(home.namespace), "attach-session", "-t", f"={agent.name}:"]


_IN_FRAME = (
    'tmux="$1";pane="$2";shift 2;"$tmux" -L default has-session -t "$pane"||exit 1;'
    'exec "$tmux" -u -f /dev/null -L cr-$$ "$@"'
)
"""For a shell: see that a pane of the user's own server is there, then run a tmux of its own around it."""


def _framed(words: Sequence[str], name: str, *, read_only: bool) -> list[str]:
    """Return tmux's words for a server that shows another tmux inside, under a line that says how to leave."""
    leave = "you only look | leave: ` q" if read_only else "leave: ` q or tap here"
    commands = (
        ("start-server",),
        ("set-option", "-sq", "set-clipboard", "on"),
        ("set-option", "-sq", "escape-time", "10"),
        ("set-option", "-gq", "default-terminal", "screen-256color"),
        ("set-option", "-gq", "mouse", "on"),
        ("set-option", "-gq", "prefix", "`"),
        ("set-option", "-gq", "status-left", f"{leave} | {name} "),
        ("set-option", "-gq", "status-left-length", "80"),
        ("set-option", "-gq", "status-right", ""),
        ("set-option", "-gq", "window-status-format", ""),
        ("set-option", "-gq", "window-status-current-format", ""),
        ("unbind-key", "-q", "-a", "-T", "prefix"),
        ("unbind-key", "-q", "-a", "-T", "root"),
        ("bind-key", "-T", "prefix", "q", "detach-client"),
        ("bind-key", "-T", "prefix", "d", "detach-client"),
        ("bind-key", "-T", "prefix", "`", "send-prefix"),
        *(("bind-key", "-T", "root", f"MouseDown1{place}", "detach-client") for place in _STATUS),
        ("bind-key", "-T", "root", "MouseDown1Pane", "send-keys", "-M"),
        ("bind-key", "-T", "root", "WheelUpPane", "send-keys", "-M"),
        ("bind-key", "-T", "root", "WheelDownPane", "send-keys", "-M"),
        ("new-session", "env", "-u", "TMUX", *words),
        ("set-option", "-gq", "destroy-unattached", "on"),
    )
    return [word for command in commands for word in (";", *command)][1:]


_STATUS = ("Status", "StatusDefault", "StatusLeft", "StatusRight")


def _program(name: str, cure: str) -> str:
    import shutil  # as `tempfile`

    path = shutil.which(name)
    if path is None:
        raise NoAttachment(f"there is no {name} on this machine, which attach needs: {cure}")
    return path


def _over_ssh(home: Home, host: Host, words: Sequence[str], *, ours: bool) -> list[str]:
    """The command of the system's ssh: its own connection, no forwarding, host keys as the engine checks them."""
    try:
        address = parse_address(host.address)
    except ValueError as error:
        raise NoAttachment(str(error)) from None
    ssh = [_program("ssh", "apt-get install openssh-client"), *own_config()]
    options = {
        "UserKnownHostsFile": _known_hosts(ssh, address, home),
        "StrictHostKeyChecking": "yes",
        "ForwardAgent": "no", "ForwardX11": "no", "ClearAllForwardings": "yes", "PermitLocalCommand": "no",
        "RemoteCommand": "none", "ControlMaster": "no", "ControlPath": "none", "LogLevel": "ERROR",
        "ConnectTimeout": "15", **ALIVE,
    }  # fmt: skip
    arguments = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    return [*ssh, "-tt", *arguments, *target(address), _remote(words, ours=ours)]


def _known_hosts(ssh: Sequence[str], address: Address, home: Home) -> str:
    """Return the files that ssh would look into, and the room's own one."""
    try:
        done = subprocess.run(
            [*ssh, "-G", *target(address)], stdin=subprocess.DEVNULL, capture_output=True, timeout=_CONFIG_SECONDS,
            check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoAttachment(f"ssh does not say how it would reach {address}: {error}") from None
    if done.returncode:
        reason = sanitize(done.stderr.decode("utf-8", "replace").strip().split("\n")[-1], 300)
        raise NoAttachment(f"ssh cannot use its config for {address}: {reason}")
    rows = [row.partition(" ") for row in done.stdout.decode("utf-8", "replace").splitlines()]
    named = next((value for name, _, value in rows if name == "userknownhostsfile"), "")
    own = str(home.known_hosts).replace("%", "%%")
    return f'"{own}" {named}'.strip()


def _remote(words: Sequence[str], *, ours: bool) -> str:
    """Return the command line for a host's login shell, which takes it as plain words: no quote or backslash inside."""
    script = (
        f'PATH="$PATH:{_PLACES}";{_KNOWN_TERM}'
        "command -v tmux >/dev/null||{ echo there is no tmux on this host: apt-get install tmux >&2;exit 127;};"
        + ('exec tmux "$@"' if ours else _OWN_SERVER + _IN_FRAME)
    )
    return " ".join(["sh", "-c", f"'{script}'", "controlroom", *(shlex.quote(word) for word in words)])


# --------------------------------------------------------------------------- the terminal


def _run(argv: Sequence[str], complaints: int) -> int:
    """Run a command on our terminal until it ends; Ctrl-C is for the command."""
    process = subprocess.Popen(argv, stderr=complaints)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def _settings() -> list[object] | None:
    try:
        attributes: list[object] = termios.tcgetattr(sys.__stdin__.fileno()) if sys.__stdin__ else []
    except (termios.error, OSError, ValueError):
        return None
    return attributes or None


def _restore(settings: list[object] | None) -> None:
    """Give the terminal back its line settings, and switch off what the session has left on.

    However it ended: what was shown came from the host, which may leave a terminal that draws other letters.
    """
    if settings is None or sys.__stdin__ is None or sys.__stdout__ is None:
        return
    with contextlib.suppress(termios.error, OSError, ValueError):
        termios.tcsetattr(sys.__stdin__.fileno(), termios.TCSADRAIN, settings)  # type: ignore[arg-type]
        termios.tcflush(sys.__stdin__.fileno(), termios.TCIFLUSH)
        sys.__stdout__.write(_RESET)
        sys.__stdout__.flush()
