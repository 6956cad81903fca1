"""Starting an engine in the background, as a tmux client starts its server.

The engine is told a descriptor to report on: `ready` once it listens, `taken` when another one runs, else the sentence
why it cannot start, which the front end then shows as it is.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from controlroom.protocol.home import Home, HomeProblem
from controlroom.protocol.lock import show_start
from controlroom.protocol.start import READY, REPORT, STARTING, TAKEN

PATIENCE = 20.0
"""Seconds for an engine to start."""

_SHELL_ONLY = ("TMUX", "TMUX_PANE", "STY", "WINDOW", "COLUMNS", "LINES", "OLDPWD", "PWD")
_NESTED = ("CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT", "CLAUDE_CODE_SSE_PORT")


class NotStarted(Exception):
    """The engine did not start; the text is a sentence for people."""


async def launch(home: Home, environ: Mapping[str, str]) -> bool:
    """Start an engine; True when it listens, False when another one runs. Raises `NotStarted`."""
    try:
        home.prepare()
    except HomeProblem as problem:
        raise NotStarted(str(problem)) from None
    ours, theirs = os.pipe()
    try:
        process = await asyncio.to_thread(_spawn, home, environ, theirs)
    except OSError as error:
        os.close(ours)
        where = f"{error.filename}: " if error.filename else ""
        raise NotStarted(f"the engine cannot be started: {where}{error.strerror}") from None
    finally:
        os.close(theirs)
    said = (await _all_of(ours)).decode("utf-8", "replace").strip()
    await asyncio.to_thread(process.wait)
    if said in (READY, TAKEN):
        return said == READY
    raise NotStarted(said or f"the engine ended while it was starting; see {home.log}")


def _spawn(home: Home, environ: Mapping[str, str], report: int) -> "subprocess.Popen[bytes]":
    """Begin `controlroom engine`, which leaves this process at once and goes on by itself."""
    kept = {name: value for name, value in environ.items() if name not in _SHELL_ONLY + _NESTED}
    import controlroom

    start = show_start(home.starting)
    try:
        with open(home.log, "ab", opener=lambda path, flags: os.open(path, flags, 0o600)) as log:
            return subprocess.Popen(
                [sys.executable, "-m", "controlroom", "engine", "--foreground"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**kept, REPORT: str(report), STARTING: str(start)},
                cwd=Path(controlroom.__file__).parent.parent,
                start_new_session=True,
                pass_fds=(report, start),
            )
    finally:
        os.close(start)


async def _all_of(descriptor: int) -> bytes:
    loop = asyncio.get_running_loop()
    stream = asyncio.StreamReader()
    pipe = os.fdopen(descriptor, "rb", buffering=0)
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), pipe)
    try:
        async with asyncio.timeout(PATIENCE):
            return await stream.read()
    except TimeoutError:
        raise NotStarted(f"the engine did not start within {PATIENCE:g} s") from None
    finally:
        transport.close()
