"""What somebody had before Control Room: agents that a script has started in tmux, and a fleet file to try.

The script's agents are on the tmux server that a user has of its own. They are shown as any others that somebody else
started, and can be taken over.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

SESSIONS: Mapping[str, Sequence[str]] = {"crawl-1": ("access", "--seed", "301"), "crawl-2": ("lint", "--seed", "302")}
"""The agents of the script: scenes of kind `command`."""

HINTS = "try-this"
"""The session that says what can be tried."""

FLEET = "fleet.toml"

_SECONDS = 20

_FLEET_FILE = """fleet = "site"

[defaults]
profile = "docs-task"

[templates.page]
text = "Go over the page {{page}}: is what it says still so?"

[[agents]]
name = "editor"
keep = true
text = "Answer what readers ask."

[[agents]]
name = "page"
count = 2
template = "page"
variables = { page = "install" }

[[tasks]]
key = "links"
profile = "audit-task"
text = "Which links are dead?"

[[tasks]]
key = "notes"
after = ["links"]
text = "Say in the release notes which links have changed."
"""

_HINTS = """A script has started these agents, not
Control Room. Choose ~crawl-1, press ~:
it is taken over, with a profile or
without one. Drain this host: h, then d.

In another terminal:
  export CONTROLROOM_HOME={room}
  controlroom adopt 'crawl-*' --profile careful
  controlroom fleet plan {room}/{fleet}
  controlroom fleet apply {room}/{fleet}
  controlroom host drain local
"""


def leave_fleet_file(room: Path) -> None:
    """Leave a file that can be planned and applied."""
    (room / FLEET).write_text(_FLEET_FILE, "utf-8")


def start_script(room: Path, home: Path, environ: Mapping[str, str]) -> None:
    """Leave a script in the home folder, and run it; without its agents the demo has something else to show."""
    logs = home / "agents" / "logs"
    logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    (home / HINTS).write_text(_HINTS.format(room=room, fleet=FLEET), "utf-8")
    lines = ["#!/bin/sh", "# Somebody's own: it knows of no Control Room."]
    for name, words in SESSIONS.items():
        agent = shlex.join([sys.executable, "-m", "controlroom.demo.agent", *words])
        lines.append(_session(name, f"{agent} | tee {shlex.quote(str(logs / name))}.log"))
    lines.append(_session(HINTS, f"cat {shlex.quote(str(home / HINTS))}; exec sleep 100000"))
    script = home / "start.sh"
    script.write_text("\n".join(lines) + "\n", "utf-8")
    outside = {name: value for name, value in environ.items() if name not in ("TMUX", "TMUX_PANE")}
    try:
        subprocess.run(["sh", script], env=outside, cwd=home, check=True, capture_output=True, timeout=_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return


def _session(name: str, command: str) -> str:
    return f"tmux new-session -d -s {name} -x 80 -y 24 -c ~ {shlex.quote(command)}"
