"""A real mosh session: server and client on the loopback, with a way between them that can be made bad."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.lab.terminal import Terminal
from tests.lab.udp import Way

LOCALE = {"LC_ALL": "C.UTF-8", "LANG": "C.UTF-8"}


class MoshSession:
    """A command under mosh-server, seen in a terminal under mosh-client."""

    def __init__(
        self,
        folder: Path,
        command: list[str],
        size: tuple[int, int] = (45, 20),
        *,
        delay: float = 0.0,
        loss: float = 0.0,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        """`delay`: seconds each way."""
        environ = {**(env or os.environ), **LOCALE}
        argv = ["mosh-server", "new", "-i", "127.0.0.1", "-c", "256", "--", *command]
        done = subprocess.run(argv, env=environ, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
        said = done.stdout + done.stderr
        connect = re.search(r"MOSH CONNECT (\d+) (\S+)", said)
        pid = re.search(r"pid = (\d+)", said)
        if not connect or not pid:
            raise AssertionError(f"mosh-server did not start: {said}")
        self._server = int(pid[1])
        self.way = Way(int(connect[1]), delay, loss)
        client = f"MOSH_KEY={connect[2]} mosh-client 127.0.0.1 {self.way.port}"
        line = shlex.join([f"{name}={value}" for name, value in LOCALE.items()])
        self.terminal = Terminal(folder, f"{line} {client}", *size)

    def close(self) -> None:
        """End client, way and server."""
        self.terminal.close()
        self.way.close()
        try:
            os.kill(self._server, signal.SIGTERM)
        except ProcessLookupError:
            return
