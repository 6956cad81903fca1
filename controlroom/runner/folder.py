"""Where things lie on a host: the state folder, one folder an agent and epoch, and the runner's control socket.

    ~/.local/state/controlroom[/NAMESPACE]/        0700; $XDG_STATE_HOME is honoured
      owner.json                                   room id and epoch of the owner
      prices-MARK.json                             a price sheet that grants go by (metering.prices)
      agents/NAME.EPOCH/                           0700, files 0600
        spec.json       format version, name, epoch and the AgentSpec
        task.md         the task, as it was given
        environ.json    the login shell's environment; the runner reads it once and removes it
        status.json     the truth about the agent (the fields of wire.messages.AgentSeen), replaced atomically
        log.000001 …    segments of records (wire.records)
        grant.json      what it may spend (runner.money.grant_file), when a budget binds it
        usage.jsonl     what each API message used (metering.usage), in the order it was seen
        sessions.jsonl  the sessions of Claude that this is metered from (runner.money.usage_meter)
        status_line.json   what an interactive Claude last told its status line (status_line)
        settings.json   what an interactive Claude is given as --settings
        mcp.json        what the Claude of an agent that leads others is given as --mcp-config
        checkout/       the fresh checkout that its checks run in, while they do (worktree.look)
        edits.jsonl     the files that its Claude has edited with its own tools (runner.claude.edits)
        limits.json     what its plan leaves, as it was told last (wire.usage), replaced atomically
        worktree.json   what came of making its worktree (runner.worktree.prepare)
        setup.log       what the command said that makes it ready, at most 4 MiB
        control.sock    the runner's socket, while it lives
        asked.sock      where an interactive Claude's hook tells permission requests (runner.claude.permission_hook)
      worktrees/NAME.EPOCH/                        0700, a worktree each; they outlive their agents
        worktree.json   what is known of it (runner.worktree.record)
        REPOSITORY/     its files

The control socket speaks JSON lines, one request and one reply a connection (wire.runner).
Runner and node bind and connect by relative path from within the folder: a socket path ends at 107 bytes.
"""

import os

from controlroom.text.names import tmux_socket as tmux_socket

SPEC, TASK, ENVIRON, STATUS, CONTROL = "spec.json", "task.md", "environ.json", "status.json", "control.sock"
USAGE, SESSIONS, GRANT, LIMITS = "usage.jsonl", "sessions.jsonl", "grant.json", "limits.json"
STATUS_LINE, SETTINGS, EDITS = "status_line.json", "settings.json", "edits.jsonl"
OWNER, WORKTREE = "owner.json", "worktree.json"
MCP = "mcp.json"

TAG = "CONTROLROOM_AGENT"
"""Stands in the environment of every process of an agent as `NAMESPACE/NAME.EPOCH`: what a sweep looks for."""

PLACE = "CONTROLROOM_PLACE"
"""Stands beside `TAG` with the agent folder's `place`: another room, or a container, may have an agent of that name."""


def state_folder(environ: "os._Environ[str] | dict[str, str]", namespace: str) -> str:
    """Return the state folder of a namespace ("" is the default one)."""
    home = environ.get("HOME") or os.path.expanduser("~")
    base = environ.get("XDG_STATE_HOME") or os.path.join(home, ".local", "state")
    return os.path.join(base, "controlroom", namespace) if namespace else os.path.join(base, "controlroom")


def agent_folder(state: str, name: str, epoch: int) -> str:
    """Return the folder of one epoch of an agent."""
    return os.path.join(state, "agents", f"{name}.{epoch}")


def prices_file(mark: str) -> str:
    """Name the file in the state folder that holds the price sheet of this mark."""
    return f"prices-{mark}.json"


def tag(namespace: str, name: str, epoch: int) -> str:
    """Return the value of the `TAG` variable of an agent's processes."""
    return f"{namespace or 'default'}/{name}.{epoch}"


def place(folder: str) -> str:
    """Return the value of the `PLACE` variable: which folder on this machine it is, however its path is spelled."""
    try:
        status = os.stat(folder)
    except OSError:
        return "nowhere"
    return f"{status.st_dev:x}-{status.st_ino:x}"


def split_folder(entry: str) -> tuple[str, int] | None:
    """Read `NAME.EPOCH`; None for anything else that lies there."""
    name, dot, epoch = entry.rpartition(".")
    return (name, int(epoch)) if dot and epoch.isdecimal() and len(epoch) < 10 else None
