"""What the stand-in understands of one POST /v1/messages."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from tests.lab.messages_api.defaults import Json

NOT_PROMPT = re.compile(r"<system-reminder>.*?</system-reminder>|\[Request interrupted by user[^\]]*\]", re.DOTALL)


def texts(content: object) -> list[str]:
    """The texts of a message's content, which is a string or a list of blocks."""
    if isinstance(content, str):
        return [content]
    blocks = content if isinstance(content, list) else []
    return [block.get("text", "") for block in blocks if isinstance(block, dict) and block.get("type") == "text"]


def last_prompt(messages: list[Json]) -> tuple[int, str]:
    """The index and text of the newest prompt of a user: the last text block that is one.

    Reminders that a client adds are no prompts. Clients merge neighbouring user messages (after an error, an
    interruption, beside tool results): of several prompts in one message the last counts.
    """
    for index in range(len(messages) - 1, -1, -1):
        if messages[index].get("role") == "user":
            for text in reversed(texts(messages[index].get("content"))):
                if prompt := NOT_PROMPT.sub("", text).strip():
                    return index, prompt
    return 0, ""


def schema_example(schema: object) -> Any:
    """A small value that fits a JSON schema, enough for structured outputs."""
    if not isinstance(schema, dict):
        return None
    if "const" in schema:
        return schema["const"]
    choices = [schema[key][0] for key in ("anyOf", "oneOf", "allOf") if schema.get(key)]
    if choices:
        return schema_example(choices[0])
    if schema.get("enum"):
        return schema["enum"][0]
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object" or "properties" in schema:
        return {name: schema_example(value) for name, value in schema.get("properties", {}).items()}
    return {"array": [], "boolean": False, "number": 0, "integer": 0}.get(str(kind), "text")


class Request:
    """A request, and who asks."""

    def __init__(self, headers: Mapping[str, str], body: Json) -> None:
        self.body = body
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.model = str(body.get("model", ""))
        self.messages: list[Json] = body.get("messages") or []
        self.stream = bool(body.get("stream"))
        self.tools = [tool.get("name") for tool in body.get("tools") or []]
        self.user_id = str((body.get("metadata") or {}).get("user_id") or "")
        self.agent = self.headers.get("x-claude-code-agent-id", "")
        self.prompt_index, self.prompt = last_prompt(self.messages)
        after = self.messages[self.prompt_index + 1 :]
        self.replies = sum(message.get("role") == "assistant" for message in after)
        self.dumped = json.dumps(body, sort_keys=True)

    @property
    def login(self) -> str:
        """What the client logs in with: its key, or its bearer token."""
        bearer = self.headers.get("authorization", "").removeprefix("Bearer ").strip()
        return self.headers.get("x-api-key") or bearer

    @cached_property
    def session(self) -> str:
        """Claude Code's session id, from its header or from the metadata."""
        if given := self.headers.get("x-claude-code-session-id"):
            return given
        try:
            return str(json.loads(self.user_id).get("session_id", ""))
        except (ValueError, AttributeError):
            return self.user_id.rpartition("_session_")[2]

    @property
    def is_aux(self) -> bool:
        """A title, a summary, a classifier: anything but the main loop."""
        return not self.tools

    @property
    def is_classifier(self) -> bool:
        """Claude Code's auto-mode safety classifier (2.1.330, observed)."""
        return self.is_aux and "security monitor" in "\n".join(texts(self.body.get("system")))[:2000]

    @property
    def tokens(self) -> int:
        """Its size, at 4 characters a token."""
        return max(1, len(self.dumped) // 4)

    @property
    def cached(self) -> bool:
        """Whether it asks for the prompt cache."""
        return '"cache_control"' in self.dumped

    @property
    def one_hour(self) -> bool:
        """Whether the cache is to last an hour, in place of five minutes."""
        return '"ttl": "1h"' in self.dumped

    @property
    def schema(self) -> Json | None:
        """The JSON schema that it wants, in any of the shapes clients use."""
        for holder in (self.body.get("output_config") or {}, self.body):
            wanted = holder.get("format") or holder.get("output_format")
            if isinstance(wanted, dict) and wanted.get("type") == "json_schema":
                return wanted.get("schema") or {}
        return None

    @property
    def key(self) -> str:
        """The same for all tries of one step of one agent."""
        digest = hashlib.sha256(self.prompt.encode()).hexdigest()[:12]
        return f"{self.session}/{self.agent}/{self.prompt_index}/{digest}/{self.replies}"

    def summary(self) -> Json:
        """For the list of requests."""
        return {
            "session": self.session,
            "agent": self.agent,
            "user_id": self.user_id,
            "login": self.login,
            "model": self.model,
            "stream": self.stream,
            "aux": self.is_aux,
            "replies": self.replies,
            "prompt": self.prompt[:300],
            "tools": self.tools,
            "tokens": self.tokens,
            "max_tokens": self.body.get("max_tokens"),
            "body": self.body,
        }
