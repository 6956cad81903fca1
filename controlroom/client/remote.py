"""The engine of a room that lives on another machine: the user's own ssh runs `controlroom bridge` there.

ssh is a program of its own here, so that ~/.ssh/config, the agent and a shared connection (ControlMaster) are what they
are for every other ssh of this user. It may ask on the terminal (a password, a host key) only where a person sits at
one that nothing else draws on; else it runs in batch mode and without a terminal. Imports stay light.
"""

import asyncio
import os
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from typing import IO

from controlroom.client.attach import Attachment, NoAttachment
from controlroom.client.bridge import MARK
from controlroom.client.transport import EngineUnavailable, NoEngine, Stream
from controlroom.domain.address import Address, parse_address
from controlroom.protocol.ssh_command import ALIVE, own_config, target
from controlroom.text.sanitize import redact, sanitize

PATIENCE = 40.0
"""Seconds for ssh to connect and for the bridge to speak, where nobody can be asked anything."""

_NOISE = 64 * 1024
"""Bytes that a login shell may print before the bridge speaks."""

_REST = 60.0
"""Seconds between two attempts that only a person can make succeed: more would look like a break-in."""

_GOODBYE = 0.3
"""Seconds for ssh to end by itself when we leave."""

_SSH_FAILED, _NOT_FOUND, _USAGE, _NO_ENGINE = 255, 127, 2, 3
_PLACES = "$HOME/.local/bin:/usr/local/bin:/opt/homebrew/bin"
"""Where controlroom may lie when the PATH of a plain SSH command is too short to name it."""

OPTIONS = {
    "ForwardAgent": "no", "ForwardX11": "no", "ClearAllForwardings": "yes", "PermitLocalCommand": "no",
    "RemoteCommand": "none", "LogLevel": "ERROR", "ConnectTimeout": "15", **ALIVE,
}  # fmt: skip
"""What ssh is told, whatever its own config says."""


def parsed(place: str) -> Address:
    """Read where an engine is. Raises `EngineUnavailable`."""
    try:
        return parse_address(place)
    except ValueError as problem:
        raise EngineUnavailable(f"the room's home: {problem}") from None


class Away:
    """The engine on another machine. `ask`: ssh may ask on this terminal."""

    def __init__(self, address: Address, *, ask: bool) -> None:
        self._address = address
        self._ask = ask
        self._process: subprocess.Popen[bytes] | None = None
        self._complaints: IO[bytes] | None = None
        self._ahead: socket.socket | None = None

    @property
    def where(self) -> str:
        """As one gives it to ssh."""
        return str(self._address)

    def dial(self, *, start: bool, watching: bool) -> socket.socket:
        """Connect; blocks until the bridge there has spoken. Raises `EngineUnavailable`."""
        asked = ["--read-only"] if watching else [] if start else ["--no-start"]
        ours, theirs = socket.socketpair()
        try:
            self._begin(theirs, ["bridge", *asked])
        finally:
            theirs.close()
        heard = _heard(ours, None if self._ask else time.monotonic() + PATIENCE)
        if heard.endswith(MARK):
            return ours
        ours.close()
        problem = self._verdict()
        if len(heard) >= _NOISE:
            raise EngineUnavailable(f"what answers on {self.where} is no Control Room: try ssh {self.where}", _REST)
        raise problem or EngineUnavailable(f"{self.where} does not answer: try ssh {self.where}")

    def dial_ahead(self, *, watching: bool) -> None:
        """Connect now, while ssh may ask on this terminal; the next `open` has it, those after it ask nothing."""
        self._ahead = self.dial(start=True, watching=watching)
        self._ask = False

    def _begin(self, end: socket.socket, words: Sequence[str]) -> None:
        ssh = ssh_program()
        batch = [] if self._ask else ["-o", "BatchMode=yes"]
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - read when ssh has ended
        try:
            self._process = subprocess.Popen(
                [*ssh, "-T", *batch, *_given(), *target(self._address), remote(words)],
                stdin=end.fileno(),
                stdout=end.fileno(),
                stderr=self._complaints,
                start_new_session=not self._ask,
            )
        except OSError as error:
            raise EngineUnavailable(f"{ssh[0]} cannot be run: {error.strerror}") from None

    async def open(self, end: float, *, start: bool, watching: bool) -> Stream:
        """Start the bridge on the other machine through ssh."""
        connection, self._ahead = self._ahead, None
        if connection is None:
            connection = await self._dial_beside(start, watching)
        return await asyncio.open_connection(sock=connection)

    async def _dial_beside(self, start: bool, watching: bool) -> socket.socket:
        try:
            return await asyncio.to_thread(self.dial, start=start, watching=watching)
        except asyncio.CancelledError:
            if self._process is not None:
                self._process.terminate()
            raise

    async def broken(self) -> EngineUnavailable | None:
        """ssh has ended, or the bridge has."""
        verdict = await asyncio.to_thread(self._verdict)
        return verdict or EngineUnavailable(f"the connection to {self.where} broke")

    async def gone(self) -> None:
        """Nothing: the bridge ends with the engine's socket, and no more can be seen from here."""

    async def left(self) -> None:
        """ssh ends when nobody is at its other end."""
        await asyncio.to_thread(self._verdict, _GOODBYE)

    def stubborn(self) -> str:
        """Return the machine."""
        return f"the engine on {self.where} does not answer: look there with controlroom status"

    def attachment(self, agent: str, *, read_only: bool) -> Attachment:
        """Attach to an agent from there: that machine knows the way to its hosts. Raises `NoAttachment`."""
        try:
            ssh = ssh_program()
        except EngineUnavailable as problem:
            raise NoAttachment(str(problem)) from None
        words = ["attach", agent, *(["--read-only"] if read_only else [])]
        return Attachment(agent, (*ssh, "-tt", *_given(), *target(self._address), remote(words)), read_only)

    # ----------------------------------------------------------------------- what went wrong

    def _verdict(self, patience: float = 2.0) -> EngineUnavailable | None:
        """Wait for ssh's end, or end it; say what went wrong, None when nothing did."""
        process, self._process = self._process, None
        if process is None:
            return None
        try:
            code = process.wait(patience)
        except subprocess.TimeoutExpired:
            process.terminate()
            code = process.wait()
        return _failure(self.where, code, _last_line(self._complaints))


def _failure(where: str, code: int, complaint: str) -> EngineUnavailable | None:
    """Say in a sentence what ssh's exit code and last line mean."""
    if code == _NO_ENGINE:
        return NoEngine(f"{where}: {complaint or 'no engine runs there'}")
    if code == _NOT_FOUND:
        return EngineUnavailable(f"{where} has no controlroom where its shell looks: install it there", _REST)
    if code == _USAGE:
        return EngineUnavailable(f"Control Room on {where} is too old to be reached from elsewhere: update it", _REST)
    if code == 0:
        return None
    low = complaint.lower()
    if "host key verification failed" in low or "host key is known" in low:
        sentence = f"the host key of {where} is not known here, or it has changed: look at it with ssh {where}"
        return EngineUnavailable(sentence, _REST)
    if "permission denied" in low or "too many authentication" in low:
        sentence = (
            f"{where} does not let us in: try ssh {where}; a password or passphrase is asked for at the start only"
        )
        return EngineUnavailable(sentence, _REST)
    if code != _SSH_FAILED:
        return EngineUnavailable(f"{where}: {complaint or f'the bridge ended with {code}'}")
    return EngineUnavailable(f"{where} cannot be reached: {complaint or 'the connection broke'}")


def _last_line(complaints: IO[bytes] | None) -> str:
    """Return the last thing that ssh, or the program there, had to say; hostile bytes, sanitized."""
    if complaints is None:
        return ""
    size = complaints.seek(0, os.SEEK_END)
    complaints.seek(max(0, size - 4096))
    rows = [row.strip() for row in complaints.read().decode("utf-8", "replace").splitlines() if row.strip()]
    complaints.close()
    return redact(sanitize(rows[-1], 300)) if rows else ""


def _heard(connection: socket.socket, deadline: float | None) -> bytes:
    """Read up to the end of the bridge's first line, and no further; or what comes instead of it."""
    noise = b""
    while len(noise) < _NOISE:
        connection.settimeout(None if deadline is None else max(0.01, deadline - time.monotonic()))
        try:
            piece = connection.recv(1)
        except OSError:
            break
        noise += piece
        if not piece or noise.endswith(b"\n" + MARK) or noise == MARK:
            break
    return noise


# --------------------------------------------------------------------------- the command


def ssh_program() -> list[str]:
    """Return the system's ssh and where its config lies. Raises `EngineUnavailable`."""
    path = shutil.which("ssh")
    if path is None:
        raise EngineUnavailable("there is no ssh on this machine, which --home needs: apt-get install openssh-client")
    return [path, *own_config()]


def _given() -> list[str]:
    return [part for name, value in OPTIONS.items() for part in ("-o", f"{name}={value}")]


def remote(words: Sequence[str]) -> str:
    """The command line for the login shell there, which takes it as plain words: no quote or backslash inside."""
    script = f'PATH="$PATH:{_PLACES}";command -v controlroom >/dev/null||exit 127;exec controlroom "$@"'
    return " ".join(["sh", "-c", f"'{script}'", "controlroom", *(shlex.quote(word) for word in words)])
