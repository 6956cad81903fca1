"""The tools of an agent that leads others: how its Claude is told to start what serves them.

Claude Code 2.1.332, observed: `--mcp-config FILE` adds the servers of a file to those of the user and the project, and
asks nobody about them; a tool of theirs is called `mcp__SERVER__TOOL`, and `--allowedTools mcp__SERVER` allows all of a
server. What these tools may do the engine decides, by the token that they speak with.
"""

import os

from controlroom.runner.files import create
from controlroom.runner.folder import MCP
from controlroom.wire.spec import AgentSpec

SERVER = "controlroom"
"""What the server is called in the config."""


def arguments(spec: AgentSpec) -> list[str]:
    """Return what Claude is started with for that; nothing where it leads nobody. Writes mcp.json into this folder."""
    if not spec.mcp:
        return []
    with open(create(MCP), "w", encoding="utf-8") as file:
        file.write(spec.mcp)
    return [f"--mcp-config={os.path.join(os.getcwd(), MCP)}", f"--allowedTools=mcp__{SERVER}"]
