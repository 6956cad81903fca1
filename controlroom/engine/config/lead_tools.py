"""What the Claude of an agent that leads others is told of its tools: `controlroom mcp` as an MCP server."""

import json
import os
import sys

from controlroom.protocol.home import AT, Home

TOKEN_FILE = "CONTROLROOM_LEAD_TOKEN_FILE"  # noqa: S105 - names a variable
"""Names the file with the token in the environment of `controlroom mcp`: the token itself stands in no argv."""

_PLACE = ("CONTROLROOM_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR")
"""What says where the room is: an agent's environment may say otherwise."""


def lead_tools(home: Home, lead: str) -> str:
    """Return what is given to Claude as --mcp-config; it holds no secret."""
    environ = {name: value for name in _PLACE if (value := os.environ.get(name))}
    environ |= {AT: "local", TOKEN_FILE: str(home.lead_token(lead))}
    server = {"type": "stdio", "command": sys.executable, "args": ["-m", "controlroom", "mcp"], "env": environ}
    return json.dumps({"mcpServers": {"controlroom": server}})
