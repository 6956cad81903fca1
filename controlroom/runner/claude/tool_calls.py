"""What Claude's calls of tools may do to files, by the tools' names (Claude Code 2.1.332)."""

from typing import Any

from controlroom.text.json_fields import table, tables, text

_ONLY_LOOK = frozenset(
    {
        "Read", "Glob", "Grep", "LS", "NotebookRead", "WebFetch", "WebSearch", "TodoWrite", "TodoRead", "BashOutput",
        "AskUserQuestion", "EnterPlanMode", "ExitPlanMode", "ToolSearch", "ListMcpResourcesTool",
        "ReadMcpResourceTool", "TaskList", "TaskGet", "TaskCreate", "TaskUpdate", "TaskOutput",
    }
)  # fmt: skip
"""Tools that change no file of a project."""


def may_change(event: dict[str, Any]) -> bool:
    """Return whether an event of a stream or a line of a transcript calls a tool that may change files."""
    if event.get("type") != "assistant":
        return False
    blocks = tables(table(event.get("message")).get("content"))
    return any(block.get("type") == "tool_use" and text(block.get("name"), 200) not in _ONLY_LOOK for block in blocks)
