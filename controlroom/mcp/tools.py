"""The tools of a lead: what each is called, the verb it stands for, what it does in plain words, and what it takes."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from controlroom.domain.leads import LeadVerb
from controlroom.mcp import handlers as do
from controlroom.mcp.session import LeadSession, ToolRefused

Arguments = Mapping[str, Any]
Run = Callable[[LeadSession, Arguments], Awaitable[str]]

LONGEST_TEXT = 100_000
"""Characters of a task or message."""


class Tool(NamedTuple):
    """One tool."""

    name: str
    verb: LeadVerb
    says: str
    takes: Mapping[str, Mapping[str, Any]]
    """By name of an argument: its JSON Schema."""
    needs: tuple[str, ...]
    """The arguments that must be there."""
    run: Run

    @property
    def schema(self) -> dict[str, Any]:
        """What it takes, as JSON Schema."""
        takes = {name: dict(of) for name, of in self.takes.items()}
        return {"type": "object", "properties": takes, "required": list(self.needs), "additionalProperties": False}


def _text(says: str, most: int = 200) -> Mapping[str, Any]:
    return {"type": "string", "description": says, "minLength": 1, "maxLength": most}


def _number(says: str, least: int, most: int) -> Mapping[str, Any]:
    return {"type": "integer", "description": says, "minimum": least, "maximum": most}


_FLAG: Callable[[str], Mapping[str, Any]] = lambda says: {"type": "boolean", "description": says}  # noqa: E731

_AGENT = {"agent": _text("The agent, as HOST/NAME or by its name.")}
_TASK = {"task": _text("The task, as t12.")}

TOOLS: tuple[Tool, ...] = (
    Tool(
        "status",
        LeadVerb.STATUS,
        "Show your rights, how much of your money is left, and your agents: what state each is in, what it asks.",
        {},
        (),
        do.status,
    ),
    Tool(
        "spawn",
        LeadVerb.SPAWN,
        "Start an agent of yours with a task. It works by itself from then on; look at it with status and logs.",
        {
            "name": _text("What it is to be called: a-z 0-9 _ -, at most 41.", 41),
            "task": _text("What it is to do, in full: it knows nothing else.", LONGEST_TEXT),
            "profile": _text("The profile that it is started from; may be left out where you have one only."),
            "host": _text("Where it is to work; may be left out where you have one only."),
        },
        ("name", "task"),
        do.spawn,
    ),
    Tool(
        "send",
        LeadVerb.SEND,
        "Say something to an agent of yours that is at work.",
        {**_AGENT, "text": _text("What is said to it.", LONGEST_TEXT)},
        ("agent", "text"),
        do.send,
    ),
    Tool("kill", LeadVerb.KILL, "End an agent of yours and everything it started.", _AGENT, ("agent",), do.kill),
    Tool(
        "reassign",
        LeadVerb.REASSIGN,
        "Give an agent of yours a new task: what it does now is ended first.",
        {
            **_AGENT,
            "task": _text("What it is to do now.", LONGEST_TEXT),
            "keep_session": _FLAG("Whether it goes on in the same conversation; else it begins anew."),
        },
        ("agent", "task"),
        do.reassign,
    ),
    Tool(
        "retry",
        LeadVerb.RETRY,
        "Do something again: an agent of yours its task, as a new run; or a task of yours that has ended.",
        {**_AGENT, **_TASK},
        (),
        do.retry,
    ),
    Tool(
        "answer",
        LeadVerb.ANSWER,
        "Allow or deny what an agent of yours asks to do; status shows what that is.",
        {
            **_AGENT,
            "verdict": {"type": "string", "enum": ["allow", "deny"], "description": "What is answered."},
            "text": _text("Words with the answer; for a denial: why.", LONGEST_TEXT),
        },
        ("agent", "verdict"),
        do.answer,
    ),
    Tool(
        "task_add",
        LeadVerb.TASK_ADD,
        "Put a task into the queue: an agent is started for it as soon as there is room. Gives its id.",
        {
            "text": _text("What is to be done, in full.", LONGEST_TEXT),
            "profile": _text("The profile of its agent; may be left out where you have one only."),
            "host": _text("Where it must be done; may be left out."),
            "after": {
                "type": "array",
                "items": {"type": "string", "maxLength": 20},
                "maxItems": 50,
                "description": "Tasks of yours that must be done first, as t12.",
            },
        },
        ("text",),
        do.task_add,
    ),
    Tool("task_list", LeadVerb.TASK_LIST, "Show your tasks: how far each is, and why it waits.", {}, (), do.task_list),
    Tool("task_show", LeadVerb.TASK_SHOW, "Show the whole text of a task of yours.", _TASK, ("task",), do.task_show),
    Tool(
        "task_drop",
        LeadVerb.TASK_DROP,
        "Take a task of yours that is not being done out of the queue.",
        _TASK,
        ("task",),
        do.task_drop,
    ),
    Tool(
        "logs",
        LeadVerb.LOGS,
        "Show the last lines of what an agent of yours has said and done.",
        {**_AGENT, "lines": _number("How many lines (default: 60).", 1, 400)},
        ("agent",),
        do.logs,
    ),
    Tool(
        "collect",
        LeadVerb.COLLECT,
        "Show what an agent of yours has done: its answer, its commits, the files that it changed.",
        _AGENT,
        ("agent",),
        do.collect,
    ),
    Tool(
        "diff",
        LeadVerb.DIFF,
        "Show which files an agent of yours has changed; with a file, what it changed in it.",
        {
            **_AGENT,
            "file": _text("One of those files: its path as it is listed.", 4_000),
            "start": _number("From which line of the diff on (default: 0).", 0, 10_000_000),
        },
        ("agent",),
        do.diff,
    ),
    Tool(
        "costs",
        LeadVerb.COSTS,
        "Show what each of your agents has cost so far, in US dollars.",
        {},
        (),
        do.costs,
    ),
    Tool(
        "explain",
        LeadVerb.EXPLAIN,
        "Say why an agent of yours is in the state that it is in, and what can be done.",
        _AGENT,
        ("agent",),
        do.explain,
    ),
)

BY_NAME = {tool.name: tool for tool in TOOLS}


def checked(tool: Tool, given: Mapping[str, Any]) -> dict[str, Any]:
    """Check what a tool was given against its schema. Raises `ToolRefused`."""
    if unknown := sorted(set(given) - set(tool.takes)):
        raise ToolRefused(
            f"{tool.name} takes no {ascii(unknown[0])[:60]}: it takes {', '.join(tool.takes) or 'nothing'}"
        )
    if missing := [name for name in tool.needs if given.get(name) is None]:
        raise ToolRefused(f"{tool.name} needs {missing[0]}")
    return {name: _checked(name, tool.takes[name], value) for name, value in given.items() if value is not None}


def _checked(name: str, schema: Mapping[str, Any], value: Any) -> Any:
    kinds = {"string": str, "integer": int, "boolean": bool, "array": list}
    kind = kinds[schema["type"]]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ToolRefused(f"{name} must be a {schema['type']}")
    if "enum" in schema and value not in schema["enum"]:
        raise ToolRefused(f"{name} must be one of {', '.join(schema['enum'])}")
    if isinstance(value, str | list):
        most = schema.get("maxLength", schema.get("maxItems", LONGEST_TEXT))
        if len(value) > most or (not value and schema.get("minLength")):
            raise ToolRefused(f"{name} must have 1 to {most} {'characters' if kind is str else 'entries'}")
    if isinstance(value, list):
        return [_checked(name, schema["items"], each) for each in value]
    if kind is int and not schema["minimum"] <= value <= schema["maximum"]:
        raise ToolRefused(f"{name} must be from {schema['minimum']} to {schema['maximum']}")
    return value
