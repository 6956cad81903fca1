"""An engine on another machine, as its user has it there: a real sshd, a HOME, and controlroom on the shell's PATH."""

from __future__ import annotations

import shlex
import sys

from tests.lab.host import Host

RC = """\
export PATH="$HOME/bin:$PATH"
echo 'a word of the day, printed by .bashrc'
"""


def install(host: Host, program: str = "") -> None:
    """Put controlroom (or another program under its name) where the login shell of a host finds it."""
    folder = host.home / "bin"
    folder.mkdir(exist_ok=True)
    script = folder / "controlroom"
    script.write_text(f'#!/bin/sh\n{program or f"exec {shlex.quote(sys.executable)} -m controlroom"} "$@"\n')
    script.chmod(0o755)
    (host.home / ".bashrc").write_text(RC)
